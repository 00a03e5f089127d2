//! What people on call do in a test: silences, acknowledgements, pauses, and subjects that they forget.

use std::time::Duration;

use jiff::tz::TimeZone;
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};

use super::functions::T;
use super::stage::{Failure, Stage};
use super::timeline::About;
use crate::engine::{Input, Paused, Selector};
use crate::model::{SilenceId, SubjectKey, duration};
use crate::routing::{Active, Expired, Matchers, Plan, Recurrence, Silence, SilenceState};

/// Who does it, where a test does not say.
const WHO: &str = "test";

type Text = ImmutableString;

/// Registers what people do.
pub(super) fn people(engine: &mut Engine) {
    engine.register_type_with_name::<T>("test");
    engine.register_fn("silence", |context: NativeCallContext, t: &mut T, matches: Map, length: Text| {
        t.on(&context, |stage| {
            let length = Some(length_of(&length)?);
            stage.silence(Plan { matches: matchers_of(&matches)?, length, ..Plan::default() })
        })
    });
    engine.register_fn("silence", |context: NativeCallContext, t: &mut T, matches: Map, plan: Map| {
        t.on(&context, |stage| {
            let plan = stage.plan_of(matchers_of(&matches)?, &plan)?;
            stage.silence(plan)
        })
    });
    engine.register_fn("expire_silence", |context: NativeCallContext, t: &mut T, id: Text| {
        t.on(&context, |stage| stage.expire_silence(&id))
    });
    engine.register_fn("ack", |context: NativeCallContext, t: &mut T, rule: Text, subject: Text| {
        t.on(&context, |stage| stage.acknowledge(&rule, &subject, WHO, false))
    });
    engine.register_fn("ack", |context: NativeCallContext, t: &mut T, rule: Text, subject: Text, by: Text| {
        t.on(&context, |stage| stage.acknowledge(&rule, &subject, &by, false))
    });
    engine.register_fn("take_back_ack", |context: NativeCallContext, t: &mut T, rule: Text, subject: Text| {
        t.on(&context, |stage| stage.acknowledge(&rule, &subject, WHO, true))
    });
    engine.register_fn("pause_rule", |context: NativeCallContext, t: &mut T, rule: Text| {
        t.on(&context, |stage| stage.pause(&rule))
    });
    engine.register_fn("resume_rule", |context: NativeCallContext, t: &mut T, rule: Text| {
        t.on(&context, |stage| stage.resume(&rule))
    });
    engine.register_fn("forget", |context: NativeCallContext, t: &mut T, kind: Text, name: Text| {
        t.on(&context, |stage| stage.forget(&kind, &name))
    });
}

