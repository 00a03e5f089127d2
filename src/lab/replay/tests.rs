//! What is told of a recording, and how it is counted.

use std::collections::BTreeMap;
use std::io::Cursor;

use super::*;
use crate::config;
use crate::model::RuleName;

const RULE: &str = r#"
rule("errors", #{
    on: "service", hold: "30s", cooldown: "0s",
    when: |s| s.error_rate > 0.1,
    level: |s| if s.error_rate > 0.5 { "critical" } else { "warning" },
    message: |s| `${s.name} at ${s.error_rate}`,
});
"#;

pub(super) fn project(rules: &str) -> Project {
    project_with(rules, "type: console\n")
}

fn project_with(rules: &str, channel: &str) -> Project {
    let files = config::Project {
        rules: [("rules/a.rhai".into(), rules.into())].into(),
        channels: [("console".into(), ("channels/console.yaml".into(), channel.into()))].into(),
        ..config::Project::default()
    };
    Project::load(&files).unwrap()
}

/// A service whose error rate is each of these for ten seconds.
fn rates(name: &str, rates: &[f64]) -> String {
    let line = |(index, rate): (usize, &f64)| {
        let time = index * 10;
        format!("{{\"time\":{time},\"kind\":\"service\",\"name\":\"{name}\",\"fields\":{{\"error_rate\":{rate}}}}}\n")
    };
    rates.iter().enumerate().map(line).collect()
}

/// What is told of a recording, one line each, and the summary.
fn tell(project: &Project, recording: &str, options: &Options) -> (Vec<String>, Summary) {
    let mut told = Vec::new();
    let second = |time: Time| time.as_micros() / 1_000_000;
    let recording = Recording::of(Cursor::new(recording.to_string()));
    let summary = replay(recording, project, options, &mut |happening| {
        match happening {
            Happening::Event { event, already } => {
                let already = if already { " already" } else { "" };
                told.push(format!("{} {}{already} {}", second(event.time), event.kind, event.subject.name));
            }
            Happening::Sent(Told { time, sent, already, .. }) => {
                let already = if already { " already" } else { "" };
                told.push(format!("{} -> {}{already}", second(time), sent.message.title));
            }
            Happening::Fault { fault, file } => {
                told.push(format!("{file}:{} {}", fault.fault.line, fault.fault.message));
            }
            Happening::BadLine(number, reason) => told.push(format!("line {number}: {reason}")),
            Happening::Progress { .. } => {}
        }
        Ok(())
    });
    (told, summary.unwrap())
}

fn from(seconds: i64) -> Options {
    Options { from: Some(Time::from_micros(seconds * 1_000_000)), ..Options::default() }
}

fn rule<'a>(summary: &'a Summary, name: &str) -> &'a RuleSummary {
    &summary.rules[&RuleName::from(name)]
}

#[test]
fn what_happens_is_told_in_order_and_counted() {
    let recording = rates("api", &[0.0, 0.3, 0.3, 0.3, 0.3, 0.7, 0.0]);
    let (told, summary) = tell(&project(RULE), &recording, &Options::default());
    assert_eq!(
        told,
        [
            "40 raised api",
            "40 -> [warning] errors api",
            "50 escalated api",
            "50 -> [critical] errors api (was warning)",
            "60 recovered api",
            "60 -> [recovered] errors api",
        ]
    );
    let expected = Totals { raised: 1, recovered: 1, notifications: 3, ..Totals::default() };
    assert_eq!(rule(&summary, "errors").totals, expected);
    assert_eq!(summary.channels.values().map(|channel| channel.totals).collect::<Vec<_>>(), [expected]);
    assert_eq!((summary.snapshots, summary.evaluations), (7, 7));
    let (fire, clear) = (rule(&summary, "errors").verdicts.fire, rule(&summary, "errors").verdicts.clear);
    assert_eq!((fire, clear, &rule(&summary, "errors").finding), (5, 2, &Finding::Fired));
    let day = Day { raised: 1, already: 0, notifications: 3 };
    assert_eq!(
        summary.days.iter().map(|(date, day)| (date.to_string(), *day)).collect::<Vec<_>>(),
        [("1970-01-01".into(), day)]
    );
}

#[test]
fn without_words_the_same_is_counted() {
    let recording = rates("api", &[0.0, 0.3, 0.3, 0.3, 0.3, 0.7, 0.0]);
    let project = project(RULE);
    let (_, with) = tell(&project, &recording, &Options::default());
    let (told, without) = tell(&project, &recording, &Options { words: false, ..Options::default() });
    assert_eq!(without, with);
    assert!(told.iter().all(|line| !line.contains("->")), "{told:?}");
}

