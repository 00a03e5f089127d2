//! Snapshots as JSON: one object each; many are an array or JSON Lines.
//!
//! ```json
//! {"time":"2026-11-21T10:00:00Z","kind":"service","name":"shop-api","labels":{"region":"eu"},"fields":{"error_rate":0.12}}
//! ```
//!
//! A bad entry, even one that is not JSON, is refused with its index and a reason for its sender; the others are taken.
//!
//! A line of a recording says besides when it `arrived`, who made it (`source`), and after how long without a snapshot
//! the subject is stale (`stale_after`), so that a replay is true to what was seen. A push has `arrived` passed over, for it
//! arrives now, and the other two refused: a push cannot say who it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserializer, Serialize, Serializer};

use super::{Labels, Now, Snapshot, SubjectKey, Time, Value, duration};
use crate::diagnostic::{did_you_mean, is_invisible};
use names::Names;

mod names;

/// The keys of a snapshot, in the order in which they are written.
const KEYS: [&str; 7] = ["time", "arrived", "kind", "name", "labels", "fields", "gone"];
/// What only a line of a recording has.
const RECORDED_KEYS: [&str; 2] = ["source", "stale_after"];

/// Bounds of one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireLimits {
    /// How many fields.
    pub max_fields: usize,
    /// How many labels.
    pub max_labels: usize,
    /// Bytes of the kind, the name, a label's name and a field's name.
    pub max_name_bytes: usize,
    /// Bytes of a label's value, and of a field's text.
    pub max_text_bytes: usize,
}

impl Default for WireLimits {
    fn default() -> WireLimits {
        WireLimits { max_fields: 1000, max_labels: 64, max_name_bytes: 256, max_text_bytes: 4096 }
    }
}

/// A snapshot as it was sent: times are the wall clock's.
#[derive(Clone, Debug, PartialEq)]
pub struct WireSnapshot {
    /// When it was observed; `None` means now.
    pub time: Option<Time>,
    /// When it arrived: only recordings have it.
    pub arrived: Option<Time>,
    /// Kind and name.
    pub subject: SubjectKey,
    /// The labels.
    pub labels: Labels,
    /// The fields, without those that are null.
    pub fields: BTreeMap<Arc<str>, Value>,
    /// The subject no longer exists.
    pub gone: bool,
    /// Who made it: only recordings have it.
    pub source: Option<Arc<str>>,
    /// After how long without a snapshot its subject is stale: only recordings have it.
    pub stale_after: Option<Duration>,
}

/// Why an entry was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("entry {index}: {reason}")]
pub struct WireError {
    /// Which entry, from 0: of an array, or of the lines that are not empty.
    pub index: usize,
    /// What is wrong with it, and what to do.
    pub reason: String,
}

impl WireSnapshot {
    /// The snapshot in engine time. Without a time it was observed now.
    pub fn into_snapshot(self, now: Now) -> Snapshot {
        Snapshot {
            time: self.time.map_or(now.time, |time| time.offset(now.wall_offset.saturating_neg())),
            subject: self.subject,
            labels: self.labels,
            fields: self.fields,
            gone: self.gone,
        }
    }
}

/// Writes a snapshot as [`parse`] reads it, with the times of the wall clock. One line, keys in a fixed order; numbers
/// that are not finite are left out, as JSON has none.
#[derive(Clone, Copy, Debug)]
pub struct Wire<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// Microseconds that the wall clock is ahead of engine time.
    pub wall_offset: i64,
    /// What a recording keeps besides.
    pub recorded: Option<Recorded<'a>>,
}

/// What a recording keeps of a snapshot besides what was observed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recorded<'a> {
    /// When it arrived, in engine time.
    pub arrived: Time,
    /// Who made it.
    pub source: &'a str,
    /// After how long without a snapshot its subject is stale.
    pub stale_after: Duration,
}

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Wire { snapshot, wall_offset, recorded } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &snapshot.time.offset(*wall_offset))?;
        if let Some(Recorded { arrived, source, stale_after }) = recorded {
            map.serialize_entry("arrived", &arrived.offset(*wall_offset))?;
            map.serialize_entry("source", source)?;
            map.serialize_entry("stale_after", &duration::format(*stale_after))?;
        }
        map.serialize_entry("kind", &*snapshot.subject.kind)?;
        map.serialize_entry("name", &*snapshot.subject.name)?;
        if !snapshot.labels.is_empty() {
            map.serialize_entry("labels", &snapshot.labels)?;
        }
        if snapshot.gone {
            map.serialize_entry("gone", &true)?;
        } else {
            map.serialize_entry("fields", &FiniteFields(&snapshot.fields))?;
        }
        map.end()
    }
}

