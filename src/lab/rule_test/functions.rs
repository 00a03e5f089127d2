//! What a test file can call: `test`, and the functions of `t` and of its subjects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Map, NativeCallContext, Position};

use super::expect::Expected;
use super::on_call::people;
use super::stage::{Failure, Stage};
use super::{kinds, notification, sent};
use crate::lab::sampling::{Course, Sampled};
use crate::lab::series;
use crate::model::{CloseReason, Labels, Level, SubjectKey, Time, Value, duration};
use crate::rules::script::fault;

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// A test as its file registers it.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    /// Its name: a sentence.
    pub(crate) name: String,
    /// The line of the call.
    pub(crate) line: usize,
    /// What it does.
    pub(crate) body: FnPtr,
}

/// The tests that a file has registered so far.
pub(crate) type Registry = Arc<Mutex<Vec<Registered>>>;

/// `t`: the stage of the test that runs.
#[derive(Clone)]
pub(crate) struct T(pub(crate) Arc<Mutex<Stage>>);

impl T {
    pub(crate) fn stage(&self) -> MutexGuard<'_, Stage> {
        // A panic ends the test, and what was noted until then is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something on the stage; a failure is kept with its place, and ends the test.
    pub(crate) fn on<R>(
        &self,
        context: &NativeCallContext,
        act: impl FnOnce(&mut Stage) -> std::result::Result<R, Failure>,
    ) -> Result<R> {
        let mut stage = self.stage();
        act(&mut stage).map_err(|mut failure| {
            let position = context.call_position();
            failure.line = position.line().unwrap_or(0);
            failure.column = position.position().unwrap_or(0);
            let message = failure.message.clone();
            // The first one is told: a script may catch it and fail again.
            stage.failure.get_or_insert(failure);
            fault(message)
        })
    }
}

/// A subject of the test that runs.
#[derive(Clone)]
struct Subject {
    t: T,
    index: usize,
}

impl Subject {
    fn on<R>(
        &self,
        context: &NativeCallContext,
        act: impl FnOnce(&mut Stage, usize) -> std::result::Result<R, Failure>,
    ) -> Result<R> {
        self.t.on(context, |stage| act(stage, self.index))
    }

    /// Gives a field a course that starts from the number that it has now.
    fn course(
        &self,
        context: &NativeCallContext,
        field: &str,
        course: impl FnOnce(&Stage, f64) -> std::result::Result<Course, Failure>,
    ) -> Result<()> {
        self.on(context, |stage, index| {
            kinds::check_field(stage, index, field)?;
            let from = stage.subjects[index].number(field, stage.bench.now().time).unwrap_or(0.0);
            let course = course(stage, from)?;
            stage.subjects[index].set(field.into(), Some(course));
            Ok(())
        })
    }
}

/// Registers everything. `registry` takes the tests.
pub(crate) fn register(engine: &mut Engine, registry: &Registry) {
    test(engine, registry);
    for register in [time, faults, people, subjects, expectations] {
        register(engine);
    }
}

/// Registers `test`.
pub(super) fn test(engine: &mut Engine, registry: &Registry) {
    let registry = registry.clone();
    engine.register_fn("test", move |context: NativeCallContext, name: ImmutableString, body: FnPtr| {
        let line = context.call_position().line().unwrap_or(0);
        let mut tests = registry.lock().unwrap_or_else(PoisonError::into_inner);
        if tests.iter().any(|test| test.name == *name) {
            return Err(fault(format!("there are two tests with the name `{name}` in this file")));
        }
        tests.push(Registered { name: name.to_string(), line, body });
        Ok(())
    });
}

fn name_types(engine: &mut Engine) {
    engine.register_type_with_name::<T>("test").register_type_with_name::<Subject>("test subject");
}

