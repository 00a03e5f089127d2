use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::channels::message::samples;
use crate::channels::testing::{Answer, Recorder, eventually, nobody};
use crate::channels::{Configured, Terminal, Texts, Verdict, parse};
use crate::config::Fixed;
use crate::engine::Outcome;
use crate::model::{ChannelName, Occasion};

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
    attempts: Vec<AttemptRecord>,
    summaries: Vec<Arc<Notification>>,
    stop: CancellationToken,
    workers: Vec<Worker>,
}

fn console(title: &str) -> Configured {
    channel("ops", &format!("type: console\ntemplate: {{ title: \"{title}\" }}\n"))
}

fn channel(name: &str, yaml: &str) -> Configured {
    parse(&name.into(), format!("channels/{name}.yaml"), yaml, &Fixed::default()).unwrap()
}

fn webhook(name: &str, address: impl std::fmt::Display, more: &str) -> Configured {
    channel(name, &format!("type: webhook\nurl: http://{address}/hook\n{more}"))
}

fn rig(policy: Policy) -> Rig {
    rig_of(policy, vec![console("{{ id }}")])
}

fn rig_of(policy: Policy, channels: Vec<Configured>) -> Rig {
    let terminal = Arc::new(Moody::default());
    let (report, reports) = mpsc::channel(1000);
    let context = Context {
        transport: Transport::new(terminal.clone()).unwrap(),
        clock: Arc::new(Running(Instant::now())),
        policy,
        seed: 1,
        reports: report,
    };
    let outbox = Outbox::new(context);
    let (attempts, summaries, workers) = (Vec::new(), Vec::new(), Vec::new());
    let mut rig = Rig { outbox, terminal, reports, attempts, summaries, stop: CancellationToken::new(), workers };
    rig.apply(channels);
    rig
}

impl Rig {
    /// Makes these the channels there are. Gives what ended with it.
    fn apply(&mut self, channels: Vec<Configured>) -> Vec<End> {
        let known = channels.iter().map(|channel| channel.name().clone()).collect();
        self.apply_known(channels, known)
    }

    fn apply_known(&mut self, channels: Vec<Configured>, known: BTreeSet<ChannelName>) -> Vec<End> {
        let applied = self.outbox.apply(channels, known, &Texts::default(), |_| Vec::new());
        self.workers.extend(applied.workers);
        applied.ends
    }

    /// Runs the workers. Gives the first.
    #[allow(clippy::disallowed_methods, reason = "the test is the caller that runs the workers")]
    fn start(&mut self) -> JoinHandle<Vec<Arc<Notification>>> {
        let (stop, grace) = (self.stop.clone(), Duration::from_secs(5));
        let mut running: Vec<_> =
            self.workers.drain(..).map(|worker| tokio::spawn(worker.run(stop.clone(), grace))).collect();
        running.swap_remove(0)
    }

    fn send(&mut self, id: &str) {
        self.send_all(&[id]);
    }

    fn send_all(&mut self, ids: &[&str]) {
        let notifications = ids.iter().map(|id| notification(id)).collect();
        self.outbox.send(&"ops".into(), notifications).unwrap();
    }

    /// Surroundings for another outbox, but for where it reports to.
    fn outbox_context(&self) -> Context {
        Context {
            transport: Transport::new(self.terminal.clone()).unwrap(),
            clock: Arc::new(Running(Instant::now())),
            policy: quick(),
            seed: 1,
            reports: mpsc::channel(1).0,
        }
    }

    async fn report(&mut self) -> Report {
        let report = tokio::time::timeout(Duration::from_secs(20), self.reports.recv()).await;
        report.expect("a report comes within 20 s").expect("somebody reports")
    }

    /// The next end; summaries are taken as stored.
    async fn end(&mut self) -> Closed {
        loop {
            match self.report().await {
                Report::End(end) => return end.closed,
                Report::Attempt(attempt) => self.attempts.push(attempt),
                Report::Summary(summary, reply) => {
                    self.summaries.push(summary);
                    reply.send(true).unwrap();
                }
            }
        }
    }

