//! A terminal that a command draws on, and what is typed there.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event};
use ratatui::{DefaultTerminal, Frame};

/// The whole terminal. It is as it was before when this is dropped, and where the process panics.
pub(in crate::cli) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    pub(super) fn open() -> io::Result<Screen> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Screen { terminal }),
            Err(error) => {
                // It may have been changed halfway.
                ratatui::try_restore().ok();
                Err(error)
            }
        }
    }

    /// Draws a picture; only what differs from the one before is written. Control characters in texts are left out.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub(in crate::cli) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(|_| ())
    }

    /// What is typed, or happens to the terminal, within this time.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub(in crate::cli) fn event(&mut self, within: Duration) -> io::Result<Option<Event>> {
        if event::poll(within)? { event::read().map(Some) } else { Ok(None) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Whoever closed the terminal needs it no more.
        self.terminal.show_cursor().ok();
        ratatui::try_restore().ok();
    }
}
