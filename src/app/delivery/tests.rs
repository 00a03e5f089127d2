use std::collections::BTreeMap;

use super::*;
use crate::app::committer;
use crate::app::engine_thread;
use crate::app::figures::Figures;
use crate::app::followers::Followers;
use crate::app::tasks::Tasks;
use crate::channels::message::samples;
use crate::channels::testing::{Answer, Recorder, eventually};
use crate::channels::{Captured, Transport, parse};
use crate::config::Fixed;
use crate::engine::Settings;
use crate::history::Limits;
use crate::model::{Now, Occasion};
use crate::store::{Delivery, DeliveryState, Memory, Store};

/// Deliveries over a store in memory, with an engine that only listens.
struct Rig {
    deliveries: Arc<Deliveries>,
    reader: Arc<dyn Reader>,
    tasks: Tasks,
    group: Group,
    engine: Handle<Engine>,
    writer: Writer,
}

impl Rig {
    /// A daemon that starts with what is stored.
    fn start(store: &Memory, retry_for: Duration) -> Rig {
        let tasks = Tasks::default();
        let group = tasks.group();
        let clock = Clock::start(None);
        let figures = Arc::new(Figures::default());
        let (engine, inbox) = engine_thread::queue::<Engine>();
        let (writer, writes) = committer::queue();
        let (store, reader) = (store.clone(), Store::reader(store));
        let transport = Transport::new(Arc::new(Captured::new(false))).unwrap();
        let (outbox_clock, policy) = (Arc::new(clock.clone()), outbox::Policy { retry_for, ..quick() });
        let context = move |reports| Context { transport, clock: outbox_clock, policy, seed: 1, reports };
        let (deliveries, reports) =
            Deliveries::new(engine.clone(), writer.clone(), clock.clone(), reader.clone(), Some(context));
        deliveries.resume().unwrap();
        let settings = Settings {
            seed: 1,
            forget_after: Duration::from_secs(3600),
            forget_firing_after: Duration::from_secs(3600),
            retention: Duration::from_secs(90 * 24 * 3600),
            zone: jiff::tz::TimeZone::UTC,
            limits: Limits::default(),
            remembers: true,
        };
        group
            .thread("committer", 1 << 20, {
                let (figures, deliveries) = (figures.clone(), deliveries.clone());
                move || {
                    committer::run(Box::new(store), writes, &figures, |effects| deliveries.take(effects));
                    Ok(())
                }
            })
            .unwrap();
        group
            .thread("engine", 8 << 20, {
                let (machine, writer) = (Engine::new(settings, clock.now()), writer.clone());
                move || {
                    engine_thread::run(machine, inbox, &clock, &writer, &figures, &Followers::default());
                    Ok(())
                }
            })
            .unwrap();
        group.start_once("reports", Policy::StopDaemon, {
            let (deliveries, mut reports) = (deliveries.clone(), Some(reports));
            move |_| {
                let (deliveries, reports) = (deliveries.clone(), reports.take());
                async move {
                    if let Some(reports) = reports {
                        deliveries.note_reports(reports).await;
                    }
                    Ok(())
                }
            }
        });
        Rig { deliveries, reader, tasks, group, engine, writer }
    }

    /// Makes these the channels, of which each has a file.
    fn channels(&self, channels: &[(&str, String)]) {
        let parse = |(name, yaml): &(&str, String)| {
            parse(&(*name).into(), format!("channels/{name}.yaml"), yaml, &Fixed::default()).unwrap()
        };
        let known = channels.iter().map(|(name, _)| ChannelName::from(*name)).collect();
        let made = channels.iter().map(parse).collect();
        self.deliveries.set_channels(made, known, &Texts::default(), &self.group, Duration::from_secs(1));
    }

    /// What the engine would have decided in one step: stored, and then sent.
    fn decide(&self, sequence: u64, ids: &[&str]) {
        let mut effects = Effects::none(1_000_000 + sequence, Now::at(crate::model::Time::EPOCH));
        effects.notifications = ids.iter().map(|id| notification(id)).collect();
        let step = committer::Step { effects: Arc::new(effects), place: None, reply: None };
        self.writer.step(step);
    }

    fn state(&self, id: &str) -> Option<DeliveryState> {
        self.reader.delivery(&id.into()).unwrap().map(|delivery| delivery.state)
    }

    async fn wait_for(&self, id: &str, is: impl Fn(&DeliveryState) -> bool) -> Delivery {
        let found = eventually(|| self.reader.delivery(&id.into()).unwrap().filter(|found| is(&found.state)));
        found.await
    }

