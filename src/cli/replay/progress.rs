//! How far a replay is, for somebody who watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::tz::TimeZone;

use super::page::clock;
use crate::lab::replay::Recording;
use crate::model::Time;

/// A bar where the size of the recording is known, else a spinner. Nothing where nobody watches.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    position: Arc<AtomicU64>,
    began: Instant,
}

impl Progress {
    pub(super) fn of(recording: &Recording, watched: bool) -> Progress {
        let bar = watched.then(|| {
            let (bar, template) = match recording.size() {
                Some(size) => (ProgressBar::new(size), "{bar:30.cyan} {percent:>3}%  {msg}  {eta} left"),
                None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
            };
            bar.set_draw_target(ProgressDrawTarget::stderr());
            // The templates are ours: a mistake in one shows the default style.
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.with_style(style.progress_chars("=> "))
        });
        Progress { bar, position: recording.position(), began: Instant::now() }
    }

    /// Shows how far it is.
    pub(super) fn proceed(&self, snapshots: usize, time: Option<Time>, zone: &TimeZone) {
        let Some(bar) = &self.bar else { return };
        let rate = snapshots as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let time = time.map(|time| clock(time, zone) + "  ").unwrap_or_default();
        bar.set_message(format!("{time}{snapshots} snapshots, {rate:.0}/s"));
        bar.set_position(self.position.load(Ordering::Relaxed));
        bar.tick();
    }

    /// Does something that writes to the terminal.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Removes it.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
