//! Reading a Linux host.

use std::path::PathBuf;
use std::time::Instant;

use super::cgroup::{self, Limits};
use super::procfs::{self, CpuTimes};
use super::space::Prober;
use super::{Amount, Disk, Interface, Reading, Traffic, mounts};
use crate::collect::Error;

/// Reads the host, and remembers the counters of the pass before.
pub(super) struct Reader {
    root: PathBuf,
    before: Option<Before>,
    prober: Prober,
}

/// Counters of the pass before.
struct Before {
    at: Instant,
    cpu: CpuTimes,
    cgroup_micros: Option<u64>,
}

impl Reader {
    pub(super) fn new() -> Reader {
        Reader { root: PathBuf::from("/"), before: None, prober: Prober::default() }
    }

    /// Looks at everything once. A file that is not there leaves its fields missing.
    ///
    /// # Errors
    /// Where not even `/proc/stat` can be read: then this is no host that can be watched.
    pub(super) fn read(&mut self) -> Result<Reading, Error> {
        let cpu = self.cpu_times()?;
        let at = Instant::now();
        let limits =
            self.text("proc/1/cgroup").map(|text| cgroup::read(&self.root, &cgroup::groups(&text))).unwrap_or_default();
        let mut reading = Reading {
            // A limit above what there is limits nothing.
            cpus: Some(limits.cpus.map_or(cpu.cpus as f64, |cpus| cpus.min(cpu.cpus as f64))),
            load: self.text("proc/loadavg").and_then(|text| procfs::load(&text)),
            uptime_seconds: self.text("proc/uptime").and_then(|text| procfs::uptime(&text)),
            processes: self.processes(),
            pressure: self.pressure(),
            interfaces: self.text("proc/net/dev").and_then(|text| procfs::interfaces(&text)).map(interfaces),
            ..Reading::default()
        };
        if let Some(memory) = self.text("proc/meminfo").and_then(|text| procfs::memory(&text)) {
            reading.memory = Some(within(memory.total, memory.available, limits.memory));
            reading.swap = Some(within(memory.swap_total, memory.swap_free, limits.swap));
        }
        self.read_disks(&mut reading);
        let now = Before { at, cpu, cgroup_micros: limits.cpu_used_micros };
        if let Some(before) = &self.before {
            reading.iowait_percent = iowait_percent(&before.cpu, &cpu);
            reading.cpu_percent = cpu_percent(before, &now, &limits);
        }
        // Ticks are 10 ms: two passes so near to each other keep the older counters, for a figure worth having.
        if self.before.as_ref().is_none_or(|before| reading.cpu_percent.is_some() || cpu.total < before.cpu.total) {
            self.before = Some(now);
        }
        Ok(reading)
    }

    fn cpu_times(&self) -> Result<CpuTimes, Error> {
        let path = self.root.join("proc/stat");
        let text = std::fs::read_to_string(&path)
            .map_err(|source| Error::Read { path: path.display().to_string(), source })?;
        procfs::cpu_times(&text).ok_or_else(|| Error::Format { path: path.display().to_string() })
    }

    fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }

    fn processes(&self) -> Option<u64> {
        let entries = std::fs::read_dir(self.root.join("proc")).ok()?;
        let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        Some(entries.filter_map(Result::ok).filter(|entry| is_process(&entry.file_name())).count() as u64)
    }

    fn pressure(&self) -> Vec<(String, f64)> {
        let mut figures = Vec::new();
        for resource in ["cpu", "memory", "io"] {
            let Some(text) = self.text(&format!("proc/pressure/{resource}")) else { continue };
            figures
                .extend(procfs::pressure(&text).into_iter().map(|(name, value)| (format!("{resource}_{name}"), value)));
        }
        figures
    }

    fn read_disks(&self, reading: &mut Reading) {
        let Some(text) = self.text("proc/self/mountinfo") else {
            reading.problem = Some("the mounts cannot be read from /proc/self/mountinfo".to_string());
            return;
        };
        let mounts = mounts::real(mounts::parse(&text));
        let spaces = self.prober.spaces(&mounts);
        let silent: Vec<&str> = mounts
            .iter()
            .zip(&spaces)
            .filter(|(_, space)| space.is_none())
            .map(|(mount, _)| &*mount.mount_point)
            .collect();
        if !silent.is_empty() {
            reading.problem = Some(format!("these mounts do not say how full they are: {}", silent.join(", ")));
        }
        // A mount of size 0 is a gateway to something else (fuse portals): nothing can fill it.
        let disks = mounts.into_iter().zip(spaces).filter(|(_, space)| space.is_none_or(|space| space.total > 0));
        reading.disks = Some(
            disks
                .map(|(mount, space)| Disk {
                    mount: mount.mount_point,
                    device: mount.source,
                    fstype: mount.fstype,
                    space,
                })
                .collect(),
        );
    }
}

/// An amount of the machine, or the container's share of it where that is less.
fn within(total: u64, available: u64, limit: Option<cgroup::Usage>) -> Amount {
    match limit {
        Some(usage) if usage.limit < total => {
            Amount { total: usage.limit, available: usage.limit.saturating_sub(usage.used) }
        }
        Some(_) | None => Amount { total, available: available.min(total) },
    }
}

