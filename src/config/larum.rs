//! larum.yaml as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;

use super::collectors::{self, Collector, Host, Push, RawCollector};
use super::settings::{RawDefaults, RawHistory, RawParam, RawRetry};
use super::{Alerts, Defaults, Document, History, Limits, Locale, Log, Period, Place, Retry, Spanned, Surroundings};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::model::ChannelName;
use crate::model::wire::WireLimits;
use crate::routing::{Active, Grouping, Matchers, Route, Routing};
use crate::rules::{self, Params};

/// Keys of DESIGN that this version does not have.
const LATER: &[&str] = &["escalate", "inhibit", "tokens", "disk", "metrics", "tls"];

/// The settings of a project folder. [`Config::parse`] of an empty text is what a missing larum.yaml means.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the daemon serves; always a loopback address.
    pub listen: SocketAddr,
    /// Where it keeps its data; relative to the project folder.
    pub data_dir: PathBuf,
    /// The zone of days, hours and printed times; UTC where it is not set.
    pub time_zone: TimeZone,
    /// The words of notifications.
    pub locale: Locale,
    /// What the daemon tells of itself.
    pub log: Log,
    /// The main switch.
    pub alerts: Alerts,
    /// What `param(name, default)` reads.
    pub params: Params,
    /// Where each of `params` stands.
    param_places: BTreeMap<Arc<str>, Place>,
    /// For collectors and rules that do not say otherwise.
    pub defaults: Defaults,
    /// What is watched; their names are different.
    pub collectors: Vec<Collector>,
    /// Who is told of what.
    pub routes: Vec<NamedRoute>,
    /// How far back rules can look.
    pub history: History,
    /// Bounds of what is taken.
    pub limits: Limits,
    /// A subject without an open alert is forgotten this long after its newest snapshot.
    pub forget_after: Duration,
    /// A firing alert of a stale subject is closed as vanished after this long.
    pub forget_firing_after: Duration,
    /// Deliveries that fail.
    pub retry: Retry,
    /// The channel that is told of what could not be delivered elsewhere.
    pub fallback: Option<ChannelName>,
    fallback_place: Option<Place>,
    /// Names under which the server may be asked, beside addresses and `localhost`.
    pub allowed_hosts: Vec<String>,
}

/// A route, with the places at which it names channels.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRoute {
    /// The route.
    pub route: Route,
    /// One place for each channel of `route.to`.
    places: Vec<Place>,
}

/// larum.yaml as written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    listen: Option<Spanned<String>>,
    data_dir: Option<Spanned<String>>,
    time_zone: Option<Spanned<String>>,
    locale: Locale,
    log: Log,
    alerts: Alerts,
    params: BTreeMap<Arc<str>, Spanned<RawParam>>,
    defaults: RawDefaults,
    collectors: Option<Vec<Spanned<RawCollector>>>,
    routes: Vec<RawRoute>,
    history: RawHistory,
    limits: Limits,
    forget_after: Period,
    forget_firing_after: Period,
    retry: RawRetry,
    fallback: Option<Spanned<String>>,
    allowed_hosts: Vec<Spanned<String>>,
}

