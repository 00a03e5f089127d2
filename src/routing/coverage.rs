//! Which alerts no route would take, as far as that can be known before there are any.

use super::Routing;
use super::matcher::Partly;
use crate::diagnostic::Diagnostic;
use crate::model::{ChannelName, Labels, Level, RuleName};

/// The alerts that a rule could raise.
#[derive(Clone, Debug)]
pub struct Possible<'a> {
    /// The rule.
    pub rule: &'a RuleName,
    /// The file that registered it.
    pub file: &'a str,
    /// The line of its `rule(...)` call.
    pub line: usize,
    /// The text of that file, for the source line; empty where it is not at hand.
    pub text: &'a str,
    /// The levels that its alerts could have.
    pub levels: &'a [Level],
    /// The kind of its subjects.
    pub kind: &'a str,
    /// The rule's own labels; the subject's are not known.
    pub labels: &'a Labels,
    /// The rule's own `notify`.
    pub notify: Option<&'a [ChannelName]>,
}

impl Routing {
    /// A warning for each rule some of whose alerts no channel would be told of.
    pub fn uncovered<'a>(&self, rules: impl IntoIterator<Item = Possible<'a>>) -> Vec<Diagnostic> {
        rules.into_iter().filter_map(|possible| self.uncovered_rule(&possible)).collect()
    }

    fn uncovered_rule(&self, possible: &Possible<'_>) -> Option<Diagnostic> {
        let warn = |message: String, hint: &str| {
            let column = usize::from(possible.line > 0);
            Some(
                Diagnostic::error(possible.file, possible.text, possible.line, column, message)
                    .with_hint(hint)
                    .into_warning(),
            )
        };
        if let Some(notify) = possible.notify {
            // That its channels exist is checked where rules are loaded.
            if !notify.is_empty() {
                return None;
            }
            let message = format!("nobody is told of alerts of rule `{}`: `notify` is empty", possible.rule);
            return warn(message, "name a channel, or leave `notify` out to use the routes");
        }
        let lost: Vec<&str> = possible
            .levels
            .iter()
            .filter(|level| {
                let known =
                    Partly { rule: possible.rule, level: **level, kind: possible.kind, labels: possible.labels };
                !self.routes.iter().any(|route| !route.to.is_empty() && route.matches.could_match(&known))
            })
            .map(|level| level.as_str())
            .collect();
        if lost.is_empty() {
            return None;
        }
        let levels = match lost.len() == possible.levels.len() {
            true => String::new(),
            false => format!(" at level {}", lost.join(", ")),
        };
        warn(
            format!("no route takes the alerts of rule `{}`{levels}", possible.rule),
            "add a last route without `match`: `- to: [console]`",
        )
    }
}
