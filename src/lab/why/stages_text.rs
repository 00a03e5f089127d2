//! Who is told, as lines: routes, channels, and what became of notifications.

use super::delivery::{Arrival, and_limited, arrival};
use super::levels::{Alike, alike};
use super::text::{labels, table};
use super::words::{Clock, count};
use crate::server::api::{
    AlertNotificationDto, AttemptDto, WhyChannelDto, WhyFiringDto, WhyOutboxDto, WhyRouteDto, WhyStagesDto,
};

/// Attempts that are shown of each notification.
const ATTEMPTS: usize = 3;
/// Notifications that are shown.
const NOTIFICATIONS: usize = 10;

/// What each route says.
pub(super) fn routes(stages: &WhyStagesDto, clock: &Clock<'_>) -> Vec<String> {
    let with = if stages.labels.is_empty() { String::new() } else { format!(", {}", labels(&stages.labels)) };
    let mut lines = Vec::new();
    match (&stages.level, &stages.level_unknown) {
        (Some(level), _) if stages.what_if => lines.push(format!("as if it fired now at {level}{with}")),
        (None, Some(why)) => lines.push(format!("as if it fired now{with}; its level cannot be told: {why}")),
        _ => {}
    }
    if !stages.alerting {
        lines.push("alerting is off (`alerts.enabled` in larum.yaml): nobody is told of anything".to_string());
    }
    if let Some(notify) = &stages.notify {
        lines.push(format!("not asked: the rule tells {} past them", list(notify)));
        return lines;
    }
    for Alike { levels, stages } in alike(stages) {
        if !levels.is_empty() {
            lines.push(format!("at {levels}:"));
        }
        lines.extend(route_lines(&stages, clock));
    }
    lines
}

fn route_lines(stages: &WhyStagesDto, clock: &Clock<'_>) -> Vec<String> {
    // What stands behind the route that decides says nothing more.
    let asked: Vec<&WhyRouteDto> = stages.routes.iter().filter(|route| route.says != "not_asked").collect();
    let n_unasked = stages.routes.len() - asked.len();
    let decided = asked.last().map_or(0, |route| route.number);
    let mut lines = table(asked.into_iter().map(|route| route_row(route, clock)).collect());
    if n_unasked > 0 {
        lines.push(format!("{} after it not asked: route {decided} has no `continue`", count(n_unasked, "route")));
    }
    if stages.routes.is_empty() {
        lines.push("there are none".to_string());
    }
    lines
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_string() } else { names.join(", ") }
}

fn route_row(route: &WhyRouteDto, clock: &Clock<'_>) -> Vec<String> {
    let place = route.line.map(|line| format!(" (larum.yaml:{line})")).unwrap_or_default();
    let says = match (route.says.as_str(), &route.mismatch, route.opens) {
        (_, Some(mismatch), _) if mismatch.saw.is_empty() => {
            format!("no: {} is empty, wants `{}`", mismatch.key, mismatch.wants)
        }
        (_, Some(mismatch), _) => {
            format!("no: {} is `{}`, wants `{}`", mismatch.key, mismatch.saw, mismatch.wants)
        }
        (_, None, Some(opens)) => format!("takes it, and opens at {}", clock.until(opens)),
        (_, None, None) => "takes it".to_string(),
    };
    let continues = if route.continues && route.mismatch.is_none() { ", and continues" } else { "" };
    let missing = match route.missing.is_empty() || route.mismatch.is_some() {
        true => String::new(),
        false => format!(" (there is no channel {})", route.missing.join(", ")),
    };
    vec![format!("{}{place}", route.number), format!("to {}", list(&route.to)), format!("{says}{continues}{missing}")]
}

/// What each channel should know, and what holds it back.
pub(super) fn channels(stages: &WhyStagesDto, clock: &Clock<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for Alike { levels, stages } in alike(stages) {
        if !levels.is_empty() {
            lines.push(format!("at {levels}:"));
        }
        lines.extend(channel_lines(&stages, clock));
    }
    lines
}

