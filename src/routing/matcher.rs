//! Matchers: a value, a list, a glob (`cpu_*`), a negation (`"!dev"`), and for levels `">=error"`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::Facts;
use crate::diagnostic::did_you_mean;
use crate::model::{Labels, Level, RuleName, glob};

/// Conditions on an alert; all of them must hold. No conditions match everything.
///
/// The keys `rule`, `level`, `kind` and `name` are the alert's own; any other key is a label. A label that the alert
/// does not have is the empty text: `"!dev"` matches an alert without the label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matchers {
    level: Option<Levels>,
    texts: BTreeMap<Arc<str>, Texts>,
}

/// What is known of alerts before there are any: `None` is anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partly<'a> {
    pub(super) rule: &'a RuleName,
    pub(super) level: Level,
    pub(super) kind: &'a str,
    pub(super) labels: &'a Labels,
}

impl Matchers {
    /// Whether an alert fulfils all conditions.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.mismatch(facts).is_none()
    }

    /// The first condition that an alert does not fulfil.
    pub fn mismatch<'a>(&'a self, facts: &'a Facts<'_>) -> Option<Mismatch<'a>> {
        if let Some(levels) = self.level.as_ref().filter(|levels| !levels.matches(facts.level)) {
            return Some(Mismatch { key: "level", wants: Wants::Levels(levels), saw: facts.level.as_str() });
        }
        self.texts.iter().find_map(|(key, texts)| {
            let saw = match key.as_ref() {
                "rule" => facts.rule.as_str(),
                "kind" => &facts.subject.kind,
                "name" => &facts.subject.name,
                label => facts.labels.get(label).map_or("", |value| value),
            };
            (!texts.matches(saw)).then_some(Mismatch { key, wants: Wants::Texts(texts), saw })
        })
    }

    /// Whether some alert, of which only a part is known, could fulfil all conditions.
    pub(super) fn could_match(&self, known: &Partly<'_>) -> bool {
        self.level.as_ref().is_none_or(|levels| levels.matches(known.level))
            && self.texts.iter().all(|(key, texts)| match key.as_ref() {
                "rule" => texts.matches(known.rule.as_str()),
                "kind" => texts.matches(known.kind),
                label => known.labels.get(label).is_none_or(|value| texts.matches(value)),
            })
    }

    /// The conditions with their patterns, as they are written: `level` first, then by key.
    fn conditions(&self) -> Vec<(&str, Vec<String>)> {
        let negated = |patterns: Vec<String>| patterns.into_iter().map(|pattern| format!("!{pattern}"));
        let levels = self.level.iter().map(|levels| {
            let (any, none) = (levels_as_written(&levels.any), levels_as_written(&levels.none));
            ("level", any.into_iter().chain(negated(none)).collect())
        });
        let plain = |patterns: &[Arc<str>]| patterns.iter().map(ToString::to_string).collect::<Vec<String>>();
        let texts = self.texts.iter().map(|(key, texts)| {
            (key.as_ref(), plain(&texts.any).into_iter().chain(negated(plain(&texts.none))).collect())
        });
        levels.chain(texts).collect()
    }

    /// The condition on `rule`, `kind`, `name` or a label takes this text. True where there is none.
    pub fn takes(&self, key: &str, text: &str) -> bool {
        self.texts.get(key).is_none_or(|texts| texts.matches(text))
    }

    /// The texts that a condition wants, as they are written; those that it does not want are left out.
    pub fn wanted(&self, key: &str) -> impl Iterator<Item = &str> {
        self.texts.get(key).into_iter().flat_map(|texts| texts.any.iter().map(|pattern| &**pattern))
    }

    /// Whether there are no conditions.
    pub fn is_empty(&self) -> bool {
        self.level.is_none() && self.texts.is_empty()
    }
}

