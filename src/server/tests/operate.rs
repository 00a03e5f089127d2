//! What people ask for with a body: bad ones are answered with a sentence, and nothing is done.

use super::*;

/// Sends a body to a route. Gives the answer, and what the daemon was told to do besides writing the audit log.
async fn ask(method: &str, path: &str, body: &str) -> (u16, String, Vec<String>) {
    let daemon = Daemon::default();
    let wishes = daemon.wishes.clone();
    let daemon = Arc::new(daemon);
    let router = router(settings(), Arc::new(Engine::default()), daemon.clone(), daemon);
    let request = Request::builder().method(method).uri(path).header("host", "localhost:8001");
    let request = request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
    let (status, json, _) = send(router, request).await;
    let said = format!("{} {}", json["error"].as_str().unwrap_or_default(), json["hint"].as_str().unwrap_or_default());
    let done = wishes.lock().unwrap().iter().filter(|wish| !wish.starts_with("audit ")).cloned().collect();
    (status, said, done)
}

#[tokio::test]
async fn a_bad_wish_is_answered_with_what_is_wrong_and_nothing_is_done() {
    let cases = [
        ("POST", "/api/v1/silences", "", "the body cannot be read"),
        ("POST", "/api/v1/silences", "{", "the body cannot be read"),
        ("POST", "/api/v1/silences", "[]", "the body cannot be read"),
        ("POST", "/api/v1/silences", r#"{"for": "1h"}"#, "missing field `match`"),
        ("POST", "/api/v1/silences", r#"{"match": {"rule": "x"}, "fro": "1h"}"#, "unknown field `fro`"),
        ("POST", "/api/v1/silences", r#"{"match": {"level": "eror"}, "for": "1h"}"#, "did you mean `error`?"),
        (
            "POST",
            "/api/v1/silences",
            r#"{"match": {"rule": "x"}, "for": "1", "every": "Mon 9-18", "comment": "\u001b[2J"}"#,
            "`for`: `1` has no unit",
        ),
        (
            "POST",
            "/api/v1/silences",
            r#"{"match": {"rule": "x"}, "for": "1", "every": "Mon 9-18", "comment": "\u001b[2J"}"#,
            "`comment` has the character U+001B",
        ),
        ("POST", "/api/v1/silences", r#"{"match": {"rule": "x"}, "from": "noon", "for": "1h"}"#, "noon"),
        (
            "POST",
            "/api/v1/silences",
            r#"{"match": {"rule": "x"}, "for": "1h", "time_zone": "Mars"}"#,
            "`time_zone` is not known",
        ),
        (
            "POST",
            "/api/v1/silences",
            r#"{"match": {"rule": "x"}, "for": "1h", "time_zone": "UTC"}"#,
            "`every` is, which is missing",
        ),
        ("POST", "/api/v1/silences?preview=true", r#"{"match": {"rule": "x"}, "for": "1h"}"#, "preview"),
        ("DELETE", "/api/v1/silences/s1", r#"{"by": 7}"#, "invalid type"),
        ("POST", "/api/v1/ack", "{}", "would acknowledge everything"),
        ("POST", "/api/v1/ack", r#"{"rule": ["a"]}"#, "invalid type"),
        ("POST", "/api/v1/ack", r#"{"rule": "a", "comment": "LONG"}"#, "longer than 2000 bytes"),
        ("POST", "/api/v1/alerts/id-a/ack", r#"{"by": "a\u202eb"}"#, "`by` has the character U+202E"),
        ("POST", "/api/v1/alerts/id-a/ack", r#"{"rule": "a"}"#, "unknown field `rule`"),
        ("POST", "/api/v1/pause", "{}", "neither rules nor collectors"),
        ("POST", "/api/v1/pause", r#"{"rules": false, "collectors": []}"#, "neither rules nor collectors"),
        ("POST", "/api/v1/pause", r#"{"rules": "all"}"#, "`true` for all, or a list of names"),
        ("POST", "/api/v1/resume", r#"{"rules": true, "comment": "LONG"}"#, "longer than 2000 bytes"),
        ("POST", "/api/v1/forget", r#"{"kind": "host"}"#, "missing field `name`"),
        ("POST", "/api/v1/forget", r#"{"kind": "host", "name": "a", "all": true}"#, "unknown field `all`"),
    ];
    for (method, path, body, expected) in cases {
        let body = body.replace("LONG", &"x".repeat(2_001));
        let (status, said, done) = ask(method, path, &body).await;
        assert_eq!(status, 400, "{method} {path} {body}: {said}");
        assert!(said.contains(expected), "{method} {path} {body}: {said}");
        assert_eq!(done, [""; 0], "{method} {path} {body}");
    }
}

#[tokio::test]
async fn what_is_asked_for_reaches_the_daemon_as_it_was_asked() {
    let cases = [
        (
            "POST",
            "/api/v1/silences",
            r#"{"match": {"rule": "cpu_*", "level": ">=error"}, "for": "1h", "author": " anna "}"#,
            201,
            "silence level>=error rule=cpu_* by \"anna\", preview false",
        ),
        (
            "POST",
            "/api/v1/silences",
            r#"{"match": {"rule": "x"}, "every": "Sun 02:00-04:00", "time_zone": "Asia/Shanghai", "author": "bo", "preview": true}"#,
            200,
            "silence rule=x by \"bo\", preview true",
        ),
        ("DELETE", "/api/v1/silences/s1", r#"{"by": "anna"}"#, 200, "end s1 by \"anna\""),
        ("POST", "/api/v1/forget", r#"{"kind": "host", "name": "a"}"#, 200, "forget host a"),
    ];
    for (method, path, body, expected, wish) in cases {
        let (status, said, done) = ask(method, path, body).await;
        assert_eq!((status, done), (expected, vec![wish.to_string()]), "{said}");
    }
}

#[tokio::test]
async fn the_audit_log_is_read_page_by_page() {
    let (status, first) = get_with(Daemon::default(), "/api/v1/audit?limit=2").await;
    assert_eq!(status, 200, "{first}");
    let next = first["next"].as_str().unwrap();
    let (_, second) = get_with(Daemon::default(), &format!("/api/v1/audit?limit=2&cursor={next}")).await;
    let what = |page: &Json| -> Vec<String> {
        page["audit"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(
        (what(&first), what(&second)),
        (vec!["entry 5".into(), "entry 4".into()], vec!["entry 3".into(), "entry 2".into()])
    );
    for query in ["limit=0", "limit=x", "cursor=x", "since=yesterday", "nothing=1"] {
        let (status, said) = get_with(Daemon::default(), &format!("/api/v1/audit?{query}")).await;
        assert_eq!(status, 400, "{query}: {said}");
    }
}
