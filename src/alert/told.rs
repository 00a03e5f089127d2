//! What one channel was told of one alert, and what it must be told now.

use std::time::Duration;

use crate::model::{AlertNote, EventKind, FoldedEvent, Level, NotificationId, Time};

/// How many events one notification lists as folded; older ones give way.
const MAX_FOLDED: usize = 20;

/// What a channel was told of the present firing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldFiring {
    /// The level that it was told last.
    pub level: Level,
    /// When it was last told anything of the firing.
    pub at: Time,
    /// It was told that the subject is silent.
    pub stale: bool,
    /// Some notification of the firing arrived. Until then the channel may know nothing of it.
    pub heard: bool,
}

/// An end that waits for the notification on its way.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cooldown {
    /// When the last firing notification was decided.
    started: Time,
    /// The highest level told since the stretch began.
    highest: Level,
}

/// What one channel knows of one alert. Lives as long as the alert is remembered, so that the cooldown outlasts a firing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The present firing; `None` where nothing was told of it.
    firing: Option<ToldFiring>,
    cooldown: Option<Cooldown>,
    /// The notification that is on its way.
    in_flight: Option<NotificationId>,
    /// Told firings that ended while a notification was on its way: sent as soon as it has arrived.
    ends: Vec<OwedEnd>,
    /// Events since the channel was last told.
    missed: Vec<FoldedEvent>,
}

/// The alert as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its level.
    pub level: Level,
    /// Its subject is silent.
    pub stale: bool,
    /// Whether, and when, the channel takes it.
    pub reach: Reach,
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
    /// Alerting is switched off.
    Disabled,
    /// No route leads there (any more).
    Unrouted,
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
    /// Alerting is switched off.
    Disabled,
}

impl Hold {
    /// The reason in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Hold::InFlight => "in flight",
            Hold::Cooldown { .. } => "cooldown",
            Hold::OutsideActive { .. } => "outside active hours",
            Hold::Disabled => "alerting disabled",
        }
    }

    /// When it ends by itself.
    pub const fn until(self) -> Option<Time> {
        match self {
            Hold::Cooldown { until } | Hold::OutsideActive { until } => Some(until),
            Hold::InFlight | Hold::Disabled => None,
        }
    }
}

impl Told {
    /// What the channel was told of the present firing.
    pub const fn firing(&self) -> Option<ToldFiring> {
        self.firing
    }

    /// Whether a notification is on its way.
    pub const fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether there is nothing to remember: no cooldown, nothing told, nothing owed.
    pub fn is_blank(&self, now: Time, timing: Timing) -> bool {
        self.firing.is_none()
            && self.in_flight.is_none()
            && self.ends.is_empty()
            && self.cooldown_until(timing).is_none_or(|until| until <= now)
    }

    fn cooldown_until(&self, timing: Timing) -> Option<Time> {
        self.cooldown.map(|cooldown| cooldown.started + timing.cooldown)
    }

    /// Whether the channel must be told something of an alert that fires.
    ///
    /// A raise or a higher level passes the cooldown only above the highest level told in it. A lower level is told at
    /// once: it is no firing notification. Who is not routed is told nothing until the end.
    pub fn decide(&self, present: Present, now: Time, timing: Timing) -> Decision {
        if present.reach == Reach::Unrouted {
            return Decision::Nothing { reminder: None };
        }
        let event = match self.firing {
            None => EventKind::Raised,
            Some(told) if !told.heard && self.in_flight.is_none() => match told.repeats_at(timing) {
                _ if present.level > told.level => EventKind::Raised,
                Some(due) if due <= now && !present.stale => EventKind::Raised,
                again => return Decision::Nothing { reminder: again.filter(|_| !present.stale) },
            },
            Some(told) if present.level > told.level => EventKind::Escalated,
            Some(told) if present.level < told.level => EventKind::Eased,
            Some(told) if present.stale && !told.stale => EventKind::Stale,
            Some(_) if present.stale => return Decision::Nothing { reminder: None },
            Some(told) => match told.repeats_at(timing) {
                Some(due) if due <= now => EventKind::Reminded,
                reminder => return Decision::Nothing { reminder },
            },
        };
        match present.reach {
            Reach::Closed { opens } => return Decision::Hold(Hold::OutsideActive { until: opens }),
            Reach::Disabled => return Decision::Hold(Hold::Disabled),
            Reach::Open | Reach::Unrouted => {}
        }
        if self.in_flight.is_some() {
            return Decision::Hold(Hold::InFlight);
        }
        if matches!(event, EventKind::Raised | EventKind::Escalated)
            && let Some(cooldown) = self.cooldown
            && present.level <= cooldown.highest
            && let Some(until) = self.cooldown_until(timing)
            && now < until
        {
            return Decision::Hold(Hold::Cooldown { until });
        }
        Decision::Tell(event)
    }

