//! What the expressions of a rule say, both ways.

use super::Say::{Error, Never, No, Nothing, Yes};
use super::*;

#[test]
fn a_condition_is_true_or_false() {
    check("s.error_rate > 0.1", Yes);
    check("s.error_rate > 0.2", No);
    check("s.error_rate < 0.5 && s.three > 1", Yes);
    check("s.ready", Yes);
    check("!s.ready", No);
    check("s.status == \"running\"", Yes);
    check("s.status != \"running\"", No);
    check("s.status < \"stopped\"", Yes);
    check("s.status in [\"running\", \"starting\"]", Yes);
    check("s.ready == true", Yes);
    check("s.ready != true", No);
}

#[test]
fn what_is_neither_true_nor_false_is_an_error() {
    check("s.error_rate", Error("`when` must be true or false, got a number"));
    check("s.status", Error("got text"));
    check("()", Error("got `()`"));
    check("s", Error("got a subject"));
    check("s.three && true", Error("bool"));
    check("if s.three { true } else { false }", Error("bool"));
}

#[test]
fn a_field_that_the_snapshot_lacks_is_no_data_and_one_that_never_was_does_not_concern_the_subject() {
    check("s.lost > 1", Nothing("lacks `lost`"));
    check("s.error_rat > 1", Never("error_rat"));
    check("s[\"error_rat\"] > 1", Never("error_rat"));
    check("s.rate(\"error_rat\", \"5m\") > 1", Never("error_rat"));
    check("s.error_rate > 0.5 && s.nowhere > 1", No);
}

#[test]
fn infinite_numbers_and_division_by_zero_are_no_data() {
    check("s.broken > 1", Nothing("broken"));
    check("s.endless > 1", Nothing("endless"));
    check("s.three / s.zero > 1", Nothing("division by zero"));
    check("s.three / 0 > 1", Nothing("division by zero"));
    check("1 / 0 > 1", Nothing("division by zero"));
    check("1.0 / 0.0 > 5.0", Nothing("division by zero"));
    check("s.three % s.zero > 1", Nothing("division by zero"));
    check("s.huge * 10 > 1", Nothing("not a finite number"));
    check("(-1.0).sqrt() > 0", Nothing("not a finite number"));
    check("{ let x = 1; x /= 0; x > 1 }", Nothing("division by zero"));
}

#[test]
fn no_data_cannot_be_caught() {
    check("{ try { s.lost > 1 } catch { true } }", Nothing("lacks `lost`"));
    check("{ try { s.three / s.zero > 1 } catch (e) { true } }", Nothing("division by zero"));
    check("{ try { s.nowhere > 1 } catch { true } }", Never("nowhere"));
    check("{ try { [1].map(|x| s.lost) } catch { } true }", Nothing("lacks `lost`"));
    check("{ let x = false; try { throw \"mine\" } catch { x = true; } x }", Yes);
}

#[test]
fn has_and_get_ask_first() {
    check("s.has(\"error_rate\")", Yes);
    check("s.has(\"lost\")", No);
    check("s.has(\"nowhere\")", No);
    check("s.has(\"broken\")", No);
    check("s.get(\"error_rate\", 7) == 0.2", Yes);
    check("s.get(\"lost\", 7) == 7", Yes);
    check("s.get(\"nowhere\", \"none\") == \"none\"", Yes);
}

#[test]
fn a_ratio_says_what_happens_at_zero() {
    check("ratio(s.three, 2) == 1.5", Yes);
    check("ratio(s.three, s.zero) > 1", Nothing("division by zero"));
    check("ratio(s.three, s.zero, 0.5) == 0.5", Yes);
    check("ratio(0, 0, 1) == 1", Yes);
    check("ratio(s.status, 1) > 1", Error("`ratio` needs numbers, and got text"));
}

#[test]
fn comparing_different_types_is_an_error() {
    check("s.status > 1", Error("text cannot be compared with a number: `\"running\" > 1`"));
    check("s.status == 1", Error("text cannot be compared with a number"));
    check("1 != s.status", Error("a number cannot be compared with text"));
    check("s.digits == 17", Error("text cannot be compared with a number"));
    check("s.ready < 1", Error("a bool cannot be compared with a number"));
    check("s.ready == 1", Error("a bool cannot be compared with a number"));
    check("s.ready == \"true\"", Error("a bool cannot be compared with text"));
    check("s.ready > false", Error("cannot be compared by `>`"));
    check("() > 0.1", Error("`()` cannot be compared with a number"));
    check("s.status >= ()", Error("text cannot be compared with `()`"));
    check("s > 1", Error("a subject cannot be compared with a number"));
    check("[1] == 1", Error("an array cannot be compared with a number"));
    check("#{} == 1", Error("a map cannot be compared with a number"));
    check("1 in [\"a\"]", Error("cannot be compared"));
}

