//! Access tokens: what some receivers want instead of the secret itself.
//!
//! A token lives for hours and asking for one is counted by the receiver, so all channels of the process share what is
//! kept here: one token per receiver and secret, fetched once however many attempts want it, and again before it ends.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::http;
use super::request::HttpCall;
use super::verdict::{Reply, Verdict};
use crate::config::Secret;
use crate::model::Time;

/// No token is used in the last minutes of its life: a request takes its time, and clocks differ.
const MARGIN: Duration = Duration::from_secs(300);

/// Where the token of a request comes from. Two requests with the same `fetch` use the same token.
#[derive(Clone)]
pub struct TokenSource {
    /// Asks for a token.
    pub fetch: HttpCall,
    /// Reads the answer to that.
    pub read: fn(&Reply) -> Result<Granted, Verdict>,
    /// Whether the answer to a request says that its token is no longer good.
    pub is_refused: fn(&Reply) -> bool,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource(..)")
    }
}

/// A token that was given to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The token.
    pub token: Secret,
    /// How long it is good.
    pub lifetime: Duration,
}

/// An HTTP request that ends its address with a token.
#[derive(Clone, Debug)]
pub struct TokenedCall {
    /// Where the token comes from.
    pub source: TokenSource,
    /// The request; its address lacks the token at its end.
    pub call: HttpCall,
}

impl TokenedCall {
    /// The request with its token.
    fn with(&self, token: &Secret) -> HttpCall {
        let url = format!("{}{}", self.call.url.expose(), percent_encoded(token.expose()));
        HttpCall { url: Secret::new(url), ..self.call.clone() }
    }
}

/// The text as it may stand in a query (RFC 3986, 2.3).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The tokens of the process.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    slots: Mutex<HashMap<[u8; 32], Arc<Slot>>>,
}

/// The token of one receiver and secret.
#[derive(Debug, Default)]
struct Slot {
    /// How many times it was asked for, with or without success.
    asked: AtomicU64,
    /// Held while it is asked for: who comes meanwhile waits for the same answer.
    state: tokio::sync::Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<(Secret, Instant)>,
    /// What the newest question came to, where there was no token, and when the receiver may be asked again.
    failed: Option<(Verdict, Instant)>,
}

impl Tokens {
    /// Makes one attempt: with the token that is held, and once more with a new one where that is refused.
    ///
    /// # Errors
    /// The verdict, where there was no token or no answer.
    pub(super) async fn call(
        &self,
        client: &reqwest::Client,
        tokened: &TokenedCall,
        timeout: Duration,
        now: Time,
    ) -> Result<Reply, Verdict> {
        let source = &tokened.source;
        let attempt = async {
            let token = self.token(client, source, None, timeout, now).await?;
            let reply = http::call(client, &tokened.with(&token), timeout, now).await?;
            if !(source.is_refused)(&reply) {
                return Ok(reply);
            }
            let token = self.token(client, source, Some(&token), timeout, now).await?;
            http::call(client, &tokened.with(&token), timeout, now).await
        };
        // The parts together take no longer than one request of another kind.
        tokio::time::timeout(timeout, attempt).await.unwrap_or_else(|_| Err(Verdict::retry("no answer in time")))
    }

    /// The token that is held, or a new one: where there is none, it is about to end, or it is the one that was refused.
    async fn token(
        &self,
        client: &reqwest::Client,
        source: &TokenSource,
        refused: Option<&Secret>,
        timeout: Duration,
        now: Time,
    ) -> Result<Secret, Verdict> {
        let slot = self.slot(&source.fetch);
        let asked = slot.asked.load(Ordering::Acquire);
        let mut state = slot.state.lock().await;
        if let Some((token, until)) = &state.held
            && Instant::now() < *until
            && refused != Some(token)
        {
            return Ok(token.clone());
        }
        if let Some((verdict, until)) = &state.failed
            && (slot.asked.load(Ordering::Acquire) != asked || Instant::now() < *until)
        {
            return Err(verdict.clone());
        }
        state.held = None;
        let answer = match http::call(client, &source.fetch, timeout, now).await {
            Ok(reply) => (source.read)(&reply),
            Err(verdict) => Err(verdict),
        };
        slot.asked.fetch_add(1, Ordering::Release);
        match answer {
            Ok(Granted { token, lifetime }) => {
                state.held = Some((token.clone(), Instant::now() + usable(lifetime)));
                state.failed = None;
                Ok(token)
            }
            Err(verdict) => {
                let wait = match &verdict {
                    Verdict::Retry { after: Some(after), .. } => *after,
                    _ => Duration::ZERO,
                };
                state.failed = Some((verdict.clone(), Instant::now() + wait));
                Err(verdict)
            }
        }
    }

    fn slot(&self, fetch: &HttpCall) -> Arc<Slot> {
        // The address holds the secret: only its hash is kept.
        let key = Sha256::digest(fetch.url.expose().as_bytes()).into();
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }
}

/// How long a token is used.
fn usable(lifetime: Duration) -> Duration {
    lifetime - MARGIN.min(lifetime / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let seconds = |lifetime| usable(Duration::from_secs(lifetime)).as_secs();
        assert_eq!([7200, 1000, 0].map(seconds), [6900, 900, 0]);
    }

    #[test]
    fn a_token_ends_the_address_whatever_it_is_made_of() {
        assert_eq!(percent_encoded("a-B_9.~"), "a-B_9.~");
        assert_eq!(percent_encoded("a+/=&b#\n"), "a%2B%2F%3D%26b%23%0A");
    }
}
