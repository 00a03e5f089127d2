//! What a failure about an alert needs to be understood: what its condition reads and says, and who was told, or why not.

use super::stage::Stage;
use super::timeline::{About, Clock, shown};
use crate::alert::{Told, Track};
use crate::engine::Alert;
use crate::model::duration;
use crate::routing::Facts;
use crate::rules::trace::{self, Explained};
use crate::rules::{PerLevel, Rule, Verdict};

impl Stage {
    /// How the rule judges the alert now: its verdict, the values that it reads, and each part of its condition.
    pub(crate) fn judged(&self, about: &About) -> Vec<String> {
        let Some(rule) = self.rules.rules.get(&about.rule) else { return Vec::new() };
        let engine = self.bench.engine();
        let Some(alert) = engine.alert(&rule.name, &about.subject) else {
            return vec![format!("{} never judged {}", rule.name, about.subject)];
        };
        let mut lines = Vec::new();
        if let Some(context) = engine.surroundings(self.bench.now(), rule, alert) {
            let Explained { judgement, parts } = rule.explain(&context, &alert.on());
            let verdict = match &judgement.verdict {
                Verdict::Conditions(_) => "reads",
                Verdict::NoData(_) | Verdict::Error(_) => "had read, until it stopped:",
                Verdict::Excluded | Verdict::NotConcerned { .. } => "read",
            };
            let reads: Vec<String> =
                judgement.reads.iter().map(|(name, value)| format!("{name} = {}", shown(value))).collect();
            if !reads.is_empty() {
                lines.push(format!("the condition {verdict} {}", reads.join(", ")));
            }
            lines.extend(parts.iter().flat_map(part));
        }
        lines.extend(self.timers(rule, alert));
        lines
    }

    /// How far `hold` and `keep` are: they count only while the verdict stands.
    fn timers(&self, rule: &Rule, alert: &Alert) -> Vec<String> {
        let now = self.bench.now().time;
        let timer = |(index, track): (usize, &Track)| {
            let level = rule.levels.get(index);
            let of = |times: &PerLevel| duration::format(level.map_or(times.default, |level| times.of(*level)));
            let (key, timer, length) = match track {
                Track::Pending { timer, .. } => ("hold", timer, of(&rule.hold)),
                Track::Recovering { timer, .. } => ("keep", timer, of(&rule.keep)),
                Track::Off | Track::On => return None,
            };
            let level = level.map(|level| format!(" of {level}")).unwrap_or_default();
            Some(format!("{key}{level} has counted {} of {length}", duration::format(timer.elapsed(now))))
        };
        alert.tracks.iter().enumerate().filter_map(timer).collect()
    }

    /// What each channel was told of an alert, and who is to be told and was not, with the reason.
    pub(crate) fn channels_of(&self, about: &About) -> Vec<String> {
        let zone = &self.project.settings.zone;
        let mut lines = match &self.story.timeline {
            Some(timeline) => timeline.channels(Some(about), self.start, zone),
            None => Vec::new(),
        };
        let engine = self.bench.engine();
        let (Some(rule), Some(alert)) = (self.rules.rules.get(&about.rule), engine.alert(&about.rule, &about.subject))
        else {
            return lines;
        };
        let Some(firing) = &alert.firing else {
            if lines.is_empty() {
                lines.push("nobody was told of it: it did not fire".to_string());
            }
            return lines;
        };
        let labels = engine.labels_of(rule, alert);
        let facts = Facts {
            rule: &rule.name,
            level: firing.level,
            subject: &alert.subject,
            labels: &labels,
            notify: rule.notify.as_deref(),
        };
        let targets = self.project.routing.targets(&facts, self.bench.now().wall());
        let clock = Clock { start: self.start, zone };
        for (channel, until) in &targets.closed {
            let until = clock.at(*until);
            lines.push(format!("{channel} is closed until {} (`active`)", until.trim_start()));
        }
        let is_told = |told: &Told| told.firing().is_some() || told.in_flight().is_some();
        let heard = |channel| alert.told.get(channel).is_some_and(is_told);
        for channel in targets.open.iter().filter(|channel| !heard(*channel)) {
            let reason = match targets.groups.contains_key(channel) {
                true => "its group waits",
                false => "a cooldown or an earlier notification holds it",
            };
            lines.push(format!("{channel} is to be told, and was not yet: {reason}"));
        }
        if targets.open.is_empty() && targets.closed.is_empty() {
            let (name, level) = (&rule.name, firing.level);
            lines.push(format!("no route takes {name} {} at level {level}: nobody is told", about.subject));
        }
        lines
    }
}

/// A closure of the rule: what it came to, and each expression below it.
fn part(part: &trace::PartTrace) -> Vec<String> {
    let head = format!("{} {}: {}", part_name(part.part), part.text, came_to(&part.outcome));
    let expression = |expression: &trace::Expression| {
        let indent = "  ".repeat(expression.depth + 1);
        let own = format!("{indent}{}: {}", expression.text, came_to(&expression.outcome));
        let asked = expression.asked.iter().map(move |asked| {
            let subject = asked.subject.as_ref().map(|subject| format!(" of {subject}")).unwrap_or_default();
            let samples = asked.samples.as_ref().map(|samples| format!(", of {} samples", samples.count));
            let samples = samples.unwrap_or_default();
            format!("{indent}  {}{subject} = {}{samples}", asked.question, came_to(&asked.outcome))
        });
        std::iter::once(own).chain(asked).collect::<Vec<_>>()
    };
    std::iter::once(head).chain(part.expressions.iter().flat_map(expression)).collect()
}

fn part_name(part: trace::Part) -> &'static str {
    match part {
        trace::Part::Where => "where",
        trace::Part::When(_) => "when",
        trace::Part::Clear(_) => "clear",
        trace::Part::Level => "level",
    }
}

fn came_to(outcome: &trace::Outcome) -> String {
    match outcome {
        trace::Outcome::NotReached => "not reached".to_string(),
        trace::Outcome::Value(value) => value.clone(),
        trace::Outcome::Values { n_true, n_false, n_other } => {
            let named = [("true", n_true), ("false", n_false), ("other", n_other)];
            let counts = named.iter().filter(|(_, n)| **n > 0).map(|(word, n)| format!("{n} times {word}"));
            counts.collect::<Vec<_>>().join(", ")
        }
        trace::Outcome::NoData(reason) => format!("no data: {reason}"),
        trace::Outcome::Error(reason) => format!("error: {reason}"),
    }
}