/// A condition that an alert does not fulfil. As text: ``level is `warning`, wants `>=error` ``.
#[derive(Clone, Copy, Debug)]
pub struct Mismatch<'a> {
    /// `level`, `rule`, `kind`, `name` or a label.
    pub key: &'a str,
    wants: Wants<'a>,
    /// What the alert has there; empty where it lacks the label.
    pub saw: &'a str,
}

#[derive(Clone, Copy, Debug)]
enum Wants<'a> {
    Levels(&'a Levels),
    Texts(&'a Texts),
}

impl Mismatch<'_> {
    /// What the condition wants, as it is written in larum.yaml: `>=error`, `cpu_* or disk_*`, `!dev`.
    pub fn wants(&self) -> String {
        let (any, none) = match self.wants {
            Wants::Levels(levels) => (levels_as_written(&levels.any), levels_as_written(&levels.none)),
            Wants::Texts(texts) => (as_written(&texts.any), as_written(&texts.none)),
        };
        let none = none.into_iter().map(|pattern| format!("!{pattern}")).collect::<Vec<_>>().join(" and ");
        match (any.join(" or "), none) {
            (any, none) if none.is_empty() => any,
            (any, none) if any.is_empty() => none,
            (any, none) => format!("{any} and {none}"),
        }
    }
}

impl fmt::Display for Mismatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.saw {
            "" => write!(f, "{} is empty, wants `{}`", self.key, self.wants()),
            saw => write!(f, "{} is `{saw}`, wants `{}`", self.key, self.wants()),
        }
    }
}

fn as_written(patterns: &[Arc<str>]) -> Vec<String> {
    patterns.iter().map(|pattern| if pattern.is_empty() { "''".to_string() } else { pattern.to_string() }).collect()
}

fn levels_as_written(set: &[bool; 4]) -> Vec<String> {
    let first = set.iter().position(|on| *on).unwrap_or(set.len());
    let (lowest, rest) = (Level::ALL.get(first), &set[first.min(set.len())..]);
    match lowest {
        Some(lowest) if rest.len() > 1 && rest.iter().all(|on| *on) => vec![format!(">={lowest}")],
        _ => Level::ALL.iter().zip(set).filter(|(_, on)| **on).map(|(level, _)| level.to_string()).collect(),
    }
}

/// Alternatives for a text: one of `any` (where there are some), and none of `none`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Texts {
    any: Vec<Arc<str>>,
    none: Vec<Arc<str>>,
}

impl Texts {
    fn add(&mut self, pattern: &str) {
        match pattern.strip_prefix('!') {
            Some(pattern) => self.none.push(pattern.into()),
            None => self.any.push(pattern.into()),
        }
    }

    fn matches(&self, text: &str) -> bool {
        (self.any.is_empty() || self.any.iter().any(|pattern| glob(pattern, text)))
            && !self.none.iter().any(|pattern| glob(pattern, text))
    }
}

/// The levels that match, in the order of [`Level::ALL`].
#[derive(Clone, Debug, Default, PartialEq)]
struct Levels {
    any: [bool; 4],
    none: [bool; 4],
}

impl Levels {
    fn add(&mut self, pattern: &str) -> Result<(), String> {
        let (set, name) = match pattern.strip_prefix('!') {
            Some(name) => (&mut self.none, name),
            None => (&mut self.any, pattern),
        };
        let (at_least, name) = match name.strip_prefix(">=") {
            Some(name) => (true, name.trim_start()),
            None => (false, name),
        };
        let level: Level = name.parse().map_err(|error: crate::model::UnknownLevel| {
            match did_you_mean(name, Level::ALL.map(Level::as_str)) {
                Some(hint) => format!("`{name}` is not a level, {hint}"),
                None => error.to_string(),
            }
        })?;
        for (index, candidate) in Level::ALL.into_iter().enumerate() {
            set[index] |= candidate == level || (at_least && candidate > level);
        }
        Ok(())
    }

    fn matches(&self, level: Level) -> bool {
        let index = level as usize;
        (self.any == [false; 4] || self.any[index]) && !self.none[index]
    }
}

