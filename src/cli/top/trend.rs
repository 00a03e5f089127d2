//! One field of a subject over the last looks, as a line of bars.

use std::collections::VecDeque;

use serde_json::{Map, Value};

/// So many looks are kept: two minutes of them.
const KEPT: usize = 60;
/// The fields that tell most of a subject, the first of them that it has.
const PREFERRED: [&str; 5] =
    ["cpu_percent", "memory_used_percent", "used_percent", "response_time_seconds", "error_rate"];
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A field and its values, the newest last; `None` where the subject did not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trend {
    field: String,
    values: VecDeque<Option<f64>>,
}

impl Trend {
    /// The field.
    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// Its newest value.
    pub(super) fn latest(&self) -> Option<f64> {
        self.values.back().copied().flatten()
    }

    /// Takes what a look showed. A stale subject says nothing.
    pub(super) fn take(&mut self, fields: &Map<String, Value>, is_stale: bool) {
        // A field that is missing once is waited for, unless another tells more.
        if let Some(best) = best(fields).filter(|best| self.field.is_empty() || rank(best) < rank(&self.field)) {
            self.field = best.to_string();
            self.values.clear();
        }
        let value = fields.get(&self.field).and_then(Value::as_f64).filter(|_| !is_stale);
        self.values.push_back(value);
        if self.values.len() > KEPT {
            self.values.pop_front();
        }
    }

    /// The newest values as bars, a character each. Percents reach from 0 to 100, anything else from 0 (or the lowest value
    /// below it) to the highest value.
    pub(super) fn bars(&self) -> String {
        let known = || self.values.iter().flatten().copied();
        let lowest = known().fold(0.0, f64::min);
        let highest = known().fold(if self.field.ends_with("_percent") { 100.0 } else { 0.0 }, f64::max);
        let bar = |value: &Option<f64>| match value {
            None => ' ',
            Some(_) if highest <= lowest => BARS[0],
            Some(value) => {
                let share = (value - lowest) / (highest - lowest);
                BARS[((share * BARS.len() as f64) as usize).min(BARS.len() - 1)]
            }
        };
        self.values.iter().map(bar).collect()
    }
}

/// The field that tells most.
fn best(fields: &Map<String, Value>) -> Option<&str> {
    let is_number = |name: &&str| fields.get(*name).is_some_and(Value::is_number);
    let preferred = PREFERRED.into_iter().find(is_number);
    preferred.or_else(|| fields.keys().map(String::as_str).find(is_number))
}

fn rank(field: &str) -> usize {
    PREFERRED.iter().position(|preferred| *preferred == field).unwrap_or(PREFERRED.len())
}

/// A number in few letters: `12.4`, `0.25`, `48.2G`.
pub(super) fn short(number: f64) -> String {
    let units = [(1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")];
    let size = number.abs();
    if let Some((_, by, unit)) = units.iter().find(|(from, ..)| size >= *from) {
        return format!("{}{unit}", plain(number / by, 1));
    }
    match size {
        size if size >= 100.0 => plain(number, 0),
        size if size >= 1.0 => plain(number, 1),
        _ => plain(number, 3),
    }
}

/// Without zeros that say nothing.
fn plain(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_string() } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trend(looks: &[Value]) -> Trend {
        let mut trend = Trend::default();
        for look in looks {
            trend.take(look.as_object().unwrap(), false);
        }
        trend
    }

    #[test]
    fn the_field_that_tells_most_is_shown_and_else_the_first_number() {
        assert_eq!(trend(&[json!({"load1": 2, "used_percent": 3, "cpu_percent": 1})]).field(), "cpu_percent");
        assert_eq!(trend(&[json!({"status": "running", "ready": true, "sent": 2, "taken": 3})]).field(), "sent");
        let nothing = trend(&[json!({"status": "running"})]);
        assert_eq!((nothing.field(), nothing.latest(), nothing.bars().as_str()), ("", None, " "));
    }

    #[test]
    fn a_field_that_is_missing_once_leaves_a_gap_and_a_better_one_starts_anew() {
        let looks =
            [json!({"error_rate": 0.5, "calls": 1}), json!({"calls": 2}), json!({"error_rate": 1.0, "calls": 3})];
        let gap = trend(&looks);
        assert_eq!((gap.field(), gap.bars().as_str(), gap.latest()), ("error_rate", "▅ █", Some(1.0)));
        let better = trend(&[json!({"calls": 1}), json!({"calls": 2, "cpu_percent": 50})]);
        assert_eq!((better.field(), better.bars().as_str()), ("cpu_percent", "▅"));
    }

    #[test]
    fn percents_are_of_a_hundred_and_other_numbers_of_their_highest() {
        assert_eq!(
            trend(&[json!({"used_percent": 0}), json!({"used_percent": 100}), json!({"used_percent": 12})]).bars(),
            "▁█▁"
        );
        assert_eq!(trend(&[json!({"queue": 0}), json!({"queue": 4}), json!({"queue": 2})]).bars(), "▁█▅");
        assert_eq!(trend(&[json!({"drift": -1}), json!({"drift": 1}), json!({"drift": 0})]).bars(), "▁█▅");
        assert_eq!(trend(&[json!({"zero": 0}), json!({"zero": 0})]).bars(), "▁▁");
    }

    #[test]
    fn a_stale_subject_says_nothing_and_old_looks_are_forgotten() {
        let mut trend = trend(&vec![json!({"queue": 4}); KEPT + 5]);
        trend.take(json!({"queue": 4}).as_object().unwrap(), true);
        assert_eq!((trend.latest(), trend.bars().chars().count()), (None, KEPT));
    }

    #[test]
    fn numbers_are_short() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0001, "0"),
            (0.25, "0.25"),
            (12.44, "12.4"),
            (99.96, "100"),
            (1234.4, "1234"),
            (12_345.0, "12.3k"),
            (48_200_000_000.0, "48.2G"),
            (-2_000_000.0, "-2M"),
        ] {
            assert_eq!(short(number), expected);
        }
    }
}
