//! What a step leaves: events, firings, state, changes, what was suppressed.

use super::*;
use crate::engine::Effects;
use crate::model::{CloseReason, EventKind, Level, Now};

pub(super) const PROMISES: &[Promise] = &[
    an_empty_store_knows_nothing,
    what_is_committed_is_read_back,
    a_step_that_is_given_again_changes_nothing,
    an_older_step_changes_nothing,
    the_newest_step_is_known_with_its_engine_time,
    firings_are_filtered_and_come_newest_first,
    firings_of_one_moment_come_by_their_ids,
    a_flapping_alert_is_raised_again_under_the_same_id,
    the_newest_events_come_first,
    pieces_of_state_are_replaced_and_removed_and_come_in_order,
    changes_of_an_alert_come_oldest_first_and_only_the_newest,
    suppressions_are_kept_with_their_reason,
    texts_of_any_sort_come_back_as_they_were,
    a_thousand_steps_are_one_transaction,
];

fn ids(firings: &[Firing]) -> Vec<&str> {
    firings.iter().map(|firing| firing.id.as_str()).collect()
}

fn an_empty_store_knows_nothing(store: &mut dyn Store) {
    store.commit(&[]).unwrap();
    let reader = store.reader();
    assert_eq!(reader.last_step().unwrap(), None);
    assert_eq!(reader.saved().unwrap(), []);
    assert_eq!(reader.firings(&FiringFilter::default()).unwrap(), []);
    assert_eq!(reader.firing(&"f1".into()).unwrap(), None);
    assert_eq!(reader.waiting().unwrap(), []);
    assert_eq!(reader.texts().unwrap(), []);
    assert_eq!(reader.seed(), store.reader().seed());
    assert_eq!(reader.bytes().is_some(), reader.is_durable());
}

fn what_is_committed_is_read_back(store: &mut dyn Store) {
    let reader = store.reader();
    let mut closed = event(1, EventKind::Closed, 15);
    closed.reason = Some(CloseReason::NoLongerCovered);
    closed.level = Level::Critical;
    store.commit(&[step_with(1, vec![raised(1)]), step_with(2, vec![closed.clone()])]).unwrap();

    assert_eq!(
        reader.last_step().unwrap(),
        Some(LastStep { sequence: 2, time: at(2) }),
        "a reader made before the commit sees it"
    );
    let firing = reader.firing(&"f1".into()).unwrap().unwrap();
    assert_eq!((firing.since, firing.ended), (at(10), Some(at(15))));
    assert_eq!((firing.level, firing.reason), (Level::Critical, Some(CloseReason::NoLongerCovered)));
    assert_eq!(firing.message, "closed 1");
    assert_eq!(firing.labels, [("region".into(), "eu".into())].into());
    assert_eq!(reader.events_of(&"f1".into()).unwrap(), [raised(1), closed.clone()]);
    assert_eq!(reader.recent_events(1).unwrap(), [closed]);
    let told = reader.deliveries_of(&"f1".into()).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].notification, notification("n1", "ops", &[raised(1)]));
}

fn a_step_that_is_given_again_changes_nothing(store: &mut dyn Store) {
    let Record::Step(mut effects) = step_with(1, vec![raised(1)]) else { unreachable!("a step") };
    let all = Arc::make_mut(&mut effects);
    all.saved = vec![SavedState { key: "alert f1".into(), value: Some(b"1"[..].into()) }];
    all.transitions = vec![change(1, 10, "inactive", "firing")];
    all.suppressed = vec![suppressed("phone", 1)];
    let step = Record::Step(effects);
    store.commit(std::slice::from_ref(&step)).unwrap();
    let before = answers(&*store.reader());
    store.commit(&[step.clone(), step.clone()]).unwrap();
    assert_eq!(answers(&*store.reader()), before);

    store.commit(&[step, delivered(1)]).unwrap();
    assert_eq!(store.reader().waiting().unwrap(), []);
}

