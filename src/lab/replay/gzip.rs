//! Gzip that may be cut off or damaged: all that can be inflated before the damage is handed out, then the damage is told.

use std::io::{self, BufRead, Read};

use flate2::{Crc, Decompress, FlushDecompress};

/// What a member begins with. No line of JSON does.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The only method that there is.
const DEFLATE: u8 = 8;
/// Inflated at once. What an error comes with is lost where there is no room for it, so there always is: a byte
/// inflates to 1032 at most, and few bytes are taken at once.
const ROOM: usize = 1 << 20;
const TAKEN: usize = 960;

/// The text of one or more members, one behind the other.
pub(super) struct Gzip<R> {
    packed: R,
    inflate: Decompress,
    /// Of the member so far.
    crc: Crc,
    place: Place,
    text: Box<[u8]>,
    /// What of `text` was not handed out yet.
    start: usize,
    end: usize,
    /// What comes when all was handed out.
    damage: Option<io::Error>,
}

/// Where in the file it reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Head,
    Body,
    Foot,
    Over,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(packed: R) -> Gzip<R> {
        Gzip {
            packed,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            place: Place::Head,
            text: vec![0; ROOM].into(),
            start: 0,
            end: 0,
            damage: None,
        }
    }

    /// Goes on until there is text, or all is over.
    fn proceed(&mut self) -> io::Result<()> {
        while self.start == self.end && self.place != Place::Over {
            self.place = match self.place {
                // What stands behind the last member is the end of the file.
                Place::Head if self.packed.fill_buf()?.is_empty() => Place::Over,
                Place::Head => self.head().map(|()| Place::Body)?,
                Place::Body => self.body()?,
                Place::Foot => self.foot().map(|()| Place::Head)?,
                Place::Over => Place::Over,
            };
        }
        Ok(())
    }

    fn head(&mut self) -> io::Result<()> {
        let [first, second, method, flags, _, _, _, _, _, _] = self.take::<10>()?;
        if [first, second] != MAGIC || method != DEFLATE {
            return Err(damaged("what follows is no gzip"));
        }
        if flags & 0x04 != 0 {
            for _ in 0..u16::from_le_bytes(self.take()?) {
                self.take::<1>()?;
            }
        }
        // A name, a comment.
        for flag in [0x08, 0x10] {
            while flags & flag != 0 && self.take::<1>()? != [0] {}
        }
        if flags & 0x02 != 0 {
            self.take::<2>()?;
        }
        Ok(())
    }

    fn body(&mut self) -> io::Result<Place> {
        let packed = self.packed.fill_buf()?;
        if packed.is_empty() {
            return Err(cut_off());
        }
        let (n_in, n_out) = (self.inflate.total_in(), self.inflate.total_out());
        let packed = &packed[..packed.len().min(TAKEN)];
        let inflated = self.inflate.decompress(packed, &mut self.text, FlushDecompress::None);
        let n_in = (self.inflate.total_in() - n_in) as usize;
        (self.start, self.end) = (0, (self.inflate.total_out() - n_out) as usize);
        self.packed.consume(n_in);
        self.crc.update(&self.text[..self.end]);
        match inflated {
            Ok(flate2::Status::StreamEnd) => Ok(Place::Foot),
            Ok(_) if n_in > 0 || self.end > 0 => Ok(Place::Body),
            Ok(_) | Err(_) => Err(damaged("it does not go on as gzip")),
        }
    }

    fn foot(&mut self) -> io::Result<()> {
        let (sum, amount) = (u32::from_le_bytes(self.take()?), u32::from_le_bytes(self.take()?));
        let is_whole = (sum, amount) == (self.crc.sum(), self.crc.amount());
        self.inflate.reset(false);
        self.crc.reset();
        if is_whole { Ok(()) } else { Err(damaged("the checksum of what was read until here is wrong")) }
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.packed.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut_off(),
            _ => error,
        })?;
        Ok(bytes)
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            if let Some(damage) = self.damage.take() {
                return Err(damage);
            }
            if let Err(damage) = self.proceed() {
                self.place = Place::Over;
                if self.start == self.end {
                    return Err(damage);
                }
                self.damage = Some(damage);
            }
        }
        let n_read = (self.end - self.start).min(buffer.len());
        buffer[..n_read].copy_from_slice(&self.text[self.start..self.start + n_read]);
        self.start += n_read;
        Ok(n_read)
    }
}

/// The writer was ended before it could close the file, or the end of a copy is missing.
fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "its end is missing")
}

fn damaged(how: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, how)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::GzEncoder;
    use flate2::{Compression, GzBuilder};

    use super::*;

    fn member(text: &str) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    /// As the file of a writer that was killed: all is flushed, and there is no end.
    fn open_member(text: &str) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.flush().unwrap();
        gzip.get_ref().clone()
    }

    /// The text, and the damage after it.
    fn read(packed: &[u8]) -> (String, Option<io::ErrorKind>) {
        let mut text = Vec::new();
        let damage = Gzip::new(packed).read_to_end(&mut text).err();
        (String::from_utf8(text).unwrap(), damage.map(|damage| damage.kind()))
    }

    #[test]
    fn what_was_inflated_before_the_damage_is_handed_out() {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        let text: String = (0..9000).map(|n| format!("line {}\n", n * 7919 % 9001)).collect();
        let (whole, open) = (member(&text), open_member(&text));
        assert_eq!(read(&whole), (text.clone(), None));
        assert_eq!(read(&[member("a\n"), member(""), member("b\n")].concat()), ("a\nb\n".into(), None));
        assert_eq!(read(&open), (text.clone(), Some(UnexpectedEof)));
        assert_eq!(read(&[&open, &*member("b\n")].concat()), (text.clone(), Some(InvalidData)), "wrongly appended");
        assert_eq!(read(&[&open_member("a\n"), &*member("b\n")].concat()), ("a\n".into(), Some(InvalidData)));
        assert_eq!(read(&[&*whole, b"{}\n0123456789"].concat()), (text.clone(), Some(InvalidData)));
        assert_eq!(read(&whole[..whole.len() - 3]), (text.clone(), Some(UnexpectedEof)));
        let mut other = whole.clone();
        other[whole.len() - 5] ^= 1;
        assert_eq!(read(&other), (text.clone(), Some(InvalidData)), "a wrong checksum");
        let (half, damage) = read(&whole[..whole.len() / 2]);
        assert!(text.starts_with(&half) && half.len() > text.len() / 3 && damage == Some(UnexpectedEof));
    }

    #[test]
    fn what_inflates_to_very_much_is_read_whole() {
        let text = "\n".repeat(5 << 20);
        assert_eq!(read(&[&open_member(&text), &*member("b\n")].concat()).0.len(), text.len());
    }

    #[test]
    fn a_head_may_have_a_name_a_comment_and_more() {
        let builder = GzBuilder::new().filename("day.jsonl").comment("a day").extra(vec![1, 2, 3]);
        let mut gzip = builder.write(Vec::new(), Compression::fast());
        gzip.write_all(b"a\n").unwrap();
        assert_eq!(read(&gzip.finish().unwrap()), ("a\n".into(), None));
    }
}