/// Registers what is about time.
pub(super) fn time(engine: &mut Engine) {
    name_types(engine);
    engine.register_fn("advance", |context: NativeCallContext, t: &mut T, length: ImmutableString| {
        let length = t.on(&context, |_| length_of(&length))?;
        t.stage().advance(length)
    });
    engine.register_fn("start_at", |context: NativeCallContext, t: &mut T, time: ImmutableString| {
        t.on(&context, |stage| {
            let time = Time::parse_rfc3339(&time).map_err(|_| {
                Failure::new(format!("`{time}` is not a time: write it like `2026-01-05T08:30:00Z` (RFC 3339)"))
            })?;
            stage.start_at(time)
        })
    });
    engine.register_fn("every", |context: NativeCallContext, t: &mut T, every: ImmutableString| {
        t.on(&context, |stage| stage.set_every(length_of(&every)?))
    });
    engine.register_fn("param", |context: NativeCallContext, t: &mut T, name: ImmutableString, value: Dynamic| {
        t.on(&context, |stage| {
            let value = value_of(&value).ok_or_else(|| no_value(&format!("the param `{name}`"), &value))?;
            stage.set_param(name.as_str().into(), value)
        })
    });
}

/// Registers what goes wrong.
pub(super) fn faults(engine: &mut Engine) {
    name_types(engine);
    engine.register_fn("restart", |context: NativeCallContext, t: &mut T| {
        t.on(&context, |stage| stage.restart(Duration::ZERO))
    });
    engine.register_fn("restart", |context: NativeCallContext, t: &mut T, down: ImmutableString| {
        t.on(&context, |stage| stage.restart(length_of(&down)?))
    });
    engine.register_fn(
        "break_channel",
        |context: NativeCallContext, t: &mut T, channel: ImmutableString, length: ImmutableString| {
            t.on(&context, |stage| stage.break_channel(&channel, length_of(&length)?))
        },
    );
}

/// Registers subjects and what they do.
pub(super) fn subjects(engine: &mut Engine) {
    name_types(engine);
    engine.register_fn(
        "subject",
        |context: NativeCallContext, t: &mut T, kind: ImmutableString, name: ImmutableString| {
            subject(&context, t, &kind, &name, None)
        },
    );
    engine.register_fn(
        "subject",
        |context: NativeCallContext, t: &mut T, kind: ImmutableString, name: ImmutableString, labels: Map| {
            subject(&context, t, &kind, &name, Some(&labels))
        },
    );
    engine.register_fn("set", |context: NativeCallContext, s: &mut Subject, fields: Map| {
        s.on(&context, |stage, index| {
            for (field, value) in &fields {
                kinds::check_field(stage, index, field)?;
                let course = match value.is_unit() {
                    true => None,
                    false => Some(Course::Fixed(
                        value_of(value).ok_or_else(|| no_value(&format!("the field `{field}`"), value))?,
                    )),
                };
                stage.subjects[index].set(field.as_str().into(), course);
            }
            Ok(())
        })
    });
    engine.register_fn("labels", |context: NativeCallContext, s: &mut Subject, labels: Map| {
        s.on(&context, |stage, index| {
            stage.subjects[index].set_labels(labels_of(&labels)?);
            Ok(())
        })
    });
    engine.register_fn(
        "climb",
        |context: NativeCallContext, s: &mut Subject, field: ImmutableString, rate: Dynamic| {
            s.course(&context, &field, |stage, from| {
                let per_second = number_of(&rate, "the rate of a climb")?;
                Ok(Course::Climb { from, per_second, since: stage.bench.now().time })
            })
        },
    );
    engine.register_fn(
        "ramp",
        |context: NativeCallContext, s: &mut Subject, field: ImmutableString, to: Dynamic, length: ImmutableString| {
            s.course(&context, &field, |stage, from| {
                let (to, length) = (number_of(&to, "the end of a ramp")?, length_of(&length)?);
                Ok(Course::Ramp { from, to, since: stage.bench.now().time, length })
            })
        },
    );
    engine.register_fn(
        "series",
        |context: NativeCallContext, s: &mut Subject, field: ImmutableString, text: ImmutableString| {
            s.course(&context, &field, |_, _| {
                let samples = series::parse(&text).map_err(|error| Failure::new(error.to_string()))?;
                Ok(Course::Series { samples: samples.into(), newest: None })
            })
        },
    );
    engine.register_fn("send", |context: NativeCallContext, s: &mut Subject, fields: Map| {
        s.on(&context, |stage, index| {
            let mut values = BTreeMap::new();
            for (field, value) in &fields {
                kinds::check_field(stage, index, field)?;
                let value = value_of(value).ok_or_else(|| no_value(&format!("the field `{field}`"), value))?;
                values.insert(Arc::from(field.as_str()), value);
            }
            stage.flush();
            let snapshot = stage.subjects[index].snapshot(stage.bench.now().time, values, false);
            stage.observe(vec![snapshot]);
            Ok(())
        })
    });
    engine.register_fn("stop", |context: NativeCallContext, s: &mut Subject| {
        s.on(&context, |stage, index| {
            stage.flush();
            stage.subjects[index].stop();
            Ok(())
        })
    });
    engine.register_fn("gone", |context: NativeCallContext, s: &mut Subject| {
        s.on(&context, |stage, index| {
            stage.flush();
            stage.subjects[index].stop();
            let snapshot = stage.subjects[index].snapshot(stage.bench.now().time, BTreeMap::new(), true);
            stage.observe(vec![snapshot]);
            Ok(())
        })
    });
}

