//! Why something fires or not, as the engine tells it.

use super::*;
use crate::alert::{Decision, Hold, Reach};
use crate::engine::explain::{Explanation, Kind, Next, NotEvaluated, Said, Seen, Survey, Unexplained};
use crate::model::{EventKind, Level};
use crate::routing::Route;
use crate::rules::Verdict;
use crate::rules::trace::Inside;

/// The rule `high`, held for half a minute, with its default cooldown of five minutes.
const HIGH: &str = r#"rule("high", #{ on: "thing", when: |s| s.v > 10, hold: "30s" });"#;

#[track_caller]
fn explain(bench: &Bench, rule: &str, subject: Option<&str>) -> Explanation {
    ask(bench, rule, subject).unwrap()
}

fn ask(bench: &Bench, rule: &str, subject: Option<&str>) -> Result<Explanation, Unexplained> {
    let rule = bench.engine.rule(rule)?;
    bench.engine.explain(Now::at(time(bench.secs)), &Inside::of(&rule), subject)
}

#[track_caller]
fn survey(bench: &Bench, rule: &str) -> Survey {
    bench.engine.survey(Now::at(time(bench.secs)), &bench.engine.rule(rule).unwrap()).unwrap()
}

fn decision(explanation: &Explanation, channel: &str) -> (Reach, Decision) {
    let found = explanation.stages.channels.iter().find(|view| view.name.as_str() == channel);
    found.map(|view| (view.reach, view.decision)).unwrap()
}

#[test]
fn what_is_clear_is_explained_as_if_it_fired_now() {
    let mut bench = Bench::new(HIGH);
    bench.push(10, "a", "v", 3.0);
    let explanation = explain(&bench, "high", Some("a"));
    let evaluated = explanation.evaluated.as_ref().unwrap();
    assert!(matches!(&evaluated.judgement.verdict, Verdict::Conditions(_)));
    assert_eq!(explanation.reads(), [("v".into(), Value::Number(3.0))]);
    assert!(explanation.stages.what_if);
    assert_eq!(explanation.stages.level, Ok(Level::Warning));
    assert_eq!(decision(&explanation, "a"), (Reach::Open, Decision::Tell(EventKind::Raised)));
    assert_eq!(explanation.next, [Next::Snapshot, Next::Stale(time(310))]);
    assert!(matches!(explanation.seen, Seen::Subject { stale: false, gone: false, .. }));
    assert!(bench.sent.is_empty(), "asking changes nothing");
}

