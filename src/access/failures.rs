//! How often somebody may fail: a bucket for each address.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Time;

/// How many failures are borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many at once.
    pub burst: u32,
    /// One more after each of these.
    pub every: Duration,
    /// So many addresses are remembered.
    pub addresses: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { burst: 10, every: Duration::from_secs(6), addresses: 4096 }
    }
}

/// Failures by address. An IPv6 host has a whole /64 of addresses, so these count as one.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    limits: Limits,
    /// The time at which an address would have used up nothing.
    emptied: BTreeMap<IpAddr, Time>,
}

impl Failures {
    /// No failures yet.
    pub fn new(limits: Limits) -> Failures {
        Failures { limits, emptied: BTreeMap::new() }
    }

    /// How long an address must wait before it is listened to; `None` where it need not.
    pub fn wait(&self, address: IpAddr, now: Time) -> Option<Duration> {
        let full = self.limits.every.saturating_mul(self.limits.burst.saturating_sub(1));
        let emptied = *self.emptied.get(&network(address))?;
        let wait = emptied.since(now + full);
        (!wait.is_zero()).then_some(wait)
    }

    /// An address has failed.
    pub fn note(&mut self, address: IpAddr, now: Time) {
        let address = network(address);
        if self.emptied.len() >= self.limits.addresses && !self.emptied.contains_key(&address) {
            self.emptied.retain(|_, emptied| *emptied > now);
            // An attacker with many addresses pushes out the one that failed least.
            if self.emptied.len() >= self.limits.addresses
                && let Some(least) = self.emptied.iter().min_by_key(|(_, emptied)| **emptied).map(|(least, _)| *least)
            {
                self.emptied.remove(&least);
            }
        }
        let emptied = self.emptied.entry(address).or_insert(now);
        *emptied = (*emptied).max(now) + self.limits.every;
    }
}

/// The address of whoever has this one: of IPv6 the first 64 bits, of IPv4 in IPv6 the IPv4.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => core::net::Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time::from_micros(secs * 1_000_000)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ten_failures_are_borne_at_once_and_then_one_every_six_seconds() {
        let mut failures = Failures::default();
        for _ in 0..10 {
            assert_eq!(failures.wait(ip("192.0.2.1"), at(100)), None);
            failures.note(ip("192.0.2.1"), at(100));
        }
        assert_eq!(failures.wait(ip("192.0.2.1"), at(100)), Some(Duration::from_secs(6)));
        assert_eq!(failures.wait(ip("192.0.2.2"), at(100)), None, "another address has failed nothing");
        assert_eq!(failures.wait(ip("192.0.2.1"), at(106)), None);
        failures.note(ip("192.0.2.1"), at(106));
        assert_eq!(failures.wait(ip("192.0.2.1"), at(107)), Some(Duration::from_secs(5)));
        assert_eq!(failures.wait(ip("192.0.2.1"), at(1000)), None);
    }

    #[test]
    fn the_addresses_of_one_host_count_as_one() {
        let mut failures = Failures::new(Limits { burst: 1, ..Limits::default() });
        failures.note(ip("2001:db8::1"), at(0));
        failures.note(ip("::ffff:192.0.2.1"), at(0));
        assert!(failures.wait(ip("2001:db8::ffff"), at(0)).is_some());
        assert!(failures.wait(ip("2001:db8:0:1::1"), at(0)).is_none());
        assert!(failures.wait(ip("192.0.2.1"), at(0)).is_some());
    }

    #[test]
    fn the_memory_is_bounded_and_who_failed_most_is_remembered() {
        let mut failures = Failures::new(Limits { burst: 2, addresses: 100, ..Limits::default() });
        (0..5).for_each(|_| failures.note(ip("198.51.100.1"), at(0)));
        for n in 0..10_000_u32 {
            failures.note(core::net::Ipv4Addr::from(n).into(), at(0));
        }
        assert_eq!(failures.emptied.len(), 100);
        assert!(failures.wait(ip("198.51.100.1"), at(0)).is_some());
    }
}