#[test]
fn a_condition_that_is_true_when_rules_begin_is_marked_with_and_without_a_hold_time() {
    let rules = format!("{RULE}rule(\"now\", #{{ on: \"service\", cooldown: \"0s\", when: |s| s.error_rate > 0.1 }});");
    // Already true at 25, over at 60, true again at 80.
    let recording = rates("api", &[0.0, 0.3, 0.3, 0.3, 0.3, 0.3, 0.0, 0.0, 0.3, 0.3, 0.3, 0.3]);
    let (told, summary) = tell(&project(&rules), &recording, &from(25));
    assert_eq!(
        told,
        [
            "25 raised already api",
            "25 -> [warning] now api already",
            "55 raised already api",
            "55 -> [warning] errors api already",
            "60 recovered api",
            "60 recovered api",
            "60 -> [recovered] errors api",
            "60 -> [recovered] now api",
            "80 raised api",
            "80 -> [warning] now api",
            "110 raised api",
            "110 -> [warning] errors api",
        ]
    );
    let expected = Totals { raised: 1, already: 1, recovered: 1, closed: 0, notifications: 2, already_notified: 1 };
    assert_eq!((rule(&summary, "errors").totals, rule(&summary, "now").totals), (expected, expected));
    assert_eq!((summary.warm_up, summary.snapshots), (3, 12));
    assert_eq!(summary.judged_from, Some(Time::from_micros(25_000_000)));
}

#[test]
fn a_condition_that_was_over_in_between_is_not_marked() {
    let recording = rates("api", &[0.3, 0.3, 0.3, 0.0, 0.3, 0.3, 0.3, 0.3, 0.3]);
    let (told, summary) = tell(&project(RULE), &recording, &from(20));
    assert_eq!(told, ["70 raised api", "70 -> [warning] errors api"]);
    assert_eq!(rule(&summary, "errors").totals.already, 0);
}

