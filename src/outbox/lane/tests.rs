use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::channels::message::samples;
use crate::model::{EventKind, Level};
use crate::outbox::is_summary;

const START: Time = Time::from_micros(1_800_000_000_000_000);

fn at(seconds: u64) -> Now {
    Now { time: START + Duration::from_secs(seconds), wall_offset: 5_000_000 }
}

fn terms(limit: &str, concurrency: usize) -> Terms {
    Terms { limit: Limit::parse(limit).ok(), concurrency }
}

fn lane(limit: &str, concurrency: usize) -> Lane {
    Lane::new("ops".into(), 7, Policy::default(), terms(limit, concurrency))
}

/// A notification of one event of each firing.
fn telling(id: &str, firings: &[&str], event: EventKind, level: Level) -> Arc<Notification> {
    let mut notification = samples().remove(0);
    notification.id = id.into();
    notification.channel = "ops".into();
    let note = notification.alerts.remove(0);
    for firing in firings {
        let mut note = note.clone();
        (note.id, note.event, note.level) = ((*firing).into(), event, level);
        notification.alerts.push(note);
    }
    Arc::new(notification)
}

fn raised(id: &str) -> Arc<Notification> {
    telling(id, &[id], EventKind::Raised, Level::Warning)
}

/// The next attempt: its number and the notification.
#[track_caller]
fn begin(lane: &mut Lane, now: Now) -> (u64, String) {
    match lane.next(now) {
        Step::Attempt(begun) => (begun.number, begun.notification.id.to_string()),
        other => panic!("an attempt begins, not {other:?}"),
    }
}

/// The next summary, stored at once: its number and what it stands for.
#[track_caller]
fn summary(lane: &mut Lane, now: Now) -> (u64, Vec<String>) {
    match lane.next(now) {
        Step::Summarise { number, summary } => {
            lane.stored(number);
            (number, members(&summary))
        }
        other => panic!("a summary is made, not {other:?}"),
    }
}

