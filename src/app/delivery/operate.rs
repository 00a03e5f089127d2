//! What an operator does with notifications: try one now, give one up.

use std::sync::Arc;

use super::{Deliveries, Way, resume};
use crate::app::tasks;
use crate::engine::Input;
use crate::model::{AlertNote, ChannelName, EventKind, Notification, NotificationId};
use crate::outbox::{Hurried, Wish, is_summary};
use crate::store::{self, Delivery, DeliveryState, Reader, Record};

/// Why an operator's wish cannot be done.
#[derive(Debug, thiserror::Error)]
pub(in crate::app) enum OperatorError {
    #[error("there is no notification `{0}`")]
    Unknown(NotificationId),
    #[error("`{0}` was delivered already")]
    Delivered(NotificationId),
    #[error("`{id}` is told by the summary `{by}`")]
    Absorbed { id: NotificationId, by: NotificationId },
    #[error("`{0}` was given up already")]
    Dead(NotificationId),
    #[error("`{0}` comes to its end at this moment")]
    Ending(NotificationId),
    #[error("there is no channel `{0}` to tell it to")]
    NoChannel(ChannelName),
    #[error("nothing is sent in a dry run")]
    DryRun,
    #[error("cannot look it up")]
    Store(#[from] crate::store::Error),
    #[error("cannot look it up: {0}")]
    Failed(String),
}

/// What became of the wish to try a notification now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) enum Retried {
    /// It goes as soon as the channel's limit and its receiver allow.
    Goes,
    /// An attempt is being made at this moment.
    InFlight,
    /// It was given up, and waits again.
    Revived,
}

/// What became of the wish to give a notification up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) enum GivenUp {
    /// It is given up.
    Now,
    /// An attempt is being made: it is given up when that fails.
    WhenEnded,
}

impl Deliveries {
    /// Tries a notification now: one that waits goes at once, and one that was given up waits again.
    ///
    /// # Errors
    /// Where it neither waits nor was given up.
    pub(in crate::app) async fn retry(&self, id: &NotificationId) -> Result<Retried, OperatorError> {
        let asked = {
            let state = self.state();
            let Way::Outbox(outbox) = &state.way else { return Err(OperatorError::DryRun) };
            let channel = state.open.get(id).cloned();
            channel.map(|channel| (outbox.has(&channel), outbox.hurry(&channel, id.clone()), channel))
        };
        if let Some((has, answer, channel)) = asked {
            match answer.await.unwrap_or(Hurried::Unknown) {
                Hurried::Goes => return Ok(Retried::Goes),
                Hurried::InFlight => return Ok(Retried::InFlight),
                Hurried::Unknown if !has => return Err(OperatorError::NoChannel(channel)),
                Hurried::Unknown => {}
            }
        }
        let delivery = self.stored_delivery(id).await?;
        match &delivery.state {
            DeliveryState::Dead { .. } => self.revive(delivery).await,
            state => Err(refused(id, state)),
        }
    }

    async fn revive(&self, delivery: Delivery) -> Result<Retried, OperatorError> {
        let (id, channel) = (delivery.notification.id.clone(), delivery.notification.channel.clone());
        let now = self.clock.now();
        let reader = self.reader.clone();
        let (waiting, members) = self
            .blocking(move || {
                let mut waiting = resume::waiting(&*reader, delivery, now)?;
                // Its time begins anew.
                (waiting.first_attempt, waiting.next) = (None, None);
                let mut members = Vec::new();
                for id in waiting.absorbed.iter().flat_map(|absorbed| &absorbed.notifications) {
                    members.extend(reader.delivery(id)?.filter(|_| !is_summary(id)).map(|member| member.notification));
                }
                Ok((waiting, members))
            })
            .await?;
        {
            let mut state = self.state();
            match &state.way {
                Way::Printed { .. } => return Err(OperatorError::DryRun),
                Way::Outbox(outbox) if !outbox.has(&channel) => return Err(OperatorError::NoChannel(channel)),
                Way::Outbox(_) => {}
            }
            if state.open.contains_key(&id) {
                // Somebody else revives it at this moment.
                return Ok(Retried::Goes);
            }
            let n_decided = state.open_all(&waiting);
            let figures = state.figures.entry(channel).or_default();
            figures.revived += n_decided;
        }
        if !self.writer.store(Record::Revived { notification: id.clone(), time: now.wall() }).await {
            tracing::warn!(notification = %id, "revived, and would be given up again by a crash: the store cannot write");
        }
        let told = match waiting.absorbed {
            Some(_) => members.into_iter().map(Arc::new).collect(),
            None => vec![waiting.notification.clone()],
        };
        let reader = self.reader.clone();
        let told = self.blocking(move || with_ends(&*reader, told)).await?;
        for (notification, ends) in told {
            // While the daemon stops nobody waits for it any more.
            self.engine.tell(Input::Revived { notification, ends }).ok();
        }
        if let Way::Outbox(outbox) = &mut self.state().way {
            outbox.restore(waiting);
        }
        tracing::info!(notification = %id, "revived by an operator");
        Ok(Retried::Revived)
    }

