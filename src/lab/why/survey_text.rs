//! All subjects of a rule, as lines.

use super::text::{Sheet, table};
use super::words::{Clock, count};
use crate::server::api::{WhyNearDto, WhyRuleDto, WhySubjectsDto};

/// The sections of a rule's subjects.
pub(super) fn lines(rule: &WhyRuleDto, subjects: &WhySubjectsDto, clock: &Clock<'_>, sheet: &mut Sheet) {
    let what = if rule.scope == "on" { "subject" } else { "group" };
    let states: Vec<String> = subjects.states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    let states = if states.is_empty() { "none pending or firing".to_string() } else { states.join(", ") };
    let total = match subjects.total {
        0 => format!("none was judged yet: nothing of kind {} was seen", rule.kind),
        total => format!("{}: {states}", count(total, what)),
    };
    sheet.section("subjects", vec![total]);
    let width = subjects.total.to_string().len();
    let rows = subjects.verdicts.iter().map(|verdict| {
        let word = match verdict.says.as_str() {
            "no_data" => "no data",
            "excluded" | "not_concerned" => "takes no part",
            "not_judged" => "not judged yet",
            "between" => "neither fire nor clear",
            says => says,
        };
        let word = match &verdict.reason {
            Some(reason) => format!("{word}: {reason}"),
            None => word.to_string(),
        };
        vec![format!("{:>width$}", verdict.count), word]
    });
    sheet.section("verdicts", table(rows.collect()));
    let firing = subjects.firing.iter().map(|near| {
        let level = near.level.map(|level| level.to_string()).unwrap_or_default();
        vec![
            near.name.clone(),
            level,
            near.since.map(|since| format!("since {}", clock.since(since))).unwrap_or_default(),
        ]
    });
    let mut firing = table(firing.collect());
    let n_firing: usize = ["firing", "recovering"].iter().filter_map(|state| subjects.states.get(*state)).sum();
    if n_firing > firing.len() {
        firing.push(format!("and {} more: larum alerts --rule {}", n_firing - firing.len(), rule.name));
    }
    sheet.section("firing", firing);
    sheet.section("nearest", table(subjects.nearest.iter().map(|near| near_row(near, clock)).collect()));
    let n_clear: usize = subjects.verdicts.iter().filter(|v| v.says == "clear").map(|verdict| verdict.count).sum();
    if subjects.measured < n_clear {
        sheet.section("", vec![format!("(of {n_clear} that are clear, {} were looked at)", subjects.measured)]);
    }
    if subjects.total > 0 {
        sheet.line(String::new());
        sheet.line(format!("larum why {} NAME tells of one {what}", rule.name));
    }
}

fn near_row(near: &WhyNearDto, clock: &Clock<'_>) -> Vec<String> {
    let level = near.level.map(|level| format!(" at {level}")).unwrap_or_default();
    let what = match (&near.missing, near.until) {
        (Some(missing), _) => {
            let percent = missing.missing * 100.0;
            let percent = if percent < 0.05 { "at its threshold".to_string() } else { format!("{percent:.1}% away") };
            format!("{percent}: {}  ({})", missing.values, missing.comparison)
        }
        (None, Some(until)) => format!("pending, fires{level} at {}", clock.until(until)),
        (None, None) => "pending, its hold stands still".to_string(),
    };
    vec![near.name.clone(), what]
}
