use super::*;
use crate::diagnostic::Diagnostic;
use crate::rules::reference;

#[test]
fn every_function_of_tests_is_in_the_reference_and_nothing_else_is() {
    assert_eq!(reference::gaps(TOPICS), [""; 0]);
}

#[test]
fn entries_are_whole_sentences() {
    for function in TOPICS.iter().flat_map(|topic| topic.functions) {
        assert!(function.gives.ends_with('.'), "{}", function.signature);
    }
}

#[test]
fn the_examples_are_scripts_that_call_what_there_is() {
    for function in TOPICS.iter().flat_map(|topic| topic.functions) {
        let text = format!("let example = |t, s| {{\n{}\n}};", function.example);
        let problems: Vec<Diagnostic> = crate::lab::rule_test::check(&"example".into(), &text);
        assert_eq!(problems, [], "{}", function.example);
    }
}

#[test]
fn hints_know_all_names() {
    let names: Vec<&str> = names().collect();
    for name in ["test", "subject", "advance", "expect_firing", "set", "gone"] {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn definitions_tell_the_test_from_its_subjects() {
    let text = reference::definitions("What rule tests can call.", TOPICS);
    for declaration in [
        "\nfn subject(t: Test, kind: String, name: String, labels: Map) -> TestSubject;\n",
        "\nfn climb(s: TestSubject, field: String, per_second: ?);\n",
        "\nfn test(name: String, body: Fn);\n",
        "\nfn sent(t: Test, channel: String) -> Array;\n",
    ] {
        assert!(text.contains(declaration), "{declaration} is not in\n{text}");
    }
}
