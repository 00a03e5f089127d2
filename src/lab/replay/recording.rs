//! A recording as a stream of lines, read and parsed on a thread of its own, ahead of the engine.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};

use super::gzip::{Gzip, MAGIC};
use crate::history::Came;
use crate::model::wire::{RecordingReader, WireLimits, WireSnapshot};
use crate::model::{Snapshot, Time};

/// The longest line of a recording, in bytes: a longer one is broken.
const MAX_LINE: u64 = 16 << 20;
/// Lines that are handed over together.
const CHUNK: usize = 1024;
/// Chunks that are read ahead.
const AHEAD: usize = 16;
const BUFFER: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A line that is not empty.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: usize,
    /// The snapshot, or why there is none.
    pub(super) read: Result<WireSnapshot, String>,
}

/// Where lines come from. Gzip is inflated, whatever the name of the file.
pub struct Recording {
    origin: Origin,
    size: Option<u64>,
    n_read: Arc<AtomicU64>,
}

enum Origin {
    Text(Box<dyn Read + Send>),
    Inputs(Box<dyn Iterator<Item = Result<Came, String>> + Send>),
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Recording {
    /// A recording that comes from anywhere, such as standard input.
    pub fn of(reader: impl Read + Send + 'static) -> Recording {
        Recording { origin: Origin::Text(Box::new(reader)), size: None, n_read: Arc::default() }
    }

    /// What a store has of what came, or why it cannot be read. It has `size` bytes, and counts in `n_read` those that were
    /// read.
    pub fn of_inputs(
        inputs: impl Iterator<Item = Result<Came, String>> + Send + 'static,
        size: u64,
        n_read: Arc<AtomicU64>,
    ) -> Recording {
        Recording { origin: Origin::Inputs(Box::new(inputs)), size: Some(size), n_read }
    }

    /// A recording in a file.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Recording> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Recording { size, ..Recording::of(file) })
    }

    /// How many bytes it has as it lies on the disk, where that is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Counts the bytes that were read so far.
    pub fn position(&self) -> Arc<AtomicU64> {
        self.n_read.clone()
    }

    /// Begins to read.
    pub(super) fn lines(self, limits: WireLimits) -> io::Result<Receiver<io::Result<Vec<Line>>>> {
        let (sender, lines) = mpsc::sync_channel(AHEAD);
        // Whoever has heard enough drops the receiver. The thread then ends with its next chunk; it is not waited for,
        // as it may sit in a read of a pipe on which nothing comes.
        std::thread::Builder::new().name("larum-read".into()).spawn(move || {
            let Recording { origin, n_read, .. } = self;
            match origin {
                Origin::Text(reader) => {
                    if let Err(error) = read(Counted { inner: reader, n_read }, RecordingReader::new(limits), &sender) {
                        sender.send(Err(error)).ok();
                    }
                }
                Origin::Inputs(inputs) => hand_over(inputs, &sender),
            }
        })?;
        Ok(lines)
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    n_read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.inner.read(buffer)?;
        self.n_read.fetch_add(n_read as u64, Ordering::Relaxed);
        Ok(n_read)
    }
}

/// The text of a recording, and whether it is inflated. Of gzip that is cut off or damaged all text before the damage is
/// read, then [`io::ErrorKind::UnexpectedEof`] or [`io::ErrorKind::InvalidData`] comes.
///
/// # Errors
/// Where its beginning cannot be read.
pub fn open_text(reader: impl Read + Send + 'static) -> io::Result<(Box<dyn Read + Send>, bool)> {
    let mut packed = BufReader::with_capacity(BUFFER, reader);
    // A pipe may give one byte first; then it is text, for gzip is never written so.
    match packed.fill_buf()?.starts_with(&MAGIC) {
        true => Ok((Box::new(Gzip::new(packed)), true)),
        false => Ok((Box::new(packed), false)),
    }
}

/// Hands inputs over as lines: each snapshot is one.
fn hand_over(inputs: impl Iterator<Item = Result<Came, String>>, sender: &SyncSender<io::Result<Vec<Line>>>) {
    let (mut number, mut chunk) = (0, Vec::with_capacity(CHUNK));
    let mut add = |read, chunk: &mut Vec<Line>| {
        number += 1;
        chunk.push(Line { number, read });
    };
    for input in inputs {
        match input {
            Ok(Came { now, source, snapshots, .. }) => {
                for Snapshot { subject, time, labels, fields, gone } in snapshots {
                    let snapshot = WireSnapshot {
                        time: Some(now.wall_of(time)),
                        arrived: Some(now.wall()),
                        subject,
                        labels,
                        fields,
                        gone,
                        source: Some(source.name.clone()),
                        stale_after: Some(source.stale_after),
                    };
                    add(Ok(snapshot), &mut chunk);
                }
            }
            Err(reason) => add(Err(reason), &mut chunk),
        }
        if chunk.len() >= CHUNK && sender.send(Ok(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)))).is_err() {
            return;
        }
    }
    sender.send(Ok(chunk)).ok();
}

