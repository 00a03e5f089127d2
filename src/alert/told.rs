//! What one channel was told of one alert, and what it must be told now.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{AlertNote, EventKind, FoldedEvent, Level, NotificationId, Time};

/// How many events one notification lists as folded; older ones give way.
const MAX_FOLDED: usize = 20;

/// What a channel was told of the present firing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldFiring {
    /// The level that it was told last.
    pub level: Level,
    /// When it was last told anything of the firing.
    pub at: Time,
    /// It was told that the subject is silent.
    pub stale: bool,
    /// It was told that the alert is flapping, and not yet that it no longer is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flapping: bool,
    /// The highest level that it was told of the firing.
    pub highest: Level,
    /// Some notification of the firing arrived. Until then the channel may know nothing of it.
    pub heard: bool,
    /// The last step of escalation that it was told of since the alert was raised or its level rose: by its `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Duration>,
}

/// An end that waits for the notification on its way, or for the next message of its group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwedEnd {
    /// The end.
    pub note: AlertNote,
    /// Nothing of the firing had arrived when it ended: if what is on its way is given up, the channel was told nothing,
    /// and nothing is owed.
    pub if_arrived: bool,
}

impl OwedEnd {
    /// Whether it is still owed, now that the notification on its way has come to its end.
    pub const fn is_owed(&self, arrived: bool) -> bool {
        arrived || !self.if_arrived
    }
}

impl ToldFiring {
    /// When it is told again, if nothing changes.
    fn repeats_at(self, timing: Timing) -> Option<Time> {
        timing.repeat.map(|repeat| self.at + repeat.max(timing.cooldown))
    }
}

/// A stretch in which no firing notification follows, but for a higher level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cooldown {
    /// When the last firing notification was decided.
    started: Time,
    /// The highest level told since the stretch began.
    highest: Level,
}

/// What one channel knows of one alert. Lives as long as the alert is remembered, so that the cooldown outlasts a firing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The present firing; `None` where nothing was told of it.
    firing: Option<ToldFiring>,
    cooldown: Option<Cooldown>,
    /// The notification that is on its way.
    in_flight: Option<InFlight>,
    /// Told firings that ended while a notification was on its way: sent as soon as it has arrived.
    ends: Vec<OwedEnd>,
    /// Events since the channel was last told; of many the newest.
    missed: Vec<FoldedEvent>,
    /// How many more there were.
    missed_omitted: u64,
    /// Something from outside the alert held it back: a closed window, a silence, another alert, the main switch.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    held_back: bool,
}

/// A notification on its way, and how many events of this alert it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Its id.
    pub id: NotificationId,
    /// Its share of this alert.
    pub events: Events,
}

/// How many events a notification tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Told by themselves.
    pub told: u64,
    /// Folded into these.
    pub folded: u64,
}

impl Events {
    /// The events that these notes tell.
    pub fn of(notes: &[AlertNote]) -> Events {
        Events { told: notes.len() as u64, folded: notes.iter().map(AlertNote::n_folded).sum() }
    }

    /// All of them.
    pub const fn all(self) -> u64 {
        self.told + self.folded
    }
}

impl std::ops::AddAssign for Events {
    fn add_assign(&mut self, other: Events) {
        self.told += other.told;
        self.folded += other.folded;
    }
}

/// Earlier events that are told with a later one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folded {
    /// The newest of them, oldest first.
    pub events: Vec<FoldedEvent>,
    /// How many more there were.
    pub omitted: u64,
    /// The event that is told was not noted before: it is owed only from now on.
    pub is_new: bool,
}

/// The alert as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its level.
    pub level: Level,
    /// Its subject is silent.
    pub stale: bool,
    /// It goes up and down too often.
    pub flapping: bool,
    /// Its condition counts now: false only between two raises of a flapping alert.
    pub is_up: bool,
    /// From when until when the engine was down, where its subject was not heard of since: what came due in that time is
    /// not repeated yet.
    pub blind: Option<(Time, Time)>,
    /// Somebody acknowledged it: nothing is repeated.
    pub acknowledged: bool,
    /// The last step of escalation that is reached and names the channel, by its `after`.
    pub step: Option<Duration>,
    /// Whether, and when, the channel takes it.
    pub reach: Reach,
}

impl Present {
    /// Whether something that was due then came due while nobody watched, and nothing was heard of the subject since.
    fn is_overdue(&self, due: Time) -> bool {
        self.blind.is_some_and(|(stopped, restarted)| stopped < due && due <= restarted)
    }
}

