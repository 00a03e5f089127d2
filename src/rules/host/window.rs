//! Functions over a window of time.

use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};

use crate::history::{Window, WindowFn};
use crate::model::{NoData, Value, duration};
use crate::rules::script::{fault, spend};
use crate::rules::trace::{Outcome, Samples};

use super::{Function, Subject, Topic, method, shown, subject::comparable, to_script};

const FIELD: &str = "the field's";
const FEW: &str = "The window has no sample, reaches beyond history, or the subject is stale or gone.";
const TWO: &str = "The window has fewer than two samples, reaches beyond history, or the subject is stale or gone.";

/// Functions over windows.
pub(super) const TOPIC: Topic = Topic {
    name: "Over a window of time",
    register,
    functions: &[
        Function::new("s.avg(field, window)", "The mean of the samples in the window.")
            .unit(FIELD)
            .samples(1)
            .no_data(FEW)
            .example("s.avg(\"response_time_seconds\", \"5m\") > 2"),
        Function::new("s.min(field, window)", "The least sample.").unit(FIELD).samples(1).no_data(FEW),
        Function::new("s.max(field, window)", "The greatest sample.").unit(FIELD).samples(1).no_data(FEW),
        Function::new("s.sum(field, window)", "The sum of the samples.").unit(FIELD).samples(1).no_data(FEW),
        Function::new("s.count(field, window)", "How many samples there are.").unit("samples").samples(1).no_data(FEW),
        Function::new("s.stddev(field, window)", "The standard deviation of the samples.")
            .unit(FIELD)
            .samples(1)
            .no_data(FEW),
        Function::new("s.first(field, window)", "The oldest sample in the window.").unit(FIELD).samples(1).no_data(FEW),
        Function::new("s.last(field, window)", "The newest sample in the window.").unit(FIELD).samples(1).no_data(FEW),
        Function::new(
            "s.delta(field, window)",
            "How much a gauge changed over the window, extrapolated to its ends as PromQL does.",
        )
        .unit(FIELD)
        .samples(2)
        .no_data(TWO)
        .example("s.delta(\"outbox_dead\", \"15m\") > 0"),
        Function::new(
            "s.increase(field, window)",
            "How much a counter grew over the window; resets are seen; as PromQL's.",
        )
        .unit(FIELD)
        .samples(2)
        .no_data(TWO)
        .example("s.increase(\"messages_total\", today()) > 1000"),
        Function::new(
            "s.rate(field, window)",
            "How much a counter grew per second over the window; resets are seen; as PromQL's.",
        )
        .unit("the field's, per second")
        .samples(2)
        .no_data(TWO)
        .example("s.rate(\"total_calls\", \"5m\") > 1"),
        Function::new("s.changes(field, window)", "How often the value changed between samples of the window.")
            .unit("changes")
            .samples(1)
            .no_data(FEW)
            .example("s.changes(\"status\", \"30m\") > 4"),
        Function::new("s.ago(field, duration)", "The value that the field had that long ago.")
            .unit(FIELD)
            .samples(1)
            .no_data("No sample is that old, or it is beyond history, or the subject is stale.")
            .example("s.connections > 2 * s.ago(\"connections\", \"1d\")"),
        Function::new(
            "s.held(field, value)",
            "For how long the field has had this value; 0 where it has another. Also of a stale subject.",
        )
        .unit("seconds")
        .samples(1)
        .no_data("The field was never seen, or the engine has not watched for long enough.")
        .example("s.held(\"status\", \"starting\") > 300"),
        Function::new("s.absent(window)", "Whether no snapshot came in the window. Also of a stale or gone subject.")
            .no_data("The engine has not watched for the whole window.")
            .example("s.absent(\"10m\")"),
    ],
};