    /// Gives a notification up that waits.
    ///
    /// # Errors
    /// Where it does not wait.
    pub(in crate::app) async fn give_up(&self, id: &NotificationId) -> Result<GivenUp, OperatorError> {
        let asked = {
            let state = self.state();
            let Way::Outbox(outbox) = &state.way else { return Err(OperatorError::DryRun) };
            state.open.get(id).map(|channel| (outbox.drop(channel, id.clone()), channel.clone()))
        };
        if let Some((answer, channel)) = asked {
            match answer.await.unwrap_or(Wish::Unknown) {
                Wish::Done => return Ok(GivenUp::Now),
                Wish::WhenEnded => return Ok(GivenUp::WhenEnded),
                Wish::Unknown => {
                    let mut state = self.state();
                    let Way::Outbox(outbox) = &mut state.way else { return Err(OperatorError::DryRun) };
                    if let Some(end) = outbox.drop_orphan(&channel, id) {
                        self.note_end(&mut state, &end);
                        return Ok(GivenUp::Now);
                    }
                }
            }
        }
        let delivery = self.stored_delivery(id).await?;
        Err(refused(id, &delivery.state))
    }

    async fn stored_delivery(&self, id: &NotificationId) -> Result<Delivery, OperatorError> {
        let (reader, wanted) = (self.reader.clone(), id.clone());
        let found = self.blocking(move || reader.delivery(&wanted)).await?;
        found.ok_or_else(|| OperatorError::Unknown(id.clone()))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> Result<T, crate::store::Error> + Send + 'static,
    ) -> Result<T, OperatorError> {
        let looked = tasks::blocking(look).await;
        Ok(looked.map_err(|error| OperatorError::Failed(error.to_string()))??)
    }
}

fn refused(id: &NotificationId, state: &DeliveryState) -> OperatorError {
    match state {
        DeliveryState::Delivered { .. } => OperatorError::Delivered(id.clone()),
        DeliveryState::Absorbed { by } => OperatorError::Absorbed { id: id.clone(), by: by.clone() },
        DeliveryState::Dead { .. } => OperatorError::Dead(id.clone()),
        DeliveryState::Waiting { .. } => OperatorError::Ending(id.clone()),
    }
}

/// A notification, and the ends of firings of which it tells as if they were not over.
type WithEnds = (Arc<Notification>, Vec<AlertNote>);

/// Notifications with the ends of those firings that are over by now: a raise that comes so late is followed by its end.
fn with_ends(reader: &dyn Reader, notifications: Vec<Arc<Notification>>) -> Result<Vec<WithEnds>, store::Error> {
    let end = |note: &AlertNote| -> Result<Option<AlertNote>, store::Error> {
        let Some(firing) = reader.firing(&note.id)? else { return Ok(None) };
        Ok(firing.ended.map(|ended| AlertNote {
            event: if firing.reason.is_some() { EventKind::Closed } else { EventKind::Recovered },
            reason: firing.reason,
            level: firing.level,
            ended: Some(ended),
            folded: Vec::new(),
            folded_omitted: 0,
            ..note.clone()
        }))
    };
    let with = |notification: Arc<Notification>| {
        let told = notification.alerts.iter().filter(|note| !note.event.is_end());
        let ends = told.map(end).filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok((notification, ends))
    };
    notifications.into_iter().map(with).collect()
}
