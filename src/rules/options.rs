//! The options of `rule(name, #{..})`: from a map of the script to a [`Rule`], or to every problem that is in it.

mod fingerprint;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rhai::{AST, Dynamic, Engine, Map};

use crate::diagnostic::Diagnostic;
use crate::history::Reach;
use crate::model::{ChannelName, Labels, Level, RuleName, duration};

use super::analyse::Place;
use super::analyse::reads::{Argument, Reader as Reads};
use super::analyse::script::Script;
use super::host::type_name;
use super::loader::{Kept, Origin};
use super::program::{Closure, LevelSource, MessageSource, Program};
use super::register::Registration;
use super::rule::{Flap, NoDataPolicy, Repeat, Rule, RuleSet, Scope};

use reader::Reader;

/// A key of `rule()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static str,
    /// What holds where it is missing, as it would be written; empty where nothing does.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// The keys of `rule()`, in the order of the documentation.
pub const KEYS: [Key; 18] = [
    key("on", "kind", "", "One alert for each subject of that kind. A rule has either `on` or `over`."),
    key(
        "over",
        "kind",
        "",
        "Judges the set of the subjects: one alert, or one for each distinct value of `by`. Without `by` also when the set is empty.",
    ),
    key("by", "[label]", "[]", "With `over`: group by these labels. `name` and `kind` count as labels."),
    key("where", "closure -> bool", "", "Which subjects take part; all of them where it is missing."),
    key(
        "when",
        "closure -> bool, or by level",
        "",
        "The condition; a rule needs it. With `#{ warning: |s| .., critical: |s| .. }` the highest level that is on counts, and there is no `level`.",
    ),
    key(
        "clear",
        "closure -> bool, or by level",
        "",
        "Hysteresis: a firing ends (or eases) only when this holds. Asked only when `when` does not fire; where it is missing, that alone ends it.",
    ),
    key(
        "hold",
        "duration, or by level",
        "\"0s\"",
        "The condition must stay true for this long first (Prometheus' `for`). Each level holds for itself.",
    ),
    key(
        "keep",
        "duration, or by level",
        "\"0s\"",
        "It must stay clear for this long before it recovers (Prometheus' `keep_firing_for`).",
    ),
    key(
        "cooldown",
        "duration",
        "\"5m\"",
        "The least time between two notifications of one alert to one channel that it fires. A level above the highest told passes, and an end is never held.",
    ),
    key("repeat", "duration, or \"never\"", "\"4h\"", "Remind while it still fires. Never under `cooldown`."),
    key(
        "level",
        "level, or closure -> level",
        "\"warning\"",
        "`info`, `warning`, `error` or `critical`; a closure is judged again while it fires.",
    ),
    key(
        "message",
        "text, or closure -> text",
        "",
        "One line for people; rule, subject and the values read where it is missing.",
    ),
    key("labels", "map of texts", "#{}", "Added to the alert's labels, for routes."),
    key("runbook", "text", "", "A link that every notification carries."),
    key("no_data", "\"keep\", \"fire\" or \"close\"", "\"keep\"", "What a verdict of no data does to the alert."),
    key(
        "every",
        "duration",
        "\"10s\"",
        "How often a rule that asks about time itself is judged, beside every snapshot. At least `100ms`.",
    ),
    key("notify", "[channel]", "", "Tell these channels, past the routes."),
    key(
        "flap",
        "#{changes, within}, or ()",
        "#{ changes: 6, within: \"30m\" }",
        "More raises and recoveries than this are told once, as flapping. `()` turns it off.",
    ),
];

const fn key(name: &'static str, takes: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { name, takes, default, meaning }
}

/// The shortest `every`: a rule that asks about time is judged this often for each of its subjects.
const MIN_EVERY: Duration = Duration::from_millis(100);

/// The longest name of a rule, in characters.
const MAX_NAME: usize = 200;

/// What a rule has that does not say otherwise: `defaults:` of larum.yaml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// How often time itself is judged.
    pub every: Duration,
    /// The least time between two notifications of one alert.
    pub cooldown: Duration,
    /// When to remind.
    pub repeat: Repeat,
}

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults {
            every: Duration::from_secs(10),
            cooldown: Duration::from_secs(300),
            repeat: Repeat::Every(Duration::from_secs(4 * 3600)),
        }
    }
}

