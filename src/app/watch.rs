//! Hears that something in the project folder may have changed.
//!
//! It watches directories, never files, because editors and deployments replace files and whole directories. Every
//! event means no more than "look again": what has changed is found by reading ([`super::folder`]). A slow poll finds
//! what no event told: network file systems, lost watches, a used-up limit of watches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::error_chain;
use super::folder::{Layout, Signature, is_temporary};
use super::tasks;

/// How long nothing must happen after an event: a save is several events within a few milliseconds.
const QUIET: Duration = Duration::from_millis(100);
/// How long to wait at most: a folder that is written to without end is read all the same.
const LONGEST: Duration = Duration::from_secs(2);
/// How often the folder is looked at without any event.
const POLL: Duration = Duration::from_secs(15);

/// Turns bursts of events into one moment to look. Pure: time is an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Debounce {
    /// The first and the newest event since the last look.
    burst: Option<(Instant, Instant)>,
}

impl Debounce {
    /// An event came.
    fn touch(&mut self, now: Instant) {
        let first = self.burst.map_or(now, |(first, _)| first);
        self.burst = Some((first, now));
    }

    /// When to look; `None` while nothing happened.
    fn due(&self) -> Option<Instant> {
        self.burst.map(|(first, last)| (last + QUIET).min(first + LONGEST))
    }

    /// Whether it is time to look; then the next event begins a new burst.
    fn take(&mut self, now: Instant) -> bool {
        let due = self.due().is_some_and(|due| due <= now);
        if due {
            self.burst = None;
        }
        due
    }
}

/// A directory as the system knows it: another one under the same path is a different one.
type Identity = (u64, u64);

/// The watches on a project folder.
pub(super) struct Watch {
    layout: Arc<Layout>,
    heard: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    /// What is watched now: the directories that were there, and which they were.
    watched: BTreeMap<PathBuf, Identity>,
    /// Why not everything is watched, so that it is logged once.
    problem: Option<String>,
    debounce: Debounce,
    next_poll: Instant,
    signature: Signature,
}

impl Watch {
    /// Begins to watch. What cannot be watched is polled.
    pub(super) fn new(layout: Arc<Layout>) -> Watch {
        let mut watch = Watch {
            layout,
            heard: Arc::new(Notify::new()),
            watcher: None,
            watched: BTreeMap::new(),
            problem: None,
            debounce: Debounce::default(),
            next_poll: Instant::now() + POLL,
            signature: Signature::default(),
        };
        watch.rearm();
        watch
    }

    /// Waits until it is time to look again.
    ///
    /// May be dropped at any point and called again.
    pub(super) async fn changed(&mut self) {
        loop {
            let due = self.debounce.due();
            let wake = due.map_or(self.next_poll, |due| due.min(self.next_poll));
            tokio::select! {
                () = self.heard.notified() => self.debounce.touch(Instant::now()),
                () = tokio::time::sleep_until(wake) => {
                    let now = Instant::now();
                    if self.debounce.take(now) {
                        return;
                    }
                    if self.next_poll <= now {
                        self.next_poll = now + POLL;
                        if self.poll().await {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Looks at names, sizes and times, and at whether the watched directories are still the same ones.
    async fn poll(&mut self) -> bool {
        let layout = self.layout.clone();
        let Ok(signature) = tasks::blocking(move || layout.signature()).await else { return true };
        let changed = signature != self.signature;
        self.signature = signature;
        changed || self.wanted() != self.watched
    }

    /// Watches what is there now. To be called before each look, so that nothing falls between look and watch.
    pub(super) fn rearm(&mut self) {
        let wanted = self.wanted();
        if wanted == self.watched {
            return;
        }
        // Anew, not by adding and removing: a directory that was renamed keeps its old watches under its new name.
        self.watcher = None;
        self.watched.clear();
        let problem = match self.arm(wanted) {
            Ok(()) => None,
            Err(error) => Some(error_chain(&error)),
        };
        if problem != self.problem {
            match &problem {
                Some(error) => tracing::warn!(error, poll = ?POLL, "cannot watch the project folder, polling it"),
                None => tracing::info!("watching the project folder"),
            }
            self.problem = problem;
        }
    }

    fn arm(&mut self, wanted: BTreeMap<PathBuf, Identity>) -> notify::Result<()> {
        let (layout, heard) = (self.layout.clone(), self.heard.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error of the watcher may stand for events that were lost.
            if event.map_or(true, |event| matters(&event, &layout)) {
                heard.notify_one();
            }
        })?;
        for (path, identity) in wanted {
            let mode = match self.layout.is_whole(&path) {
                true => RecursiveMode::Recursive,
                false => RecursiveMode::NonRecursive,
            };
            watcher.watch(&path, mode)?;
            self.watched.insert(path, identity);
        }
        self.watcher = Some(watcher);
        Ok(())
    }

    /// The directories that are there and should be watched.
    fn wanted(&self) -> BTreeMap<PathBuf, Identity> {
        self.layout.directories().into_iter().filter_map(|path| Some((path.clone(), identity(&path)?))).collect()
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    path.is_dir().then_some((0, 0))
}

/// Whether an event may mean that a file of ours changed.
fn matters(event: &Event, layout: &Layout) -> bool {
    if event.need_rescan() || event.paths.is_empty() {
        return true;
    }
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        // Reading the files is seen as `Access` too: a look must not cause the next one.
        EventKind::Access(_) => return false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => {}
    }
    event.paths.iter().any(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        // `..data` is what a mounted ConfigMap swaps; it is skipped when reading, and is news all the same.
        (name.starts_with("..") || !is_temporary(&name)) && layout.concerns(path)
    })
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, ModifyKind, RenameMode};

    use super::*;

    #[test]
    fn a_burst_is_looked_at_once_after_it_is_quiet() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut debounce = Debounce::default();
        assert_eq!(debounce.due(), None);
        assert!(!debounce.take(at(1000)));
        for millis in [0, 30, 60] {
            debounce.touch(at(millis));
            assert!(!debounce.take(at(millis + 29)));
        }
        assert_eq!(debounce.due(), Some(at(160)));
        assert!(debounce.take(at(160)));
        assert!(!debounce.take(at(500)), "one look for one burst");
    }

    #[test]
    fn a_folder_that_never_rests_is_looked_at_every_two_seconds() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        let mut looks = Vec::new();
        for millis in (0..10_000).step_by(50) {
            let now = start + Duration::from_millis(millis);
            if debounce.take(now) {
                looks.push(millis);
            }
            debounce.touch(now);
        }
        assert_eq!(looks, [2000, 4000, 6000, 8000]);
    }

    #[test]
    fn events_matter_where_they_may_have_changed_a_file_of_ours() {
        let layout = Layout::new("/p".into(), None);
        let write = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let create = EventKind::Create(CreateKind::Any);
        let rename = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let cases = [
            (write, "/p/rules/a.rhai", true),
            (open, "/p/rules/a.rhai", false),
            (read, "/p/rules/a.rhai", false),
            (data, "/p/rules/a.rhai", true),
            (rename, "/p/rules/..data", true),
            (create, "/p/rules/deep/er/b.rhai", true),
            (create, "/p/rules/4913", false),
            (data, "/p/rules/.a.rhai.swp", false),
            (data, "/p/rules/a.rhai~", false),
            (write, "/p/channels/ops.yaml", true),
            (write, "/p/larum.yaml", true),
            (create, "/p/rules", true),
            (create, "/p/data", false),
            (write, "/p/notes.txt", false),
        ];
        for (kind, path, expected) in cases {
            let event = Event::new(kind).add_path(path.into());
            assert_eq!(matters(&event, &layout), expected, "{kind:?} {path}");
        }
        assert!(matters(&Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan), &layout));
    }

