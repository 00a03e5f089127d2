//! The smaller sections of larum.yaml, with their defaults.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::yaml::Traced;
use super::{Period, Size};
use crate::model::Value;
use crate::model::wire::WireLimits;
use crate::rules::{Param, Repeat};

/// `log`: what the daemon tells of itself on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least important lines that are written.
    pub level: LogLevel,
    /// How lines look.
    pub format: LogFormat,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Somebody must act.
    Error,
    /// Something went wrong, and the daemon coped.
    Warn,
    /// What an operator did took effect.
    #[default]
    Info,
    /// Each evaluation.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name as files and `tracing` write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `alerts`: the main switch, and how long they are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Where false, everything is collected and judged, and nobody is told.
    pub enabled: bool,
    /// For how long alerts that ended are remembered, with what was told of them.
    pub retention: Period,
}

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts { enabled: true, retention: Period(Duration::from_secs(90 * 24 * 3600)) }
    }
}

/// An entry of `params` as written.
pub(super) struct RawParam(pub(super) Param);

impl<'de> Deserialize<'de> for RawParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawParam, D::Error> {
        let Traced { value, secret } = Traced::<Value>::deserialize(deserializer)?;
        match value {
            _ if secret => Ok(RawParam(Param::Secret)),
            Value::Number(number) if !number.is_finite() => Err(de::Error::custom("a number must be finite")),
            value => Ok(RawParam(Param::Value(value))),
        }
    }
}

/// `defaults`: for collectors and rules that do not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// How often collectors look at what they watch, and how often rules judge time itself (`stale`, `hour()`, ..)
    /// beside every snapshot; an `every` of a collector's or rule's own goes before it. Where it is not set, `host`
    /// looks every 10 s, `http` every 15 s, and rules judge time as often as [`crate::rules::Defaults`] says. Pushes
    /// come when they come.
    pub every: Option<Duration>,
    /// The least time between two firing notifications of one alert to one channel.
    pub cooldown: Duration,
    /// When to remind.
    pub repeat: Repeat,
}

impl Default for Defaults {
    fn default() -> Defaults {
        Defaults {
            every: None,
            cooldown: Duration::from_secs(300),
            repeat: Repeat::Every(Duration::from_secs(4 * 3600)),
        }
    }
}

/// `defaults` as written.
#[derive(serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDefaults {
    pub(super) every: Option<super::Spanned<Period>>,
    cooldown: Period,
    repeat: RawRepeat,
}

impl Default for RawDefaults {
    fn default() -> RawDefaults {
        let Defaults { cooldown, repeat, .. } = Defaults::default();
        RawDefaults { every: None, cooldown: Period(cooldown), repeat: RawRepeat(repeat) }
    }
}

impl RawDefaults {
    pub(super) fn build(&self) -> Defaults {
        Defaults {
            every: self.every.as_ref().map(|every| every.value.0),
            cooldown: self.cooldown.0,
            repeat: self.repeat.0,
        }
    }
}

struct RawRepeat(Repeat);

impl<'de> Deserialize<'de> for RawRepeat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawRepeat, D::Error> {
        struct RepeatVisitor;
        impl Visitor<'_> for RepeatVisitor {
            type Value = RawRepeat;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `4h`, or `never`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawRepeat, E> {
                if text == "never" {
                    return Ok(RawRepeat(Repeat::Never));
                }
                crate::model::duration::parse(text).map(|every| RawRepeat(Repeat::Every(every))).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<RawRepeat, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_str(RepeatVisitor)
    }
}

/// `history`: how far back rules can look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Samples are kept in memory for this long.
    pub memory: Duration,
    /// Bytes of all samples together.
    pub memory_limit: usize,
    /// What came is kept on the disk for this long: at least as long as in memory, which is filled from there at a start.
    pub disk: Duration,
    /// Bytes of it.
    pub disk_limit: usize,
}

/// What is kept on the disk where nothing else is said.
const DISK: Duration = Duration::from_secs(7 * 24 * 3600);
const DISK_LIMIT: usize = 4 << 30;

impl Default for History {
    fn default() -> History {
        let limits = crate::history::Limits::default();
        History { memory: limits.memory, memory_limit: limits.memory_limit, disk: DISK, disk_limit: DISK_LIMIT }
    }
}

/// `history` as written.
#[derive(serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawHistory {
    pub(super) memory: super::Spanned<Period>,
    memory_limit: Size,
    pub(super) disk: Option<super::Spanned<Period>>,
    disk_limit: Size,
}

impl Default for RawHistory {
    fn default() -> RawHistory {
        let History { memory, memory_limit, disk: _, disk_limit } = History::default();
        RawHistory {
            memory: super::Spanned::nowhere(Period(memory)),
            memory_limit: Size(memory_limit),
            disk: None,
            disk_limit: Size(disk_limit),
        }
    }
}

impl RawHistory {
    pub(super) fn build(&self) -> History {
        let memory = self.memory.value.0;
        let disk = self.disk.as_ref().map_or(DISK.max(memory), |disk| disk.value.0);
        History { memory, memory_limit: self.memory_limit.0, disk, disk_limit: self.disk_limit.0 }
    }
}

/// `limits`: bounds of what is taken. What is past them is refused and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Subjects of all kinds together.
    pub max_subjects: usize,
    /// Fields of one subject.
    pub max_fields: usize,
    /// Labels of one subject.
    pub max_labels: usize,
    /// Bytes of a kind, a name, a label's name or a field's name.
    pub max_name_bytes: usize,
    /// Bytes of a label's value, or of a field's text.
    pub max_text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        let (limits, wire) = (crate::history::Limits::default(), WireLimits::default());
        Limits {
            max_subjects: limits.max_subjects,
            max_fields: limits.max_fields,
            max_labels: wire.max_labels,
            max_name_bytes: wire.max_name_bytes,
            max_text_bytes: wire.max_text_bytes,
        }
    }
}

/// `retry`: deliveries that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// A notification is tried for this long before it is given up.
    pub give_up_after: Duration,
    /// The longest wait after the first failed attempt; it doubles with each further one.
    pub base: Duration,
    /// The longest wait of all, unless the receiver asks for more.
    pub cap: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            give_up_after: Duration::from_secs(24 * 3600),
            base: Duration::from_secs(2),
            cap: Duration::from_secs(300),
        }
    }
}

/// `retry` as written.
#[derive(serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawRetry {
    #[serde(rename = "for")]
    give_up_after: Period,
    base: Period,
    cap: Period,
}

impl Default for RawRetry {
    fn default() -> RawRetry {
        let Retry { give_up_after, base, cap } = Retry::default();
        RawRetry { give_up_after: Period(give_up_after), base: Period(base), cap: Period(cap) }
    }
}

impl RawRetry {
    pub(super) fn build(&self) -> Retry {
        Retry { give_up_after: self.give_up_after.0, base: self.base.0, cap: self.cap.0.max(self.base.0) }
    }
}
