//! The limits of a container. Formats: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
//!
//! Asked is the control group of process 1 as this process sees it: in a container that is the container's own, and on
//! a host (or with the host's process ids) it is unlimited. So a limit on larum's own service never passes for the machine's.

use std::path::{Path, PathBuf};

/// Where the control group's files are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    /// Path in the unified hierarchy.
    unified: Option<String>,
    /// Path in version 1's memory hierarchy.
    memory: Option<String>,
    /// Path in version 1's cpu hierarchy.
    cpu: Option<String>,
}

/// What the control group allows and uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limits {
    /// Bytes of memory.
    pub(super) memory: Option<Usage>,
    /// Bytes of swap.
    pub(super) swap: Option<Usage>,
    /// How many CPUs' time may be used.
    pub(super) cpus: Option<f64>,
    /// CPU time used so far, in microseconds.
    pub(super) cpu_used_micros: Option<u64>,
}

/// A bounded amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) limit: u64,
    pub(super) used: u64,
}

/// `/proc/1/cgroup`.
pub(super) fn groups(text: &str) -> Groups {
    let mut groups = Groups::default();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        for controller in controllers.split(',') {
            match controller {
                "" => groups.unified = Some(path.to_string()),
                "memory" => groups.memory = Some(path.to_string()),
                "cpu" => groups.cpu = Some(path.to_string()),
                _ => {}
            }
        }
    }
    groups
}

/// A limit in bytes; `None` for "max", and for version 1's huge number that means the same.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < 1 << 60)
}

/// `cpu.max`: quota and period in microseconds.
fn cpu_max(text: &str) -> Option<f64> {
    let mut words = text.split_ascii_whitespace();
    cpus(words.next()?.parse().ok()?, words.next()?.parse().ok()?)
}

