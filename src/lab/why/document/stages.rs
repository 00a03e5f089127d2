//! Who is told: routes and channels.

use crate::alert::{Decision, Reach};
use crate::engine::explain::{AtLevel, ChannelView, RouteView, Said, Stages};
use crate::model::Now;
use crate::server::api::{
    WhyAtLevelDto, WhyChannelDto, WhyDeliveryDto, WhyMismatchDto, WhyRouteDto, WhyStagesDto, WhyToldDto,
};

fn names<T: ToString>(names: &[T]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Who is told, stage by stage.
pub(super) fn stages(now: Now, stages: &Stages) -> WhyStagesDto {
    WhyStagesDto {
        what_if: stages.what_if,
        level: stages.level.ok(),
        level_unknown: stages.level.err().map(str::to_string),
        labels: stages.labels.clone(),
        alerting: stages.alerting,
        notify: stages.notify.as_deref().map(names),
        routes: stages.routes.iter().map(route).collect(),
        channels: channels(now, &stages.channels),
        levels: stages.levels.iter().map(|at| at_level(now, at)).collect(),
    }
}

fn channels(now: Now, views: &[ChannelView]) -> Vec<WhyChannelDto> {
    views.iter().map(|view| channel(now, view)).collect()
}

fn at_level(now: Now, at: &AtLevel) -> WhyAtLevelDto {
    WhyAtLevelDto {
        level: at.level,
        routes: at.routes.iter().map(route).collect(),
        channels: channels(now, &at.channels),
    }
}

fn route(view: &RouteView) -> WhyRouteDto {
    let (says, mismatch, opens) = match &view.said {
        Said::NotAsked => ("not_asked", None, None),
        Said::Mismatch { key, wants, saw } => {
            let mismatch = WhyMismatchDto { key: key.clone(), wants: wants.clone(), saw: saw.clone() };
            ("mismatch", Some(mismatch), None)
        }
        Said::Takes => ("takes", None, None),
        Said::Closed { opens } => ("closed", None, Some(*opens)),
    };
    WhyRouteDto {
        number: view.number,
        line: super::known(view.line),
        to: names(&view.to),
        missing: names(&view.missing),
        continues: view.continues,
        says: says.to_string(),
        mismatch,
        opens,
    }
}

fn channel(now: Now, view: &ChannelView) -> WhyChannelDto {
    let wall = |time| now.wall_of(time);
    let (decision, event, hold, reminder) = match view.decision {
        Decision::Tell(event) => ("tell", Some(event), None, None),
        Decision::Hold(hold) => ("hold", None, Some(hold), None),
        Decision::Nothing { reminder } => ("nothing", None, None, reminder),
    };
    WhyChannelDto {
        name: view.name.to_string(),
        routed: view.reach != Reach::Unrouted,
        decision: decision.to_string(),
        event,
        held_by: hold.map(|hold| hold.reason().to_string()),
        held_until: hold.and_then(|hold| hold.until()).map(wall),
        reminder: reminder.map(wall),
        group: view.group.clone(),
        told: view.told.map(|told| WhyToldDto {
            level: told.level,
            time: wall(told.at),
            heard: told.heard,
            stale: told.stale,
            flapping: told.flapping,
        }),
        delivery: view.told.map(|told| WhyDeliveryDto {
            state: match (view.in_flight.is_some(), told.heard) {
                (true, _) => "waiting",
                (false, true) => "delivered",
                (false, false) => "dead",
            }
            .to_string(),
            ..WhyDeliveryDto::default()
        }),
        in_flight: view.in_flight.as_ref().map(ToString::to_string),
        cooldown_until: view.cooldown_until.map(wall),
        missed: view.missed,
        owes_end: view.owes_end,
        outbox: None,
    }
}
