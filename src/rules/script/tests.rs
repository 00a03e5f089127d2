use super::*;

#[test]
fn limits_are_the_same_in_every_build() {
    let engine = engine();
    assert_eq!(engine.max_call_levels(), MAX_CALL_LEVELS);
    assert_eq!(engine.max_expr_depth(), MAX_EXPR_DEPTH);
    assert_eq!(engine.max_function_expr_depth(), MAX_FN_EXPR_DEPTH);
    assert_eq!(engine.max_string_size(), MAX_STRING_SIZE);
    assert_eq!(engine.max_array_size(), MAX_ARRAY_SIZE);
    assert_eq!(engine.max_map_size(), MAX_MAP_SIZE);
    assert!(engine.strict_variables() && engine.fail_on_invalid_map_property() && !engine.fast_operators());
}

#[test]
fn a_file_that_never_ends_does_not_load_for_ever() {
    let engine = engine();
    let (result, _) = budget::run(budget::PER_LOAD, budget::LOAD_TIME, || engine.run("loop {}"));
    let stop = Stop::of(&result.unwrap_err());
    assert!(matches!(stop, Some(Stop::Exhausted(budget::Exhausted::Operations))), "{stop:?}");
}

#[test]
fn an_expression_that_is_nested_too_deeply_does_not_parse() {
    let engine = engine();
    let deep = |n: usize| format!("|s| {}1{}", "(".repeat(n), ")".repeat(n));
    assert!(engine.compile(deep(10_000)).is_err());
    let arrays = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    assert!(engine.compile(arrays(10_000)).is_err());
    let mut sum = "1".to_string();
    sum.push_str(&" + 1".repeat(20_000));
    assert!(engine.compile(sum).is_err());
}