    fn figures(&self) -> BTreeMap<ChannelName, ChannelFigures> {
        self.deliveries.figures()
    }

    /// Ends it as the daemon does.
    async fn stop(self) {
        self.engine.stop();
        self.writer.flushed().await;
        self.deliveries.close_reports();
        self.group.token().cancel();
        self.writer.flushed().await;
        self.writer.stop();
        assert!(self.group.stop(Instant::now() + Duration::from_secs(10)).await, "{:?}", self.tasks.statuses());
    }
}

fn quick() -> outbox::Policy {
    outbox::Policy { base: Duration::from_millis(1), ..outbox::Policy::default() }
}

const DAY: Duration = Duration::from_secs(86_400);

fn notification(id: &str) -> Notification {
    let mut notification = samples().remove(0);
    (notification.id, notification.channel) = (id.into(), "ops".into());
    notification.alerts[0].id = id.into();
    notification
}

fn hook(recorder: &Recorder, more: &str) -> Vec<(&'static str, String)> {
    vec![("ops", format!("type: webhook\nurl: http://{}/\n{more}", recorder.address))]
}

fn reply(status: u16) -> Answer {
    Answer::Reply(status, Vec::new(), "")
}

fn is_waiting(state: &DeliveryState) -> bool {
    matches!(state, DeliveryState::Waiting { next: Some(_) })
}

fn is_dead(state: &DeliveryState) -> bool {
    matches!(state, DeliveryState::Dead { .. })
}

fn is_delivered(state: &DeliveryState) -> bool {
    matches!(state, DeliveryState::Delivered { .. })
}

