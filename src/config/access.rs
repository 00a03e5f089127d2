//! `tokens` and `tls`: who may ask, and under which certificate the daemon answers.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Document, Spanned, Text};
use crate::access::{Digest, MIN_SECRET, Scope, TOKEN_NAME_HINT, Token, Tokens, is_token_name};
use crate::diagnostic::{Diagnostic, did_you_mean};

/// `tls`: PEM files, relative to the project folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// `tls` as written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    certificate: String,
    key: String,
}

impl RawTls {
    pub(super) fn build(self) -> Tls {
        Tls { certificate: self.certificate.into(), key: self.key.into() }
    }
}

/// An entry of `tokens` as written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawToken {
    name: Spanned<String>,
    #[serde(default)]
    scope: Option<Spanned<String>>,
    #[serde(default)]
    scopes: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    secret: Option<Spanned<Text>>,
    #[serde(default)]
    hash: Option<Spanned<String>>,
    #[serde(default)]
    kinds: Vec<Spanned<String>>,
    #[serde(default)]
    names: Vec<Spanned<String>>,
}

/// Checks tokens; what is wrong is noted.
pub(super) fn tokens(document: &Document, raw: Vec<RawToken>, problems: &mut Vec<Diagnostic>) -> Tokens {
    let mut build = Build { document, problems };
    let mut tokens: Vec<Token> = Vec::new();
    for raw in raw {
        if tokens.iter().any(|token| *token.name == *raw.name.value) {
            build.refuse(&raw.name, format!("two tokens are called `{}`", raw.name.value), "give each its own name");
        }
        let name = raw.name.clone();
        let Some(token) = build.token(raw) else { continue };
        if let Some(other) = tokens.iter().find(|other| other.digest.matches(&token.digest)) {
            let message = format!("this is the token of `{}` again", other.name);
            build.refuse(&name, message, "make another one with `larum token new`");
        }
        tokens.push(token);
    }
    Tokens::new(tokens)
}

struct Build<'a> {
    document: &'a Document,
    problems: &'a mut Vec<Diagnostic>,
}

impl Build<'_> {
    fn refuse<T>(&mut self, spanned: &Spanned<T>, message: impl Into<String>, hint: &str) {
        self.problems.push(self.document.place(spanned).error(message).with_hint(hint));
    }

    fn token(&mut self, raw: RawToken) -> Option<Token> {
        let name = &raw.name.value;
        if !is_token_name(name) {
            self.refuse(&raw.name, format!("`{name}` is no name of a token"), TOKEN_NAME_HINT);
        }
        let scopes = self.scopes(&raw);
        let digest = self.digest(&raw)?;
        if !scopes.contains(&Scope::Push) {
            for bound in raw.kinds.iter().chain(&raw.names).take(1) {
                self.refuse(
                    bound,
                    "`kinds` and `names` bind what is pushed",
                    "add the scope `push`, or leave them out",
                );
            }
        }
        let patterns = |patterns: Vec<Spanned<String>>| -> Vec<Arc<str>> {
            patterns.into_iter().map(|pattern| pattern.value.into()).collect()
        };
        Some(Token {
            name: raw.name.value.into(),
            scopes,
            digest,
            kinds: patterns(raw.kinds),
            names: patterns(raw.names),
        })
    }

    fn scopes(&mut self, raw: &RawToken) -> BTreeSet<Scope> {
        let written: Vec<&Spanned<String>> = match (&raw.scope, &raw.scopes) {
            (Some(scope), Some(_)) => {
                self.refuse(scope, "both `scope` and `scopes` stand here", "leave one of them out");
                return BTreeSet::new();
            }
            (Some(scope), None) => vec![scope],
            (None, Some(scopes)) => scopes.iter().collect(),
            (None, None) => Vec::new(),
        };
        if written.is_empty() {
            self.refuse(&raw.name, "the token is good for nothing", "add `scope: read`, `push` or `write`");
        }
        let mut scopes = BTreeSet::new();
        for scope in written {
            match Scope::ALL.into_iter().find(|known| known.as_str() == scope.value) {
                Some(known) => drop(scopes.insert(known)),
                None => {
                    let hint = did_you_mean(&scope.value, Scope::ALL.map(Scope::as_str));
                    let hint = hint.unwrap_or_else(|| "the scopes are read, push and write".to_string());
                    self.refuse(scope, format!("`{}` is no scope", scope.value), &hint);
                }
            }
        }
        scopes
    }

    fn digest(&mut self, raw: &RawToken) -> Option<Digest> {
        match (&raw.secret, &raw.hash) {
            (Some(secret), None) => {
                if !secret.value.is_secret() {
                    let hint = "write `hash: sha256:..` (`larum token hash` makes it), or `secret: ${env:NAME}`";
                    self.refuse(secret, "the token itself stands in the file, where others may read it", hint);
                }
                if secret.value.expose().len() < MIN_SECRET {
                    let message = format!("the token has fewer than {MIN_SECRET} characters, and could be guessed");
                    self.refuse(secret, message, "make one with `larum token new`");
                }
                Some(Digest::of(secret.value.expose()))
            }
            (None, Some(hash)) => match hash.value.parse::<Digest>() {
                Ok(digest) => Some(digest),
                Err(error) => {
                    self.refuse(hash, error.to_string(), "`larum token new` prints one");
                    None
                }
            },
            (None, None) => {
                let hint = "add `hash: sha256:..` (`larum token new` prints it), or `secret: ${env:NAME}`";
                self.refuse(&raw.name, "the token has neither `hash` nor `secret`", hint);
                None
            }
            (Some(secret), Some(_)) => {
                self.refuse(secret, "both `hash` and `secret` stand here", "leave one of them out");
                None
            }
        }
    }
}