/// As it is written in larum.yaml: `{"level": ">=error", "name": ["web-*", "!web-1"]}`.
impl Serialize for Matchers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, patterns) in self.conditions() {
            match &patterns[..] {
                [one] => map.serialize_entry(key, one)?,
                several => map.serialize_entry(key, several)?,
            }
        }
        map.end()
    }
}

/// In one line: `level>=error rule=cpu_* name=web-*,!web-1`.
impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, patterns)) in self.conditions().into_iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            match &patterns[..] {
                [one] if key == "level" && one.starts_with(">=") => write!(f, "{space}{key}{one}")?,
                [one] if one.starts_with('!') => write!(f, "{space}{key}!={}", &one[1..])?,
                several => write!(f, "{space}{key}={}", several.join(","))?,
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Matchers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Matchers, D::Error> {
        struct MatchersVisitor;
        impl<'de> Visitor<'de> for MatchersVisitor {
            type Value = Matchers;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping such as { level: \">=error\", kind: service }")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Matchers, A::Error> {
                let mut matchers = Matchers::default();
                while let Some(key) = access.next_key::<Arc<str>>()? {
                    if key.as_ref() == "level" {
                        matchers.level = Some(access.next_value()?);
                    } else {
                        matchers.texts.insert(key, access.next_value()?);
                    }
                }
                Ok(matchers)
            }
        }
        deserializer.deserialize_map(MatchersVisitor)
    }
}

/// What a value or a list of values is gathered in.
trait Gather: Default {
    const EXPECTED: &'static str;
    fn gather(&mut self, pattern: &str) -> Result<(), String>;
}

impl Gather for Texts {
    const EXPECTED: &'static str = "a value, a list of values, a glob such as `cpu_*`, or a negation such as \"!dev\"";
    fn gather(&mut self, pattern: &str) -> Result<(), String> {
        self.add(pattern);
        Ok(())
    }
}

impl Gather for Levels {
    const EXPECTED: &'static str = "a level, a list of levels, or a text such as \">=error\"";
    fn gather(&mut self, pattern: &str) -> Result<(), String> {
        self.add(pattern)
    }
}

struct GatherVisitor<G>(G);

impl<'de, G: Gather> Visitor<'de> for GatherVisitor<G> {
    type Value = G;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(G::EXPECTED)
    }

    fn visit_str<E: de::Error>(mut self, pattern: &str) -> Result<G, E> {
        self.0.gather(pattern).map_err(E::custom)?;
        Ok(self.0)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<G, E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<G, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<G, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<G, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<G, A::Error> {
        let mut is_empty = true;
        while let Some(Pattern(pattern)) = access.next_element()? {
            is_empty = false;
            self.0.gather(&pattern).map_err(de::Error::custom)?;
        }
        match is_empty {
            true => Err(de::Error::custom("an empty list matches nothing: leave the key out to match everything")),
            false => Ok(self.0),
        }
    }
}

/// One value of a list: a text, or a number or bool as a text.
#[derive(Default)]
struct Pattern(String);

impl Gather for Pattern {
    const EXPECTED: &'static str = "a value";
    fn gather(&mut self, pattern: &str) -> Result<(), String> {
        self.0 = pattern.to_string();
        Ok(())
    }
}

macro_rules! gathered {
    ($($type:ty)*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(GatherVisitor(<$type>::default()))
            }
        }
    )*};
}

