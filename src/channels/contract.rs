//! What every kind of channel must do, tried on every entry of [`KINDS`].

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::message::samples;
use super::testing::{AUTHORITY, Answer, Recorder, SinkTls, SmtpManners, SmtpSink, nobody};
use super::*;
use crate::config::Fixed;
use crate::diagnostic::is_invisible;
use crate::model::{Acknowledged, Occasion, SubjectKey, Value};

const SECRET: &str = "hunter2-very-secret";

/// A channel of each kind that sends to an address, in its variants.
fn files(address: SocketAddr) -> Vec<(&'static str, String)> {
    let port = address.port();
    vec![
        ("console", "type: console\n".to_string()),
        (
            "webhook",
            format!(
                "type: webhook\nurl: http://{address}/{SECRET}?key={SECRET}\nsecret: ${{env:SECRET}}\nheaders: {{ Authorization: 'Bearer ${{env:SECRET}}' }}\ntimeout: 300ms\n"
            ),
        ),
        (
            "webhook",
            format!("type: webhook\nurl: http://{address}/${{env:SECRET}}\nformat: alertmanager\ntimeout: 300ms\n"),
        ),
        (
            "email",
            format!(
                "type: email\nhost: 127.0.0.1\nport: {port}\ntls: none\nusername: larum\npassword: ${{env:SECRET}}\nfrom: larum@example.org\nto: [ops@example.org, duty@example.org]\ntimeout: 300ms\n"
            ),
        ),
        ("wecom", format!("type: wecom\nkey: ${{env:SECRET}}\nbase_url: http://{address}\ntimeout: 300ms\n")),
        (
            "wecom",
            format!(
                "type: wecom\nwebhook: http://{address}/send?key={SECRET}\nformat: text\nmentioned_list: ['@all']\ntimeout: 300ms\n"
            ),
        ),
        ("wecom_app", wecom_app(address, "format: markdown")),
        ("wecom_app", wecom_app(address, "format: text")),
        (
            "exec",
            "type: exec\ncommand: ['true']\nenv: { TOKEN: '${env:SECRET}' }\nevents: [raised, recovered]\n".to_string(),
        ),
    ]
}

fn wecom_app(address: SocketAddr, format: &str) -> String {
    format!(
        "type: wecom_app\ncorp_id: ww1\nsecret: ${{env:SECRET}}\nagent_id: 7\nto: {{ users: [zhang] }}\nbase_url: http://{address}\n{format}\ntimeout: 300ms\n"
    )
}

fn channels(address: SocketAddr) -> Vec<Configured> {
    let surroundings = Fixed::env([("SECRET", SECRET)]);
    let build = |(_, text): (_, String)| {
        parse(&"ops".into(), "channels/ops.yaml", &text, &surroundings)
            .unwrap_or_else(|problems| panic!("{problems:?}"))
    };
    files(address).into_iter().map(build).collect()
}

fn over_http(address: SocketAddr) -> Vec<Configured> {
    channels(address)
        .into_iter()
        .filter(|channel| matches!(channel.kind(), "webhook" | "wecom" | "wecom_app"))
        .collect()
}

fn mail(address: SocketAddr) -> Configured {
    channels(address).into_iter().find(|channel| channel.kind() == "email").unwrap()
}

fn transport() -> (Transport, Arc<Captured>) {
    let terminal = Arc::new(Captured::new(false));
    (Transport::new(terminal.clone()).unwrap(), terminal)
}

fn attempt(id: &str) -> Attempt {
    let time = Time::parse_rfc3339("2026-11-21T10:00:05Z").unwrap();
    Attempt { id: id.into(), number: 1, time, reached: Vec::new() }
}

async fn send(channel: &Configured, notification: &Notification) -> Verdict {
    let request = channel.render(notification, &Texts::default()).unwrap();
    channel.attempt(&transport().0, &request, &attempt("msg-1")).await
}

fn reply(status: u16, body: &'static str) -> Answer {
    Answer::Reply(status, Vec::new(), body)
}

