//! Random rules, as texts in the language that operators write.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::random::Random;
use crate::model::{RuleName, Time};
use crate::rules::{Loader, Rule, loader};

/// The names of the rules; each has several variants, between which edits choose.
pub(super) const NAMES: [&str; 3] = ["one", "two", "three"];
const N_VARIANTS: usize = 10;

/// Rules to choose from, by name.
pub(super) type Pool = BTreeMap<&'static str, Vec<Arc<Rule>>>;

/// Which rules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// All of them, but none that speaks of flapping.
    Mixed,
    /// About single subjects and their fields: what a restart must not change at all.
    Plain,
    /// Alerts that flap.
    Flapping,
}

/// Compiles random rules.
pub(super) fn pool(random: &mut Random, flavour: Flavour) -> Pool {
    let settings = loader::Settings { channels: Some(super::CHANNELS.map(Into::into).into()), ..Default::default() };
    let mut loader = Loader::new("rules", settings, BTreeMap::new());
    let mut pool = Pool::new();
    for _ in 0..N_VARIANTS {
        let texts: BTreeMap<Arc<str>, Arc<str>> =
            NAMES.iter().map(|name| (format!("{name}.rhai").into(), rule(name, random, flavour).into())).collect();
        let listing = texts.iter().map(|(path, text)| (path.clone(), Ok(text.clone()))).collect();
        let report = loader.update(Time::EPOCH, Ok(listing));
        assert!(!report.has_errors(), "{:#?}\n{texts:#?}", report.diagnostics);
        for name in NAMES {
            pool.entry(name).or_default().push(report.rules.rules[&RuleName::from(name)].clone());
        }
    }
    pool
}

/// One rule.
fn rule(name: &str, random: &mut Random, flavour: Flavour) -> String {
    let is_plain = flavour == Flavour::Plain;
    let mut keys = if is_plain || random.percent(70) { on(random, is_plain) } else { over(random) };
    let mut maybe = |random: &mut Random, percent: u64, key: &str, values: &[&str]| {
        if random.percent(percent) {
            keys.push(format!("{key}: {}", random.pick(values)));
        }
    };
    maybe(random, 60, "hold", &["\"20s\"", "\"1m\"", "\"45s\""]);
    maybe(random, 40, "keep", &["\"15s\"", "\"1m\""]);
    let times = [("0s", "2m"), ("1m", "2m"), ("3m", "6m"), ("5m", "6m"), ("1m", "never"), ("5m", "never")];
    let (cooldown, repeat) = random.pick(&times);
    maybe(random, 100, "cooldown", &[&format!("\"{cooldown}\"")]);
    maybe(random, 100, "repeat", &[&format!("\"{repeat}\"")]);
    maybe(random, 50, "no_data", &["\"keep\"", "\"fire\"", "\"close\""]);
    // Not the default of 10 s: that would be most of what the simulator does.
    maybe(random, 100, "every", &["\"40s\"", "\"1m\"", "\"2m\""]);
    let flap: &[&str] = match flavour {
        Flavour::Flapping => &["#{ changes: 1, within: \"3m\" }", "#{ changes: 2, within: \"10m\" }"],
        Flavour::Mixed | Flavour::Plain => &["()"],
    };
    maybe(random, 100, "flap", flap);
    maybe(random, 25, "notify", &["[\"a\"]", "[\"a\", \"b\"]", "[\"c\"]"]);
    maybe(random, 20, "where", &["|s| s.labels.zone == \"e\"", "|s| s.x < 9"]);
    format!("rule(\"{name}\", #{{\n    {},\n}});\n", keys.join(",\n    "))
}

fn on(random: &mut Random, is_plain: bool) -> Vec<String> {
    let mut keys = vec!["on: \"k\"".to_string()];
    let limit = 3 + random.below(4);
    if random.percent(30) {
        keys.push(format!("when: #{{ warning: |s| s.x > {limit}, critical: |s| s.x > {} }}", limit + 2));
        if random.percent(40) {
            keys.push(format!("clear: #{{ warning: |s| s.x < {} }}", limit - 2));
        }
        return keys;
    }
    let whens = [
        format!("|s| s.x > {limit}"),
        format!("|s| s.x > {limit} && s.y"),
        format!("|s| s.x / s.z > {limit}"),
        format!("|s| s.t > {limit}"),
        format!("|s| s.avg(\"x\", \"2m\") > {limit}"),
        format!("|s| s.increase(\"x\", \"3m\") > {limit} || s.changes(\"y\", \"90s\") > 1"),
        format!("|s| s.ago(\"x\", \"1m\") > {limit}"),
        format!("|s| s.max(\"x\", today()) > {limit}"),
        // Questions about silence and about others have no answer after a restart.
        "|s| s.age > 45".to_string(),
        format!("|s| s.peers(\"zone\").count(|p| p.x > {limit}) >= 2"),
    ];
    let n_whens = if is_plain { 8 } else { whens.len() };
    keys.push(format!("when: {}", whens[random.below(n_whens as u64) as usize]));
    if random.percent(40) {
        keys.push(format!("clear: |s| s.x < {}", limit - 1));
    }
    if random.percent(60) {
        let levels = [
            "\"info\"",
            "\"error\"",
            "|s| if s.x > 7 { \"critical\" } else if s.x > 5 { \"error\" } else { \"info\" }",
        ];
        keys.push(format!("level: {}", random.pick(&levels)));
    }
    keys
}

fn over(random: &mut Random) -> Vec<String> {
    let limit = 3 + random.below(4);
    let whens = [
        format!("|g| g.sum(\"x\") > {}", 2 * limit),
        format!("|g| g.any(|s| s.x > {limit})"),
        format!("|g| g.avg(\"x\") > {limit}"),
        "|g| g.len() < 2".to_string(),
    ];
    let mut keys = vec!["over: \"k\"".to_string()];
    if random.percent(50) {
        keys.push("by: [\"zone\"]".to_string());
    }
    keys.push(format!("when: {}", whens[random.below(whens.len() as u64) as usize]));
    if random.percent(40) {
        let levels = ["\"critical\"", "|g| if g.len() > 2 { \"error\" } else { \"warning\" }"];
        keys.push(format!("level: {}", random.pick(&levels)));
    }
    keys
}
