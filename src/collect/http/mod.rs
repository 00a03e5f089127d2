//! Probes of services over HTTP: kind `service`.
//!
//! `status` is `running` where the service answered as expected, `error` where something answered but not as expected
//! (status, body, too slow, no complete answer in time, a certificate that does not hold), and `stopped` where nothing
//! could be connected to (no such name, refused, unreachable). `up` is 1 for `running` and else 0. Every probe makes a
//! connection of its own, past the system's proxy: it measures the service and not what was left open to it.

mod certificate;
mod expect;
mod probe;

pub use expect::{Expectations, JsonExpectation, StatusRange};

use std::sync::{Arc, Once};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::service::{self, Failure};
use super::{Collector, Error, Pass};
use crate::model::{Labels, Now, Snapshot, Time};
use probe::Answer;

/// What can be set of an HTTP probe. `Debug` shows neither the URL nor headers: either may hold a secret.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The name of the service's subject; the collector is called `http:` and this.
    pub name: Arc<str>,
    /// The kind of the service's subject.
    pub kind: Arc<str>,
    /// Labels of the service's subject.
    pub labels: Labels,
    /// What to ask.
    pub url: SecretString,
    /// `GET`, `HEAD`, `POST`, ...
    pub method: String,
    /// Headers to send.
    pub headers: Vec<(String, SecretString)>,
    /// A body to send.
    pub body: Option<SecretString>,
    /// One attempt must be over within this time, from the name's resolution to the end of the body.
    pub timeout: Duration,
    /// How often a failed attempt is repeated within one pass.
    pub retries: u32,
    /// Whether up to 5 redirects are followed; where not, the redirect is the answer. A probe with headers follows none
    /// to another server.
    pub follow_redirects: bool,
    /// Whether the certificate is verified.
    pub verify_tls: bool,
    /// Authorities to trust besides the system's, as PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// What counts as well.
    pub expect: Expectations,
}

impl HttpSettings {
    /// A probe with the defaults: `GET` within 5 s, no retries, redirects followed, any status from 200 to 299 is well.
    pub fn new(name: impl Into<Arc<str>>, url: impl Into<String>) -> HttpSettings {
        HttpSettings {
            name: name.into(),
            kind: "service".into(),
            labels: Labels::new(),
            url: SecretString::from(url.into()),
            method: "GET".to_string(),
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(5),
            retries: 0,
            follow_redirects: true,
            verify_tls: true,
            ca_pem: None,
            expect: Expectations::default(),
        }
    }

    /// How long a pass with all its retries may take: what the schedule's timeout should at least be.
    pub fn pass_timeout(&self) -> Duration {
        service::pass_timeout(self.timeout, self.retries)
    }
}

/// Probes one service.
pub(super) struct Http {
    collector: Arc<str>,
    settings: HttpSettings,
    client: reqwest::Client,
    method: reqwest::Method,
    url: reqwest::Url,
    headers: HeaderMap,
    consecutive_failures: u64,
}

impl Http {
    pub(super) fn new(settings: &HttpSettings) -> Result<Http, Error> {
        let collector: Arc<str> = format!("http:{}", settings.name).into();
        let unusable = |problem: String| Error::Setting { collector: Arc::clone(&collector), problem };
        let url = reqwest::Url::parse(settings.url.expose_secret())
            .map_err(|error| unusable(format!("the URL is not one: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unusable(format!("the URL must begin with http:// or https://, not {}:", url.scheme())));
        }
        let method = reqwest::Method::from_bytes(settings.method.as_bytes())
            .map_err(|_| unusable(format!("`{}` is no HTTP method", settings.method)))?;
        let headers = header_map(settings).map_err(unusable)?;
        let client = client(settings, &collector)?;
        Ok(Http { collector, settings: settings.clone(), client, method, url, headers, consecutive_failures: 0 })
    }

    fn snapshot(&self, time: Time, now_unix: i64, answer: Option<&Answer>, failure: Option<&Failure>) -> Snapshot {
        let HttpSettings { kind, name, labels, .. } = &self.settings;
        let mut own = service::observation((kind, name, labels), time, failure, self.consecutive_failures);
        if let Some(answer) = answer {
            own.number("status_code", f64::from(answer.status))
                .number("response_time_seconds", answer.took.as_secs_f64())
                .number("tls_expires_in_seconds", answer.certificate_ends.map(|ends| (ends - now_unix) as f64));
        }
        own.finish()
    }
}

impl Collector for Http {
    fn name(&self) -> &Arc<str> {
        &self.collector
    }

    fn is_local(&self) -> bool {
        false
    }

    fn collect(&mut self, now: Now) -> BoxFuture<'_, Result<Pass, Error>> {
        Box::pin(async move {
            let (answer, failure) = service::probe(self.settings.retries, || probe::attempt(self)).await;
            self.consecutive_failures = if failure.is_some() { self.consecutive_failures + 1 } else { 0 };
            // A certificate ends by the calendar, which is the wall clock's.
            let now_unix = now.wall().as_micros().div_euclid(1_000_000);
            let snapshot = self.snapshot(now.time, now_unix, answer.as_ref(), failure.as_ref());
            Ok(Pass { snapshots: vec![snapshot], ..Pass::default() })
        })
    }
}

fn header_map(settings: &HttpSettings) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.headers {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no name of an HTTP header"))?;
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| format!("the value of the header `{name}` holds characters that no header may hold"))?;
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

fn client(settings: &HttpSettings, collector: &Arc<str>) -> Result<reqwest::Client, Error> {
    install_crypto();
    let failed = |source: reqwest::Error| Error::Client { collector: Arc::clone(collector), source };
    let redirects = match settings.follow_redirects {
        true => redirects(!settings.headers.is_empty()),
        false => reqwest::redirect::Policy::none(),
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("larum/", env!("CARGO_PKG_VERSION")))
        .timeout(settings.timeout)
        // Shorter than the whole, so that a machine that drops packets is told from one that is slow to answer.
        .connect_timeout(settings.timeout.mul_f64(0.8))
        .redirect(redirects)
        .pool_max_idle_per_host(0)
        .no_proxy()
        .tls_info(true)
        .tls_danger_accept_invalid_certs(!settings.verify_tls);
    if let Some(pem) = &settings.ca_pem {
        builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem).map_err(failed)?);
    }
    builder.build().map_err(failed)
}

/// Follows 5 redirects. Headers go along, and may be secret: with them, redirects stay with the server that was asked.
fn redirects(has_headers: bool) -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(move |attempt| {
        let is_elsewhere = attempt.previous().first().is_some_and(|asked| asked.origin() != attempt.url().origin());
        if attempt.previous().len() > 5 {
            attempt.error("too many redirects")
        } else if has_headers && is_elsewhere {
            attempt.error("it leads to another server, which must not get the headers of this probe")
        } else {
            attempt.follow()
        }
    })
}

/// The cryptography of all TLS clients of the process. reqwest panics where none is installed.
fn install_crypto() {
    static INSTALLED: Once = Once::new();
    // An error means that another part of the process installed one, which serves as well.
    INSTALLED.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

#[cfg(test)]
mod tests;
