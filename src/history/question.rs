//! Questions about the past: which function, over which span.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::summary::Detail;
use crate::model::duration;

/// A span of time that a function looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// `(t - ago - length, t - ago]`.
    Span {
        /// How long the span is.
        length: Duration,
        /// How long ago it ends.
        ago: Duration,
    },
    /// A calendar day in the configured zone: 0 is today so far, 1 is yesterday.
    Day {
        /// How many days ago.
        ago: u32,
    },
}

impl Window {
    /// The span of this length that ends now.
    pub const fn last(length: Duration) -> Window {
        Window::Span { length, ago: Duration::ZERO }
    }
}

/// As a rule writes it: `"5m"`, `window("5m", "1h")`, `today()`, `yesterday()`, `day(2)`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::Span { length, ago } if ago.is_zero() => write!(f, "\"{}\"", duration::format(*length)),
            Window::Span { length, ago } => {
                write!(f, "window(\"{}\", \"{}\")", duration::format(*length), duration::format(*ago))
            }
            Window::Day { ago: 0 } => f.write_str("today()"),
            Window::Day { ago: 1 } => f.write_str("yesterday()"),
            Window::Day { ago } => write!(f, "day({ago})"),
        }
    }
}

/// A share from 0 to 1: which quantile is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Share(f64);

impl Share {
    /// `None` where it is not from 0 to 1.
    pub fn new(share: f64) -> Option<Share> {
        (0.0..=1.0).contains(&share).then_some(Share(share))
    }

    /// The share.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// By its bits: there are no shares that are not numbers.
impl PartialEq for Share {
    fn eq(&self, other: &Share) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Share {}

impl Hash for Share {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A function from the samples of one field in a window to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the functions of the rule language")]
pub enum WindowFn {
    Avg,
    Min,
    Max,
    Sum,
    Count,
    Stddev,
    First,
    Last,
    Median,
    Quantile(Share),
    Delta,
    Increase,
    Rate,
    Deriv,
    /// How far ahead.
    Forecast(Duration),
    Changes,
    Resets,
    Ewma,
    Zscore,
    RobustZscore,
}

impl WindowFn {
    /// Those that are asked of a field and a window alone, in the order of the documentation.
    pub const PLAIN: [WindowFn; 18] = [
        WindowFn::Avg,
        WindowFn::Min,
        WindowFn::Max,
        WindowFn::Sum,
        WindowFn::Count,
        WindowFn::Stddev,
        WindowFn::First,
        WindowFn::Last,
        WindowFn::Median,
        WindowFn::Delta,
        WindowFn::Increase,
        WindowFn::Rate,
        WindowFn::Deriv,
        WindowFn::Changes,
        WindowFn::Resets,
        WindowFn::Ewma,
        WindowFn::Zscore,
        WindowFn::RobustZscore,
    ];

    /// The function's name in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            WindowFn::Avg => "avg",
            WindowFn::Min => "min",
            WindowFn::Max => "max",
            WindowFn::Sum => "sum",
            WindowFn::Count => "count",
            WindowFn::Stddev => "stddev",
            WindowFn::First => "first",
            WindowFn::Last => "last",
            WindowFn::Median => "median",
            WindowFn::Quantile(_) => "quantile",
            WindowFn::Delta => "delta",
            WindowFn::Increase => "increase",
            WindowFn::Rate => "rate",
            WindowFn::Deriv => "deriv",
            WindowFn::Forecast(_) => "forecast",
            WindowFn::Changes => "changes",
            WindowFn::Resets => "resets",
            WindowFn::Ewma => "ewma",
            WindowFn::Zscore => "zscore",
            WindowFn::RobustZscore => "robust_zscore",
        }
    }

    /// How many samples an answer needs. A count of nothing is 0, not an unanswered question.
    pub const fn needs(self) -> usize {
        match self {
            WindowFn::Count => 0,
            WindowFn::Delta
            | WindowFn::Increase
            | WindowFn::Rate
            | WindowFn::Deriv
            | WindowFn::Forecast(_)
            | WindowFn::Zscore
            | WindowFn::RobustZscore => 2,
            WindowFn::Avg
            | WindowFn::Min
            | WindowFn::Max
            | WindowFn::Sum
            | WindowFn::Stddev
            | WindowFn::First
            | WindowFn::Last
            | WindowFn::Median
            | WindowFn::Quantile(_)
            | WindowFn::Changes
            | WindowFn::Resets
            | WindowFn::Ewma => 1,
        }
    }

    /// Whether it needs each sample, and not only what they sum up to.
    pub(crate) const fn reads_samples(self) -> bool {
        matches!(
            self,
            WindowFn::Median
                | WindowFn::Quantile(_)
                | WindowFn::Deriv
                | WindowFn::Forecast(_)
                | WindowFn::Ewma
                | WindowFn::RobustZscore
        )
    }

    /// What it needs to know of a window.
    pub(crate) const fn detail(self) -> Detail {
        match self {
            WindowFn::Stddev | WindowFn::Zscore => Detail::Squares,
            WindowFn::Avg | WindowFn::Min | WindowFn::Max | WindowFn::Sum => Detail::Sums,
            _ => Detail::Ends,
        }
    }

    /// The question as a rule writes it: `rate("total_calls", "5m")`.
    pub fn question(self, field: &str, window: Window) -> String {
        let name = self.as_str();
        match self {
            WindowFn::Quantile(share) => format!("{name}(\"{field}\", {}, {window})", share.get()),
            WindowFn::Forecast(ahead) => {
                format!("{name}(\"{field}\", {window}, \"{}\")", duration::format(ahead))
            }
            _ => format!("{name}(\"{field}\", {window})"),
        }
    }
}
