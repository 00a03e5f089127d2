//! One condition over time: hold before it counts, keep before it is over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Time;

/// What one evaluation says to a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `when` is true.
    Fire,
    /// `when` is false and `clear` holds.
    Clear,
    /// `when` is false and `clear` does not hold: inside the hysteresis.
    Neither,
    /// No data, or an error: nothing is known, so timers stand still.
    Unknown,
}

/// Counts only the time in which a verdict stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// What was counted before it was last paused.
    counted: Duration,
    /// Since when it runs; `None` while paused.
    running_since: Option<Time>,
}

impl Timer {
    /// A timer that runs from now.
    pub const fn start(now: Time) -> Timer {
        Timer { counted: Duration::ZERO, running_since: Some(now) }
    }

    /// How much was counted up to now.
    pub fn elapsed(self, now: Time) -> Duration {
        self.counted + self.running_since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// It stands still from now on.
    #[must_use = "dropping a timer loses what it counted"]
    pub fn pause(self, now: Time) -> Timer {
        Timer { counted: self.elapsed(now), running_since: None }
    }

    /// It runs from now on, if it does not already.
    #[must_use = "dropping a timer loses what it counted"]
    pub fn resume(self, now: Time) -> Timer {
        Timer { running_since: self.running_since.or(Some(now)), ..self }
    }

    /// What it counted up to `stopped` stands. If time has passed since, it is paused: what is true now is not known
    /// before the next verdict.
    #[must_use = "dropping a timer loses what it counted"]
    pub fn resume_after(self, stopped: Time, now: Time) -> Timer {
        match self.running_since {
            Some(_) if stopped < now => self.pause(stopped),
            Some(_) | None => self,
        }
    }

    /// When it will have counted `length`; `None` while paused.
    pub fn deadline(self, length: Duration) -> Option<Time> {
        self.running_since.map(|since| since + length.saturating_sub(self.counted))
    }
}

/// One condition over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// The condition is not true.
    #[default]
    Off,
    /// It is true, and must stay so until `hold` is counted.
    Pending {
        /// Since when it is true.
        since: Time,
        /// Counts towards `hold`.
        timer: Timer,
    },
    /// It counts.
    On,
    /// It is clear, and must stay so until `keep` is counted; it still counts.
    Recovering {
        /// Since when it is clear.
        since: Time,
        /// Counts towards `keep`.
        timer: Timer,
    },
}

impl Track {
    /// Advances by one evaluation.
    ///
    /// Clear resets hold, fire resets keep, unknown pauses both. Between `when` and `clear` (neither) a pending
    /// condition is no longer true, and a recovering one has not stayed clear.
    #[must_use = "dropping a state loses an alert"]
    pub fn observe(self, signal: Signal, now: Time, hold: Duration, keep: Duration) -> Track {
        let next = match (self, signal) {
            (Track::Off, Signal::Fire) => Track::Pending { since: now, timer: Timer::start(now) },
            (Track::Off, Signal::Clear | Signal::Neither | Signal::Unknown) => Track::Off,
            (Track::Pending { since, timer }, Signal::Fire) => Track::Pending { since, timer: timer.resume(now) },
            (Track::Pending { .. }, Signal::Clear | Signal::Neither) => Track::Off,
            (Track::Pending { since, timer }, Signal::Unknown) => Track::Pending { since, timer: timer.pause(now) },
            (Track::On, Signal::Fire | Signal::Neither | Signal::Unknown) => Track::On,
            (Track::On, Signal::Clear) => Track::Recovering { since: now, timer: Timer::start(now) },
            (Track::Recovering { .. }, Signal::Fire | Signal::Neither) => Track::On,
            (Track::Recovering { since, timer }, Signal::Clear) => {
                Track::Recovering { since, timer: timer.resume(now) }
            }
            (Track::Recovering { since, timer }, Signal::Unknown) => {
                Track::Recovering { since, timer: timer.pause(now) }
            }
        };
        next.expire(now, hold, keep)
    }

    /// Ends the timer if it has counted enough: pending becomes on, recovering becomes off.
    #[must_use = "dropping a state loses an alert"]
    pub fn expire(self, now: Time, hold: Duration, keep: Duration) -> Track {
        match self {
            Track::Pending { timer, .. } if timer.running_since.is_some() && timer.elapsed(now) >= hold => Track::On,
            Track::Recovering { timer, .. } if timer.running_since.is_some() && timer.elapsed(now) >= keep => {
                Track::Off
            }
            Track::Off | Track::Pending { .. } | Track::On | Track::Recovering { .. } => self,
        }
    }

