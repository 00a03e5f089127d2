//! What the HTTP server asks of the outbox: notifications as documents, and what an operator does with them.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::api::Api;
use super::delivery::{GivenUp, OperatorError, Retried};
use super::tasks;
use crate::model::{Notification, NotificationId, Occasion};
use crate::routing::Plan;
use crate::server::api::{
    AcknowledgedDto, AttemptDto, DeliveryDetailDto, DeliveryDto, ForgottenDto, OperatedDto, PauseDto, ReplayDto,
    SilenceDto, SilenceMadeDto, ToldDto,
};
use crate::server::{
    Acknowledgement, AuditEntry, OperateError, Operator, OutboxQuery, PauseAsked, ReplayAsked, Unavailable,
};
use crate::store::{
    Attempt, AttemptResult, Audit, Delivery, DeliveryFilter, DeliveryState, DeliveryStateName, Error, Reader, Record,
};

impl Api {
    /// Notifications, the newest first.
    pub(super) async fn list_outbox(&self, query: OutboxQuery) -> Result<Vec<DeliveryDto>, Unavailable> {
        let named = |name: String| DeliveryStateName::ALL.into_iter().find(|state| state.as_str() == name);
        let filter = DeliveryFilter {
            state: query.state.and_then(named),
            channel: query.channel.map(Into::into),
            limit: query.limit,
            offset: query.offset,
        };
        let found = self.read_store(move |reader| reader.deliveries(&filter)).await?;
        Ok(found.iter().map(document).collect())
    }

    /// One notification with its attempts.
    pub(super) async fn show_delivery(&self, id: NotificationId) -> Result<Option<DeliveryDetailDto>, Unavailable> {
        let found = self.read_store(move |reader| reader.delivery(&id)).await?;
        Ok(found.as_ref().map(detail))
    }

    async fn read_store<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let reader: Arc<dyn Reader> = self.store.clone();
        let read = tasks::blocking(move || read(&*reader)).await;
        let read = read.and_then(|read| read.map_err(anyhow::Error::from));
        read.map_err(|error| {
            tracing::error!(error = format!("{error:#}"), "the store cannot be read");
            Unavailable
        })
    }
}

impl Operator for Api {
    fn replay(&self, asked: ReplayAsked) -> BoxFuture<'_, Result<ReplayDto, OperateError>> {
        Box::pin(self.try_rules(asked))
    }

    fn test_channel(&self, channel: String) -> BoxFuture<'_, Result<String, OperateError>> {
        Box::pin(self.send_sample(channel))
    }

    fn retry_delivery(&self, id: &str) -> BoxFuture<'_, Result<OperatedDto, OperateError>> {
        let id = NotificationId::from(id);
        Box::pin(async move {
            let result = match self.deliveries.retry(&id).await.map_err(refused)? {
                Retried::Goes => "waiting",
                Retried::InFlight => "in_flight",
                Retried::Revived => "revived",
            };
            Ok(OperatedDto { id: id.to_string(), result: result.to_string() })
        })
    }

    fn drop_delivery(&self, id: &str) -> BoxFuture<'_, Result<OperatedDto, OperateError>> {
        let id = NotificationId::from(id);
        Box::pin(async move {
            let result = match self.deliveries.give_up(&id).await.map_err(refused)? {
                GivenUp::Now => "dropped",
                GivenUp::WhenEnded => "dropped_after_attempt",
            };
            Ok(OperatedDto { id: id.to_string(), result: result.to_string() })
        })
    }

    fn silence(&self, plan: Plan, preview: bool) -> BoxFuture<'_, Result<SilenceMadeDto, OperateError>> {
        Box::pin(self.make_silence(plan, preview))
    }

    fn show_silence(&self, id: String) -> BoxFuture<'_, Result<SilenceMadeDto, OperateError>> {
        Box::pin(self.see_silence(id))
    }

    fn end_silence(&self, id: String, by: String) -> BoxFuture<'_, Result<SilenceDto, OperateError>> {
        Box::pin(self.expire_silence(id, by))
    }

    fn note(&self, entry: AuditEntry) -> BoxFuture<'_, bool> {
        let AuditEntry { time, who, address, what, status } = entry;
        tracing::info!(who, address, what, status, "audit");
        Box::pin(self.writer.store(Record::Audit(Audit { time, who, address, what, status })))
    }

    fn pause(&self, asked: PauseAsked) -> BoxFuture<'_, Result<Vec<PauseDto>, OperateError>> {
        Box::pin(self.pause_these(asked))
    }

    fn resume(&self, asked: PauseAsked) -> BoxFuture<'_, Result<Vec<PauseDto>, OperateError>> {
        Box::pin(self.resume_these(asked))
    }

    fn forget(&self, kind: String, name: String) -> BoxFuture<'_, Result<ForgottenDto, OperateError>> {
        Box::pin(self.forget_subject(kind, name))
    }

    fn acknowledge(&self, asked: Acknowledgement) -> BoxFuture<'_, Result<AcknowledgedDto, OperateError>> {
        Box::pin(self.acknowledge_firings(asked))
    }
}

