//! A world that was made again from what was stored answers as the one that went on.

use proptest::prelude::*;

use super::oracle::{Push, any_push};
use super::*;
use crate::history::{Block, Past, SavedSubject, Share, Threads, Window, WindowFn};

const MEMORY: Duration = Duration::from_secs(3600);

fn limits() -> Limits {
    Limits { memory: MEMORY, ..Limits::default() }
}

/// Everything that rules can ask of the past of a subject's fields, and the answers.
fn answers(world: &World, now: Now) -> Vec<String> {
    let Some(id) = world.find("s", "a") else { return Vec::new() };
    let mut answers = Vec::new();
    let spans = [60, 300, 900, 3000, 3600].map(|length| Window::Span { length: secs(length), ago: secs(length / 3) });
    let days = (0..4).map(|ago| Window::Day { ago });
    let functions = WindowFn::PLAIN.into_iter().chain([
        WindowFn::Changes,
        WindowFn::Median,
        WindowFn::Quantile(Share::new(0.9).unwrap()),
        WindowFn::Deriv,
        WindowFn::Ewma,
    ]);
    for function in functions {
        for window in spans.into_iter().chain(days.clone()) {
            for field in ["x", "y"] {
                let answer = world.window(id, function, field, window, now);
                answers.push(format!("{function:?} {field} {window:?}: {answer:?}"));
            }
        }
    }
    for ago in [30, 600, 3000] {
        answers.push(format!("{ago} ago: {:?}", world.ago(id, "x", secs(ago), now)));
    }
    answers
}

/// What is to be remembered of the one subject.
pub(super) fn saved(world: &World) -> Option<SavedSubject> {
    let saved = world.saved(world.find("s", "a")?)?;
    Some(serde_json::from_value(serde_json::to_value(&saved).unwrap()).unwrap())
}

/// Stores the subject where that must be.
fn store(world: &mut World, stored: &mut Option<SavedSubject>, clock: i64) {
    let far_behind = world.far_behind(at(clock));
    match world.find("s", "a") {
        Some(id) if world.is_outdated(id) || far_behind.contains(&id) => {
            *stored = saved(world);
            world.is_stored(id);
        }
        Some(_) => {}
        None => *stored = None,
    }
}

pub(super) fn restored(stored: Option<SavedSubject>, came: &[Block], since: Time, now: Now) -> World {
    let blocks = came.iter().map(|block| Block::unpack(&block.pack(), |_, _| true).unwrap());
    let past = Past { since, blocks: Box::new(blocks), threads: Threads::default() };
    World::restore(limits(), jiff::tz::TimeZone::UTC, (now.time, now), BTreeMap::new(), stored, Some(past))
}

pub(super) fn batch(push: &Push, clock: i64) -> Batch {
    let fields = [("x", &push.x), ("y", &push.y)];
    let fields: Vec<(&str, Value)> =
        fields.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
    let source = Source { name: "push".into(), stale_after: secs(600) };
    let mut snapshot = snapshot("s", "a", clock + push.skew, &fields);
    // Now and then it says that it is gone.
    snapshot.gone = push.wait % 13 == 7;
    if snapshot.gone {
        snapshot.fields.clear();
    }
    Batch { source, snapshots: vec![snapshot], complete: Vec::new() }
}

/// Numbers that come in good order, with a gap or something else now and then.
fn steady_push() -> impl Strategy<Value = Push> {
    let number = (0_i32..8).prop_map(|number| Some(Value::Number(f64::from(number) / 3.0)));
    let wait = prop_oneof![20 => Just(10_i64), 5 => 1_i64..300, 1 => 3000_i64..9000];
    let steady = (wait, number.clone(), number).prop_map(|(wait, x, y)| Push {
        wait: wait + i64::from(wait % 13 == 7),
        skew: 0,
        x,
        y,
    });
    prop_oneof![60 => steady, 1 => any_push()]
}

pub(super) fn any_pushes() -> impl Strategy<Value = Vec<Push>> {
    let steady = prop::collection::vec(steady_push(), 2..200);
    prop_oneof![prop::collection::vec(any_push(), 2..80), steady]
}

proptest! {
    #[test]
    fn windows_are_the_same_after_a_restart_as_without_one(pushes in any_pushes(), forgets in 0_usize..200, together in 1_usize..60) {
        let (mut world, mut came, mut clock, mut stored) = (world_with(limits()), vec![Block::default()], 0, None);
        let (last, before) = pushes.split_last().unwrap();
        for (sequence, push) in before.iter().enumerate() {
            clock += push.wait;
            if sequence >= forgets % 64 && push.wait > 300 && let Some(id) = world.find("s", "a") {
                world.forget(id);
            }
            let batch = batch(push, clock);
            let report = world.ingest(now(clock), &batch);
            store(&mut world, &mut stored, clock);
            if sequence % together == 0 {
                came.push(Block::default());
            }
            came.last_mut().unwrap().take(sequence as u64, now(clock), &batch, &report);
        }
        let mut other = restored(stored, &came, Time::from_micros(i64::MIN), now(clock));
        // Those that were fresh are awaited anew.
        let remembered = |world| saved(world).map(|saved| SavedSubject { stale_from: None, ..saved });
        prop_assert_eq!(remembered(&other), remembered(&world));
        // Both give up what is too old with the next snapshot.
        clock += last.wait.max(1);
        let batch = batch(&Push { skew: 0, ..last.clone() }, clock);
        prop_assert_eq!(world.ingest(now(clock), &batch).taken, other.ingest(now(clock), &batch).taken);
        for (other, world) in answers(&other, now(clock)).into_iter().zip(answers(&world, now(clock))) {
            prop_assert_eq!(other, world);
        }
    }
}

#[test]
fn what_is_not_stored_is_no_answer_and_what_came_before_is_not_missed() {
    let (mut world, mut came) = (world_with(limits()), Block::default());
    for n in 0..100 {
        let batch = Batch {
            source: source("push"),
            snapshots: vec![snapshot("s", "a", n * 10, &[("x", (n as f64).into())])],
            complete: Vec::new(),
        };
        let report = world.ingest(now(n * 10), &batch);
        if n >= 50 {
            came.take(n as u64, now(n * 10), &batch, &report);
        }
    }
    let other = restored(saved(&world), &[came.clone()], at(500), now(990));
    let ask = |world: &World, length| {
        let window = Window::Span { length: secs(length), ago: Duration::ZERO };
        world.window(id(world), WindowFn::Count, "x", window, now(990))
    };
    // It is awaited, and can be asked once it is heard of; a snapshot that comes again is news enough.
    assert!(ask(&other, 400).is_ok());
    assert_eq!(ask(&other, 490), Ok(49.0));
    assert!(matches!(ask(&other, 500), Err(crate::model::NoData::BeyondHistory { .. })), "{:?}", ask(&other, 500));
    assert_eq!(ask(&world, 600), Ok(60.0));

    // Something that came could not be stored.
    let mut holed = came.clone();
    holed.lose(200, now(985));
    let other = restored(saved(&world), &[holed], at(500), now(990));
    assert_eq!(ask(&other, 5), Ok(1.0));
    assert!(matches!(ask(&other, 10), Err(crate::model::NoData::BeyondHistory { .. })));

    // A piece that speaks of a snapshot which is not among what was stored: nothing leads up to it.
    set(&mut world, 1000, 5.0);
    let other = restored(saved(&world), &[came], at(500), now(1000));
    let window = Window::Span { length: secs(60), ago: Duration::ZERO };
    assert!(other.window(id(&other), WindowFn::Count, "x", window, now(1000)).is_err());
}