fn members(summary: &Notification) -> Vec<String> {
    let Occasion::Summary(content) = &summary.occasion else { panic!("it is a summary") };
    content.stands_for.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn deliver(lane: &mut Lane, number: u64, now: Now) -> Closed {
    lane.ended(number, &Verdict::Ok, true, now.time).unwrap().closed.expect("it is delivered")
}

#[track_caller]
fn fail(lane: &mut Lane, number: u64, now: Now) -> Time {
    match lane.ended(number, &Verdict::retry("no"), true, now.time).unwrap().next {
        Next::RetryAt { at, .. } => at,
        other => panic!("it is tried again, not {other:?}"),
    }
}

fn throttled(after: u64) -> Verdict {
    let after = Some(Duration::from_secs(after));
    Verdict::Retry { reason: "slow down".into(), after, at_most: None, holds_channel: true }
}

#[test]
fn the_last_token_is_for_a_summary_of_all_that_waits() {
    let mut lane = lane("3/1m", 1);
    ["a", "b", "c", "d", "e"].into_iter().for_each(|id| lane.push(raised(id)));
    for id in ["a", "b"] {
        let (number, begun) = begin(&mut lane, at(0));
        assert_eq!((begun.as_str(), lane.next(at(0))), (id, Step::Idle), "one at a time");
        deliver(&mut lane, number, at(1));
    }
    let (_, stands_for) = summary(&mut lane, at(1));
    assert_eq!(stands_for, ["c", "d", "e"]);
    lane.push(raised("f"));
    let (number, id) = begin(&mut lane, at(1));
    assert!(is_summary(&id.as_str().into()), "the summary goes before what came after it");
    let closed = deliver(&mut lane, number, at(2));
    let ends: Vec<(String, Outcome)> = closed.each().map(|(id, outcome)| (id.to_string(), outcome)).collect();
    assert_eq!(ends[0], (id, Outcome::Delivered));
    assert_eq!(ends[1..], ["c", "d", "e"].map(|id| (id.to_string(), Outcome::Absorbed)));
    assert_eq!((closed.n_decided(), lane.len()), (3, 1));
    assert_eq!(lane.next(at(2)), Step::Until(at(61).time), "until the first attempt counts no more");
    assert_eq!(lane.next_token(at(2).time), Some(at(61).time));
    assert_eq!(begin(&mut lane, at(61)).1, "f");
}

#[test]
fn a_summary_of_one_is_that_one() {
    let mut lane = lane("1/1s", 4);
    lane.push(raised("a"));
    let (number, id) = begin(&mut lane, at(0));
    assert_eq!((id.as_str(), lane.next(at(0))), ("a", Step::Idle));
    lane.push(raised("b"));
    assert_eq!(lane.next(at(0)), Step::Idle, "the attempt on its way has the only token");
    deliver(&mut lane, number, at(5));
    assert_eq!(lane.next(at(5)), Step::Until(at(6).time), "it counts from its end");
    lane.push(raised("c"));
    assert_eq!(summary(&mut lane, at(6)).1, ["b", "c"]);
}

#[test]
fn a_summary_that_is_being_stored_keeps_its_token_and_nobody_waits_for_it() {
    let mut lane = lane("3/1m", 4);
    let first = begin_after(&mut lane, "x");
    deliver(&mut lane, first, at(0));
    let second = begin_after(&mut lane, "y");
    deliver(&mut lane, second, at(30));
    lane.push(raised("a"));
    lane.push(raised("b"));
    let Step::Summarise { number, .. } = lane.next(at(30)) else { panic!("the last token is for a summary") };
    lane.push(raised("c"));
    assert_eq!(lane.next(at(30)), Step::Until(at(60).time), "its token is not free");
    lane.push(raised("d"));
    let (other, stands_for) = summary(&mut lane, at(60));
    assert_eq!(stands_for, ["c", "d"], "the next token is the last again");
    lane.stored(number);
    assert!(begin(&mut lane, at(60)).0 == number && begin(&mut lane, at(60)).0 == other);
}

fn begin_after(lane: &mut Lane, id: &str) -> u64 {
    lane.push(raised(id));
    begin(lane, at(0)).0
}

#[test]
fn what_is_urgent_goes_by_itself_and_the_rest_is_summed_up() {
    let mut lane = lane("2/1m", 4);
    lane.push(telling("reminder", &["r"], EventKind::Reminded, Level::Critical));
    lane.push(raised("warning"));
    lane.push(telling("critical", &["c"], EventKind::Raised, Level::Critical));
    assert_eq!(begin(&mut lane, at(0)).1, "critical");
    assert_eq!(summary(&mut lane, at(0)).1, ["reminder", "warning"]);
}

#[test]
fn a_summary_takes_nothing_whose_forerunner_is_on_its_way_or_waits_to_be_tried_again() {
    let mut lane = lane("3/1m", 4);
    lane.push(raised("a"));
    lane.push(telling("a2", &["a"], EventKind::Recovered, Level::Warning));
    lane.push(telling("ab", &["a", "b"], EventKind::Raised, Level::Warning));
    lane.push(telling("b2", &["b"], EventKind::Recovered, Level::Warning));
    lane.push(raised("c"));
    lane.push(telling("c2", &["c"], EventKind::Recovered, Level::Warning));
    lane.push(raised("d"));
    let (a, _) = begin(&mut lane, at(0));
    let (c, _) = begin(&mut lane, at(0));
    fail(&mut lane, c, at(0));
    assert_eq!(begin(&mut lane, at(0)).1, "d", "of one alone no summary is made");
    let retried = lane.waiting().find_map(|waiting| waiting.next).expect("c waits to be tried again");
    deliver(&mut lane, a, at(0));
    // All three tokens are used; when they are free again, c waits no longer.
    let later = Now { time: at(60).time.max(retried), ..at(0) };
    let (_, stands_for) = {
        lane.push(raised("e"));
        // d is still on its way: with it, two tokens are left.
        let first = begin(&mut lane, later);
        assert_eq!(first.1, "a2");
        summary(&mut lane, later)
    };
    assert_eq!(stands_for, ["c", "c2", "e"], "ab stands behind a2, and b2 behind ab");
}

#[test]
fn a_summary_that_fails_is_tried_again_and_may_be_summed_up_with_what_is_newer() {
    let mut lane = lane("1/1m", 1);
    lane.push(raised("a"));
    lane.push(raised("b"));
    let (_, stands_for) = summary(&mut lane, at(0));
    assert_eq!(stands_for, ["a", "b"]);
    let (number, first) = begin(&mut lane, at(0));
    fail(&mut lane, number, at(1));
    lane.push(raised("c"));
    let (number, stands_for) = summary(&mut lane, at(61));
    assert_eq!(stands_for, [first.as_str(), "c"], "it takes the summary, and not its parts");
    assert_eq!(begin(&mut lane, at(61)).0, number);
    let closed = deliver(&mut lane, number, at(62));
    let absorbed: Vec<&str> = closed.absorbed.iter().map(NotificationId::as_str).collect();
    assert_eq!(absorbed, [&first, "a", "b", "c"], "and all end with it");
    assert_eq!((closed.n_decided(), lane.is_empty()), (3, true));
}

#[test]
fn a_summary_is_given_up_when_the_oldest_would_be_and_takes_only_what_is_young() {
    let hour = 3600;
    let mut lane = lane("1/1s", 1);
    lane.push(raised("old"));
    let (number, _) = begin(&mut lane, at(0));
    fail(&mut lane, number, at(0));
    lane.push(raised("new"));
    let (number, stands_for) = summary(&mut lane, at(5 * hour));
    assert_eq!(stands_for, ["old", "new"]);
    assert_eq!(begin(&mut lane, at(5 * hour)).0, number);
    fail(&mut lane, number, at(5 * hour));
    lane.push(raised("newer"));
    assert_eq!(begin(&mut lane, at(6 * hour)).0, number, "after a quarter of its time it goes by itself");
    fail(&mut lane, number, at(6 * hour));
    assert_eq!(begin(&mut lane, at(7 * hour)).0, number);
    let ended = lane.ended(number, &Verdict::retry("no"), true, at(24 * hour).time).unwrap();
    let closed = ended.closed.expect("a day after the first attempt of the oldest");
    let Outcome::Dead { letter: Some(letter) } = &closed.outcome else { panic!("it is told of: {closed:?}") };
    assert_eq!(members(&letter.notification), ["old", "new"]);
    let letters = closed.each().filter(|(_, outcome)| *outcome != Outcome::dead()).count();
    assert_eq!((closed.n_decided(), letters), (2, 1), "one letter tells of both");
}

#[test]
fn a_receiver_that_takes_nothing_holds_the_whole_channel() {
    let mut lane = lane("none", 4);
    let a = begin_after(&mut lane, "a");
    let b = begin_after(&mut lane, "b");
    lane.push(raised("c"));
    lane.ended(a, &throttled(600), true, at(0).time).unwrap();
    assert_eq!(lane.next(at(0)), Step::Until(at(600).time));
    deliver(&mut lane, b, at(1));
    assert_eq!(lane.next(at(599)), Step::Until(at(600).time), "a success of another attempt ends no hold");
    assert_eq!(lane.held_until(at(599).time), Some(at(600).time));
    assert_eq!(lane.hurry(&"c".into()), Hurried::Goes);
    assert_eq!(lane.next(at(599)), Step::Until(at(600).time), "nor does an operator");
    lane.set_terms(terms("none", 8));
    assert_eq!(lane.next(at(599)), Step::Until(at(600).time), "nor do other terms");
    let begun: BTreeSet<String> = [begin(&mut lane, at(600)).1, begin(&mut lane, at(600)).1].into();
    assert_eq!(begun, ["a".to_string(), "c".to_string()].into());
    assert_eq!(lane.held_until(at(600).time), None);
}

#[test]
fn a_hold_is_never_shortened_and_another_configuration_ends_it() {
    let mut lane = lane("none", 4);
    let a = begin_after(&mut lane, "a");
    let b = begin_after(&mut lane, "b");
    lane.ended(a, &throttled(600), true, at(0).time).unwrap();
    lane.ended(b, &throttled(5), true, at(1).time).unwrap();
    assert_eq!(lane.held_until(at(1).time), Some(at(600).time));
    lane.start_anew();
    assert_eq!(begin(&mut lane, at(1)).1, "a");
}

#[test]
fn an_operator_hurries_what_waits() {
    let mut lane = lane("none", 4);
    let a = begin_after(&mut lane, "a");
    assert_eq!(lane.hurry(&"a".into()), Hurried::InFlight);
    fail(&mut lane, a, at(0));
    assert!(matches!(lane.next(at(0)), Step::Until(_)));
    assert_eq!(lane.hurry(&"a".into()), Hurried::Goes);
    let Step::Attempt(begun) = lane.next(at(0)) else { panic!("it goes at once") };
    assert_eq!((begun.number, begun.attempt), (a, 2));
    assert_eq!(lane.hurry(&"b".into()), Hurried::Unknown);
}

#[test]
fn what_an_operator_drops_is_given_up_and_nobody_is_told_of_it() {
    let mut lane = lane("none", 4);
    let a = begin_after(&mut lane, "a");
    let b = begin_after(&mut lane, "b");
    let c = begin_after(&mut lane, "c");
    fail(&mut lane, a, at(0));
    let Dropped::Now(closed) = lane.drop(&"a".into()) else { panic!("it waits") };
    assert_eq!((closed.outcome, closed.reason.as_deref()), (Outcome::dead(), Some("dropped by an operator")));
    assert!(closed.unattempted);
    for id in ["b", "c"] {
        assert_eq!(lane.drop(&id.into()), Dropped::WhenEnded);
    }
    let ended = lane.ended(b, &Verdict::retry("no"), true, at(1).time).unwrap();
    let reason = "dropped by an operator; the last attempt: no".to_string();
    assert_eq!(ended.next, Next::Dead { reason });
    assert_eq!(ended.closed.map(|closed| (closed.outcome, closed.unattempted)), Some((Outcome::dead(), false)));
    assert_eq!(deliver(&mut lane, c, at(1)).outcome, Outcome::Delivered, "what arrived, arrived");
    assert_eq!((lane.drop(&"a".into()), lane.len()), (Dropped::Unknown, 0));
}

#[test]
fn what_is_given_up_is_told_of_but_not_that_somebody_could_not_be_told_of_it() {
    let mut lane = lane("none", 4);
    let number = begin_after(&mut lane, "a");
    let closed = lane.ended(number, &Verdict::permanent("gone"), true, at(0).time).unwrap().closed.unwrap();
    let Outcome::Dead { letter: Some(letter) } = closed.outcome else { panic!("there is a letter") };
    assert_eq!((letter.notification.id.as_str(), letter.reason.as_str()), ("a", "gone"));
    let mut notice = Notification::clone(&raised("b"));
    notice.occasion = Occasion::Undelivered(crate::model::Undelivered {
        channel: "other".into(),
        notification: "a".into(),
        reason: "gone".into(),
    });
    lane.push(Arc::new(notice));
    let (number, _) = begin(&mut lane, at(0));
    let closed = lane.ended(number, &Verdict::permanent("gone"), true, at(0).time).unwrap().closed.unwrap();
    assert_eq!(closed.outcome, Outcome::dead());
}

#[test]
fn attempts_and_their_time_go_on_after_a_restart() {
    let mut lane = lane("2/1m", 4);
    lane.refill([at(0).time, at(10).time]);
    let mut waiting = Waiting::of(raised("a"));
    waiting.attempts = 5;
    waiting.first_attempt = Some(at(0).time);
    waiting.next = Some(at(20).time);
    lane.restore(waiting);
    assert_eq!(lane.next(at(15)), Step::Until(at(20).time));
    assert_eq!(lane.next(at(20)), Step::Until(at(60).time), "the limit counts what was before");
    let Step::Attempt(begun) = lane.next(at(60)) else { panic!("a token is free") };
    assert_eq!(begun.attempt, 6);
    let ended = lane.ended(begun.number, &Verdict::retry("no"), true, at(24 * 3600).time).unwrap();
    assert!(matches!(ended.next, Next::Dead { .. }), "a day after the first attempt of all");
}

#[test]
fn recipients_that_were_reached_are_not_told_again() {
    let mut lane = lane("none", 1);
    let number = begin_after(&mut lane, "a");
    let rest = Verdict::RetryRest { reason: "one waits".into(), settled: vec![2, 0] };
    lane.ended(number, &rest, true, at(0).time).unwrap();
    lane.hurry(&"a".into());
    let Step::Attempt(begun) = lane.next(at(0)) else { panic!("it goes") };
    assert_eq!(begun.settled, [0, 2]);
    lane.ended(number, &rest, false, at(0).time).unwrap();
    lane.start_anew();
    let Step::Attempt(begun) = lane.next(at(0)) else { panic!("it goes") };
    assert!(begun.settled.is_empty(), "another configuration may have other recipients");
}

/// What may happen to a lane.
#[derive(Clone, Debug)]
enum Act {
    Push { firings: (u8, u8), level: u8, event: u8 },
    Begin,
    End { which: u8, verdict: u8 },
    Pass(u16),
    Hurry(u8),
    Drop(u8),
    Terms(u8),
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0u8..6, 0u8..6, 0u8..4, 0u8..3).prop_map(|(a, b, level, event)| Act::Push { firings: (a, b), level, event }),
        6 => Just(Act::Begin),
        5 => (any::<u8>(), 0u8..12).prop_map(|(which, verdict)| Act::End { which, verdict }),
        3 => (0u16..90).prop_map(Act::Pass),
        1 => any::<u8>().prop_map(Act::Hurry),
        1 => any::<u8>().prop_map(Act::Drop),
        1 => (0u8..4).prop_map(Act::Terms),
        1 => Just(Act::Restart),
    ];
    proptest::collection::vec(act, 1..150)
}

