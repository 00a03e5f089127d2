//! Probes of TCP ports: kind `service`, with the fields of an HTTP probe that make sense for a port.
//!
//! `status` is `running` where a connection was made in time, `error` where it took too long to be well, and `stopped` where
//! none was made (no such name, refused, unreachable, no answer). `up` is 1 for `running` and else 0. The connection is
//! closed at once; nothing is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::net::TcpStream;

use super::service::{self, Failure};
use super::{Collector, Error, Pass};
use crate::model::{Labels, Now, Snapshot, Time, duration};

/// What can be set of a TCP probe.
#[derive(Clone, Debug, PartialEq)]
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
        service::pass_timeout(self.timeout, self.retries)
    }
}

/// Probes one port.
pub(super) struct Tcp {
    collector: Arc<str>,
    settings: TcpSettings,
    consecutive_failures: u64,
}

impl Tcp {
    pub(super) fn new(settings: &TcpSettings) -> Tcp {
        let collector = format!("tcp:{}", settings.name).into();
        Tcp { collector, settings: settings.clone(), consecutive_failures: 0 }
    }

    /// Connects once. How long it took is told even where that is too long.
    async fn attempt(&self) -> (Option<Duration>, Option<Failure>) {
        let TcpSettings { address, timeout, response_time, .. } = &self.settings;
        let began = Instant::now();
        match tokio::time::timeout(*timeout, TcpStream::connect(&**address)).await {
            Err(_) => {
                (None, Some(Failure::Unreachable(format!("no connection within {}", duration::format(*timeout)))))
            }
            Ok(Err(error)) => (None, Some(Failure::Unreachable(error.to_string()))),
            // A port in the range that connections come from can meet itself where nobody listens.
            Ok(Ok(stream)) if stream.local_addr().is_ok_and(|own| stream.peer_addr().is_ok_and(|peer| own == peer)) => {
                (None, Some(Failure::Unreachable("connection refused".to_string())))
            }
            Ok(Ok(_)) => {
                let took = began.elapsed();
                let slow = response_time.filter(|limit| took > *limit);
                let failure = |limit| format!("the connection took longer than {}", duration::format(limit));
                (Some(took), slow.map(|limit| Failure::Unexpected(failure(limit))))
            }
        }
    }

    fn snapshot(&self, time: Time, took: Option<Duration>, failure: Option<&Failure>) -> Snapshot {
        let TcpSettings { kind, name, labels, .. } = &self.settings;
        let mut own = service::observation((kind, name, labels), time, failure, self.consecutive_failures);
        own.number("response_time_seconds", took.map(|took| took.as_secs_f64()));
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
            let (took, failure) = service::probe(self.settings.retries, || self.attempt()).await;
            self.consecutive_failures = if failure.is_some() { self.consecutive_failures + 1 } else { 0 };
            Ok(Pass { snapshots: vec![self.snapshot(now.time, took, failure.as_ref())], ..Pass::default() })
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
