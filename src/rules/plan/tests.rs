//! Plans against the interpreter: the same verdict, the same values read, for any closure and any data.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::history::{Batch, Limits, Source};
use crate::model::{Snapshot, SubjectKey, Time};
use crate::rules::loader::{Loader, Settings};
use crate::rules::{Condition, Context, Judgement, Rule, StepBudget, Target, Verdict};

fn load(text: &str) -> Arc<Rule> {
    let mut loader = Loader::new("rules", Settings::default(), BTreeMap::new());
    let report = loader.update(Time::EPOCH, Ok(BTreeMap::from([(Arc::from("f.rhai"), Ok(Arc::from(text)))])));
    let rule = report.rules.rules.values().next().cloned();
    rule.unwrap_or_else(|| panic!("{text}\n{:?}", report.diagnostics))
}

fn rule(takes: &str, when: &str, clear: &str) -> Arc<Rule> {
    load(&format!(
        "let limit = 0.3; let label = \"eu\"; let span = \"20s\";\n\
         rule(\"r\", #{{ on: \"service\", where: |s| {takes}, when: |s| {when}, clear: |s| {clear} }});"
    ))
}

/// Fields of a service over five snapshots; `None` is a snapshot without the field.
type Data = BTreeMap<&'static str, [Option<Value>; 5]>;

fn context(data: &Data, is_gone: bool, late_secs: i64) -> Context {
    let at = |secs: i64| Now::at(Time::from_micros((1_795_255_200 + secs) * 1_000_000));
    let mut world = World::new(Limits::default(), jiff::tz::TimeZone::UTC, at(-100));
    for step in 0..5 {
        let field = |(name, values): (&&'static str, &[Option<Value>; 5])| {
            Some((Arc::from(*name), values.get(step as usize)?.clone()?))
        };
        let snapshot = Snapshot {
            subject: SubjectKey::new("service", "a"),
            time: at(step * 10).time,
            labels: BTreeMap::from([("region".into(), "eu".into())]),
            fields: data.iter().filter_map(field).collect(),
            gone: is_gone && step == 4,
        };
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(60) };
        world.ingest(at(step * 10), &Batch { source, snapshots: vec![snapshot], complete: Vec::new() });
    }
    let subject = world.find("service", "a").expect("it was pushed");
    Context {
        world: Arc::new(world),
        now: at(40 + late_secs),
        target: Target::Subject(subject),
        zone: jiff::tz::TimeZone::UTC,
        budget: Arc::new(StepBudget::default()),
    }
}

/// Judges both ways. Says whether the plan had an answer.
fn compare_ways(rule: &Rule, context: &Context, on: bool) -> Result<bool, String> {
    let interpreted = rule.judge_by_interpreter(context, &[on]);
    let Target::Subject(subject) = context.target else { return Err("not a subject".into()) };
    let at_rest = rule.at_rest(&context.world, subject, context.now, &mut Scratch::default());
    let expected = match &interpreted.verdict {
        Verdict::Conditions(conditions) if !conditions.contains(&Condition::Fire) => Some(AtRest::Clear),
        Verdict::Excluded => Some(AtRest::Excluded),
        Verdict::NotConcerned { .. } => Some(AtRest::NotConcerned),
        Verdict::Conditions(_) | Verdict::NoData(_) | Verdict::Error(_) => None,
    };
    // An alert that is at rest is not on: `clear` is not asked.
    if !on && at_rest.is_some() && at_rest != expected {
        return Err(format!("at rest: {at_rest:?}\ninterpreter: {interpreted:?}"));
    }
    // Written out, so that values which are not equal to themselves are.
    let shown = |judgement: &Judgement| format!("{judgement:?}");
    match rule.judge_by_plan(context, &[on]) {
        Some(planned) if shown(&planned) == shown(&interpreted) => Ok(true),
        Some(planned) => Err(format!("plan: {planned:?}\ninterpreter: {interpreted:?}")),
        None => Ok(false),
    }
}

fn value() -> impl Strategy<Value = Option<Value>> {
    let number = prop_oneof![
        6 => prop::sample::select(vec![
            0.0, -0.0, 1.0, -1.0, 0.1, 0.3, 0.1 + 0.2, 2.0, 5.0, 1e308, -1e308, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY,
            9_007_199_254_740_993.0, 0.3_f64.next_up(), 0.3_f64.next_down(),
        ]),
        1 => any::<f64>(),
    ];
    prop_oneof![
        10 => number.prop_map(|number| Some(Value::Number(number))),
        1 => Just(None),
        1 => prop::sample::select(vec!["eu", "x", ""]).prop_map(|text| Some(Value::Text(text.into()))),
        1 => any::<bool>().prop_map(|bool| Some(Value::Bool(bool))),
    ]
}