/// A file in which closures of a rule may be written: the rule's own, or one that it imports.
pub(crate) struct Home {
    /// The compiled file.
    pub(crate) script: Arc<Script>,
    /// Its functions as closures need them.
    pub(crate) ast: Arc<AST>,
    /// What it imports, by what it calls them.
    pub(crate) imports: BTreeMap<String, Arc<Script>>,
}

/// What rules are made with.
pub(crate) struct Surroundings<'a> {
    /// The rule's own file first, then what it imports.
    pub(crate) homes: &'a [Home],
    /// The engine that closures run on.
    pub(crate) engine: &'a Arc<Engine>,
    /// What rules have that do not say otherwise.
    pub(crate) defaults: &'a Defaults,
    /// For how long samples are kept, where that is known.
    pub(crate) kept: Option<Kept>,
    /// The channels that exist, where that is known.
    pub(crate) channels: Option<&'a BTreeSet<ChannelName>>,
    /// What the file is loaded from.
    pub(crate) origin: &'a Arc<Origin>,
}

/// A rule that was made, and a hash of all that it is.
pub(crate) struct Made {
    /// The rule.
    pub(crate) rule: Rule,
    /// Equal for rules that are equal in everything but their places.
    pub(crate) identity: u64,
    /// Where the rule's name stands.
    pub(crate) name_place: Place,
}