fn read(
    text: Counted<Box<dyn Read + Send>>,
    mut reader: RecordingReader,
    sender: &SyncSender<io::Result<Vec<Line>>>,
) -> io::Result<()> {
    let (text, is_packed) = open_text(text)?;
    let mut text = BufReader::with_capacity(BUFFER, text);
    let (mut line, mut number, mut chunk) = (Vec::new(), 0, Vec::with_capacity(CHUNK));
    loop {
        match read_line(&mut text, &mut line) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if is_packed => {
                // The writer was ended before it could close the file, or part of a copy is missing.
                if let Ok(last) = reader.read(&line) {
                    number += 1;
                    chunk.push(Line { number, read: Ok(last) });
                }
                let reason = format!("the compressed file is cut off or damaged here ({error}): the rest is not read");
                chunk.push(Line { number: number + 1, read: Err(reason) });
                break;
            }
            Err(error) => return Err(error),
        }
        number += 1;
        let mut bytes = line.as_slice();
        if number == 1 {
            // A byte order mark is an editor's habit and no part of the text.
            bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        }
        if !bytes.iter().all(u8::is_ascii_whitespace) {
            let read = match bytes.len() as u64 >= MAX_LINE {
                true => Err("the line is longer than 16 MiB".to_string()),
                false => {
                    reader.read(bytes).map_err(|reason| if is_cut_off(bytes) { CUT_OFF.to_string() } else { reason })
                }
            };
            chunk.push(Line { number, read });
        }
        // What came through a pipe is judged before the next is waited for.
        let must_wait = text.buffer().is_empty() && !chunk.is_empty();
        if (chunk.len() >= CHUNK || must_wait)
            && sender.send(Ok(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)))).is_err()
        {
            return Ok(());
        }
    }
    sender.send(Ok(chunk)).ok();
    Ok(())
}

const CUT_OFF: &str = "the line is cut off";

