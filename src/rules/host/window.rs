//! Functions over a window of time.

use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};

use crate::history::{Window, WindowFn};
use crate::model::{NoData, Value, duration};
use crate::rules::script::{fault, spend};

use super::{Function, Subject, Topic, method, subject::comparable, to_script};

const FEW: &str = "The window has no sample, reaches beyond history, or the subject is stale or gone.";
const TWO: &str = "The window has fewer than two samples, reaches beyond history, or the subject is stale or gone.";

/// Functions over windows.
pub(super) const TOPIC: Topic = Topic {
    name: "Windows",
    register,
    functions: &[
        Function { signature: "s.avg(field, window)", gives: "The mean of the samples in the window.", no_data: FEW },
        Function { signature: "s.min(field, window)", gives: "The least sample.", no_data: FEW },
        Function { signature: "s.max(field, window)", gives: "The greatest sample.", no_data: FEW },
        Function { signature: "s.sum(field, window)", gives: "The sum of the samples.", no_data: FEW },
        Function { signature: "s.count(field, window)", gives: "How many samples there are.", no_data: FEW },
        Function {
            signature: "s.stddev(field, window)",
            gives: "The standard deviation of the samples.",
            no_data: FEW,
        },
        Function { signature: "s.first(field, window)", gives: "The oldest sample in the window.", no_data: FEW },
        Function { signature: "s.last(field, window)", gives: "The newest sample in the window.", no_data: FEW },
        Function {
            signature: "s.delta(field, window)",
            gives: "How much a gauge changed over the window, extrapolated to its ends as PromQL does.",
            no_data: TWO,
        },
        Function {
            signature: "s.increase(field, window)",
            gives: "How much a counter grew over the window; resets are seen; as PromQL's.",
            no_data: TWO,
        },
        Function {
            signature: "s.rate(field, window)",
            gives: "How much a counter grew per second over the window; resets are seen; as PromQL's.",
            no_data: TWO,
        },
        Function {
            signature: "s.changes(field, window)",
            gives: "How often the value changed between samples of the window.",
            no_data: FEW,
        },
        Function {
            signature: "s.ago(field, duration)",
            gives: "The value that the field had that long ago.",
            no_data: "No sample is that old, or it is beyond history, or the subject is stale.",
        },
        Function {
            signature: "s.held(field, value)",
            gives: "For how many seconds the field has had this value; 0 where it has another. Also of a stale subject.",
            no_data: "The field was never seen, or the engine has not watched for long enough.",
        },
        Function {
            signature: "s.absent(window)",
            gives: "Whether no snapshot came in the window. Also of a stale or gone subject.",
            no_data: "The engine has not watched for the whole window.",
        },
        Function {
            signature: "window(length, ago)",
            gives: "The window of that length that ended that long ago: `window(\"1h\", \"1d\")`.",
            no_data: "",
        },
        Function {
            signature: "today()",
            gives: "The window from midnight in the configured zone until now.",
            no_data: "",
        },
        Function { signature: "yesterday()", gives: "The window of the whole calendar day before today.", no_data: "" },
        Function { signature: "day(n)", gives: "The window of the calendar day n days before today.", no_data: "" },
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

fn window_function(
    subject: &Subject,
    name: &'static str,
    function: WindowFn,
    field: &str,
    window: Window,
) -> Result<f64> {
    spend(COST)?;
    let value = subject.evaluation.ask_about(subject.id, |world, now| {
        let value = world.window(subject.id, function, field, window, now)?;
        match value.is_finite() {
            true => Ok(value),
            false => Err(NoData::NotFinite { origin: format!("{name}({field:?}, {})", written(window)) }),
        }
    })?;
    let question = || Arc::from(format!("{name}({field:?}, {})", written(window)));
    subject.evaluation.record(Some(subject.id), question, &Value::Number(value));
    Ok(value)
}

fn ago(subject: &mut Subject, field: &str, ago: &str) -> Result<Dynamic> {
    spend(COST)?;
    let length = parse_duration(ago)?;
    let value = subject.evaluation.ask_about(subject.id, |world, now| {
        let value = world.ago(subject.id, field, length, now)?;
        match value.as_number() {
            Some(number) if !number.is_finite() => {
                Err(NoData::NotFinite { origin: format!("ago({field:?}, {ago:?})") })
            }
            Some(_) | None => Ok(value),
        }
    })?;
    subject.evaluation.record(Some(subject.id), || format!("ago({field:?}, {ago:?})").into(), &value);
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
    let secs = subject.evaluation.ask_about(subject.id, |world, now| world.held(subject.id, field, &value, now))?;
    let question = || match &value {
        Value::Text(text) => format!("held({field:?}, {text:?})").into(),
        Value::Number(_) | Value::Bool(_) => format!("held({field:?}, {value})").into(),
    };
    subject.evaluation.record(Some(subject.id), question, &Value::Number(secs));
    Ok(secs)
}

fn absent(subject: &Subject, window: Window) -> Result<bool> {
    spend(COST)?;
    let absent = subject.evaluation.ask_about(subject.id, |world, now| world.absent(subject.id, window, now))?;
    let question = || format!("absent({})", written(window)).into();
    subject.evaluation.record(Some(subject.id), question, &Value::Bool(absent));
    Ok(absent)
}

fn day(ago: i64) -> Result<Window> {
    u32::try_from(ago)
        .map(|ago| Window::Day { ago })
        .map_err(|_| fault(format!("`day({ago})` is not in the past: `day(0)` is today, `day(1)` yesterday")))
}

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Window>("window");
    for (name, function) in FUNCTIONS {
        method(engine, name, move |s: &mut Subject, field: &str, window: &str| {
            window_function(s, name, function, field, parse_window(window)?)
        });
        method(engine, name, move |s: &mut Subject, field: &str, window: Window| {
            window_function(s, name, function, field, window)
        });
    }
    method(engine, "ago", ago);
    method(engine, "held", held);
    method(engine, "absent", |s: &mut Subject, window: &str| absent(s, parse_window(window)?));
    method(engine, "absent", |s: &mut Subject, window: Window| absent(s, window));
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
