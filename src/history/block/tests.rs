//! What goes into a block comes out again.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::history::Refusal;
use crate::model::Value;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (0_i32..50).prop_map(|number| Value::Number(f64::from(number) / 4.0)),
        1 => any::<f64>().prop_filter("equal to itself", |number| !number.is_nan()).prop_map(Value::Number),
        2 => "[a-c]".prop_map(|text| Value::Text(text.into())),
        1 => any::<bool>().prop_map(Value::Bool),
    ]
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let fields = prop::collection::btree_map("[x-z]".prop_map(Arc::from), value(), 0..3);
    let labels = prop::collection::btree_map("[l-m]".prop_map(Arc::from), "[u-v]".prop_map(Arc::from), 0..2);
    ("[h-i]", "[a-d]", -20_i64..20, labels, fields, prop::bool::weighted(0.1)).prop_map(
        |(kind, name, time, labels, fields, gone)| Snapshot {
            subject: SubjectKey::new(kind, name),
            time: Time::from_micros(time),
            labels: if gone { Labels::new() } else { labels },
            fields: if gone { BTreeMap::new() } else { fields },
            gone,
        },
    )
}

#[derive(Clone, Debug)]
struct Taken {
    now: Now,
    batch: Batch,
    report: BatchReport,
}

fn taken() -> impl Strategy<Value = Vec<Taken>> {
    let one = (prop::collection::vec(snapshot(), 0..6), 0..3_u64, any::<bool>(), prop::option::of("[e-f]"));
    prop::collection::vec(one, 0..12).prop_map(|inputs| {
        let one =
            |(place, (snapshots, offset, refuses, missing)): (usize, (Vec<Snapshot>, u64, bool, Option<String>))| {
                let n_snapshots = snapshots.len();
                let source =
                    Source { name: format!("s{offset}").into(), stale_after: Duration::from_secs(30 + offset) };
                let refused = (refuses && n_snapshots > 1).then_some((0, Refusal::Ahead)).into_iter().collect();
                let missing = missing.map(|name| SubjectKey::new("z", name)).into_iter().collect();
                Taken {
                    now: Now { time: Time::from_micros(10 * place as i64), wall_offset: offset as i64 },
                    batch: Batch { source, snapshots, complete: Vec::new() },
                    report: BatchReport { refused, missing, ..BatchReport::default() },
                }
            };
        inputs.into_iter().enumerate().map(one).collect()
    })
}

/// What is to come out of a block.
fn expected(inputs: &[Taken]) -> Vec<Came> {
    let came = inputs.iter().enumerate().map(|(place, Taken { now, batch, report })| {
        let taken =
            batch.snapshots.iter().enumerate().filter(|(index, _)| !report.refused.iter().any(|r| r.0 == *index));
        let mut snapshots: Vec<Snapshot> = taken.map(|(_, snapshot)| snapshot.clone()).collect();
        snapshots.sort_by(|a, b| a.subject.cmp(&b.subject).then(a.time.cmp(&b.time)));
        snapshots.extend(report.missing.iter().map(|subject| Snapshot {
            subject: subject.clone(),
            time: now.time,
            labels: Labels::new(),
            fields: BTreeMap::new(),
            gone: true,
        }));
        Came { sequence: place as u64, now: *now, source: batch.source.clone(), snapshots, is_lost: false }
    });
    came.filter(|came| !came.snapshots.is_empty()).collect()
}

fn block(inputs: &[Taken], first: usize) -> Block {
    let mut block = Block::default();
    for (place, Taken { now, batch, report }) in inputs.iter().enumerate() {
        block.take((first + place) as u64, *now, batch, report);
    }
    block
}

proptest! {
    #[test]
    fn what_came_comes_back_however_it_was_packed_appended_and_split(inputs in taken(), cut in 0_usize..12, samples in 1_usize..30) {
        let all = |_: &str, _: &str| true;
        let (first, second) = inputs.split_at(cut.min(inputs.len()));
        let mut whole = Block::unpack(&block(first, 0).pack(), all).unwrap();
        whole.append(Block::unpack(&block(second, first.len()).pack(), all).unwrap());
        prop_assert_eq!(in_order(vec![whole.clone()]).collect::<Vec<_>>(), expected(&inputs));
        let parts = whole.split(samples);
        let parts = parts.into_iter().map(|part| Block::unpack(&part.pack(), all).unwrap()).collect();
        prop_assert_eq!(in_order(parts).collect::<Vec<_>>(), expected(&inputs));
    }

    #[test]
    fn a_part_of_the_subjects_can_be_read_alone(inputs in taken()) {
        let packed = block(&inputs, 0).pack();
        let some = Block::unpack(&packed, |kind, name| kind == "h" && name == "a").unwrap();
        let mut expected = expected(&inputs);
        expected.iter_mut().for_each(|came| came.snapshots.retain(|snapshot| snapshot.subject == SubjectKey::new("h", "a")));
        prop_assert_eq!(in_order(vec![some]).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn damage_is_noticed(inputs in taken(), place in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut packed = block(&inputs, 0).pack();
        let place = place.index(packed.len());
        packed[place] ^= 1_u8 << bit;
        prop_assert!(Block::unpack(&packed, |_, _| true).is_err());
        prop_assert!(Block::unpack(&packed[..place], |_, _| true).is_err());
    }
}

#[test]
fn an_extent_says_what_a_block_is_about() {
    assert_eq!(Block::default().extent(), None);
    let snapshot = |name: &str| Snapshot {
        subject: SubjectKey::new("host", name),
        time: Time::EPOCH,
        labels: Labels::new(),
        fields: [("x".into(), 1.0.into()), ("y".into(), 2.0.into())].into(),
        gone: false,
    };
    let batch = |names: &[&str]| Batch {
        source: Source { name: "push".into(), stale_after: Duration::from_secs(300) },
        snapshots: names.iter().map(|name| snapshot(name)).collect(),
        complete: Vec::new(),
    };
    let mut block = Block::default();
    block.take(7, Now::at(Time::from_micros(5)), &batch(&["b", "a"]), &BatchReport::default());
    block.take(9, Now::at(Time::from_micros(8)), &batch(&["c"]), &BatchReport::default());
    assert!(in_order(vec![block.clone()]).all(|came| !came.is_lost));
    let extent = Extent {
        sequences: (7, 9),
        arrived: (Time::from_micros(5), Time::from_micros(8)),
        subjects: Some((SubjectKey::new("host", "a"), SubjectKey::new("host", "c"))),
        samples: 6,
    };
    assert_eq!(block.extent(), Some(extent));
    block.lose(10, Now::at(Time::from_micros(9)));
    let block = Block::unpack(&block.pack(), |_, _| true).unwrap();
    let lost: Vec<_> =
        in_order(vec![block]).filter(|came| came.is_lost).map(|came| (came.sequence, came.snapshots.len())).collect();
    assert_eq!(lost, [(10, 0)]);
}