fn channel_lines(stages: &WhyStagesDto, clock: &Clock<'_>) -> Vec<String> {
    if stages.channels.is_empty() {
        return vec!["none is told".to_string()];
    }
    let mut rows = Vec::new();
    for channel in &stages.channels {
        let facts = channel_facts(channel, stages, clock);
        for (index, fact) in facts.into_iter().enumerate() {
            rows.push(vec![if index == 0 { channel.name.clone() } else { String::new() }, fact]);
        }
    }
    table(rows)
}

/// What is to be said of one channel, the present decision first.
fn channel_facts(channel: &WhyChannelDto, stages: &WhyStagesDto, clock: &Clock<'_>) -> Vec<String> {
    let would = stages.what_if;
    let until = channel.held_until.map(|until| format!(" until {}", clock.until(until))).unwrap_or_default();
    let event = channel.event.map(|event| event.to_string()).unwrap_or_default();
    let arrival = arrival(channel, clock);
    let and_limited = and_limited(channel, clock);
    let decision = match (channel.decision.as_str(), channel.reminder) {
        ("tell", _) if would => Some(format!("would be told{and_limited}: {event}")),
        ("tell", _) if and_limited.is_empty() => Some(format!("is told now: {event}")),
        ("tell", _) => Some(format!("is told{and_limited}: {event}")),
        ("hold", _) => {
            let by = channel.held_by.as_deref().unwrap_or_default();
            let by = if by == "group" { "group wait" } else { by };
            Some(format!("{} held: {by}{until}{and_limited}", if would { "would be" } else { "is" }))
        }
        _ if !channel.routed => Some("no route leads there any more; it is told the end".to_string()),
        (_, reminder) if matches!(arrival, Some(Arrival::Not(_))) => {
            let what = if channel.in_flight.is_some() { "next reminder" } else { "is told again at" };
            reminder.map(|reminder| format!("{what} {}", clock.until(reminder)))
        }
        (_, Some(reminder)) => Some(format!("knows what it should; next reminder {}", clock.until(reminder))),
        _ => Some("knows what it should".to_string()),
    };
    let mut facts: Vec<String> = decision.into_iter().collect();
    if let (Some(told), Some(arrival)) = (&channel.told, arrival) {
        let more = [told.stale.then_some("that its subject is silent"), told.flapping.then_some("that it flaps")];
        let more: String = more.into_iter().flatten().map(|text| format!(", {text}")).collect();
        let (level, since) = (told.level, clock.since(told.time));
        match arrival {
            Arrival::Delivered => facts.push(format!("was told {level} {since}{more}")),
            Arrival::Not(why) => facts.insert(0, format!("{level} decided {since}{more}, {why}")),
        }
    }
    let is_held_by_it = channel.held_by.as_deref() == Some("cooldown");
    if let Some(until) = channel.cooldown_until.filter(|_| !is_held_by_it) {
        facts.push(format!("cooldown until {}: only a higher level passes", clock.until(until)));
    }
    facts.extend(channel.group.as_ref().map(|group| match group.is_empty() {
        true => "told in the one group of its route".to_string(),
        false => format!("told in the group {}", labels(group)),
    }));
    facts.extend(channel.in_flight.as_ref().map(|id| format!("on its way: {id} (larum outbox show {id})")));
    if channel.missed > 0 {
        let wait = if channel.missed == 1 { "waits" } else { "wait" };
        let events = count(channel.missed as usize, "event");
        facts.push(format!("{events} {wait} to be folded into the next notification"));
    }
    if channel.owes_end {
        facts.push("is owed the end of an earlier firing".to_string());
    }
    facts.extend(channel.outbox.as_ref().map(|outbox| outbox_facts(outbox, clock)).unwrap_or_default());
    facts
}

