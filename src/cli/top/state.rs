//! What is shown, and what is chosen in it. Pure: pictures and keys come in, and it is drawn.

use std::collections::{BTreeMap, VecDeque};

use jiff::tz::TimeZone;

use super::happened::{Happened, Tone, at_first, between};
use super::picture::Picture;
use super::trend::Trend;
use crate::model::{Level, Time};

/// So many things that happened are kept.
const KEPT: usize = 500;

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    Alerts,
    Subjects,
    Rules,
    Log,
}

impl Pane {
    /// In the order of their keys.
    pub(super) const ALL: [Pane; 4] = [Pane::Alerts, Pane::Subjects, Pane::Rules, Pane::Log];

    /// Its title.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Pane::Alerts => "firing",
            Pane::Subjects => "subjects",
            Pane::Rules => "rules",
            Pane::Log => "log",
        }
    }
}

/// What keys do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// They move.
    Look,
    /// They write the filter; this was it before.
    Filter { before: String },
    /// They choose how long this alert is silenced. It is kept as it was chosen: the list may change meanwhile.
    Silence { rule: String, kind: String, name: String },
    /// They close the help.
    Help,
}

/// The daemon does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// When it was seen for the last time, by its own clock.
    pub(super) since: Time,
    pub(super) why: String,
}

/// Everything that is shown.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) url: String,
    pub(super) zone: TimeZone,
    pub(super) picture: Picture,
    pub(super) lost: Option<Lost>,
    pub(super) pane: Pane,
    /// The pane has the whole screen.
    pub(super) is_zoomed: bool,
    /// What is shown must have this text in it.
    pub(super) filter: String,
    pub(super) mode: Mode,
    /// What became of the last wish, until a key is pressed.
    pub(super) said: Option<Result<String, String>>,
    /// What happened, the newest first.
    pub(super) log: VecDeque<Happened>,
    trends: BTreeMap<(String, String), Trend>,
    /// The chosen row of each pane, among those that the filter leaves.
    chosen: [usize; 4],
}

impl State {
    pub(super) fn new(url: String, zone: TimeZone, first: Picture) -> State {
        let log = at_first(&first);
        let mut state = State {
            url,
            zone,
            picture: Picture::default(),
            lost: None,
            pane: Pane::Alerts,
            is_zoomed: false,
            filter: String::new(),
            mode: Mode::Look,
            said: None,
            log: VecDeque::new(),
            trends: BTreeMap::new(),
            chosen: [0; 4],
        };
        state.put(first);
        state.note(log);
        state
    }

    /// When the picture was taken, by the daemon's clock.
    pub(super) fn seen_at(&self) -> Time {
        self.picture.time
    }

    /// Takes a new picture. What was chosen stays chosen for as long as it is there.
    pub(super) fn see(&mut self, picture: Picture) {
        let mut happened = between(&self.picture, &picture);
        if let Some(lost) = self.lost.take() {
            let away = crate::cli::status::words::length(picture.time.since(lost.since));
            happened.insert(0, Happened::new(picture.time, Tone::Good, format!("larum answers again, after {away}")));
        }
        self.keeping_what_is_chosen(|state| {
            state.put(picture);
            state.note(happened);
        });
    }

    /// The daemon does not answer. What was seen last is still shown.
    pub(super) fn lose(&mut self, why: String) {
        let since = self.seen_at();
        if self.lost.is_none() {
            let happened = Happened::new(since, Tone::Bad(Level::Error), format!("no answer any more: {why}"));
            self.keeping_what_is_chosen(|state| state.note(vec![happened]));
        }
        self.lost = Some(Lost { since, why });
    }

    /// What became of a wish.
    pub(super) fn say(&mut self, outcome: Result<String, String>) {
        self.said = Some(outcome);
    }

