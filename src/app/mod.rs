//! Wiring: start, stop, reload, supervision.
//!
//! Everything that decides is elsewhere and pure; this reads the clock, the files and the signals, and moves data:
//!
//! ```text
//! server, collectors -> engine thread -> committer thread -> deliveries -> outbox workers
//!                            ^ rules, routes: reload            | ends
//!                            +----------------------------------+
//! ```
//!
//! [`App`] is the daemon in process, for [`run()`] and for tests.

mod access;
mod api;
mod channel_files;
mod child;
mod clock;
mod collectors;
mod committer;
mod dashboard;
mod delivery;
mod dry_run;
mod effects_log;
mod engine_thread;
mod figures;
mod folder;
mod followers;
mod happenings;
mod housekeeping;
mod live;
pub mod logging;
mod metrics;
mod older;
mod on_call;
mod outbox_api;
mod own_state;
mod past;
mod pause;
mod problems;
mod project;
mod reload;
mod resume;
mod run;
mod signals;
mod stored;
mod tasks;
mod together;
mod trial;
mod watch;
mod why;

pub use crate::history::Recorder;
pub use access::{BadPair, TOKEN_FILE, new_token, read_pair, read_token};
pub use clock::Clock;
pub use committer::Writer;
pub use dry_run::{DryRun, dry_run, looks};
pub use engine_thread::{Handle, Machine, Receipt, Refused, Stopped};
pub use figures::{Counter, Figures};
pub use folder::{Believed, Finding, Layout, Reading, Settling};
pub use live::{LiveCollectors, StopSignal, block_on};
pub use own_state::KIND as OWN_KIND;
pub use problems::{FileHealth, Part, Problems};
pub use project::read_config;
pub use run::run;
pub use tasks::{Fatal, Policy, Status, TaskStatus, Tasks};
pub use together::together;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::channels::{Stdout, Transport};
use crate::config::Config;
use crate::diagnostic::{Diagnostic, error_chain};
use crate::engine::{Effects, Engine, Input, Settings};
use crate::model::{Now, Time};
use crate::server::{self, AllowedHosts, Listener};
use crate::store::{Memory, Reader, Store};
use collectors::{Collectors, ToEngine};
use delivery::Deliveries;
use effects_log::EffectsLog;
use followers::Followers;
use own_state::OwnState;
use project::Project;
use reload::{Asked, Reload};
use tasks::Group;

/// Rules recurse within their limits; the rest of a step does not.
const ENGINE_STACK: usize = 8 << 20;
const COMMITTER_STACK: usize = 1 << 20;
/// How long requests that have begun may take after the stop.
const DRAIN_REQUESTS: Duration = Duration::from_secs(1);
/// How long attempts that have begun may take after the stop.
const DRAIN_ATTEMPTS: Duration = Duration::from_millis(1500);

/// What the daemon is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The project folder.
    pub dir: PathBuf,
    /// Another config than the folder's larum.yaml.
    pub config: Option<PathBuf>,
    /// Listens here, whatever the config says; port 0 is any free one.
    pub listen: Option<SocketAddr>,
    /// Real collectors and rules, but nothing is sent: it is printed instead.
    pub dry_run: bool,
}

impl Options {
    /// Where the files are.
    pub fn layout(&self) -> Layout {
        Layout::new(self.dir.clone(), self.config.clone())
    }
}