impl Default for Raw {
    fn default() -> Raw {
        Raw {
            listen: None,
            data_dir: None,
            time_zone: None,
            locale: Locale::default(),
            log: Log::default(),
            alerts: Alerts::default(),
            params: BTreeMap::new(),
            defaults: RawDefaults::default(),
            collectors: None,
            routes: Vec::new(),
            history: RawHistory::default(),
            limits: Limits::default(),
            forget_after: Period(Duration::from_secs(3600)),
            forget_firing_after: Period(Duration::from_secs(24 * 3600)),
            retry: RawRetry::default(),
            fallback: None,
            allowed_hosts: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    #[serde(default, rename = "match")]
    matches: Matchers,
    to: Vec<Spanned<String>>,
    #[serde(default, rename = "continue")]
    continues: bool,
    #[serde(default)]
    active: Option<Active>,
    #[serde(default)]
    group_by: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    group_wait: Option<Spanned<Period>>,
    #[serde(default)]
    group_interval: Option<Spanned<Period>>,
}

impl Config {
    /// Reads and checks a larum.yaml. `file` is the name that problems tell.
    ///
    /// # Errors
    /// All problems of the text, in the order of their places.
    pub fn parse(
        file: impl Into<Arc<str>>,
        text: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<Config, Vec<Diagnostic>> {
        let document = Document::parse(file, text, surroundings)?.knowing_later(LATER);
        let (raw, mut problems) = document.read_part::<Raw>(&[]);
        let config = raw.map(|raw| Check { document: &document, problems: &mut problems }.config(raw));
        problems.sort_by_key(|problem| (problem.line, problem.column));
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }

    /// The settings without a larum.yaml.
    pub fn without_file() -> Config {
        Config::parse("larum.yaml", "", &super::Fixed::default())
            .unwrap_or_else(|problems| unreachable!("{problems:?}"))
    }

    /// Channels that routes name and that do not exist.
    pub fn check_channels(&self, channels: &BTreeSet<ChannelName>) -> Vec<Diagnostic> {
        let named = self.routes.iter().flat_map(|named| named.route.to.iter().zip(&named.places));
        let named = named.chain(self.fallback.iter().zip(&self.fallback_place));
        named
            .filter(|(channel, _)| !channels.contains(*channel))
            .map(|(channel, place)| {
                let names = || channels.iter().map(ChannelName::as_str);
                let hint = did_you_mean(channel.as_str(), names())
                    .unwrap_or_else(|| format!("a channel is a file: create `channels/{channel}.yaml`"));
                place.error(format!("there is no channel `{channel}`")).with_hint(hint)
            })
            .collect()
    }

    /// The routes between the channels that exist.
    pub fn routing(&self, channels: impl IntoIterator<Item = ChannelName>) -> Routing {
        let routes = self.routes.iter().map(|named| named.route.clone()).collect();
        Routing::new(routes, channels, self.time_zone.clone()).with_fallback(self.fallback.clone())
    }

    /// What rules are loaded with, between the channels that exist; `None` where these are not known yet.
    pub fn rule_settings(&self, channels: Option<BTreeSet<ChannelName>>) -> rules::loader::Settings {
        let own = rules::Defaults::default();
        let defaults = rules::Defaults {
            every: self.defaults.every.unwrap_or(own.every),
            cooldown: self.defaults.cooldown,
            repeat: self.defaults.repeat,
        };
        rules::loader::Settings { params: self.params.clone(), defaults, channels }
    }

    /// Warnings about params that no rule reads; each comes with what may have been meant.
    pub fn unread_params(&self, unread: Vec<(Arc<str>, Option<String>)>) -> Vec<Diagnostic> {
        let warn = |(name, hint): (Arc<str>, Option<String>)| {
            let place = self.param_places.get(&name)?;
            let problem = place.error(format!("no rule reads the param `{name}`")).into_warning();
            Some(Diagnostic { hint, ..problem })
        };
        unread.into_iter().filter_map(warn).collect()
    }

    /// The bounds of the world.
    pub fn world_limits(&self) -> crate::history::Limits {
        crate::history::Limits {
            memory: self.history.memory,
            memory_limit: self.history.memory_limit,
            max_subjects: self.limits.max_subjects,
            max_fields: self.limits.max_fields,
        }
    }

    /// The bounds of one snapshot that is sent.
    pub fn wire_limits(&self) -> WireLimits {
        let Limits { max_fields, max_labels, max_name_bytes, max_text_bytes, .. } = self.limits;
        WireLimits { max_fields, max_labels, max_name_bytes, max_text_bytes }
    }

    /// The largest body of a push, in bytes.
    pub fn max_push_body(&self) -> usize {
        let push = self.collectors.iter().find_map(|collector| match collector {
            Collector::Push(push) => Some(push.max_body),
            Collector::Host(_) | Collector::Http(_) => None,
        });
        push.unwrap_or(Push::default().max_body)
    }

    /// What a running daemon cannot take over from a changed file: these keys keep their old values until a restart.
    pub fn needs_restart(&self, running: &Config) -> Vec<&'static str> {
        let pairs = [
            ("listen", self.listen != running.listen),
            ("data_dir", self.data_dir != running.data_dir),
            ("time_zone", self.time_zone != running.time_zone),
            ("log", self.log != running.log),
            ("history", self.history != running.history),
            ("limits", self.limits != running.limits),
            ("forget_after", self.forget_after != running.forget_after),
            ("forget_firing_after", self.forget_firing_after != running.forget_firing_after),
            ("alerts.retention", self.alerts.retention != running.alerts.retention),
            ("retry", self.retry != running.retry),
            ("max_body", self.max_push_body() != running.max_push_body()),
            ("allowed_hosts", self.allowed_hosts != running.allowed_hosts),
        ];
        pairs.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
    }
}

struct Check<'a> {
    document: &'a Document,
    problems: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn refuse<T>(&mut self, spanned: &Spanned<T>, message: impl Into<String>, hint: &str) {
        self.problems.push(self.document.place(spanned).error(message).with_hint(hint));
    }

    fn config(&mut self, raw: Raw) -> Config {
        let defaults = raw.defaults.build();
        if let Some(every) = raw.defaults.every.as_ref().filter(|every| every.value.0 < Duration::from_millis(100)) {
            self.refuse(every, "`every` must be at least 100ms", "write `10s`");
        }
        if raw.history.memory.value.0 < Duration::from_secs(60) {
            self.refuse(&raw.history.memory, "`memory` must be at least 1m", "rules look back over it: write `24h`");
        }
        let collectors = match raw.collectors {
            Some(entries) => collectors::build(self.document, entries, defaults.every, self.problems),
            None => vec![Collector::Host(Host::default_for(defaults.every)), Collector::Push(Push::default())],
        };
        Config {
            listen: self.listen(raw.listen.as_ref()),
            data_dir: self.data_dir(raw.data_dir),
            time_zone: self.time_zone(raw.time_zone.as_ref()),
            locale: raw.locale,
            log: raw.log,
            alerts: raw.alerts,
            param_places: raw.params.iter().map(|(name, param)| (name.clone(), self.document.place(param))).collect(),
            params: raw.params.into_iter().map(|(name, param)| (name, param.value.0)).collect(),
            defaults,
            collectors,
            routes: raw.routes.into_iter().map(|route| self.route(route)).collect(),
            history: raw.history.build(),
            limits: raw.limits,
            forget_after: raw.forget_after.0,
            forget_firing_after: raw.forget_firing_after.0,
            retry: raw.retry.build(),
            fallback_place: raw.fallback.as_ref().map(|fallback| self.document.place(fallback)),
            fallback: raw.fallback.map(|fallback| ChannelName::from(fallback.value)),
            allowed_hosts: self.hosts(raw.allowed_hosts),
        }
    }

    fn listen(&mut self, listen: Option<&Spanned<String>>) -> SocketAddr {
        const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8001);
        let Some(spanned) = listen else { return DEFAULT };
        let text = match spanned.value.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => spanned.value.clone(),
        };
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => return address,
            Ok(_) => self.refuse(
                spanned,
                "a public address needs `tokens`, which this version does not have",
                "listen on `127.0.0.1:8001`, behind a proxy that knows its users",
            ),
            Err(_) => self.refuse(
                spanned,
                format!("`{}` is no address with a port", spanned.value),
                "write it like `127.0.0.1:8001`",
            ),
        }
        DEFAULT
    }

    fn data_dir(&mut self, data_dir: Option<Spanned<String>>) -> PathBuf {
        let Some(spanned) = data_dir else { return PathBuf::from("data") };
        if spanned.value.is_empty() {
            self.refuse(&spanned, "`data_dir` is empty", "leave it out for `data` in the project folder");
        }
        PathBuf::from(spanned.value)
    }

    /// UTC where the file says nothing: the zone of the process reaches no effect, so that a replay says the same everywhere.
    fn time_zone(&mut self, name: Option<&Spanned<String>>) -> TimeZone {
        let Some(spanned) = name else { return TimeZone::UTC };
        TimeZone::get(&spanned.value).unwrap_or_else(|_| {
            let known = jiff::tz::db().available().map(|name| name.to_string()).collect::<Vec<_>>();
            let hint = did_you_mean(&spanned.value, known.iter().map(String::as_str));
            let hint = hint.unwrap_or_else(|| "write its IANA name, as `Asia/Shanghai`".to_string());
            self.refuse(spanned, format!("the time zone `{}` is not known", spanned.value), &hint);
            TimeZone::UTC
        })
    }

    fn route(&mut self, raw: RawRoute) -> NamedRoute {
        let mut to = Vec::new();
        let mut places = Vec::new();
        for channel in raw.to {
            let name = ChannelName::from(channel.value.as_str());
            if to.contains(&name) {
                self.refuse(&channel, format!("the channel `{name}` stands here twice"), "one is enough");
                continue;
            }
            places.push(self.document.place(&channel));
            to.push(name);
        }
        let group = self.grouping(raw.group_by, raw.group_wait, raw.group_interval);
        let line = places.first().map_or(0, Place::line);
        let route = Route { matches: raw.matches, to, continues: raw.continues, active: raw.active, group, line };
        NamedRoute { route, places }
    }

    /// How a route groups; the default times are Alertmanager's.
    fn grouping(
        &mut self,
        by: Option<Vec<Spanned<String>>>,
        wait: Option<Spanned<Period>>,
        interval: Option<Spanned<Period>>,
    ) -> Option<Arc<Grouping>> {
        let Some(by) = by else {
            for (key, period) in [("group_wait", wait), ("group_interval", interval)] {
                if let Some(period) = period {
                    self.refuse(&period, format!("`{key}` without `group_by` does nothing"), "add `group_by: [rule]`");
                }
            }
            return None;
        };
        let mut labels: Vec<Arc<str>> = Vec::new();
        for label in by {
            let hint = "group by `rule`, `kind`, `name` or a label of the subjects or the rules";
            if label.value == "level" {
                self.refuse(&label, "alerts cannot be grouped by `level`: it changes while they fire", hint);
            } else if label.value.is_empty() || labels.contains(&Arc::from(label.value.as_str())) {
                self.refuse(&label, format!("the label `{}` stands here twice, or is none", label.value), hint);
            } else {
                labels.push(label.value.into());
            }
        }
        Some(Arc::new(Grouping {
            by: labels,
            wait: wait.map_or(Duration::from_secs(30), |period| period.value.0),
            interval: interval.map_or(Duration::from_secs(300), |period| period.value.0),
        }))
    }

    fn hosts(&mut self, hosts: Vec<Spanned<String>>) -> Vec<String> {
        for host in &hosts {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            if host.value.is_empty() || !host.value.chars().all(plain) {
                let message = format!("`{}` is no host name", host.value);
                self.refuse(host, message, "write the name alone, without a scheme or a port: `larum.example`");
            }
        }
        hosts.into_iter().map(|host| host.value.to_ascii_lowercase()).collect()
    }
}

#[cfg(test)]
mod tests;
