//! Takes typed values out of a rule's options, and finds the places of what is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Array, Dynamic, FnPtr, Map};

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::model::{ChannelName, Level, duration};
use crate::rules::analyse::Place;
use crate::rules::analyse::lower::{Obstacle, lower};
use crate::rules::analyse::script::{RuleCall, Script};
use crate::rules::host::type_name;
use crate::rules::program::Closure;
use crate::rules::register::Registration;
use crate::rules::rule::PerLevel;

use super::{Defaults, Home, KEYS, Surroundings, unknown_channels};

/// The options of one rule.
pub(super) struct Reader<'a> {
    script: &'a Script,
    call: &'a RuleCall,
    at: Place,
    surroundings: &'a Surroundings<'a>,
    options: Map,
    /// What is wrong so far.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        script: &'a Script,
        call: &'a RuleCall,
        registration: &Registration,
        surroundings: &'a Surroundings<'a>,
    ) -> Reader<'a> {
        let options = registration.options.clone().try_cast::<Map>().unwrap_or_default();
        Reader { script, call, at: registration.place, surroundings, options, diagnostics: Vec::new() }
    }

    pub(super) fn defaults(&self) -> &'a Defaults {
        self.surroundings.defaults
    }

    // Places.

    /// Where the call stands.
    pub(super) fn call_place(&self) -> Place {
        self.at
    }

    /// Where the rule's name stands.
    pub(super) fn name_place(&self) -> Place {
        self.call.name.or(self.at)
    }

    /// Where a key stands, if it is there.
    pub(super) fn place_of(&self, key: &str) -> Option<Place> {
        self.has(key).then(|| self.key_place(key))
    }

    fn key_place(&self, key: &str) -> Place {
        let entry = self.call.options.as_ref().and_then(|options| options.find(key));
        entry.map_or(self.at, |(_, place, ..)| place.or(self.at))
    }

    /// Where the value of a key stands.
    pub(super) fn value_place(&self, key: &str) -> Place {
        let entry = self.call.options.as_ref().and_then(|options| options.find(key));
        entry.map_or(self.at, |(_, key, value, _)| value.or(*key).or(self.at))
    }

    /// Where the value of a key inside the map of another key stands.
    pub(super) fn place_under(&self, outer: &str, key: &str) -> Place {
        let inner = self.call.options.as_ref().and_then(|options| options.find(outer)?.3.as_ref()?.find(key));
        inner.map_or_else(|| self.value_place(outer), |(_, _, value, _)| *value)
    }

    fn key_place_under(&self, outer: &str, key: &str) -> Place {
        let inner = self.call.options.as_ref().and_then(|options| options.find(outer)?.3.as_ref()?.find(key));
        inner.map_or_else(|| self.value_place(outer), |(_, place, ..)| *place)
    }

    // Problems.

    pub(super) fn error(&mut self, place: Place, message: String, hint: Option<String>) {
        let diagnostic =
            Diagnostic::error(self.script.file.clone(), &self.script.text, place.line, place.column, message);
        self.diagnostics.push(match hint {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        });
    }

    /// An error at the value of a key.
    pub(super) fn error_at(&mut self, key: &str, message: String, hint: Option<String>) {
        self.error(self.value_place(key), message, hint);
    }

    fn wrong_type(&mut self, place: Place, key: &str, expected: &str, value: &Dynamic) {
        self.error(place, format!("`{key}` must be {expected}, not {}", type_name(value)), None);
    }

    /// Says which keys are not options of a rule.
    pub(super) fn unknown_keys(&mut self) {
        let unknown: Vec<String> = self.options.keys().map(ToString::to_string).collect();
        for key in unknown.iter().filter(|key| !KEYS.iter().any(|known| known.name == *key)) {
            let hint = match key.as_str() {
                // Words of other alerting tools.
                "for" | "duration" => Some("the key is `hold`".to_string()),
                "severity" => Some("the key is `level`".to_string()),
                "keep_firing_for" => Some("the key is `keep`".to_string()),
                "if" | "condition" | "expr" => Some("the key is `when`".to_string()),
                "annotations" | "summary" | "description" => Some("the key is `message`".to_string()),
                "interval" => Some("the key is `every`".to_string()),
                key => did_you_mean(key, KEYS.iter().map(|known| known.name)),
            };
            self.error(self.key_place(key), format!("unknown key `{key}`"), hint);
            if let Some(last) = self.diagnostics.last_mut() {
                last.length = key.chars().count();
            }
            self.options.remove(key.as_str());
        }
    }

    /// Whether an unknown key was probably meant to be this one: then its absence is not another problem.
    pub(super) fn is_misspelt(&self, key: &str) -> bool {
        let meant = format!("`{key}`");
        let is_meant = |hint: &String| hint.contains(&meant);
        self.diagnostics.iter().any(|d| d.message.starts_with("unknown key") && d.hint.as_ref().is_some_and(is_meant))
    }

    /// Says that a key inside the map of another key is unknown.
    pub(super) fn unknown_key_under<'b>(&mut self, outer: &str, key: &str, known: impl IntoIterator<Item = &'b str>) {
        let place = self.key_place_under(outer, key);
        self.error(place, format!("unknown key `{key}` in `{outer}`"), did_you_mean(key, known));
    }

    /// Says that a text is none of the words that a key takes.
    pub(super) fn not_one_of<const N: usize>(&mut self, key: &str, text: &str, words: [&str; N]) {
        let list: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
        self.error_at(key, format!("`{key}` must be one of {}", list.join(", ")), did_you_mean(text, words));
    }

    // Values.

    pub(super) fn has(&self, key: &str) -> bool {
        self.options.contains_key(key)
    }

    pub(super) fn peek(&self, key: &str) -> Option<&Dynamic> {
        self.options.get(key)
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Dynamic> {
        self.options.remove(key)
    }

    pub(super) fn text(&mut self, key: &str) -> Option<Arc<str>> {
        let value = self.take(key)?;
        if value.is_string() {
            return Some(value.to_string().into());
        }
        self.wrong_type(self.value_place(key), key, "text", &value);
        None
    }

    pub(super) fn kind(&mut self, key: &str) -> Option<Arc<str>> {
        let kind = self.text(key)?;
        if !kind.trim().is_empty() {
            return Some(kind);
        }
        self.error_at(key, format!("`{key}` must name a kind"), Some(format!("as in `{key}: \"host\"`")));
        None
    }

    pub(super) fn texts(&mut self, key: &str, what: &str) -> Option<Vec<Arc<str>>> {
        let value = self.take(key)?;
        if value.is_string() {
            let message = format!("`{key}` must be an array of {what}, not text");
            self.error_at(key, message, Some(format!("write `{key}: [\"{value}\"]`")));
            return None;
        }
        if !value.is_array() {
            self.wrong_type(self.value_place(key), key, &format!("an array of {what}"), &value);
            return None;
        }
        let mut texts = Vec::new();
        for item in value.cast::<Array>() {
            if item.is_string() {
                texts.push(item.to_string().into());
            } else {
                self.error_at(key, format!("`{key}` must be an array of {what}, not of {}", type_name(&item)), None);
            }
        }
        Some(texts)
    }

    pub(super) fn map(&mut self, key: &str, expected: &str) -> Option<Map> {
        let value = self.take(key)?;
        if value.is_map() {
            return Some(value.cast::<Map>());
        }
        self.wrong_type(self.value_place(key), key, expected, &value);
        None
    }

    pub(super) fn duration(&mut self, key: &str) -> Option<Duration> {
        let value = self.take(key)?;
        self.duration_of(key, &value, self.value_place(key))
    }

    pub(super) fn duration_of(&mut self, key: &str, value: &Dynamic, place: Place) -> Option<Duration> {
        if !value.is_string() {
            let hint = match value.as_int() {
                Ok(number) => Some(format!("write `\"{number}s\"` for seconds")),
                Err(_) => Some("write it as text: `\"30s\"`, `\"5m\"`".to_string()),
            };
            self.error(place, format!("`{key}` must be a duration, not {}", type_name(value)), hint);
            return None;
        }
        match duration::parse(&value.to_string()) {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.error(place, error.to_string(), None);
                None
            }
        }
    }

    /// A duration, or one for each of some levels.
    pub(super) fn per_level(&mut self, key: &str, levels: &[Level]) -> PerLevel {
        let mut per_level = PerLevel { default: Duration::ZERO, by_level: BTreeMap::new() };
        match self.peek(key) {
            Some(value) if value.is_map() => (),
            _ => {
                per_level.default = self.duration(key).unwrap_or_default();
                return per_level;
            }
        }
        let map = self.take(key).and_then(|value| value.try_cast::<Map>()).unwrap_or_default();
        if levels.is_empty() {
            self.error_at(key, format!("`{key}` by level needs `when` by level"), None);
            return per_level;
        }
        for (level, value) in self.levels_of(key, map, levels) {
            let place = self.place_under(key, level.as_str());
            if let Some(duration) = self.duration_of(key, &value, place) {
                per_level.by_level.insert(level, duration);
            }
        }
        per_level
    }

    /// A level by its name.
    pub(super) fn level(&mut self, text: &str, place: Place) -> Option<Level> {
        match text.parse::<Level>() {
            Ok(level) => Some(level),
            Err(error) => {
                let begins = Level::ALL.into_iter().find(|level| text.len() > 2 && level.as_str().starts_with(text));
                let near = match begins {
                    Some(level) => Some(format!("did you mean `{level}`?")),
                    None => did_you_mean(text, Level::ALL.map(Level::as_str)),
                };
                self.error(place, error.to_string(), near);
                None
            }
        }
    }

    /// The entries of a map by level.
    pub(super) fn levels(&mut self, key: &str, map: Map) -> Vec<(Level, Dynamic)> {
        let mut entries = Vec::new();
        for (name, value) in map {
            let place = self.key_place_under(key, &name);
            if let Some(level) = self.level(&name, place) {
                entries.push((level, value));
            }
        }
        entries
    }

    /// The entries of a map by level, where only the levels of `when` may stand.
    pub(super) fn levels_of(&mut self, key: &str, map: Map, levels: &[Level]) -> Vec<(Level, Dynamic)> {
        let entries = self.levels(key, map);
        for (level, _) in entries.iter().filter(|(level, _)| !levels.contains(level)) {
            let place = self.key_place_under(key, level.as_str());
            self.error(place, format!("`{key}` has the level `{level}`, and `when` has not"), None);
        }
        entries.into_iter().filter(|(level, _)| levels.contains(level)).collect()
    }

    // Closures.

    pub(super) fn closure(&mut self, key: &str) -> Option<Closure> {
        let value = self.take(key)?;
        self.closure_of(key, value, "a closure: `|s| ..`")
    }

    pub(super) fn closure_of(&mut self, key: &str, value: Dynamic, expected: &str) -> Option<Closure> {
        self.closure_at(key, self.value_place(key), value, expected)
    }

    pub(super) fn closure_under(&mut self, key: &str, level: Level, value: Dynamic) -> Option<Closure> {
        let place = self.place_under(key, level.as_str());
        self.closure_at(&format!("{key}.{level}"), place, value, "a closure: `|s| ..`")
    }

    fn closure_at(&mut self, key: &str, place: Place, value: Dynamic, expected: &str) -> Option<Closure> {
        let Some(pointer) = value.clone().try_cast::<FnPtr>() else {
            self.wrong_type(place, key, expected, &value);
            return None;
        };
        let Some(home) = self.home_of(&pointer) else {
            let message = format!("`{key}` names the function `{}`, which does not exist", pointer.fn_name());
            self.error(place, message, None);
            return None;
        };
        let n_captured = pointer.curry().len();
        if home.script.function(pointer.fn_name(), n_captured + 1).is_none() {
            let functions = home.script.functions.get(pointer.fn_name());
            let n_params = functions.and_then(|list| list.first()).map_or(0, |function| function.params.len());
            let n_args = n_params.saturating_sub(n_captured);
            let message = format!("the closure of `{key}` takes {n_args} arguments, and gets 1");
            self.error(place, message, Some("write `|s| ..`: the subject, or with `over` the set".into()));
            return None;
        }
        let written = home.script.closures.get(pointer.fn_name()).copied().unwrap_or(place);
        let plan = lower(&home.script, &pointer).map(Arc::new);
        let plan = plan.map_err(|obstacle| Obstacle { place: obstacle.place.or(written), ..obstacle });
        let file = home.script.file.clone();
        Some(Closure { pointer, ast: home.ast.clone(), file, line: written.line, column: written.column, plan })
    }

    /// The file in which a closure is written.
    pub(super) fn home_of(&self, pointer: &FnPtr) -> Option<&'a Home> {
        self.surroundings.homes.iter().find(|home| home.script.functions.contains_key(pointer.fn_name()))
    }

    /// Says which channels do not exist, where that is known.
    pub(super) fn check_channels(&mut self, names: &[ChannelName]) {
        let Some(channels) = self.surroundings.channels else { return };
        for (_, message, hint) in unknown_channels(names, channels) {
            self.error_at("notify", message, hint);
        }
    }
}