/// Whether a channel is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A route leads there.
    Open,
    /// A route leads there, and its window opens at this engine time.
    Closed {
        /// When it opens.
        opens: Time,
    },
    /// A route leads there, and a silence covers the alert.
    Silenced {
        /// When the next of them ends or pauses, in engine time, where one does by itself.
        until: Option<Time>,
    },
    /// A route leads there, and another alert mutes this one, or may be about to: its rule has not judged yet.
    Inhibited {
        /// Until when a rule that has not judged yet is waited for.
        until: Option<Time>,
    },
    /// Alerting is switched off.
    Disabled,
    /// No route leads there (any more).
    Unrouted,
}

impl Reach {
    /// What holds back what the channel should be told.
    const fn hold(self) -> Option<Hold> {
        match self {
            Reach::Closed { opens } => Some(Hold::OutsideActive { until: opens }),
            Reach::Silenced { until } => Some(Hold::Silenced { until }),
            Reach::Inhibited { until } => Some(Hold::Inhibited { until }),
            Reach::Disabled => Some(Hold::Disabled),
            Reach::Open | Reach::Unrouted => None,
        }
    }
}

/// The rule's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Least time between two firing notifications.
    pub cooldown: Duration,
    /// Remind after; `None` for never.
    pub repeat: Option<Duration>,
}

/// What to do about a channel now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "dropping a decision drops a notification"]
pub enum Decision {
    /// It must be told this.
    Tell(EventKind),
    /// It should know something, and this holds it back.
    Hold(Hold),
    /// It knows what it should.
    Nothing {
        /// When a reminder is due.
        reminder: Option<Time>,
    },
}

/// What holds a notification back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A notification of the same alert is on its way to the channel.
    InFlight,
    /// A firing notification went there too recently.
    Cooldown {
        /// When it may follow.
        until: Time,
    },
    /// The route's `active` window is closed.
    OutsideActive {
        /// When it opens.
        until: Time,
    },
    /// A silence covers it.
    Silenced {
        /// When that may end by itself.
        until: Option<Time>,
    },
    /// Another alert mutes it, or may be about to.
    Inhibited {
        /// Until when a rule that has not judged yet is waited for.
        until: Option<Time>,
    },
    /// Alerting is switched off.
    Disabled,
    /// It goes up and down: told once, and again when it has been quiet for long enough.
    Flapping,
    /// The next message of its group is not due yet.
    Group {
        /// When it is.
        until: Time,
    },
}

impl Hold {
    /// The reason in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Hold::InFlight => "in flight",
            Hold::Cooldown { .. } => "cooldown",
            Hold::OutsideActive { .. } => "outside active hours",
            Hold::Silenced { .. } => "silenced",
            Hold::Inhibited { .. } => "inhibited",
            Hold::Disabled => "alerting disabled",
            Hold::Flapping => "flapping",
            Hold::Group { .. } => "group",
        }
    }

    /// When it ends by itself.
    pub const fn until(self) -> Option<Time> {
        match self {
            Hold::Cooldown { until } | Hold::OutsideActive { until } | Hold::Group { until } => Some(until),
            Hold::Silenced { until } | Hold::Inhibited { until } => until,
            Hold::InFlight | Hold::Disabled | Hold::Flapping => None,
        }
    }
}

impl Told {
    /// What the channel was told of the present firing.
    pub const fn firing(&self) -> Option<ToldFiring> {
        self.firing
    }

    /// Whether there is nothing to remember: no cooldown, nothing told, nothing owed.
    pub fn is_blank(&self, now: Time, timing: Timing) -> bool {
        self.firing.is_none()
            && self.in_flight.is_none()
            && self.ends.is_empty()
            && self.cooldown_until(timing).is_none_or(|until| until <= now)
    }

    /// Until when no firing notification follows, but for a higher level; it may be over.
    pub fn cooldown_until(&self, timing: Timing) -> Option<Time> {
        self.cooldown.map(|cooldown| cooldown.started + timing.cooldown)
    }

