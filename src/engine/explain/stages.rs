//! From an alert to who is told of it, as it is decided now.

use std::collections::BTreeSet;

use crate::alert::{Decision, Reach, Told};
use crate::engine::state::timing;
use crate::engine::tell::Telling;
use crate::engine::{Alert, Engine, Firing};
use crate::model::{ChannelName, Level, Now};
use crate::routing::Answer;
use crate::rules::Rule;

use super::{AtLevel, ChannelView, RouteView, Said, Stages};

impl Engine {
    /// Who is told of an alert, and what holds that back. What does not fire is taken as if it began to now; where its level
    /// is not known, at each of `levels`.
    pub(super) fn stages(
        &self,
        now: Now,
        rule: &Rule,
        alert: Alert,
        level: Result<Level, &'static str>,
        levels: Vec<Level>,
    ) -> Stages {
        let mut stages = Stages {
            what_if: alert.firing.is_none(),
            level,
            labels: self.labels_of(rule, &alert),
            alerting: self.alerting,
            notify: rule.notify.clone(),
            routes: Vec::new(),
            channels: Vec::new(),
            levels: Vec::new(),
        };
        match level {
            Ok(level) => {
                let at = self.at_level(now, rule, alert, level);
                (stages.routes, stages.channels) = (at.routes, at.channels);
            }
            Err(_) => {
                stages.levels =
                    levels.into_iter().map(|level| self.at_level(now, rule, alert.clone(), level)).collect();
            }
        }
        stages
    }

    fn at_level(&self, now: Now, rule: &Rule, mut alert: Alert, level: Level) -> AtLevel {
        if alert.firing.is_none() {
            let (since, message) = (now.time, String::new());
            alert.firing = Some(Firing { id: "".into(), since, rests_since: None, level, message });
            alert.stale = false;
        }
        let answers = self.with_facts(rule, &alert, level, |facts| {
            let answers = self.routing.answers(facts, now.wall()).into_iter();
            answers.map(said).collect::<Vec<Said>>()
        });
        let routes = self.routing.routes().iter().zip(answers).enumerate();
        let exists = |channel: &&ChannelName| !self.routing.channels().contains(*channel);
        let routes = routes.map(|(index, (route, said))| RouteView {
            number: index + 1,
            line: route.line,
            to: route.to.clone(),
            missing: route.to.iter().filter(exists).cloned().collect(),
            continues: route.continues,
            said,
        });
        AtLevel { level, routes: routes.collect(), channels: self.channels(now, rule, &alert) }
    }

    fn channels(&self, now: Now, rule: &Rule, alert: &Alert) -> Vec<ChannelView> {
        let blank = Told::default();
        let tellings = self.tellings(now, rule, alert);
        let names: BTreeSet<&ChannelName> = tellings.keys().chain(alert.told.keys()).collect();
        let view = |name: &ChannelName| {
            let told = alert.told.get(name).unwrap_or(&blank);
            let unrouted = Telling {
                decision: Decision::Nothing { reminder: None },
                reach: Reach::Unrouted,
                group: alert.grouped.get(name).cloned(),
            };
            let Telling { decision, reach, group } = tellings.get(name).cloned().unwrap_or(unrouted);
            ChannelView {
                name: name.clone(),
                reach,
                decision,
                group,
                told: told.firing(),
                in_flight: told.in_flight().map(|flight| flight.id.clone()),
                cooldown_until: told.cooldown_until(timing(rule)).filter(|until| *until > now.time),
                missed: told.n_missed(),
                owes_end: told.has_ends(),
            }
        };
        // What is only remembered for a cooldown that is over is no news.
        let is_news = |view: &ChannelView| {
            view.reach != Reach::Unrouted || view.told.is_some() || view.in_flight.is_some() || view.owes_end
        };
        names.into_iter().map(view).filter(is_news).collect()
    }
}

fn said(answer: Answer<'_>) -> Said {
    match answer {
        Answer::NotAsked => Said::NotAsked,
        Answer::Mismatch(mismatch) => {
            Said::Mismatch { key: mismatch.key.to_string(), wants: mismatch.wants(), saw: mismatch.saw.to_string() }
        }
        Answer::Takes => Said::Takes,
        Answer::Closed { opens } => Said::Closed { opens },
    }
}
