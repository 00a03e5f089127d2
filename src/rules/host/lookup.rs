//! Other subjects: by name, and by kind and labels.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

use crate::model::Labels;
use crate::rules::evaluation;
use crate::rules::script::fault;

use super::{Function, Set, Subject, Topic, type_name};

/// Looking up other subjects.
pub(super) const TOPIC: Topic = Topic {
    name: "Other subjects",
    register,
    functions: &[
        Function::new("find(kind, name)", "The subject, or `()` where it is not known.")
            .example("let db = find(\"service\", \"db\"); db != () && db.error_rate > 0.1"),
        Function::new(
            "all(kind), all(kind, labels)",
            "The set of the fresh subjects of a kind: all of them, or those that have these labels. `name` and `kind` count as labels.",
        )
        .no_data("A subject of the kind was fresh before a restart and has not been heard of since.")
        .example("all(\"service\", #{ region: \"eu\" }).avg(\"error_rate\")"),
    ],
};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

fn find(context: NativeCallContext, kind: &str, name: &str) -> Result<Dynamic> {
    let evaluation = evaluation::of_call(&context)?;
    let found = evaluation.ask(|world, _| world.find(kind, name))?;
    Ok(found.map_or(Dynamic::UNIT, |id| Dynamic::from(Subject::new(&evaluation, id))))
}

fn all(context: NativeCallContext, kind: &str, labels: Map) -> Result<Set> {
    let evaluation = evaluation::of_call(&context)?;
    let labels = labels.iter().map(|(name, value)| match value.as_immutable_string_ref() {
        Ok(text) => Ok((Arc::from(name.as_str()), Arc::from(text.as_str()))),
        Err(_) => Err(fault(format!("the label `{name}` of `all` must be text, and is {}", type_name(value)))),
    });
    Set::of_kind(&evaluation, kind.into(), labels.collect::<Result<Labels>>()?)
}

fn register(engine: &mut Engine) {
    engine.register_fn("find", find);
    engine.register_fn("all", all);
    engine.register_fn("all", |context: NativeCallContext, kind: &str| all(context, kind, Map::new()));
}
