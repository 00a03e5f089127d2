//! Rules that are broken or gone, and a restart.

use std::fs;

use crate::daemon::{Daemon, wait_until};
use crate::http::Client;
use crate::judge::{Evidence, Push, judge};
use crate::pushers::{Line, Service};
use crate::receiver::PATIENCE;
use crate::receivers::{Recorder, distinct};
use crate::site::{Site, wait_for_death};

fn problems(client: &mut Client) -> String {
    client.get("/api/v1/status").json()["problems"].to_string()
}

/// A service pushed by hand.
struct Pushed<'a> {
    service: Service,
    good: &'a Recorder,
    evidence: Evidence,
}

impl Pushed<'_> {
    fn new(good: &Recorder) -> Pushed<'_> {
        Pushed { service: Service::new("one".to_string()), good, evidence: Evidence::default() }
    }

    fn push(&mut self, daemon: &Daemon, v: f64) {
        let line = Line::default();
        line.set(Some(daemon.address()));
        let (push, snapshot) = self.service.next(v);
        line.push(&mut None, &snapshot.to_string()).expect("it is taken");
        self.evidence.pushes.push(Push { taken: true, ..push });
    }

    /// Waits until so many notifications came, and judges them all.
    #[track_caller]
    fn assert_told(&mut self, n: usize) {
        assert!(self.good.wait_until(PATIENCE, |arrivals| distinct(arrivals) >= n), "{:#?}", self.good.arrivals());
        self.evidence.arrivals.insert("good".to_string(), self.good.arrivals());
        let judgement = judge(&self.evidence);
        assert_eq!(judgement.findings, [], "{judgement}");
    }
}

#[track_caller]
fn restarted(mut daemon: Daemon, site: &Site) -> Daemon {
    daemon.kill();
    wait_for_death(&mut daemon);
    site.start()
}

#[test]
fn a_rules_folder_that_is_unmounted_changes_nothing_over_restarts_too() {
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let daemon = site.start();
    let mut one = Pushed::new(&good);
    one.push(&daemon, 1.5);
    one.assert_told(1);

    fs::rename(site.path("rules"), site.path("unmounted")).unwrap();
    let mut client = daemon.client();
    wait_until("the problem is shown", || problems(&mut client).contains("cannot be used"));
    let daemon = restarted(daemon, &site);
    assert!(problems(&mut daemon.client()).contains("rules"), "the problem is shown after the restart");
    one.push(&daemon, 0.5);
    one.assert_told(2);
    one.push(&daemon, 1.5);
    one.assert_told(3);

    let daemon = restarted(daemon, &site);
    fs::rename(site.path("unmounted"), site.path("rules")).unwrap();
    let mut client = daemon.client();
    wait_until("the problem is over", || !problems(&mut client).contains("rules"));
    one.push(&daemon, 0.5);
    one.assert_told(4);
    daemon.stop();
}

#[test]
fn the_last_good_rules_of_a_broken_file_run_on_after_a_restart() {
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let daemon = site.start();
    let mut one = Pushed::new(&good);
    one.push(&daemon, 1.5);
    one.assert_told(1);

    site.write("rules/crash.rhai", "rule(\"hot\", #{ on: \"service\", whn: |s| true });\n");
    let mut client = daemon.client();
    wait_until("the problem is shown", || problems(&mut client).contains("whn"));
    let daemon = restarted(daemon, &site);
    assert!(problems(&mut daemon.client()).contains("whn"), "it is still broken");
    one.push(&daemon, 0.5);
    one.assert_told(2);
    daemon.stop();
}

#[test]
fn the_last_good_text_of_a_broken_channel_file_tells_after_a_restart() {
    let good = Recorder::healthy();
    let site = Site::new(&[("good", &good)]);
    let daemon = site.start();
    let mut one = Pushed::new(&good);
    one.push(&daemon, 1.5);
    one.assert_told(1);

    site.write("channels/good.yaml", "type: webhok\n");
    let mut client = daemon.client();
    wait_until("the problem is shown", || problems(&mut client).contains("webhok"));
    let daemon = restarted(daemon, &site);
    one.push(&daemon, 0.5);
    one.assert_told(2);
    daemon.stop();
}
