//! Samples that are no longer the newest ones, packed.
//!
//! Each column is a row of whole numbers of one width, above the least of them. Times are the distances between samples,
//! in the coarsest unit that divides them; values are decimal digits where all of them are short decimals (the idea of ALP:
//! Afroozeh, Kuffó and Boncz 2023), or what differs in their bits from the first (as Gorilla: Pelkonen et al. 2015). A
//! regular collector's times take nothing, a counter or a percentage with two digits one or two bytes. Nothing is rounded:
//! what comes out is, bit by bit, what went in.

use crate::model::Time;

/// Units of time, in microseconds.
const UNITS: [u64; 3] = [1_000_000, 1_000, 1];

/// Powers of ten by which values become whole.
const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Added and taken away again, it leaves a whole number of whatever is below a third of it: a fast way to round, and as
/// good as any, as what does not come back is not taken.
const ROUNDS: f64 = 6_755_399_441_055_744.0;

/// So many bytes are read at once, from wherever a number begins.
const PADDING: usize = 16;

/// Some samples that follow each other.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// The place of the first one in its series.
    pub(super) begin: u64,
    pub(super) first: Time,
    pub(super) last: Time,
    count: u32,
    unit: u8,
    times: Packed,
    values: Values,
    bytes: Box<[u8]>,
}

/// Whole numbers in a row.
#[derive(Clone, Copy, Debug)]
struct Packed {
    /// Of the byte at which they begin.
    at: u32,
    /// Bits of each.
    width: u8,
    /// What is added to each.
    least: i64,
}

#[derive(Clone, Copy, Debug)]
enum Values {
    /// Whole numbers, by this power of ten: as they are.
    Digits(u8, Packed),
    /// The same, by the distances between them; after the first.
    Steps(u8, i64, Packed),
    /// Bits that differ from those of the first, which end at this one.
    Bits(u64, u8, Packed),
}

/// The whole number that a value is by a power of ten, where it comes back from it.
fn digits(value: f64, power: f64) -> Option<i64> {
    let scaled = value * power;
    let whole = (scaled + ROUNDS) - ROUNDS;
    // A zero below zero does not come back.
    (scaled.abs() < ROUNDS / 3.0 && (whole as i64 as f64 / power).to_bits() == value.to_bits()).then_some(whole as i64)
}

/// The least power of ten by which all values are whole.
fn power_of(values: &[f64]) -> Option<usize> {
    let mut power = 0;
    for value in values {
        power += POWERS[power..].iter().position(|power| digits(*value, *power).is_some())?;
    }
    values.iter().all(|value| digits(*value, POWERS[power]).is_some()).then_some(power)
}

/// The least of some numbers, and how many bits the others need above it.
fn width(numbers: impl Iterator<Item = i64> + Clone) -> (i64, u8) {
    let least = numbers.clone().min().unwrap_or(0);
    let most = numbers.max().unwrap_or(0);
    (least, (u64::BITS - most.abs_diff(least).leading_zeros()) as u8)
}

/// The numbers between neighbours.
fn steps(numbers: &[i64]) -> impl Iterator<Item = i64> + Clone {
    numbers.iter().zip(numbers.iter().skip(1)).map(|(before, after)| after.wrapping_sub(*before))
}

impl Packed {
    fn put(numbers: impl Iterator<Item = i64> + Clone, bytes: &mut Vec<u8>) -> Packed {
        let (least, width) = width(numbers.clone());
        let packed = Packed { at: bytes.len() as u32, width, least };
        let (mut waiting, mut n_bits) = (0_u128, 0_u32);
        for number in numbers {
            waiting |= u128::from(number.wrapping_sub(least) as u64) << n_bits;
            n_bits += u32::from(width);
            while n_bits >= 8 {
                bytes.push(waiting as u8);
                waiting >>= 8;
                n_bits -= 8;
            }
        }
        if n_bits > 0 {
            bytes.push(waiting as u8);
        }
        packed
    }

    fn get(self, count: usize, bytes: &[u8]) -> impl Iterator<Item = i64> {
        let (width, bytes) = (usize::from(self.width), bytes.get(self.at as usize..).unwrap_or_default());
        let mask = u64::MAX.checked_shr(u64::BITS - u32::from(self.width)).unwrap_or(0);
        (0..count)
            .map(move |index| {
                let bit = index * width;
                let word = bytes.get(bit / 8..).and_then(<[u8]>::first_chunk::<PADDING>);
                let bits = u128::from_le_bytes(word.copied().unwrap_or_default()) >> (bit % 8);
                ((bits as u64) & mask) as i64
            })
            .map(move |above| self.least.wrapping_add(above))
    }
}

