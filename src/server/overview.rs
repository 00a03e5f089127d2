//! The figures of the overview, from what is watched. Pure.

use crate::history::World;
use crate::model::{Now, Value};

/// The worst of what is watched. Stale subjects count for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// The busiest host's CPU, in percent.
    pub cpu_usage: Option<f64>,
    /// The fullest host's memory, in percent.
    pub memory_usage: Option<f64>,
    /// The fullest disk, in percent.
    pub disk_usage: Option<f64>,
    /// The slowest service's response time, in seconds.
    pub response_time: Option<f64>,
    /// The worst status of all services; `None` where none is watched.
    pub service_status: Option<ServiceStatus>,
}

/// What is said of all services together, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceStatus {
    /// All run.
    Running,
    /// At least one does not answer as it should.
    Error,
    /// At least one does not run.
    Stopped,
}

impl ServiceStatus {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            ServiceStatus::Running => "running",
            ServiceStatus::Error => "error",
            ServiceStatus::Stopped => "stopped",
        }
    }

    fn of(text: &str) -> ServiceStatus {
        match text {
            "running" | "ok" | "up" | "healthy" => ServiceStatus::Running,
            "stopped" | "down" => ServiceStatus::Stopped,
            // A word that we do not know is at least not known to be well.
            _ => ServiceStatus::Error,
        }
    }
}

/// The overview of a world.
pub fn overview(world: &World, now: Now) -> Overview {
    let values = |kind: &str, field: &str| -> Vec<Value> {
        // To find out of each of many subjects that it has no such field takes long.
        match world.fields_of_kind(kind).any(|known| &**known == field) {
            true => world.of_kind(kind).filter_map(|id| world.field(id, field, now).ok()).collect(),
            false => Vec::new(),
        }
    };
    Overview {
        cpu_usage: highest(&values("host", "cpu_percent")),
        memory_usage: highest(&values("host", "memory_used_percent")),
        disk_usage: highest(&values("disk", "used_percent")),
        response_time: highest(&values("service", "response_time_seconds"))
            .or_else(|| highest(&values("service", "avg_response_time"))),
        service_status: worst(&values("service", "status")),
    }
}

fn highest(values: &[Value]) -> Option<f64> {
    values.iter().filter_map(Value::as_number).filter(|number| number.is_finite()).max_by(f64::total_cmp)
}

fn worst(values: &[Value]) -> Option<ServiceStatus> {
    let statuses = values.iter().filter_map(|value| match value {
        Value::Text(text) => Some(ServiceStatus::of(text)),
        Value::Number(_) | Value::Bool(_) => None,
    });
    statuses.max()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::history::{Batch, Limits, Source};
    use crate::model::{Snapshot, SubjectKey, Time};

    #[test]
    fn the_overview_is_of_what_is_fresh() {
        let start = Now::at(Time::from_micros(1_000_000_000));
        let mut world = World::new(Limits::default(), jiff::tz::TimeZone::UTC, start);
        let snapshot = |kind: &str, name: &str, fields: &[(&str, Value)]| Snapshot {
            subject: SubjectKey::new(kind, name),
            time: start.time,
            labels: Default::default(),
            fields: fields.iter().map(|(field, value)| (Arc::from(*field), value.clone())).collect(),
            gone: false,
        };
        let snapshots = vec![
            snapshot("host", "a", &[("cpu_percent", 20.0.into()), ("memory_used_percent", 40.0.into())]),
            snapshot("host", "b", &[("memory_used_percent", 60.0.into())]),
            snapshot("disk", "a:/", &[("used_percent", 91.0.into())]),
            snapshot("service", "s", &[("status", "running".into()), ("response_time_seconds", 0.25.into())]),
            snapshot("service", "t", &[("status", "stopped".into())]),
        ];
        let source = Source { name: "test".into(), stale_after: Duration::from_secs(60) };
        assert_eq!(world.ingest(start, &Batch { source, snapshots, complete: Vec::new() }).taken, 5);
        let expected = Overview {
            cpu_usage: Some(20.0),
            memory_usage: Some(60.0),
            disk_usage: Some(91.0),
            response_time: Some(0.25),
            service_status: Some(ServiceStatus::Stopped),
        };
        assert_eq!(overview(&world, start), expected);
        let later = Now::at(start.time + Duration::from_secs(61));
        assert_eq!(overview(&world, later), Overview::default());
    }

    #[test]
    fn the_worst_counts_and_nothing_is_not_zero() {
        assert_eq!(highest(&[]), None);
        assert_eq!(highest(&[1.0.into(), f64::NAN.into(), "9".into(), 3.0.into()]), Some(3.0));
        assert_eq!(worst(&[]), None);
        assert_eq!(worst(&["running".into(), "stopped".into(), "odd".into()]), Some(ServiceStatus::Stopped));
        assert_eq!(worst(&["running".into(), "odd".into()]).map(ServiceStatus::as_str), Some("error"));
    }
}
