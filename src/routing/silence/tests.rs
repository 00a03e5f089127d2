//! What a silence does at each time, and which plans make one.

use proptest::prelude::*;

use super::*;
use crate::model::{Labels, Level, RuleName, SubjectKey};

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

const NOON: &str = "2026-11-20T12:00:00Z";

fn matches(yaml: &str) -> Matchers {
    serde_yaml::from_str(yaml).unwrap()
}

fn plan() -> Plan {
    Plan {
        matches: matches("{ rule: cpu_* }"),
        length: Some(Duration::from_secs(7_200)),
        author: "ana".to_string(),
        ..Plan::default()
    }
}

fn weekly(windows: &str, zone: &str) -> Option<Recurrence> {
    Some(Recurrence { windows: windows.parse().unwrap(), zone: TimeZone::get(zone).unwrap() })
}

fn made(plan: Plan) -> Silence {
    Silence::plan(plan, SilenceId::from("s1"), at(NOON)).unwrap()
}

#[test]
fn a_plan_without_a_begin_holds_from_now_on() {
    let silence = made(plan());
    assert_eq!((silence.from, silence.until), (at(NOON), Some(at("2026-11-20T14:00:00Z"))));
    assert_eq!(silence.created, at(NOON));
}

#[test]
fn a_plan_that_makes_no_sense_makes_no_silence() {
    let (noon, eleven) = (at(NOON), at("2026-11-20T11:00:00Z"));
    let later = at("2026-11-21T12:00:00Z");
    let cases = [
        (Plan { matches: Matchers::default(), ..plan() }, PlanError::NoCondition),
        (Plan { length: None, ..plan() }, PlanError::NoEnd),
        (Plan { until: Some(later), ..plan() }, PlanError::TwoEnds),
        (Plan { length: None, until: Some(noon), ..plan() }, PlanError::Past { until: noon }),
        (Plan { length: None, until: Some(eleven), ..plan() }, PlanError::Past { until: eleven }),
        (
            Plan { from: Some(later), until: Some(later), length: None, ..plan() },
            PlanError::EndsBefore { from: later, until: later },
        ),
        (Plan { length: Some(Duration::MAX), ..plan() }, PlanError::TooLong),
        (Plan { author: " \t".to_string(), ..plan() }, PlanError::NoAuthor),
        (Plan { author: "a".repeat(201), ..plan() }, PlanError::TextTooLong { what: "author", max: 200 }),
        (Plan { comment: "c".repeat(2_001), ..plan() }, PlanError::TextTooLong { what: "comment", max: 2_000 }),
    ];
    for (plan, expected) in cases {
        assert_eq!(Silence::plan(plan, SilenceId::from("s1"), noon), Err(expected.clone()));
        assert!(!expected.hint().is_empty());
    }
}

#[test]
fn only_a_recurring_silence_may_have_no_end() {
    let silence = made(Plan { length: None, recurs: weekly("Sat 22:00-23:00", "UTC"), ..plan() });
    assert_eq!(silence.ends(), None);
}

#[test]
fn a_silence_covers_from_its_begin_to_just_before_its_end() {
    let silence = made(Plan { from: Some(at("2026-11-20T13:00:00Z")), ..plan() });
    let cases = [
        ("2026-11-20T12:59:59.999999Z", SilenceState::Planned, Some("2026-11-20T13:00:00Z")),
        ("2026-11-20T13:00:00Z", SilenceState::Active, Some("2026-11-20T15:00:00Z")),
        ("2026-11-20T14:59:59.999999Z", SilenceState::Active, Some("2026-11-20T15:00:00Z")),
        ("2026-11-20T15:00:00Z", SilenceState::Ended, None),
    ];
    for (wall, state, next) in cases {
        assert_eq!((silence.state(at(wall)), silence.next_change(at(wall))), (state, next.map(at)), "{wall}");
    }
}

#[test]
fn a_recurring_silence_covers_in_its_windows_of_its_zone() {
    // Berlin leaves summer time on 2026-10-25: 22:00 there is 20:00 UTC before, and 21:00 UTC after.
    let recurs = weekly("Sat,Sun 22:00-23:00", "Europe/Berlin");
    let plan = Plan { from: Some(at("2026-10-20T00:00:00Z")), length: None, recurs, ..plan() };
    let silence = Silence::plan(plan, SilenceId::from("s1"), at("2026-10-20T00:00:00Z")).unwrap();
    let cases = [
        ("2026-10-24T19:59:00Z", SilenceState::Waiting, "2026-10-24T20:00:00Z"),
        ("2026-10-24T20:00:00Z", SilenceState::Active, "2026-10-24T21:00:00Z"),
        ("2026-10-25T20:30:00Z", SilenceState::Waiting, "2026-10-25T21:00:00Z"),
        ("2026-10-25T21:30:00Z", SilenceState::Active, "2026-10-25T22:00:00Z"),
    ];
    for (wall, state, next) in cases {
        assert_eq!((silence.state(at(wall)), silence.next_change(at(wall))), (state, Some(at(next))), "{wall}");
    }
}

