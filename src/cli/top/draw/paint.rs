//! Colours, where there are any. What matters is told without them too.

use ratatui::style::{Color, Modifier, Style};

use crate::cli::top::happened::Tone;
use crate::diagnostic::Colour;
use crate::model::Level;

/// Whether colours are used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(pub(super) Colour);

impl Paint {
    fn colour(self, colour: Color) -> Style {
        match self.0 {
            Colour::On => Style::new().fg(colour),
            Colour::Off => Style::new(),
        }
    }

    /// As the console channel colours it.
    pub(super) fn level(self, level: Option<Level>) -> Style {
        match level {
            None => Style::new(),
            Some(Level::Info) => self.colour(Color::Cyan),
            Some(Level::Warning) => self.colour(Color::Yellow),
            Some(Level::Error) => self.bad(),
            Some(Level::Critical) => self.bad().add_modifier(Modifier::BOLD),
        }
    }

    pub(super) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Bad(level) => self.level(Some(level)),
            Tone::Good => self.good(),
            Tone::Plain => Style::new(),
        }
    }

    pub(super) fn good(self) -> Style {
        self.colour(Color::Green)
    }

    pub(super) fn bad(self) -> Style {
        self.colour(Color::Red)
    }

    pub(super) fn warning(self) -> Style {
        self.colour(Color::Yellow)
    }

    pub(super) fn trend(self) -> Style {
        self.colour(Color::Cyan)
    }

    pub(super) fn dim(self) -> Style {
        self.colour(Color::DarkGray)
    }

    pub(super) fn frame(self) -> Style {
        self.dim()
    }

    pub(super) fn chosen_frame(self) -> Style {
        self.colour(Color::Cyan)
    }

    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The chosen row: of the pane that has the keys, or of another.
    pub(super) fn chosen(self, has_keys: bool) -> Style {
        if has_keys { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() }
    }
}
