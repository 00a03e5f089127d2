//! The outbox of a bench: a lane for each channel, driven as the daemon's workers drive theirs, in virtual time and
//! without a network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::bench::Observer;
use super::project::Sent;
use crate::channels::Verdict;
use crate::engine::{DeadLetter, Outcome};
use crate::model::{ChannelName, Notification, NotificationId, Now, Time};
use crate::outbox::{Begun, Closed, Lane, Next, Policy, Refused, Step, Terms, Waiting};

/// What a receiver does with one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// How long the attempt takes.
    pub took: Duration,
    /// What it comes to.
    pub verdict: Verdict,
}

impl Answer {
    /// An attempt that takes no time.
    pub const fn at_once(verdict: Verdict) -> Answer {
        Answer { took: Duration::ZERO, verdict }
    }
}

/// Who receives what channels send: asked once for each attempt, at the time of its begin.
pub type Receivers = Box<dyn FnMut(&Begun, Now) -> Answer + Send>;

/// What a notification looks like at its channel.
pub type Renderer = Box<dyn Fn(&Arc<Notification>) -> Sent + Send>;

/// What an outbox is made of.
pub struct Dispatch {
    /// The seed of the installation: jitter is a hash of it.
    pub seed: u64,
    /// How long and how often to try.
    pub policy: Policy,
    /// The channels there are, and what of their files decides.
    pub terms: BTreeMap<ChannelName, Terms>,
    /// Makes the request of a notification.
    pub render: Renderer,
    /// Who receives.
    pub receivers: Receivers,
}

impl std::fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatch").field("terms", &self.terms).field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Receivers that take everything at once.
pub fn taking_all() -> Receivers {
    Box::new(|_, _| Answer::at_once(Verdict::Ok))
}

/// Something that the outbox did. Times are engine time.
#[derive(Clone, Debug)]
pub enum Dispatched {
    /// One summary stands from now on for notifications that a channel's limit holds back.
    Summarised {
        /// When.
        time: Time,
        /// The summary.
        summary: Arc<Notification>,
    },
    /// An attempt was made.
    Attempted(Attempted),
    /// A notification came to its end, and with it those that it stands for.
    Ended {
        /// When.
        time: Time,
        /// At which channel.
        channel: ChannelName,
        /// How.
        closed: Closed,
    },
}

/// An attempt that was made. Times are engine time.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// The exact request, in words too.
    pub sent: Sent,
    /// Which attempt it was, from 1.
    pub number: u32,
    /// When it ended.
    pub time: Time,
    /// What it came to.
    pub verdict: Verdict,
    /// What follows.
    pub next: Next,
}

impl Attempted {
    /// Whether its receiver has it.
    pub fn has_arrived(&self) -> bool {
        matches!(self.next, Next::Done)
    }
}

/// What waits for a channel, and for what. Times are engine time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Notifications that were neither delivered nor given up; a summary is one.
    pub waiting: usize,
    /// The limit lets nothing through before that.
    pub limited_until: Option<Time>,
    /// The receiver takes nothing before that.
    pub held_until: Option<Time>,
    /// When something happens next by itself.
    pub next: Option<Time>,
}

/// A channel's lane.
struct Way {
    lane: Lane,
    terms: Terms,
    /// When it is to be asked again by itself.
    wake: Option<Time>,
}

/// An attempt that takes time.
struct UnderWay {
    begun: Begun,
    sent: Sent,
    verdict: Verdict,
}

/// Ends of notifications, in their order.
pub(super) type Ends = Vec<(NotificationId, Outcome)>;

/// All channels.
pub(super) struct Lanes {
    dispatch: Dispatch,
    ways: BTreeMap<ChannelName, Way>,
    /// By the time of their end and their order.
    under_way: BTreeMap<(Time, u64), UnderWay>,
    n_begun: u64,
    /// When something happens next by itself.
    due: Option<Time>,
}

impl Lanes {
    pub(super) fn new(dispatch: Dispatch) -> Lanes {
        let way = |(channel, terms): (&ChannelName, &Terms)| {
            let lane = Lane::new(channel.clone(), dispatch.seed, dispatch.policy, *terms);
            (channel.clone(), Way { lane, terms: *terms, wake: None })
        };
        let ways = dispatch.terms.iter().map(way).collect();
        Lanes { dispatch, ways, under_way: BTreeMap::new(), n_begun: 0, due: None }
    }

    pub(super) fn receive_by(&mut self, receivers: Receivers) {
        self.dispatch.receivers = receivers;
    }

    /// When something happens next by itself.
    pub(super) const fn next_deadline(&self) -> Option<Time> {
        self.due
    }

    pub(super) fn backlog(&self, channel: &ChannelName, now: Time) -> Backlog {
        let Some(Way { lane, wake, .. }) = self.ways.get(channel) else { return Backlog::default() };
        Backlog {
            waiting: lane.len(),
            limited_until: lane.next_token(now),
            held_until: lane.held_until(now),
            next: *wake,
        }
    }

