//! What a batch does.

use super::*;
use crate::history::{Refusal, Window, WindowFn};
use crate::model::NoData;

#[test]
fn a_field_is_read_until_its_subject_turns_stale() {
    let mut world = world();
    let report = set(&mut world, 0, 1.5);
    let a = id(&world);
    assert_eq!((report.judged.as_slice(), report.taken), ([a].as_slice(), 1));
    assert_eq!(world.field(a, "x", now(59)), Ok(Value::Number(1.5)));
    assert_eq!(world.next_stale(), Some(at(60)));
    assert_eq!(world.field(a, "x", now(60)), Err(NoData::Stale { since: at(0) }));
    assert_eq!(world.turned_stale(now(59)), []);
    assert_eq!(world.turned_stale(now(60)), [a]);
    assert_eq!(world.turned_stale(now(61)), []);
    assert_eq!(world.next_stale(), None);
}

#[test]
fn late_ahead_duplicate_and_replaced_snapshots_are_told_apart() {
    let mut world = world();
    set(&mut world, 10, 1.0);
    let snapshots = vec![
        snapshot("s", "a", 9, &[("x", 9.0.into())]),
        snapshot("s", "a", 10, &[("x", 1.0.into())]),
        snapshot("s", "a", 42, &[("x", 9.0.into())]),
        snapshot("s", "a", 10, &[("x", 2.0.into())]),
    ];
    let report = push(&mut world, 11, snapshots);
    let a = id(&world);
    assert_eq!(report.refused, [(0, Refusal::Late { newest: at(10) }), (2, Refusal::Ahead)]);
    assert_eq!((report.duplicates, report.taken, report.judged), (1, 1, vec![a]));
    assert_eq!(world.field(a, "x", now(11)), Ok(Value::Number(2.0)));
    assert_eq!(world.window(a, WindowFn::Sum, "x", Window::last(secs(60)), now(11)), Ok(2.0));
}
