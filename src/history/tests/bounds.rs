//! The index, and what happens when there is no more room.

use proptest::prelude::*;

use super::*;
use crate::history::{Refusal, Window, WindowFn};
use crate::model::NoData;

fn names(world: &World, ids: &[SubjectId]) -> Vec<String> {
    ids.iter().map(|id| world.subject(*id).unwrap().key.name.to_string()).collect()
}

#[test]
fn subjects_are_found_by_their_labels() {
    let mut world = world();
    let sample = |name, seconds, labels| labelled(snapshot("host", name, seconds, &[]), labels);
    let snapshots = vec![
        sample("b", 0, &[("region", "eu"), ("role", "db")]),
        sample("a", 0, &[("region", "eu"), ("role", "web")]),
        sample("c", 0, &[("region", "us"), ("role", "")]),
    ];
    push(&mut world, 0, snapshots);
    let select = |world: &World, labels: &[(&str, &str)]| names(world, &world.select("host", labels));
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Case<'_>; 9] = [
        (&[], &["a", "b", "c"]),
        (&[("region", "eu")], &["a", "b"]),
        (&[("region", "eu"), ("role", "db")], &["b"]),
        (&[("role", "")], &["c"]),
        (&[("zone", "")], &["a", "b", "c"]),
        (&[("zone", "x")], &[]),
        (&[("name", "a"), ("region", "eu")], &["a"]),
        (&[("name", "a"), ("region", "us")], &[]),
        (&[("kind", "host"), ("region", "us")], &["c"]),
    ];
    for (labels, expected) in cases {
        assert_eq!(select(&world, labels), expected, "{labels:?}");
    }
    push(&mut world, 1, vec![sample("a", 1, &[("region", "us")])]);
    assert_eq!(select(&world, &[("region", "eu")]), ["b"]);
    assert_eq!(select(&world, &[("region", "us")]), ["a", "c"]);
    assert_eq!(select(&world, &[("role", "")]), ["a", "c"]);
    world.forget(world.find("host", "c").unwrap());
    assert_eq!(select(&world, &[("region", "us")]), ["a"]);
    assert_eq!(world.select("disk", &[]), []);
}

#[test]
fn an_id_never_finds_another_subject() {
    let mut world = world();
    set(&mut world, 0, 1.0);
    let old = id(&world);
    world.forget(old);
    set(&mut world, 1, 2.0);
    assert_ne!(id(&world), old);
    assert!(world.subject(old).is_none());
    assert_eq!(world.field(old, "x", now(1)), Err(NoData::Gone));
    world.forget(old);
    assert_eq!(world.len(), 1);
}

#[test]
fn a_month_of_ten_thousand_new_names_an_hour_leaves_nothing_behind() {
    let mut world = world();
    let hour = 3600;
    let mut most = 0;
    // One name stands for a hundred.
    for pass in 0..(30 * 24) {
        let seconds = pass * hour;
        let forgettable: Vec<SubjectId> = world.forgettable(now(seconds), secs(3600));
        forgettable.into_iter().for_each(|id| world.forget(id));
        let label = format!("pod-{pass}");
        let sample = |n| {
            let field = format!("field_{pass}");
            labelled(
                snapshot("pod", &format!("{pass}-{n}"), seconds, &[(field.as_str(), 1.0.into())]),
                &[("pod", &label)],
            )
        };
        assert_eq!(push(&mut world, seconds, (0..100).map(sample).collect()).taken, 100);
        assert!(world.len() <= 200);
        most = most.max(world.bytes());
    }
    assert!(most < 500_000, "{most} bytes for 200 subjects");
    assert_eq!(world.fields_of_kind("pod").count(), 1);
    let all: Vec<SubjectId> = world.of_kind("pod").collect();
    all.into_iter().for_each(|id| world.forget(id));
    assert_eq!((world.len(), world.bytes(), world.next_stale(), world.kinds().count()), (0, 0, None, 0));
}

#[test]
fn too_many_subjects_and_fields_are_refused() {
    let mut world = world_with(Limits { max_subjects: 2, max_fields: 2, ..Limits::default() });
    let sample = |name, seconds, fields: &[&str]| {
        let fields: Vec<(&str, Value)> = fields.iter().map(|field| (*field, 1.0.into())).collect();
        snapshot("s", name, seconds, &fields)
    };
    let report = push(&mut world, 0, vec![sample("a", 0, &["x"]), sample("b", 0, &[]), sample("c", 0, &["x"])]);
    assert_eq!(report.refused, [(2, Refusal::TooManySubjects { max: 2 })]);
    let report = push(&mut world, 1, vec![sample("a", 1, &["x", "y"]), sample("b", 1, &["x", "y", "z"])]);
    assert_eq!(report.refused, [(1, Refusal::TooManyFields { max: 2 })]);
    let report = push(&mut world, 2, vec![sample("a", 2, &["x", "z"])]);
    assert_eq!(report.refused, [(0, Refusal::TooManyFields { max: 2 })]);
    assert_eq!(push(&mut world, 3, vec![sample("a", 3, &["y"])]).taken, 1, "what is known goes on");
}

