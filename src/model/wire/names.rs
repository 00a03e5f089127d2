//! The names of what is read: each is checked and made once.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::de;

use super::{WireLimits, check_kind, check_name};

/// So many are remembered: names that never come again should not fill the memory.
const MAX_REMEMBERED: usize = 100_000;

/// Names that were found good.
#[derive(Debug, Default)]
pub(super) struct Names {
    kinds: HashSet<Arc<str>, RandomState>,
    names: HashSet<Arc<str>, RandomState>,
}

impl Names {
    pub(super) fn kind<E: de::Error>(&mut self, kind: &str, limits: &WireLimits) -> Result<Arc<str>, E> {
        remembered(&mut self.kinds, kind, || check_kind(kind, limits))
    }

    /// The name of a subject, a label, a field or a source.
    pub(super) fn name<E: de::Error>(&mut self, what: &str, name: &str, limits: &WireLimits) -> Result<Arc<str>, E> {
        remembered(&mut self.names, name, || check_name(what, name, limits.max_name_bytes))
    }
}

fn remembered<E>(
    known: &mut HashSet<Arc<str>, RandomState>,
    text: &str,
    check: impl FnOnce() -> Result<Arc<str>, E>,
) -> Result<Arc<str>, E> {
    if let Some(known) = known.get(text) {
        return Ok(known.clone());
    }
    let checked = check()?;
    if known.len() < MAX_REMEMBERED {
        known.insert(checked.clone());
    }
    Ok(checked)
}