    fn put(&mut self, picture: Picture) {
        let mut trends = std::mem::take(&mut self.trends);
        for subject in &picture.subjects {
            let key = (subject.kind.clone(), subject.name.clone());
            let mut trend = trends.remove(&key).unwrap_or_default();
            trend.take(&subject.fields, subject.is_stale || subject.is_gone);
            self.trends.insert(key, trend);
        }
        self.picture = picture;
    }

    /// Notes what happened, the oldest first.
    fn note(&mut self, happened: Vec<Happened>) {
        happened.into_iter().for_each(|happened| self.log.push_front(happened));
        self.log.truncate(KEPT);
    }

    /// One field of a subject over the last looks.
    pub(super) fn trend(&self, row: usize) -> Option<&Trend> {
        let subject = self.picture.subjects.get(row)?;
        self.trends.get(&(subject.kind.clone(), subject.name.clone()))
    }

    /// The rows of a pane that the filter leaves.
    pub(super) fn rows(&self, pane: Pane) -> Vec<usize> {
        let wanted = self.filter.to_lowercase();
        let has = |texts: &[&str]| wanted.is_empty() || texts.join(" ").to_lowercase().contains(&wanted);
        let picture = &self.picture;
        let shown = |row: &usize| match pane {
            Pane::Alerts => {
                let alert = &picture.alerts[*row];
                let level = alert.level.map_or("", Level::as_str);
                has(&[level, &alert.rule, &alert.kind, &alert.name, &alert.message, &alert.marks()])
            }
            Pane::Subjects => has(&[&picture.subjects[*row].kind, &picture.subjects[*row].name]),
            Pane::Rules => has(&[&picture.rules[*row].name, &picture.rules[*row].health]),
            Pane::Log => has(&[&self.log[*row].said]),
        };
        (0..self.count(pane)).filter(shown).collect()
    }

    /// How many rows a pane has without a filter.
    pub(super) fn count(&self, pane: Pane) -> usize {
        match pane {
            Pane::Alerts => self.picture.alerts.len(),
            Pane::Subjects => self.picture.subjects.len(),
            Pane::Rules => self.picture.rules.len(),
            Pane::Log => self.log.len(),
        }
    }

    /// The place of the chosen row among those that are shown.
    pub(super) fn chosen(&self, pane: Pane) -> usize {
        self.chosen[pane as usize]
    }

    /// Chooses the row that stands so far from the chosen one, or the first or last.
    pub(super) fn step(&mut self, by: isize) {
        let last = self.rows(self.pane).len().saturating_sub(1);
        let chosen = &mut self.chosen[self.pane as usize];
        *chosen = chosen.saturating_add_signed(by).min(last);
    }

    /// Changes what is shown, so that the same rows are chosen after it where they are still there.
    pub(super) fn keeping_what_is_chosen(&mut self, change: impl FnOnce(&mut State)) {
        let before = Pane::ALL.map(|pane| {
            // Whoever looks at the newest of the log wants to see what is newer.
            let follows = pane == Pane::Log && self.chosen(pane) == 0;
            self.rows(pane).get(self.chosen(pane)).filter(|_| !follows).map(|row| self.name(pane, *row))
        });
        change(self);
        for (pane, name) in Pane::ALL.into_iter().zip(before) {
            let rows = self.rows(pane);
            let found = name.and_then(|name| rows.iter().position(|row| self.name(pane, *row) == name));
            let chosen = &mut self.chosen[pane as usize];
            *chosen = found.unwrap_or(*chosen).min(rows.len().saturating_sub(1));
        }
    }

    /// What tells a row from the others of its pane.
    fn name(&self, pane: Pane, row: usize) -> String {
        match pane {
            Pane::Alerts => self.picture.alerts[row].id.clone(),
            Pane::Subjects => format!("{} {}", self.picture.subjects[row].kind, self.picture.subjects[row].name),
            Pane::Rules => self.picture.rules[row].name.clone(),
            Pane::Log => format!("{} {}", self.log[row].time, self.log[row].said),
        }
    }
}
