//! The HTTP transport: one attempt, no redirects, no cookies, no address in an error.

use std::error::Error as _;
use std::sync::Once;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;

use super::file::MAX_CONCURRENCY;
use super::request::HttpCall;
use super::verdict::{Reply, Verdict};
use crate::model::Time;

/// How long a connection may take to be made, within the timeout of the whole attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// No more of an answer is read; verdicts stand in the first lines.
const MAX_REPLY: usize = 64 << 10;

/// Makes ring the process's provider of cryptography, once. Clients cannot be made before.
pub fn install_tls_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error says that somebody else has installed one already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}

/// The client that all channels share: it keeps connections, and nothing else, between attempts.
///
/// # Errors
/// Where the system has no store of certificates.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    builder().build()
}

/// The beginning of that client.
pub fn builder() -> reqwest::ClientBuilder {
    install_tls_provider();
    reqwest::Client::builder()
        .user_agent(concat!("larum/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(60))
        // As many as one channel may have at once: else each attempt beyond would open and close its own.
        .pool_max_idle_per_host(MAX_CONCURRENCY)
        // Whether to try again is the outbox's decision alone.
        .retry(reqwest::retry::never())
}

/// Makes one attempt. `now` tells the wall-clock time at which the answer is judged.
///
/// # Errors
/// The verdict, where there was no answer.
pub(super) async fn call(
    client: &reqwest::Client,
    call: &HttpCall,
    timeout: Duration,
    now: Time,
) -> Result<Reply, Verdict> {
    let method = reqwest::Method::from_bytes(call.method.as_bytes())
        .map_err(|_| Verdict::permanent(format!("`{}` is not an HTTP method", call.method)))?;
    let url = reqwest::Url::parse(call.url.expose())
        .map_err(|error| Verdict::permanent(format!("the address is not a URL: {error}")))?;
    let request = client.request(method, url).headers(headers(call)?).timeout(timeout).body(call.body.clone());
    let mut response = request.send().await.map_err(failure)?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_string);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        body.extend_from_slice(&chunk);
        if body.len() >= MAX_REPLY {
            break;
        }
    }
    body.truncate(MAX_REPLY);
    Ok(Reply { status, retry_after, body: String::from_utf8_lossy(&body).into_owned(), time: now })
}

fn headers(call: &HttpCall) -> Result<HeaderMap, Verdict> {
    let mut map = HeaderMap::with_capacity(call.headers.len());
    for (name, value) in &call.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Verdict::permanent(format!("`{name}` is not a header name")))?;
        let mut value = HeaderValue::from_bytes(value.expose().as_bytes())
            .map_err(|_| Verdict::permanent(format!("the value of the header `{name}` is not allowed in HTTP")))?;
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}

/// Every failure without an answer may pass: the network, a restart, a name not yet known.
fn failure(error: reqwest::Error) -> Verdict {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "the connection broke"
    };
    // The address is a credential with many receivers.
    let error = error.without_url();
    let mut deepest: &dyn std::error::Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    match error.is_timeout() || error.source().is_none() {
        true => Verdict::retry(what),
        false => Verdict::retry(format!("{what}: {deepest}")),
    }
}
