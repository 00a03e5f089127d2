//! Collectors: what makes snapshots on a schedule.
//!
//! A collector looks at the world once per pass and says what it saw; [`run()`] decides when, cuts off a pass that hangs,
//! and adds the collector's own subject (kind `collector`). Nothing here judges or stores. To add a kind: one file with
//! its settings and its `Collector`, and one line in [`Settings`].

mod blocking;
mod host;
mod http;
mod observation;
mod own;
mod pattern;
mod process;
mod run;
mod schedule;
mod service;
mod tcp;

pub use host::HostSettings;
pub use http::{Expectations, HttpSettings, JsonExpectation, StatusRange};
pub use own::OwnProcess;
pub use pattern::Pattern;
pub(crate) use process::KIND as PROCESS_KIND;
pub use process::{Meant, ProcessSettings};
pub use run::{Clock, Sink, run};
pub use schedule::Schedule;
pub use tcp::TcpSettings;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::model::{Now, Snapshot};

/// The kind of the subjects that tell how collectors fare.
pub const COLLECTOR_KIND: &str = "collector";

/// What one pass of a collector saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pass {
    /// What was seen, each with the time of the pass.
    pub snapshots: Vec<Snapshot>,
    /// Kinds of which `snapshots` names everything that exists: what is not named is gone.
    pub complete: Vec<Arc<str>>,
    /// What a pass that succeeded as a whole could not see, for people: "statvfs of `/mnt/nfs` does not answer".
    pub problem: Option<String>,
}

/// Makes snapshots.
pub trait Collector: Send {
    /// The name under which its snapshots and its own subject are known: `host`, `http:shop-api`.
    fn name(&self) -> &Arc<str>;

    /// Whether it looks at this machine only: then its first pass need not be spread over time.
    fn is_local(&self) -> bool;

    /// Looks once. `now` is the time that its snapshots carry.
    ///
    /// The future may be dropped at any point (a pass that hangs is cut off); the next pass must then still work.
    ///
    /// # Errors
    /// Where nothing could be seen. That says nothing about the subjects: they get no snapshot and none is gone.
    fn collect(&mut self, now: Now) -> BoxFuture<'_, Result<Pass, Error>>;
}

/// Why a collector could not be made, or a pass saw nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client of an HTTP probe could not be built.
    #[error("failed to prepare the HTTP client of collector `{collector}`")]
    Client {
        /// The collector's name.
        collector: Arc<str>,
        /// What the client says.
        #[source]
        source: reqwest::Error,
    },
    /// A setting is not usable.
    #[error("collector `{collector}`: {problem}")]
    Setting {
        /// The collector's name.
        collector: Arc<str>,
        /// Which setting, and why.
        problem: String,
    },
    /// A file of the operating system could not be read.
    #[error("failed to read `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of the operating system does not look as expected.
    #[error("`{path}` does not look as expected")]
    Format {
        /// The file.
        path: String,
    },
    /// An earlier pass was cut off, and its thread still waits for the operating system.
    #[error("the pass before still waits for the operating system")]
    StillRunning,
    /// The thread that did the work ended without a result.
    #[error("the thread of the pass ended without a result")]
    Lost,
}

/// The collectors that can be configured: the list of kinds.
#[derive(Clone, Debug)]
pub enum Settings {
    /// This host: kinds `host`, `disk`, `network`.
    Host(HostSettings),
    /// A service behind a URL: kind `service` unless said otherwise.
    Http(Box<HttpSettings>),
    /// Processes of this machine: kind `process` unless said otherwise.
    Process(ProcessSettings),
    /// A service behind a port: kind `service` unless said otherwise.
    Tcp(TcpSettings),
}

impl Settings {
    /// Makes the collector.
    ///
    /// # Errors
    /// Where a setting is not usable (a URL, a header, a certificate).
    pub fn build(&self) -> Result<Box<dyn Collector>, Error> {
        match self {
            Settings::Host(settings) => Ok(Box::new(host::Host::new(settings))),
            Settings::Http(settings) => Ok(Box::new(http::Http::new(settings)?)),
            Settings::Process(settings) => Ok(Box::new(process::Process::new(settings))),
            Settings::Tcp(settings) => Ok(Box::new(tcp::Tcp::new(settings))),
        }
    }

    /// The kinds that this collector keeps to itself: a push may not write them.
    pub fn reserved_kinds(&self) -> &'static [&'static str] {
        match self {
            Settings::Host(_) => &host::KINDS,
            // A probe's kind is a word of the operator's, and services are pushed too.
            Settings::Http(_) | Settings::Process(_) | Settings::Tcp(_) => &[],
        }
    }
}
