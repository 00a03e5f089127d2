//! What surrounds the files: environment variables and other files, as `${env:NAME}` and `${file:path}` read them.
//!
//! The only place of `config` that touches the process. Everything else takes a [`Surroundings`] as an argument.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that `${file:path}` reads.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Where values that are not in the file come from.
pub trait Surroundings {
    /// The value of an environment variable; `None` where it is not set.
    fn env(&self, name: &str) -> Option<String>;

    /// The content of a file, without one line break at its end.
    ///
    /// # Errors
    /// Why it cannot be read, in words that complete "cannot read `path`: ..".
    fn file(&self, path: &str) -> Result<String, String>;
}

/// The environment of this process, and files relative to the project folder.
#[derive(Clone, Debug)]
pub struct Process {
    folder: PathBuf,
}

impl Process {
    /// Relative paths are relative to `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Process {
        Process { folder: folder.into() }
    }
}

impl Surroundings for Process {
    fn env(&self, name: &str) -> Option<String> {
        // A value that is not UTF-8 is of no use to any receiver: the same as not set.
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        read_small(&self.folder.join(Path::new(path)))
    }
}

fn read_small(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        // A pipe or a device could block for ever.
        return Err("it is not a regular file".to_string());
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("it is larger than 64 KiB".to_string());
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_string())?;
    Ok(without_line_break(text))
}

/// Editors and `echo` end a file with a line break, which is no part of a password.
fn without_line_break(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// Surroundings that are given as maps: for tests, and for texts that may read nothing.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Files by their path.
    pub files: BTreeMap<String, String>,
}

impl Fixed {
    /// Surroundings with these environment variables, and no files.
    pub fn env<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Fixed {
        let env = pairs.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Fixed { env, files: BTreeMap::new() }
    }
}

impl Surroundings for Fixed {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.files.get(path).cloned().map(without_line_break).ok_or_else(|| "no such file".to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_without_its_last_line_break() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), "abc\n").unwrap();
        fs::write(folder.path().join("dos"), "a\nb\r\n").unwrap();
        let process = Process::new(folder.path());
        assert_eq!(process.file("token"), Ok("abc".to_string()));
        assert_eq!(process.file("dos"), Ok("a\nb".to_string()));
    }

    #[test]
    fn what_is_no_small_text_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("large"), vec![b'x'; 65 << 10]).unwrap();
        fs::write(folder.path().join("binary"), [0xff, 0xfe]).unwrap();
        let process = Process::new(folder.path());
        assert_eq!(process.file("large"), Err("it is larger than 64 KiB".to_string()));
        assert_eq!(process.file("binary"), Err("it is not UTF-8 text".to_string()));
        assert_eq!(process.file("."), Err("it is not a regular file".to_string()));
        assert!(process.file("missing").is_err());
        assert_eq!(process.env("LARUM_TEST_NEVER_SET"), None);
    }
}
