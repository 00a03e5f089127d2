use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::channels::message::samples;
use crate::channels::testing::{Answer, Recorder};
use crate::channels::{Captured, Configured, Texts, Transport, parse};
use crate::config::Fixed;
use crate::model::{Notification, Time};

const OK: &str = r#"{"errcode":0,"errmsg":"ok","msgid":"x"}"#;
const ENDED: &str = r#"{"errcode":42001,"errmsg":"access_token expired"}"#;
const INVALID: &str = r#"{"errcode":40014,"errmsg":"invalid access_token"}"#;

fn yaml(base: &str, more: &str) -> String {
    format!("type: wecom_app\ncorp_id: ww1\nsecret: hunter2&x=1\nagent_id: 7\nbase_url: {base}\n{more}\n")
}

fn channel_at(recorder: &Recorder, more: &str) -> Configured {
    let text = yaml(&format!("http://{}", recorder.address), more);
    parse(&"app".into(), "channels/app.yaml", &text, &Fixed::default()).unwrap()
}

fn channel(more: &str) -> Configured {
    let text = yaml("https://qyapi.example", more);
    parse(&"app".into(), "channels/app.yaml", &text, &Fixed::default()).unwrap()
}

fn body(channel: &Configured, notification: &Notification) -> serde_json::Value {
    let Request::Http { body, .. } = channel.render(notification, &Texts::default()).unwrap() else {
        panic!("it speaks HTTP")
    };
    assert!(!body.contains("\\u"), "WeCom refuses escapes: {body}");
    serde_json::from_str(&body).unwrap()
}

fn transport() -> Transport {
    Transport::new(Arc::new(Captured::new(false))).unwrap()
}

async fn send(channel: &Configured, transport: &Transport) -> Verdict {
    let request = channel.render(&samples()[0], &Texts::default()).unwrap();
    let attempt = Attempt { id: "n".into(), number: 1, time: Time::EPOCH, reached: Vec::new() };
    channel.attempt(transport, &request, &attempt).await
}

fn reply(body: &'static str) -> Answer {
    Answer::Reply(200, Vec::new(), body)
}

/// What WeCom answers to those who want a token, with this one.
fn token(name: &str) -> Answer {
    let body = format!("{{\"errcode\":0,\"access_token\":\"{name}\",\"expires_in\":7200}}");
    reply(body.leak())
}

const TO: &str = "to: { users: [zhang, li], parties: [2], tags: [1, 3] }";

#[test]
fn the_body_names_who_gets_it_and_as_which_application() {
    let body = body(&channel(TO), &samples()[0]);
    assert_eq!(
        [&body["touser"], &body["toparty"], &body["totag"], &body["msgtype"]],
        ["zhang|li", "2", "1|3", "markdown"]
    );
    assert_eq!((&body["agentid"], &body["enable_duplicate_check"]), (&7.into(), &1.into()));
    assert_eq!(body["duplicate_check_interval"], 1800);
    let content = body["markdown"]["content"].as_str().unwrap();
    assert!(
        content.starts_with("**<font color=\"warning\">[warning] high_error_rate shop-api</font>**\nshop-api: 30%")
    );
    assert!(content.contains("\n<font color=\"comment\">10:00:00 #"), "{content}");
}

#[test]
fn what_is_the_same_attempt_has_the_same_bytes_and_other_alerts_have_others() {
    let channel = channel(&format!("{TO}\nformat: text\ntemplate: {{ title: fire, text: fire }}"));
    let [first, mut second] = [samples().remove(0), samples().remove(0)];
    assert_eq!(body(&channel, &first), body(&channel, &second));
    second.id = "another".into();
    assert_ne!(body(&channel, &first)["text"], body(&channel, &second)["text"], "WeCom would drop the second");
    let off = self::channel(&format!("{TO}\nduplicate_check: never"));
    assert_eq!(body(&off, &first).get("enable_duplicate_check"), None);
    let short = self::channel(&format!("{TO}\nduplicate_check: 4h"));
    assert_eq!(body(&short, &first)["duplicate_check_interval"], 14_400);
}

