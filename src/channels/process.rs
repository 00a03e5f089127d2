//! The process transport: runs a command once, in a process group of its own that does not outlive the attempt.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::verdict::Verdict;
use crate::config::Secret;

#[cfg(unix)]
use unix as platform;

/// The variables of the daemon's own environment that a command sees: not its secrets.
const KEPT: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];
/// How long a command may tidy up when it is told to end.
const GRACE: Duration = Duration::from_secs(2);
/// Exit status of a command that wants to be run again: `EX_TEMPFAIL` of sysexits.h.
const TEMPORARY: i32 = 75;
/// A command that hangs, or is killed by somebody else, is run so many times at most.
const MOST_BREAKS: u32 = 3;
/// So much of the end of standard error is kept, in bytes.
const KEPT_ERROR: usize = 8 << 10;
/// So much of its last line is told, in bytes.
const MAX_LINE: usize = 200;

/// A command that is ready to be run once. It holds secrets, so `Debug` shows little.
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The folder that it runs in.
    pub dir: Option<String>,
    /// Variables that the operator gives it.
    pub env: Vec<(String, Secret)>,
    /// Variables that tell of the attempt.
    pub told: Vec<(String, String)>,
    /// What it reads on standard input.
    pub input: Bytes,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("words", &self.words).finish_non_exhaustive()
    }
}

/// Runs a command once.
pub(super) async fn run(command: &Command, timeout: Duration) -> Verdict {
    platform::run(command, timeout).await
}

#[cfg(not(unix))]
mod platform {
    use super::*;

    pub(super) async fn run(_: &Command, _: Duration) -> Verdict {
        Verdict::permanent("commands are run on Unix alone")
    }
}

#[cfg(unix)]
mod unix {
    use std::io::ErrorKind;
    use std::os::unix::process::ExitStatusExt as _;
    use std::path::Path;
    use std::process::{ExitStatus, Stdio};
    use std::sync::{Mutex, PoisonError};

    use rustix::io::Errno;
    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
    use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::process::{Child, ChildStdin};
    use tokio::time::{Instant, sleep, timeout};

    use super::*;
    use crate::channels::cut::cut;
    use crate::config::secret::REDACTED;
    use crate::diagnostic::one_line;

    /// Whether a group has ended is looked at so often.
    const LOOK: Duration = Duration::from_millis(20);
    /// How long the rest of the output is waited for once the group is gone.
    const REST: Duration = Duration::from_millis(200);

    pub(super) async fn run(command: &Command, limit: Duration) -> Verdict {
        let mut child = match spawn(command) {
            Ok(child) => child,
            Err(error) => return cannot_start(command, &error),
        };
        let mut group = Group::of(&child);
        let errors = Mutex::new(Tail::default());
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let pipes = async {
            tokio::join!(feed(stdin, &command.input), drain(stdout, None), drain(stderr, Some(&errors)));
        };
        tokio::pin!(pipes);
        let deadline = sleep(limit);
        tokio::pin!(deadline);
        let mut open = true;
        let ended = loop {
            tokio::select! {
                status = child.wait() => break Some(status),
                () = &mut deadline => break None,
                () = &mut pipes, if open => open = false,
            }
        };
        let Some(status) = ended else {
            group.signal(Signal::TERM);
            // That it ends now changes nothing: it had its time.
            drop(timeout(GRACE, child.wait()).await);
            group.end(Duration::ZERO).await;
            drop(timeout(GRACE, child.wait()).await);
            let reason = format!("it took longer than {} and was ended", crate::model::duration::format(limit));
            return Verdict::Retry { reason, after: None, at_most: Some(MOST_BREAKS), holds_channel: false };
        };
        group.end(GRACE).await;
        if open {
            // Somebody who left the group may keep the pipes open for ever.
            drop(timeout(REST, &mut pipes).await);
        }
        let line = errors.lock().unwrap_or_else(PoisonError::into_inner).last_line(command);
        match status {
            Ok(status) => judge(status, &line),
            Err(error) => Verdict::retry(format!("how it ended is not known: {error}")),
        }
    }

