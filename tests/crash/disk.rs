//! The disk under the daemon: `disk.c` steered from here, and what a power loss leaves of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::chance::Chance;

/// A word by which `disk.c` is steered, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Counts writes, changes of length and syncs.
    Operations,
    /// The daemon kills itself at this operation from now on; 0 for never.
    KillIn,
    /// After it, not before.
    KillAfter,
    /// Note what is changed and not synced.
    Journal,
    /// Nothing grows.
    Full,
    /// Milliseconds that each sync takes.
    SlowSync,
    /// So many syncs fail.
    FailSync,
    /// Counts syncs.
    Syncs,
}

const WORDS: usize = Word::Syncs as usize + 1;

/// A disk: all files below one folder, as long as the daemon is started with [`Disk::environment`].
pub(crate) struct Disk {
    root: PathBuf,
    dir: TempDir,
    control: File,
}

impl Disk {
    pub(crate) fn under(root: &Path) -> Disk {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        fs::write(&path, [0; WORDS * 8]).unwrap();
        let control = File::options().read(true).write(true).open(path).unwrap();
        Disk { root: root.canonicalize().unwrap(), dir, control }
    }

    /// What a process needs so that its disk is this one.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("LD_PRELOAD", library().into()),
            ("LARUM_DISK_ROOT", self.root.clone().into()),
            ("LARUM_DISK_CONTROL", self.dir.path().join("control").into()),
            ("LARUM_DISK_JOURNAL", self.journal().into()),
        ]
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    pub(crate) fn set(&self, word: Word, value: i64) {
        self.control.write_all_at(&value.to_ne_bytes(), word as u64 * 8).unwrap();
    }

    pub(crate) fn get(&self, word: Word) -> i64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, word as u64 * 8).unwrap();
        i64::from_ne_bytes(bytes)
    }

    /// Lets the daemon kill itself at the `n`-th operation from now on.
    pub(crate) fn kill_in(&self, n: usize, after: bool) {
        self.set(Word::KillAfter, i64::from(after));
        self.set(Word::KillIn, n as i64);
    }

    /// Takes what was written and not synced from the disk, or a part of it: what a power loss does. The daemon must be
    /// dead. Says in how many files something was lost.
    pub(crate) fn lose_power(&self, chance: &mut Chance) -> usize {
        let unsynced = unsynced(&fs::read(self.journal()).unwrap_or_default());
        fs::write(self.journal(), []).unwrap();
        let paths = files_below(&self.root);
        let mut n_lost = 0;
        for (file, Unsynced { created, changes }) in unsynced {
            let Some(path) = paths.get(&file).filter(|_| created || !changes.is_empty()) else { continue };
            if created && chance.one_in(2) {
                fs::remove_file(path).unwrap();
            } else {
                match chance.between(0, 3) {
                    0 => undo(path, &changes),
                    // What was written first has reached the disk.
                    1 => undo(path, &changes[chance.between(0, changes.len() + 1)..]),
                    _ => tear(path, &changes, chance),
                }
            }
            n_lost += 1;
        }
        n_lost
    }
}

/// The library, compiled once for all tests.
fn library() -> PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disk.so");
        let own = library.with_extension(format!("{}.so", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/disk.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]);
        let status = compiler.arg(&own).arg(source).arg("-ldl").status().expect("there is a C compiler");
        assert!(status.success(), "disk.c compiles");
        // Whoever has the old one loaded keeps it.
        fs::rename(own, &library).unwrap();
        library
    };
    LIBRARY.get_or_init(make).clone()
}

/// A change that can be undone: the bytes from `offset` on were these, and the file was so long.
#[derive(Debug)]
struct Change {
    offset: u64,
    old_size: u64,
    old: Vec<u8>,
}

#[derive(Debug, Default)]
struct Unsynced {
    created: bool,
    changes: Vec<Change>,
}

/// Reads the journal: what is not synced, by the number of the file. An entry that is not whole was not acted on.
fn unsynced(mut journal: &[u8]) -> BTreeMap<u64, Unsynced> {
    const ENTRY: usize = 5 * 8;
    let mut files: BTreeMap<u64, Unsynced> = BTreeMap::new();
    while let Some((entry, rest)) = journal.split_at_checked(ENTRY) {
        let word = |n: usize| u64::from_ne_bytes(entry[n * 8..][..8].try_into().expect("a word has 8 bytes"));
        let [kind, file, offset, old_size, old_len] = [0, 1, 2, 3, 4].map(word);
        let Some((old, rest)) = rest.split_at_checked(old_len as usize) else { break };
        match kind as u8 {
            b'C' => drop(files.insert(file, Unsynced { created: true, changes: Vec::new() })),
            b'W' => files.entry(file).or_default().changes.push(Change { offset, old_size, old: old.to_vec() }),
            _ => drop(files.remove(&file)),
        }
        journal = rest;
    }
    files
}

