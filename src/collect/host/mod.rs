//! This host: kinds `host`, `disk` and `network`.
//!
//! On Linux all figures come from `/proc`, `/sys/fs/cgroup` and statvfs(2), on other systems from the sysinfo crate with
//! the fields that it knows. Own reading, because that is several times cheaper than sysinfo's (which reads files per CPU
//! and per interface), and because sysinfo has no pressure, iowait, inodes, drops or CPU limits.

#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
#[cfg(target_os = "linux")]
mod procfs;
#[cfg(target_os = "linux")]
mod space;

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;

use super::observation::{Observation, percent};
use super::{Collector, Error, Pass, blocking};
use crate::model::{Now, Time};

#[cfg(target_os = "linux")]
use linux::Reader;
#[cfg(not(target_os = "linux"))]
use portable::Reader;

/// The kinds of this collector.
pub(super) const KINDS: [&str; 3] = ["host", "disk", "network"];

/// What can be set of the host collector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// The name of the host's subjects; the system's host name where it is not given.
    pub name: Option<Arc<str>>,
}

/// Watches this host.
pub(super) struct Host {
    collector: Arc<str>,
    host: Arc<str>,
    reader: Arc<Mutex<Reader>>,
}

impl Host {
    pub(super) fn new(settings: &HostSettings) -> Host {
        let system_name = || sysinfo::System::host_name().ok().filter(|name| !name.is_empty());
        Host {
            collector: "host".into(),
            host: settings.name.clone().or_else(|| system_name().map(Arc::from)).unwrap_or_else(|| "localhost".into()),
            reader: Arc::new(Mutex::new(Reader::new())),
        }
    }
}

impl Collector for Host {
    fn name(&self) -> &Arc<str> {
        &self.collector
    }

    fn is_local(&self) -> bool {
        true
    }

    fn collect(&mut self, now: Now) -> BoxFuture<'_, Result<Pass, Error>> {
        Box::pin(async move {
            let reading = blocking::read(&self.reader, Reader::read).await?;
            Ok(snapshots(&self.host, now.time, reading))
        })
    }
}

/// What one look at the host saw. `None` is not seen.
#[derive(Clone, Debug, Default, PartialEq)]
struct Reading {
    cpu_percent: Option<f64>,
    iowait_percent: Option<f64>,
    /// How many CPUs' time may be used: with a fraction in a container.
    cpus: Option<f64>,
    load: Option<[f64; 3]>,
    memory: Option<Amount>,
    swap: Option<Amount>,
    uptime_seconds: Option<f64>,
    processes: Option<u64>,
    /// As (`cpu_some_avg10`, percent).
    pressure: Vec<(String, f64)>,
    /// All disks that there are; `None` where they could not be listed.
    disks: Option<Vec<Disk>>,
    /// All network interfaces that there are; `None` where they could not be listed.
    interfaces: Option<Vec<Interface>>,
    problem: Option<String>,
}

/// Bytes of memory or swap.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Amount {
    total: u64,
    available: u64,
}

/// One file system.
#[derive(Clone, Debug, PartialEq)]
struct Disk {
    mount: String,
    device: String,
    fstype: String,
    /// `None` where it did not answer.
    space: Option<Space>,
}

/// Room on a file system.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Space {
    total: u64,
    /// What users can still write: less than what is not used, where some is kept for root.
    free: u64,
    used: u64,
    /// Total and free inodes; `None` where the file system has no fixed number.
    inodes: Option<(u64, u64)>,
}

/// Counters of one network interface.
#[derive(Clone, Debug, PartialEq)]
struct Interface {
    name: String,
    received: Traffic,
    sent: Traffic,
}

/// Counters of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Traffic {
    bytes: u64,
    packets: u64,
    errors: u64,
    drops: Option<u64>,
}

/// The subjects of a reading.
fn snapshots(host: &Arc<str>, time: Time, reading: Reading) -> Pass {
    let mut pass = Pass { problem: reading.problem.clone(), ..Pass::default() };
    let mut own = Observation::of("host", Arc::clone(host), time);
    own.label("host", host)
        .number("cpu_percent", reading.cpu_percent)
        .number("iowait_percent", reading.iowait_percent)
        .number("cpus", reading.cpus)
        .number("load1", reading.load.map(|load| load[0]))
        .number("load5", reading.load.map(|load| load[1]))
        .number("load15", reading.load.map(|load| load[2]))
        .number("uptime_seconds", reading.uptime_seconds)
        .count("processes", reading.processes);
    for (name, amount) in [("memory", reading.memory), ("swap", reading.swap)] {
        let Some(Amount { total, available }) = amount else { continue };
        let used = total.saturating_sub(available);
        own.count(&format!("{name}_total_bytes"), total)
            .count(&format!("{name}_available_bytes"), available)
            .count(&format!("{name}_used_bytes"), used)
            .number(&format!("{name}_used_percent"), percent(used as f64, total as f64));
    }
    for (name, value) in &reading.pressure {
        own.number(&format!("pressure_{name}"), *value);
    }
    pass.snapshots.push(own.finish());
    if let Some(disks) = reading.disks {
        pass.complete.push("disk".into());
        pass.snapshots.extend(disks.iter().map(|disk| disk_snapshot(host, time, disk)));
    }
    if let Some(interfaces) = reading.interfaces {
        pass.complete.push("network".into());
        pass.snapshots.extend(interfaces.iter().map(|interface| network_snapshot(host, time, interface)));
    }
    pass
}

