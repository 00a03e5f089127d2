use std::sync::Mutex;
use std::time::Instant;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::channels::message::samples;
use crate::channels::testing::eventually;
use crate::channels::{Terminal, parse};
use crate::config::Fixed;

/// Time that goes on from a fixed start.
struct Running(Instant);

impl Clock for Running {
    fn now(&self) -> Now {
        let passed = i64::try_from(self.0.elapsed().as_micros()).unwrap();
        Now { time: Time::from_micros(1_000_000_000_000_000 + passed), wall_offset: 5_000_000 }
    }
}

/// A terminal that refuses lines with some word, as long as it is told to.
#[derive(Debug, Default)]
struct Moody {
    refused: Mutex<Option<&'static str>>,
    written: Mutex<Vec<String>>,
}

impl Moody {
    fn refuse(&self, word: Option<&'static str>) {
        *self.refused.lock().unwrap() = word;
    }

    fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }
}

impl Terminal for Moody {
    fn write(&self, text: &str) -> std::io::Result<()> {
        match *self.refused.lock().unwrap() {
            Some(word) if text.contains(word) => Err(std::io::Error::other("not now")),
            _ => {
                self.written.lock().unwrap().push(text.lines().next().unwrap_or_default().to_string());
                Ok(())
            }
        }
    }

    fn colours(&self) -> bool {
        false
    }
}

struct Rig {
    outbox: Outbox,
    terminal: Arc<Moody>,
    reports: mpsc::Receiver<Report>,
    stop: CancellationToken,
    worker: Option<Worker>,
}

fn console(title: &str) -> Configured {
    let yaml = format!("type: console\ntemplate: {{ title: \"{title}\" }}\n");
    parse(&"ops".into(), "channels/ops.yaml", &yaml, &Fixed::default()).unwrap()
}

fn rig(policy: Policy) -> Rig {
    let terminal = Arc::new(Moody::default());
    let (report, reports) = mpsc::channel(1000);
    let context = Context {
        transport: Transport::new(terminal.clone()).unwrap(),
        clock: Arc::new(Running(Instant::now())),
        policy,
        seed: 1,
        reports: report,
    };
    let mut outbox = Outbox::new(context);
    let worker = outbox.apply(vec![console("{{ id }}")], &Texts::default()).pop();
    Rig { outbox, terminal, reports, stop: CancellationToken::new(), worker }
}

impl Rig {
    #[allow(clippy::disallowed_methods, reason = "the test is the caller that runs the worker")]
    fn start(&mut self) -> JoinHandle<Vec<Arc<Notification>>> {
        tokio::spawn(self.worker.take().unwrap().run(self.stop.clone(), Duration::from_secs(5)))
    }

    fn send(&self, id: &str) {
        self.outbox.send(notification(id)).unwrap();
    }

    async fn end(&mut self) -> End {
        loop {
            if let Report::End(end) = self.reports.recv().await.unwrap() {
                return end;
            }
        }
    }

    fn health(&self) -> Health {
        self.outbox.health()[&ChannelName::from("ops")].clone()
    }
}

fn notification(id: &str) -> Arc<Notification> {
    let mut notification = samples().remove(0);
    notification.id = id.into();
    notification.channel = "ops".into();
    notification.alerts[0].id = id.into();
    Arc::new(notification)
}

fn quick() -> Policy {
    Policy { base: Duration::from_millis(1), ..Policy::default() }
}

fn never() -> Policy {
    Policy { base: Duration::from_secs(86_400), cap: Duration::from_secs(86_400), ..Policy::default() }
}

#[tokio::test]
async fn what_fails_is_tried_again_until_it_is_taken_and_holds_back_nothing_else() {
    let mut rig = rig(quick());
    rig.terminal.refuse(Some("bad"));
    let _running = rig.start();
    rig.send("bad");
    rig.send("good");
    let end = rig.end().await;
    assert_eq!((end.notification.as_str(), end.outcome), ("good", Outcome::Delivered));
    eventually(|| (rig.health().consecutive_failures >= 2).then_some(())).await;
    assert_eq!(rig.health().last_error.as_deref(), Some("cannot write to the terminal: not now"));
    assert_eq!((rig.health().waiting, rig.health().delivered), (1, 1));
    rig.terminal.refuse(None);
    let end = rig.end().await;
    assert_eq!((end.notification.as_str(), end.outcome), ("bad", Outcome::Delivered));
    assert_eq!(
        rig.terminal.written(),
        ["00:00:00 good", "00:00:00 bad"].map(|line| line.replace("00:00:00", "10:00:00"))
    );
    let health = rig.health();
    assert_eq!((health.waiting, health.delivered, health.consecutive_failures), (0, 2, 0));
    assert!(health.last_success.unwrap() > health.last_failure.unwrap());
}

