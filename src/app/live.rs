//! A project's collectors without a daemon: what `larum record` writes down and `larum dry-run` judges.
//!
//! They run as the daemon runs them (schedule, time-outs, names of sources, what a pass says of whole kinds); only, each
//! pass is handed out instead of judged.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::clock::Clock;
use super::collectors::Collectors;
use super::signals::Signals;
use super::tasks::{Group, Tasks};
use crate::collect::Sink;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::history::Batch;
use crate::model::Now;

/// Passes that wait to be taken. Then collectors wait too, as for a busy engine.
const QUEUE: usize = 64;
const WORKERS: usize = 2;
/// How long a look that hangs in the operating system is waited for at the end.
const LEAVE_BEHIND: Duration = Duration::from_millis(100);

/// Collectors that run, until a deadline, Ctrl-C or SIGTERM.
pub struct LiveCollectors {
    passes: mpsc::Receiver<Batch>,
    collectors: Collectors,
    group: Group,
    clock: Clock,
    signals: Signals,
    deadline: Option<Instant>,
    ended: bool,
}

/// Ctrl-C and SIGTERM, for work that ends well with them.
pub struct StopSignal(Signals);

impl StopSignal {
    /// Begins to hear. From here on they no longer end the process by themselves.
    ///
    /// # Errors
    /// Where the system does not let signals be heard.
    pub fn new() -> io::Result<StopSignal> {
        Ok(StopSignal(Signals::new()?))
    }

    /// Waits until somebody asks to stop.
    pub async fn asked(&mut self) {
        self.0.next().await;
    }
}

struct ToChannel(mpsc::Sender<Batch>);

impl Sink for ToChannel {
    fn deliver(&self, batch: Batch) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Nobody takes passes any more: they come too late for anybody.
            self.0.send(batch).await.ok();
        })
    }
}

impl LiveCollectors {
    /// Starts the collectors of a config, for so long where it is said. The diagnostics name those that cannot be started;
    /// the others run. From here on Ctrl-C ends the passes, and no longer the process.
    ///
    /// # Errors
    /// Where the system does not let signals be heard.
    pub fn start(
        config: &Config,
        config_name: &Arc<str>,
        within: Option<Duration>,
    ) -> io::Result<(LiveCollectors, Vec<Diagnostic>)> {
        crate::channels::http::install_tls_provider();
        let signals = Signals::new()?;
        let (sender, passes) = mpsc::channel(QUEUE);
        let (group, clock) = (Tasks::default().group(), Clock::start(None));
        let collectors = Collectors::new(group.clone(), Arc::new(ToChannel(sender)), clock.clone());
        let problems = collectors.reconcile(&config.collectors, config_name);
        let deadline = within.map(|within| Instant::now() + within);
        let live = LiveCollectors { passes, collectors, group, clock, signals, deadline, ended: false };
        Ok((live, problems))
    }

    /// The names of those that run, which are the names of their batches' sources.
    pub fn names(&self) -> Vec<String> {
        self.collectors.names()
    }

    /// The clock by which passes are timed.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Waits for the next pass, and says when it came. `None` when the time is over or somebody asked to stop, and from
    /// then on. Cut off while it waits, it loses nothing.
    pub async fn next(&mut self) -> Option<(Now, Batch)> {
        if self.ended {
            return None;
        }
        let deadline = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let pass = tokio::select! {
            // However many passes wait, the end is the end.
            biased;
            _ = self.signals.next() => None,
            () = deadline => None,
            pass = self.passes.recv() => pass,
        };
        if pass.is_none() {
            self.ended = true;
            self.group.token().cancel();
        }
        pass.map(|batch| (self.clock.now(), batch))
    }
}

/// Runs async work of a command to its end. What hangs in the operating system then is left behind.
///
/// # Errors
/// Where the system gives no threads.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(16)
        .thread_name("larum")
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LEAVE_BEHIND);
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fixed;

    fn config(text: &str) -> Config {
        Config::parse("larum.yaml", text, &Fixed::default()).unwrap()
    }

    #[test]
    fn passes_are_handed_out_under_the_names_of_their_collectors_until_the_time_is_over() {
        let config = config("collectors: [{ type: host, every: 100ms }, { type: push }]");
        let seen = block_on(async {
            let within = Some(Duration::from_millis(500));
            let (mut live, problems) = LiveCollectors::start(&config, &"larum.yaml".into(), within).unwrap();
            assert_eq!((problems, live.names()), (Vec::new(), vec!["host".to_string()]));
            let mut seen = Vec::new();
            while let Some((now, batch)) = live.next().await {
                assert_eq!((&*batch.source.name, batch.source.stale_after), ("host", Duration::from_millis(300)));
                assert!(batch.snapshots.iter().any(|snapshot| &*snapshot.subject.kind == "collector"));
                seen.push(now.time);
            }
            assert!(live.next().await.is_none(), "it has ended");
            seen
        });
        let seen = seen.unwrap();
        assert!(!seen.is_empty() && seen.is_sorted(), "{seen:?}");
    }
}
