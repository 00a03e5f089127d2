//! What to do after an attempt. Pure: time and seed are arguments.

use std::time::Duration;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::channels::Verdict;
use crate::model::{ChannelName, NotificationId, Time, duration};

/// No retry comes sooner: jitter can be nothing.
const SHORTEST: Duration = Duration::from_millis(100);

/// How long and how often to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The longest wait after the first attempt; it doubles with each further one.
    pub base: Duration,
    /// The longest wait of all, unless the receiver asks for more.
    pub cap: Duration,
    /// How long after the first attempt it is given up (`retry.for`).
    pub retry_for: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            base: Duration::from_secs(2),
            cap: Duration::from_secs(300),
            retry_for: Duration::from_secs(24 * 3600),
        }
    }
}

/// What follows an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "next", rename_all = "snake_case")]
pub enum Next {
    /// Nothing: the receiver has it.
    Done,
    /// Another attempt.
    RetryAt {
        /// When, in the time that the decision was given.
        at: Time,
        /// Why it is needed.
        reason: String,
    },
    /// Nothing: it is given up.
    Dead {
        /// Why.
        reason: String,
    },
}

/// The seed of one delivery, from that of the installation.
pub fn seed(installation: u64, channel: &ChannelName, notification: &NotificationId) -> u64 {
    hash(&[&installation.to_be_bytes(), channel.as_str().as_bytes(), &[0], notification.as_str().as_bytes()])
}

/// What follows attempt `number` (from 1), which came to `verdict`.
///
/// Waits grow exponentially with full jitter: uniform between nothing and `base * 2^(number - 1)`, at most `cap`. A
/// wait that the receiver asks for only lengthens ours. The last attempt is at `first_attempt_at + retry_for`.
pub fn next(number: u32, verdict: &Verdict, first_attempt_at: Time, now: Time, policy: &Policy, seed: u64) -> Next {
    let (reason, after, at_most) = match verdict {
        Verdict::Ok | Verdict::OkPartial { .. } => return Next::Done,
        Verdict::Permanent { reason } => return Next::Dead { reason: reason.clone() },
        Verdict::Retry { reason, after, at_most, .. } => (reason, after.unwrap_or_default(), *at_most),
        Verdict::RetryRest { reason, .. } => (reason, Duration::ZERO, None),
    };
    let deadline = first_attempt_at + policy.retry_for;
    if now >= deadline {
        let tried = duration::format(policy.retry_for);
        return Next::Dead { reason: format!("given up after {tried} and {number} attempts: {reason}") };
    }
    if at_most.is_some_and(|at_most| number >= at_most) {
        return Next::Dead { reason: format!("given up after {number} attempts: {reason}") };
    }
    let wait = backoff(number, policy, seed).max(after).max(SHORTEST);
    Next::RetryAt { at: (now + wait).min(deadline), reason: reason.clone() }
}

/// How long the whole channel waits after an attempt whose verdict says that its receiver takes nothing for a while. It
/// said so `in_a_row` times, this one included; `seed` is the channel's.
pub fn hold(verdict: &Verdict, in_a_row: u32, policy: &Policy, seed: u64) -> Option<Duration> {
    match verdict {
        Verdict::Retry { after, holds_channel: true, .. } => {
            Some(backoff(in_a_row, policy, seed).max(after.unwrap_or_default()).max(SHORTEST))
        }
        Verdict::Ok
        | Verdict::OkPartial { .. }
        | Verdict::Retry { .. }
        | Verdict::RetryRest { .. }
        | Verdict::Permanent { .. } => None,
    }
}

