//! Why a rule fires on something, or not: what the engine says, with what the outbox and the store know of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::api::Api;
use super::past;
use super::problems::Part;
use super::tasks::blocking;
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::explain::{Answer, Explanation, Survey, Unexplained};
use crate::lab::why::{Refusal, document, survey_document};
use crate::model::{FiringId, SubjectKey};
use crate::rules::trace::Inside;
use crate::server::api::{
    AlertNotificationDto, SuppressedDto, WhyChannelDto, WhyDto, WhyFiringDto, WhyOutboxDto, WhyStagesDto,
};
use crate::server::{Unavailable, WhyError, WhyQuery};
use crate::store::{self, FiringFilter, Reader};

/// The engine is held up for about so long at a time, and takes what waits in between.
const CHUNK: Duration = Duration::from_millis(5);
/// For how long it is looked how near subjects are to firing: then the nearest of those that were looked at are told.
const LOOK_FOR: Duration = Duration::from_millis(60);

/// A rule that changes while it is made ready is made ready again so often.
const TRIES: usize = 3;

impl From<Unavailable> for WhyError {
    fn from(error: Unavailable) -> WhyError {
        WhyError::Unavailable(error)
    }
}

impl Api {
    /// Why a rule fires on something, or not.
    pub(super) async fn explain(&self, asked: WhyQuery) -> Result<WhyDto, WhyError> {
        let mut tries = 0;
        let (inside, answer) = loop {
            match self.question(&asked).await? {
                Ok(answered) => break answered,
                Err(Unexplained::RuleChanged) if tries < TRIES => tries += 1,
                Err(unexplained) => return Err(self.refused(&unexplained, &asked).await),
            }
        };
        let mut document = match answer {
            Answer::One(explanation) => self.with_deliveries(&explanation).await,
            Answer::All(survey) => self.survey(inside, *survey).await?,
        };
        let problem = self.rule_problems().into_iter().find(|problem| *problem.file == document.rule.file);
        document.rule.file_problem = problem.map(|problem| problem.to_string());
        Ok(document)
    }

    /// Makes the rule ready where that holds nobody up, and asks the engine then.
    async fn question(&self, asked: &WhyQuery) -> Result<Result<(Arc<Inside>, Answer), Unexplained>, Unavailable> {
        let name = asked.rule.clone();
        let rule = match self.ask(move |engine, _| engine.rule(&name)).await? {
            Ok(rule) => rule,
            Err(unexplained) => return Ok(Err(unexplained)),
        };
        let inside = blocking(move || Inside::of(&rule)).await.map_err(|_| Unavailable)?;
        let (inside, asked) = (Arc::new(inside), asked.clone());
        let asking = inside.clone();
        let answer =
            self.ask(move |engine, now| engine.why(now, &asking, asked.kind.as_deref(), asked.name.as_deref())).await?;
        Ok(answer.map(|answer| (inside, answer)))
    }

    /// All subjects of a rule, with how near they are as far as there is time to look.
    async fn survey(&self, inside: Arc<Inside>, survey: Survey) -> Result<WhyDto, Unavailable> {
        let give_up = Instant::now() + LOOK_FOR;
        let (mut near, mut measured, mut size) = (Vec::new(), 0, 1);
        while measured < survey.clear.len() && Instant::now() < give_up {
            let chunk: Vec<_> = survey.clear.iter().skip(measured).take(size).cloned().collect();
            measured += chunk.len();
            let inside = inside.clone();
            let looked = self.ask(move |engine, now| {
                let began = Instant::now();
                (engine.distances(now, &inside, &chunk), began.elapsed())
            });
            let (found, took) = looked.await?;
            near.extend(found);
            size = next_size(size, took);
        }
        Ok(survey_document(&survey, measured, near))
    }

