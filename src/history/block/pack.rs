//! A block as bytes.
//!
//! ```text
//! "LARUMH1\n", CRC-32 of the rest (little endian),
//! texts, inputs, number of subjects, for each its length in bytes and itself
//! ```
//! A subject: kind, name, number of rows; then as columns its inputs and its times less those of the inputs; the rows that
//! are gone; where labels change, and how; its fields.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::bytes::{Bytes, Damaged, Texts, put_bytes, put_whole, put_wholes};
use super::{Block, Column, Input, Rows};
use crate::history::Source;
use crate::model::{Labels, Now, SubjectKey, Time};

/// Inputs of a block and rows of a subject at most: a claim beyond is damage.
const MOST: usize = 1 << 24;

/// Values of a block at most: it is sealed after far fewer, and a few bytes can claim many equal ones.
const MOST_VALUES: usize = 1 << 26;

/// Takes what some values need from what is left for all.
fn claim(room: &mut usize, values: usize) -> Result<(), Damaged> {
    *room = room.checked_sub(values).ok_or(Damaged("it claims more values than a block has"))?;
    Ok(())
}

impl Block {
    /// What a packed block begins with; its checksum (CRC-32 of the rest) follows.
    pub const MAGIC: [u8; 8] = *b"LARUMH1\n";

    /// The block as bytes.
    pub fn pack(&self) -> Vec<u8> {
        let mut texts = Texts::default();
        let mut body = Vec::new();
        self.put_inputs(&mut texts, &mut body);
        put_whole(&mut body, self.subjects.len() as u64);
        let mut section = Vec::new();
        for (subject, rows) in &self.subjects {
            section.clear();
            self.put_subject(subject, rows, &mut texts, &mut section);
            put_bytes(&mut body, &section);
        }
        let mut packed = Block::MAGIC.to_vec();
        packed.extend_from_slice(&[0; 4]);
        texts.put(&mut packed);
        packed.append(&mut body);
        let checksum = crc32fast::hash(&packed[Block::MAGIC.len() + 4..]);
        packed[Block::MAGIC.len()..][..4].copy_from_slice(&checksum.to_le_bytes());
        packed
    }

    fn put_inputs(&self, texts: &mut Texts, out: &mut Vec<u8>) {
        put_whole(out, self.inputs.len() as u64);
        let mut column = |value: &mut dyn FnMut(&Input) -> i64| {
            put_wholes(out, &self.inputs.iter().map(value).collect::<Vec<_>>());
        };
        column(&mut |input| input.sequence as i64);
        column(&mut |input| input.now.time.as_micros());
        column(&mut |input| input.now.wall_offset);
        column(&mut |input| texts.number_of(&input.source.name) as i64);
        column(&mut |input| input.source.stale_after.as_micros() as i64);
        column(&mut |input| i64::from(input.is_lost));
    }

    fn put_subject(&self, subject: &SubjectKey, rows: &Rows, texts: &mut Texts, out: &mut Vec<u8>) {
        put_whole(out, texts.number_of(&subject.kind));
        put_whole(out, texts.number_of(&subject.name));
        put_whole(out, rows.times.len() as u64);
        put_wholes(out, &rows.inputs.iter().map(|input| i64::from(*input)).collect::<Vec<_>>());
        let ahead = rows.times.iter().zip(&rows.inputs);
        let ahead = ahead.map(|(time, input)| time.as_micros().wrapping_sub(self.arrival(*input)));
        put_wholes(out, &ahead.collect::<Vec<_>>());
        put_whole(out, rows.gone.len() as u64);
        rows.gone.iter().for_each(|row| put_whole(out, u64::from(*row)));
        put_whole(out, rows.labels.len() as u64);
        for (row, labels) in &rows.labels {
            put_whole(out, u64::from(*row));
            put_whole(out, labels.len() as u64);
            for (label, value) in labels {
                put_whole(out, texts.number_of(label));
                put_whole(out, texts.number_of(value));
            }
        }
        put_whole(out, rows.fields.len() as u64);
        for (field, column) in &rows.fields {
            put_whole(out, texts.number_of(field));
            column.put(rows.times.len(), texts, out);
        }
    }

    fn arrival(&self, input: u32) -> i64 {
        self.inputs.get(input as usize).map_or(0, |input| input.now.time.as_micros())
    }

