use std::collections::BTreeSet;

use super::*;

#[test]
fn every_function_has_its_place_in_the_reference() {
    let names: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    for topic in TOPICS {
        assert!(!topic.functions.is_empty(), "{}", topic.name);
        for function in topic.functions {
            assert!(function.gives.ends_with('.'), "{}", function.signature);
            assert!(function.no_data.is_empty() || function.no_data.ends_with('.'), "{}", function.signature);
        }
    }
}

#[test]
fn every_function_of_the_reference_is_registered() {
    let engine = crate::rules::script::engine();
    let registered = engine.gen_fn_metadata_to_json(false).unwrap();
    for function in TOPICS.iter().flat_map(|topic| topic.functions) {
        let name = function.signature.split('(').next().unwrap_or_default();
        let Some(name) = function.signature.contains('(').then(|| name.rsplit('.').next().unwrap_or(name)) else {
            continue;
        };
        if name != "for m in g { " && !name.contains(' ') {
            assert!(registered.contains(&format!("\"name\": \"{name}\"")), "{name} of {}", function.signature);
        }
    }
}
