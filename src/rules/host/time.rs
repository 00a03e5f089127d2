//! The time of the evaluation, and the calendar in the configured zone.

use rhai::{Engine, EvalAltResult, NativeCallContext};

use crate::rules::evaluation;
use crate::rules::script::fault;

use super::{Function, Topic};

/// The time.
pub(super) const TOPIC: Topic = Topic {
    name: "Time",
    register,
    functions: &[
        Function::new("now()", "The time of the evaluation.")
            .unit("seconds since 1970 (Unix time)")
            .example("s.certificate_expires - now() < 7 * 86400"),
        Function::new("hour()", "The hour of the day in the configured zone, 0 to 23."),
        Function::new("weekday()", "The day of the week in the configured zone, 1 (Monday) to 7 (Sunday).")
            .example("weekday() <= 5"),
        Function::new(
            "between(from, to)",
            "Whether it is at or after the first time of the day and before the second; over midnight where the second is earlier.",
        )
        .example("between(\"22:00\", \"06:00\")"),
    ],
};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// What the clock on the wall shows in the configured zone.
fn local(context: &NativeCallContext) -> Result<jiff::Zoned> {
    let evaluation = evaluation::of_call(context)?;
    Ok(evaluation.now.wall().to_jiff().to_zoned(evaluation.zone.clone()))
}

/// Minutes since midnight of a time of the day such as `09:00`; `24:00` is the end of the day.
fn minutes(text: &str) -> Result<i64> {
    let parsed = || {
        let (hours, minutes) = text.split_once(':')?;
        let is_number = |digits: &str| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number(hours) || !is_number(minutes) {
            return None;
        }
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        let total = hours * 60 + minutes;
        (minutes < 60 && total <= 24 * 60).then_some(total)
    };
    parsed().ok_or_else(|| fault(format!("{text:?} is not a time of the day: write it like \"09:00\" or \"18:30\"")))
}

fn between(context: NativeCallContext, from: &str, to: &str) -> Result<bool> {
    let (from, to) = (minutes(from)?, minutes(to)?);
    let local = local(&context)?;
    let now = i64::from(local.hour()) * 60 + i64::from(local.minute());
    Ok(match from <= to {
        true => from <= now && now < to,
        false => from <= now || now < to,
    })
}

fn register(engine: &mut Engine) {
    engine.register_fn("now", |context: NativeCallContext| -> Result<f64> {
        Ok(evaluation::of_call(&context)?.now.wall().as_secs_f64())
    });
    engine.register_fn("hour", |context: NativeCallContext| -> Result<i64> { Ok(local(&context)?.hour().into()) });
    engine.register_fn("weekday", |context: NativeCallContext| -> Result<i64> {
        Ok(local(&context)?.weekday().to_monday_one_offset().into())
    });
    engine.register_fn("between", between);
}
