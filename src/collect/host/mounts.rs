//! Which mounts are disks that a person watches. Pure. Format: proc_pid_mountinfo(5).

use std::collections::BTreeMap;

/// One line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// `major:minor` of the device: the same for all mounts of one file system.
    pub(super) device_id: String,
    /// The directory of the file system that is mounted: `/`, or another for bind mounts.
    pub(super) root: String,
    /// Where it is mounted.
    pub(super) mount_point: String,
    /// `ext4`, `nfs4`.
    pub(super) fstype: String,
    /// `/dev/sda1`, `server:/export`.
    pub(super) source: String,
}

/// File systems of a local disk whose source is no path under `/dev`.
const WITHOUT_DEVICE: [&str; 3] = ["zfs", "btrfs", "bcachefs"];

/// File systems of another machine; those of a program (`fuse.sshfs`) are not listed.
const REMOTE: [&str; 9] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p", "virtiofs", "lustre"];

/// Images that are full by design: a person must never be woken because they are.
const ALWAYS_FULL: [&str; 4] = ["squashfs", "iso9660", "erofs", "udf"];

/// Files that container runtimes mount from the host's disk into every container.
const MOUNTED_FILES: [&str; 4] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log"];

impl Mount {
    /// Whether asking for its size may wait for another machine, or for a program.
    pub(super) fn may_hang(&self) -> bool {
        REMOTE.contains(&self.fstype.as_str()) || self.fstype.starts_with("fuse.")
    }

    fn is_real(&self) -> bool {
        if ALWAYS_FULL.contains(&self.fstype.as_str()) || MOUNTED_FILES.contains(&self.mount_point.as_str()) {
            return false;
        }
        // The root of a container is an overlay; overlays elsewhere are other containers' roots on the host.
        let container_root = self.fstype == "overlay" && self.mount_point == "/";
        self.source.starts_with("/dev/")
            || WITHOUT_DEVICE.contains(&self.fstype.as_str())
            || self.may_hang()
            || container_root
    }
}

/// Reads `/proc/self/mountinfo`. Lines that do not look as expected are left out.
pub(super) fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(2);
    let mut right = right.split(' ');
    Some(Mount {
        device_id: left.next()?.to_string(),
        root: unescape(left.next()?),
        mount_point: unescape(left.next()?),
        fstype: right.next()?.to_string(),
        source: unescape(right.next()?),
    })
}

/// Undoes the octal escapes of space, tab, newline and backslash.
fn unescape(text: &str) -> String {
    let mut plain = text.to_string();
    for (escape, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(escape, character);
    }
    plain
}

/// The mounts to watch, one per file system, in the order of their mount points.
///
/// Of several mounts of one file system the one of its whole tree counts, then the shortest path: `/`, not a bind mount.
/// Of several that hide each other at one place, the last is the one that is seen.
pub(super) fn real(mounts: Vec<Mount>) -> Vec<Mount> {
    let mut by_place: BTreeMap<String, Mount> = BTreeMap::new();
    for mount in mounts {
        by_place.insert(mount.mount_point.clone(), mount);
    }
    let mut by_device: BTreeMap<String, Mount> = BTreeMap::new();
    for mount in by_place.into_values().filter(Mount::is_real) {
        // Subvolumes of btrfs each have a device number of their own, but one source.
        let device = if mount.fstype == "btrfs" { mount.source.clone() } else { mount.device_id.clone() };
        let rank = |mount: &Mount| (mount.root != "/", mount.mount_point.len(), mount.mount_point.clone());
        match by_device.get(&device) {
            Some(known) if rank(known) <= rank(&mount) => {}
            Some(_) | None => {
                by_device.insert(device, mount);
            }
        }
    }
    let mut real: Vec<Mount> = by_device.into_values().collect();
    real.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
    real
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
23 22 0:20 / /proc rw - proc proc rw
24 22 0:21 / /dev/shm rw - tmpfs tmpfs rw
25 22 254:0 /var/lib/data /mnt/bind rw shared:1 - ext4 /dev/vda rw
26 22 254:1 / /srv/my\040disk rw - xfs /dev/vdb rw
27 22 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
28 22 0:40 / /mnt/nfs rw - nfs4 server:/export rw
29 22 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
30 22 0:60 /@ /pool rw - btrfs /dev/vdc rw
31 22 0:61 /@home /pool/home rw - btrfs /dev/vdc rw
32 22 254:3 / /old rw - ext4 /dev/vdd rw
33 22 254:4 / /old rw - ext4 /dev/vde rw
";

    #[test]
    fn real_mounts_are_named_once_per_device() {
        let seen: Vec<(String, String)> =
            real(parse(TEXT)).into_iter().map(|mount| (mount.mount_point, mount.source)).collect();
        let expected = [
            ("/", "/dev/vda"),
            ("/mnt/nfs", "server:/export"),
            ("/old", "/dev/vde"),
            ("/pool", "/dev/vdc"),
            ("/srv/my disk", "/dev/vdb"),
        ];
        assert_eq!(seen, expected.map(|(place, source)| (place.to_string(), source.to_string())));
    }

    #[test]
    fn in_a_container_the_root_overlay_is_a_disk_and_mounted_files_are_not() {
        let text = "1 0 0:90 / / rw - overlay overlay rw\n2 1 8:1 /docker/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n\
                    3 1 8:1 /volumes/db /data rw - ext4 /dev/sda1 rw\nnonsense\n";
        let seen: Vec<String> = real(parse(text)).into_iter().map(|mount| mount.mount_point).collect();
        assert_eq!(seen, ["/", "/data"]);
    }

    #[test]
    fn only_what_another_machine_or_a_program_answers_for_may_hang() {
        let text = format!("{TEXT}40 22 0:70 / /run/portal rw - fuse.portal /dev/fuse rw\n");
        let hanging: Vec<String> =
            real(parse(&text)).into_iter().filter(Mount::may_hang).map(|mount| mount.mount_point).collect();
        assert_eq!(hanging, ["/mnt/nfs", "/run/portal"]);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_file_system_is_counted_twice(
            lines in proptest::collection::vec("[0-9]{1,2} [0-9]{1,2} 8:[0-3] /[ab]? /[abc]{0,2} rw - (ext4|nfs4|proc|btrfs) (/dev/sd[ab]|x)", 0..12),
            noise in "[ a-z0-9:/\\\\-]{0,60}",
        ) {
            let real = real(parse(&format!("{}\n{noise}", lines.join("\n"))));
            let places: Vec<&str> = real.iter().map(|mount| mount.mount_point.as_str()).collect();
            prop_assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
            let mut devices: Vec<&str> =
                real.iter().map(|mount| if mount.fstype == "btrfs" { &*mount.source } else { &*mount.device_id }).collect();
            devices.sort_unstable();
            prop_assert!(devices.is_sorted_by(|a, b| a < b), "{devices:?}");
        }
    }
}
