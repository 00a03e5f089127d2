//! A subject in a closure: its identity, its fields, and its peers.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map};

use crate::history::SubjectId;
use crate::model::{Labels, NoData, Value};
use crate::rules::evaluation::Evaluation;
use crate::rules::script::fault;

use super::{Function, Set, Topic, from_script, method, text, to_script, type_name};

/// What a closure can ask of a subject.
pub(super) const TOPIC: Topic = Topic {
    name: "A subject",
    register,
    functions: &[
        Function::new("s.name", "The subject's name."),
        Function::new("s.kind", "The subject's kind."),
        Function::new("s.time", "The time of its newest snapshot.").unit("seconds since 1970 (Unix time)"),
        Function::new(
            "s.age",
            "For how long there was no newer snapshot; only time in which the engine ran counts. Also of a stale subject.",
        )
        .unit("seconds")
        .no_data("It was not heard of since a restart.")
        .example("s.age > 120"),
        Function::new(
            "s.error_rate, s[\"error_rate\"]",
            "The newest value of a field; the second form is always the field, also for `name` or a reserved word.",
        )
        .unit("the field's; numbers are fractional")
        .samples(1)
        .no_data("The newest snapshot lacks the field, it is not a finite number, or the subject is stale or gone.")
        .example("s.error_rate > 0.1 && s[\"status\"] == \"running\""),
        Function::new("s.has(field)", "Whether the newest snapshot has the field.")
            .no_data("The subject is stale or gone.")
            .example("s.has(\"error\")"),
        Function::new("s.get(field, default)", "The newest value of a field, or the default where the snapshot lacks it.")
            .no_data("The subject is stale or gone.")
            .example("s.get(\"error\", \"no reason given\")"),
        Function::new("s.fields(regex)", "A map from the name to the value of each field whose whole name matches.")
            .no_data("The subject is stale or gone.")
            .example("s.fields(\"queue_.*\").values().some(|n| n > 1000)"),
        Function::new("s.labels", "Its labels."),
        Function::new(
            "s.peers(labels), s.peers(labels, kind)",
            "The set of its own (or that) kind that agrees with it in these labels: one name, or an array of names.",
        )
        .no_data("A subject of the kind was fresh before a restart and has not been heard of since.")
        .example("s.error_rate > 2 * s.peers(\"region\").avg(\"error_rate\")"),
    ],
};

/// The labels of a subject or a set.
pub(super) const LABELS: Topic = Topic {
    name: "Labels",
    register: register_labels,
    functions: &[
        Function::new("labels.region, labels[\"region\"]", "The text of a label, `\"\"` where it is missing.")
            .example("s.labels.region == \"eu\""),
        Function::new("labels.contains(name)", "Whether there is such a label.").example("s.labels.contains(\"team\")"),
        Function::new("labels.keys()", "The names of the labels, as an array."),
    ],
};

/// A subject of the world, as scripts hold it.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(super) evaluation: Arc<Evaluation>,
    pub(super) id: SubjectId,
}

/// The labels of a subject or set, as scripts hold them.
#[derive(Clone, Debug)]
pub(super) struct LabelsView(pub(super) Arc<Labels>);

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

impl Subject {
    /// The subject with this id.
    pub(crate) fn new(evaluation: &Arc<Evaluation>, id: SubjectId) -> Subject {
        Subject { evaluation: evaluation.clone(), id }
    }

    /// Asks about what the world knows of the subject itself.
    fn about<T>(&self, question: impl FnOnce(&crate::history::Subject) -> T) -> Result<T> {
        self.evaluation
            .ask(|world, _| world.subject(self.id).map(question))?
            .ok_or_else(|| fault("the subject was forgotten"))
    }

    /// A field's value, finite if it is a number.
    pub(super) fn read(&self, field: &str) -> std::result::Result<Result<Value>, NoData> {
        let value = match self.evaluation.ask(|world, now| world.field(self.id, field, now)) {
            Ok(value) => value?,
            Err(error) => return Ok(Err(error)),
        };
        match &value {
            Value::Number(number) if !number.is_finite() => Err(NoData::NotFinite { origin: field.to_string() }),
            Value::Number(_) | Value::Text(_) | Value::Bool(_) => {
                self.evaluation.record(Some(self.id), || field.into(), &value);
                Ok(Ok(value))
            }
        }
    }

    /// Stops the evaluation where there is no answer.
    pub(super) fn or_stop<T>(&self, answer: std::result::Result<T, NoData>) -> Result<T> {
        self.evaluation.ask_about(self.id, |_, _| answer)
    }

    /// The subject as people name it.
    pub(super) fn to_text(&self) -> String {
        self.about(|subject| subject.key.to_string()).unwrap_or_default()
    }

    fn field(&mut self, field: ImmutableString) -> Result<Dynamic> {
        let answer = self.read(&field);
        self.or_stop(answer)?.map(to_script)
    }

    /// A field's value, `None` where the newest snapshot has none that can be read.
    fn field_or_none(&self, field: &str) -> Result<Option<Value>> {
        match self.read(field) {
            Ok(value) => value.map(Some),
            Err(NoData::FieldMissing { .. } | NoData::NeverHad { .. } | NoData::NotFinite { .. }) => Ok(None),
            Err(reason) => self.or_stop(Err(reason)),
        }
    }

