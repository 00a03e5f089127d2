//! What becomes of notifications: attempts, summaries, what operators do.

use super::*;
use crate::engine::Effects;
use crate::model::{Notification, Occasion, Summary};

pub(super) const PROMISES: &[Promise] = &[
    a_notification_waits_until_it_is_delivered_or_dead,
    an_attempt_that_is_given_again_or_is_older_changes_nothing,
    of_many_attempts_the_newest_are_kept_and_all_are_counted,
    a_notification_is_found_by_each_of_its_alerts,
    a_notification_that_is_known_is_not_stored_again,
    notifications_are_filtered_and_come_newest_first,
    attempts_at_a_channel_are_found_by_their_time,
    a_summary_stands_for_what_waits_and_for_nothing_else,
    what_was_given_up_is_tried_again_when_it_is_revived,
    what_waits_is_given_up_when_it_is_dropped,
    what_an_operator_did_counts_once,
];

fn state(store: &dyn Store, id: &str) -> DeliveryState {
    store.reader().delivery(&id.into()).unwrap().expect("the notification is known").state
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.notification.id.as_str()).collect()
}

fn revived(n: u64, secs: u64) -> Record {
    Record::Revived { notification: format!("n{n}").into(), time: at(secs) }
}

fn dropped(n: u64, secs: u64) -> Record {
    Record::Dropped { notification: format!("n{n}").into(), time: at(secs), reason: "dropped by hand".into() }
}

fn dead(n: u64, number: u32) -> Record {
    result(n, number, AttemptResult::Dead { error: "unknown recipient".into() })
}

fn a_notification_waits_until_it_is_delivered_or_dead(store: &mut dyn Store) {
    store.commit(&[step_with(1, vec![raised(1), raised(2), raised(3), raised(4)])]).unwrap();
    assert_eq!(state(store, "n1"), DeliveryState::Waiting { next: None });
    let partly = AttemptResult::Delivered { partly: Some("bob: no such user".into()) };
    store.commit(&[attempt(1, 1), delivered(2), dead(3, 1), result(4, 1, partly.clone())]).unwrap();
    let reader = store.reader();
    let waiting = reader.waiting().unwrap();
    assert_eq!(ids(&waiting), ["n1"]);
    assert_eq!(waiting[0].state, DeliveryState::Waiting { next: Some(at(1000)) });
    assert_eq!((waiting[0].attempts, waiting[0].first_attempt), (1, Some(at(501))));
    assert_eq!([Record::Attempt(waiting[0].newest_attempts[0].clone())], [attempt(1, 1)]);
    assert_eq!(state(store, "n2"), DeliveryState::Delivered { time: at(501) });
    assert_eq!(state(store, "n3"), DeliveryState::Dead { time: at(501), error: "unknown recipient".into() });
    assert_eq!(store.reader().dead_letters().unwrap(), 1);
    assert_eq!(reader.delivery(&"n4".into()).unwrap().unwrap().newest_attempts[0].result, partly);
}

fn an_attempt_that_is_given_again_or_is_older_changes_nothing(store: &mut dyn Store) {
    let second = result(1, 2, AttemptResult::Delivered { partly: None });
    store.commit(&[step_with(1, vec![raised(1)]), attempt(1, 1), second]).unwrap();
    store.commit(&[attempt(1, 1), attempt(1, 2), attempt(9, 1)]).unwrap();
    let delivery = store.reader().delivery(&"n1".into()).unwrap().unwrap();
    assert_eq!((delivery.attempts, delivery.newest_attempts.len()), (2, 2));
    assert_eq!((delivery.state, delivery.first_attempt), (DeliveryState::Delivered { time: at(502) }, Some(at(501))));
    assert_eq!(store.reader().delivery(&"n9".into()).unwrap(), None);
}

fn of_many_attempts_the_newest_are_kept_and_all_are_counted(store: &mut dyn Store) {
    store.commit(&[step_with(1, vec![raised(1)])]).unwrap();
    for number in 1..=50 {
        store.commit(&[attempt(1, number)]).unwrap();
    }
    let delivery = store.reader().delivery(&"n1".into()).unwrap().unwrap();
    assert_eq!((delivery.attempts, delivery.first_attempt), (50, Some(at(501))));
    let numbers: Vec<u32> = delivery.newest_attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, Vec::from_iter(31..=50));
}