    /// Whether the channel must be told something of an alert that fires.
    ///
    /// A raise or a higher level passes the cooldown only above the highest level told in it. A lower level is told at
    /// once: it is no firing notification. Who is not routed is told nothing until the end. An acknowledgement stops what
    /// is repeated.
    pub fn decide(&self, present: Present, now: Time, timing: Timing) -> Decision {
        if present.reach == Reach::Unrouted {
            return Decision::Nothing { reminder: None };
        }
        let escalates = |told: ToldFiring| !present.acknowledged && present.step > told.step;
        let event = match self.firing {
            None if present.flapping && !present.is_up => return Decision::Nothing { reminder: None },
            None if present.flapping => EventKind::Flapping,
            None if present.step.is_some() && !present.acknowledged => EventKind::Unacknowledged,
            None => EventKind::Raised,
            Some(told) if present.flapping && !told.flapping && told.heard => EventKind::Flapping,
            Some(told) if present.flapping => match present.is_up && present.level > told.highest {
                true if told.heard => EventKind::Escalated,
                true => EventKind::Flapping,
                false => return Decision::Hold(Hold::Flapping),
            },
            // It is quiet again, and fires.
            Some(told) if told.flapping => EventKind::Raised,
            Some(told) if !told.heard && self.in_flight.is_none() && escalates(told) => EventKind::Unacknowledged,
            Some(told) if !told.heard && self.in_flight.is_none() => match told.repeats_at(timing) {
                _ if present.level > told.level => EventKind::Raised,
                Some(due) if due <= now && !present.stale && !present.is_overdue(due) => EventKind::Raised,
                again => {
                    let again = again.filter(|due| !present.stale && !present.is_overdue(*due));
                    return Decision::Nothing { reminder: again };
                }
            },
            Some(told) if present.level > told.level => EventKind::Escalated,
            Some(told) if present.level < told.level => EventKind::Eased,
            Some(told) if present.stale && !told.stale => EventKind::Stale,
            Some(told) if escalates(told) => EventKind::Unacknowledged,
            Some(_) if present.stale || present.acknowledged => return Decision::Nothing { reminder: None },
            Some(told) => match told.repeats_at(timing) {
                Some(due) if due <= now && !present.is_overdue(due) => EventKind::Reminded,
                reminder => {
                    return Decision::Nothing { reminder: reminder.filter(|due| !present.is_overdue(*due)) };
                }
            },
        };
        if let Some(hold) = present.reach.hold() {
            return Decision::Hold(hold);
        }
        if self.in_flight.is_some() {
            return Decision::Hold(Hold::InFlight);
        }
        if matches!(event, EventKind::Raised | EventKind::Escalated | EventKind::Unacknowledged)
            && let Some(cooldown) = self.cooldown
            && present.level <= cooldown.highest
            && let Some(until) = self.cooldown_until(timing)
            && now < until
        {
            return Decision::Hold(Hold::Cooldown { until });
        }
        Decision::Tell(event)
    }

    /// Notes what was decided: whether something from outside the alert holds back what the channel should be told.
    pub fn note_hold(&mut self, decision: Decision) {
        let Decision::Hold(hold) = decision else { return };
        self.held_back |= matches!(
            hold,
            Hold::OutsideActive { .. } | Hold::Silenced { .. } | Hold::Inhibited { .. } | Hold::Disabled
        );
    }

    /// Whether something from outside the alert has held back what the channel is to be told now.
    pub const fn was_held_back(&self) -> bool {
        self.held_back
    }

    /// It is told by itself, not together with others that were held back.
    pub const fn release(&mut self) {
        self.held_back = false;
    }

    /// The level has risen: escalation begins anew.
    pub const fn restart_escalation(&mut self) {
        if let Some(told) = &mut self.firing {
            told.step = None;
        }
    }

    /// Notes an event that the channel should hear of, now or folded into something later.
    pub fn miss(&mut self, event: FoldedEvent) {
        if self.missed.len() == MAX_FOLDED {
            self.missed.remove(0);
            self.missed_omitted += 1;
        }
        self.missed.push(event);
    }

    /// How many events it should hear of and was not told yet.
    pub fn n_missed(&self) -> u64 {
        self.missed.len() as u64 + self.missed_omitted
    }

    /// The events that it will not be told any more.
    pub fn give_up_missed(&mut self) -> u64 {
        let n_missed = self.n_missed();
        self.missed.clear();
        self.missed_omitted = 0;
        n_missed
    }

