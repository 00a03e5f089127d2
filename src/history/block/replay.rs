//! Blocks as the inputs that they were.

use std::collections::BTreeMap;

use super::Block;
use crate::history::Source;
use crate::model::{Now, Snapshot};

/// An input as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Came {
    /// The step that took it.
    pub sequence: u64,
    /// When it came.
    pub now: Now,
    /// Who made it.
    pub source: Source,
    /// What was taken of it, by subject and time.
    pub snapshots: Vec<Snapshot>,
    /// What was taken of it could not be stored, and is missing.
    pub is_lost: bool,
}

/// The inputs of some blocks in the order in which they came. Blocks may be parts of one with different subjects.
pub fn in_order(blocks: Vec<Block>) -> impl Iterator<Item = Came> {
    let mut order: BTreeMap<u64, Vec<(usize, u32)>> = BTreeMap::new();
    for (place, block) in blocks.iter().enumerate() {
        for (number, input) in block.inputs.iter().enumerate() {
            order.entry(input.sequence).or_default().push((place, number as u32));
        }
    }
    // What is next of each subject, by the input that has it.
    let mut rows: Vec<Vec<(u32, u32, u32)>> = blocks.iter().map(rows_by_input).collect();
    rows.iter_mut().for_each(|rows| rows.reverse());
    let subjects = |block: Block| (block.inputs, block.subjects.into_iter().collect::<Vec<_>>());
    let blocks: Vec<_> = blocks.into_iter().map(subjects).collect();
    order.into_iter().filter_map(move |(sequence, parts)| {
        let (place, number) = *parts.first()?;
        let input = blocks[place].0.get(number as usize)?;
        let mut snapshots = Vec::new();
        for (place, number) in parts {
            while let Some((_, subject, row)) = rows[place].pop_if(|(input, ..)| *input == number) {
                let (key, of_subject) = &blocks[place].1[subject as usize];
                let row = row as usize;
                let gone = of_subject.gone.binary_search(&(row as u32)).is_ok();
                let labels = if gone { None } else { of_subject.labels_of(row) };
                let fields = of_subject.fields.iter().filter(|_| !gone);
                snapshots.push(Snapshot {
                    subject: key.clone(),
                    time: of_subject.times[row],
                    labels: labels.cloned().unwrap_or_default(),
                    fields: fields.filter_map(|(name, column)| Some((name.clone(), column.get(row)?))).collect(),
                    gone,
                });
            }
        }
        Some(Came { sequence, now: input.now, source: input.source.clone(), snapshots, is_lost: input.is_lost })
    })
}

/// (input, subject, row) in order.
fn rows_by_input(block: &Block) -> Vec<(u32, u32, u32)> {
    let mut rows = Vec::new();
    for (subject, of_subject) in block.subjects.values().enumerate() {
        let inputs = of_subject.inputs.iter().enumerate();
        rows.extend(inputs.map(|(row, input)| (*input, subject as u32, row as u32)));
    }
    rows.sort_unstable();
    rows
}
