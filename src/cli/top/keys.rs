//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::picture::Alert;
use super::poll::Wish;
use super::state::{Mode, Pane, State};

/// How far Page Up and Page Down go.
const PAGE: isize = 10;
/// No filter is longer.
const MAX_FILTER: usize = 100;

/// The keys with what they do, as the help shows them.
pub(super) const HELP: [(&str, &str); 10] = [
    ("Tab, 1 to 4", "another pane"),
    ("z", "the pane alone, or all of them"),
    ("up, down, k, j", "the row above, below"),
    ("Page Up, Page Down", "ten rows"),
    ("Home, End, g, G", "the first row, the last"),
    ("a", "acknowledge the alert: no reminders, no escalation"),
    ("s", "silence its rule on its subject"),
    ("/", "show only what has a text in it; Esc shows all"),
    ("?", "this help"),
    ("q, Ctrl-C", "the end"),
];

/// How long an alert may be silenced, with the keys.
pub(super) const LENGTHS: [(char, &str); 3] = [('1', "1h"), ('4', "4h"), ('d', "1d")];

/// What a key asks of others than the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    Quit,
    Wish(Wish),
}

/// Does what a key means.
pub(super) fn press(state: &mut State, key: KeyEvent) -> Option<Meant> {
    state.said = None;
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c')).then_some(Meant::Quit);
    }
    match state.mode.clone() {
        Mode::Look => look(state, key.code),
        Mode::Help => {
            state.mode = Mode::Look;
            None
        }
        Mode::Filter { before } => {
            filter(state, key.code, before);
            None
        }
        Mode::Silence { rule, kind, name } => {
            state.mode = Mode::Look;
            let (_, length) = LENGTHS.into_iter().find(|(wanted, _)| key.code == KeyCode::Char(*wanted))?;
            Some(Meant::Wish(Wish::Silence { rule, kind, name, length }))
        }
    }
}

fn look(state: &mut State, key: KeyCode) -> Option<Meant> {
    match key {
        KeyCode::Char('q') => return Some(Meant::Quit),
        KeyCode::Char('?') | KeyCode::F(1) => state.mode = Mode::Help,
        KeyCode::Char('/') => state.mode = Mode::Filter { before: state.filter.clone() },
        KeyCode::Char('z') | KeyCode::Enter => state.is_zoomed = !state.is_zoomed,
        KeyCode::Esc if !state.filter.is_empty() => state.keeping_what_is_chosen(|state| state.filter.clear()),
        KeyCode::Esc => state.is_zoomed = false,
        KeyCode::Tab => turn(state, 1),
        KeyCode::BackTab => turn(state, Pane::ALL.len() - 1),
        KeyCode::Char(digit @ '1'..='4') => state.pane = Pane::ALL[digit as usize - '1' as usize],
        KeyCode::Down | KeyCode::Char('j') => state.step(1),
        KeyCode::Up | KeyCode::Char('k') => state.step(-1),
        KeyCode::PageDown => state.step(PAGE),
        KeyCode::PageUp => state.step(-PAGE),
        KeyCode::Home | KeyCode::Char('g') => state.step(isize::MIN),
        KeyCode::End | KeyCode::Char('G') => state.step(isize::MAX),
        KeyCode::Char('a') => return acknowledge(state),
        KeyCode::Char('s') => silence(state),
        _ => {}
    }
    None
}

fn turn(state: &mut State, by: usize) {
    state.pane = Pane::ALL[(state.pane as usize + by) % Pane::ALL.len()];
}

/// Writes the filter. What it leaves is seen at once.
fn filter(state: &mut State, key: KeyCode, before: String) {
    match key {
        KeyCode::Enter => state.mode = Mode::Look,
        KeyCode::Esc => {
            state.mode = Mode::Look;
            state.keeping_what_is_chosen(|state| state.filter = before);
        }
        KeyCode::Backspace if state.filter.is_empty() => state.mode = Mode::Look,
        KeyCode::Backspace => state.keeping_what_is_chosen(|state| {
            state.filter.pop();
        }),
        KeyCode::Char(c) if state.filter.chars().count() < MAX_FILTER => {
            state.keeping_what_is_chosen(|state| state.filter.push(c));
        }
        _ => {}
    }
}

/// The alert that is chosen; where none is, what to do is said.
fn alert(state: &mut State) -> Option<Alert> {
    if state.pane != Pane::Alerts {
        state.say(Err("this is for an alert that fires: press 1, and choose one".to_string()));
        return None;
    }
    let row = state.rows(Pane::Alerts).get(state.chosen(Pane::Alerts)).copied();
    let alert = row.and_then(|row| state.picture.alerts.get(row)).cloned();
    if alert.is_none() {
        state.say(Err("no alert is chosen".to_string()));
    }
    alert
}

fn acknowledge(state: &mut State) -> Option<Meant> {
    let alert = alert(state)?;
    if let Some(by) = &alert.acknowledged_by {
        state.say(Err(format!("{by} acknowledged it already; `larum ack --undo {}` takes it back", alert.id)));
        return None;
    }
    Some(Meant::Wish(Wish::Acknowledge { title: alert.title(), id: alert.id }))
}

fn silence(state: &mut State) {
    if let Some(Alert { rule, kind, name, .. }) = alert(state) {
        state.mode = Mode::Silence { rule, kind, name };
    }
}
