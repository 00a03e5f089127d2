//! The answer in a sentence or two: what whoever is woken reads first.

use jiff::tz::TimeZone;

use super::delivery::{Arrival, and_limited, arrival};
use super::levels::{Alike, alike};
use super::words::{Clock, value};
use crate::diagnostic::one_line;
use crate::server::api::{
    WhyChannelDto, WhyDto, WhyExpressionDto, WhyRouteDto, WhyStagesDto, WhyStateDto, WhyTimerDto, WhyVerdictDto,
};

/// Expressions that are named in the answer.
const FALSE_PARTS: usize = 2;

/// Why it fires, or not, and who is told.
pub fn headline(document: &WhyDto, zone: &TimeZone) -> String {
    answer(document, zone, true)
}

/// The same where nothing is sent: what was decided would have been told.
pub fn headline_of_dry_run(document: &WhyDto, zone: &TimeZone) -> String {
    answer(document, zone, false)
}

fn answer(document: &WhyDto, zone: &TimeZone, sends: bool) -> String {
    let clock = Clock { now: document.time, zone };
    let (Some(state), Some(verdict)) = (&document.state, &document.verdict) else {
        return String::new();
    };
    let mut sentences = vec![ended(stands(document, state, verdict, &clock))];
    let takes_part = !matches!(verdict.says.as_str(), "excluded" | "not_concerned");
    if let Some(stages) = document.stages.as_ref().filter(|stages| takes_part || !stages.what_if) {
        sentences.push(ended(tells(stages, &clock, sends)));
    }
    one_line(&sentences.join(" "))
}

/// A sentence with its end; what others wrote may have one already.
fn ended(sentence: String) -> String {
    match sentence.ends_with(['.', '?', '!']) {
        true => sentence,
        false => format!("{sentence}."),
    }
}

/// How the alert stands, and why.
fn stands(document: &WhyDto, state: &WhyStateDto, verdict: &WhyVerdictDto, clock: &Clock<'_>) -> String {
    let next = |timer: &str| -> Option<&WhyTimerDto> {
        let of_kind = state.timers.iter().filter(|candidate| candidate.timer == timer);
        of_kind.min_by_key(|timer| (timer.until.is_none(), timer.until))
    };
    let since = state.firing_since.map(|since| clock.since(since)).unwrap_or_default();
    let level = state.level.map(|level| level.to_string()).unwrap_or_default();
    let unjudged = match state.not_judged_since {
        Some(since) => format!(", and could not be judged since {} ({})", clock.since(since), because(verdict)),
        None => String::new(),
    };
    match (state.state.as_str(), state.rests_since, state.flapping_until) {
        (_, Some(rests), Some(until)) => format!(
            "It flaps, and is over since {}: the end is told at {} if it stays so",
            clock.since(rests),
            clock.until(until)
        ),
        ("firing", _, Some(until)) => {
            format!("It flaps at {level}: that is told until it was quiet, at {}", clock.until(until))
        }
        ("firing", ..) => format!("It fires at {level} since {since}{unjudged}"),
        ("recovering", ..) => match next("keep").and_then(|timer| timer.until) {
            Some(until) => format!("It fires at {level}, and ends at {} if it stays clear", clock.until(until)),
            None => format!("It fires at {level} since {since}, and its recovery stands still{unjudged}"),
        },
        ("pending", ..) => match next("hold") {
            Some(WhyTimerDto { until: Some(until), .. }) => {
                format!("It is pending, and fires at {} if its condition stays true", clock.until(*until))
            }
            _ => format!("It is pending, and its hold stands still: {}", because(verdict)),
        },
        _ => format!("It does not fire: {}", not_firing(document, verdict)),
    }
}

fn not_firing(document: &WhyDto, verdict: &WhyVerdictDto) -> String {
    match verdict.says.as_str() {
        "fire" => "its condition is true now, and it is judged with its next snapshot".to_string(),
        "clear" | "between" => match &verdict.missing {
            Some(missing) => format!("`{}` is false ({})", missing.comparison, missing.values),
            None => false_parts(document).unwrap_or_else(|| "its condition is false".to_string()),
        },
        "excluded" | "not_concerned" => format!("the rule does not concern it, as {}", because(verdict)),
        _ => because(verdict),
    }
}

/// The expressions of the condition that are false and made of nothing that is true or false: the first of them.
fn false_parts(document: &WhyDto) -> Option<String> {
    let when = document.evaluation.iter().find(|part| part.part == "when")?;
    let all = &when.expressions;
    let is_answer = |expression: &&WhyExpressionDto| matches!(expression.outcome.text.as_str(), "true" | "false");
    let below = |index: usize| {
        let depth = all[index].depth;
        all[index + 1..].iter().take_while(move |expression| expression.depth > depth)
    };
    let is_leaf =
        |index: &usize| all[*index].outcome.text == "false" && !below(*index).any(|expression| is_answer(&expression));
    let said = (0..all.len()).filter(is_leaf).map(|index| {
        let is_read = |read: &&WhyExpressionDto| read.outcome.result == "value" && read.outcome.text != read.text;
        let reads: Vec<String> = below(index)
            .filter(is_read)
            .map(|read| format!("{} is {}", read.text, value(&read.outcome.text)))
            .collect();
        match reads.is_empty() {
            true => format!("`{}` is false", all[index].text),
            false => format!("`{}` is false ({})", all[index].text, reads.join(", ")),
        }
    });
    let said: Vec<String> = said.take(FALSE_PARTS).collect();
    (!said.is_empty()).then(|| said.join(", and "))
}

