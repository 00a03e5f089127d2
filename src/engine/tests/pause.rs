//! Rules and collectors that are left alone for a while.

use super::*;

const HOT: &str = r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, hold: "1m", cooldown: "0s", repeat: "30m" });"#;

fn rule(name: &str) -> Paused {
    Paused::Rules(Some(name.into()))
}

fn pushes() -> Paused {
    Paused::Collectors(Some("push".into()))
}

impl Bench {
    fn pause(&mut self, secs: i64, what: Paused) {
        self.advance_to(secs);
        self.input(Input::Pause { what, by: "anna".into(), comment: "".into() });
    }

    fn resume(&mut self, secs: i64, what: Paused) {
        self.advance_to(secs);
        self.input(Input::Resume(what));
    }
}

#[test]
fn a_paused_rule_judges_nothing_and_its_timers_stand_still() {
    let mut bench = Bench::new(HOT);
    bench.push(0, "x", "heat", 20.0);
    bench.pause(30, rule("hot"));
    bench.push(120, "x", "heat", 1.0);
    bench.push(130, "x", "heat", 20.0);
    assert_eq!(bench.engine.alert(&"hot".into(), "x").unwrap().state(), "pending");
    bench.resume(200, rule("hot"));
    bench.advance_to(229);
    assert_eq!(bench.log(), [""; 0]);
    bench.advance_to(230);
    assert_eq!(bench.log(), ["230 a: raised hot x warning"], "30 s before the pause, and 30 s after it");
}

#[test]
fn what_fires_stays_as_it_is_and_is_reminded_of_while_its_rule_is_paused() {
    let mut bench = Bench::new(HOT);
    bench.push(0, "x", "heat", 20.0);
    bench.keep(120, "x", "heat", 20.0);
    bench.pause(130, Paused::Rules(None));
    bench.keep(1900, "x", "heat", 1.0);
    assert_eq!(bench.log(), ["60 a: raised hot x warning", "1860 a: reminded hot x warning"]);
    let since = bench.sent[1].alerts[0].not_judged_since;
    assert_eq!(since, Some(time(130)), "the reminder says that nobody looks");
    bench.resume(1910, Paused::Rules(None));
    assert_eq!(bench.log()[2..], ["1910 a: recovered hot x warning"], "it is judged at once");
}

#[test]
fn what_is_gone_is_closed_though_its_rule_is_paused() {
    let mut bench = Bench::new(HOT);
    bench.push(0, "x", "heat", 20.0);
    bench.advance_to(60);
    bench.pause(70, rule("hot"));
    bench.gone(80, &["x"]);
    assert_eq!(bench.log()[1..], ["80 a: closed hot x warning (gone)"]);
}

#[test]
fn a_pause_of_a_rule_outlasts_its_reload_and_a_restart() {
    let mut bench = Bench::new(HOT);
    bench.push(0, "x", "heat", 1.0);
    bench.pause(10, rule("hot"));
    bench.save(&HOT.replace("10", "15"));
    bench.restart(20);
    bench.save(&HOT.replace("10", "15"));
    bench.keep(300, "x", "heat", 20.0);
    assert_eq!(bench.log(), [""; 0]);
    assert_eq!(bench.engine.pause_of_rule(&"hot".into()).map(|pause| pause.since), Some(time(10)));
    bench.resume(310, Paused::Rules(None));
    assert!(bench.engine.pauses().is_empty(), "to resume all also resumes single ones");
    bench.advance_to(370);
    assert_eq!(bench.log(), ["370 a: raised hot x warning"]);
}

#[test]
fn subjects_of_a_paused_collector_are_not_held_to_be_silent() {
    let mut bench = Bench::new(
        r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10 });
           rule("old", #{ on: "thing", when: |s| s.age > 120, cooldown: "0s" });"#,
    );
    bench.push(0, "x", "heat", 20.0);
    bench.pause(60, pushes());
    bench.advance_to(3000);
    assert_eq!(bench.log(), ["0 a: raised hot x warning"], "no `no data since ..`, and nothing is old");
    let refused = bench.push(3000, "x", "heat", 1.0).report.refused;
    assert_eq!(refused[0].1.to_string(), "the source `push` is paused: nothing of it is taken until it is resumed");
    bench.resume(3010, pushes());
    bench.push(3020, "x", "heat", 20.0);
    bench.advance_to(3139);
    assert_eq!(bench.log().len(), 1);
    bench.advance_to(3150);
    assert_eq!(bench.log()[1..], ["3150 a: raised old x warning"], "two minutes after the pause, at a tick");
}

#[test]
fn who_was_fresh_at_the_pause_turns_stale_anew_after_it_and_no_timer_ends_meanwhile() {
    let mut bench = Bench::new(HOT);
    bench.push(0, "x", "heat", 20.0);
    bench.pause(30, pushes());
    bench.advance_to(1000);
    assert_eq!(bench.engine.alert(&"hot".into(), "x").unwrap().state(), "pending", "a minute did not count");
    bench.resume(1000, pushes());
    let id = bench.engine.world().find("thing", "x").unwrap();
    bench.advance_to(1299);
    assert!(!bench.engine.world().is_stale(id, Now::at(time(1299))));
    bench.advance_to(1300);
    assert!(bench.engine.world().is_stale(id, Now::at(time(1300))));
}

#[test]
fn a_pause_of_a_collector_outlasts_a_restart_and_what_it_watches_is_not_forgotten() {
    let mut bench = Bench::new(r#"rule("old", #{ on: "thing", when: |s| s.age > 1000, cooldown: "0s" });"#);
    bench.push(0, "x", "heat", 20.0);
    bench.pause(60, Paused::Collectors(None));
    bench.restart(500);
    bench.save(r#"rule("old", #{ on: "thing", when: |s| s.age > 1000, cooldown: "0s" });"#);
    bench.advance_to(5 * 3600);
    let id = bench.engine.world().find("thing", "x").expect("it is not forgotten");
    assert!(!bench.engine.world().is_stale(id, Now::at(time(5 * 3600))));
    bench.resume(5 * 3600, Paused::Collectors(None));
    // 60 s before the pause count, and what comes after.
    assert_eq!(bench.engine.world().age(id, Now::at(time(5 * 3600))).ok(), None, "it was not heard of yet");
    bench.advance_to(5 * 3600 + 300);
    assert_eq!(bench.engine.world().age(id, Now::at(time(5 * 3600 + 300))).ok(), Some(360.0));
    assert_eq!(bench.log(), [""; 0]);
}

#[test]
fn a_set_with_a_paused_collector_is_no_data() {
    let mut bench = Bench::new(r#"rule("few", #{ over: "thing", when: |g| g.len() < 2, cooldown: "0s" });"#);
    bench.push(0, "x", "heat", 1.0);
    bench.batch(vec![snapshot(0, "y", BTreeMap::from([("heat".into(), 1.0.into())]))]);
    assert_eq!(bench.log()[1..], ["0 a: recovered few all warning"], "there was none, and then one, at first");
    bench.pause(60, pushes());
    bench.advance_to(3000);
    assert_eq!(bench.log().len(), 2);
}
