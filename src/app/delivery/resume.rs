//! Going on after a restart: what waits in the store goes to the outbox again.

use std::sync::Arc;

use crate::channels::Configured;
use crate::model::{Notification, Now, Occasion, Time};
use crate::outbox::{Absorbed, Waiting, is_summary};
use crate::store::{self, Delivery, DeliveryState, Reader};

/// Summaries of summaries that are followed: each level is an outage of its own.
const DEEPEST: usize = 64;

/// A delivery that waits, for the outbox: wall-clock times become engine time.
pub(super) fn waiting(reader: &dyn Reader, delivery: Delivery, now: Now) -> Result<Waiting, store::Error> {
    let absorbed = absorbed(reader, &delivery.notification)?;
    Ok(Waiting {
        attempts: delivery.attempts,
        first_attempt: delivery.first_attempt.map(|time| engine_time(time, now)),
        next: match delivery.state {
            DeliveryState::Waiting { next } => next.map(|time| engine_time(time, now)),
            DeliveryState::Delivered { .. } | DeliveryState::Absorbed { .. } | DeliveryState::Dead { .. } => None,
        },
        settled: Vec::new(),
        absorbed,
        notification: Arc::new(delivery.notification),
    })
}

/// What ends with a summary. The firings are those that it names: of the others the engine sends nothing before that.
fn absorbed(reader: &dyn Reader, notification: &Notification) -> Result<Option<Box<Absorbed>>, store::Error> {
    if !matches!(notification.occasion, Occasion::Summary(_)) {
        return Ok(None);
    }
    let mut absorbed = Absorbed::default();
    take_in(reader, notification, &mut absorbed, DEEPEST)?;
    absorbed.firings.sort();
    absorbed.firings.dedup();
    Ok(Some(Box::new(absorbed)))
}

fn take_in(
    reader: &dyn Reader,
    summary: &Notification,
    absorbed: &mut Absorbed,
    deepest: usize,
) -> Result<(), store::Error> {
    absorbed.firings.extend(summary.alerts.iter().map(|alert| alert.id.clone()));
    let Occasion::Summary(content) = &summary.occasion else { return Ok(()) };
    for id in &content.stands_for {
        absorbed.notifications.push(id.clone());
        if is_summary(id)
            && deepest > 0
            && let Some(inner) = reader.delivery(id)?
        {
            take_in(reader, &inner.notification, absorbed, deepest - 1)?;
        }
    }
    Ok(())
}

/// When attempts at a channel ended that its limit counts, in engine time.
pub(super) fn past_attempts(reader: &dyn Reader, channel: &Configured, now: Now) -> Vec<Time> {
    let Some(limit) = channel.limit() else { return Vec::new() };
    match reader.attempt_times(channel.name(), now.wall() - limit.per()) {
        Ok(times) => times.into_iter().map(|time| engine_time(time, now).min(now.time)).collect(),
        Err(error) => {
            let error = crate::diagnostic::error_chain(&error);
            tracing::warn!(channel = %channel.name(), error, "the limit of the channel counts from now on only");
            Vec::new()
        }
    }
}

/// Engine time of what the wall clock showed.
fn engine_time(wall: Time, now: Now) -> Time {
    wall.offset(now.wall_offset.saturating_neg())
}