fn an_older_step_changes_nothing(store: &mut dyn Store) {
    store.commit(&[step_with(5, vec![raised(1)])]).unwrap();
    store.commit(&[step_with(4, vec![raised(2)])]).unwrap();
    assert_eq!(store.reader().firing(&"f2".into()).unwrap(), None);
    assert_eq!(store.reader().last_step().unwrap(), Some(LastStep { sequence: 5, time: at(5) }));
}

fn the_newest_step_is_known_with_its_engine_time(store: &mut dyn Store) {
    let now = Now { time: at(7), wall_offset: 3_600_000_000 };
    let sequence = u64::MAX - 1;
    store.commit(&[Record::from(Effects::none(1, now)), Record::from(Effects::none(sequence, now))]).unwrap();
    assert_eq!(store.reader().last_step().unwrap(), Some(LastStep { sequence, time: at(7) }));
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
        (FiringFilter { since: Some(at(25)), ..all.clone() }, vec!["f3", "f2", "f1"]),
        (FiringFilter { since: Some(at(26)), ..all.clone() }, vec!["f3", "f1"]),
        (FiringFilter { since: Some(at(26)), rule: Some("odd".into()), limit: 1, ..all.clone() }, vec!["f3"]),
        (FiringFilter { limit: 1, offset: 1, ..all.clone() }, vec!["f2"]),
        (FiringFilter { offset: 3, ..all.clone() }, vec![]),
        (FiringFilter { limit: 0, ..all.clone() }, vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&reader.firings(&filter).unwrap()), expected, "{filter:?}");
    }
}

fn firings_of_one_moment_come_by_their_ids(store: &mut dyn Store) {
    let raises = [3, 1, 2].map(|n| event(n, EventKind::Raised, 50)).into();
    store.commit(&[step_with(1, raises)]).unwrap();
    assert_eq!(ids(&store.reader().firings(&FiringFilter::default()).unwrap()), ["f1", "f2", "f3"]);
}

fn a_flapping_alert_is_raised_again_under_the_same_id(store: &mut dyn Store) {
    let again = event(1, EventKind::Raised, 20);
    store.commit(&[step_with(1, vec![raised(1), ended(1)])]).unwrap();
    store.commit(&[Record::from(Effects { events: vec![again.clone()], ..step(2) })]).unwrap();
    let firing = store.reader().firing(&"f1".into()).unwrap().unwrap();
    assert_eq!((firing.since, firing.ended), (at(10), None), "it fires since its first raise");
    assert_eq!(store.reader().events_of(&"f1".into()).unwrap(), [raised(1), ended(1), again]);
    let firing_now = FiringFilter { firing: Some(true), ..FiringFilter::default() };
    assert_eq!(ids(&store.reader().firings(&firing_now).unwrap()), ["f1"]);
}

fn the_newest_events_come_first(store: &mut dyn Store) {
    store.commit(&[step_with(1, vec![raised(2), raised(1)]), step_with(2, vec![ended(1)])]).unwrap();
    assert_eq!(store.reader().recent_events(2).unwrap(), [ended(1), raised(1)]);
    assert_eq!(store.reader().recent_events(10).unwrap(), [ended(1), raised(1), raised(2)]);
    assert_eq!(store.reader().recent_events(0).unwrap(), []);
}

fn pieces_of_state_are_replaced_and_removed_and_come_in_order(store: &mut dyn Store) {
    let piece = |key: &str, value: &[u8]| SavedState { key: key.into(), value: Some(value.into()) };
    let saving = |sequence: u64, saved: Vec<SavedState>| Record::from(Effects { saved, ..step(sequence) });
    let gone = |key: &str| SavedState { key: key.into(), value: None };
    store.commit(&[saving(1, vec![piece("b", b"1"), piece("a", b"1"), piece("c", b"1")])]).unwrap();
    store.commit(&[saving(2, vec![piece("a", b"{\"n\":2}"), gone("b"), gone("never"), piece("B", b"")])]).unwrap();
    let expected = [piece("B", b""), piece("a", b"{\"n\":2}"), piece("c", b"1")];
    assert_eq!(store.reader().saved().unwrap(), expected);
}

