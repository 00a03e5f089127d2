use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::model::Value;

/// Serves while `test` runs, which gets the base URL.
async fn serving<T>(router: Router, test: impl AsyncFnOnce(String) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::select! {
        _ = axum::serve(listener, router).into_future() => unreachable!("the server ended before the test"),
        result = test(url) => result,
    }
}

/// At 2027-01-15 08:00:00 UTC.
const NOW: Now = Now::at(Time::from_micros(1_800_000_000_000_000));

async fn once(settings: HttpSettings) -> Snapshot {
    let mut http = Http::new(&settings).unwrap();
    collect(&mut http).await
}

async fn collect(http: &mut Http) -> Snapshot {
    let mut pass = http.collect(NOW).await.unwrap();
    assert!(pass.complete.is_empty() && pass.snapshots.len() == 1);
    pass.snapshots.remove(0)
}

fn text<'a>(snapshot: &'a Snapshot, field: &str) -> &'a str {
    match &snapshot.fields[field] {
        Value::Text(text) => text,
        other => panic!("{field} is {other:?}"),
    }
}

fn number(snapshot: &Snapshot, field: &str) -> Option<f64> {
    snapshot.fields.get(field).and_then(Value::as_number)
}

fn site() -> Router {
    Router::new()
        .route("/well", get(|| async { r#"{"status":"ok"}"# }))
        .route("/broken", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "down for a while") }))
        .route("/slow", get(std::future::pending::<&'static str>))
        .route("/moved", get(|| async { axum::response::Redirect::temporary("/well") }))
        .route("/round", get(|| async { axum::response::Redirect::temporary("/round") }))
        .route("/large", get(|| async { "x".repeat(3 << 20) + "end" }))
}

#[tokio::test]
async fn a_service_that_answers_as_expected_is_running() {
    let snapshot = serving(site(), async |url| {
        let mut settings = HttpSettings::new("shop-api", format!("{url}/well"));
        settings.labels.insert("region".into(), "eu".into());
        settings.expect.json.push(JsonExpectation { pointer: "/status".into(), value: "ok".into() });
        once(settings).await
    })
    .await;
    assert_eq!(snapshot.subject.to_string(), "service shop-api");
    assert_eq!((text(&snapshot, "status"), text(&snapshot, "error")), ("running", ""));
    assert_eq!((number(&snapshot, "up"), number(&snapshot, "status_code")), (Some(1.0), Some(200.0)));
    assert_eq!(number(&snapshot, "consecutive_failures"), Some(0.0));
    assert!(number(&snapshot, "response_time_seconds").unwrap() > 0.0);
    assert_eq!(number(&snapshot, "tls_expires_in_seconds"), None);
    assert_eq!(snapshot.labels["region"].as_ref(), "eu");
}

#[tokio::test]
async fn what_answers_but_not_as_expected_is_an_error() {
    serving(site(), async |url| {
        let cases = [
            ("/broken", "status 503 instead of 200-299", Some(503.0)),
            ("/nowhere", "status 404 instead of 200-299", Some(404.0)),
            ("/slow", "no complete answer within 200ms", None),
            ("/round", "too many redirects", None),
        ];
        for (path, problem, status) in cases {
            let mut settings = HttpSettings::new("s", format!("{url}{path}"));
            settings.timeout = Duration::from_millis(200);
            let snapshot = once(settings).await;
            assert_eq!(text(&snapshot, "status"), "error", "{path}");
            assert!(text(&snapshot, "error").contains(problem), "{path}: {}", text(&snapshot, "error"));
            assert_eq!((number(&snapshot, "up"), number(&snapshot, "status_code")), (Some(0.0), status), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn redirects_are_followed_unless_the_redirect_is_the_answer() {
    serving(site(), async |url| {
        let mut settings = HttpSettings::new("s", format!("{url}/moved"));
        assert_eq!(text(&once(settings.clone()).await, "status"), "running");
        settings.follow_redirects = false;
        assert_eq!(number(&once(settings).await, "status_code"), Some(307.0));
    })
    .await;
}

#[tokio::test]
async fn a_redirect_takes_headers_to_no_other_server() {
    serving(site(), async |elsewhere| {
        let target = format!("{elsewhere}/well");
        let away = get(move || async move { axum::response::Redirect::temporary(&target) });
        serving(Router::new().route("/", away), async |url| {
            let mut settings = HttpSettings::new("s", url);
            assert_eq!(text(&once(settings.clone()).await, "status"), "running");
            settings.headers.push(("x-key".into(), SecretString::from("hush")));
            let snapshot = once(settings).await;
            assert!(text(&snapshot, "error").contains("leads to another server"), "{snapshot:?}");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn of_a_large_body_only_the_beginning_is_judged() {
    serving(site(), async |url| {
        let mut settings = HttpSettings::new("s", format!("{url}/large"));
        settings.expect.body_contains = Some("end".into());
        let snapshot = once(settings).await;
        assert!(text(&snapshot, "error").starts_with("the body does not hold \"end\": xxxx"));
    })
    .await;
}

#[tokio::test]
async fn where_nothing_can_be_connected_to_the_service_is_stopped_and_failures_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut settings = HttpSettings::new("s", format!("http://user:hush@{address}/?token=hush"));
    settings.headers.push(("x-key".into(), SecretString::from("hush")));
    let mut http = Http::new(&settings).unwrap();
    for n_failures in [1.0, 2.0] {
        let snapshot = collect(&mut http).await;
        assert_eq!(text(&snapshot, "status"), "stopped");
        assert_eq!(number(&snapshot, "consecutive_failures"), Some(n_failures));
        assert!(!text(&snapshot, "error").is_empty() && !text(&snapshot, "error").contains("hush"));
        assert_eq!(number(&snapshot, "response_time_seconds"), None);
    }
    assert!(!format!("{settings:?}").contains("hush"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_machine_that_drops_packets_is_stopped_and_not_slow() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // With its queue full the kernel drops who else would connect.
    let mut queued = Vec::new();
    let connect = || tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(address));
    while let Ok(stream) = connect().await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 100, "the queue is never full");
    }
    let mut settings = HttpSettings::new("s", format!("http://{address}"));
    settings.timeout = Duration::from_millis(300);
    let snapshot = once(settings).await;
    assert_eq!(text(&snapshot, "status"), "stopped");
    assert!(text(&snapshot, "error").contains("no connection in time"), "{snapshot:?}");
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_as_often_as_allowed() {
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&n_asked);
    let third_time_well = get(move || {
        let n_before = counter.fetch_add(1, Ordering::SeqCst);
        async move { if n_before < 2 { StatusCode::BAD_GATEWAY } else { StatusCode::OK } }
    });
    serving(Router::new().route("/", third_time_well), async |url| {
        let mut settings = HttpSettings::new("s", url);
        settings.retries = 2;
        assert!(settings.pass_timeout() > settings.timeout * 3);
        assert_eq!(text(&once(settings).await, "status"), "running");
    })
    .await;
    assert_eq!(n_asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn method_headers_and_body_are_sent() {
    let echo = axum::routing::post(|headers: axum::http::HeaderMap, body: String| async move {
        format!("{} {body}", headers["x-key"].to_str().unwrap())
    });
    serving(Router::new().route("/", echo), async |url| {
        let mut settings = HttpSettings::new("s", url);
        settings.method = "POST".into();
        settings.headers.push(("x-key".into(), SecretString::from("hush")));
        settings.body = Some(SecretString::from("ping"));
        settings.expect.body_contains = Some("hush ping".into());
        assert_eq!(text(&once(settings).await, "error"), "");
    })
    .await;
}

/// Answers every TLS connection with 200, by the test certificate.
async fn tls_server(listener: TcpListener) {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    install_crypto();
    let certificate = CertificateDer::from_pem_slice(include_bytes!("testdata/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("testdata/server.key.pem")).unwrap();
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        // A client that trusts nobody hangs up.
        let Ok(mut stream) = acceptor.accept(socket).await else { continue };
        let mut request = [0; 1024];
        if stream.read(&mut request).await.is_ok() {
            let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            drop(stream.write_all(reply).await);
            drop(stream.shutdown().await);
        }
    }
}

#[tokio::test]
async fn a_certificate_tells_when_it_ends_and_one_that_does_not_hold_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = HttpSettings::new("s", format!("https://{}", listener.local_addr().unwrap()));
    let test = async {
        let untrusted = once(settings.clone()).await;
        assert_eq!(text(&untrusted, "status"), "error", "{untrusted:?}");
        assert!(text(&untrusted, "error").contains("certificate"), "{untrusted:?}");

        settings.ca_pem = Some(include_bytes!("testdata/ca.pem").to_vec());
        let trusted = once(settings.clone()).await;
        assert_eq!(text(&trusted, "error"), "");
        let ends = number(&trusted, "tls_expires_in_seconds").unwrap();

        settings.ca_pem = None;
        settings.verify_tls = false;
        assert_eq!(number(&once(settings).await, "tls_expires_in_seconds"), Some(ends));
        assert!(ends > 90.0 * 365.0 * 86_400.0, "{ends}");
    };
    tokio::select! {
        () = tls_server(listener) => {}
        () = test => {}
    }
}

#[test]
fn settings_that_cannot_work_say_which_and_why() {
    let refused =
        |settings: HttpSettings| Http::new(&settings).err().map(|error| error.to_string()).unwrap_or_default();
    let good = HttpSettings::new("s", "http://localhost");
    assert!(refused(HttpSettings::new("s", "localhost")).contains("the URL is not one"));
    assert!(refused(HttpSettings::new("s", "ftp://localhost")).contains("http:// or https://"));
    assert!(refused(HttpSettings { method: "G T".into(), ..good.clone() }).contains("`G T` is no HTTP method"));
    let header = |name: &str, value: &str| HttpSettings {
        headers: vec![(name.into(), SecretString::from(value))],
        ..good.clone()
    };
    assert!(refused(header("x y", "1")).contains("`x y`"));
    let bad_value = refused(header("x", "hush\nhush"));
    assert!(bad_value.contains("header `x`") && !bad_value.contains("hush"), "{bad_value}");
}
