use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::draw::draw;
use super::keys::{Meant, press};
use super::picture::Picture;
use super::poll::Wish;
use super::state::{Mode, Pane, State};
use crate::cli::Ui;
use crate::diagnostic::Colour;
use crate::model::Time;

fn time(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn alert(id: &str, rule: &str, level: &str, name: &str, since: &str) -> Value {
    json!({
        "id": id, "rule": rule, "kind": "host", "name": name, "state": "firing", "level": level, "since": since,
        "message": format!("{name} is busy"), "acknowledged": null, "silenced_by": [], "inhibited_by": null,
        "not_judged_since": null,
    })
}

/// What is seen at 10:00: two alerts fire.
fn alerts() -> Vec<Value> {
    vec![
        alert("f1", "cpu_high", "warning", "web-1", "2026-11-21T09:58:00Z"),
        alert("f2", "disk_full", "critical", "web-2", "2026-11-21T07:30:00Z"),
    ]
}

fn status(time: &str) -> Value {
    json!({
        "timestamp": time, "alert_enabled": true,
        "rules": {"total": 3, "quarantined": 0, "generation": 1, "pending": 1, "firing": 2},
        "channels": [], "collectors": [], "outbox": {"waiting": 3, "dead": 0, "oldest_waiting_seconds": 5, "durable": true},
        "paused": [], "silences": 1, "on_call": {}, "problems": [],
    })
}

fn picture_of(status: &Value, alerts: &[Value], cpu: f64) -> Picture {
    let subject = |kind: &str, name: &str, fields: Value, stale: bool| json!({"kind": kind, "name": name, "fields": fields, "age_seconds": 4.2, "stale": stale, "gone": false});
    let subjects = json!({"subjects": [
        subject("service", "shop-api", json!({"status": "running", "response_time_seconds": 0.254}), false),
        subject("host", "web-1", json!({"cpu_percent": cpu, "load1": 2}), false),
        subject("host", "web-2", json!({"cpu_percent": 3}), true),
        subject("network", "web-1:eth0", json!({"received_bytes": 48_200_000_000_u64}), false),
    ]});
    let rule = |name: &str, health: &str, firing: u64, not_lowered: Value| json!({"name": name, "health": health, "firing": firing, "pending": 0, "evaluations": 15_000, "problem": null, "not_lowered": not_lowered});
    let rules = json!({"rules": [
        rule("cpu_high", "ok", 1, Value::Null),
        rule("few_hosts", "quarantined", 0, "rules/host.rhai:7: it judges a set".into()),
        rule("disk_full", "ok", 1, Value::Null),
    ]});
    Picture::of(status, &json!({"alerts": alerts}), subjects, &rules)
}

fn picture(at: &str, alerts: &[Value]) -> Picture {
    picture_of(&status(at), alerts, 50.0)
}

fn state() -> State {
    State::new("http://127.0.0.1:8001".into(), TimeZone::UTC, picture("2026-11-21T10:00:00Z", &alerts()))
}

/// The screen at a time.
fn screen(state: &State, (width, height): (u16, u16), now: &str) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state, time(now), Colour::Off)).unwrap();
    let text = terminal.backend().to_string();
    let lines: Vec<&str> = text.lines().map(|line| line.trim_matches('"').trim_end()).collect();
    lines.join("\n")
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn type_keys(state: &mut State, keys: &str) -> Vec<Meant> {
    keys.chars().filter_map(|c| press(state, key(KeyCode::Char(c)))).collect()
}

#[test]
fn a_large_terminal_shows_all_panes() {
    let mut state = state();
    for (second, cpu) in [(2, 0.0), (4, 25.0), (6, 100.0)] {
        let at = format!("2026-11-21T10:00:0{second}Z");
        state.see(picture_of(&status(&at), &alerts(), cpu));
    }
    insta::assert_snapshot!(screen(&state, (110, 30), "2026-11-21T10:00:07Z"));
}

#[test]
fn the_usual_terminal_shows_all_panes_with_fewer_columns() {
    insta::assert_snapshot!(screen(&state(), (80, 24), "2026-11-21T10:00:01Z"));
}

#[test]
fn a_small_terminal_shows_the_pane_that_was_chosen() {
    let mut state = state();
    type_keys(&mut state, "3");
    insta::assert_snapshot!(screen(&state, (60, 10), "2026-11-21T10:00:01Z"));
}

