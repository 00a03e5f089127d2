//! YAML files as strict structs, with the place of every problem.
//!
//! [`Document::parse`] makes a tree and replaces `${env:NAME}`, `${file:path}` and `${env-public:NAME}` in its scalars;
//! [`Document::read`] turns it into a type. A struct is strict by itself: an unknown key is a problem with a hint. The
//! problems of one document are collected: after each one, the value that it is about is treated as not there, and
//! reading goes on.

mod read;
mod substitute;
mod tree;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, de::DeserializeOwned};

use self::read::{Notes, Problem, Reader};
use self::tree::{Kind, Node, NodeId, Tree};
use super::Surroundings;
use super::secret::REDACTED;
use crate::diagnostic::{Diagnostic, Severity};

/// The largest YAML file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Problems that are told of one file: nobody reads the fiftieth.
const MAX_PROBLEMS: usize = 50;

/// The name by which the deserialiser knows [`Spanned`].
const SPANNED_MARK: &str = "$larum::Spanned";

/// The name by which the deserialiser knows [`Traced`].
const ORIGIN_MARK: &str = "$larum::Traced";

/// The name by which the deserialiser knows a type that is a text or a struct: a text is visited as one, and anything
/// else as a newtype, whose content is the struct.
pub(super) const TEXT_OR_STRUCT_MARK: &str = "$larum::TextOrStruct";

/// A place in a file at which a problem can be told, long after the file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    file: Arc<str>,
    line: usize,
    column: usize,
    length: usize,
    source_line: Option<String>,
}

impl Place {
    /// A place that is a whole file.
    pub fn of_file(file: impl Into<Arc<str>>) -> Place {
        Place { file: file.into(), line: 0, column: 0, length: 1, source_line: None }
    }

    /// The line, from 1; 0 for a whole file.
    pub fn line(&self) -> usize {
        self.line
    }

    /// An error at this place.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            file: self.file.clone(),
            line: self.line,
            column: self.column,
            length: self.length,
            message: message.into(),
            hint: None,
            source_line: self.source_line.clone(),
        }
    }
}

/// A value with the place where it stands: [`Document::place`] tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    id: NodeId,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<T>, D::Error> {
        let (id, value) = deserializer.deserialize_newtype_struct(SPANNED_MARK, MarkedVisitor(PhantomData))?;
        Ok(Spanned { value, id: id as NodeId })
    }
}

impl<T> Spanned<T> {
    /// A default, which stands nowhere: its place is the whole file.
    pub(super) fn nowhere(value: T) -> Spanned<T> {
        Spanned { value, id: NodeId::MAX }
    }
}

/// A scalar, and whether it came from `${env:NAME}` or `${file:path}`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Traced<T> {
    pub(super) value: T,
    pub(super) secret: bool,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Traced<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Traced<T>, D::Error> {
        let (secret, value) = deserializer.deserialize_newtype_struct(ORIGIN_MARK, MarkedVisitor(PhantomData))?;
        Ok(Traced { value, secret: secret != 0 })
    }
}

/// Takes a number from our own deserialiser, and then the value.
struct MarkedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MarkedVisitor<T> {
    type Value = (u64, T);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut access: A) -> Result<(u64, T), A::Error> {
        let missing = || de::Error::custom("a value is expected here");
        let mark = access.next_element()?.ok_or_else(missing)?;
        let value = access.next_element()?.ok_or_else(missing)?;
        Ok((mark, value))
    }
}

/// A parsed YAML file.
#[derive(Debug)]
pub struct Document {
    file: Arc<str>,
    text: Arc<str>,
    tree: Tree,
}

impl Document {
    /// Parses a text and substitutes in its scalars. `file` is the name that problems tell: `channels/ops.yaml`.
    ///
    /// # Errors
    /// Where the text is no YAML, or too large. Values that cannot be substituted are told by [`Document::read`],
    /// together with everything else.
    pub fn parse(
        file: impl Into<Arc<str>>,
        text: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<Document, Vec<Diagnostic>> {
        let file = file.into();
        if text.len() > MAX_BYTES {
            return Err(vec![Diagnostic::of_file(file, "the file is larger than 1 MiB")]);
        }
        // A byte order mark is no part of the text, and would shift the first column.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match tree::build(text, surroundings) {
            Ok(tree) => Ok(Document { file, text: text.into(), tree }),
            Err(error) => Err(vec![syntax_problem(file, text, &error)]),
        }
    }

