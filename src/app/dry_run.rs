//! `larum dry-run`: the project's own collectors and rules, and nothing is sent.
//!
//! The engine runs on the lab's bench, in real time: passes are given to it as they come, and its deadlines are stepped as
//! they are due.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::live::{LiveCollectors, block_on};
use crate::config::Config;
use crate::config::collectors::Collector;
use crate::diagnostic::Diagnostic;
use crate::engine::{Effects, Engine, Input};
use crate::lab::dry_run::Report;
use crate::lab::{Bench, Dispatched, Observer, Project, Sent};

/// Between the two looks that tell how much something grows.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// A look that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a dry run is made of.
#[derive(Debug)]
pub struct DryRun<'a> {
    /// The project's settings.
    pub config: &'a Config,
    /// The name of the file that they come from.
    pub config_name: &'a Arc<str>,
    /// Its rules, routes and channels.
    pub project: &'a Project,
    /// For how long it goes on; `None` is until each collector has looked as often as it needs to.
    pub lasts: Option<Duration>,
}

/// How often a collector must look before it has said all that it can say.
pub const fn looks(collector: &Collector) -> usize {
    match collector {
        // Processor and network are counters of the system: they say something from the second look on.
        Collector::Host(_) | Collector::Process(_) => 2,
        Collector::Http(_) | Collector::Tcp(_) => 1,
        Collector::Push(_) => 0,
    }
}

/// Collects, judges, and says what would be told. Ctrl-C ends it early, with what is known by then. Also gives the
/// collectors that cannot be started.
///
/// # Errors
/// Where the system gives no threads or signals.
pub fn dry_run(dry_run: &DryRun<'_>) -> io::Result<(Report, Vec<Diagnostic>)> {
    block_on(run(dry_run))?
}

async fn run(dry_run: &DryRun<'_>) -> io::Result<(Report, Vec<Diagnostic>)> {
    let DryRun { config, config_name, project, lasts } = *dry_run;
    let mut config = config.clone();
    let mut missing: BTreeMap<String, usize> = BTreeMap::new();
    if lasts.is_none() {
        missing = config.collectors.iter().map(|collector| (collector.name(), looks(collector))).collect();
        config.collectors.iter_mut().for_each(hurry);
    }
    let (mut live, problems) = LiveCollectors::start(&config, config_name, Some(lasts.unwrap_or(PATIENCE)))?;
    let running = live.names();
    missing.retain(|name, looks| *looks > 0 && running.contains(name));
    let started = live.clock().now();
    let mut told = Told::default();
    let mut bench = project.bench(started, false, &mut told);
    bench.feed(Input::Alerting(config.alerts.enabled), &mut told);
    let mut passes: BTreeMap<String, usize> = BTreeMap::new();
    while lasts.is_some() || !missing.is_empty() {
        let pass = match bench.engine().next_deadline() {
            Some(deadline) => tokio::time::timeout(live.clock().until(deadline), live.next()).await,
            None => Ok(live.next().await),
        };
        match pass {
            Ok(Some((now, batch))) => {
                let name = batch.source.name.to_string();
                bench.set_wall_offset(now.wall_offset);
                let approached: Result<(), Infallible> = bench.approach(now.time, &mut told, || Ok(()));
                approached.unwrap_or_else(|never| match never {});
                bench.feed(Input::Batch(batch.into()), &mut told);
                if let Some(looks) = missing.get_mut(&name) {
                    *looks -= 1;
                }
                missing.retain(|_, looks| *looks > 0);
                *passes.entry(name).or_default() += 1;
            }
            Ok(None) => break,
            Err(_) => catch_up(&mut bench, &live, &mut told),
        }
    }
    catch_up(&mut bench, &live, &mut told);
    Ok((Report::of(&bench, project, started, passes, &told.sent), problems))
}

/// Looks that need one before them follow soon.
fn hurry(collector: &mut Collector) {
    if looks(collector) < 2 {
        return;
    }
    match collector {
        Collector::Host(host) => host.every = host.every.min(BETWEEN_LOOKS),
        Collector::Process(process) => process.every = process.every.min(BETWEEN_LOOKS),
        Collector::Http(_) | Collector::Tcp(_) | Collector::Push(_) => {}
    }
}

/// Steps what is due by now.
fn catch_up(bench: &mut Bench, live: &LiveCollectors, told: &mut Told) {
    let now = live.clock().now();
    bench.set_wall_offset(now.wall_offset);
    let advanced: Result<(), Infallible> = bench.advance(now.time, told, || Ok(()));
    advanced.unwrap_or_else(|never| match never {});
}

/// Keeps what would be sent.
#[derive(Default)]
struct Told {
    sent: Vec<Sent>,
}

impl Observer for Told {
    fn step(&mut self, _: &Engine, _: Effects) {}

    fn outbox(&mut self, dispatched: Dispatched) {
        if let Dispatched::Attempted(attempted) = dispatched {
            self.sent.push(attempted.sent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_collector_looks_as_often_as_it_needs_to_and_nothing_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("larum.yaml", "collectors: [{ type: host, every: 10s }, { type: push }]\n");
        write("channels/hook.yaml", "type: webhook\nurl: http://127.0.0.1:9/in\n");
        write(
            "rules/host.rhai",
            r#"rule("busy", #{ on: "host", when: |h| h.cpu_percent >= 0, message: "it is" });
               rule("held", #{ on: "host", when: |h| h.cpus > 0, hold: "1h" });
               rule("other", #{ on: "service", when: |s| s.v > 1 });"#,
        );
        let (files, problems) = crate::config::Project::read(folder.path(), None);
        assert_eq!(problems, []);
        let (config, project) = (files.parse_config().unwrap(), Project::load(&files).unwrap());
        let dry = DryRun { config: &config, config_name: &files.config_name, project: &project, lasts: None };
        let (report, problems) = dry_run(&dry).unwrap();
        assert_eq!(problems, []);
        assert_eq!(report.passes, [("host".to_string(), 2)].into(), "the processor's counters were seen twice");
        let rules: Vec<&str> = report.rules.iter().map(|report| report.rule.as_str()).collect();
        assert_eq!(rules, ["busy", "held", "other"], "what fires comes first, then what is pending");
        let sent: Vec<&str> = report.would_send.iter().map(|would| would.channel.as_str()).collect();
        assert_eq!(sent, ["hook"]);
        let text = report.lines(&jiff::tz::TimeZone::UTC).join("\n");
        assert!(
            text.contains("It fires at warning since") && text.contains("hook would have been told warning"),
            "{text}"
        );
        assert!(text.contains("It is pending, and fires at"), "{text}");
        assert!(text.contains("nothing of kind service was seen, for other"), "{text}");
    }
}
