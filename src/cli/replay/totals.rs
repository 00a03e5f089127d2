//! The totals of a replay, for people.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::page::{clock, place};
use crate::cli::{Error, Ui};
use crate::lab::replay::{Day, Finding, Options, RuleSummary, Summary, Totals};
use crate::model::{RuleName, duration};

/// The newest days that are shown.
const DAYS: usize = 31;

pub(super) fn tell(
    summary: &Summary,
    options: &Options,
    took: Duration,
    zone: &TimeZone,
    ui: &mut Ui,
) -> Result<(), Error> {
    tell_span(summary, took, zone, ui)?;
    if summary.judged_from.is_none() {
        return Ok(());
    }
    let has_already = options.from.is_some();
    ui.line("")?;
    let head = columns("RULE", has_already, &["TRUE", "FALSE", "NO DATA", "FAILED"]);
    let rows = summary.rules.iter().map(|(name, rule)| {
        let verdicts = rule.verdicts;
        row(
            name.as_str(),
            &rule.totals,
            has_already,
            &[verdicts.fire, verdicts.clear, verdicts.no_data, verdicts.error],
        )
    });
    ui.table(&head, &rows.collect::<Vec<_>>())?;
    ui.line("")?;
    let head = columns("CHANNEL", has_already, &["SUPPRESSED", "FOLDED", "SUMMARISED", "GIVEN UP"]);
    let rows = summary.channels.iter().map(|(name, channel)| {
        row(
            name.as_str(),
            &channel.totals,
            has_already,
            &[channel.suppressed.values().sum(), channel.folded, channel.summarised, channel.dead],
        )
    });
    ui.table(&head, &rows.collect::<Vec<_>>())?;
    tell_days(summary, zone, ui)?;
    tell_findings(summary, ui)
}

fn tell_span(summary: &Summary, took: Duration, zone: &TimeZone, ui: &mut Ui) -> Result<(), Error> {
    if let Some((first, last)) = summary.span {
        let seconds = took.as_secs_f64();
        ui.line(format_args!(
            "\n{} to {} ({}): {} snapshots, {} evaluations in {seconds:.2}s ({:.0}/s)",
            clock(first, zone),
            clock(last, zone),
            duration::format(last.since(first)),
            summary.snapshots,
            summary.evaluations,
            summary.evaluations as f64 / seconds.max(1e-6),
        ))?;
        if let Some(from) = summary.judged_from.filter(|_| summary.warm_up > 0) {
            ui.line(format_args!("judged from {}, after {} snapshots of warm-up", clock(from, zone), summary.warm_up))?;
        }
    }
    if summary.late > 0 {
        let snapshots = counted(summary.late, "snapshot was", "snapshots were");
        ui.line(format_args!("{snapshots} passed over: older than the newest of their subject"))?;
    }
    if summary.repeated > 0 {
        let snapshots = counted(summary.repeated, "snapshot", "snapshots");
        ui.line(format_args!("{snapshots} repeated the newest of their subject"))?;
    }
    if summary.bad_lines > 0 {
        ui.line(format_args!("{} of {} lines could not be used", summary.bad_lines, summary.lines))?;
    }
    Ok(())
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn columns<'a>(first: &'a str, has_already: bool, last: &[&'a str]) -> Vec<&'a str> {
    let already = has_already.then_some("ALREADY");
    let head = [first, "RAISED"].into_iter().chain(already);
    head.chain(["RECOVERED", "CLOSED", "NOTIFICATIONS"]).chain(last.iter().copied()).collect()
}

fn row(name: &str, totals: &Totals, has_already: bool, last: &[u64]) -> Vec<String> {
    let already = has_already.then_some(totals.already);
    let numbers = std::iter::once(totals.raised).chain(already);
    let numbers = numbers.chain([totals.recovered, totals.closed, totals.notifications]).chain(last.iter().copied());
    std::iter::once(name.to_string()).chain(numbers.map(|number| number.to_string())).collect()
}

/// Every day of the recording, those on which nothing happened too.
fn tell_days(summary: &Summary, zone: &TimeZone, ui: &mut Ui) -> Result<(), Error> {
    let (Some((_, last)), Some(from)) = (summary.span, summary.judged_from) else { return Ok(()) };
    let date = |time: crate::model::Time| time.to_jiff().to_zoned(zone.clone()).date();
    let mut days: Vec<(Date, Day)> = Vec::new();
    let mut day = date(from);
    let end = summary.days.keys().next_back().copied().unwrap_or(day).max(date(last));
    while day <= end {
        days.push((day, summary.days.get(&day).copied().unwrap_or_default()));
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    let raised: u64 = days.iter().map(|(_, day)| day.raised).sum();
    let n_days = (last.since(from).as_secs_f64() / 86_400.0).max(1.0);
    ui.line(format_args!("\nalerts per day: {:.1}", raised as f64 / n_days))?;
    let omitted = days.len().saturating_sub(DAYS);
    if days.len() > 1 {
        let rows = days[omitted..]
            .iter()
            .map(|(date, day)| vec![date.to_string(), day.raised.to_string(), day.notifications.to_string()]);
        ui.table(&["DAY", "RAISED", "NOTIFICATIONS"], &rows.collect::<Vec<_>>())?;
    }
    if omitted > 0 {
        ui.line(format_args!("{omitted} earlier days are in --format json"))?;
    }
    Ok(())
}

fn tell_findings(summary: &Summary, ui: &mut Ui) -> Result<(), Error> {
    let of = |wanted: fn(&RuleSummary) -> bool| {
        summary.rules.iter().filter(move |(_, rule)| wanted(rule)).collect::<Vec<(&RuleName, &RuleSummary)>>()
    };
    for (name, rule) in of(|rule| !rule.flapping.is_empty()) {
        let subjects = rule.flapping.iter().map(|(subject, count)| match count {
            1 => subject.to_string(),
            count => format!("{subject} ({count} times)"),
        });
        ui.line(format_args!("\nflapping: {name}: {}", subjects.collect::<Vec<_>>().join(", ")))?;
    }
    let quiet = of(|rule| matches!(rule.finding, Finding::NeverFired { .. }));
    if !quiet.is_empty() {
        let names = quiet.iter().map(|(name, rule)| match rule.finding {
            Finding::NeverFired { pending } if pending > 0 => format!("{name} ({pending} pending at the end)"),
            _ => name.to_string(),
        });
        ui.line(format_args!("\nnever fired: {}", names.collect::<Vec<_>>().join(", ")))?;
    }
    let odd = of(|rule| rule.finding.is_odd());
    if !odd.is_empty() {
        ui.line("")?;
    }
    for (name, rule) in odd {
        ui.line(format_args!("{name} {}", rule.finding))?;
    }
    for (name, rule) in of(|rule| !rule.faults.is_empty()) {
        for fault in &rule.faults {
            let place = place(&fault.file, fault.line, fault.column);
            let steps = if fault.steps == 1 { "once".to_string() } else { format!("{} times", fault.steps) };
            ui.line(format_args!("{name} failed {steps} at {place}: {}", fault.message))?;
        }
    }
    Ok(())
}
