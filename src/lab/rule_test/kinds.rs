//! Whether a test speaks of kinds and fields that its rules know.

use super::stage::{Failure, Stage};
use crate::diagnostic::{did_you_mean, nearest};

/// A kind that no rule judges or looks up is a slip of the pen.
pub(crate) fn check_kind(stage: &Stage, kind: &str) -> Result<(), Failure> {
    let known = stage.project.kinds();
    if known.contains(kind) || stage.project.mentions(kind) {
        return Ok(());
    }
    let names = || known.iter().map(|kind| &**kind);
    let hint = did_you_mean(kind, names()).or_else(|| {
        let names: Vec<String> = names().map(|kind| format!("`{kind}`")).collect();
        (!names.is_empty()).then(|| format!("the rules are about {}", names.join(", ")))
    });
    Err(Failure::new(format!("no rule is about the kind `{kind}`")).hint(hint))
}

/// Rules need not read every field of a realistic snapshot, so only a field that looks like another is refused.
pub(crate) fn check_field(stage: &Stage, index: usize, field: &str) -> Result<(), Failure> {
    let known = stage.project.fields();
    if known.contains(field) || stage.project.mentions(field) {
        return Ok(());
    }
    match nearest(field, known.iter().map(|field| &**field)) {
        Some(near) => {
            let subject = &stage.subjects[index].key;
            Err(Failure::new(format!("no rule reads the field `{field}` of {subject}"))
                .hint(Some(format!("did you mean `{near}`?"))))
        }
        None => Ok(()),
    }
}
