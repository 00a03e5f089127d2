//! What a dry run has to say: of each rule what fires or is about to, who would be told, and what holds it back.
//!
//! It is the explanation of [`why`](super::why) for each of them; collecting is the app's.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::bench::Bench;
use super::project::{Project, Sent};
use super::why::{document, headline_of_dry_run, survey_document, with_backlog, words};
use crate::diagnostic::one_line;
use crate::engine::Engine;
use crate::engine::explain::{Answer, Survey};
use crate::model::{Level, Now, Time};
use crate::rules::trace::Inside;
use crate::server::api::{WhyDto, WhySubjectsDto, WhyVerdictCountDto};

/// A dry run that is over.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When it ended.
    pub time: Time,
    /// How long it was.
    pub seconds: f64,
    /// How often each collector looked.
    pub passes: BTreeMap<String, usize>,
    /// The rules: those of which something fires first, then those of which something is pending.
    pub rules: Vec<RuleReport>,
    /// What would have been sent.
    pub would_send: Vec<WouldSend>,
}

/// One rule in a dry run.
#[derive(Clone, Debug, Serialize)]
pub struct RuleReport {
    /// The rule.
    pub rule: String,
    /// All that it judges, counted; null for a rule over one set.
    pub overview: Option<WhyDto>,
    /// What fires or is pending, each explained; the set of a rule over one.
    pub subjects: Vec<WhyDto>,
}

/// A notification that a dry run does not send.
#[derive(Clone, Debug, Serialize)]
pub struct WouldSend {
    /// When it was decided.
    pub time: Time,
    /// Who would be told.
    pub channel: String,
    /// In these words.
    pub title: String,
    /// The text below them.
    pub text: String,
    /// The highest level.
    pub level: Level,
    /// Why it could not be sent, where it has no request.
    pub problem: Option<String>,
}

impl Report {
    /// What the engine of a bench says at the end, of what it saw since `started`.
    pub fn of(
        bench: &Bench,
        project: &Project,
        started: Now,
        passes: BTreeMap<String, usize>,
        sent: &[Sent],
    ) -> Report {
        let (engine, now) = (bench.engine(), bench.now());
        let mut rules: Vec<RuleReport> =
            engine.rules().rules.keys().filter_map(|name| rule_report(engine, now, name.as_str())).collect();
        for document in rules.iter_mut().flat_map(|report| &mut report.subjects) {
            with_backlog(document, bench, project);
        }
        rules.sort_by_key(|report| (report.urgency(), report.rule.clone()));
        let would_send = sent.iter().map(|sent| WouldSend {
            time: sent.notification.time,
            channel: sent.notification.channel.to_string(),
            title: sent.message.title.clone(),
            text: sent.message.text.clone(),
            level: sent.notification.level(),
            problem: sent.request.as_ref().err().cloned(),
        });
        let seconds = now.time.since(started.time).as_secs_f64();
        Report { time: now.wall(), seconds, passes, rules, would_send: would_send.collect() }
    }

    /// The text of it; times are of `zone`.
    pub fn lines(&self, zone: &TimeZone) -> Vec<String> {
        let clock = words::Clock { now: self.time, zone };
        let passes: Vec<String> =
            self.passes.iter().map(|(name, n)| format!("{name} {}", words::count(*n, "time"))).collect();
        let looked = match passes.is_empty() {
            true => "nothing was collected".to_string(),
            false => format!("collected {}", passes.join(", ")),
        };
        let mut lines =
            vec![format!("dry run of {:.1}s, {}: {looked}", self.seconds, clock.full(self.time)), String::new()];
        for report in self.rules.iter().filter(|report| !report.saw_nothing()) {
            lines.extend(report.lines(zone));
        }
        let unseen = self.unseen();
        for (kind, rules) in &unseen {
            lines.push(format!("nothing of kind {kind} was seen, for {}", rules.join(", ")));
        }
        if self.rules.is_empty() {
            lines.push("there are no rules".to_string());
        }
        lines.push(String::new());
        match self.would_send.is_empty() {
            true => lines.push("nothing would have been sent".to_string()),
            false => lines.push("would have been sent".to_string()),
        }
        for would in &self.would_send {
            let problem = would.problem.as_ref().map(|problem| format!(" (it cannot be told: {problem})"));
            let problem = problem.unwrap_or_default();
            lines.push(format!("  {}  to {}: {}{problem}", clock.at(would.time), would.channel, would.title));
        }
        if !unseen.is_empty() {
            lines.push(String::new());
            lines.push("what is pushed to a daemon is not seen here: `larum run --dry-run` takes pushes".to_string());
        }
        lines.into_iter().map(|line| one_line(&line)).collect()
    }

