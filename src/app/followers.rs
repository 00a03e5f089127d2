//! Those who follow the snapshots that the daemon takes.
//!
//! The engine's thread hands each batch out after it was judged, and waits for nobody: a follower that is too slow misses
//! some, and is told how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, BoxStream};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::history::{Batch, BatchReport};
use crate::model::Now;
use crate::server::{Followed, TooManyFollowers};

/// Batches that a follower may be behind.
const BEHIND: usize = 256;
/// Followers at one moment.
const MAX: usize = 16;

/// Hands out what was taken.
#[derive(Debug)]
pub(super) struct Followers {
    sender: broadcast::Sender<Arc<Taken>>,
    /// Snapshots that were handed out.
    n_handed: AtomicU64,
}

/// A batch that was taken.
#[derive(Debug)]
struct Taken {
    now: Now,
    batch: Arc<Batch>,
    /// Which of its snapshots were refused, in order.
    refused: Vec<usize>,
    /// Snapshots that were handed out before it.
    before: u64,
}

impl Taken {
    /// How many snapshots were taken.
    fn count(&self) -> u64 {
        self.batch.snapshots.len().saturating_sub(self.refused.len()) as u64
    }
}

impl Default for Followers {
    fn default() -> Followers {
        Followers { sender: broadcast::Sender::new(BEHIND), n_handed: AtomicU64::new(0) }
    }
}

impl Followers {
    /// Whether anybody follows: else nothing needs to be kept.
    pub(super) fn is_any(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Hands out a batch that was judged, and says what was refused of it.
    pub(super) fn hand_out(&self, now: Now, batch: Arc<Batch>, report: &BatchReport) {
        let mut refused: Vec<usize> = report.refused.iter().map(|(index, _)| *index).collect();
        refused.sort_unstable();
        let taken = Taken { now, batch, refused, before: 0 };
        let before = self.n_handed.fetch_add(taken.count(), Ordering::Relaxed);
        // The last follower may have gone meanwhile.
        self.sender.send(Arc::new(Taken { before, ..taken })).ok();
    }

    /// What is taken from now on, until `stop`.
    ///
    /// # Errors
    /// Where there are too many already.
    pub(super) fn follow(&self, stop: CancellationToken) -> Result<BoxStream<'static, Followed>, TooManyFollowers> {
        if self.sender.receiver_count() >= MAX {
            return Err(TooManyFollowers { max: MAX });
        }
        // A batch between the two lines is told to be missed, which it is.
        let expected = self.n_handed.load(Ordering::Relaxed);
        let follower = (self.sender.subscribe(), expected, stop);
        Ok(Box::pin(stream::unfold(follower, async |(mut receiver, mut expected, stop)| {
            loop {
                let received = tokio::select! {
                    biased;
                    () = stop.cancelled() => return None,
                    received = receiver.recv() => received,
                };
                match received {
                    Ok(taken) => {
                        let missed = taken.before.saturating_sub(expected);
                        expected = taken.before + taken.count();
                        let (batch, refused) = (taken.batch.clone(), taken.refused.clone());
                        let followed = Followed { now: taken.now, batch, refused, missed };
                        return Some((followed, (receiver, expected, stop)));
                    }
                    // The next one tells how many snapshots that were.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        })))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::StreamExt as _;

    use super::*;
    use crate::history::{Refusal, Source};
    use crate::model::{Labels, Snapshot, SubjectKey, Time};

    fn batch(names: &[&str]) -> Arc<Batch> {
        let snapshot = |name: &&str| Snapshot {
            subject: SubjectKey::new("s", *name),
            time: Time::EPOCH,
            labels: Labels::new(),
            fields: Default::default(),
            gone: false,
        };
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
        Batch { source, snapshots: names.iter().map(snapshot).collect(), complete: Vec::new() }.into()
    }

    fn names(followed: &Followed) -> Vec<&str> {
        followed.batch.snapshots.iter().map(|snapshot| &*snapshot.subject.name).collect()
    }

    #[tokio::test]
    async fn a_follower_gets_what_was_taken_and_is_told_what_it_missed() {
        let followers = Followers::default();
        assert!(!followers.is_any());
        let stop = CancellationToken::new();
        let mut stream = followers.follow(stop.clone()).unwrap();
        let now = Now::at(Time::EPOCH);
        let late = Refusal::Late { newest: Time::EPOCH };
        let report = BatchReport { refused: vec![(1, late)], ..BatchReport::default() };
        followers.hand_out(now, batch(&["a", "b", "c"]), &report);
        let followed = stream.next().await.unwrap();
        assert_eq!((names(&followed), &*followed.refused, followed.missed), (vec!["a", "b", "c"], &[1][..], 0));
        for _ in 0..BEHIND + 10 {
            followers.hand_out(now, batch(&["d", "e"]), &BatchReport::default());
        }
        let followed = stream.next().await.unwrap();
        assert_eq!((names(&followed), followed.missed), (vec!["d", "e"], 20));
        assert_eq!(stream.next().await.unwrap().missed, 0);
        stop.cancel();
        assert!(stream.next().await.is_none(), "it ends with the daemon, whatever it is behind");
    }

    #[tokio::test]
    async fn there_are_not_too_many_followers() {
        let followers = Followers::default();
        let streams: Vec<_> = (0..MAX).map(|_| followers.follow(CancellationToken::new()).unwrap()).collect();
        assert!(followers.follow(CancellationToken::new()).is_err());
        drop(streams);
        assert!(!followers.is_any() && followers.follow(CancellationToken::new()).is_ok());
    }
}
