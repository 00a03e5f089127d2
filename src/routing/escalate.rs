//! Escalation: who is told as well while nobody acknowledges an alert. Pure.
//!
//! The time after which counts only while somebody could have acknowledged: not while the alert is acknowledged, silenced
//! or muted, nor while the route's window is closed. So it is counted for each window, and all steps of routes with the
//! same window share one clock.

use std::sync::Arc;
use std::time::Duration;

use super::Route;
use crate::model::{ChannelName, Time};

/// One entry of a route's `escalate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// After so long without an acknowledgement; more than zero.
    pub after: Duration,
    /// These are told: channels and rotations.
    pub to: Vec<ChannelName>,
}

/// A step as it is for one alert at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Escalation {
    /// The clock by which it is counted: the route's `active` as written, and empty where it is always open.
    pub clock: Arc<str>,
    /// Whether the window is open, so that the clock may run.
    pub is_open: bool,
    /// The wall-clock time when it opens, where it is closed.
    pub opens: Time,
    /// After so long on the clock.
    pub after: Duration,
    /// The channels that are told; those on call now for rotations.
    pub to: Vec<ChannelName>,
    /// The route's line in larum.yaml; 0 where it is not written there.
    pub line: usize,
}

impl Escalation {
    pub(super) fn of(route: &Route, step: &Step, to: Vec<ChannelName>, is_open: bool, opens: Time) -> Escalation {
        let clock = route.active.as_ref().map_or_else(|| "".into(), |active| active.as_str().into());
        Escalation { clock, is_open, opens, after: step.after, to, line: route.line }
    }
}
