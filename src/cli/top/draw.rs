//! The screen. Pure: a state and a time make a picture, of whatever size the terminal is.

mod paint;
mod panes;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};
use unicode_width::UnicodeWidthStr as _;

use super::keys::{HELP, LENGTHS};
use super::state::{Mode, Pane, State};
use crate::cli::status::words::length;
use crate::diagnostic::Colour;
use crate::model::Time;
use paint::Paint;

/// A screen at least so wide and a body at least so high has all panes.
const ALL_PANES: (u16, u16) = (72, 15);
/// A pane at least so wide and high has a border.
const BORDER: (u16, u16) = (12, 4);

/// Draws everything. `now` is the daemon's time.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, now: Time, colour: Colour) {
    let paint = Paint(colour);
    let area = frame.area();
    let head_height = match area.height {
        0..=5 => 0,
        6..=9 => 1,
        _ => 2,
    };
    let foot_height = u16::from(area.height > 1);
    let rows = [Constraint::Length(head_height), Constraint::Fill(1), Constraint::Length(foot_height)];
    let [head, body, foot] = Layout::vertical(rows).areas(area);
    frame.render_widget(Paragraph::new(header(state, now, paint, head.height)), head);
    draw_body(frame, body, state, now, paint);
    draw_footer(frame, foot, state, now, paint);
    if state.mode == Mode::Help {
        draw_help(frame, body, paint);
    }
}

/// Who answers, what there is, and whether all is well.
fn header(state: &State, now: Time, paint: Paint, height: u16) -> Vec<Line<'static>> {
    let health = match (&state.lost, state.picture.wrong.is_empty()) {
        (Some(_), _) => lost(state, now, paint),
        (None, true) => Line::styled("all is well", paint.good()),
        (None, false) => Line::styled(format!("not well: {}", state.picture.wrong.join("; ")), paint.bad()),
    };
    if height < 2 {
        return vec![health];
    }
    let host = state.url.split_once("://").map_or(state.url.as_str(), |(_, host)| host);
    let clock = panes::clock(state, state.seen_at());
    let first = vec![
        Span::styled("larum", paint.strong()),
        Span::raw(format!(" {host}  {clock}  {}", state.picture.counts.join(", "))),
    ];
    vec![Line::from(first), health]
}

fn lost(state: &State, now: Time, paint: Paint) -> Line<'static> {
    let Some(lost) = &state.lost else { return Line::default() };
    let (at, away) = (panes::clock(state, lost.since), length(now.since(lost.since)));
    Line::styled(format!("no answer since {at} ({away}), asked again and again: {}", lost.why), paint.bad())
}

fn draw_body(frame: &mut Frame<'_>, area: Rect, state: &State, now: Time, paint: Paint) {
    let (width, height) = ALL_PANES;
    if state.is_zoomed || area.width < width || area.height < height {
        return draw_pane(frame, area, state, state.pane, now, paint, true);
    }
    let rows = [Constraint::Fill(3), Constraint::Fill(4), Constraint::Fill(2)];
    let [top, middle, bottom] = Layout::vertical(rows).areas(area);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(middle);
    for (pane, area) in Pane::ALL.into_iter().zip([top, left, right, bottom]) {
        draw_pane(frame, area, state, pane, now, paint, false);
    }
}

/// One pane; with `alone` the titles of the others stand beside its own.
fn draw_pane(frame: &mut Frame<'_>, area: Rect, state: &State, pane: Pane, now: Time, paint: Paint, alone: bool) {
    let rows = state.rows(pane);
    let is_chosen = state.pane == pane;
    let mut inner = area;
    if area.width >= BORDER.0 && area.height >= BORDER.1 {
        let count = state.count(pane);
        let count = if rows.len() == count { count.to_string() } else { format!("{} of {count}", rows.len()) };
        let title = format!(" {} {} {count} ", pane as usize + 1, pane.title());
        let room = usize::from(area.width).saturating_sub(title.width() + 4);
        // Without colours the thick frame says which pane has the keys.
        let (kind, style) = match is_chosen && !alone {
            true => (BorderType::Thick, paint.chosen_frame()),
            false => (BorderType::Plain, paint.frame()),
        };
        let mut block = Block::bordered().border_type(kind).border_style(style);
        block = block.title_top(Line::styled(title, paint.strong()));
        let others = Pane::ALL.into_iter().filter(|other| *other != pane);
        let others: Vec<String> = others.map(|other| format!("{} {}", other as usize + 1, other.title())).collect();
        let others = format!(" {} ", others.join("  "));
        if alone && others.width() <= room {
            block = block.title_top(Line::styled(others, paint.dim()).right_aligned());
        }
        inner = block.inner(area);
        frame.render_widget(block, area);
    }
    if rows.is_empty() {
        let nothing = match state.filter.is_empty() || state.count(pane) == 0 {
            true => panes::nothing(pane).to_string(),
            false => format!("nothing has `{}` in it", state.filter),
        };
        return frame.render_widget(Paragraph::new(Line::styled(nothing, paint.dim())), inner);
    }
    let chosen = state.chosen(pane);
    panes::draw(frame.buffer_mut(), inner, state, pane, &rows, (chosen, is_chosen), now, paint);
}

/// What is being typed or asked, what became of a wish, or the keys.
fn draw_footer(frame: &mut Frame<'_>, area: Rect, state: &State, now: Time, paint: Paint) {
    if area.is_empty() {
        return;
    }
    let line = match (&state.mode, &state.said) {
        (Mode::Filter { .. }, _) => {
            let typed = format!("/{}", state.filter);
            let column = (typed.width() as u16).min(area.width - 1);
            frame.set_cursor_position(Position::new(area.x + column, area.y));
            Line::raw(typed)
        }
        (Mode::Silence { rule, kind, name }, _) => {
            let lengths: Vec<String> = LENGTHS.iter().map(|(key, length)| format!("{length} ({key})")).collect();
            let said = format!("silence for {}, any other key not: {rule} on {kind} {name}", lengths.join(", "));
            Line::styled(said, paint.strong())
        }
        (_, Some(Ok(said))) => Line::styled(said.clone(), paint.good()),
        (_, Some(Err(said))) => Line::styled(said.clone(), paint.bad()),
        // A screen without a header says it here.
        (_, None) if state.lost.is_some() && frame.area().height < 6 => lost(state, now, paint),
        (_, None) => {
            let keys = "a acknowledge  s silence  / filter  Tab pane  z zoom  ? help  q quit";
            let filter = match state.filter.is_empty() {
                true => String::new(),
                false => format!("only `{}` (Esc: all)  ", state.filter),
            };
            Line::from(vec![Span::styled(filter, paint.strong()), Span::styled(keys, paint.dim())])
        }
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_help(frame: &mut Frame<'_>, body: Rect, paint: Paint) {
    let width = HELP.iter().map(|(keys, _)| keys.width()).max().unwrap_or(0);
    let lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(keys, does)| {
            Line::from(vec![Span::styled(format!("{keys:<width$}  "), paint.strong()), Span::raw(*does)])
        })
        .collect();
    let wanted = lines.iter().map(Line::width).max().unwrap_or(0) as u16 + 4;
    let (width, height) = (wanted.min(body.width), (lines.len() as u16 + 2).min(body.height));
    let area = Rect::new(body.x + (body.width - width) / 2, body.y + (body.height - height) / 2, width, height);
    frame.render_widget(Clear, area);
    let block = Block::bordered().border_style(paint.chosen_frame()).title_top(Line::styled(" keys ", paint.strong()));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