fn refused(error: OperatorError) -> OperateError {
    let said = error.to_string();
    let hint = match &error {
        OperatorError::Unknown(_) => return OperateError::Unknown(said),
        OperatorError::Store(_) | OperatorError::Failed(_) => {
            return OperateError::Failed(format!("{:#}", anyhow::Error::from(error)));
        }
        OperatorError::Delivered(_) | OperatorError::DryRun => None,
        OperatorError::Dead(id) => Some(format!("to try it again: larum outbox retry {id}")),
        OperatorError::Absorbed { by, .. } => Some(format!("ask for {by}")),
        OperatorError::Ending(id) => Some(format!("see what became of it: larum outbox show {id}")),
        OperatorError::NoChannel(channel) => Some(format!("it waits for a good file channels/{channel}.yaml")),
    };
    OperateError::Conflict { said, hint }
}

fn document(delivery: &Delivery) -> DeliveryDto {
    let Notification { id, channel, time, alerts, occasion } = &delivery.notification;
    let (occasion, n_alerts) = match occasion {
        Occasion::Alert => ("alert", alerts.len()),
        Occasion::Group(_) => ("group", alerts.len()),
        Occasion::Summary(summary) => ("summary", alerts.len() + summary.omitted),
        Occasion::Undelivered(_) => ("undelivered", alerts.len()),
    };
    let first = alerts.first();
    let newest_error = delivery.newest_attempts.last().and_then(|attempt| match &attempt.result {
        AttemptResult::Delivered { partly } => partly.clone(),
        AttemptResult::Failed { error, .. } | AttemptResult::Dead { error } => Some(error.clone()),
    });
    let (next_attempt, ended, absorbed_by, error) = match &delivery.state {
        DeliveryState::Waiting { next } => (*next, None, None, newest_error),
        DeliveryState::Delivered { time } => (None, Some(*time), None, newest_error),
        DeliveryState::Absorbed { by } => (None, None, Some(by.to_string()), None),
        DeliveryState::Dead { time, error } => (None, Some(*time), None, Some(error.clone())),
    };
    DeliveryDto {
        id: id.to_string(),
        channel: channel.to_string(),
        state: delivery.state.name().as_str().to_string(),
        occasion: occasion.to_string(),
        rule: first.map(|note| note.rule.to_string()),
        kind: first.map(|note| note.subject.kind.to_string()),
        name: first.map(|note| note.subject.name.to_string()),
        event: first.map(|note| note.event.to_string()),
        level: first.map(|note| note.level),
        alerts: n_alerts,
        events: delivery.notification.events(),
        time: *time,
        attempts: delivery.attempts,
        next_attempt,
        ended,
        absorbed_by,
        error,
    }
}

fn detail(delivery: &Delivery) -> DeliveryDetailDto {
    let told = delivery.notification.alerts.iter().map(|note| ToldDto {
        id: note.id.to_string(),
        event: note.event.to_string(),
        rule: note.rule.to_string(),
        level: note.level,
        kind: note.subject.kind.to_string(),
        name: note.subject.name.to_string(),
        message: note.message.clone(),
    });
    let stands_for = match &delivery.notification.occasion {
        Occasion::Summary(summary) => summary.stands_for.iter().map(ToString::to_string).collect(),
        Occasion::Alert | Occasion::Group(_) | Occasion::Undelivered(_) => Vec::new(),
    };
    DeliveryDetailDto {
        delivery: document(delivery),
        first_attempt: delivery.first_attempt,
        told: told.collect(),
        stands_for,
        newest_attempts: delivery.newest_attempts.iter().map(attempt).collect(),
    }
}

pub(super) fn attempt(attempt: &Attempt) -> AttemptDto {
    let (result, error, next_attempt) = match &attempt.result {
        AttemptResult::Delivered { partly } => ("delivered", partly.clone(), None),
        AttemptResult::Failed { error, next } => ("failed", Some(error.clone()), Some(*next)),
        AttemptResult::Dead { error } => ("dead", Some(error.clone()), None),
    };
    AttemptDto {
        number: attempt.number,
        time: attempt.time,
        duration_seconds: attempt.took.as_secs_f64(),
        result: result.to_string(),
        error,
        next_attempt,
    }
}
