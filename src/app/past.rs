//! Alerts of the past, as the store has them: lists of firings, and one firing with all that is known of it.
//!
//! What still fires is known better by the engine: its documents come along as `present`.

use std::sync::Arc;

use super::outbox_api::attempt;
use crate::model::{FiringId, Occasion, Time};
use crate::server::api::{
    AlertDto, AlertEventDto, AlertHistoryDto, AlertNotificationDto, AlertPageDto, SuppressedDto, TransitionDto,
};
use crate::server::{Cursor, FiringQuery, Found, PastError};
use crate::store::{self, Delivery, DeliveryState, Firing, FiringFilter, Reader};

/// Firings that are looked at in one go.
const STEP: usize = 500;
/// Firings that a page steps back behind its cursor: so many may be forgotten meanwhile, and none is left out.
const BACK: usize = 100;
/// The newest firings, among which the beginning of an id is looked for.
const SEARCHED: usize = 20_000;
/// Ids that are named where several begin alike.
const NAMED: usize = 5;
/// The newest changes of an alert's state that are looked through.
const TRANSITIONS: usize = 1000;

/// Reads the store where that holds nobody up.
pub(super) async fn read<T: Send + 'static, E: std::error::Error + Send + Sync + 'static>(
    store: Arc<dyn Reader>,
    question: impl FnOnce(&dyn Reader) -> Result<T, E> + Send + 'static,
) -> Result<T, PastError> {
    let read = tokio::task::spawn_blocking(move || question(store.as_ref())).await;
    read.map_err(|error| PastError::Store(error.to_string()))?.map_err(|error| {
        let error = format!("{:#}", anyhow::Error::new(error));
        tracing::error!(error, "cannot read what is stored");
        PastError::Store(error)
    })
}

/// One page of firings.
pub(super) fn page(
    store: &dyn Reader,
    asked: &FiringQuery,
    present: Vec<AlertDto>,
) -> Result<AlertPageDto, store::Error> {
    let mut filter = FiringFilter {
        firing: asked.ended.then_some(false),
        rule: asked.rule.clone(),
        kind: asked.kind.clone(),
        name: asked.name.clone(),
        level: asked.level,
        since: asked.since,
        limit: STEP,
        offset: asked.after.as_ref().map_or(0, |cursor| cursor.seen.saturating_sub(BACK)),
    };
    // Firings come and go while somebody turns pages: their order, not their number, says where the next page begins.
    let is_after = |firing: &Firing| match &asked.after {
        None => true,
        Some(cursor) => (cursor.since, &firing.id) > (firing.since, &cursor.id),
    };
    let mut firings: Vec<Firing> = Vec::new();
    while firings.len() <= asked.limit {
        let step = store.firings(&filter)?;
        let is_last = step.len() < filter.limit;
        filter.offset += step.len();
        firings.extend(step.into_iter().filter(is_after));
        if is_last {
            break;
        }
    }
    let more = firings.len() > asked.limit;
    firings.truncate(asked.limit);
    let seen = asked.after.as_ref().map_or(0, |cursor| cursor.seen) + firings.len();
    let next = firings.last().filter(|_| more);
    let next = next.map(|last| Cursor { seen, since: last.since, id: last.id.clone() }.to_string());
    let documents = firings.into_iter().map(|firing| document(store, firing, &present));
    Ok(AlertPageDto { alerts: documents.collect::<Result<_, _>>()?, next })
}

/// The firing with this id, or the only one whose id begins so.
pub(super) fn find(store: &dyn Reader, id: &str, present: Vec<AlertDto>) -> Result<Found, store::Error> {
    if let Some(firing) = store.firing(&FiringId::from(id))? {
        return Ok(Found::One(Box::new(history(store, firing, &present)?)));
    }
    let mut found = Vec::new();
    let mut filter = FiringFilter { limit: STEP, ..FiringFilter::default() };
    while filter.offset < SEARCHED && found.len() <= NAMED {
        let step = store.firings(&filter)?;
        let is_last = step.len() < filter.limit;
        filter.offset += step.len();
        found.extend(step.into_iter().filter(|firing| firing.id.as_str().starts_with(id)));
        if is_last {
            break;
        }
    }
    if found.len() > 1 {
        return Ok(Found::Several(found.iter().take(NAMED).map(|firing| firing.id.to_string()).collect()));
    }
    match found.pop() {
        Some(firing) => Ok(Found::One(Box::new(history(store, firing, &present)?))),
        None => Ok(Found::None),
    }
}

