use std::time::Duration;

use super::*;
use crate::channels::message::samples;
use crate::engine::{Effects, Event, Suppressed, Transition};
use crate::model::{CloseReason, EventKind, Level, Now, SubjectKey};
use crate::store::{Attempt, AttemptResult, Memory, Record, Store};

/// A moment, `secs` after an arbitrary start.
fn at(secs: u64) -> Time {
    Time::from_micros(1_800_000_000_000_000) + Duration::from_secs(secs)
}

fn event(n: u64, kind: EventKind, time: Time) -> Event {
    Event {
        time,
        kind,
        reason: (kind == EventKind::Closed).then_some(CloseReason::Gone),
        firing: format!("f{n:03}").into(),
        rule: "disk_full".into(),
        subject: SubjectKey::new("host", format!("web-{n}")),
        level: Level::Error,
        labels: Default::default(),
        message: format!("{kind} {n}"),
    }
}

/// A store with `count` firings, a second apart, of which the odd ones ended.
fn store(count: u64) -> Memory {
    let mut store = Memory::default();
    let mut effects = Effects::none(1, Now::at(at(0)));
    effects.events.extend((0..count).map(|n| event(n, EventKind::Raised, at(n))));
    let odd = (0..count).filter(|n| n % 2 == 1);
    effects.events.extend(odd.map(|n| event(n, EventKind::Recovered, at(n + 500))));
    store.commit(&[Record::from(effects)]).unwrap();
    store
}

fn ids(page: &AlertPageDto) -> Vec<String> {
    page.alerts.iter().filter_map(|alert| alert.id.clone()).collect()
}

fn query(limit: usize, after: Option<&str>) -> FiringQuery {
    FiringQuery { limit, after: after.map(|text| text.parse().unwrap()), ..FiringQuery::default() }
}

#[test]
fn pages_follow_each_other_though_alerts_come_and_go_between_them() {
    let mut store = store(250);
    let first = page(store.reader().as_ref(), &query(100, None), Vec::new()).unwrap();
    assert_eq!((first.alerts.len(), first.alerts[0].id.as_deref()), (100, Some("f249")));
    let mut more = Effects::none(2, Now::at(at(1)));
    more.events.extend((300..320).map(|n| event(n, EventKind::Raised, at(n))));
    store.commit(&[Record::from(more)]).unwrap();
    let second = page(store.reader().as_ref(), &query(100, first.next.as_deref()), Vec::new()).unwrap();
    let third = page(store.reader().as_ref(), &query(100, second.next.as_deref()), Vec::new()).unwrap();
    let all: Vec<String> = [&first, &second, &third].into_iter().flat_map(ids).collect();
    let expected: Vec<String> = (0..250).rev().map(|n| format!("f{n:03}")).collect();
    assert_eq!((all, third.next), (expected, None));
}

#[test]
fn ended_alerts_say_when_and_present_ones_are_as_the_engine_knows_them() {
    let store = store(4);
    let ended = FiringQuery { ended: true, ..query(100, None) };
    let page_of = |query: &FiringQuery, present| page(store.reader().as_ref(), query, present).unwrap();
    let ended = page_of(&ended, Vec::new());
    assert_eq!(ids(&ended), ["f003", "f001"]);
    assert_eq!((ended.alerts[0].state.as_str(), ended.alerts[0].ended), ("ended", Some(at(503))));
    let mut known = page_of(&query(1, None), Vec::new()).alerts.remove(0);
    known.id = Some("f002".into());
    known.state = "recovering".into();
    let all = page_of(&query(100, None), vec![known]);
    assert_eq!(
        all.alerts.iter().map(|alert| alert.state.as_str()).collect::<Vec<_>>(),
        ["ended", "recovering", "ended", "firing"]
    );
}

#[test]
fn one_alert_is_told_with_all_that_became_of_it() {
    let mut store = Memory::default();
    let subject = SubjectKey::new("host", "web-1");
    let transition =
        |secs, from, to| Transition { time: at(secs), rule: "disk_full".into(), subject: subject.clone(), from, to };
    let mut told = samples().remove(0);
    (told.id, told.time, told.alerts[0].id) = ("n1".into(), at(30), "f001".into());
    let effects = Effects {
        events: vec![event(1, EventKind::Raised, at(30)), event(1, EventKind::Closed, at(90))],
        notifications: vec![told],
        suppressed: vec![Suppressed {
            channel: "mail".into(),
            firing: "f001".into(),
            rule: "disk_full".into(),
            subject: subject.clone(),
            reason: "cooldown",
            events: 2,
        }],
        transitions: vec![
            transition(1, "inactive", "firing"),
            transition(5, "firing", "inactive"),
            transition(10, "inactive", "pending"),
            transition(30, "pending", "firing"),
            transition(90, "firing", "inactive"),
            transition(95, "inactive", "pending"),
        ],
        ..Effects::none(1, Now::at(at(0)))
    };
    let attempt = |number, result| {
        let took = Duration::from_millis(1500);
        Record::Attempt(Attempt { notification: "n1".into(), number, time: at(30 + u64::from(number)), took, result })
    };
    let failed = AttemptResult::Failed { error: "the receiver answered 503".into(), next: at(32) };
    let records = [Record::from(effects), attempt(1, failed), attempt(2, AttemptResult::Delivered { partly: None })];
    store.commit(&records).unwrap();
    let Found::One(history) = find(store.reader().as_ref(), "f0", Vec::new()).unwrap() else { panic!("one") };
    assert_eq!((history.alert.state.as_str(), history.alert.reason), ("ended", Some(CloseReason::Gone)));
    assert_eq!(history.alert.told, ["sample"]);
    let states: Vec<(&str, &str)> = history.transitions.iter().map(|t| (t.from.as_str(), t.to.as_str())).collect();
    assert_eq!(states, [("inactive", "pending"), ("pending", "firing"), ("firing", "inactive")]);
    assert_eq!(
        history.events.iter().map(|event| event.event).collect::<Vec<_>>(),
        [EventKind::Raised, EventKind::Closed]
    );
    let [notification] = history.notifications.as_slice() else { panic!("one") };
    assert_eq!(
        (notification.state.as_str(), notification.ended, notification.n_attempts),
        ("delivered", Some(at(32)), 2)
    );
    let [first, second] = notification.attempts.as_slice() else { panic!("two") };
    assert_eq!(
        (first.error.as_deref(), first.next_attempt, first.duration_seconds),
        (Some("the receiver answered 503"), Some(at(32)), 1.5)
    );
    assert_eq!((second.result.as_str(), second.error.as_deref()), ("delivered", None));
    assert_eq!((history.suppressed[0].channel.as_str(), history.suppressed[0].reason.as_str()), ("mail", "cooldown"));
}

#[test]
fn the_beginning_of_an_id_is_enough_where_it_is_the_only_one() {
    let store = store(12);
    let find = |id: &str| find(store.reader().as_ref(), id, Vec::new()).unwrap();
    assert!(matches!(find("f011"), Found::One(history) if history.alert.id.as_deref() == Some("f011")));
    assert!(matches!(find("f00"), Found::Several(ids) if ids.len() == NAMED));
    assert!(matches!(find("g"), Found::None));
}
