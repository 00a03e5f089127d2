use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::Engine;

use super::registered::{Form, Registered, Written, of_topic, written};
use super::*;
use crate::model::duration;
use crate::rules::analyse::calls::{self, Known, Surroundings};
use crate::rules::analyse::script::Script;
use crate::rules::number;
use crate::rules::options::KEYS;
use crate::rules::{Defaults, Repeat, script};

#[test]
fn every_registered_function_is_in_the_reference_and_nothing_else_is() {
    assert_eq!(gaps(&rule_topics()), [""; 0]);
}

fn names_of(engine: &Engine) -> BTreeSet<String> {
    engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), false).into_iter().collect()
}

#[test]
fn nothing_is_registered_past_the_topics() {
    let mut plain = Engine::new();
    number::register(&mut plain);
    let mut known = names_of(&plain);
    // Overridden, because they block or read the clock.
    known.extend(["sleep".to_string(), "timestamp".to_string()]);
    known.extend(rule_topics().into_iter().flat_map(of_topic).map(|function| function.name));
    let unknown: Vec<String> = names_of(&script::engine()).difference(&known).cloned().collect();
    assert_eq!(unknown, [""; 0], "register them in a topic of `rules::host`");
}

#[test]
fn topics_have_different_names_and_whole_sentences() {
    let topics = rule_topics();
    assert_eq!(topics.iter().map(|topic| topic.name).collect::<BTreeSet<_>>().len(), topics.len());
    for function in topics.iter().flat_map(|topic| topic.functions) {
        assert!(function.gives.ends_with('.'), "{}", function.signature);
        assert!(function.no_data.is_empty() || function.no_data.ends_with('.'), "{}", function.signature);
    }
    for key in KEYS {
        assert!(key.meaning.ends_with('.'), "{}", key.name);
    }
}

#[test]
fn the_examples_are_scripts_that_call_what_there_is() {
    let mut engine = script::engine();
    (crate::rules::register::TOPIC.register)(&mut engine);
    let known = Known::of_engine(&engine);
    for function in rule_topics().into_iter().flat_map(|topic| topic.functions) {
        // A line of its own for the bracket: an example may end in a comment.
        let text = format!("let example = |s, g, text, x| {{\n{}\n}};", function.example);
        let ast = engine.compile(&text).unwrap_or_else(|error| panic!("{}: {error}", function.example));
        let script = Script::new("example".into(), Arc::from(text), ast);
        let problems = calls::check(&script, &Surroundings { engine: &known, imports: &Default::default() });
        assert_eq!(problems, [], "{}", function.example);
    }
}

#[test]
fn rhais_own_functions_that_are_named_exist() {
    let engine = script::engine();
    let list = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
    for name in STANDARD.iter().flat_map(|(_, _, names)| *names) {
        assert!(list.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn the_defaults_of_keys_are_those_that_hold() {
    let defaults = Defaults::default();
    let said = |name: &str| KEYS.iter().find(|key| key.name == name).unwrap().default.trim_matches('"').to_string();
    assert_eq!(said("cooldown"), duration::format(defaults.cooldown));
    assert_eq!(said("every"), duration::format(defaults.every));
    let Repeat::Every(repeat) = defaults.repeat else { panic!("a reminder by default") };
    assert_eq!(said("repeat"), duration::format(repeat));
}

#[test]
fn a_signature_is_read_in_each_of_its_ways() {
    let call = |receiver, name, params: &[&'static str]| Written { receiver, form: Form::Call(name, params.to_vec()) };
    assert_eq!(
        written("s.peers(labels), s.peers(labels, kind)"),
        [call(Some("s"), "peers", &["labels"]), call(Some("s"), "peers", &["labels", "kind"])]
    );
    assert_eq!(written("today()"), [call(None, "today", &[])]);
    let property = Written { receiver: Some("s"), form: Form::Property("error_rate") };
    let index = Written { receiver: Some("s"), form: Form::Index };
    assert_eq!(written("s.error_rate, s[\"error_rate\"]"), [property, index]);
    assert_eq!(written("for m in g { .. }"), []);
}

#[test]
fn definitions_have_names_types_and_words() {
    let text = definitions("What rules can call.", &rule_topics());
    assert!(text.starts_with("module static;\n"), "{text}");
    for declaration in [
        "\nfn rule(name: ?, options: ?);\n",
        "\nfn get name(s: Subject) -> String;\n",
        "\nfn get(s: Subject, field: String, or_else: ?) -> ?;\n",
        "\nfn rate(s: Subject, field: String, window: String) -> float;\n",
        "\nfn rate(s: Subject, field: String, window: Window) -> float;\n",
        "\nfn filter(g: Set, predicate: Fn) -> Set;\n",
        "\nfn get labels(g: Set) -> Labels;\n",
        "\nfn names(g: Set) -> Array;\n",
        "\nfn all(kind: String, labels: Map) -> Set;\n",
        "\nfn fixed(x: int, digits: int) -> String;\n",
        "\n/// Unit: the field's, per second. Needs at least 2 samples.\n",
    ] {
        assert!(text.contains(declaration), "{declaration} is not in\n{text}");
    }
    assert!(!text.contains('$'), "{text}");
}

#[test]
fn a_gap_says_what_to_do() {
    const TOPIC: Topic = Topic {
        name: "Trees",
        functions: &[host::Function::new("fell(tree)", "Whether it fell.")],
        register: |engine| {
            engine.register_fn("grow", |_: i64| true);
        },
    };
    assert_eq!(
        gaps(&[&TOPIC]),
        [
            "`fell(tree)` of \"Trees\" is in the reference and not registered",
            "`grow` with 1 parameters is registered by \"Trees\": add its entry to `functions` there",
        ]
    );
    let grow = Registered { name: "grow".into(), params: vec!["int".into()], returns: "bool".into() };
    assert_eq!(of_topic(&TOPIC), [grow]);
}
