//! Processes of this machine: kind `process`, one subject for all processes that are meant.
//!
//! `running` is 1 where there is at least one, else 0, and `count` how many there are; `error` says why none can be found
//! where that is not plain (a pid file that cannot be read). The other fields are sums over all of them, and missing where
//! there is none: `cpu_percent` of one CPU's time since the look before, `rss_bytes`, and `open_files` where all of them
//! can be seen, which takes the rights to. `uptime_seconds` is that of the oldest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::future::BoxFuture;
use sysinfo::{Pid, Process as Found, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::observation::Observation;
use super::{Collector, Error, Pass, Pattern, blocking};
use crate::model::{Labels, Now, Snapshot, Time};

/// The kind of this collector, unless said otherwise.
pub(crate) const KIND: &str = "process";

/// Which processes are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Meant {
    /// Those of this name: that of the process, or of its program's file.
    Name(String),
    /// The one whose number is in this file.
    PidFile(PathBuf),
    /// Those whose command line, its parts joined by spaces, matches.
    Command(Pattern),
}

/// What can be set of a process collector.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessSettings {
    /// The name of the subject; the collector is called `process:` and this.
    pub name: Arc<str>,
    /// The kind of the subject.
    pub kind: Arc<str>,
    /// Labels of the subject.
    pub labels: Labels,
    /// Which processes are meant.
    pub meant: Meant,
}

/// Watches some processes.
pub(super) struct Process {
    collector: Arc<str>,
    settings: Arc<ProcessSettings>,
    reader: Arc<Mutex<Reader>>,
}

/// Reads processes, and remembers what CPU time they had.
#[derive(Default)]
struct Reader {
    system: Option<System>,
    /// When they were looked at last, and what CPU time each had then.
    before: Option<(Instant, CpuTimes)>,
}

/// The CPU time of processes in milliseconds, by their numbers and starts, as numbers are given again.
type CpuTimes = BTreeMap<(Pid, u64), u64>;

/// What one look saw.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    count: u64,
    cpu_percent: Option<f64>,
    rss_bytes: u64,
    open_files: Option<u64>,
    uptime_seconds: u64,
    error: String,
}

impl Meant {
    fn takes(&self, process: &Found) -> bool {
        match self {
            Meant::Name(name) => {
                // The system cuts the name off, and may not tell of which file a process of somebody else is.
                let program = process.exe().and_then(|path| path.file_name());
                let called = process.cmd().first().and_then(|called| Path::new(called).file_name());
                [Some(process.name()), program, called].into_iter().flatten().any(|known| known == name.as_str())
            }
            // Looked at alone.
            Meant::PidFile(_) => true,
            Meant::Command(pattern) => {
                let parts: Vec<_> = process.cmd().iter().map(|part| part.to_string_lossy()).collect();
                pattern.0.is_match(&parts.join(" "))
            }
        }
    }
}

impl Reader {
    fn read(&mut self, meant: &Meant) -> Result<Reading, Error> {
        let mut reading = Reading::default();
        let only = match meant {
            Meant::PidFile(path) => match pid_in(path) {
                Ok(pid) => Some([pid]),
                Err(error) => {
                    self.before = None;
                    return Ok(Reading { error, ..reading });
                }
            },
            Meant::Name(_) | Meant::Command(_) => None,
        };
        let system = match self.system.take() {
            Some(system) => self.system.insert(system),
            None => {
                let unsupported = |_| Error::Format { path: "this operating system".to_string() };
                self.system.insert(System::new().map_err(unsupported)?)
            }
        };
        let what = only.as_ref().map_or(ProcessesToUpdate::All, |pid| ProcessesToUpdate::Some(pid));
        let kinds = ProcessRefreshKind::nothing().without_tasks().with_memory().with_cpu();
        // A process may go on as another program.
        let kinds = kinds.with_cmd(UpdateKind::Always).with_exe(UpdateKind::Always);
        system.refresh_processes_specifics(what, true, kinds);
        let looked = Instant::now();
        let is_meant = |process: &&Found| {
            only.is_none_or(|[pid]| process.pid() == pid) && is_alive(process) && meant.takes(process)
        };
        let (mut times, mut used) = (BTreeMap::new(), 0);
        let mut open_files = Some(0);
        for process in system.processes().values().filter(is_meant) {
            let key = (process.pid(), process.start_time());
            let time = process.accumulated_cpu_time();
            if let Some((looked_before, times)) = &self.before {
                // One that began since has used all its time since; what another did before it was meant does not count.
                let began_since = process.run_time() <= looked.duration_since(*looked_before).as_secs();
                let before = times.get(&key).copied().unwrap_or(if began_since { 0 } else { time });
                used += time.saturating_sub(before);
            }
            times.insert(key, time);
            reading.count += 1;
            reading.rss_bytes += process.memory();
            reading.uptime_seconds = reading.uptime_seconds.max(process.run_time());
            open_files = open_files.zip(process.open_files()).map(|(sum, open)| sum + open as u64);
        }
        reading.open_files = open_files;
        let before = self.before.replace((looked, times));
        let elapsed = before.map(|(before, _)| looked.duration_since(before).as_secs_f64() * 1000.0);
        reading.cpu_percent = elapsed.filter(|elapsed| *elapsed > 0.0).map(|elapsed| 100.0 * used as f64 / elapsed);
        if let (Some([pid]), 0) = (only, reading.count) {
            reading.error = format!("no process has the number {pid} that the pid file says");
        }
        Ok(reading)
    }
}

