//! A YAML text as a tree of numbered nodes.
//!
//! The parser tells a place only with an error. So nodes are numbered in the order in which the parser comes to them,
//! and the place of a node is found, when a problem needs it, by parsing again and failing at that number.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::substitute::{Origin, Unresolved, substitute};
use crate::config::Surroundings;

/// The number of a node or key, in document order.
pub(super) type NodeId = usize;

/// Nodes of one document: far more than any real file has, far less than aliases of aliases can make.
const MAX_NODES: usize = 100_000;

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String, Origin),
    /// A text that could not be substituted; the problem is in [`Tree::unresolved`].
    Broken,
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A value of the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) kind: Kind,
    /// It, or its key, was reported as a problem and is treated as not there.
    pub(super) dropped: Cell<bool>,
}

/// One key of a mapping with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key_id: NodeId,
    pub(super) key: String,
    pub(super) value: Node,
}

impl Node {
    fn new(id: NodeId, kind: Kind) -> Node {
        Node { id, kind, dropped: Cell::new(false) }
    }

    /// The children, in document order.
    pub(super) fn children(&self) -> Box<dyn Iterator<Item = &Node> + '_> {
        match &self.kind {
            Kind::Sequence(items) => Box::new(items.iter()),
            Kind::Mapping(entries) => Box::new(entries.iter().map(|entry| &entry.value)),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// The nodes from this one down to the node `id`, which may also be the key of one.
    pub(super) fn path_to(&self, id: NodeId) -> Vec<&Node> {
        let mut path = vec![self];
        let mut node = self;
        // Numbers grow in document order, so the child to follow is the last one that begins at or before `id`.
        while node.id != id {
            let next = match &node.kind {
                Kind::Sequence(items) => items.iter().take_while(|item| item.id <= id).last(),
                Kind::Mapping(entries) => {
                    entries.iter().take_while(|entry| entry.key_id <= id).last().map(|entry| &entry.value)
                }
                _ => None,
            };
            let Some(next) = next else { break };
            path.push(next);
            node = next;
            if node.id > id {
                break;
            }
        }
        path
    }
}

/// A document's nodes, and what was wrong with them already.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Node,
    pub(super) unresolved: Vec<(NodeId, Unresolved)>,
    /// Keys that stand twice in one mapping, or are no text.
    pub(super) bad_keys: Vec<(NodeId, String)>,
    pub(super) secrets: Vec<String>,
}

/// Parses a text and substitutes in its scalars.
pub(super) fn build(text: &str, surroundings: &dyn Surroundings) -> Result<Tree, serde_yaml::Error> {
    let mut builder = Builder {
        surroundings: Some(surroundings),
        next: 0,
        stop_at: None,
        unresolved: Vec::new(),
        bad_keys: Vec::new(),
        secrets: Vec::new(),
    };
    let root = NodeSeed(&mut builder).deserialize(serde_yaml::Deserializer::from_str(text))?;
    let Builder { unresolved, bad_keys, secrets, .. } = builder;
    Ok(Tree { root, unresolved, bad_keys, secrets })
}

/// The line and column (from 1) of a node or key of a text that [`build`] could parse.
pub(super) fn locate(text: &str, id: NodeId) -> Option<(usize, usize)> {
    let mut builder = Builder {
        surroundings: None,
        next: 0,
        stop_at: Some(id),
        unresolved: Vec::new(),
        bad_keys: Vec::new(),
        secrets: Vec::new(),
    };
    let error = NodeSeed(&mut builder).deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    error.location().map(|location| (location.line(), location.column()))
}

struct Builder<'a> {
    /// Nothing is substituted without them.
    surroundings: Option<&'a dyn Surroundings>,
    next: NodeId,
    stop_at: Option<NodeId>,
    unresolved: Vec<(NodeId, Unresolved)>,
    bad_keys: Vec<(NodeId, String)>,
    secrets: Vec<String>,
}

impl Builder<'_> {
    fn number<E: de::Error>(&mut self) -> Result<NodeId, E> {
        let id = self.next;
        if self.stop_at == Some(id) {
            return Err(E::custom("here"));
        }
        if id >= MAX_NODES {
            return Err(E::custom(format!("the file has more than {MAX_NODES} values")));
        }
        self.next += 1;
        Ok(id)
    }

    fn text(&mut self, id: NodeId, scalar: &str) -> Kind {
        let Some(surroundings) = self.surroundings else { return Kind::Null };
        match substitute(scalar, surroundings) {
            Ok(substituted) => {
                self.secrets.extend(substituted.secrets);
                Kind::Text(substituted.text, substituted.origin)
            }
            Err(unresolved) => {
                self.unresolved.push((id, unresolved));
                Kind::Broken
            }
        }
    }
}

struct NodeSeed<'b, 'a>(&'b mut Builder<'a>);

impl<'de> DeserializeSeed<'de> for NodeSeed<'_, '_> {
    type Value = Node;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_, '_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::new(self.0.number()?, Kind::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::new(self.0.number()?, Kind::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::new(self.0.number()?, Kind::Int(value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::new(self.0.number()?, i64::try_from(value).map_or(Kind::Uint(value), Kind::Int)))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::new(self.0.number()?, Kind::Float(value)))
    }

    fn visit_str<E: de::Error>(self, scalar: &str) -> Result<Node, E> {
        let id = self.0.number()?;
        let kind = self.0.text(id, scalar);
        Ok(Node::new(id, kind))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let id = self.0.number()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(NodeSeed(self.0))? {
            items.push(item);
        }
        Ok(Node::new(id, Kind::Sequence(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let id = self.0.number()?;
        let mut entries: Vec<Entry> = Vec::new();
        while let Some((key_id, key)) = access.next_key_seed(KeySeed(self.0))? {
            let value = access.next_value_seed(NodeSeed(self.0))?;
            let Some(key) = key else { continue };
            if entries.iter().any(|entry| entry.key == key) {
                self.0.bad_keys.push((key_id, format!("the key `{key}` stands here twice")));
                continue;
            }
            entries.push(Entry { key_id, key, value });
        }
        Ok(Node::new(id, Kind::Mapping(entries)))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(de::Error::custom("YAML tags (`!name`) are not used here: put the text in quotes"))
    }
}

/// A key: its number, and its text unless it is no text.
struct KeySeed<'b, 'a>(&'b mut Builder<'a>);

impl KeySeed<'_, '_> {
    fn no_text<E: de::Error>(self, found: &str) -> Result<(NodeId, Option<String>), E> {
        let id = self.0.number()?;
        self.0.bad_keys.push((id, format!("a key must be a text, and this is {found}: put it in quotes")));
        Ok((id, None))
    }
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_> {
    type Value = (NodeId, Option<String>);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_, '_> {
    type Value = (NodeId, Option<String>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that is a text")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok((self.0.number()?, Some(key.to_string())))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        self.no_text("true or false")
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        self.no_text("a number")
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        self.no_text("a number")
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        self.no_text("a number")
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        self.visit_unit()
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        self.no_text("empty")
    }
}