/// The alert as the engine knows it while it fires, and as it is stored afterwards.
fn document(store: &dyn Reader, firing: Firing, present: &[AlertDto]) -> Result<AlertDto, store::Error> {
    if let Some(alert) = present.iter().find(|alert| alert.id.as_deref() == Some(firing.id.as_str())) {
        return Ok(alert.clone());
    }
    let told = store.told(&firing.id)?.iter().map(ToString::to_string).collect();
    Ok(AlertDto {
        id: Some(firing.id.to_string()),
        rule: firing.rule.to_string(),
        kind: firing.subject.kind.to_string(),
        name: firing.subject.name.to_string(),
        labels: firing.labels,
        state: if firing.ended.is_some() { "ended" } else { "firing" }.to_string(),
        level: Some(firing.level),
        since: firing.since,
        ended: firing.ended,
        reason: firing.reason,
        message: Some(firing.message),
        values: Default::default(),
        told,
        held: Default::default(),
        acknowledged: None,
        silenced_by: Vec::new(),
        inhibited_by: None,
        escalation: None,
        not_judged_since: None,
    })
}

fn history(store: &dyn Reader, firing: Firing, present: &[AlertDto]) -> Result<AlertHistoryDto, store::Error> {
    let events = store.events_of(&firing.id)?.into_iter().map(|event| AlertEventDto {
        time: event.time,
        event: event.kind,
        reason: event.reason,
        level: event.level,
        message: event.message,
    });
    let events = events.collect();
    let deliveries = store.deliveries_of(&firing.id)?;
    let notifications = deliveries.into_iter().map(|delivery| notification(delivery, &firing.id)).collect();
    let suppressed = store.suppressed_of(&firing.id)?.into_iter().map(|suppressed| SuppressedDto {
        channel: suppressed.channel.to_string(),
        reason: suppressed.reason.to_string(),
    });
    let suppressed = suppressed.collect();
    let transitions = transitions(store, &firing)?;
    Ok(AlertHistoryDto { alert: document(store, firing, present)?, events, transitions, notifications, suppressed })
}

/// The changes that belong to a firing: from where its alert left `inactive` before the raise, to its end.
fn transitions(store: &dyn Reader, firing: &Firing) -> Result<Vec<TransitionDto>, store::Error> {
    let mut all = store.transitions_of(&firing.rule, &firing.subject, TRANSITIONS)?;
    all.retain(|change| firing.ended.is_none_or(|ended| change.time <= ended));
    let begins = |time: Time, from: &str| time <= firing.since && from == "inactive";
    let first = all.iter().rposition(|change| begins(change.time, change.from));
    let first = first.or_else(|| all.iter().position(|change| change.time >= firing.since)).unwrap_or(all.len());
    let documents = all.drain(first..).map(|change| TransitionDto {
        time: change.time,
        from: change.from.to_string(),
        to: change.to.to_string(),
    });
    Ok(documents.collect())
}

pub(super) fn notification(delivery: Delivery, firing: &FiringId) -> AlertNotificationDto {
    let Delivery { notification, state, attempts: n_attempts, newest_attempts, .. } = delivery;
    let occasion = match &notification.occasion {
        Occasion::Alert => "alert",
        Occasion::Group(_) => "group",
        Occasion::Summary(_) => "summary",
        Occasion::Undelivered(_) => "undelivered",
    };
    let name = state.name().as_str().to_string();
    let (ended, next_attempt, absorbed_by, error) = match state {
        DeliveryState::Waiting { next } => (None, next, None, None),
        DeliveryState::Delivered { time } => (Some(time), None, None, None),
        DeliveryState::Absorbed { by } => (None, None, Some(by.to_string()), None),
        DeliveryState::Dead { time, error } => (Some(time), None, None, Some(error)),
    };
    let of_firing = notification.alerts.iter().filter(|note| note.id == *firing);
    AlertNotificationDto {
        id: notification.id.to_string(),
        channel: notification.channel.to_string(),
        time: notification.time,
        events: of_firing.map(|note| note.event).collect(),
        occasion: occasion.to_string(),
        state: name,
        ended,
        next_attempt,
        absorbed_by,
        error,
        n_attempts,
        attempts: newest_attempts.iter().map(attempt).collect(),
    }
}

#[cfg(test)]
mod tests;
