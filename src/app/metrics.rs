//! The daemon's figures for `/metrics`, and those of what it watches.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::api::Api;
use super::figures::Figures;
use super::own_state::OWN_KINDS;
use crate::collect::OwnProcess;
use crate::diagnostic::Severity;
use crate::engine::{Counts, Engine};
use crate::exposition::{Family, Figure, Series, Sort, Watched, watched};
use crate::history::World;
use crate::model::{Now, Value};
use crate::server::Unavailable;
use crate::server::api::{ChannelDto, StatusDto};

/// What the engine says of itself.
struct Seen {
    rules: Vec<SeenRule>,
    subjects: Vec<(Arc<str>, usize)>,
    bytes: usize,
    watched: Vec<Watched>,
}

struct SeenRule {
    name: String,
    counts: Counts,
    operations: u64,
    firing: usize,
    pending: usize,
}

impl Seen {
    fn of(engine: &Engine, now: Now) -> Seen {
        let rule = |view: crate::engine::RuleView<'_>| SeenRule {
            name: view.rule.name.to_string(),
            counts: view.counts,
            operations: view.operations,
            firing: view.firing,
            pending: view.pending,
        };
        let world = engine.world();
        Seen {
            rules: engine.rule_views().map(rule).collect(),
            subjects: world.kinds().map(|kind| (kind.clone(), world.of_kind(kind).count())).collect(),
            bytes: world.bytes(),
            watched: watched_subjects(world, now),
        }
    }
}

/// The subjects that are fresh, with their numbers; booleans are 0 and 1.
fn watched_subjects(world: &World, now: Now) -> Vec<Watched> {
    let of = |id| {
        let subject = world.subject(id).filter(|_| !world.is_stale(id, now))?;
        let number = |value: &Value| match value {
            Value::Number(number) => Some(*number).filter(|number| number.is_finite()),
            Value::Bool(is) => Some(f64::from(u8::from(*is))),
            Value::Text(_) => None,
        };
        Some(Watched {
            kind: subject.key.kind.clone(),
            name: subject.key.name.clone(),
            labels: subject.labels.clone(),
            fields: world.fields(id).filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect(),
        })
    };
    // Of itself it tells more by its own figures.
    let kinds = world.kinds().filter(|kind| !OWN_KINDS.contains(&&***kind));
    kinds.flat_map(|kind| world.of_kind(kind)).filter_map(of).collect()
}

impl Api {
    /// All figures: larum's own first.
    pub(super) async fn families(&self) -> Result<Vec<Family>, Unavailable> {
        let seen = self.ask(Seen::of).await?;
        let status = self.overview().await?;
        let names = self.metric_names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut families = of_process();
        families.extend(of_engine(&self.figures, &seen, self.engine.waiting()));
        families.extend(of_channels(&status.channels));
        families.extend(of_rest(&self.figures, &status));
        families.extend(watched(&seen.watched, &names));
        Ok(families)
    }
}

fn counter(name: &str, help: &str) -> Family {
    Family::new(name, Sort::Counter, help)
}

fn gauge(name: &str, help: &str) -> Family {
    Family::new(name, Sort::Gauge, help)
}

