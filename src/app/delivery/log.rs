//! What the log tells of deliveries: when a channel begins to fail, fails otherwise, and works again.

use std::collections::BTreeMap;

use crate::channels::Verdict;
use crate::model::ChannelName;
use crate::outbox::{AttemptRecord, End, Next};

/// Why each channel failed last, so that the same is not said again and again.
#[derive(Debug, Default)]
pub(super) struct Log {
    failing: BTreeMap<ChannelName, String>,
}

impl Log {
    pub(super) fn attempt(&mut self, attempt: &AttemptRecord) {
        let channel = &attempt.channel;
        let (notification, number) = (&attempt.notification, attempt.number);
        match (&attempt.next, attempt.verdict.reason()) {
            (Next::Dead { reason }, _) => {
                tracing::error!(%channel, %notification, number, error = reason, "notification given up");
                self.failing.insert(channel.clone(), reason.clone());
            }
            (Next::RetryAt { .. }, reason) => {
                let reason = reason.unwrap_or_default();
                if self.failing.get(channel).is_none_or(|known| known != reason) {
                    tracing::warn!(%channel, %notification, number, error = reason, "delivery failed, it is tried again");
                    self.failing.insert(channel.clone(), reason.to_string());
                }
            }
            (Next::Done, partly) => {
                if let Some(reason) = partly {
                    tracing::warn!(%channel, %notification, error = reason, "delivered to some only");
                }
                if self.failing.remove(channel).is_some() && matches!(attempt.verdict, Verdict::Ok) {
                    tracing::info!(%channel, "channel works again");
                }
            }
        }
    }
}

/// Logs an end that no attempt tells of.
pub(super) fn unattempted(end: &End) {
    let (channel, notification) = (&end.channel, &end.closed.notification);
    let (reason, absorbed) = (end.closed.reason.as_deref().unwrap_or_default(), end.closed.absorbed.len());
    tracing::warn!(%channel, %notification, absorbed, error = reason, "notification given up");
}
