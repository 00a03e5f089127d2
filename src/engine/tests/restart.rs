//! What another engine makes of what was stored, where the rules are not what they were.

use super::*;
use crate::history::{Past, Threads};
use crate::model::{AlertNote, EventKind};

impl Bench {
    /// Another engine goes on from what was stored, at `secs`. It has routes and no rules yet.
    pub(super) fn restart(&mut self, secs: i64) -> Vec<String> {
        self.secs = secs;
        let piece = |(key, value): (&Arc<str>, &Arc<[u8]>)| SavedState { key: key.clone(), value: Some(value.clone()) };
        let (sequence, stopped) = self.last_step;
        // Windows that look back over a restart are not what is tested here.
        let past =
            Past { since: stopped, blocks: Box::new(std::iter::once(self.came.clone())), threads: Threads::default() };
        let resumed =
            Resumed { sequence, time: stopped, saved: self.saved.iter().map(piece).collect(), past: Some(past) };
        let (engine, problems) = Engine::resume(settings(), Now::at(time(secs)), resumed);
        self.engine = engine;
        let zone = jiff::tz::TimeZone::UTC;
        let route = crate::routing::Route { to: vec!["a".into()], ..Default::default() };
        let routing = Routing::new(vec![route], ["a".into(), "b".into()], zone).with_fallback(Some("b".into()));
        self.input(Input::Routing(Arc::new(routing)));
        problems
    }
}

const HOT: &str = r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, cooldown: "0s" });"#;

fn hot_bench() -> Bench {
    let mut bench = Bench::new(HOT);
    bench.push(0, "x", "heat", 20.0);
    assert_eq!(bench.log(), ["0 a: raised hot x warning"]);
    bench
}

#[test]
fn the_same_rules_after_a_restart_say_nothing_and_go_on() {
    let mut bench = hot_bench();
    assert_eq!(bench.restart(60), Vec::<String>::new());
    bench.save(HOT);
    assert_eq!(bench.sent.len(), 1);
    bench.push(70, "x", "heat", 1.0);
    assert_eq!(bench.log()[1..], ["70 a: recovered hot x warning"]);
    assert_eq!(bench.events[0].firing, bench.events[1].firing);
}

#[test]
fn a_rule_that_is_gone_after_a_restart_closes_its_alerts_with_what_was_remembered_of_it() {
    let mut bench = Bench::new(
        r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, labels: #{ team: "blue" }, runbook: "https://wiki/x" });"#,
    );
    bench.push(0, "x", "heat", 20.0);
    bench.restart(60);
    bench.save("");
    assert_eq!(bench.log()[1..], ["60 a: closed hot x warning (rule removed)"]);
    let note = &bench.sent[1].alerts[0];
    assert_eq!(
        (note.labels.get("team").map(|team| &**team), note.runbook.as_deref()),
        (Some("blue"), Some("https://wiki/x"))
    );
    assert!(bench.saved.keys().all(|key| !key.starts_with("alert ") && !key.starts_with("rule ")), "{:?}", bench.saved);
}

