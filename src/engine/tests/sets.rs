//! What is known of sets from one input to the next: who belongs to them, and the numbers of their members.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

const RULES: &str = r#"
rule("average", #{ over: "thing", when: |g| g.avg("x") > 50 });
rule("spread", #{ over: "thing", by: ["region"], where: |s| s.labels.role != "test", when: |g| g.max("x") - g.min("x") > 60 });
rule("busy", #{ over: "thing", by: ["region"], where: |s| s.x > 20, when: |g| g.len() >= 3 || g.sum("y") > 100 });
rule("few", #{ over: "thing", when: |g| g.len() < 2 || g.stale() > 1, hold: "20s" });
rule("others", #{ on: "thing", when: |s| s.x > 2 * all("thing").avg("x") });
rule("middle", #{ over: "thing", no_data: "fire", when: |g| g.quantile("x", 0.5) > 80 });
"#;

/// One thing that happens, after so many seconds.
#[derive(Clone, Debug)]
enum Happening {
    /// Things report, by number; `x` is missing, a number, not finite or a text.
    Push(Vec<(u8, Option<Value>)>, u8),
    Gone(u8),
    Forget(u8),
    Pause(bool),
    Silence,
}

fn happening() -> impl Strategy<Value = Happening> {
    let value = prop_oneof![
        12 => (0_i32..100).prop_map(|number| Some(Value::Number(f64::from(number)))),
        1 => Just(None),
        1 => Just(Some(Value::Number(f64::NAN))),
        1 => Just(Some(Value::Text("much".into()))),
    ];
    prop_oneof![
        12 => (prop::collection::vec((0_u8..8, value), 1..4), 0_u8..12).prop_map(|(things, labels)| Happening::Push(things, labels)),
        1 => (0_u8..8).prop_map(Happening::Gone),
        1 => (0_u8..8).prop_map(Happening::Forget),
        1 => any::<bool>().prop_map(Happening::Pause),
        2 => Just(Happening::Silence),
    ]
}

fn thing(secs: i64, number: u8, labels: u8) -> Snapshot {
    // Mostly each has the labels of its number; now and then another one's.
    let of = if labels == 0 { number + 1 } else { number };
    let labels = [("region", ["eu", "us"][usize::from(of % 2)]), ("role", if of == 3 { "test" } else { "" })];
    let labels = labels.into_iter().map(|(label, value)| (label.into(), value.into())).collect();
    Snapshot {
        labels,
        ..snapshot(secs, &format!("t{number}"), BTreeMap::from([("y".into(), Value::Number(f64::from(number) * 9.0))]))
    }
}

fn input(secs: i64, happening: &Happening) -> Input {
    let batch = |snapshots| {
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(45) };
        Input::Batch(Batch { source, snapshots, complete: Vec::new() }.into())
    };
    let collectors = || Paused::Collectors(None);
    match happening {
        Happening::Push(things, labels) => batch(
            things
                .iter()
                .map(|(number, x)| {
                    let mut snapshot = thing(secs, *number, *labels);
                    snapshot.fields.extend(x.clone().map(|x| (Arc::from("x"), x)));
                    snapshot
                })
                .collect(),
        ),
        Happening::Gone(number) => batch(vec![Snapshot { gone: true, ..thing(secs, *number, 1) }]),
        Happening::Forget(number) => Input::Forget(SubjectKey::new("thing", format!("t{number}"))),
        Happening::Pause(true) => Input::Pause { what: collectors(), by: "anna".into(), comment: "".into() },
        Happening::Pause(false) => Input::Resume(collectors()),
        Happening::Silence => Input::Tick,
    }
}

#[test]
fn sets_say_the_same_whether_they_were_known_before_or_not() {
    let config = ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() };
    let story = prop::collection::vec((0_i64..25, happening()), 1..60);
    let (n_known, n_inputs) = (Cell::new(0), Cell::new(0));
    let outcome = TestRunner::new(config).run(&story, |story| {
        let (mut knowing, mut forgetful) = (Bench::new(RULES), Bench::new(RULES));
        let mut secs = 0;
        for (wait, happening) in &story {
            secs += if matches!(happening, Happening::Silence) { 3 * wait } else { *wait };
            let now = Now::at(time(secs));
            let membership = knowing.engine.world.membership("thing");
            let is_known = knowing.engine.sets.values().any(|known| known.is_so(membership, now));
            n_known.set(n_known.get() + usize::from(is_known));
            n_inputs.set(n_inputs.get() + 1);
            forgetful.engine.sets.clear();
            forgetful.engine.world_mut().forget_columns();
            let known = knowing.engine.step(now, input(secs, happening));
            let forgotten = forgetful.engine.step(now, input(secs, happening));
            prop_assert_eq!(known, forgotten, "at {} s", secs);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        n_known.get() * 4 > n_inputs.get(),
        "before {} of {} inputs is anything known",
        n_known.get(),
        n_inputs.get()
    );
}

#[test]
fn a_kind_that_was_forgotten_comes_back_with_its_own_members() {
    let mut bench =
        Bench::new(r#"rule("any", #{ over: "thing", where: |s| s.labels.role == "db", when: |g| g.len() > 0 });"#);
    let report = |bench: &mut Bench, name: &str, role: &str| {
        let labels = Labels::from([("role".into(), role.into())]);
        let one = Snapshot { labels, ..snapshot(bench.secs, name, BTreeMap::from([("x".into(), Value::Number(1.0))])) };
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(45) };
        bench.input(Input::Batch(Batch { source, snapshots: vec![one], complete: Vec::new() }.into()))
    };
    report(&mut bench, "a", "web");
    bench.input(Input::Forget(SubjectKey::new("thing", "a")));
    assert!(bench.events.is_empty());
    report(&mut bench, "b", "db");
    assert_eq!(bench.events.len(), 1, "b is a member: {:?}", bench.events);
}
