//! Functions over a window of time.

use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};

use crate::history::{Share, Window, WindowFn};
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
        Function::new("s.median(field, window)", "The sample in the middle: `quantile` of 0.5.")
            .unit(FIELD)
            .samples(1)
            .no_data(FEW)
            .example("s.median(\"response_time_seconds\", \"5m\") > 1"),
        Function::new(
            "s.quantile(field, q, window)",
            "The sample below which the share q (from 0 to 1) of all samples is, exactly, between two samples linearly \
             (as PromQL's `quantile_over_time`). Of a scraped histogram, whose buckets are `field_bucket{le=\"0.5\"}`: \
             PromQL's `histogram_quantile` of the buckets' rates.",
        )
        .unit(FIELD)
        .samples(1)
        .no_data("The window has no sample, reaches beyond history, or the subject is stale or gone; of a histogram: fewer than two samples, or nothing was observed.")
        .example("s.quantile(\"response_time_seconds\", 0.95, \"5m\") > 2"),
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
        Function::new(
            "s.deriv(field, window)",
            "How much a gauge changes per second: the slope of the least squares line through the samples; as PromQL's.",
        )
        .unit("the field's, per second")
        .samples(2)
        .no_data(TWO)
        .example("s.deriv(\"queue_length\", \"30m\") > 0.1"),
        Function::new(
            "s.forecast(field, window, ahead)",
            "What a gauge will be so long after the window's end, if it goes on along the least squares line through the \
             samples; PromQL's `predict_linear`.",
        )
        .unit(FIELD)
        .samples(2)
        .no_data(TWO)
        .example("s.forecast(\"free_bytes\", \"6h\", \"1d\") < 0"),
        Function::new("s.changes(field, window)", "How often the value changed between samples of the window.")
            .unit("changes")
            .samples(1)
            .no_data(FEW)
            .example("s.changes(\"status\", \"30m\") > 4"),
        Function::new("s.resets(field, window)", "How often a counter began anew: how many samples are less than the one before.")
            .unit("resets")
            .samples(1)
            .no_data(FEW)
            .example("s.resets(\"total_calls\", \"1h\") > 3"),
        Function::new(
            "s.ewma(field, window)",
            "The mean in which newer samples weigh more: sum(w x) / sum(w) with w = 0.5 ** (age / h). The half-life h is a \
             quarter of the window, and age is counted from the newest sample.",
        )
        .unit(FIELD)
        .samples(1)
        .no_data(FEW)
        .example("s.ewma(\"load1\", \"10m\") > 4"),
        Function::new(
            "s.zscore(field, window)",
            "How many standard deviations the newest sample in the window is from the mean of the window: \
             (last - avg) / stddev. 0 where nothing ever moved.",
        )
        .unit("standard deviations")
        .samples(2)
        .no_data(TWO)
        .example("s.zscore(\"response_time_seconds\", \"1h\") > 3"),
        Function::new(
            "s.robust_zscore(field, window)",
            "As `zscore`, undisturbed by outliers: 0.6745 (last - median) / MAD, the median absolute deviation. Where that \
             is 0, 0.7979 (last - median) / the mean absolute deviation. 0 where nothing ever moved.",
        )
        .unit("standard deviations")
        .samples(2)
        .no_data(TWO)
        .example("s.robust_zscore(\"response_time_seconds\", \"1h\") > 5"),
        Function::new(
            "s.baseline(field, period, n)",
            "The median of what the field was at this time of the last n periods (at most 100), each as `ago` tells it; periods \
             without a sample are left out.",
        )
        .unit(FIELD)
        .samples(1)
        .no_data("No period has a sample, or one of them is beyond history, or the subject is stale.")
        .example("s.total_calls_per_minute < 0.5 * s.baseline(\"total_calls_per_minute\", \"1d\", 7)"),
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

/// How many periods a baseline looks back at most.
pub(crate) const MAX_PERIODS: u32 = 100;

/// What a window question costs of the budget: the world looks at many samples for it.
const COST: u64 = 20;

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
    let (name, window) = (function.as_str(), written(window));
    match function {
        WindowFn::Quantile(share) => format!("{name}({field:?}, {:?}, {window})", share.get()),
        WindowFn::Forecast(ahead) => format!("{name}({field:?}, {window}, {:?})", duration::format(ahead)),
        _ => format!("{name}({field:?}, {window})"),
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

/// The quantile that a number asks for.
fn quantile(share: &Dynamic) -> Result<WindowFn> {
    let given = share;
    let number = share.as_float().ok().or_else(|| share.as_int().ok().map(|whole| whole as f64));
    let share = number.and_then(Share::new);
    share.map(WindowFn::Quantile).ok_or_else(|| {
        let got = number.map_or_else(|| super::type_name(given).to_string(), |number| number.to_string());
        fault(format!("a quantile is asked for by a number from 0 to 1 (0.95 is the 95th percentile), got {got}"))
    })
}

fn baseline(subject: &mut Subject, field: &str, period: &str, n: i64) -> Result<f64> {
    let length = parse_duration(period)?;
    let Some(n) = u32::try_from(n).ok().filter(|n| (1..=MAX_PERIODS).contains(n) && !length.is_zero()) else {
        return Err(fault(format!("a baseline is of 1 to {MAX_PERIODS} periods longer than `0s`")));
    };
    spend(COST * u64::from(n))?;
    let question = || format!("baseline({field:?}, {:?}, {n})", duration::format(length));
    let answer = subject.evaluation.ask(|world, now| world.baseline(subject.id, field, length, n, now))?;
    note(subject, question, answer.as_ref().map(|value| Value::Number(*value)), None);
    let value = subject.or_stop(answer)?;
    subject.evaluation.record(Some(subject.id), || question().into(), &Value::Number(value));
    Ok(value)
}

fn day(ago: i64) -> Result<Window> {
    u32::try_from(ago)
        .map(|ago| Window::Day { ago })
        .map_err(|_| fault(format!("`day({ago})` is not in the past: `day(0)` is today, `day(1)` yesterday")))
}

fn register(engine: &mut Engine) {
    for function in WindowFn::PLAIN {
        let name = function.as_str();
        method(engine, name, move |s: &mut Subject, field: &str, window: &str| {
            window_function(s, function, field, parse_window(window)?)
        });
        method(engine, name, move |s: &mut Subject, field: &str, window: Window| {
            window_function(s, function, field, window)
        });
    }
    method(engine, "quantile", |s: &mut Subject, field: &str, share: Dynamic, window: &str| {
        window_function(s, quantile(&share)?, field, parse_window(window)?)
    });
    method(engine, "quantile", |s: &mut Subject, field: &str, share: Dynamic, window: Window| {
        window_function(s, quantile(&share)?, field, window)
    });
    method(engine, "forecast", |s: &mut Subject, field: &str, window: &str, ahead: &str| {
        window_function(s, WindowFn::Forecast(parse_duration(ahead)?), field, parse_window(window)?)
    });
    method(engine, "forecast", |s: &mut Subject, field: &str, window: Window, ahead: &str| {
        window_function(s, WindowFn::Forecast(parse_duration(ahead)?), field, window)
    });
    method(engine, "baseline", baseline);
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