#[test]
fn a_rule_that_judges_something_else_after_a_restart_closes_its_alerts() {
    let mut bench = hot_bench();
    bench.restart(60);
    bench.save(r#"rule("hot", #{ over: "thing", when: |g| g.max("heat") > 10 });"#);
    assert_eq!(bench.log()[1..], ["60 a: closed hot x warning (rule changed)"]);
}

#[test]
fn a_condition_that_changed_judges_at_once_what_was_seen_before_the_restart() {
    let mut bench = hot_bench();
    bench.restart(60);
    bench.save(&HOT.replace("> 10", "> 30"));
    assert_eq!(bench.log()[1..], ["60 a: recovered hot x warning"]);
}

#[test]
fn what_comes_before_the_rules_do_is_judged_when_they_come() {
    let mut bench = hot_bench();
    bench.restart(60);
    bench.batch(vec![snapshot(60, "y", BTreeMap::from([("heat".into(), 50.0.into())]))]);
    bench.batch(vec![Snapshot { gone: true, ..snapshot(60, "x", BTreeMap::new()) }]);
    assert_eq!(bench.sent.len(), 1, "nobody can judge yet");
    bench.save(HOT);
    let mut told = bench.log()[1..].to_vec();
    told.sort();
    assert_eq!(told, ["60 a: closed hot x warning (gone)", "60 a: raised hot y warning"]);
}

#[test]
fn the_end_of_a_delivery_is_heard_before_the_rules_come() {
    let mut bench = Bench::new(HOT);
    bench.delivers = false;
    bench.push(0, "x", "heat", 20.0);
    bench.push(10, "x", "heat", 1.0);
    let raise = bench.sent[0].id.clone();
    bench.restart(60);
    assert_eq!(bench.engine.in_flight(), [raise.clone()].into());
    bench.delivered(raise);
    bench.save(HOT);
    assert_eq!(bench.log()[1..], ["60 a: recovered hot x warning"], "the end waited for the raise");
}

#[test]
fn a_piece_that_cannot_be_read_is_told_and_the_others_go_on() {
    let mut bench = hot_bench();
    bench.push(5, "y", "heat", 20.0);
    let key = bench.saved.keys().find(|key| key.starts_with("alert ") && key.contains("\"x\"")).unwrap().clone();
    bench.saved.insert(key, Arc::from(&b"{"[..]));
    let problems = bench.restart(60);
    assert_eq!(problems.len(), 1, "{problems:?}");
    bench.save(HOT);
    bench.push(70, "y", "heat", 1.0);
    assert_eq!(bench.log()[2..], ["70 a: recovered hot y warning"]);
}

#[test]
fn the_books_go_on_over_a_restart() {
    let mut bench = hot_bench();
    bench.restart(60);
    bench.save(HOT);
    bench.push(70, "x", "heat", 1.0);
    let books = bench.engine.books()[&ChannelName::from("a")];
    assert_eq!((books.owed, books.delivered, books.waiting), (2, 2, 0));
}

#[test]
fn a_dead_letter_is_told_to_the_fallback_channel_once_and_in_its_books() {
    let mut bench = Bench::new(HOT);
    bench.delivers = false;
    bench.push(0, "x", "heat", 20.0);
    let raise = bench.sent[0].clone();
    let letter = DeadLetter { notification: Arc::new(raise.clone()), reason: "the receiver answered 410".into() };
    let outcome = Outcome::Dead { letter: Some(Arc::new(letter)) };
    bench.input(Input::Delivered { notification: raise.id, outcome });
    assert_eq!(bench.log()[1..], ["0 b: raised hot x warning"]);
    let crate::model::Occasion::Undelivered(undelivered) = &bench.sent[1].occasion else { panic!("it says why") };
    assert_eq!((undelivered.channel.as_str(), undelivered.reason.as_str()), ("a", "the receiver answered 410"));
    bench.restart(10);
    bench.save(HOT);
    bench.delivered(bench.sent[1].id.clone());
    let books = bench.engine.books();
    assert_eq!((books[&ChannelName::from("a")].dead, books[&ChannelName::from("b")].delivered), (1, 1));
    assert!(books.values().all(Books::is_balanced));
}

/// A raise that was given up and is tried again.
fn revived() -> (Bench, Notification) {
    let mut bench = Bench::new(HOT);
    bench.delivers = false;
    bench.push(0, "x", "heat", 20.0);
    let raise = bench.sent[0].clone();
    bench.dead(raise.id.clone());
    bench.input(Input::Revived { notification: Arc::new(raise.clone()), ends: Vec::new() });
    (bench, raise)
}

#[test]
fn a_revived_notification_that_arrives_told_the_channel_of_the_firing() {
    let (mut bench, raise) = revived();
    let books = |bench: &Bench| bench.engine.books()[&ChannelName::from("a")];
    assert_eq!((books(&bench).dead, books(&bench).waiting), (0, 1));
    bench.restart(10);
    bench.save(HOT);
    bench.delivered(raise.id);
    assert_eq!((books(&bench).delivered, books(&bench).waiting), (1, 0));
    bench.push(20, "x", "heat", 1.0);
    assert_eq!(bench.log()[1..], ["20 a: recovered hot x warning"], "who was told gets the end");
}

#[test]
fn a_firing_that_ends_while_its_revived_raise_is_on_its_way_is_told_as_over_after_it() {
    for arrives in [true, false] {
        let (mut bench, raise) = revived();
        bench.push(20, "x", "heat", 1.0);
        assert_eq!(bench.sent.len(), 1, "the end waits for the raise");
        bench.restart(30);
        bench.save(HOT);
        if arrives {
            bench.delivered(raise.id);
            assert_eq!(bench.log()[1..], ["30 a: recovered hot x warning"]);
        } else {
            bench.dead(raise.id);
            assert_eq!(bench.sent.len(), 1, "who was told nothing gets no end");
        }
        assert!(bench.engine.books().values().all(Books::is_balanced));
    }
}

#[test]
fn a_raise_that_is_revived_after_its_end_is_followed_by_it() {
    let mut bench = Bench::new(HOT);
    bench.delivers = false;
    bench.push(0, "x", "heat", 20.0);
    let raise = bench.sent[0].clone();
    bench.dead(raise.id.clone());
    bench.push(20, "x", "heat", 1.0);
    let end = AlertNote { event: EventKind::Recovered, ended: Some(time(20)), ..raise.alerts[0].clone() };
    bench.input(Input::Revived { notification: Arc::new(raise.clone()), ends: vec![end] });
    bench.delivered(raise.id);
    assert_eq!(bench.log()[1..], ["20 a: recovered hot x warning"]);
    assert!(bench.engine.books().values().all(Books::is_balanced));
}
