//! Why a question has no answer, for people.

use std::sync::Arc;

use crate::diagnostic::did_you_mean;
use crate::engine::explain::Unexplained;
use crate::rules::Scope;

/// Names that are listed where none is near.
const LISTED: usize = 8;

/// A question that has no answer, and what to ask instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub error: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Refusal {
    /// What was asked, and why there is no answer.
    pub fn of(unexplained: &Unexplained, rule: &str, subject: Option<&str>) -> Refusal {
        match unexplained {
            Unexplained::AwaitsRules => Refusal {
                error: "the rules are not loaded yet".to_string(),
                hint: Some("ask again in a moment".to_string()),
            },
            Unexplained::RuleChanged => Refusal {
                error: format!("rule `{rule}` is being changed at this moment"),
                hint: Some("ask again in a moment".to_string()),
            },
            Unexplained::NoRule { rules } => {
                let error = format!("there is no rule `{rule}`");
                Refusal { error, hint: hint(rule, rules.iter().map(|name| name.as_str()), "the rules are") }
            }
            Unexplained::NoSubject { scope, names, other_kinds, member_of } => {
                no_subject(rule, subject, scope, names, other_kinds, member_of.as_deref())
            }
        }
    }
}

fn no_subject(
    rule: &str,
    subject: Option<&str>,
    scope: &Scope,
    names: &[Arc<str>],
    other_kinds: &[Arc<str>],
    member_of: Option<&str>,
) -> Refusal {
    let names = || names.iter().map(|name| &**name);
    let (kind, what, judges) = match scope {
        Scope::On { kind } => (kind, format!("subject of kind `{kind}`"), format!("each `{kind}`")),
        Scope::Over { kind, by } if by.is_empty() => (kind, "group".into(), format!("all `{kind}` together, as `all`")),
        Scope::Over { kind, by } => (kind, "group".into(), format!("`{kind}` grouped by {}", by.join(", "))),
    };
    let Some(subject) = subject else {
        return Refusal { error: format!("rule `{rule}` judges {judges}"), hint: hint("", names(), "name one:") };
    };
    if let Some(group) = member_of {
        let error = format!("rule `{rule}` judges {judges}, and `{subject}` is of the group `{group}`");
        return Refusal { error, hint: Some(format!("larum why {rule} {}", quoted(group))) };
    }
    if let Some(other) = other_kinds.first() {
        let error = format!("`{subject}` is of kind `{other}`, and rule `{rule}` judges {judges}");
        return Refusal { error, hint: hint(subject, names(), "there are") };
    }
    let error = match names().next() {
        Some(_) => format!("there is no {what} `{subject}`"),
        None => format!("nothing of kind `{kind}` was seen yet, which rule `{rule}` judges"),
    };
    Refusal { error, hint: hint(subject, names(), "there are") }
}

/// What may have been meant, or the first of the names that there are.
fn hint<'a>(word: &str, names: impl Iterator<Item = &'a str> + Clone, introduction: &str) -> Option<String> {
    if let Some(near) = did_you_mean(word, names.clone()) {
        return Some(near);
    }
    // Whoever types a part of a name means one that has it.
    let mut listed: Vec<&str> = names.clone().filter(|name| !word.is_empty() && name.contains(word)).collect();
    let is_part = !listed.is_empty() && listed.len() < names.clone().count();
    let introduction = if is_part { "among them" } else { introduction };
    if listed.is_empty() {
        listed = names.collect();
    }
    let more = listed.len().saturating_sub(LISTED);
    listed.truncate(LISTED);
    match (listed.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("{introduction} {}", listed.join(", "))),
        (false, more) => Some(format!("{introduction} {} and {more} more", listed.join(", "))),
    }
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,:/@+".contains(c);
    match name.chars().all(plain) {
        true => name.to_string(),
        false => format!("'{}'", name.replace('\'', "'\\''")),
    }
}
