//! A kill at each single operation of the disk, from a push to its delivery.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::chance::happens_within;
use crate::daemon::Daemon;
use crate::judge::{Arrival, Evidence, Push, judge};
use crate::pushers::{Lifeline, Line, Service};
use crate::receiver::PATIENCE;
use crate::receivers::Recorder;
use crate::site::{Site, wait_for_death};

/// There are fewer operations between a push and its delivery.
const MOST: usize = 100;
/// A push has at least these: a write and a sync to commit it, and a write and a sync to mark its delivery.
const FEWEST: usize = 4;
/// A point that is not reached within this time does not exist.
const NOT_ANY_MORE: Duration = Duration::from_secs(1);

/// From when operations are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Push,
    Answer,
}

#[test]
fn a_kill_at_each_operation_after_a_push_loses_no_raise() {
    let points = each_point(From::Push);
    assert!(points >= FEWEST, "a push is stored and its delivery marked: {points} operations");
}

#[test]
fn a_kill_at_each_operation_after_the_receivers_answer_brings_no_second_id() {
    let points = each_point(From::Answer);
    assert!(points >= FEWEST / 2, "a delivery is marked: {points} operations");
}

/// Kills before the first operation, after it, after the second, .. until there is none any more; each kills while
/// another service raises. Gives how many points there were.
fn each_point(from: From) -> usize {
    let good = Recorder::healthy();
    let site = Arc::new(Site::new(&[("good", &good)]));
    let mut evidence = Evidence::default();
    let mut daemon = site.start();
    let mut points = 0;
    for n in 0..MOST {
        site.settle(&daemon);
        let point = Point { from, n: n.max(1), after: n > 0 };
        let (push, snapshot) = Service::new(format!("at{n:02}")).next(1.5);
        let killed;
        (daemon, killed) = raise(daemon, &site, &good, point, &snapshot.to_string());
        let told = |arrivals: &[Arrival]| arrivals.iter().any(|arrival| arrival.said.alerts[0].name == push.name);
        assert!(good.wait_until(PATIENCE, told), "the raise is lost by a kill at {point:?}");
        evidence.pushes.push(Push { taken: true, ..push });
        if !killed {
            break;
        }
        points = n;
    }
    site.settle(&daemon);
    evidence.arrivals.insert("good".to_string(), good.arrivals());
    let judgement = judge(&evidence);
    println!("{points} operations after the {from:?}: {judgement}");
    assert!(points < MOST - 1, "it goes on and on");
    assert_eq!(judgement.findings, []);
    daemon.stop();
    points
}

/// At which operation the daemon dies.
#[derive(Clone, Copy, Debug)]
struct Point {
    from: From,
    n: usize,
    /// After the operation, not before it.
    after: bool,
}

/// Pushes while the daemon is to die at a point. Gives the daemon that runs then, and whether it is another.
fn raise(mut daemon: Daemon, site: &Arc<Site>, good: &Recorder, point: Point, snapshot: &str) -> (Daemon, bool) {
    let accepted = good.arrivals().len();
    let armed = site.clone();
    let arm = move || armed.disk.kill_in(point.n, point.after);
    match point.from {
        From::Push => arm(),
        From::Answer => good.before_accepting(move |n| {
            if n == accepted {
                arm();
            }
        }),
    }
    let line = Line::default();
    line.set(Some(daemon.address()));
    let killed = thread::scope(|scope| {
        let _lifeline = Lifeline(&line);
        let pushing = scope.spawn(|| line.push(&mut None, snapshot));
        let killed = happens_within(NOT_ANY_MORE, || daemon.has_ended());
        site.disk.kill_in(0, false);
        if killed {
            wait_for_death(&mut daemon);
            line.set(None);
            daemon = site.start();
            line.set(Some(daemon.address()));
        }
        assert!(pushing.join().unwrap().is_some());
        killed
    });
    (daemon, killed)
}
