//! A plan says what the interpreter says, for conditions and data that a fuzzer looks for.
#![no_main]

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use larum::history::{Batch, Limits, Source, WindowFn, World};
use larum::model::{Now, Snapshot, SubjectKey, Time, Value};
use larum::rules::loader::Settings;
use larum::rules::{Context, Loader, StepBudget, Target};
use libfuzzer_sys::fuzz_target;

const FIELDS: [&str; 3] = ["a", "b", "name"];
const CONSTANTS: [&str; 8] = ["0", "1", "0.3", "-2.5", "5", "9007199254740993", "limit", "0.0"];
const WINDOWS: [&str; 7] = ["\"25s\"", "\"1m\"", "window(\"20s\", \"10s\")", "today()", "span", "\"2h\"", "day(0)"];
const SHARES: [&str; 6] = ["0", "1", "0.5", "limit", "0.99", "2"];
const OTHERS: [&str; 5] = ["s.name", "s.labels.region", "\"eu\"", "true", "s.age"];
const OPERATORS: [&str; 6] = ["+", "-", "*", "/", "%", "**"];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// One of some texts.
fn pick(texts: &[&'static str], index: u8) -> &'static str {
    texts[usize::from(index) % texts.len()]
}

/// An expression that is mostly a number.
#[derive(Arbitrary, Debug)]
enum Number {
    Field(u8),
    Constant(u8),
    Window(u8, u8, u8),
    Quantile(u8, u8, u8),
    Forecast(u8, u8),
    Other(u8),
    Calculate(Box<Number>, u8, Box<Number>),
    Negative(Box<Number>),
    If(Box<Number>, Box<Number>, Box<Number>),
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Number::Field(field) => write!(f, "s[{:?}]", pick(&FIELDS, *field)),
            Number::Constant(constant) => f.write_str(pick(&CONSTANTS, *constant)),
            Number::Window(function, field, window) => {
                let function = WindowFn::PLAIN[usize::from(*function) % WindowFn::PLAIN.len()].as_str();
                write!(f, "s.{function}({:?}, {})", pick(&FIELDS, *field), pick(&WINDOWS, *window))
            }
            Number::Quantile(field, share, window) => {
                let (field, share, window) = (pick(&FIELDS, *field), pick(&SHARES, *share), pick(&WINDOWS, *window));
                write!(f, "s.quantile({field:?}, {share}, {window})")
            }
            Number::Forecast(field, window) => {
                write!(f, "s.forecast({:?}, {}, \"1h\")", pick(&FIELDS, *field), pick(&WINDOWS, *window))
            }
            Number::Other(other) => f.write_str(pick(&OTHERS, *other)),
            Number::Calculate(a, operator, b) => write!(f, "({a} {} {b})", pick(&OPERATORS, *operator)),
            Number::Negative(of) => write!(f, "(-({of}))"),
            Number::If(condition, then, otherwise) => {
                write!(f, "(if {condition} > 0 {{ {then} }} else {{ {otherwise} }})")
            }
        }
    }
}

/// An expression that is mostly true or false.
#[derive(Arbitrary, Debug)]
enum Judgement {
    Compare(Number, u8, Number),
    Has(u8),
    Is(Number),
    And(Box<Judgement>, Box<Judgement>),
    Or(Box<Judgement>, Box<Judgement>),
    Not(Box<Judgement>),
}

impl Display for Judgement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Judgement::Compare(a, comparison, b) => write!(f, "{a} {} {b}", pick(&COMPARISONS, *comparison)),
            Judgement::Has(field) => write!(f, "s.has({:?})", pick(&FIELDS, *field)),
            Judgement::Is(number) => number.fmt(f),
            Judgement::And(a, b) => write!(f, "({a} && {b})"),
            Judgement::Or(a, b) => write!(f, "({a} || {b})"),
            Judgement::Not(of) => write!(f, "!({of})"),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Sample {
    Number(f64),
    Small(u8),
    Text(bool),
    Bool(bool),
}

impl Sample {
    fn value(&self) -> Value {
        match self {
            Sample::Number(number) => Value::Number(*number),
            Sample::Small(number) => Value::Number(f64::from(*number) / 10.0),
            Sample::Text(is_region) => Value::Text(if *is_region { "eu".into() } else { "".into() }),
            Sample::Bool(bool) => Value::Bool(*bool),
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Case {
    takes: Option<Judgement>,
    when: Judgement,
    clear: Judgement,
    on: bool,
    gone: bool,
    /// Seconds after the newest snapshot.
    late: u8,
    /// Some snapshots, each with its fields.
    snapshots: Vec<[Option<Sample>; 3]>,
}

/// What the rules are judged about.
fn context(case: &Case) -> Option<Context> {
    let at = |secs: i64| Now::at(Time::from_micros((1_795_255_200 + secs) * 1_000_000));
    let mut world = World::new(Limits::default(), jiff::tz::TimeZone::UTC, at(-100));
    let last = case.snapshots.len().min(12).checked_sub(1)?;
    for (step, values) in case.snapshots.iter().take(12).enumerate() {
        let fields =
            FIELDS.iter().zip(values).filter_map(|(name, value)| Some((Arc::from(*name), value.as_ref()?.value())));
        let snapshot = Snapshot {
            subject: SubjectKey::new("service", "a"),
            time: at(step as i64 * 10).time,
            labels: BTreeMap::from([("region".into(), "eu".into())]),
            fields: fields.collect(),
            gone: case.gone && step == last,
        };
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(60) };
        world.ingest(at(step as i64 * 10), &Batch { source, snapshots: vec![snapshot], complete: Vec::new() });
    }
    let subject = world.find("service", "a")?;
    Some(Context {
        world: Arc::new(world),
        now: at(last as i64 * 10 + i64::from(case.late)),
        target: Target::Subject(subject),
        zone: jiff::tz::TimeZone::UTC,
        budget: Arc::new(StepBudget::default()),
    })
}

fuzz_target!(|case: Case| {
    let takes = case.takes.as_ref().map(|takes| format!("where: |s| {takes}, ")).unwrap_or_default();
    let text = format!(
        "let limit = 0.3; let span = \"20s\";\nrule(\"r\", #{{ on: \"service\", {takes}when: |s| {}, clear: |s| {} }});",
        case.when, case.clear
    );
    let mut loader = Loader::new("rules", Settings::default(), BTreeMap::new());
    let report = loader.update(Time::EPOCH, Ok(BTreeMap::from([("f.rhai".into(), Ok(Arc::from(&*text)))])));
    // Too deep, or too long.
    let Some(rule) = report.rules.rules.values().next() else { return };
    let Some(context) = context(&case) else { return };
    let judged = rule.judge(&context, &[case.on]);
    let interpreted = rule.judge_by_interpreter(&context, &[case.on]);
    assert_eq!(format!("{judged:?}"), format!("{interpreted:?}"), "{text}");
});
