//! Signatures of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::Sha256;

use crate::config::Secret;

/// A key to sign with.
#[derive(Clone, Debug)]
pub(super) struct Key(SecretSlice<u8>);

/// A secret that cannot be a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    #[error("the secret begins with `whsec_`, and what follows is not base64")]
    NotBase64,
    #[error("the secret is empty")]
    Empty,
}

impl Key {
    /// `whsec_` and base64, or any other text, which is taken as its bytes.
    pub(super) fn parse(secret: &Secret) -> Result<Key, KeyError> {
        let bytes = match secret.expose().strip_prefix("whsec_") {
            Some(encoded) => BASE64_STANDARD.decode(encoded).map_err(|_| KeyError::NotBase64)?,
            None => secret.expose().as_bytes().to_vec(),
        };
        if bytes.is_empty() { Err(KeyError::Empty) } else { Ok(Key(bytes.into())) }
    }

    /// The value of the header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp: &str, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("HMAC takes a key of any length");
        for part in [id, ".", timestamp, ".", body] {
            mac.update(part.as_bytes());
        }
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_comes_out() {
        // Standard Webhooks, specification, "Signature scheme": the example of its reference libraries.
        let key = Key::parse(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_is_base64_or_any_text_and_never_shown() {
        assert!(matches!(Key::parse(&Secret::new("whsec_###")), Err(KeyError::NotBase64)));
        assert!(matches!(Key::parse(&Secret::new("")), Err(KeyError::Empty)));
        let key = Key::parse(&Secret::new("hunter2")).unwrap();
        assert!(!format!("{key:?}").contains("hunter2"));
        assert_ne!(key.sign("a", "1", "b"), key.sign("a", "2", "b"));
    }
}
