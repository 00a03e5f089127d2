//! When a collector looks. Pure: times are durations since its start.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// How often a collector looks, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From one pass to the next.
    pub every: Duration,
    /// A pass that takes longer is cut off.
    pub timeout: Duration,
}

/// A collector of another machine waits at most this long for its first pass, however rarely it looks.
const FIRST_WITHIN: Duration = Duration::from_secs(2);

impl Schedule {
    /// Looks every `every`; a pass may take as long as that, but not over 30 s.
    pub fn every(every: Duration) -> Schedule {
        Schedule { every, timeout: every.min(Duration::from_secs(30)) }
    }

    /// After how long without a snapshot the collector's subjects are stale.
    pub fn stale_after(&self) -> Duration {
        self.every * 3
    }

    /// When the first pass is, counted from the start: at once for a local collector, else spread by its name.
    pub(super) fn first(&self, name: &str, local: bool) -> Duration {
        if local { Duration::ZERO } else { self.every.min(FIRST_WITHIN).mul_f64(fraction(name)) }
    }

    /// When the next pass is, where the last one ended at `elapsed`: the next point of the collector's own grid.
    ///
    /// Each name has its own grid, so that collectors with one interval do not all look at the same moment, and a pass
    /// that takes long skips points and does not shift them. A point so near that two passes would all but coincide is skipped.
    pub(super) fn next(&self, name: &str, elapsed: Duration) -> Duration {
        let every = self.every.max(Duration::from_millis(1));
        let phase = every.mul_f64(fraction(name));
        let earliest = elapsed + every / 4;
        let n_periods = earliest.saturating_sub(phase).as_nanos().div_ceil(every.as_nanos());
        phase + every * u32::try_from(n_periods).unwrap_or(u32::MAX)
    }
}

/// A fraction in [0, 1) that is always the same for a name.
fn fraction(name: &str) -> f64 {
    let digest = Sha256::digest(name.as_bytes());
    let bits = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 5] = ["host", "http:shop-api", "http:b", "http:c", "d"];

    #[test]
    fn local_collectors_look_at_once_and_others_within_two_seconds() {
        let schedule = Schedule::every(Duration::from_secs(60));
        for name in NAMES {
            assert_eq!(schedule.first(name, true), Duration::ZERO);
            assert!(schedule.first(name, false) < Duration::from_secs(2));
        }
        assert_ne!(schedule.first("http:b", false), schedule.first("http:c", false));
    }

    #[test]
    fn passes_keep_their_grid_whatever_they_take() {
        let every = Duration::from_secs(10);
        let schedule = Schedule::every(every);
        for name in NAMES {
            let mut at = schedule.next(name, Duration::ZERO);
            assert!(at >= every / 4 && at <= every + every / 4, "{name}: {at:?}");
            for took in [0, 100, 4_000, 9_000, 25_000, 10_000] {
                let ended = at + Duration::from_millis(took);
                let next = schedule.next(name, ended);
                assert!(next > ended && next <= ended + every + every / 4, "{name} after {took} ms: {next:?}");
                assert_eq!((next - at).as_nanos() % every.as_nanos(), 0);
                at = next;
            }
        }
    }

    proptest! {
        #[test]
        fn the_next_pass_is_later_and_within_one_and_a_quarter_periods(
            name in ".{0,10}",
            every in 1..100_000_u64,
            elapsed in 0..10_000_000_u64,
        ) {
            let every = Duration::from_millis(every);
            let elapsed = Duration::from_millis(elapsed);
            let next = Schedule::every(every).next(&name, elapsed);
            prop_assert!(next >= elapsed + every / 4 && next <= elapsed + every + every / 4, "{next:?}");
        }
    }
}
