//! What keeps strangers out, on every route: the cases are made from the list of routes.

#![expect(clippy::disallowed_methods, reason = "servers of tests end with their runtimes")]

use std::net::{IpAddr, SocketAddr};

use axum::http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::super::listen::Peer;
use super::super::routes::{ROUTES, Route};
use super::*;
use crate::access::{Digest, Scope, Token, Tokens};

const SECRETS: [(Scope, &str); 3] = [
    (Scope::Read, "read-token-0123456789"),
    (Scope::Push, "push-token-0123456789"),
    (Scope::Write, "write-token-0123456789"),
];
const OWN: &str = "own-token-0123456789abcdef";

pub(super) fn guarded() -> Settings {
    let token = |(scope, secret): (Scope, &str)| Token {
        name: scope.as_str().into(),
        scopes: [scope].into(),
        digest: Digest::of(secret),
        kinds: Vec::new(),
        names: Vec::new(),
    };
    let access = Arc::new(Access::new(Tokens::new(SECRETS.map(token)), Some(Digest::of(OWN)), false));
    Settings { access, ..settings() }
}

/// A server with tokens, and what it was told to do.
pub(super) fn server(settings: Settings) -> (Router, Arc<Mutex<Vec<String>>>) {
    let daemon = Daemon::default();
    let wishes = daemon.wishes.clone();
    let daemon = Arc::new(daemon);
    (router(settings, Arc::new(Engine::default()), daemon.clone(), daemon), wishes)
}

/// A path of a route, with something in the place of its parameters.
pub(super) fn path(route: &Route) -> String {
    let query = match route.path {
        "/api/v1/why" => "?rule=known",
        "/api/v1/history" => "?kind=service&name=shop&field=rate",
        "/api/v1/snapshots" if (route.method)() == Method::GET => "?follow=true",
        _ => "",
    };
    let id = match route.path.split('/').nth(3) {
        Some("alerts") => "id-a",
        Some("silences") => "s1",
        _ => "n1",
    };
    format!("{}{query}", route.path.replace("{id}", id).replace("{name}", "n1").replace("{*path}", "app.js"))
}

pub(super) fn request(route: &Route) -> axum::http::request::Builder {
    let builder = Request::builder().method((route.method)()).uri(path(route)).header("host", "localhost:8001");
    if is_write(route) { builder.header("content-type", "application/json") } else { builder }
}

fn is_write(route: &Route) -> bool {
    (route.method)() != Method::GET
}

/// What a route takes as a body.
pub(super) fn body(route: &Route) -> Body {
    let text = match route.path {
        "/api/v1/snapshots" => entry("a").to_string(),
        "/api/v1/replay" => json!({ "file": "rules/a.rhai", "text": "" }).to_string(),
        "/api/v1/silences" => json!({ "match": { "rule": "x" }, "for": "1h" }).to_string(),
        "/api/v1/ack" => json!({ "rule": "x" }).to_string(),
        "/api/v1/pause" | "/api/v1/resume" => json!({ "rules": true }).to_string(),
        "/api/v1/forget" => json!({ "kind": "host", "name": "a" }).to_string(),
        _ => "{}".to_string(),
    };
    if is_write(route) { Body::from(text) } else { Body::empty() }
}

