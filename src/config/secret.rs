//! Texts that must never be shown.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

/// What is shown in the place of a secret.
pub const REDACTED: &str = "[secret]";

/// The names by which [`super::yaml`] knows the types of this file, so that it can say where a text came from.
pub(super) const SECRET_MARK: &str = "$larum::Secret";
pub(super) const TEXT_MARK: &str = "$larum::Text";

/// A secret: a password, a token, a webhook's address. `Debug` and `Display` do not show it.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// A secret with this text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(SecretString::from(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(REDACTED)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        deserializer.deserialize_newtype_struct(SECRET_MARK, OriginVisitor).map(|(_, text)| Secret::new(text))
    }
}

/// A text that is a secret if it came from `${env:NAME}` or `${file:path}`, and an ordinary text otherwise.
///
/// `Debug` and `Display` show it only where it is no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    text: Secret,
    secret: bool,
}

impl Text {
    /// A text that may be shown.
    pub fn public(text: impl Into<String>) -> Text {
        Text { text: Secret::new(text), secret: false }
    }

    /// A text that may not be shown.
    pub fn secret(text: impl Into<String>) -> Text {
        Text { text: Secret::new(text), secret: true }
    }

    /// The text itself, secret or not.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Whether it, or a part of it, is a secret.
    pub const fn is_secret(&self) -> bool {
        self.secret
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secret {
            true => f.write_str(REDACTED),
            false => write!(f, "{:?}", self.expose()),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if self.secret { REDACTED } else { self.expose() })
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        let (secret, text) = deserializer.deserialize_newtype_struct(TEXT_MARK, OriginVisitor)?;
        Ok(Text { text: Secret::new(text), secret })
    }
}

/// Takes (is secret, text) from our own deserialiser, or a plain text from any other one.
struct OriginVisitor;

impl<'de> de::Visitor<'de> for OriginVisitor {
    type Value = (bool, String);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(bool, String), E> {
        Ok((false, text.to_string()))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(bool, String), D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut access: A) -> Result<(bool, String), A::Error> {
        let missing = || de::Error::custom("a text is expected here");
        let secret = access.next_element()?.ok_or_else(missing)?;
        let text = access.next_element()?.ok_or_else(missing)?;
        Ok((secret, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_neither_in_debug_nor_in_display() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[secret] [secret] Some([secret])");
        assert_eq!(secret.expose(), "hunter2");
        let text = Text::secret("hunter2");
        assert_eq!(format!("{text} {text:?}"), "[secret] [secret]");
        let text = Text::public("plain");
        assert_eq!(format!("{text} {text:?}"), "plain \"plain\"");
    }
}