    /// The text at a key of the root mapping, as for `type`, by which the type of the rest is chosen.
    ///
    /// # Errors
    /// One problem where the key is missing or its value is no text.
    pub fn head(&self, key: &str) -> Result<Spanned<String>, Vec<Diagnostic>> {
        let entry = match &self.tree.root.kind {
            Kind::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        };
        match entry.map(|entry| &entry.value) {
            Some(Node { id, kind: Kind::Text(text, _), .. }) => Ok(Spanned { value: text.clone(), id: *id }),
            Some(node) => Err(vec![self.at(node.id).error(format!("`{key}` must be a text"))]),
            None => {
                Err(vec![Diagnostic::error(self.file.clone(), &self.text, 1, 1, format!("the key `{key}` is missing"))])
            }
        }
    }

    /// Reads the document as a `T`.
    ///
    /// # Errors
    /// All problems, in the order of their places.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<Diagnostic>> {
        self.read_beside(&[])
    }

    /// Reads the document as a `T`, without some keys of the root mapping which were read already (`type`).
    ///
    /// # Errors
    /// All problems, in the order of their places.
    pub fn read_beside<T: DeserializeOwned>(&self, ignored: &[&str]) -> Result<T, Vec<Diagnostic>> {
        match self.read_part(ignored) {
            (Some(value), problems) if problems.is_empty() => Ok(value),
            (_, problems) => Err(problems),
        }
    }

    /// Reads what can be read: values with problems are left out, so that the rest can be checked too.
    pub fn read_part<T: DeserializeOwned>(&self, ignored: &[&str]) -> (Option<T>, Vec<Diagnostic>) {
        let notes = Notes { problems: Default::default(), ignored };
        let value = loop {
            let reader = Reader { node: &self.tree.root, notes: &notes, tag: None, is_root: true };
            let fault = match T::deserialize(reader) {
                Ok(value) => break Some(value),
                Err(fault) => fault,
            };
            let (known, missing) = (fault.known, fault.missing);
            let problem = fault.into_problem(self.tree.root.id);
            let path = self.tree.root.path_to(problem.id);
            let known = known || path.last().is_some_and(|node| follows(node, missing, &notes));
            let culprit = path.last().filter(|_| path.len() > 1).copied();
            if !known {
                notes.problems.borrow_mut().push(problem);
            }
            match culprit {
                Some(node) if notes.problems.borrow().len() < MAX_PROBLEMS => node.dropped.set(true),
                _ => break None,
            }
        };
        restore(&self.tree.root);
        let mut problems: Vec<Diagnostic> = Vec::new();
        for (id, unresolved) in &self.tree.unresolved {
            let mut diagnostic = self.token(*id, &unresolved.token).error(&unresolved.message);
            diagnostic.hint.clone_from(&unresolved.hint);
            problems.push(diagnostic);
        }
        problems.extend(self.tree.bad_keys.iter().map(|(id, message)| self.at(*id).error(message)));
        problems.extend(notes.problems.into_inner().into_iter().map(|problem| self.tell(problem)));
        problems.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
        problems.truncate(MAX_PROBLEMS);
        (value, problems)
    }

    /// The place of a value.
    pub fn place<T>(&self, spanned: &Spanned<T>) -> Place {
        self.at(spanned.id)
    }

    fn tell(&self, problem: Problem) -> Diagnostic {
        let mut diagnostic = self.at(problem.id).error(self.without_secrets(problem.message));
        diagnostic.hint = problem.hint.map(|hint| self.without_secrets(hint));
        diagnostic
    }

    /// A second line of defence: a visitor of some type may have put a whole value into its message.
    fn without_secrets(&self, mut message: String) -> String {
        for secret in self.tree.secrets.iter().filter(|secret| secret.len() >= 4) {
            if message.contains(secret.as_str()) {
                message = message.replace(secret.as_str(), REDACTED);
            }
        }
        message
    }

    fn at(&self, id: NodeId) -> Place {
        let Some((line, column)) = tree::locate(&self.text, id) else { return Place::of_file(self.file.clone()) };
        let source_line = self.text.lines().nth(line - 1);
        let length = source_line.map_or(1, |source| token_length(source, column));
        Place { file: self.file.clone(), line, column, length, source_line: source_line.map(without_literal_secret) }
    }

    /// The place of a `${..}` inside a scalar, which may span lines.
    fn token(&self, id: NodeId, token: &str) -> Place {
        let place = self.at(id);
        for (index, line) in self.text.lines().enumerate().skip(place.line.saturating_sub(1)) {
            let from = if index + 1 == place.line { byte_of(line, place.column) } else { 0 };
            let first_line = token.lines().next().unwrap_or_default();
            if let Some(start) = line[from..].find(first_line) {
                return Place {
                    line: index + 1,
                    column: line[..from + start].chars().count() + 1,
                    length: first_line.chars().count().max(1),
                    source_line: Some(without_literal_secret(line)),
                    ..place
                };
            }
        }
        place
    }
}

