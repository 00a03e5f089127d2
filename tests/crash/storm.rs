//! Everything at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::judge::{Evidence, Push, judge};
use crate::pushers::{Line, Service};
use crate::receivers::Recorder;
use crate::site::Site;

const ALERTS: usize = 10_000;

#[test]
fn ten_thousand_alerts_of_one_push_are_each_told_once() {
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let daemon = site.start();
    let line = Line::default();
    line.set(Some(daemon.address()));
    let (pushes, snapshots): (Vec<Push>, Vec<Value>) =
        (0..ALERTS).map(|n| Service::new(format!("n{n:05}")).next(1.5)).unzip();
    let began = Instant::now();
    let answer = line.push(&mut None, &Value::from(snapshots).to_string()).expect("it is taken");
    let answered = began.elapsed();
    assert_eq!(answer["taken"], ALERTS);
    good.wait_until(Duration::from_secs(120), |arrivals| arrivals.len() >= ALERTS);
    let told = began.elapsed();
    crate::announce(&format!("{ALERTS} alerts: answered after {answered:?}, all told after {told:?}"));

    let arrivals = good.arrivals();
    let ids: BTreeSet<&str> = arrivals.iter().map(|arrival| arrival.id.as_str()).collect();
    assert_eq!((arrivals.len(), ids.len()), (ALERTS, ALERTS), "each is told once");
    let pushes = pushes.into_iter().map(|push| Push { taken: true, ..push }).collect();
    let arrivals = [("good".to_string(), arrivals)].into();
    assert_eq!(judge(&Evidence { pushes, arrivals, ..Evidence::default() }).findings, []);
    daemon.stop();
}