    /// The channel is told `event` by a notification that must [depart](Told::depart) now. Gives the earlier events that
    /// it stands for.
    pub fn tell(&mut self, event: EventKind, present: Present, now: Time, timing: Timing) -> Folded {
        if matches!(event, EventKind::Raised | EventKind::Escalated | EventKind::Reminded | EventKind::Unacknowledged) {
            let running = self.cooldown.filter(|cooldown| now < cooldown.started + timing.cooldown);
            let highest = running.map_or(present.level, |cooldown| cooldown.highest.max(present.level));
            self.cooldown = Some(Cooldown { started: now, highest });
        }
        let before = self.firing;
        let tells_step = event == EventKind::Unacknowledged || before.is_none();
        self.held_back = false;
        self.firing = Some(ToldFiring {
            level: present.level,
            at: now,
            stale: present.stale,
            flapping: present.flapping,
            highest: before.map_or(present.level, |told| told.highest.max(present.level)),
            heard: before.is_some_and(|told| told.heard),
            step: if tells_step { present.step } else { before.and_then(|told| told.step) },
        });
        self.take_missed(event)
    }

    /// The events since the channel was last told, without the one that is told itself: the newest of its kind.
    fn take_missed(&mut self, event: EventKind) -> Folded {
        let mut events = std::mem::take(&mut self.missed);
        let mut omitted = std::mem::take(&mut self.missed_omitted);
        let is_new = match events.iter().rposition(|missed| missed.event == event) {
            Some(place) => {
                events.remove(place);
                false
            }
            // A raise is the oldest of what was missed, and the first to give way.
            None if event == EventKind::Raised && omitted > 0 => {
                omitted -= 1;
                false
            }
            None => true,
        };
        Folded { events, omitted, is_new }
    }

    /// The firing is over. Whoever was told of it is owed the end, at once or as soon as what is on its way has arrived;
    /// not so where all that was told of it was given up. Gives whether the channel had been told: then the end is owed,
    /// and stands for all that was missed.
    pub fn end(&mut self, note: AlertNote) -> bool {
        let told = self.firing.take().filter(|told| told.heard || self.in_flight.is_some());
        if let Some(told) = told {
            let Folded { events: folded, omitted: folded_omitted, .. } = self.take_missed(note.event);
            self.ends.push(OwedEnd { note: AlertNote { folded, folded_omitted, ..note }, if_arrived: !told.heard });
        }
        told.is_some()
    }

    /// Whether ends are owed, now or after what is on its way.
    pub fn has_ends(&self) -> bool {
        !self.ends.is_empty()
    }

    /// Whether the channel must be told something now: of an alert that fires, or an end.
    pub fn is_due(&self, present: Option<Present>, now: Time, timing: Timing) -> bool {
        let is_due = |present| matches!(self.decide(present, now, timing), Decision::Tell(_));
        present.is_some_and(is_due) || self.has_due_ends()
    }

    /// Whether ends could be sent now.
    fn has_due_ends(&self) -> bool {
        self.in_flight.is_none() && !self.ends.is_empty()
    }

    /// The ends that can be sent now: none while a notification is on its way.
    pub fn due_ends(&mut self) -> Vec<AlertNote> {
        if self.in_flight.is_some() {
            return Vec::new();
        }
        std::mem::take(&mut self.ends).into_iter().map(|owed| owed.note).collect()
    }

    /// The ends that are owed, to be kept elsewhere: for an alert that is no longer remembered.
    pub fn take_ends(&mut self) -> Vec<OwedEnd> {
        std::mem::take(&mut self.ends)
    }

    /// A notification with these events of the alert is on its way.
    pub fn depart(&mut self, id: NotificationId, events: Events) {
        self.in_flight = Some(InFlight { id, events });
    }

    /// The notification on its way.
    pub const fn in_flight(&self) -> Option<&InFlight> {
        self.in_flight.as_ref()
    }

    /// A notification has come to its end: it arrived, or it was given up. Gives the ends that are owed no more, if it was
    /// the one on its way.
    pub fn arrive(&mut self, id: &NotificationId, arrived: bool) -> Option<Vec<AlertNote>> {
        self.in_flight.take_if(|in_flight| in_flight.id == *id)?;
        let (owed, dropped): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.ends).into_iter().partition(|owed| owed.is_owed(arrived));
        self.ends = owed;
        if let Some(told) = &mut self.firing {
            told.heard |= arrived;
        }
        Some(dropped.into_iter().map(|owed| owed.note).collect())
    }

    /// A notification of the present firing that had been given up has arrived after all.
    pub fn hear(&mut self) {
        if let Some(told) = &mut self.firing {
            told.heard = true;
        }
    }
}

#[cfg(test)]
mod tests;