#[tokio::test]
async fn every_attempt_is_reported_with_what_follows() {
    let mut rig = rig(never());
    rig.terminal.refuse(Some("a"));
    let _running = rig.start();
    rig.send("a");
    let Some(Report::Attempt(record)) = rig.reports.recv().await else { panic!("an attempt comes first") };
    assert_eq!((record.notification.as_str(), record.number, record.channel.as_str()), ("a", 1, "ops"));
    assert!(matches!(record.verdict, Verdict::Retry { .. }) && matches!(record.next, Next::RetryAt { .. }));
    assert!(record.time >= Time::from_micros(1_000_000_005_000_000), "the wall clock's time");
}

#[tokio::test]
async fn a_new_configuration_is_used_at_once_for_what_waits() {
    let mut rig = rig(never());
    rig.terminal.refuse(Some("broken"));
    let mut workers = rig.outbox.apply(vec![console("broken {{ id }}")], &Texts::default());
    assert!(workers.pop().is_none(), "the channel has a worker");
    let _running = rig.start();
    rig.send("a");
    eventually(|| (rig.health().consecutive_failures == 1).then_some(())).await;
    rig.outbox.apply(vec![console("mended {{ id }}")], &Texts::default());
    assert_eq!(rig.end().await.outcome, Outcome::Delivered);
    assert_eq!(rig.terminal.written(), ["10:00:00 mended a"]);
}

#[tokio::test]
async fn the_end_of_a_channel_is_the_end_of_what_waits_for_it() {
    let mut rig = rig(never());
    rig.terminal.refuse(Some("a"));
    let running = rig.start();
    rig.send("a");
    eventually(|| (rig.health().consecutive_failures == 1).then_some(())).await;
    rig.outbox.apply(Vec::new(), &Texts::default());
    let end = rig.end().await;
    assert_eq!((end.outcome, end.reason.as_deref()), (Outcome::Dead, Some("the channel was removed")));
    assert!(running.await.unwrap().is_empty());
    assert_eq!(rig.outbox.send(notification("b")), Err(Refused::Unknown("ops".into())));
}

#[tokio::test]
async fn a_stop_gives_back_what_was_not_delivered_in_its_order() {
    let mut rig = rig(never());
    rig.terminal.refuse(Some("bad"));
    let running = rig.start();
    for id in ["bad-1", "good", "bad-2"] {
        rig.send(id);
    }
    eventually(|| (rig.health().waiting == 2 && rig.health().in_flight == 0).then_some(())).await;
    rig.stop.cancel();
    let left: Vec<String> = running.await.unwrap().iter().map(|left| left.id.to_string()).collect();
    assert_eq!(left, ["bad-1", "bad-2"]);
    assert_eq!(rig.terminal.written(), ["10:00:00 good"]);
}

#[tokio::test]
async fn more_than_there_is_room_for_is_refused_and_not_forgotten() {
    let mut rig = rig(quick());
    for index in 0..INBOX {
        rig.send(&index.to_string());
    }
    assert_eq!(rig.outbox.send(notification("more")), Err(Refused::Full("ops".into())));
    assert_eq!(rig.health().waiting, INBOX);
    let _running = rig.start();
    for _ in 0..INBOX {
        assert_eq!(rig.end().await.outcome, Outcome::Delivered);
    }
    rig.send("more");
    assert_eq!(rig.end().await.notification.as_str(), "more");
}

#[tokio::test]
async fn a_notification_that_cannot_be_rendered_is_dead_and_says_why() {
    let mut rig = rig(quick());
    let yaml = "type: webhook\nurl: http://127.0.0.1:1/\n";
    let webhook = parse(&"ops".into(), "channels/ops.yaml", yaml, &Fixed::default()).unwrap();
    rig.outbox.apply(vec![webhook], &Texts::default());
    let _running = rig.start();
    let mut empty = notification("a").as_ref().clone();
    empty.alerts.clear();
    rig.outbox.send(Arc::new(empty)).unwrap();
    let end = rig.end().await;
    assert_eq!((end.outcome, end.reason.as_deref()), (Outcome::Dead, Some("the notification has no alert")));
    assert_eq!(rig.health().dead, 1);
}
