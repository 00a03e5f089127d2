//! The levels that an alert of a rule may have.

use crate::model::Level;
use crate::rules::trace::Inside;

/// The levels that a rule's alerts can have, from the highest. A `level` that is written as `if .. { "error" } else { .. }`
/// names them; of anything else they are all.
pub(super) fn levels(inside: &Inside) -> Vec<Level> {
    let possible = inside.rule().possible_levels();
    match inside.level_text().and_then(|text| branches(&text)) {
        Some(named) => possible.into_iter().filter(|level| named.contains(level)).collect(),
        None => possible,
    }
}

/// The levels of the branches, where each of them is a level as a text and nothing else can be the answer.
fn branches(closure: &str) -> Option<Vec<Level>> {
    let mut bars = closure.splitn(3, '|');
    let (_, _, body) = (bars.next()?, bars.next()?, bars.next()?.trim());
    let body = body.strip_prefix('{').and_then(|body| body.strip_suffix('}')).map_or(body, str::trim);
    let mut rest = body;
    let mut named = Vec::new();
    loop {
        let is_last = !rest.starts_with("if ");
        let (condition, after) = rest.split_once('{')?;
        let (branch, after) = after.split_once('}')?;
        if is_last && !condition.trim().is_empty() {
            return None;
        }
        named.push(branch.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()?);
        match (is_last, after.trim().strip_prefix("else")) {
            (true, None) if after.trim().is_empty() => return Some(named),
            (false, Some(next)) => rest = next.trim_start(),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closure_whose_every_answer_is_written_there_names_its_levels() {
        use Level::{Critical, Error, Warning};
        let cases: [(&str, Option<&[Level]>); 8] = [
            (r#"|s| if s.v > 5 { "critical" } else { "warning" }"#, Some(&[Critical, Warning])),
            (r#"|s| { if s.v > 5 { "critical" } else { "error" } }"#, Some(&[Critical, Error])),
            (
                r#"|s| if s.v > 5 || s.w { "critical" } else if s.v > 3 { "error" } else { "warning" }"#,
                Some(&[Critical, Error, Warning]),
            ),
            (r#"|s| if s.v > 5 { "critical" } else { usual(s) }"#, None),
            (r#"|s| if s.name == "{" { "critical" } else { "error" }"#, None),
            (r#"|s| if s.v > 5 { "critical" }"#, None),
            (r#"|s| severity(s, "error")"#, None),
            (r#"|s| if s.v > 5 { "critical" } else { "error" } + """#, None),
        ];
        for (closure, expected) in cases {
            assert_eq!(branches(closure).as_deref(), expected, "{closure}");
        }
    }
}