fn a_notification_is_found_by_each_of_its_alerts(store: &mut dyn Store) {
    let group = notification("g1", "ops", &[raised(1), raised(2), raised(2)]);
    let other = notification("g2", "phone", &[raised(2)]);
    let notifications = vec![group, other];
    store.commit(&[Record::from(Effects { notifications, ..step(1) })]).unwrap();
    let of = |firing: &str| store.reader().deliveries_of(&firing.into()).unwrap();
    assert_eq!(ids(&of("f1")), ["g1"]);
    assert_eq!(ids(&of("f2")), ["g1", "g2"], "oldest first");
    assert_eq!(ids(&of("f3")), [""; 0]);
}

fn a_notification_that_is_known_is_not_stored_again(store: &mut dyn Store) {
    let told = notification("n1", "ops", &[raised(1)]);
    let notifications = vec![told.clone()];
    store.commit(&[Record::from(Effects { notifications, ..step(1) }), delivered(1)]).unwrap();
    let notifications = vec![Notification { channel: "phone".into(), ..told.clone() }];
    store.commit(&[Record::from(Effects { notifications, ..step(2) })]).unwrap();
    let delivery = store.reader().delivery(&"n1".into()).unwrap().unwrap();
    assert_eq!((delivery.notification, delivery.attempts), (told, 1));
}

fn notifications_are_filtered_and_come_newest_first(store: &mut dyn Store) {
    let told = |n: u64, channel: &str| notification(&format!("n{n}"), channel, &[raised(n)]);
    let notifications = vec![told(1, "ops"), told(2, "phone"), told(3, "ops"), told(4, "ops")];
    store
        .commit(&[Record::from(Effects { notifications, ..step(1) }), delivered(1), delivered(2), dead(3, 1)])
        .unwrap();
    let all = DeliveryFilter::default();
    let (ops, phone) = (Some("ops".into()), Some("phone".into()));
    let cases = [
        (all.clone(), vec!["n4", "n3", "n2", "n1"]),
        (DeliveryFilter { state: Some(DeliveryStateName::Delivered), ..all.clone() }, vec!["n2", "n1"]),
        (DeliveryFilter { state: Some(DeliveryStateName::Dead), ..all.clone() }, vec!["n3"]),
        (DeliveryFilter { state: Some(DeliveryStateName::Absorbed), ..all.clone() }, vec![]),
        (DeliveryFilter { channel: ops.clone(), ..all.clone() }, vec!["n4", "n3", "n1"]),
        (DeliveryFilter { channel: phone, state: Some(DeliveryStateName::Waiting), ..all.clone() }, vec![]),
        (DeliveryFilter { channel: ops.clone(), state: Some(DeliveryStateName::Delivered), ..all.clone() }, vec!["n1"]),
        (DeliveryFilter { channel: ops, limit: 1, offset: 1, ..all.clone() }, vec!["n3"]),
        (DeliveryFilter { limit: 2, offset: 1, ..all.clone() }, vec!["n3", "n2"]),
        (DeliveryFilter { offset: 4, ..all.clone() }, vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&store.reader().deliveries(&filter).unwrap()), expected, "{filter:?}");
    }
}

fn attempts_at_a_channel_are_found_by_their_time(store: &mut dyn Store) {
    let elsewhere = notification("n3", "phone", &[raised(3)]);
    store.commit(&[step_with(1, vec![raised(1), raised(2)])]).unwrap();
    store.commit(&[Record::from(Effects { notifications: vec![elsewhere], ..step(2) })]).unwrap();
    store.commit(&[attempt(1, 1), attempt(2, 3), attempt(1, 2), attempt(3, 2)]).unwrap();
    let since = |secs| store.reader().attempt_times(&"ops".into(), at(secs)).unwrap();
    assert_eq!(since(0), [at(501), at(502), at(503)]);
    assert_eq!(since(502), [at(502), at(503)]);
    assert_eq!(since(504), []);
    assert_eq!(store.reader().attempt_times(&"mail".into(), at(0)).unwrap(), []);
}

/// A summary of notifications `n<n>`.
fn summary(id: &str, stands_for: &[u64]) -> Record {
    let events: Vec<Event> = stands_for.iter().map(|n| raised(*n)).collect();
    let stands_for = stands_for.iter().map(|n| format!("n{n}").into()).collect();
    let occasion = Occasion::Summary(Summary { stands_for, events: events.len() as u64, ..Summary::default() });
    Record::Summary(Arc::new(Notification { occasion, ..notification(id, "ops", &events) }))
}