    async fn attempt(&mut self) -> AttemptRecord {
        match self.report().await {
            Report::Attempt(attempt) => attempt,
            other => panic!("an attempt is reported, not {other:?}"),
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_quick_worker_delivered_before_its_sender_went_on_does_not_wait() {
    let mut rig = rig(quick());
    let _running = rig.start();
    for round in 0..2000 {
        rig.send(&format!("n{round}"));
        assert_eq!(rig.end().await.outcome, Outcome::Delivered);
        assert_eq!(rig.health().waiting, 0, "round {round}");
    }
}

#[tokio::test]
async fn every_attempt_is_reported_with_what_follows() {
    let mut rig = rig(never());
    rig.terminal.refuse(Some("a"));
    let _running = rig.start();
    rig.send("a");
    let record = rig.attempt().await;
    assert_eq!((record.notification.as_str(), record.number, record.channel.as_str()), ("a", 1, "ops"));
    assert!(matches!(record.verdict, Verdict::Retry { .. }) && matches!(record.next, Next::RetryAt { .. }));
    assert!(record.time >= Time::from_micros(1_000_000_005_000_000), "the wall clock's time");
}

#[tokio::test]
async fn a_new_configuration_is_used_at_once_for_what_waits() {
    let mut rig = rig(never());
    rig.terminal.refuse(Some("broken"));
    rig.apply(vec![console("broken {{ id }}")]);
    assert_eq!(rig.workers.len(), 1, "the channel has a worker");
    let _running = rig.start();
    rig.send("a");
    eventually(|| (rig.health().consecutive_failures == 1).then_some(())).await;
    rig.apply(vec![console("broken {{ id }}"), channel("new", "type: console\n")]);
    eventually(|| rig.outbox.health().contains_key("new").then_some(())).await;
    assert_eq!(rig.health().attempts.retry, 1, "another channel's file hurries nothing");
    rig.apply(vec![console("mended {{ id }}")]);
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
    rig.apply(Vec::new());
    let end = rig.end().await;
    assert_eq!((end.unattempted, end.reason.as_deref()), (true, Some("the channel was removed")));
    assert!(matches!(end.outcome, Outcome::Dead { letter: Some(_) }), "somebody else is told");
    assert!(running.await.unwrap().is_empty());
    let refused = rig.outbox.send(&"ops".into(), vec![notification("b")]).unwrap_err();
    assert_eq!((refused.to_string().as_str(), refused.notifications.len()), ("there is no channel `ops`", 1));
}

#[tokio::test]
async fn a_stop_gives_back_what_was_not_delivered_in_its_order() {
    let mut rig = rig(never());
    rig.terminal.refuse(Some("bad"));
    let running = rig.start();
    for id in ["bad-1", "good", "bad-2"] {
        rig.send(id);
    }
    eventually(|| (rig.health().waiting == 2 && rig.health().resting).then_some(())).await;
    rig.stop.cancel();
    let left: Vec<String> = running.await.unwrap().iter().map(|left| left.id.to_string()).collect();
    assert_eq!(left, ["bad-1", "bad-2"]);
    assert_eq!(rig.terminal.written(), ["10:00:00 good"]);
}

#[tokio::test]
async fn a_notification_that_cannot_be_rendered_is_dead_and_says_why() {
    let mut rig = rig(quick());
    let yaml = "type: webhook\nurl: http://127.0.0.1:1/\n";
    let webhook = parse(&"ops".into(), "channels/ops.yaml", yaml, &Fixed::default()).unwrap();
    rig.apply(vec![webhook]);
    let _running = rig.start();
    let mut empty = notification("a").as_ref().clone();
    empty.alerts.clear();
    rig.outbox.send(&"ops".into(), vec![Arc::new(empty)]).unwrap();
    let end = rig.end().await;
    assert_eq!(end.reason.as_deref(), Some("the notification has no alert"));
    assert!(!end.unattempted && matches!(end.outcome, Outcome::Dead { .. }));
    assert_eq!(rig.health().dead, 1);
}

fn reply(status: u16, body: &'static str) -> Answer {
    Answer::Reply(status, Vec::new(), body)
}

#[tokio::test]
async fn a_receiver_that_takes_connections_and_never_answers_holds_only_its_channel() {
    let silent = Recorder::start([Answer::Silence]).await;
    let slow = webhook("slow", silent.address, "timeout: 5m\n");
    let mut rig = rig_of(quick(), vec![slow, console("{{ id }}")]);
    let _running = rig.start();
    let to_slow = (0..20).map(|index| notification(&index.to_string())).collect();
    rig.outbox.send(&"slow".into(), to_slow).unwrap();
    eventually(|| (rig.outbox.health()["slow"].in_flight > 0).then_some(())).await;
    rig.send("a");
    assert_eq!(rig.end().await.notification.as_str(), "a");
    let health = rig.outbox.health()["slow"].clone();
    assert_eq!((health.waiting, health.in_flight, health.delivered), (20, health.concurrency, 0));
}

#[tokio::test]
async fn an_error_in_a_body_of_status_200_is_tried_again_under_the_same_id() {
    let answers = [reply(200, "{\"errcode\":-1}"), reply(200, "<html>"), reply(200, "{\"errcode\":0}")];
    let recorder = Recorder::start(answers).await;
    let wecom = channel("ops", &format!("type: wecom\nkey: k\nbase_url: http://{}\n", recorder.address));
    let mut rig = rig_of(quick(), vec![wecom]);
    let _running = rig.start();
    rig.send("a");
    assert_eq!(rig.end().await.outcome, Outcome::Delivered);
    assert_eq!(recorder.recorded().len(), 3);
    let numbers: Vec<(u32, &str)> = rig.attempts.iter().map(|a| (a.number, a.notification.as_str())).collect();
    assert_eq!(numbers, [(1, "a"), (2, "a"), (3, "a")]);
    assert_eq!(rig.health().attempts, Attempts { ok: 1, retry: 2, ..Attempts::default() });
}

#[tokio::test]
async fn an_id_is_the_same_over_all_tries_and_retry_after_holds_the_channel() {
    let wait = vec![("retry-after", "1".to_string())];
    let recorder = Recorder::start([Answer::Reply(429, wait, ""), reply(200, "")]).await;
    let mut rig = rig_of(quick(), vec![webhook("ops", recorder.address, "concurrency: 1\n")]);
    let _running = rig.start();
    let started = Instant::now();
    rig.send_all(&["a", "b"]);
    let first = rig.attempt().await;
    assert!(matches!(first.verdict, Verdict::Retry { holds_channel: true, .. }), "{first:?}");
    let paused = eventually(|| rig.health().paused_until).await;
    assert!(paused >= first.time + Duration::from_secs(1), "{paused} after {}", first.time);
    for _ in 0..2 {
        assert_eq!(rig.end().await.outcome, Outcome::Delivered);
    }
    assert!(started.elapsed() >= Duration::from_secs(1), "nothing was tried before");
    let recorded = recorder.recorded();
    let ids: Vec<&str> = recorded.iter().map(|call| call.headers["webhook-id"].to_str().unwrap()).collect();
    assert_eq!(ids, ["a", "a", "b"]);
    assert_eq!(rig.health().paused_until, None);
}

#[tokio::test]
async fn a_closed_door_and_a_name_that_is_none_are_tried_again() {
    let closed = nobody().await.to_string();
    for address in [closed.as_str(), "no-such-host.invalid"] {
        let mut rig = rig_of(quick(), vec![webhook("ops", address, "timeout: 5s\n")]);
        let _running = rig.start();
        rig.send("a");
        for number in [1, 2] {
            let attempt = rig.attempt().await;
            assert!(matches!(attempt.next, Next::RetryAt { .. }), "{attempt:?}");
            assert_eq!(attempt.number, number);
        }
        let said = rig.health().last_error.unwrap();
        assert!(!said.contains("invalid") && !said.contains("127.0.0.1"), "an address is a secret: {said}");
    }
}

#[tokio::test]
async fn past_the_limit_a_summary_arrives_and_all_that_it_stands_for_end_as_absorbed() {
    let recorder = Recorder::start([reply(200, "")]).await;
    let mut rig = rig_of(quick(), vec![webhook("ops", recorder.address, "limit: 3/1h\nconcurrency: 1\n")]);
    let _running = rig.start();
    rig.send_all(&["a", "b", "c", "d", "e"]);
    let ends = [rig.end().await, rig.end().await, rig.end().await];
    let summary = rig.summaries.remove(0);
    let Occasion::Summary(content) = &summary.occasion else { panic!("it is a summary") };
    assert_eq!(content.stands_for, ["c", "d", "e"].map(Into::into));
    let each: Vec<(&str, Outcome)> =
        ends.iter().flat_map(Closed::each).map(|(id, outcome)| (id.as_str(), outcome)).collect();
    let delivered = ["a", "b", summary.id.as_str()].map(|id| (id, Outcome::Delivered));
    assert_eq!(each[..3], delivered);
    assert_eq!(each[3..], ["c", "d", "e"].map(|id| (id, Outcome::Absorbed)));
    let ids: Vec<String> =
        recorder.recorded().iter().map(|call| call.headers["webhook-id"].to_str().unwrap().to_string()).collect();
    assert_eq!(ids, ["a", "b", summary.id.as_str()]);
    let health = rig.health();
    assert_eq!((health.delivered, health.absorbed, health.summaries, health.waiting), (2, 3, 1, 0));
    rig.send("f");
    eventually(|| (rig.health().waiting == 1 && rig.health().resting).then_some(())).await;
    assert!(rig.health().limited_until.is_some(), "{:?}", rig.health());
    assert_eq!(recorder.recorded().len(), 3);
}

#[tokio::test]
async fn a_summary_goes_although_it_cannot_be_stored() {
    let recorder = Recorder::start([reply(200, "")]).await;
    let mut rig = rig_of(quick(), vec![webhook("ops", recorder.address, "limit: 1/1h\n")]);
    let _running = rig.start();
    rig.send_all(&["a", "b"]);
    let Report::Summary(summary, reply) = rig.report().await else { panic!("a summary is to be stored") };
    assert!(recorder.recorded().is_empty(), "it is stored before its first attempt");
    drop(reply);
    assert_eq!(rig.end().await.notification, summary.id);
}

#[tokio::test]
async fn what_is_sent_before_the_channels_are_known_waits_for_them() {
    let mut rig = rig(quick());
    rig.outbox = Outbox::new(Context { reports: mpsc::channel(1).0, ..rig.outbox_context() });
    rig.workers.clear();
    rig.send("a");
    assert!(rig.health().nobody);
    let (report, reports) = mpsc::channel(1000);
    rig.reports = reports;
    rig.outbox = {
        let mut outbox = Outbox::new(Context { reports: report, ..rig.outbox_context() });
        outbox.send(&"ops".into(), vec![notification("a")]).unwrap();
        outbox
    };
    rig.apply(vec![console("{{ id }}")]);
    let _running = rig.start();
    assert_eq!(rig.end().await.notification.as_str(), "a");
}

#[tokio::test]
async fn what_waits_for_a_broken_file_is_kept_and_given_up_only_when_the_file_is_gone() {
    let mut rig = rig(quick());
    let known: BTreeSet<ChannelName> = ["ops".into(), "broken".into()].into();
    assert!(rig.apply_known(vec![console("{{ id }}")], known.clone()).is_empty());
    let mut waiting = notification("a").as_ref().clone();
    waiting.channel = "broken".into();
    rig.outbox.send(&"broken".into(), vec![Arc::new(waiting)]).unwrap();
    let health = rig.outbox.health()["broken"].clone();
    assert_eq!((health.waiting, health.nobody, rig.outbox.has(&"broken".into())), (1, true, false));
    assert!(rig.apply_known(vec![console("{{ id }}")], known).is_empty());
    let ends = rig.apply(vec![console("{{ id }}")]);
    let told: Vec<_> = ends.iter().map(|end| (end.channel.as_str(), end.closed.reason.as_deref())).collect();
    assert_eq!(told, [("broken", Some("the channel was removed"))]);
}

#[tokio::test]
async fn a_channel_whose_file_breaks_goes_on_as_it_was() {
    let mut rig = rig(quick());
    let _running = rig.start();
    rig.apply_known(Vec::new(), ["ops".into()].into());
    rig.send("a");
    assert_eq!(rig.end().await.outcome, Outcome::Delivered);
    rig.apply(vec![console("again {{ id }}")]);
    assert!(rig.workers.is_empty(), "its worker is the same");
}

#[tokio::test]
async fn an_operator_hurries_and_drops_what_waits() {
    let mut rig = rig(never());
    rig.terminal.refuse(Some("bad"));
    let _running = rig.start();
    rig.send_all(&["bad-1", "bad-2"]);
    eventually(|| (rig.health().attempts.retry == 2).then_some(())).await;
    let ops = ChannelName::from("ops");
    assert_eq!(rig.outbox.drop(&ops, "bad-1".into()).await, Ok(Wish::Done));
    rig.terminal.refuse(None);
    assert_eq!(rig.outbox.hurry(&ops, "bad-2".into()).await, Ok(Hurried::Goes));
    let ends = [rig.end().await, rig.end().await];
    let told: Vec<_> = ends.iter().map(|end| (end.notification.as_str(), end.reason.as_deref())).collect();
    assert_eq!(told, [("bad-1", Some("dropped by an operator")), ("bad-2", None)]);
    assert_eq!(rig.outbox.drop(&ops, "bad-2".into()).await, Ok(Wish::Unknown));
    assert!(rig.outbox.hurry(&"none".into(), "bad-2".into()).await.is_err());
}

#[tokio::test]
async fn a_restart_takes_up_numbers_times_and_what_the_limit_counts() {
    let mut rig = rig_of(quick(), Vec::new());
    let now = rig.outbox_context().clock.now().time;
    let mut waiting = Waiting::of(notification("a"));
    (waiting.attempts, waiting.next) = (4, Some(now + Duration::from_millis(50)));
    rig.outbox = {
        let (report, reports) = mpsc::channel(1000);
        rig.reports = reports;
        Outbox::new(Context { reports: report, ..rig.outbox_context() })
    };
    rig.outbox.restore(waiting);
    let limited = channel("ops", "type: console\nlimit: 2/1h\n");
    let past = |channel: &Configured| vec![now; channel.limit().map_or(0, |limit| limit.count() - 1)];
    rig.workers = rig.outbox.apply(vec![limited], ["ops".into()].into(), &Texts::default(), past).workers;
    let _running = rig.start();
    assert_eq!(rig.attempt().await.number, 5);
    rig.end().await;
    rig.send("b");
    eventually(|| rig.health().limited_until).await;
    assert_eq!(rig.health().delivered, 1, "the limit counts the attempts of before");
}
