//! Subjects that come and go.

use super::*;

const RULES: &str = r#"
rule("high", #{ on: "thing", when: |s| s.x > 90 });
rule("average", #{ on: "thing", where: |s| s.labels.region == "eu", when: |s| s.avg("x", "5m") > 95 });
rule("new_field", #{ on: "thing", when: |s| s.y > 1 });
rule("all", #{ over: "thing", by: ["region"], when: |g| g.avg("x") > 99 });
"#;

/// What an engine holds.
#[derive(Debug)]
struct Size {
    subjects: usize,
    alerts: usize,
    saved: usize,
}

/// Batches in an hour.
const BATCHES: i64 = 2;

/// Names in each batch, of which one in twelve fires; `LARUM_CHURN_NAMES` says another number.
fn n_names() -> i64 {
    std::env::var("LARUM_CHURN_NAMES").ok().and_then(|names| names.parse().ok()).unwrap_or(12)
}

#[test]
fn names_that_come_and_go_for_a_month_leave_nothing_behind() {
    let names = n_names();
    let mut bench = Bench::new(RULES);
    let source = Source { name: "push".into(), stale_after: Duration::from_secs(60) };
    let mut saved = BTreeMap::new();
    let mut step = |bench: &mut Bench, secs, input| {
        let effects = bench.engine.step(Now::at(time(secs)), input);
        for piece in effects.saved {
            match piece.value {
                Some(value) => saved.insert(piece.key, value),
                None => saved.remove(&piece.key),
            };
        }
        (effects.notifications, saved.len())
    };
    let (mut bytes, mut pieces) = (Vec::new(), 0);
    for day in 0..30 {
        for nth in 0..24 * BATCHES {
            let secs = day * 86_400 + nth * 3600 / BATCHES;
            let thing = |n: i64| Snapshot {
                labels: Labels::from([("region".into(), if n % 2 == 0 { "eu".into() } else { "us".into() })]),
                ..snapshot(
                    secs,
                    &format!("t{secs}-{n}"),
                    BTreeMap::from([("x".into(), Value::Number((n % 12 * 9) as f64))]),
                )
            };
            let snapshots = (0..names).map(thing).collect();
            let batch = Batch { source: source.clone(), snapshots, complete: Vec::new() };
            for notification in step(&mut bench, secs, Input::Batch(batch.into())).0 {
                let delivered = Input::Delivered { notification: notification.id, outcome: Outcome::Delivered };
                pieces = step(&mut bench, secs, delivered).1;
            }
        }
        bytes.push(bench.engine.world().bytes());
    }
    let size = Size { subjects: bench.engine.world().len(), alerts: bench.engine.alerts().count(), saved: pieces };
    // Those of the last day that fire do until they are closed as vanished; the others are forgotten after an hour.
    let most = (24 * BATCHES * names / 12 + 2 * BATCHES * names) as usize;
    assert!(size.subjects <= most && size.alerts <= 3 * most + 2 && size.saved <= 4 * most + 20, "{size:?}");
    assert!(bytes[29] <= bytes[1] + bytes[1] / 20, "from {} to {} bytes", bytes[1], bytes[29]);
}