impl Chunk {
    /// Packs samples that are in the order of their times; there is at least one.
    pub(super) fn of(begin: u64, times: &[Time], values: &[f64]) -> Chunk {
        let (first, last) = (times.first().copied(), times.last().copied());
        let (first, last) = (first.unwrap_or(Time::EPOCH), last.unwrap_or(Time::EPOCH));
        let distances = || times.iter().zip(times.iter().skip(1)).map(|(a, b)| b.as_micros().abs_diff(a.as_micros()));
        let divides = |unit: &u64| distances().all(|distance| distance % unit == 0);
        let unit = UNITS.iter().position(divides).unwrap_or(UNITS.len() - 1);
        let mut bytes = Vec::with_capacity(times.len() * 2);
        let packed_times = Packed::put(distances().map(|distance| (distance / UNITS[unit]) as i64), &mut bytes);
        let packed_values = match power_of(values) {
            Some(power) => {
                let whole: Vec<i64> = values.iter().filter_map(|value| digits(*value, POWERS[power])).collect();
                match width(steps(&whole)).1 < width(whole.iter().copied()).1 {
                    true => {
                        let start = whole.first().copied().unwrap_or(0);
                        Values::Steps(power as u8, start, Packed::put(steps(&whole), &mut bytes))
                    }
                    false => Values::Digits(power as u8, Packed::put(whole.iter().copied(), &mut bytes)),
                }
            }
            None => {
                let start = values.first().map_or(0, |value| value.to_bits());
                let differing = values.iter().fold(0, |all, value| all | (value.to_bits() ^ start));
                let low = differing.trailing_zeros().min(u64::BITS - 1);
                let bits = values.iter().map(|value| ((value.to_bits() ^ start) >> low) as i64);
                Values::Bits(start, low as u8, Packed::put(bits, &mut bytes))
            }
        };
        bytes.extend([0; PADDING]);
        let count = times.len() as u32;
        Chunk {
            begin,
            first,
            last,
            count,
            unit: unit as u8,
            times: packed_times,
            values: packed_values,
            bytes: bytes.into(),
        }
    }

    /// How many samples it has.
    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    /// The place after its last sample.
    pub(super) fn end(&self) -> u64 {
        self.begin + u64::from(self.count)
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Chunk>() + self.bytes.len()
    }

    /// The samples' times.
    pub(super) fn times(&self) -> impl Iterator<Item = Time> {
        let unit = UNITS[usize::from(self.unit)] as i64;
        let mut time = self.first.as_micros();
        let later = self.times.get(self.len().saturating_sub(1), &self.bytes).map(move |distance| {
            time = time.wrapping_add(distance.wrapping_mul(unit));
            Time::from_micros(time)
        });
        std::iter::once(self.first).chain(later)
    }

    /// Adds the samples' values to others.
    pub(super) fn values(&self, to: &mut Vec<f64>) {
        match self.values {
            Values::Digits(power, packed) => {
                let power = POWERS[usize::from(power)];
                to.extend(packed.get(self.len(), &self.bytes).map(|whole| whole as f64 / power));
            }
            Values::Steps(power, mut whole, packed) => {
                let power = POWERS[usize::from(power)];
                to.push(whole as f64 / power);
                to.extend(packed.get(self.len().saturating_sub(1), &self.bytes).map(|step| {
                    whole = whole.wrapping_add(step);
                    whole as f64 / power
                }));
            }
            Values::Bits(first, low, packed) => {
                let bits = packed.get(self.len(), &self.bytes);
                to.extend(bits.map(|bits| f64::from_bits(((bits as u64) << low) ^ first)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = f64> {
        let finite = any::<f64>().prop_filter("samples are finite", |value| value.is_finite());
        prop_oneof![
            4 => (-1_000_000_i64..1_000_000, 0_usize..4).prop_map(|(whole, power)| whole as f64 / POWERS[power]),
            2 => Just(-0.0),
            2 => (0_u64..1 << 60).prop_map(|whole| whole as f64),
            1 => finite,
        ]
    }

    fn distance() -> impl Strategy<Value = i64> {
        prop_oneof![
            6 => Just(10_000_000_i64),
            2 => (1_i64..100).prop_map(|millis| millis * 1000),
            2 => 1_i64..100_000_000,
            1 => 1_i64..1 << 50,
        ]
    }

    /// Values that are all of one kind, or not.
    fn values() -> impl Strategy<Value = Vec<f64>> {
        let some = |one: BoxedStrategy<f64>| prop::collection::vec(one, 1..300);
        prop_oneof![
            some(value().boxed()),
            some((0_i64..10_000).prop_map(|whole| whole as f64 / 100.0).boxed()),
            some(any::<f64>().prop_filter("samples are finite", |value| value.is_finite()).boxed()),
            (value(), 1_usize..300).prop_map(|(value, count)| vec![value; count]),
            (0_i64..1 << 40, prop::collection::vec(0_i64..1000, 1..300)).prop_map(|(start, steps)| {
                let mut counter = start;
                steps
                    .into_iter()
                    .map(|step| {
                        counter += step;
                        counter as f64
                    })
                    .collect()
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_comes_out_is_what_went_in(
            values in values(),
            start in -(1_i64 << 55)..1 << 55,
            distances in prop_oneof![Just(vec![10_000_000; 300]), prop::collection::vec(distance(), 300)],
        ) {
            let mut at = start;
            let times: Vec<Time> = values.iter().zip(distances).map(|(_, distance)| { at += distance; Time::from_micros(at) }).collect();
            let chunk = Chunk::of(7, &times, &values);
            prop_assert_eq!(chunk.times().collect::<Vec<_>>(), times);
            let mut out = Vec::new();
            chunk.values(&mut out);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&out), bits(&values));
            prop_assert_eq!((chunk.len(), chunk.end()), (values.len(), 7 + values.len() as u64));
        }
    }

    #[test]
    fn what_is_regular_takes_little_room() {
        let times: Vec<Time> = (0..256).map(|n| Time::from_micros(n * 10_000_000)).collect();
        let of = |value: fn(usize) -> f64| {
            let values: Vec<f64> = (0..256).map(value).collect();
            Chunk::of(0, &times, &values).bytes.len() - PADDING
        };
        assert_eq!(of(|_| 3.7), 0);
        assert_eq!(of(|n| (4000 + n * 7919 % 1000) as f64 / 100.0), 256 * 10 / 8);
        assert_eq!(of(|n| 1e12 + 1500.0 * n as f64), 0);
        assert!(of(|n| (n as f64).sqrt()) <= 256 * 8);
    }
}
