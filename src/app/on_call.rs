//! What people on call ask of the daemon: silences and acknowledgements.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::api::{Api, alert_document};
use crate::diagnostic::did_you_mean;
use crate::engine::{AlertView, Engine, Input, Selector};
use crate::model::{ChannelName, FiringId, Now, SilenceId};
use crate::routing::{Expired, Matchers, Plan, Rotation, Silence, SilenceState};
use crate::rules::{Rule, Scope};
use crate::server::api::{AcknowledgedDto, AlertDto, OnCallDto, SilenceDto, SilenceMadeDto};
use crate::server::{Acknowledgement, OperateError, SilenceQuery, Unavailable};

/// So many of the alerts that a silence covers are named.
const NAMED: usize = 100;
/// Who did it, where that is not said.
const NOBODY: &str = "api";

impl Api {
    pub(super) fn list_silences(
        &self,
        asked: SilenceQuery,
    ) -> BoxFuture<'static, Result<Vec<SilenceDto>, Unavailable>> {
        let found = self.ask(move |engine, now| {
            let silences = engine.silences().iter();
            let wanted = silences.filter(|silence| asked.states.contains(&silence.state(now.wall())));
            let mut found: Vec<SilenceDto> = wanted.map(|silence| document(silence, now)).collect();
            found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
            found
        });
        Box::pin(found)
    }

    pub(super) async fn make_silence(&self, plan: Plan, preview: bool) -> Result<SilenceMadeDto, OperateError> {
        let author = if plan.author.is_empty() { NOBODY.to_string() } else { plan.author.clone() };
        let plan = Plan { author, ..plan };
        let made = self.ask(move |engine, now| {
            let silence = Silence::plan(plan, new_id(engine), now.wall())?;
            Ok((seen(engine, &silence, now), silence))
        });
        let made = made.await.map_err(failed)?;
        let (mut seen, silence) = made.map_err(|error: crate::routing::PlanError| OperateError::Refused {
            said: error.to_string(),
            hint: Some(error.hint().to_string()),
        })?;
        if !preview {
            seen.durable = self.step(Input::Silence(silence)).await?;
        }
        Ok(seen)
    }

    pub(super) async fn see_silence(&self, id: String) -> Result<SilenceMadeDto, OperateError> {
        let found = self.ask(move |engine, now| {
            let silence = find(engine, &id)?;
            Ok(SilenceMadeDto { durable: true, ..seen(engine, silence, now) })
        });
        found.await.map_err(failed)?
    }

    pub(super) async fn expire_silence(&self, id: String, by: String) -> Result<SilenceDto, OperateError> {
        let by: Arc<str> = if by.is_empty() { NOBODY.into() } else { by.into() };
        let found = self.ask(move |engine, now| {
            let silence = find(engine, &id)?;
            if silence.state(now.wall()) == SilenceState::Ended {
                let at = silence.ends().unwrap_or(now.wall());
                return Err(OperateError::Conflict {
                    said: format!("the silence `{}` ended at {at}", silence.id),
                    hint: Some("make a new one with `larum silence add`".to_string()),
                });
            }
            let expired = Some(Expired { at: now.wall(), by });
            Ok((Silence { expired, ..silence.clone() }, now))
        });
        let (silence, now) = found.await.map_err(failed)??;
        let ended = document(&silence, now);
        self.step(Input::Silence(silence)).await?;
        Ok(ended)
    }

    pub(super) async fn acknowledge_firings(&self, asked: Acknowledgement) -> Result<AcknowledgedDto, OperateError> {
        let Acknowledgement { id, rule, kind, name, by, comment, undo } = asked;
        let selector = Selector { id, rule, kind, name };
        let by: Arc<str> = if by.is_empty() { NOBODY.into() } else { by.into() };
        let wanted = selector.clone();
        let found = self.ask(move |engine, _| {
            let found = engine.select(&wanted);
            let firing: Vec<String> = engine.active_alerts().filter_map(named).take(5).collect();
            (found, firing)
        });
        let (firings, others) = found.await.map_err(failed)?;
        if firings.is_empty() {
            return Err(self.why_nothing_fires(selector.id, others).await);
        }
        if selector.id.is_some() && firings.len() > 1 {
            let ids: Vec<&str> = firings.iter().take(5).map(FiringId::as_str).collect();
            return Err(OperateError::Conflict {
                said: "several alerts have an id that begins so".to_string(),
                hint: Some(format!("write more of it: {}", ids.join(", "))),
            });
        }
        let input = Input::Acknowledge { firings: firings.clone(), by, comment: comment.into(), withdraw: undo };
        let durable = self.step(input).await?;
        let documents = self.ask(move |engine, now| {
            let is_meant =
                |view: &AlertView<'_>| view.alert.firing.as_ref().is_some_and(|firing| firings.contains(&firing.id));
            let views = engine.active_alerts().filter(is_meant);
            views.map(|view| alert_document(engine, view.rule, view.alert, now)).collect::<Vec<AlertDto>>()
        });
        Ok(AcknowledgedDto { acknowledged: documents.await.map_err(failed)?, durable })
    }

    /// What is said where nothing that fires is meant.
    async fn why_nothing_fires(&self, id: Option<String>, others: Vec<String>) -> OperateError {
        let firing = match others.is_empty() {
            true => "nothing fires now".to_string(),
            false => format!("what fires: {}", others.join(", ")),
        };
        if let Some(id) = &id
            && let Ok(crate::server::Found::One(history)) = crate::server::View::firing(self, id.clone()).await
            && let Some(ended) = history.alert.ended
        {
            let said = format!("the alert `{id}` is over since {ended}: there is nothing to acknowledge");
            return OperateError::Conflict { said, hint: None };
        }
        let said = match id {
            Some(id) => format!("no alert that fires has an id that begins with `{id}`"),
            None => "no alert that fires is meant".to_string(),
        };
        OperateError::Nothing { said, hint: Some(firing) }
    }

    /// Gives the engine an input, and waits until it is stored. Gives whether it is.
    pub(super) async fn step(&self, input: Input) -> Result<bool, OperateError> {
        let receipt = self.engine.step(input).await;
        receipt
            .map(|receipt| receipt.durable && self.store.is_durable())
            .map_err(|error| OperateError::Failed(error.to_string()))
    }
}

