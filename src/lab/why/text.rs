//! The document as lines for a terminal: a heading, the answer in a sentence, and a section for each stage.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::attention;
use super::headline;
use super::words::{Clock, count, cut, length, value};
use super::{stages_text, survey_text};
use crate::diagnostic::one_line;
use crate::server::api::{
    WhyAskedDto, WhyDto, WhyExpressionDto, WhyNextDto, WhyOutcomeDto, WhyPartDto, WhyRuleDto, WhySamplesDto,
    WhyStagesDto, WhyStateDto, WhySubjectDto, WhyTimerDto, WhyVerdictDto,
};

/// As wide as the longest name of a section.
const NAME: usize = 10;
/// Expressions are cut to so many characters, so that their values stand in one column.
const EXPRESSION: usize = 64;

/// The text of a document; times are of `zone`.
pub fn lines(document: &WhyDto, zone: &TimeZone) -> Vec<String> {
    let clock = Clock { now: document.time, zone };
    let mut sheet = Sheet::default();
    sheet.line(heading(document, &clock));
    let headline = headline(document, zone);
    if !headline.is_empty() {
        sheet.line(headline);
    }
    sheet.line(String::new());
    sheet.section("rule", rule(&document.rule, &clock));
    if let Some(subject) = &document.subject {
        sheet.section("subject", vec![seen(subject, &clock)]);
    }
    if let Some(verdict) = &document.verdict {
        sheet.section("verdict", verdict_lines(document, verdict));
    }
    for part in &document.evaluation {
        sheet.section(&part.part, part_lines(&document.rule, part, &clock));
    }
    if let Some(state) = &document.state {
        sheet.section("state", state_lines(state, &clock));
        sheet.section("judged", next_lines(&document.next, &clock));
    }
    if let Some(attention) = &document.attention {
        sheet.section("on call", attention::lines(attention, &clock));
    }
    let takes_part = |verdict: &WhyVerdictDto| !matches!(verdict.says.as_str(), "excluded" | "not_concerned");
    let is_of_interest = |stages: &&WhyStagesDto| !stages.what_if || document.verdict.as_ref().is_none_or(takes_part);
    if let Some(stages) = document.stages.as_ref().filter(is_of_interest) {
        sheet.section("routes", stages_text::routes(stages, &clock));
        sheet.section("channels", stages_text::channels(stages, &clock));
    }
    if let Some(firing) = &document.last_firing {
        let is_present = document.state.as_ref().is_some_and(|state| state.id.as_deref() == Some(&firing.id));
        sheet.section(if is_present { "told" } else { "last time" }, stages_text::told(firing, is_present, &clock));
    }
    if let Some(subjects) = &document.subjects {
        survey_text::lines(&document.rule, subjects, &clock, &mut sheet);
    }
    sheet.lines
}

/// Lines under names.
#[derive(Default)]
pub(super) struct Sheet {
    lines: Vec<String>,
}

impl Sheet {
    pub(super) fn line(&mut self, line: String) {
        self.lines.push(one_line(&line).trim_end().to_string());
    }

    pub(super) fn section(&mut self, name: &str, lines: Vec<String>) {
        for (index, line) in lines.into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            self.line(format!("{name:<NAME$} {line}"));
        }
    }
}

