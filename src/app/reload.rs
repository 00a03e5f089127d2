//! Reload: looks at the files when they may have changed, and puts what they say in force.
//!
//! All that can fail has failed before anything is changed ([`Project::look`]); what is applied here cannot fail any
//! more. One look runs at a time, and the engine takes new rules between two inputs: each snapshot is judged by one
//! generation of rules.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::access::Pair;
use super::clock::Clock;
use super::collectors::Collectors;
use super::committer::Writer;
use super::delivery::Deliveries;
use super::engine_thread::Handle;
use super::error_chain;
use super::figures::Figures;
use super::folder::Layout;
use super::happenings::Happenings;
use super::older;
use super::problems::{Part, Problems};
use super::project::{Changes, Project};
use super::tasks::{self, Group};
use super::watch::Watch;
use crate::engine::{Engine, Input};
use crate::exposition::Names;
use crate::history::Reach;
use crate::server::Access;
use crate::store::Reader;

/// What a reload needs of the daemon.
pub(super) struct Reload {
    pub(super) project: Arc<Mutex<Project>>,
    pub(super) layout: Arc<Layout>,
    pub(super) problems: Arc<Problems>,
    pub(super) engine: Handle<Engine>,
    pub(super) clock: Clock,
    pub(super) writer: Writer,
    pub(super) collectors: Arc<Collectors>,
    pub(super) deliveries: Arc<Deliveries>,
    /// Where workers of channels live.
    pub(super) delivery_group: Group,
    /// How long an attempt on its way may take after the stop.
    pub(super) grace: Duration,
    pub(super) figures: Arc<Figures>,
    /// What is stored.
    pub(super) store: Arc<dyn Reader>,
    /// For how long everything is kept in memory.
    pub(super) memory: Duration,
    /// How much memory samples may take, in bytes.
    pub(super) memory_limit: usize,
    /// How far back rules look beyond that, as it was last put in force.
    pub(super) reach: Mutex<Reach>,
    /// Set when the first look is in force.
    pub(super) loaded: Arc<AtomicBool>,
    /// Whether alerts are sent.
    pub(super) alerting: Arc<AtomicBool>,
    /// Told when the problems changed.
    pub(super) changed: Arc<Notify>,
    /// What fields are called as metrics.
    pub(super) metric_names: Arc<Mutex<Names>>,
    /// Told of each look.
    pub(super) happenings: Arc<Happenings>,
    /// Who may ask.
    pub(super) access: Arc<Access>,
    /// The certificate of the listener.
    pub(super) pair: Option<Arc<Pair>>,
}

/// How often certificates are looked at.
const CERTIFICATES: Duration = Duration::from_secs(30);

fn look_at_certificates() -> Instant {
    Instant::now() + CERTIFICATES
}

/// Someone asks for a look at once; answered when it is in force.
pub(super) type Asked = tokio::sync::oneshot::Sender<()>;

impl Reload {
    /// Looks once and puts what is there in force. `again` also takes up what surrounds the files.
    ///
    /// # Errors
    /// Where looking panicked.
    pub(super) async fn look(&self, again: bool) -> anyhow::Result<Option<Instant>> {
        let (project, clock) = (self.project.clone(), self.clock.clone());
        let (access, pair, problems) = (self.access.clone(), self.pair.clone(), self.problems.clone());
        let metric_names = self.metric_names.clone();
        let changes = tasks::blocking(move || {
            // A panic in a look leaves what the former looks made.
            let mut project = project.lock().unwrap_or_else(PoisonError::into_inner);
            let mut changes = project.look(clock.now().time, Instant::now(), again);
            metric_names.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&project.config().metric_names);
            access.set_tokens(project.config().tokens.clone());
            let certificate = pair.zip(project.config().tls.as_ref()).and_then(|(pair, tls)| pair.look(tls));
            changes.problems |= problems.replace(Part::Certificate, certificate.into_iter().collect());
            changes
        })
        .await?;
        self.figures.reloads.add(1);
        if let Some(rules) = &changes.rules {
            self.look_back(rules.reach().beyond(self.memory)).await;
        }
        Ok(self.apply(changes))
    }

    /// Gives the engine what is stored of what rules look back on, before they are put in force.
    ///
    /// Where that cannot be read, windows begin with what memory has, and the next look tries again.
    async fn look_back(&self, reach: Reach) {
        if *self.reach.lock().unwrap_or_else(PoisonError::into_inner) == reach {
            return;
        }
        if !reach.is_empty() {
            let (store, now, asked, room) =
                (self.store.clone(), self.clock.now().time, reach.clone(), self.memory_limit / 2);
            let read = tasks::blocking(move || older::read(&*store, asked, now, room)).await;
            match read {
                // The engine may have stopped meanwhile.
                Ok(Ok(older)) => drop(older.map(|older| self.engine.tell(Input::Backfill(older.into())))),
                Ok(Err(error)) => return tracing::error!(error, "cannot read what rules look back on"),
                Err(error) => {
                    return tracing::error!(error = error_chain(error.as_ref()), "cannot read what rules look back on");
                }
            }
        }
        *self.reach.lock().unwrap_or_else(PoisonError::into_inner) = reach;
    }

    /// Puts changes in force. Gives when to look again.
    fn apply(&self, changes: Changes) -> Option<Instant> {
        let mut problems = changes.problems;
        // New channels first, so that none is named that does not exist yet.
        if let Some((channels, known, texts)) = changes.channels {
            self.deliveries.set_channels(channels, known, &texts, &self.delivery_group, self.grace);
        }
        // The engine may have stopped meanwhile; then none of this matters any more.
        if let Some(routing) = changes.routing {
            self.engine.tell(Input::Routing(routing)).ok();
        }
        if let Some(on) = changes.alerting {
            self.alerting.store(on, Ordering::Relaxed);
            self.engine.tell(Input::Alerting(on)).ok();
        }
        if let Some(rules) = changes.rules {
            self.engine.tell(Input::Rules(rules)).ok();
        }
        if let Some(collectors) = changes.collectors {
            let found = self.collectors.reconcile(&collectors, self.layout.config_name());
            problems |= self.problems.replace(Part::Collectors, found);
        }
        for record in changes.records {
            self.writer.note(record);
        }
        self.loaded.store(true, Ordering::Relaxed);
        self.happenings.looked();
        if problems {
            self.changed.notify_one();
        }
        changes.again
    }

    /// Looks whenever the files may have changed, or someone asks, until the stop.
    ///
    /// # Errors
    /// Where a look panicked.
    pub(super) async fn run(
        &self,
        mut again_at: Option<Instant>,
        asked: &mut mpsc::Receiver<Asked>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut watch = Watch::new(self.layout.clone());
        // What changed between the last look and the watches is seen now.
        let mut look_now = true;
        loop {
            let mut answers = Vec::new();
            let mut again = false;
            if !std::mem::take(&mut look_now) {
                let at = match self.pair {
                    // Certificates stand anywhere, and are looked at from time to time.
                    Some(_) => Some(again_at.unwrap_or_else(look_at_certificates).min(look_at_certificates())),
                    None => again_at,
                };
                let deadline = async move {
                    match at {
                        Some(at) => tokio::time::sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = watch.changed() => {}
                    () = deadline => {}
                    Some(answer) = asked.recv() => {
                        again = true;
                        answers.push(answer);
                    }
                }
            }
            watch.rearm();
            again_at = self.look(again).await?;
            for answer in answers {
                answer.send(()).ok();
            }
        }
    }
}
