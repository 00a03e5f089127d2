//! What an edit changes, for people and as data.

use std::collections::BTreeMap;
use std::io;

use anstyle::AnsiColor;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::page::clock;
use crate::cli::Ui;
use crate::lab::replay::against::{Change, Comparison, Difference, Tally, Telling, Words};
use crate::model::{RuleName, Time, duration};

/// Tells the differences, or only how many there are of each rule.
pub(super) fn tell(comparison: &Comparison, quiet: bool, zone: &TimeZone, ui: &mut Ui) -> io::Result<()> {
    let Comparison { differences, tally, rules, .. } = comparison;
    if tally.is_same() {
        let both = match tally.same {
            0 => "no notification on either side".to_string(),
            same => format!("{} on both sides", notifications(same)),
        };
        ui.line(format_args!("This edit changes nothing: {both}"))?;
        return tell_rules(comparison, ui);
    }
    let here = if quiet { "" } else { " Here they are." };
    ui.line(format_args!("This edit: {}.{here}", summed_up(tally, " notification")))?;
    tell_rules(comparison, ui)?;
    if quiet {
        ui.line("")?;
        let head = ["RULE", "GAINED", "LOST", "EARLIER", "LATER", "CHANGED", "SAME"];
        let row = |(name, tally): (&RuleName, &Tally)| {
            let Tally { gained, lost, earlier, later, changed, same } = *tally;
            let counts = [gained, lost, earlier, later, changed, same].map(|count| count.to_string());
            std::iter::once(name.to_string()).chain(counts).collect()
        };
        return ui.table(&head, &rules.iter().map(row).collect::<Vec<_>>());
    }
    let mut rule: Option<&RuleName> = None;
    for difference in differences {
        let name = &difference.telling().rule;
        if rule != Some(name) {
            let tally = rules.get(name).copied().unwrap_or_default();
            ui.line(format_args!("\n{name}: {}", summed_up(&tally, "")))?;
            rule = Some(name);
        }
        tell_one(difference, zone, ui)?;
    }
    if tally.same > 0 {
        let are = if tally.same == 1 { "is" } else { "are" };
        ui.line(format_args!("\n{} {are} the same on both sides", notifications(tally.same)))?;
    }
    Ok(())
}

fn tell_rules(comparison: &Comparison, ui: &mut Ui) -> io::Result<()> {
    for (what, rules) in [("new rules", &comparison.added), ("removed rules", &comparison.removed)] {
        if !rules.is_empty() {
            let rules: Vec<&str> = rules.iter().map(RuleName::as_str).collect();
            ui.line(format_args!("{what}: {}", rules.join(", ")))?;
        }
    }
    Ok(())
}

fn tell_one(difference: &Difference, zone: &TimeZone, ui: &mut Ui) -> io::Result<()> {
    let Telling { time, channel, event, level, subject, message, already, .. } = difference.telling();
    let (sign, colour) = match difference.change {
        Change::Gained => ("+", AnsiColor::Green),
        Change::Lost => ("-", AnsiColor::Red),
        Change::Earlier => ("<", AnsiColor::Cyan),
        Change::Later => (">", AnsiColor::Cyan),
        Change::Changed => ("~", AnsiColor::Yellow),
    };
    let sign = ui.out_word(sign, colour);
    let what = match (&difference.was, &difference.is) {
        (Some(was), Some(is)) => moved_and_changed(was, is, zone),
        _ => format!("{level}: {message}"),
    };
    let already = if *already { " (already firing)" } else { "" };
    ui.line(format_args!("  {sign} {}  {channel}  {event:<9} {subject}: {what}{already}", clock(*time, zone)))?;
    if let (Change::Changed, Some(was), Some(is)) = (difference.change, &difference.was, &difference.is) {
        for (sign, colour, line) in changed_lines(was, is) {
            let sign = ui.out_word(sign, colour);
            ui.line(format_args!("      {sign} {line}"))?;
        }
    }
    Ok(())
}

/// What differs of two tellings, but for their words.
fn moved_and_changed(was: &Telling, is: &Telling, zone: &TimeZone) -> String {
    let mut parts = Vec::new();
    if was.time != is.time {
        let (by, how) = match was.time > is.time {
            true => (was.time.since(is.time), "earlier"),
            false => (is.time.since(was.time), "later"),
        };
        parts.push(format!("{} {how} (was {})", duration::format(by), clock(was.time, zone)));
    }
    let event = |telling: &Telling| match telling.reason {
        Some(reason) => format!("{} ({reason})", telling.event),
        None => telling.event.to_string(),
    };
    if event(was) != event(is) {
        parts.push(format!("{} -> {}", event(was), event(is)));
    }
    match was.level == is.level {
        true if parts.is_empty() => parts.push("other words".to_string()),
        true => {}
        false => parts.push(format!("{} -> {}", was.level, is.level)),
    }
    parts.join(", ")
}