/// A lane that is driven, and a judge of what it does.
struct World {
    lane: Lane,
    now: Now,
    terms: Terms,
    pushed: Vec<Arc<Notification>>,
    /// By id: the notification and the attempt that is on its way.
    flying: Vec<(u64, Arc<Notification>, u32, Time)>,
    /// Begin and end of each attempt under the terms that are in force.
    attempts: Vec<(Time, Time)>,
    /// What each summary stands for, directly.
    summaries: BTreeMap<String, Vec<String>>,
    numbers: BTreeMap<String, u32>,
    ended: Vec<String>,
    held_until: Option<Time>,
}

impl World {
    fn new() -> World {
        let terms = terms("3/1m", 2);
        World {
            lane: Lane::new("ops".into(), 7, Policy::default(), terms),
            now: at(0),
            terms,
            pushed: Vec::new(),
            flying: Vec::new(),
            attempts: Vec::new(),
            summaries: BTreeMap::new(),
            numbers: BTreeMap::new(),
            ended: Vec::new(),
            held_until: None,
        }
    }

    /// The notifications that the engine decided which this one tells of.
    fn decided(&self, id: &str) -> Vec<String> {
        match self.summaries.get(id) {
            Some(members) => members.iter().flat_map(|id| self.decided(id)).collect(),
            None => vec![id.to_string()],
        }
    }

