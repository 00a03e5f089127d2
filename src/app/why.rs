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
use crate::server::api::{SuppressedDto, WhyChannelDto, WhyDto, WhyFiringDto, WhyOutboxDto};
use crate::server::{Unavailable, WhyError, WhyQuery};
use crate::store::{self, FiringFilter, Reader};

/// The engine is held up by so many evaluations at a time, and takes what waits in between.
const CHUNK: usize = 64;
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
        let (mut near, mut measured) = (Vec::new(), 0);
        for chunk in survey.clear.chunks(CHUNK) {
            if Instant::now() >= give_up {
                break;
            }
            let (inside, targets) = (inside.clone(), chunk.to_vec());
            near.extend(self.ask(move |engine, now| engine.distances(now, &inside, &targets)).await?);
            measured += chunk.len();
        }
        Ok(survey_document(&survey, measured, near))
    }

    /// The document of one explanation, with what became of its notifications.
    async fn with_deliveries(&self, explanation: &Explanation) -> WhyDto {
        let mut document = document(explanation);
        let figures = self.deliveries.figures();
        let names: Vec<&mut WhyChannelDto> =
            document.stages.iter_mut().flat_map(|stages| &mut stages.channels).collect();
        let mut limits = Vec::new();
        for channel in names {
            let Some(figures) = figures.get(channel.name.as_str()) else { continue };
            let health = &figures.health;
            channel.outbox = Some(WhyOutboxDto {
                waiting: health.waiting,
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
            Ok((newest_firing(store, firing.as_ref(), rule, &subject)?, used))
        });
        // What the engine says stands without the store; that this cannot be read is logged and shown elsewhere.
        let Ok((newest, used)) = read.await else { return document };
        document.last_firing = newest;
        for channel in document.stages.iter_mut().flat_map(|stages| &mut stages.channels) {
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
