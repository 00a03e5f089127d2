//! What is wrong with a test file, without running its tests.

use std::sync::Arc;

use super::run::Program;
use crate::diagnostic::Diagnostic;
use crate::rules::diagnose;

/// The problems of a test file: what cannot be read, calls that cannot work, and what fails while it registers its tests.
pub fn check(file: &Arc<str>, text: &str) -> Vec<Diagnostic> {
    let program = match Program::compile(file, text) {
        Ok(program) => program,
        Err(problem) => return vec![*problem],
    };
    let calls = diagnose::of_calls(file, text, &program.ast, &program.engine);
    if !calls.is_empty() {
        // One of them may be what the run would fail of.
        return calls;
    }
    let Err(failure) = program.register() else { return Vec::new() };
    let problem = Diagnostic::error(file.clone(), text, failure.line, failure.column, failure.message);
    vec![match failure.hint {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        check(&"rules/a.test.rhai".into(), text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_file_has_no_problems_and_runs_no_test() {
        let text =
            "fn often() { 3 }\ntest(\"it is\", |t| { t.expect_firing(\"no_such_rule\", \"a\"); let n = often(); });";
        assert_eq!(problems(text), [""; 0]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        assert_eq!(
            problems("test(\"a\", |t| {\n    t.advance(\"1m\")\n    t.expect_quiet();\n});"),
            ["rules/a.test.rhai:3:5: error: expected `;` to terminate this statement"]
        );
    }

    #[test]
    fn calls_that_cannot_work_are_all_told_though_no_test_runs() {
        let text = "test(\"a\", |t| {\n    t.advence(\"1m\");\n    t.expect_sent(\"console\");\n});";
        assert_eq!(
            problems(text),
            [
                "rules/a.test.rhai:2:7: error: unknown method `advence` (did you mean `advance`?)",
                "rules/a.test.rhai:3:7: error: `expect_sent` takes 2 arguments, not 1",
            ]
        );
    }

    #[test]
    fn what_fails_while_tests_are_registered_is_told() {
        let text = "test(\"a\", |t| t.expect_quiet());\ntest(\"a\", |t| t.expect_quiet());";
        assert_eq!(
            problems(text),
            ["rules/a.test.rhai:2:1: error: there are two tests with the name `a` in this file"]
        );
    }
}
