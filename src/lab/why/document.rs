//! From what the engine says to the document that clients read.

mod parts;
mod stages;

use std::sync::Arc;
use std::time::Duration;

use super::attention;
use crate::alert::Track;
use crate::diagnostic::did_you_mean;
use crate::engine::explain::{
    Distance, Explanation, Fares, Kind, Near, Next, NotEvaluated, Seen, Survey, TrackView, distance,
};
use crate::model::{NoData, Now, duration};
use crate::rules::{Condition, Fault, PerLevel, Repeat, Rule, Scope, Verdict};
use crate::server::api::{
    WhyCountsDto, WhyDistanceDto, WhyDto, WhyFaultDto, WhyLevelDto, WhyMembersDto, WhyNearDto, WhyNextDto, WhyRuleDto,
    WhyStateDto, WhySubjectDto, WhySubjectsDto, WhyTimerDto, WhyVerdictCountDto, WhyVerdictDto,
};

/// Subjects that are named as the nearest to firing.
const NEAREST: usize = 10;

/// The document of one rule and one subject.
pub fn document(explanation: &Explanation) -> WhyDto {
    let now = explanation.now;
    let rule = &explanation.fares.rule;
    let parts = explanation.evaluated.as_ref().map_or(&[][..], |explained| &explained.parts);
    let values = explanation.reads().iter().map(|(name, value)| (name.to_string(), value.clone()));
    WhyDto {
        time: now.wall(),
        rule: rule_document(now, &explanation.fares),
        subject: Some(subject(explanation)),
        verdict: Some(verdict(explanation)),
        evaluation: parts.iter().map(|part| parts::part(now, rule, part)).collect(),
        values: values.collect(),
        state: Some(state(explanation)),
        next: explanation.next.iter().map(|next| next_document(now, *next)).collect(),
        stages: Some(stages::stages(now, &explanation.stages)),
        attention: Some(attention::document(now, &explanation.attention)),
        last_firing: None,
        subjects: None,
    }
}

/// The document of all that a rule judges. `measured`: what was looked at for how far it is, and what it came to.
pub fn survey_document(survey: &Survey, measured: usize, mut near: Vec<Near>) -> WhyDto {
    let now = survey.now;
    let missing = |near: &Near| near.distance.as_ref().map_or(f64::INFINITY, |distance| distance.missing);
    near.sort_by(|a, b| missing(a).total_cmp(&missing(b)).then_with(|| a.subject.cmp(&b.subject)));
    let nearest = survey.pending.iter().chain(&near).take(NEAREST);
    WhyDto {
        time: now.wall(),
        rule: rule_document(now, &survey.fares),
        subject: None,
        verdict: None,
        evaluation: Vec::new(),
        values: Default::default(),
        state: None,
        next: Vec::new(),
        stages: None,
        attention: None,
        last_firing: None,
        subjects: Some(WhySubjectsDto {
            total: survey.total(),
            verdicts: survey.verdicts.iter().map(|(kind, count)| verdict_count(kind, *count)).collect(),
            states: survey.states.iter().map(|(state, count)| (state.to_string(), *count)).collect(),
            firing: survey.firing.iter().map(|near| near_document(now, near)).collect(),
            nearest: nearest.map(|near| near_document(now, near)).collect(),
            measured,
        }),
    }
}

fn rule_document(now: Now, fares: &Fares) -> WhyRuleDto {
    let rule = &fares.rule;
    let (kind, scope, by) = match &rule.scope {
        Scope::On { kind } => (kind, "on", &[][..]),
        Scope::Over { kind, by } => (kind, "over", &by[..]),
    };
    let counts = fares.counts;
    WhyRuleDto {
        name: rule.name.to_string(),
        file: rule.file.to_string(),
        line: rule.line,
        kind: kind.to_string(),
        scope: scope.to_string(),
        by: by.iter().map(ToString::to_string).collect(),
        times: times(rule),
        verdicts: WhyCountsDto { fire: counts.fire, clear: counts.clear, no_data: counts.no_data, error: counts.error },
        fault: fares.fault.as_ref().map(|(time, fault)| WhyFaultDto {
            time: now.wall_of(*time),
            message: fault.message.clone(),
            line: known(fault.line),
            column: known(fault.column),
        }),
        quarantined_until: fares.quarantined_until.map(|until| now.wall_of(until)),
        paused: fares.paused.as_ref().map(|pause| attention::pause(rule.name.as_str(), pause)),
        file_problem: None,
    }
}

