//! The reference of what a test file can call beside what rules can: for hints, editors and people.

use super::functions::{Registry, expectations, faults, subjects, test, time};
use super::on_call::people;
use crate::rules::host::{Function, Topic};

/// All topics of test files: the test, its time, its subjects, people, faults, expectations.
pub const TOPICS: &[&Topic] = &[&TESTS, &TIME, &SUBJECTS, &PEOPLE, &FAULTS, &EXPECTATIONS];

/// How a function is written, for hints.
pub(crate) fn signature(name: &str) -> Option<&'static str> {
    let functions = TOPICS.iter().flat_map(|topic| topic.functions);
    functions.zip(names()).find(|(_, known)| *known == name).map(|(function, _)| function.signature)
}

/// The names of all functions, for hints.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TOPICS.iter().flat_map(|topic| topic.functions).map(|function| {
        let name = function.signature.split('(').next().unwrap_or_default();
        name.split_once('.').map_or(name, |(_, name)| name)
    })
}

const TESTS: Topic = Topic {
    name: "Tests",
    register: |engine| test(engine, &Registry::default()),
    functions: &[Function::new(
        "test(name, body)",
        "Registers a test. Each runs on a stage of its own, from a file run of its own.",
    )
    .example("test(\"a busy cpu warns\", |t| { t.advance(\"1m\"); t.expect_quiet(); });")],
};

const TIME: Topic = Topic {
    name: "Time in tests",
    register: time,
    functions: &[
        Function::new("t.start_at(rfc3339)", "Begins at this time instead of Monday 2026-01-05T00:00:00Z.")
            .example("t.start_at(\"2026-03-02T12:00:00Z\");"),
        Function::new("t.every(duration)", "Subjects are sampled so often; 10 seconds unless said."),
        Function::new(
            "t.advance(duration)",
            "Lets time pass: everything is sampled, judged, sent and tried again at its time.",
        )
        .example("t.advance(\"5m\");"),
        Function::new("t.param(name, value)", "Loads the rules with another value of a `param`.")
            .example("t.param(\"cpu_threshold\", 50);"),
    ],
};

const SUBJECTS: Topic = Topic {
    name: "Subjects in tests",
    register: subjects,
    functions: &[
        Function::new(
            "t.subject(kind, name), t.subject(kind, name, labels)",
            "A subject to be observed; the same one for the same kind and name.",
        )
        .example("let api = t.subject(\"service\", \"shop-api\", #{ region: \"eu\" });"),
        Function::new("s.set(fields)", "Fields from now on: numbers, texts, bools; `()` is no longer seen.")
            .example("s.set(#{ status: \"running\", error_rate: 0.02 });"),
        Function::new("s.labels(labels)", "All its labels from now on.").example("s.labels(#{ region: \"us\" });"),
        Function::new("s.climb(field, per_second)", "The field rises from its present value, for ever.")
            .example("s.climb(\"total_calls\", 20.0);"),
        Function::new("s.ramp(field, to, duration)", "The field goes straight to a value, and stays there.")
            .example("s.ramp(\"used_percent\", 99.0, \"20m\");"),
        Function::new(
            "s.series(field, samples)",
            "One value for each sampling, in promtool's notation, and missing afterwards. `a`; `axn` is a and n more; \
             `a+bxn` and `a-bxn` are a and n more, each b more or less; `_` and `_xn` are missing; `stale` is no longer \
             there: where it leaves nothing of the subject, the subject is gone. `NaN` and `Inf` are read, and have no \
             data. Items have no spaces inside; `0x3` is four zeros, never hexadecimal. Beyond promtool: `truex3`, \
             `'running'x5`.",
        )
        .example("s.series(\"error_rate\", \"0.02x30 0.3+0.1x6 _x3\");"),
        Function::new("s.send(fields)", "One snapshot with these fields, now.").example("s.send(#{ error_rate: 0.9 });"),
        Function::new("s.stop()", "Snapshots cease."),
        Function::new("s.gone()", "Its source says that it no longer exists."),
    ],
};

