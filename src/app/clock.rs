//! The only place that reads clocks.
//!
//! Engine time is the monotonic clock, anchored at the wall clock's reading at start: it never goes back, whatever is
//! done to the wall clock. How far the wall clock has moved since is passed along with each step.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::model::{Now, Time};

/// The wall clock's offset is changed only by more than this: two readings are never taken at the same instant, and a
/// time that a person reads twice should not differ by their microseconds.
const SLACK_MICROS: i64 = 20_000;

/// Engine time and the wall clock. Clones agree.
#[derive(Clone, Debug)]
pub struct Clock {
    anchor: Time,
    started: Instant,
    wall_offset: Arc<AtomicI64>,
}

impl Clock {
    /// Starts engine time at the wall clock's reading, or at `not_before` where that is later.
    pub fn start(not_before: Option<Time>) -> Clock {
        let wall = wall();
        let anchor = not_before.map_or(wall, |last| last.max(wall));
        Clock {
            anchor,
            started: Instant::now(),
            wall_offset: Arc::new(AtomicI64::new(wall.as_micros() - anchor.as_micros())),
        }
    }

    /// Engine time now, with the wall clock's offset.
    pub fn now(&self) -> Now {
        let time = self.anchor + self.started.elapsed();
        let measured = wall().as_micros() - time.as_micros();
        let known = self.wall_offset.load(Ordering::Relaxed);
        let wall_offset = settled(known, measured);
        if wall_offset != known {
            self.wall_offset.store(wall_offset, Ordering::Relaxed);
        }
        Now { time, wall_offset }
    }

    /// How long it is until engine time is `time`; zero where it is past.
    pub fn until(&self, time: Time) -> Duration {
        time.since(self.anchor + self.started.elapsed())
    }

    /// How long the daemon has run.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The offset to go on with: the known one while the measured one is within the slack of it.
fn settled(known: i64, measured: i64) -> i64 {
    if measured.abs_diff(known) > SLACK_MICROS as u64 { measured } else { known }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn wall() -> Time {
    // A wall clock before 1970 reads as 1970: the engine runs on, and calendar functions are as wrong as the clock.
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)).min(Time::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_time_never_goes_back_and_starts_at_the_wall_clock() {
        let clock = Clock::start(None);
        let mut last = clock.now();
        assert_eq!(last.wall_offset, 0);
        for _ in 0..1000 {
            let now = clock.clone().now();
            assert!(now.time >= last.time);
            last = now;
        }
    }

    #[test]
    fn a_wall_clock_behind_the_last_stored_time_does_not_take_engine_time_back() {
        let ahead = wall() + Duration::from_secs(3600);
        let clock = Clock::start(Some(ahead));
        let now = clock.now();
        assert!(now.time >= ahead);
        assert!(now.wall_offset < -3_500_000_000, "the wall clock is still an hour behind: {now:?}");
    }

    #[test]
    fn the_offset_follows_a_jump_of_the_wall_clock_and_not_its_tremble() {
        assert_eq!(settled(0, 300), 0);
        assert_eq!(settled(500, -19_000), 500);
        assert_eq!(settled(0, 3_600_000_000), 3_600_000_000);
        assert_eq!(settled(i64::MAX, i64::MIN), i64::MIN);
    }
}
