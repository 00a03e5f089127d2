//! How a command fails: for people, and for scripts by its exit code.

use std::io;
use std::process::ExitCode;

use anstyle::AnsiColor;

use super::ui::Ui;

/// What sort of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was tried, and did not work.
    Failure,
    /// It was asked for in a way that cannot be.
    Usage,
    /// The settings, channels or rules have problems.
    Problems,
    /// A rule test failed, or nothing was tested.
    TestFailed,
}

impl Kind {
    /// The exit code: what scripts see.
    pub const fn code(self) -> u8 {
        match self {
            Kind::Failure => 1,
            Kind::Usage => 2,
            Kind::Problems => 3,
            Kind::TestFailed => 4,
        }
    }
}

/// The failure of a command.
#[derive(Debug)]
pub struct Error {
    /// What sort it is.
    pub kind: Kind,
    /// What went wrong; `None` where the command said it already.
    pub source: Option<anyhow::Error>,
    /// What to do.
    pub hints: Vec<String>,
}

impl Error {
    /// A failure of some sort.
    pub fn new(kind: Kind, source: impl Into<anyhow::Error>) -> Error {
        Error { kind, source: Some(source.into()), hints: Vec::new() }
    }

    /// A failure with a message of its own.
    pub fn message(kind: Kind, message: impl Into<String>) -> Error {
        Error::new(kind, anyhow::Error::msg(message.into()))
    }

    /// A failure of which the command said everything.
    pub const fn told(kind: Kind) -> Error {
        Error { kind, source: None, hints: Vec::new() }
    }

    /// The same failure with what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.hints.push(hint.into());
        self
    }

    /// Says the failure, and gives the exit code.
    pub fn report(&self, ui: &mut Ui) -> ExitCode {
        if let Some(source) = &self.source {
            if is_broken_pipe(source) {
                // `larum rules list | head`: whoever read has enough.
                return ExitCode::SUCCESS;
            }
            let word = ui.err_word("error", AnsiColor::Red);
            ui.note(format_args!("{word}: {source:#}"));
        }
        for hint in &self.hints {
            let word = ui.err_word("hint", AnsiColor::Cyan);
            ui.note(format_args!("{word}: {hint}"));
        }
        ExitCode::from(self.kind.code())
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

impl From<anyhow::Error> for Error {
    fn from(source: anyhow::Error) -> Error {
        Error::new(Kind::Failure, source)
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Error {
        Error::new(Kind::Failure, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_with_its_causes_and_hints() {
        let (mut ui, captured) = Ui::captured();
        let source = anyhow::Error::msg("connection refused").context("failed to ask the daemon");
        let code = Error::from(source).with_hint("is `larum run` running?").report(&mut ui);
        assert_eq!(
            captured.err(),
            "error: failed to ask the daemon: connection refused\nhint: is `larum run` running?\n"
        );
        assert_eq!(code, ExitCode::from(1));
    }

    #[test]
    fn that_nobody_reads_any_more_is_no_failure() {
        let (mut ui, captured) = Ui::captured();
        let code = Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).report(&mut ui);
        assert_eq!((code, captured.err().as_str()), (ExitCode::SUCCESS, ""));
    }
}
