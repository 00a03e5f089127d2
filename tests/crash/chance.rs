//! Chance that a seed reproduces.

use std::time::{Duration, Instant};

/// The seed of a run: of its own, unless `LARUM_CRASH_SEED` says which.
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("LARUM_CRASH_SEED") {
        Ok(text) => text.parse().expect("LARUM_CRASH_SEED is a number"),
        Err(_) => jiff::Timestamp::now().as_microsecond().unsigned_abs() % 1_000_000_000,
    };
    println!("LARUM_CRASH_SEED={seed} makes the same choices again");
    seed
}

/// How many times to do something: as the variable says, or this many.
pub(crate) fn times(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect("it is a number"))
}

/// A sequence of numbers that look random: SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The sequence of one of several who share a seed.
    pub(crate) fn of(seed: u64, who: u64) -> Chance {
        let mut chance = Chance(seed ^ who.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` up to, but without, `high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low) as u64) as usize
    }

    /// Whether one of `n` cases is this one.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.between(0, n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.between(0, from.len())]
    }

    pub(crate) fn millis(&mut self, low: usize, high: usize) -> Duration {
        Duration::from_millis(self.between(low, high) as u64)
    }
}

/// Waits for a moment, or for something that happens before it. Says whether it happened.
pub(crate) fn happens_within(within: Duration, mut happens: impl FnMut() -> bool) -> bool {
    let give_up = Instant::now() + within;
    loop {
        if happens() {
            return true;
        }
        if Instant::now() >= give_up {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