#[test]
fn a_message_is_cut_before_wecom_cuts_it() {
    let mut notification = samples().remove(0);
    for format in ["text", "markdown"] {
        let channel = channel(&format!("{TO}\nformat: {format}"));
        for text in ["故障😀".repeat(700), "x".repeat(9000)] {
            notification.alerts[0].message = text;
            let body = body(&channel, &notification);
            let content = body[format]["content"].as_str().unwrap();
            assert!(content.len() <= MAX_CONTENT && content.len() > MAX_CONTENT - 8, "{}", content.len());
            assert!(content.contains("…\n") && content.contains("10:00:00 #"), "{content}");
        }
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_messages_and_all_channels_with_its_secret() {
    let recorder = Recorder::start_with([token("one")], [reply(OK)]).await;
    let (transport, first, second) =
        (transport(), channel_at(&recorder, TO), channel_at(&recorder, "to: { tags: [9] }"));
    let all = tokio::join!(send(&first, &transport), send(&second, &transport), send(&first, &transport));
    assert_eq!(all, (Verdict::Ok, Verdict::Ok, Verdict::Ok));
    assert_eq!(send(&second, &transport).await, Verdict::Ok);
    assert_eq!((recorder.n_tokens(), recorder.recorded().len()), (1, 4));
    assert!(recorder.recorded().iter().all(|asked| asked.uri == "/cgi-bin/message/send?access_token=one"));
}

#[tokio::test]
async fn a_token_that_ended_early_is_replaced_within_the_attempt_once() {
    for refusal in [ENDED, INVALID] {
        let recorder = Recorder::start_with([token("one"), token("two")], [reply(refusal), reply(OK)]).await;
        let (transport, channel) = (transport(), channel_at(&recorder, TO));
        assert_eq!(send(&channel, &transport).await, Verdict::Ok);
        let asked: Vec<String> = recorder.recorded().iter().map(|asked| asked.uri.to_string()).collect();
        assert_eq!(asked, ["one", "two"].map(|token| format!("/cgi-bin/message/send?access_token={token}")));
        assert_eq!(recorder.recorded()[0].body, recorder.recorded()[1].body);
        assert_eq!(send(&channel, &transport).await, Verdict::Ok);
        assert_eq!(recorder.n_tokens(), 2, "the new one is kept");
    }
    let recorder = Recorder::start_with([token("one")], [reply(ENDED)]).await;
    let verdict = send(&channel_at(&recorder, TO), &transport()).await;
    assert!(matches!(&verdict, Verdict::Retry { .. }), "{verdict:?}");
    assert_eq!((recorder.n_tokens(), recorder.recorded().len()), (2, 2), "it is not tried for ever");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_verdict_says_whether_to_try_again() {
    let cases = [
        (reply(r#"{"errcode":-1}"#), true),
        (reply(r#"{"errcode":45009,"errmsg":"from ip: 1.2.3.4"}"#), true),
        (reply("<html>log in here</html>"), true),
        (reply("{}"), true),
        (reply(r#"{"errcode":0}"#), true),
        (Answer::Reply(502, Vec::new(), ""), true),
        (Answer::Silence, true),
        (reply(r#"{"errcode":40013,"errmsg":"invalid corpid"}"#), false),
        (reply(r#"{"errcode":40001,"errmsg":"hunter2"}"#), false),
        (reply(r#"{"errcode":40125}"#), false),
        (reply(r#"{"errcode":60020,"errmsg":"from ip: 1.2.3.4"}"#), false),
        (reply(r#"{"errcode":987654}"#), false),
        (Answer::Reply(302, vec![("location", "http://127.0.0.1:1/".into())], ""), false),
    ];
    for (answer, again) in cases {
        let said = format!("{answer:?}");
        let recorder = Recorder::start_with([answer], [reply(OK)]).await;
        let verdict = send(&channel_at(&recorder, &format!("{TO}\ntimeout: 300ms")), &transport()).await;
        let retried = matches!(verdict, Verdict::Retry { .. });
        assert!(retried == again && (again || matches!(verdict, Verdict::Permanent { .. })), "{said}: {verdict:?}");
        let verdict = format!("{verdict:?}");
        assert!(
            !verdict.contains("hunter2") && !verdict.contains("1.2.3.4") && !verdict.contains("127.0.0.1"),
            "{verdict}"
        );
        assert!(recorder.recorded().is_empty());
    }
}

#[tokio::test]
async fn who_waited_for_a_token_that_was_not_given_does_not_ask_again_at_once() {
    let recorder = Recorder::start_with([reply(r#"{"errcode":45009}"#)], [reply(OK)]).await;
    let (transport, channel) = (transport(), channel_at(&recorder, TO));
    let (first, second) = tokio::join!(send(&channel, &transport), send(&channel, &transport));
    assert_eq!(first, second);
    assert!(
        matches!(&first, Verdict::Retry { after: Some(after), .. } if *after >= Duration::from_secs(60)),
        "{first:?}"
    );
    assert_eq!(send(&channel, &transport).await, first, "the minute is not over");
    assert_eq!(recorder.n_tokens(), 1);
}

#[test]
fn only_errcode_nought_is_success_and_whom_it_did_not_reach_is_told() {
    assert_eq!(judge::message(OK), Verdict::Ok);
    assert_eq!(judge::message(r#"{"errcode":0,"invaliduser":"","invalidparty":null}"#), Verdict::Ok);
    let partly = r#"{"errcode":0,"invaliduser":"li|wang","invalidtag":"3","unlicenseduser":"zhao\u001b[2J"}"#;
    let detail = "not told: unknown users li, wang; unknown tags 3; users without a licence zhao[2J".to_string();
    assert_eq!(judge::message(partly), Verdict::OkPartial { detail });
    assert!(matches!(judge::message(r#"{"errcode":0,"invaliduser":["li"]}"#), Verdict::OkPartial { .. }));
    for body in [r#"{"errcode":-1}"#, r#"{"errcode":45009}"#, r#"{"errcode":45033}"#, "{}", "<html>", "", "[]", "0"] {
        assert!(matches!(judge::message(body), Verdict::Retry { .. }), "{body}");
    }
    for code in [81013, 40001, 40056, 60020, 45002, 40008, 44004, 40033, 12345] {
        let body = format!("{{\"errcode\":{code},\"errmsg\":\"hunter2, from ip: 1.2.3.4\"}}");
        let verdict = judge::message(&body);
        assert!(matches!(&verdict, Verdict::Permanent { reason } if !reason.contains("hunter2")), "{verdict:?}");
    }
    assert!(matches!(judge::message(r#"{"errcode":-1}"#), Verdict::Retry { at_most: Some(3), .. }));
}

#[test]
fn a_file_that_cannot_work_is_refused_with_every_reason() {
    let problems = |more: &str| {
        let text = yaml("https://qyapi.example", more);
        let surroundings = Fixed::env([("WHO", "zhang")]);
        let found = parse(&"app".into(), "a.yaml", &text, &surroundings).unwrap_err();
        found.iter().map(|problem| problem.to_string()).collect::<Vec<_>>()
    };
    assert!(problems("to: {}")[0].starts_with("a.yaml:6:5: error: there is no recipient"), "{:?}", problems("to: {}"));
    let found = problems("to: { users: ['@all', 'a|b', '${env:WHO}'] }\nduplicate_check: 5h");
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().any(|problem| problem.contains("`duplicate_check` is between 1s and 4h")), "{found:?}");
    let tags = (1..=101).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert!(problems(&format!("to: {{ tags: [{tags}] }}"))[0].contains("at most 100 tags"));
    let zero = yaml("https://qyapi.example", TO).replace("agent_id: 7", "agent_id: 0");
    assert!(parse(&"app".into(), "a.yaml", &zero, &Fixed::default()).is_err());
}

#[test]
fn neither_secret_nor_token_is_shown() {
    let channel = channel(TO);
    let request = channel.render(&samples()[0], &Texts::default()).unwrap();
    let attempt = Attempt { id: "n".into(), number: 1, time: Time::EPOCH, reached: Vec::new() };
    let sealed = channel.seal(&request, &attempt).unwrap();
    let shown = format!("{request} {request:?} {channel:?} {sealed:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("/cgi-bin/message/send?access_token=[secret: access token]"), "{shown}");
    let Sealed::Tokened(call) = sealed else { panic!("it needs a token") };
    assert!(call.source.fetch.url.expose().ends_with("/cgi-bin/gettoken?corpid=ww1&corpsecret=hunter2%26x%3D1"));
    assert!(!format!("{call:?}").contains("hunter2"));
}
