//! Everything that a reader can be asked, asked.

use std::collections::BTreeSet;

use super::*;
use crate::model::Level;

/// What a store says of everything that it has.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct Answers {
    seed: u64,
    last_step: Option<LastStep>,
    saved: Vec<SavedState>,
    firings: Vec<(FiringFilter, Vec<Firing>)>,
    of_firings: Vec<OfFiring>,
    recent_events: Vec<Event>,
    deliveries: Vec<(DeliveryFilter, Vec<Delivery>)>,
    of_notifications: Vec<(NotificationId, Option<Delivery>)>,
    waiting: Vec<Delivery>,
    attempt_times: Vec<(ChannelName, Vec<Time>)>,
    transitions: Vec<(RuleName, SubjectKey, Vec<Transition>)>,
    texts: Vec<Text>,
    pieces: Vec<(bool, crate::history::Extent, Option<Vec<u8>>)>,
}

#[derive(Debug, PartialEq)]
struct OfFiring {
    firing: FiringId,
    itself: Option<Firing>,
    events: Vec<Event>,
    deliveries: Vec<Delivery>,
    suppressed: Vec<Suppressed>,
    told: BTreeSet<ChannelName>,
}

/// Asks for everything that there is, and a little that there is not.
pub(in crate::store) fn answers(reader: &dyn Reader) -> Answers {
    let every = FiringFilter { limit: usize::MAX, ..FiringFilter::default() };
    let firings = reader.firings(&every).unwrap();
    let filters = [
        every.clone(),
        FiringFilter { firing: Some(true), ..every.clone() },
        FiringFilter { firing: Some(false), limit: 3, ..every.clone() },
        FiringFilter { rule: Some("odd".into()), since: Some(at(30)), ..every.clone() },
        FiringFilter { kind: Some("service".into()), name: Some("shop-2".into()), ..every.clone() },
        FiringFilter { level: Some(Level::Critical), firing: Some(true), ..every.clone() },
        FiringFilter { limit: 2, offset: 1, ..every },
    ];
    let every = DeliveryFilter { limit: usize::MAX, ..DeliveryFilter::default() };
    let deliveries = reader.deliveries(&every).unwrap();
    let mut delivery_filters = vec![DeliveryFilter { limit: 2, offset: 1, ..every.clone() }];
    for state in DeliveryStateName::ALL {
        delivery_filters.push(DeliveryFilter { state: Some(state), ..every.clone() });
        delivery_filters.push(DeliveryFilter { state: Some(state), channel: Some("ops".into()), ..every.clone() });
    }
    delivery_filters.push(DeliveryFilter { channel: Some("phone".into()), ..every.clone() });
    delivery_filters.push(every);

    let alerts: BTreeSet<(RuleName, SubjectKey)> =
        firings.iter().map(|firing| (firing.rule.clone(), firing.subject.clone())).collect();
    let notes = deliveries.iter().flat_map(|delivery| &delivery.notification.alerts);
    let firing_ids: BTreeSet<FiringId> =
        firings.iter().map(|firing| firing.id.clone()).chain(notes.map(|note| note.id.clone())).collect();
    let notification_ids = deliveries.iter().map(|delivery| delivery.notification.id.clone());

    Answers {
        seed: reader.seed(),
        last_step: reader.last_step().unwrap(),
        saved: reader.saved().unwrap(),
        firings: filters.map(|filter| (filter.clone(), reader.firings(&filter).unwrap())).into(),
        of_firings: firing_ids.into_iter().chain(["f-unknown".into()]).map(|id| of_firing(reader, id)).collect(),
        recent_events: reader.recent_events(usize::MAX).unwrap(),
        deliveries: delivery_filters.iter().map(|f| (f.clone(), reader.deliveries(f).unwrap())).collect(),
        of_notifications: notification_ids
            .chain(["n-unknown".into()])
            .map(|id| (id.clone(), reader.delivery(&id).unwrap()))
            .collect(),
        waiting: reader.waiting().unwrap(),
        attempt_times: ["ops", "phone", "nobody"]
            .map(|channel| (channel.into(), reader.attempt_times(&channel.into(), at(503)).unwrap()))
            .into(),
        transitions: alerts
            .into_iter()
            .map(|(rule, subject)| {
                let changes = reader.transitions_of(&rule, &subject, 3).unwrap();
                (rule, subject, changes)
            })
            .collect(),
        texts: reader.texts().unwrap(),
        pieces: pieces(reader),
    }
}

/// What is kept of what came, but for its numbers in the store.
fn pieces(reader: &dyn Reader) -> Vec<(bool, crate::history::Extent, Option<Vec<u8>>)> {
    let pieces = reader.pieces(&PieceFilter::default()).unwrap();
    pieces.into_iter().map(|piece| (piece.sealed, piece.extent, reader.piece(piece.id).unwrap())).collect()
}

fn of_firing(reader: &dyn Reader, firing: FiringId) -> OfFiring {
    OfFiring {
        itself: reader.firing(&firing).unwrap(),
        events: reader.events_of(&firing).unwrap(),
        deliveries: reader.deliveries_of(&firing).unwrap(),
        suppressed: reader.suppressed_of(&firing).unwrap(),
        told: reader.told(&firing).unwrap(),
        firing,
    }
}