#[tokio::test]
async fn what_waits_at_the_stop_is_not_given_up_and_goes_on_after_the_start() {
    let store = Memory::default();
    let failing = Recorder::start([reply(500)]).await;
    let rig = Rig::start(&store, DAY);
    rig.channels(&hook(&failing, ""));
    rig.decide(1, &["a"]);
    let before = rig.wait_for("a", is_waiting).await;
    rig.stop().await;

    let taking = Recorder::start([reply(200)]).await;
    let rig = Rig::start(&store, DAY);
    assert_eq!(rig.figures()[&ChannelName::from("ops")].waiting, 1);
    rig.channels(&hook(&taking, ""));
    let after = rig.wait_for("a", is_delivered).await;
    assert!(after.attempts > before.attempts, "numbers go on: {} after {}", after.attempts, before.attempts);
    assert_eq!(after.first_attempt, before.first_attempt);
    assert_eq!(taking.recorded()[0].headers["webhook-id"], "a");
    eventually(|| (rig.figures()[&ChannelName::from("ops")].waiting == 0).then_some(())).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_summary_that_waits_at_the_stop_ends_with_all_that_it_stands_for_after_the_start() {
    let store = Memory::default();
    let failing = Recorder::start([reply(500)]).await;
    let rig = Rig::start(&store, DAY);
    rig.channels(&hook(&failing, "limit: 1/1s\n"));
    rig.decide(1, &["a", "b", "c"]);
    let first = rig.wait_for("a", |state| matches!(state, DeliveryState::Absorbed { .. })).await;
    let DeliveryState::Absorbed { by } = first.state else { panic!("a summary stands for it") };
    rig.wait_for(by.as_str(), is_waiting).await;
    rig.stop().await;

    let taking = Recorder::start([reply(200)]).await;
    let rig = Rig::start(&store, DAY);
    assert_eq!(rig.figures()[&ChannelName::from("ops")].waiting, 3);
    assert!(matches!(rig.deliveries.give_up(&"a".into()).await, Err(OperatorError::Absorbed { .. })));
    rig.channels(&hook(&taking, "limit: 1/1s\n"));
    rig.wait_for(by.as_str(), is_delivered).await;
    eventually(|| (rig.figures()[&ChannelName::from("ops")].waiting == 0).then_some(())).await;
    let figures = rig.figures()[&ChannelName::from("ops")].clone();
    assert_eq!((figures.health.absorbed, figures.health.summaries, figures.health.delivered), (3, 1, 0));
    assert_eq!(taking.recorded()[0].headers["webhook-id"], by.as_str());
    rig.stop().await;
}

#[tokio::test]
async fn a_summary_is_stored_before_it_is_sent() {
    let store = Memory::default();
    let taking = Recorder::start([reply(200)]).await;
    let rig = Rig::start(&store, DAY);
    rig.channels(&hook(&taking, "limit: 2/1h\nconcurrency: 1\n"));
    rig.decide(1, &["a", "b", "c"]);
    let absorbed = rig.wait_for("c", |state| matches!(state, DeliveryState::Absorbed { .. })).await;
    let DeliveryState::Absorbed { by } = absorbed.state else { panic!("a summary stands for it") };
    let summary = rig.wait_for(by.as_str(), is_delivered).await;
    let Occasion::Summary(content) = &summary.notification.occasion else { panic!("it is a summary") };
    assert_eq!(content.stands_for, ["b".into(), "c".into()]);
    rig.stop().await;
}

#[tokio::test]
async fn what_was_given_up_is_revived_by_an_operator_and_its_numbers_go_on() {
    let store = Memory::default();
    let recorder = Recorder::start([reply(404), reply(200)]).await;
    let rig = Rig::start(&store, DAY);
    rig.channels(&hook(&recorder, ""));
    rig.decide(1, &["a"]);
    rig.wait_for("a", is_dead).await;
    eventually(|| (rig.figures()[&ChannelName::from("ops")].dead() == 1).then_some(())).await;
    assert!(matches!(rig.deliveries.give_up(&"a".into()).await, Err(OperatorError::Dead(_))));
    assert_eq!(rig.deliveries.retry(&"a".into()).await.unwrap(), Retried::Revived);
    let delivery = rig.wait_for("a", is_delivered).await;
    assert_eq!(delivery.attempts, 2);
    let figures = rig.figures()[&ChannelName::from("ops")].clone();
    assert_eq!((figures.dead(), figures.health.delivered), (0, 1));
    assert!(matches!(rig.deliveries.retry(&"a".into()).await, Err(OperatorError::Delivered(_))));
    assert!(matches!(rig.deliveries.retry(&"x".into()).await, Err(OperatorError::Unknown(_))));
    rig.stop().await;
}

#[tokio::test]
async fn what_an_operator_drops_is_dead_in_the_store() {
    let store = Memory::default();
    let failing = Recorder::start([Answer::Reply(429, vec![("retry-after", "600".into())], "")]).await;
    let rig = Rig::start(&store, DAY);
    rig.channels(&hook(&failing, "concurrency: 1\n"));
    rig.decide(1, &["a", "b"]);
    rig.wait_for("a", is_waiting).await;
    for id in ["a", "b"] {
        assert_eq!(rig.deliveries.give_up(&id.into()).await.unwrap(), GivenUp::Now);
        let dead = rig.wait_for(id, is_dead).await;
        assert!(matches!(&dead.state, DeliveryState::Dead { error, .. } if error == "dropped by an operator"));
    }
    assert_eq!(failing.recorded().len(), 1, "b was never tried");
    rig.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_channel_that_nobody_knows_is_given_up_once_that_is_sure() {
    let store = Memory::default();
    let failing = Recorder::start([reply(500)]).await;
    let rig = Rig::start(&store, DAY);
    rig.channels(&hook(&failing, ""));
    rig.decide(1, &["a"]);
    rig.wait_for("a", is_waiting).await;
    rig.stop().await;

    let rig = Rig::start(&store, DAY);
    let figures = rig.figures()[&ChannelName::from("ops")].clone();
    assert!(figures.health.nobody && figures.waiting == 1);
    assert!(matches!(rig.deliveries.retry(&"a".into()).await, Err(OperatorError::NoChannel(_))));
    let broken = ChannelName::from("ops");
    rig.deliveries.set_channels(vec![], [broken].into(), &Texts::default(), &rig.group, Duration::ZERO);
    rig.writer.flushed().await;
    assert!(rig.state("a").is_some_and(|state| is_waiting(&state)), "its file is broken");
    rig.channels(&[]);
    let dead = rig.wait_for("a", is_dead).await;
    assert!(matches!(&dead.state, DeliveryState::Dead { error, .. } if error == "the channel was removed"));
    rig.stop().await;
}

#[tokio::test]
async fn the_limit_counts_attempts_of_before_the_start() {
    let store = Memory::default();
    let taking = Recorder::start([reply(200)]).await;
    let rig = Rig::start(&store, DAY);
    rig.channels(&hook(&taking, "limit: 2/1h\n"));
    rig.decide(1, &["a"]);
    rig.wait_for("a", is_delivered).await;
    rig.decide(2, &["b"]);
    rig.wait_for("b", is_delivered).await;
    rig.stop().await;

    let rig = Rig::start(&store, DAY);
    rig.channels(&hook(&taking, "limit: 2/1h\n"));
    rig.decide(3, &["c"]);
    eventually(|| rig.figures()[&ChannelName::from("ops")].health.limited_until).await;
    assert_eq!(taking.recorded().len(), 2);
    rig.stop().await;
}
