//! Wiring: start, stop, reload, supervision.
//!
//! Everything that decides is elsewhere and pure; this reads the clock, the files and the signals, and moves data.

mod clock;
mod committer;
mod engine_thread;
mod figures;
mod folder;
pub mod logging;
mod own_state;
mod problems;
mod signals;
mod tasks;
mod watch;

pub use clock::Clock;
pub use committer::Writer;
pub use engine_thread::{Handle, Machine, Receipt, Stopped};
pub use figures::{Counter, Figures};
pub use folder::{Believed, Finding, Layout, Reading};
pub use own_state::KIND as OWN_KIND;
pub use problems::{FileHealth, Part, Problems};
pub use tasks::{Fatal, Status, TaskStatus, Tasks};

/// An error with all its causes, as one line: `cannot read rules/: permission denied`.
pub(crate) fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