fn data() -> impl Strategy<Value = Data> {
    let field = || prop::array::uniform5(value());
    (field(), field(), field()).prop_map(|(a, b, c)| BTreeMap::from([("a", a), ("b", b), ("name", c)]))
}

fn windows() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["\"25s\"", "\"1m\"", "window(\"20s\", \"10s\")", "today()", "span", "\"2h\"", "day(0)"])
}

/// An expression that is mostly a number.
fn number() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        12 => prop::sample::select(vec!["s.a", "s.b", "s[\"name\"]", "s.never"]).prop_map(String::from),
        6 => prop::sample::select(vec!["0", "1", "0.3", "-2.5", "5", "9007199254740993", "limit", "0.0"]).prop_map(String::from),
        9 => (prop::sample::select(WindowFn::PLAIN.to_vec()), windows())
            .prop_map(|(function, window)| format!("s.{}(\"a\", {window})", function.as_str())),
        2 => (prop::sample::select(vec!["0", "1", "0.5", "limit", "0.9", "0.25", "0.99", "2"]), windows())
            .prop_map(|(share, window)| format!("s.quantile(\"a\", {share}, {window})")),
        3 => (windows(), prop::sample::select(vec!["0s", "1h", "90s"]))
            .prop_map(|(window, ahead)| format!("s.forecast(\"a\", {window}, \"{ahead}\")")),
        1 => prop::sample::select(vec!["s.name", "s.labels.region", "label", "\"eu\"", "true", "s.age"]).prop_map(String::from),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            8 => (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/", "%", "**"]), inner.clone())
                .prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            2 => inner.clone().prop_map(|a| format!("(-({a}))")),
            1 => (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("(if {a} > 0 {{ {b} }} else {{ {c} }})")),
        ]
    })
}

/// An expression that is mostly true or false.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => (number(), prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]), number())
            .prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
        1 => prop::sample::select(vec![
            "s.labels.region == label", "s.labels[\"none\"] == \"\"", "s.has(\"b\")", "s.name < \"b\"", "true", "s.a",
            "s.kind == \"service\"",
        ]).prop_map(String::from),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 2..4), prop::sample::select(vec![" && ", " || "]))
                .prop_map(|(parts, operator)| format!("({})", parts.join(operator))),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

