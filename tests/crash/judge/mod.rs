//! The judge: what was pushed against what the receivers were told. Pure: it sees logs, and nothing of the daemon.

mod books;
mod evidence;
mod order;
#[cfg(test)]
mod tests;
mod truth;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

pub(crate) use evidence::{Arrival, Figures};
use truth::Truth;
pub(crate) use truth::{Push, RULES, VALUES};

/// Everything that is known at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// In the order in which each service's were made.
    pub(crate) pushes: Vec<Push>,
    /// What each channel's receiver got, in the order in which it came.
    pub(crate) arrivals: BTreeMap<String, Vec<Arrival>>,
    /// What the daemon itself says of each channel.
    pub(crate) figures: BTreeMap<String, Figures>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// A push was never taken.
    NotTaken,
    /// A channel does not know what it should.
    Lost,
    /// A channel was told the same twice, or what never was.
    Invented,
    /// A channel was told things in the wrong order.
    Disordered,
    /// The sums of the receivers do not fit the pushes.
    Books,
    /// The daemon's own figures do not fit the receivers' sums.
    Figures,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) wrong: Wrong,
    pub(crate) channel: String,
    pub(crate) what: String,
}

/// What the judge says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) findings: Vec<Finding>,
    /// Transitions that the pushes imply: what each channel is owed.
    pub(crate) transitions: u64,
    /// Firings that the pushes imply.
    pub(crate) firings: usize,
    pub(crate) channels: BTreeMap<String, Tally>,
}

/// How one channel was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Notifications, each counted once.
    pub(crate) notifications: usize,
    /// Requests that came once more for a notification that the receiver had accepted.
    pub(crate) repeats: usize,
    /// Requests that were not accepted.
    pub(crate) refused: usize,
    /// Events that the notifications stand for.
    pub(crate) events: u64,
    /// Firings of which the channel was told nothing, because they ended meanwhile.
    pub(crate) untold: usize,
}

/// Judges. Every channel is owed every transition.
pub(crate) fn judge(evidence: &Evidence) -> Judgement {
    let truth = Truth::of(&evidence.pushes);
    let mut judgement =
        Judgement { transitions: truth.transitions(), firings: truth.firings(), ..Judgement::default() };
    let mut findings = Vec::new();
    let mut finds = |wrong, channel: &str, what| findings.push(Finding { wrong, channel: channel.to_string(), what });
    for push in evidence.pushes.iter().filter(|push| !push.taken) {
        finds(Wrong::NotTaken, "", format!("push {} of {} was never taken", push.n, push.name));
    }
    let mut known = order::Firings::default();
    for (channel, arrivals) in &evidence.arrivals {
        let mut finds = |wrong, what| finds(wrong, channel, what);
        let log = evidence::Log::of(arrivals, &mut finds);
        let untold = order::check(&truth, &log, &mut known, &mut finds);
        let events = books::check(&truth, &log, evidence.figures.get(channel), &mut finds);
        let (notifications, repeats) = (log.notifications.len(), log.repeats);
        let refused = arrivals.iter().filter(|arrival| !arrival.accepted).count();
        judgement.channels.insert(channel.clone(), Tally { notifications, repeats, refused, events, untold });
    }
    findings.sort();
    judgement.findings = findings;
    judgement
}

impl Evidence {
    /// Writes everything down, a line for each push and each request.
    pub(crate) fn write_to(&self, path: &Path) {
        let mut text = String::new();
        for Push { name, n, v, taken } in &self.pushes {
            text += &format!("push {name} n={n} v={v} taken={taken}\n");
        }
        for (channel, arrivals) in &self.arrivals {
            arrivals.iter().for_each(|arrival| text += &format!("{channel} {arrival}\n"));
        }
        fs::write(path, text).unwrap();
    }
}

impl Judgement {
    /// The findings without those about the daemon's own figures, and these.
    pub(crate) fn split(&self) -> (Vec<&Finding>, Vec<&Finding>) {
        self.findings.iter().partition(|finding| finding.wrong != Wrong::Figures)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.wrong, self.channel, self.what)
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n_firings, n_transitions) = (self.firings, self.transitions);
        writeln!(f, "{n_firings} firings, {n_transitions} transitions")?;
        for (channel, tally) in &self.channels {
            let Tally { notifications, repeats, refused, events, untold } = tally;
            writeln!(
                f,
                "{channel}: {notifications} notifications with {events} events; {repeats} came again after they were \
                 accepted, {refused} were refused; {untold} firings ended before they could be told"
            )?;
        }
        let mut counts: BTreeMap<Wrong, usize> = BTreeMap::new();
        for finding in &self.findings {
            *counts.entry(finding.wrong).or_default() += 1;
        }
        writeln!(f, "found: {counts:?}")?;
        self.findings.iter().take(40).try_for_each(|finding| writeln!(f, "  {finding}"))
    }
}
