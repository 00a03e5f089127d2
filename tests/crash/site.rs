//! A project folder on a disk that can fail, and the daemon in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::chance::happens_within;
use crate::daemon::{Daemon, wait_until};
use crate::disk::{Disk, Word};
use crate::http::Client;
use crate::judge::{Figures, RULES};
use crate::receivers::Recorder;

/// How failed deliveries are tried again. Tests should not wait.
const RETRY: &str = "retry: { for: 24h, base: 50ms, cap: 500ms }\n";

pub(crate) struct Site {
    dir: TempDir,
    pub(crate) disk: Disk,
    channels: Vec<(&'static str, Recorder)>,
}

impl Site {
    /// A folder with the rules of the crash tests, which tells these receivers of everything.
    pub(crate) fn new(channels: &[(&'static str, &Recorder)]) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::under(dir.path());
        let channels = channels.iter().map(|(name, recorder)| (*name, (*recorder).clone())).collect();
        let site = Site { dir, disk, channels };
        site.configure("");
        site.write("rules/crash.rhai", RULES);
        site.mark_channels(0);
        site
    }

    /// Writes larum.yaml with these further lines.
    pub(crate) fn configure(&self, more: &str) {
        let names: Vec<&str> = self.channels.iter().map(|(name, _)| *name).collect();
        let routes = format!("routes:\n  - {{ to: [{}] }}\n", names.join(", "));
        self.write("larum.yaml", &format!("collectors:\n  - {{ type: push }}\n{routes}{RETRY}{more}"));
    }

    /// Writes the channels' files anew, with another text: what waits to be tried again is tried at once.
    pub(crate) fn mark_channels(&self, mark: usize) {
        for (name, recorder) in &self.channels {
            self.write(&format!("channels/{name}.yaml"), &recorder.channel(mark));
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // As a whole, so that no half of it is ever read.
        let new = path.with_extension("new~");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// Starts the daemon, on the disk that can fail, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(&self) -> Daemon {
        let mut daemon = self.spawn();
        assert!(daemon.listens(), "it ended at its start:\n{}", daemon.log().join("\n"));
        daemon
    }

    /// The same without waiting.
    pub(crate) fn spawn(&self) -> Daemon {
        Daemon::spawn(self.root(), &[], &self.disk.environment())
    }

    /// Waits until nothing waits to be delivered, and nothing is written.
    pub(crate) fn settle(&self, daemon: &Daemon) {
        let mut client = daemon.client();
        wait_until("nothing waits", || figures(&mut client).iter().all(|(_, figures)| figures.waiting == 0));
        wait_until("nothing is written", || {
            let operations = self.disk.get(Word::Operations);
            !happens_within(Duration::from_millis(30), || self.disk.get(Word::Operations) != operations)
        });
    }
}

/// Waits until a daemon has died of itself.
#[track_caller]
pub(crate) fn wait_for_death(daemon: &mut Daemon) {
    let status = daemon.wait_for_exit(Duration::from_secs(30));
    assert_eq!(status.code(), None, "it is killed, and does not end:\n{}", daemon.log().join("\n"));
}

/// What the daemon says of each channel.
pub(crate) fn figures(client: &mut Client) -> Vec<(String, Figures)> {
    let channels = client.get("/api/v1/channels").json();
    let figures = |channel: &Value| Some((channel["name"].as_str()?.to_string(), Figures::of(channel)));
    channels["channels"].as_array().into_iter().flatten().filter_map(figures).collect()
}
