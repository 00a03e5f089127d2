//! What the log tells of the engine's steps: events, what scripts print, and rules that fail. Rate-limited.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::Effects;
use crate::model::{EventKind, RuleName, Time};

/// Lines that scripts may print within [`PRINT_SPAN`].
const PRINTS: u32 = 50;
const PRINT_SPAN: Duration = Duration::from_secs(10);

/// Remembers what was logged, so that the same is not logged again and again.
#[derive(Debug, Default)]
pub(super) struct EffectsLog {
    /// The newest fault of each rule.
    faults: BTreeMap<RuleName, String>,
    span_started: Option<Time>,
    printed: u32,
    dropped: u32,
}

impl EffectsLog {
    /// Logs one step.
    pub(super) fn log(&mut self, effects: &Effects) {
        for event in &effects.events {
            let (rule, subject, level) = (&event.rule, &event.subject, event.level);
            match event.kind {
                EventKind::Raised
                | EventKind::Escalated
                | EventKind::Flapping
                | EventKind::Unacknowledged
                | EventKind::Recovered
                | EventKind::Closed => {
                    let reason = event.reason.map(|reason| reason.as_str());
                    tracing::info!(event = %event.kind, %rule, %subject, %level, reason, "alert");
                }
                EventKind::Acknowledged => {
                    tracing::info!(event = %event.kind, %rule, %subject, %level, by = event.message, "alert");
                }
                EventKind::Eased | EventKind::Reminded | EventKind::Stale => {
                    tracing::debug!(event = %event.kind, %rule, %subject, %level, "alert");
                }
            }
        }
        for fault in &effects.faults {
            if self.faults.get(&fault.rule) != Some(&fault.fault.message) {
                let (line, column) = (fault.fault.line, fault.fault.column);
                let (rule, subject, error) = (&fault.rule, &fault.subject, &fault.fault.message);
                tracing::warn!(%rule, %subject, line, column, error, "rule failed, its alerts stay as they are");
                self.faults.insert(fault.rule.clone(), fault.fault.message.clone());
            }
        }
        for (rule, until) in &effects.quarantined {
            let until = effects.now.wall_of(*until);
            tracing::warn!(%rule, %until, "rule keeps failing, it is left alone for a while");
            self.faults.remove(rule);
        }
        for (rule, line) in &effects.prints {
            if self.may_print(effects.now.time) {
                tracing::info!(%rule, "print: {line}");
            }
        }
    }

    fn may_print(&mut self, now: Time) -> bool {
        if self.span_started.is_none_or(|started| now.since(started) >= PRINT_SPAN) {
            if self.dropped > 0 {
                tracing::info!(lines = self.dropped, "rules print too much: lines were dropped");
            }
            (self.span_started, self.printed, self.dropped) = (Some(now), 0, 0);
        }
        let may = self.printed < PRINTS;
        self.printed += u32::from(may);
        self.dropped += u32::from(!may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_prints_without_end_prints_fifty_lines_in_ten_seconds() {
        let mut log = EffectsLog::default();
        let start = Time::EPOCH;
        let count = |log: &mut EffectsLog, at: Time| (0..500).filter(|_| log.may_print(at)).count();
        assert_eq!(count(&mut log, start), 50);
        assert_eq!(count(&mut log, start + Duration::from_secs(9)), 0);
        assert_eq!(count(&mut log, start + Duration::from_secs(10)), 50);
    }
}
