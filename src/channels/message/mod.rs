//! The words of a notification: title and text, by templates. Pure.

mod escape;
mod occasion;
mod sample;
mod view;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::tz::TimeZone;
use minijinja::{Environment, UndefinedBehavior};

pub use escape::Escape;
pub use sample::{example, samples};
pub use words::Locale;

use super::cut::cut;
use crate::diagnostic::{lines, one_line};
use view::View;

use crate::model::{Level, Notification, Occasion, Time};

/// Instructions that one template may execute: a thousand alerts fit, an endless loop does not.
const FUEL: u64 = 2_000_000;
/// The longest title, in bytes.
const MAX_TITLE: usize = 512;
/// The longest text, in bytes; kinds with a lower limit cut further.
const MAX_MESSAGE: usize = 256 << 10;

/// Language, time zone and default templates: what all channels share.
#[derive(Clone)]
pub struct Texts {
    locale: Locale,
    zone: TimeZone,
    environments: Arc<[Environment<'static>; Escape::ALL.len()]>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Texts").field("locale", &self.locale).field("zone", &self.zone).finish_non_exhaustive()
    }
}

impl Default for Texts {
    fn default() -> Texts {
        Texts::new(Locale::En, TimeZone::UTC)
    }
}

/// A channel's own templates; what is not given is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Of the title: one line.
    pub title: Option<String>,
    /// Of the text below it.
    pub text: Option<String>,
}

/// A notification in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub title: String,
    /// Some lines, without a line break at the end.
    pub text: String,
}

/// A template cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// Which one: `title` or `text`.
    pub key: &'static str,
    /// The line in the template, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl Texts {
    /// Messages in a language, with times of a zone.
    pub fn new(locale: Locale, zone: TimeZone) -> Texts {
        Texts { locale, zone, environments: Arc::new(Escape::ALL.map(|escape| environment(locale, escape))) }
    }

    /// The notification in words, everything that comes from outside escaped for the channel.
    ///
    /// A template of the channel's own that fails on this notification gives way to the default one: the alert matters
    /// more than its wording.
    pub fn message(&self, notification: &Notification, template: &Template, escape: Escape) -> Message {
        self.message_within(notification, template, escape, |_| MAX_MESSAGE)
    }

    /// The same with a text of as many bytes at most as `room` leaves behind the title. Where not all alerts find room,
    /// the first ones do, in a line each, and the text says how many more there are.
    pub fn message_within(
        &self,
        notification: &Notification,
        template: &Template,
        escape: Escape,
        room: impl FnOnce(&str) -> usize,
    ) -> Message {
        let view = View::of(notification, self.locale, &self.zone);
        let environment = &self.environments[escape as usize];
        let render = |own: &Option<String>, key: &'static str, view: View| {
            let view = value(view);
            own.as_ref()
                .and_then(|source| environment.render_str(source, view.clone()).ok())
                .or_else(|| environment.get_template(key).and_then(|default| default.render(view)).ok())
                // The default templates are rendered over every kind of event in tests.
                .unwrap_or_default()
        };
        let title = cut(one_line(&render(&template.title, "title", view.clone())).trim(), MAX_TITLE);
        let room = room(&title).min(MAX_MESSAGE);
        let text = |view: View| lines(&render(&template.text, "text", view)).trim_end().to_string();
        let whole = text(view.clone());
        if whole.len() <= room || view.n_listed() <= 1 {
            return Message { title, text: cut(&whole, room) };
        }
        let brief = |n: usize| text(view.listed(n, true));
        // One is listed whatever it takes; `fits` alerts fit, and `beyond` do not.
        let (mut fits, mut beyond, mut best) = (1, view.n_listed() + 1, brief(1));
        while beyond - fits > 1 {
            let n = fits.midpoint(beyond);
            let shorter = brief(n);
            match shorter.len() <= room {
                true => (fits, best) = (n, shorter),
                false => beyond = n,
            }
        }
        Message { title, text: cut(&best, room) }
    }

    /// The time of day of the configured zone, for lines on a terminal.
    pub fn time_of_day(&self, time: Time) -> String {
        time.to_jiff().to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// Tries a channel's own templates on one notification of each kind.
    ///
    /// # Errors
    /// Every template that does not compile, or fails on a notification, once.
    pub fn check(&self, template: &Template) -> Result<(), Vec<TemplateError>> {
        let environment = &self.environments[Escape::None as usize];
        let view = |sample: &Notification| value(View::of(sample, self.locale, &self.zone));
        let views: Vec<minijinja::Value> = samples().iter().map(view).collect();
        let sources = [("title", &template.title), ("text", &template.text)];
        let errors: Vec<TemplateError> = sources
            .into_iter()
            .filter_map(|(key, source)| Some((key, source.as_ref()?)))
            .filter_map(|(key, source)| {
                let error = views.iter().find_map(|view| environment.render_str(source, view.clone()).err())?;
                Some(TemplateError { key, line: error.line(), message: describe(key, &error) })
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// How bad it is what a notification tells of, as far as it is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Severity {
    /// The highest level of what still fires; where nothing does, the highest that there was.
    pub level: Level,
    /// Whether nothing that it tells of still fires.
    pub over: bool,
}

impl Severity {
    /// How bad it is what this notification tells of.
    pub fn of(notification: &Notification) -> Severity {
        let open = notification.alerts.iter().filter(|note| !note.event.is_end()).map(|note| note.level);
        let of_occasion = match &notification.occasion {
            Occasion::Alert | Occasion::Undelivered(_) => None,
            Occasion::Group(group) => group.firing.iter().map(|member| member.level).max(),
            Occasion::Summary(summary) => {
                summary.counts.iter().filter(|line| !line.event.is_end()).map(|line| line.level).max()
            }
        };
        match open.chain(of_occasion).max() {
            Some(level) => Severity { level, over: false },
            None => Severity { level: notification.level(), over: true },
        }
    }
}

fn value(view: View) -> minijinja::Value {
    minijinja::value::Serde(view).into()
}

fn describe(key: &str, error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
    match error.line() {
        Some(line) => format!("the template `{key}` fails in its line {line}: {what}"),
        None => format!("the template `{key}` fails: {what}"),
    }
}

fn environment(locale: Locale, escape: Escape) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    environment.set_formatter(move |out, _, value| escape.write(out, value));
    for (name, source) in locale.templates() {
        environment.add_template(name, source).expect("the default templates compile: a test renders each of them");
    }
    environment
}