/// Rows whose columns are as wide as their widest cell; the last one is not padded.
pub(super) fn table(rows: Vec<Vec<String>>) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > column + 1).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: Vec<String>| {
        let last = row.len().saturating_sub(1);
        let cells = row.into_iter().enumerate().map(|(index, cell)| match index == last {
            true => cell,
            false => format!("{cell:width$}", width = widths[index]),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.into_iter().map(line).collect()
}

fn heading(document: &WhyDto, clock: &Clock<'_>) -> String {
    let rule = &document.rule;
    let time = clock.full(document.time);
    match (&document.subject, &document.state) {
        (Some(subject), state) => {
            let state = state.as_ref().map(|state| format!(": {}", state.state)).unwrap_or_default();
            format!("{} on {} {}{state}, {time}", rule.name, subject.kind, subject.name)
        }
        (None, _) => format!("{} on {}, {time}", rule.name, judges(rule)),
    }
}

/// What a rule judges.
fn judges(rule: &WhyRuleDto) -> String {
    match (rule.scope.as_str(), rule.by.is_empty()) {
        ("on", _) => format!("each {}", rule.kind),
        (_, true) => format!("all {} together", rule.kind),
        (_, false) => format!("{} by {}", rule.kind, rule.by.join(", ")),
    }
}

fn place(file: &str, line: Option<usize>, column: Option<usize>) -> String {
    match (line, column) {
        (None, _) => file.to_string(),
        (Some(line), None) => format!("{file}:{line}"),
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
    }
}

fn rule(rule: &WhyRuleDto, clock: &Clock<'_>) -> Vec<String> {
    let times = if rule.times.is_empty() { String::new() } else { format!(", {}", rule.times.join(", ")) };
    let mut lines = vec![format!("{}:{}, judges {}{times}", rule.file, rule.line, judges(rule))];
    let counts = rule.verdicts;
    lines.push(format!(
        "verdicts since start: {} fire, {} clear, {} no data, {} error",
        counts.fire, counts.clear, counts.no_data, counts.error
    ));
    lines.extend(attention::paused(rule, clock));
    if let Some(until) = rule.quarantined_until {
        lines.push(format!("it keeps failing, and is left alone until {}", clock.until(until)));
    }
    if let Some(fault) = &rule.fault {
        let place = place(&rule.file, fault.line, fault.column);
        lines.push(format!("newest fault {}, {place}: {}", clock.since(fault.time), fault.message));
    }
    if let Some(problem) = &rule.file_problem {
        lines.push(format!("its file is broken, so its last good text is in force: {problem}"));
    }
    lines
}

pub(super) fn labels(labels: &crate::model::Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn seen(subject: &WhySubjectDto, clock: &Clock<'_>) -> String {
    if let Some(members) = &subject.members {
        let more = members.count.saturating_sub(members.names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let names = members.names.join(", ");
        return match members.count {
            0 => format!("no fresh member that `where` takes, of {} of kind {}", members.of_kind, subject.kind),
            n => format!("{} of {} of kind {}: {names}{more}", count(n, "member"), members.of_kind, subject.kind),
        };
    }
    let labels = if subject.labels.is_empty() { String::new() } else { format!("{}, ", labels(&subject.labels)) };
    let snapshot = match subject.snapshot {
        Some(time) => format!("newest snapshot {}", clock.since(time)),
        None => "no snapshot".to_string(),
    };
    let state = match (subject.gone, subject.stale_since) {
        (true, _) => ", gone: its source says that it no longer exists".to_string(),
        (false, Some(since)) => format!(", stale since {}", clock.at(since)),
        (false, None) => String::new(),
    };
    format!("{labels}{snapshot}{state}")
}

fn verdict_lines(document: &WhyDto, verdict: &WhyVerdictDto) -> Vec<String> {
    let word = match verdict.says.as_str() {
        "between" => "neither: `when` is false, and so is `clear`".to_string(),
        "not_concerned" => "takes no part".to_string(),
        "excluded" => "takes no part".to_string(),
        "no_data" => "no data".to_string(),
        "not_judged" => "not judged".to_string(),
        says => says.to_string(),
    };
    let place = match verdict.line {
        Some(_) => format!(" ({})", place(&document.rule.file, verdict.line, verdict.column)),
        None => String::new(),
    };
    let reason = verdict.reason.as_ref().map(|reason| format!(": {reason}{place}")).unwrap_or_default();
    let levels: Vec<String> = verdict.levels.iter().map(|level| format!("{} {}", level.level, level.says)).collect();
    let levels = if levels.is_empty() { String::new() } else { format!(" ({})", levels.join(", ")) };
    let mut lines = vec![format!("{word}{levels}{reason}")];
    lines.extend(verdict.hint.clone());
    lines
}

fn outcome(outcome: &WhyOutcomeDto) -> String {
    match outcome.result.as_str() {
        "not_reached" => "not reached".to_string(),
        "no_data" => format!("no data: {}", outcome.text),
        "error" => format!("error: {}", outcome.text),
        "value" => value(&outcome.text),
        _ => outcome.text.clone(),
    }
}

fn part_lines(rule: &WhyRuleDto, part: &WhyPartDto, clock: &Clock<'_>) -> Vec<String> {
    let level = part.level.map(|level| format!(" at {level}")).unwrap_or_default();
    let place = place(&rule.file, Some(part.line), Some(part.column));
    let mut lines = vec![format!("{}{level} ({place})", outcome(&part.outcome))];
    // A value that is written there needs no line of its own.
    let is_literal = |expression: &&WhyExpressionDto| {
        expression.outcome.result == "value" && expression.outcome.text == expression.text && expression.depth > 0
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    // Of what was not reached, what it is made of was not either.
    let mut unreached: Option<usize> = None;
    for expression in part.expressions.iter().filter(|expression| !is_literal(expression)) {
        if unreached.is_some_and(|depth| expression.depth > depth) {
            continue;
        }
        unreached = (expression.outcome.result == "not_reached").then_some(expression.depth);
        let indent = "  ".repeat(expression.depth);
        let text = cut(&format!("{indent}{}", expression.text), EXPRESSION);
        let came_to = outcome(&expression.outcome);
        match &expression.asked[..] {
            [asked] if asked.outcome == expression.outcome && asked.subject.is_none() => {
                rows.push(vec![text, came_to, asked.samples.as_ref().map(|s| samples(s, clock)).unwrap_or_default()]);
            }
            several => {
                rows.push(vec![text, came_to]);
                rows.extend(several.iter().map(|asked| asked_row(asked, &indent, clock)));
            }
        }
    }
    if rows.is_empty() {
        rows.push(vec![part.text.clone()]);
    }
    lines.extend(table(rows));
    lines
}

fn asked_row(asked: &WhyAskedDto, indent: &str, clock: &Clock<'_>) -> Vec<String> {
    let of = asked.subject.as_ref().map(|subject| format!(" of {subject}")).unwrap_or_default();
    let text = cut(&format!("{indent}  {}{of}", asked.question), EXPRESSION);
    vec![text, outcome(&asked.outcome), asked.samples.as_ref().map(|s| samples(s, clock)).unwrap_or_default()]
}

fn samples(samples: &WhySamplesDto, clock: &Clock<'_>) -> String {
    let window = format!("window {} to {}", clock.at(samples.start), clock.at(samples.end));
    match (samples.first, samples.last) {
        (Some(first), Some(last)) => {
            let (n, first, last) = (count(samples.count, "sample"), clock.at(first), clock.at(last));
            format!("{n}, {first} to {last} ({window})")
        }
        _ => format!("no samples ({window})"),
    }
}

fn state_lines(state: &WhyStateDto, clock: &Clock<'_>) -> Vec<String> {
    let since = state.firing_since.map(|since| format!(" since {}", clock.since(since))).unwrap_or_default();
    let level = state.level.map(|level| format!(" at {level}")).unwrap_or_default();
    let id = state.id.as_ref().map(|id| format!(", id {id}")).unwrap_or_default();
    let mut lines = vec![format!("{}{level}{since}{id}", state.state)];
    lines.extend(state.message.as_ref().filter(|message| !message.is_empty()).map(|text| format!("\"{text}\"")));
    lines.extend(state.timers.iter().map(|timer| timer_line(timer, clock)));
    lines.extend(state.rests_since.map(|since| format!("its condition is over since {}", clock.since(since))));
    lines.extend(state.flapping_until.map(|until| format!("flapping until it was quiet, at {}", clock.until(until))));
    lines.extend(state.not_judged_since.map(|since| format!("not judged since {}", clock.since(since))));
    lines
}

fn timer_line(timer: &WhyTimerDto, clock: &Clock<'_>) -> String {
    let level = timer.level.map(|level| format!("{level}: ")).unwrap_or_default();
    let of = |seconds: f64| length(Duration::from_secs_f64(seconds.max(0.0)));
    let (counted, whole) = (of(timer.counted_seconds), of(timer.length_seconds));
    let (what, then) = match timer.timer.as_str() {
        "hold" => ("true", "fires"),
        _ => ("clear", "ends"),
    };
    let until = match timer.until {
        Some(until) => format!("{then} at {}", clock.until(until)),
        None => "stands still".to_string(),
    };
    format!("{level}{what} since {}, {counted} of {} {whole}, {until}", clock.since(timer.since), timer.timer)
}

fn next_lines(next: &[WhyNextDto], clock: &Clock<'_>) -> Vec<String> {
    let line = |next: &WhyNextDto| {
        let time = next.time.map(|time| clock.until(time)).unwrap_or_default();
        match next.what.as_str() {
            "snapshot" => "with the next snapshot".to_string(),
            "stale" => format!("at {time} if none comes: then it is stale"),
            "tick" => format!("at {time}, as the rule asks about time"),
            "released" => format!("at {time}, when the rule is tried again"),
            _ => format!("at {time} a timer, cooldown, reminder or window ends"),
        }
    };
    let mut next: Vec<&WhyNextDto> = next.iter().collect();
    next.sort_by_key(|next| next.time);
    next.into_iter().map(line).collect()
}