    /// The document of one explanation, with what became of its notifications.
    async fn with_deliveries(&self, explanation: &Explanation) -> WhyDto {
        let mut document = document(explanation);
        let figures = self.deliveries.figures();
        let mut limits = Vec::new();
        for channel in document.stages.iter_mut().flat_map(WhyStagesDto::channels_mut) {
            let Some(figures) = figures.get(channel.name.as_str()) else { continue };
            let health = &figures.health;
            channel.outbox = Some(WhyOutboxDto {
                waiting: figures.waiting as usize,
                limit: health.limit.map(|limit| limit.to_string()),
                limit_used: None,
                limit_count: health.limit.map(|limit| limit.count()),
                limited_until: health.limited_until.filter(|until| *until > document.time),
                paused_until: health.paused_until,
                consecutive_failures: health.consecutive_failures,
                problem: health.last_error.clone().filter(|_| health.consecutive_failures > 0),
            });
            limits.extend(health.limit.map(|limit| (channel.name.clone(), limit, health.in_flight)));
        }
        let (rule, subject) = (explanation.fares.rule.name.to_string(), explanation.subject.clone());
        let (firing, now) = (explanation.firing().cloned(), document.time);
        let read = past::read(self.store.clone(), move |store| {
            let mut used = Vec::new();
            for (name, limit, in_flight) in limits {
                let ended = store.attempt_times(&name.as_str().into(), now - limit.per())?.len();
                used.push((name, ended + in_flight));
            }
            Ok::<_, crate::store::Error>((newest_firing(store, firing.as_ref(), rule, &subject)?, used))
        });
        // What the engine says stands without the store; that this cannot be read is logged and shown elsewhere.
        let Ok((newest, used)) = read.await else { return document };
        document.last_firing = newest;
        let present = document
            .last_firing
            .as_ref()
            .filter(|firing| explanation.firing().is_some_and(|id| id.as_str() == firing.id));
        for channel in document.stages.iter_mut().flat_map(WhyStagesDto::channels_mut) {
            if let Some(firing) = present {
                note_delivery(channel, &firing.notifications);
            }
            let found = used.iter().find(|(name, _)| *name == channel.name);
            if let (Some((_, used)), Some(outbox)) = (found, &mut channel.outbox) {
                outbox.limit_used = Some(*used);
            }
        }
        document
    }

    fn rule_problems(&self) -> Vec<Diagnostic> {
        let all = self.problems.by_part().into_iter();
        all.filter(|(part, problem)| *part == Part::Rules && problem.severity == Severity::Error)
            .map(|(_, problem)| problem)
            .collect()
    }

    /// Why there is no answer. A rule that is not there may stand in a file that is broken.
    async fn refused(&self, unexplained: &Unexplained, asked: &WhyQuery) -> WhyError {
        let Refusal { error, hint } = Refusal::of(unexplained, &asked.rule, asked.name.as_deref());
        let problems = self.rule_problems();
        if !matches!(unexplained, Unexplained::NoRule { .. }) || problems.is_empty() {
            return WhyError::Unknown { error, hint };
        }
        let (layout, quoted) = (self.layout.clone(), format!("\"{}\"", asked.rule));
        let found = blocking(move || {
            let mentions = |problem: &&Diagnostic| {
                std::fs::read_to_string(layout.root().join(&*problem.file)).is_ok_and(|text| text.contains(&quoted))
            };
            let named = problems.iter().find(mentions).cloned();
            (named, problems.len())
        });
        match found.await {
            Ok((Some(problem), _)) => WhyError::Unknown {
                error: format!("rule `{}` is not loaded, as its file is broken: {problem}", asked.rule),
                hint: Some("repair the file: it is loaded as soon as it is saved".to_string()),
            },
            Ok((None, n)) => WhyError::Unknown {
                error: format!("{error}, and {n} rule file(s) with errors are not loaded"),
                hint: hint.or_else(|| Some("`larum check` names the errors".to_string())),
            },
            Err(_) => WhyError::Unknown { error, hint },
        }
    }
}

/// How many targets are looked at next, as these took so long.
fn next_size(size: usize, took: Duration) -> usize {
    match took < CHUNK {
        true => size.saturating_mul(2),
        false => (size / 2).max(1),
    }
}

/// What the store knows of the newest notification to a channel: the engine knows only whether it came to its end, and
/// whether any has arrived.
fn note_delivery(channel: &mut WhyChannelDto, notifications: &[AlertNotificationDto]) {
    let Some(delivery) = &mut channel.delivery else { return };
    let mut of_channel = notifications.iter().rev().filter(|stored| stored.channel == channel.name);
    let found = match &channel.in_flight {
        Some(id) => of_channel.find(|stored| stored.id == *id),
        None => of_channel.next(),
    };
    let Some(stored) = found else { return };
    let summary = stored.absorbed_by.as_ref().and_then(|by| notifications.iter().find(|other| other.id == *by));
    let stored = summary.unwrap_or(stored);
    if matches!(stored.state.as_str(), "delivered" | "waiting" | "dead") {
        delivery.state.clone_from(&stored.state);
    }
    let newest_error = stored.attempts.last().and_then(|attempt| attempt.error.clone());
    delivery.attempts = Some(stored.n_attempts);
    delivery.next = stored.next_attempt;
    delivery.error = stored.error.clone().or(newest_error);
}

