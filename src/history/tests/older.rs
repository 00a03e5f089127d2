//! A field that is looked back on further than everything is kept answers as one of which everything is kept.

use proptest::prelude::*;

use super::oracle::Push;
use super::restart::{any_pushes, batch, restored, saved};
use super::*;
use crate::history::{Block, Older, Reach, Share, Window, WindowFn};

const REACH: Duration = Duration::from_secs(4 * 3600);

fn reach() -> Reach {
    let mut reach = Reach::default();
    reach.ask(Some(&"s".into()), &"x".into(), REACH);
    reach
}

fn older(came: &[Block], since: Time) -> Older {
    let mut older = Older::new(reach(), since);
    came.iter().for_each(|block| older.take(Block::unpack(&block.pack(), |kind, _| older.wants(kind)).unwrap()));
    older
}

/// What rules can ask of the field that is looked back on.
fn answers(world: &World, now: Now) -> Vec<String> {
    let Some(id) = world.find("s", "a") else { return Vec::new() };
    let functions = WindowFn::PLAIN.into_iter().chain([
        WindowFn::Changes,
        WindowFn::Quantile(Share::new(0.9).unwrap()),
        WindowFn::Deriv,
        WindowFn::Ewma,
    ]);
    let mut answers = Vec::new();
    for function in functions {
        for (length, ago) in [(600, 0), (3000, 3000), (4 * 3600, 0), (3600, 3 * 3600), (60, 14_000)] {
            let window = Window::Span { length: secs(length), ago: secs(ago) };
            let answer = world.window(id, function, "x", window, now);
            answers.push(format!("{function:?} {window:?}: {answer:?}"));
        }
    }
    answers
}

proptest! {
    #[test]
    fn it_answers_whenever_it_begins_to_be_looked_back_on(
        pushes in any_pushes(),
        begins in 0_usize..100,
        together in 1_usize..60,
        is_restarted: bool,
        forgets in prop::option::weighted(0.2, 0_usize..100),
    ) {
        let mut whole = world_with(Limits { memory: REACH, ..Limits::default() });
        let mut world = world_with(Limits { memory: secs(3600), ..Limits::default() });
        let (mut came, mut clock) = (vec![Block::default()], 0);
        for (sequence, push) in pushes.iter().enumerate() {
            // What came before it was forgotten is told by the clock.
            let push = Push { skew: if forgets.is_some() { 0 } else { push.skew }, ..push.clone() };
            clock += push.wait.max(1);
            if forgets == Some(sequence) {
                clock += 600;
                for world in [&mut whole, &mut world] {
                    world.find("s", "a").into_iter().for_each(|id| world.forget(id));
                }
            }
            let batch = batch(&push, clock);
            whole.ingest(now(clock), &batch);
            let report = world.ingest(now(clock), &batch);
            if sequence % together == 0 {
                came.push(Block::default());
            }
            came.last_mut().unwrap().take(sequence as u64, now(clock), &batch, &report);
            if sequence == begins % pushes.len() {
                let always = Time::from_micros(i64::MIN);
                if is_restarted {
                    world = restored(saved(&world), &came, always, now(clock));
                }
                world.put_before(&older(&came, always));
            }
        }
        // Those that are awaited are heard of.
        clock += 50;
        let last = Push { skew: 0, wait: 1, x: Some(1.0.into()), y: None };
        prop_assert_eq!(whole.ingest(now(clock), &batch(&last, clock)).taken, 1);
        prop_assert_eq!(world.ingest(now(clock), &batch(&last, clock)).taken, 1);
        for (world, whole) in answers(&world, now(clock)).into_iter().zip(answers(&whole, now(clock))) {
            prop_assert_eq!(world, whole);
        }
    }
}

#[test]
fn it_is_kept_for_as_long_as_it_is_looked_back_on_and_nothing_else_is() {
    let mut world = world_with(Limits { memory: secs(600), ..Limits::default() });
    world.look_back(&reach());
    let mut came = Block::default();
    let mut bytes = Vec::new();
    for n in 0..3000 {
        let fields = [("x", Value::Number(n as f64)), ("y", Value::Number(n as f64))];
        let batch = Batch {
            source: source("push"),
            snapshots: vec![snapshot("s", "a", n * 10, &fields)],
            complete: Vec::new(),
        };
        let report = world.ingest(now(n * 10), &batch);
        came.take(n as u64, now(n * 10), &batch, &report);
        bytes.push(world.bytes());
    }
    let clock = now(29_990);
    let count = |world: &World, field, length| {
        let window = Window::Span { length: secs(length), ago: Duration::ZERO };
        world.window(id(world), WindowFn::Count, field, window, clock)
    };
    assert_eq!(count(&world, "x", 4 * 3600), Ok(1440.0));
    assert!(count(&world, "x", 5 * 3600).is_err() && count(&world, "y", 2 * 3600).is_err());
    assert_eq!(count(&world, "y", 600), Ok(60.0));

    // Nobody looks so far any more.
    world.look_back(&Reach::default());
    set(&mut world, 30_000, 0.0);
    assert!(count(&world, "x", 2 * 3600).is_err());

    // What is stored begins later than it is looked back on.
    world.put_before(&older(&[came.clone()], at(20_000)));
    assert_eq!(count(&world, "x", 9_980), Ok(998.0), "the newest is of 30,000");
    assert!(count(&world, "x", 10_100).is_err());
    came.lose(5000, now(25_000));
    world.look_back(&Reach::default());
    set(&mut world, 30_010, 0.0);
    world.put_before(&older(&[came], at(20_000)));
    assert!(count(&world, "x", 9_980).is_err());
}