/// The lines of title and text that only one side has.
fn changed_lines(was: &Telling, is: &Telling) -> Vec<(&'static str, AnsiColor, String)> {
    let lines = |telling: &Telling| -> Vec<String> {
        match &telling.words {
            Some(Words { title, text }) => {
                std::iter::once(title.as_str()).chain(text.lines()).map(str::to_string).collect()
            }
            None => vec![telling.message.clone()],
        }
    };
    let (was, is) = (lines(was), lines(is));
    let only = |these: &[String], others: &[String], sign, colour| {
        let only = these.iter().filter(|line| !others.contains(line) && !line.trim().is_empty());
        only.map(|line| (sign, colour, line.clone())).collect::<Vec<_>>()
    };
    let mut changed = only(&was, &is, "-", AnsiColor::Red);
    changed.extend(only(&is, &was, "+", AnsiColor::Green));
    changed
}

fn notifications(count: usize) -> String {
    format!("{count} notification{}", if count == 1 { "" } else { "s" })
}

/// `+14 notifications, -2, 3 earlier`. The first part has the noun.
fn summed_up(tally: &Tally, noun: &str) -> String {
    let Tally { gained, lost, earlier, later, changed, same: _ } = *tally;
    let parts = [
        ("+", gained, ""),
        ("-", lost, ""),
        ("", earlier, " earlier"),
        ("", later, " later"),
        ("", changed, " changed"),
    ];
    let mut noun = Some(noun).filter(|noun| !noun.is_empty());
    let part = |(sign, count, how): (&str, usize, &str)| {
        let plural = if count == 1 { "" } else { "s" };
        let noun = noun.take().map(|noun| format!("{noun}{plural}")).unwrap_or_default();
        format!("{sign}{count}{noun}{how}")
    };
    parts.into_iter().filter(|(_, count, _)| *count > 0).map(part).collect::<Vec<_>>().join(", ")
}

#[derive(Serialize)]
struct DifferenceDocument<'a> {
    change: Change,
    rule: &'a RuleName,
    channel: &'a str,
    kind: &'a str,
    name: &'a str,
    event: crate::model::EventKind,
    /// How much later it is told; negative where earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    was: Option<&'a Telling>,
    is: Option<&'a Telling>,
}

#[derive(Serialize)]
struct SummaryDocument<'a> {
    #[serde(flatten)]
    tally: Tally,
    rules: &'a BTreeMap<RuleName, Tally>,
    rules_added: &'a [RuleName],
    rules_removed: &'a [RuleName],
}

fn document(difference: &Difference) -> DifferenceDocument<'_> {
    let telling = difference.telling();
    let seconds = |time: Time| time.as_micros() as f64 / 1e6;
    let seconds = match (&difference.was, &difference.is) {
        (Some(was), Some(is)) if was.time != is.time => Some(seconds(is.time) - seconds(was.time)),
        _ => None,
    };
    DifferenceDocument {
        change: difference.change,
        rule: &telling.rule,
        channel: telling.channel.as_str(),
        kind: &telling.subject.kind,
        name: &telling.subject.name,
        event: telling.event,
        seconds,
        was: difference.was.as_ref(),
        is: difference.is.as_ref(),
    }
}

/// Writes one document: the summary, then the differences.
pub(super) fn write_json(comparison: &Comparison, ui: &mut Ui) -> io::Result<()> {
    let summary = serde_json::to_string(&SummaryDocument {
        tally: comparison.tally,
        rules: &comparison.rules,
        rules_added: &comparison.added,
        rules_removed: &comparison.removed,
    })?;
    let lines: Vec<String> =
        comparison.differences.iter().map(|one| serde_json::to_string(&document(one))).collect::<Result<_, _>>()?;
    let differences = if lines.is_empty() { "[]".to_string() } else { format!("[\n{}\n]", lines.join(",\n")) };
    ui.line(format_args!("{{\"summary\":{summary},\n\"differences\":{differences}}}"))
}

/// Writes each difference as a line.
pub(super) fn write_jsonl(comparison: &Comparison, ui: &mut Ui) -> io::Result<()> {
    comparison.differences.iter().try_for_each(|one| ui.line(serde_json::to_string(&document(one))?))
}
