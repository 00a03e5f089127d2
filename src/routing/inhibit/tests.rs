//! Which alerts are of a side, what they have in common, and which inhibitions go in a circle.

use jiff::tz::TimeZone;

use super::*;
use crate::model::{Labels, SubjectKey};

fn inhibition(when: &str, mute: &str, equal: &[(&str, &str)], line: usize) -> Inhibition {
    let equal = equal.iter().map(|(when, mute)| Equal { when: (*when).into(), mute: (*mute).into() }).collect();
    Inhibition { when: serde_yaml::from_str(when).unwrap(), mute: serde_yaml::from_str(mute).unwrap(), equal, line }
}

fn values(inhibition: &Inhibition, side: Side, labels: &[(&str, &str)]) -> Option<Vec<String>> {
    let (rule, subject) = (RuleName::from("down"), SubjectKey::new("host", "web-1"));
    let labels: Labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let facts = Facts { rule: &rule, level: Level::Error, subject: &subject, labels: &labels, notify: None };
    inhibition.values(side, &facts).map(|values| values.iter().map(ToString::to_string).collect())
}

#[test]
fn what_must_be_equal_is_read_from_labels_rule_kind_and_name() {
    let both = inhibition("{}", "{}", &[("name", "host"), ("kind", "kind"), ("rule", "cause")], 1);
    assert_eq!(values(&both, Side::When, &[]), Some(vec!["web-1".into(), "host".into(), "down".into()]));
    let labels = [("host", "web-1"), ("cause", "down")];
    assert_eq!(values(&both, Side::Mute, &labels), values(&both, Side::When, &[]));
}

#[test]
fn a_label_that_is_missing_or_empty_equals_nothing() {
    let both = inhibition("{}", "{}", &[("host", "host")], 1);
    assert_eq!(values(&both, Side::When, &[]), None);
    assert_eq!(values(&both, Side::Mute, &[("host", "")]), None);
    assert_eq!(values(&both, Side::Mute, &[("host", "a")]), Some(vec!["a".into()]));
    assert_eq!(values(&inhibition("{}", "{}", &[], 1), Side::When, &[]), Some(vec![]), "nothing need be equal");
}

/// The circles among rules `a`, `b` and `c` of the kind `host`, each of the levels `warning` and `error`.
fn circles(inhibitions: Vec<Inhibition>) -> Vec<String> {
    let text = "inhibit:\n  - 2\n  - 3\n  - 4\n";
    let routing = Routing::new(Vec::new(), [], TimeZone::UTC).with_inhibitions(inhibitions);
    let names = ["a", "b", "c"].map(RuleName::from);
    let labels = Labels::new();
    let possible = |rule| Possible {
        rule,
        file: "rules/x.rhai",
        line: 1,
        text: "",
        levels: &[Level::Warning, Level::Error],
        kind: "host",
        labels: &labels,
        notify: None,
    };
    routing.circles(names.iter().map(possible), "larum.yaml", text).iter().map(ToString::to_string).collect()
}

#[test]
fn a_chain_of_inhibitions_is_no_circle() {
    let chain = vec![
        inhibition("{ rule: a }", "{ rule: b }", &[], 2),
        inhibition("{ rule: b }", "{ rule: c }", &[], 3),
        inhibition("{ rule: a }", "{ rule: c }", &[], 4),
    ];
    assert_eq!(circles(chain), [""; 0]);
}

#[test]
fn a_circle_of_inhibitions_is_told_once_with_the_lines_that_make_it() {
    let circle = vec![
        inhibition("{ rule: a }", "{ rule: b, level: error }", &[], 2),
        inhibition("{ rule: b, level: error }", "{ rule: c, level: warning }", &[], 3),
        inhibition("{ rule: c }", "{ rule: a, level: warning }", &[], 4),
    ];
    let told = "larum.yaml:2:1: error: these alerts can mute each other in a circle, so that nobody is told: \
                `a` (warning) mutes `b` (error) mutes `c` (warning) mutes `a` (warning) \
                (narrow `when` or `mute` of the inhibitions at line 2 and 3 and 4)";
    assert_eq!(circles(circle), [told]);
}

#[test]
fn levels_that_do_not_meet_make_no_circle() {
    let apart = vec![
        inhibition("{ rule: a, level: error }", "{ rule: b, level: warning }", &[], 2),
        inhibition("{ rule: b, level: error }", "{ rule: a, level: warning }", &[], 3),
    ];
    assert_eq!(circles(apart), [""; 0]);
}

#[test]
fn alerts_of_both_sides_do_not_mute_each_other() {
    let levels = vec![inhibition("{ level: error }", "{ level: '>=warning' }", &[], 2)];
    assert_eq!(circles(levels), [""; 0]);
}
