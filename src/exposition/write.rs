//! Writing families.

use std::fmt::Write as _;

use super::{Family, Figure, Sort};

/// A format that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

impl Format {
    /// The format for what a client accepts: OpenMetrics where it is asked for, else text.
    pub fn for_accept(accept: &str) -> Format {
        match accept.contains("application/openmetrics-text") {
            true => Format::OpenMetrics,
            false => Format::Text,
        }
    }

    /// Its content type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes families; one without series is left out.
pub fn write(families: &[Family], format: Format) -> String {
    let n_series: usize = families.iter().map(|family| family.series.len()).sum();
    let mut out = String::with_capacity(n_series * 96);
    for family in families.iter().filter(|family| !family.series.is_empty()) {
        let (name, sort) = (family.name.as_str(), family.sort);
        let of_family = match (format, sort) {
            (Format::OpenMetrics, Sort::Counter) => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let word = match sort {
            Sort::Counter => "counter",
            Sort::Gauge => "gauge",
            Sort::Histogram => "histogram",
        };
        out.push_str("# HELP ");
        out.push_str(of_family);
        out.push(' ');
        escape(&family.help, format == Format::OpenMetrics, &mut out);
        // Writing to a text does not fail.
        writeln!(out, "\n# TYPE {of_family} {word}").ok();
        for series in &family.series {
            match &series.value {
                Figure::Number(number) => line(&mut out, name, "", &series.labels, None, *number),
                Figure::Histogram { buckets, sum } => {
                    for (bound, count) in buckets {
                        line(&mut out, name, "_bucket", &series.labels, Some(*bound), *count);
                    }
                    // OpenMetrics has no count without a sum.
                    if let Some(sum) = sum {
                        line(&mut out, name, "_sum", &series.labels, None, *sum);
                    }
                    let count = buckets.last().map_or(0.0, |(_, count)| *count);
                    if sum.is_some() || format == Format::Text {
                        line(&mut out, name, "_count", &series.labels, None, count);
                    }
                }
            }
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn line(out: &mut String, name: &str, suffix: &str, labels: &[(String, String)], bound: Option<f64>, number: f64) {
    out.push_str(name);
    out.push_str(suffix);
    if !labels.is_empty() || bound.is_some() {
        out.push('{');
        for (index, (label, value)) in labels.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(label);
            out.push_str("=\"");
            escape(value, true, out);
            out.push('"');
        }
        if let Some(bound) = bound {
            if !labels.is_empty() {
                out.push(',');
            }
            out.push_str("le=\"");
            put(out, bound);
            // A bound is the same text in both formats, and in OpenMetrics no whole number.
            if bound.is_finite() && bound.fract() == 0.0 {
                out.push_str(".0");
            }
            out.push('"');
        }
        out.push('}');
    }
    out.push(' ');
    put(out, number);
    out.push('\n');
}

/// Writes a number in its shortest form that reads as the same.
fn put(out: &mut String, number: f64) {
    match number {
        _ if number.is_nan() => out.push_str("NaN"),
        f64::INFINITY => out.push_str("+Inf"),
        f64::NEG_INFINITY => out.push_str("-Inf"),
        number => drop(write!(out, "{number}")),
    }
}

/// Escapes what ends a line, and with `quotes` what ends a value.
fn escape(text: &str, quotes: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Series;
    use super::*;

    fn families() -> Vec<Family> {
        let histogram =
            Figure::Histogram { buckets: vec![(0.5, 2.0), (1.0, 3.0), (f64::INFINITY, 4.0)], sum: Some(2.25) };
        vec![
            Family::new("larum_steps_total", Sort::Counter, "Steps of the engine.").with(&[], 12.0),
            Family::new("host_load", Sort::Gauge, "A \"load\"\nof \\ hosts.")
                .with(&[("name", "a\"b\\c\nd"), ("zone", "eu")], 0.1)
                .with(&[("name", "é")], f64::INFINITY),
            Family::new("nothing", Sort::Gauge, "Without series."),
            Family {
                series: vec![Series { labels: [("kind".into(), "x".into())].into(), value: histogram }],
                ..Family::new("larum_step_duration_seconds", Sort::Histogram, "How long.")
            },
        ]
    }

    #[test]
    fn the_text_format_is_written_as_prometheus_reads_it() {
        let expected = r##"# HELP larum_steps_total Steps of the engine.
# TYPE larum_steps_total counter
larum_steps_total 12
# HELP host_load A "load"\nof \\ hosts.
# TYPE host_load gauge
host_load{name="a\"b\\c\nd",zone="eu"} 0.1
host_load{name="é"} +Inf
# HELP larum_step_duration_seconds How long.
# TYPE larum_step_duration_seconds histogram
larum_step_duration_seconds_bucket{kind="x",le="0.5"} 2
larum_step_duration_seconds_bucket{kind="x",le="1.0"} 3
larum_step_duration_seconds_bucket{kind="x",le="+Inf"} 4
larum_step_duration_seconds_sum{kind="x"} 2.25
larum_step_duration_seconds_count{kind="x"} 4
"##;
        assert_eq!(write(&families(), Format::Text), expected);
    }

    #[test]
    fn openmetrics_names_the_family_of_a_counter_without_total_and_ends() {
        let written = write(&families(), Format::OpenMetrics);
        let begins = "# HELP larum_steps Steps of the engine.\n# TYPE larum_steps counter\nlarum_steps_total 12\n# HELP host_load A \\\"load\\\"\\nof";
        assert!(written.starts_with(begins), "{written}");
        assert!(written.ends_with("_count{kind=\"x\"} 4\n# EOF\n"), "{written}");
    }

    #[test]
    fn openmetrics_is_given_to_whom_accepts_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::for_accept(prometheus), Format::OpenMetrics);
        assert_eq!(Format::for_accept("*/*"), Format::Text);
        assert_eq!(Format::for_accept(""), Format::Text);
    }
}
