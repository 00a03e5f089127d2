//! The only way in which commands write: data to standard output, everything else to standard error; or on the whole terminal.

mod screen;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

pub(super) use screen::Screen;

use crate::diagnostic::{Colour, harmless, one_line};

/// Where a command writes.
pub struct Ui {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    out_colour: Colour,
    err_colour: Colour,
    watched: bool,
    screen: bool,
}

impl Ui {
    /// The standard streams: each coloured where it is a terminal, unless `NO_COLOR` is set.
    pub fn standard() -> Ui {
        let (out, err) = (io::stdout(), io::stderr());
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let colour = |is_terminal: bool| if is_terminal && !refused { Colour::On } else { Colour::Off };
        let (out_colour, err_colour) = (colour(out.is_terminal()), colour(err.is_terminal()));
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let (watched, screen) = (err.is_terminal() && !is_dumb, out.is_terminal() && !is_dumb);
        Ui { out: Box::new(out), err: Box::new(err), out_colour, err_colour, watched, screen }
    }

    /// Streams that keep what is written, without colours.
    pub fn captured() -> (Ui, Captured) {
        let captured = Captured::default();
        let (out, err) = (Box::new(captured.out.clone()), Box::new(captured.err.clone()));
        (Ui { out, err, out_colour: Colour::Off, err_colour: Colour::Off, watched: false, screen: false }, captured)
    }

    /// Whether data is coloured.
    pub fn out_colour(&self) -> Colour {
        self.out_colour
    }

    /// Whether messages are coloured.
    pub fn err_colour(&self) -> Colour {
        self.err_colour
    }

    /// Whether messages go to a terminal, where a line can be drawn anew: somebody may watch.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// Whether data goes to a terminal that can be drawn on.
    pub fn has_screen(&self) -> bool {
        self.screen
    }

    /// The whole terminal to draw on, until it is dropped.
    ///
    /// # Errors
    /// Where standard output is no terminal, or it cannot be set up.
    pub(super) fn screen(&mut self) -> io::Result<Screen> {
        Screen::open()
    }

    /// Writes a line of data.
    ///
    /// # Errors
    /// Where nobody reads any more.
    pub fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.out, "{}", harmless(&line.to_string(), self.out_colour))
    }

    /// Writes text without a line break of its own, as data.
    ///
    /// # Errors
    /// Where nobody reads any more.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(harmless(text, self.out_colour).as_bytes())?;
        self.out.flush()
    }

    /// Writes a line that is not data. That nobody reads it stops nothing.
    pub fn note(&mut self, line: impl Display) {
        writeln!(self.err, "{}", harmless(&line.to_string(), self.err_colour)).ok();
    }

    /// A word in a colour, for data.
    pub fn out_word(&self, word: &str, colour: AnsiColor) -> String {
        paint(word, colour, self.out_colour)
    }

    /// A word in a colour, for messages.
    pub fn err_word(&self, word: &str, colour: AnsiColor) -> String {
        paint(word, colour, self.err_colour)
    }

    /// A table of data: columns are as wide as their widest cell.
    ///
    /// # Errors
    /// Where nobody reads any more.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
            cells.chain([head[column].len()]).max().unwrap_or(0)
        };
        let cleaned = |row: &Vec<String>| row.iter().map(|cell| one_line(cell)).collect::<Vec<String>>();
        let rows: Vec<Vec<String>> = rows.iter().map(cleaned).collect();
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let pad = |(cell, width): (&str, &usize)| format!("{cell}{}", " ".repeat(width - cell.width()));
            let padded: Vec<String> = cells.zip(&widths).map(pad).collect();
            padded.join("  ").trim_end().to_string()
        };
        let head = line(&mut head.iter().copied());
        let head = paint(&head, AnsiColor::BrightBlack, self.out_colour);
        self.line(head)?;
        for row in &rows {
            let row = line(&mut row.iter().map(String::as_str));
            self.line(row)?;
        }
        Ok(())
    }
}

fn paint(text: &str, colour: AnsiColor, on: Colour) -> String {
    match on {
        Colour::On => {
            let style = Style::new().fg_color(Some(colour.into()));
            format!("{style}{text}{style:#}")
        }
        Colour::Off => text.to_string(),
    }
}

/// What a command wrote.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    out: Kept,
    err: Kept,
}

impl Captured {
    /// The data.
    pub fn out(&self) -> String {
        self.out.text()
    }

    /// Everything else.
    pub fn err(&self) -> String {
        self.err.text()
    }
}

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_its_cells() {
        let (mut ui, captured) = Ui::captured();
        ui.table(&["NAME", "KIND"], &[vec!["console".into(), "é".into()], vec!["a".into(), "webhook".into()]]).unwrap();
        assert_eq!(captured.out(), "NAME     KIND\nconsole  é\na        webhook\n");
        assert_eq!(captured.err(), "");
    }
    #[test]
    fn a_table_is_as_wide_as_a_terminal_shows_it() {
        let (mut ui, captured) = Ui::captured();
        ui.table(&["NAME", "KIND"], &[vec!["值班".into(), "a".into()], vec!["abcde".into(), "b\u{202e}\nc".into()]])
            .unwrap();
        assert_eq!(captured.out(), "NAME   KIND\n值班   a\nabcde  b c\n");
    }

    #[test]
    fn nothing_that_a_command_writes_controls_the_terminal() {
        let (mut ui, captured) = Ui::captured();
        let hostile = "a\u{1b}[2J\u{1b}]0;title\u{7}b\u{9b}31m\u{8}\r\u{0}c\td";
        ui.line(hostile).unwrap();
        ui.text("1,2\r\n").unwrap();
        ui.note(hostile);
        let plain = "a[2J]0;titleb31mc\td\n";
        assert_eq!((captured.out(), captured.err()), (format!("{plain}1,2\r\n"), plain.to_string()));
    }
}
