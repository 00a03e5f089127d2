//! The values of one field of one subject in a block.

use std::sync::Arc;

use super::bytes::{Bytes, Damaged, Texts, put_number, put_numbers, put_whole};
use crate::model::Value;

/// Rows one after the other that have the field.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    row: u32,
    /// The place of the first one's value.
    place: u32,
    length: u32,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    Numbers(Vec<f64>),
    Mixed(Vec<Value>),
}

/// The values of a field, by row of its subject.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    runs: Vec<Run>,
    values: Values,
}

impl Default for Column {
    fn default() -> Column {
        Column { runs: Vec::new(), values: Values::Numbers(Vec::new()) }
    }
}

mod tag {
    pub(super) const NUMBERS: u8 = 0;
    pub(super) const MIXED: u8 = 1;
    pub(super) const NUMBER: u8 = 0;
    pub(super) const TEXT: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const TRUE: u8 = 3;
}

/// Whether two values are the same in every bit.
fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

impl Column {
    /// How many values it has.
    pub(crate) fn len(&self) -> usize {
        match &self.values {
            Values::Numbers(numbers) => numbers.len(),
            Values::Mixed(values) => values.len(),
        }
    }

    /// Adds the value of a row that is later than all before.
    pub(super) fn push(&mut self, row: u32, value: Value) {
        let place = self.len() as u32;
        match self.runs.last_mut() {
            Some(run) if run.row + run.length == row => run.length += 1,
            _ => self.runs.push(Run { row, place, length: 1 }),
        }
        match (&mut self.values, value) {
            (Values::Numbers(numbers), Value::Number(number)) => numbers.push(number),
            (Values::Numbers(numbers), value) => {
                let numbers = numbers.drain(..).map(Value::Number);
                self.values = Values::Mixed(numbers.chain([value]).collect());
            }
            (Values::Mixed(values), value) => values.push(value),
        }
    }

    /// Adds the values of another one, whose rows come `rows` later.
    pub(super) fn append(&mut self, other: Column, rows: u32) {
        let n_before = self.len() as u32;
        self.runs.extend(other.runs.into_iter().map(|run| Run {
            row: run.row + rows,
            place: run.place + n_before,
            length: run.length,
        }));
        // Two runs that follow on each other are one.
        self.runs.dedup_by(|next, run| {
            let follows = run.row + run.length == next.row;
            if follows {
                run.length += next.length;
            }
            follows
        });
        match (&mut self.values, other.values) {
            (Values::Numbers(numbers), Values::Numbers(more)) => numbers.extend(more),
            (Values::Mixed(values), Values::Mixed(more)) => values.extend(more),
            (Values::Mixed(values), Values::Numbers(more)) => values.extend(more.into_iter().map(Value::Number)),
            (Values::Numbers(numbers), Values::Mixed(more)) => {
                self.values = Values::Mixed(numbers.drain(..).map(Value::Number).chain(more).collect());
            }
        }
    }

    /// The value of a row; `None` where the row lacks the field.
    pub(crate) fn get(&self, row: usize) -> Option<Value> {
        let run = self.runs[..self.runs.partition_point(|run| run.row as usize <= row)].last()?;
        let offset = row - run.row as usize;
        if offset >= run.length as usize {
            return None;
        }
        let place = run.place as usize + offset;
        match &self.values {
            Values::Numbers(numbers) => numbers.get(place).copied().map(Value::Number),
            Values::Mixed(values) => values.get(place).cloned(),
        }
    }

    /// The values of all `n_rows` rows, where each has a number.
    pub(crate) fn numbers(&self, n_rows: usize) -> Option<&[f64]> {
        match &self.values {
            Values::Numbers(numbers) if numbers.len() == n_rows => Some(numbers),
            _ => None,
        }
    }

    pub(super) fn put(&self, n_rows: usize, texts: &mut Texts, out: &mut Vec<u8>) {
        // Nearly always every row has it.
        let has_all = matches!(self.runs.as_slice(), [run] if run.row == 0 && run.length as usize == n_rows);
        put_whole(out, if has_all { 0 } else { self.runs.len() as u64 });
        let mut end = 0;
        for run in self.runs.iter().filter(|_| !has_all) {
            put_whole(out, u64::from(run.row - end));
            put_whole(out, u64::from(run.length));
            end = run.row + run.length;
        }
        match &self.values {
            Values::Numbers(numbers) => {
                out.push(tag::NUMBERS);
                put_numbers(out, numbers);
            }
            Values::Mixed(values) => {
                out.push(tag::MIXED);
                for same in values.chunk_by(identical) {
                    put_whole(out, same.len() as u64);
                    match &same[0] {
                        Value::Number(number) => {
                            out.push(tag::NUMBER);
                            put_number(out, *number);
                        }
                        Value::Text(text) => {
                            out.push(tag::TEXT);
                            put_whole(out, texts.number_of(text));
                        }
                        Value::Bool(false) => out.push(tag::FALSE),
                        Value::Bool(true) => out.push(tag::TRUE),
                    }
                }
            }
        }
    }

    pub(super) fn read(bytes: &mut Bytes<'_>, n_rows: usize, texts: &[Arc<str>]) -> Result<Column, Damaged> {
        let n_runs = bytes.count(n_rows)?;
        let mut runs = Vec::new();
        let (mut end, mut count) = (0_usize, 0_usize);
        for _ in 0..n_runs {
            let row = end + bytes.count(n_rows - end)?;
            let length = bytes.count(n_rows - row)?;
            runs.push(Run { row: row as u32, place: count as u32, length: length as u32 });
            end = row + length;
            count += length;
        }
        if n_runs == 0 {
            count = n_rows;
            runs.push(Run { row: 0, place: 0, length: n_rows as u32 });
        }
        let values = match bytes.byte()? {
            tag::NUMBERS => Values::Numbers(bytes.numbers(count)?),
            tag::MIXED => {
                let mut values = Vec::new();
                while values.len() < count {
                    let length = bytes.count(count - values.len())?;
                    let value = match bytes.byte()? {
                        tag::NUMBER => Value::Number(bytes.number()?),
                        tag::TEXT => {
                            let text = usize::try_from(bytes.whole()?).ok().and_then(|number| texts.get(number));
                            Value::Text(text.ok_or(Damaged("it lacks a text"))?.clone())
                        }
                        tag::FALSE => Value::Bool(false),
                        tag::TRUE => Value::Bool(true),
                        _ => return Err(Damaged("a value has no known type")),
                    };
                    if length == 0 {
                        return Err(Damaged("a value is there no time"));
                    }
                    values.extend(std::iter::repeat_n(value, length));
                }
                Values::Mixed(values)
            }
            _ => return Err(Damaged("a column has no known type")),
        };
        Ok(Column { runs, values })
    }
}