    fn firings(&self, id: &str) -> BTreeSet<String> {
        let of = |id: &String| {
            let notification = self.pushed.iter().find(|pushed| pushed.id.as_str() == id).expect("it was pushed");
            notification.alerts.iter().map(|note| note.id.to_string()).collect::<Vec<_>>()
        };
        self.decided(id).iter().flat_map(of).collect()
    }

    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match act {
            Act::Push { firings, level, event } => {
                let names = [firings.0.to_string(), firings.1.to_string()];
                let firings: Vec<&str> = names.iter().map(String::as_str).take(1 + usize::from(*level == 0)).collect();
                let event = [EventKind::Raised, EventKind::Reminded, EventKind::Recovered][usize::from(*event)];
                let id = format!("n{}", self.pushed.len());
                let notification = telling(&id, &firings, event, Level::ALL[usize::from(*level)]);
                self.pushed.push(notification.clone());
                self.lane.push(notification);
            }
            Act::Begin => drop(self.step()?),
            Act::End { which, verdict } if !self.flying.is_empty() => {
                let (number, notification, attempt, began) =
                    self.flying.remove(usize::from(*which) % self.flying.len());
                let verdict = match verdict {
                    0..5 => Verdict::Ok,
                    5..9 => Verdict::retry("no"),
                    9 => Verdict::permanent("never"),
                    10 => throttled(30),
                    _ => throttled(0),
                };
                self.attempts.push((began, self.now.time));
                let ended = self.lane.ended(number, &verdict, true, self.now.time).expect("it was on its way");
                prop_assert_eq!((&ended.notification, ended.attempt), (&notification.id, attempt));
                if matches!(verdict, Verdict::Retry { holds_channel: true, after: Some(_), .. }) {
                    self.held_until = self.lane.held_until(self.now.time);
                    prop_assert!(self.held_until.is_some());
                }
                if let Some(closed) = ended.closed {
                    self.close(&closed)?;
                }
            }
            Act::End { .. } => {}
            Act::Pass(seconds) => self.now.time = self.now.time + Duration::from_secs((*seconds).into()),
            Act::Hurry(which) => drop(self.pushed_id(*which).map(|id| self.lane.hurry(&id))),
            Act::Drop(which) => {
                if let Some(id) = self.pushed_id(*which)
                    && let Dropped::Now(closed) = self.lane.drop(&id)
                {
                    self.close(&closed)?;
                }
            }
            Act::Terms(which) => {
                let all = [terms("3/1m", 2), terms("1/1s", 1), terms("none", 3), terms("5/30s", 8)];
                self.terms = all[usize::from(*which)];
                self.lane.set_terms(self.terms);
            }
            Act::Restart if self.flying.is_empty() => {
                let mut lane = Lane::new("ops".into(), 7, Policy::default(), self.terms);
                lane.refill(self.lane.counted());
                self.lane.waiting().for_each(|waiting| lane.restore(waiting));
                (lane.held_until, lane.holds) = (self.lane.held_until, self.lane.holds);
                self.lane = lane;
            }
            Act::Restart => {}
        }
        Ok(())
    }

    fn pushed_id(&self, which: u8) -> Option<NotificationId> {
        let index = usize::from(which).checked_rem(self.pushed.len())?;
        Some(self.pushed[index].id.clone())
    }

    /// Takes one step of the lane, and judges it.
    fn step(&mut self) -> Result<Step, TestCaseError> {
        let before: Vec<Waiting> = self.lane.waiting().collect();
        let step = self.lane.next(self.now);
        match &step {
            Step::Attempt(begun) => {
                let id = begun.notification.id.to_string();
                let number = self.numbers.entry(id.clone()).or_default();
                *number += 1;
                prop_assert_eq!(begun.attempt, *number, "numbers go on, over restarts too");
                prop_assert!(self.held_until.is_none_or(|until| until <= self.now.time), "the channel is held");
                self.judge_order(&id, &before)?;
                self.flying.push((begun.number, begun.notification.clone(), begun.attempt, self.now.time));
                prop_assert!(self.flying.len() <= self.terms.concurrency.max(self.flying.len() - 1));
                self.judge_limit()?;
            }
            Step::Summarise { number, summary } => {
                let members = members(summary);
                prop_assert!(members.len() > 1);
                for member in &members {
                    prop_assert!(!self.ended.contains(member));
                    self.judge_order_beside(member, &members, &before)?;
                }
                self.summaries.insert(summary.id.to_string(), members);
                self.lane.stored(*number);
            }
            Step::Until(time) => prop_assert!(*time > self.now.time),
            Step::Idle => {}
        }
        Ok(step)
    }

    /// Nothing of a firing overtakes what waits before it.
    fn judge_order(&self, id: &str, before: &[Waiting]) -> Result<(), TestCaseError> {
        self.judge_order_beside(id, &[], before)
    }

    fn judge_order_beside(&self, id: &str, beside: &[String], before: &[Waiting]) -> Result<(), TestCaseError> {
        let firings = self.firings(id);
        let place = |id: &str| {
            let number = |id: &String| id[1..].parse::<usize>().expect("n and a number");
            self.decided(id).iter().map(number).min().expect("it tells of something")
        };
        for other in before.iter().map(|waiting| waiting.notification.id.as_str()) {
            if other != id && !beside.iter().any(|beside| beside == other) && place(other) < place(id) {
                // What it tells of the same firing must have come later.
                let shared = self.firings(other).intersection(&firings).next().cloned();
                if let Some(firing) = shared {
                    let first_of = |id: &str| {
                        let tells = |id: &String| self.firings(id).contains(&firing);
                        let of = self.decided(id).into_iter().filter(|id| tells(id));
                        of.map(|id| id[1..].parse::<usize>().expect("a number")).min()
                    };
                    prop_assert!(first_of(other) > first_of(id), "{} overtakes {} at {}", id, other, firing);
                }
            }
        }
        Ok(())
    }

    /// However an attempt was delayed on its way: no span has more than the limit.
    fn judge_limit(&self) -> Result<(), TestCaseError> {
        let Some(limit) = self.terms.limit else { return Ok(()) };
        let now = self.now.time;
        let past = self.attempts.iter().filter(|(_, ended)| *ended + limit.per() > now).count();
        let n_attempts = past + self.flying.len();
        // The terms may have become stricter while attempts were on their way; then no new one begins.
        prop_assert!(n_attempts <= limit.count(), "{} attempts under {}", n_attempts, limit);
        Ok(())
    }

    fn close(&mut self, closed: &Closed) -> Result<(), TestCaseError> {
        let mut decided = self.decided(closed.notification.as_str());
        let mut told: Vec<String> =
            closed.each().map(|(id, _)| id.to_string()).filter(|id| !self.summaries.contains_key(id)).collect();
        decided.sort();
        told.sort();
        prop_assert_eq!(&told, &decided, "each ends once, and nothing else does");
        prop_assert_eq!(closed.n_decided() as usize, told.len());
        for id in told {
            prop_assert!(!self.ended.contains(&id));
            self.ended.push(id);
        }
        Ok(())
    }

    fn waiting(&self) -> Vec<String> {
        let all: Vec<Waiting> = self.lane.waiting().collect();
        all.iter().flat_map(|waiting| self.decided(waiting.notification.id.as_str())).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_lost_nothing_overtakes_and_no_span_has_more_than_the_limit(acts in acts()) {
        let mut world = World::new();
        for act in &acts {
            world.act(act)?;
            let mut there: Vec<String> = world.waiting().into_iter().chain(world.ended.iter().cloned()).collect();
            let mut pushed: Vec<String> = world.pushed.iter().map(|pushed| pushed.id.to_string()).collect();
            there.sort();
            pushed.sort();
            prop_assert_eq!(there, pushed, "each waits or has ended, and never both");
        }
        // And in the end all of it arrives.
        for _ in 0..2000 {
            match world.step()? {
                Step::Attempt(_) | Step::Summarise { .. } => {}
                Step::Until(time) => world.now.time = time,
                Step::Idle if world.flying.is_empty() => break,
                Step::Idle => world.act(&Act::End { which: 0, verdict: 0 })?,
            }
        }
        prop_assert_eq!(world.ended.len(), world.pushed.len());
        prop_assert!(world.lane.queue.is_clean());
    }

    #[test]
    fn a_restart_changes_no_decision(before in acts(), after in acts()) {
        let mut world = World::new();
        for act in before.iter().filter(|act| !matches!(act, Act::Restart)) {
            world.act(act)?;
        }
        while !world.flying.is_empty() {
            world.act(&Act::End { which: 0, verdict: 5 })?;
        }
        let mut lane = Lane::new("ops".into(), 7, Policy::default(), world.terms);
        lane.refill(world.lane.counted());
        world.lane.waiting().for_each(|waiting| lane.restore(waiting));
        (lane.held_until, lane.holds) = (world.lane.held_until, world.lane.holds);
        let mut restarted = World {
            lane,
            pushed: world.pushed.clone(),
            summaries: world.summaries.clone(),
            numbers: world.numbers.clone(),
            ended: world.ended.clone(),
            attempts: world.attempts.clone(),
            ..World::new()
        };
        (restarted.now, restarted.terms, restarted.held_until) = (world.now, world.terms, world.held_until);
        let shown = |step: Step| match step {
            // Numbers are counted anew.
            Step::Attempt(begun) => format!("attempt {} of {}", begun.attempt, begun.notification.id),
            Step::Summarise { summary, .. } => format!("{summary:?}"),
            other => format!("{other:?}"),
        };
        for act in after.iter().filter(|act| !matches!(act, Act::Restart)) {
            if matches!(act, Act::Begin) {
                prop_assert_eq!(shown(restarted.step()?), shown(world.step()?));
            } else {
                world.act(act)?;
                restarted.act(act)?;
            }
            prop_assert_eq!(&restarted.ended, &world.ended);
        }
    }
}
