//! The engine with real rule texts: what cannot be said in a rule test.

mod bounds;
mod churn;
mod escalate;
mod explain;
mod held;
mod inhibit;
mod outcomes;
mod pause;
mod reload;
mod restart;
mod sets;
mod steps;
mod threads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::history::{Batch, Block, Source};
use crate::model::{Labels, Notification, Snapshot, SubjectKey, Value};
use crate::routing::{Plan, Silence};
use crate::rules::Loader;
use crate::rules::loader::Settings as LoaderSettings;

fn snapshot(secs: i64, name: &str, fields: BTreeMap<Arc<str>, Value>) -> Snapshot {
    Snapshot { subject: SubjectKey::new("thing", name), time: time(secs), labels: Labels::new(), fields, gone: false }
}

/// An engine on a virtual clock that starts on Monday, 2026-01-05 00:00 UTC; times are seconds since then.
struct Bench {
    engine: Engine,
    loader: Loader,
    secs: i64,
    /// Whether notifications are taken by their receivers at once.
    delivers: bool,
    sent: Vec<Notification>,
    events: Vec<Event>,
    suppressed: Vec<Suppressed>,
    faults: Vec<RuleFault>,
    /// What a store would hold.
    saved: BTreeMap<Arc<str>, Arc<[u8]>>,
    /// What came, as a store would hold it.
    came: Block,
    last_step: (u64, Time),
}

const START: i64 = 1_767_571_200;

fn time(secs: i64) -> Time {
    Time::from_micros((START + secs) * 1_000_000)
}

fn settings() -> Settings {
    Settings { remembers: true, ..Settings::default() }
}

impl Bench {
    /// An engine with one rule file and the channels `a` and `b`; everything goes to `a`.
    fn new(rules: &str) -> Bench {
        let zone = jiff::tz::TimeZone::UTC;
        let mut bench = Bench {
            engine: Engine::new(settings(), Now::at(time(0))),
            loader: Loader::new("rules", LoaderSettings::default(), BTreeMap::new()),
            secs: 0,
            delivers: true,
            sent: Vec::new(),
            events: Vec::new(),
            suppressed: Vec::new(),
            faults: Vec::new(),
            saved: BTreeMap::new(),
            came: Block::default(),
            last_step: (0, time(0)),
        };
        let route = crate::routing::Route { to: vec!["a".into()], ..Default::default() };
        let routing = Routing::new(vec![route], ["a".into(), "b".into()], zone).with_fallback(Some("b".into()));
        bench.input(Input::Routing(Arc::new(routing)));
        bench.save(rules);
        bench
    }

    /// Saves the rule file and puts it in force, if it loads.
    #[track_caller]
    fn save(&mut self, text: &str) {
        let listing = Ok(BTreeMap::from([("r.rhai".into(), Ok(text.into()))]));
        let report = self.loader.update(time(self.secs), listing);
        let problems: Vec<String> = report.diagnostics.iter().map(ToString::to_string).collect();
        assert!(!report.has_errors(), "{}", problems.join("\n"));
        self.input(Input::Rules(report.rules));
    }

    /// Puts the routes of a larum.yaml in force, between the channels `a`, `b` and `c`.
    #[track_caller]
    fn routes(&mut self, yaml: &str) {
        let config = crate::config::Config::parse("larum.yaml", yaml, &crate::config::Fixed::default()).unwrap();
        self.input(Input::Routing(Arc::new(config.routing(["a", "b", "c"].map(Into::into)))));
    }

    /// Pushes the same value every minute, from now until `secs` after the start.
    fn keep(&mut self, secs: i64, name: &str, field: &str, value: f64) {
        while self.secs + 60 <= secs {
            self.push(self.secs + 60, name, field, value);
        }
        self.advance_to(secs);
    }

    /// Acknowledges every firing of a rule.
    fn acknowledge(&mut self, rule: &str) {
        let firings = self.engine.select(&Selector { rule: Some(rule.to_string()), ..Selector::default() });
        self.input(Input::Acknowledge { firings, by: "anna".into(), comment: "looking".into(), withdraw: false });
    }

    /// A silence from now on for so many seconds.
    fn silence(&mut self, id: &str, matches: &str, length: u64) -> Silence {
        let plan = Plan {
            matches: serde_yaml::from_str(matches).unwrap(),
            length: Some(Duration::from_secs(length)),
            author: "anna".to_string(),
            ..Plan::default()
        };
        let silence = Silence::plan(plan, id.into(), time(self.secs)).unwrap();
        self.input(Input::Silence(silence.clone()));
        silence
    }

    fn input(&mut self, input: Input) -> Effects {
        let now = Now::at(time(self.secs));
        let effects = self.engine.step(now, input);
        self.last_step = (effects.sequence, effects.now.time);
        effects.add_to(&mut self.came);
        for SavedState { key, value } in &effects.saved {
            match value {
                Some(value) => drop(self.saved.insert(key.clone(), value.clone())),
                None => drop(self.saved.remove(key)),
            }
        }
        self.events.extend(effects.events.iter().cloned());
        self.suppressed.extend(effects.suppressed.iter().cloned());
        self.faults.extend(effects.faults.iter().cloned());
        for notification in &effects.notifications {
            self.sent.push(notification.clone());
            if self.delivers {
                self.delivered(notification.id.clone());
            }
        }
        effects
    }

    fn delivered(&mut self, notification: NotificationId) {
        self.input(Input::Delivered { notification, outcome: Outcome::Delivered });
    }

    fn dead(&mut self, notification: NotificationId) {
        self.input(Input::Delivered { notification, outcome: Outcome::dead() });
    }

    /// Steps every deadline at its own time, up to `secs` after the start.
    fn advance_to(&mut self, secs: i64) {
        while let Some(deadline) = self.engine.next_deadline().filter(|deadline| *deadline <= time(secs)) {
            self.secs = deadline.as_micros() / 1_000_000 - START;
            self.input(Input::Tick);
        }
        self.secs = secs;
        self.input(Input::Tick);
    }

    /// One snapshot of `thing name` with one field, at `secs`.
    fn push(&mut self, secs: i64, name: &str, field: &str, value: impl Into<Value>) -> Effects {
        let fields = BTreeMap::from([(field.into(), value.into())]);
        self.advance_to(secs);
        self.batch(vec![snapshot(secs, name, fields)])
    }

    /// A source says at `secs` that things are gone.
    fn gone(&mut self, secs: i64, names: &[&str]) -> Effects {
        self.advance_to(secs);
        let gone = |name: &&str| Snapshot { gone: true, ..snapshot(secs, name, BTreeMap::new()) };
        self.batch(names.iter().map(gone).collect())
    }

    /// Snapshots in one input, now.
    fn batch(&mut self, snapshots: Vec<Snapshot>) -> Effects {
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
        self.input(Input::Batch(Batch { source, snapshots, complete: Vec::new() }.into()))
    }

    /// What was sent so far: `channel event rule subject level` with the seconds since the start.
    fn log(&self) -> Vec<String> {
        let line = |notification: &Notification| {
            let alerts: Vec<String> = notification
                .alerts
                .iter()
                .map(|alert| {
                    let reason = alert.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                    format!("{} {} {} {}{reason}", alert.event, alert.rule, alert.subject.name, alert.level)
                })
                .collect();
            let secs = notification.time.as_micros() / 1_000_000 - START;
            format!("{secs} {}: {}", notification.channel, alerts.join(", "))
        };
        self.sent.iter().map(line).collect()
    }
}
