//! Who may do what: scopes, tokens, and how often somebody may fail to show one. Pure.
//!
//! A token is known by its SHA-256 alone, in memory as at rest. It is a random text of at least 128 bits, so that no slow
//! hash is needed: nobody finds it by guessing.

mod digest;
mod failures;
mod token;

pub use digest::{BadDigest, Digest};
pub use failures::{Failures, Limits};
pub use token::{MIN_SECRET, Scope, TOKEN_NAME_HINT, Token, Tokens, is_token_name};
