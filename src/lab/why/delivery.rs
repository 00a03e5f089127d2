//! What became of the newest notification to a channel, in words: that something was decided does not mean that anybody
//! has it.

use super::words::{Clock, count};
use crate::server::api::{WhyChannelDto, WhyDeliveryDto};

/// Whether a channel has what was decided for it.
pub(super) enum Arrival {
    /// It has.
    Delivered,
    /// Not yet, or never: the words for it.
    Not(String),
}

/// What became of the newest notification of the present firing; `None` where none was decided.
pub(super) fn arrival(channel: &WhyChannelDto, clock: &Clock<'_>) -> Option<Arrival> {
    channel.told.as_ref()?;
    let delivery = channel.delivery.as_ref()?;
    Some(match delivery.state.as_str() {
        "delivered" => Arrival::Delivered,
        "dead" => Arrival::Not(given_up(delivery)),
        _ => Arrival::Not(format!("not delivered yet: {}", waits(channel, delivery, clock))),
    })
}

fn given_up(delivery: &WhyDeliveryDto) -> String {
    let tries = match delivery.attempts {
        Some(n) if n > 0 => format!(" after {}", count(n as usize, "attempt")),
        _ => String::new(),
    };
    match &delivery.error {
        Some(error) => format!("given up{tries}: {error}"),
        None => format!("given up{tries}"),
    }
}

/// What it waits for.
fn waits(channel: &WhyChannelDto, delivery: &WhyDeliveryDto, clock: &Clock<'_>) -> String {
    let limited = limited_until(channel, clock).map(|(limit, until)| (limit, clock.until(until)));
    let outbox = channel.outbox.as_ref();
    if let (Some(error), Some(n)) = (&delivery.error, delivery.attempts.filter(|n| *n > 0)) {
        let again = match (delivery.next.filter(|next| *next > clock.now), limited) {
            (_, Some((limit, until))) => format!("waits for the limit{limit} until {until}"),
            (Some(next), None) => format!("tried again at {}", clock.until(next)),
            (None, None) => "tried again now".to_string(),
        };
        return format!("{} failed ({error}), {again}", count(n as usize, "attempt"));
    }
    if let Some(until) = outbox.and_then(|outbox| outbox.paused_until).filter(|until| *until > clock.now) {
        return format!("its receiver asked for a pause until {}", clock.until(until));
    }
    if let Some((limit, until)) = limited {
        return format!("waits for the limit{limit} until {until}");
    }
    match outbox.filter(|outbox| outbox.consecutive_failures > 0 && delivery.attempts.is_none()) {
        Some(outbox) => format!("attempts fail ({})", outbox.problem.as_deref().unwrap_or("no reason is known")),
        None => "it is on its way".to_string(),
    }
}

/// The limit that is used up, and until when.
pub(super) fn limited_until(channel: &WhyChannelDto, clock: &Clock<'_>) -> Option<(String, crate::model::Time)> {
    let outbox = channel.outbox.as_ref()?;
    let until = outbox.limited_until.filter(|until| *until > clock.now)?;
    Some((outbox.limit.as_ref().map(|limit| format!(" {limit}")).unwrap_or_default(), until))
}

/// Of what would go now, or when a time has come: that the limit is used up, and when it can be told then.
pub(super) fn and_limited(channel: &WhyChannelDto, clock: &Clock<'_>) -> String {
    let Some((limit, until)) = limited_until(channel, clock) else { return String::new() };
    match (channel.decision.as_str(), channel.held_until) {
        ("tell", _) => format!(" at {}, when its limit{limit} lets it", clock.until(until)),
        ("hold", Some(held)) => {
            let then = clock.at(held.max(until));
            format!(", and its limit{limit} is used up until {}: it can be told at {then}", clock.until(until))
        }
        _ => String::new(),
    }
}
