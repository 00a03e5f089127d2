//! What every [`Store`] must do: one suite, run against each implementation.

use std::time::Duration;

use super::*;
use crate::engine::Effects;
use crate::model::{AlertNote, CloseReason, EventKind, Level, Notification, Now, SubjectKey, Time};

/// A moment, `secs` after an arbitrary start.
fn at(secs: u64) -> Time {
    Time::from_micros(1_800_000_000_000_000) + Duration::from_secs(secs)
}

fn event(n: u64, kind: EventKind, secs: u64) -> Event {
    Event {
        time: at(secs),
        kind,
        reason: None,
        firing: format!("f{n}").into(),
        rule: if n.is_multiple_of(2) { "even".into() } else { "odd".into() },
        subject: SubjectKey::new("service", format!("shop-{n}")),
        level: Level::Warning,
        message: format!("{kind} {n}"),
    }
}

/// The raise of firing `f<n>`.
pub(super) fn raised(n: u64) -> Event {
    event(n, EventKind::Raised, 10 * n)
}

/// The end of firing `f<n>`.
pub(super) fn ended(n: u64) -> Event {
    event(n, EventKind::Recovered, 10 * n + 5)
}

/// A step with these events; each raise is told to `ops` as notification `n<n>`.
pub(super) fn step_with(sequence: u64, events: Vec<Event>) -> Record {
    let notifications = events
        .iter()
        .filter(|event| event.kind == EventKind::Raised)
        .map(|event| Notification {
            id: event.firing.as_str().replace('f', "n").into(),
            channel: "ops".into(),
            time: event.time,
            alerts: vec![AlertNote {
                id: event.firing.clone(),
                event: event.kind,
                reason: None,
                rule: event.rule.clone(),
                level: event.level,
                previous_level: None,
                subject: event.subject.clone(),
                labels: [("region".into(), "eu".into())].into(),
                message: event.message.clone(),
                values: Vec::new(),
                since: event.time,
                ended: None,
                not_judged_since: None,
                runbook: None,
                folded: Vec::new(),
            }],
        })
        .collect();
    Record::from(Effects { events, notifications, ..Effects::none(sequence, Now::at(at(sequence))) })
}

/// A failed attempt of notification `n<n>`.
pub(super) fn attempt(n: u64, number: u32) -> Record {
    result(n, number, AttemptResult::Failed { error: "connection refused".into(), next: at(1000) })
}

/// The delivery of notification `n<n>` at its first attempt.
pub(super) fn delivered(n: u64) -> Record {
    result(n, 1, AttemptResult::Delivered)
}

fn result(n: u64, number: u32, result: AttemptResult) -> Record {
    Record::Attempt(Attempt {
        notification: format!("n{n}").into(),
        number,
        time: at(500 + u64::from(number)),
        took: Duration::from_millis(3),
        result,
    })
}

/// Runs the suite; `make` gives an empty store each time.
pub(super) fn run(make: &mut dyn FnMut() -> Box<dyn Store>) {
    an_empty_store_knows_nothing(&mut *make());
    what_is_committed_is_read_back(&mut *make());
    a_step_that_is_given_again_changes_nothing(&mut *make());
    firings_are_filtered_and_come_newest_first(&mut *make());
    a_notification_waits_until_it_is_delivered_or_dead(&mut *make());
    an_attempt_that_is_given_again_or_is_older_changes_nothing(&mut *make());
    suppressions_are_kept_with_their_reason(&mut *make());
    texts_are_replaced_and_removed(&mut *make());
}

fn ids(firings: &[Firing]) -> Vec<&str> {
    firings.iter().map(|firing| firing.id.as_str()).collect()
}

fn an_empty_store_knows_nothing(store: &mut dyn Store) {
    store.commit(&[]).unwrap();
    let reader = store.reader();
    assert_eq!(reader.last_sequence().unwrap(), None);
    assert_eq!(reader.firings(&FiringFilter::default()).unwrap(), []);
    assert_eq!(reader.firing(&"f1".into()).unwrap(), None);
    assert_eq!(reader.waiting().unwrap(), []);
    assert_eq!(reader.texts().unwrap(), []);
}

fn what_is_committed_is_read_back(store: &mut dyn Store) {
    let reader = store.reader();
    let mut closed = event(1, EventKind::Closed, 15);
    closed.reason = Some(CloseReason::Gone);
    closed.level = Level::Critical;
    store.commit(&[step_with(1, vec![raised(1)]), step_with(2, vec![closed.clone()])]).unwrap();

    assert_eq!(reader.last_sequence().unwrap(), Some(2), "a reader made before the commit sees it");
    let firing = reader.firing(&"f1".into()).unwrap().unwrap();
    assert_eq!((firing.since, firing.ended), (at(10), Some(at(15))));
    assert_eq!((firing.level, firing.reason), (Level::Critical, Some(CloseReason::Gone)));
    assert_eq!(firing.message, "closed 1");
    assert_eq!(firing.labels, [("region".into(), "eu".into())].into());
    assert_eq!(reader.events_of(&"f1".into()).unwrap(), [raised(1), closed.clone()]);
    assert_eq!(reader.recent_events(1).unwrap(), [closed]);
    let told = reader.deliveries_of(&"f1".into()).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].notification.channel.as_str(), "ops");
}

