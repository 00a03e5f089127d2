//! What people have said of an alert, as documents and in words.

use super::words::Clock;
use crate::engine::explain::Attention;
use crate::engine::{Muted, NextStep, Pause};
use crate::model::{Acknowledged, Now, duration};
use crate::routing::Silence;
use crate::server::api::{AckDto, MutedDto, NextStepDto, PauseDto, WhyAttentionDto, WhyRuleDto, WhySilenceDto};

/// What people have said of an alert.
pub(super) fn document(now: Now, attention: &Attention) -> WhyAttentionDto {
    WhyAttentionDto {
        acknowledged: attention.acknowledged.as_ref().map(acknowledged),
        silences: attention.silences.iter().map(|silence| silence_document(now, silence)).collect(),
        inhibited_by: attention.muted.clone().map(|by| muted(by, now)),
        escalation: attention.next_step.clone().map(|step| next_step(step, now)),
    }
}

/// Who acknowledged an alert.
pub fn acknowledged(acknowledged: &Acknowledged) -> AckDto {
    let Acknowledged { by, at, comment } = acknowledged;
    AckDto { by: by.to_string(), at: *at, comment: comment.to_string() }
}

/// What mutes an alert.
pub fn muted(muted: Muted, now: Now) -> MutedDto {
    match muted {
        Muted::By { rule, subject } => MutedDto {
            rule: rule.to_string(),
            kind: Some(subject.kind.to_string()),
            name: Some(subject.name.to_string()),
            until: None,
        },
        Muted::Awaits { rule, until } => {
            MutedDto { rule: rule.to_string(), kind: None, name: None, until: Some(now.wall_of(until)) }
        }
    }
}

/// The next step of an alert's escalation.
pub fn next_step(step: NextStep, now: Now) -> NextStepDto {
    NextStepDto {
        at: step.at.map(|at| now.wall_of(at)),
        after_seconds: step.after.as_secs_f64(),
        passed_seconds: step.passed.as_secs_f64(),
        to: step.to.iter().map(ToString::to_string).collect(),
    }
}

/// The pause of a rule.
pub(super) fn pause(rule: &str, pause: &Pause) -> PauseDto {
    PauseDto {
        what: "rules".to_string(),
        name: Some(rule.to_string()),
        since: pause.since,
        by: pause.by.to_string(),
        comment: pause.comment.to_string(),
    }
}

fn silence_document(now: Now, silence: &Silence) -> WhySilenceDto {
    WhySilenceDto {
        id: silence.id.to_string(),
        matches: silence.matches.to_string(),
        author: silence.author.to_string(),
        comment: silence.comment.to_string(),
        until: silence.next_change(now.wall()),
    }
}

/// The lines about it.
pub(super) fn lines(attention: &WhyAttentionDto, clock: &Clock<'_>) -> Vec<String> {
    let said = |comment: &str| if comment.is_empty() { String::new() } else { format!(": {comment}") };
    let mut lines = Vec::new();
    if let Some(AckDto { by, at, comment }) = &attention.acknowledged {
        lines.push(format!("acknowledged by {by} {}{}", clock.since(*at), said(comment)));
    }
    for silence in &attention.silences {
        let until = silence.until.map(|until| format!(" until {}", clock.until(until))).unwrap_or_default();
        let WhySilenceDto { id, matches, author, comment, .. } = silence;
        lines.push(format!("silenced{until} by {id} ({matches}), made by {author}{}", said(comment)));
    }
    if let Some(MutedDto { rule, kind, name, until }) = &attention.inhibited_by {
        lines.push(match (kind, name, until) {
            (Some(kind), Some(name), _) => format!("inhibited while {rule} fires on {kind} {name}"),
            (.., Some(until)) => {
                format!("held until {}: {rule}, which may inhibit it, has not judged yet", clock.until(*until))
            }
            _ => format!("inhibited by {rule}"),
        });
    }
    if let Some(step) = &attention.escalation {
        let length = |seconds: f64| duration::format(std::time::Duration::from_secs(seconds.max(0.0) as u64));
        let (passed, after) = (length(step.passed_seconds), length(step.after_seconds));
        let to = step.to.join(", ");
        lines.push(match step.at {
            Some(at) => format!("unacknowledged for {passed}: {to} is told at {}", clock.until(at)),
            None => format!(
                "{to} is told after {after} without an acknowledgement: {passed} have passed, and the time stands still"
            ),
        });
    }
    lines
}

/// That a rule is paused, in words.
pub(super) fn paused(rule: &WhyRuleDto, clock: &Clock<'_>) -> Option<String> {
    let PauseDto { since, by, comment, .. } = rule.paused.as_ref()?;
    let comment = if comment.is_empty() { String::new() } else { format!(" ({comment})") };
    Some(format!("it is paused since {} by {by}{comment}: it judges nothing", clock.since(*since)))
}