/// Makes a rule, or says all that is wrong with it. Warnings come with a rule.
pub(crate) fn make(
    registration: &Registration,
    surroundings: &Surroundings<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Made> {
    let home = surroundings.homes.first()?;
    // A rule that a function of an imported file registers stands in that file.
    let is_caller = |home: &&Home| home.script.rule_calls.contains_key(&registration.place);
    let is_named = |home: &&Home| is_caller(home) && home.script.ast.source() == registration.file.as_deref();
    let caller = surroundings.homes.iter().find(is_named).or_else(|| surroundings.homes.iter().find(is_caller));
    let script = &caller.unwrap_or(home).script;
    let call = script.rule_calls.get(&registration.place).cloned().unwrap_or_default();
    let name_place = call.name.or(registration.place);
    let mut reader = Reader::new(script, &call, registration, surroundings);

    let name = read_name(&registration.name, &mut reader);
    if !registration.options.is_map() {
        let message = format!("`rule` takes a name and a map of options, not {}", type_name(&registration.options));
        reader.error(registration.place, message, Some("write `rule(\"name\", #{ on: .., when: .. })`".into()));
        diagnostics.append(&mut reader.diagnostics);
        return None;
    }
    reader.unknown_keys();

    let scope = read_scope(&mut reader);
    let takes = reader.closure("where");
    let (levels, when) = read_when(&mut reader);
    let clear = read_clear(&mut reader, &levels, when.len());
    let hold = reader.per_level("hold", &levels);
    let keep = reader.per_level("keep", &levels);
    let (cooldown, repeat) = read_cooldown(&mut reader);
    let level = read_level(&mut reader, !levels.is_empty());
    let message = match reader.take("message") {
        None => MessageSource::Default,
        Some(text) if text.is_string() => MessageSource::Text(text.to_string().into()),
        Some(value) => match reader.closure_of("message", value, "text or a closure: `|s| ..`") {
            Some(closure) => MessageSource::Closure(closure),
            None => MessageSource::Default,
        },
    };
    let labels = read_labels(&mut reader);
    let runbook = reader.text("runbook");
    let no_data = read_no_data(&mut reader);
    let every = reader.duration("every").unwrap_or(surroundings.defaults.every);
    if every < MIN_EVERY {
        reader.error_at("every", format!("`every` must be at least `{}`", duration::format(MIN_EVERY)), None);
    }
    let notify = read_notify(&mut reader);
    let flap = read_flap(&mut reader);

    let mut judges_time = false;
    let mut fields = BTreeSet::new();
    let mut reach = Reach::default();
    if let Some(scope) = &scope {
        let level = match &level {
            LevelSource::Closure(closure) => Some(closure),
            LevelSource::Fixed(_) => None,
        };
        let message = match &message {
            MessageSource::Closure(closure) => Some(closure),
            MessageSource::Default | MessageSource::Text(_) => None,
        };
        let verdict = when.iter().chain(clear.iter().flatten()).chain(level);
        let (kind, argument) = match scope {
            Scope::On { kind } => (kind, Argument::Subject),
            Scope::Over { kind, .. } => (kind, Argument::Set),
        };
        let of_verdict = takes.iter().map(|closure| (closure, Argument::Subject)).chain(verdict.map(|c| (c, argument)));
        let all = of_verdict.map(|(c, a)| (c, a, true)).chain(message.map(|c| (c, argument, false)));
        for (closure, argument, changes_verdict) in all {
            let Some(home) = reader.home_of(&closure.pointer) else { continue };
            let mut reads = Reads::new(&home.script, &home.imports, surroundings.kept);
            reads.follow(&closure.pointer, argument, kind);
            let found = reads.finish();
            reader.diagnostics.extend(found.diagnostics);
            reach.extend(&found.reach);
            if changes_verdict {
                judges_time |= found.judges_time;
                fields.extend(found.fields);
            }
        }
    }
    reader.diagnostics.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
    reader.diagnostics.dedup();
    let is_good = reader.diagnostics.iter().all(|d| d.severity != crate::diagnostic::Severity::Error);
    diagnostics.append(&mut reader.diagnostics);
    let (Some(name), Some(scope), true) = (name, scope, is_good) else { return None };

    let program = Program {
        engine: surroundings.engine.clone(),
        takes,
        when,
        clear,
        level,
        message,
        watched: None,
        coverage: None,
    };
    let mut rule = Rule {
        name,
        file: script.file.clone(),
        line: registration.place.line,
        scope,
        levels,
        hold,
        keep,
        cooldown,
        repeat,
        no_data,
        every,
        judges_time,
        labels,
        runbook,
        notify,
        flap,
        reads_fields: fields.into_iter().collect(),
        reach,
        fingerprint: 0,
        program,
        origin: surroundings.origin.clone(),
    };
    let identity = fingerprint::set(&mut rule, surroundings.homes);
    Some(Made { rule, identity, name_place })
}

fn read_name(value: &Dynamic, reader: &mut Reader<'_>) -> Option<RuleName> {
    if !value.is_string() {
        reader.error(reader.name_place(), format!("a rule's name must be text, not {}", type_name(value)), None);
        return None;
    }
    let name = value.to_string();
    let problem = if name.trim().is_empty() {
        "a rule's name cannot be empty".to_string()
    } else if name.chars().any(char::is_control) || name.trim() != name {
        "a rule's name cannot hold control characters, or space at its ends".to_string()
    } else if name.chars().count() > MAX_NAME {
        format!("a rule's name can have {MAX_NAME} characters at most")
    } else {
        return Some(name.into());
    };
    reader.error(reader.name_place(), problem, None);
    None
}

fn read_scope(reader: &mut Reader<'_>) -> Option<Scope> {
    let (on, over) = (reader.place_of("on"), reader.place_of("over"));
    let has_by = reader.has("by");
    let by = reader.texts("by", "labels").unwrap_or_default();
    match (on, over) {
        (Some(_), Some(place)) => {
            let message = "`on` and `over` cannot stand together".to_string();
            let hint = "`on` judges each subject, `over` the set of them";
            reader.error(place, message, Some(hint.into()));
            reader.take("on");
            reader.take("over");
            None
        }
        (None, None) => {
            let message = "a rule needs `on` or `over`".to_string();
            let hint = "`on: \"host\"` judges each subject of a kind, `over: \"host\"` the set of them";
            reader.error(reader.call_place(), message, Some(hint.into()));
            None
        }
        (Some(_), None) => {
            if has_by {
                reader.error_at("by", "`by` groups a set: it needs `over`".into(), None);
            }
            Some(Scope::On { kind: reader.kind("on")? })
        }
        (None, Some(_)) => Some(Scope::Over { kind: reader.kind("over")?, by }),
    }
}

/// The levels from the highest to the lowest (none for a rule without), and the closures in that order.
fn read_when(reader: &mut Reader<'_>) -> (Vec<Level>, Vec<Closure>) {
    let Some(value) = reader.take("when") else {
        if !reader.is_misspelt("when") {
            let hint = "the condition is a closure: `when: |s| s.cpu_percent > 80`";
            reader.error(reader.call_place(), "a rule needs `when`".into(), Some(hint.into()));
        }
        return (Vec::new(), Vec::new());
    };
    if !value.is_map() {
        let closure = reader.closure_of("when", value, "a closure, as in `|s| s.cpu_percent > 80`, or a map by level");
        return (Vec::new(), closure.into_iter().collect());
    }
    let mut by_level = BTreeMap::new();
    let map = value.cast::<Map>();
    let is_empty = map.is_empty();
    for (level, value) in reader.levels("when", map) {
        if let Some(closure) = reader.closure_under("when", level, value) {
            by_level.insert(level, closure);
        }
    }
    if is_empty {
        reader.error_at("when", "`when` by level needs at least one level".into(), None);
    }
    by_level.into_iter().rev().unzip()
}

fn read_clear(reader: &mut Reader<'_>, levels: &[Level], n_conditions: usize) -> Vec<Option<Closure>> {
    let Some(value) = reader.take("clear") else { return vec![None; n_conditions] };
    if !value.is_map() {
        let closure = reader.closure_of("clear", value, "a closure, as in `|s| s.cpu_percent < 60`, or a map by level");
        return vec![closure; n_conditions];
    }
    if levels.is_empty() {
        reader.error_at("clear", "`clear` by level needs `when` by level".into(), None);
        return vec![None; n_conditions];
    }
    let mut by_level = BTreeMap::new();
    for (level, value) in reader.levels_of("clear", value.cast::<Map>(), levels) {
        if let Some(closure) = reader.closure_under("clear", level, value) {
            by_level.insert(level, closure);
        }
    }
    levels.iter().map(|level| by_level.remove(level)).collect()
}

fn read_cooldown(reader: &mut Reader<'_>) -> (Duration, Repeat) {
    let defaults = *reader.defaults();
    let cooldown = reader.duration("cooldown").unwrap_or(defaults.cooldown);
    let repeat = match reader.peek("repeat") {
        Some(value) if value.is_string() && value.to_string() == "never" => {
            reader.take("repeat");
            return (cooldown, Repeat::Never);
        }
        _ => reader.duration("repeat"),
    };
    match (repeat, defaults.repeat) {
        (Some(repeat), _) if repeat < cooldown => {
            let message = format!("`repeat` cannot be under the cooldown, which is `{}`", duration::format(cooldown));
            reader.error_at("repeat", message, Some("make `cooldown` shorter too".into()));
            (cooldown, Repeat::Every(cooldown))
        }
        (Some(repeat), _) => (cooldown, Repeat::Every(repeat)),
        // Nobody said it of this rule: the default gives way.
        (None, Repeat::Every(repeat)) => (cooldown, Repeat::Every(repeat.max(cooldown))),
        (None, Repeat::Never) => (cooldown, Repeat::Never),
    }
}

fn read_level(reader: &mut Reader<'_>, has_levels: bool) -> LevelSource {
    const DEFAULT: LevelSource = LevelSource::Fixed(Level::Warning);
    if has_levels && reader.has("level") {
        let message = "`level` cannot stand beside a `when` by level".to_string();
        reader.error_at("level", message, Some("the highest level that is on counts".into()));
    }
    match reader.take("level") {
        None => DEFAULT,
        Some(text) if text.is_string() => match reader.level(&text.to_string(), reader.value_place("level")) {
            Some(level) => LevelSource::Fixed(level),
            None => DEFAULT,
        },
        Some(value) => match reader.closure_of("level", value, "a level, as in `\"warning\"`, or a closure") {
            Some(closure) => LevelSource::Closure(closure),
            None => DEFAULT,
        },
    }
}

fn read_labels(reader: &mut Reader<'_>) -> Labels {
    let Some(map) = reader.map("labels", "a map, as in `#{ team: \"web\" }`") else { return Labels::new() };
    let mut labels = Labels::new();
    for (name, value) in map {
        if value.is_string() || value.is_bool() || value.is_int() || value.is_float() {
            labels.insert(name.as_str().into(), value.to_string().into());
        } else {
            let place = reader.place_under("labels", &name);
            reader.error(place, format!("the label `{name}` must be text, not {}", type_name(&value)), None);
        }
    }
    labels
}

fn read_no_data(reader: &mut Reader<'_>) -> NoDataPolicy {
    let policies = [("keep", NoDataPolicy::Keep), ("fire", NoDataPolicy::Fire), ("close", NoDataPolicy::Close)];
    let Some(text) = reader.text("no_data") else { return NoDataPolicy::Keep };
    match policies.iter().find(|(name, _)| **name == *text) {
        Some((_, policy)) => *policy,
        None => {
            reader.not_one_of("no_data", &text, policies.map(|(name, _)| name));
            NoDataPolicy::Keep
        }
    }
}

fn read_notify(reader: &mut Reader<'_>) -> Option<Vec<ChannelName>> {
    let names = reader.texts("notify", "channels")?;
    if names.is_empty() {
        let hint = "leave it out, and the routes decide";
        reader.error_at("notify", "`notify` names no channel".into(), Some(hint.into()));
    }
    let names: Vec<ChannelName> = names.into_iter().map(ChannelName::from).collect();
    reader.check_channels(&names);
    Some(names)
}

fn read_flap(reader: &mut Reader<'_>) -> Option<Flap> {
    let mut flap = Flap { changes: 6, within: Duration::from_secs(1800) };
    match reader.peek("flap") {
        None => return Some(flap),
        Some(value) if value.is_unit() => {
            reader.take("flap");
            return None;
        }
        Some(_) => (),
    }
    let map = reader.map("flap", "`#{ changes: 6, within: \"30m\" }`, or `()`")?;
    for (key, value) in map {
        let place = reader.place_under("flap", &key);
        match key.as_str() {
            "changes" => match value.as_int().ok().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0) {
                Some(changes) => flap.changes = changes,
                None => reader.error(place, "`changes` must be a whole number from 1".into(), None),
            },
            "within" => match reader.duration_of("within", &value, place) {
                Some(within) if within > Duration::ZERO => flap.within = within,
                Some(_) => reader.error(place, "`within` cannot be zero".into(), None),
                None => (),
            },
            _ => reader.unknown_key_under("flap", &key, ["changes", "within"]),
        }
    }
    Some(flap)
}

