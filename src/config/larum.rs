//! larum.yaml as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;

use super::access::{self, RawTls, RawToken};
use super::collectors::{self, Collector, Host, Push, RawCollector};
use super::metrics::RawMetrics;
use super::on_call::{self, NamedRotation, RawRotation};
use super::settings::{RawDefaults, RawHistory, RawParam, RawRetry};
use super::{
    Alerts, Defaults, Document, History, Limits, Locale, Log, Period, Place, Retry, Spanned, Surroundings, Tls,
};
use crate::access::Tokens;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::exposition::Names;
use crate::model::ChannelName;
use crate::model::wire::WireLimits;
use crate::routing::{Active, Equal, Grouping, Inhibition, Matchers, Route, Routing, Step};
use crate::rules::loader::Kept;
use crate::rules::{self, Params};

/// The settings of a project folder. [`Config::parse`] of an empty text is what a missing larum.yaml means.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the daemon serves; a loopback address, or there are tokens.
    pub listen: SocketAddr,
    /// Who may ask. Without any, whoever comes from this machine.
    pub tokens: Tokens,
    /// Under which certificate it answers.
    pub tls: Option<Tls>,
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
    /// Who is on call by turns, by the name under which routes tell them.
    pub on_call: BTreeMap<ChannelName, NamedRotation>,
    /// Which alerts mute which.
    pub inhibit: Vec<Inhibition>,
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
    /// What fields are called as metrics.
    pub metric_names: Names,
}

/// A route, with the places at which it names channels.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRoute {
    /// The route.
    pub route: Route,
    /// Every channel or rotation that it names, and where.
    names: Vec<(ChannelName, Place)>,
}

/// larum.yaml as written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    listen: Option<Spanned<String>>,
    tokens: Vec<RawToken>,
    tls: Option<RawTls>,
    data_dir: Option<Spanned<String>>,
    time_zone: Option<Spanned<String>>,
    locale: Locale,
    log: Log,
    alerts: Alerts,
    params: BTreeMap<Arc<str>, Spanned<RawParam>>,
    defaults: RawDefaults,
    collectors: Option<Vec<Spanned<RawCollector>>>,
    routes: Vec<RawRoute>,
    on_call: BTreeMap<String, RawRotation>,
    inhibit: Vec<RawInhibition>,
    history: RawHistory,
    limits: Limits,
    forget_after: Period,
    forget_firing_after: Period,
    retry: RawRetry,
    fallback: Option<Spanned<String>>,
    allowed_hosts: Vec<Spanned<String>>,
    metrics: RawMetrics,
}

