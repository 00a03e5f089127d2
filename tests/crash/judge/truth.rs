//! What must have happened, from the pushes alone.

use std::collections::BTreeMap;

/// An alert: rule and service.
pub(crate) type Key = (String, String);

/// One value of one service.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) name: String,
    /// Counts the pushes of this service, from 1.
    pub(crate) n: u64,
    pub(crate) v: f64,
    /// It was answered with success.
    pub(crate) taken: bool,
}

/// One stretch in which an alert fires.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Firing {
    /// The push that raised it.
    pub(crate) from: u64,
    /// The push that ended it, where one did.
    pub(crate) until: Option<u64>,
    /// Its levels, in order.
    pub(crate) levels: Vec<&'static str>,
}

/// The firings of all alerts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth(BTreeMap<Key, Vec<Firing>>);

/// The rules of the crash tests. `n` in the message tells which push was the newest when the message was made.
pub(crate) const RULES: &str = r#"
rule("hot", #{
    on: "service", when: |s| s.v > 1, message: |s| `n=${s.n}`,
    cooldown: "0s", repeat: "never", flap: (),
});
rule("loud", #{
    on: "service", when: #{ warning: |s| s.v > 2, critical: |s| s.v > 3 }, message: |s| `n=${s.n}`,
    cooldown: "0s", repeat: "never", flap: (),
});
"#;

/// The values that are pushed: nothing fires, `hot`, and `loud` at each level too.
pub(crate) const VALUES: [f64; 4] = [0.5, 1.5, 2.5, 3.5];

/// What the rules say of a value.
fn levels(v: f64) -> [(&'static str, Option<&'static str>); 2] {
    let loud = (v > 2.0).then_some(if v > 3.0 { "critical" } else { "warning" });
    [("hot", (v > 1.0).then_some("warning")), ("loud", loud)]
}

impl Truth {
    pub(crate) fn of(pushes: &[Push]) -> Truth {
        let mut firings: BTreeMap<Key, Vec<Firing>> = BTreeMap::new();
        for push in pushes {
            for (rule, level) in levels(push.v) {
                let firings = firings.entry((rule.to_string(), push.name.clone())).or_default();
                let current = firings.last_mut().filter(|firing| firing.until.is_none());
                match (current, level) {
                    (None, None) => {}
                    (None, Some(level)) => firings.push(Firing { from: push.n, until: None, levels: vec![level] }),
                    (Some(firing), None) => firing.until = Some(push.n),
                    (Some(firing), Some(level)) => {
                        if firing.levels.last() != Some(&level) {
                            firing.levels.push(level);
                        }
                    }
                }
            }
        }
        Truth(firings)
    }

    pub(crate) fn alerts(&self) -> impl Iterator<Item = (&Key, &[Firing])> {
        self.0.iter().map(|(key, firings)| (key, firings.as_slice()))
    }

    pub(crate) fn of_alert(&self, key: &Key) -> &[Firing] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn firings(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Raises, changes of level and ends.
    pub(crate) fn transitions(&self) -> u64 {
        self.0.values().map(|firings| transitions(firings)).sum()
    }
}

/// The transitions of one alert.
pub(crate) fn transitions(firings: &[Firing]) -> u64 {
    firings.iter().map(|firing| firing.levels.len() as u64 + u64::from(firing.until.is_some())).sum()
}

impl Firing {
    /// Whether it fired after the push `n` and before the next.
    pub(crate) fn is_on_at(&self, n: u64) -> bool {
        self.from <= n && self.until.is_none_or(|until| n < until)
    }

    pub(crate) fn last_level(&self) -> &'static str {
        self.levels.last().copied().unwrap_or_default()
    }
}