fn of_process() -> Vec<Family> {
    let version = gauge("larum_build_info", "The version of larum; always 1.")
        .with(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let mut families = vec![version];
    if let Some(own) = OwnProcess::read() {
        let cpu = "CPU time of the process since its start, in seconds.";
        families.push(counter("process_cpu_seconds_total", cpu).with(&[], own.cpu_seconds));
        let rss = "Memory of the process, in bytes.";
        families.push(gauge("process_resident_memory_bytes", rss).with(&[], own.rss_bytes as f64));
    }
    families
}

fn of_engine(figures: &Figures, seen: &Seen, waiting: usize) -> Vec<Family> {
    let (buckets, sum) = figures.step_durations();
    let durations = Series { labels: [].into(), value: Figure::Histogram { buckets, sum: Some(sum) } };
    let mut evaluations = counter("larum_evaluations_total", "Verdicts of each rule since the start.");
    let mut operations =
        counter("larum_rule_operations_total", "Operations that the interpreter used for each rule since the start.");
    let mut alerts = gauge("larum_alerts", "Alerts of each rule that are pending, or fire.");
    for rule in &seen.rules {
        let Counts { fire, clear, no_data, error } = rule.counts;
        for (verdict, count) in [("fire", fire), ("clear", clear), ("no_data", no_data), ("error", error)] {
            evaluations = evaluations.with(&[("rule", &rule.name), ("verdict", verdict)], count as f64);
        }
        operations = operations.with(&[("rule", &rule.name)], rule.operations as f64);
        for (state, count) in [("pending", rule.pending), ("firing", rule.firing)] {
            alerts = alerts.with(&[("rule", &rule.name), ("state", state)], count as f64);
        }
    }
    let mut events = counter("larum_alert_events_total", "What happened to alerts since the start.");
    for (event, count) in figures.events() {
        events = events.with(&[("event", event)], count as f64);
    }
    let mut snapshots = counter("larum_snapshots_total", "Snapshots that came since the start.");
    for (result, counter) in [
        ("taken", &figures.samples_taken),
        ("duplicate", &figures.samples_duplicate),
        ("refused", &figures.samples_refused),
    ] {
        snapshots = snapshots.with(&[("result", result)], counter.get() as f64);
    }
    let mut subjects = gauge("larum_subjects", "Subjects of each kind that are known.");
    for (kind, count) in &seen.subjects {
        subjects = subjects.with(&[("kind", kind)], *count as f64);
    }
    let waiting =
        gauge("larum_queue_length", "Inputs that wait for their turn.").with(&[("queue", "engine")], waiting as f64);
    vec![
        Family {
            series: vec![durations],
            ..Family::new(
                "larum_step_duration_seconds",
                Sort::Histogram,
                "How long the engine takes for one input, in seconds.",
            )
        },
        evaluations,
        operations,
        alerts,
        events,
        counter("larum_suppressed_total", "Notifications that were held back for good since the start.")
            .with(&[], figures.suppressed.get() as f64),
        snapshots,
        subjects,
        gauge("larum_history_bytes", "Memory that subjects and samples take, in bytes.").with(&[], seen.bytes as f64),
        waiting,
    ]
}

fn of_channels(channels: &[ChannelDto]) -> Vec<Family> {
    let mut owed = counter("larum_channel_owed_total", "Events that a channel should hear of.");
    let mut ended =
        counter("larum_channel_events_total", "Events that a channel should hear of, by what became of them.");
    let mut waiting =
        gauge("larum_channel_waiting", "Events that a channel should hear of, held back or on their way.");
    let unaccounted = "Events that a channel should hear of, without all of which it is known what became; always 0.";
    let mut unaccounted = gauge("larum_channel_unaccounted", unaccounted);
    let mut attempts = counter("larum_attempts_total", "Attempts to send since the start, by how they ended.");
    let mut failing = gauge("larum_channel_failures", "Attempts that failed one after the other up to now.");
    for channel in channels {
        let name = ("channel", channel.name.as_str());
        let ends = [
            ("delivered", channel.delivered),
            ("absorbed", channel.absorbed),
            ("dead", channel.dead),
            ("suppressed", channel.suppressed),
        ];
        owed = owed.with(&[name], channel.owed as f64);
        waiting = waiting.with(&[name], channel.waiting as f64);
        let known: u64 = ends.iter().map(|(_, count)| count).sum::<u64>() + channel.waiting;
        unaccounted = unaccounted.with(&[name], channel.owed as f64 - known as f64);
        for (result, count) in ends {
            ended = ended.with(&[name, ("result", result)], count as f64);
        }
        let tried = &channel.attempts;
        for (result, count) in
            [("ok", tried.ok), ("partial", tried.partial), ("retry", tried.retry), ("permanent", tried.permanent)]
        {
            attempts = attempts.with(&[name, ("result", result)], count as f64);
        }
        failing = failing.with(&[name], f64::from(channel.consecutive_failures));
    }
    vec![owed, ended, waiting, unaccounted, attempts, failing]
}

fn of_rest(figures: &Figures, status: &StatusDto) -> Vec<Family> {
    let outbox = &status.outbox;
    let oldest = outbox.oldest_waiting_seconds.unwrap_or_default();
    let mut problems: BTreeMap<&str, usize> = BTreeMap::from([("error", 0), ("warning", 0)]);
    for problem in &status.problems {
        *problems.entry(if problem.severity == Severity::Error { "error" } else { "warning" }).or_default() += 1;
    }
    let mut found = gauge("larum_problems", "What is wrong with files, collectors, channels and the store.");
    for (severity, count) in problems {
        found = found.with(&[("severity", severity)], count as f64);
    }
    let mut up = gauge("larum_collector_up", "Whether the newest pass of a collector was good.");
    for collector in &status.collectors {
        if let Some(is_up) = collector.up {
            up = up.with(&[("collector", &collector.name)], f64::from(u8::from(is_up)));
        }
    }
    vec![
        gauge("larum_rules", "Rules in force.").with(&[], status.rules.total as f64),
        gauge("larum_rules_quarantined", "Rules that are left alone because they keep failing.")
            .with(&[], status.rules.quarantined as f64),
        gauge("larum_outbox_waiting", "Notifications that wait to be sent.").with(&[], outbox.waiting as f64),
        gauge("larum_outbox_dead", "Notifications that were given up, and are kept.").with(&[], outbox.dead as f64),
        gauge("larum_outbox_oldest_waiting_seconds", "For how long the oldest notification waits, in seconds.")
            .with(&[], oldest as f64),
        counter("larum_commits_total", "Transactions of the store since the start.")
            .with(&[("result", "ok")], figures.commits.get() as f64)
            .with(&[("result", "failed")], figures.commit_failures.get() as f64),
        gauge("larum_records_unsaved", "Records that wait for the store, which refuses to write.")
            .with(&[], figures.unsaved.get() as f64),
        counter("larum_records_lost_total", "Records that will never be stored, as too many waited.")
            .with(&[], figures.lost_records.get() as f64),
        counter("larum_reloads_total", "Looks at the files of the project since the start.")
            .with(&[], figures.reloads.get() as f64),
        gauge("larum_silences", "Silences in force.").with(&[], status.silences as f64),
        gauge("larum_alerting", "Whether alerts are sent.").with(&[], f64::from(u8::from(status.alert_enabled))),
        found,
        up,
    ]
}
