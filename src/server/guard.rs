//! Who may ask: the `Host` of every request, and content type and origin of every write.
//!
//! A page in the operator's own browser may send requests to 127.0.0.1. By DNS rebinding (a name of the attacker's that
//! points here) it could even read the answers: so `Host` must be a name that is ours. A form of a foreign page can
//! write without reading: so writes need a JSON content type, which no form has, and the browser's word on the origin.

use std::collections::BTreeSet;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::Caller;
use super::error::ApiError;
use super::listen::Peer;
use super::{Shared, audit, routes};
use crate::access::Scope;

/// The names under which the server may be addressed, with any port or none: a tunnel may come from another port, and
/// rebinding is about names. The loopback names are always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHosts {
    names: BTreeSet<String>,
}

impl Default for AllowedHosts {
    fn default() -> AllowedHosts {
        AllowedHosts { names: ["localhost", "127.0.0.1", "[::1]"].map(str::to_string).into() }
    }
}

impl AllowedHosts {
    /// The loopback names and these: `larum.example`, `192.168.1.5`, `::1`. A port in them is left out.
    pub fn with(names: impl IntoIterator<Item = impl AsRef<str>>) -> AllowedHosts {
        let mut allowed = AllowedHosts::default();
        allowed.names.extend(names.into_iter().map(|name| {
            let name = name.as_ref();
            match name.parse::<std::net::Ipv6Addr>() {
                Ok(address) => format!("[{address}]"),
                Err(_) => split_port(name).map_or(name, |(name, _)| name).to_ascii_lowercase(),
            }
        }));
        allowed
    }

    fn allows(&self, authority: &str) -> bool {
        split_port(authority).is_some_and(|(name, _)| self.names.contains(&name.to_ascii_lowercase()))
    }
}

/// A name and its port. `None` where the port is none.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let colon = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| at + bracket),
        None => authority.find(':'),
    };
    match colon {
        None => Some((authority, None)),
        Some(at) => Some((&authority[..at], Some(authority[at + 1..].parse().ok()?))),
    }
}

/// Lets a request pass, or says why not; and writes down what was asked for, where that does something.
pub(super) async fn check(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_string());
    let route = path.and_then(|path| routes::find(request.method(), &path));
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    // What does not exist is no secret, but whoever may not read is not told either.
    let scope = route.map_or(Some(Scope::Read), |route| route.scope);
    let now = shared.intake.now();
    let hosts = &shared.settings.allowed_hosts;
    let verdict = judge(hosts, request.method(), request.uri(), request.headers());
    let verdict = verdict.and_then(|()| shared.settings.access.admit(request.headers(), address, scope, now.time));
    let is_audited = route.is_some_and(routes::Route::is_audited);
    let (method, path) = (request.method().to_string(), request.uri().path().to_string());
    let caller = match verdict {
        Ok(caller) => caller,
        Err(error) => {
            if is_audited && shared.settings.access.notes_denied(now.time) {
                let stranger = Caller { who: "?".into(), address, token: None };
                let entry = audit::entry(&stranger, now.wall(), audit::said(&method, &path, b""), error.status);
                shared.operator.note(entry).await;
            }
            return error.into_response();
        }
    };
    request.extensions_mut().insert(caller.clone());
    if !is_audited {
        return next.run(request).await;
    }
    let (parts, sent) = request.into_parts();
    let sent = match audit::body(sent).await {
        Ok(sent) => sent,
        Err(error) => return error.into_response(),
    };
    let what = audit::said(&method, &path, &sent);
    let response = next.run(Request::from_parts(parts, sent.into())).await;
    // The answer waits until it is written down, or is known not to be.
    shared.operator.note(audit::entry(&caller, now.wall(), what, response.status())).await;
    response
}

fn judge(allowed: &AllowedHosts, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let host = host(uri, headers)?;
    if !allowed.allows(host) {
        return Err(ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!("this server is not addressed as {host:?}"),
        )
        .hint("use 127.0.0.1 or localhost, or add the name to `allowed_hosts` in larum.yaml"));
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    check_origin(host, headers)?;
    check_content_type(headers)
}

/// The name by which the request addresses the server. Where it gives two, they must agree.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a str, ApiError> {
    let bad = |problem: &str| {
        ApiError::new(StatusCode::BAD_REQUEST, problem)
            .hint("every HTTP client sends one `Host` header with the name that it was given")
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    let header = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().map_err(|_| bad("the `Host` header is not a name"))?),
        (None, _) => None,
        (Some(_), Some(_)) => return Err(bad("the request has several `Host` headers")),
    };
    let authority = uri.authority().map(|authority| authority.as_str());
    match (header, authority) {
        (Some(header), Some(authority)) if !header.eq_ignore_ascii_case(authority) => {
            Err(bad("the `Host` header and the request line name different hosts"))
        }
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => Err(bad("the request has no `Host` header")),
    }
}

