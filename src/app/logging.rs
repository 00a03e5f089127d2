//! The daemon's own log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

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
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    // The filter comes first: what it drops is not even formatted.
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    LogControl { filter: started.is_ok().then_some(handle) }
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
    use super::*;

    #[test]
    fn our_own_lines_follow_the_level_and_others_speak_up_from_warnings() {
        assert_eq!(filter("error").to_string(), "error");
        let debug = filter("debug").to_string();
        assert!(debug.contains("larum=debug") && debug.contains("warn"), "{debug}");
    }
}