fn backoff(number: u32, policy: &Policy, seed: u64) -> Duration {
    let doubled = 1u32.checked_shl(number.saturating_sub(1)).filter(|factor| *factor > 0);
    let ceiling = doubled.and_then(|factor| policy.base.checked_mul(factor)).map_or(policy.cap, |c| c.min(policy.cap));
    // 53 bits: all that an f64 between 0 and 1 can tell apart.
    let fraction = (hash(&[&seed.to_be_bytes(), &number.to_be_bytes()]) >> 11) as f64 / (1u64 << 53) as f64;
    ceiling.mul_f64(fraction)
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Time = Time::from_micros(1_000_000_000_000_000);

    fn after(number: u32, verdict: Verdict, now: Time) -> Next {
        next(number, &verdict, START, now, &Policy::default(), 7)
    }

    fn retry_after(seconds: u64) -> Verdict {
        Verdict::Retry {
            reason: "busy".into(),
            after: Some(Duration::from_secs(seconds)),
            at_most: None,
            holds_channel: false,
        }
    }

    #[test]
    fn success_is_done_and_a_permanent_failure_is_dead() {
        assert_eq!(after(1, Verdict::Ok, START), Next::Done);
        assert_eq!(after(1, Verdict::OkPartial { detail: "x".into() }, START), Next::Done);
        assert_eq!(after(1, Verdict::permanent("gone"), START), Next::Dead { reason: "gone".into() });
    }

    #[test]
    fn the_receivers_wish_only_lengthens_the_wait() {
        let Next::RetryAt { at, .. } = after(1, retry_after(600), START) else { panic!("it is tried again") };
        assert_eq!(at, START + Duration::from_secs(600));
        let plain = after(9, Verdict::retry("busy"), START);
        assert_eq!(after(9, retry_after(0), START), plain);
    }

    #[test]
    fn the_last_attempt_is_at_the_deadline_and_then_it_is_dead() {
        let policy = Policy::default();
        let late = START + policy.retry_for - Duration::from_secs(1);
        let Next::RetryAt { at, .. } = after(40, retry_after(86_400), late) else { panic!("it is tried again") };
        assert_eq!(at, START + policy.retry_for);
        let reason = "given up after 1d and 41 attempts: busy".to_string();
        assert_eq!(after(41, Verdict::retry("busy"), START + policy.retry_for), Next::Dead { reason });
    }

    #[test]
    fn a_kind_may_limit_the_attempts() {
        let verdict = Verdict::Retry { reason: "busy".into(), after: None, at_most: Some(3), holds_channel: false };
        assert!(matches!(after(2, verdict.clone(), START), Next::RetryAt { .. }));
        assert_eq!(after(3, verdict, START), Next::Dead { reason: "given up after 3 attempts: busy".into() });
    }

    #[test]
    fn a_receiver_that_takes_nothing_is_left_alone_for_as_long_as_it_asks_and_longer_each_time() {
        let policy = Policy::default();
        let says = |after| Verdict::Retry { reason: "slow down".into(), after, at_most: None, holds_channel: true };
        assert_eq!(hold(&says(Some(Duration::from_secs(600))), 1, &policy, 7), Some(Duration::from_secs(600)));
        let waits: Vec<_> = (1..12).map(|in_a_row| hold(&says(None), in_a_row, &policy, 7).unwrap()).collect();
        assert!(waits[0] <= policy.base && waits.iter().any(|wait| *wait > policy.base * 8), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait >= SHORTEST && *wait <= policy.cap));
        assert_eq!(hold(&Verdict::retry("x"), 1, &policy, 7), None);
    }

    proptest! {
        #[test]
        fn waits_are_within_their_bounds_and_the_same_for_the_same_seed(number in 1u32..200, seed: u64) {
            let policy = Policy::default();
            let decide = || next(number, &Verdict::retry("x"), START, START, &policy, seed);
            let Next::RetryAt { at, .. } = decide() else { return Err(TestCaseError::fail("it is tried again")) };
            let wait = at.since(START);
            prop_assert!(wait >= SHORTEST && wait <= policy.cap, "{:?}", wait);
            if number < 8 {
                prop_assert!(wait <= policy.base * (1 << (number - 1)));
            }
            prop_assert_eq!(decide(), decide());
        }
    }

    #[test]
    fn deliveries_do_not_wait_in_step() {
        let waits: std::collections::BTreeSet<_> = (0..100)
            .map(|index: u32| {
                let seed = seed(1, &"ops".into(), &index.to_string().into());
                backoff(6, &Policy::default(), seed)
            })
            .collect();
        assert!(waits.len() > 90);
        assert!(waits.iter().any(|wait| wait.as_secs() < 16) && waits.iter().any(|wait| wait.as_secs() > 48));
    }
}
