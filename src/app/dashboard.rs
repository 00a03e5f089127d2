//! What the dashboard shows at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::api::Api;
use crate::engine::Engine;
use crate::history::{SubjectId, Window, WindowFn, World};
use crate::model::{Level, Now, SubjectKey, Time, Value};
use crate::rules::Rule;
use crate::server::api::{AlertDto, DashboardDto, DashboardSubjectDto, KindDto};
use crate::server::{DashboardQuery, Unavailable};

/// Points of a sparkline.
const POINTS: u32 = 40;
/// Alerts that are told.
const ALERTS: usize = 1000;
/// Fields that stand for a subject, the first that it has; else its first number.
const TELLING: [&str; 8] = [
    "cpu_percent",
    "used_percent",
    "error_rate",
    "response_time_seconds",
    "memory_used_percent",
    "received_bytes",
    "duration_seconds",
    "up",
];

/// Whether a field counts up, so that its rate says more than its value.
fn is_counter(field: &str) -> bool {
    field == "received_bytes" || field.ends_with("_total")
}

/// The subjects of one kind, as the engine tells them.
struct Seen {
    kind: Arc<str>,
    total: usize,
    stale: usize,
    field: Option<Arc<str>>,
    subjects: Vec<DashboardSubjectDto>,
}

impl Api {
    pub(super) async fn dashboard_document(&self, asked: DashboardQuery) -> Result<DashboardDto, Unavailable> {
        let (length, step) = (asked.length, asked.length / POINTS);
        let kinds = self.ask(move |engine, now| kinds(engine, now, &asked)).await?;
        let status = self.overview().await?;
        let mut alerts = crate::server::View::alerts(self).await?;
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        let mut levels: BTreeMap<String, usize> = BTreeMap::new();
        for alert in &alerts {
            *states.entry(alert.state.clone()).or_default() += 1;
            if let Some(level) = alert.level {
                *levels.entry(level.to_string()).or_default() += 1;
            }
        }
        let key = |alert: &AlertDto| (std::cmp::Reverse(alert.level), std::cmp::Reverse(alert.since));
        alerts.sort_by_key(key);
        alerts.truncate(ALERTS);
        let rules: BTreeSet<String> = alerts.iter().map(|alert| alert.rule.clone()).collect();
        let rules = self.ask(move |engine, _| -> Vec<Arc<Rule>> {
            rules.iter().filter_map(|name| engine.rules().rules.get(name.as_str()).cloned()).collect()
        });
        let conditions = rules.await?.iter().map(|rule| (rule.name.to_string(), conditions(rule))).collect();
        let kind = |seen: Seen| KindDto {
            kind: seen.kind.to_string(),
            total: seen.total,
            stale: seen.stale,
            rate: seen.field.as_deref().is_some_and(is_counter),
            field: seen.field,
            subjects: seen.subjects,
        };
        Ok(DashboardDto {
            version: env!("CARGO_PKG_VERSION"),
            since: status.timestamp - length,
            step_seconds: step.as_secs_f64(),
            status,
            alerts,
            conditions,
            states,
            levels,
            kinds: kinds.into_iter().map(kind).collect(),
        })
    }
}

/// What a rule asks, by level.
fn conditions(rule: &Rule) -> BTreeMap<String, String> {
    let levels = rule.levels.iter().map(ToString::to_string).chain(["any".to_string()]);
    levels.zip(rule.conditions()).filter_map(|(level, text)| Some((level, text?))).collect()
}

fn kinds(engine: &Engine, now: Now, asked: &DashboardQuery) -> Vec<Seen> {
    let mut firing: HashMap<&SubjectKey, Level> = HashMap::new();
    for view in engine.active_alerts() {
        if let Some(fires) = &view.alert.firing {
            let level = firing.entry(&view.alert.subject).or_insert(fires.level);
            *level = fires.level.max(*level);
        }
    }
    let world = engine.world();
    let wanted = world.kinds().filter(|kind| asked.kind.as_deref().is_none_or(|asked| asked == &***kind));
    wanted.map(|kind| of_kind(world, kind, &firing, now, asked)).collect()
}