/// What a verdict says, in words.
fn because(verdict: &WhyVerdictDto) -> String {
    let reason = verdict.reason.clone().unwrap_or_else(|| verdict.says.replace('_', " "));
    let hint = verdict.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    match verdict.says.as_str() {
        "no_data" => format!("no data, as {reason}{hint}"),
        "error" => format!("the rule fails, as {reason}{hint}"),
        _ => format!("{reason}{hint}"),
    }
}

/// Who is told of it.
fn tells(stages: &WhyStagesDto, clock: &Clock<'_>, sends: bool) -> String {
    let would = if stages.what_if { "If it fired now, " } else { "" };
    let groups = alike(stages);
    if let [Alike { stages, .. }] = &groups[..] {
        return format!("{would}{}", tells_all(stages, clock, sends, "; "));
    }
    let tells = |Alike { levels, stages }: &Alike| format!("at {levels}: {}", tells_all(stages, clock, sends, ", "));
    format!("{would}{}", groups.iter().map(tells).collect::<Vec<_>>().join("; "))
}

fn tells_all(stages: &WhyStagesDto, clock: &Clock<'_>, sends: bool, separator: &str) -> String {
    let routed: Vec<&WhyChannelDto> = stages.channels.iter().filter(|channel| channel.routed).collect();
    if routed.is_empty() {
        let nobody = if stages.what_if { "nobody would be told" } else { "Nobody is told" };
        return format!("{nobody}: {}", nowhere(stages));
    }
    // Those that would be told alike are told of together.
    let mut all: Vec<(Vec<&str>, String)> = Vec::new();
    for channel in routed {
        let said = tells_channel(stages, channel, clock, sends);
        let alike = all.iter_mut().find(|(_, other)| *other == said && said.starts_with(" would"));
        match alike {
            Some((names, _)) => names.push(&channel.name),
            None => all.push((vec![&channel.name], said)),
        }
    }
    let all = all.into_iter().map(|(names, said)| format!("{}{said}", names.join(", ")));
    all.collect::<Vec<String>>().join(separator)
}

/// Why no channel is told.
fn nowhere(stages: &WhyStagesDto) -> String {
    let is_lost = |route: &&WhyRouteDto| matches!(route.says.as_str(), "takes" | "closed");
    match (&stages.notify, stages.routes.iter().find(is_lost)) {
        (Some(_), _) => "the rule's `notify` names no channel that exists".to_string(),
        (None, Some(route)) => format!("route {} takes it, and names no channel that exists", route.number),
        (None, None) => "no route takes it".to_string(),
    }
}

/// What follows the name of a channel.
fn tells_channel(stages: &WhyStagesDto, channel: &WhyChannelDto, clock: &Clock<'_>, sends: bool) -> String {
    let would = stages.what_if || !sends;
    let until = channel.held_until.map(|until| format!(" until {}", clock.until(until))).unwrap_or_default();
    let limited = and_limited(channel, clock);
    match channel.decision.as_str() {
        "hold" => {
            let held = match channel.held_by.as_deref().unwrap_or_default() {
                "cooldown" => format!("held back by its cooldown{until}"),
                "outside active hours" => format!("held back{until}, when its route opens"),
                "group" => format!("told in its group{}", until.replacen(" until", " at", 1)),
                "in flight" => "told when the notification on its way has arrived".to_string(),
                "alerting disabled" => "not told, as alerting is off".to_string(),
                "silenced" => format!("held back{until}, as it is silenced"),
                "inhibited" => format!("held back{until}, as another alert inhibits it"),
                "flapping" => "told when it was quiet".to_string(),
                other => format!("held back ({other}){until}"),
            };
            match told(channel, clock, sends) {
                Some(told) => format!("{told}, and what is new is {held}{limited}"),
                None => format!(" {} {held}{limited}", if would { "would be" } else { "is" }),
            }
        }
        "tell" if would => format!(" would be told{limited}"),
        "tell" if limited.is_empty() => " is told now".to_string(),
        "tell" => format!(" is told{limited}"),
        _ => match told(channel, clock, sends) {
            Some(told) => told,
            None if would => " would not be told".to_string(),
            None => " has nothing to hear".to_string(),
        },
    }
}

/// What was decided last for a channel, and whether it has it.
fn told(channel: &WhyChannelDto, clock: &Clock<'_>, sends: bool) -> Option<String> {
    let (told, arrival) = (channel.told.as_ref()?, arrival(channel, clock)?);
    let (level, since) = (told.level, clock.since(told.time));
    Some(match arrival {
        Arrival::Delivered if sends => format!(" was told {level} at {since}"),
        Arrival::Delivered => format!(" would have been told {level} at {since}"),
        Arrival::Not(why) => format!(": {level} decided {since}, {why}"),
    })
}