impl Default for Raw {
    fn default() -> Raw {
        Raw {
            listen: None,
            tokens: Vec::new(),
            tls: None,
            data_dir: None,
            time_zone: None,
            locale: Locale::default(),
            log: Log::default(),
            alerts: Alerts::default(),
            params: BTreeMap::new(),
            defaults: RawDefaults::default(),
            collectors: None,
            routes: Vec::new(),
            on_call: BTreeMap::new(),
            inhibit: Vec::new(),
            history: RawHistory::default(),
            limits: Limits::default(),
            forget_after: Period(Duration::from_secs(3600)),
            forget_firing_after: Period(Duration::from_secs(24 * 3600)),
            retry: RawRetry::default(),
            fallback: None,
            allowed_hosts: Vec::new(),
            metrics: RawMetrics::default(),
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
    #[serde(default)]
    escalate: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    after: Spanned<Period>,
    to: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInhibition {
    when: Spanned<Matchers>,
    mute: Spanned<Matchers>,
    #[serde(default)]
    equal: Vec<Spanned<String>>,
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
        let document = Document::parse(file, text, surroundings)?;
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

    /// Channels that are named and do not exist, and rotations with the name of a channel.
    pub fn check_channels(&self, channels: &BTreeSet<ChannelName>) -> Vec<Diagnostic> {
        let clash = |(name, rotation): (&ChannelName, &NamedRotation)| {
            let message = format!("the rotation `{name}` has the name of a channel");
            channels.contains(name).then(|| rotation.place.error(message).with_hint("give one of them another name"))
        };
        let unknown = |channel: &ChannelName, place: &Place, rotations: bool| {
            let rotations = self.on_call.keys().filter(|_| rotations);
            let names = channels.iter().chain(rotations).map(ChannelName::as_str);
            let hint = did_you_mean(channel.as_str(), names)
                .unwrap_or_else(|| format!("a channel is a file: create `channels/{channel}.yaml`"));
            place.error(format!("there is no channel `{channel}`")).with_hint(hint)
        };
        let of_routes = self.routes.iter().flat_map(|named| &named.names);
        let of_routes = of_routes
            .filter(|(name, _)| !channels.contains(name) && !self.on_call.contains_key(name))
            .map(|(name, place)| unknown(name, place, true));
        let of_rotations = self.on_call.values().flat_map(|named| &named.channels).map(|(name, place)| (name, place));
        let of_rotations = of_rotations
            .chain(self.fallback.iter().zip(&self.fallback_place))
            .filter(|(name, _)| !channels.contains(*name))
            .map(|(name, place)| unknown(name, place, false));
        self.on_call.iter().filter_map(clash).chain(of_routes).chain(of_rotations).collect()
    }

    /// The routes between the channels that exist.
    pub fn routing(&self, channels: impl IntoIterator<Item = ChannelName>) -> Routing {
        let routes = self.routes.iter().map(|named| named.route.clone()).collect();
        let rotations = self.on_call.iter().map(|(name, named)| (name.clone(), named.rotation.clone())).collect();
        Routing::new(routes, channels, self.time_zone.clone())
            .with_fallback(self.fallback.clone())
            .with_rotations(rotations)
            .with_inhibitions(self.inhibit.clone())
    }

    /// What rules are loaded with, between the channels that exist; `None` where these are not known yet. A rule may
    /// also name a rotation.
    pub fn rule_settings(&self, channels: Option<BTreeSet<ChannelName>>) -> rules::loader::Settings {
        let own = rules::Defaults::default();
        let defaults = rules::Defaults {
            every: self.defaults.every.unwrap_or(own.every),
            cooldown: self.defaults.cooldown,
            repeat: self.defaults.repeat,
        };
        let channels = channels.map(|channels| channels.into_iter().chain(self.on_call.keys().cloned()).collect());
        rules::loader::Settings {
            params: self.params.clone(),
            defaults,
            channels,
            kept: Some(Kept { memory: self.history.memory, disk: self.history.disk }),
        }
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
            Collector::Host(_) | Collector::Http(_) | Collector::Process(_) | Collector::Tcp(_) => None,
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
            ("tls", self.tls.is_some() != running.tls.is_some()),
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
        if let Some(disk) = raw.history.disk.as_ref().filter(|disk| disk.value.0 < raw.history.memory.value.0) {
            let hint = "after a restart, memory is filled from the disk: write `7d`";
            self.refuse(disk, "`disk` must be at least as long as `memory`", hint);
        }
        let collectors = match raw.collectors {
            Some(entries) => collectors::build(self.document, entries, defaults.every, self.problems),
            None => vec![Collector::Host(Host::default_for(defaults.every)), Collector::Push(Push::default())],
        };
        let time_zone = match &raw.time_zone {
            // The zone of the process reaches no effect, so that a replay says the same everywhere.
            None => TimeZone::UTC,
            Some(name) => time_zone(name, self.document, self.problems),
        };
        Config {
            listen: self.listen(raw.listen.as_ref(), !raw.tokens.is_empty()),
            tokens: access::tokens(self.document, raw.tokens, self.problems),
            tls: raw.tls.map(RawTls::build),
            data_dir: self.data_dir(raw.data_dir),
            on_call: on_call::build(self.document, raw.on_call, &time_zone, self.problems),
            inhibit: raw.inhibit.into_iter().map(|inhibition| self.inhibition(inhibition)).collect(),
            time_zone,
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
            metric_names: raw.metrics.names(self.document, self.problems),
        }
    }

    fn listen(&mut self, listen: Option<&Spanned<String>>, has_tokens: bool) -> SocketAddr {
        const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8001);
        let Some(spanned) = listen else { return DEFAULT };
        let text = match spanned.value.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => spanned.value.clone(),
        };
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() || has_tokens => return address,
            Ok(_) => self.refuse(
                spanned,
                "a public address needs `tokens`",
                "add tokens (`larum token new` makes one), or listen on `127.0.0.1:8001`",
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

    fn route(&mut self, raw: RawRoute) -> NamedRoute {
        let mut names = Vec::new();
        let line = raw.to.first().map_or(0, |first| self.document.place(first).line());
        let to = self.names(raw.to, &mut names);
        let group = self.grouping(raw.group_by, raw.group_wait, raw.group_interval);
        let escalate = self.steps(raw.escalate, &mut names);
        let (matches, continues, active) = (raw.matches, raw.continues, raw.active);
        NamedRoute { route: Route { matches, to, continues, active, group, escalate, line }, names }
    }

    /// A list of channels and rotations, each once.
    fn names(&mut self, written: Vec<Spanned<String>>, names: &mut Vec<(ChannelName, Place)>) -> Vec<ChannelName> {
        let mut to = Vec::new();
        for channel in written {
            let name = ChannelName::from(channel.value.as_str());
            if to.contains(&name) {
                self.refuse(&channel, format!("the channel `{name}` stands here twice"), "one is enough");
                continue;
            }
            names.push((name.clone(), self.document.place(&channel)));
            to.push(name);
        }
        to
    }

    /// The steps of a route, by their times.
    fn steps(&mut self, raw: Vec<RawStep>, names: &mut Vec<(ChannelName, Place)>) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for RawStep { after, to } in raw {
            let time = after.value.0;
            if time.is_zero() {
                let hint = "give a time in which somebody can acknowledge, as `15m`; `to` is told at once";
                self.refuse(&after, "an alert cannot be escalated after no time", hint);
            } else if steps.iter().any(|step| step.after == time) {
                self.refuse(&after, "two steps come at the same time", "name all channels of one time in one step");
            }
            if to.is_empty() {
                self.refuse(&after, "this step tells nobody", "name a channel in `to`");
            }
            steps.push(Step { after: time, to: self.names(to, names) });
        }
        steps.sort_by_key(|step| step.after);
        steps
    }

    fn inhibition(&mut self, raw: RawInhibition) -> Inhibition {
        for (key, matchers) in [("when", &raw.when), ("mute", &raw.mute)] {
            if matchers.value.is_empty() {
                let hint = "name alerts, as `{ rule: host_down }`";
                self.refuse(matchers, format!("`{key}` without a condition would take every alert"), hint);
            }
        }
        let mut equal = Vec::new();
        for label in &raw.equal {
            let (when, mute) = label.value.split_once('=').unwrap_or((&label.value, &label.value));
            let (when, mute) = (when.trim(), mute.trim());
            let hint = "write a label that both have, as `host`, or `name=host` where they differ";
            if when.is_empty() || mute.is_empty() || mute.contains('=') {
                self.refuse(label, format!("`{}` is no label", label.value), hint);
            } else if when == "level" || mute == "level" {
                self.refuse(label, "`level` is no label that two alerts can have in common", hint);
            } else {
                equal.push(Equal { when: when.into(), mute: mute.into() });
            }
        }
        let line = self.document.place(&raw.when).line();
        Inhibition { when: raw.when.value, mute: raw.mute.value, equal, line }
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

/// A zone by its IANA name; UTC where that is not known, which is noted.
pub(super) fn time_zone(name: &Spanned<String>, document: &Document, problems: &mut Vec<Diagnostic>) -> TimeZone {
    TimeZone::get(&name.value).unwrap_or_else(|_| {
        let known = jiff::tz::db().available().map(|name| name.to_string()).collect::<Vec<_>>();
        let hint = did_you_mean(&name.value, known.iter().map(String::as_str));
        let hint = hint.unwrap_or_else(|| "write its IANA name, as `Asia/Shanghai`".to_string());
        let message = format!("the time zone `{}` is not known", name.value);
        problems.push(document.place(name).error(message).with_hint(hint));
        TimeZone::UTC
    })
}

#[cfg(test)]
mod tests;