fn failed(error: Unavailable) -> OperateError {
    OperateError::Failed(error.to_string())
}

/// What an operator can name of an alert that fires.
fn named(view: AlertView<'_>) -> Option<String> {
    let firing = view.alert.firing.as_ref()?;
    Some(format!("{} ({} {})", firing.id, view.rule.name, view.alert.subject.name))
}

/// An id that no silence has: short, since people type it.
fn new_id(engine: &Engine) -> SilenceId {
    loop {
        let random = RandomState::new().build_hasher().finish();
        let id = SilenceId::from(format!("{:08x}", random as u32));
        if engine.silences().get(&id).is_none() {
            return id;
        }
    }
}

/// The silence with this id, or the only one whose id begins so.
fn find<'a>(engine: &'a Engine, id: &str) -> Result<&'a Silence, OperateError> {
    if let Some(silence) = engine.silences().get(&SilenceId::from(id)) {
        return Ok(silence);
    }
    let mut found = engine.silences().iter().filter(|silence| !id.is_empty() && silence.id.as_str().starts_with(id));
    match (found.next(), found.next()) {
        (Some(silence), None) => Ok(silence),
        (None, _) => Err(OperateError::Nothing {
            said: format!("there is no silence `{id}`"),
            hint: Some("`larum silence list --all`, or GET /api/v1/silences?state=all, shows the ids".to_string()),
        }),
        (Some(one), Some(other)) => Err(OperateError::Conflict {
            said: format!("several silences have an id that begins with `{id}`"),
            hint: Some(format!("write more of it: {}, {}, ..", one.id, other.id)),
        }),
    }
}

fn document(silence: &Silence, now: Now) -> SilenceDto {
    let wall = now.wall();
    SilenceDto {
        id: silence.id.to_string(),
        state: silence.state(wall).as_str().to_string(),
        matches: silence.matches.clone(),
        from: silence.from,
        until: silence.until,
        every: silence.recurs.as_ref().map(|recurs| recurs.windows.to_string()),
        time_zone: silence.recurs.as_ref().map(|recurs| recurs.zone.iana_name().unwrap_or("UTC").to_string()),
        next_change: silence.next_change(wall),
        author: silence.author.to_string(),
        comment: silence.comment.to_string(),
        created: silence.created,
        expired: silence.expired.as_ref().map(|expired| expired.at),
        expired_by: silence.expired.as_ref().map(|expired| expired.by.to_string()),
    }
}

/// A silence and the alerts that it covers.
fn seen(engine: &Engine, silence: &Silence, now: Now) -> SilenceMadeDto {
    let covered = engine.active_alerts().filter(|view| engine.would_silence(silence, view.rule, view.alert));
    let covered: Vec<AlertView<'_>> = covered.collect();
    let documents = covered.iter().take(NAMED).map(|view| alert_document(engine, view.rule, view.alert, now));
    SilenceMadeDto {
        silence: document(silence, now),
        covers: documents.collect(),
        covers_total: covered.len(),
        warnings: warnings(engine, &silence.matches),
        durable: false,
    }
}

/// Conditions that nothing known fulfils: a slip, most likely.
fn warnings(engine: &Engine, matches: &Matchers) -> Vec<String> {
    let rules = &engine.rules().rules;
    let mut warnings = Vec::new();
    let mut check = |key: &str, known: Vec<&str>| {
        if matches.wanted(key).next().is_some() && !known.iter().any(|text| matches.takes(key, text)) {
            let wanted: Vec<&str> = matches.wanted(key).collect();
            let hint = wanted.iter().find_map(|wanted| did_you_mean(wanted, known.iter().copied()));
            let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
            warnings.push(format!("no {key} is `{}` now{hint}", wanted.join("` or `")));
        }
    };
    check("rule", rules.keys().map(|name| name.as_str()).collect());
    let kind = |rule: &Arc<Rule>| match &rule.scope {
        Scope::On { kind } | Scope::Over { kind, .. } => kind.clone(),
    };
    let kinds: Vec<Arc<str>> = rules.values().map(kind).collect();
    check("kind", kinds.iter().map(|kind| &**kind).collect());
    warnings
}

/// Who is on call, by rotation.
pub(super) fn rotations(engine: &Engine, now: Now) -> BTreeMap<String, OnCallDto> {
    let wall = now.wall();
    let names = |channels: &[ChannelName]| channels.iter().map(ToString::to_string).collect();
    let document = |(name, rotation): (&ChannelName, &Rotation)| {
        let until = rotation.next_change(wall);
        let next = until.map(|until| names(rotation.on_call(until))).unwrap_or_default();
        (name.to_string(), OnCallDto { now: names(rotation.on_call(wall)), until, next })
    };
    engine.routing().rotations().iter().map(document).collect()
}
