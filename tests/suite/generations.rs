//! Rules are replaced while snapshots stream in: none is missed, none is judged twice, none by two generations.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larum::app::{App, Options, read_config};
use larum::model::{EventKind, Time};
use larum::store::{Bounds, Error, Memory, Reader, Record, Store};
use serde_json::json;

use crate::daemon::Project;
use crate::http::Client;
use crate::receiver::Receiver;

const PUSHES: usize = 10_000;
const SAVES: usize = 100;

/// Two rules that fire at every thing, and say which generation they are. Their conditions stay the same, so a save
/// gives no reason to judge anything again.
fn rules(generation: usize) -> String {
    let rule = |name: &str| {
        format!("rule(\"{name}\", #{{ on: \"thing\", when: |s| s.v >= 0, message: \"generation {generation}\" }});\n")
    };
    format!("{}{}", rule("first"), rule("second"))
}

/// What one step raised: rule, subject, message.
type Raised = Vec<(String, String, String)>;

/// A store that also keeps every step's events together.
struct Steps {
    inner: Memory,
    raised: Arc<Mutex<Vec<Raised>>>,
}

impl Store for Steps {
    fn commit(&mut self, batch: &[Record]) -> Result<(), Error> {
        for record in batch {
            if let Record::Step(effects) = record {
                let raised = effects.events.iter().filter(|event| event.kind == EventKind::Raised);
                let raised = raised.map(|e| (e.rule.to_string(), e.subject.name.to_string(), e.message.clone()));
                self.raised.lock().unwrap().push(raised.collect());
            }
        }
        self.inner.commit(batch)
    }

    fn trim(&mut self, before: Time) -> Result<usize, Error> {
        self.inner.trim(before)
    }

    fn trim_history(&mut self, before: Time, bytes: u64) -> Result<usize, larum::store::Error> {
        self.inner.trim_history(before, bytes)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }
}

#[test]
fn ten_thousand_pushes_during_a_hundred_saves_are_each_judged_once_per_rule_by_one_generation() {
    // The receiver is not told: a dry route keeps the test to the engine.
    let project = Project::new(&Receiver::start());
    project.write("larum.yaml", "collectors:\n  - { type: push }\nalerts: { enabled: false }\n");
    project.write("rules/a.rhai", &rules(0));
    let raised: Arc<Mutex<Vec<Raised>>> = Arc::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let options = Options {
        dir: project.root().to_path_buf(),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        ..Options::default()
    };
    let config = read_config(&options.layout()).unwrap();
    let store = Steps { inner: Memory::new(Bounds { events: 100, ..Bounds::default() }), raised: raised.clone() };
    let app = runtime.block_on(App::start_with(options, config, Box::new(store))).unwrap();

    let pushed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(app.address());
            for n in 0..PUSHES {
                client.push(&json!({ "kind": "thing", "name": format!("n{n:05}"), "fields": { "v": n } }));
            }
            pushed.store(true, Ordering::Relaxed);
        });
        // Spread over the pushes, each looked at without waiting for the watch.
        for generation in 1..=SAVES {
            project.write("rules/a.rhai", &rules(generation));
            runtime.block_on(app.reload());
        }
    });
    assert!(pushed.load(Ordering::Relaxed));

    let counts = app.engine().ask(|engine, _| {
        let evaluated = |view: larum::engine::RuleView<'_>| {
            let counts = view.counts;
            (view.rule.name.to_string(), counts.fire, counts.clear + counts.no_data + counts.error)
        };
        engine.rule_views().map(evaluated).collect::<Vec<_>>()
    });
    let counts = runtime.block_on(counts).unwrap();
    assert_eq!(counts, [("first".into(), PUSHES as u64, 0), ("second".into(), PUSHES as u64, 0)]);
    let asked = Instant::now();
    assert!(runtime.block_on(app.stop(Duration::from_secs(5))), "it stops cleanly");
    assert!(asked.elapsed() < Duration::from_secs(5));

    let mut subjects = Vec::new();
    let mut generations = std::collections::BTreeSet::new();
    for step in raised.lock().unwrap().iter().filter(|step| !step.is_empty()) {
        let [(first, subject, message), (second, other, other_message)] = &step[..] else {
            panic!("one push raises both alerts in one step: {step:?}");
        };
        assert_eq!((first.as_str(), second.as_str()), ("first", "second"));
        assert_eq!((subject, message), (other, other_message), "one generation judges one push");
        subjects.push(subject.clone());
        generations.insert(message.clone());
    }
    let expected: Vec<String> = (0..PUSHES).map(|n| format!("n{n:05}")).collect();
    assert_eq!(subjects, expected);
    assert!(generations.len() > 10, "the saves fell between the pushes: {generations:?}");
}
