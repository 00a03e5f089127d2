//! Test results as JUnit's XML, as far as CI systems agree on it (Jenkins, GitLab, GitHub's reporters, Azure, CircleCI).
//!
//! A file is a `testsuite`, a test a `testcase` with `classname`, `name`, `file`, `line` and `time`; a failure has its
//! message as an attribute and everything else as text, without which some of them show nothing. A file that cannot be run
//! is an `error` of a test case of its own: a suite without any is passed over by most.

use std::fmt::Write as _;
use std::time::Duration;

use crate::lab::rule_test::{FailureReport, FileReport, TestReport};

/// All results as one document.
pub(super) fn document(reports: &[FileReport]) -> String {
    let n_tests: usize = reports.iter().map(n_cases).sum();
    let n_errors = reports.iter().filter(|report| report.problem.is_some()).count();
    let n_failed: usize = reports.iter().map(FileReport::n_failed).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let took = seconds(reports.iter().map(FileReport::took).sum());
    let n_failures = n_failed - n_errors;
    line(
        &mut xml,
        format_args!(
            "<testsuites name=\"larum test\" tests=\"{n_tests}\" failures=\"{n_failures}\" errors=\"{n_errors}\" time=\"{took}\">"
        ),
    );
    reports.iter().for_each(|report| suite(&mut xml, report));
    xml.push_str("</testsuites>\n");
    xml
}

fn n_cases(report: &FileReport) -> usize {
    report.tests.len() + usize::from(report.problem.is_some())
}

fn suite(xml: &mut String, report: &FileReport) {
    let (n_tests, took) = (n_cases(report), seconds(report.took()));
    let n_errors = usize::from(report.problem.is_some());
    let n_failures = report.n_failed() - n_errors;
    let file = attribute(&report.file);
    line(
        xml,
        format_args!(
            "  <testsuite name=\"{file}\" tests=\"{n_tests}\" failures=\"{n_failures}\" errors=\"{n_errors}\" skipped=\"0\" time=\"{took}\">"
        ),
    );
    if let Some(problem) = &report.problem {
        open_case(xml, report, "the file can be run", problem.line, Duration::ZERO, ">");
        failure(xml, "error", report, problem);
        xml.push_str("    </testcase>\n");
    }
    report.tests.iter().for_each(|test| case(xml, report, test));
    xml.push_str("  </testsuite>\n");
}

fn case(xml: &mut String, report: &FileReport, test: &TestReport) {
    if test.failure.is_none() && test.prints.is_empty() {
        return open_case(xml, report, &test.name, test.line, test.took, "/>");
    }
    open_case(xml, report, &test.name, test.line, test.took, ">");
    if let Some(failed) = &test.failure {
        failure(xml, "failure", report, failed);
    }
    if !test.prints.is_empty() {
        line(xml, format_args!("      <system-out>{}</system-out>", text(&test.prints.join("\n"))));
    }
    xml.push_str("    </testcase>\n");
}

fn open_case(xml: &mut String, report: &FileReport, name: &str, at: usize, took: Duration, end: &str) {
    let (name, file, class) = (attribute(name), attribute(&report.file), attribute(&class(&report.file)));
    let (at, took) = (at.max(1), seconds(took));
    line(
        xml,
        format_args!(
            "    <testcase classname=\"{class}\" name=\"{name}\" file=\"{file}\" line=\"{at}\" time=\"{took}\"{end}"
        ),
    );
}

fn failure(xml: &mut String, element: &str, report: &FileReport, failed: &FailureReport) {
    let mut message = failed.message.clone();
    if let Some(got) = failed.got.as_ref().and_then(|got| got.lines().next()) {
        message = format!("{message}; got: {got}");
    }
    // What was printed stands in `system-out`.
    let shown = FailureReport { prints: Vec::new(), ..failed.clone() };
    let lines: Vec<String> = shown.lines(&report.file);
    let lines: Vec<&str> = lines.iter().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    let (message, told) = (attribute(&message), text(&lines.join("\n")));
    let kind = if element == "error" { "unusable file" } else { "expectation" };
    line(xml, format_args!("      <{element} message=\"{message}\" type=\"{kind}\">{told}</{element}>"));
}

