//! What edits change, as tables.

use std::io::Cursor;

use super::*;
use crate::lab::replay::tests::project;

/// A service whose error rate is each of these for ten seconds.
fn rates(rates: &[f64]) -> String {
    let line = |(index, rate): (usize, &f64)| {
        let time = index * 10;
        format!("{{\"time\":{time},\"kind\":\"service\",\"name\":\"api\",\"fields\":{{\"error_rate\":{rate}}}}}\n")
    };
    rates.iter().enumerate().map(line).collect()
}

/// The differences as `change event was is`, and the tally.
fn differences(old: &str, new: &str, recording: &str) -> (Vec<String>, Tally) {
    differences_from(old, new, recording, None)
}

fn differences_from(old: &str, new: &str, recording: &str, from: Option<i64>) -> (Vec<String>, Tally) {
    let (old, new) = (project(old), project(new));
    let recording = Recording::of(Cursor::new(recording.to_string()));
    let from = from.map(|seconds| Time::from_micros(seconds * 1_000_000));
    let options = Options { from, ..Options::default() };
    let comparison = against(recording, &old, &new, &options, &mut |_| Ok(())).unwrap();
    let time = |telling: &Option<Telling>| {
        telling.as_ref().map_or("-".to_string(), |telling| (telling.time.as_micros() / 1_000_000).to_string())
    };
    let line = |difference: &Difference| {
        let Telling { event, rule, .. } = difference.telling();
        format!("{:?} {rule} {event} {} {}", difference.change, time(&difference.was), time(&difference.is))
    };
    (comparison.differences.iter().map(line).collect(), comparison.tally)
}

fn rule(name: &str, keys: &str) -> String {
    format!("rule(\"{name}\", #{{ on: \"service\", cooldown: \"0s\", flap: (), {keys} }});\n")
}

#[test]
fn edits_change_what_is_told() {
    let up = |limit: f64, more: &str| rule("errors", &format!("when: |s| s.error_rate > {limit}, {more}"));
    let base = up(0.2, "");
    let recording = rates(&[0.0, 0.3, 0.5, 0.3, 0.0, 0.15, 0.15, 0.0, 0.0, 0.6, 0.6, 0.0, 0.0]);
    let cases: &[(&str, String, &[&str])] = &[
        ("nothing", base.clone(), &[]),
        ("a comment", format!("// {base}\n{base}"), &[]),
        (
            "a lower limit adds a firing in the middle, and shifts no other",
            up(0.1, ""),
            &["Gained errors raised - 50", "Gained errors recovered - 70"],
        ),
        (
            "a higher limit comes later, and goes earlier",
            up(0.4, ""),
            &["Later errors raised 10 20", "Earlier errors recovered 40 30"],
        ),
        ("a limit that loses one", up(0.55, ""), &["Lost errors raised 10 -", "Lost errors recovered 40 -"]),
        ("a hold time", up(0.2, "hold: \"10s\""), &["Later errors raised 10 20", "Later errors raised 90 100"]),
        ("a keep time", up(0.2, "keep: \"10s\""), &["Later errors recovered 40 50", "Later errors recovered 110 120"]),
        (
            "another level",
            up(0.2, "level: \"critical\""),
            &[
                "Changed errors raised 10 10",
                "Changed errors recovered 40 40",
                "Changed errors raised 90 90",
                "Changed errors recovered 110 110",
            ],
        ),
        (
            "other words",
            up(0.2, "message: |s| \"help\""),
            &[
                "Changed errors raised 10 10",
                "Changed errors recovered 40 40",
                "Changed errors raised 90 90",
                "Changed errors recovered 110 110",
            ],
        ),
        (
            "another name is another rule",
            base.replace("errors", "failures"),
            &[
                "Lost errors raised 10 -",
                "Lost errors recovered 40 -",
                "Lost errors raised 90 -",
                "Lost errors recovered 110 -",
                "Gained failures raised - 10",
                "Gained failures recovered - 40",
                "Gained failures raised - 90",
                "Gained failures recovered - 110",
            ],
        ),
        (
            "one more rule",
            base.clone() + &rule("more", "when: |s| s.error_rate > 0.55"),
            &["Gained more raised - 90", "Gained more recovered - 110"],
        ),
    ];
    for (what, edited, expected) in cases {
        let (found, tally) = differences(&base, edited, &recording);
        assert_eq!(found, *expected, "{what}");
        assert_eq!(tally.is_same(), expected.is_empty(), "{what}");
        let in_all = tally.same + tally.lost + tally.earlier + tally.later + tally.changed;
        assert_eq!(in_all, 4, "{what}: everything that was told before is somewhere");
    }
}

#[test]
fn an_end_of_another_kind_is_the_same_end_changed() {
    let recording =
        rates(&[0.3, 0.3]) + "{\"time\":20,\"kind\":\"service\",\"name\":\"api\",\"fields\":{\"other\":1}}\n";
    let keeps = rule("errors", "when: |s| s.get(\"error_rate\", 0.0) > 0.2");
    let closes = rule("errors", "when: |s| s.error_rate > 0.2, no_data: \"close\"");
    let (found, _) = differences(&keeps, &closes, &recording);
    assert_eq!(found, ["Changed errors closed 20 20"]);
}

#[test]
fn broken_lines_are_told_once_and_a_failing_rule_of_the_new_side_too() {
    let recording = rates(&[0.3]) + "oops\n" + &rates(&[0.3, 0.3]);
    let (old, new) = (project(&rule("a", "when: |s| s.error_rate > 0")), project(&rule("a", "when: |s| s.kind > 0")));
    let mut told = Vec::new();
    let recording = Recording::of(Cursor::new(recording));
    let comparison = against(recording, &old, &new, &Options::default(), &mut |happening| {
        match happening {
            Happening::BadLine(number, _) => told.push(format!("line {number}")),
            Happening::Fault { fault, file } => told.push(format!("{file}:{}", fault.fault.line)),
            _ => {}
        }
        Ok(())
    });
    assert_eq!(told, ["line 2", "rules/a.rhai:1"]);
    assert_eq!(comparison.unwrap().tally.lost, 1);
}

#[test]
fn a_hold_time_that_begins_anew_where_the_rules_begin_is_no_difference() {
    let recording = rates(&[0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.0, 0.0, 0.3, 0.3, 0.3]);
    let (old, new) = ("when: |s| s.error_rate > 0.2", "when: |s| s.error_rate > 0.2, hold: \"10s\"");
    let (found, tally) = differences_from(&rule("a", old), &rule("a", new), &recording, Some(25));
    assert_eq!((found, tally.same), (vec!["Later a raised 80 90".to_string()], 2));
    let critical = format!("{new}, level: \"critical\"");
    let (found, _) = differences_from(&rule("a", old), &rule("a", &critical), &recording, Some(25));
    assert_eq!(found[0], "Changed a raised 25 35");
}