/// The present firing as it is stored, else the newest of the alert.
fn newest_firing(
    store: &dyn Reader,
    present: Option<&FiringId>,
    rule: String,
    subject: &SubjectKey,
) -> Result<Option<WhyFiringDto>, store::Error> {
    let found = match present {
        Some(id) => store.firing(id)?,
        None => {
            let filter = FiringFilter {
                rule: Some(rule),
                kind: Some(subject.kind.to_string()),
                name: Some(subject.name.to_string()),
                limit: 1,
                ..FiringFilter::default()
            };
            store.firings(&filter)?.pop()
        }
    };
    let Some(firing) = found else { return Ok(None) };
    let deliveries = store.deliveries_of(&firing.id)?;
    let suppressed = store.suppressed_of(&firing.id)?.into_iter().map(|suppressed| SuppressedDto {
        channel: suppressed.channel.to_string(),
        reason: suppressed.reason.to_string(),
    });
    Ok(Some(WhyFiringDto {
        suppressed: suppressed.collect(),
        notifications: deliveries.into_iter().map(|delivery| past::notification(delivery, &firing.id)).collect(),
        id: firing.id.to_string(),
        level: firing.level,
        since: firing.since,
        ended: firing.ended,
        reason: firing.reason,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::api::WhyDeliveryDto;

    #[test]
    fn the_engine_is_held_up_by_time_and_not_by_a_count() {
        let quick = Duration::from_micros(100);
        let sizes: Vec<usize> =
            std::iter::successors(Some(1), |size| Some(next_size(*size, quick * *size as u32))).take(8).collect();
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 64, 32], "it grows until a chunk takes its 5 ms");
        assert_eq!(next_size(1, Duration::from_secs(1)), 1);
    }

    fn stored(id: &str, state: &str, error: Option<&str>) -> AlertNotificationDto {
        AlertNotificationDto {
            id: id.to_string(),
            channel: "ops".to_string(),
            time: crate::model::Time::from_micros(0),
            events: Vec::new(),
            occasion: "alert".to_string(),
            state: state.to_string(),
            ended: None,
            next_attempt: None,
            absorbed_by: None,
            error: error.map(str::to_string),
            n_attempts: 1,
            attempts: Vec::new(),
        }
    }

    #[test]
    fn a_channel_has_what_the_store_says_of_its_newest_notification() {
        let state = |in_flight: Option<&str>, notifications: &[AlertNotificationDto]| {
            let mut channel = WhyChannelDto {
                name: "ops".to_string(),
                in_flight: in_flight.map(str::to_string),
                delivery: Some(WhyDeliveryDto { state: "delivered".to_string(), ..WhyDeliveryDto::default() }),
                ..WhyChannelDto::default()
            };
            note_delivery(&mut channel, notifications);
            let delivery = channel.delivery.unwrap();
            (delivery.state, delivery.error)
        };
        let said = |state: &str, error: Option<&str>| (state.to_string(), error.map(str::to_string));
        let (first, dead) = (stored("a", "delivered", None), stored("b", "dead", Some("exit code 3")));
        assert_eq!(state(None, &[first.clone(), dead.clone()]), said("dead", Some("exit code 3")));
        assert_eq!(state(None, &[dead.clone(), first.clone()]), said("delivered", None));
        assert_eq!(state(Some("b"), &[stored("b", "waiting", None), first.clone()]), said("waiting", None));
        let summary = stored("s", "waiting", None);
        let absorbed = AlertNotificationDto { absorbed_by: Some("s".into()), ..stored("b", "absorbed", None) };
        assert_eq!(state(Some("b"), &[first, absorbed, summary]), said("waiting", None));
        assert_eq!(state(None, &[]), said("delivered", None), "the engine's word stands");
    }
}
