//! What a receiver got.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use serde_json::Value;

use super::Wrong;

/// One request that a receiver read.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// When, in milliseconds from an arbitrary start.
    pub(crate) at: u64,
    /// The header `webhook-id`.
    pub(crate) id: String,
    /// It was answered with success.
    pub(crate) accepted: bool,
    pub(crate) said: Arc<Said>,
}

/// What the body of a request says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The id of the notification.
    id: String,
    /// Two bodies with the same digest are the same.
    digest: u64,
    pub(crate) alerts: Vec<Told>,
    /// How many events it stands for.
    pub(crate) events: u64,
}

/// What a notification says of one alert.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// The id of the firing.
    pub(crate) firing: String,
    pub(crate) event: String,
    pub(crate) rule: String,
    pub(crate) name: String,
    pub(crate) level: String,
    /// From the message: the newest push when it was made.
    pub(crate) n: Option<u64>,
    /// In microseconds.
    pub(crate) since: i64,
    /// How many earlier events it stands for.
    pub(crate) folded: u64,
}

/// What the daemon says of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) owed: u64,
    pub(crate) delivered: u64,
    pub(crate) absorbed: u64,
    pub(crate) waiting: u64,
    pub(crate) dead: u64,
    pub(crate) suppressed: u64,
}

/// One notification, as it was first accepted.
#[derive(Clone, Debug)]
pub(crate) struct Notification {
    pub(crate) id: String,
    pub(crate) at: u64,
    /// When it last came.
    pub(crate) last_at: u64,
    pub(crate) said: Arc<Said>,
}

/// The notifications of one channel, in the order in which they were accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) notifications: Vec<Notification>,
    /// Requests for a notification that was accepted before.
    pub(crate) repeats: usize,
}

impl Log {
    pub(super) fn of(arrivals: &[Arrival], finds: &mut impl FnMut(Wrong, String)) -> Log {
        let mut log = Log::default();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut digests: BTreeMap<&str, u64> = BTreeMap::new();
        for arrival in arrivals {
            let Arrival { id, said, at, .. } = arrival;
            if said.id != *id {
                finds(Wrong::Invented, format!("the header says {id} and the body {}", said.id));
            }
            if *digests.entry(id).or_insert(said.digest) != said.digest {
                finds(Wrong::Invented, format!("the notification {id} came with different bodies"));
            }
            match places.get(id.as_str()) {
                Some(place) => {
                    log.repeats += 1;
                    log.notifications[*place].last_at = *at;
                }
                None if arrival.accepted => {
                    places.insert(id, log.notifications.len());
                    let (id, said) = (id.clone(), said.clone());
                    log.notifications.push(Notification { id, at: *at, last_at: *at, said });
                }
                None => {}
            }
        }
        for id in digests.keys().filter(|id| !places.contains_key(*id)) {
            finds(Wrong::Lost, format!("the notification {id} was not tried again after it was refused"));
        }
        log
    }
}

impl Arrival {
    pub(crate) fn new(at: u64, id: &str, accepted: bool, body: &Value) -> Arrival {
        Arrival { at, id: id.to_string(), accepted, said: Arc::new(Said::of(body)) }
    }
}

impl Said {
    fn of(body: &Value) -> Said {
        let alerts: Vec<Told> = body["alerts"].as_array().into_iter().flatten().map(Told::of).collect();
        let told = alerts.iter().map(|told| 1 + told.folded).sum();
        // A summary says how many events it stands for.
        let events = body["summary"]["events"].as_u64().unwrap_or(told);
        let mut hasher = DefaultHasher::new();
        body.to_string().hash(&mut hasher);
        Said { id: body["id"].as_str().unwrap_or_default().to_string(), digest: hasher.finish(), alerts, events }
    }
}

impl Told {
    fn of(alert: &Value) -> Told {
        let text = |key: &str| alert[key].as_str().unwrap_or_default().to_string();
        let since = alert["since"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let listed = alert["folded"].as_array().map_or(0, Vec::len) as u64;
        Told {
            firing: text("id"),
            event: text("event"),
            rule: text("rule"),
            name: text("name"),
            level: text("level"),
            n: text("message").strip_prefix("n=").and_then(|n| n.parse().ok()),
            since: since.map_or(0, jiff::Timestamp::as_microsecond),
            folded: listed + alert["folded_omitted"].as_u64().unwrap_or_default(),
        }
    }
}

impl Figures {
    /// Reads an entry of `GET /api/v1/channels`.
    pub(crate) fn of(channel: &Value) -> Figures {
        let figure = |key: &str| channel[key].as_u64().unwrap_or_else(|| panic!("`{key}` is a number in {channel}"));
        Figures {
            owed: figure("owed"),
            delivered: figure("delivered"),
            absorbed: figure("absorbed"),
            waiting: figure("waiting"),
            dead: figure("dead"),
            suppressed: figure("suppressed"),
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.accepted { "accepted" } else { "refused" };
        write!(f, "{:>7} ms {verdict} {}", self.at, self.id)?;
        for Told { firing, event, rule, name, level, n, since, folded } in &self.said.alerts {
            let n = n.unwrap_or_default();
            write!(f, "; {event} {rule} {name} {level} n={n} firing {firing} since {since} folding {folded}")?;
        }
        Ok(())
    }
}