/// The times of a rule that hold something back.
fn times(rule: &Rule) -> Vec<String> {
    let per_level = |name: &str, times: &PerLevel| {
        let mut all: Vec<(String, Duration)> =
            times.by_level.iter().rev().map(|(level, time)| (format!("{name} {level}"), *time)).collect();
        all.push((name.to_string(), times.default));
        all
    };
    let mut all = per_level("hold", &rule.hold);
    all.extend(per_level("keep", &rule.keep));
    all.push(("cooldown".to_string(), rule.cooldown));
    if let Repeat::Every(repeat) = rule.repeat {
        all.push(("repeat".to_string(), repeat));
    }
    if rule.judges_time {
        all.push(("every".to_string(), rule.every));
    }
    all.retain(|(_, time)| !time.is_zero());
    all.into_iter().map(|(name, time)| format!("{name} {}", duration::format(time))).collect()
}

fn known(place: usize) -> Option<usize> {
    (place > 0).then_some(place)
}

fn subject(explanation: &Explanation) -> WhySubjectDto {
    let now = explanation.now;
    let document = WhySubjectDto {
        kind: explanation.subject.kind.to_string(),
        name: explanation.subject.name.to_string(),
        ..WhySubjectDto::default()
    };
    match &explanation.seen {
        Seen::Subject { labels, time, stale_at, stale, gone, .. } => WhySubjectDto {
            labels: labels.clone(),
            snapshot: Some(now.wall_of(*time)),
            stale_since: (*stale && !*gone).then(|| now.wall_of(*stale_at)),
            gone: *gone,
            ..document
        },
        Seen::Set { members, names, of_kind } => WhySubjectDto {
            members: Some(WhyMembersDto {
                count: *members,
                names: names.iter().map(ToString::to_string).collect(),
                of_kind: *of_kind,
            }),
            ..document
        },
    }
}

fn says(condition: Condition) -> &'static str {
    match condition {
        Condition::Fire => "fire",
        Condition::Clear => "clear",
        Condition::Neither => "between",
    }
}

fn verdict(explanation: &Explanation) -> WhyVerdictDto {
    let rule = &explanation.fares.rule;
    let explained = match &explanation.evaluated {
        Ok(explained) => explained,
        Err(not_evaluated) => return not_judged(not_evaluated),
    };
    let because = |says: &str, reason: String| WhyVerdictDto {
        says: says.to_string(),
        reason: Some(reason),
        ..WhyVerdictDto::default()
    };
    match &explained.judgement.verdict {
        Verdict::Conditions(conditions) => {
            let all = if conditions.contains(&Condition::Fire) {
                Condition::Fire
            } else if conditions.contains(&Condition::Neither) {
                Condition::Neither
            } else {
                Condition::Clear
            };
            let levels = rule.levels.iter().zip(conditions);
            let levels = levels.map(|(level, condition)| WhyLevelDto { level: *level, says: says(*condition).into() });
            WhyVerdictDto {
                says: says(all).to_string(),
                levels: levels.collect(),
                missing: distance(&explained.parts).filter(|_| all != Condition::Fire).map(distance_document),
                ..WhyVerdictDto::default()
            }
        }
        Verdict::NoData(reason) => because("no_data", reason.to_string()),
        Verdict::Error(fault) => failed("error", fault),
        Verdict::Excluded => because("excluded", "`where` does not take it".to_string()),
        Verdict::NotConcerned { field } => {
            let fields = explanation.fields.iter().map(|field| &**field);
            WhyVerdictDto {
                hint: did_you_mean(field, fields.clone()).or_else(|| has(fields)),
                ..because("not_concerned", NoData::NeverHad { field: field.clone() }.to_string())
            }
        }
    }
}

/// The fields that a subject has, where none is near to the one that it lacks.
fn has<'a>(fields: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut fields: Vec<&str> = fields.take(9).collect();
    let more = if fields.len() > 8 { ", .." } else { "" };
    fields.truncate(8);
    (!fields.is_empty()).then(|| format!("it has {}{more}", fields.join(", ")))
}