fn files_below(root: &Path) -> BTreeMap<u64, PathBuf> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let of = entry.metadata().unwrap();
            match of.is_dir() {
                true => folders.push(entry.path()),
                false => drop(files.insert(of.ino(), entry.path())),
            }
        }
    }
    files
}

fn undo(path: &Path, changes: &[Change]) {
    let file = File::options().write(true).open(path).unwrap();
    for change in changes.iter().rev() {
        file.set_len(change.old_size).unwrap();
        file.write_all_at(&change.old, change.offset).unwrap();
    }
}

/// Of each sector the disk has the old or the new state, in no order.
fn tear(path: &Path, changes: &[Change], chance: &mut Chance) {
    let new = fs::read(path).unwrap();
    undo(path, changes);
    let mut torn = fs::read(path).unwrap();
    let sector = chance.pick(&[512, 4096]);
    let old_len = torn.len();
    for start in (0..new.len()).step_by(sector) {
        let end = new.len().min(start + sector);
        if torn.get(start..end) != Some(&new[start..end]) && chance.one_in(2) {
            if torn.len() < end {
                torn.resize(end, 0);
            }
            torn[start..end].copy_from_slice(&new[start..end]);
        }
    }
    if new.len() < old_len && chance.one_in(2) {
        torn.truncate(new.len());
    }
    fs::write(path, torn).unwrap();
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    /// Runs Python with `a`, a new file on the disk, until it ends or is killed.
    fn run(disk: &Disk, script: &str) -> ExitStatus {
        let script = format!("import os\na = os.open('a', os.O_RDWR | os.O_CREAT)\n{script}");
        let mut python = Command::new("python3");
        python.args(["-c", &script]).envs(disk.environment()).current_dir(&disk.root);
        python.stderr(std::process::Stdio::null()).status().expect("there is a python3")
    }

    fn journalled() -> (TempDir, Disk) {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::under(root.path());
        disk.set(Word::Journal, 1);
        (root, disk)
    }

    #[test]
    fn a_power_loss_takes_only_what_was_not_synced() {
        let mut outcomes = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let (root, disk) = journalled();
            let script = "os.write(a, b'x' * 9000); os.fsync(a); os.pwrite(a, b'y' * 5000, 100)\n\
                          os.pwrite(a, b'z' * 10, 9000); os.ftruncate(a, 4000); os.abort()";
            assert!(!run(&disk, script).success());
            assert_eq!(fs::read(root.path().join("a")).unwrap().len(), 4000);
            assert_eq!(disk.lose_power(&mut Chance::of(seed, 0)), 1);
            let left = fs::read(root.path().join("a")).unwrap();
            assert!(left[..100].iter().all(|byte| *byte == b'x'), "what was synced stays");
            outcomes.insert(left);
        }
        let synced = vec![b'x'; 9000];
        assert!(outcomes.contains(&synced), "all of it may be lost");
        assert!(outcomes.len() >= 5, "or parts of it, in any order: {}", outcomes.len());
    }

    #[test]
    fn what_was_synced_or_removed_is_not_undone() {
        let (root, disk) = journalled();
        let script = "os.write(a, b'new'); os.fdatasync(a); b = os.open('b', os.O_RDWR | os.O_CREAT)\n\
                      os.write(b, b'x'); os.unlink('b'); os.rename('a', 'c')";
        assert!(run(&disk, script).success());
        assert_eq!(disk.lose_power(&mut Chance::of(1, 0)), 0);
        assert_eq!(fs::read(root.path().join("c")).unwrap(), b"new");
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_refuses_what_does_not() {
        let (root, disk) = journalled();
        fs::write(root.path().join("a"), "12345").unwrap();
        disk.set(Word::Full, 1);
        assert!(run(&disk, "os.pwrite(a, b'abcde', 0)").success());
        assert!(!run(&disk, "os.pwrite(a, b'abcde', 1)").success());
        assert!(!run(&disk, "os.ftruncate(a, 6)").success());
        assert_eq!(fs::read(root.path().join("a")).unwrap(), b"abcde");
    }

    #[test]
    fn a_process_dies_before_or_after_the_chosen_operation() {
        for (n, after, left) in [(1, false, ""), (1, true, "1"), (2, true, "1"), (3, false, "1"), (3, true, "12")] {
            let (root, disk) = journalled();
            disk.kill_in(n, after);
            assert!(!run(&disk, "os.write(a, b'1'); os.fsync(a); os.write(a, b'2'); os.fsync(a)").success());
            assert_eq!(fs::read_to_string(root.path().join("a")).unwrap(), left, "{n} {after}");
            assert_eq!(disk.get(Word::KillIn), 0);
        }
    }

    #[test]
    fn a_sync_fails_as_often_as_it_is_told() {
        let (_root, disk) = journalled();
        disk.set(Word::FailSync, 1);
        assert!(!run(&disk, "os.write(a, b'1'); os.fsync(a)").success());
        assert!(run(&disk, "os.write(a, b'1'); os.fsync(a)").success());
        assert_eq!((disk.get(Word::Syncs), disk.get(Word::Operations)), (2, 4));
    }
}