#[test]
fn no_terminal_is_too_small() {
    let mut state = state();
    for mode in [Mode::Look, Mode::Filter { before: String::new() }, Mode::Help] {
        state.mode = mode;
        for pane in Pane::ALL {
            state.pane = pane;
            for (width, height) in (0..40).flat_map(|width| (0..20).map(move |height| (width, height))) {
                let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
                terminal.draw(|frame| draw(frame, &state, time("2026-11-21T10:00:01Z"), Colour::Off)).unwrap();
            }
        }
    }
    state.mode = Mode::Look;
    state.pane = Pane::Alerts;
    assert_eq!(screen(&state, (1, 1), "2026-11-21T10:00:01Z"), "…");
    assert_eq!(screen(&state, (20, 1), "2026-11-21T10:00:01Z"), "critical disk_full");
}

#[test]
fn a_daemon_that_is_lost_keeps_its_last_picture_and_is_taken_up_again() {
    let mut state = state();
    state.lose("nothing listens at http://127.0.0.1:8001".into());
    state.lose("nothing listens at http://127.0.0.1:8001".into());
    insta::assert_snapshot!(screen(&state, (80, 24), "2026-11-21T10:01:10Z"));
    state.see(picture("2026-11-21T10:02:00Z", &alerts()));
    assert_eq!(state.log.front().unwrap().said, "larum answers again, after 2m");
    assert_eq!(state.log.iter().filter(|line| line.said.starts_with("no answer")).count(), 1);
    assert!(screen(&state, (80, 24), "2026-11-21T10:02:00Z").contains("all is well"));
}

#[test]
fn what_is_wrong_with_the_daemon_stands_above_everything() {
    let mut document = status("2026-11-21T10:00:02Z");
    document["alert_enabled"] = false.into();
    document["problems"] = json!([{"severity": "error", "area": "rule", "place": "rules/a.rhai", "line": 5, "column": 9, "message": "unknown key `whn`", "hint": "did you mean `when`?"}]);
    let mut state = state();
    state.see(picture_of(&document, &alerts(), 50.0));
    let screen = screen(&state, (120, 24), "2026-11-21T10:00:02Z");
    assert_eq!(screen.lines().nth(1).unwrap(), "not well: alerting is off; 1 error (rules/a.rhai:5:9)");
    assert_eq!(state.log.front().unwrap().said, "error: rules/a.rhai:5:9: unknown key `whn` (did you mean `when`?)");
    state.see(picture("2026-11-21T10:00:04Z", &alerts()));
    assert!(state.log.front().unwrap().said.starts_with("no longer: rules/a.rhai:5:9"));
}

