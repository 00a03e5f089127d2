//! The file of a recording: whole lines, whatever happens.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::FLUSH_EVERY;
use super::mend::{Mended, mend};
use crate::cli::{Error, Kind};

/// What becomes of a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    Refuse,
    Append,
    Replace,
}

/// Where lines go.
enum Target {
    Plain(File),
    Packed(Option<GzEncoder<File>>),
    Out(io::Stdout),
}

/// A recording that is being written.
pub(super) struct RecordingFile {
    target: Target,
    /// Bytes of whole lines that are in it.
    size: u64,
    /// When what is in the compressor was last written out.
    flushed: Instant,
    /// What was done to a compressed file before it could be appended to.
    mended: Option<Mended>,
}

impl RecordingFile {
    /// Opens a file, or standard output.
    pub(super) fn open(path: &Path, existing: Existing) -> Result<RecordingFile, Error> {
        if path.as_os_str() == "-" {
            let target = Target::Out(io::stdout());
            return Ok(RecordingFile { target, size: 0, flushed: Instant::now(), mended: None });
        }
        let is_packed = path.extension().is_some_and(|extension| extension == "gz");
        let mended = match existing {
            Existing::Append if is_packed => mend(path).map_err(|error| {
                let error = anyhow::Error::new(error).context(format!("cannot append to `{}`", path.display()));
                Error::new(Kind::Failure, error).with_hint("record to another file: nothing of this one was changed")
            })?,
            _ => None,
        };
        let mut options = OpenOptions::new();
        match existing {
            Existing::Refuse => options.write(true).create_new(true),
            Existing::Append => options.read(true).write(true).create(true),
            Existing::Replace => options.write(true).create(true).truncate(true),
        };
        let mut file = options.open(path).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                let message = format!("`{}` is there already", path.display());
                let hint = "go on in it with --append, or replace it with --force";
                return Error::message(Kind::Usage, message).with_hint(hint);
            }
            let error = anyhow::Error::new(error).context(format!("cannot write `{}`", path.display()));
            Error::new(Kind::Failure, error)
        })?;
        if existing == Existing::Append {
            end_line(&mut file, is_packed)?;
        }
        let size = file.metadata()?.len();
        let target = match is_packed {
            true => Target::Packed(Some(GzEncoder::new(file, Compression::default()))),
            false => Target::Plain(file),
        };
        Ok(RecordingFile { target, size, flushed: Instant::now(), mended })
    }

    /// What was done to a compressed file before it could be appended to, where it was not whole.
    pub(super) fn mended(&self) -> Option<&Mended> {
        self.mended.as_ref()
    }

    /// How many bytes it has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Writes whole lines. Where that fails, none of them is left in part.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match &mut self.target {
            Target::Out(out) => {
                out.write_all(lines)?;
                out.flush()?;
            }
            Target::Packed(packed) => {
                if let Some(packed) = packed {
                    packed.write_all(lines)?;
                }
                return if self.flushed.elapsed() >= FLUSH_EVERY { self.flush() } else { Ok(()) };
            }
            Target::Plain(file) => {
                if let Err(error) = file.write_all(lines) {
                    // A full disk takes the beginning of a line.
                    file.set_len(self.size).ok();
                    return Err(error);
                }
            }
        }
        self.size += lines.len() as u64;
        Ok(())
    }

    /// Writes out what the compressor holds.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Target::Packed(Some(packed)) = &mut self.target {
            packed.flush()?;
            self.flushed = Instant::now();
            self.size = packed.get_ref().metadata()?.len();
        }
        Ok(())
    }

    /// Ends it well.
    pub(super) fn close(&mut self) -> io::Result<()> {
        if let Target::Packed(packed) = &mut self.target
            && let Some(packed) = packed.take()
        {
            self.size = packed.finish()?.metadata()?.len();
        }
        Ok(())
    }
}

/// Goes to the end of a file. A line there that was cut off, as by a crash, is ended.
fn end_line(file: &mut File, is_packed: bool) -> io::Result<()> {
    let size = file.seek(SeekFrom::End(0))?;
    if size == 0 || is_packed {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    file.seek(SeekFrom::End(0))?;
    if last != *b"\n" { file.write_all(b"\n") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_there_is_refused_appended_to_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("day.jsonl");
        let write = |existing, lines: &[u8]| {
            let mut file = RecordingFile::open(&path, existing)?;
            file.write(lines)?;
            file.close()?;
            assert_eq!(file.size(), fs::metadata(&path).unwrap().len());
            Ok::<_, Error>(fs::read_to_string(&path).unwrap())
        };
        assert_eq!(write(Existing::Refuse, b"a\n").unwrap(), "a\n");
        let refused = write(Existing::Refuse, b"b\n").unwrap_err();
        assert!(refused.source.unwrap().to_string().ends_with("is there already"));
        assert_eq!(write(Existing::Append, b"b\n").unwrap(), "a\nb\n");
        fs::write(&path, "a\nhal").unwrap();
        assert_eq!(write(Existing::Append, b"b\n").unwrap(), "a\nhal\nb\n", "a cut off line is ended");
        assert_eq!(write(Existing::Replace, b"c\n").unwrap(), "c\n");
    }

    #[test]
    fn a_compressed_file_can_be_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("day.jsonl.gz");
        for (existing, lines) in [(Existing::Refuse, "a\n"), (Existing::Append, "b\n")] {
            let mut file = RecordingFile::open(&path, existing).unwrap();
            file.write(lines.as_bytes()).unwrap();
            file.flush().unwrap();
            file.close().unwrap();
        }
        let mut text = String::new();
        assert!(RecordingFile::open(&path, Existing::Append).unwrap().mended().is_none());
        flate2::read::MultiGzDecoder::new(File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\nb\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told() {
        let mut file = RecordingFile::open(Path::new("/dev/full"), Existing::Replace).unwrap();
        let error = file.write(b"a\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(file.close().is_ok());
    }
}
