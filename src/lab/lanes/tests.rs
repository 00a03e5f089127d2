use super::*;
use crate::channels::Limit;
use crate::channels::message::{Message, samples};
use crate::engine::{Effects, Engine};

const START: Time = Time::from_micros(1_767_571_200_000_000);

/// What the outbox did, in words.
#[derive(Default)]
struct Told(Vec<String>);

impl Observer for Told {
    fn step(&mut self, _: &Engine, _: Effects) {}

    fn outbox(&mut self, dispatched: Dispatched) {
        let at = |time: Time| time.since(START).as_secs();
        self.0.push(match dispatched {
            Dispatched::Summarised { time, .. } => format!("{} summary", at(time)),
            Dispatched::Attempted(attempted) => {
                let id = &attempted.sent.notification.id;
                let id = if crate::outbox::is_summary(id) { "summary" } else { id.as_str() };
                format!("{} {id} attempt {} {}", at(attempted.time), attempted.number, attempted.has_arrived())
            }
            Dispatched::Ended { time, closed, .. } => format!("{} end of {}", at(time), closed.each().count()),
        });
    }
}

fn lanes(limit: Option<&str>, receivers: Receivers) -> Lanes {
    let limit = limit.map(|limit| Limit::parse(limit).unwrap());
    let message = Message { title: String::new(), text: String::new() };
    Lanes::new(Dispatch {
        seed: 7,
        policy: Policy::default(),
        terms: [("ops".into(), Terms { limit, concurrency: 2 })].into(),
        render: Box::new(move |notification| Sent {
            notification: notification.clone(),
            message: message.clone(),
            request: Ok(serde_json::Value::Null),
        }),
        receivers,
    })
}

fn notifications(channel: &str, ids: &[&str]) -> Vec<Arc<Notification>> {
    let notification = |id: &&str| {
        let mut notification = samples().remove(0);
        (notification.id, notification.channel) = ((*id).into(), channel.into());
        notification.alerts[0].id = (*id).into();
        Arc::new(notification)
    };
    ids.iter().map(notification).collect()
}

fn at(secs: u64) -> Now {
    Now::at(START + Duration::from_secs(secs))
}

#[test]
fn a_slow_receiver_gets_as_many_at_once_as_the_channel_says_and_a_restart_tries_what_was_on_its_way_again() {
    let slow = Box::new(|_: &Begun, _: Now| Answer { took: Duration::from_secs(10), verdict: Verdict::Ok });
    let (mut lanes, mut told, mut ends) = (lanes(None, slow), Told::default(), Ends::new());
    lanes.take(notifications("ops", &["a", "b", "c"]), at(0), &mut told, &mut ends);
    assert_eq!((told.0.len(), lanes.next_deadline()), (0, Some(at(10).time)));
    lanes.run(at(10), &mut told, &mut ends);
    assert_eq!(told.0, ["10 a attempt 1 true", "10 end of 1", "10 b attempt 1 true", "10 end of 1"]);
    assert_eq!(lanes.backlog(&"ops".into(), at(10).time).waiting, 1);
    lanes.restart(at(12).time);
    lanes.run(at(12), &mut told, &mut ends);
    lanes.run(at(22), &mut told, &mut ends);
    assert_eq!(told.0[4..], ["22 c attempt 1 true", "22 end of 1"]);
    assert_eq!((ends.len(), lanes.next_deadline()), (3, None));
}

#[test]
fn what_was_decided_together_is_folded_together_and_the_limit_counts_on_over_a_restart() {
    let (mut lanes, mut told, mut ends) = (lanes(Some("2/1m"), taking_all()), Told::default(), Ends::new());
    lanes.take(notifications("ops", &["a", "b", "c"]), at(0), &mut told, &mut ends);
    assert_eq!(told.0, ["0 a attempt 1 true", "0 end of 1", "0 summary", "0 summary attempt 1 true", "0 end of 3"]);
    lanes.take(notifications("ops", &["d"]), at(20), &mut told, &mut ends);
    lanes.restart(at(30).time);
    lanes.run(at(30), &mut told, &mut ends);
    let backlog = lanes.backlog(&"ops".into(), at(30).time);
    assert_eq!((backlog.waiting, backlog.limited_until), (1, Some(at(60).time)));
    lanes.run(at(60), &mut told, &mut ends);
    assert_eq!(told.0[5..], ["60 d attempt 1 true", "60 end of 1"]);
}

#[test]
fn what_goes_to_no_channel_is_given_up_with_a_letter() {
    let (mut lanes, mut told, mut ends) = (lanes(None, taking_all()), Told::default(), Ends::new());
    lanes.take(notifications("none", &["a"]), at(0), &mut told, &mut ends);
    assert_eq!(told.0, ["0 end of 1"]);
    let Outcome::Dead { letter: Some(letter) } = &ends[0].1 else { panic!("it is given up") };
    assert_eq!(letter.reason, "there is no channel `none`");
}
