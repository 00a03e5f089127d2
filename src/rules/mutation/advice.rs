//! Which test would notice a mutant, in words.

use super::MutationKind;
use crate::rules::Rule;

/// A number as it is written in a rule.
pub(super) fn number(number: f64, is_whole: bool) -> String {
    if is_whole {
        return format!("{number:.0}");
    }
    // Twelve digits: a tenth more of 0.3 is 0.33 and not 0.33000000000000002.
    let rounded: f64 = format!("{number:.11e}").parse().unwrap_or(number);
    format!("{rounded:?}")
}

/// What a part decides.
fn decides(part: &str, rule: &Rule) -> String {
    match part {
        "where" => format!("whether `{}` takes a subject", rule.name),
        "clear" => format!("whether `{}` stops firing", rule.name),
        "level" => format!("the level of `{}`", rule.name),
        _ => format!("whether `{}` fires", rule.name),
    }
}

/// For a comparison, or a `!`.
pub(super) fn comparison(part: &str, rule: &Rule, text: &str) -> String {
    format!("a test in which `{text}` alone decides {}", decides(part, rule))
}

/// For `&&` and `||`.
pub(super) fn boolean(part: &str, rule: &Rule, [left, right]: &[String; 2], is_and: bool) -> String {
    let what = decides(part, rule);
    match is_and {
        true => format!("a test in which only one of `{left}` and `{right}` holds, of what decides {what}"),
        false => format!("a test in which exactly one of `{left}` and `{right}` holds, of what decides {what}"),
    }
}

/// For a number that is compared with `other`, and was nudged.
pub(super) fn threshold(part: &str, rule: &Rule, other: &str, (from, to): (f64, f64)) -> String {
    let short = |value: f64| number(value, value.fract() == 0.0);
    let (low, high) = (short(from.min(to)), short(from.max(to)));
    format!("a test of {} with a value of `{other}` between {low} and {high}", decides(part, rule))
}

/// For a number that something must be, or must not be.
pub(super) fn equality(part: &str, rule: &Rule, other: &str, value: f64) -> String {
    let value = number(value, value.fract() == 0.0);
    format!("a test of {} with a value of `{other}` of exactly {value}", decides(part, rule))
}

/// For a number in a calculation.
pub(super) fn calculation(part: &str, rule: &Rule, before: &str, after: &str) -> String {
    format!("a test of {} that tells `{before}` from `{after}`", decides(part, rule))
}

/// For `hold` and `keep`.
pub(super) fn duration(kind: MutationKind, rule: &Rule, duration: &str) -> String {
    match kind {
        MutationKind::Keep => format!(
            "a test in which `{}` is clear for less than {duration} and fires on (`t.expect_firing` right after it is clear)",
            rule.name
        ),
        _ => format!(
            "a test in which `{}` is true for less than {duration}, and nothing fires (`t.expect_pending`, then `t.expect_quiet`)",
            rule.name
        ),
    }
}

/// For `clear`.
pub(super) fn clear(rule: &Rule) -> String {
    format!(
        "a test in which `{}` fires and its condition ends, but `clear` does not hold yet: it must go on firing",
        rule.name
    )
}