    /// The rules that had nothing to judge, by kind.
    fn unseen(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut unseen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for report in self.rules.iter().filter(|report| report.saw_nothing()) {
            let kind = report.overview.as_ref().map(|overview| overview.rule.kind.as_str()).unwrap_or_default();
            unseen.entry(kind).or_default().push(&report.rule);
        }
        unseen
    }
}

fn rule_report(engine: &Engine, now: Now, rule: &str) -> Option<RuleReport> {
    let name = rule.to_string();
    let inside = Inside::of(&engine.rule(rule).ok()?);
    match engine.why(now, &inside, None, None).ok()? {
        Answer::One(explanation) => {
            Some(RuleReport { rule: name, overview: None, subjects: vec![document(&explanation)] })
        }
        Answer::All(survey) => {
            let explained = |name: &str| engine.explain(now, &inside, Some(name)).ok().map(|found| document(&found));
            let named = survey.firing.iter().chain(&survey.pending);
            let subjects = named.filter_map(|near| explained(&near.subject.name)).collect();
            Some(RuleReport { rule: name, overview: Some(overview(engine, now, &inside, &survey)), subjects })
        }
    }
}

fn overview(engine: &Engine, now: Now, inside: &Inside, survey: &Survey) -> WhyDto {
    let near = engine.distances(now, inside, &survey.clear);
    survey_document(survey, survey.clear.len(), near)
}

impl RuleReport {
    /// Firing rules first, then pending ones.
    fn urgency(&self) -> u8 {
        let any = |state: &str| {
            let of = |document: &WhyDto| document.state.as_ref().is_some_and(|now| now.state == state);
            self.subjects.iter().any(of)
        };
        if any("firing") || any("recovering") {
            0
        } else if any("pending") {
            1
        } else {
            2
        }
    }

    fn saw_nothing(&self) -> bool {
        let subjects = self.overview.as_ref().and_then(|overview| overview.subjects.as_ref());
        subjects.is_some_and(|subjects| subjects.total == 0)
    }

    fn lines(&self, zone: &TimeZone) -> Vec<String> {
        let explained = self.subjects.iter().map(|subject| {
            let name = subject.subject.as_ref().map(|subject| subject.name.as_str()).unwrap_or_default();
            format!("  {name}: {}", headline_of_dry_run(subject, zone))
        });
        match self.overview.as_ref().and_then(|overview| overview.subjects.as_ref()) {
            Some(subjects) => {
                let line = format!("{}: {}", self.rule, counted(subjects));
                std::iter::once(line).chain(explained).collect()
            }
            None => std::iter::once(format!("{}:", self.rule)).chain(explained).collect(),
        }
    }
}

/// The verdicts of a rule in a line, with the nearest to firing where nothing is pending.
fn counted(subjects: &WhySubjectsDto) -> String {
    let verdict = |verdict: &WhyVerdictCountDto| {
        let word = match verdict.says.as_str() {
            "fire" => "true",
            "no_data" => "no data",
            "excluded" | "not_concerned" => "not concerned",
            "not_judged" => "not judged",
            "between" => "neither",
            says => says,
        };
        match &verdict.reason {
            Some(reason) => format!("{} {word} ({reason})", verdict.count),
            None => format!("{} {word}", verdict.count),
        }
    };
    let verdicts: Vec<String> = subjects.verdicts.iter().map(verdict).collect();
    let nearest = subjects.nearest.iter().find_map(|near| Some((near, near.missing.as_ref()?)));
    let nearest = nearest.map(|(near, missing)| format!("; nearest {}: {}", near.name, missing.values));
    format!("{}{}", verdicts.join(", "), nearest.unwrap_or_default())
}
