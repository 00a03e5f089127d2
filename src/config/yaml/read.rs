//! Our own deserialiser over the tree: strict, and able to go on after a problem.
//!
//! It differs from the parser's own in what a person sees: an unknown key is noted and passed over; a mapping with a
//! key `type` can be an enum without losing places; a value from `${..}` becomes the number or bool that is expected;
//! and no error shows a secret.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Unexpected, Visitor};

use super::substitute::Origin;
use super::tree::{Entry, Kind, Node, NodeId};
use super::{ORIGIN_MARK, SPANNED_MARK, TEXT_OR_STRUCT_MARK};
use crate::config::secret::{SECRET_MARK, TEXT_MARK};
use crate::diagnostic::did_you_mean;

/// A problem at a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) id: NodeId,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Why deserialising stopped.
#[derive(Debug)]
pub(super) struct Fault {
    message: String,
    hint: Option<String>,
    /// What was expected, where the message also tells what was found.
    expected: Option<String>,
    /// The missing field, where that is the fault.
    pub(super) missing: Option<&'static str>,
    /// Known already: the node could not be substituted.
    pub(super) known: bool,
    pub(super) id: Option<NodeId>,
}

impl Fault {
    fn plain(message: String) -> Fault {
        Fault { message, hint: None, expected: None, missing: None, known: false, id: None }
    }

    fn at(mut self, node: &Node) -> Fault {
        if self.id.is_none() {
            self.id = Some(node.id);
            if matches!(&node.kind, Kind::Text(_, Origin::Secret)) {
                let expected = self.expected.take().unwrap_or_else(|| "something else".to_string());
                self.message = format!("{expected} is expected here, and the substituted value is not");
                self.hint = None;
            }
        }
        self
    }

    pub(super) fn into_problem(self, root: NodeId) -> Problem {
        Problem { id: self.id.unwrap_or(root), message: self.message, hint: self.hint }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// What was found, without serde's words for it.
fn found(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number `{value}`"),
        Unexpected::Signed(value) => format!("the number `{value}`"),
        Unexpected::Float(value) => format!("the number `{value}`"),
        Unexpected::Str(text) => format!("`{text}`"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_string(),
        Unexpected::Seq => "a list".to_string(),
        Unexpected::Map => "a mapping".to_string(),
        Unexpected::UnitVariant => "a text alone".to_string(),
        other => other.to_string(),
    }
}

/// What was expected, where it is one of serde's own words.
fn wanted(expected: &dyn de::Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a string" => "a text".to_string(),
        "a boolean" => "true or false".to_string(),
        "u8" => "a whole number from 0 to 255".to_string(),
        "u16" => "a whole number from 0 to 65535".to_string(),
        "u32" | "u64" | "usize" => "a whole number, not negative".to_string(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_string(),
        "f32" | "f64" => "a number".to_string(),
        "a sequence" => "a list".to_string(),
        "a map" => "a mapping".to_string(),
        "newtype variant" | "struct variant" => "a mapping such as `{ type: .. }`".to_string(),
        text if text.starts_with("struct ") => "a mapping".to_string(),
        text => text.to_string(),
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Fault {
        Fault::plain(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        let wanted = wanted(expected);
        let mut fault = Fault::plain(format!("expected {wanted}, found {}", found(&unexpected)));
        if wanted == "a text" && !matches!(unexpected, Unexpected::Seq | Unexpected::Map | Unexpected::Unit) {
            fault.hint = Some("put it in quotes".to_string());
        }
        fault.expected = Some(wanted);
        fault
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        <Fault as de::Error>::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Fault {
        let mut fault = Fault::plain(format!("`{variant}` is not known here"));
        fault.hint = did_you_mean(variant, expected.iter().copied())
            .or_else(|| Some(format!("it is one of {}", expected.join(", "))));
        fault
    }

    fn missing_field(field: &'static str) -> Fault {
        Fault { missing: Some(field), ..Fault::plain(format!("the key `{field}` is missing")) }
    }
}

/// What is noted while a document is read.
pub(super) struct Notes<'a> {
    pub(super) problems: RefCell<Vec<Problem>>,
    /// Keys of the root that somebody else reads.
    pub(super) ignored: &'a [&'a str],
}

impl Notes<'_> {
    fn unknown_key(&self, entry: &Entry, known: &[&str]) {
        entry.value.dropped.set(true);
        let hint = did_you_mean(&entry.key, known.iter().copied()).unwrap_or_else(|| match known {
            [] => "no keys are known here".to_string(),
            known => format!("the keys here are {}", known.join(", ")),
        });
        let message = format!("unknown key `{}`", entry.key);
        self.problems.borrow_mut().push(Problem { id: entry.key_id, message, hint: Some(hint) });
    }
}

/// Deserialises one node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) node: &'a Node,
    pub(super) notes: &'a Notes<'a>,
    /// A key that says which variant of an enum this mapping is, and was read already.
    pub(super) tag: Option<&'static str>,
    pub(super) is_root: bool,
}

impl<'a> Reader<'a> {
    fn child(&self, node: &'a Node) -> Reader<'a> {
        Reader { node, notes: self.notes, tag: None, is_root: false }
    }

    fn entries(&self) -> Result<Vec<&'a Entry>, Kind> {
        match &self.node.kind {
            Kind::Mapping(entries) => Ok(entries
                .iter()
                .filter(|entry| !entry.value.dropped.get())
                .filter(|entry| self.tag != Some(entry.key.as_str()))
                .filter(|entry| !(self.is_root && self.notes.ignored.contains(&entry.key.as_str())))
                .collect()),
            // A section whose keys are all commented out.
            Kind::Null => Ok(Vec::new()),
            other => Err(other.clone()),
        }
    }

