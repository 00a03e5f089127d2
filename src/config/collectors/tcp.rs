//! `type: tcp`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{Check, labels};
use crate::collect::TcpSettings;
use crate::config::{Period, Spanned};

/// `type: tcp`: a service that takes connections at a port.
#[derive(Clone, Debug, PartialEq)]
pub struct Tcp {
    /// Which, and the subject.
    pub settings: TcpSettings,
    /// How often.
    pub every: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawTcp {
    name: Spanned<String>,
    address: Spanned<String>,
    #[serde(default)]
    kind: Option<Spanned<String>>,
    #[serde(default)]
    every: Option<Spanned<Period>>,
    #[serde(default)]
    timeout: Option<Spanned<Period>>,
    #[serde(default)]
    retries: u8,
    #[serde(default)]
    expect: RawTcpExpect,
    #[serde(default)]
    labels: BTreeMap<Arc<str>, Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawTcpExpect {
    response_time: Option<Spanned<Period>>,
}

impl Check<'_> {
    pub(super) fn tcp(&mut self, raw: RawTcp, every: Option<Duration>) -> Tcp {
        self.subject(&raw.name, raw.kind.as_ref(), &raw.labels);
        let port = raw.address.value.rsplit_once(':').filter(|(host, _)| {
            // What has several colons is an address of IPv6, which stands in brackets.
            !host.is_empty() && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'))
        });
        if !port.is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0)) {
            let problem = self.document.place(&raw.address).error("`address` must be a host and a port");
            self.problems.push(problem.with_hint("write `db.example:5432`, or `[::1]:5432`"));
        }
        Tcp {
            every: self.period(raw.every.as_ref(), every.unwrap_or(Duration::from_secs(15)), "every"),
            settings: TcpSettings {
                kind: raw.kind.map_or_else(|| "service".into(), |kind| kind.value.into()),
                timeout: self.period(raw.timeout.as_ref(), Duration::from_secs(5), "timeout"),
                retries: u32::from(raw.retries),
                response_time: raw.expect.response_time.map(|time| time.value.0),
                labels: labels(raw.labels),
                address: raw.address.value.into(),
                name: raw.name.value.into(),
            },
        }
    }
}
