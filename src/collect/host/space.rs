//! Asking file systems how full they are, although some never answer.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Space;
use super::mounts::Mount;

/// A file system of another machine has this long to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks file systems, each that may hang on a thread of its own.
///
/// A thread that hangs in statvfs cannot be stopped. It is remembered, and its mount is not asked again until it
/// returned: a dead server costs one thread, not one per pass.
#[derive(Default)]
pub(super) struct Prober {
    waiting: Arc<Mutex<BTreeSet<String>>>,
}

impl Prober {
    /// The room on each mount, in their order; `None` where it did not answer in time or refused.
    pub(super) fn spaces(&self, mounts: &[Mount]) -> Vec<Option<Space>> {
        self.spaces_with(mounts, PATIENCE, statvfs)
    }

    fn spaces_with(
        &self,
        mounts: &[Mount],
        patience: Duration,
        ask: impl Fn(&str) -> Option<Space> + Clone + Send + 'static,
    ) -> Vec<Option<Space>> {
        enum Answer {
            Known(Option<Space>),
            Awaited(Receiver<Option<Space>>),
        }
        let answers: Vec<Answer> = mounts
            .iter()
            .map(|mount| match mount.may_hang() {
                false => Answer::Known(ask(&mount.mount_point)),
                true => self.start(&mount.mount_point, ask.clone()).map_or(Answer::Known(None), Answer::Awaited),
            })
            .collect();
        let deadline = Instant::now() + patience;
        answers
            .into_iter()
            .map(|answer| match answer {
                Answer::Known(space) => space,
                Answer::Awaited(receiver) => {
                    receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok().flatten()
                }
            })
            .collect()
    }

    /// Asks on a thread of its own. `None` where the thread before still waits, or none can be had.
    fn start(
        &self,
        mount_point: &str,
        ask: impl Fn(&str) -> Option<Space> + Send + 'static,
    ) -> Option<Receiver<Option<Space>>> {
        let waiting = Arc::clone(&self.waiting);
        if !waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(mount_point.to_string()) {
            return None;
        }
        let (sender, receiver) = channel();
        let place = mount_point.to_string();
        let thread = std::thread::Builder::new().name("larum-statvfs".into()).stack_size(64 << 10).spawn(move || {
            let space = ask(&place);
            waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
            // Nobody waits any more where it came too late.
            sender.send(space).ok();
        });
        if thread.is_err() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(mount_point);
            return None;
        }
        Some(receiver)
    }
}

fn statvfs(mount_point: &str) -> Option<Space> {
    let stat = rustix::fs::statvfs(mount_point).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Space {
        total: bytes(stat.f_blocks),
        free: bytes(stat.f_bavail),
        used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
        inodes: (stat.f_files > 0).then_some((stat.f_files, stat.f_ffree)),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn mount(place: &str, source: &str) -> Mount {
        Mount {
            device_id: place.into(),
            root: "/".into(),
            mount_point: place.into(),
            fstype: "nfs4".into(),
            source: source.into(),
        }
    }

    #[test]
    fn a_mount_that_hangs_holds_up_no_other_and_is_asked_again_only_after_it_returned() {
        let room = Space { total: 3, free: 2, used: 1, inodes: None };
        let (release, hold) = sync_channel::<()>(0);
        let hold = Arc::new(Mutex::new(hold));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let ask = move |place: &str| {
            log.lock().unwrap().push(place.to_string());
            if place == "/dead" {
                hold.lock().unwrap().recv().ok();
            }
            Some(room)
        };
        let mounts = [mount("/dead", "a:/x"), mount("/", "/dev/vda"), mount("/well", "b:/y")];
        let prober = Prober::default();
        let short = Duration::from_millis(300);
        assert_eq!(prober.spaces_with(&mounts, short, ask.clone()), [None, Some(room), Some(room)]);
        assert_eq!(prober.spaces_with(&mounts, short, ask.clone()), [None, Some(room), Some(room)]);
        assert_eq!(asked.lock().unwrap().iter().filter(|place| *place == "/dead").count(), 1);
        drop(release);
        let deadline = Instant::now() + Duration::from_secs(10);
        while prober.spaces_with(&mounts, short, ask.clone())[0].is_none() {
            assert!(Instant::now() < deadline, "the mount that returned is not asked again");
        }
    }

    #[test]
    fn the_root_of_this_machine_has_room() {
        let space = statvfs("/").unwrap();
        assert!(space.total > 0 && space.used + space.free <= space.total);
        assert_eq!(statvfs("/no/such/place"), None);
    }
}
