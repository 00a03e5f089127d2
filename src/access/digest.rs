//! The hash by which a token is known.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a token. As text `sha256:` and 64 hexadecimal digits; `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is written `sha256:` and 64 hexadecimal digits")]
pub struct BadDigest;

impl Digest {
    /// The digest of a token.
    pub fn of(secret: &str) -> Digest {
        Digest(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether two digests are the same, in a time that does not depend on where they differ: every byte is looked at, and
    /// only then it is asked whether any differed. What is compared are hashes, so that even a leak would tell nothing of
    /// the token.
    pub fn matches(&self, other: &Digest) -> bool {
        let difference = self.0.iter().zip(&other.0).fold(0_u8, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Digest, BadDigest> {
        let hex = text.trim().strip_prefix("sha256:").ok_or(BadDigest)?;
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadDigest);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| BadDigest)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| BadDigest)?;
        }
        Ok(Digest(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_as_it_is_read_and_debug_shows_nothing_of_it() {
        // FIPS 180-4, the example "abc".
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digest = Digest::of("abc");
        assert_eq!(digest.to_string(), text);
        assert!(text.parse::<Digest>().unwrap().matches(&digest));
        assert!(!Digest::of("abd").matches(&digest));
        assert_eq!(format!("{digest:?}"), "Digest(..)");
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in [
            "",
            "abc",
            "sha256:12",
            "sha512:ba78",
            &format!("sha256:{}", "g".repeat(64)),
            &format!("sha256:{}é", "a".repeat(62)),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(BadDigest), "{text}");
        }
    }
}
