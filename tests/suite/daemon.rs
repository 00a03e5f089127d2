//! The built binary, running in a project folder of its own.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::Client;
use crate::receiver::{PATIENCE, Receiver};

/// A config without a collector: all that is judged is pushed by the test.
pub(crate) const ONLY_PUSHES: &str = "collectors:\n  - { type: push }\nroutes:\n  - { to: [ops] }\n";

/// A project folder.
pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    /// A folder whose only channel, `ops`, is this receiver.
    pub(crate) fn new(receiver: &Receiver) -> Project {
        let project = Project { dir: tempfile::tempdir().unwrap() };
        project.write("larum.yaml", ONLY_PUSHES);
        project.write("channels/ops.yaml", &receiver.channel());
        fs::create_dir(project.path("rules")).unwrap();
        project
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
        fs::write(path, text).unwrap();
    }
}

/// A rule that fires where the field `v` of a `thing` is above a limit.
pub(crate) fn rule_above(name: &str, limit: u32) -> String {
    format!("rule(\"{name}\", #{{ on: \"thing\", when: |s| s.v > {limit} }});\n")
}

/// A running daemon. Killed where a test ends without stopping it.
pub(crate) struct Daemon {
    child: Child,
    address: SocketAddr,
    log: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Daemon {
    #[track_caller]
    pub(crate) fn start(project: &Project) -> Daemon {
        Daemon::start_with(project, &[])
    }

    /// Starts the daemon on a free port and waits until it listens.
    #[track_caller]
    pub(crate) fn start_with(project: &Project, arguments: &[&str]) -> Daemon {
        Daemon::start_in(project.root(), arguments)
    }

    /// The same in any folder.
    #[track_caller]
    pub(crate) fn start_in(folder: &Path, arguments: &[&str]) -> Daemon {
        let mut daemon = Daemon::spawn(folder, arguments, &[]);
        assert!(daemon.listens(), "it ended at its start:\n{}", daemon.log().join("\n"));
        daemon
    }

    /// Starts the daemon on a free port, with these variables, and does not wait for it.
    pub(crate) fn spawn(folder: &Path, arguments: &[&str], variables: &[(&str, OsString)]) -> Daemon {
        let mut child = Command::new(env!("CARGO_BIN_EXE_larum"))
            .args(["run", "--listen", "127.0.0.1:0", "--dir"])
            .arg(folder)
            .args(arguments)
            .env_clear()
            .env("NO_PROXY", "*")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        let log: Arc<(Mutex<Vec<String>>, Condvar)> = Arc::default();
        keep_lines(child.stderr.take().unwrap(), log.clone());
        keep_lines(child.stdout.take().unwrap(), log.clone());
        Daemon { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), log }
    }

    /// Waits until it listens, or has ended before it did. Says whether it listens.
    #[track_caller]
    pub(crate) fn listens(&mut self) -> bool {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let ended = self.has_ended();
            let line = self.log().iter().find_map(|line| Some(line.split_once("listening address=")?.1.to_string()));
            if let Some(line) = line {
                self.address = line.split_whitespace().next().unwrap().parse().unwrap();
                return true;
            }
            if ended {
                return false;
            }
            assert!(Instant::now() < give_up, "it does not listen:\n{}", self.log().join("\n"));
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Every line of the log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.0.lock().unwrap().clone()
    }

    /// Waits for a line of the log that contains a text.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        let (log, changed) = &*self.log;
        let find = |log: &[String]| log.iter().find(|line| line.contains(text)).cloned();
        let guard = log.lock().unwrap();
        let (guard, _) = changed.wait_timeout_while(guard, PATIENCE, |log| find(log).is_none()).unwrap();
        find(&guard).unwrap_or_else(|| panic!("`{text}` is not in the log:\n{}", guard.join("\n")))
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -{name}");
    }

    /// Kills it as nothing else can.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until the daemon ends by itself.
    #[track_caller]
    pub(crate) fn wait_for_exit(&mut self, within: Duration) -> ExitStatus {
        let give_up = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < give_up, "still runs after {within:?}:\n{}", self.log().join("\n"));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the daemon as a service manager does.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait_for_exit(Duration::from_secs(5));
        assert_eq!(status.code(), Some(0), "{}", self.log().join("\n"));
    }
}

/// What the daemon says on either stream.
fn keep_lines(stream: impl Read + Send + 'static, log: Arc<(Mutex<Vec<String>>, Condvar)>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            log.0.lock().unwrap().push(line);
            log.1.notify_all();
        }
    });
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        self.child.wait().ok();
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < give_up, "never so: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What a command that must end with this code wrote: its data, then its messages.
#[track_caller]
pub(crate) fn said(output: &Output, code: i32) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    format!("{out}{err}")
}
