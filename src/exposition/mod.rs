//! Figures as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0.
//!
//! Sources: prometheus.io/docs/instrumenting/exposition_formats, and the OpenMetrics 1.0 specification. Both are written
//! from one list of families, as they differ in little: OpenMetrics leaves the `_total` of counters out of the family's
//! name, allows no second spelling of a name, and ends with `# EOF`.

use std::sync::Arc;

mod watched;
mod write;

pub use watched::{DEFAULT_NAMES, Names, NamesProblem, Watched, watched};
pub use write::{Format, write};

/// Figures of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name: letters, digits, `_` and `:`, no digit first. That of a counter ends with `_total`.
    pub name: String,
    /// What it is, in a sentence.
    pub help: String,
    /// What kind of figure it is.
    pub sort: Sort,
    /// Its series, each with other labels.
    pub series: Vec<Series>,
}

/// What kind of figure a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It only grows, but for restarts.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many observations were at most so large.
    Histogram,
}

/// One series: labels, and what they have.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Names and values of labels.
    pub labels: Arc<[(String, String)]>,
    /// The figure.
    pub value: Figure,
}

/// What a series has.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// Of counters and gauges.
    Number(f64),
    /// Of histograms.
    Histogram {
        /// Upper bounds, and how many observations were at most so large; the last bound is infinite.
        buckets: Vec<(f64, f64)>,
        /// The sum of all observations.
        sum: Option<f64>,
    },
}

impl Family {
    /// A family without series.
    pub fn new(name: impl Into<String>, sort: Sort, help: impl Into<String>) -> Family {
        Family { name: name.into(), help: help.into(), sort, series: Vec::new() }
    }

    /// A family of one series without labels.
    pub fn single(name: &str, sort: Sort, help: &str, value: f64) -> Family {
        Family::new(name, sort, help).with(&[], value)
    }

    /// With one more series.
    #[must_use]
    pub fn with(mut self, labels: &[(&str, &str)], value: f64) -> Family {
        let labels = labels.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
        self.series.push(Series { labels, value: Figure::Number(value) });
        self
    }
}

/// Makes a name of metrics or labels of a text: what cannot stand in one becomes `_`.
pub fn name_of(text: &str) -> String {
    let mut name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) || name.is_empty() {
        name.insert(0, '_');
    }
    name
}