    /// Reads a block, of its subjects those that are wanted.
    ///
    /// # Errors
    /// Where the bytes are not what was written.
    pub fn unpack(packed: &[u8], wanted: impl Fn(&str, &str) -> bool) -> Result<Block, Damaged> {
        let rest = packed.strip_prefix(&Block::MAGIC).ok_or(Damaged("it does not begin as a block does"))?;
        let mut bytes = Bytes(rest);
        let checksum = bytes.take(4)?;
        if crc32fast::hash(bytes.0).to_le_bytes() != checksum {
            return Err(Damaged("its checksum does not fit"));
        }
        let n_texts = bytes.count(bytes.0.len())?;
        let texts: Vec<Arc<str>> = (0..n_texts).map(|_| bytes.text()).collect::<Result<_, _>>()?;
        let mut room = MOST_VALUES;
        let mut block = Block { inputs: inputs(&mut bytes, &texts, &mut room)?, subjects: BTreeMap::new() };
        for _ in 0..bytes.whole()? {
            let length = bytes.count(bytes.0.len())?;
            let mut section = Bytes(bytes.take(length)?);
            let (kind, name) = (text(&mut section, &texts)?, text(&mut section, &texts)?);
            if wanted(&kind, &name) {
                let rows = block.subject(&mut section, &texts, &mut room)?;
                block.subjects.insert(SubjectKey { kind, name }, rows);
            }
        }
        Ok(block)
    }

    fn subject(&self, bytes: &mut Bytes<'_>, texts: &[Arc<str>], room: &mut usize) -> Result<Rows, Damaged> {
        let n_rows = bytes.count(MOST)?;
        claim(room, 2 * n_rows)?;
        let mut rows = Rows::default();
        let input = |input| u32::try_from(input).ok().filter(|input| (*input as usize) < self.inputs.len());
        let inputs: Option<Vec<u32>> = bytes.wholes(n_rows)?.into_iter().map(input).collect();
        rows.inputs = inputs.ok_or(Damaged("a row is of no input"))?;
        let ahead = bytes.wholes(n_rows)?.into_iter().zip(&rows.inputs);
        let times = ahead.map(|(ahead, input)| Time::from_micros(self.arrival(*input).wrapping_add(ahead)));
        rows.times = times.collect();
        for _ in 0..bytes.count(n_rows)? {
            rows.gone.push(bytes.count(n_rows)? as u32);
        }
        for _ in 0..bytes.count(n_rows)? {
            let row = bytes.count(n_rows)? as u32;
            let n_labels = bytes.count(bytes.0.len())?;
            let label = |_| Ok((text(bytes, texts)?, text(bytes, texts)?));
            rows.labels.push((row, (0..n_labels).map(label).collect::<Result<Labels, _>>()?));
        }
        for _ in 0..bytes.count(bytes.0.len())? {
            let field = text(bytes, texts)?;
            claim(room, n_rows)?;
            rows.fields.push((field, Column::read(bytes, n_rows, texts)?));
        }
        Ok(rows)
    }
}

fn text(bytes: &mut Bytes<'_>, texts: &[Arc<str>]) -> Result<Arc<str>, Damaged> {
    let text = usize::try_from(bytes.whole()?).ok().and_then(|number| texts.get(number));
    text.cloned().ok_or(Damaged("it lacks a text"))
}

fn inputs(bytes: &mut Bytes<'_>, texts: &[Arc<str>], room: &mut usize) -> Result<Vec<Input>, Damaged> {
    let count = bytes.count(MOST)?;
    claim(room, 6 * count)?;
    let [sequences, times, offsets, sources, stale_after, lost] = [(); 6].map(|()| bytes.wholes(count));
    let (sequences, times, offsets) = (sequences?, times?, offsets?);
    let (sources, stale_after, lost) = (sources?, stale_after?, lost?);
    let input = |place: usize| {
        let name = usize::try_from(sources[place]).ok().and_then(|number| texts.get(number));
        Ok(Input {
            sequence: sequences[place] as u64,
            now: Now { time: Time::from_micros(times[place]), wall_offset: offsets[place] },
            source: Source {
                name: name.cloned().ok_or(Damaged("it lacks a text"))?,
                stale_after: Duration::from_micros(stale_after[place] as u64),
            },
            is_lost: lost[place] != 0,
        })
    };
    (0..count).map(input).collect()
}
