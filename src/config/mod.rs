//! The project folder's files: `larum.yaml` and `channels/*.yaml`: reading, checking, secrets.
//!
//! Text becomes a [`yaml::Document`], the document becomes strict structs, and these are checked; all three collect
//! every problem with its place instead of stopping at the first.

mod access;
pub mod collectors;
mod cover;
mod larum;
mod metrics;
mod on_call;
pub mod project;
mod scalar;
pub mod secret;
mod settings;
pub mod surroundings;
pub mod yaml;

pub use access::Tls;
pub use cover::{circles, possible};
pub use larum::{Config, NamedRoute};
pub use on_call::NamedRotation;
pub use project::{Project, Unsaved};
pub use scalar::{Period, Size};
pub use secret::{Secret, Text};
pub use settings::{Alerts, Defaults, History, Limits, Log, LogFormat, LogLevel, Retry};
pub use surroundings::{Fixed, Process, Surroundings};
pub use yaml::{Document, Place, Spanned};

use larum::time_zone;

// What a setting means elsewhere is defined there.
pub use crate::channels::Locale;
pub use crate::rules::Param;