/// Whether it is the beginning of a last line, of which the rest was not written.
fn is_cut_off(line: &[u8]) -> bool {
    !line.ends_with(b"\n") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

/// Reads a line, of an overlong one only the beginning. Says whether there was one.
fn read_line(text: &mut BufReader<impl Read>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let n_read = text.by_ref().take(MAX_LINE).read_until(b'\n', line)?;
    if n_read as u64 == MAX_LINE && line.last() != Some(&b'\n') {
        text.skip_until(b'\n')?;
    }
    Ok(n_read > 0)
}

/// How much of a file's beginning and of its end is looked at for its first and its last time.
const LOOKED_AT: u64 = 256 << 10;

/// When the first and the last snapshot of a file came in. `None` where no line near its end is a snapshot.
///
/// # Errors
/// Where the file cannot be read.
pub fn span_of(path: &Path, limits: WireLimits) -> io::Result<Option<(Time, Time)>> {
    let mut file = File::open(path)?;
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    file.by_ref().take(LOOKED_AT).read_to_end(&mut head)?;
    if head.starts_with(&MAGIC) {
        head.clear();
        file.rewind()?;
        // Gzip has no end that could be read alone.
        let (mut text, _) = open_text(file)?;
        let mut buffer = vec![0; LOOKED_AT as usize];
        // What is cut off has an end too.
        while let Ok(n_read) = text.read(&mut buffer) {
            if n_read == 0 {
                break;
            }
            if head.is_empty() {
                head.extend_from_slice(&buffer[..n_read]);
            }
            tail.extend_from_slice(&buffer[..n_read]);
            let surplus = tail.len().saturating_sub(LOOKED_AT as usize);
            tail.drain(..surplus);
        }
    } else {
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(LOOKED_AT)))?;
        file.read_to_end(&mut tail)?;
    }
    let mut reader = RecordingReader::new(limits);
    let mut time = |line: &[u8]| reader.read(line).ok().and_then(|line| line.arrived.or(line.time));
    let last = tail.split(|byte| *byte == b'\n').filter_map(&mut time).max();
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&head);
    let first = head.split(|byte| *byte == b'\n').find_map(&mut time);
    Ok(last.map(|last| (first.unwrap_or(last), last)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn lines(bytes: impl AsRef<[u8]> + Send + 'static) -> Vec<(usize, Result<String, String>)> {
        let recording = Recording::of(io::Cursor::new(bytes));
        let chunks = recording.lines(WireLimits::default()).unwrap();
        let lines = chunks.iter().flat_map(Result::unwrap);
        lines.map(|line| (line.number, line.read.map(|snapshot| snapshot.subject.name.to_string()))).collect()
    }

    fn line(name: &str) -> String {
        format!("{{\"time\":1,\"kind\":\"s\",\"name\":\"{name}\",\"fields\":{{}}}}")
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn empty_lines_count_and_the_last_needs_no_end() {
        let text = format!("\u{feff}{}\r\n\n  \n{}\n{}", line("a"), line("b"), line("c"));
        let named = |number: usize, name: &str| (number, Ok(name.to_string()));
        assert_eq!(lines(text.clone()), [named(1, "a"), named(4, "b"), named(5, "c")]);
        assert_eq!(lines(packed(&text)), [named(1, "a"), named(4, "b"), named(5, "c")]);
        assert_eq!(lines(""), []);
        let cut = |end: &str| lines(format!("{}\n{end}", line("a"))).pop().unwrap().1.unwrap_err();
        assert_eq!(cut(&line("b")[..20]), "the line is cut off");
        assert_ne!(cut("{\"time\":\n"), "the line is cut off");
        assert_ne!(cut("oops"), "the line is cut off");
    }

    #[test]
    fn many_lines_keep_their_numbers_and_order() {
        let text: String =
            (0..5000).map(|n| if n % 7 == 0 { "oops\n".into() } else { line(&n.to_string()) + "\n" }).collect();
        let read = lines(text);
        assert_eq!(read.len(), 5000);
        for (index, (number, line)) in read.iter().enumerate() {
            assert_eq!(*number, index + 1);
            assert_eq!(line.as_ref().ok().cloned(), (index % 7 != 0).then(|| index.to_string()));
        }
    }

    #[test]
    fn gzip_that_is_cut_off_gives_what_it_has_and_says_so() {
        let text: String = (0..2000).map(|n| line(&format!("{}", n * 7919 % 2003)) + "\n").collect();
        let whole = packed(&text);
        let read = lines(whole[..whole.len() / 2].to_vec());
        assert!(read.len() > 10 && read.len() < 2000, "{}", read.len());
        let (bad, good): (Vec<_>, Vec<_>) = read.iter().partition(|(_, line)| line.is_err());
        assert!(bad.len() <= 2 && good.len() > 10, "at most half a line and the cut");
        let reason = bad.last().unwrap().1.as_ref().unwrap_err();
        assert!(reason.starts_with("the compressed file is cut off or damaged here"), "{reason}");
        // Two recordings one behind the other are one.
        let open = {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(format!("{}\n{}\n{}", line("a"), line("b"), line("c")).as_bytes()).unwrap();
            gzip.flush().unwrap();
            gzip.get_ref().clone()
        };
        let read = lines([open, packed(&line("d"))].concat());
        assert_eq!(
            read.iter().map(|(number, line)| (*number, line.is_ok())).collect::<Vec<_>>(),
            [(1, true), (2, true), (3, true), (4, false)]
        );
        let twice = [packed(&(line("a") + "\n")), packed(&line("b"))].concat();
        assert_eq!(lines(twice).len(), 2);
    }

    #[test]
    fn an_overlong_line_is_broken_and_the_next_is_read() {
        let text = format!("{}\n{}\n", "x".repeat(MAX_LINE as usize + 5), line("a"));
        let read = lines(text);
        assert_eq!(read[0], (1, Err("the line is longer than 16 MiB".to_string())));
        assert_eq!(read[1].0, 2);
    }

    #[test]
    fn the_span_of_a_file_is_its_first_and_its_newest_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("day.jsonl");
        let text = (0..5000).map(|n| format!("{{\"time\":{n},\"kind\":\"s\",\"name\":\"a\",\"fields\":{{}}}}\n"));
        let text = "\u{feff}".to_string()
            + &text.collect::<String>()
            + "{\"time\":7,\"kind\":\"s\",\"name\":\"a\",\"fields\":{}}\n{\"time\":9";
        for bytes in [text.clone().into_bytes(), packed(&text)] {
            std::fs::write(&path, bytes).unwrap();
            let last = Time::from_micros(4_999_000_000);
            assert_eq!(span_of(&path, WireLimits::default()).unwrap(), Some((Time::EPOCH, last)));
        }
        std::fs::write(&path, "").unwrap();
        assert_eq!(span_of(&path, WireLimits::default()).unwrap(), None);
    }
}
