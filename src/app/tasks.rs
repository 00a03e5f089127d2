//! The only place that starts tasks and threads: each has a name, a policy and a status that can be read.
//!
//! Tasks live in a [`Group`], which is stopped as a whole: the order in which the groups are stopped is the order in
//! which the daemon shuts down. A task gets its group's token and ends when that is cancelled; what does not end by the
//! deadline is dropped with the runtime.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error_chain;

/// What is done when a task ends although nobody asked it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It is started again, after a second at first and then after longer and longer waits.
    Restart,
    /// The daemon cannot do without it, and stops.
    StopDaemon,
}

/// What a task is doing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Status {
    /// It runs.
    Running,
    /// It failed, and is started again soon.
    Waiting {
        /// Why it ended.
        error: String,
    },
    /// It ended as it was asked to.
    Ended,
    /// It failed for good.
    Failed {
        /// Why it ended.
        error: String,
    },
}

/// One task as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TaskStatus {
    /// What it is doing.
    #[serde(flatten)]
    pub status: Status,
    /// How often it was started again.
    pub restarts: u32,
}

/// A task that the daemon cannot do without has failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{task}` has failed: {error}")]
pub struct Fatal {
    /// Its name.
    pub task: Arc<str>,
    /// Why it ended, with all causes.
    pub error: String,
}

/// All tasks of the daemon.
#[derive(Clone, Debug)]
pub struct Tasks {
    statuses: Arc<Mutex<BTreeMap<Arc<str>, TaskStatus>>>,
    fatal: watch::Sender<Option<Fatal>>,
}

impl Default for Tasks {
    fn default() -> Tasks {
        Tasks { statuses: Arc::default(), fatal: watch::Sender::new(None) }
    }
}

impl Tasks {
    /// An empty group.
    pub fn group(&self) -> Group {
        Group { tasks: self.clone(), token: CancellationToken::new(), tracker: TaskTracker::new() }
    }

    /// Every task by name.
    pub fn statuses(&self) -> BTreeMap<Arc<str>, TaskStatus> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a task fails that the daemon cannot do without.
    pub async fn failed(&self) -> Fatal {
        let mut fatal = self.fatal.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        match fatal.wait_for(Option::is_some).await {
            Ok(found) => found.clone(),
            Err(_) => None,
        }
        .unwrap_or_else(|| Fatal { task: "tasks".into(), error: "lost track of the tasks".into() })
    }

    fn set(&self, name: &Arc<str>, status: Status, restarts: u32) {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        statuses.insert(name.clone(), TaskStatus { status, restarts });
    }

    /// Notes that a task ended that nobody asked to.
    fn fail(&self, name: &Arc<str>, error: String, restarts: u32) {
        tracing::error!(task = %name, error, "task failed, stopping");
        self.set(name, Status::Failed { error: error.clone() }, restarts);
        self.fatal.send_if_modified(|fatal| {
            let first = fatal.is_none();
            if first {
                *fatal = Some(Fatal { task: name.clone(), error });
            }
            first
        });
    }
}

/// Tasks that are stopped together.
#[derive(Clone, Debug)]
pub struct Group {
    tasks: Tasks,
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Group {
    /// Cancelled when the group is to end.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Starts a task. `make` makes its future, again for each restart; it should end soon after the token is cancelled.
    pub fn start<F, W>(&self, name: impl Into<Arc<str>>, policy: Policy, make: F)
    where
        F: FnMut(CancellationToken) -> W + Send + 'static,
        W: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.start_until(name, policy, self.token.clone(), make);
    }

