//! Questions about the past: which function, over which span.

use std::fmt;
use std::time::Duration;

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
    Delta,
    Increase,
    Rate,
    Changes,
}

impl WindowFn {
    /// All of them, in the order of the documentation.
    pub const ALL: [WindowFn; 12] = [
        WindowFn::Avg,
        WindowFn::Min,
        WindowFn::Max,
        WindowFn::Sum,
        WindowFn::Count,
        WindowFn::Stddev,
        WindowFn::First,
        WindowFn::Last,
        WindowFn::Delta,
        WindowFn::Increase,
        WindowFn::Rate,
        WindowFn::Changes,
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
            WindowFn::Delta => "delta",
            WindowFn::Increase => "increase",
            WindowFn::Rate => "rate",
            WindowFn::Changes => "changes",
        }
    }

    /// How many samples an answer needs. A count of nothing is 0, not an unanswered question.
    pub const fn needs(self) -> usize {
        match self {
            WindowFn::Count => 0,
            WindowFn::Delta | WindowFn::Increase | WindowFn::Rate => 2,
            WindowFn::Avg
            | WindowFn::Min
            | WindowFn::Max
            | WindowFn::Sum
            | WindowFn::Stddev
            | WindowFn::First
            | WindowFn::Last
            | WindowFn::Changes => 1,
        }
    }

    /// The question as a rule writes it: `rate("total_calls", "5m")`.
    pub fn question(self, field: &str, window: Window) -> String {
        format!("{}(\"{field}\", {window})", self.as_str())
    }
}
