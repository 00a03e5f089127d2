//! What stands in each pane.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::paint::Paint;
use super::table::{self, Cell, Column, Lie, Width};
use crate::cli::status::words::length;
use crate::cli::top::picture::{Alert, Rule};
use crate::cli::top::state::{Pane, State};
use crate::cli::top::trend::short;
use crate::model::{Level, Time};

const ALERTS: [Column; 6] = [
    Column::new("LEVEL", Width::Fit(8), Lie::Left, 0),
    Column::new("RULE", Width::Fit(24), Lie::Left, 0),
    Column::new("SUBJECT", Width::Fit(32), Lie::Left, 24),
    Column::new("FOR", Width::Fit(6), Lie::Right, 40),
    Column::new("MARKS", Width::Fit(20), Lie::Left, 60),
    Column::new("MESSAGE", Width::Rest, Lie::Left, 60),
];
const SUBJECTS: [Column; 6] = [
    Column::new("KIND", Width::Fit(12), Lie::Left, 24),
    Column::new("NAME", Width::Fit(32), Lie::Left, 0),
    Column::new("FIELD", Width::Fit(24), Lie::Left, 60),
    Column::new("VALUE", Width::Fit(10), Lie::Right, 0),
    Column::new("AGE", Width::Fit(6), Lie::Right, 70),
    Column::new("TREND", Width::Rest, Lie::End, 34),
];
const RULES: [Column; 7] = [
    Column::new("RULE", Width::Fit(32), Lie::Left, 0),
    Column::new("HEALTH", Width::Fit(11), Lie::Left, 20),
    Column::new("FIRES", Width::Fit(6), Lie::Right, 28),
    Column::new("PENDS", Width::Fit(6), Lie::Right, 34),
    Column::new("JUDGED", Width::Fit(7), Lie::Right, 46),
    Column::new("LOWERED", Width::Fit(7), Lie::Left, 54),
    Column::new("WHY", Width::Rest, Lie::Left, 70),
];
const LOG: [Column; 2] =
    [Column::new("TIME", Width::Fit(8), Lie::Left, 24), Column::new("WHAT HAPPENED", Width::Rest, Lie::Left, 0)];

/// What a pane says that has no rows.
pub(super) const fn nothing(pane: Pane) -> &'static str {
    match pane {
        Pane::Alerts => "no alert fires",
        Pane::Subjects => "nothing is watched yet",
        Pane::Rules => "there are no rules",
        Pane::Log => "nothing happened yet",
    }
}

/// Draws those rows of a pane for which there is room. Of the pane that has the keys the chosen one stands out.
#[expect(clippy::too_many_arguments, reason = "a place and what stands there")]
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    state: &State,
    pane: Pane,
    rows: &[usize],
    (chosen, has_keys): (usize, bool),
    now: Time,
    paint: Paint,
) {
    if area.is_empty() {
        return;
    }
    let height = usize::from(area.height);
    let window = table::window(rows.len(), chosen, if height > 1 { height - 1 } else { 1 });
    let mut last_kind = None;
    let cells = |row: &usize| match pane {
        Pane::Alerts => alert(&state.picture.alerts[*row], now, paint),
        Pane::Subjects => {
            let kind = state.picture.subjects[*row].kind.as_str();
            // The first of its kind names it.
            let is_first = last_kind.replace(kind) != Some(kind);
            subject(state, *row, is_first, now, paint)
        }
        Pane::Rules => rule(&state.picture.rules[*row], paint),
        Pane::Log => {
            let happened = &state.log[*row];
            vec![(clock(state, happened.time), paint.dim()), (happened.said.clone(), paint.tone(happened.tone))]
        }
    };
    let seen: Vec<Vec<Cell>> = rows[window.clone()].iter().map(cells).collect();
    let columns: &[Column] = match pane {
        Pane::Alerts => &ALERTS,
        Pane::Subjects => &SUBJECTS,
        Pane::Rules => &RULES,
        Pane::Log => &LOG,
    };
    let chosen = Some((chosen.saturating_sub(window.start), paint.chosen(has_keys)));
    table::draw(buffer, area, columns, &seen, paint.dim(), chosen);
}

/// A time of the day on the clock of the zone.
pub(super) fn clock(state: &State, time: Time) -> String {
    time.to_jiff().to_zoned(state.zone.clone()).strftime("%H:%M:%S").to_string()
}

fn alert(alert: &Alert, now: Time, paint: Paint) -> Vec<Cell> {
    let style = paint.level(alert.level);
    vec![
        (alert.level.map_or("", Level::as_str).to_string(), style),
        (alert.rule.clone(), style),
        (format!("{} {}", alert.kind, alert.name), Style::new()),
        (length(now.since(alert.since)), Style::new()),
        (alert.marks(), paint.good()),
        (alert.message.clone(), Style::new()),
    ]
}

fn subject(state: &State, row: usize, is_first: bool, now: Time, paint: Paint) -> Vec<Cell> {
    let subject = &state.picture.subjects[row];
    let trend = state.trend(row);
    let value = match (subject.is_gone, subject.is_stale) {
        (true, _) => ("gone".to_string(), paint.warning()),
        (false, true) => ("stale".to_string(), paint.warning()),
        (false, false) => (trend.and_then(|trend| trend.latest()).map(short).unwrap_or_default(), Style::new()),
    };
    let age = subject.age + now.since(state.seen_at());
    vec![
        (if is_first { subject.kind.clone() } else { String::new() }, paint.strong()),
        (subject.name.clone(), Style::new()),
        (trend.map(|trend| trend.field().to_string()).unwrap_or_default(), paint.dim()),
        value,
        (length(age), Style::new()),
        (trend.map(|trend| trend.bars()).unwrap_or_default(), paint.trend()),
    ]
}

fn rule(rule: &Rule, paint: Paint) -> Vec<Cell> {
    let health = match rule.health.as_str() {
        "ok" => paint.good(),
        "paused" => paint.warning(),
        _ => paint.bad(),
    };
    let lowered = if rule.is_lowered { ("yes", Style::new()) } else { ("no", paint.dim()) };
    vec![
        (rule.name.clone(), Style::new()),
        (rule.health.clone(), health),
        (rule.firing.to_string(), Style::new()),
        (rule.pending.to_string(), Style::new()),
        (short(rule.evaluations as f64), Style::new()),
        (lowered.0.to_string(), lowered.1),
        (rule.problem.clone(), paint.dim()),
    ]
}
