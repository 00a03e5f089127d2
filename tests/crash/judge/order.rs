//! What each channel was told of each alert, in its order, against the truth.

use std::collections::BTreeMap;

use super::Wrong;
use super::evidence::{Log, Notification, Told};
use super::truth::{Firing, Key, Truth};

/// A request that comes again so long after it was followed by another was sent again, not held up on its way.
const LATE: u64 = 1000;

/// Which firing each id stands for, over all channels.
#[derive(Debug, Default)]
pub(super) struct Firings {
    by_id: BTreeMap<String, (Key, usize)>,
    ids: BTreeMap<(Key, usize), String>,
}

/// One thing that a channel was told of an alert.
type Note<'a> = (&'a Notification, &'a Told);

/// Checks a channel. Gives how many firings it was never told of.
pub(super) fn check(truth: &Truth, log: &Log, known: &mut Firings, finds: &mut impl FnMut(Wrong, String)) -> usize {
    let mut notes: BTreeMap<Key, Vec<Note<'_>>> = BTreeMap::new();
    for notification in &log.notifications {
        for told in &notification.said.alerts {
            let key = (told.rule.clone(), told.name.clone());
            notes.entry(key).or_default().push((notification, told));
        }
    }
    for key in notes.keys().filter(|key| truth.of_alert(key).is_empty()) {
        finds(Wrong::Invented, format!("{} {} never fired", key.0, key.1));
    }
    let mut untold = 0;
    for (key, firings) in truth.alerts() {
        let notes = notes.get(key).map_or(&[][..], Vec::as_slice);
        let mut finds = |wrong, what: String| finds(wrong, format!("{} {}: {what}", key.0, key.1));
        late_repeats(notes, &mut finds);
        let mut view = View { key, firings, told: BTreeMap::new(), at: 0, since: i64::MIN };
        for (notification, told) in notes {
            view.hear(notification, told, known, &mut finds);
        }
        untold += view.conclude(&mut finds);
    }
    untold
}

/// A notification that comes again after the next one of the same alert says what is no longer so.
fn late_repeats(notes: &[Note<'_>], finds: &mut impl FnMut(Wrong, String)) {
    for pair in notes.windows(2) {
        let [(first, _), (second, _)] = pair else { continue };
        if first.id != second.id && first.last_at > second.at + LATE {
            finds(Wrong::Disordered, format!("{} came again after {} had been accepted", first.id, second.id));
        }
    }
}

/// What a channel knows of one firing.
#[derive(Default)]
struct Heard {
    level: String,
    raised_by: Option<String>,
    ended: bool,
}

/// What a channel knows of one alert.
struct View<'a> {
    key: &'a Key,
    firings: &'a [Firing],
    told: BTreeMap<usize, Heard>,
    /// The newest firing that it was told of.
    at: usize,
    since: i64,
}

impl View<'_> {
    fn hear(
        &mut self,
        notification: &Notification,
        told: &Told,
        known: &mut Firings,
        finds: &mut impl FnMut(Wrong, String),
    ) {
        let Told { event, level, n, firing: id, .. } = told;
        let said = format!("{event} {level} in {} (firing {id}, n={n:?})", notification.id);
        let Some(index) = n.and_then(|n| self.firings.iter().position(|firing| firing.is_on_at(n))) else {
            return finds(Wrong::Invented, format!("{said}: it did not fire then"));
        };
        let firing = &self.firings[index];
        if let Some(what) = known.note(id, self.key, index) {
            finds(Wrong::Invented, format!("{said}: {what}"));
        }
        if index < self.at || told.since < self.since {
            finds(Wrong::Disordered, format!("{said}: a later firing was told before"));
        }
        (self.at, self.since) = (self.at.max(index), self.since.max(told.since));
        if !firing.levels.contains(&level.as_str()) {
            finds(Wrong::Invented, format!("{said}: it never had this level"));
        }
        let heard = self.told.entry(index).or_default();
        if heard.ended {
            let wrong = if event == "recovered" { Wrong::Invented } else { Wrong::Disordered };
            return finds(wrong, format!("{said}: its end was told before"));
        }
        let was = std::mem::replace(&mut heard.level, level.clone());
        let raised = heard.raised_by.is_some();
        match event.as_str() {
            "raised" => {
                if let Some(before) = heard.raised_by.replace(notification.id.clone()) {
                    finds(Wrong::Invented, format!("{said}: it was raised before, by {before}"));
                }
            }
            "escalated" | "eased" if raised => {
                let up = severity(level) > severity(&was);
                if severity(level) == severity(&was) || up != (event == "escalated") {
                    finds(Wrong::Invented, format!("{said}: the level told before was {was}"));
                }
            }
            "recovered" if raised => {
                heard.ended = true;
                if firing.until.is_none() {
                    finds(Wrong::Invented, format!("{said}: it still fires"));
                }
            }
            "escalated" | "eased" | "recovered" => {
                heard.ended = event == "recovered";
                finds(Wrong::Disordered, format!("{said}: its raise was not told before"));
            }
            other => finds(Wrong::Invented, format!("{said}: nothing led to `{other}`")),
        }
    }

    /// What it knows in the end. Gives how many firings it was never told of.
    fn conclude(&self, finds: &mut impl FnMut(Wrong, String)) -> usize {
        let mut untold = 0;
        for (index, firing) in self.firings.iter().enumerate() {
            let which = format!("the firing from push {} to {:?}", firing.from, firing.until);
            match (self.told.get(&index), firing.until) {
                (None, None) => finds(Wrong::Lost, format!("{which} was never told, and it still fires")),
                (None, Some(_)) => untold += 1,
                (Some(heard), Some(_)) if !heard.ended => finds(Wrong::Lost, format!("{which}: its end was not told")),
                (Some(heard), None) if heard.level != firing.last_level() => {
                    let (told, level) = (&heard.level, firing.last_level());
                    finds(Wrong::Lost, format!("{which}: it is {level}, and told was {told}"));
                }
                (Some(_), _) => {}
            }
        }
        untold
    }
}

impl Firings {
    /// Notes what an id stands for. Says what is wrong with it.
    fn note(&mut self, id: &str, key: &Key, index: usize) -> Option<String> {
        let firing = (key.clone(), index);
        let stands_for = self.by_id.entry(id.to_string()).or_insert_with(|| firing.clone());
        if *stands_for != firing {
            return Some(format!("the id stands for another firing, of {stands_for:?}"));
        }
        let known = self.ids.entry(firing).or_insert_with(|| id.to_string());
        (known != id).then(|| format!("the same firing has the id {known} too"))
    }
}

fn severity(level: &str) -> usize {
    let levels = ["info", "warning", "error", "critical"];
    levels.iter().position(|known| *known == level).unwrap_or(levels.len())
}