fn a_summary_stands_for_what_waits_and_for_nothing_else(store: &mut dyn Store) {
    store.commit(&[step_with(1, (1..=5).map(raised).collect()), delivered(2), dead(3, 1), attempt(4, 1)]).unwrap();
    let summary_of_all = summary("s1", &[1, 2, 3, 4, 9]);
    store.commit(std::slice::from_ref(&summary_of_all)).unwrap();
    let absorbed = DeliveryState::Absorbed { by: "s1".into() };
    assert_eq!(state(store, "n1"), absorbed);
    assert_eq!(state(store, "n2").name(), DeliveryStateName::Delivered);
    assert_eq!(state(store, "n3").name(), DeliveryStateName::Dead);
    assert_eq!(state(store, "n4"), absorbed);
    assert_eq!(ids(&store.reader().waiting().unwrap()), ["n5", "s1"]);
    assert_eq!(ids(&store.reader().deliveries_of(&"f1".into()).unwrap()), ["n1", "s1"]);
    let is_told =
        |store: &dyn Store, n: usize| !store.reader().told(&format!("f{n}").as_str().into()).unwrap().is_empty();
    assert_eq!([1, 2, 3, 4, 5].map(|n| is_told(store, n)), [false, true, false, false, false]);
    let told = store.reader().delivery(&"s1".into()).unwrap().unwrap().notification;
    assert_eq!(Record::Summary(Arc::new(told)), summary_of_all);

    let before = answers(&*store.reader());
    store.commit(&[summary_of_all, summary("s1", &[5])]).unwrap();
    assert_eq!(answers(&*store.reader()), before, "a summary that is given again changes nothing");

    let Record::Attempt(attempt) = delivered(1) else { unreachable!("an attempt") };
    store.commit(&[Record::Attempt(Attempt { notification: "s1".into(), ..attempt })]).unwrap();
    assert_eq!([1, 2, 3, 4, 5].map(|n| is_told(store, n)), [true, true, true, true, false]);
}

fn what_was_given_up_is_tried_again_when_it_is_revived(store: &mut dyn Store) {
    store.commit(&[step_with(1, vec![raised(1), raised(2), raised(3)])]).unwrap();
    store.commit(&[attempt(1, 1), dead(1, 2), delivered(2), attempt(3, 1)]).unwrap();
    store.commit(&[revived(1, 600), revived(2, 600), revived(3, 600), revived(9, 600)]).unwrap();
    let delivery = store.reader().delivery(&"n1".into()).unwrap().unwrap();
    assert_eq!((&delivery.state, delivery.attempts), (&DeliveryState::Waiting { next: None }, 2));
    assert_eq!(delivery.first_attempt, None, "its time begins anew");
    assert_eq!(state(store, "n2"), DeliveryState::Delivered { time: at(501) });
    assert_eq!(state(store, "n3"), DeliveryState::Waiting { next: Some(at(1000)) });
    store.commit(&[attempt(1, 3)]).unwrap();
    assert_eq!(store.reader().delivery(&"n1".into()).unwrap().unwrap().first_attempt, Some(at(503)));
}

fn what_waits_is_given_up_when_it_is_dropped(store: &mut dyn Store) {
    store.commit(&[step_with(1, vec![raised(1), raised(2)]), delivered(2)]).unwrap();
    store.commit(&[dropped(1, 600), dropped(2, 600), dropped(9, 600)]).unwrap();
    assert_eq!(store.reader().dead_letters().unwrap(), 1);
    assert_eq!(state(store, "n1"), DeliveryState::Dead { time: at(600), error: "dropped by hand".into() });
    assert_eq!(state(store, "n2"), DeliveryState::Delivered { time: at(501) });
    assert_eq!(store.reader().waiting().unwrap(), []);
}

/// The batches of which it is not known whether they were stored are given again as they were.
fn what_an_operator_did_counts_once(store: &mut dyn Store) {
    store.commit(&[step_with(1, vec![raised(1), raised(2)])]).unwrap();
    let batch = [
        dead(1, 1),
        revived(1, 600),
        dead(1, 2),
        revived(1, 601),
        dropped(1, 602),
        revived(1, 603),
        dead(1, 3),
        dropped(2, 600),
        revived(2, 601),
    ];
    store.commit(&batch).unwrap();
    assert_eq!(state(store, "n1").name(), DeliveryStateName::Dead);
    assert_eq!(state(store, "n2").name(), DeliveryStateName::Waiting);
    let before = answers(&*store.reader());
    store.commit(&batch).unwrap();
    assert_eq!(answers(&*store.reader()), before);
}
