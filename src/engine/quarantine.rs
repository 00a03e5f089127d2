//! A rule that keeps failing is left alone for a while, and tried again.

use std::time::Duration;

use crate::model::Time;

/// So many steps in a row in which nothing but errors came out put a rule into quarantine.
const STRIKES: u32 = 10;
/// A runaway (operations or time used up, a panic) counts as this many.
const RUNAWAY_STRIKES: u32 = 4;
/// The first quarantine; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(60);
/// The longest quarantine.
const LONGEST: Duration = Duration::from_secs(3600);

/// How a rule fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quarantine {
    strikes: u32,
    n_quarantines: u32,
    until: Option<Time>,
}

/// What the evaluations of one rule in one step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepResult {
    /// At least one evaluation did not fail, and the rule did not use up the step.
    Sound,
    /// All failed, or subjects were left out because the rule used up the step.
    Failed {
        /// At least one ran away, or the rule used up what it may in a step.
        runaway: bool,
    },
}

impl Quarantine {
    /// Until when the rule is left alone.
    pub const fn until(&self) -> Option<Time> {
        self.until
    }

    /// Notes a step. Gives the end of a quarantine that begins with it.
    pub(crate) fn note(&mut self, result: StepResult, now: Time) -> Option<Time> {
        match result {
            StepResult::Sound => *self = Quarantine::default(),
            StepResult::Failed { runaway } => self.strikes += if runaway { RUNAWAY_STRIKES } else { 1 },
        }
        if self.strikes < STRIKES {
            return None;
        }
        let length = FIRST.saturating_mul(1 << self.n_quarantines.min(6)).min(LONGEST);
        self.n_quarantines += 1;
        // One more failed step after the quarantine begins the next one.
        self.strikes = STRIKES - 1;
        self.until = Some(now + length);
        self.until
    }

    /// The quarantine is over; the rule is tried again.
    pub(crate) fn release(&mut self) {
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    #[test]
    fn failing_steps_in_a_row_quarantine_with_growing_length_and_a_sound_one_forgives() {
        let mut quarantine = Quarantine::default();
        let failed = StepResult::Failed { runaway: false };
        for _ in 0..9 {
            assert_eq!(quarantine.note(failed, at(0)), None);
        }
        assert_eq!(quarantine.note(failed, at(0)), Some(at(60)));
        quarantine.release();
        assert_eq!(quarantine.note(failed, at(60)), Some(at(180)), "the next is twice as long");
        quarantine.release();
        assert_eq!(quarantine.note(StepResult::Sound, at(180)), None);
        assert_eq!(quarantine, Quarantine::default());
    }

    #[test]
    fn a_runaway_is_quarantined_at_its_third_step() {
        let mut quarantine = Quarantine::default();
        let runaway = StepResult::Failed { runaway: true };
        assert_eq!(quarantine.note(runaway, at(0)), None);
        assert_eq!(quarantine.note(runaway, at(0)), None);
        assert_eq!(quarantine.note(runaway, at(0)), Some(at(60)));
    }
}
