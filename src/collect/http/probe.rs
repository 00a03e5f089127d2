//! One attempt at a service.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use super::{Http, certificate, expect};
use crate::collect::service::Failure;
use crate::diagnostic::error_chain;

/// Of a body, this much is read and judged.
const BODY_LIMIT: usize = 1 << 20;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// From the start of the attempt to the end of the body, or to its first MiB.
    pub(super) took: Duration,
    /// When the peer's certificate ends, in Unix seconds.
    pub(super) certificate_ends: Option<i64>,
}

/// Asks once. What came back is told even where it is not as expected.
pub(super) async fn attempt(http: &Http) -> (Option<Answer>, Option<Failure>) {
    let began = Instant::now();
    let mut request = http.client.request(http.method.clone(), http.url.clone()).headers(http.headers.clone());
    if let Some(body) = &http.settings.body {
        request = request.body(body.expose_secret().to_string());
    }
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return (None, Some(failure(error, http.settings.timeout))),
    };
    let status = response.status().as_u16();
    let info = response.extensions().get::<reqwest::tls::TlsInfo>();
    let certificate_ends = info.and_then(|info| certificate::not_after(info.peer_certificate()?));
    let mut body = Vec::new();
    let mut broken = None;
    while body.len() < BODY_LIMIT {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(BODY_LIMIT - body.len())]),
            Ok(None) => break,
            Err(error) => {
                broken = Some(failure(error, http.settings.timeout));
                break;
            }
        }
    }
    let answer = Answer { status, took: began.elapsed(), certificate_ends };
    let failure = broken.or_else(|| {
        let observed = expect::Observed { status, body: &body, took: answer.took };
        http.settings.expect.judge(&observed).err().map(Failure::Unexpected)
    });
    (Some(answer), failure)
}

/// Sorts what went wrong. The URL is left out of the text: it may hold a password.
fn failure(error: reqwest::Error, timeout: Duration) -> Failure {
    let error = error.without_url();
    let unreachable = error.is_connect() && !is_tls(&error);
    if error.is_timeout() {
        let limit = crate::model::duration::format(timeout);
        // Without a connection nothing is known to be there.
        return match unreachable {
            true => Failure::Unreachable(format!("no connection in time (the whole attempt has {limit})")),
            false => Failure::Unexpected(format!("no complete answer within {limit}")),
        };
    }
    let text = error_chain(&error);
    if unreachable { Failure::Unreachable(text) } else { Failure::Unexpected(text) }
}

/// Whether somebody answered the connection, but TLS failed.
fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        // An io::Error hides what it wraps from source().
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if wrapped.is_some_and(|inner| is_tls(inner)) {
            return true;
        }
        cause = error.source();
    }
    false
}
