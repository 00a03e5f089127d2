//! The data folder and the files in it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::error::OpenError;

/// Makes the data folder, where there is none, for this user alone.
pub(super) fn make(data_dir: &Path) -> Result<(), OpenError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data_dir).map_err(|source| OpenError::Folder { data_dir: data_dir.into(), source })
}

/// Makes a file that only this user may read. One that is there already is an error.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a rename in the folder of `file` outlast a power loss.
pub(super) fn sync(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Refuses a folder on a file system of another machine: the index of the log is shared memory, which that does not have,
/// and the lock is not seen by who runs elsewhere.
pub(super) fn refuse_network(data_dir: &Path) -> Result<(), OpenError> {
    #[cfg(target_os = "linux")]
    if let Ok(stat) = rustix::fs::statfs(data_dir)
        && let Some(kind) = network_file_system(stat.f_type as u32)
    {
        return Err(OpenError::Network { data_dir: data_dir.into(), kind });
    }
    Ok(())
}

/// The file systems of other machines, by their magic numbers as statfs(2) lists them. FUSE can be anything: it is not
/// among them.
#[cfg(target_os = "linux")]
const fn network_file_system(magic: u32) -> Option<&'static str> {
    match magic {
        0x6969 => Some("NFS"),
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => Some("SMB"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        _ => None,
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn nfs_and_smb_are_refused_and_local_disks_and_fuse_are_not() {
        assert_eq!(network_file_system(0x6969), Some("NFS"));
        assert_eq!(network_file_system(0xff53_4d42), Some("SMB"));
        for local in [0xef53, 0x9123_683e, 0x5846_5342, 0x0102_1994, 0x6573_5546, 0x794c_7630] {
            assert_eq!(network_file_system(local), None, "{local:x}");
        }
    }
}