    fn visit_map<V: Visitor<'a>>(self, entries: Vec<&'a Entry>, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(MapReader { reader: self, entries: entries.into_iter(), value: None })
    }

    fn visit_list<V: Visitor<'a>>(self, items: &'a [Node], visitor: V) -> Result<V::Value, Fault> {
        let items: Vec<&Node> = items.iter().filter(|item| !item.dropped.get()).collect();
        visitor.visit_seq(ListReader { reader: self, items: items.into_iter() })
    }

    /// The substituted text of this node, where it has one.
    fn substituted(&self) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Text(text, Origin::Public | Origin::Secret) => Some(text),
            _ => None,
        }
    }

    fn any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Int(value) => visitor.visit_i64(*value),
            Kind::Uint(value) => visitor.visit_u64(*value),
            Kind::Float(value) => visitor.visit_f64(*value),
            Kind::Text(text, Origin::File) => visitor.visit_str(text),
            // What a plain scalar with this text would be.
            Kind::Text(text, Origin::Public | Origin::Secret) => {
                if let Ok(value) = text.parse() {
                    visitor.visit_i64(value)
                } else if let Some(value) = finite(text) {
                    visitor.visit_f64(value)
                } else if let Ok(value) = text.parse() {
                    visitor.visit_bool(value)
                } else {
                    visitor.visit_str(text)
                }
            }
            Kind::Broken => Err(Fault { known: true, ..Fault::plain("the value is not known".to_string()) }),
            Kind::Sequence(items) => self.visit_list(items, visitor),
            Kind::Mapping(_) => {
                let entries = self.entries().unwrap_or_default();
                self.visit_map(entries, visitor)
            }
        }
    }

    /// A text with a word about its origin, for the types that must know.
    fn with_origin<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Text(text, origin) => {
                let items = [Pair::Bool(*origin == Origin::Secret), Pair::Text(text)];
                visitor.visit_seq(de::value::SeqDeserializer::new(items.into_iter()))
            }
            Kind::Broken => self.any(visitor),
            Kind::Sequence(_) | Kind::Mapping(_) | Kind::Null => Err(Fault::plain("expected a text".to_string())),
            // The value is not named: it may be a password of digits.
            Kind::Bool(_) | Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => {
                Err(Fault { hint: Some("put it in quotes".to_string()), ..Fault::plain("expected a text".to_string()) })
            }
        }
    }
}

fn finite(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|value: &f64| plain && value.is_finite())
}

/// The two parts of a text with its origin.
enum Pair<'a> {
    Bool(bool),
    Text(&'a str),
}

impl<'de> IntoDeserializer<'de, Fault> for Pair<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Pair<'_> {
    type Error = Fault;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Pair::Bool(value) => visitor.visit_bool(value),
            Pair::Text(text) => visitor.visit_str(text),
        }
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

macro_rules! number {
    ($($method:ident $visit:ident $type:ty)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.substituted().and_then(|text| text.parse::<$type>().ok()) {
                Some(value) => visitor.$visit(value),
                None => self.any(visitor),
            }
            .map_err(|fault| fault.at(self.node))
        }
    )*};
}

