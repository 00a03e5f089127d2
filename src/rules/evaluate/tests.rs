mod expressions;
mod limits;
mod parts;
mod sets;
mod windows;

use std::collections::BTreeMap;
use std::time::Duration;

use rhai::{Engine, FnPtr};

use super::*;
use crate::history::{Batch, Limits, Source, World};
use crate::model::{Now, Snapshot, SubjectKey, Time};
use crate::rules::analyse::Place;
use crate::rules::analyse::lower::Obstacle;
use crate::rules::rule::{NoDataPolicy, PerLevel, Repeat, Scope, StepBudget};
use crate::rules::script;

/// Saturday, 21 November 2026, 10:00 in UTC.
const START: i64 = 1_795_255_200;

fn at_secs(secs: i64) -> Now {
    Now::at(Time::from_micros((START + secs) * 1_000_000))
}

fn num(number: f64) -> Value {
    Value::Number(number)
}

/// A world that snapshots are pushed to.
struct Bench {
    world: World,
    now: i64,
}

impl Bench {
    fn new() -> Bench {
        Bench { world: World::new(Limits::default(), jiff::tz::TimeZone::UTC, at_secs(-100_000)), now: 0 }
    }

    fn push(&mut self, secs: i64, kind: &str, name: &str, labels: &[(&str, &str)], fields: &[(&str, Value)]) {
        self.now = self.now.max(secs);
        let snapshot = Snapshot {
            subject: SubjectKey::new(kind, name),
            time: at_secs(secs).time,
            labels: labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            fields: fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
            gone: false,
        };
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(60) };
        self.world.ingest(at_secs(secs), &Batch { source, snapshots: vec![snapshot], complete: Vec::new() });
    }

    fn gone(&mut self, secs: i64, kind: &str, name: &str) {
        self.now = self.now.max(secs);
        let snapshot = Snapshot {
            subject: SubjectKey::new(kind, name),
            time: at_secs(secs).time,
            labels: BTreeMap::new(),
            fields: BTreeMap::new(),
            gone: true,
        };
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(60) };
        self.world.ingest(at_secs(secs), &Batch { source, snapshots: vec![snapshot], complete: Vec::new() });
    }

    /// The subject `kind name` as it is judged at the bench's time.
    fn subject(&self, kind: &str, name: &str) -> Context {
        let id = self.world.find(kind, name).expect("the subject was pushed");
        self.context(Target::Subject(id))
    }

    /// The set of all fresh subjects of a kind.
    fn set(&self, kind: &str) -> Context {
        let fresh = self.world.of_kind(kind).filter(|id| !self.world.is_stale(*id, at_secs(self.now)));
        self.context(Target::Set { kind: kind.into(), members: fresh.collect(), labels: BTreeMap::new() })
    }

    fn context(&self, target: Target) -> Context {
        Context {
            world: Arc::new(self.world.clone()),
            now: at_secs(self.now),
            target,
            zone: jiff::tz::TimeZone::UTC,
            budget: Arc::new(StepBudget::default()),
        }
    }
}

fn engine() -> Arc<Engine> {
    static ENGINE: std::sync::OnceLock<Arc<Engine>> = std::sync::OnceLock::new();
    ENGINE
        .get_or_init(|| {
            let mut engine = script::engine();
            engine.register_fn("panic_now", || -> i64 { panic!("a bug in a host function") });
            Arc::new(engine)
        })
        .clone()
}

/// The closure that a file ends with.
fn closure(text: &str) -> Closure {
    let engine = engine();
    let ast = engine.compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let (pointer, _) = budget::run(budget::PER_LOAD, budget::LOAD_TIME, || engine.eval_ast::<FnPtr>(&ast));
    let mut pointer = pointer.unwrap_or_else(|error| panic!("{text}: {error}"));
    for captured in pointer.iter_curry_mut() {
        *captured = captured.clone().flatten();
    }
    let plan = Err(Obstacle { place: Place::default(), what: "it is judged by the interpreter here".into() });
    Closure { pointer, ast: Arc::new(ast), file: "rules/service.rhai".into(), line: 1, column: 1, plan }
}

fn rule_of(when: Closure) -> Rule {
    let none = PerLevel { default: Duration::ZERO, by_level: BTreeMap::new() };
    Rule {
        name: "high_error_rate".into(),
        file: "rules/service.rhai".into(),
        line: 1,
        scope: Scope::On { kind: "service".into() },
        levels: Vec::new(),
        hold: none.clone(),
        keep: none,
        cooldown: Duration::ZERO,
        repeat: Repeat::Never,
        no_data: NoDataPolicy::Keep,
        every: Duration::from_secs(10),
        judges_time: false,
        labels: BTreeMap::new(),
        runbook: None,
        notify: None,
        fingerprint: 0,
        flap: None,
        reads_fields: Vec::new(),
        reach: Default::default(),
        program: Program {
            engine: engine(),
            takes: None,
            when: vec![when],
            clear: vec![None],
            level: LevelSource::Fixed(Level::Warning),
            message: MessageSource::Default,
            watched: None,
            coverage: None,
        },
        origin: Arc::default(),
    }
}

fn rule(when: &str) -> Rule {
    rule_of(closure(when))
}

/// What a condition is expected to say.
#[derive(Clone, Copy, Debug)]
enum Say {
    Yes,
    No,
    /// No data, with this in its reason.
    Nothing(&'static str),
    /// An error, with this in its message.
    Error(&'static str),
    /// It never had this field.
    Never(&'static str),
}

#[track_caller]
fn expect(context: &Context, when: &str, say: Say) {
    let verdict = rule(when).judge(context, &[]).verdict;
    let fits = match (&verdict, say) {
        (Verdict::Conditions(conditions), Say::Yes) => conditions == &[Condition::Fire],
        (Verdict::Conditions(conditions), Say::No) => conditions == &[Condition::Clear],
        (Verdict::NoData(reason), Say::Nothing(part)) => reason.to_string().contains(part),
        (Verdict::Error(fault), Say::Error(part)) => fault.message.contains(part),
        (Verdict::NotConcerned { field }, Say::Never(name)) => **field == *name,
        _ => false,
    };
    assert!(fits, "{when}\nexpected {say:?}\n     got {verdict:?}");
}

/// Checks conditions on a service that was just seen with some fields of each type.
#[track_caller]
fn check(expression: &str, say: Say) {
    let mut bench = Bench::new();
    let labels = [("region", "eu"), ("package", "core")];
    bench.push(-20, "service", "shop-api", &labels, &[("lost", num(1.0)), ("error_rate", num(0.1))]);
    bench.push(
        -10,
        "service",
        "shop-api",
        &labels,
        &[
            ("error_rate", num(0.2)),
            ("zero", num(0.0)),
            ("three", num(3.0)),
            ("huge", num(1e308)),
            ("broken", num(f64::NAN)),
            ("endless", num(f64::INFINITY)),
            ("status", Value::from("running")),
            ("digits", Value::from("17")),
            ("ready", Value::Bool(true)),
            ("name", num(7.0)),
            ("go", num(1.0)),
        ],
    );
    bench.now = 0;
    expect(&bench.subject("service", "shop-api"), &format!("|s| {expression}"), say);
}
