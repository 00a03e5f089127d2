use proptest::prelude::*;

use super::*;
use crate::engine::{Effects, SavedState, Suppressed, Transition};
use crate::model::{CloseReason, EventKind, Level, Notification, Occasion, Summary};
use crate::store::conformance::{event, notification, result, step};
use crate::store::{AttemptResult, Bounds, Memory, Text};

/// Firings, notifications and files are of so many, so that records meet the same ones again.
const FEW: u64 = 6;

fn some_event() -> impl Strategy<Value = crate::engine::Event> {
    use EventKind::{Closed, Eased, Escalated, Flapping, Raised, Recovered, Reminded, Stale};
    let kind = prop::sample::select(vec![
        Raised, Raised, Raised, Recovered, Recovered, Closed, Escalated, Eased, Reminded, Stale, Flapping,
    ]);
    let reason = prop::option::of(prop::sample::select(vec![CloseReason::Gone, CloseReason::NoData]));
    (1..FEW, kind, 0..100u64, reason, prop::sample::select(Level::ALL.to_vec())).prop_map(
        |(n, kind, secs, reason, level)| crate::engine::Event {
            reason: reason.filter(|_| kind == Closed),
            level,
            ..event(n, kind, secs)
        },
    )
}

fn some_notification() -> impl Strategy<Value = Notification> {
    let channel = prop::sample::select(vec!["ops", "phone"]);
    (1..3 * FEW, channel, prop::collection::vec(some_event(), 1..4))
        .prop_map(|(n, channel, events)| notification(&format!("n{n}"), channel, &events))
}

fn some_step() -> impl Strategy<Value = Effects> {
    let piece = (prop::sample::select(vec!["a", "b", "c", "é"]), prop::option::of(any::<[u8; 2]>()))
        .prop_map(|(key, value)| SavedState { key: key.into(), value: value.map(|value| value[..].into()) });
    let states = || prop::sample::select(vec!["inactive", "pending", "firing"]);
    let transition = (1..FEW, 0..100u64, states(), states()).prop_map(|(n, secs, from, to)| {
        let crate::engine::Event { rule, subject, .. } = raised(n);
        Transition { time: at(secs), rule, subject, from, to }
    });
    let suppressed = (1..2 * FEW, prop::sample::select(vec!["cooldown", "silence"])).prop_map(|(n, reason)| {
        let crate::engine::Event { firing, rule, subject, .. } = raised(n);
        Suppressed { channel: "phone".into(), firing, rule, subject, reason, events: 3 }
    });
    (
        prop::collection::vec(some_event(), 0..5),
        prop::collection::vec(some_notification(), 0..4),
        prop::collection::vec(suppressed, 0..2),
        prop::collection::vec(transition, 0..4),
        prop::collection::vec(piece, 0..4),
    )
        .prop_map(|(events, notifications, suppressed, transitions, saved)| Effects {
            events,
            notifications,
            suppressed,
            transitions,
            saved,
            ..step(0)
        })
}

fn some_attempt() -> impl Strategy<Value = Record> {
    let some_result = prop_oneof![
        prop::option::of("[a-z]{3}").prop_map(|partly| AttemptResult::Delivered { partly }),
        (0..2000u64).prop_map(|secs| AttemptResult::Failed { error: "refused".into(), next: at(secs) }),
        Just(AttemptResult::Dead { error: "unknown recipient".into() }),
    ];
    (1..3 * FEW, 1..40u32, some_result).prop_map(|(n, number, outcome)| result(n, number, outcome))
}

fn some_record() -> impl Strategy<Value = Record> {
    let id = || (1..3 * FEW).prop_map(|n| format!("n{n}").into());
    let file = || prop::sample::select(vec!["rules/a.rhai", "rules/b.rhai"]);
    let summary = (some_notification(), prop::collection::vec(id(), 0..6)).prop_map(|(told, stands_for)| {
        let occasion = Occasion::Summary(Summary { stands_for, ..Summary::default() });
        Record::Summary(Arc::new(Notification { occasion, ..told }))
    });
    prop_oneof![
        4 => some_step().prop_map(Record::from),
        4 => some_attempt(),
        1 => summary,
        1 => (id(), 0..5u64).prop_map(|(notification, secs)| Record::Revived { notification, time: at(secs) }),
        1 => (id(), 0..5u64).prop_map(|(notification, secs)| {
            Record::Dropped { notification, time: at(secs), reason: "dropped by hand".into() }
        }),
        1 => (file(), "[a-z]{0,3}").prop_map(|(file, text)| {
            Record::Text(Text { file: file.into(), text: text.into(), imports: [("x".into(), "y".into())].into() })
        }),
        1 => file().prop_map(|file| Record::TextGone { file: file.into() }),
    ]
}

/// Batches of records: most steps go on from the one before, and some come again or jump.
fn some_batches() -> impl Strategy<Value = Vec<Vec<Record>>> {
    let numbered = (some_record(), prop_oneof![8 => Just(1u64), 1 => Just(0), 1 => Just(3)]);
    prop::collection::vec(prop::collection::vec(numbered, 0..6), 1..12).prop_map(|batches| {
        let mut sequence = 0;
        let mut number = |(record, ahead): (Record, u64)| match record {
            Record::Step(effects) => {
                sequence += ahead;
                let Effects { now, .. } = step(sequence);
                Record::from(Effects { sequence, now, ..(*effects).clone() })
            }
            other => other,
        };
        batches.into_iter().map(|batch| batch.into_iter().map(&mut number).collect()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_and_the_memory_say_the_same_of_the_same_records(batches in some_batches()) {
        let folder = folder();
        let mut store = Sqlite::open(folder.path()).unwrap();
        let seed = store.reader().seed();
        let mut memory = Memory::new(Bounds { seed, ..Bounds::default() });
        for batch in &batches {
            store.commit(batch).unwrap();
            memory.commit(batch).unwrap();
            prop_assert_eq!(all(&store), answers(&*memory.reader()));
        }
        // Given again, each batch changes nothing that the memory does not change.
        if let Some(last) = batches.last() {
            store.commit(last).unwrap();
            memory.commit(last).unwrap();
        }
        let before = answers(&*memory.reader());
        prop_assert_eq!(all(&store), before);
        drop(store);
        let store = Sqlite::open(folder.path()).unwrap();
        prop_assert_eq!(all(&store), answers(&*memory.reader()));
    }
}