fn of_kind(
    world: &World,
    kind: &Arc<str>,
    firing: &HashMap<&SubjectKey, Level>,
    now: Now,
    asked: &DashboardQuery,
) -> Seen {
    let mut ids: Vec<(Option<Level>, SubjectId)> =
        world.of_kind(kind).filter_map(|id| Some((firing.get(&world.subject(id)?.key).copied(), id))).collect();
    let stale = ids.iter().filter(|(_, id)| world.is_stale(*id, now)).count();
    let total = ids.len();
    // Those of a kind are in the order of their names.
    ids.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    ids.truncate(asked.limit);
    let field = telling(world, kind);
    let subjects = ids.into_iter().filter_map(|(level, id)| {
        let subject = world.subject(id)?;
        Some(DashboardSubjectDto {
            name: subject.key.name.to_string(),
            labels: subject.labels.clone(),
            fields: world.fields(id).map(|(name, value)| (name.clone(), value.clone())).collect(),
            time: now.wall_of(subject.time),
            stale: world.is_stale(id, now),
            gone: subject.gone,
            level,
            spark: field.as_ref().map(|field| spark(world, id, field, now, asked.length)).unwrap_or_default(),
        })
    });
    Seen { kind: kind.clone(), total, stale, subjects: subjects.collect(), field }
}

/// The field that stands for the subjects of a kind.
fn telling(world: &World, kind: &str) -> Option<Arc<str>> {
    let fields: Vec<&Arc<str>> = world.fields_of_kind(kind).collect();
    let known = TELLING.iter().find_map(|name| fields.iter().find(|field| &&****field == name));
    known.map(|field| (*field).clone()).or_else(|| {
        let first = world.of_kind(kind).next()?;
        let number = world.fields(first).find(|(_, value)| matches!(value, Value::Number(_)));
        number.map(|(name, _)| name.clone())
    })
}

/// The means of a field over the stretches of a time, or of a counter its rates per second; the oldest first.
fn spark(world: &World, id: SubjectId, field: &str, now: Now, length: Duration) -> Vec<Option<f64>> {
    let step = length / POINTS;
    // Samples that were given up are a gap.
    let point = |back: u32| {
        // A rate needs two samples.
        let (function, length) = if is_counter(field) { (WindowFn::Rate, step * 2) } else { (WindowFn::Avg, step) };
        let window = Window::Span { length, ago: step * (back - 1) };
        world.window(id, function, field, window, at_newest(world, id, now)).ok()
    };
    (1..=POINTS).rev().map(point).collect()
}

/// A window of a stale subject would have no answer; what it had is drawn all the same.
fn at_newest(world: &World, id: SubjectId, now: Now) -> Now {
    match world.subject(id) {
        Some(subject) if world.is_stale(id, now) => Now { time: subject.arrived.max(Time::EPOCH), ..now },
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Batch, Limits, Source};
    use crate::model::{Labels, Snapshot};

    #[test]
    fn a_counter_is_drawn_as_its_rate_and_anything_else_as_its_means() {
        let at = |secs: i64| Now::at(Time::from_micros(secs * 1_000_000));
        let mut world = World::new(Limits::default(), jiff::tz::TimeZone::UTC, at(0));
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
        for step in 1..=60 {
            let snapshot = Snapshot {
                subject: SubjectKey::new("network", "a"),
                time: at(step * 10).time,
                labels: Labels::new(),
                fields: [("received_bytes".into(), (step as f64 * 1000.0).into()), ("load".into(), 7.0.into())].into(),
                gone: false,
            };
            let batch = Batch { source: source.clone(), snapshots: vec![snapshot], complete: Vec::new() };
            world.ingest(at(step * 10), &batch);
        }
        let id = world.find("network", "a").unwrap();
        assert_eq!(telling(&world, "network").as_deref(), Some("received_bytes"));
        for (field, expected) in [("received_bytes", 100.0), ("load", 7.0)] {
            let points = spark(&world, id, field, at(600), Duration::from_secs(3600));
            assert_eq!((points.len(), points[0]), (POINTS as usize, None), "{field}");
            let newest = points.last().copied().flatten().unwrap();
            assert!((newest - expected).abs() < 1e-9, "{field}: {newest}");
        }
    }
}