fn disk_snapshot(host: &str, time: Time, disk: &Disk) -> crate::model::Snapshot {
    let mut own = Observation::of("disk", format!("{host}:{}", disk.mount), time);
    own.label("host", host).label("device", &disk.device).label("mount", &disk.mount).label("fstype", &disk.fstype);
    // A disk that does not answer still exists: its snapshot has no figures, so that rules have no data and it is not gone.
    if let Some(space) = disk.space {
        own.count("total_bytes", space.total)
            .count("free_bytes", space.free)
            .count("used_bytes", space.used)
            // As df does: of what users can have, not of the raw size.
            .number("used_percent", percent(space.used as f64, (space.used + space.free) as f64));
        if let Some((total, free)) = space.inodes {
            let used = total.saturating_sub(free);
            own.count("inodes_total", total)
                .count("inodes_free", free)
                .count("inodes_used", used)
                .number("inodes_used_percent", percent(used as f64, total as f64));
        }
    }
    own.finish()
}

fn network_snapshot(host: &str, time: Time, interface: &Interface) -> crate::model::Snapshot {
    let mut own = Observation::of("network", format!("{host}:{}", interface.name), time);
    own.label("host", host).label("interface", &interface.name);
    for (direction, traffic) in [("received", interface.received), ("sent", interface.sent)] {
        own.count(&format!("{direction}_bytes"), traffic.bytes)
            .count(&format!("{direction}_packets"), traffic.packets)
            .count(&format!("{direction}_errors"), traffic.errors)
            .count(&format!("{direction}_drops"), traffic.drops);
    }
    own.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Snapshot, Value};

    fn find<'a>(pass: &'a Pass, kind: &str, name: &str) -> &'a Snapshot {
        let named = |snapshot: &&Snapshot| &*snapshot.subject.kind == kind && &*snapshot.subject.name == name;
        pass.snapshots.iter().find(named).unwrap()
    }

    #[test]
    fn what_was_not_seen_is_missing_and_what_cannot_be_listed_is_not_gone() {
        let pass = snapshots(&"web-1".into(), Time::EPOCH, Reading::default());
        assert_eq!(pass.snapshots.len(), 1);
        assert!(pass.snapshots[0].fields.is_empty(), "{:?}", pass.snapshots[0]);
        assert!(pass.complete.is_empty());
    }

    #[test]
    fn a_disk_that_does_not_answer_still_exists() {
        let disk =
            |mount: &str, space| Disk { mount: mount.into(), device: "/dev/vda".into(), fstype: "ext4".into(), space };
        let space = Space { total: 1000, free: 100, used: 850, inodes: Some((200, 50)) };
        let reading = Reading { disks: Some(vec![disk("/", Some(space)), disk("/nfs", None)]), ..Reading::default() };
        let pass = snapshots(&"web-1".into(), Time::EPOCH, reading);
        assert_eq!(pass.complete, ["disk".into()] as [Arc<str>; 1]);
        let root = find(&pass, "disk", "web-1:/");
        assert_eq!(root.fields["used_percent"], Value::Number(100.0 * 850.0 / 950.0));
        assert_eq!(root.fields["inodes_used_percent"], Value::Number(75.0));
        assert_eq!(root.labels["mount"].as_ref(), "/");
        assert!(find(&pass, "disk", "web-1:/nfs").fields.is_empty());
    }

    #[tokio::test]
    async fn the_first_cpu_sample_of_this_host_is_void_and_a_later_one_is_not() {
        let mut host = Host::new(&HostSettings { name: Some("here".into()) });
        let now = Now::at(Time::from_micros(1));
        let first = host.collect(now).await.unwrap();
        let own = find(&first, "host", "here");
        assert!(!own.fields.contains_key("cpu_percent"));
        for field in ["cpus", "load1", "memory_total_bytes", "memory_used_percent", "uptime_seconds", "processes"] {
            assert!(own.fields.contains_key(field), "{field} is missing in {own:?}");
        }
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let later = host.collect(now).await.unwrap();
            if let Some(Value::Number(cpu)) = find(&later, "host", "here").fields.get("cpu_percent") {
                assert!((0.0..=100.0).contains(cpu), "{cpu}");
                break;
            }
            assert!(std::time::Instant::now() < deadline, "no CPU figure within 10 s");
        }
    }
}