    fn fields(&mut self, regex: &str) -> Result<Map> {
        let regex = text::whole(regex)?;
        let fields = self.evaluation.ask_about(self.id, |world, now| {
            if world.is_stale(self.id, now) {
                // The world knows best which of the reasons it is.
                return Err(match world.subject(self.id) {
                    Some(subject) if !subject.gone => NoData::Stale { since: now.wall_of(subject.arrived) },
                    Some(_) | None => NoData::Gone,
                });
            }
            let matching = world
                .fields(self.id)
                .filter(|(name, value)| regex.is_match(name) && value.as_number().is_none_or(f64::is_finite));
            Ok(matching.map(|(name, value)| (name.as_ref().into(), to_script(value.clone()))).collect())
        })?;
        Ok(fields)
    }

    fn peers(&mut self, labels: &Dynamic, kind: Option<&str>) -> Result<Set> {
        let names = label_names(labels)?;
        let (own, wanted) = self.about(|subject| {
            let wanted: Labels = names.iter().map(|name| (name.clone(), label(subject, name))).collect();
            (subject.key.kind.clone(), wanted)
        })?;
        Set::of_kind(&self.evaluation, kind.map_or(own, Arc::from), wanted)
    }

    fn labels(&self) -> Result<LabelsView> {
        self.about(|subject| LabelsView(Arc::new(subject.labels.clone())))
    }
}

/// A label of a subject, where `name` and `kind` count as labels; `""` where it is missing.
pub(super) fn label(subject: &crate::history::Subject, name: &str) -> Arc<str> {
    match name {
        "name" => subject.key.name.clone(),
        "kind" => subject.key.kind.clone(),
        _ => subject.labels.get(name).cloned().unwrap_or_else(|| "".into()),
    }
}

/// Names of labels: one text, or an array of texts.
pub(super) fn label_names(names: &Dynamic) -> Result<Vec<Arc<str>>> {
    let name = |value: &Dynamic| match value.as_immutable_string_ref() {
        Ok(name) => Ok(Arc::from(name.as_str())),
        Err(_) => Err(fault(format!("labels are named by text or an array of texts, not by {}", type_name(value)))),
    };
    match names.as_array_ref() {
        Ok(names) => names.iter().map(name).collect(),
        Err(_) => Ok(vec![name(names)?]),
    }
}

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Subject>("subject");
    method(engine, "get$name", |s: &mut Subject| s.about(|subject| ImmutableString::from(&*subject.key.name)));
    method(engine, "get$kind", |s: &mut Subject| s.about(|subject| ImmutableString::from(&*subject.key.kind)));
    method(engine, "get$time", |s: &mut Subject| {
        let now = s.evaluation.now;
        s.about(|subject| now.wall_of(subject.time).as_secs_f64())
    });
    method(engine, "get$age", |s: &mut Subject| {
        let age = s.evaluation.ask_about(s.id, |world, now| world.age(s.id, now))?;
        s.evaluation.record(Some(s.id), || "age".into(), &Value::Number(age));
        Ok::<f64, Box<EvalAltResult>>(age)
    });
    method(engine, "get$labels", |s: &mut Subject| s.labels());
    method(engine, "index$get$", Subject::field);
    method(engine, "has", |s: &mut Subject, field: &str| s.field_or_none(field).map(|value| value.is_some()));
    method(engine, "get", |s: &mut Subject, field: &str, default: Dynamic| {
        s.field_or_none(field).map(|value| value.map_or(default, to_script))
    });
    method(engine, "fields", Subject::fields);
    method(engine, "peers", |s: &mut Subject, labels: Dynamic| s.peers(&labels, None));
    method(engine, "peers", |s: &mut Subject, labels: Dynamic, kind: &str| s.peers(&labels, Some(kind)));
    method(engine, "to_string", |s: &mut Subject| s.about(|subject| subject.key.to_string()));
    method(engine, "==", |a: &mut Subject, b: Subject| a.id == b.id);
    method(engine, "!=", |a: &mut Subject, b: Subject| a.id != b.id);
}

fn register_labels(engine: &mut Engine) {
    engine.register_type_with_name::<LabelsView>("labels");
    method(engine, "index$get$", |labels: &mut LabelsView, name: &str| {
        ImmutableString::from(labels.0.get(name).map_or("", |value| value))
    });
    method(engine, "contains", |labels: &mut LabelsView, name: &str| labels.0.contains_key(name));
    method(engine, "keys", |labels: &mut LabelsView| {
        labels.0.keys().map(|name| Dynamic::from(ImmutableString::from(&**name))).collect::<rhai::Array>()
    });
    method(engine, "to_string", |labels: &mut LabelsView| {
        let pairs: Vec<String> = labels.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(", ")
    });
}

/// The value that `held` compares with.
pub(super) fn comparable(value: &Dynamic) -> Result<Value> {
    from_script(value).ok_or_else(|| fault(format!("a field is a number, text or a bool, never {}", type_name(value))))
}
