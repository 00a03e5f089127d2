//! The daemon as a process: runtime, log, signals.

use std::path::Path;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

use super::logging::{self, Format};
use super::signals::{Asked, Signals, tell_reloading, tell_service_manager};
use super::{App, Error, Options, project};
use crate::config::LogFormat;
use crate::store::sqlite::{OpenError, Sqlite};
use crate::store::{Memory, Store};

/// Within so much time the daemon ends after a signal.
const STOP_WITHIN: Duration = Duration::from_millis(4500);
/// How long another daemon may take to let go of the data.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_LOOK: Duration = Duration::from_millis(50);
/// Two, so that one large push does not hold up everything else.
const WORKERS: usize = 2;
/// Compiling rules recurses within their limits; a stack costs only what is used of it.
const STACK: usize = 8 << 20;

/// Runs the daemon until SIGTERM, Ctrl-C, or a failure that it cannot live with.
///
/// # Errors
/// Where it cannot start, or had to stop.
pub fn run(options: Options) -> Result<(), Error> {
    let config = project::read_config(&options.layout())?;
    let format = match config.log.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    logging::start(config.log.level.as_str(), format);
    crate::channels::http::install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(16)
        .thread_stack_size(STACK)
        .thread_name("larum")
        .enable_all()
        .build()
        .map_err(|source| Error::System { what: "the threads", source })?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|source| Error::System { what: "hearing signals", source })?;
        let dry_run = options.dry_run;
        // A dry run changes nothing that the daemon would find.
        let store: Box<dyn Store> = match dry_run {
            true => Box::new(Memory::default()),
            false => Box::new(open(&options.dir.join(&config.data_dir)).await?),
        };
        let app = App::start_with(options, config, store).await?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "listening address={}", app.address());
        if dry_run {
            tracing::info!("dry run: nothing is sent, it is printed instead");
        }
        tell_service_manager(&[NotifyState::Ready]);
        let failure = until_stop(&app, &mut signals).await;
        tell_service_manager(&[NotifyState::Stopping]);
        app.stop(STOP_WITHIN).await;
        failure.map_or(Ok(()), |fatal| Err(fatal.into()))
    });
    // What did not end by now, such as a look at a file system that does not answer, ends with the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

/// Opens the database. A daemon that was killed a moment ago holds its lock until the system has taken it apart.
async fn open(data_dir: &Path) -> Result<Sqlite, OpenError> {
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        match Sqlite::open(data_dir) {
            Err(OpenError::Locked { .. }) if Instant::now() < give_up => tokio::time::sleep(LOCK_LOOK).await,
            opened => return opened,
        }
    }
}

/// Waits for a reason to stop. Gives the failure, where it is one.
async fn until_stop(app: &App, signals: &mut Signals) -> Option<super::Fatal> {
    loop {
        tokio::select! {
            fatal = app.failed() => return Some(fatal),
            asked = signals.next() => match asked {
                Asked::Stop => {
                    tracing::info!("stop asked for");
                    return None;
                }
                Asked::Reload => {
                    tracing::info!("reload asked for");
                    tell_reloading();
                    app.reload().await;
                    tell_service_manager(&[NotifyState::Ready]);
                }
            },
        }
    }
}
