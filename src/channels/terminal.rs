//! The terminal transport: lines on standard output, in colour where a terminal reads them.

use std::fmt::Debug;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;

use anstyle::{AnsiColor, Style};

use crate::model::Level;

/// Where lines for people go.
pub trait Terminal: Send + Sync + Debug {
    /// Writes a text that ends with a line break, all at once.
    ///
    /// # Errors
    /// Where nobody reads any more.
    fn write(&self, text: &str) -> io::Result<()>;

    /// Whether colours are wanted.
    fn colours(&self) -> bool;
}

/// The standard output of this process.
#[derive(Debug)]
pub struct Stdout {
    colours: bool,
}

impl Stdout {
    /// Standard output, in colour where it is a terminal and `NO_COLOR` is not set.
    pub fn new() -> Stdout {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Stdout { colours: !refused && io::stdout().is_terminal() }
    }
}

impl Default for Stdout {
    fn default() -> Stdout {
        Stdout::new()
    }
}

impl Terminal for Stdout {
    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn colours(&self) -> bool {
        self.colours
    }
}

/// A terminal that keeps what is written: for tests and dry runs.
#[derive(Debug, Default)]
pub struct Captured {
    text: Mutex<String>,
    colours: bool,
}

impl Captured {
    /// A terminal that wants colours, or does not.
    pub fn new(colours: bool) -> Captured {
        Captured { text: Mutex::default(), colours }
    }

    /// All that was written.
    pub fn text(&self) -> String {
        self.text.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl Terminal for Captured {
    fn write(&self, text: &str) -> io::Result<()> {
        self.text.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push_str(text);
        Ok(())
    }

    fn colours(&self) -> bool {
        self.colours
    }
}

/// The lines as they are written: the title, and the text below it, indented.
pub(super) fn lines(level: Level, over: bool, title: &str, text: &str, colours: bool) -> String {
    let (style, dim) = match colours {
        true => (style(level, over), Style::new().dimmed()),
        false => (Style::new(), Style::new()),
    };
    let mut lines = format!("{style}{title}{style:#}\n");
    for line in text.lines() {
        match line.is_empty() {
            true => lines.push('\n'),
            false => lines.push_str(&format!("  {dim}{line}{dim:#}\n")),
        }
    }
    lines
}

const fn style(level: Level, over: bool) -> Style {
    let colour = match (over, level) {
        (true, _) => AnsiColor::Green,
        (false, Level::Info) => AnsiColor::Cyan,
        (false, Level::Warning) => AnsiColor::Yellow,
        (false, Level::Error | Level::Critical) => AnsiColor::Red,
    };
    let style = Style::new().fg_color(Some(anstyle::Color::Ansi(colour)));
    match (over, level) {
        (false, Level::Critical) => style.bold(),
        _ => style,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_there_is_no_escape_sequence() {
        assert_eq!(lines(Level::Critical, false, "[critical] a", "b\n\nc", false), "[critical] a\n  b\n\n  c\n");
    }

    #[test]
    fn with_colours_the_title_shows_how_bad_it_is() {
        let critical = lines(Level::Critical, false, "t", "", true);
        let warning = lines(Level::Warning, false, "t", "", true);
        let over = lines(Level::Critical, true, "t", "", true);
        assert!(critical.starts_with("\u{1b}[") && critical.ends_with("\u{1b}[0m\n"), "{critical:?}");
        assert!(critical != warning && critical != over);
    }
}