/// The windows themselves.
pub(super) const WINDOWS: Topic = Topic {
    name: "Windows",
    register: register_windows,
    functions: &[
        Function::new("window(length, ago)", "The window of that length that ended that long ago.")
            .example("s.avg(\"error_rate\", window(\"1h\", \"1d\"))"),
        Function::new("today()", "The window from midnight in the configured zone until now."),
        Function::new("yesterday()", "The window of the whole calendar day before today."),
        Function::new("day(n)", "The window of the calendar day n days before today; `day(0)` is today.")
            .example("s.increase(\"messages_total\", today()) > s.increase(\"messages_total\", day(7))"),
    ],
};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// What a window question costs of the budget: the world looks at many samples for it.
const COST: u64 = 20;

/// The functions from the samples of a window to a number.
const FUNCTIONS: [(&str, WindowFn); 12] = [
    ("avg", WindowFn::Avg),
    ("min", WindowFn::Min),
    ("max", WindowFn::Max),
    ("sum", WindowFn::Sum),
    ("count", WindowFn::Count),
    ("stddev", WindowFn::Stddev),
    ("first", WindowFn::First),
    ("last", WindowFn::Last),
    ("delta", WindowFn::Delta),
    ("increase", WindowFn::Increase),
    ("rate", WindowFn::Rate),
    ("changes", WindowFn::Changes),
];

/// A duration from its text.
pub(super) fn parse_duration(text: &str) -> Result<Duration> {
    duration::parse(text).map_err(|error| fault(error.to_string()))
}

/// A window from the text of its length.
fn parse_window(text: &str) -> Result<Window> {
    let length = parse_duration(text)?;
    match length.is_zero() {
        true => Err(fault("a window must be longer than `0s`")),
        false => Ok(Window::Span { length, ago: Duration::ZERO }),
    }
}

/// The window of a length that ended so long ago; `None` where a text is no duration.
pub(crate) fn window_of(length: &str, ago: Option<&str>) -> Option<Window> {
    let length = duration::parse(length).ok().filter(|length| !length.is_zero())?;
    let ago = ago.map_or(Some(Duration::ZERO), |ago| duration::parse(ago).ok())?;
    Some(Window::Span { length, ago })
}

/// A question to a window as it is recorded.
pub(crate) fn window_question(function: WindowFn, field: &str, window: Window) -> String {
    format!("{}({field:?}, {})", function.as_str(), written(window))
}

/// A window as it is written in a rule.
fn written(window: Window) -> String {
    match window {
        Window::Span { length, ago } if ago.is_zero() => format!("{:?}", duration::format(length)),
        Window::Span { length, ago } => {
            format!("window({:?}, {:?})", duration::format(length), duration::format(ago))
        }
        Window::Day { ago: 0 } => "today()".to_string(),
        Window::Day { ago: 1 } => "yesterday()".to_string(),
        Window::Day { ago } => format!("day({ago})"),
    }
}

fn window_function(subject: &Subject, function: WindowFn, field: &str, window: Window) -> Result<f64> {
    spend(COST)?;
    let question = || window_question(function, field, window);
    let answer = subject.evaluation.ask(|world, now| {
        let value = world.window(subject.id, function, field, window, now)?;
        if value.is_finite() { Ok(value) } else { Err(NoData::NotFinite { origin: question() }) }
    })?;
    note(subject, question, answer.as_ref().map(|value| Value::Number(*value)), Some((field, window)));
    let value = subject.or_stop(answer)?;
    subject.evaluation.record(Some(subject.id), || question().into(), &Value::Number(value));
    Ok(value)
}

/// Notes a question and its answer, where the evaluation is watched.
fn note(
    subject: &Subject,
    question: impl Fn() -> String,
    answer: std::result::Result<Value, &NoData>,
    window: Option<(&str, Window)>,
) {
    let evaluation = &subject.evaluation;
    if !evaluation.watches_in_detail() {
        return;
    }
    let outcome = match answer {
        Ok(value) => Outcome::Value(shown(&to_script(value))),
        Err(reason) => Outcome::NoData(reason.to_string()),
    };
    evaluation.asked(subject.id, question, outcome, |world, now| {
        let (field, window) = window?;
        let (start, end) = world.span_of(subject.id, window, now)?;
        let mut samples = Samples { count: 0, start, end, first: None, last: None };
        for (time, _) in world.samples(subject.id, field, start, end) {
            samples.count += 1;
            samples.first.get_or_insert(time);
            samples.last = Some(time);
        }
        Some(samples)
    });
}

