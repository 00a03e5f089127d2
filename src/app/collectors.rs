//! The collectors that run: started and stopped as larum.yaml asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::engine_thread::{Handle, Machine};
use super::own_state::OWN_KINDS;
use super::tasks::{Group, Policy};
use crate::collect::{
    self, COLLECTOR_KIND, Expectations, HostSettings, HttpSettings, JsonExpectation, Schedule, Settings, Sink,
    StatusRange,
};
use crate::config::collectors::{BodyExpectation, Collector, Http};
use crate::diagnostic::Diagnostic;
use crate::history::Batch;
use crate::model::Value;

/// The collectors that run now.
pub(super) struct Collectors {
    group: Group,
    sink: Arc<dyn Sink>,
    clock: Clock,
    running: Mutex<BTreeMap<String, Running>>,
    takes_pushes: AtomicBool,
    /// What larum.yaml asks for, and its name.
    wanted: Mutex<(Vec<Collector>, Arc<str>)>,
    /// The sources that an operator leaves alone; `None` is all of them.
    paused: Mutex<BTreeSet<Option<Arc<str>>>>,
}

struct Running {
    wanted: Collector,
    /// Cancelled while it is paused.
    stop: CancellationToken,
    kinds: &'static [&'static str],
}

/// Passes go to the engine, and wait there for their place.
pub(super) struct ToEngine<M>(pub(super) Handle<M>);

impl<M: Machine> Sink for ToEngine<M> {
    fn deliver(&self, batch: Batch) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // While the daemon stops, a pass comes too late for anybody.
            self.0.step(crate::engine::Input::Batch(batch.into())).await.ok();
        })
    }
}

impl Collectors {
    /// None runs yet. Their passes go to `sink`.
    pub(super) fn new(group: Group, sink: Arc<dyn Sink>, clock: Clock) -> Collectors {
        Collectors {
            group,
            sink,
            clock,
            running: Mutex::default(),
            takes_pushes: AtomicBool::new(false),
            wanted: Mutex::new((Vec::new(), "".into())),
            paused: Mutex::default(),
        }
    }

    /// Leaves these sources alone, and lets all others go on. Gives what cannot be started.
    pub(super) fn set_paused(&self, sources: BTreeSet<Option<Arc<str>>>) -> Vec<Diagnostic> {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = sources;
        let (wanted, config_name) = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.reconcile(&wanted, &config_name)
    }

    /// Whether a source is left alone.
    pub(super) fn is_paused(&self, source: &str) -> bool {
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.contains(&None) || paused.contains(&Some(source.into()))
    }