#[test]
fn unit_can_be_asked_for() {
    check("find(\"service\", \"nobody\") == ()", Yes);
    check("find(\"service\", \"nobody\") != ()", No);
    check("find(\"service\", \"shop-api\") != ()", Yes);
    check("find(\"service\", \"shop-api\") == s", Yes);
    check("find(\"service\", \"shop-api\").error_rate == 0.2", Yes);
    check("find(\"service\", \"nobody\").cpu > 1", Error("`()` has no property `cpu`"));
    check("() == ()", Yes);
    check("1 == ()", No);
}

#[test]
fn numbers_are_exact_and_never_truncated() {
    check("5 / 2 == 2.5", Yes);
    check("5 / 2 == 2", No);
    check("{ let x = 5; x /= 2; x == 2.5 }", Yes);
    check("{ let x = 5; x += 0.5; x == 5.5 }", Yes);
    check("{ let x = 5; x -= 1; x *= 3; x %= 5; x **= 2; x == 4 }", Yes);
    check("{ let x = #{ a: 5 }; x.a /= 2; x.a == 2.5 }", Yes);
    check("{ let x = [5]; x[0] += 1; x[0] == 6 }", Yes);
    check("0.1 + 0.2 > 0.3", Yes);
    check("0.1 + 0.2 == 0.3", No);
    check("s.three == 3", Yes);
    check("3 == s.three", Yes);
    check("s.three >= 3 && s.three <= 3", Yes);
    check("s.three != 3", No);
    check("9223372036854775807 + 1 > 9223372036854775807", Yes);
    check("{ let x = 9223372036854775807; x += 1; x > 9.0e18 }", Yes);
    check("-s.three == -3", Yes);
    check("2 ** 3 == 8 && 2 ** 0.5 < 1.5 && 2 ** -1 == 0.5", Yes);
    check("9007199254740993 > 9007199254740992.0", Yes);
    check("{ let n = 0; for i in 0..5 { n += i; } n == 10 }", Yes);
    check("max(s.three, 4) == 4 && min(s.three, 4) == 3", Yes);
    check("{ const LIMIT = 0.1; s.error_rate > LIMIT }", Yes);
    check("s.three + true > 1", Error("there is no function `+ (number, bool)`"));
}

#[test]
fn a_switch_is_never_silently_without_a_case() {
    check("switch s.status { \"running\" => true, _ => false }", Yes);
    check("switch s.three { 3..=3 => true, _ => false }", Yes);
    check("switch s.three { 0..3 => true, _ => false }", No);
    check("switch s.three { 3.0 => true, _ => false }", Yes);
    check("switch s.three { 0..9 if s.three > 2 => true, _ => false }", Yes);
    for text in [
        "|s| switch s.three { 0..9 if s.three > 5 => true, 3 => true }",
        "|s| switch s.three { 3 => true, _ => false }",
        "|s| switch s.three { 1 | 3 => true, _ => false }",
    ] {
        let error = engine().compile(text).unwrap_err().to_string();
        assert!(error.contains("write a range such as `3..=3`"), "{error}");
    }
}

#[test]
fn text_joins_with_what_it_meets_and_numbers_print_short() {
    check("`${s.three}` == \"3\"", Yes);
    check("`${s.error_rate}` == \"0.2\"", Yes);
    check("\"n=\" + s.three == \"n=3\"", Yes);
    check("s.three + \"x\" == \"3x\"", Yes);
    check("s.status + \"!\" == \"running!\"", Yes);
    check("{ let t = \"a\"; t += 1; t += 2.0; t += \"b\"; t == \"a12b\" }", Yes);
    check("`${s.name} in ${s.labels.region}` == \"shop-api in eu\"", Yes);
    check("`${[1.0, 2.5]}` == \"[1, 2.5]\"", Yes);
    check("s.three.to_string() == \"3\"", Yes);
    check("s.three.fixed(2) == \"3.00\"", Yes);
    check("percent(s.error_rate) == \"20%\"", Yes);
    check("percent(1) == \"100%\"", Yes);
    check("bytes(1536) == \"1.5 KiB\"", Yes);
    check("duration(5400) == \"1h30m\"", Yes);
    check("percent(s.status) == \"\"", Error("`percent` needs a number, and got text"));
}

#[test]
fn a_subject_says_who_it_is() {
    check("s.name == \"shop-api\" && s.kind == \"service\"", Yes);
    check("s.age == 10", Yes);
    check("now() - s.time == 10", Yes);
    check("s[\"name\"] == 7", Yes);
    check("s[\"go\"] == 1", Yes);
    check("s.labels.region == \"eu\"", Yes);
    check("s.labels[\"package\"] == \"core\"", Yes);
    check("s.labels.nowhere == \"\"", Yes);
    check("\"region\" in s.labels", Yes);
    check("\"nowhere\" in s.labels", No);
    check("s.fields(\"e.*_rate|three\").len() == 2", Yes);
    check("s.fields(\"three\").three == 3", Yes);
    check("s.fields(\"hree\").len() == 0", Yes);
    check("s.fields(\"(\").len() == 0", Error("regular expression"));
}