const PEOPLE: Topic = Topic {
    name: "What people do in tests",
    register: people,
    functions: &[
        Function::new(
            "t.silence(match, duration), t.silence(match, plan)",
            "A silence from now on for so long; gives its id. `match` has the conditions of larum.yaml's routes: a text, \
             or an array of them. A plan has `length`, `after` (it begins so long from now), `every` (weekly windows, as \
             `active`), `zone`, `by`, `comment`; only one with `every` may have no `length`.",
        )
        .example("t.silence(#{ rule: \"cpu_*\" }, \"2h\");\nt.silence(#{ kind: \"disk\" }, #{ every: \"Sun 02:00-04:00\" });"),
        Function::new("t.expire_silence(id)", "The silence ends now."),
        Function::new(
            "t.ack(rule, subject), t.ack(rule, subject, by)",
            "Somebody acknowledges the alert, which must fire.",
        )
        .example("t.ack(\"high_error_rate\", \"shop-api\", \"anna\");"),
        Function::new("t.take_back_ack(rule, subject)", "The acknowledgement is taken back."),
        Function::new("t.pause_rule(rule)", "The rule judges nothing until it is resumed, and its alerts stay as they are."),
        Function::new("t.resume_rule(rule)", "The rule, which must be paused, judges again."),
        Function::new("t.forget(kind, name)", "Somebody forgets the subject: its alerts are closed as vanished."),
    ],
};

const FAULTS: Topic = Topic {
    name: "Faults",
    register: faults,
    functions: &[
        Function::new(
            "t.restart(), t.restart(duration)",
            "The daemon ends, and another goes on from what was stored, at once or after a while.",
        )
        .example("t.restart(\"10m\");"),
        Function::new(
            "t.break_channel(channel, duration)",
            "The channel's receiver fails each attempt for so long. It is tried again as by the daemon, until `retry.for`.",
        )
        .example("t.break_channel(\"console\", \"1h\");"),
    ],
};

const EXPECTATIONS: Topic = Topic {
    name: "What must be true",
    register: expectations,
    functions: &[
        Function::new("t.expect(is_met, text)", "It is true.")
            .example("t.expect(t.sent(\"console\")[0].text.contains(\"30%\"), \"the message says how many\");"),
        Function::new(
            "t.expect_firing(rule, subject), t.expect_firing(rule, subject, level)",
            "The alert fires.",
        )
        .example("t.expect_firing(\"high_error_rate\", \"shop-api\", \"warning\");"),
        Function::new("t.expect_pending(rule, subject)", "Its condition is true, and `hold` not over."),
        Function::new("t.expect_inactive(rule, subject)", "It neither fires nor is pending."),
        Function::new("t.expect_recovered(rule, subject)", "It fired, and is known to be well."),
        Function::new(
            "t.expect_closed(rule, subject), t.expect_closed(rule, subject, reason)",
            "It fired, and was closed, for this reason.",
        )
        .example("t.expect_closed(\"disk_full\", \"web-1:/mnt\", \"gone\");"),
        Function::new(
            "t.expect_quiet()",
            "Since the last expectation nothing began to fire and nobody was told anything.",
        ),
        Function::new("t.expect_sent(channel, n)", "The channel's receiver got so many notifications since the start.")
            .example("t.expect_sent(\"console\", 1);"),
        Function::new(
            "t.expect_notification(channel, fields)",
            "The newest notification that the channel's receiver got has these fields, as `t.sent` shows them. Of maps, \
             what is not named may be anything; arrays are compared item by item; numbers by value; texts are exact; a \
             closure is asked; `()` must not be there.",
        )
        .example("t.expect_notification(\"console\", #{ level: \"warning\", text: |x| x.contains(\"30%\") });"),
        Function::new(
            "t.sent(channel)",
            "What the channel's receiver got: maps with `id`, `title`, `text`, `level`, `time`, `alerts`, `summary`, the \
             first alert's `event`, `rule` and `subject`, `sent_at`, `attempt`, and the exact `request`. A summary is one.",
        ),
        Function::new(
            "t.attempts(channel)",
            "Every attempt at the channel: `id`, `title`, `number`, `time`, `arrived`, `reason`, and when the `next` is.",
        ),
        Function::new(
            "t.waiting(channel)",
            "How many notifications were neither delivered nor given up. A summary is one.",
        )
        .unit("notifications"),
    ],
};

#[cfg(test)]
mod tests;