impl<'a> Deserializer<'a> for Reader<'a> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.any(visitor).map_err(|fault| fault.at(self.node))
    }

    number! {
        deserialize_bool visit_bool bool
        deserialize_i8 visit_i64 i64
        deserialize_i16 visit_i64 i64
        deserialize_i32 visit_i64 i64
        deserialize_i64 visit_i64 i64
        deserialize_u8 visit_u64 u64
        deserialize_u16 visit_u64 u64
        deserialize_u32 visit_u64 u64
        deserialize_u64 visit_u64 u64
        deserialize_f32 visit_f64 f64
        deserialize_f64 visit_f64 f64
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.substituted() {
            Some(text) => visitor.visit_str(text),
            None => self.any(visitor),
        }
        .map_err(|fault| fault.at(self.node))
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|fault| fault.at(self.node))
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        match name {
            SECRET_MARK | TEXT_MARK => self.with_origin(visitor),
            SPANNED_MARK => visitor.visit_seq(MarkedReader { reader: self, mark: self.node.id as u64, step: 0 }),
            ORIGIN_MARK => {
                let secret = matches!(self.node.kind, Kind::Text(_, Origin::Secret));
                visitor.visit_seq(MarkedReader { reader: self, mark: u64::from(secret), step: 0 })
            }
            TEXT_OR_STRUCT_MARK => match &self.node.kind {
                Kind::Text(text, _) => visitor.visit_str(text),
                Kind::Mapping(_) | Kind::Null => visitor.visit_newtype_struct(self),
                _ => self.any(visitor),
            },
            _ => visitor.visit_newtype_struct(self),
        }
        .map_err(|fault| fault.at(self.node))
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            // A list whose items are all commented out.
            Kind::Null => self.visit_list(&[], visitor),
            _ => self.any(visitor),
        }
        .map_err(|fault| fault.at(self.node))
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.entries() {
            Ok(entries) => self.visit_map(entries, visitor),
            Err(_) => self.any(visitor),
        }
        .map_err(|fault| fault.at(self.node))
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.entries() {
            Ok(entries) => {
                let (known, unknown): (Vec<_>, Vec<_>) =
                    entries.into_iter().partition(|entry| fields.contains(&entry.key.as_str()));
                for entry in unknown {
                    self.notes.unknown_key(entry, fields);
                }
                self.visit_map(known, visitor)
            }
            // The values of a list would be taken for the fields in their order.
            Err(Kind::Sequence(_)) => Err(<Fault as de::Error>::invalid_type(Unexpected::Seq, &"a map")),
            Err(_) => self.any(visitor),
        }
        .map_err(|fault| fault.at(self.node))
    }

    /// A text names a variant; a mapping names it with its key `type`, and its other keys are the variant's.
    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Text(text, _) => visitor.visit_enum(text.as_str().into_deserializer()),
            Kind::Mapping(entries) => match entries.iter().find(|entry| entry.key == "type") {
                Some(entry) if entry.value.dropped.get() => Err(Fault { known: true, ..Fault::plain(String::new()) }),
                Some(entry) => visitor.visit_enum(VariantReader { reader: self, tag: &entry.value }),
                None => Err(<Fault as de::Error>::missing_field("type")),
            },
            Kind::Broken => self.any(visitor),
            _ => Err(Fault::plain("expected a mapping with a key `type`, or a text".to_string())),
        }
        .map_err(|fault| fault.at(self.node))
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

struct MapReader<'a> {
    reader: Reader<'a>,
    entries: std::vec::IntoIter<&'a Entry>,
    value: Option<&'a Node>,
}

impl<'a> de::MapAccess<'a> for MapReader<'a> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(&entry.value);
        let key: de::value::StrDeserializer<'a, Fault> = entry.key.as_str().into_deserializer();
        // The key's number leads to its value, which is dropped with it.
        seed.deserialize(key).map(Some).map_err(|mut fault| {
            fault.id.get_or_insert(entry.key_id);
            fault
        })
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let node = self.value.take().unwrap_or(self.reader.node);
        seed.deserialize(self.reader.child(node)).map_err(|fault| fault.at(node))
    }
}

struct ListReader<'a> {
    reader: Reader<'a>,
    items: std::vec::IntoIter<&'a Node>,
}

impl<'a> de::SeqAccess<'a> for ListReader<'a> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(node) = self.items.next() else { return Ok(None) };
        seed.deserialize(self.reader.child(node)).map(Some).map_err(|fault| fault.at(node))
    }
}

/// Gives what the deserialiser knows of a value as a number, and then the value.
struct MarkedReader<'a> {
    reader: Reader<'a>,
    mark: u64,
    step: u8,
}

impl<'a> de::SeqAccess<'a> for MarkedReader<'a> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.step += 1;
        match self.step {
            1 => {
                let mark: de::value::U64Deserializer<Fault> = self.mark.into_deserializer();
                seed.deserialize(mark).map(Some)
            }
            2 => seed.deserialize(self.reader).map(Some),
            _ => Ok(None),
        }
    }
}

/// A mapping whose key `type` names the variant.
struct VariantReader<'a> {
    reader: Reader<'a>,
    tag: &'a Node,
}

impl<'a> de::EnumAccess<'a> for VariantReader<'a> {
    type Error = Fault;
    type Variant = VariantReader<'a>;

    fn variant_seed<S: DeserializeSeed<'a>>(self, seed: S) -> Result<(S::Value, VariantReader<'a>), Fault> {
        let variant = seed.deserialize(self.reader.child(self.tag)).map_err(|fault| fault.at(self.tag))?;
        Ok((variant, self))
    }
}

impl<'a> VariantReader<'a> {
    fn rest(&self) -> Reader<'a> {
        Reader { tag: Some("type"), ..self.reader }
    }
}

impl<'a> de::VariantAccess<'a> for VariantReader<'a> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        for entry in self.rest().entries().unwrap_or_default() {
            self.reader.notes.unknown_key(entry, &["type"]);
        }
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'a>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.rest())
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(Fault::plain("a list cannot stand here".to_string()))
    }

    fn struct_variant<V: Visitor<'a>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.rest().deserialize_struct("", fields, visitor)
    }
}