#[test]
fn a_silence_that_a_person_ended_is_over_from_then_on() {
    let ended = Expired { at: at("2026-11-20T12:30:00Z"), by: "bo".into() };
    let silence = Silence { expired: Some(ended), ..made(plan()) };
    assert_eq!(silence.state(at("2026-11-20T12:29:59Z")), SilenceState::Active);
    assert_eq!(silence.state(at("2026-11-20T12:30:00Z")), SilenceState::Ended);
    assert_eq!(silence.ends(), Some(at("2026-11-20T12:30:00Z")));
}

#[test]
fn a_silence_is_remembered_as_it_was() {
    let recurs = weekly("Mon-Fri 22:00-06:00", "Asia/Shanghai");
    let expired = Some(Expired { at: at(NOON), by: "bo".into() });
    let silence = Silence { expired, ..made(Plan { recurs, comment: "moving \"house\"\n\u{202e}".into(), ..plan() }) };
    let text = serde_json::to_string(&silence).unwrap();
    assert_eq!(serde_json::from_str::<Silence>(&text).unwrap(), silence);
}

#[test]
fn an_alert_is_covered_by_every_active_silence_that_matches_it() {
    let noon = at(NOON);
    let silence = |id: &str, yaml: &str, from: Option<&str>| {
        let plan = Plan { matches: matches(yaml), from: from.map(at), ..plan() };
        Silence::plan(plan, SilenceId::from(id), noon).unwrap()
    };
    let mut silences = Silences::default();
    assert!(silences.is_quiet() && silences.is_empty());
    silences.put(silence("a", "{ rule: cpu_* }", None), noon);
    silences.put(silence("b", "{ rule: disk_* }", None), noon);
    silences.put(silence("c", "{ level: '>=error' }", None), noon);
    silences.put(silence("d", "{ kind: host }", Some("2026-11-20T13:00:00Z")), noon);
    let (rule, subject, labels) = (RuleName::from("cpu_high"), SubjectKey::new("host", "web-1"), Labels::new());
    let facts = Facts { rule: &rule, level: Level::Error, subject: &subject, labels: &labels, notify: None };
    let covered = silences.covering(&facts, noon);
    assert_eq!(covered.by, [SilenceId::from("a"), SilenceId::from("c")]);
    assert_eq!(covered.changes_at, Some(at("2026-11-20T13:00:00Z")), "the planned one begins");
    assert_eq!((silences.len(), silences.active(noon)), (4, 3));
}

#[test]
fn silences_that_ended_are_kept_up_to_a_time_and_a_number() {
    let mut silences = Silences::default();
    for hours in 1..=5u64 {
        let plan = Plan { length: Some(Duration::from_secs(3_600 * hours)), ..plan() };
        silences.put(Silence::plan(plan, SilenceId::from(format!("s{hours}")), at(NOON)).unwrap(), at(NOON));
    }
    let wall = at("2026-11-20T16:30:00Z");
    let ids = |gone: Vec<SilenceId>| gone.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ids(silences.sweep(wall, at("2026-11-20T13:30:00Z"), 10)), ["s1"], "it was over before the horizon");
    assert_eq!(ids(silences.sweep(wall, at(NOON), 2)), ["s2"], "two of those that ended are kept");
    assert_eq!((silences.len(), silences.active(wall)), (3, 1));
    assert!(silences.get(&SilenceId::from("s3")).is_some() && silences.get(&SilenceId::from("s1")).is_none());
}

proptest! {
    /// The engine asks a silence again only at `next_change`: before it nothing may change, and at it something does.
    #[test]
    fn between_two_changes_the_state_stands_still(
        from_hours in 0..400i64, length in prop::option::of(1..800i64), at_minutes in 0..60_000i64,
        windows in prop::sample::select(vec!["", "Sat,Sun", "Mon-Fri 09:00-18:00", "22:00-06:00", "Sun 01:30-03:30"]),
        zone in prop::sample::select(vec!["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"]),
        ended in prop::option::of(0..900i64),
    ) {
        let start = at("2026-10-20T00:00:00Z");
        let hours = |n: i64| start + Duration::from_secs(3_600 * n.unsigned_abs());
        let recurs = if windows.is_empty() { None } else { weekly(windows, zone) };
        let until = length.map(|length| hours(from_hours + length));
        prop_assume!(until.is_some() || recurs.is_some());
        let silence = Silence {
            from: hours(from_hours), until, recurs,
            expired: ended.map(|n| Expired { at: hours(n), by: "bo".into() }),
            ..made(plan())
        };
        let wall = start + Duration::from_secs(60 * at_minutes.unsigned_abs());
        let state = silence.state(wall);
        match silence.next_change(wall) {
            None => prop_assert!(state == SilenceState::Ended || silence.recurs.is_some()),
            Some(change) => {
                prop_assert!(change > wall);
                prop_assert_ne!(silence.state(change), state, "at {}", change);
                let between = (change.as_micros() - wall.as_micros()) / 7;
                for step in 0..7 {
                    let time = Time::from_micros(wall.as_micros() + between * step);
                    prop_assert_eq!(silence.state(time), state, "at {}", time);
                }
            }
        }
    }
}