fn cpus(quota: f64, period: f64) -> Option<f64> {
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// A line `key value` of `memory.stat` or `cpu.stat`.
fn stat(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Reads what the groups allow. `root` is `/`, or a copy of the tree in tests.
pub(super) fn read(root: &Path, groups: &Groups) -> Limits {
    let mount = root.join("sys/fs/cgroup");
    let mut limits = Limits::default();
    if let Some(path) = &groups.unified {
        let base = if mount.join("unified").is_dir() { mount.join("unified") } else { mount.clone() };
        let folders = ancestors(&base, path);
        let text = |folder: &Path, file: &str| std::fs::read_to_string(folder.join(file)).ok();
        limits.memory = tightest(&folders, |folder| {
            let used = text(folder, "memory.current")?.trim().parse::<u64>().ok()?;
            // Page cache that nobody uses is given back on demand: it is not what a person calls used.
            let idle_cache = text(folder, "memory.stat").and_then(|text| stat(&text, "inactive_file")).unwrap_or(0);
            Some(Usage { limit: limit(&text(folder, "memory.max")?)?, used: used.saturating_sub(idle_cache) })
        });
        limits.swap = tightest(&folders, |folder| {
            let used = text(folder, "memory.swap.current")?.trim().parse().ok()?;
            Some(Usage { limit: limit(&text(folder, "memory.swap.max")?)?, used })
        });
        let cpu = folders.iter().filter_map(|folder| Some((cpu_max(&text(folder, "cpu.max")?)?, folder)));
        if let Some((cpus, folder)) = cpu.min_by(|a, b| a.0.total_cmp(&b.0)) {
            limits.cpus = Some(cpus);
            limits.cpu_used_micros = text(folder, "cpu.stat").and_then(|text| stat(&text, "usage_usec"));
        }
    }
    if let (None, Some(path)) = (limits.memory, &groups.memory) {
        limits.memory = tightest(&ancestors(&mount.join("memory"), path), |folder| {
            let text = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
            let used = text("memory.usage_in_bytes")?.trim().parse::<u64>().ok()?;
            let idle_cache = text("memory.stat").and_then(|text| stat(&text, "total_inactive_file")).unwrap_or(0);
            Some(Usage { limit: limit(&text("memory.limit_in_bytes")?)?, used: used.saturating_sub(idle_cache) })
        });
    }
    if let (None, Some(path)) = (limits.cpus, &groups.cpu) {
        for folder in ancestors(&mount.join("cpu"), path) {
            let text = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
            let number = |file: &str| text(file)?.trim().parse::<f64>().ok();
            let quota = number("cpu.cfs_quota_us").zip(number("cpu.cfs_period_us"));
            if let Some(cpus) = quota.and_then(|(quota, period)| cpus(quota, period)) {
                limits.cpus = Some(cpus);
                limits.cpu_used_micros =
                    text("cpuacct.usage").and_then(|nanos| Some(nanos.trim().parse::<u64>().ok()? / 1000));
                break;
            }
        }
    }
    limits
}

/// The group's folder and those above it. Where the path is the host's and not visible here, the mount's own folder
/// is the container's.
fn ancestors(mount: &Path, path: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let mut relative = Path::new(path.trim_start_matches('/'));
    // A path that climbs (`/../..`) is a group outside of what is visible.
    let visible = !path.contains("..") && mount.join(relative).is_dir();
    while visible && relative != Path::new("") {
        folders.push(mount.join(relative));
        relative = relative.parent().unwrap_or(Path::new(""));
    }
    folders.push(mount.to_path_buf());
    folders
}

fn tightest(folders: &[PathBuf], read: impl Fn(&Path) -> Option<Usage>) -> Option<Usage> {
    folders.iter().filter_map(|folder| read(folder)).min_by_key(|usage| usage.limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join("sys/fs/cgroup").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_container_of_version_2_has_its_own_totals() {
        let root = tree(&[
            ("memory.max", "1000000\n"),
            ("memory.current", "700000\n"),
            ("memory.stat", "anon 1\ninactive_file 200000\n"),
            ("memory.swap.max", "max\n"),
            ("memory.swap.current", "0\n"),
            ("cpu.max", "150000 100000\n"),
            ("cpu.stat", "usage_usec 42\nuser_usec 1\n"),
        ]);
        let limits = read(root.path(), &groups("0::/\n"));
        assert_eq!(limits.memory, Some(Usage { limit: 1_000_000, used: 500_000 }));
        assert_eq!((limits.swap, limits.cpus, limits.cpu_used_micros), (None, Some(1.5), Some(42)));
    }

    #[test]
    fn a_container_of_version_1_is_found_under_the_hosts_path_or_at_the_mount() {
        let files = |folder: &str| {
            tree(&[
                (&format!("memory{folder}/memory.limit_in_bytes"), "5000\n"),
                (&format!("memory{folder}/memory.usage_in_bytes"), "3000\n"),
                (&format!("memory{folder}/memory.stat"), "total_inactive_file 1000\n"),
                (&format!("cpu{folder}/cpu.cfs_quota_us"), "50000\n"),
                (&format!("cpu{folder}/cpu.cfs_period_us"), "100000\n"),
                (&format!("cpu{folder}/cpuacct.usage"), "9000\n"),
            ])
        };
        for folder in ["", "/docker/abc"] {
            let root = files(folder);
            let limits = read(root.path(), &groups("4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n"));
            assert_eq!(limits.memory, Some(Usage { limit: 5000, used: 2000 }), "{folder}");
            assert_eq!((limits.cpus, limits.cpu_used_micros), (Some(0.5), Some(9)));
        }
    }

    #[test]
    fn a_host_has_no_limits_even_where_services_have() {
        let root = tree(&[
            ("system.slice/larum.service/memory.max", "1000\n"),
            ("system.slice/larum.service/memory.current", "10\n"),
            ("init.scope/memory.max", "max\n"),
            ("init.scope/memory.current", "10\n"),
            ("init.scope/cpu.max", "max 100000\n"),
        ]);
        assert_eq!(read(root.path(), &groups("0::/init.scope\n")), Limits::default());
        let old = tree(&[
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/memory.usage_in_bytes", "1\n"),
            ("cpu/cpu.cfs_quota_us", "-1\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(read(old.path(), &groups("4:memory:/\n3:cpu:/\n")), Limits::default());
    }

    #[test]
    fn the_tightest_of_the_groups_above_counts() {
        let root = tree(&[
            ("pod/memory.max", "100\n"),
            ("pod/memory.current", "60\n"),
            ("pod/box/memory.max", "500\n"),
            ("pod/box/memory.current", "50\n"),
        ]);
        assert_eq!(read(root.path(), &groups("0::/pod/box\n")).memory, Some(Usage { limit: 100, used: 60 }));
        assert_eq!(groups("nonsense\n1:x\n"), Groups::default());
    }
}