#[test]
fn a_pending_alert_names_when_its_hold_ends_and_a_silent_one_that_nothing_ends() {
    let mut bench = Bench::new(HIGH);
    bench.push(10, "a", "v", 30.0);
    bench.secs = 20;
    let explanation = explain(&bench, "high", Some("thing a"));
    let track = &explanation.tracks[0];
    assert_eq!((track.counted, track.length), (Duration::from_secs(10), Duration::from_secs(30)));
    assert_eq!(track.until, Some(time(40)));
    assert_eq!(explanation.next, [Next::Snapshot, Next::Stale(time(310)), Next::Timer(time(40))]);

    let mut bench = Bench::new(r#"rule("high", #{ on: "thing", when: |s| s.v > 10, hold: "30m" });"#);
    bench.push(10, "a", "v", 30.0);
    bench.advance_to(400);
    let explanation = explain(&bench, "high", Some("a"));
    assert_eq!((explanation.tracks[0].until, explanation.tracks[0].counted), (None, Duration::from_secs(300)));
    assert!(matches!(explanation.seen, Seen::Subject { stale: true, .. }));
    assert!(matches!(explanation.evaluated.unwrap().judgement.verdict, Verdict::NoData(_)));
}

#[test]
fn a_firing_alert_says_who_was_told_and_a_second_raise_what_holds_it() {
    let mut bench = Bench::new(r#"rule("high", #{ on: "thing", when: |s| s.v > 10 });"#);
    bench.push(10, "a", "v", 30.0);
    let explanation = explain(&bench, "high", Some("a"));
    assert!(!explanation.stages.what_if);
    assert!(matches!(decision(&explanation, "a"), (Reach::Open, Decision::Nothing { reminder: Some(_) })));
    let told = explanation.stages.channels[0].told.unwrap();
    assert_eq!((told.level, told.at, told.heard), (Level::Warning, time(10), true));

    bench.push(20, "a", "v", 1.0);
    let explanation = explain(&bench, "high", Some("a"));
    let expected = Decision::Hold(Hold::Cooldown { until: time(310) });
    assert_eq!(decision(&explanation, "a"), (Reach::Open, expected), "it would fire again, and be held");
    bench.push(30, "a", "v", 30.0);
    let explanation = explain(&bench, "high", Some("a"));
    assert_eq!(decision(&explanation, "a"), (Reach::Open, expected));
    assert_eq!(explanation.stages.channels[0].missed, 1);
}

#[test]
fn each_route_says_what_it_wants_and_a_group_until_when_it_waits() {
    let mut bench = Bench::new(HIGH);
    let group = Arc::new(crate::routing::Grouping {
        by: vec!["rule".into()],
        wait: Duration::from_secs(60),
        interval: Duration::from_secs(300),
    });
    let route = |matches: &str, to: &str| Route {
        matches: serde_yaml::from_str(matches).unwrap(),
        to: vec![to.into()],
        line: 7,
        ..Route::default()
    };
    let routes =
        vec![route("{ level: '>=error' }", "b"), Route { group: Some(group), ..route("{}", "a") }, route("{}", "lost")];
    let routing = Routing::new(routes, ["a".into(), "b".into()], jiff::tz::TimeZone::UTC);
    bench.input(Input::Routing(Arc::new(routing)));
    bench.push(10, "x", "v", 30.0);
    bench.advance_to(50);
    let explanation = explain(&bench, "high", Some("x"));
    let said: Vec<&Said> = explanation.stages.routes.iter().map(|route| &route.said).collect();
    let mismatch = Said::Mismatch { key: "level".into(), wants: ">=error".into(), saw: "warning".into() };
    assert_eq!(said, [&mismatch, &Said::Takes, &Said::NotAsked]);
    assert_eq!((explanation.stages.routes[0].number, explanation.stages.routes[0].line), (1, 7));
    assert_eq!(explanation.stages.routes[2].missing, ["lost".into()]);
    let until = time(100);
    assert_eq!(decision(&explanation, "a"), (Reach::Open, Decision::Hold(Hold::Group { until })));
    assert_eq!(explanation.stages.channels[0].group, Some([("rule".into(), "high".into())].into()));
}

#[test]
fn who_is_not_told_because_alerting_is_off_or_the_route_went_is_shown() {
    let mut bench = Bench::new(r#"rule("high", #{ on: "thing", when: |s| s.v > 10 });"#);
    bench.push(10, "a", "v", 30.0);
    bench.input(Input::Alerting(false));
    bench.push(20, "b", "v", 30.0);
    let explanation = explain(&bench, "high", Some("b"));
    assert!(!explanation.stages.alerting);
    assert_eq!(decision(&explanation, "a"), (Reach::Disabled, Decision::Hold(Hold::Disabled)));
    bench.input(Input::Routing(Arc::new(Routing::new(
        vec![Route { to: vec!["b".into()], ..Route::default() }],
        ["a".into(), "b".into()],
        jiff::tz::TimeZone::UTC,
    ))));
    let explanation = explain(&bench, "high", Some("a"));
    assert_eq!(decision(&explanation, "a").0, Reach::Unrouted);
    assert!(explanation.stages.channels[0].told.is_some(), "it was told, and gets the end");
}

#[test]
fn what_the_rule_does_not_concern_names_the_fields_that_there_are() {
    let mut bench = Bench::new(HIGH);
    bench.push(10, "a", "value", 3.0);
    let explanation = explain(&bench, "high", Some("a"));
    assert_eq!(explanation.fields, ["value".into()]);
    bench.gone(20, &["a"]);
    assert_eq!(explain(&bench, "high", Some("a")).evaluated.unwrap_err(), NotEvaluated::Gone);
}

#[test]
fn a_rule_that_ran_away_is_not_run_again_to_explain_it() {
    let mut bench = Bench::new(r#"rule("r", #{ on: "thing", when: |s| { loop {} } });"#);
    for second in 1..=3 {
        bench.push(second * 10, "a", "v", 3.0);
    }
    let explanation = explain(&bench, "r", Some("a"));
    assert!(matches!(explanation.evaluated, Err(NotEvaluated::Quarantined(_))));
    let until = explanation.fares.quarantined_until.unwrap();
    assert_eq!(explanation.next, [Next::Released(until)]);
    assert_eq!(explanation.fares.counts.error, 3);
}

#[test]
fn a_set_is_explained_by_its_groups_name_and_its_only_one_without() {
    let mut bench = Bench::new(
        r#"rule("all_high", #{ over: "thing", when: |s| s.avg("v") > 10 });
           rule("each_high", #{ over: "thing", by: ["name"], where: |s| s.v > 0, when: |s| s.avg("v") > 10 });"#,
    );
    bench.push(10, "a", "v", 3.0);
    bench.push(20, "b", "v", 5.0);
    let explanation = explain(&bench, "all_high", None);
    assert_eq!(explanation.subject, SubjectKey::new("thing", "all"));
    assert!(matches!(&explanation.seen, Seen::Set { members: 2, of_kind: 2, .. }));
    assert_eq!(explain(&bench, "each_high", Some("name=a")).subject.name, "name=a".into());
    let refused = ask(&bench, "each_high", Some("a")).unwrap_err();
    assert!(matches!(refused, Unexplained::NoSubject { member_of: Some(group), .. } if &*group == "name=a"));
}

#[test]
fn an_unknown_rule_or_subject_names_what_there_is() {
    let mut bench = Bench::new(HIGH);
    bench.push(10, "a", "v", 3.0);
    assert_eq!(ask(&bench, "hihg", None).unwrap_err(), Unexplained::NoRule { rules: vec!["high".into()] });
    let other = Snapshot { subject: SubjectKey::new("host", "web-1"), ..snapshot(10, "x", BTreeMap::new()) };
    bench.batch(vec![other]);
    let refused = ask(&bench, "high", Some("web-1")).unwrap_err();
    let Unexplained::NoSubject { names, other_kinds, member_of, .. } = refused else { panic!("{refused:?}") };
    assert_eq!((names, other_kinds, member_of), (vec!["a".into()], vec!["host".into()], None));
}

#[test]
fn a_survey_counts_verdicts_and_puts_the_pending_first() {
    let mut bench = Bench::new(r#"rule("high", #{ on: "thing", when: |s| s.v > 10, hold: "30s" });"#);
    bench.push(10, "late", "v", 30.0);
    bench.push(20, "near", "v", 9.0);
    bench.push(20, "other", "w", 9.0);
    bench.push(25, "later", "v", 30.0);
    let found = survey(&bench, "high");
    assert_eq!(found.verdicts, [(Kind::Fire, 2), (Kind::Clear, 1), (Kind::NotConcerned("v".into()), 1)]);
    assert_eq!((found.total(), found.states.get("pending")), (4, Some(&2)));
    let pending: Vec<(&str, Option<Time>)> =
        found.pending.iter().map(|near| (&*near.subject.name, near.until)).collect();
    assert_eq!(pending, [("late", Some(time(40))), ("later", Some(time(55)))]);
    assert_eq!(found.clear.len(), 1);
    bench.advance_to(60);
    let found = survey(&bench, "high");
    assert_eq!(found.firing.len(), 2);
}

#[test]
fn the_nearest_are_measured_by_their_comparisons_and_a_changed_rule_is_asked_again() {
    let mut bench = Bench::new(HIGH);
    bench.push(10, "near", "v", 9.0);
    bench.push(10, "far", "v", 1.0);
    let inside = Inside::of(&bench.engine.rule("high").unwrap());
    let targets = survey(&bench, "high").clear;
    let near = bench.engine.distances(Now::at(time(10)), &inside, &targets);
    let mut measured: Vec<(&str, String)> =
        near.iter().map(|near| (&*near.subject.name, near.distance.clone().unwrap().values)).collect();
    measured.sort();
    assert_eq!(measured, [("far", "1 > 10".to_string()), ("near", "9 > 10".to_string())]);
    bench.save(r#"rule("high", #{ on: "thing", when: |s| s.v > 20 });"#);
    let refused = bench.engine.explain(Now::at(time(10)), &inside, Some("near")).unwrap_err();
    assert_eq!(refused, Unexplained::RuleChanged);
}

#[test]
fn a_level_that_nothing_says_is_unknown_and_each_that_it_may_be_is_answered() {
    let mut bench = Bench::new(
        r#"rule("high", #{ on: "thing", when: #{ critical: |s| s.rate("v", "1m") > 90, error: |s| s.rate("v", "1m") > 50 } });"#,
    );
    bench.push(10, "a", "v", 3.0);
    let stages = explain(&bench, "high", Some("a")).stages;
    assert_eq!((stages.level, stages.routes.len()), (Err("it cannot be told whether it fires"), 0));
    let levels: Vec<Level> = stages.levels.iter().map(|at| at.level).collect();
    assert_eq!(levels, [Level::Critical, Level::Error]);
    bench.push(20, "a", "v", 3.0);
    assert_eq!(explain(&bench, "high", Some("a")).stages.level, Err("its condition is not true"));
}
