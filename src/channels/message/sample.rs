//! Notifications that nobody's system raised: to try templates on, and to try a channel.

use std::sync::Arc;

use crate::model::{
    Acknowledged, AlertNote, ChannelName, CloseReason, EventKind, FoldedEvent, Group, Level, Notification,
    NotificationId, Occasion, StillFiring, SubjectKey, Summary, SummaryCount, Time, Undelivered, Value,
};

/// When the samples happened.
const SAMPLE_TIME: Time = Time::from_micros(1_795_255_200_000_000);

/// A notification that says that it is only a test of a channel.
pub fn example(channel: &ChannelName, id: NotificationId, time: Time) -> Notification {
    let note = AlertNote {
        rule: "channel_test".into(),
        level: Level::Info,
        message: format!("a test of the channel {channel}: nothing is wrong"),
        subject: SubjectKey::new("larum", channel.as_str()),
        labels: [].into(),
        values: Vec::new(),
        since: time,
        id: id.as_str().into(),
        ..note(EventKind::Raised)
    };
    Notification { id, channel: channel.clone(), time, alerts: vec![note], occasion: Occasion::Alert }
}

/// One notification of each kind of event, then those of several alerts, of each occasion.
pub fn samples() -> Vec<Notification> {
    let ended = Some(SAMPLE_TIME);
    let closed = |reason| AlertNote { reason: Some(reason), ended, ..note(EventKind::Closed) };
    let notes = [
        note(EventKind::Raised),
        AlertNote { level: Level::Critical, previous_level: Some(Level::Warning), ..note(EventKind::Escalated) },
        AlertNote { previous_level: Some(Level::Critical), ..note(EventKind::Eased) },
        AlertNote { not_judged_since: Some(SAMPLE_TIME), ..note(EventKind::Reminded) },
        AlertNote { not_judged_since: Some(SAMPLE_TIME), ..note(EventKind::Stale) },
        AlertNote { ended, ..note(EventKind::Recovered) },
        closed(CloseReason::Gone),
        closed(CloseReason::RuleRemoved),
        closed(CloseReason::RuleChanged),
        closed(CloseReason::NoLongerCovered),
        closed(CloseReason::NoData),
        closed(CloseReason::Vanished),
        AlertNote { labels: [].into(), values: Vec::new(), runbook: None, ..note(EventKind::Raised) },
        AlertNote {
            ended,
            folded: [EventKind::Raised, EventKind::Escalated]
                .map(|event| FoldedEvent { event, level: Level::Critical, time: SAMPLE_TIME })
                .to_vec(),
            ..note(EventKind::Recovered)
        },
        note(EventKind::Flapping),
        AlertNote { folded_omitted: 12, ..note(EventKind::Reminded) },
        note(EventKind::Unacknowledged),
        AlertNote {
            ended,
            acknowledged: Some(Acknowledged {
                by: "anna".into(),
                at: SAMPLE_TIME,
                comment: "the deploy is rolled back".into(),
            }),
            ..note(EventKind::Recovered)
        },
    ];
    let mut groups: Vec<Vec<AlertNote>> = notes.iter().map(|note| vec![note.clone()]).collect();
    groups.push(notes.to_vec());
    let alone = groups.into_iter().map(|alerts| (alerts, Occasion::Alert));
    let [raised, escalated, recovered] = [0, 1, 5].map(|index: usize| notes[index].clone());
    let occasions = [
        (vec![raised.clone(), recovered.clone()], Occasion::Group(group())),
        (vec![recovered], Occasion::Group(Group { by: [].into(), ..Group::default() })),
        (vec![escalated.clone(), raised.clone()], Occasion::Summary(summary())),
        (vec![escalated], Occasion::Undelivered(undelivered())),
        (notes[..3].to_vec(), Occasion::Undelivered(undelivered())),
    ];
    let notification = |(index, (alerts, occasion))| Notification {
        id: format!("sample-{index}").into(),
        channel: "sample".into(),
        time: SAMPLE_TIME,
        alerts,
        occasion,
    };
    alone.chain(occasions).enumerate().map(notification).collect()
}

fn group() -> Group {
    let member = |rule: &str, name: &str, level| StillFiring {
        id: format!("firing-{name}").as_str().into(),
        rule: rule.into(),
        subject: SubjectKey::new("service", name),
        level,
        since: Time::from_micros(SAMPLE_TIME.as_micros() - 3_600_000_000),
    };
    Group {
        by: [(Arc::from("region"), Arc::from("eu"))].into(),
        firing: vec![
            member("high_error_rate", "cart-api", Level::Error),
            member("slow_answers", "user-api", Level::Warning),
        ],
        firing_omitted: 4,
    }
}

fn summary() -> Summary {
    let count = |rule: &str, level, event, count| SummaryCount { rule: rule.into(), level, event, count };
    Summary {
        stands_for: ["sample-a", "sample-b"].map(NotificationId::from).to_vec(),
        omitted: 135,
        counts: vec![
            count("high_error_rate", Level::Critical, EventKind::Escalated, 1),
            count("high_error_rate", Level::Warning, EventKind::Raised, 99),
            count("disk_full", Level::Warning, EventKind::Raised, 37),
        ],
        events: 150,
    }
}

fn undelivered() -> Undelivered {
    Undelivered {
        channel: "ops".into(),
        notification: "sample-c".into(),
        reason: "given up after 1d and 300 attempts: the receiver answered 503 Service Unavailable".to_string(),
    }
}

fn note(event: EventKind) -> AlertNote {
    AlertNote {
        id: "sample-firing".into(),
        event,
        reason: None,
        rule: "high_error_rate".into(),
        level: Level::Warning,
        previous_level: None,
        subject: SubjectKey::new("service", "shop-api"),
        labels: [(Arc::from("region"), Arc::from("eu"))].into(),
        message: "shop-api: 30% of calls fail".into(),
        values: vec![("error_rate".into(), Value::Number(0.3)), ("total_calls".into(), Value::Number(1200.0))],
        since: Time::from_micros(SAMPLE_TIME.as_micros() - 300_000_000),
        ended: None,
        not_judged_since: None,
        runbook: Some("https://runbooks.example/high_error_rate".into()),
        acknowledged: None,
        folded: Vec::new(),
        folded_omitted: 0,
    }
}
