//! What the server needs of the rest of the daemon.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::api::{AlertDto, ChannelDto, RuleDto, StatusDto, SubjectDto};
use crate::history::{Batch, Refusal};
use crate::model::Now;

/// Where pushes go.
pub trait Intake: Send + Sync + 'static {
    /// Engine time.
    fn now(&self) -> Now;

    /// Whether a kind is written by larum itself, so that a push may not write it: `collector`, `larum`, and the kinds
    /// of the collectors that run.
    fn is_reserved(&self, kind: &str) -> bool;

    /// Hands a batch to the engine, and answers when the effects of its step are stored (or cannot be: `durable`).
    ///
    /// # Errors
    /// At once where the queue is full, or the daemon is stopping. Then nothing of the batch was taken.
    fn push(&self, batch: Batch) -> BoxFuture<'_, Result<PushReceipt, PushError>>;
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PushReceipt {
    /// How many snapshots were taken.
    pub taken: usize,
    /// How many were equal to what was known.
    pub duplicates: usize,
    /// What was refused, by index in the batch.
    pub refused: Vec<(usize, Refusal)>,
    /// Whether the effects are stored.
    pub durable: bool,
}

/// Why a batch was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The queue is full.
    #[error("the engine's queue is full")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// No collector takes pushes.
    #[error("pushes are not taken here")]
    Off,
    /// The daemon is stopping.
    #[error("larum is stopping")]
    Stopping,
}

/// What can be seen from outside, as the documents of the API.
pub trait View: Send + Sync + 'static {
    /// Whether rules are loaded and the store is open.
    fn readiness(&self) -> Readiness;
    /// The overview.
    fn status(&self) -> BoxFuture<'_, Result<StatusDto, Unavailable>>;
    /// All rules, in the order of their names.
    fn rules(&self) -> BoxFuture<'_, Result<Vec<RuleDto>, Unavailable>>;
    /// All alerts that are not inactive, by rule and subject.
    fn alerts(&self) -> BoxFuture<'_, Result<Vec<AlertDto>, Unavailable>>;
    /// All subjects, by kind and name.
    fn subjects(&self) -> BoxFuture<'_, Result<Vec<SubjectDto>, Unavailable>>;
    /// All channels, in the order of their names.
    fn channels(&self) -> BoxFuture<'_, Result<Vec<ChannelDto>, Unavailable>>;
}

/// Whether the daemon does its work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What is still missing, for people: "the store is not open". Empty when ready.
    pub missing: Vec<String>,
}

/// The part of the daemon that knows has stopped, or does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine does not answer")]
pub struct Unavailable;