struct FiniteFields<'a>(&'a BTreeMap<Arc<str>, Value>);

impl Serialize for FiniteFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|(_, value)| value.as_number().is_none_or(f64::is_finite)))
    }
}

/// Reads a body: one object, an array of objects, or JSON Lines. In the order of the entries.
pub fn parse(body: &[u8], limits: &WireLimits) -> Vec<Result<WireSnapshot, WireError>> {
    // What entries have in common is made once: most of a body is the names of the same fields.
    let mut names = Names::default();
    let mut read = |entries: Vec<&[u8]>| -> Vec<_> {
        entries.into_iter().enumerate().map(|(index, entry)| parse_line(entry, index, limits, &mut names)).collect()
    };
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if body.is_empty() {
        let reason = "the body is empty: send a JSON object, an array of them, or JSON Lines".to_string();
        return vec![Err(WireError { index: 0, reason })];
    }
    if body.starts_with(b"[") {
        let (entries, problem) = array_entries(body);
        let index = entries.len();
        let mut snapshots = read(entries);
        snapshots.extend(problem.map(|reason| Err(WireError { index, reason: reason.to_string() })));
        return snapshots;
    }
    let lines = || body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    // One object may be written over several lines, none of which looks like the begin of an object then.
    match lines().skip(1).any(|line| line.starts_with(b"{")) {
        true => read(lines().collect()),
        false => read(vec![body]),
    }
}

fn parse_line(entry: &[u8], index: usize, limits: &WireLimits, names: &mut Names) -> Result<WireSnapshot, WireError> {
    read_entry(entry, &mut SnapshotVisitor { limits, is_recorded: false, names })
        .map_err(|reason| WireError { index, reason })
}

/// Reads the lines of a recording. What lines have in common, names above all, is made once.
#[derive(Debug)]
pub struct RecordingReader {
    limits: WireLimits,
    names: Names,
}

impl RecordingReader {
    /// A reader that has read nothing yet.
    pub fn new(limits: WireLimits) -> RecordingReader {
        RecordingReader { limits, names: Names::default() }
    }

    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong where it is not JSON, or not a snapshot, or beyond the limits.
    pub fn read(&mut self, line: &[u8]) -> Result<WireSnapshot, String> {
        read_entry(line, &mut SnapshotVisitor { limits: &self.limits, is_recorded: true, names: &mut self.names })
    }
}

fn read_entry(entry: &[u8], visitor: &mut SnapshotVisitor<'_>) -> Result<WireSnapshot, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(entry);
    let snapshot = deserializer.deserialize_any(visitor);
    snapshot.and_then(|snapshot| deserializer.end().map(|()| snapshot)).map_err(|error| reason(&error))
}

/// What is wrong, without the line and column that serde appends: they are of the entry, not of the body.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    match error.is_data() {
        true => what.to_string(),
        false => format!("not JSON: {what} at character {} of the entry", error.column()),
    }
}

/// The entries of an array, found by brackets and quotes alone, so that one that is not JSON does not spoil the others;
/// and what is wrong with the array itself.
fn array_entries(body: &[u8]) -> (Vec<&[u8]>, Option<&'static str>) {
    let mut entries = Vec::new();
    let (mut depth, mut in_text, mut escaped, mut start) = (0_usize, false, false, 1);
    for (place, byte) in body.iter().enumerate() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = depth == 0 || (depth == 1 && *byte == b',');
        if !ends {
            continue;
        }
        let entry = body[start..place].trim_ascii();
        start = place + 1;
        if depth > 0 || !entry.is_empty() || !entries.is_empty() {
            entries.push(entry);
        }
        if depth == 0 {
            let rest = body[start..].trim_ascii();
            return (entries, (!rest.is_empty()).then_some("there is something after the end of the array"));
        }
    }
    (entries, Some("the array does not end: the body was cut off, or a quote or bracket is missing"))
}

struct SnapshotVisitor<'a> {
    limits: &'a WireLimits,
    /// It is a line of a recording.
    is_recorded: bool,
    names: &'a mut Names,
}

impl SnapshotVisitor<'_> {
    fn unknown<E: de::Error>(&self, key: &str) -> E {
        if RECORDED_KEYS.contains(&key) {
            return E::custom(format_args!(
                "`{key}` is of recordings: leave it out, who pushes is always the source `push`"
            ));
        }
        let recorded = RECORDED_KEYS.iter().copied().filter(|_| self.is_recorded);
        let hint = did_you_mean(key, KEYS.into_iter().chain(recorded))
            .unwrap_or_else(|| format!("a snapshot has {}; what was measured goes into `fields`", KEYS.join(", ")));
        E::custom(format_args!("unknown key `{}` ({hint})", shown(key)))
    }
}

