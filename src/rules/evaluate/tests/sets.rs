//! Sets: `over`, `peers` and `all`.

use super::Say::{Error, Never, No, Nothing, Yes};
use super::*;

/// Four fresh hosts in two regions, one of them without `cpu` now, and a stale one.
fn hosts() -> Bench {
    let mut bench = Bench::new();
    bench.push(0, "host", "web-5", &[("region", "us")], &[("cpu", num(99.0))]);
    bench.push(90, "host", "web-4", &[("region", "us"), ("env", "prod")], &[("cpu", num(7.0))]);
    bench.push(100, "host", "web-1", &[("region", "eu"), ("env", "prod")], &[("cpu", num(10.0)), ("up", num(1.0))]);
    bench.push(100, "host", "web-2", &[("region", "eu"), ("env", "prod")], &[("cpu", num(20.0)), ("os", "bsd".into())]);
    bench.push(
        100,
        "host",
        "web-3",
        &[("region", "us"), ("env", "prod")],
        &[("cpu", num(60.0)), ("os", "linux".into())],
    );
    bench.push(100, "host", "web-4", &[("region", "us"), ("env", "prod")], &[("up", num(1.0))]);
    bench.push(100, "disk", "web-1:/", &[("host", "web-1")], &[("used", num(0.5))]);
    bench
}

#[test]
fn a_set_is_its_fresh_subjects() {
    let context = hosts().set("host");
    let cases = [
        ("g.len() == 4 && g.len == 4 && !g.is_empty()", Yes),
        ("g.names() == [\"web-1\", \"web-2\", \"web-3\", \"web-4\"]", Yes),
        ("g.stale() == 1", Yes),
        ("g.missing(\"cpu\") == 1 && g.missing(\"nowhere\") == 4", Yes),
        ("g.labels.env == \"prod\" && g.labels.region == \"\"", Yes),
        ("{ let n = 0; for h in g { if h.name == \"web-2\" { n += h.cpu; } } n == 20 }", Yes),
        ("{ let n = 0; for h in g { n += h.cpu; } n == 20 }", Nothing("lacks `cpu`")),
    ];
    for (expression, say) in cases {
        expect(&context, &format!("|g| {expression}"), say);
    }
}

#[test]
fn members_that_cannot_be_read_are_left_out() {
    let context = hosts().set("host");
    let cases = [
        ("g.sum(\"cpu\") == 90 && g.avg(\"cpu\") == 30", Yes),
        ("g.min(\"cpu\") == 10 && g.max(\"cpu\") == 60", Yes),
        ("g.avg(|h| h.cpu) == 30 && g.sum(|h| h.cpu * 2) == 180", Yes),
        ("g.stddev(\"cpu\") > 21.6 && g.stddev(\"cpu\") < 21.7", Yes),
        ("g.quantile(\"cpu\", 0.5) == 20 && g.quantile(\"cpu\", 1) == 60 && g.quantile(|h| h.cpu, 0.75) == 40", Yes),
        ("g.count(|h| h.cpu > 15) == 2", Yes),
        ("g.any(|h| h.cpu > 50)", Yes),
        ("g.any(|h| h.cpu > 90)", No),
        ("g.all(|h| h.cpu > 5)", Yes),
        ("g.all(|h| h.cpu > 15)", No),
        ("g.filter(|h| h.cpu > 15).names() == [\"web-2\", \"web-3\"]", Yes),
        ("g.top(2, \"cpu\").names() == [\"web-3\", \"web-2\"]", Yes),
        ("g.top(1, |h| -h.cpu).names() == [\"web-1\"]", Yes),
        ("g.distinct(\"os\") == [\"bsd\", \"linux\"]", Yes),
        ("g.distinct(|h| h.labels.region) == [\"eu\", \"us\"]", Yes),
        ("g.filter(|h| h.name == \"web-1\").one(\"cpu\") == 10", Yes),
        ("g.one(\"cpu\") == 10", Error("several members")),
    ];
    for (expression, say) in cases {
        expect(&context, &format!("|g| {expression}"), say);
    }
}

#[test]
fn none_readable_is_no_data_and_none_that_ever_had_it_is_not_concerned() {
    let mut bench = Bench::new();
    bench.push(0, "host", "a", &[], &[("cpu", num(1.0))]);
    bench.push(10, "host", "a", &[], &[("other", num(1.0))]);
    bench.push(10, "host", "b", &[], &[("other", num(1.0))]);
    let context = bench.set("host");
    for function in ["sum", "avg", "min", "max", "stddev", "one"] {
        expect(&context, &format!("|g| g.{function}(\"cpu\") > 1"), Nothing("no member to read"));
        expect(&context, &format!("|g| g.{function}(|h| h.cpu) > 1"), Nothing("no member to read"));
        expect(&context, &format!("|g| g.{function}(\"nowhere\") > 1"), Never("nowhere"));
        expect(&context, &format!("|g| g.{function}(|h| h.nowhere) > 1"), Never("nowhere"));
    }
    expect(&context, "|g| g.any(|h| h.cpu > 1)", Nothing("no member to read"));
    expect(&context, "|g| g.all(|h| h.nowhere > 1)", Never("nowhere"));
    expect(&context, "|g| g.count(|h| h.nowhere > 1) == 0", Never("nowhere"));
    expect(&context, "|g| g.top(1, \"nowhere\").len() == 0", Never("nowhere"));
}

