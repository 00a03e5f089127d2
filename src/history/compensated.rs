//! Sums that keep what rounding takes from them.

/// A sum with what rounding took from it (Neumaier 1974).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    /// Adds a number.
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    /// Adds another sum with what it lost.
    pub(crate) fn merge(&mut self, other: Compensated) {
        self.add(other.sum);
        self.lost += other.lost;
    }

    /// The sum as near as a number can say it.
    pub(crate) fn total(self) -> f64 {
        self.sum + self.lost
    }
}