/// The channels of `notify` that do not exist, as one sentence for each with a hint.
pub(crate) fn unknown_channels(
    names: &[ChannelName],
    channels: &BTreeSet<ChannelName>,
) -> Vec<(ChannelName, String, Option<String>)> {
    let unknown = names.iter().filter(|name| !channels.contains(*name));
    let near = |name: &ChannelName| {
        crate::diagnostic::did_you_mean(name.as_str(), channels.iter().map(ChannelName::as_str)).or_else(|| {
            let list: Vec<String> = channels.iter().map(|name| format!("`{name}`")).collect();
            Some(match list.is_empty() {
                true => "there are no channels".to_string(),
                false => format!("the channels are {}", list.join(", ")),
            })
        })
    };
    unknown.map(|name| (name.clone(), format!("unknown channel `{name}`"), near(name))).collect()
}

/// The channels that rules in force name in `notify` and that do not exist: channel files are reloaded on their own.
pub fn check_channels(rules: &RuleSet, channels: &BTreeSet<ChannelName>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for rule in rules.rules.values() {
        for (_, message, hint) in unknown_channels(rule.notify.as_deref().unwrap_or_default(), channels) {
            let mut diagnostic = Diagnostic::of_file(rule.file.clone(), format!("rule `{}`: {message}", rule.name));
            diagnostic.line = rule.line;
            diagnostic.hint = hint;
            diagnostics.push(diagnostic);
        }
    }
    diagnostics.sort_by(|a, b| (&a.file, a.line, &a.message).cmp(&(&b.file, b.line, &b.message)));
    diagnostics
}