#[test]
fn history_of_before_answers_windows_and_what_comes_after_the_end_is_left_out() {
    let rules = "rule(\"mean\", #{ on: \"service\", when: |s| s.avg(\"error_rate\", \"1m\") > 0.2 });";
    let recording = rates("api", &[0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3]);
    let (told, _) = tell(&project(rules), &recording, &from(60));
    assert_eq!(told[0], "60 raised already api", "the mean of the minute before is known: {told:?}");
    let until = Options { until: Some(Time::from_micros(65_000_000)), ..from(60) };
    let (told, summary) = tell(&project(rules), &recording, &until);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(summary.snapshots, 7);
    // A timer that ends before the end of the replay ends, though no snapshot comes any more.
    let held = format!("{}\n{}", rates("api", &[0.3]), r#"{"time":500,"kind":"x","name":"x","fields":{}}"#);
    let until = Options { until: Some(Time::from_micros(40_000_000)), ..Options::default() };
    assert_eq!(tell(&project(RULE), &held, &until).0[0], "30 raised api");
}

#[test]
fn rules_that_begin_after_the_end_judge_nothing() {
    let (told, summary) = tell(&project(RULE), &rates("api", &[0.9; 9]), &from(1000));
    assert_eq!((told.len(), summary.judged_from, summary.snapshots, summary.evaluations), (0, None, 9, 0));
}

#[test]
fn sources_and_stale_times_of_the_recording_count() {
    let line = |time: i64, source: &str, stale: &str, rate: f64| {
        format!(
            "{{\"time\":{time},\"arrived\":{time},\"source\":\"{source}\",\"stale_after\":\"{stale}\",\"kind\":\"service\",\"name\":\"api\",\"fields\":{{\"error_rate\":{rate}}}}}\n"
        )
    };
    let rules = "rule(\"silent\", #{ on: \"service\", when: |s| s.age > 40, every: \"10s\" });";
    // Of another source: refused as the daemon refuses it.
    let recording = line(0, "http:api", "30s", 0.1) + &line(5, "push", "5m", 0.2) + &line(100, "http:api", "30s", 0.1);
    let (told, summary) = tell(&project(rules), &recording, &Options::default());
    assert_eq!(told[0], "line 2: the subject belongs to the source `http:api`, which wrote it first");
    assert_eq!(told[1], "50 raised api", "{told:?}");
    assert_eq!((summary.snapshots, summary.bad_lines), (2, 1));
}

#[test]
fn a_failing_rule_is_reported_with_its_place_once_and_the_others_go_on() {
    let rules = format!(
        "{RULE}rule(\"endless\", #{{ on: \"service\",\n when: |s| {{ let n = 0; loop {{ n += 1; }} }} }});\nrule(\"text\", #{{ on: \"service\", when: |s| s.status > 1 }});"
    );
    let recording: String = (0..200)
        .map(|n| {
            let time = n * 10;
            format!("{{\"time\":{time},\"kind\":\"service\",\"name\":\"api\",\"fields\":{{\"error_rate\":0.3,\"status\":\"up\"}}}}\n")
        })
        .collect();
    let (told, summary) = tell(&project(&rules), &recording, &Options::default());
    let faults: Vec<&String> = told.iter().filter(|line| line.starts_with("rules/a.rhai:")).collect();
    assert_eq!(faults.len(), 2, "{told:?}");
    assert_eq!(rule(&summary, "errors").totals.raised, 1);
    assert_eq!(
        (&rule(&summary, "text").finding, &rule(&summary, "endless").finding),
        (&Finding::FailedOnly, &Finding::FailedOnly)
    );
    assert!(rule(&summary, "endless").faults[0].steps > 1);
}

#[test]
fn quiet_rules_are_told_apart_by_why_they_were_quiet() {
    let rules = r#"
        rule("never", #{ on: "service", when: |s| s.error_rate > 10 });
        rule("held", #{ on: "service", hold: "1h", when: |s| s.error_rate >= 0 });
        rule("blind", #{ on: "service", when: |s| s.rate("error_rate", "1s") > 0 });
        rule("other", #{ on: "disk", when: |s| s.used > 0 });
        rule("lacks", #{ on: "service", when: |s| s.latency > 0 });
        rule("where", #{ on: "service", where: |s| s.name == "no", when: |s| s.error_rate > 0 });
    "#;
    let (_, summary) = tell(&project(rules), &rates("api", &[0.0, 0.1, 0.2]), &Options::default());
    let findings: BTreeMap<&str, String> =
        summary.rules.iter().map(|(name, rule)| (name.as_str(), rule.finding.to_string())).collect();
    let expected = [
        ("blind", "saw no data only: rate(\"error_rate\", \"1s\") has 1 of the 2 samples it needs"),
        ("held", "never fired, 1 pending at the end"),
        ("lacks", "nothing took part: no `service` has `latency`"),
        ("never", "never fired"),
        ("other", "nothing took part: there is no `disk`"),
        ("where", "nothing took part: `where` takes no `service`"),
    ];
    assert_eq!(findings, expected.into_iter().map(|(name, text)| (name, text.to_string())).collect());
}

#[test]
fn flapping_is_counted_with_its_subjects() {
    let rules = "rule(\"flaps\", #{ on: \"service\", cooldown: \"0s\", when: |s| s.error_rate > 0.1 });";
    let up_and_down: Vec<f64> = (0..40).map(|n| if n % 2 == 0 { 0.3 } else { 0.0 }).collect();
    let (_, summary) = tell(&project(rules), &rates("api", &up_and_down), &Options::default());
    let flapping: Vec<(String, u64)> =
        rule(&summary, "flaps").flapping.iter().map(|(subject, n)| (subject.to_string(), *n)).collect();
    assert_eq!(flapping, [("service api".to_string(), 1)]);
    assert!(
        summary.channels.values().any(|channel| channel.suppressed.values().sum::<u64>() > 0 || channel.folded > 0)
    );
}

#[test]
fn time_that_goes_back_types_that_change_and_snapshots_that_are_gone_stop_nothing() {
    let recording = [
        r#"{"time":10,"kind":"service","name":"api","fields":{"error_rate":0.3}}"#,
        r#"{"time":10,"kind":"service","name":"api","fields":{"error_rate":0.3}}"#,
        r#"{"time":20,"kind":"service","name":"api","fields":{"error_rate":"high"}}"#,
        r#"{"time":5,"kind":"service","name":"api","fields":{"error_rate":0.9}}"#,
        r#"{"time":30,"kind":"service","name":"api","fields":{"error_rate":0.3}}"#,
        r#"{"time":60,"kind":"service","name":"api","gone":true}"#,
        r#"{"time":70,"kind":"service","name":"api""#,
    ];
    let (told, summary) = tell(&project(RULE), &recording.join("\n"), &Options::default());
    assert!(told[0].contains("text"), "{told:?}");
    assert!(told.iter().any(|line| line == "line 7: the line is cut off"), "{told:?}");
    assert_eq!((summary.late, summary.repeated, summary.bad_lines, summary.snapshots), (1, 1, 1, 4));
    assert_eq!(summary.rules.values().map(|rule| rule.faults.len()).sum::<usize>(), 1);
}

#[test]
fn what_a_limit_holds_back_is_counted_where_it_is_sent() {
    let names = ["a", "b", "c", "d", "e"];
    let line = |time: i64, name: &str, rate: f64| {
        format!("{{\"time\":{time},\"kind\":\"service\",\"name\":\"{name}\",\"fields\":{{\"error_rate\":{rate}}}}}\n")
    };
    let mut recording: String = names.iter().map(|name| line(0, name, 0.3)).collect();
    recording.push_str(&line(200, "a", 0.3));
    let rules = "rule(\"now\", #{ on: \"service\", when: |s| s.error_rate > 0.1 });";
    let (told, summary) = tell(&project_with(rules, "type: console\nlimit: 3/1m\n"), &recording, &Options::default());
    let sent: Vec<&String> = told.iter().filter(|line| line.contains("->")).collect();
    assert_eq!(sent.len(), 3, "{told:?}");
    let channel = summary.channels.values().next().unwrap();
    assert_eq!((channel.totals.raised, channel.totals.notifications, channel.summarised), (5, 3, 3), "{told:?}");
}

#[test]
fn rules_that_never_began_were_not_judged() {
    for (recording, options) in [(String::new(), Options::default()), (rates("api", &[0.3]), from(60))] {
        let (_, summary) = tell(&project(RULE), &recording, &options);
        assert_eq!((rule(&summary, "errors").finding.clone(), summary.judged_from), (Finding::NotJudged, None));
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["rules"]["errors"]["finding"]["is"], "not_judged");
    }
}