#[test]
fn a_subject_cannot_be_changed() {
    check("{ s.error_rate = 1.0; true }", Error(""));
    check("{ s.name = \"x\"; true }", Error(""));
    check("{ s[\"x\"] = 1; true }", Error(""));
}

#[test]
fn text_is_matched_as_a_whole() {
    check("s.status.matches(\"run.*\")", Yes);
    check("s.status.matches(\"un\")", No);
    check("s.status.matches(\"a|running\")", Yes);
    check("\"disk /var full\".capture(\"disk (\\\\S+)\") == \"/var\"", Yes);
    check("\"nothing\".capture(\"disk (\\\\S+)\") == \"\"", Yes);
    check("s.three.matches(\"3\")", Error("no function `matches"));
}

#[test]
fn the_time_is_that_of_the_evaluation_in_the_zone() {
    check("hour() == 10 && weekday() == 6", Yes);
    check("between(\"09:00\", \"18:00\")", Yes);
    check("between(\"10:00\", \"10:01\")", Yes);
    check("between(\"10:01\", \"10:00\")", No);
    check("between(\"22:00\", \"11:00\")", Yes);
    check("between(\"9\", \"18:00\")", Error("\"9\" is not a time of the day"));
    check(&format!("now() == {START}"), Yes);
}

#[test]
fn the_calendar_follows_the_wall_clock_and_the_zone() {
    let mut bench = Bench::new();
    bench.push(0, "service", "a", &[], &[]);
    let mut context = bench.subject("service", "a");
    context.zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    expect(&context, "|s| hour() == 18", Yes);
    context.now.wall_offset = 6 * 3_600_000_000;
    expect(&context, "|s| hour() == 0 && weekday() == 7", Yes);
    expect(&context, "|s| now() == s.time", Yes);
}

#[test]
fn what_is_off_is_off() {
    check("{ sleep(1); true }", Error("`sleep` is off"));
    check("{ sleep(1e300); true }", Error("`sleep` is off"));
    check("{ timestamp(); true }", Error("`timestamp` is off"));
    check("{ let m = #{ a: 1 }; m.b == () }", Error("b"));
    assert!(engine().compile("|s| eval(\"1\")").is_err());
    assert!(engine().compile("|s| nowhere > 1").is_err());
    let import = engine().compile("import \"/etc/passwd\" as x; 1").unwrap();
    let (result, _) = budget::run(1000, budget::LOAD_TIME, || engine().eval_ast::<i64>(&import));
    assert!(result.is_err());
}

#[test]
fn a_closure_may_call_functions_of_its_file() {
    let mut bench = Bench::new();
    bench.push(0, "service", "a", &[], &[("x", num(3.0))]);
    let verdict = rule("fn twice(x) { x * 2 }\n|s| twice(s.x) == 6").judge(&bench.subject("service", "a"), &[]).verdict;
    assert_eq!(verdict, Verdict::Conditions(vec![Condition::Fire]));
}

#[test]
fn functions_of_the_evaluation_have_no_answer_while_a_file_loads() {
    for text in ["now()", "find(\"a\", \"b\")", "all(\"a\")", "hour()", "between(\"09:00\", \"10:00\")"] {
        let (result, _) = budget::run(1000, budget::LOAD_TIME, || engine().eval::<Dynamic>(text));
        let error = result.unwrap_err().to_string();
        assert!(error.contains("only while a rule is judged"), "{text}: {error}");
    }
}

#[test]
fn closures_inside_a_chain_on_a_subject_may_use_the_subject() {
    check("s.peers(\"region\").filter(|p| p.name == s.name).len() == 1", Yes);
    check("s.peers(\"region\").all(|p| s.peers(\"region\").any(|q| q.name == p.name && s.three == 3))", Yes);
    check("[1, 2].map(|x| s.three + x) == [4.0, 5.0]", Yes);
    check("{ let f = || s.error_rate; f.call() == 0.2 }", Yes);
}

#[test]
fn a_fault_says_where_it_is() {
    let mut bench = Bench::new();
    bench.push(0, "service", "a", &[], &[("status", Value::from("up"))]);
    let context = bench.subject("service", "a");
    let cases = [
        ("|s| s.status > 1", (1, 14)),
        ("|s| {\n  let x = 1;\n  s.status > x\n}", (3, 12)),
        ("fn f(x) {\n  x > 1\n}\n|s| f(s.status)", (2, 5)),
        ("|s| [1].map(|x| s.status > x).len() > 0", (1, 26)),
        ("|s|\n s.statu(1)", (2, 4)),
    ];
    for (text, (line, column)) in cases {
        match rule(text).judge(&context, &[]).verdict {
            Verdict::Error(fault) => assert_eq!((fault.line, fault.column), (line, column), "{text}: {fault:?}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}
