//! What is watched, as metrics: each number of a subject is a series of `<kind>_<field>`, or of what it is renamed to.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::{Family, Figure, Series, Sort, name_of};

/// Names that are there from the start, by kind and field.
pub const DEFAULT_NAMES: [(&str, &str, &str); 3] = [
    ("host", "cpu_percent", "system_cpu_usage_percent"),
    ("host", "memory_used_percent", "system_memory_usage_percent"),
    ("disk", "used_percent", "system_disk_usage_percent"),
];

/// What fields are called as metrics, where they are not called `<kind>_<field>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(BTreeMap<(String, String), String>);

impl Default for Names {
    fn default() -> Names {
        let names = DEFAULT_NAMES.into_iter();
        Names(names.map(|(kind, field, name)| ((kind.to_string(), field.to_string()), name.to_string())).collect())
    }
}

/// Why a field cannot be called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamesProblem {
    /// The field is not said with its kind.
    #[error("it says no field of a kind")]
    NoField,
    /// Prometheus would refuse it.
    #[error("the name of a metric has letters, digits and `_`, and no digit first")]
    NoName,
    /// It would stand among larum's own.
    #[error("names that begin with `larum_` are larum's own")]
    Own,
}

impl Names {
    /// Calls a field, `kind.field`, by a name.
    ///
    /// # Errors
    /// Where it cannot be called so.
    pub fn rename(&mut self, field: &str, name: &str) -> Result<(), NamesProblem> {
        let (kind, field) = field
            .split_once('.')
            .filter(|(kind, field)| !kind.is_empty() && !field.is_empty())
            .ok_or(NamesProblem::NoField)?;
        if name_of(name) != name {
            return Err(NamesProblem::NoName);
        }
        if name.starts_with("larum_") {
            return Err(NamesProblem::Own);
        }
        self.0.insert((kind.to_string(), field.to_string()), name.to_string());
        Ok(())
    }

    fn of(&self, kind: &str, field: &str) -> String {
        let key = (kind.to_string(), field.to_string());
        self.0.get(&key).cloned().unwrap_or_else(|| name_of(&format!("{kind}_{field}")))
    }
}

/// A subject that is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// Its kind.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its labels.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Its fields that are numbers, in the order of their names.
    pub fields: Vec<(Arc<str>, f64)>,
}

/// What a field is: one of a family of its own, or a part of a histogram.
enum Part {
    Number,
    Bucket(f64),
    Sum,
    Count,
}

/// A family, and the labels of its series.
struct Told {
    family: Family,
    labels: HashSet<Arc<[(String, String)]>>,
}

/// The families of what is watched, in the order of their names.
///
/// A subject's fields `x_bucket{le=".."}`, `x_sum` and `x_count` are the histogram `x`. Names that end with `_total` are
/// counters. Of two series that would have the same name and labels, the first is told.
pub fn watched(subjects: &[Watched], names: &Names) -> Vec<Family> {
    let mut families: BTreeMap<String, Told> = BTreeMap::new();
    let mut known: BTreeMap<(Arc<str>, Arc<str>), String> = BTreeMap::new();
    for subject in subjects {
        let labels: Arc<[(String, String)]> = labels(subject).into();
        let mut histograms: BTreeMap<&str, Vec<(Part, f64)>> = BTreeMap::new();
        let buckets = subject.fields.iter().filter_map(|(field, _)| Some(field.split_once("_bucket{le=\"")?.0));
        let histogram_names: BTreeSet<&str> = buckets.collect();
        for (field, number) in &subject.fields {
            if let Some((histogram, part)) = part(field, &histogram_names) {
                histograms.entry(histogram).or_default().push((part, *number));
                continue;
            }
            let key = (subject.kind.clone(), field.clone());
            let name = known.entry(key).or_insert_with(|| names.of(&subject.kind, field));
            let sort = if name.ends_with("_total") { Sort::Counter } else { Sort::Gauge };
            add(&mut families, name, sort, (&subject.kind, field), &labels, Figure::Number(*number));
        }
        for (histogram, parts) in histograms {
            let name = names.of(&subject.kind, histogram);
            add(&mut families, &name, Sort::Histogram, (&subject.kind, histogram), &labels, together(parts));
        }
    }
    families.into_values().map(|told| told.family).collect()
}

fn add(
    families: &mut BTreeMap<String, Told>,
    name: &str,
    sort: Sort,
    (kind, field): (&str, &str),
    labels: &Arc<[(String, String)]>,
    value: Figure,
) {
    if !families.contains_key(name) {
        let family = Family::new(name, sort, format!("The field {field} of subjects of kind {kind}."));
        families.insert(name.to_string(), Told { family, labels: HashSet::new() });
    }
    let Some(Told { family, labels: told }) = families.get_mut(name) else { return };
    if family.sort == sort && told.insert(labels.clone()) {
        family.series.push(Series { labels: labels.clone(), value });
    }
}

/// The histogram that a field is a part of, where its buckets are there.
fn part<'a>(field: &'a str, histograms: &BTreeSet<&str>) -> Option<(&'a str, Part)> {
    if let Some((histogram, rest)) = field.split_once("_bucket{le=\"") {
        let bound = rest.strip_suffix("\"}")?;
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
        return Some((histogram, Part::Bucket(bound)));
    }
    let (histogram, part) = match (field.strip_suffix("_sum"), field.strip_suffix("_count")) {
        (Some(histogram), _) => (histogram, Part::Sum),
        (None, Some(histogram)) => (histogram, Part::Count),
        (None, None) => (field, Part::Number),
    };
    match part {
        Part::Number => None,
        part => histograms.contains(histogram).then_some((histogram, part)),
    }
}

