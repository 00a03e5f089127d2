//! Reading a host that is not Linux, by the sysinfo crate. Pressure, iowait, inodes and drops are missing there.

use sysinfo::{Disks, MINIMUM_CPU_UPDATE_INTERVAL, Networks, System};

use super::{Amount, Disk, Interface, Reading, Space, Traffic};
use crate::collect::Error;

/// Reads the host; its parts are made at the first pass.
pub(super) struct Reader {
    system: Option<System>,
    cpu_refreshed: Option<std::time::Instant>,
}

impl Reader {
    pub(super) fn new() -> Reader {
        Reader { system: None, cpu_refreshed: None }
    }

    /// Looks at everything once.
    ///
    /// # Errors
    /// Where the operating system is unknown to sysinfo.
    pub(super) fn read(&mut self) -> Result<Reading, Error> {
        let unsupported = |_| Error::Format { path: "this operating system".to_string() };
        let system = match self.system.take() {
            Some(system) => self.system.insert(system),
            None => self.system.insert(System::new().map_err(unsupported)?),
        };
        system.refresh_memory();
        let now = std::time::Instant::now();
        let elapsed = self.cpu_refreshed.map(|at| now.duration_since(at));
        let mut cpu_percent = None;
        if elapsed.is_none_or(|elapsed| elapsed >= MINIMUM_CPU_UPDATE_INTERVAL) {
            system.refresh_cpu_usage();
            self.cpu_refreshed = Some(now);
            // The first figure has nothing to compare with.
            cpu_percent = elapsed.map(|_| f64::from(system.global_cpu_usage()).clamp(0.0, 100.0));
        }
        let amount = |total: u64, available: u64| Amount { total, available: available.min(total) };
        Ok(Reading {
            cpu_percent,
            cpus: Some(system.cpus().len() as f64).filter(|cpus| *cpus > 0.0),
            load: System::load_average().ok().map(|load| [load.one, load.five, load.fifteen]),
            memory: Some(amount(system.total_memory(), system.available_memory())),
            swap: Some(amount(system.total_swap(), system.free_swap())),
            uptime_seconds: System::uptime().ok().map(|seconds| seconds as f64),
            processes: None,
            disks: Disks::new_with_refreshed_list().ok().map(|disks| disks.iter().map(disk).collect()),
            interfaces: Networks::new_with_refreshed_list().ok().map(interfaces),
            ..Reading::default()
        })
    }
}

fn disk(disk: &sysinfo::Disk) -> Disk {
    let (total, free) = (disk.total_space(), disk.available_space());
    Disk {
        mount: disk.mount_point().display().to_string(),
        device: disk.name().to_string_lossy().into_owned(),
        fstype: disk.file_system().to_string_lossy().into_owned(),
        space: Some(Space { total, free, used: total.saturating_sub(free), inodes: None }),
    }
}

fn interfaces(networks: Networks) -> Vec<Interface> {
    let mut interfaces: Vec<Interface> = networks
        .iter()
        .map(|(name, data)| Interface {
            name: name.to_string_lossy().into_owned(),
            received: Traffic {
                bytes: data.total_received(),
                packets: data.total_packets_received(),
                errors: data.total_errors_on_received(),
                drops: None,
            },
            sent: Traffic {
                bytes: data.total_transmitted(),
                packets: data.total_packets_transmitted(),
                errors: data.total_errors_on_transmitted(),
                drops: None,
            },
        })
        .collect();
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    interfaces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysinfo_knows_memory_and_cpus_of_this_machine() {
        let mut reader = Reader::new();
        let reading = reader.read().unwrap();
        assert_eq!(reading.cpu_percent, None, "the first CPU sample is void");
        assert!(reading.memory.unwrap().total > 0 && reading.cpus.unwrap() >= 1.0);
        assert!(reading.interfaces.is_some());
    }
}