fn a_step_that_is_given_again_changes_nothing(store: &mut dyn Store) {
    let step = step_with(1, vec![raised(1)]);
    store.commit(std::slice::from_ref(&step)).unwrap();
    store.commit(&[step, delivered(1)]).unwrap();
    let reader = store.reader();
    assert_eq!(reader.recent_events(10).unwrap().len(), 1);
    assert_eq!(reader.recent_deliveries(10).unwrap().len(), 1);
    assert_eq!(reader.waiting().unwrap(), []);
}

fn firings_are_filtered_and_come_newest_first(store: &mut dyn Store) {
    store.commit(&[step_with(1, vec![raised(1), raised(2), raised(3)]), step_with(2, vec![ended(2)])]).unwrap();
    let reader = store.reader();
    let all = FiringFilter::default();
    let cases = [
        (all.clone(), vec!["f3", "f2", "f1"]),
        (FiringFilter { firing: Some(true), ..all.clone() }, vec!["f3", "f1"]),
        (FiringFilter { firing: Some(false), ..all.clone() }, vec!["f2"]),
        (FiringFilter { rule: Some("even".into()), ..all.clone() }, vec!["f2"]),
        (FiringFilter { kind: Some("host".into()), ..all.clone() }, vec![]),
        (FiringFilter { name: Some("shop-1".into()), ..all.clone() }, vec!["f1"]),
        (FiringFilter { level: Some(Level::Critical), ..all.clone() }, vec![]),
        (FiringFilter { since: Some(at(26)), ..all.clone() }, vec!["f3", "f1"]),
        (FiringFilter { limit: 1, offset: 1, ..all.clone() }, vec!["f2"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&reader.firings(&filter).unwrap()), expected, "{filter:?}");
    }
}

fn a_notification_waits_until_it_is_delivered_or_dead(store: &mut dyn Store) {
    store.commit(&[step_with(1, vec![raised(1), raised(2), raised(3)])]).unwrap();
    let dead = AttemptResult::Dead { error: "unknown recipient".into() };
    store.commit(&[attempt(1, 1), delivered(2), result(3, 1, dead)]).unwrap();
    let reader = store.reader();
    let waiting = reader.waiting().unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].notification.id.as_str(), "n1");
    assert_eq!(waiting[0].state, DeliveryState::Waiting { next: Some(at(1000)) });
    assert_eq!(waiting[0].attempts, 1);
    assert_eq!(reader.delivery(&"n2".into()).unwrap().unwrap().state, DeliveryState::Delivered { time: at(501) });
    assert_eq!(
        reader.delivery(&"n3".into()).unwrap().unwrap().state,
        DeliveryState::Dead { time: at(501), error: "unknown recipient".into() }
    );
}

fn an_attempt_that_is_given_again_or_is_older_changes_nothing(store: &mut dyn Store) {
    store.commit(&[step_with(1, vec![raised(1)]), attempt(1, 1), result(1, 2, AttemptResult::Delivered)]).unwrap();
    store.commit(&[attempt(1, 1), attempt(1, 2), attempt(9, 1)]).unwrap();
    let delivery = store.reader().delivery(&"n1".into()).unwrap().unwrap();
    assert_eq!((delivery.attempts, delivery.newest_attempts.len()), (2, 2));
    assert_eq!(delivery.state, DeliveryState::Delivered { time: at(502) });
}

fn suppressions_are_kept_with_their_reason(store: &mut dyn Store) {
    let Record::Step(step) = step_with(1, vec![raised(1)]) else { unreachable!("a step") };
    let suppressed = Suppressed {
        channel: "phone".into(),
        firing: "f1".into(),
        rule: "odd".into(),
        subject: SubjectKey::new("service", "shop-1"),
        reason: "cooldown",
    };
    store.commit(&[Record::from(Effects { suppressed: vec![suppressed.clone()], ..(*step).clone() })]).unwrap();
    assert_eq!(store.reader().suppressed_of(&"f1".into()).unwrap(), [suppressed]);
    assert_eq!(store.reader().suppressed_of(&"f2".into()).unwrap(), []);
}

fn texts_are_replaced_and_removed(store: &mut dyn Store) {
    let text = |file: &str, text: &str| Text {
        file: file.into(),
        text: text.into(),
        imports: [("lib/limits.rhai".into(), "const LIMIT = 1;".into())].into(),
    };
    store.commit(&[Record::Text(text("rules/b.rhai", "1")), Record::Text(text("rules/a.rhai", "1"))]).unwrap();
    store.commit(&[Record::Text(text("rules/a.rhai", "2")), Record::TextGone { file: "rules/b.rhai".into() }]).unwrap();
    assert_eq!(store.reader().texts().unwrap(), [text("rules/a.rhai", "2")]);
}
