//! Probes of TCP ports: kind `service`, with the fields of an HTTP probe that make sense for a port.
//!
//! `status` is `running` where a connection was made in time, `error` where it took too long to be well, and `stopped` where
//! none was made (no such name, refused, unreachable, no answer). `up` is 1 for `running` and else 0. The connection is
//! closed at once; nothing is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;

use super::observation::Observation;
use super::{Collector, Error, Pass};
use crate::model::{Labels, Now, Snapshot, Time, duration};

/// Between two attempts of one pass.
const PAUSE: Duration = Duration::from_millis(250);

/// What can be set of a TCP probe.
#[derive(Clone, Debug)]
pub struct TcpSettings {
    /// The name of the service's subject; the collector is called `tcp:` and this.
    pub name: Arc<str>,
    /// The kind of the service's subject.
    pub kind: Arc<str>,
    /// Labels of the service's subject.
    pub labels: Labels,
    /// Host and port: `db.example:5432`, `[::1]:6379`.
    pub address: Arc<str>,
    /// One attempt must be over within this time, from the name's resolution on.
    pub timeout: Duration,
    /// How often a failed attempt is repeated within one pass.
    pub retries: u32,
    /// A connection that takes longer is not well, though it was made.
    pub response_time: Option<Duration>,
}

impl TcpSettings {
    /// How long a pass with all its retries may take: what the schedule's timeout should at least be.
    pub fn pass_timeout(&self) -> Duration {
        (self.timeout + PAUSE).saturating_mul(self.retries.saturating_add(1)) + Duration::from_secs(1)
    }
}

/// Probes one port.
pub(super) struct Tcp {
    collector: Arc<str>,
    settings: TcpSettings,
    consecutive_failures: u64,
}

/// What one pass came to.
struct Outcome {
    status: &'static str,
    error: String,
    took: Option<Duration>,
}

impl Tcp {
    pub(super) fn new(settings: &TcpSettings) -> Tcp {
        let collector = format!("tcp:{}", settings.name).into();
        Tcp { collector, settings: settings.clone(), consecutive_failures: 0 }
    }

    async fn attempt(&self) -> Outcome {
        let TcpSettings { address, timeout, response_time, .. } = &self.settings;
        let began = Instant::now();
        let stopped = |error| Outcome { status: "stopped", error, took: None };
        match tokio::time::timeout(*timeout, TcpStream::connect(&**address)).await {
            Err(_) => stopped(format!("no connection within {}", duration::format(*timeout))),
            Ok(Err(error)) => stopped(error.to_string()),
            Ok(Ok(_)) => {
                let took = began.elapsed();
                let slow = response_time.filter(|limit| took > *limit);
                let status = if slow.is_some() { "error" } else { "running" };
                let error = slow.map(|limit| format!("the connection took longer than {}", duration::format(limit)));
                Outcome { status, error: error.unwrap_or_default(), took: Some(took) }
            }
        }
    }

    async fn probe(&self) -> Outcome {
        let mut n_left = self.settings.retries;
        loop {
            let outcome = self.attempt().await;
            if outcome.status == "running" || n_left == 0 {
                return outcome;
            }
            n_left -= 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn snapshot(&self, time: Time, outcome: &Outcome) -> Snapshot {
        let mut own = Observation::of(&self.settings.kind, Arc::clone(&self.settings.name), time);
        for (name, value) in &self.settings.labels {
            own.label(name, value);
        }
        own.text("status", outcome.status)
            .number("up", f64::from(u8::from(outcome.status == "running")))
            .count("consecutive_failures", self.consecutive_failures)
            .text("error", &outcome.error)
            .number("response_time_seconds", outcome.took.map(|took| took.as_secs_f64()));
        own.finish()
    }
}

impl Collector for Tcp {
    fn name(&self) -> &Arc<str> {
        &self.collector
    }

    fn is_local(&self) -> bool {
        false
    }

    fn collect(&mut self, now: Now) -> BoxFuture<'_, Result<Pass, Error>> {
        Box::pin(async move {
            let outcome = self.probe().await;
            self.consecutive_failures = if outcome.status == "running" { 0 } else { self.consecutive_failures + 1 };
            Ok(Pass { snapshots: vec![self.snapshot(now.time, &outcome)], ..Pass::default() })
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::model::Value;

    fn probe(address: &str) -> Tcp {
        Tcp::new(&TcpSettings {
            name: "db".into(),
            kind: "service".into(),
            labels: Labels::from([("zone".into(), "a".into())]),
            address: address.into(),
            timeout: Duration::from_secs(5),
            retries: 1,
            response_time: None,
        })
    }

    async fn look(tcp: &mut Tcp) -> Snapshot {
        let pass = tcp.collect(Now::at(Time::EPOCH)).await.unwrap();
        pass.snapshots.into_iter().next().unwrap()
    }

    #[tokio::test]
    async fn a_port_that_takes_connections_is_running() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut tcp = probe(&listener.local_addr().unwrap().to_string());
        let seen = look(&mut tcp).await;
        assert_eq!((&*seen.subject.kind, &*seen.subject.name, &*seen.labels["zone"]), ("service", "db", "a"));
        assert_eq!(seen.fields["status"], Value::from("running"));
        assert_eq!((&seen.fields["up"], &seen.fields["error"]), (&Value::Number(1.0), &Value::from("")));
        assert!(seen.fields["response_time_seconds"].as_number().unwrap() < 5.0);
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_stopped_and_counts_its_failures() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let mut tcp = probe(&address);
        for n_failures in 1..3 {
            let seen = look(&mut tcp).await;
            assert_eq!(seen.fields["status"], Value::from("stopped"));
            assert_eq!(seen.fields["consecutive_failures"], Value::Number(f64::from(n_failures)));
            assert!(!seen.fields.contains_key("response_time_seconds"), "there was no connection");
            assert!(matches!(&seen.fields["error"], Value::Text(error) if error.contains("refused")));
        }
    }

    #[tokio::test]
    async fn a_connection_that_takes_too_long_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut tcp = probe(&listener.local_addr().unwrap().to_string());
        tcp.settings.response_time = Some(Duration::ZERO);
        let seen = look(&mut tcp).await;
        assert_eq!((&seen.fields["status"], &seen.fields["up"]), (&Value::from("error"), &Value::Number(0.0)));
        assert!(seen.fields.contains_key("response_time_seconds"), "it was made");
    }
}