/// Registers what must be true, and what was sent.
pub(super) fn expectations(engine: &mut Engine) {
    name_types(engine);
    type Text = ImmutableString;
    let mut state = |name: &'static str, expected: Expected| {
        engine.register_fn(name, move |context: NativeCallContext, t: &mut T, rule: Text, subject: Text| {
            t.on(&context, |stage| stage.expect(&rule, &subject, expected))
        });
    };
    state("expect_firing", Expected::Firing(None));
    state("expect_pending", Expected::Pending);
    state("expect_inactive", Expected::Inactive);
    state("expect_recovered", Expected::Recovered);
    state("expect_closed", Expected::Closed(None));
    engine.register_fn(
        "expect_firing",
        |context: NativeCallContext, t: &mut T, rule: Text, subject: Text, level: Text| {
            t.on(&context, |stage| {
                let level: Level = level.parse().map_err(|error| Failure::new(format!("{error}")))?;
                stage.expect(&rule, &subject, Expected::Firing(Some(level)))
            })
        },
    );
    engine.register_fn(
        "expect_closed",
        |context: NativeCallContext, t: &mut T, rule: Text, subject: Text, reason: Text| {
            t.on(&context, |stage| stage.expect(&rule, &subject, Expected::Closed(Some(reason_of(&reason)?))))
        },
    );
    engine.register_fn("expect_quiet", |context: NativeCallContext, t: &mut T| t.on(&context, Stage::expect_quiet));
    engine.register_fn("expect_sent", |context: NativeCallContext, t: &mut T, channel: Text, n: Dynamic| {
        t.on(&context, |stage| {
            let n = number_of(&n, "the number of notifications")?;
            stage.expect_sent(&channel, n as i64)
        })
    });
    engine.register_fn("expect_notification", |context: NativeCallContext, t: &mut T, channel: Text, fields: Map| {
        notification::expect(&context, t, &channel, &fields)
    });
    engine.register_fn("sent", |context: NativeCallContext, t: &mut T, channel: Text| {
        t.on(&context, |stage| {
            stage.flush();
            let channel = stage.channel(&channel)?;
            let sent = stage.story.sent(&channel).map(|sent| sent::to_script(sent).map(Dynamic::from));
            sent.collect::<std::result::Result<Array, Failure>>()
        })
    });
    engine.register_fn("attempts", |context: NativeCallContext, t: &mut T, channel: Text| {
        t.on(&context, |stage| {
            stage.flush();
            let channel = stage.channel(&channel)?;
            let attempts = stage.story.attempts.iter();
            let attempts = attempts.filter(|attempt| attempt.sent.notification.channel == channel);
            Ok(attempts.map(sent::attempt_to_script).collect::<Array>())
        })
    });
    engine.register_fn("waiting", |context: NativeCallContext, t: &mut T, channel: Text| {
        t.on(&context, |stage| {
            stage.flush();
            let channel = stage.channel(&channel)?;
            Ok(stage.bench.backlog(&channel).waiting as i64)
        })
    });
    engine.register_fn("expect", |context: NativeCallContext, t: &mut T, is_met: bool, text: Text| {
        t.on(&context, |stage| {
            stage.mark();
            if is_met { Ok(()) } else { Err(Failure::new(text.to_string())) }
        })
    });
}

