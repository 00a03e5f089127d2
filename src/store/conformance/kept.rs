//! What stays and what goes: files' texts, and what ended long ago.

use super::*;
use crate::engine::Effects;

pub(super) const PROMISES: &[Promise] = &[
    texts_are_replaced_and_removed,
    what_ended_before_goes_and_what_came_later_stays,
    what_still_fires_stays_with_all_that_belongs_to_it,
    what_waits_stays_with_its_firing,
    a_notification_that_also_tells_of_what_fires_stays,
    much_goes_in_several_calls,
    the_audit_log_is_read_newest_first_by_time_person_and_page,
    the_audit_log_goes_with_its_time_and_an_entry_that_comes_again_is_one,
];

fn texts_are_replaced_and_removed(store: &mut dyn Store) {
    let text = |file: &str, text: &str| Text {
        file: file.into(),
        text: text.into(),
        imports: [("lib/limits.rhai".into(), "const LIMIT = 1;".into())].into(),
    };
    let gone = |file: &str| Record::TextGone { file: file.into() };
    store.commit(&[Record::Text(text("rules/b.rhai", "1")), Record::Text(text("rules/a.rhai", "1"))]).unwrap();
    assert_eq!(store.reader().texts().unwrap(), [text("rules/a.rhai", "1"), text("rules/b.rhai", "1")]);
    let batch = [Record::Text(text("rules/a.rhai", "2")), gone("rules/b.rhai"), gone("rules/never.rhai")];
    for _ in 0..2 {
        store.commit(&batch).unwrap();
        assert_eq!(store.reader().texts().unwrap(), [text("rules/a.rhai", "2")]);
    }
}

fn entry(secs: u64, who: &str, what: &str) -> Audit {
    let address = (who == "ci").then(|| "192.0.2.7".into());
    Audit { time: at(secs), who: who.into(), address, what: what.into(), status: 200 }
}

fn the_audit_log_is_read_newest_first_by_time_person_and_page(store: &mut dyn Store) {
    let entries = [entry(1, "anna", "POST /a"), entry(2, "ci", "POST /b"), entry(3, "anna", "DELETE /\u{1b}'; --")];
    let batch: Vec<Record> = entries.iter().cloned().map(Record::Audit).collect();
    store.commit(&batch).unwrap();
    let ask = |filter: AuditFilter| -> Vec<(i64, Audit)> { store.reader().audit(&filter).unwrap() };
    let all = ask(AuditFilter { limit: 10, ..AuditFilter::default() });
    let of = |found: &[(i64, Audit)]| found.iter().map(|(_, audit)| audit.clone()).collect::<Vec<_>>();
    let mut newest_first = entries.to_vec();
    newest_first.reverse();
    assert_eq!(of(&all), newest_first);
    assert_eq!(of(&ask(AuditFilter { since: Some(at(2)), limit: 10, ..AuditFilter::default() })), newest_first[..2]);
    let anna = AuditFilter { who: Some("anna".into()), limit: 10, ..AuditFilter::default() };
    assert_eq!(of(&ask(anna)), [newest_first[0].clone(), newest_first[2].clone()]);
    let (first, _) = all[0];
    let rest = AuditFilter { before: Some(first), limit: 1, ..AuditFilter::default() };
    assert_eq!(of(&ask(rest)), newest_first[1..2]);
}

fn the_audit_log_goes_with_its_time_and_an_entry_that_comes_again_is_one(store: &mut dyn Store) {
    for _ in 0..2 {
        store.commit(&[entry(1, "anna", "POST /a"), entry(9, "anna", "POST /a")].map(Record::Audit)).unwrap();
    }
    let times = |store: &dyn Store| -> Vec<Time> {
        let filter = AuditFilter { limit: 10, ..AuditFilter::default() };
        store.reader().audit(&filter).unwrap().into_iter().map(|(_, audit)| audit.time).collect()
    };
    assert_eq!(times(store), [at(9), at(1)]);
    trim(store, 5);
    assert_eq!(times(store), [at(9)]);
}

/// Trims until nothing goes any more.
fn trim(store: &mut dyn Store, secs: u64) -> usize {
    let mut n_gone = 0;
    loop {
        match store.trim(at(secs)).unwrap() {
            0 => return n_gone,
            n => n_gone += n,
        }
    }
}

/// A step that raises firing `f<n>` and one that ends it, with all that a step can leave.
fn life(sequence: u64, n: u64) -> [Record; 2] {
    let full = |sequence: u64, event: Event, from: &'static str, to: &'static str| {
        let Record::Step(step) = step_with(sequence, vec![event.clone()]) else { unreachable!("a step") };
        let Event { time, firing, rule, subject, .. } = event;
        let change = Transition { time, rule: rule.clone(), subject: subject.clone(), from, to };
        let suppressed = Suppressed { channel: "phone".into(), firing, rule, subject, reason: "silence", events: 1 };
        Record::from(Effects { transitions: vec![change], suppressed: vec![suppressed], ..(*step).clone() })
    };
    [full(sequence, raised(n), "inactive", "firing"), full(sequence + 1, ended(n), "firing", "inactive")]
}