#[test]
fn an_empty_set_has_sums_and_counts_and_nothing_else() {
    let context = Bench::new().set("host");
    let cases = [
        ("g.len() == 0 && g.is_empty()", Yes),
        ("g.count(|h| h.cpu > 1) == 0", Yes),
        ("g.any(|h| h.cpu > 1)", No),
        ("g.all(|h| h.cpu > 1)", Yes),
        ("g.filter(|h| h.cpu > 1).len() == 0", Yes),
        ("g.sum(\"cpu\") == 0", Yes),
        ("g.avg(\"cpu\") == 0", Nothing("no member")),
        ("g.min(\"cpu\") == 0", Nothing("no member")),
        ("g.max(\"cpu\") == 0", Nothing("no member")),
        ("g.stddev(\"cpu\") == 0", Nothing("no member")),
        ("g.quantile(\"cpu\", 0.5) == 0", Nothing("no member")),
        ("g.top(1, \"cpu\").len() == 0", Nothing("no member")),
        ("g.one(\"cpu\") == 0", Nothing("no member")),
        ("g.distinct(\"cpu\") == []", Yes),
        ("g.by(\"region\").len() == 0", Yes),
    ];
    for (expression, say) in cases {
        expect(&context, &format!("|g| {expression}"), say);
    }
}

#[test]
fn what_a_closure_says_must_fit() {
    let context = hosts().set("host");
    let cases = [
        ("g.any(|h| h.cpu)", Error("must say true or false, and said a number")),
        ("g.avg(|h| h.name) > 1", Error("needs numbers, and got text")),
        ("g.avg(\"os\") > 1", Error("needs numbers, and got text")),
        ("g.avg(|h| h.os > 1) > 1", Error("text cannot be compared with a number")),
        ("g.quantile(\"cpu\", 95) > 1", Error("from 0 to 1")),
        ("g.top(-1, \"cpu\").len() > 1", Error("not negative")),
        ("g.avg(|h| h.cpu / 0) > 1", Nothing("no member to read")),
    ];
    for (expression, say) in cases {
        expect(&context, &format!("|g| {expression}"), say);
    }
}

#[test]
fn a_set_by_labels_is_a_set_of_sets() {
    let context = hosts().set("host");
    let cases = [
        ("g.by(\"region\").len() == 2", Yes),
        ("g.by(\"region\").names() == [\"region=eu\", \"region=us\"]", Yes),
        ("g.by(\"region\").any(|r| r.avg(\"cpu\") == 15)", Yes),
        ("g.by(\"region\").max(|r| r.avg(\"cpu\")) == 60", Yes),
        ("g.by([\"region\", \"env\"]).all(|r| r.labels.env == \"prod\")", Yes),
        ("g.by(\"region\").top(1, |r| r.sum(\"cpu\")).names() == [\"region=us\"]", Yes),
        ("g.by(\"name\").len() == 4", Yes),
        ("{ let n = 0; for r in g.by(\"region\") { n += r.len(); } n == 4 }", Yes),
        ("g.by(\"region\").count(|r| r.stale() == 1) == 1", Yes),
        ("g.by(\"region\").avg(\"cpu\") > 1", Error("are sets and have no field")),
        ("g.by(\"region\").any(|r| r.avg(\"nowhere\") > 1)", Never("nowhere")),
        ("g.filter(|h| h.cpu > 1).stale() == 1", Error("whole set")),
    ];
    for (expression, say) in cases {
        expect(&context, &format!("|g| {expression}"), say);
    }
}

#[test]
fn peers_agree_in_the_labels_and_all_selects_by_them() {
    let context = hosts().subject("host", "web-1");
    let cases = [
        ("s.peers(\"region\").names() == [\"web-1\", \"web-2\"]", Yes),
        ("s.peers([\"region\", \"env\"]).len() == 2", Yes),
        ("s.peers([]).len() == 4", Yes),
        ("s.cpu > 2 * s.peers(\"region\").avg(\"cpu\")", No),
        ("s.peers(\"nowhere\").len() == 4", Yes),
        ("s.peers(\"region\", \"disk\").len() == 0", Yes),
        ("all(\"host\").len() == 4", Yes),
        ("all(\"host\", #{ region: \"us\" }).names() == [\"web-3\", \"web-4\"]", Yes),
        ("all(\"host\", #{ region: \"us\", env: \"\" }).len() == 0", Yes),
        ("all(\"disk\", #{ host: s.name }).max(\"used\") == 0.5", Yes),
        ("all(\"nowhere\").len() == 0", Yes),
        ("all(\"host\", #{ region: 1 }).len() == 0", Error("must be text")),
        ("s.peers(1).len() == 0", Error("labels are named by text")),
        ("find(\"host\", \"web-2\").cpu == 20", Yes),
        ("find(\"host\", \"web-5\").cpu == 20", Nothing("no snapshot since")),
        ("find(\"host\", \"web-2\").nowhere == 20", Nothing("never had a field `nowhere`")),
        ("find(\"disk\", \"web-1:/\").used == s.cpu / 20", Yes),
    ];
    for (expression, say) in cases {
        expect(&context, &format!("|s| {expression}"), say);
    }
}

#[test]
fn reads_of_other_subjects_are_named_and_those_of_members_are_left_out() {
    let context = hosts().subject("host", "web-1");
    let judgement =
        rule("|s| s.cpu > 1 && find(\"host\", \"web-2\").cpu > 1 && s.peers(\"region\").avg(|p| p.cpu) > 1")
            .judge(&context, &[]);
    let names: Vec<&str> = judgement.reads.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["cpu", "web-2.cpu", "avg(|..| ..)"]);
}