fn outbox_facts(outbox: &WhyOutboxDto, clock: &Clock<'_>) -> Vec<String> {
    let mut facts = Vec::new();
    if let (Some(limit), Some(used), Some(most)) = (&outbox.limit, outbox.limit_used, outbox.limit_count) {
        let free = outbox.limited_until.map(|until| format!(", free at {}", clock.until(until))).unwrap_or_default();
        facts.push(format!("limit {limit}: {used} of {most} used{free}"));
    }
    if let (Some(limit), None, Some(until)) = (&outbox.limit, outbox.limit_used, outbox.limited_until) {
        facts.push(format!("limit {limit} is used up until {}", clock.until(until)));
    }
    if let Some(until) = outbox.paused_until.filter(|until| *until > clock.now) {
        facts.push(format!("its receiver asked for a pause until {}", clock.until(until)));
    }
    if outbox.consecutive_failures > 0 {
        let problem = outbox.problem.as_deref().unwrap_or_default();
        let n = count(outbox.consecutive_failures as usize, "attempt");
        facts.push(format!("its last {n} failed: {problem}"));
    }
    if outbox.waiting > 0 {
        let wait = if outbox.waiting == 1 { "waits" } else { "wait" };
        facts.push(format!("{} {wait} there, of all alerts", count(outbox.waiting, "notification")));
    }
    facts
}

/// What became of the notifications of a firing.
pub(super) fn told(firing: &WhyFiringDto, is_present: bool, clock: &Clock<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if !is_present {
        let reason = firing.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let ended = match firing.ended {
            Some(ended) => format!("to {}{reason}", clock.since(ended)),
            None => "and no end is stored".to_string(),
        };
        lines.push(format!("fired at {} from {} {ended}, id {}", firing.level, clock.at(firing.since), firing.id));
    }
    let omitted = firing.notifications.len().saturating_sub(NOTIFICATIONS);
    if omitted > 0 {
        lines.push(format!("{} before these: larum alerts {}", count(omitted, "notification"), firing.id));
    }
    for notification in &firing.notifications[omitted..] {
        lines.push(notification_line(notification, clock));
        let attempts = &notification.attempts;
        // One attempt that succeeded is told by the line above.
        if !(notification.state == "delivered" && attempts.len() < 2) {
            let newest = attempts.iter().skip(attempts.len().saturating_sub(ATTEMPTS));
            lines.extend(newest.map(|attempt| attempt_line(attempt, clock)));
        }
    }
    lines.extend(firing.suppressed.iter().map(|it| format!("{} was not told, for good: {}", it.channel, it.reason)));
    if lines.is_empty() {
        lines.push("nothing yet".to_string());
    }
    lines
}

fn notification_line(notification: &AlertNotificationDto, clock: &Clock<'_>) -> String {
    let events: Vec<String> = notification.events.iter().map(ToString::to_string).collect();
    let occasion = match notification.occasion.as_str() {
        "alert" => String::new(),
        occasion => format!(" in a notification of kind {occasion}"),
    };
    let tries = count(notification.n_attempts as usize, "attempt");
    let at = |time: Option<crate::model::Time>| time.map(|time| clock.at(time)).unwrap_or_default();
    let state = match (notification.state.as_str(), notification.next_attempt) {
        ("delivered", _) => format!("delivered {} after {tries}", at(notification.ended)),
        ("dead", _) => {
            let error = notification.error.as_deref().unwrap_or_default();
            format!(
                "given up {} after {tries}: {error} (larum outbox retry {})",
                at(notification.ended),
                notification.id
            )
        }
        ("absorbed", _) => format!("told by the summary {}", notification.absorbed_by.as_deref().unwrap_or_default()),
        (_, Some(next)) => format!("waits after {tries}, tried next {}", clock.until(next)),
        (_, None) => "waits for its first attempt".to_string(),
    };
    format!("{}  {}: {}{occasion}, {state}", clock.at(notification.time), notification.channel, events.join(", "))
}

fn attempt_line(attempt: &AttemptDto, clock: &Clock<'_>) -> String {
    let error = attempt.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("  attempt {} at {}: {}{error}", attempt.number, clock.at(attempt.time), attempt.result)
}
