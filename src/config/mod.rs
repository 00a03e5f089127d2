//! The project folder's files: `larum.yaml` and `channels/*.yaml`: reading, checking, secrets.
//!
//! Text becomes a [`yaml::Document`], the document becomes strict structs, and these are checked; all three collect
//! every problem with its place instead of stopping at the first.

pub mod secret;
pub mod surroundings;
pub mod yaml;

pub use secret::{Secret, Text};
pub use surroundings::{Fixed, Process, Surroundings};
pub use yaml::{Document, Place, Spanned};
