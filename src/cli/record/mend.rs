//! A compressed recording that is to be appended to, and has no end: that of a recorder that was killed.
//!
//! A new member behind a stream that is still open makes everything behind it unreadable. So what is readable is packed
//! anew first, into a file beside it that takes its place when it is whole and on the disk.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::lab::replay::open_text;

const BUFFER: usize = 256 << 10;

/// What was wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing but that its last line has no end.
    LineOpen,
    CutOff,
    /// Something stands behind the damage.
    Damaged,
    /// It is plain text.
    Plain,
}

/// A file that was packed anew.
#[derive(Debug)]
pub(super) struct Mended {
    state: State,
    /// Lines that it has now.
    n_lines: u64,
    /// Where the file is as it was, if anything of it could not be read.
    kept: Option<PathBuf>,
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.state {
            State::LineOpen => "its last line had no end",
            State::CutOff => "its end was missing, as after a crash",
            State::Damaged => "it was damaged",
            State::Plain => "it was not compressed",
        };
        let lines = if self.n_lines == 1 { "its readable line was" } else { "readable lines were" };
        match self.n_lines {
            1 => write!(f, "{what}: {lines} packed anew")?,
            count => write!(f, "{what}: its {count} {lines} packed anew")?,
        }
        match &self.kept {
            Some(kept) => write!(f, "; the file as it was is `{}`", kept.display()),
            None => Ok(()),
        }
    }
}

/// Makes a compressed file whole, so that another member can follow. `None` where it is, or where there is none.
pub(super) fn mend(path: &Path) -> io::Result<Option<Mended>> {
    // What a link leads to is replaced, and not the link.
    let path = &match fs::canonicalize(path) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(None);
    }
    let Some(state) = state(path)? else { return Ok(None) };
    let beside = beside(path, "new");
    let packed = pack(path, &beside).and_then(|n_lines| {
        fs::set_permissions(&beside, metadata.permissions())?;
        let kept = if state == State::Damaged { Some(keep(path)?) } else { None };
        fs::rename(&beside, path)?;
        if let Some(folder) = path.parent() {
            // Not every system can; the file itself is safe.
            File::open(folder).and_then(|folder| folder.sync_all()).ok();
        }
        Ok(Mended { state, n_lines, kept })
    });
    if packed.is_err() {
        fs::remove_file(&beside).ok();
    }
    packed.map(Some)
}

/// What is wrong with a file, read to its end.
fn state(path: &Path) -> io::Result<Option<State>> {
    let mut last = b'\n';
    let (damage, is_packed) = each_piece(path, |piece| {
        last = piece.last().copied().unwrap_or(last);
        Ok(())
    })?;
    Ok(match damage {
        Some(io::ErrorKind::UnexpectedEof) => Some(State::CutOff),
        Some(_) => Some(State::Damaged),
        None if !is_packed => Some(State::Plain),
        None => (last != b'\n').then_some(State::LineOpen),
    })
}

/// Packs what is readable, but for half a line at the end. Gives the number of lines.
fn pack(path: &Path, to: &Path) -> io::Result<u64> {
    let mut gzip = GzEncoder::new(BufWriter::new(File::create(to)?), Compression::default());
    let (mut n_lines, mut rest) = (0, Vec::new());
    each_piece(path, |piece| {
        let Some(end) = piece.iter().rposition(|byte| *byte == b'\n') else {
            rest.extend_from_slice(piece);
            return Ok(());
        };
        n_lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        gzip.write_all(&rest)?;
        gzip.write_all(&piece[..=end])?;
        rest = piece[end + 1..].to_vec();
        Ok(())
    })?;
    // The last line may lack its end alone.
    if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&rest).is_ok() {
        n_lines += 1;
        rest.push(b'\n');
        gzip.write_all(&rest)?;
    }
    gzip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(n_lines)
}