    /// Fails where the watch does not hear of the change long before it would poll.
    async fn hears(watch: &mut Watch, change: impl FnOnce()) {
        watch.rearm();
        change();
        tokio::time::timeout(POLL / 3, watch.changed()).await.expect("a change is heard");
    }

    #[tokio::test]
    async fn saves_and_swaps_of_files_and_folders_are_heard() {
        use std::fs;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("rules")).unwrap();
        let mut watch = Watch::new(Arc::new(Layout::new(root.to_path_buf(), None)));

        let file = root.join("rules/a.rhai");
        hears(&mut watch, || fs::write(&file, "1").unwrap()).await;
        hears(&mut watch, || {
            fs::write(root.join("rules/4913"), "").unwrap();
            fs::rename(&file, root.join("rules/a.rhai~")).unwrap();
            fs::write(&file, "2").unwrap();
        })
        .await;
        hears(&mut watch, || {
            fs::create_dir(root.join("new")).unwrap();
            fs::write(root.join("new/a.rhai"), "3").unwrap();
            fs::rename(root.join("rules"), root.join("old")).unwrap();
            fs::rename(root.join("new"), root.join("rules")).unwrap();
        })
        .await;
        hears(&mut watch, || fs::write(&file, "4").unwrap()).await;
        hears(&mut watch, || fs::write(root.join("larum.yaml"), "params: {}").unwrap()).await;
        hears(&mut watch, || fs::create_dir(root.join("channels")).unwrap()).await;
        hears(&mut watch, || fs::write(root.join("channels/ops.yaml"), "type: console").unwrap()).await;
        hears(&mut watch, || fs::remove_dir_all(root.join("rules")).unwrap()).await;
        hears(&mut watch, || fs::create_dir(root.join("rules")).unwrap()).await;
        hears(&mut watch, || fs::write(&file, "5").unwrap()).await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_symlink_that_points_elsewhere_is_heard_and_followed() {
        use std::fs;
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("project");
        for release in ["one", "two"] {
            fs::create_dir_all(dir.path().join(release)).unwrap();
        }
        fs::create_dir(&root).unwrap();
        symlink(dir.path().join("one"), root.join("rules")).unwrap();
        let mut watch = Watch::new(Arc::new(Layout::new(root.clone(), None)));
        hears(&mut watch, || {
            symlink(dir.path().join("two"), root.join("rules.tmp")).unwrap();
            fs::rename(root.join("rules.tmp"), root.join("rules")).unwrap();
        })
        .await;
        hears(&mut watch, || fs::write(dir.path().join("two/a.rhai"), "1").unwrap()).await;
    }
}