fn assert_no_secret(channel: &Configured, verdict: &Verdict) {
    let said = format!("{verdict:?} {}", serde_json::to_string(verdict).unwrap());
    assert!(!said.contains(SECRET) && !said.contains("127.0.0.1"), "{said}");
    assert!(!format!("{channel:?}").contains(SECRET), "{channel:?}");
}

#[test]
fn every_kind_is_under_contract() {
    let tried: BTreeSet<&str> = files("127.0.0.1:1".parse().unwrap()).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(tried, KINDS.iter().map(|kind| kind.name).collect());
    assert!(KINDS.iter().all(|kind| kind.doc.ends_with('.')));
}

#[tokio::test]
async fn what_the_receiver_takes_is_delivered() {
    for index in 0..over_http(nobody().await).len() {
        let recorder = Recorder::start([reply(200, "{\"errcode\":0}")]).await;
        let channel = &over_http(recorder.address)[index];
        assert_eq!(send(channel, &samples()[0]).await, Verdict::Ok, "{channel:?}");
        let recorded = recorder.recorded();
        assert_eq!((recorded.len(), recorded[0].method.as_str()), (1, "POST"));
        assert!(recorded[0].headers["content-type"].to_str().unwrap().starts_with("application/json"));
        assert!(recorded[0].uri.to_string().contains(SECRET), "the secret is filled in at last");
        assert!(!recorded[0].body.contains(SECRET));
        assert!(serde_json::from_str::<serde_json::Value>(&recorded[0].body).is_ok());
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
    let cases = [
        (408, true),
        (425, true),
        (429, true),
        (500, true),
        (503, true),
        (400, false),
        (401, false),
        (404, false),
        (410, false),
        (413, false),
    ];
    for (status, again) in cases {
        let recorder = Recorder::start([Answer::Reply(status, vec![("retry-after", "120".into())], "")]).await;
        for channel in over_http(recorder.address) {
            let verdict = send(&channel, &samples()[0]).await;
            match (&verdict, again) {
                (Verdict::Retry { after, .. }, true) => assert_eq!(*after, Some(Duration::from_secs(120))),
                (Verdict::Permanent { .. }, false) => {}
                _ => panic!("{status}: {verdict:?}"),
            }
            assert_no_secret(&channel, &verdict);
        }
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_never_followed() {
    let elsewhere = Recorder::start([reply(200, "{\"errcode\":0}")]).await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("http://{}/", elsewhere.address);
        let recorder = Recorder::start([Answer::Reply(status, vec![("location", to)], "")]).await;
        for channel in over_http(recorder.address) {
            let verdict = send(&channel, &samples()[0]).await;
            assert!(matches!(verdict, Verdict::Permanent { .. }), "{verdict:?}");
        }
    }
    assert!(elsewhere.recorded().is_empty());
}

#[tokio::test]
async fn silence_and_a_closed_door_are_tried_again_and_say_nothing_secret() {
    let silent = Recorder::start([Answer::Silence]).await;
    let silent_mail = SmtpSink::start(SmtpManners { silent: true, ..SmtpManners::default() }).await;
    let nobody = nobody().await;
    let channels = over_http(silent.address)
        .into_iter()
        .chain([mail(silent_mail.address)])
        .chain(over_http(nobody))
        .chain([mail(nobody)]);
    for channel in channels {
        let verdict = send(&channel, &samples()[0]).await;
        assert!(matches!(verdict, Verdict::Retry { .. }), "{channel:?}: {verdict:?}");
        assert_no_secret(&channel, &verdict);
    }
}

#[tokio::test]
async fn mails_are_taken_whole_and_in_part() {
    // `\0larum\0hunter2-very-secret`
    let auth = Some("AGxhcnVtAGh1bnRlcjItdmVyeS1zZWNyZXQ=");
    let manners = SmtpManners { auth, ..SmtpManners::default() };
    let sink = SmtpSink::start(manners).await;
    assert_eq!(send(&mail(sink.address), &samples()[0]).await, Verdict::Ok);
    let taken = sink.taken();
    assert_eq!(taken[0].to, ["RCPT TO:<ops@example.org>", "RCPT TO:<duty@example.org>"]);
    assert!(taken[0].from.starts_with("MAIL FROM:<larum@example.org>"));
    assert!(taken[0].message.contains("Subject: [warning] high_error_rate shop-api\r\n"));

    let try_with = async |manners: SmtpManners| {
        let sink = SmtpSink::start(manners).await;
        let channel = mail(sink.address);
        let verdict = send(&channel, &samples()[0]).await;
        assert_no_secret(&channel, &verdict);
        assert!(!format!("{verdict:?}").contains("duty@"), "{verdict:?}");
        (verdict, sink.taken().len())
    };
    let duty = |answer| Some(("duty@", answer));
    let (verdict, n_taken) = try_with(SmtpManners { recipient: duty("550 no <duty@example.org>"), ..manners }).await;
    assert!(matches!(verdict, Verdict::OkPartial { .. }) && n_taken == 1, "{verdict:?}");
    let (verdict, n_taken) = try_with(SmtpManners { recipient: duty("450 greylisted"), ..manners }).await;
    assert!(matches!(&verdict, Verdict::RetryRest { settled, .. } if *settled == [0]) && n_taken == 1, "{verdict:?}");
    let permanent = [
        SmtpManners { sender: Some("550 go away"), ..manners },
        SmtpManners { data: Some("554 spam"), ..manners },
        SmtpManners { recipient: Some(("@", "550 unknown")), ..manners },
        SmtpManners { auth: Some("other"), ..manners },
    ];
    for manners in permanent {
        let (verdict, n_taken) = try_with(manners).await;
        assert!(matches!(verdict, Verdict::Permanent { .. }) && n_taken == 0, "{manners:?}: {verdict:?}");
    }
    let later = [
        SmtpManners { sender: Some("421 busy"), ..manners },
        SmtpManners { data: Some("451 busy"), ..manners },
        SmtpManners { recipient: Some(("@", "450 later")), ..manners },
    ];
    for manners in later {
        let (verdict, n_taken) = try_with(manners).await;
        assert!(matches!(verdict, Verdict::Retry { .. }) && n_taken == 0, "{manners:?}: {verdict:?}");
    }
}

#[tokio::test]
async fn mail_goes_only_to_a_server_that_is_who_it_should_be() {
    let auth = Some("AGxhcnVtAGh1bnRlcjItdmVyeS1zZWNyZXQ=");
    let mut surroundings = Fixed::env([("SECRET", SECRET)]);
    surroundings.files.insert("ca.pem".into(), AUTHORITY.into());
    let cases = [
        ("starttls", SinkTls::StartTls, true, true),
        ("tls", SinkTls::Implicit, true, true),
        ("starttls", SinkTls::StartTls, false, false),
        ("tls", SinkTls::Implicit, false, false),
        // It offers no STARTTLS: nothing is sent in the clear instead.
        ("starttls", SinkTls::None, true, false),
    ];
    for (tls, sink_tls, trusted, taken) in cases {
        let sink = SmtpSink::start(SmtpManners { auth, tls: sink_tls, ..SmtpManners::default() }).await;
        let ca = if trusted { "tls_ca: ${file:ca.pem}\n" } else { "" };
        let yaml = format!(
            "type: email\nhost: 127.0.0.1\nport: {}\ntls: {tls}\n{ca}username: larum\npassword: ${{env:SECRET}}\nfrom: larum@example.org\nto: [ops@example.org]\n",
            sink.address.port()
        );
        let channel = parse(&"ops".into(), "channels/ops.yaml", &yaml, &surroundings).unwrap();
        let verdict = send(&channel, &samples()[0]).await;
        assert_no_secret(&channel, &verdict);
        assert_eq!(
            (verdict == Verdict::Ok, sink.taken().len() == 1),
            (taken, taken),
            "{tls} {sink_tls:?}: {verdict:?}"
        );
    }
}

#[tokio::test]
async fn the_console_prints_what_it_is_told() {
    let (transport, terminal) = transport();
    let channel = channels(nobody().await).remove(0);
    let request = channel.render(&samples()[0], &Texts::default()).unwrap();
    assert_eq!(channel.attempt(&transport, &request, &attempt("msg-1")).await, Verdict::Ok);
    assert!(
        terminal.text().starts_with("10:00:00 [warning] high_error_rate shop-api\n  shop-api: 30% of calls fail\n")
    );
}

/// Notifications whose every text comes from somebody with bad intentions.
fn hostile() -> Vec<Notification> {
    let texts = [
        "a\r\nBcc: evil@example.com\r\n\r\nDATA\r\n.\r\nRCPT TO:<evil@example.com>".to_string(),
        "<@all> <@zhang> <font color=\"info\">green</font>".to_string(),
        "<script>alert(1)</script><img src=x onerror=y>&amp;\"'".to_string(),
        "**bold** [link](http://evil.example) `code` # head\n# head\n> quote".to_string(),
        "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{8}\u{0}\u{202e}gnp.exe".to_string(),
        "n".repeat(10_000),
        "值班😀👩‍👩‍👧‍👦".repeat(800),
        "{{ 7 * 7 }} {% for %} ${env:SECRET} ${SECRET} [secret: key]".to_string(),
        "\\u0000 \\\" \u{2028}\u{2029}\u{feff}".to_string(),
        String::new(),
    ];
    let mut all = Vec::new();
    for text in texts {
        // Each of the events costs time: some of them, and every occasion.
        let (alone, others): (Vec<_>, Vec<_>) = samples().into_iter().partition(|sample| sample.alerts.len() == 1);
        for mut notification in alone.into_iter().rev().step_by(5).chain(others) {
            for alert in &mut notification.alerts {
                alert.id = text.as_str().into();
                alert.rule = text.as_str().into();
                alert.subject = SubjectKey::new(text.as_str(), text.as_str());
                alert.labels = [(text.as_str().into(), text.as_str().into())].into();
                alert.message.clone_from(&text);
                alert.values = vec![(text.as_str().into(), Value::from(text.as_str()))];
                alert.runbook = Some(text.as_str().into());
                let by = || Acknowledged { by: text.as_str().into(), at: Time::EPOCH, comment: text.as_str().into() };
                alert.acknowledged = alert.acknowledged.as_ref().map(|_| by());
            }
            spoil(&mut notification.occasion, &text);
            all.push(notification);
        }
    }
    all
}

/// Puts a text wherever an occasion has one.
fn spoil(occasion: &mut Occasion, text: &str) {
    match occasion {
        Occasion::Alert => {}
        Occasion::Group(group) => {
            group.by = [(text.into(), text.into())].into();
            for member in &mut group.firing {
                (member.id, member.rule) = (text.into(), text.into());
                member.subject = SubjectKey::new(text, text);
            }
        }
        Occasion::Summary(summary) => {
            summary.stands_for = vec![text.into()];
            summary.counts.iter_mut().for_each(|line| line.rule = text.into());
        }
        Occasion::Undelivered(undelivered) => {
            (undelivered.channel, undelivered.notification) = (text.into(), text.into());
            undelivered.reason = text.to_string();
        }
    }
}

fn shown(request: &Request) -> String {
    match request {
        Request::Http { body, .. } => body.clone(),
        Request::Mail { headers, text, html, .. } => format!("{headers:?} {text} {html}"),
        Request::Terminal { title, text, .. } => format!("{title}\n{text}"),
        Request::Process { input, .. } => input.clone(),
        Request::Nothing { reason } => reason.clone(),
    }
}

#[test]
fn hostile_texts_survive_and_do_no_harm() {
    let channels = channels("127.0.0.1:1".parse().unwrap());
    for notification in hostile() {
        for channel in &channels {
            let request = channel.render(&notification, &Texts::default()).unwrap();
            let sealed = channel.seal(&request, &attempt("msg-1")).unwrap();
            let shown = shown(&request);
            assert!(!shown.contains(SECRET), "{shown}");
            let is_harmful = |c: char| is_invisible(c) || c.is_control() && !matches!(c, '\n' | '\t');
            assert!(!shown.chars().any(is_harmful), "{shown:?}");
            if let Request::Http { body, .. } | Request::Process { input: body, .. } = &request {
                assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
            }
            if channel.kind().starts_with("wecom") {
                let free = shown.replace("\"@all\"", "");
                assert!(!free.contains("<@") && !free.contains("\\u0"), "{shown}");
                assert!(free.contains("\"text\":") || !free.contains("]("), "{shown}");
            }
            if let Request::Mail { html, .. } = &request {
                assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
            }
            if let Sealed::Mail(mail) = sealed {
                let message = String::from_utf8(mail.message).unwrap();
                let (head, _) = message.split_once("\r\n\r\n").unwrap();
                assert!(!head.to_lowercase().contains("\nbcc") && head.contains("boundary="), "{head}");
                assert!(message.split("\r\n").all(|line| line.len() <= 998), "lines of a mail are short");
                assert_eq!(mail.to.len(), 2);
            }
        }
    }
}

#[test]
fn hundreds_of_alerts_are_one_message_of_every_kind_that_says_how_many_it_leaves_out() {
    let mut storm = samples().remove(0);
    let alert = |n: usize| {
        let mut alert = storm.alerts[0].clone();
        alert.subject.name = format!("主机-{n:03}").into();
        alert
    };
    storm.alerts = (0..500).map(alert).collect();
    for channel in channels("127.0.0.1:1".parse().unwrap()) {
        let request = channel.render(&storm, &Texts::default()).unwrap();
        let shown = shown(&request);
        assert!(shown.contains("主机-000"), "{shown}");
        let Request::Http { body, .. } = &request else {
            assert!(shown.contains("and 300 more"), "{shown}");
            continue;
        };
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let limit = match (channel.kind(), &body["msgtype"]) {
            ("wecom", format) if format == "markdown" => 4096,
            ("wecom" | "wecom_app", _) => 2048,
            _ => {
                assert_eq!(body["alerts"].as_array().unwrap().len(), 500, "programs get all of them");
                continue;
            }
        };
        let content = ["text", "markdown"].iter().find_map(|format| body[format]["content"].as_str()).unwrap();
        assert!(content.len() <= limit && content.len() > limit / 2, "{}: {content}", content.len());
        let listed = content.matches("[warning] high_error_rate 主机").count();
        assert!(content.contains(&format!("\nand {} more", 500 - listed)), "{content}");
    }
}

#[test]
fn a_notification_is_rendered_the_same_every_time_by_every_reading_of_the_file() {
    let address = "127.0.0.1:1".parse().unwrap();
    let all: Vec<Notification> = samples().into_iter().chain(hostile()).collect();
    for (one, other) in channels(address).iter().zip(channels(address)) {
        for notification in &all {
            let first = one.render(notification, &Texts::default()).unwrap();
            let second = other.render(notification, &Texts::default()).unwrap();
            assert_eq!(first, second);
            assert_eq!(serde_json::to_string(&first).unwrap(), serde_json::to_string(&second).unwrap());
        }
    }
}

#[test]
fn no_rendered_request_and_no_channel_shows_a_secret() {
    for channel in channels("127.0.0.1:1".parse().unwrap()) {
        let request = channel.render(&samples()[0], &Texts::default()).unwrap();
        let sealed = channel.seal(&request, &attempt("msg-1")).unwrap();
        let json = serde_json::to_string(&request).unwrap();
        let shown = format!("{request} {request:?} {json} {channel:?} {sealed:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}
