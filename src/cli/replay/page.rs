//! The time line of a replay, as it comes.

use std::fmt::Write as _;
use std::io;

use jiff::tz::TimeZone;

use super::MAX_BAD_LINES;
use super::progress::Progress;
use crate::cli::Ui;
use crate::lab::replay::{Event, RuleFault, Told};
use crate::model::Time;

/// So much is written at once.
const FULL: usize = 64 << 10;

/// Writes lines, many at once, and keeps the progress bar below them.
pub(super) struct Page<'a> {
    ui: &'a mut Ui,
    progress: Progress,
    name: &'a str,
    lines: String,
    n_bad_lines: usize,
}

impl<'a> Page<'a> {
    pub(super) fn new(ui: &'a mut Ui, progress: Progress, name: &'a str) -> Page<'a> {
        Page { ui, progress, name, lines: String::new(), n_bad_lines: 0 }
    }

    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        self.lines.push_str(line);
        self.lines.push('\n');
        if self.lines.len() >= FULL { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let (ui, lines) = (&mut *self.ui, &self.lines);
        self.progress.suspend(|| ui.text(lines))?;
        self.lines.clear();
        Ok(())
    }

    /// A line that is not data. What came before it stands before it.
    fn note(&mut self, note: &str) -> io::Result<()> {
        self.flush()?;
        let ui = &mut *self.ui;
        self.progress.suspend(|| ui.note(note));
        Ok(())
    }

    pub(super) fn bad_line(&mut self, number: usize, reason: &str) -> io::Result<()> {
        self.n_bad_lines += 1;
        match self.n_bad_lines <= MAX_BAD_LINES {
            true => self.note(&format!("{}:{number}: {reason}", self.name)),
            false => Ok(()),
        }
    }

    pub(super) fn fault(&mut self, fault: &RuleFault, file: &str) -> io::Result<()> {
        self.note(&format!(
            "{}: rule `{}` failed on {}: {}",
            place(file, fault.fault.line, fault.fault.column),
            fault.rule,
            fault.subject,
            fault.fault.message
        ))
    }

    pub(super) fn event(&mut self, event: &Event, already: bool, zone: &TimeZone) -> io::Result<()> {
        let reason = event.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let already = if already { " (already firing)" } else { "" };
        self.line(&format!(
            "{}  {:<10}{reason}{already} {:<8} {} {}: {}",
            clock(event.time, zone),
            event.kind,
            event.level,
            event.rule,
            event.subject,
            event.message
        ))
    }

    pub(super) fn sent(&mut self, told: &Told<'_>, zone: &TimeZone) -> io::Result<()> {
        let sent = told.sent;
        let time = clock(told.time, zone);
        let mut line = format!("{time}    -> {}: {}", sent.notification.channel, sent.message.title);
        if told.already {
            line.push_str(" (already firing)");
        }
        if let Err(error) = &sent.request {
            // Writing to a text does not fail.
            write!(line, "\n{time}       it cannot be told: {error}").ok();
        }
        self.line(&line)
    }

    /// Shows how far it is. What was told until now stands above it.
    pub(super) fn proceed(&mut self, snapshots: usize, time: Option<Time>, zone: &TimeZone) -> io::Result<()> {
        self.flush()?;
        self.progress.proceed(snapshots, time, zone);
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn close(mut self) -> io::Result<()> {
        self.flush()?;
        self.progress.finish();
        if self.n_bad_lines > MAX_BAD_LINES {
            let more = self.n_bad_lines - MAX_BAD_LINES;
            self.ui.note(format_args!("{}: and {more} more lines that cannot be used", self.name));
        }
        Ok(())
    }
}

/// A time on the clock of the configured zone, to the second.
pub(super) fn clock(time: Time, zone: &TimeZone) -> String {
    time.to_jiff().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A place in a file, as far as it is known.
pub(super) fn place(file: &str, line: usize, column: usize) -> String {
    match (line, column) {
        (0, _) => file.to_string(),
        (_, 0) => format!("{file}:{line}"),
        _ => format!("{file}:{line}:{column}"),
    }
}