#[test]
fn the_log_tells_what_differs_between_two_looks() {
    let mut state = state();
    let mut next = alerts();
    next[0]["level"] = "error".into();
    next[0]["acknowledged"] = json!({"by": "anna"});
    next[1]["state"] = "recovering".into();
    next.push(alert("f3", "slow", "info", "web-3", "2026-11-21T10:00:01Z"));
    state.see(picture("2026-11-21T10:00:02Z", &next));
    let mut last = vec![next[0].clone(), next[1].clone()];
    last[0]["level"] = "warning".into();
    last[0]["acknowledged"] = Value::Null;
    last[0]["silenced_by"] = json!(["s1"]);
    last[1]["state"] = "firing".into();
    let mut document = status("2026-11-21T10:00:04Z");
    document["rules"]["generation"] = 2.into();
    state.see(picture_of(&document, &last, 50.0));
    let log: Vec<String> = state.log.iter().rev().map(|line| format!("{} {}", line.time, line.said)).collect();
    insta::assert_snapshot!(log.join("\n"), @"
    2026-11-21T10:00:00Z began to look: 2 alerts fire
    2026-11-21T10:00:02Z recovering: disk_full on host web-2
    2026-11-21T10:00:02Z escalated from warning to [error] cpu_high on host web-1: web-1 is busy
    2026-11-21T10:00:02Z acknowledged by anna: cpu_high on host web-1
    2026-11-21T10:00:02Z raised: [info] slow on host web-3: web-3 is busy
    2026-11-21T10:00:04Z rules are in force anew (generation 2)
    2026-11-21T10:00:04Z ended: slow on host web-3
    2026-11-21T10:00:04Z fires again: [critical] disk_full on host web-2: web-2 is busy
    2026-11-21T10:00:04Z eased from error to [warning] cpu_high on host web-1: web-1 is busy
    2026-11-21T10:00:04Z no longer acknowledged: cpu_high on host web-1
    2026-11-21T10:00:04Z silenced: cpu_high on host web-1
    ");
}

#[test]
fn what_is_chosen_stays_chosen_whatever_comes_before_it() {
    let mut state = state();
    type_keys(&mut state, "j");
    let mut more = alerts();
    more.push(alert("f0", "down", "critical", "web-9", "2026-11-21T10:00:01Z"));
    state.see(picture("2026-11-21T10:00:02Z", &more));
    assert_eq!(state.chosen(Pane::Alerts), 2);
    let wish = Wish::Acknowledge { id: "f1".into(), title: "cpu_high on host web-1".into() };
    assert_eq!(type_keys(&mut state, "a"), [Meant::Wish(wish)]);
    // What is gone leaves its place to its neighbour.
    state.see(picture("2026-11-21T10:00:04Z", &alerts()[1..]));
    assert_eq!(state.chosen(Pane::Alerts), 0);
}

#[test]
fn a_silence_asks_for_how_long_and_is_of_the_alert_that_was_chosen_then() {
    let mut state = state();
    assert_eq!(type_keys(&mut state, "s"), []);
    let foot = screen(&state, (80, 24), "2026-11-21T10:00:01Z");
    assert!(foot.ends_with("silence for 1h (1), 4h (4), 1d (d), any other key not: disk_full on host web-2"), "{foot}");
    state.see(picture("2026-11-21T10:00:02Z", &alerts()[..1]));
    let silence = |length| {
        Meant::Wish(Wish::Silence { rule: "disk_full".into(), kind: "host".into(), name: "web-2".into(), length })
    };
    assert_eq!(type_keys(&mut state, "4"), [silence("4h")]);
    assert_eq!(state.mode, Mode::Look);
    type_keys(&mut state, "s");
    assert_eq!(press(&mut state, key(KeyCode::Esc)), None);
    assert_eq!(state.mode, Mode::Look);
}

#[test]
fn what_people_did_about_an_alert_is_marked() {
    let mut marked = alerts();
    marked[1]["acknowledged"] = json!({"by": "anna"});
    marked[1]["silenced_by"] = json!(["s1"]);
    marked[0]["inhibited_by"] = json!({"rule": "host_down"});
    marked[0]["not_judged_since"] = "2026-11-21T09:59:00Z".into();
    let state = State::new(String::new(), TimeZone::UTC, picture("2026-11-21T10:00:00Z", &marked));
    let marks: Vec<String> = state.picture.alerts.iter().map(|alert| alert.marks()).collect();
    assert_eq!(marks, ["ack anna, silenced", "inhibited, not judged"]);
    assert!(screen(&state, (80, 24), "2026-11-21T10:00:01Z").contains(" ack anna, silenced "));
}

#[test]
fn keys_for_an_alert_say_what_is_missing() {
    let mut state = state();
    assert_eq!(type_keys(&mut state, "2a"), []);
    assert!(screen(&state, (80, 24), "2026-11-21T10:00:01Z").ends_with("press 1, and choose one"));
    let mut acknowledged = alerts();
    acknowledged[1]["acknowledged"] = json!({"by": "anna"});
    state.see(picture("2026-11-21T10:00:02Z", &acknowledged));
    assert_eq!(type_keys(&mut state, "1a"), []);
    assert_eq!(state.said, Some(Err("anna acknowledged it already; `larum ack --undo f2` takes it back".into())));
    state.see(picture("2026-11-21T10:00:04Z", &[]));
    assert_eq!(type_keys(&mut state, "as"), []);
    assert_eq!(state.said, Some(Err("no alert is chosen".into())));
}

#[test]
fn the_filter_is_seen_as_it_is_written_and_esc_takes_it_back() {
    let mut state = state();
    type_keys(&mut state, "/WEB-1");
    assert_eq!((state.rows(Pane::Alerts), state.rows(Pane::Subjects)), (vec![1], vec![0, 2]));
    insta::assert_snapshot!(screen(&state, (80, 24), "2026-11-21T10:00:01Z"));
    press(&mut state, key(KeyCode::Enter));
    // Keys move again, in what is left.
    assert_eq!(type_keys(&mut state, "jq"), [Meant::Quit]);
    assert!(screen(&state, (80, 24), "2026-11-21T10:00:01Z").contains("only `WEB-1` (Esc: all)"));
    type_keys(&mut state, "/x");
    assert!(screen(&state, (80, 24), "2026-11-21T10:00:01Z").contains("nothing has `WEB-1x` in it"));
    press(&mut state, key(KeyCode::Esc));
    assert_eq!(state.filter, "WEB-1");
    press(&mut state, key(KeyCode::Esc));
    assert_eq!((state.filter.as_str(), state.rows(Pane::Alerts).len()), ("", 2));
}

#[test]
fn keys_move_within_what_there_is() {
    let mut state = state();
    for (keys, pane, chosen) in [
        ("k", Pane::Alerts, 0),
        ("jjjj", Pane::Alerts, 1),
        ("2G", Pane::Subjects, 3),
        ("k", Pane::Subjects, 2),
        ("g", Pane::Subjects, 0),
    ] {
        type_keys(&mut state, keys);
        assert_eq!((state.pane, state.chosen(pane)), (pane, chosen), "{keys}");
    }
    press(&mut state, key(KeyCode::BackTab));
    press(&mut state, key(KeyCode::BackTab));
    assert_eq!(state.pane, Pane::Log);
    press(&mut state, key(KeyCode::Tab));
    press(&mut state, key(KeyCode::Tab));
    assert_eq!((state.pane, state.chosen(Pane::Subjects)), (Pane::Subjects, 0));
    press(&mut state, key(KeyCode::PageDown));
    assert_eq!(state.chosen(Pane::Subjects), 3);
    assert_eq!(press(&mut state, KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Meant::Quit));
}

#[test]
fn whoever_looks_at_the_newest_of_the_log_sees_what_is_newer_and_others_keep_their_line() {
    let mut state = state();
    state.see(picture("2026-11-21T10:00:02Z", &alerts()[..1]));
    assert_eq!((state.chosen(Pane::Log), state.log.len()), (0, 2));
    type_keys(&mut state, "4j");
    state.see(picture("2026-11-21T10:00:04Z", &alerts()));
    assert_eq!((state.chosen(Pane::Log), state.log.len()), (2, 3));
}

#[test]
fn the_help_names_the_keys_and_any_key_closes_it() {
    let mut state = state();
    type_keys(&mut state, "?");
    insta::assert_snapshot!(screen(&state, (80, 24), "2026-11-21T10:00:01Z"));
    type_keys(&mut state, "x");
    assert_eq!(state.mode, Mode::Look);
}

#[test]
fn a_pane_alone_has_the_columns_for_which_others_left_no_room() {
    let mut state = state();
    type_keys(&mut state, "3z");
    insta::assert_snapshot!(screen(&state, (100, 16), "2026-11-21T10:00:01Z"));
}

#[test]
fn texts_of_strangers_do_not_control_the_terminal() {
    let mut hostile = alerts();
    hostile[0]["message"] = "a\u{1b}[2J\nb\u{202e}c".into();
    hostile[0]["name"] = "\u{9b}31mweb".into();
    let state = State::new("http://127.0.0.1:8001".into(), TimeZone::UTC, picture("2026-11-21T10:00:00Z", &hostile));
    let screen = screen(&state, (120, 24), "2026-11-21T10:00:01Z");
    assert!(!screen.chars().any(|c| c.is_control() && c != '\n'), "{screen:?}");
    assert!(screen.contains("a[2J bc") && screen.contains("host 31mweb"), "{screen}");
}

#[test]
fn colours_are_there_only_where_the_terminal_takes_them() {
    let has_colour = |colour: Colour| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &state(), time("2026-11-21T10:00:01Z"), colour)).unwrap();
        let cells = &terminal.backend().buffer().content;
        cells.iter().any(|cell| cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset)
    };
    assert_eq!((has_colour(Colour::On), has_colour(Colour::Off)), (true, false));
}

#[test]
fn where_nothing_can_be_drawn_it_says_what_to_do_instead() {
    let (mut ui, captured) = Ui::captured();
    let code = crate::cli::run(["larum", "top"].map(OsString::from), &mut ui);
    assert_eq!((code, captured.out().as_str()), (ExitCode::from(2), ""));
    let err = captured.err();
    assert!(err.contains("standard output is none") && err.contains("hint: `larum status` says the same"), "{err}");
}

#[test]
fn ages_go_on_while_nothing_is_heard() {
    let mut state = state();
    type_keys(&mut state, "2z");
    let shown =
        |after: u64| screen(&state, (80, 10), &(time("2026-11-21T10:00:00Z") + Duration::from_secs(after)).to_string());
    assert!(shown(0).contains(" 4s ") && shown(60).contains(" 1m "), "{}", shown(60));
}
