//! What the engine remembers stays bounded.

use super::*;

#[test]
fn of_ten_thousand_subjects_that_came_fired_ended_and_went_nothing_is_remembered() {
    let mut bench = Bench::new(
        r#"rule("hot", #{ on: "thing", when: |s| s.heat > 10, hold: "10s", keep: "10s", cooldown: "10m" });
           rule("group", #{ over: "thing", by: ["name"], when: |g| g.max("heat") > 10 });
           rule("quiet", #{ on: "thing", when: |s| s.cold > 1 });"#,
    );
    bench.delivers = false;
    const N: usize = 10_000;
    let at = |secs: i64, heat: f64| {
        let one = |n: usize| snapshot(secs, &format!("t{n}"), BTreeMap::from([("heat".into(), heat.into())]));
        (0..N).map(one).collect::<Vec<_>>()
    };
    for (secs, heat) in [(0, 20.0), (10, 20.0), (20, 1.0), (30, 1.0)] {
        bench.advance_to(secs);
        bench.batch(at(secs, heat));
    }
    // A raise by each of two rules of each subject; the ends wait for them.
    assert_eq!(bench.sent.len(), 2 * N);
    assert_eq!(bench.engine.in_flight().len(), 2 * N);
    // Half of the raises arrive before the subjects are forgotten, and half after.
    let ids: Vec<NotificationId> = bench.sent.iter().map(|sent| sent.id.clone()).collect();
    ids.iter().step_by(2).for_each(|id| bench.delivered(id.clone()));
    bench.advance_to(3 * 3600);
    assert!(bench.engine.world.is_empty());
    ids.iter().skip(1).step_by(2).for_each(|id| bench.delivered(id.clone()));
    assert_eq!(bench.sent.len(), 4 * N, "each raise has its end");
    let ends: Vec<NotificationId> = bench.sent[2 * N..].iter().map(|sent| sent.id.clone()).collect();
    ends.into_iter().for_each(|id| bench.delivered(id));
    let engine = &bench.engine;
    assert_eq!((engine.in_flight().len(), engine.deadlines.len()), (0, 0));
    assert!(engine.wakes.is_empty());
    let alerts: usize = engine.states.values().map(|state| state.alerts.keys().count()).sum();
    assert_eq!(alerts, 0);
}
