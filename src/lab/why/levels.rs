//! Who would be told at each level that an alert may have, where its level cannot be told: levels that lead to the same
//! are told together.

use crate::server::api::{WhyAtLevelDto, WhyStagesDto};

/// Some levels, from the highest, at which the same would happen.
pub(super) struct Alike {
    /// `critical or error`; empty where it is the same for all of them.
    pub(super) levels: String,
    /// What would happen at these.
    pub(super) stages: WhyStagesDto,
}

/// The stages as they are; of an unknown level those of each, with the levels that do not differ together.
pub(super) fn alike(stages: &WhyStagesDto) -> Vec<Alike> {
    if stages.levels.is_empty() {
        return vec![Alike { levels: String::new(), stages: stages.clone() }];
    }
    let groups: Vec<&[WhyAtLevelDto]> = stages.levels.chunk_by(|a, b| outcome(a) == outcome(b)).collect();
    let is_one = groups.len() == 1;
    let of_group = |group: &[WhyAtLevelDto]| {
        let names: Vec<&str> = group.iter().map(|at| at.level.as_str()).collect();
        let (names, first) = (names.join(" or "), &group[0]);
        let mut routes = first.routes.clone();
        for mismatch in routes.iter_mut().filter_map(|route| route.mismatch.as_mut()) {
            if mismatch.key == "level" {
                mismatch.saw.clone_from(&names);
            }
        }
        let stages = WhyStagesDto {
            level: Some(first.level),
            level_unknown: None,
            routes,
            channels: first.channels.clone(),
            levels: Vec::new(),
            ..stages.clone()
        };
        Alike { levels: if is_one { String::new() } else { names }, stages }
    };
    groups.into_iter().map(of_group).collect()
}

/// What makes a difference between two levels.
fn outcome(at: &WhyAtLevelDto) -> impl PartialEq + '_ {
    let routes = at.routes.iter().map(|route| {
        let mismatch = route.mismatch.as_ref().map(|mismatch| mismatch.key.as_str());
        (route.number, route.says.as_str(), mismatch)
    });
    let channels = at.channels.iter().map(|channel| {
        (
            channel.name.as_str(),
            channel.routed,
            channel.decision.as_str(),
            channel.held_by.as_deref(),
            channel.held_until,
        )
    });
    (routes.collect::<Vec<_>>(), channels.collect::<Vec<_>>())
}