fn subject(context: &NativeCallContext, t: &mut T, kind: &str, name: &str, labels: Option<&Map>) -> Result<Subject> {
    let index = t.on(context, |stage| {
        kinds::check_kind(stage, kind)?;
        if kind.is_empty() || name.is_empty() {
            return Err(Failure::new("a subject has a kind and a name that are not empty"));
        }
        let key = SubjectKey::new(kind, name);
        let labels = labels.map(labels_of).transpose()?;
        if let Some(index) = stage.subjects.iter().position(|subject| subject.key == key) {
            if let Some(labels) = labels {
                stage.subjects[index].set_labels(labels);
            }
            return Ok(index);
        }
        stage.subjects.push(Sampled::new(key, labels.unwrap_or_default()));
        Ok(stage.subjects.len() - 1)
    })?;
    Ok(Subject { t: t.clone(), index })
}

fn length_of(text: &str) -> std::result::Result<Duration, Failure> {
    duration::parse(text).map_err(|error| Failure::new(error.to_string()))
}

fn reason_of(text: &str) -> std::result::Result<CloseReason, Failure> {
    const ALL: [CloseReason; 6] = [
        CloseReason::Gone,
        CloseReason::RuleRemoved,
        CloseReason::RuleChanged,
        CloseReason::NoLongerCovered,
        CloseReason::NoData,
        CloseReason::Vanished,
    ];
    ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| {
        let names = ALL.map(CloseReason::as_str);
        Failure::new(format!("`{text}` is no reason for which an alert is closed"))
            .hint(Some(format!("the reasons are {}", names.join(", "))))
    })
}

/// A script's value as a field's or a param's.
fn value_of(value: &Dynamic) -> Option<Value> {
    if let Ok(number) = value.as_float() {
        return Some(Value::Number(number));
    }
    if let Ok(number) = value.as_int() {
        return Some(Value::Number(number as f64));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Some(Value::Text(text.as_str().into()));
    }
    value.as_bool().ok().map(Value::Bool)
}

fn no_value(what: &str, value: &Dynamic) -> Failure {
    Failure::new(format!("{what} is a number, a text or a bool, not {}", value.type_name()))
}

fn number_of(value: &Dynamic, what: &str) -> std::result::Result<f64, Failure> {
    match value_of(value) {
        Some(Value::Number(number)) if number.is_finite() => Ok(number),
        _ => Err(Failure::new(format!("{what} is a number, not {value}"))),
    }
}

fn labels_of(labels: &Map) -> std::result::Result<Labels, Failure> {
    let label = |name: &str, value: &Dynamic| match value.as_immutable_string_ref() {
        Ok(text) => Ok((Arc::from(name), Arc::from(text.as_str()))),
        Err(_) => Err(Failure::new(format!("the label `{name}` is text, not {}", value.type_name()))),
    };
    labels.iter().map(|(name, value)| label(name, value)).collect()
}

/// The place of an error in a test file.
pub(crate) fn place(position: Position) -> (usize, usize) {
    (position.line().unwrap_or(0), position.position().unwrap_or(0))
}
