//! Large inputs are judged in parts.

use super::*;

const RULES: &str = r#"
rule("lowered", #{ on: "thing", when: |s| s.x > 90, clear: |s| s.x < 50, hold: "20s" });
rule("covers_some", #{ on: "thing", where: |s| s.y > 0, when: |s| s.avg("x", "1m") > 60 });
rule("interpreted", #{ on: "thing", when: |s| { let x = s.x; x > 95 } });
rule("fails", #{ on: "thing", when: |s| s.x > s.z });
rule("all", #{ over: "thing", when: |g| g.avg("x") > 50 });
"#;

/// One pass over many things: what they have moves, and some of them lack a field or have a text.
fn batch(pass: i64) -> Batch {
    let thing = |n: i64| {
        let x = (n * 7919 + pass * 104_729) % 101;
        let mut fields = BTreeMap::from([("x".into(), Value::Number(x as f64))]);
        if n % 3 == 0 {
            fields.insert("y".into(), Value::Number(((n + pass) % 7) as f64 - 3.0));
        }
        if n % 97 == 0 {
            fields.insert("z".into(), "text".into());
        }
        snapshot(pass * 10, &format!("t{n:05}"), fields)
    };
    let source = Source { name: "push".into(), stale_after: Duration::from_secs(60) };
    Batch { source, snapshots: (0..3000).map(thing).collect(), complete: vec!["thing".into()] }
}

#[test]
fn effects_are_the_same_for_any_number_of_threads() {
    let engines = [(1, crate::app::together as Together), (2, crate::app::together), (7, crate::app::together)];
    let told = engines.map(|(at_once, together)| {
        let mut bench = Bench::new(RULES);
        bench.engine.use_threads(at_once, together);
        let step = |pass| bench.engine.step(Now::at(time(pass * 10)), Input::Batch(batch(pass).into()));
        (1..8).map(step).collect::<Vec<Effects>>()
    });
    let [one, two, seven] = &told;
    assert!(one.iter().any(|effects| !effects.events.is_empty()) && one.iter().all(|e| e.evaluations > 12_000));
    assert!(one == two && two == seven);
}
