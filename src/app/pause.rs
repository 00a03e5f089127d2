//! Rules and collectors that an operator leaves alone, and subjects that he forgets.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::api::{Api, alert_document};
use crate::diagnostic::did_you_mean;
use crate::engine::{Engine, Input, Paused};
use crate::model::SubjectKey;
use crate::server::api::{ForgottenDto, PauseDto};
use crate::server::{Named, OperateError, PauseAsked, Unavailable};

/// Who did it, where that is not said.
const NOBODY: &str = "api";

impl Api {
    pub(super) async fn list_pauses(&self) -> Result<Vec<PauseDto>, Unavailable> {
        self.ask(|engine, _| documents(engine)).await
    }

    pub(super) async fn pause_these(&self, asked: PauseAsked) -> Result<Vec<PauseDto>, OperateError> {
        let by: Arc<str> = if asked.by.is_empty() { NOBODY.into() } else { asked.by.as_str().into() };
        let comment: Arc<str> = asked.comment.as_str().into();
        let collectors = self.collectors.wanted_names();
        let meant = self.ask(move |engine, _| meant(engine, &asked, &collectors, false)).await;
        for what in meant.map_err(failed)?? {
            self.step(Input::Pause { what, by: by.clone(), comment: comment.clone() }).await?;
        }
        self.follow_pauses().await.map_err(failed)
    }

    pub(super) async fn resume_these(&self, asked: PauseAsked) -> Result<Vec<PauseDto>, OperateError> {
        let collectors = self.collectors.wanted_names();
        let meant = self.ask(move |engine, _| meant(engine, &asked, &collectors, true)).await;
        for what in meant.map_err(failed)?? {
            self.step(Input::Resume(what)).await?;
        }
        self.follow_pauses().await.map_err(failed)
    }

    /// Stops and starts collectors as the engine has it now.
    async fn follow_pauses(&self) -> Result<Vec<PauseDto>, Unavailable> {
        let (sources, pauses) = self.ask(|engine, _| (paused_sources(engine), documents(engine))).await?;
        let problems = self.collectors.set_paused(sources);
        for problem in problems {
            tracing::error!(problem = %problem, "a collector cannot go on");
        }
        Ok(pauses)
    }

    pub(super) async fn forget_subject(&self, kind: String, name: String) -> Result<ForgottenDto, OperateError> {
        let key = SubjectKey::new(kind.as_str(), name.as_str());
        let wanted = key.clone();
        let found = self.ask(move |engine, now| {
            let world = engine.world();
            if world.find(&wanted.kind, &wanted.name).is_none() {
                let mut names = world.of_kind(&wanted.kind).filter_map(|id| world.subject(id)).peekable();
                let hint = match names.peek() {
                    None => did_you_mean(&wanted.kind, world.kinds().map(|kind| &**kind)),
                    Some(_) => did_you_mean(&wanted.name, names.map(|subject| &*subject.key.name)),
                };
                return Err(OperateError::Nothing { said: format!("no subject is {wanted}"), hint });
            }
            let is_its = |view: &crate::engine::AlertView<'_>| {
                view.alert.group.is_none() && view.alert.subject == wanted && view.alert.firing.is_some()
            };
            let views = engine.active_alerts().filter(is_its);
            Ok(views.map(|view| alert_document(engine, view.rule, view.alert, now)).collect::<Vec<_>>())
        });
        let closed = found.await.map_err(failed)??;
        let durable = self.step(Input::Forget(key)).await?;
        Ok(ForgottenDto { kind, name, closed, durable })
    }
}

fn failed(error: Unavailable) -> OperateError {
    OperateError::Failed(error.to_string())
}

/// The sources that are paused; `None` is all of them.
pub(super) fn paused_sources(engine: &Engine) -> BTreeSet<Option<Arc<str>>> {
    let sources = engine.pauses().keys().filter_map(|paused| match paused {
        Paused::Collectors(source) => Some(source.clone()),
        Paused::Rules(_) => None,
    });
    sources.collect()
}