fn failed(says: &str, fault: &Fault) -> WhyVerdictDto {
    WhyVerdictDto {
        says: says.to_string(),
        reason: Some(fault.message.clone()),
        line: known(fault.line),
        column: known(fault.column),
        ..WhyVerdictDto::default()
    }
}

fn not_judged(why: &NotEvaluated) -> WhyVerdictDto {
    let because = |reason: String| WhyVerdictDto {
        says: "not_judged".to_string(),
        reason: Some(reason),
        ..WhyVerdictDto::default()
    };
    match why {
        NotEvaluated::Gone => because(NoData::Gone.to_string()),
        NotEvaluated::Quarantined(fault) => failed("error", fault),
        NotEvaluated::SetAwaited(reason) => because(reason.to_string()),
        NotEvaluated::Members(member, fault) => WhyVerdictDto {
            reason: Some(format!("`where` fails on {member}: {}", fault.message)),
            ..failed("error", fault)
        },
        NotEvaluated::NoMembers => because("the group has no fresh member that `where` takes".to_string()),
    }
}

fn state(explanation: &Explanation) -> WhyStateDto {
    let now = explanation.now;
    let Some(alert) = &explanation.alert else {
        return WhyStateDto { state: "inactive".to_string(), ..WhyStateDto::default() };
    };
    let firing = alert.firing.as_ref();
    WhyStateDto {
        state: alert.state().to_string(),
        id: firing.map(|firing| firing.id.to_string()),
        level: firing.map(|firing| firing.level),
        firing_since: firing.map(|firing| now.wall_of(firing.since)),
        message: firing.map(|firing| firing.message.clone()),
        rests_since: firing.and_then(|firing| firing.rests_since).map(|since| now.wall_of(since)),
        flapping_until: explanation.flapping_until.map(|until| now.wall_of(until)),
        not_judged_since: alert.not_judged_since.map(|since| now.wall_of(since)),
        timers: explanation.tracks.iter().filter_map(|track| timer(now, track)).collect(),
    }
}

fn timer(now: Now, view: &TrackView) -> Option<WhyTimerDto> {
    let (timer, since) = match view.track {
        Track::Pending { since, .. } => ("hold", since),
        Track::Recovering { since, .. } => ("keep", since),
        Track::Off | Track::On => return None,
    };
    Some(WhyTimerDto {
        level: view.level,
        timer: timer.to_string(),
        since: now.wall_of(since),
        counted_seconds: view.counted.as_secs_f64(),
        length_seconds: view.length.as_secs_f64(),
        until: view.until.map(|until| now.wall_of(until)),
    })
}

fn next_document(now: Now, next: Next) -> WhyNextDto {
    let (what, time) = match next {
        Next::Snapshot => ("snapshot", None),
        Next::Stale(time) => ("stale", Some(time)),
        Next::Tick(time) => ("tick", Some(time)),
        Next::Released(time) => ("released", Some(time)),
        Next::Timer(time) => ("timer", Some(time)),
    };
    WhyNextDto { what: what.to_string(), time: time.map(|time| now.wall_of(time)) }
}

fn distance_document(distance: Distance) -> WhyDistanceDto {
    let Distance { missing, comparison, values } = distance;
    WhyDistanceDto { comparison, values, missing }
}

fn verdict_count(kind: &Kind, count: usize) -> WhyVerdictCountDto {
    let never_had = |field: &Arc<str>| NoData::NeverHad { field: field.clone() }.to_string();
    let (says, reason) = match kind {
        Kind::Fire => ("fire", None),
        Kind::Clear => ("clear", None),
        Kind::Between => ("between", None),
        Kind::NoData(reason) => ("no_data", Some(reason.clone())),
        Kind::Error(reason) => ("error", Some(reason.clone())),
        Kind::Excluded => ("excluded", Some("`where` does not take it".to_string())),
        Kind::NotConcerned(field) => ("not_concerned", Some(never_had(field))),
        Kind::Unjudged => ("not_judged", None),
    };
    WhyVerdictCountDto { says: says.to_string(), reason, count }
}

fn near_document(now: Now, near: &Near) -> WhyNearDto {
    WhyNearDto {
        name: near.subject.name.to_string(),
        level: near.level,
        since: near.since.map(|since| now.wall_of(since)),
        until: near.until.map(|until| now.wall_of(until)),
        missing: near.distance.clone().map(distance_document),
    }
}