async fn status(router: &Router, request: Request<Body>) -> u16 {
    router.clone().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn every_route_takes_the_token_of_its_scope_and_no_other() {
    for route in ROUTES {
        let what = format!("{} {}", (route.method)(), route.path);
        let (router, wishes) = server(guarded());
        let bare = request(route).body(body(route)).unwrap();
        let answer = router.clone().oneshot(bare).await.unwrap();
        let Some(scope) = route.scope else {
            assert_eq!(answer.status(), 200, "{what} is for everybody");
            continue;
        };
        assert_eq!(answer.status(), 401, "{what} without a token");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{what}");
        for (has, secret) in SECRETS {
            let shown = request(route).header("authorization", format!("Bearer {secret}")).body(body(route)).unwrap();
            let may = has == scope || (has, scope) == (Scope::Write, Scope::Read);
            let answered = status(&router, shown).await;
            assert_eq!(answered < 300, may, "{what} with the scope {has}: {answered}");
            assert!(may || answered == 403, "{what} with the scope {has}: {answered}");
        }
        let own = request(route).header("authorization", format!("Bearer {OWN}")).body(body(route)).unwrap();
        assert!(status(&router, own).await < 300, "{what} with the token of the data folder");
        let done = wishes.lock().unwrap().iter().filter(|wish| !wish.starts_with("audit")).count();
        assert!(done <= 2, "{what} was done for whoever may alone: {done}");
    }
}

#[tokio::test]
async fn a_token_in_another_form_is_none() {
    let (_, secret) = SECRETS[2];
    let forms = [
        "".to_string(),
        secret.to_string(),
        format!("Basic {secret}"),
        format!("Bearer{secret}"),
        "Bearer ".to_string(),
        format!("Bearer {secret}x"),
        format!("Bearer {}", secret.to_uppercase()),
        format!("Bearer {}", &secret[1..]),
        format!("Bearer {}", Digest::of(secret)),
        format!("Bearer x {secret}"),
    ];
    for form in forms {
        let (router, _) = server(guarded());
        let request = Request::get("/api/v1/status").header("host", "localhost").header("authorization", &form);
        let (status, json, _) = send(router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(status, 401, "{form}");
        assert!(!json.to_string().contains("token-0123456789"), "no answer repeats a token: {json}");
    }
    let (router, _) = server(guarded());
    let two = Request::get("/api/v1/status").header("host", "localhost");
    let two = two.header("authorization", format!("Bearer {secret}")).header("authorization", "Bearer x");
    assert_eq!(status(&router, two.body(Body::empty()).unwrap()).await, 401);
    for place in ["/api/v1/status?token=", "/api/v1/status?access_token="] {
        let request = Request::get(format!("{place}{secret}")).header("host", "localhost").body(Body::empty()).unwrap();
        assert_eq!(status(&router, request).await, 401, "a token in an address is none: it would stand in logs");
    }
}

#[tokio::test]
async fn no_page_of_another_origin_reaches_any_route_that_does_something() {
    let tricks: [(&str, &str, u16); 5] = [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("content-type", "text/plain", 415),
    ];
    for route in ROUTES.iter().filter(|route| is_write(route)) {
        for (name, value, expected) in tricks {
            let (router, wishes) = server(guarded());
            let mut builder = request(route).header("authorization", format!("Bearer {OWN}"));
            if let Some(headers) = builder.headers_mut() {
                headers.insert(name, value.parse().unwrap());
            }
            let answered = status(&router, builder.body(body(route)).unwrap()).await;
            assert_eq!(answered, expected, "{} with {name}: {value}", route.path);
            assert!(wishes.lock().unwrap().iter().all(|wish| wish.starts_with("audit")), "nothing was done");
        }
    }
}

#[tokio::test]
async fn no_route_is_answered_under_a_name_that_is_not_ours() {
    for route in ROUTES {
        for host in ["evil.example", "evil.example:8001", "127.0.0.1.evil.example", "localhost@evil.example", "0x7f.1"]
        {
            let (router, _) = server(guarded());
            let mut builder = request(route).header("authorization", format!("Bearer {OWN}"));
            if let Some(headers) = builder.headers_mut() {
                headers.insert("host", host.parse().unwrap());
            }
            assert_eq!(status(&router, builder.body(body(route)).unwrap()).await, 421, "{} as {host}", route.path);
        }
    }
}

#[tokio::test]
async fn no_detour_leads_past_the_guard() {
    let detours = [
        "//api/v1/status",
        "/api//v1/status",
        "/api/v1/../v1/status",
        "/api/v1/%2e%2e/v1/status",
        "/api/v1/status/",
        "/API/v1/status",
        "/api/v1/status;a=b",
        "/api/v1%2fstatus",
        "/api/v1/st%61tus",
        "/api/v1/status%00",
        "/healthz/../api/v1/status",
        "/healthz/%2e%2e/api/v1/status",
        "/nowhere",
    ];
    for detour in detours {
        let (router, _) = server(guarded());
        let bare = Request::get(detour).header("host", "localhost").body(Body::empty()).unwrap();
        assert_eq!(status(&router, bare).await, 401, "{detour}: a stranger is not even told what exists");
        let read = Request::get(detour).header("host", "localhost").header("authorization", format!("Bearer {OWN}"));
        let answered = status(&router, read.body(Body::empty()).unwrap()).await;
        assert!(matches!(answered, 200 | 404), "{detour}: {answered}");
    }
}

#[tokio::test]
async fn no_other_method_does_what_a_token_was_not_good_for() {
    let (_, read) = SECRETS[0];
    for route in ROUTES.iter().filter(|route| route.scope == Some(Scope::Write)) {
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST", "TRACE", "BREW"] {
            if method == (route.method)().as_str() {
                continue;
            }
            let (router, wishes) = server(guarded());
            let builder = Request::builder().method(method).uri(path(route)).header("host", "localhost:8001");
            let builder =
                builder.header("content-type", "application/json").header("authorization", format!("Bearer {read}"));
            let builder = builder.header("x-http-method-override", (route.method)().as_str());
            let answered = status(&router, builder.body(body(route)).unwrap()).await;
            let wishes = wishes.lock().unwrap().clone();
            assert!(
                wishes.iter().all(|wish| wish.starts_with("audit")),
                "{method} {}: {answered} {wishes:?}",
                route.path
            );
        }
    }
}

#[tokio::test]
async fn every_write_is_written_down_with_who_asked_and_what_came_of_it_and_no_token_in_it() {
    for route in ROUTES.iter().filter(|route| route.scope == Some(Scope::Write)) {
        let (router, wishes) = server(guarded());
        let shown =
            request(route).header("authorization", format!("Bearer {}", SECRETS[2].1)).body(body(route)).unwrap();
        let answered = status(&router, shown).await;
        let denied =
            request(route).header("authorization", format!("Bearer {}", SECRETS[0].1)).body(body(route)).unwrap();
        status(&router, denied).await;
        let wishes = wishes.lock().unwrap().clone();
        let audits: Vec<&String> = wishes.iter().filter(|wish| wish.starts_with("audit")).collect();
        let (method, path) = ((route.method)(), path(route));
        assert_eq!(audits.len(), 2, "{path}: {wishes:?}");
        assert!(audits[0].starts_with(&format!("audit write {answered} {method} {path}")), "{audits:?}");
        assert!(audits[1].starts_with(&format!("audit ? 403 {method} {path}")), "{audits:?}");
        assert!(!audits.iter().any(|audit| audit.contains("token-0123456789")));
    }
}

#[tokio::test]
async fn who_fails_too_often_is_not_listened_to_but_the_commands_are() {
    let (router, _) = server(guarded());
    let from = |address: &str, secret: &str| {
        let peer = Peer(SocketAddr::new(address.parse::<IpAddr>().unwrap(), 50_000));
        let builder = Request::get("/api/v1/status").header("host", "localhost").extension(peer);
        builder.header("authorization", format!("Bearer {secret}")).body(Body::empty()).unwrap()
    };
    for _ in 0..10 {
        assert_eq!(status(&router, from("192.0.2.7", "wrong-token-0123456789")).await, 401);
    }
    let (answered, _, headers) = send(router.clone(), from("192.0.2.7", SECRETS[0].1)).await;
    assert_eq!((answered, headers["retry-after"].to_str().unwrap()), (429, "6"), "nothing is compared any more");
    assert_eq!(status(&router, from("192.0.2.7", OWN)).await, 200, "nobody can lock out the commands");
    assert_eq!(status(&router, from("192.0.2.8", SECRETS[0].1)).await, 200, "nor anybody else");
}

#[tokio::test]
async fn a_public_address_asks_for_a_token_though_none_is_configured() {
    let access = Arc::new(Access::new(Tokens::default(), Some(Digest::of(OWN)), true));
    let (router, _) = server(Settings { access, ..settings() });
    let bare = || Request::get("/api/v1/status").header("host", "localhost");
    assert_eq!(status(&router, bare().body(Body::empty()).unwrap()).await, 401);
    let own = bare().header("authorization", format!("Bearer {OWN}")).body(Body::empty()).unwrap();
    assert_eq!(status(&router, own).await, 200);
}

#[tokio::test]
async fn tokens_are_exchanged_while_the_server_runs() {
    let settings = guarded();
    let access = settings.access.clone();
    let (router, _) = server(settings);
    let with = |secret: &str| {
        let builder = Request::get("/api/v1/status").header("host", "localhost");
        builder.header("authorization", format!("Bearer {secret}")).body(Body::empty()).unwrap()
    };
    assert_eq!(status(&router, with(SECRETS[0].1)).await, 200);
    let other = Token {
        name: "other".into(),
        scopes: [Scope::Read].into(),
        digest: Digest::of("other-token-0123456789"),
        kinds: Vec::new(),
        names: Vec::new(),
    };
    access.set_tokens(Tokens::new([other]));
    assert_eq!(status(&router, with(SECRETS[0].1)).await, 401);
    assert_eq!(status(&router, with("other-token-0123456789")).await, 200);
}

#[tokio::test]
async fn a_push_token_writes_what_it_is_bound_to_and_under_its_own_name() {
    let bound = Token {
        name: "ci".into(),
        scopes: [Scope::Push].into(),
        digest: Digest::of("bound-token-0123456789"),
        kinds: vec!["service".into()],
        names: vec!["shop-*".into()],
    };
    let access = Arc::new(Access::new(Tokens::new([bound]), None, false));
    let engine = Arc::new(Engine::default());
    let daemon = Arc::new(Daemon::default());
    let router = router(Settings { access, ..settings() }, engine.clone(), daemon.clone(), daemon);
    let entries =
        json!([entry("shop-api"), entry("other"), { "kind": "job", "name": "shop-1", "fields": { "up": 1 } }]);
    let request = post().header("authorization", "Bearer bound-token-0123456789").body(Body::from(entries.to_string()));
    let (status, json, _) = send(router, request.unwrap()).await;
    assert_eq!((status, &json["taken"]), (200, &json!(1)), "{json}");
    let refused: Vec<_> =
        json["refused"].as_array().unwrap().iter().map(|refused| refused["index"].as_u64().unwrap()).collect();
    assert_eq!(refused, [1, 2]);
    assert_eq!(
        json["refused"][0]["error"],
        "the token `ci` may not push service other: it is bound to other kinds or names"
    );
    assert_eq!(&*engine.batches.lock().unwrap()[0].source.name, "push:ci");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_on_every_route_that_does_something() {
    for route in ROUTES.iter().filter(|route| route.scope == Some(Scope::Write)) {
        let (router, wishes) = server(guarded());
        let huge = Body::from(vec![b' '; 1 << 20]);
        let shown = request(route).header("authorization", format!("Bearer {OWN}")).body(huge).unwrap();
        assert_eq!(status(&router, shown).await, 413, "{}", route.path);
        assert!(wishes.lock().unwrap().iter().all(|wish| wish.starts_with("audit")));
    }
}

/// A server at a real address.
async fn serving() -> (SocketAddr, CancellationToken) {
    let (router, _) = server(guarded());
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, router, stop.clone(), Duration::from_millis(10)));
    (address, stop)
}