    /// The names of all that larum.yaml asks for, `push` too.
    pub(super) fn wanted_names(&self) -> BTreeSet<String> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).0.iter().map(Collector::name).collect()
    }

    /// Starts what is new, stops what is no longer wanted, and starts anew what changed. Gives what cannot be started:
    /// then the one that ran before under that name goes on.
    pub(super) fn reconcile(&self, wanted: &[Collector], config_name: &Arc<str>) -> Vec<Diagnostic> {
        let pushes = wanted.iter().any(|wanted| matches!(wanted, Collector::Push(_)));
        self.takes_pushes.store(pushes, Ordering::Relaxed);
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = (wanted.to_vec(), config_name.clone());
        let mut problems = Vec::new();
        let mut running = self.running();
        let names: BTreeSet<String> = wanted.iter().map(Collector::name).collect();
        running.retain(|name, collector| {
            let keep = names.contains(name);
            if !keep {
                tracing::info!(collector = name, "collector stopped");
                collector.stop.cancel();
            }
            keep
        });
        for wanted in wanted {
            let name = wanted.name();
            let is_paused = self.is_paused(&name);
            if let Some(running) = running.get(&name).filter(|running| running.wanted == *wanted) {
                let is_stopped = running.stop.is_cancelled();
                if is_paused && !is_stopped {
                    tracing::info!(collector = name, "collector paused");
                    running.stop.cancel();
                }
                if is_paused || !is_stopped {
                    continue;
                }
            }
            let Some((settings, schedule)) = settings(wanted) else { continue };
            match settings.build() {
                Err(error) => {
                    problems.push(Diagnostic::of_file(config_name.clone(), super::error_chain(&error)));
                }
                Ok(first) => {
                    let stop = self.group.token().child_token();
                    let kinds = settings.reserved_kinds();
                    match is_paused {
                        true => stop.cancel(),
                        false => self.start(&name, first, settings, schedule, &stop),
                    }
                    if let Some(before) = running.insert(name, Running { wanted: wanted.clone(), stop, kinds }) {
                        before.stop.cancel();
                    }
                }
            }
        }
        problems
    }

    fn start(
        &self,
        name: &str,
        first: Box<dyn collect::Collector>,
        settings: Settings,
        schedule: Schedule,
        stop: &CancellationToken,
    ) {
        tracing::debug!(collector = name, every = ?schedule.every, "collector started");
        let clock = self.clock.clone();
        let clock: collect::Clock = Arc::new(move || clock.now());
        let (sink, stop) = (self.sink.clone(), stop.clone());
        let mut first = Some(first);
        self.group.start_until(format!("collector {name}"), Policy::Restart, stop, move |stop| {
            // A restart builds it anew: the old one may be what failed.
            let collector = first.take().map_or_else(|| settings.build(), Ok);
            let (schedule, clock, sink) = (schedule.clone(), clock.clone(), sink.clone());
            async move {
                collect::run(collector?, schedule, clock, sink, stop).await;
                Ok(())
            }
        });
    }

    /// Whether a kind is written by larum itself.
    pub(super) fn is_reserved(&self, kind: &str) -> bool {
        kind == COLLECTOR_KIND
            || OWN_KINDS.contains(&kind)
            || self.running().values().any(|running| running.kinds.contains(&kind))
    }

    /// Whether one of them is `push`.
    pub(super) fn takes_pushes(&self) -> bool {
        self.takes_pushes.load(Ordering::Relaxed)
    }

    /// The names of those that run.
    pub(super) fn names(&self) -> Vec<String> {
        self.running().keys().cloned().collect()
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A collector as `collect` wants it. `None` for pushes, which nobody runs.
fn settings(wanted: &Collector) -> Option<(Settings, Schedule)> {
    match wanted {
        Collector::Push(_) => None,
        Collector::Host(host) => {
            Some((Settings::Host(HostSettings::default()), Schedule { every: host.every, timeout: host.timeout }))
        }
        Collector::Http(http) => {
            let settings = http_settings(http);
            let schedule = Schedule { every: http.every, timeout: settings.pass_timeout() };
            Some((Settings::Http(Box::new(settings)), schedule))
        }
        Collector::Process(process) => {
            let schedule = Schedule { every: process.every, timeout: process.timeout };
            Some((Settings::Process(process.settings.clone()), schedule))
        }
        Collector::Tcp(tcp) => {
            let schedule = Schedule { every: tcp.every, timeout: tcp.settings.pass_timeout() };
            Some((Settings::Tcp(tcp.settings.clone()), schedule))
        }
    }
}

fn http_settings(http: &Http) -> HttpSettings {
    let mut expect = Expectations { response_time: http.expect.response_time, ..Expectations::default() };
    if !http.expect.status.is_empty() {
        expect.status = http.expect.status.iter().copied().map(StatusRange::only).collect();
    }
    for body in &http.expect.body {
        match body {
            BodyExpectation::Contains(text) => expect.body_contains = Some(text.clone()),
            BodyExpectation::Matches(pattern) => expect.body_matches = Some(pattern.0.clone()),
        }
    }
    let json = http.expect.json.iter();
    expect.json =
        json.map(|(pointer, value)| JsonExpectation { pointer: pointer.clone(), value: json_of(value) }).collect();
    HttpSettings {
        kind: http.kind.clone(),
        labels: http.labels.clone(),
        headers: http
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), SecretString::from(value.expose().to_string())))
            .collect(),
        method: http.method.clone(),
        body: http.body.as_ref().map(|body| SecretString::from(body.expose().to_string())),
        follow_redirects: http.follow_redirects,
        verify_tls: http.verify_tls,
        ca_pem: http.ca.as_ref().map(|pem| pem.expose().as_bytes().to_vec()),
        timeout: http.timeout,
        retries: http.retries,
        expect,
        ..HttpSettings::new(http.name.clone(), http.url.expose())
    }
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Number(number) => (*number).into(),
        Value::Text(text) => text.as_ref().into(),
        Value::Bool(bool) => (*bool).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::config::{Config, Fixed};

    #[test]
    fn everything_that_is_said_of_a_service_reaches_its_probe() {
        let text = "collectors: [{ type: http, name: a, url: 'http://a/', kind: site, method: PUT, body: ping, timeout: 2s,
            retries: 3, follow_redirects: false, verify_tls: false, headers: { X-Key: k }, labels: { zone: eu },
            expect: { status: [200, 204], body: { contains: ok, matches: '^o' }, json: { /n: 1 }, response_time: 1s } }]";
        let config = Config::parse("larum.yaml", text, &Fixed::default()).unwrap();
        let Some(Collector::Http(http)) = config.collectors.first() else { panic!("it is http") };
        let HttpSettings { url, method, headers, body, expect, .. } = http_settings(http);
        assert_eq!((url.expose_secret(), method.as_str()), ("http://a/", "PUT"));
        assert_eq!((headers[0].0.as_str(), headers[0].1.expose_secret()), ("X-Key", "k"));
        assert_eq!(body.as_ref().map(|body| body.expose_secret()), Some("ping"));
        assert_eq!((expect.status.len(), expect.json.len()), (2, 1));
        assert_eq!(expect.body_contains.as_deref(), Some("ok"));
        assert!(expect.body_matches.is_some_and(|regex| regex.is_match("ok")));
        assert_eq!(expect.response_time, Some(Duration::from_secs(1)));
        let HttpSettings { name, kind, labels, timeout, retries, follow_redirects, verify_tls, .. } =
            http_settings(http);
        assert_eq!((&*name, &*kind, &*labels["zone"]), ("a", "site", "eu"));
        assert_eq!((timeout, retries), (Duration::from_secs(2), 3));
        assert!(!follow_redirects && !verify_tls);
    }
}