#[test]
fn a_plan_says_what_the_interpreter_says() {
    let config = ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() };
    let takes = prop_oneof![2 => Just("true".to_string()), 1 => condition()];
    let late = prop::sample::select(vec![0_i64, 0, 0, 30, 70]);
    let story = (condition(), condition(), takes, data(), any::<bool>(), prop::bool::weighted(0.1), late);
    let (n_planned, n_lowered, n_verdicts) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let outcome = TestRunner::new(config).run(&story, |(when, clear, takes, data, on, is_gone, late)| {
        let rule = rule(&takes, &when, &clear);
        let context = context(&data, is_gone, late);
        let planned = compare_ways(&rule, &context, on).map_err(|difference| {
            TestCaseError::fail(format!("where {takes}\nwhen {when}\nclear {clear}\n{difference}"))
        })?;
        n_planned.set(n_planned.get() + usize::from(planned));
        n_lowered.set(n_lowered.get() + usize::from(rule.not_lowered().is_none()));
        n_verdicts.set(n_verdicts.get() + 1);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    // What is left to the interpreter is an error, mostly: text against a number.
    let (planned, lowered, verdicts) = (n_planned.get(), n_lowered.get(), n_verdicts.get());
    assert!(
        planned * 2 > verdicts && lowered * 2 > verdicts,
        "of {verdicts} {planned} were planned and {lowered} lowered"
    );
}

#[test]
fn what_is_simple_is_lowered_and_what_is_not_is_left_to_the_interpreter() {
    let lowered = |when: &str| {
        load(&format!("let limit = 0.3; rule(\"r\", #{{ on: \"service\", when: {when} }});")).program.when[0]
            .plan
            .is_ok()
    };
    for when in [
        "|s| s.error_rate > limit",
        "|s| s.rate(\"failed\", \"5m\") / s.rate(\"total\", \"5m\") > 0.5 && !(s[\"name\"] == 1)",
        "|s| (s.x - s.avg(\"x\", \"5m\")) / s.stddev(\"x\", \"5m\") > 3",
        "|s| s.labels.region == \"eu\" && s.status != \"running\" || s.has(\"x\")",
        "|s| s.max(\"x\", today()) > -limit",
        "|s| if s.x > 1 { true } else if s.x < 0 { false } else { s.y }",
        "|s| { (if s.x > 1 { s.x } else { 2 }) > 1 }",
    ] {
        assert!(lowered(when), "{when}");
    }
    for when in [
        "|s| s.age > 5",
        "|s| { s.x > 1 }; s.y > 1",
        "|s| s.x.fixed(2) == \"1\"",
        "|s| s.x > now()",
        "|s| s?.x > 1",
        "|s| s.rate(\"x\", \"soon\") > 1",
        "|s| if s.x > 1 { true }",
        "|s| { let x = s.x; x > 1 }",
        "|s| s.labels.name == \"x\"",
    ] {
        let text = format!("let limit = 0.3; rule(\"r\", #{{ on: \"service\", when: {when} }});");
        let mut loader = Loader::new("rules", Settings::default(), BTreeMap::new());
        let report = loader.update(Time::EPOCH, Ok(BTreeMap::from([(Arc::from("f.rhai"), Ok(Arc::from(&*text)))])));
        if let Some(rule) = report.rules.rules.values().next() {
            assert!(rule.program.when[0].plan.is_err(), "{when}");
        }
    }
    let imports = "import \"lib\" as lib; rule(\"r\", #{ on: \"x\", when: |s| s.sum(\"x\", lib::today()) > 1 });";
    let texts = [("f.rhai", imports), ("lib.rhai", "fn today() { window(\"1h\", \"0s\") }")];
    let texts = texts.map(|(name, text)| (Arc::from(name), Ok(Arc::from(text))));
    let mut loader = Loader::new("rules", Settings::default(), BTreeMap::new());
    let report = loader.update(Time::EPOCH, Ok(BTreeMap::from(texts)));
    assert!(report.rules.rules["r"].program.when[0].plan.is_err(), "the library's function is meant");
    let shadowed = "fn rate(s, f, w) { 7 } rule(\"r\", #{ on: \"service\", when: |s| s.rate(\"x\", \"5m\") > 1 });";
    assert!(load(shadowed).program.when[0].plan.is_err(), "the file's own function comes first");
}

#[test]
fn a_planted_fault_is_found() {
    let rule = rule("true", "s.a > limit", "s.a < limit");
    let mut broken = (*rule).clone();
    broken.program.when[0].plan = Ok(Arc::new(Plan::Compare(
        Comparison::GreaterOrEqual,
        Box::new([Plan::Field("a".into(), Place::default()), Plan::Number(Number::Fraction(0.3))]),
    )));
    let same = Some(Value::Number(0.3));
    let data = BTreeMap::from([("a", [same.clone(), same.clone(), same.clone(), same.clone(), same])]);
    assert_eq!(compare_ways(&rule, &context(&data, false, 0), true), Ok(true));
    assert!(compare_ways(&broken, &context(&data, false, 0), true).is_err());
}

#[test]
fn what_prevents_a_plan_is_named_with_its_place() {
    for (keys, expected) in [
        ("on: \"x\", when: |s| s.a > 1", None),
        ("on: \"x\", when: |s| s.a > 1 && s.name.matches(\"eu.*\")", Some("rules/f.rhai:1:51: it calls `matches`")),
        ("on: \"x\", when: |s| s.age > 5", Some("rules/f.rhai:1:35: it reads `age`")),
        ("on: \"x\", when: |s| s.a > now()", Some("rules/f.rhai:1:39: it calls `now`")),
        (
            "on: \"x\", when: |s| s.a > 1, clear: |s| { let a = s.a; a < 1 }",
            Some("rules/f.rhai:1:55: it has several statements"),
        ),
        (
            "on: \"x\", where: |s| `${s.name}` == \"a\", when: |s| s.a > 1",
            Some("rules/f.rhai:1:34: it puts a text together"),
        ),
        ("over: \"x\", when: |g| g.len() > 1", Some("rules/f.rhai:1: it judges a set")),
    ] {
        assert_eq!(load(&format!("rule(\"r\", #{{ {keys} }});")).not_lowered().as_deref(), expected, "{keys}");
    }
    let functions = "fn high(x) { x > 1 } rule(\"r\", #{ on: \"x\", when: |s| high(s.a) });";
    let expected = "rules/f.rhai:1:50: its file has functions, such as `high`, that could be meant by any call";
    assert_eq!(load(functions).not_lowered().as_deref(), Some(expected));
}

#[test]
fn a_level_is_judged_as_the_interpreter_judges_it() {
    let level = r#"|s| if s.a > 5 { "critical" } else if s.a > 1 { "error" } else { s.label }"#;
    let rule = load(&format!("rule(\"r\", #{{ on: \"service\", when: |s| true, level: {level} }});"));
    for (a, planned) in [(6.0, Some("critical")), (2.0, Some("error")), (0.0, None)] {
        let data = BTreeMap::from([("a", [(); 5].map(|()| Some(Value::Number(a))))]);
        let context = context(&data, false, 0);
        let crate::rules::program::LevelSource::Closure(closure) = &rule.program.level else {
            panic!("it is a closure")
        };
        let by_plan = rule.level_by_plan(&context, closure);
        assert_eq!(by_plan.map(|level| level.as_str()), planned);
        assert_eq!(rule.level(&context).ok(), by_plan);
    }
}