    /// Takes what a step wants to be told, and begins all that may begin.
    ///
    /// What was decided together comes to a channel with a limit together, so that the limit sees all of it. Without one
    /// nothing waits for its turn, and the order of decision stays.
    pub(super) fn take(
        &mut self,
        decided: Vec<Arc<Notification>>,
        now: Now,
        observer: &mut dyn Observer,
        ends: &mut Ends,
    ) {
        let mut limited = BTreeSet::new();
        for notification in decided {
            let channel = notification.channel.clone();
            let Some(way) = self.ways.get_mut(&channel) else {
                refuse(notification, now, observer, ends);
                continue;
            };
            way.lane.push(notification);
            match way.terms.limit {
                Some(_) => drop(limited.insert(channel)),
                None => self.pump(&channel, now, observer, ends),
            }
        }
        for channel in limited {
            self.pump(&channel, now, observer, ends);
        }
        self.look_ahead();
    }

    /// Does all that is due now.
    pub(super) fn run(&mut self, now: Now, observer: &mut dyn Observer, ends: &mut Ends) {
        while let Some(entry) = self.under_way.first_entry()
            && entry.key().0 <= now.time
        {
            let under_way = entry.remove();
            let channel = under_way.sent.notification.channel.clone();
            self.ended(under_way, now, observer, ends);
            self.pump(&channel, now, observer, ends);
        }
        let is_due = |way: &Way| way.wake.is_some_and(|wake| wake <= now.time);
        let due: Vec<ChannelName> =
            self.ways.iter().filter(|(_, way)| is_due(way)).map(|(channel, _)| channel.clone()).collect();
        for channel in due {
            self.pump(&channel, now, observer, ends);
        }
        self.look_ahead();
    }

    /// Begins all that may begin at a channel.
    fn pump(&mut self, channel: &ChannelName, now: Now, observer: &mut dyn Observer, ends: &mut Ends) {
        loop {
            let Some(way) = self.ways.get_mut(channel) else { return };
            match way.lane.next(now) {
                Step::Attempt(begun) => {
                    let sent = (self.dispatch.render)(&begun.notification);
                    let Answer { took, verdict } = match &sent.request {
                        Ok(_) => (self.dispatch.receivers)(&begun, now),
                        Err(error) => Answer::at_once(Verdict::permanent(error.clone())),
                    };
                    let under_way = UnderWay { begun, sent, verdict };
                    if took.is_zero() {
                        self.ended(under_way, now, observer, ends);
                    } else {
                        self.n_begun += 1;
                        self.under_way.insert((now.time + took, self.n_begun), under_way);
                    }
                }
                Step::Summarise { number, summary } => {
                    observer.outbox(Dispatched::Summarised { time: now.time, summary });
                    way.lane.stored(number);
                }
                Step::Until(at) => {
                    way.wake = Some(at);
                    return;
                }
                Step::Idle => {
                    way.wake = None;
                    return;
                }
            }
        }
    }

    fn ended(&mut self, under_way: UnderWay, now: Now, observer: &mut dyn Observer, ends: &mut Ends) {
        let UnderWay { begun, sent, verdict } = under_way;
        let channel = sent.notification.channel.clone();
        let Some(way) = self.ways.get_mut(&channel) else { return };
        let Some(followed) = way.lane.ended(begun.number, &verdict, true, now.time) else { return };
        let (number, time, next) = (followed.attempt, now.time, followed.next);
        observer.outbox(Dispatched::Attempted(Attempted { sent, number, time, verdict, next }));
        if let Some(closed) = followed.closed {
            end(channel, closed, now, observer, ends);
        }
    }

    fn look_ahead(&mut self) {
        let under_way = self.under_way.first_key_value().map(|((time, _), _)| *time);
        self.due = self.ways.values().filter_map(|way| way.wake).chain(under_way).min();
    }

    /// The daemon ends, and another goes on with what was stored: what waits, since when it is tried, and the attempts
    /// that limits count. What is on its way is tried again; what receivers said of themselves is forgotten.
    pub(super) fn restart(&mut self, now: Time) {
        self.under_way.clear();
        let (seed, policy) = (self.dispatch.seed, self.dispatch.policy);
        for (channel, way) in &mut self.ways {
            let mut lane = Lane::new(channel.clone(), seed, policy, way.terms);
            lane.refill(way.lane.counted());
            let stored = way.lane.waiting().map(|waiting| Waiting { settled: Vec::new(), ..waiting });
            let mut waiting: Vec<Waiting> = stored.collect();
            // A summary goes before all that came after what it stands for.
            waiting.sort_by_key(|waiting| waiting.absorbed.is_none());
            way.wake = (!waiting.is_empty()).then_some(now);
            waiting.into_iter().for_each(|waiting| lane.restore(waiting));
            way.lane = lane;
        }
        self.look_ahead();
    }
}

/// There is no such channel: it is given up at once, as the daemon does it.
fn refuse(notification: Arc<Notification>, now: Now, observer: &mut dyn Observer, ends: &mut Ends) {
    let channel = notification.channel.clone();
    let reason = Refused { channel: channel.clone(), notifications: Vec::new() }.to_string();
    let id = notification.id.clone();
    let letter = Arc::new(DeadLetter { notification, reason: reason.clone() });
    let closed = Closed {
        notification: id,
        is_summary: false,
        absorbed: Vec::new(),
        outcome: Outcome::Dead { letter: Some(letter) },
        reason: Some(reason),
        unattempted: true,
    };
    end(channel, closed, now, observer, ends);
}

fn end(channel: ChannelName, closed: Closed, now: Now, observer: &mut dyn Observer, ends: &mut Ends) {
    ends.extend(closed.each().map(|(id, outcome)| (id.clone(), outcome)));
    observer.outbox(Dispatched::Ended { time: now.time, channel, closed });
}

#[cfg(test)]
mod tests;