fn check_origin(host: &str, headers: &HeaderMap) -> Result<(), ApiError> {
    let foreign = |from: &str| {
        ApiError::new(StatusCode::FORBIDDEN, format!("a page of another origin ({from}) may not write here"))
            .hint("send from a program, or from a page that this server served")
    };
    // Only browsers send these two, and no page can forge them.
    if let Some(site) = headers.get("sec-fetch-site") {
        let site = site.to_str().unwrap_or("unreadable");
        if !matches!(site, "same-origin" | "none") {
            return Err(foreign(site));
        }
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("unreadable");
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
            return Err(foreign(origin));
        }
    }
    Ok(())
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if is_json(given) {
        return Ok(());
    }
    let error = match given {
        "" => "the request has no `Content-Type`".to_string(),
        given => format!("`Content-Type: {given}` is not JSON"),
    };
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error)
        .hint("send `Content-Type: application/json`, or `application/x-ndjson` for JSON Lines"))
}

/// Whether a `Content-Type` names JSON or JSON Lines. No form can send either without the browser asking us first.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    matches!(
        essence.as_str(),
        "application/json"
            | "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(method: Method, uri: &str, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let allowed = AllowedHosts::with(["Larum.example:8001", "fe80::1"]);
        judge(&allowed, &method, &uri.parse().unwrap(), &map).map_or_else(|error| error.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let cases = [
            ("127.0.0.1:8001", 200),
            ("127.0.0.1", 200),
            ("LOCALHOST:9999", 200),
            ("[::1]:8001", 200),
            ("[::1]", 200),
            ("larum.example", 200),
            ("larum.example:80", 200),
            ("[fe80::1]:80", 200),
            ("evil.example", 421),
            ("evil.example:8001", 421),
            ("localhost.evil.example", 421),
            ("evil.example:127.0.0.1", 421),
            ("127.0.0.1:", 421),
            ("127.0.0.1:99999", 421),
            ("::1", 421),
            ("", 421),
        ];
        for (host, expected) in cases {
            assert_eq!(status(Method::GET, "/healthz", &[("host", host)]), expected, "{host:?}");
        }
    }

    #[test]
    fn a_request_without_a_clear_host_is_refused() {
        assert_eq!(status(Method::GET, "/", &[]), 400);
        assert_eq!(status(Method::GET, "/", &[("host", "localhost"), ("host", "localhost")]), 400);
        assert_eq!(status(Method::GET, "http://evil.example/", &[("host", "localhost")]), 400);
        assert_eq!(status(Method::GET, "http://evil.example/", &[]), 421);
        assert_eq!(status(Method::GET, "http://localhost/", &[("host", "localhost")]), 200);
    }

    #[test]
    fn a_write_needs_a_json_type_and_from_a_browser_the_same_origin() {
        let json = ("content-type", "application/json; charset=utf-8");
        let cases: [(&[(&'static str, &str)], u16); 14] = [
            (&[json], 200),
            (&[("content-type", "application/x-ndjson")], 200),
            (&[("content-type", "Application/JSONL")], 200),
            (&[], 415),
            (&[("content-type", "text/plain")], 415),
            (&[("content-type", "application/x-www-form-urlencoded")], 415),
            (&[json, ("sec-fetch-site", "same-origin")], 200),
            (&[json, ("sec-fetch-site", "none")], 200),
            (&[json, ("sec-fetch-site", "same-site")], 403),
            (&[json, ("sec-fetch-site", "cross-site")], 403),
            (&[json, ("origin", "http://LOCALHOST:8001")], 200),
            (&[json, ("origin", "http://localhost:3000")], 403),
            (&[json, ("origin", "https://evil.example")], 403),
            (&[json, ("origin", "null")], 403),
        ];
        for (headers, expected) in cases {
            let headers: Vec<_> = [("host", "localhost:8001")].into_iter().chain(headers.iter().copied()).collect();
            assert_eq!(status(Method::POST, "/api/v1/snapshots", &headers), expected, "{headers:?}");
            assert_eq!(status(Method::GET, "/api/v1/status", &headers), 200, "reads are open: {headers:?}");
        }
    }

    proptest! {
        #[test]
        fn no_host_panics_and_only_our_names_pass(host in "[a-z0-9.:\\[\\]@ -]{0,30}", port in any::<u16>()) {
            let allowed = AllowedHosts::default();
            let ours = ["localhost", "127.0.0.1", "[::1]"];
            let is_ours = ours.iter().any(|name| {
                host.strip_prefix(name).is_some_and(|rest| {
                    rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
                })
            });
            prop_assert_eq!(allowed.allows(&host), is_ours);
            for name in ours {
                let authority = format!("{name}:{port}");
                prop_assert!(allowed.allows(&authority));
            }
        }
    }
}