/// Why the daemon cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The config has problems; nothing was started.
    #[error(transparent)]
    Config(#[from] project::Error),
    /// The address cannot be had.
    #[error("cannot listen on {address} (another larum may run there: choose another port with --listen)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The address is not this machine's alone, and nobody is kept out.
    #[error(
        "{address} can be reached from elsewhere, and no `tokens` keep anybody out (make one with `larum token new`)"
    )]
    NoTokens {
        /// The address.
        address: SocketAddr,
    },
    /// The token of the data folder cannot be read or made.
    #[error("cannot make the token of the data folder")]
    Token(#[source] std::io::Error),
    /// The certificate of the listener is not good.
    #[error("cannot serve under the certificate of `tls`")]
    Certificate(#[from] BadPair),
    /// The system refuses threads or signals.
    #[error("cannot start {what}")]
    System {
        /// What could not be started.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No HTTP client can be made.
    #[error("cannot prepare the HTTP client of the channels (are the system's CA certificates installed?)")]
    Transport(#[source] reqwest::Error),
    /// The store cannot be read.
    #[error("cannot read what was stored before")]
    Store(#[from] crate::store::Error),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] crate::store::sqlite::OpenError),
    /// A look at the files failed inside.
    #[error("cannot load the project folder: {0}")]
    Load(String),
    /// A task that the daemon cannot do without has failed while it ran.
    #[error(transparent)]
    Failed(#[from] Fatal),
}

impl Error {
    /// The problems of the config, where it is these: to be shown with their source lines.
    pub fn diagnostics(&self) -> Option<&[Diagnostic]> {
        match self {
            Error::Config(project::Error::Config(problems)) => Some(problems),
            _ => None,
        }
    }
}

impl Machine for Engine {
    fn step(&mut self, now: Now, input: Input) -> Effects {
        Engine::step(self, now, input)
    }

    fn next_deadline(&self) -> Option<Time> {
        Engine::next_deadline(self)
    }
}

/// The daemon, running.
pub struct App {
    address: SocketAddr,
    tasks: Tasks,
    edge: Group,
    collecting: Group,
    control: Group,
    judging: Group,
    delivering: Group,
    storing: Group,
    engine: Handle<Engine>,
    writer: Writer,
    deliveries: Arc<Deliveries>,
    store: Arc<dyn Reader>,
    problems: Arc<Problems>,
    figures: Arc<Figures>,
    reload: mpsc::Sender<Asked>,
}

impl App {
    /// Starts the daemon with a store in memory.
    ///
    /// # Errors
    /// As [`App::start_with`].
    pub async fn start(options: Options) -> Result<App, Error> {
        let config = read_config(&options.layout())?;
        App::start_with(options, config, Box::new(Memory::default())).await
    }

    /// Starts the daemon: when this returns, it listens and the files that were there are in force.
    ///
    /// # Errors
    /// Where the address cannot be had, or the system refuses a thread. Broken rule and channel files are no errors.
    pub async fn start_with(options: Options, config: Config, store: Box<dyn Store>) -> Result<App, Error> {
        let layout = Arc::new(options.layout());
        let address = options.listen.unwrap_or(config.listen);
        let is_public = !address.ip().is_loopback();
        if is_public && config.tokens.is_empty() {
            return Err(Error::NoTokens { address });
        }
        let pair = config.tls.as_ref().map(|tls| access::Pair::start(layout.root(), tls)).transpose()?.map(Arc::new);
        let listener = Listener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
        let listener = listener.with_certificate(pair.as_ref().map(|pair| pair.certificate()));
        let address = listener.local_addr().map_err(|source| Error::Listen { address, source })?;

        let tasks = Tasks::default();
        let [edge, collecting, control, judging, delivering, storing] = [(); 6].map(|()| tasks.group());
        let (figures, problems) = (Arc::<Figures>::default(), Arc::<Problems>::default());
        let (loaded, alerting, changed) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default(), Arc::new(Notify::new()));
        let reader = store.reader();
        let texts = reader.texts()?;
        let (seed, clock) = (resume::seed(&*reader), resume::clock(&*reader)?);
        let (mut machine, missed) = resume::engine(&*reader, engine_settings(&config, seed), &clock)?;
        machine.use_threads(std::thread::available_parallelism().map_or(1, usize::from), together);

        let own = match reader.is_durable() {
            true => Some(access::own_token(&layout.root().join(&config.data_dir)).map_err(Error::Token)?),
            // Without a data folder there is no place for it.
            false => None,
        };
        let access = Arc::new(server::Access::new(config.tokens.clone(), own, is_public));
        let followers = Arc::<Followers>::default();
        let (engine, inbox) = engine_thread::queue::<Engine>();
        let (writer, writes) = committer::queue();
        // Collectors begin at once, while the rules are compiled.
        let to_engine = Arc::new(ToEngine(engine.clone()));
        let collectors = Arc::new(Collectors::new(collecting.clone(), to_engine, clock.clone()));
        collectors.set_paused(pause::paused_sources(&machine));
        collectors.reconcile(&config.collectors, layout.config_name());

        let transport = Transport::new(Arc::new(Stdout::new())).map_err(Error::Transport)?;
        let policy = crate::outbox::Policy {
            retry_for: config.retry.give_up_after,
            base: config.retry.base,
            cap: config.retry.cap,
        };
        let outbox_clock = Arc::new(clock.clone());
        let context = move |reports| crate::outbox::Context { transport, clock: outbox_clock, policy, seed, reports };
        let context = (!options.dry_run).then_some(context);
        let (deliveries, reports) =
            Deliveries::new(engine.clone(), writer.clone(), clock.clone(), reader.clone(), context);
        deliveries.resume()?;

        let happenings = Arc::new(happenings::Happenings::default());
        let after = {
            let (deliveries, mut log) = (deliveries.clone(), EffectsLog::default());
            let happenings = happenings.clone();
            move |effects: &Arc<Effects>| {
                log.log(effects);
                deliveries.take(effects);
                happenings.step(effects);
            }
        };
        let thread = |what| move |source| Error::System { what, source };
        let committing = figures.clone();
        storing
            .thread("committer", COMMITTER_STACK, move || {
                committer::run(store, writes, &committing, after);
                Ok(())
            })
            .map_err(thread("the committer's thread"))?;
        judging
            .thread("engine", ENGINE_STACK, {
                let (clock, writer, figures) = (clock.clone(), writer.clone(), figures.clone());
                let followers = followers.clone();
                move || {
                    engine_thread::run(machine, inbox, &clock, &writer, &figures, &followers);
                    Ok(())
                }
            })
            .map_err(thread("the engine's thread"))?;
        delivering.start_once("delivery reports", Policy::StopDaemon, {
            let (deliveries, mut reports) = (deliveries.clone(), Some(reports));
            move |_stop| {
                let (deliveries, reports) = (deliveries.clone(), reports.take());
                async move {
                    if let Some(reports) = reports {
                        deliveries.note_reports(reports).await;
                    }
                    Ok(())
                }
            }
        });

        let api_layout = layout.clone();
        let metric_names = Arc::new(Mutex::new(config.metric_names.clone()));
        let reload = Arc::new(Reload {
            project: Arc::new(Mutex::new(Project::new(layout.clone(), problems.clone(), config.clone(), texts))),
            layout,
            problems: problems.clone(),
            engine: engine.clone(),
            clock: clock.clone(),
            writer: writer.clone(),
            collectors: collectors.clone(),
            deliveries: deliveries.clone(),
            delivery_group: delivering.clone(),
            grace: DRAIN_ATTEMPTS,
            store: reader.clone(),
            memory: config.history.memory,
            memory_limit: config.history.memory_limit,
            reach: Mutex::default(),
            figures: figures.clone(),
            loaded: loaded.clone(),
            alerting: alerting.clone(),
            metric_names: metric_names.clone(),
            happenings: happenings.clone(),
            changed: changed.clone(),
            access: access.clone(),
            pair,
        });
        let again_at = reload.look(false).await.map_err(|error| Error::Load(error_chain(error.as_ref())))?;
        // After the routes, which say who is told of what could not be delivered.
        for input in missed {
            // It has just begun, and stops only when it is told to.
            engine.tell(input).ok();
        }
        let (asked, requests) = mpsc::channel(16);
        control.start("reload", Policy::Restart, {
            let requests = Arc::new(tokio::sync::Mutex::new(requests));
            move |stop| {
                let (reload, requests) = (reload.clone(), requests.clone());
                async move { reload.run(again_at, &mut *requests.lock().await, stop).await }
            }
        });

        let api = Arc::new(api::Api {
            engine: engine.clone(),
            clock: clock.clone(),
            address,
            layout: api_layout,
            store: reader.clone(),
            writer: writer.clone(),
            figures: figures.clone(),
            problems: problems.clone(),
            collectors,
            deliveries: deliveries.clone(),
            followers,
            happenings: happenings.clone(),
            trying: tokio::sync::Semaphore::new(1),
            serving: edge.token().clone(),
            loaded,
            alerting,
            metric_names,
        });
        control.start("housekeeping", Policy::Restart, {
            let house = housekeeping::House {
                store: reader.clone(),
                writer: writer.clone(),
                clock: clock.clone(),
                figures: figures.clone(),
                retention: config.alerts.retention.0,
                history: config.history,
            };
            move |stop| {
                let house = house.clone();
                async move { house.keep(&stop).await }
            }
        });
        control.start("own state", Policy::Restart, {
            let (engine, clock, figures, problems, deliveries) =
                (engine.clone(), clock.clone(), figures.clone(), problems.clone(), deliveries.clone());
            move |_stop| {
                let watched = Watched {
                    engine: engine.clone(),
                    clock: clock.clone(),
                    figures: figures.clone(),
                    problems: problems.clone(),
                    deliveries: deliveries.clone(),
                };
                let changed = changed.clone();
                async move { watched.run(&changed, &_stop).await }
            }
        });
        let router = server::router(server_settings(&config, address, access), api.clone(), api.clone(), api);
        edge.start("server", Policy::StopDaemon, {
            let mut parts = Some((listener, router));
            move |stop| {
                let parts = parts.take();
                async move {
                    let Some((listener, router)) = parts else { return Ok(()) };
                    Ok(server::serve(listener, router, stop, DRAIN_REQUESTS).await?)
                }
            }
        });
        Ok(App {
            address,
            tasks,
            edge,
            collecting,
            control,
            judging,
            delivering,
            storing,
            engine,
            writer,
            deliveries,
            store: reader,
            problems,
            figures,
            reload: asked,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The way to the engine.
    pub fn engine(&self) -> &Handle<Engine> {
        &self.engine
    }

    /// What is stored.
    pub fn store(&self) -> &Arc<dyn Reader> {
        &self.store
    }

    /// What is wrong with the files now.
    pub fn problems(&self) -> Vec<Diagnostic> {
        self.problems.all()
    }

    /// What is counted.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The tasks that run.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Looks at the files now, secrets in the environment and other files included, and waits until it is in force.
    pub async fn reload(&self) {
        let (asked, answer) = tokio::sync::oneshot::channel();
        // Without the task the daemon is about to end.
        if self.reload.send(asked).await.is_ok() {
            answer.await.ok();
        }
    }

    /// Waits until a task fails that the daemon cannot do without.
    pub async fn failed(&self) -> Fatal {
        self.tasks.failed().await
    }

    /// Stops within this time: first what takes in, then what decides, then what sends, then what stores. Says whether
    /// all of it ended; what did not is left behind.
    pub async fn stop(self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        // The last steps are short, and must not want for time because of the first.
        let taking_in = Instant::now() + within / 3;
        let deciding = Instant::now() + within / 2;
        let sending = deadline - within / 10;
        let mut clean = true;
        let mut note = |step: &'static str, ended: bool| {
            tracing::debug!(step, ended, "stopping");
            if !ended {
                tracing::warn!(step, "did not end in time");
            }
            clean &= ended;
        };
        let (server, control) = tokio::join!(self.edge.stop(taking_in), self.control.stop(taking_in));
        note("server", server);
        note("reload", control);
        note("collectors", self.collecting.stop(taking_in).await);
        self.engine.stop();
        note("engine", self.judging.drained(deciding).await);
        // What the engine decided last must have come to the outbox before that is waited for.
        // A disk that hangs must not hold up the stop.
        drop(tokio::time::timeout_at(deciding, self.writer.flushed()).await);
        self.deliveries.drained(sending.min(Instant::now() + DRAIN_ATTEMPTS)).await;
        self.deliveries.close_reports();
        note("deliveries", self.delivering.stop(sending).await);
        self.writer.stop();
        note("store", self.storing.drained(deadline).await);
        clean
    }
}

/// What the snapshots of kind `larum` are made of.
struct Watched {
    engine: Handle<Engine>,
    clock: Clock,
    figures: Arc<Figures>,
    problems: Arc<Problems>,
    deliveries: Arc<Deliveries>,
}

impl Watched {
    /// Makes them, from time to time and whenever the problems change.
    async fn run(&self, changed: &Notify, stop: &tokio_util::sync::CancellationToken) -> anyhow::Result<()> {
        loop {
            let state = self.state().await?;
            self.engine.step(Input::Batch(state.batch(self.clock.now()).into())).await?;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = changed.notified() => {}
                () = tokio::time::sleep(own_state::EVERY) => {}
            }
        }
    }

    async fn state(&self) -> Result<OwnState, Stopped> {
        let (rules, quarantined, subjects) = self
            .engine
            .ask(|engine, now| {
                let out = engine.rule_views().filter(|view| view.quarantine.until().is_some_and(|t| t > now.time));
                (engine.rules().rules.len(), out.count(), engine.world().len())
            })
            .await?;
        let broken = |part| self.problems.broken_files(part) as f64;
        let totals = self.deliveries.totals();
        let figures = vec![
            ("rules", rules as f64),
            ("rules_quarantined", quarantined as f64),
            ("subjects", subjects as f64),
            ("rule_files_broken", broken(Part::Rules)),
            ("channel_files_broken", broken(Part::Channels)),
            ("config_broken", broken(Part::Config)),
            ("channels_failing", totals.failing as f64),
            ("outbox_waiting", totals.waiting as f64),
            ("outbox_dead", totals.dead as f64),
            ("evaluation_seconds", self.figures.take_longest_step().as_secs_f64()),
            ("samples_refused_total", self.figures.samples_refused.get() as f64),
            ("records_unsaved", self.figures.unsaved.get() as f64),
            ("uptime_seconds", self.clock.uptime().as_secs_f64()),
        ];
        Ok(OwnState { figures, files: self.problems.files() })
    }
}

fn engine_settings(config: &Config, seed: u64) -> Settings {
    Settings {
        seed,
        forget_after: config.forget_after,
        forget_firing_after: config.forget_firing_after,
        retention: config.alerts.retention.0,
        zone: config.time_zone.clone(),
        limits: config.world_limits(),
        remembers: true,
    }
}

fn server_settings(config: &Config, address: SocketAddr, access: Arc<server::Access>) -> server::Settings {
    let own = address.ip().to_string();
    let hosts = config.allowed_hosts.iter().map(String::as_str).chain([own.as_str()]);
    server::Settings {
        allowed_hosts: AllowedHosts::with(hosts),
        max_body: config.max_push_body(),
        limits: config.wire_limits(),
        time_zone: config.time_zone.clone(),
        access,
        ..server::Settings::default()
    }
}