/// Whether it is a process that still runs: no thread, and not one that ended and that nobody asked about since.
fn is_alive(process: &Found) -> bool {
    process.thread_kind().is_none() && !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead)
}

/// The number in a pid file.
fn pid_in(path: &Path) -> Result<Pid, String> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("failed to read the pid file {shown}: {error}"))?;
    let number = text.split_whitespace().next().and_then(|number| number.parse().ok());
    number.map(Pid::from_u32).ok_or_else(|| format!("the pid file {shown} does not begin with a number"))
}

impl Process {
    pub(super) fn new(settings: &ProcessSettings) -> Process {
        Process {
            collector: format!("process:{}", settings.name).into(),
            settings: Arc::new(settings.clone()),
            reader: Arc::default(),
        }
    }

    fn snapshot(&self, time: Time, reading: &Reading) -> Snapshot {
        let mut own = Observation::of(&self.settings.kind, Arc::clone(&self.settings.name), time);
        own.labels(&self.settings.labels)
            .number("running", f64::from(u8::from(reading.count > 0)))
            .count("count", reading.count)
            .text("error", &reading.error);
        if reading.count > 0 {
            own.number("cpu_percent", reading.cpu_percent)
                .count("rss_bytes", reading.rss_bytes)
                .count("open_files", reading.open_files)
                .count("uptime_seconds", reading.uptime_seconds);
        }
        own.finish()
    }
}

impl Collector for Process {
    fn name(&self) -> &Arc<str> {
        &self.collector
    }

    fn is_local(&self) -> bool {
        true
    }

