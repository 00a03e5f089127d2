use super::*;
use crate::channels::message::samples;
use crate::channels::{Configured, Texts, parse};
use crate::config::Fixed;
use crate::model::{EventKind, Occasion, Time};

fn channel(more: &str) -> Configured {
    let yaml = format!("type: webhook\nurl: https://hook.example/a/b?c=d\n{more}");
    parse(&"ops".into(), "channels/ops.yaml", &yaml, &Fixed::default()).unwrap()
}

fn body(channel: &Configured, notification: &Notification) -> serde_json::Value {
    match channel.render(notification, &Texts::default()).unwrap() {
        Request::Http { body, .. } => serde_json::from_str(&body).unwrap(),
        other => panic!("{other}"),
    }
}

fn sealed(channel: &Configured, seconds: i64) -> HttpCall {
    let request = channel.render(&samples()[0], &Texts::default()).unwrap();
    let time = Time::from_micros(seconds * 1_000_000 + 999_999);
    match channel.seal(&request, &Attempt { id: "msg_1".into(), number: 1, time, reached: Vec::new() }).unwrap() {
        Sealed::Http(call) => call,
        other => panic!("{other:?}"),
    }
}

fn header<'a>(call: &'a HttpCall, name: &str) -> Option<&'a str> {
    call.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.expose())
}

#[test]
fn the_body_is_the_documented_one() {
    let sample = &samples()[0];
    let expected = serde_json::json!({
        "id": "sample-0", "channel": "sample", "title": "[warning] high_error_rate shop-api",
        "text": "shop-api: 30% of calls fail\nfiring since 2026-11-21 09:55:00 UTC\nvalues: error_rate 0.3, total_calls 1200\nlabels: region=eu\nrunbook: https://runbooks.example/high_error_rate",
        "level": "warning", "time": "2026-11-21T10:00:00Z",
        "alerts": [{
            "id": "sample-firing", "event": "raised", "rule": "high_error_rate", "level": "warning", "kind": "service",
            "name": "shop-api", "labels": {"region": "eu"}, "message": "shop-api: 30% of calls fail",
            "values": {"error_rate": 0.3, "total_calls": 1200}, "since": "2026-11-21T09:55:00Z",
            "runbook": "https://runbooks.example/high_error_rate",
        }],
        "summary": {"alerts": 1, "omitted": 0},
    });
    assert_eq!(body(&channel(""), sample), expected);
    let mut bare = sample.clone();
    bare.alerts[0].runbook = None;
    assert_eq!(body(&channel(""), &bare)["alerts"][0]["runbook"], serde_json::Value::Null);
}

