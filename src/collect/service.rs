//! What probes of services have in common, whatever they ask: attempts, and what is said of a service.

use std::sync::Arc;
use std::time::Duration;

use super::observation::Observation;
use crate::model::{Labels, Time};

/// Between two attempts of one pass.
const PAUSE: Duration = Duration::from_millis(250);

/// Why an attempt was not as expected.
#[derive(Debug, PartialEq)]
pub(super) enum Failure {
    /// Nothing could be connected to.
    Unreachable(String),
    /// Something is there, but it is not well.
    Unexpected(String),
}

/// How long a pass may take in which an attempt with this timeout is repeated so often.
pub(super) fn pass_timeout(timeout: Duration, retries: u32) -> Duration {
    (timeout + PAUSE).saturating_mul(retries.saturating_add(1)) + Duration::from_secs(1)
}

/// Attempts until one does not fail, or has been repeated so often. Gives what the last one saw.
pub(super) async fn probe<T, F>(retries: u32, attempt: impl Fn() -> F) -> F::Output
where
    F: Future<Output = (Option<T>, Option<Failure>)>,
{
    let mut n_left = retries;
    loop {
        let (seen, failure) = attempt().await;
        if failure.is_none() || n_left == 0 {
            return (seen, failure);
        }
        n_left -= 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// The snapshot of a service in the making: how it fares.
pub(super) fn observation(
    (kind, name, labels): (&str, &Arc<str>, &Labels),
    time: Time,
    failure: Option<&Failure>,
    consecutive_failures: u64,
) -> Observation {
    let (status, error) = match failure {
        None => ("running", ""),
        Some(Failure::Unreachable(error)) => ("stopped", error.as_str()),
        Some(Failure::Unexpected(error)) => ("error", error.as_str()),
    };
    let mut own = Observation::of(kind, Arc::clone(name), time);
    own.labels(labels)
        .text("status", status)
        .number("up", if failure.is_none() { 1.0 } else { 0.0 })
        .count("consecutive_failures", consecutive_failures)
        .text("error", error);
    own
}