impl<'de> Visitor<'de> for &mut SnapshotVisitor<'_> {
    type Value = WireSnapshot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot: an object with `kind`, `name` and `fields`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireSnapshot, A::Error> {
        let limits = self.limits;
        let (mut time, mut arrived, mut kind, mut name) = (None, None, None, None);
        let (mut labels, mut fields, mut gone) = (None, None, None);
        let (mut source, mut stale_after) = (None, None);
        while let Some(key) = map.next_key_seed(Text("a key"))? {
            match &*key {
                "time" => once(&mut time, "time", map.next_value::<Option<Time>>()?)?,
                "arrived" => once(&mut arrived, "arrived", map.next_value::<Option<Time>>()?)?,
                "kind" => {
                    let text = map.next_value_seed(Text("`kind`"))?;
                    once(&mut kind, "kind", self.names.kind(&text, limits)?)?;
                }
                "name" => {
                    let text = map.next_value_seed(Text("`name`"))?;
                    // A body has each subject once, a recording again and again.
                    let read = match self.is_recorded {
                        true => self.names.name("name", &text, limits)?,
                        false => check_name("name", &text, limits.max_name_bytes)?,
                    };
                    once(&mut name, "name", read)?;
                }
                "labels" => {
                    once(&mut labels, "labels", map.next_value_seed(LabelsSeed { limits, names: self.names })?)?
                }
                "fields" => {
                    once(&mut fields, "fields", map.next_value_seed(FieldsSeed { limits, names: self.names })?)?
                }
                "gone" => once(&mut gone, "gone", map.next_value::<bool>()?)?,
                "source" if self.is_recorded => {
                    let text = map.next_value_seed(Text("`source`"))?;
                    once(&mut source, "source", self.names.name("source", &text, limits)?)?;
                }
                "stale_after" if self.is_recorded => {
                    let text = map.next_value_seed(Text("`stale_after`"))?;
                    let read = duration::parse(&text)
                        .map_err(|error| de::Error::custom(format_args!("`stale_after` is no duration: {error}")))?;
                    once(&mut stale_after, "stale_after", read)?;
                }
                unknown => return Err(self.unknown(unknown)),
            }
        }
        let missing = |key| de::Error::custom(format_args!("`{key}` is missing"));
        let gone = gone.unwrap_or(false);
        let fields = match (fields, gone) {
            (_, true) => BTreeMap::new(),
            (fields, false) => fields.ok_or_else(|| missing("fields"))?,
        };
        Ok(WireSnapshot {
            time: time.flatten(),
            arrived: arrived.flatten(),
            subject: SubjectKey {
                kind: kind.ok_or_else(|| missing("kind"))?,
                name: name.ok_or_else(|| missing("name"))?,
            },
            labels: labels.unwrap_or_default(),
            fields,
            gone,
            source,
            stale_after,
        })
    }
}

/// Sets what may be set once.
fn once<T, E: de::Error>(slot: &mut Option<T>, key: &str, value: T) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom(format_args!("`{key}` is there twice"))),
    }
}

/// A text of the sender as an error may show it.
fn shown(text: &str) -> String {
    let text: String = text.chars().filter(|c| !hides(*c)).collect();
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn check_kind<E: de::Error>(kind: &str, limits: &WireLimits) -> Result<Arc<str>, E> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let begins_well = kind.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_well_formed = begins_well && kind.chars().all(is_part);
    if !(kind.is_empty() || is_well_formed) {
        return Err(E::custom(format_args!(
            "the kind `{}` must begin with a letter or `_`, followed by letters, digits, `_`, `.` and `-`",
            shown(kind)
        )));
    }
    check_name("kind", kind, limits.max_name_bytes)
}

/// Names are not empty, not too long, and without control characters, which could forge lines and hide text.
fn check_name<E: de::Error>(what: &str, name: &str, max: usize) -> Result<Arc<str>, E> {
    if name.is_empty() {
        return Err(E::custom(format_args!("the {what} is empty")));
    }
    check_length(what, name, max)?;
    check_controls(what, name)?;
    Ok(name.into())
}

fn check_length<E: de::Error>(what: &str, text: &str, max: usize) -> Result<(), E> {
    match text.len() <= max {
        true => Ok(()),
        false => Err(E::custom(format_args!(
            "the {what} `{}` has {} bytes, at most {max} are allowed",
            shown(text),
            text.len()
        ))),
    }
}