fn together(parts: Vec<(Part, f64)>) -> Figure {
    let (mut buckets, mut sum, mut count) = (Vec::new(), None, None);
    for (part, number) in parts {
        match part {
            Part::Bucket(bound) => buckets.push((bound, number)),
            Part::Sum => sum = Some(number),
            Part::Count => count = Some(number),
            Part::Number => {}
        }
    }
    buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
        let most = buckets.last().map_or(0.0, |(_, most)| *most);
        buckets.push((f64::INFINITY, count.unwrap_or(most)));
    }
    Figure::Histogram { buckets, sum }
}

/// The name and the labels of a subject; two labels that would be written alike are the first of them.
fn labels(subject: &Watched) -> Vec<(String, String)> {
    let mut labels = vec![("name".to_string(), subject.name.to_string())];
    for (label, value) in &subject.labels {
        let label = match name_of(label) {
            // Prometheus keeps these for itself, and `name` is the subject's.
            label if label == "name" || label == "le" => format!("exported_{label}"),
            label => label.trim_start_matches("__").to_string(),
        };
        let label = if label.is_empty() { "_".to_string() } else { label };
        if !labels.iter().any(|(known, _)| *known == label) {
            labels.push((label, value.to_string()));
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::super::{Format, write};
    use super::*;

    fn subject(kind: &str, name: &str, labels: &[(&str, &str)], fields: &[(&str, f64)]) -> Watched {
        Watched {
            kind: kind.into(),
            name: name.into(),
            labels: labels.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect(),
            fields: fields.iter().map(|(field, number)| ((*field).into(), *number)).collect(),
        }
    }

    fn lines(subjects: &[Watched], names: &Names) -> Vec<String> {
        let text = write(&watched(subjects, names), Format::Text);
        text.lines().filter(|line| !line.starts_with("# HELP")).map(str::to_string).collect()
    }

    #[test]
    fn each_number_is_a_series_of_its_kind_and_field() {
        let subjects = [
            subject(
                "service",
                "shop",
                &[("region", "eu"), ("a-b", "1"), ("name", "x")],
                &[("calls_total", 7.0), ("up", 1.0)],
            ),
            subject("service", "pay", &[], &[("up", 0.0)]),
            subject("my kind", "1", &[], &[("90%", 2.5)]),
        ];
        assert_eq!(
            lines(&subjects, &Names::default()),
            [
                "# TYPE my_kind_90_ gauge",
                "my_kind_90_{name=\"1\"} 2.5",
                "# TYPE service_calls_total counter",
                "service_calls_total{name=\"shop\",a_b=\"1\",exported_name=\"x\",region=\"eu\"} 7",
                "# TYPE service_up gauge",
                "service_up{name=\"shop\",a_b=\"1\",exported_name=\"x\",region=\"eu\"} 1",
                "service_up{name=\"pay\"} 0",
            ]
        );
    }

    #[test]
    fn fields_are_called_as_it_is_said() {
        let mut names = Names::default();
        names.rename("business.messages_total", "wecom_messages_total").unwrap();
        names.rename("business.score", "average_satisfaction_score").unwrap();
        let subjects = [
            subject("business", "bot", &[], &[("messages_total", 3.0), ("score", 4.5)]),
            subject("host", "a", &[], &[("cpu_percent", 20.0)]),
        ];
        let lines = lines(&subjects, &names);
        let told = lines.iter().filter(|line| !line.starts_with('#')).map(String::as_str).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                "average_satisfaction_score{name=\"bot\"} 4.5",
                "system_cpu_usage_percent{name=\"a\"} 20",
                "wecom_messages_total{name=\"bot\"} 3",
            ]
        );
        for (field, name, problem) in [
            ("messages", "x", NamesProblem::NoField),
            (".messages", "x", NamesProblem::NoField),
            ("a.b", "2x", NamesProblem::NoName),
            ("a.b", "é", NamesProblem::NoName),
            ("a.b", "", NamesProblem::NoName),
            ("a.b", "larum_x", NamesProblem::Own),
        ] {
            assert_eq!(names.rename(field, name), Err(problem), "{field} {name}");
        }
    }

    #[test]
    fn buckets_are_a_histogram_and_what_would_stand_twice_stands_once() {
        let mut names = Names::default();
        names.rename("b.seconds", "work_seconds").unwrap();
        names.rename("c.x", "a_x").unwrap();
        let fields = [
            ("seconds_bucket{le=\"+Inf\"}", 5.0),
            ("seconds_bucket{le=\"0.5\"}", 3.0),
            ("seconds_count", 5.0),
            ("seconds_sum", 4.5),
            ("other_sum", 1.0),
        ];
        let subjects = [
            subject("b", "n", &[], &fields),
            subject("a", "n", &[], &[("x", 1.0)]),
            subject("c", "n", &[], &[("x", 2.0)]),
        ];
        assert_eq!(
            lines(&subjects, &names),
            [
                "# TYPE a_x gauge",
                "a_x{name=\"n\"} 1",
                "# TYPE b_other_sum gauge",
                "b_other_sum{name=\"n\"} 1",
                "# TYPE work_seconds histogram",
                "work_seconds_bucket{name=\"n\",le=\"0.5\"} 3",
                "work_seconds_bucket{name=\"n\",le=\"+Inf\"} 5",
                "work_seconds_sum{name=\"n\"} 4.5",
                "work_seconds_count{name=\"n\"} 5",
            ]
        );
    }
}