fn ago(subject: &mut Subject, field: &str, ago: &str) -> Result<Dynamic> {
    spend(COST)?;
    let length = parse_duration(ago)?;
    let question = || format!("ago({field:?}, {ago:?})");
    let answer = subject.evaluation.ask(|world, now| {
        let value = world.ago(subject.id, field, length, now)?;
        match value.as_number() {
            Some(number) if !number.is_finite() => Err(NoData::NotFinite { origin: question() }),
            Some(_) | None => Ok(value),
        }
    })?;
    note(
        subject,
        question,
        match &answer {
            Ok(value) => Ok(value.clone()),
            Err(reason) => Err(reason),
        },
        None,
    );
    let value = subject.or_stop(answer)?;
    subject.evaluation.record(Some(subject.id), || question().into(), &value);
    Ok(to_script(value))
}

fn held(subject: &mut Subject, field: &str, value: Dynamic) -> Result<f64> {
    spend(COST)?;
    let value = comparable(&value)?;
    let known = subject.evaluation.ask(|world, _| {
        let newest = world.fields(subject.id).find(|(name, _)| ***name == *field);
        newest.map(|(_, newest)| newest.type_name())
    })?;
    if let Some(known) = known.filter(|known| *known != value.type_name()) {
        return Err(fault(format!("`{field}` is a {known}, and is asked whether it held a {}", value.type_name())));
    }
    let question = || match &value {
        Value::Text(text) => format!("held({field:?}, {text:?})"),
        Value::Number(_) | Value::Bool(_) => format!("held({field:?}, {value})"),
    };
    let answer = subject.evaluation.ask(|world, now| world.held(subject.id, field, &value, now))?;
    note(subject, question, answer.as_ref().map(|secs| Value::Number(*secs)), None);
    let secs = subject.or_stop(answer)?;
    subject.evaluation.record(Some(subject.id), || question().into(), &Value::Number(secs));
    Ok(secs)
}

fn absent(subject: &Subject, window: Window) -> Result<bool> {
    spend(COST)?;
    let question = || format!("absent({})", written(window));
    let answer = subject.evaluation.ask(|world, now| world.absent(subject.id, window, now))?;
    note(subject, question, answer.as_ref().map(|absent| Value::Bool(*absent)), None);
    let absent = subject.or_stop(answer)?;
    subject.evaluation.record(Some(subject.id), || question().into(), &Value::Bool(absent));
    Ok(absent)
}

fn day(ago: i64) -> Result<Window> {
    u32::try_from(ago)
        .map(|ago| Window::Day { ago })
        .map_err(|_| fault(format!("`day({ago})` is not in the past: `day(0)` is today, `day(1)` yesterday")))
}

fn register(engine: &mut Engine) {
    for (name, function) in FUNCTIONS {
        method(engine, name, move |s: &mut Subject, field: &str, window: &str| {
            window_function(s, function, field, parse_window(window)?)
        });
        method(engine, name, move |s: &mut Subject, field: &str, window: Window| {
            window_function(s, function, field, window)
        });
    }
    method(engine, "ago", ago);
    method(engine, "held", held);
    method(engine, "absent", |s: &mut Subject, window: &str| absent(s, parse_window(window)?));
    method(engine, "absent", |s: &mut Subject, window: Window| absent(s, window));
}

fn register_windows(engine: &mut Engine) {
    engine.register_type_with_name::<Window>("window");
    engine.register_fn("window", |length: &str, ago: &str| -> Result<Window> {
        match parse_window(length)? {
            Window::Span { length, .. } => Ok(Window::Span { length, ago: parse_duration(ago)? }),
            day @ Window::Day { .. } => Ok(day),
        }
    });
    engine.register_fn("today", || Window::Day { ago: 0 });
    engine.register_fn("yesterday", || Window::Day { ago: 1 });
    engine.register_fn("day", day);
    engine.register_fn("to_string", |window: Window| ImmutableString::from(written(window)));
}