/// Whether a fault at a mapping or list only follows from a problem with one of its parts that is told already.
fn follows(node: &Node, missing: Option<&str>, notes: &Notes<'_>) -> bool {
    let Kind::Mapping(entries) = &node.kind else { return node.children().any(|child| child.dropped.get()) };
    let dropped = || entries.iter().filter(|entry| entry.value.dropped.get());
    match missing {
        // The field itself has a problem, or its key has a slip that was told with this very name.
        Some(field) => dropped().any(|entry| {
            let told = format!("did you mean `{field}`?");
            let problems = notes.problems.borrow();
            entry.key == field
                || problems.iter().any(|p| p.id == entry.key_id && p.hint.as_deref() == Some(told.as_str()))
        }),
        None => dropped().next().is_some(),
    }
}

/// Makes a tree whole again, so that a document can be read as another type.
fn restore(node: &Node) {
    node.dropped.set(false);
    node.children().for_each(restore);
}

fn syntax_problem(file: Arc<str>, text: &str, error: &serde_yaml::Error) -> Diagnostic {
    let message = error.to_string();
    let (line, column) = error.location().map_or((0, 0), |location| (location.line(), location.column()));
    // The parser repeats the place in its message, and puts the path before it.
    let message = message.split(" at line ").next().unwrap_or(&message).to_string();
    let message = match message.split_once(": ") {
        Some((path, rest)) if !path.contains(' ') => rest.to_string(),
        _ => message,
    };
    let source = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let hint = match &message {
        _ if source.contains('\t') => Some("YAML is indented with spaces, not tabs".to_string()),
        message if message.contains("cannot start any token") => Some("put the text in quotes".to_string()),
        // Braces of a flow mapping end where those of `${..}` do.
        _ if source.contains("${") => Some("put `${..}` in quotes: `\"${env:NAME}\"`".to_string()),
        _ => None,
    };
    let mut diagnostic = Diagnostic::error(file, text, line, column, message);
    diagnostic.source_line = diagnostic.source_line.map(|source| without_literal_secret(&source));
    diagnostic.hint = hint;
    diagnostic
}

/// The byte at which a column (in characters, from 1) begins.
fn byte_of(line: &str, column: usize) -> usize {
    line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(byte, _)| byte)
}

/// How many characters the key or scalar at a column has, as far as one line shows it.
fn token_length(line: &str, column: usize) -> usize {
    let rest = &line[byte_of(line, column)..];
    let length = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map_or(rest.len(), |end| end + 2),
        Some('{' | '[') => 1,
        _ => [": ", " #", ", ", "]", "}"].iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len()),
    };
    rest.get(..length).unwrap_or(rest).trim_end().trim_end_matches([':', ',']).chars().count().max(1)
}

/// The line without a secret that was written into the file itself: problems are also shown by the API.
fn without_literal_secret(line: &str) -> String {
    const WORDS: [&str; 6] = ["pass", "secret", "token", "webhook", "authorization", "api_key"];
    let Some((key, value)) = line.split_once(':') else { return line.to_string() };
    let lower = key.to_lowercase();
    let value_start = value.trim_start();
    if !WORDS.iter().any(|word| lower.contains(word)) || value_start.is_empty() || value_start.starts_with("${") {
        return line.to_string();
    }
    format!("{key}: {REDACTED}")
}

#[cfg(test)]
mod tests;