/// Percent of all CPU time that was neither idle nor waiting for I/O; in a container percent of its limit.
fn cpu_percent(before: &Before, now: &Before, limits: &Limits) -> Option<f64> {
    let limited = limits.cpus.filter(|cpus| *cpus < now.cpu.cpus as f64);
    if let (Some(cpus), Some(used_before), Some(used)) = (limited, before.cgroup_micros, now.cgroup_micros) {
        let allowed = now.at.duration_since(before.at).as_micros() as f64 * cpus;
        // Quotas may be overdrawn for a moment.
        return (allowed >= 10_000.0).then(|| (100.0 * used.saturating_sub(used_before) as f64 / allowed).min(100.0));
    }
    let total = now.cpu.total.checked_sub(before.cpu.total).filter(|ticks| *ticks > 0)? as f64;
    let idle_of = |cpu: &CpuTimes| cpu.idle + cpu.iowait;
    let idle = idle_of(&now.cpu).saturating_sub(idle_of(&before.cpu)) as f64;
    Some((100.0 * (total - idle) / total).clamp(0.0, 100.0))
}

/// Percent of all CPU time spent idle while I/O was outstanding. The kernel lets this counter go back: that is 0.
fn iowait_percent(before: &CpuTimes, now: &CpuTimes) -> Option<f64> {
    let total = now.total.checked_sub(before.total).filter(|ticks| *ticks > 0)? as f64;
    Some((100.0 * now.iowait.saturating_sub(before.iowait) as f64 / total).min(100.0))
}

fn interfaces(all: Vec<procfs::Interface>) -> Vec<Interface> {
    let traffic = |traffic: procfs::Traffic| Traffic {
        bytes: traffic.bytes,
        packets: traffic.packets,
        errors: traffic.errors,
        drops: traffic.drops,
    };
    all.into_iter()
        .map(|interface| Interface {
            name: interface.name,
            received: traffic(interface.received),
            sent: traffic(interface.sent),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn reader(root: &Path) -> Reader {
        Reader { root: root.to_path_buf(), before: None, prober: Prober::default() }
    }

    const MEMINFO: &str = "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";

    #[test]
    fn a_host_is_read_from_its_files_and_what_is_not_there_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let mut reader = reader(root.path());
        assert!(matches!(reader.read(), Err(Error::Read { .. })));
        write(root.path(), "proc/stat", "cpu  100 0 0 300 0\ncpu0 1 1 1 1\ncpu1 1 1 1 1\n");
        let first = reader.read().unwrap();
        assert_eq!((first.cpu_percent, first.iowait_percent, first.cpus), (None, None, Some(2.0)));
        assert_eq!((first.memory, first.disks, first.interfaces), (None, None, None));
        write(root.path(), "proc/stat", "cpu  150 0 0 340 10\ncpu0 1 1 1 1\ncpu1 1 1 1 1\n");
        write(root.path(), "proc/meminfo", MEMINFO);
        write(root.path(), "proc/42/stat", "");
        write(root.path(), "proc/self/mountinfo", "");
        write(root.path(), "proc/pressure/io", "some avg10=1.50 avg60=0 avg300=0 total=1\n");
        let second = reader.read().unwrap();
        assert_eq!((second.cpu_percent, second.iowait_percent), (Some(50.0), Some(10.0)));
        assert_eq!(second.memory, Some(Amount { total: 1_024_000, available: 256_000 }));
        assert_eq!((second.processes, second.disks), (Some(1), Some(vec![])));
        assert_eq!(second.pressure[0], ("io_some_avg10".to_string(), 1.5));
        let third = reader.read().unwrap();
        assert_eq!(third.cpu_percent, None, "no tick went by");
    }

    #[test]
    fn in_a_container_its_limits_are_the_totals() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "proc/stat", "cpu  100 0 0 300 0\ncpu0 1\ncpu1 1\n");
        write(root.path(), "proc/meminfo", MEMINFO);
        write(root.path(), "proc/1/cgroup", "0::/\n");
        for (file, text) in [
            ("memory.max", "512000"),
            ("memory.current", "128000"),
            ("cpu.max", "50000 100000"),
            ("cpu.stat", "usage_usec 1000"),
        ] {
            write(root.path(), &format!("sys/fs/cgroup/{file}"), text);
        }
        let reading = reader(root.path()).read().unwrap();
        assert_eq!(reading.memory, Some(Amount { total: 512_000, available: 384_000 }));
        assert_eq!(reading.cpus, Some(0.5));

        let at = Instant::now();
        let cpu = CpuTimes { idle: 0, iowait: 0, total: 0, cpus: 2 };
        let before = Before { at, cpu, cgroup_micros: Some(1_000) };
        let now = Before { at: at + Duration::from_secs(10), cpu, cgroup_micros: Some(2_501_000) };
        let limits = Limits { cpus: Some(0.5), ..Limits::default() };
        assert_eq!(cpu_percent(&before, &now, &limits), Some(50.0));
        assert_eq!(within(100, 50, Some(cgroup::Usage { limit: 200, used: 10 })), Amount { total: 100, available: 50 });
    }

    #[test]
    fn counters_that_go_back_are_no_figure() {
        let cpu = |idle, iowait, total| CpuTimes { idle, iowait, total, cpus: 1 };
        assert_eq!(iowait_percent(&cpu(0, 10, 100), &cpu(0, 5, 200)), Some(0.0));
        assert_eq!(iowait_percent(&cpu(0, 10, 200), &cpu(0, 5, 100)), None);
    }
}