impl Stage {
    /// The plan of a silence: `length`, `after`, `every`, `zone`, `by`, `comment`.
    fn plan_of(&self, matches: Matchers, map: &Map) -> Result<Plan, Failure> {
        const KEYS: [&str; 6] = ["length", "after", "every", "zone", "by", "comment"];
        if let Some(unknown) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let hint = crate::diagnostic::did_you_mean(unknown, KEYS);
            return Err(Failure::new(format!("a silence has no `{unknown}`"))
                .hint(hint.or_else(|| Some(format!("it has {}", KEYS.join(", "))))));
        }
        let text = |key: &str| match map.get(key) {
            None => Ok(None),
            Some(value) => match value.clone().into_immutable_string() {
                Ok(text) => Ok(Some(text)),
                Err(kind) => Err(Failure::new(format!("`{key}` of a silence is text, not {kind}"))),
            },
        };
        let time = |key: &str| text(key)?.map(|text| length_of(&text)).transpose();
        let zone = match text("zone")? {
            Some(name) => TimeZone::get(&name).map_err(|_| Failure::new(format!("the zone `{name}` is not known")))?,
            None => self.project.settings.zone.clone(),
        };
        let windows = text("every")?.map(|text| text.parse::<Active>()).transpose();
        let windows = windows.map_err(|error| Failure::new(error.to_string()))?;
        Ok(Plan {
            matches,
            from: time("after")?.map(|after| self.bench.now().wall() + after),
            until: None,
            length: time("length")?,
            recurs: windows.map(|windows| Recurrence { windows, zone }),
            author: text("by")?.unwrap_or_else(|| WHO.into()).to_string(),
            comment: text("comment")?.unwrap_or_default().to_string(),
        })
    }

    /// Makes a silence, and gives its id.
    fn silence(&mut self, plan: Plan) -> Result<ImmutableString, Failure> {
        self.flush();
        let id = format!("silence-{}", self.bench.engine().silences().len() + 1);
        let author = if plan.author.is_empty() { WHO.to_string() } else { plan.author };
        let silence = Silence::plan(Plan { author, ..plan }, id.as_str().into(), self.bench.now().wall())
            .map_err(|error| Failure::new(error.to_string()).hint(Some(error.hint().to_string())))?;
        self.note(format!("silence    {id} of {}", silence.matches));
        self.bench.feed(Input::Silence(silence), &mut self.story);
        Ok(id.into())
    }

    fn expire_silence(&mut self, id: &str) -> Result<(), Failure> {
        self.flush();
        let wall = self.bench.now().wall();
        let Some(silence) = self.bench.engine().silences().get(&SilenceId::from(id)).cloned() else {
            return Err(Failure::new(format!("there is no silence `{id}`"))
                .hint(Some("`t.silence(..)` gives its id".to_string())));
        };
        if silence.state(wall) == SilenceState::Ended {
            return Err(Failure::new(format!("the silence `{id}` is over already")));
        }
        self.note(format!("silence    {id} is ended"));
        let expired = Some(Expired { at: wall, by: WHO.into() });
        self.bench.feed(Input::Silence(Silence { expired, ..silence }), &mut self.story);
        Ok(())
    }

    fn acknowledge(&mut self, rule: &str, subject: &str, by: &str, withdraw: bool) -> Result<(), Failure> {
        self.flush();
        let rule = self.rule(rule)?.name.clone();
        let selector =
            Selector { rule: Some(rule.to_string()), name: Some(subject.to_string()), ..Selector::default() };
        let firings = self.bench.engine().select(&selector);
        if firings.is_empty() {
            let about = About { rule: rule.clone(), subject: subject.into() };
            let state = self.bench.engine().alert(&rule, subject).map_or("inactive", |alert| alert.state());
            return Err(Failure::new(format!("{rule} {subject} does not fire, so that nobody can acknowledge it"))
                .got(state)
                .about(&about));
        }
        let comment = "".into();
        self.bench.feed(Input::Acknowledge { firings, by: by.into(), comment, withdraw }, &mut self.story);
        Ok(())
    }

    fn pause(&mut self, rule: &str) -> Result<(), Failure> {
        self.flush();
        let name = self.rule(rule)?.name.clone();
        self.note(format!("pause      {name}"));
        let (by, comment) = (WHO.into(), "".into());
        self.bench.feed(Input::Pause { what: Paused::Rules(Some(name)), by, comment }, &mut self.story);
        Ok(())
    }

    fn resume(&mut self, rule: &str) -> Result<(), Failure> {
        self.flush();
        let name = self.rule(rule)?.name.clone();
        let what = Paused::Rules(Some(name.clone()));
        if !self.bench.engine().pauses().contains_key(&what) {
            return Err(Failure::new(format!("the rule `{name}` is not paused")));
        }
        self.note(format!("resume     {name}"));
        self.bench.feed(Input::Resume(what), &mut self.story);
        Ok(())
    }

    fn forget(&mut self, kind: &str, name: &str) -> Result<(), Failure> {
        self.flush();
        let subject = SubjectKey::new(kind, name);
        self.note(format!("forget     {subject}"));
        self.bench.feed(Input::Forget(subject), &mut self.story);
        Ok(())
    }

    fn note(&mut self, text: String) {
        if let Some(timeline) = &mut self.story.timeline {
            timeline.note(self.bench.now().time, text);
        }
    }
}

/// Conditions as a map: a text, or an array of texts.
fn matchers_of(map: &Map) -> Result<Matchers, Failure> {
    let text = |key: &str, value: &Dynamic| {
        let text = value.clone().into_immutable_string();
        text.map(|text| serde_json::Value::from(text.as_str()))
            .map_err(|kind| Failure::new(format!("the condition `{key}` is text or an array of texts, not {kind}")))
    };
    let mut conditions = serde_json::Map::new();
    for (key, value) in map {
        let value = match value.clone().try_cast::<Array>() {
            Some(values) => values.iter().map(|value| text(key, value)).collect::<Result<Vec<_>, _>>()?.into(),
            None => text(key, value)?,
        };
        conditions.insert(key.to_string(), value);
    }
    serde_json::from_value(conditions.into()).map_err(|error| Failure::new(error.to_string()))
}

fn length_of(text: &str) -> Result<Duration, Failure> {
    duration::parse(text).map_err(|error| Failure::new(error.to_string()))
}
