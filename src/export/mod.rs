//! What is stored, for other programs: snapshots and alerts as JSON, JSON Lines or CSV, written a piece at a time, so that a
//! week of them is never in memory; and the samples of one field, for graphs.

mod alerts;
pub mod csv;
mod metrics;
mod samples;

pub use alerts::{AlertFilter, alerts};
pub use metrics::{MetricFilter, Metrics, metrics};
pub use samples::{Asked, MOST_SAMPLES, Point, downsample, stored};

use crate::store;

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One array.
    Json,
    /// One object in each line.
    #[default]
    Jsonl,
    /// For spreadsheets: a line for each value, with a heading.
    Csv,
}

impl Format {
    /// All of them, by their names.
    pub const ALL: [(&'static str, Format); 3] =
        [("json", Format::Json), ("jsonl", Format::Jsonl), ("csv", Format::Csv)];

    /// The format of this name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, format)| format)
    }

    /// The content type of what is written.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Jsonl => "application/x-ndjson",
            Format::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// Why what is stored cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be read.
    #[error("what is stored cannot be read")]
    Store(#[from] store::Error),
    /// A part of it is damaged or missing.
    #[error("{0}")]
    Damaged(String),
}

/// Puts objects one after the other: what stands before, between and after them.
#[derive(Debug)]
struct Frame {
    format: Format,
    heading: &'static [&'static str],
    is_begun: bool,
    is_ended: bool,
}

impl Frame {
    const fn new(format: Format, heading: &'static [&'static str]) -> Frame {
        Frame { format, heading, is_begun: false, is_ended: false }
    }

    /// What stands before the next object.
    fn before(&mut self, out: &mut Vec<u8>) {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        match self.format {
            Format::Json => out.extend_from_slice(if is_first { b"[\n" } else { b",\n" }),
            Format::Jsonl => {}
            Format::Csv if is_first => out.extend_from_slice(csv::line(self.heading).as_bytes()),
            Format::Csv => {}
        }
    }

    /// What stands after all of them, once; `None` afterwards.
    fn end(&mut self) -> Option<Vec<u8>> {
        if std::mem::replace(&mut self.is_ended, true) {
            return None;
        }
        let mut out = Vec::new();
        match (self.format, self.is_begun) {
            (Format::Json, true) => out.extend_from_slice(b"\n]\n"),
            (Format::Json, false) => out.extend_from_slice(b"[]\n"),
            (Format::Jsonl, _) | (Format::Csv, true) => {}
            (Format::Csv, false) => out.extend_from_slice(csv::line(self.heading).as_bytes()),
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::engine::{Engine, Input, Settings};
    use crate::history::{Batch, Source};
    use crate::model::{Labels, Now, Snapshot, SubjectKey, Time, Value};
    use crate::store::{Memory, Reader, Record, Store as _};

    const START: i64 = 1_795_255_200;

    fn at(secs: i64) -> Time {
        Time::from_micros((START + secs) * 1_000_000)
    }

    fn snapshot(name: &str, secs: i64, fields: &[(&str, Value)]) -> Snapshot {
        Snapshot {
            subject: SubjectKey::new("service", name),
            time: at(secs),
            labels: Labels::from([("region".into(), "eu, \"west\"".into())]),
            fields: fields.iter().map(|(field, value)| ((*field).into(), value.clone())).collect(),
            gone: false,
        }
    }

    /// Two services, every ten seconds.
    fn store() -> Arc<dyn Reader> {
        let mut store = Memory::default();
        let settings = Settings { remembers: true, ..Settings::default() };
        let mut engine = Engine::new(settings, Now::at(at(0)));
        for n in 0..6 {
            let secs = n * 10;
            let snapshots = vec![
                snapshot("shop", secs, &[("rate", (n as f64 / 3.0).into()), ("status", "run,ning".into())]),
                snapshot("pay", secs, &[("rate", (-(n as f64)).into()), ("ready", true.into())]),
            ];
            let source = Source { name: "push".into(), stale_after: Duration::from_secs(60) };
            let batch = Batch { source, snapshots, complete: Vec::new() };
            let effects = engine.step(Now::at(at(secs)), Input::Batch(batch.into()));
            store.commit(&[Record::from(effects)]).unwrap();
        }
        store.reader()
    }

    fn written(filter: MetricFilter, format: Format) -> String {
        let bytes: Vec<u8> = metrics(store(), filter, format).unwrap().flat_map(Result::unwrap).collect();
        String::from_utf8(bytes).unwrap()
    }

    fn some(names: &[&str]) -> std::collections::BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_written_as_json_is_what_was_pushed() {
        let filter = MetricFilter {
            subjects: some(&["shop"]),
            since: Some(at(10)),
            until: Some(at(30)),
            ..MetricFilter::default()
        };
        let lines = written(filter.clone(), Format::Jsonl);
        let third = 1.0 / 3.0;
        assert_eq!(
            lines.lines().next().unwrap(),
            format!(
                r#"{{"time":"{}","kind":"service","name":"shop","labels":{{"region":"eu, \"west\""}},"fields":{{"rate":{third},"status":"run,ning"}}}}"#,
                at(10)
            )
        );
        let all: Vec<serde_json::Value> = serde_json::from_str(&written(filter, Format::Json)).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(
            all,
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect::<Vec<_>>()
        );
        let none = MetricFilter { kinds: some(&["host"]), ..MetricFilter::default() };
        assert_eq!(written(none.clone(), Format::Json), "[]\n");
        assert_eq!(written(none.clone(), Format::Jsonl), "");
        assert_eq!(written(none, Format::Csv), "time,kind,name,labels,field,value\r\n");
    }

    #[test]
    fn a_line_of_csv_is_one_value_and_numbers_read_as_the_same() {
        let filter = MetricFilter { since: Some(at(50)), fields: some(&["rate", "ready"]), ..MetricFilter::default() };
        let labels = r#""{""region"":""eu, \""west\""""}""#;
        let (time, five_thirds) = (at(50), 5.0 / 3.0);
        assert_eq!(
            written(filter, Format::Csv),
            format!(
                "time,kind,name,labels,field,value\r\n{time},service,pay,{labels},rate,-5\r\n{time},service,pay,{labels},ready,true\r\n\
                 {time},service,shop,{labels},rate,{five_thirds}\r\n"
            )
        );
    }

    #[test]
    fn samples_of_a_field_are_in_the_order_of_their_times() {
        let asked =
            Asked { subject: SubjectKey::new("service", "pay"), field: "rate".into(), from: at(10), until: at(40) };
        assert_eq!(stored(store(), &asked).unwrap(), [(at(10), -1.0), (at(20), -2.0), (at(30), -3.0)]);
        let unknown = Asked { field: "status".into(), ..asked };
        assert_eq!(stored(store(), &unknown).unwrap(), []);
    }

    #[test]
    fn no_alerts_are_an_empty_document() {
        for (format, expected) in [
            (Format::Json, "[]\n"),
            (Format::Jsonl, ""),
            (Format::Csv, "id,rule,kind,name,labels,level,since,ended,reason,message,told\r\n"),
        ] {
            let mut bytes = Vec::new();
            let n_written = alerts(&*store(), &AlertFilter::default(), format, |part| {
                bytes.extend(part);
                Ok::<_, Error>(())
            });
            assert_eq!((n_written.unwrap(), String::from_utf8(bytes).unwrap().as_str()), (0, expected));
        }
    }
}
