use super::super::conformance::{self, attempt, delivered, ended, raised, step_with};
use super::*;

#[test]
fn the_store_in_memory_keeps_the_contract_of_a_store() {
    conformance::run(&mut || Box::new(Memory::default()), &mut |_| None);
}

#[test]
fn a_firing_that_was_raised_again_is_kept_though_it_ended_once() {
    let mut store = Memory::new(Bounds { firings: 1, ..Bounds::default() });
    store.commit(&[step_with(1, vec![raised(1), ended(1), raised(1)])]).unwrap();
    for n in 2..=4 {
        store.commit(&[step_with(n, vec![raised(n), ended(n)])]).unwrap();
    }
    let kept: Vec<String> =
        store.reader().firings(&FiringFilter::default()).unwrap().iter().map(|f| f.id.to_string()).collect();
    assert_eq!(kept, ["f4", "f1"]);
}

#[test]
fn ended_firings_and_delivered_notifications_are_dropped_oldest_first_and_open_ones_never() {
    let bounds = Bounds { events: 4, notifications: 2, firings: 2, attempts: 2, history: 1000, seed: 0 };
    let mut store = Memory::new(bounds);
    for n in 1..=10 {
        store.commit(&[step_with(2 * n - 1, vec![raised(n)]), step_with(2 * n, vec![ended(n)])]).unwrap();
        if n != 1 {
            store.commit(&[delivered(n)]).unwrap();
        }
    }
    let reader = store.reader();
    assert_eq!(reader.firings(&FiringFilter::default()).unwrap().len(), 2);
    assert_eq!(reader.recent_events(100).unwrap().len(), 4);
    let kept: Vec<String> =
        reader.deliveries(&DeliveryFilter::default()).unwrap().iter().map(|d| d.notification.id.to_string()).collect();
    assert_eq!(kept, ["n10", "n1"], "the first is still waiting, so it is kept");
}

#[test]
fn of_many_attempts_the_newest_are_kept_and_all_are_counted() {
    let mut store = Memory::new(Bounds { attempts: 2, ..Bounds::default() });
    store.commit(&[step_with(1, vec![raised(1)])]).unwrap();
    for number in 1..=5 {
        store.commit(&[attempt(1, number)]).unwrap();
    }
    let delivery = store.reader().delivery(&"n1".into()).unwrap().unwrap();
    assert_eq!(delivery.attempts, 5);
    let numbers: Vec<u32> = delivery.newest_attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [4, 5]);
}