    fn collect(&mut self, now: Now) -> BoxFuture<'_, Result<Pass, Error>> {
        Box::pin(async move {
            let settings = Arc::clone(&self.settings);
            let reading = blocking::read(&self.reader, move |reader| reader.read(&settings.meant)).await?;
            Ok(Pass { snapshots: vec![self.snapshot(now.time, &reading)], ..Pass::default() })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::model::Value;

    /// A process that lasts as long as the test.
    struct Sleeper(Child);

    impl Sleeper {
        /// `sleep` for so many seconds, which tells it from others.
        fn start(seconds: &str) -> Sleeper {
            Sleeper(Command::new("sleep").arg(seconds).stdin(Stdio::null()).spawn().unwrap())
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    fn watch(meant: Meant) -> Process {
        let labels = Labels::from([("host".into(), "a".into())]);
        Process::new(&ProcessSettings { name: "worker".into(), kind: KIND.into(), labels, meant })
    }

    async fn look(process: &mut Process) -> Snapshot {
        let pass = process.collect(Now::at(Time::EPOCH)).await.unwrap();
        pass.snapshots.into_iter().next().unwrap()
    }

    fn number(snapshot: &Snapshot, field: &str) -> Option<f64> {
        snapshot.fields.get(field).and_then(Value::as_number)
    }

    #[tokio::test]
    async fn processes_are_found_by_a_pattern_of_their_command_line() {
        let pattern = || Meant::Command(Pattern(regex::Regex::new("^sleep 86[45]17$").unwrap()));
        let mut process = watch(pattern());
        let none = look(&mut process).await;
        assert_eq!((number(&none, "running"), number(&none, "count")), (Some(0.0), Some(0.0)));
        assert_eq!(none.fields.len(), 3, "what is not there has no figures: {none:?}");
        let sleepers = [Sleeper::start("86417"), Sleeper::start("86517")];
        let both = look(&mut process).await;
        assert_eq!((&*both.subject.kind, &*both.subject.name, &*both.labels["host"]), ("process", "worker", "a"));
        assert_eq!((number(&both, "running"), number(&both, "count")), (Some(1.0), Some(2.0)));
        assert!(number(&both, "rss_bytes") > Some(0.0) && number(&both, "open_files") > Some(0.0));
        assert!(number(&both, "cpu_percent").is_some_and(|percent| percent < 100.0));
        assert!(number(&both, "uptime_seconds").is_some());
        drop(sleepers);
        assert_eq!(number(&look(&mut process).await, "count"), Some(0.0));
    }

    #[tokio::test]
    async fn a_process_is_found_by_its_pid_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("worker.pid");
        let mut process = watch(Meant::PidFile(file.clone()));
        let error = |snapshot: &Snapshot| snapshot.fields["error"].to_string();
        assert!(error(&look(&mut process).await).contains("failed to read the pid file"));
        std::fs::write(&file, "soon\n").unwrap();
        assert!(error(&look(&mut process).await).contains("does not begin with a number"));
        let sleeper = Sleeper::start("86617");
        std::fs::write(&file, format!("{}\n", sleeper.0.id())).unwrap();
        let seen = look(&mut process).await;
        assert_eq!((number(&seen, "count"), error(&seen)), (Some(1.0), String::new()));
        drop(sleeper);
        let seen = look(&mut process).await;
        assert_eq!(number(&seen, "running"), Some(0.0));
        assert!(error(&seen).contains("no process has the number"));
    }

    /// Looks until something is so, which the system takes a moment for.
    async fn look_until(process: &mut Process, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let looks = async {
            loop {
                let snapshot = look(process).await;
                if is_so(&snapshot) {
                    break snapshot;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), looks).await.expect("it is so in time")
    }

    #[tokio::test]
    async fn one_that_ended_and_that_nobody_asked_about_does_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("worker.pid");
        let mut child = Command::new("sleep").arg("86717").stdin(Stdio::null()).spawn().unwrap();
        std::fs::write(&file, child.id().to_string()).unwrap();
        let mut process = watch(Meant::PidFile(file));
        assert_eq!(number(&look(&mut process).await, "running"), Some(1.0));
        child.kill().unwrap();
        let ended = look_until(&mut process, |seen| number(seen, "running") == Some(0.0)).await;
        assert_eq!(number(&ended, "count"), Some(0.0));
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn one_that_goes_on_as_another_program_is_found_by_what_it_is_now() {
        let script = "read line; exec sleep 86817";
        let mut child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        let mut process = watch(Meant::Command(Pattern(regex::Regex::new("^sleep 86817$").unwrap())));
        let before = look(&mut process).await;
        drop(child.stdin.take());
        let sleeper = Sleeper(child);
        let after = look_until(&mut process, |seen| number(seen, "count") == Some(1.0)).await;
        assert_eq!((number(&before, "count"), number(&after, "running")), (Some(0.0), Some(1.0)));
        drop(sleeper);
    }

    #[tokio::test]
    async fn what_a_process_did_before_it_was_meant_is_not_its_load_now() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("worker.pid");
        let sleeper = Sleeper::start("86917");
        std::fs::write(&file, std::process::id().to_string()).unwrap();
        // This one has worked for a while.
        look_until(&mut watch(Meant::PidFile(file.clone())), |seen| number(seen, "uptime_seconds") >= Some(2.0)).await;
        std::fs::write(&file, sleeper.0.id().to_string()).unwrap();
        let mut process = watch(Meant::PidFile(file.clone()));
        look(&mut process).await;
        std::fs::write(&file, std::process::id().to_string()).unwrap();
        assert_eq!(number(&look(&mut process).await, "cpu_percent"), Some(0.0));
    }

    #[tokio::test]
    async fn processes_are_found_by_name() {
        let sleeper = Sleeper::start("86717");
        let seen = look(&mut watch(Meant::Name("sleep".to_string()))).await;
        assert!(number(&seen, "count") >= Some(1.0), "{seen:?}");
        let none = look(&mut watch(Meant::Name("no-such-program".to_string()))).await;
        assert_eq!(number(&none, "running"), Some(0.0));
        drop(sleeper);
    }

    #[test]
    fn cpu_time_counts_from_the_look_before() {
        let mut reader = Reader::default();
        let own = Meant::PidFile(PathBuf::from("/proc/self/stat"));
        assert_eq!(reader.read(&own).unwrap().cpu_percent, None, "there was none");
        let began = Instant::now();
        let mut n = 0_u64;
        while began.elapsed().as_millis() < 60 {
            n = std::hint::black_box(n + 1);
        }
        assert!(reader.read(&own).unwrap().cpu_percent > Some(10.0), "{n}");
    }
}