/// What is paused.
pub(super) fn documents(engine: &Engine) -> Vec<PauseDto> {
    let document = |(paused, pause): (&Paused, &crate::engine::Pause)| {
        let (what, name) = match paused {
            Paused::Rules(name) => ("rules", name.as_ref().map(ToString::to_string)),
            Paused::Collectors(name) => ("collectors", name.as_ref().map(ToString::to_string)),
        };
        PauseDto {
            what: what.to_string(),
            name,
            since: pause.since,
            by: pause.by.to_string(),
            comment: pause.comment.to_string(),
        }
    };
    engine.pauses().iter().map(document).collect()
}

/// Which names there are, as a hint.
fn there_are(word: &str, known: &BTreeSet<String>) -> Option<String> {
    let named: Vec<&str> = known.iter().take(10).map(String::as_str).collect();
    let more = if known.len() > named.len() { ", .." } else { "" };
    (!named.is_empty()).then(|| format!("{word}s are: {}{more}", named.join(", ")))
}

/// What somebody means by names. All that is wrong with them is told at once, and then nothing is changed.
fn meant(
    engine: &Engine,
    asked: &PauseAsked,
    collectors: &BTreeSet<String>,
    resumes: bool,
) -> Result<Vec<Paused>, OperateError> {
    let rules: BTreeSet<String> = engine.rules().rules.keys().map(ToString::to_string).collect();
    let mut meant = Vec::new();
    let mut problems = Vec::new();
    let mut hint = None;
    let rule = |name: Option<&str>| Paused::Rules(name.map(Into::into));
    let collector = |name: Option<&str>| Paused::Collectors(name.map(Into::into));
    type Side<'a> = (&'a str, &'a Named, &'a BTreeSet<String>, &'a dyn Fn(Option<&str>) -> Paused);
    let sides: [Side<'_>; 2] =
        [("rule", &asked.rules, &rules, &rule), ("collector", &asked.collectors, collectors, &collector)];
    for (word, named, known, paused) in sides {
        let is_paused = |name: Option<&str>| engine.pauses().contains_key(&paused(name));
        let any_paused =
            engine.pauses().keys().any(|key| std::mem::discriminant(key) == std::mem::discriminant(&paused(None)));
        match named {
            Named::All if resumes && !any_paused => problems.push(format!("no {word} is paused")),
            Named::All => meant.push(paused(None)),
            Named::Some(names) => {
                for name in names {
                    match resumes {
                        true if is_paused(Some(name)) => meant.push(paused(Some(name))),
                        true if is_paused(None) => {
                            problems
                                .push(format!("all {word}s are paused, so that {word} `{name}` cannot go on alone"));
                            hint = Some(format!("resume all {word}s, and pause those that are to rest"));
                        }
                        false if known.contains(name) => meant.push(paused(Some(name))),
                        true if known.contains(name) => problems.push(format!("the {word} `{name}` is not paused")),
                        _ => {
                            problems.push(format!("there is no {word} `{name}`"));
                            let near = || did_you_mean(name, known.iter().map(String::as_str));
                            hint = hint.or_else(near).or_else(|| there_are(word, known));
                        }
                    }
                }
            }
        }
    }
    match problems.is_empty() {
        true => Ok(meant),
        false if resumes => Err(OperateError::Conflict { said: problems.join("; "), hint }),
        false => Err(OperateError::Nothing { said: problems.join("; "), hint }),
    }
}

/// What a problem says of a pause, so that nobody forgets it.
pub(super) fn reminder(pause: &PauseDto) -> (String, String, String) {
    let what = match &pause.name {
        Some(name) => format!("{} `{name}`", pause.what.trim_end_matches('s')),
        None => format!("all {}", pause.what),
    };
    let comment = if pause.comment.is_empty() { String::new() } else { format!(": {}", pause.comment) };
    let flag = match (&*pause.what, &pause.name) {
        ("rules", Some(name)) => format!("--rule {name}"),
        ("rules", None) => "--all-rules".to_string(),
        (_, Some(name)) => format!("--collector {name}"),
        (_, None) => "--all-collectors".to_string(),
    };
    let place = pause.name.clone().unwrap_or_else(|| pause.what.clone());
    (place, format!("{what} paused since {} by {}{comment}", pause.since, pause.by), format!("larum resume {flag}"))
}
