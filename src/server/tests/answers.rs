//! What holds for every answer: what browsers may do with it, whether it may be kept, and gzip.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::super::routes::ROUTES;
use super::security::{body, guarded, request, server};
use super::*;

/// An answer in full.
async fn ask(router: &Router, request: Request<Body>) -> (u16, header::HeaderMap, Vec<u8>) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
}

fn get(path: &str, headers: &[(&'static str, &str)]) -> Request<Body> {
    let request = Request::get(path).header("host", "localhost:8001");
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(Body::empty()).unwrap()
}

#[track_caller]
fn assert_guided(headers: &header::HeaderMap, what: &str) {
    let expected = [
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in expected {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name} of {what}");
    }
    assert_eq!(headers.get_all("cache-control").iter().count(), 1, "{what}");
}

#[tokio::test]
async fn every_answer_tells_browsers_that_it_is_no_page_of_theirs() {
    for route in ROUTES.iter().filter(|route| route.path != "/") {
        let (_, headers, _) = ask(&server(settings()).0, request(route).body(body(route)).unwrap()).await;
        assert_guided(&headers, route.path);
        let (status, headers, _) = ask(&server(guarded()).0, request(route).body(body(route)).unwrap()).await;
        assert!(route.scope.is_none() || status == 401);
        assert_guided(&headers, route.path);
    }
    let (router, _) = server(settings());
    let method = Request::put("/api/v1/status").header("host", "localhost").header("content-type", "application/json");
    for (request, expected) in [
        (get("/nowhere", &[]), 404),
        (get("/api/v1/status?x=1", &[]), 400),
        (method.body(Body::empty()).unwrap(), 405),
        (Request::get("/healthz").header("host", "evil.example").body(Body::empty()).unwrap(), 421),
        (Request::head("/api/v1/status").header("host", "localhost").body(Body::empty()).unwrap(), 200),
    ] {
        let (status, headers, _) = ask(&router, request).await;
        assert_eq!(status, expected);
        assert_guided(&headers, &status.to_string());
    }
    let daemon = Arc::new(Daemon { panics: true, ..Daemon::default() });
    let router = super::super::router(settings(), Arc::new(Engine::default()), daemon.clone(), daemon);
    let (status, headers, _) = ask(&router, get("/api/v1/status", &[])).await;
    assert_eq!(status, 500);
    assert_guided(&headers, "a panic");
    assert_eq!(headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_page_may_load_what_this_server_has_and_nothing_else() {
    let page = || async { axum::response::Html("<!doctype html>") };
    let router =
        Router::new().route("/", axum::routing::get(page)).layer(middleware::from_fn(super::super::answer::tag));
    let router = super::super::answer::finish(router);
    // What is said of a page that is known already is said of the page.
    for (known, expected) in [("\"x\"", 200), ("*", 304)] {
        let (status, headers, _) = ask(&router, get("/", &[("if-none-match", known)])).await;
        assert_eq!(status, expected);
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        );
    }
}

#[tokio::test]
async fn a_large_answer_is_packed_for_whoever_takes_gzip() {
    let (router, _) = server(settings());
    let (_, headers, plain) = ask(&router, get("/openapi.json", &[])).await;
    assert!(headers.get("content-encoding").is_none());
    let (status, packed_headers, packed) =
        ask(&router, get("/openapi.json", &[("accept-encoding", "br, gzip;q=0.8")])).await;
    assert_eq!((status, &packed_headers["content-encoding"]), (200, &HeaderValue::from_static("gzip")));
    assert!(packed.len() * 4 < plain.len(), "{} of {}", packed.len(), plain.len());
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    for headers in [&headers, &packed_headers] {
        assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["accept-encoding"]);
    }
    let tag = packed_headers["etag"].to_str().unwrap();
    assert!(tag.ends_with("-gzip\"") && headers["etag"] != tag, "other bytes have another tag: {tag}");

    let untouched = [
        ("/healthz", "gzip", "a small answer"),
        ("/api/v1/snapshots?follow=true", "gzip", "one without an end"),
        ("/openapi.json", "identity;q=0, gzip;q=0", "for somebody who takes nothing"),
    ];
    for (path, accept, what) in untouched {
        let (status, headers, _) = ask(&router, get(path, &[("accept-encoding", accept)])).await;
        assert!(status == 200 && headers.get("content-encoding").is_none(), "{what}: {headers:?}");
    }
}

#[tokio::test]
async fn whoever_has_a_document_already_is_told_so() {
    let (router, _) = server(settings());
    for path in ["/openapi.json", "/api/v1/alerts"] {
        let (_, headers, body) = ask(&router, get(path, &[])).await;
        let tag = headers["etag"].to_str().unwrap().to_string();
        assert_eq!(headers["cache-control"], "private, no-cache");
        let (status, headers, empty) = ask(&router, get(path, &[("if-none-match", &format!("\"x\", {tag}"))])).await;
        assert_eq!((status, empty.len(), &headers["etag"]), (304, 0, &HeaderValue::try_from(&tag).unwrap()));
        assert!(headers.get("content-type").is_none() && headers.contains_key("vary"), "{headers:?}");
        assert_eq!(headers["cache-control"], "private, no-cache");
        assert_guided(&headers, path);
        let head = Request::head(path).header("host", "localhost").body(Body::empty()).unwrap();
        let (status, head, nothing) = ask(&router, head).await;
        assert_eq!((status, nothing.len(), &head["etag"]), (200, 0, &HeaderValue::try_from(&tag).unwrap()));
        assert_eq!(head["cache-control"], "private, no-cache");
        let (status, _, again) = ask(&router, get(path, &[("if-none-match", "\"x\"")])).await;
        assert_eq!((status, again), (200, body));
    }
    let gzip = ("accept-encoding", "gzip");
    let (_, headers, _) = ask(&router, get("/openapi.json", &[gzip])).await;
    let tag = headers["etag"].to_str().unwrap().to_string();
    let (status, headers, _) = ask(&router, get("/openapi.json", &[gzip, ("if-none-match", &tag)])).await;
    assert_eq!((status, &headers["etag"]), (304, &HeaderValue::try_from(&tag).unwrap()));
    // Figures, streams, refusals and writes have no tag.
    let (refused, _) = server(settings());
    for path in ["/metrics", "/api/v1/snapshots?follow=true", "/nowhere", "/api/v1/alerts?x=1"] {
        let (_, headers, _) = ask(&refused, get(path, &[("if-none-match", "*")])).await;
        assert!(headers.get("etag").is_none(), "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
    }
    let (status, headers, _) = ask(&router, post().body(Body::from(entry("a").to_string())).unwrap()).await;
    assert!(status == 200 && headers.get("etag").is_none() && headers["cache-control"] == "no-store");
}

#[tokio::test]
async fn what_a_token_was_shown_for_is_kept_nowhere() {
    let (router, _) = server(guarded());
    let shown = ("authorization", "Bearer read-token-0123456789");
    let (status, headers, _) = ask(&router, get("/api/v1/alerts", &[shown])).await;
    assert_eq!((status, &headers["cache-control"]), (200, &HeaderValue::from_static("no-store")));
    let tag = headers["etag"].to_str().unwrap().to_string();
    let known = ("if-none-match", tag.as_str());
    assert_eq!(ask(&router, get("/api/v1/alerts", &[shown, known])).await.0, 304);
    assert_eq!(ask(&router, get("/api/v1/alerts", &[known])).await.0, 401, "a tag is no token");
    let (_, headers, _) = ask(&router, get("/openapi.json", &[])).await;
    assert_eq!(headers["cache-control"], "private, no-cache", "it is for everybody");
}
