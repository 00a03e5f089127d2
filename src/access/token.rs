//! Tokens: what whoever shows one may do.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::Digest;
use crate::model::glob;

/// The shortest token that is taken, in bytes.
pub const MIN_SECRET: usize = 16;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// To look at everything.
    Read,
    /// To send snapshots.
    Push,
    /// To operate: silence, acknowledge, pause. Who may write may read too.
    Write,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Push, Scope::Write];

    /// The scope as larum.yaml writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Push => "push",
            Scope::Write => "write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What to write as the name of a token.
pub const TOKEN_NAME_HINT: &str = "write up to 64 letters, digits, `-`, `_` and `.`: it stands in the audit log";

/// Whether a token may be called so.
pub fn is_token_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain)
}

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Who shows it.
    pub name: Arc<str>,
    /// What it is good for.
    pub scopes: BTreeSet<Scope>,
    /// What it is known by.
    pub digest: Digest,
    /// The kinds of subjects that it may push, as globs; any where there is none.
    pub kinds: Vec<Arc<str>>,
    /// The names of subjects that it may push, as globs; any where there is none.
    pub names: Vec<Arc<str>>,
}

impl Token {
    /// Whether it is good for something.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || (scope == Scope::Read && self.scopes.contains(&Scope::Write))
    }

    /// Whether it may push snapshots of a subject.
    pub fn may_push(&self, kind: &str, name: &str) -> bool {
        let is_one_of = |patterns: &[Arc<str>], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, text))
        };
        is_one_of(&self.kinds, kind) && is_one_of(&self.names, name)
    }
}

/// All tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens(Vec<Arc<Token>>);

impl Tokens {
    /// These tokens; their names and digests differ.
    pub fn new(tokens: impl IntoIterator<Item = Token>) -> Tokens {
        Tokens(tokens.into_iter().map(Arc::new).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token that is this secret. All are compared, whichever it is.
    pub fn find(&self, secret: &str) -> Option<&Arc<Token>> {
        let digest = Digest::of(secret);
        self.0.iter().fold(None, |found, token| if token.digest.matches(&digest) { Some(token) } else { found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, secret: &str, scopes: &[Scope]) -> Token {
        let scopes = scopes.iter().copied().collect();
        Token { name: name.into(), scopes, digest: Digest::of(secret), kinds: Vec::new(), names: Vec::new() }
    }

    #[test]
    fn a_token_is_found_by_its_secret_alone() {
        let tokens = Tokens::new([token("a", "one", &[Scope::Read]), token("b", "two", &[Scope::Push])]);
        let name = |secret: &str| tokens.find(secret).map(|token| token.name.to_string());
        assert_eq!((name("one"), name("two")), (Some("a".into()), Some("b".into())));
        for wrong in ["", "on", "one ", "ONE", &Digest::of("one").to_string()] {
            assert_eq!(name(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn who_may_write_may_read_and_nothing_else_follows() {
        let cases = [
            (Scope::Read, [true, false, false]),
            (Scope::Push, [false, true, false]),
            (Scope::Write, [true, false, true]),
        ];
        for (has, expected) in cases {
            let token = token("a", "one", &[has]);
            assert_eq!(Scope::ALL.map(|scope| token.may(scope)), expected, "{has}");
        }
    }

    #[test]
    fn a_push_may_be_bound_to_kinds_and_names() {
        let bound = Token {
            kinds: vec!["service".into(), "job_*".into()],
            names: vec!["shop-*".into()],
            ..token("a", "x", &[Scope::Push])
        };
        for (kind, name, expected) in [
            ("service", "shop-api", true),
            ("job_nightly", "shop-1", true),
            ("service", "other", false),
            ("host", "shop-api", false),
        ] {
            assert_eq!(bound.may_push(kind, name), expected, "{kind} {name}");
        }
    }
}
