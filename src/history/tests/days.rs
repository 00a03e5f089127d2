//! Calendar days outlive the samples, and are as long as their zone has them.

use super::*;
use crate::history::{Window, WindowFn};
use crate::model::NoData;

const TODAY: Window = Window::Day { ago: 0 };
const YESTERDAY: Window = Window::Day { ago: 1 };

fn time(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn in_zone(zone: &str, started: Time) -> World {
    World::new(Limits::default(), jiff::tz::TimeZone::get(zone).unwrap(), Now::at(started))
}

fn set_at(world: &mut World, now: Now, x: f64) {
    let snapshot = Snapshot { time: now.time, ..snapshot("s", "a", 0, &[("x", x.into())]) };
    let source = Source { name: "push".into(), stale_after: secs(7200) };
    let report = world.ingest(now, &Batch { source, snapshots: vec![snapshot], complete: Vec::new() });
    assert_eq!(report.taken, 1);
}

/// A sample of 1 per half hour for three days: as many samples as the day has half hours.
#[test]
fn yesterday_has_the_hours_that_the_zone_gave_it() {
    let cases = [
        ("Europe/Berlin", "2026-03-30T12:00:00+02:00", 46.0),
        ("Europe/Berlin", "2026-10-26T12:00:00+01:00", 50.0),
        ("Europe/Berlin", "2026-11-21T12:00:00+01:00", 48.0),
        ("Asia/Shanghai", "2026-03-30T12:00:00+08:00", 48.0),
    ];
    for (zone, noon, count) in cases {
        let noon = time(noon);
        let start = noon - secs(72 * 3600);
        let mut world = in_zone(zone, start);
        for half_hour in 0..=144 {
            set_at(&mut world, Now::at(start + secs(half_hour * 1800)), half_hour as f64);
        }
        let a = id(&world);
        let ask = |function, window| world.window(a, function, "x", window, Now::at(noon)).unwrap();
        assert_eq!(ask(WindowFn::Count, YESTERDAY), count, "{zone} {noon}");
        // Midnight's sample is the first of its day, noon's the last so far.
        assert_eq!(ask(WindowFn::Count, TODAY), 25.0, "{zone} {noon}");
        assert_eq!(ask(WindowFn::First, TODAY) - ask(WindowFn::Last, YESTERDAY), 1.0);
        assert_eq!(ask(WindowFn::Increase, TODAY), 24.0);
        // One per half hour to the end of the day, too: the last sample is half an hour before midnight.
        assert!((ask(WindowFn::Increase, YESTERDAY) - count).abs() < 1e-9);
        assert!((ask(WindowFn::Rate, YESTERDAY) - 1.0 / 1800.0).abs() < 1e-12);
    }
}

#[test]
fn today_against_yesterday_works_though_memory_is_one_day() {
    let start = time("2026-11-16T00:05:00Z");
    let mut world = in_zone("UTC", start);
    for hour in 0..(24 * 7) {
        // The day's number, reset to 0 at midnight by the sender.
        set_at(&mut world, Now::at(start + secs(hour * 3600)), ((hour % 24) * (hour / 24)) as f64);
    }
    let (a, end) = (id(&world), Now::at(start + secs((24 * 7 - 1) * 3600)));
    for ago in 0..7 {
        let window = Window::Day { ago };
        assert_eq!(world.window(a, WindowFn::Max, "x", window, end), Ok(23.0 * f64::from(6 - ago)), "{ago}");
    }
    let before_it_was_seen = world.window(a, WindowFn::Max, "x", Window::Day { ago: 7 }, end);
    assert!(matches!(before_it_was_seen, Err(NoData::TooFewSamples { have: 0, need: 1, .. })));
    let question = "max(\"x\", day(8))".to_string();
    assert_eq!(
        world.window(a, WindowFn::Max, "x", Window::Day { ago: 8 }, end),
        Err(NoData::BeyondHistory { question })
    );
    let question = "avg(\"x\", \"2d\")".to_string();
    assert_eq!(
        world.window(a, WindowFn::Avg, "x", Window::last(secs(48 * 3600)), end),
        Err(NoData::BeyondHistory { question })
    );
}

#[test]
fn days_are_those_of_the_wall_clock() {
    let engine = time("2026-11-21T23:00:00Z");
    let hour = 3_600_000_000;
    let mut world = in_zone("UTC", engine);
    // The wall clock is two hours ahead of engine time: this is already the next day.
    let ahead = Now { time: engine, wall_offset: 2 * hour };
    set_at(&mut world, ahead, 1.0);
    let later = Now { time: engine + secs(1800), wall_offset: 2 * hour };
    set_at(&mut world, later, 4.0);
    let a = id(&world);
    assert_eq!(world.window(a, WindowFn::Sum, "x", TODAY, later), Ok(5.0));
    assert_eq!(world.window(a, WindowFn::Count, "x", YESTERDAY, later), Ok(0.0));
    assert_eq!(world.absent(a, TODAY, later), Ok(false));
}

#[test]
fn a_replaced_sample_leaves_no_trace_in_its_day() {
    let mut world = world();
    for (seconds, x) in [(0, 5.0), (10, 1000.0), (10, 7.0), (20, 8.0)] {
        set(&mut world, seconds, x);
    }
    let a = id(&world);
    let ask = |function| world.window(a, function, "x", TODAY, now(20)).unwrap();
    assert_eq!((ask(WindowFn::Max), ask(WindowFn::Count), ask(WindowFn::Changes)), (8.0, 3.0, 2.0));
}

#[test]
fn a_clock_that_goes_back_over_midnight_adds_to_the_day_before() {
    let midnight = 14 * 3600;
    let mut world = world();
    for (arrived, seconds, x) in
        [(midnight - 10, midnight - 10, 1.0), (midnight, midnight, 2.0), (midnight + 60, midnight - 5, 4.0)]
    {
        push(&mut world, arrived, vec![snapshot("s", "a", seconds, &[("x", x.into())])]);
    }
    set(&mut world, midnight + 70, 8.0);
    let a = id(&world);
    let ask = |function, window| world.window(a, function, "x", window, now(midnight + 70));
    assert_eq!(ask(WindowFn::Sum, YESTERDAY), Ok(5.0));
    assert_eq!(ask(WindowFn::Sum, TODAY), Ok(10.0));
    assert_eq!(ask(WindowFn::Sum, Window::last(secs(600))), Ok(13.0), "what would come later is given up");
}