    fn spawn(command: &Command) -> std::io::Result<Child> {
        let Some((program, arguments)) = command.words.split_first() else {
            return Err(std::io::Error::from(ErrorKind::InvalidInput));
        };
        let mut spawned = tokio::process::Command::new(program);
        spawned.args(arguments).env_clear();
        spawned.envs(KEPT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
        spawned.envs(command.env.iter().map(|(name, value)| (name, value.expose())));
        spawned.envs(command.told.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &command.dir {
            spawned.current_dir(dir);
        }
        spawned.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        spawned.process_group(0).kill_on_drop(true).spawn()
    }

    fn cannot_start(command: &Command, error: &std::io::Error) -> Verdict {
        let program = command.words.first().map_or("", |program| program);
        let missing = command.dir.as_deref().filter(|dir| !Path::new(dir).is_dir());
        if let Some(dir) = missing {
            return Verdict::permanent(format!("cannot run `{program}`: there is no folder `{dir}`"));
        }
        let permanent = |what: &str| Verdict::permanent(format!("cannot run `{program}`: {what}"));
        match error.kind() {
            ErrorKind::NotFound => permanent("there is no such program"),
            ErrorKind::PermissionDenied => permanent("it may not be executed"),
            ErrorKind::InvalidInput | ErrorKind::ArgumentListTooLong => permanent(&error.to_string()),
            _ if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
                permanent("it is no program, and its first line names none (`#!/bin/sh`)")
            }
            // Too many processes or open files: that may pass.
            _ => Verdict::retry(format!("cannot run `{program}`: {error}")),
        }
    }

    fn judge(status: ExitStatus, line: &str) -> Verdict {
        let with_line = |what: String| if line.is_empty() { what } else { format!("{what}: {line}") };
        match (status.code(), status.signal()) {
            (Some(0), _) => Verdict::Ok,
            (Some(TEMPORARY), _) => Verdict::retry(with_line(format!("exit status {TEMPORARY}"))),
            (Some(code), _) => Verdict::permanent(with_line(format!("exit status {code}"))),
            (None, signal) => {
                let signal = signal.map_or_else(|| "a signal".to_string(), |signal| format!("signal {signal}"));
                let reason = with_line(format!("ended by {signal}"));
                Verdict::Retry { reason, after: None, at_most: Some(MOST_BREAKS), holds_channel: false }
            }
        }
    }

    /// Writes the input, and closes it. A command need not read it.
    async fn feed(stdin: Option<ChildStdin>, input: &[u8]) {
        if let Some(mut stdin) = stdin {
            stdin.write_all(input).await.ok();
        }
    }

    /// Reads to the end, so that a command that talks much does not block, and keeps the end of it where asked.
    async fn drain(pipe: Option<impl AsyncRead + Unpin>, tail: Option<&Mutex<Tail>>) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
            if let Some(tail) = tail {
                tail.lock().unwrap_or_else(PoisonError::into_inner).add(&buffer[..length]);
            }
        }
    }

    /// The end of what a command says.
    #[derive(Default)]
    struct Tail {
        bytes: Vec<u8>,
        /// There was more before it.
        cut: bool,
    }

    impl Tail {
        fn add(&mut self, more: &[u8]) {
            self.bytes.extend_from_slice(more);
            let surplus = self.bytes.len().saturating_sub(KEPT_ERROR);
            self.cut |= surplus > 0;
            self.bytes.drain(..surplus);
        }

        /// The last line that is not empty, without what the command was given as a secret.
        fn last_line(&self, command: &Command) -> String {
            let text = String::from_utf8_lossy(&self.bytes);
            // A line without its beginning could begin within a secret.
            let whole = text.lines().enumerate().skip(usize::from(self.cut));
            let line = whole.map(|(_, line)| line.trim()).filter(|line| !line.is_empty()).last().unwrap_or_default();
            let mut line = one_line(line);
            for (_, secret) in &command.env {
                for part in secret.expose().lines().map(str::trim).filter(|part| !part.is_empty()) {
                    line = line.replace(part, REDACTED);
                }
            }
            cut(&line, MAX_LINE)
        }
    }

    /// The process group of a command. What is left of it when this is dropped is killed.
    struct Group(Option<Pid>);

    impl Group {
        fn of(child: &Child) -> Group {
            Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
        }

        /// Sends a signal to all of it. That nobody is left is fine.
        fn signal(&self, signal: Signal) {
            if let Some(group) = self.0 {
                kill_process_group(group, signal).ok();
            }
        }

        fn is_there(&self) -> bool {
            // The number of a group is not given to another while one of its processes lives.
            self.0.is_some_and(|group| test_kill_process_group(group) != Err(Errno::SRCH))
        }

        /// Ends whatever is left: gently at first, if there is time.
        async fn end(&mut self, grace: Duration) {
            if self.is_there() {
                let until = Instant::now() + grace;
                self.signal(Signal::TERM);
                while self.is_there() && Instant::now() < until {
                    sleep(LOOK).await;
                }
                if self.is_there() {
                    self.signal(Signal::KILL);
                }
            }
            self.0 = None;
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            // The daemon stops, or the attempt broke off.
            self.signal(Signal::KILL);
        }
    }
}
