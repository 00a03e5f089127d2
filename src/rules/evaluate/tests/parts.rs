//! The parts of a rule: `where`, `when` by level, `clear`, `level`, `message`.

use super::*;

fn service(error_rate: f64) -> Context {
    let mut bench = Bench::new();
    let fields = [("error_rate", num(error_rate)), ("status", Value::from("running"))];
    bench.push(0, "service", "shop-api", &[("region", "eu")], &fields);
    bench.subject("service", "shop-api")
}

fn conditions(rule: &Rule, context: &Context, on: &[bool]) -> Vec<Condition> {
    match rule.judge(context, on).verdict {
        Verdict::Conditions(conditions) => conditions,
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_says_which_subjects_take_part() {
    let mut rule = rule("|s| s.error_rate > 0.1");
    rule.program.takes = Some(closure("|s| s.labels.region == \"us\""));
    assert_eq!(rule.judge(&service(0.2), &[]).verdict, Verdict::Excluded);
    assert_eq!(rule.takes(&service(0.2)), Verdict::Excluded);
    rule.program.takes = Some(closure("|s| s.labels.region == \"eu\""));
    assert_eq!(conditions(&rule, &service(0.2), &[]), [Condition::Fire]);
    assert_eq!(rule.takes(&service(0.2)), Verdict::Conditions(vec![Condition::Fire]));
    rule.program.takes = Some(closure("|s| s.nowhere > 1"));
    assert_eq!(rule.judge(&service(0.2), &[]).verdict, Verdict::NotConcerned { field: "nowhere".into() });
    assert_eq!(rule.takes(&service(0.2)), Verdict::NotConcerned { field: "nowhere".into() });
    rule.program.takes = Some(closure("|s| s.status"));
    assert!(matches!(rule.takes(&service(0.2)), Verdict::Error(fault) if fault.message.contains("`where` must be")));
}

#[test]
fn clear_is_asked_only_of_a_level_that_is_on_and_does_not_fire() {
    let mut rule = rule("|s| s.error_rate > 0.1");
    rule.program.clear = vec![Some(closure("|s| s.error_rate < 0.05"))];
    let cases = [
        (0.2, true, Condition::Fire),
        (0.07, true, Condition::Neither),
        (0.01, true, Condition::Clear),
        (0.07, false, Condition::Clear),
    ];
    for (error_rate, on, expected) in cases {
        assert_eq!(conditions(&rule, &service(error_rate), &[on]), [expected], "{error_rate} {on}");
    }
    rule.program.clear = vec![Some(closure("|s| s.status > 1"))];
    assert_eq!(conditions(&rule, &service(0.2), &[true]), [Condition::Fire]);
    assert_eq!(conditions(&rule, &service(0.01), &[false]), [Condition::Clear]);
    assert!(matches!(rule.judge(&service(0.01), &[true]).verdict, Verdict::Error(_)));
}

#[test]
fn each_level_has_its_own_condition() {
    let mut rule = rule("|s| s.error_rate > 0.5");
    rule.levels = vec![Level::Critical, Level::Warning];
    rule.program.when.push(closure("|s| s.error_rate > 0.1"));
    rule.program.clear = vec![None, Some(closure("|s| s.error_rate < 0.05"))];
    assert_eq!(conditions(&rule, &service(0.7), &[false, false]), [Condition::Fire, Condition::Fire]);
    assert_eq!(conditions(&rule, &service(0.2), &[true, true]), [Condition::Clear, Condition::Fire]);
    assert_eq!(conditions(&rule, &service(0.07), &[true, true]), [Condition::Clear, Condition::Neither]);
}

#[test]
fn only_what_when_read_is_recorded() {
    let mut rule = rule("|s| s.error_rate > 0.1");
    rule.program.takes = Some(closure("|s| s.status == \"running\""));
    rule.program.clear = vec![Some(closure("|s| s.status == \"running\""))];
    let reads = rule.judge(&service(0.01), &[true]).reads;
    assert_eq!(reads, [(Arc::from("error_rate"), num(0.01))]);
}

#[test]
fn a_level_is_fixed_or_judged() {
    let mut rule = rule("|s| true");
    assert_eq!(rule.level(&service(0.2)), Ok(Level::Warning));
    rule.program.level = LevelSource::Closure(closure("|s| if s.error_rate > 0.5 { \"critical\" } else { \"info\" }"));
    assert_eq!(rule.level(&service(0.2)), Ok(Level::Info));
    assert_eq!(rule.level(&service(0.7)), Ok(Level::Critical));
    for (text, part) in [
        ("|s| \"bad\"", "`bad` is not a level"),
        ("|s| 1", "`level` must be text, got a number"),
        ("|s| s.nowhere", "`level` has no data: it never had a field `nowhere`"),
        ("|s| s.status > 1", "text cannot be compared with a number"),
    ] {
        rule.program.level = LevelSource::Closure(closure(text));
        let fault = rule.level(&service(0.2)).unwrap_err();
        assert!(fault.message.contains(part) && fault.line == 1, "{text}: {fault:?}");
    }
}

#[test]
fn a_message_is_one_line() {
    let mut rule = rule("|s| s.error_rate > 0.1");
    assert_eq!(rule.message(&service(0.2)).unwrap(), "high_error_rate shop-api: error_rate 0.2");
    rule.program.message = MessageSource::Text("it is\nbad\u{7}".into());
    assert_eq!(rule.message(&service(0.2)).unwrap(), "it is bad");
    rule.program.message = MessageSource::Closure(closure("|s| `${s.name}: ${percent(s.error_rate)} of calls fail`"));
    assert_eq!(rule.message(&service(0.3)).unwrap(), "shop-api: 30% of calls fail");
    rule.program.message = MessageSource::Closure(closure("|s| { let t = \"\"; t.pad(3000, 'x'); t }"));
    assert_eq!(rule.message(&service(0.3)).unwrap().len(), 1000);
    rule.program.message = MessageSource::Closure(closure("|s| s.lost"));
    assert!(rule.message(&service(0.3)).unwrap_err().message.contains("`message` has no data"));
    rule.program.message = MessageSource::Closure(closure("|s| 3"));
    assert!(rule.message(&service(0.3)).unwrap_err().message.contains("must be text, got a number"));
}

#[test]
fn a_set_has_a_default_message_too() {
    let mut bench = Bench::new();
    bench.push(0, "host", "a", &[("region", "eu")], &[("cpu", num(7.0))]);
    let rule = rule("|g| g.avg(\"cpu\") > 1");
    let mut context = bench.set("host");
    assert_eq!(rule.message(&context).unwrap(), "high_error_rate all host: avg(\"cpu\") 7");
    let Target::Set { labels, .. } = &mut context.target else { panic!("a set") };
    labels.insert("region".into(), "eu".into());
    assert_eq!(rule.message(&context).unwrap(), "high_error_rate region=eu: avg(\"cpu\") 7");
}

#[test]
fn a_captured_value_is_part_of_the_closure() {
    let rule = rule_of(closure("let limit = 0.1; |s| s.error_rate > limit"));
    assert_eq!(conditions(&rule, &service(0.2), &[]), [Condition::Fire]);
    assert_eq!(conditions(&rule, &service(0.1), &[]), [Condition::Clear]);
}