/// An alert that came into another state.
fn change(n: u64, secs: u64, from: &'static str, to: &'static str) -> Transition {
    let Event { rule, subject, .. } = raised(n);
    Transition { time: at(secs), rule, subject, from, to }
}

fn changes_of_an_alert_come_oldest_first_and_only_the_newest(store: &mut dyn Store) {
    let of_one =
        [change(1, 1, "inactive", "pending"), change(1, 2, "pending", "firing"), change(1, 1, "firing", "recovering")];
    let mut transitions = of_one.to_vec();
    transitions.insert(1, change(2, 1, "inactive", "pending"));
    store.commit(&[Record::from(Effects { transitions, ..step(1) })]).unwrap();
    let asked = |limit| store.reader().transitions_of(&"odd".into(), &subject(1), limit).unwrap();
    assert_eq!(asked(10), of_one);
    assert_eq!(asked(2), of_one[1..]);
    assert_eq!(asked(0), []);
    assert_eq!(store.reader().transitions_of(&"odd".into(), &subject(2), 10).unwrap(), []);
}

fn suppressed(channel: &str, n: u64) -> Suppressed {
    let Event { firing, rule, subject, .. } = raised(n);
    Suppressed { channel: channel.into(), firing, rule, subject, reason: "cooldown", events: 2 }
}

fn suppressions_are_kept_with_their_reason(store: &mut dyn Store) {
    let Record::Step(step) = step_with(1, vec![raised(1)]) else { unreachable!("a step") };
    let of_one = [suppressed("phone", 1), suppressed("mail", 1)];
    let mut all = of_one.to_vec();
    // Of a firing that no event tells of.
    all.push(suppressed("phone", 3));
    store.commit(&[Record::from(Effects { suppressed: all, ..(*step).clone() })]).unwrap();
    assert_eq!(store.reader().suppressed_of(&"f1".into()).unwrap(), of_one);
    assert_eq!(store.reader().suppressed_of(&"f2".into()).unwrap(), []);
    assert_eq!(store.reader().suppressed_of(&"f3".into()).unwrap(), [suppressed("phone", 3)]);
    assert_eq!(store.reader().firing(&"f3".into()).unwrap(), None, "it is no firing because it is spoken of");
    store.commit(&[step_with(2, vec![raised(3)])]).unwrap();
    let firing = store.reader().firing(&"f3".into()).unwrap().unwrap();
    assert_eq!((firing.since, firing.ended, firing.level), (at(30), None, Level::Warning));
}

fn texts_of_any_sort_come_back_as_they_were(store: &mut dyn Store) {
    let mut odd = raised(1);
    odd.message = "a\0b \u{202e}\u{1f525} '; DROP TABLE firing; --\n".into();
    odd.labels = [("".into(), "\"\\".into()), ("区域".into(), "东".into())].into();
    store.commit(&[step_with(1, vec![odd.clone()])]).unwrap();
    assert_eq!(store.reader().events_of(&"f1".into()).unwrap(), [odd.clone()]);
    let told = store.reader().delivery(&"n1".into()).unwrap().unwrap().notification;
    assert_eq!(told, notification("n1", "ops", &[odd]));
}

fn a_thousand_steps_are_one_transaction(store: &mut dyn Store) {
    let steps: Vec<Record> = (1..=1000).map(|n| step_with(n, vec![raised(n), ended(n)])).collect();
    store.commit(&steps).unwrap();
    let reader = store.reader();
    assert_eq!(reader.last_step().unwrap().unwrap().sequence, 1000);
    assert_eq!(reader.recent_events(usize::MAX).unwrap().len(), 2000);
    assert_eq!(reader.waiting().unwrap().len(), 1000);
}
