//! The daemon's own log, on standard error.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::diagnostic::{Colour, harmless};

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The way to change what is logged.
#[derive(Clone, Debug)]
pub struct LogControl {
    filter: Option<reload::Handle<EnvFilter, Registry>>,
}

/// Begins to log. Only the first call of a process has an effect; so tests may start many daemons.
pub fn start(level: &str, format: Format) -> LogControl {
    let (filter, handle) = reload::Layer::new(filter(level));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let colour = if colours { Colour::On } else { Colour::Off };
    let lines = fmt::layer()
        .with_writer(move || Harmless { to: std::io::stderr(), colour })
        .with_ansi(colours)
        .with_target(false);
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    // The filter comes first: what it drops is not even formatted.
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    LogControl { filter: started.is_ok().then_some(handle) }
}

/// Writes an event without what could control a terminal. Its lines after the first are indented: no text of a stranger
/// looks like an event of its own.
struct Harmless<W> {
    to: W,
    colour: Colour,
}

impl<W: Write> Write for Harmless<W> {
    /// `event` is a whole one: `tracing-subscriber` writes each at once.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let line = harmless(line, self.colour).replace('\r', "").replace('\n', "\n    ");
        self.to.write_all(format!("{line}{end}").as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl LogControl {
    /// Logs at another level from now on.
    pub fn set_level(&self, level: &str) {
        if let Some(handle) = &self.filter {
            // Fails only where the log is gone, and with it the place to say so.
            handle.reload(filter(level)).ok();
        }
    }
}

/// `LARUM_LOG` wins over the level: it takes the directives of `tracing`, such as `larum=debug,hyper=info`.
fn filter(level: &str) -> EnvFilter {
    let directives = std::env::var("LARUM_LOG").ok().filter(|text| !text.trim().is_empty());
    let directives = directives.unwrap_or_else(|| match level {
        // Other people's code has nothing to say below that.
        "error" => "error".to_string(),
        level => format!("warn,larum={level}"),
    });
    EnvFilter::builder().parse_lossy(directives)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of a name and a message that come from somebody with bad intentions.
    fn logged(colour: Colour) -> String {
        let kept = Kept::default();
        let to = kept.clone();
        let lines = fmt::layer()
            .with_writer(move || Harmless { to: to.clone(), colour })
            .with_ansi(colour == Colour::On)
            .without_time();
        let hostile = "shop\r\nERROR forged\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{8}\0";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::warn!(name = %hostile, quoted = hostile, "{hostile}");
        });
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn no_text_of_a_stranger_forges_an_event_or_controls_the_terminal() {
        let plain = logged(Colour::Off);
        assert!(!plain.trim_end().chars().any(|c| c.is_control() && c != '\n'), "{plain:?}");
        assert!(plain.contains("shop\n    ERROR forged"), "{plain:?}");
        assert!(plain.trim_start().lines().skip(1).all(|line| line.starts_with("    ")), "{plain:?}");
        let coloured = logged(Colour::On);
        assert!(coloured.contains("\u{1b}[") && !coloured.contains("\u{1b}[2J"), "{coloured:?}");
        assert!(!coloured.contains(['\u{7}', '\u{8}', '\0', '\u{9b}']), "{coloured:?}");
    }

    #[test]
    fn our_own_lines_follow_the_level_and_others_speak_up_from_warnings() {
        assert_eq!(filter("error").to_string(), "error");
        let debug = filter("debug").to_string();
        assert!(debug.contains("larum=debug") && debug.contains("warn"), "{debug}");
    }
}