gathered! { Texts Levels Pattern }

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::SubjectKey;

    fn matchers(yaml: &str) -> Matchers {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[track_caller]
    fn check(yaml: &str, expected: bool) {
        let rule = RuleName::from("cpu_high");
        let subject = SubjectKey::new("host", "web-1");
        let labels: Labels = [("env", "prod"), ("region", "eu"), ("port", "9100")]
            .into_iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        let facts = Facts { rule: &rule, level: Level::Error, subject: &subject, labels: &labels, notify: None };
        assert_eq!(matchers(yaml).matches(&facts), expected, "{yaml}");
    }

    #[test]
    fn every_form_of_a_matcher_matches_what_it_says() {
        check("{}", true);
        check("{ rule: cpu_high }", true);
        check("{ rule: cpu }", false);
        check("{ rule: 'cpu_*' }", true);
        check("{ rule: ['disk_*', 'cpu_*'] }", true);
        check("{ rule: '!cpu_*' }", false);
        check("{ kind: host, name: 'web-?' }", true);
        check("{ kind: service }", false);
        check("{ env: prod, region: us }", false);
        check("{ env: '!dev' }", true);
        check("{ env: ['!dev', '!prod'] }", false);
        check("{ name: ['web-*', '!web-1'] }", false);
        check("{ port: 9100 }", true);
    }

    #[test]
    fn a_label_that_is_not_there_is_the_empty_text() {
        check("{ team: core }", false);
        check("{ team: '' }", true);
        check("{ team: '!core' }", true);
        check("{ team: '*' }", true);
        check("{ team: '?*' }", false);
    }

    #[test]
    fn levels_are_matched_by_name_list_negation_and_order() {
        check("{ level: error }", true);
        check("{ level: [info, warning] }", false);
        check("{ level: '>=warning' }", true);
        check("{ level: '>= error' }", true);
        check("{ level: '>=critical' }", false);
        check("{ level: '!error' }", false);
        check("{ level: '!>=error' }", false);
        check("{ level: ['>=error', '!critical'] }", true);
    }

    #[test]
    fn a_mismatch_names_the_key_what_it_wants_and_what_the_alert_has() {
        let rule = RuleName::from("cpu_high");
        let subject = SubjectKey::new("host", "web-1");
        let labels: Labels = [("env".into(), "prod".into())].into();
        let facts = Facts { rule: &rule, level: Level::Warning, subject: &subject, labels: &labels, notify: None };
        let cases = [
            ("{ rule: cpu_high, env: prod }", None),
            ("{ level: '>=error', kind: disk }", Some("level is `warning`, wants `>=error`")),
            ("{ level: [info, error] }", Some("level is `warning`, wants `info or error`")),
            ("{ level: '!warning' }", Some("level is `warning`, wants `!warning`")),
            ("{ kind: [disk, 'net*'] }", Some("kind is `host`, wants `disk or net*`")),
            ("{ name: ['web-*', '!web-1'] }", Some("name is `web-1`, wants `web-* and !web-1`")),
            ("{ team: core }", Some("team is empty, wants `core`")),
            ("{ env: '' }", Some("env is `prod`, wants `''`")),
        ];
        for (yaml, expected) in cases {
            let matchers = matchers(yaml);
            assert_eq!(matchers.mismatch(&facts).map(|found| found.to_string()).as_deref(), expected, "{yaml}");
        }
    }

    #[test]
    fn what_cannot_match_is_refused() {
        let message = |yaml| serde_yaml::from_str::<Matchers>(yaml).unwrap_err().to_string();
        assert!(message("{ level: eror }").contains("`eror` is not a level, did you mean `error`?"));
        assert!(message("{ level: '>=high' }").contains("the levels are info, warning, error and critical"));
        assert!(message("{ rule: [] }").contains("an empty list matches nothing"));
        assert!(message("{ rule: { a: b } }").contains("a value, a list of values"));
    }

    proptest! {
        #[test]
        fn a_glob_is_the_regular_expression_with_the_same_meaning(pattern in "[ab*?.é]{0,8}", text in "[ab.é]{0,10}") {
            let expression = regex::escape(&pattern).replace(r"\*", ".*").replace(r"\?", ".");
            let oracle = regex::Regex::new(&format!("^(?s:{expression})$")).unwrap();
            prop_assert_eq!(glob(&pattern, &text), oracle.is_match(&text));
        }
    }

    #[test]
    fn a_glob_with_many_stars_does_not_take_exponential_time() {
        assert!(!glob(&format!("{}c", "a*".repeat(60)), &format!("{}b", "a".repeat(5000))));
    }
}