fn check_controls<E: de::Error>(what: &str, text: &str) -> Result<(), E> {
    match text.chars().any(hides) {
        true => Err(E::custom(format_args!("the {what} `{}` has control or invisible characters", shown(text)))),
        false => Ok(()),
    }
}

/// What no name may have: with it one could forge lines, hide text, or make two names look alike.
fn hides(c: char) -> bool {
    c.is_control() || is_invisible(c) || matches!(c, '\u{200b}'..='\u{200d}')
}

/// Reads a text without copying it where the body has it as it is.
struct Text(&'static str);

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as text", self.0)
    }
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_string()))
    }
}

struct LabelsSeed<'a> {
    limits: &'a WireLimits,
    names: &'a mut Names,
}

impl<'de> DeserializeSeed<'de> for LabelsSeed<'_> {
    type Value = Labels;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Labels, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LabelsSeed<'_> {
    type Value = Labels;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`labels` as an object of texts")
    }
    fn visit_unit<E: de::Error>(self) -> Result<Labels, E> {
        Ok(Labels::new())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let limits = self.limits;
        let mut labels = Labels::new();
        while let Some(label) = map.next_key_seed(Text("a label's name"))? {
            let label = self.names.name("label", &label, limits)?;
            let value = map.next_value_seed(ValueSeed { of: "label", name: &label })?;
            let Some(Value::Text(value)) = value else {
                let hint = "the value of a label is text: write it in quotes";
                return Err(de::Error::custom(format_args!("label `{label}` is not text ({hint})")));
            };
            check_length("label value", &value, limits.max_text_bytes)?;
            check_controls("label value", &value)?;
            if labels.insert(label.clone(), value).is_some() {
                return Err(de::Error::custom(format_args!("label `{label}` is there twice")));
            }
            if labels.len() > limits.max_labels {
                return Err(de::Error::custom(format_args!("more than {} labels", limits.max_labels)));
            }
        }
        Ok(labels)
    }
}

struct FieldsSeed<'a> {
    limits: &'a WireLimits,
    names: &'a mut Names,
}

impl<'de> DeserializeSeed<'de> for FieldsSeed<'_> {
    type Value = BTreeMap<Arc<str>, Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'_> {
    type Value = BTreeMap<Arc<str>, Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`fields` as an object of numbers, texts and bools")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let limits = self.limits;
        let mut fields: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        // Fields that are null: not seen, but there.
        let mut nulls: Vec<Arc<str>> = Vec::new();
        while let Some(field) = map.next_key_seed(Text("a field's name"))? {
            let field = self.names.name("field", &field, limits)?;
            let value = map.next_value_seed(ValueSeed { of: "field", name: &field })?;
            if let Some(Value::Text(text)) = &value
                && text.len() > limits.max_text_bytes
            {
                return Err(de::Error::custom(format_args!(
                    "the text of field `{field}` has {} bytes, at most {} are allowed",
                    text.len(),
                    limits.max_text_bytes
                )));
            }
            let is_known = match value {
                Some(value) => fields.insert(field.clone(), value).is_some() || nulls.contains(&field),
                None => {
                    fields.contains_key(&field) || nulls.contains(&field) || {
                        nulls.push(field.clone());
                        false
                    }
                }
            };
            if is_known {
                return Err(de::Error::custom(format_args!("field `{field}` is there twice")));
            }
            if fields.len() + nulls.len() > limits.max_fields {
                return Err(de::Error::custom(format_args!("more than {} fields", limits.max_fields)));
            }
        }
        Ok(fields)
    }
}

/// Reads the value of a field or label; `None` for null, which means: not seen.
struct ValueSeed<'a> {
    of: &'static str,
    name: &'a str,
}

impl ValueSeed<'_> {
    fn nested<E: de::Error>(&self, what: &str) -> E {
        let ValueSeed { of, name } = self;
        E::custom(format_args!("{of} `{name}` is {what}: a value is a number, a text or a bool"))
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Option<Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Option<Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text or a bool")
    }
    fn visit_unit<E: de::Error>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Option<Value>, E> {
        Ok(Some(Value::Bool(value)))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Option<Value>, E> {
        Ok(Some(Value::Number(value)))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Option<Value>, E> {
        Ok(Some(Value::Number(value as f64)))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Option<Value>, E> {
        Ok(Some(Value::Number(value as f64)))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<Value>, E> {
        Ok(Some(Value::Text(text.into())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Option<Value>, A::Error> {
        Err(self.nested("an array"))
    }
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Option<Value>, A::Error> {
        Err(self.nested("an object"))
    }
}

#[cfg(test)]
mod tests;
