//! The answer in a sentence or two: what whoever is woken reads first.

use jiff::tz::TimeZone;

use super::words::{Clock, clean, length, value};
use crate::server::api::{
    WhyChannelDto, WhyDto, WhyExpressionDto, WhyRouteDto, WhyStagesDto, WhyStateDto, WhyTimerDto, WhyVerdictDto,
};

/// Expressions that are named in the answer.
const FALSE_PARTS: usize = 2;

/// Why it fires, or not, and who is told.
pub fn headline(document: &WhyDto, zone: &TimeZone) -> String {
    let clock = Clock { now: document.time, zone };
    let (Some(state), Some(verdict)) = (&document.state, &document.verdict) else {
        return String::new();
    };
    let mut sentences = vec![stands(document, state, verdict, &clock)];
    let takes_part = !matches!(verdict.says.as_str(), "excluded" | "not_concerned");
    if let Some(stages) = document.stages.as_ref().filter(|stages| takes_part || !stages.what_if) {
        sentences.push(tells(stages, &clock));
    }
    clean(&sentences.join(" "))
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
            "It flaps, and is over since {}: the end is told at {} if it stays so.",
            clock.since(rests),
            clock.until(until)
        ),
        ("firing", _, Some(until)) => {
            format!("It flaps at {level}: that is told until it was quiet, at {}.", clock.until(until))
        }
        ("firing", ..) => format!("It fires at {level} since {since}{unjudged}."),
        ("recovering", ..) => match next("keep").and_then(|timer| timer.until) {
            Some(until) => format!("It fires at {level}, and ends at {} if it stays clear.", clock.until(until)),
            None => format!("It fires at {level} since {since}, and its recovery stands still{unjudged}."),
        },
        ("pending", ..) => match next("hold") {
            Some(WhyTimerDto { until: Some(until), .. }) => {
                format!("It is pending, and fires at {} if its condition stays true.", clock.until(*until))
            }
            _ => format!("It is pending, and its hold stands still: {}.", because(verdict)),
        },
        _ => format!("It does not fire: {}.", not_firing(document, verdict)),
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
fn tells(stages: &WhyStagesDto, clock: &Clock<'_>) -> String {
    let routed: Vec<&WhyChannelDto> = stages.channels.iter().filter(|channel| channel.routed).collect();
    let would = if stages.what_if { "If it fired now, " } else { "" };
    if routed.is_empty() {
        let nobody = if stages.what_if { "nobody would be told" } else { "Nobody is told" };
        return format!("{would}{nobody}: {}.", nowhere(stages));
    }
    let all: Vec<String> = routed.into_iter().map(|channel| tells_channel(stages, channel, clock)).collect();
    format!("{would}{}.", all.join("; "))
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

fn tells_channel(stages: &WhyStagesDto, channel: &WhyChannelDto, clock: &Clock<'_>) -> String {
    let (name, would) = (&channel.name, stages.what_if);
    let until = channel.held_until.map(|until| format!(" until {}", clock.until(until))).unwrap_or_default();
    match channel.decision.as_str() {
        "hold" => {
            let held = match channel.held_by.as_deref().unwrap_or_default() {
                "cooldown" => format!("held back by its cooldown{until}"),
                "outside active hours" => format!("held back{until}, when its route opens"),
                "group" => format!("told in its group{}", until.replacen(" until", " at", 1)),
                "in flight" => "told when the notification on its way has arrived".to_string(),
                "alerting disabled" => "not told, as alerting is off".to_string(),
                "flapping" => "told when it was quiet".to_string(),
                other => format!("held back ({other}){until}"),
            };
            match told_at(channel, clock) {
                Some(told) => format!("{name} {told}, and what is new is {held}"),
                None => format!("{name} {} {held}", if would { "would be" } else { "is" }),
            }
        }
        "tell" if would => format!("{name} would be told"),
        "tell" => format!("{name} is told now"),
        _ => match told_at(channel, clock) {
            Some(told) => format!("{name} {told}"),
            None if would => format!("{name} would not be told"),
            None => format!("{name} has nothing to hear"),
        },
    }
}

fn told_at(channel: &WhyChannelDto, clock: &Clock<'_>) -> Option<String> {
    let told = channel.told.as_ref()?;
    let at = format!("at {} ({} ago)", clock.at(told.time), length(clock.now.since(told.time)));
    let n_failed = channel.outbox.as_ref().map_or(0, |outbox| outbox.consecutive_failures);
    Some(match (told.heard, channel.in_flight.is_some()) {
        (false, true) if n_failed > 0 => {
            format!("is being told {} since {}, and its attempts fail", told.level, clock.since(told.time))
        }
        (false, true) => format!("is being told {} since {}", told.level, clock.since(told.time)),
        (false, false) => format!("was told {} {at}, but nothing arrived", told.level),
        (true, _) => format!("was told {} {at}", told.level),
    })
}