/// What a server answers to bytes, until it ends the connection.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn no_request_is_hidden_in_another_one() {
    let (address, stop) = serving().await;
    let hidden = format!("POST /api/v1/forget HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {OWN}\r\n\r\n");
    let cases = [
        // Both lengths, which two servers read differently.
        format!(
            "POST /api/v1/ack HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!(
            "POST /api/v1/ack HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n{hidden}"
        ),
        format!(
            "POST /api/v1/ack HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: identity, chunked, x\r\n\r\n{hidden}"
        ),
        format!("POST /api/v1/ack HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding : chunked\r\n\r\n{hidden}"),
        format!("POST /api/v1/ack HTTP/1.1\r\nhost: localhost\r\ncontent-length: +4\r\n\r\n{hidden}"),
        "GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n".to_string(),
        "GET http://evil.example/api/v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n".to_string(),
        "GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\nx: a\r\n b: folded\r\n\r\n".to_string(),
        "GET /api/v1/status\0 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_string(),
        "\x16\x03\x01\x02\x00".to_string(),
    ];
    for case in cases {
        let answer = raw(address, case.as_bytes()).await;
        let first = answer.lines().next().unwrap_or_default().to_string();
        assert!(!answer.contains("200 OK"), "{case:?}: {answer}");
        assert!(first.is_empty() || first.starts_with("HTTP/1.1 4"), "{case:?}: {first}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(200_000));
    assert!(!raw(address, long.as_bytes()).await.contains("200 OK"));
    let many: String = (0..20_000).map(|n| format!("x-{n}: a\r\n")).collect();
    assert!(
        !raw(address, format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{many}\r\n").as_bytes())
            .await
            .contains("200 OK")
    );
    // It answers others all the same.
    assert!(
        raw(address, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.contains("200 OK")
    );
    stop.cancel();
}

#[tokio::test]
async fn a_slow_body_is_cut_off_and_holds_up_nobody_else() {
    let settings = Settings { request_timeout: Duration::from_millis(100), ..guarded() };
    let (router, _) = server(settings);
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, router, stop.clone(), Duration::from_millis(10)));
    let mut slow = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/snapshots HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {OWN}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    assert!(
        raw(address, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.contains("200 OK")
    );
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.ok();
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    stop.cancel();
}
