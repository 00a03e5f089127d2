//! `metrics:` of larum.yaml.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::yaml::{Document, Spanned};
use crate::diagnostic::Diagnostic;
use crate::exposition::Names;

/// As written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawMetrics {
    names: BTreeMap<String, Spanned<String>>,
}

impl RawMetrics {
    /// What fields are called; what they cannot be called goes to `problems`.
    pub(super) fn names(&self, document: &Document, problems: &mut Vec<Diagnostic>) -> Names {
        let mut names = Names::default();
        for (field, name) in &self.names {
            if let Err(problem) = names.rename(field, &name.value) {
                let message = format!("`{field}` cannot be the metric `{}`: {problem}", name.value);
                let hint = "write the kind, the field and the name: `host.load_1m: node_load1`";
                problems.push(document.place(name).error(message).with_hint(hint));
            }
        }
        names
    }
}