    /// Notes an event that the channel should hear of, now or folded into something later.
    pub fn miss(&mut self, event: FoldedEvent) {
        if self.missed.len() == MAX_FOLDED {
            self.missed.remove(0);
        }
        self.missed.push(event);
    }

    /// The channel is told `event` at `level` by notification `id`. Gives the earlier events that it stands for.
    pub fn tell(
        &mut self,
        event: EventKind,
        present: Present,
        now: Time,
        timing: Timing,
        id: NotificationId,
    ) -> Vec<FoldedEvent> {
        if matches!(event, EventKind::Raised | EventKind::Escalated | EventKind::Reminded) {
            let running = self.cooldown.filter(|cooldown| now < cooldown.started + timing.cooldown);
            let highest = running.map_or(present.level, |cooldown| cooldown.highest.max(present.level));
            self.cooldown = Some(Cooldown { started: now, highest });
        }
        let heard = self.firing.is_some_and(|told| told.heard);
        self.firing = Some(ToldFiring { level: present.level, at: now, stale: present.stale, heard });
        self.in_flight = Some(id);
        self.take_missed(event)
    }

    /// The events since the channel was last told, without the one that is told itself.
    fn take_missed(&mut self, event: EventKind) -> Vec<FoldedEvent> {
        let mut missed = std::mem::take(&mut self.missed);
        if missed.last().is_some_and(|last| last.event == event) {
            missed.pop();
        }
        missed
    }

    /// The firing is over. Whoever was told of it is owed the end, at once or as soon as what is on its way has arrived;
    /// not so where all that was told of it was given up. Gives whether the channel had been told.
    pub fn end(&mut self, note: AlertNote) -> bool {
        let told = self.firing.take().filter(|told| told.heard || self.in_flight.is_some());
        if let Some(told) = told {
            let folded = self.take_missed(note.event);
            self.ends.push(OwedEnd { note: AlertNote { folded, ..note }, if_arrived: !told.heard });
        }
        self.missed.clear();
        told.is_some()
    }

    /// The ends that can be sent now: none while a notification is on its way.
    pub fn due_ends(&mut self) -> Vec<AlertNote> {
        if self.in_flight.is_some() {
            return Vec::new();
        }
        std::mem::take(&mut self.ends).into_iter().map(|owed| owed.note).collect()
    }

    /// The ends that wait for the notification on its way, with its id: for an alert that is no longer remembered.
    pub fn take_waiting_ends(&mut self) -> Option<(NotificationId, Vec<OwedEnd>)> {
        let id = self.in_flight.clone()?;
        (!self.ends.is_empty()).then(|| (id, std::mem::take(&mut self.ends)))
    }

    /// A notification is on its way.
    pub fn depart(&mut self, id: NotificationId) {
        self.in_flight = Some(id);
    }

    /// A notification has come to its end: it arrived, or it was given up. Gives whether it was the one on its way.
    pub fn arrive(&mut self, id: &NotificationId, arrived: bool) -> bool {
        if self.in_flight.as_ref() != Some(id) {
            return false;
        }
        self.in_flight = None;
        self.ends.retain(|owed| owed.is_owed(arrived));
        if let Some(told) = &mut self.firing {
            told.heard |= arrived;
        }
        true
    }
}

#[cfg(test)]
mod tests;