/// Reads the text of a file. Gives how it is damaged, and whether it is compressed.
fn each_piece(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<(Option<io::ErrorKind>, bool)> {
    let (mut text, is_packed) = open_text(File::open(path)?)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match text.read(&mut buffer) {
            Ok(0) => return Ok((None, is_packed)),
            Ok(n_read) => take(&buffer[..n_read])?,
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                kind @ (io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => {
                    return Ok((Some(kind), is_packed));
                }
                _ => return Err(error),
            },
        }
    }
}

/// Keeps a file under another name, which nothing has yet, until another takes its place.
fn keep(path: &Path) -> io::Result<PathBuf> {
    let names = std::iter::once("damaged".to_string()).chain((2..100).map(|n| format!("damaged.{n}")));
    let mut refused = None;
    for kept in names.map(|name| beside(path, &name)) {
        match fs::hard_link(path, &kept) {
            Ok(()) => return Ok(kept),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refused = Some(error),
            // Not every file system has links.
            Err(_) if !kept.exists() => return fs::copy(path, &kept).map(|_| kept),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| io::ErrorKind::AlreadyExists.into()))
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{what}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "{\"a\":1}\n{\"a\":2}\n";

    /// A member, with its end or without.
    fn member(text: &str, is_closed: bool) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.flush().unwrap();
        if is_closed { gzip.finish().unwrap() } else { gzip.get_ref().clone() }
    }

    fn text(path: &Path) -> String {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_file_that_is_not_whole_is_packed_anew_with_all_its_lines() {
        let half = format!("{LINES}{{\"a\"");
        let no_end = format!("{LINES}{{\"a\":3}}");
        let three = format!("{no_end}\n");
        let wrong = [member(LINES, false), member(LINES, true)].concat();
        let closed_and_open = [member(LINES, true), member("{\"a\":3}\n", false)].concat();
        type Case<'a> = (Vec<u8>, Option<(&'a str, &'a str)>);
        let cases: [Case<'_>; 9] = [
            (Vec::new(), None),
            (member(LINES, true), None),
            (member(LINES, false), Some((LINES, "its end was missing, as after a crash: its 2 readable lines"))),
            (member(&half, false), Some((LINES, "its end was missing"))),
            (member(&no_end, false), Some((&three, "its end was missing, as after a crash: its 3 readable lines"))),
            (member(&no_end, true), Some((&three, "its last line had no end: its 3"))),
            (closed_and_open, Some((&three, "its end was missing"))),
            (LINES.into(), Some((LINES, "it was not compressed: its 2 readable lines were packed anew"))),
            (
                wrong.clone(),
                Some((LINES, "it was damaged: its 2 readable lines were packed anew; the file as it was is")),
            ),
        ];
        for (bytes, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("day.jsonl.gz");
            fs::write(&path, &bytes).unwrap();
            let mended = mend(&path).unwrap();
            let Some((lines, says)) = expected else {
                assert!(mended.is_none() && fs::read(&path).unwrap() == bytes);
                continue;
            };
            let said = mended.unwrap().to_string();
            assert!(said.starts_with(says), "{said}");
            assert_eq!(text(&path), lines, "{says}");
            assert!(mend(&path).unwrap().is_none(), "it is whole then");
            let others = fs::read_dir(folder.path()).unwrap().count() - 1;
            assert_eq!(others, usize::from(bytes == wrong));
            if bytes == wrong {
                assert_eq!(fs::read(folder.path().join("day.jsonl.gz.damaged")).unwrap(), wrong);
            }
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_no_problem_and_a_damaged_one_is_kept_under_a_free_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("day.jsonl.gz");
        assert!(mend(&path).unwrap().is_none());
        fs::write(folder.path().join("day.jsonl.gz.damaged"), "of another day").unwrap();
        fs::write(&path, [member(LINES, false), member(LINES, true)].concat()).unwrap();
        let said = mend(&path).unwrap().unwrap().to_string();
        assert!(said.ends_with("day.jsonl.gz.damaged.2`"), "{said}");
    }
}
