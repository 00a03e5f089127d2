//! Deterministic ids: hashes of what they name, so that the same input gives the same ids everywhere.

use sha2::{Digest, Sha256};

/// Hashes the parts, with their lengths so that no two lists of parts look alike, to 16 bytes in hexadecimal.
pub(crate) fn hash(seed: u64, parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_be_bytes());
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(hash(1, &[b"ab", b"c"]), hash(1, &[b"a", b"bc"]));
        assert_ne!(hash(1, &[b"a"]), hash(2, &[b"a"]));
        assert_eq!(hash(1, &[b"a"]), hash(1, &[b"a"]));
        assert_eq!(hash(1, &[b"a"]).len(), 32);
    }
}
