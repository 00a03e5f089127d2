//! What the store needs from time to time: what came is sealed, and what is old is removed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::committer::{Keep, Writer};
use super::figures::Figures;
use crate::config::History;
use crate::history::LEADS_UP;
use crate::store::{Reader, Sealing, seal};

/// How often it is looked whether there is enough to seal.
const SEAL_EVERY: Duration = Duration::from_secs(60);
/// How often what is old is removed.
const TRIM_EVERY: Duration = Duration::from_secs(600);

/// Who keeps the store in order.
#[derive(Clone)]
pub(super) struct House {
    pub(super) store: Arc<dyn Reader>,
    pub(super) writer: Writer,
    pub(super) clock: Clock,
    pub(super) figures: Arc<Figures>,
    /// For how long alerts that ended are remembered.
    pub(super) retention: Duration,
    pub(super) history: History,
}

impl House {
    pub(super) async fn keep(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut trimmed: Option<Instant> = None;
        loop {
            // On a full disk nothing can be put in order.
            let mut is_due = trimmed.is_none_or(|trimmed| trimmed.elapsed() >= TRIM_EVERY);
            while self.figures.unsaved.get() == 0 && !stop.is_cancelled() && self.seal_some().await? {
                // What was sealed stands there twice.
                is_due = true;
            }
            if is_due {
                trimmed = Some(Instant::now());
                self.trim();
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(SEAL_EVERY) => {}
            }
        }
    }

    fn trim(&self) {
        let now = self.clock.now();
        self.writer.trim(Keep {
            // A wall clock that jumped ahead must not remove what it makes look old.
            ended: now.time.min(now.wall()) - self.retention,
            came: now.time - self.history.disk.max(LEADS_UP),
            bytes: self.history.disk_limit as u64,
        });
    }

    /// Seals the oldest of what waits for it; false where nothing does, or it could not be stored.
    async fn seal_some(&self) -> anyhow::Result<bool> {
        let (store, now) = (self.store.clone(), self.clock.now().time);
        let Some(Sealing { records, damaged }) = tokio::task::spawn_blocking(move || seal(&*store, now)).await?? else {
            return Ok(false);
        };
        if let Some((first, last)) = damaged.first().zip(damaged.last()) {
            let (pieces, first, last) = (damaged.len(), first.extent.arrived.0, last.extent.arrived.1);
            tracing::error!(pieces, "samples that came from {first} to {last} cannot be read: the file was changed");
        }
        for record in records {
            if !self.writer.store(record).await {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