/// `rules/service.test.rhai` as Jenkins groups it: `rules.service`.
fn class(file: &str) -> String {
    let file = file.strip_suffix(".rhai").unwrap_or(file);
    let file = file.strip_suffix(".test").unwrap_or(file);
    file.trim_start_matches(['.', '/']).replace(['/', '\\'], ".")
}

fn seconds(took: Duration) -> String {
    format!("{:.6}", took.as_secs_f64())
}

fn line(xml: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    writeln!(xml, "{line}").ok();
}

fn attribute(value: &str) -> String {
    let mut escaped = text(value).replace('"', "&quot;");
    for (character, reference) in [('\t', "&#9;"), ('\n', "&#10;"), ('\r', "&#13;")] {
        escaped = escaped.replace(character, reference);
    }
    escaped
}

/// A text without what XML 1.0 cannot have at all.
fn text(value: &str) -> String {
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            character if allowed(character) => escaped.push(character),
            _ => escaped.push('\u{fffd}'),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, failure: Option<FailureReport>, prints: &[&str]) -> TestReport {
        TestReport {
            name: name.into(),
            place: 0,
            line: 3,
            took: Duration::from_millis(1500),
            expectations: 1,
            rules: Default::default(),
            asked: Default::default(),
            prints: prints.iter().map(ToString::to_string).collect(),
            failure,
        }
    }

    #[test]
    fn a_document_has_what_ci_systems_read() {
        let failed = FailureReport {
            line: 5,
            column: 2,
            source: Some("t.expect(1 < 2, \"a & b\");".into()),
            message: "a \"quoted\" & <odd>\nmessage\u{1b}[0m".into(),
            got: Some("2 > 1".into()),
            ..FailureReport::default()
        };
        let reports = [
            FileReport {
                file: "rules/a.test.rhai".into(),
                tests: vec![test("it's fine", None, &[]), test("it <fails>", Some(failed.clone()), &["cpu: x & y"])],
                problem: None,
            },
            FileReport { file: "b.test.rhai".into(), tests: Vec::new(), problem: Some(failed) },
        ];
        insta::assert_snapshot!(document(&reports), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="larum test" tests="3" failures="1" errors="1" time="3.000000">
          <testsuite name="rules/a.test.rhai" tests="2" failures="1" errors="0" skipped="0" time="3.000000">
            <testcase classname="rules.a" name="it's fine" file="rules/a.test.rhai" line="3" time="1.500000"/>
            <testcase classname="rules.a" name="it &lt;fails&gt;" file="rules/a.test.rhai" line="3" time="1.500000">
              <failure message="a &quot;quoted&quot; &amp; &lt;odd&gt;&#10;message�[0m; got: 2 &gt; 1" type="expectation">rules/a.test.rhai:5:2
           5 | t.expect(1 &lt; 2, "a &amp; b");
             |  ^
        a "quoted" &amp; &lt;odd&gt;
        message�[0m
        got: 2 &gt; 1</failure>
              <system-out>cpu: x &amp; y</system-out>
            </testcase>
          </testsuite>
          <testsuite name="b.test.rhai" tests="1" failures="0" errors="1" skipped="0" time="0.000000">
            <testcase classname="b" name="the file can be run" file="b.test.rhai" line="5" time="0.000000">
              <error message="a &quot;quoted&quot; &amp; &lt;odd&gt;&#10;message�[0m; got: 2 &gt; 1" type="unusable file">b.test.rhai:5:2
           5 | t.expect(1 &lt; 2, "a &amp; b");
             |  ^
        a "quoted" &amp; &lt;odd&gt;
        message�[0m
        got: 2 &gt; 1</error>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn no_results_are_a_document_too() {
        assert!(document(&[]).contains("tests=\"0\" failures=\"0\" errors=\"0\""));
    }
}
