//! The books: what a channel was owed, and what became of it.

use std::collections::BTreeMap;

use super::Wrong;
use super::evidence::{Figures, Log};
use super::truth::{Key, Truth, transitions};

/// Checks the sums of a channel. Gives how many events it was told.
pub(super) fn check(truth: &Truth, log: &Log, figures: Option<&Figures>, finds: &mut impl FnMut(Wrong, String)) -> u64 {
    let mut by_alert: BTreeMap<Key, u64> = BTreeMap::new();
    for told in log.notifications.iter().flat_map(|notification| &notification.said.alerts) {
        *by_alert.entry((told.rule.clone(), told.name.clone())).or_default() += 1 + told.folded;
    }
    for (key, told) in &by_alert {
        let owed = transitions(truth.of_alert(key));
        if *told > owed {
            finds(Wrong::Books, format!("{} {}: {told} events were told of {owed}", key.0, key.1));
        }
    }
    let told: u64 = log.notifications.iter().map(|notification| notification.said.events).sum();
    let owed = truth.transitions();
    if told > owed {
        finds(Wrong::Books, format!("{told} events were told, and {owed} happened"));
    }
    if let Some(figures) = figures {
        let mut differs = |what, said: u64, is: u64| {
            if said != is {
                finds(Wrong::Figures, format!("{what}: the daemon says {said}, and it is {is} ({figures:?})"));
            }
        };
        let Figures { owed: said, delivered, absorbed, waiting, dead, suppressed } = *figures;
        differs("owed", said, owed);
        differs("delivered and absorbed", delivered + absorbed, told);
        differs("suppressed", suppressed, owed.saturating_sub(told + waiting + dead));
        differs("the sum", delivered + absorbed + waiting + dead + suppressed, said);
        differs("waiting in the end", waiting, 0);
        differs("dead", dead, 0);
    }
    told
}
