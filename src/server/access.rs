//! Who asks, and whether they may: tokens, and failures to show one.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};

use super::error::ApiError;
use crate::access::{Digest, Failures, Scope, Token, Tokens};
use crate::model::Time;

/// Whoever asks without a token, where none is asked for.
const LOCAL: &str = "local";
/// Whoever shows the token of the data folder: a command on this machine.
const OWN: &str = "larum";
/// Denied writes that are written down: so many at once, and one more after each `DENIED_EVERY`.
const DENIED_BURST: u32 = 60;
const DENIED_EVERY: Duration = Duration::from_secs(2);

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name of the token; `local` where none is asked for.
    pub who: Arc<str>,
    /// From where.
    pub address: Option<IpAddr>,
    /// The token.
    pub token: Option<Arc<Token>>,
}

impl Caller {
    /// Whether this is somebody whom a token names.
    pub fn is_named(&self) -> bool {
        self.token.as_ref().is_some_and(|token| *token.name != *OWN)
    }

    /// The name under which snapshots of this caller are taken.
    pub(super) fn source(&self) -> Arc<str> {
        match &self.token {
            Some(token) if *token.name != *OWN => format!("push:{}", token.name).into(),
            _ => "push".into(),
        }
    }
}

/// Which tokens are good now. Shared with whoever reloads them.
#[derive(Debug)]
pub struct Access {
    tokens: RwLock<Tokens>,
    /// The token of the data folder, which the commands read.
    own: Option<Arc<Token>>,
    /// A token is asked for even where none is configured: the address is not this machine's alone.
    always: bool,
    failures: Mutex<Failures>,
    denied: Mutex<Failures>,
}

impl Default for Access {
    fn default() -> Access {
        Access::new(Tokens::default(), None, false)
    }
}

impl Access {
    /// These tokens, beside that of the data folder. `always`: one is asked for though none is configured.
    pub fn new(tokens: Tokens, own: Option<Digest>, always: bool) -> Access {
        let token = |digest| Token {
            name: OWN.into(),
            scopes: Scope::ALL.into(),
            digest,
            kinds: Vec::new(),
            names: Vec::new(),
        };
        let denied = crate::access::Limits { burst: DENIED_BURST, every: DENIED_EVERY, addresses: 1 };
        Access {
            tokens: RwLock::new(tokens),
            own: own.map(|digest| Arc::new(token(digest))),
            always,
            failures: Mutex::default(),
            denied: Mutex::new(Failures::new(denied)),
        }
    }

    /// Other tokens from now on.
    pub fn set_tokens(&self, tokens: Tokens) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// Whether a token is asked for.
    pub fn is_required(&self) -> bool {
        self.always || !self.tokens.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Who asks, if they may do what takes this scope.
    ///
    /// Who has failed too often is not listened to for a while; but the token of the data folder, which nobody can guess,
    /// is always looked for, so that nobody can lock out the commands.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        address: Option<IpAddr>,
        scope: Option<Scope>,
        now: Time,
    ) -> Result<Caller, ApiError> {
        let local = Caller { who: LOCAL.into(), address, token: None };
        let Some(scope) = scope else { return Ok(local) };
        if !self.is_required() {
            return Ok(local);
        }
        let shown = bearer(headers)?;
        let token = shown.and_then(|secret| self.own.clone().filter(|own| own.digest.matches(&Digest::of(secret))));
        let token = match (token, shown) {
            (Some(own), _) => Some(own),
            (None, shown) => {
                if let Some(wait) = address.and_then(|address| self.failures().wait(address, now)) {
                    return Err(ApiError::new(
                        StatusCode::TOO_MANY_REQUESTS,
                        "too many requests from this address came without a good token",
                    )
                    .hint("wait as long as `Retry-After` says, and send a good token")
                    .retry_after(wait.as_secs_f64().ceil() as u64));
                }
                let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
                shown.and_then(|secret| tokens.find(secret).cloned())
            }
        };
        let Some(token) = token else {
            if let Some(address) = address {
                self.failures().note(address, now);
            }
            return Err(unauthorized(if shown.is_some() { "this token is not known" } else { "a token is asked for" }));
        };
        if !token.may(scope) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                format!("the token `{}` is not good for this: it takes the scope `{scope}`", token.name),
            )
            .hint("the scopes of a token stand in `tokens` of larum.yaml"));
        }
        Ok(Caller { who: token.name.clone(), address, token: Some(token) })
    }

    /// Whether a denied write is to be written down: an attacker must not fill the disk.
    pub(super) fn notes_denied(&self, now: Time) -> bool {
        let everybody = IpAddr::from([0, 0, 0, 0]);
        let mut denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        let is_noted = denied.wait(everybody, now).is_none();
        if is_noted {
            denied.note(everybody, now);
        }
        is_noted
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unauthorized(error: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, error)
        .hint("send `Authorization: Bearer <token>`; commands read LARUM_TOKEN, or the token of the data folder")
        .authenticate()
}

/// The token that a request shows. `None` where it shows none.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), rest) = (all.next(), all.next()) else { return Ok(None) };
    let form = || unauthorized("the `Authorization` header is not `Bearer <token>`");
    if rest.is_some() {
        return Err(unauthorized("the request has several `Authorization` headers"));
    }
    let text = value.to_str().map_err(|_| form())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(form)?;
    match scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() {
        true => Ok(Some(token.trim())),
        false => Err(form()),
    }
}