    /// When [`Track::expire`] will change something, if no evaluation comes before.
    pub fn deadline(self, hold: Duration, keep: Duration) -> Option<Time> {
        match self {
            Track::Pending { timer, .. } => timer.deadline(hold),
            Track::Recovering { timer, .. } => timer.deadline(keep),
            Track::Off | Track::On => None,
        }
    }

    /// The track after a time in which nobody looked: from `stopped` to `now` nothing was counted.
    #[must_use = "dropping a state loses an alert"]
    pub fn resume_after(self, stopped: Time, now: Time) -> Track {
        match self {
            Track::Off | Track::On => self,
            Track::Pending { since, timer } => Track::Pending { since, timer: timer.resume_after(stopped, now) },
            Track::Recovering { since, timer } => Track::Recovering { since, timer: timer.resume_after(stopped, now) },
        }
    }

    /// Whether the condition counts: its alert fires.
    pub const fn is_on(self) -> bool {
        matches!(self, Track::On | Track::Recovering { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Signal::{Clear, Fire, Neither, Unknown};

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Runs signals at given seconds and gives the state's letter after each: `-` off, `p`ending, `F` on, `r`ecovering.
    fn run(hold: u64, keep: u64, signals: &[(i64, Signal)]) -> String {
        let mut track = Track::Off;
        let mut letters = String::new();
        for (second, signal) in signals {
            track = track.observe(*signal, at(*second), secs(hold), secs(keep));
            letters.push(match track {
                Track::Off => '-',
                Track::Pending { .. } => 'p',
                Track::On => 'F',
                Track::Recovering { .. } => 'r',
            });
        }
        letters
    }

    #[test]
    fn every_state_answers_every_signal() {
        /// What is tried, hold, keep, the signals at their seconds, and a letter for each state.
        type Case<'a> = (&'a str, u64, u64, &'a [(i64, Signal)], &'a str);
        let cases: &[Case] = &[
            ("without hold it counts at once", 0, 0, &[(0, Fire), (10, Clear)], "F-"),
            ("hold counts from the first fire", 20, 0, &[(0, Fire), (10, Fire), (20, Fire)], "ppF"),
            ("clear resets hold", 20, 0, &[(0, Fire), (10, Clear), (20, Fire), (30, Fire), (40, Fire)], "p-ppF"),
            ("neither resets hold", 20, 0, &[(0, Fire), (10, Neither), (20, Fire)], "p-p"),
            ("unknown pauses hold", 20, 0, &[(0, Fire), (10, Unknown), (100, Fire), (109, Fire), (110, Fire)], "ppppF"),
            ("unknown does not raise", 0, 0, &[(0, Unknown), (10, Unknown)], "--"),
            ("unknown is not clear", 0, 0, &[(0, Fire), (10, Unknown), (9999, Unknown)], "FFF"),
            ("neither keeps it on", 0, 0, &[(0, Fire), (10, Neither)], "FF"),
            ("keep counts from the first clear", 0, 20, &[(0, Fire), (10, Clear), (20, Clear), (30, Clear)], "Frr-"),
            ("fire resets keep", 0, 20, &[(0, Fire), (10, Clear), (20, Fire), (30, Clear), (49, Clear)], "FrFrr"),
            ("neither resets keep", 0, 20, &[(0, Fire), (10, Clear), (20, Neither), (40, Clear)], "FrFr"),
            (
                "unknown pauses keep",
                0,
                20,
                &[(0, Fire), (10, Clear), (20, Unknown), (99, Clear), (109, Clear)],
                "Frrr-",
            ),
            ("a clock that stands still is no progress", 20, 0, &[(5, Fire), (5, Fire), (5, Fire)], "ppp"),
            ("a clock that goes back is no progress", 20, 0, &[(50, Fire), (10, Fire), (60, Fire), (70, Fire)], "pppF"),
        ];
        for (name, hold, keep, signals, expected) in cases {
            assert_eq!(run(*hold, *keep, signals), *expected, "{name}");
        }
    }

    #[test]
    fn a_timer_ends_at_its_deadline_without_a_new_verdict() {
        let track = Track::Off.observe(Fire, at(0), secs(30), secs(0));
        assert_eq!(track.deadline(secs(30), secs(0)), Some(at(30)));
        assert_eq!(track.expire(at(29), secs(30), secs(0)), track);
        assert_eq!(track.expire(at(30), secs(30), secs(0)), Track::On);
    }

    #[test]
    fn a_paused_timer_has_no_deadline_and_never_ends() {
        let track = Track::Off.observe(Fire, at(0), secs(30), secs(0)).observe(Unknown, at(10), secs(30), secs(0));
        assert_eq!(track.deadline(secs(30), secs(0)), None);
        assert_eq!(track.expire(at(1000), secs(30), secs(0)), track);
    }
}