fn changes(store: &dyn Store, n: u64) -> usize {
    let Event { rule, subject, .. } = raised(n);
    store.reader().transitions_of(&rule, &subject, 10).unwrap().len()
}

fn what_ended_before_goes_and_what_came_later_stays(store: &mut dyn Store) {
    store.commit(&life(1, 1)).unwrap();
    store.commit(&life(3, 2)).unwrap();
    store.commit(&[delivered(1), delivered(2)]).unwrap();
    let n_gone = trim(store, 20);
    let reader = store.reader();
    assert_eq!(reader.events_of(&"f2".into()).unwrap(), [raised(2), ended(2)]);
    assert_eq!(reader.suppressed_of(&"f2".into()).unwrap().len(), 2);
    assert_eq!(reader.delivery(&"n2".into()).unwrap().unwrap().newest_attempts.len(), 1);
    assert_eq!(changes(store, 2), 2);
    assert_eq!(reader.last_step().unwrap().unwrap().sequence, 4);
    if !reader.is_durable() {
        // It is bounded by itself.
        assert_eq!(n_gone, 0);
        return;
    }
    // Two events, two suppressions, a notification with its alert and its attempt, the firing, two changes.
    assert_eq!(n_gone, 10);
    assert_eq!(reader.firing(&"f1".into()).unwrap(), None);
    assert_eq!(reader.events_of(&"f1".into()).unwrap(), []);
    assert_eq!(reader.recent_events(10).unwrap().len(), 2);
    assert_eq!(reader.suppressed_of(&"f1".into()).unwrap(), []);
    assert_eq!(reader.delivery(&"n1".into()).unwrap(), None);
    assert_eq!(reader.deliveries_of(&"f1".into()).unwrap(), []);
    assert_eq!(reader.attempt_times(&"ops".into(), at(0)).unwrap().len(), 1);
    assert_eq!(changes(store, 1), 0);
    trim(store, 10_000);
    assert_eq!(reader.recent_events(10).unwrap(), []);
    assert_eq!(reader.deliveries(&DeliveryFilter::default()).unwrap(), []);
    // An id that comes again begins anew.
    store.commit(&[step_with(9, vec![raised(1)])]).unwrap();
    assert_eq!(reader.events_of(&"f1".into()).unwrap(), [raised(1)]);
    assert_eq!(reader.deliveries_of(&"f1".into()).unwrap().len(), 1);
}

fn what_still_fires_stays_with_all_that_belongs_to_it(store: &mut dyn Store) {
    let [raise, _] = life(1, 1);
    store.commit(&[raise, delivered(1)]).unwrap();
    let before = answers(&*store.reader());
    assert_eq!(trim(store, 10_000), 0);
    assert_eq!(answers(&*store.reader()), before);
}

fn what_waits_stays_with_its_firing(store: &mut dyn Store) {
    store.commit(&life(1, 1)).unwrap();
    store.commit(&[attempt(1, 1)]).unwrap();
    trim(store, 10_000);
    let reader = store.reader();
    assert_eq!(reader.events_of(&"f1".into()).unwrap(), [raised(1), ended(1)]);
    assert_eq!(reader.waiting().unwrap().len(), 1);
    assert_eq!(reader.waiting().unwrap()[0].newest_attempts.len(), 1);
}

fn a_notification_that_also_tells_of_what_fires_stays(store: &mut dyn Store) {
    store.commit(&life(1, 1)).unwrap();
    let group = notification("g1", "ops", &[raised(1), raised(2)]);
    let Record::Step(step) = step_with(3, vec![raised(2)]) else { unreachable!("a step") };
    store.commit(&[Record::from(Effects { notifications: vec![group.clone()], ..(*step).clone() })]).unwrap();
    let result = AttemptResult::Delivered { partly: None };
    let took = std::time::Duration::ZERO;
    let attempt = Attempt { notification: "g1".into(), number: 1, time: at(100), took, result };
    store.commit(&[delivered(1), Record::Attempt(attempt)]).unwrap();
    trim(store, 10_000);
    let kept = store.reader().delivery(&"g1".into()).unwrap().unwrap();
    assert_eq!((kept.notification, kept.attempts), (group, 1));
    assert_eq!(store.reader().deliveries_of(&"f2".into()).unwrap().len(), 1);
}

fn much_goes_in_several_calls(store: &mut dyn Store) {
    let lives: Vec<Record> = (0..1000).flat_map(|n| life(2 * n + 1, n)).collect();
    store.commit(&lives).unwrap();
    let delivered: Vec<Record> = (0..1000).map(delivered).collect();
    store.commit(&delivered).unwrap();
    store.commit(&[step_with(5000, vec![raised(7777)])]).unwrap();
    let first = store.trim(at(1_000_000)).unwrap();
    assert!(first <= 5_000, "some thousands at most: {first}");
    let n_gone = first + trim(store, 1_000_000);
    if store.reader().is_durable() {
        assert_eq!(n_gone, 10 * 1000);
        assert_eq!(store.reader().recent_events(10).unwrap(), [raised(7777)]);
    }
}