#[test]
fn fields_that_came_and_went_make_place_for_others_once_nothing_of_them_is_kept() {
    let mut world = world_with(Limits { max_fields: 2, ..Limits::default() });
    let day = 86_400;
    let sample = |day_number: i64, field: &str| vec![snapshot("s", "a", day_number * day, &[(field, 1.0.into())])];
    for (day_number, field, refused) in [(0, "x", 0), (1, "y", 0), (2, "z", 1), (8, "z", 0), (9, "w", 0), (10, "v", 1)]
    {
        let report = push(&mut world, day_number * day, sample(day_number, field));
        assert_eq!(report.refused.len(), refused, "{field} on day {day_number}");
    }
    let a = id(&world);
    assert!(!world.ever_had(a, "x"));
    let fields: Vec<&str> = world.fields_of_kind("s").map(|name| &**name).collect();
    assert_eq!(fields, ["w", "z"]);
    world.forget(a);
    assert_eq!(world.bytes(), 0);
}

#[test]
fn when_memory_is_short_old_samples_go_and_no_window_is_silently_wrong() {
    let limit = 60_000;
    let mut world = world_with(Limits { memory_limit: limit, ..Limits::default() });
    for n in 0..20_000 {
        let snapshots =
            ["a", "b"].map(|name| snapshot("s", name, n, &[("x", (n as f64).into()), ("t", "same".into())]));
        assert_eq!(push(&mut world, n, snapshots.to_vec()).taken, 2);
        assert!(world.bytes() <= limit + 40_000, "{} bytes after {n}", world.bytes());
    }
    let a = id(&world);
    let ask = |length| world.window(a, WindowFn::Count, "x", Window::last(secs(length)), now(19_999));
    assert_eq!(ask(60), Ok(60.0));
    assert!(matches!(ask(10_000), Err(NoData::BeyondHistory { .. })));
    let stranger = vec![snapshot("s", "stranger", 20_000, &[("x", 1.0.into())])];
    let report = push(&mut world, 20_000, stranger);
    assert!(report.taken == 1 || report.refused == [(0, Refusal::MemoryLimit { max: limit })], "{report:?}");
}

#[test]
fn a_new_subject_is_refused_when_memory_is_used_up() {
    let mut world = world_with(Limits { memory_limit: 5_000, ..Limits::default() });
    let snapshots = (0..20).map(|n| snapshot("s", &format!("{n}"), 0, &[("x", 1.0.into())])).collect();
    let report = push(&mut world, 0, snapshots);
    assert!(report.taken > 0);
    assert!(report.refused.iter().any(|(_, refusal)| *refusal == Refusal::MemoryLimit { max: 5_000 }));
    assert_eq!(report.taken + report.refused.len(), 20);
}

proptest! {
    /// What the index and the deadlines say is what a scan over all subjects says.
    #[test]
    fn index_and_deadlines_agree_with_a_scan(
        ops in prop::collection::vec((0..6_usize, 0..3_usize, 0..3_usize, 0..40_i64, 0..12_u8), 1..80),
    ) {
        let mut world = world();
        let mut clock = 0;
        let mut told: Vec<SubjectId> = Vec::new();
        for (name, region, role, wait, action) in ops {
            clock += wait;
            let name = ["a", "b", "c", "d", "e", "f"][name];
            let labels = [("region", ["", "eu", "us"][region]), ("role", ["", "db", "web"][role])];
            let mut sample = labelled(snapshot("s", name, clock, &[("x", (wait as f64).into())]), &labels);
            match action {
                0 => sample.gone = true,
                1 => world.find("s", name).into_iter().for_each(|id| world.forget(id)),
                _ => {}
            }
            if action != 1 {
                let report = push(&mut world, clock, vec![sample]);
                told.retain(|id| !report.judged.contains(id));
            }
            told.extend(world.turned_stale(now(clock)));
            let all: Vec<SubjectId> = world.of_kind("s").collect();
            for (label, value) in [("region", "eu"), ("region", ""), ("role", "db"), ("name", "c")] {
                let scan: Vec<SubjectId> =
                    all.iter().copied().filter(|id| world.subject(*id).unwrap().label(label) == value).collect();
                prop_assert_eq!(world.select("s", &[(label, value)]), scan);
            }
            let subjects = || all.iter().map(|id| world.subject(*id).unwrap());
            let next = subjects().filter(|s| !s.gone && s.stale_at() > at(clock)).map(|s| s.stale_at()).min();
            prop_assert_eq!(world.next_stale(), next);
            for id in &all {
                let subject = world.subject(*id).unwrap();
                prop_assert_eq!(world.is_stale(*id, now(clock)), subject.gone || subject.stale_at() <= at(clock));
                prop_assert!(subject.gone || subject.stale_at() > at(clock) || told.contains(id));
            }
            prop_assert_eq!(world.ids().count(), all.len());
        }
        let all: Vec<SubjectId> = world.of_kind("s").collect();
        all.into_iter().for_each(|id| world.forget(id));
        prop_assert_eq!(world.bytes(), 0);
    }
}