    /// Starts a task that may end by itself; only its failure is one.
    pub fn start_once<F, W>(&self, name: impl Into<Arc<str>>, policy: Policy, mut make: F)
    where
        F: FnMut(CancellationToken) -> W + Send + 'static,
        W: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let token = self.token.child_token();
        self.start_until(name, policy, token.clone(), move |stop| {
            let (work, token) = (make(stop), token.clone());
            async move {
                work.await?;
                token.cancel();
                Ok(())
            }
        });
    }

    /// Starts a task that can also be ended alone: by a child of the group's token.
    pub fn start_until<F, W>(&self, name: impl Into<Arc<str>>, policy: Policy, token: CancellationToken, mut make: F)
    where
        F: FnMut(CancellationToken) -> W + Send + 'static,
        W: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (name, tasks) = (name.into(), self.tasks.clone());
        let supervised = async move {
            let mut backoff = Backoff::default();
            let mut restarts = 0;
            loop {
                tasks.set(&name, Status::Running, restarts);
                let started = Instant::now();
                let ended = AssertUnwindSafe(make(token.clone())).catch_unwind().await;
                if token.is_cancelled() {
                    return tasks.set(&name, Status::Ended, restarts);
                }
                let error = match ended {
                    Ok(Ok(())) => "it ended by itself".to_string(),
                    Ok(Err(error)) => error_chain(error.as_ref()),
                    Err(panic) => panic_text(panic.as_ref()),
                };
                match policy {
                    Policy::StopDaemon => return tasks.fail(&name, error, restarts),
                    Policy::Restart => {
                        let wait = backoff.after_run(started.elapsed());
                        tracing::warn!(task = %name, error, wait = ?wait, "task failed, starting it again");
                        tasks.set(&name, Status::Waiting { error }, restarts);
                        tokio::select! {
                            () = tokio::time::sleep(wait) => {}
                            () = token.cancelled() => return tasks.set(&name, Status::Ended, restarts),
                        }
                        restarts += 1;
                    }
                }
            }
        };
        self.tracker.spawn(supervised);
    }

    /// Starts a thread with a stack of this many bytes. If it panics or fails, the daemon stops.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn thread<F>(&self, name: &'static str, stack: usize, run: F) -> std::io::Result<()>
    where
        F: FnOnce() -> anyhow::Result<()> + Send + 'static,
    {
        let (tasks, tracked) = (self.tasks.clone(), self.tracker.token());
        let label: Arc<str> = name.into();
        tasks.set(&label, Status::Running, 0);
        std::thread::Builder::new().name(name.to_string()).stack_size(stack).spawn(move || {
            // Dropped last: whoever waits for the group then sees the thread's status.
            let _tracked = tracked;
            match std::panic::catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(())) => tasks.set(&label, Status::Ended, 0),
                Ok(Err(error)) => tasks.fail(&label, error_chain(error.as_ref()), 0),
                Err(panic) => tasks.fail(&label, panic_text(panic.as_ref()), 0),
            }
        })?;
        Ok(())
    }

    /// Asks every task to end and waits for them until the deadline. Says whether all have ended.
    pub async fn stop(&self, deadline: Instant) -> bool {
        self.token.cancel();
        self.drained(deadline).await
    }

    /// Waits until every task has ended by itself, until the deadline. Says whether all have.
    pub async fn drained(&self, deadline: Instant) -> bool {
        self.tracker.close();
        tokio::time::timeout_at(deadline, self.tracker.wait()).await.is_ok()
    }
}

/// Runs blocking work off the async threads, and gives its result.
///
/// # Errors
/// Where the work panicked; the text is the panic's.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => Err(anyhow::anyhow!(panic_text(panic.as_ref()))),
            Err(error) => Err(error.into()),
        },
    }
}

/// How long to wait before something is tried again: 1 s, doubled up to 1 min, and anew after a minute that went well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(60);

    /// The wait after a failure that came when it had run for so long.
    pub(super) fn after_run(&mut self, ran: Duration) -> Duration {
        if ran >= Self::LONGEST {
            self.failures = 0;
        }
        let wait = Self::FIRST.saturating_mul(1 << self.failures.min(6)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn waits_grow_to_a_minute_and_begin_anew_after_a_good_minute() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.after_run(Duration::ZERO).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.after_run(Duration::from_secs(61)), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_task_that_panics_is_started_again() {
        let group = Tasks::default().group();
        let runs = Arc::new(AtomicU32::new(0));
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        group.start("shaky", Policy::Restart, move |token| {
            let (run, sender) = (runs.fetch_add(1, Ordering::Relaxed), sender.clone());
            async move {
                assert!(run > 0, "the first run panics");
                sender.send(run).await?;
                token.cancelled().await;
                Ok(())
            }
        });
        assert_eq!(tokio::time::timeout_at(soon(), receiver.recv()).await.unwrap(), Some(1));
        assert_eq!(group.tasks.statuses()["shaky"], TaskStatus { status: Status::Running, restarts: 1 });
        assert!(group.stop(soon()).await);
        assert_eq!(group.tasks.statuses()["shaky"].status, Status::Ended);
    }

    #[tokio::test]
    async fn the_daemon_hears_of_a_thread_that_it_cannot_do_without() {
        let tasks = Tasks::default();
        let group = tasks.group();
        group.thread("engine", 64 << 10, || panic!("no way on")).unwrap();
        let fatal = tokio::time::timeout_at(soon(), tasks.failed()).await.unwrap();
        assert_eq!(fatal.to_string(), "`engine` has failed: it panicked: no way on");
        assert!(group.drained(soon()).await);
    }

    #[tokio::test]
    async fn a_task_that_does_not_end_does_not_hold_the_stop_past_its_deadline() {
        let group = Tasks::default().group();
        group.start("deaf", Policy::Restart, |_| std::future::pending());
        assert!(!group.stop(Instant::now() + Duration::from_millis(10)).await);
    }

    #[tokio::test]
    async fn a_panic_of_blocking_work_is_an_error() {
        assert_eq!(blocking(|| 7).await.unwrap(), 7);
        let error = blocking(|| -> u8 { panic!("lost") }).await.unwrap_err();
        assert_eq!(error.to_string(), "it panicked: lost");
    }
}