#[test]
fn the_signature_covers_what_is_sent_and_is_new_for_each_attempt() {
    let channel = channel("secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nheaders: { X-Team: shop }\n");
    let (first, second) = (sealed(&channel, 1_795_255_200), sealed(&channel, 1_795_255_260));
    assert_eq!(header(&first, "webhook-id"), Some("msg_1"));
    assert_eq!(header(&first, "webhook-timestamp"), Some("1795255200"));
    assert_eq!(header(&first, "x-team"), Some("shop"));
    let key = signature::Key::parse(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
    let expected = key.sign("msg_1", "1795255200", std::str::from_utf8(&first.body).unwrap());
    assert_eq!(header(&first, "webhook-signature"), Some(expected.as_str()));
    assert_ne!(header(&first, "webhook-signature"), header(&second, "webhook-signature"));
    assert_eq!((first.body.clone(), first.url.expose()), (second.body, "https://hook.example/a/b?c=d"));
    assert_eq!(header(&sealed(&self::channel(""), 1), "webhook-signature"), None);
}

#[test]
fn alertmanagers_body_says_resolved_only_of_what_is_known_to_be_over() {
    let channel = channel("format: alertmanager\n");
    let alone = |sample: &Notification| sample.alerts.len() == 1 && sample.occasion.is_alert();
    for sample in samples().into_iter().filter(alone) {
        let body = body(&channel, &sample);
        let alert = &sample.alerts[0];
        let over = match alert.event {
            EventKind::Recovered => true,
            EventKind::Closed => alert.reason.unwrap().resolves(),
            _ => false,
        };
        assert_eq!(body["status"], if over { "resolved" } else { "firing" });
        assert_eq!(body["alerts"][0]["endsAt"], if over { "2026-11-21T10:00:00Z" } else { "0001-01-01T00:00:00Z" });
        assert_eq!((&body["version"], &body["receiver"]), (&"4".into(), &"sample".into()));
        assert_eq!(body["groupLabels"], serde_json::json!({"alertname": "high_error_rate"}));
        assert_eq!(body["commonLabels"]["severity"], alert.level.as_str());
        assert_eq!(body["alerts"][0]["fingerprint"].as_str().unwrap().len(), 16);
        assert_eq!(body["alerts"][0]["annotations"]["summary"], "shop-api: 30% of calls fail");
    }
}

#[test]
fn a_header_that_is_not_the_operators_to_set_is_refused() {
    for header in ["Webhook-Id: x", "Host: x", "'a b': x", "X-A: \"a\\nb\""] {
        let yaml = format!("type: webhook\nurl: https://hook.example/\nheaders: {{ {header} }}\n");
        let problems = parse(&"ops".into(), "x.yaml", &yaml, &Fixed::default()).unwrap_err();
        assert!(problems[0].line == 3 && problems[0].source_line.is_none(), "{problems:?}");
    }
}

fn of_occasion(wanted: fn(&Occasion) -> bool) -> Notification {
    samples().into_iter().find(|sample| wanted(&sample.occasion)).unwrap()
}

#[test]
fn what_brought_alerts_together_is_told_beside_them() {
    let channel = channel("");
    let group = body(&channel, &of_occasion(|occasion| matches!(occasion, Occasion::Group(_))));
    assert_eq!(group["summary"], serde_json::json!({"alerts": 2, "omitted": 0}));
    assert_eq!((&group["group"]["by"]["region"], &group["group"]["firing_omitted"]), (&"eu".into(), &4.into()));
    let member = serde_json::json!({
        "id": "firing-cart-api", "rule": "high_error_rate", "kind": "service", "name": "cart-api", "level": "error",
        "since": "2026-11-21T09:00:00Z",
    });
    assert_eq!((&group["group"]["firing"][0], &group["level"]), (&member, &"error".into()));
    let summary = body(&channel, &of_occasion(|occasion| matches!(occasion, Occasion::Summary(_))));
    let line = serde_json::json!({"rule": "disk_full", "level": "warning", "event": "raised", "count": 37});
    assert_eq!(summary["summary"]["counts"][2], line);
    assert_eq!(summary["summary"]["stands_for"], serde_json::json!(["sample-a", "sample-b"]));
    let n = |key: &str| summary["summary"][key].as_u64();
    assert_eq!([n("alerts"), n("omitted"), n("events")], [Some(137), Some(135), Some(150)]);
    let undelivered = body(&channel, &of_occasion(|occasion| matches!(occasion, Occasion::Undelivered(_))));
    assert_eq!(undelivered["undelivered"]["channel"], "ops");
    let folded = samples().into_iter().find(|sample| sample.alerts[0].folded_omitted > 0).unwrap();
    assert_eq!(body(&channel, &folded)["alerts"][0]["folded_omitted"], 12);
    assert_eq!(body(&channel, &samples()[0])["alerts"][0].get("folded_omitted"), None);
}

#[test]
fn alertmanagers_body_has_a_groups_labels_and_all_of_it_that_fires() {
    let channel = channel("format: alertmanager\n");
    let mut group = of_occasion(|occasion| matches!(occasion, Occasion::Group(_)));
    let first = body(&channel, &group);
    assert_eq!((&first["status"], first["alerts"].as_array().unwrap().len()), (&"firing".into(), 4));
    assert_eq!((&first["truncatedAlerts"], &first["groupLabels"]), (&4.into(), &serde_json::json!({"region": "eu"})));
    assert_eq!(first["groupKey"], "sample:{region=\"eu\"}");
    let member = &first["alerts"][2];
    assert_eq!((&member["status"], &member["labels"]["name"]), (&"firing".into(), &"cart-api".into()));
    assert_eq!((&member["labels"]["region"], &member["startsAt"]), (&"eu".into(), &"2026-11-21T09:00:00Z".into()));
    group.alerts.remove(0);
    assert_eq!(body(&channel, &group)["groupKey"], first["groupKey"], "it is the same conversation");
    let Occasion::Group(by) = &mut group.occasion else { panic!("a group") };
    by.by = [("rule".into(), "high_error_rate".into())].into();
    assert_eq!(body(&channel, &group)["groupLabels"], serde_json::json!({"alertname": "high_error_rate"}));
    let summary = of_occasion(|occasion| matches!(occasion, Occasion::Summary(_)));
    assert_eq!(body(&channel, &summary)["truncatedAlerts"], 135);
}
