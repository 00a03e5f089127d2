//! Why a rule fires on something, or not: the evaluation seen from inside, the state with its timers, and stage by stage
//! who is told. Nothing is changed by asking.
//!
//! Nothing here decides: conditions are judged by the rule, routes answer for themselves, and what a channel should be
//! told is asked of what it was told. Of what does not fire that is asked as if it did now.

mod distance;
mod levels;
mod stages;
mod survey;

use std::sync::Arc;

use crate::alert::{Decision, Reach, ToldFiring, Track};
use crate::history::SubjectId;
use crate::model::{
    Acknowledged, ChannelName, FiringId, Labels, Level, NoData, NotificationId, Now, RuleName, SubjectKey, Time, Value,
};
use crate::routing::Silence;
use crate::rules::trace::{Explained, Inside};
use crate::rules::{Condition, Context, Fault, Rule, Scope, Target, Verdict};

use super::set::group_name;
use super::state::{flap_limit, track_level};
use super::{Alert, Counts, Engine, Muted, NextStep, Pause, TargetId};

pub use distance::{Distance, distance};
pub use survey::{Kind, Near, Survey};

/// Members of a set that are named.
const NAMED_MEMBERS: usize = 10;

/// Why a question about a rule has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unexplained {
    /// The engine started again and was not given its rules yet.
    AwaitsRules,
    /// The rule was changed since it was made ready: ask again.
    RuleChanged,
    /// There is no such rule.
    NoRule {
        /// The rules that there are.
        rules: Vec<RuleName>,
    },
    /// The rule judges no such subject.
    NoSubject {
        /// What it judges.
        scope: Scope,
        /// The names of the subjects of its kind, or of its groups.
        names: Vec<Arc<str>>,
        /// Other kinds that have a subject of that name.
        other_kinds: Vec<Arc<str>>,
        /// With `over`: the group that has it as a member.
        member_of: Option<Arc<str>>,
    },
}

/// What is known of a rule.
#[derive(Clone, Debug)]
pub struct Fares {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its verdicts since start.
    pub counts: Counts,
    /// The newest fault of any of its closures, and when.
    pub fault: Option<(Time, Fault)>,
    /// Until when it is left alone.
    pub quarantined_until: Option<Time>,
    /// An operator leaves it alone.
    pub paused: Option<Pause>,
}

/// What people have said of an alert, or are to be told.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// Who acknowledged it.
    pub acknowledged: Option<Acknowledged>,
    /// The silences that cover it.
    pub silences: Vec<Silence>,
    /// Why it is muted.
    pub muted: Option<Muted>,
    /// Who is told next if nobody acknowledges it.
    pub next_step: Option<NextStep>,
}

/// One rule and one subject or group, explained.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// When this was so.
    pub now: Now,
    /// The rule.
    pub fares: Fares,
    /// The subject; of a group the kind, and the group's labels as a name.
    pub subject: SubjectKey,
    /// What is known of what is judged.
    pub seen: Seen,
    /// The evaluation as of now, or why there is none.
    pub evaluated: Result<Explained, NotEvaluated>,
    /// Of a rule that does not concern the subject: the fields that it has.
    pub fields: Vec<Arc<str>>,
    /// The alert; `None` where it was never judged.
    pub alert: Option<Alert>,
    /// Its conditions over time, one per level of the rule.
    pub tracks: Vec<TrackView>,
    /// Of a flapping alert: until when it must be quiet to be told as it is.
    pub flapping_until: Option<Time>,
    /// When it is judged next, or looked at.
    pub next: Vec<Next>,
    /// Who is told.
    pub stages: Stages,
    /// What people have said of it; nothing, where it does not fire.
    pub attention: Attention,
}

/// What is judged.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A subject.
    Subject {
        /// Its labels.
        labels: Labels,
        /// The time of its newest snapshot.
        time: Time,
        /// When that arrived.
        arrived: Time,
        /// When it turns, or turned, stale.
        stale_at: Time,
        /// No snapshot came for too long.
        stale: bool,
        /// Its source says that it no longer exists.
        gone: bool,
        /// It was not heard of since a restart.
        awaited: bool,
    },
    /// A set.
    Set {
        /// The fresh members that `where` takes.
        members: usize,
        /// The first of them.
        names: Vec<Arc<str>>,
        /// How many subjects of the kind are known, stale ones too.
        of_kind: usize,
    },
}

/// Why a rule is not evaluated now.
#[derive(Clone, Debug, PartialEq)]
pub enum NotEvaluated {
    /// The source says that the subject no longer exists.
    Gone,
    /// The rule ran away, and is left alone.
    Quarantined(Fault),
    /// Not every subject of the kind was heard of since a restart.
    SetAwaited(NoData),
    /// It cannot be told who belongs to the set: `where` fails on this member.
    Members(SubjectKey, Fault),
    /// The group has no fresh member that `where` takes.
    NoMembers,
}

/// One condition over time.
#[derive(Clone, Debug)]
pub struct TrackView {
    /// Its level; `None` for a rule without levels.
    pub level: Option<Level>,
    /// What the newest verdict said of it.
    pub condition: Option<Condition>,
    /// Its state.
    pub track: Track,
    /// What its timer has counted.
    pub counted: std::time::Duration,
    /// What it must count: `hold` or `keep`.
    pub length: std::time::Duration,
    /// When it will have counted that; `None` while it stands still.
    pub until: Option<Time>,
}

/// When something is judged or looked at next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// With the next snapshot of the subject, or of a member of the set.
    Snapshot,
    /// When it turns stale, if no snapshot comes before.
    Stale(Time),
    /// Time itself is judged then.
    Tick(Time),
    /// The rule leaves its quarantine then; not before.
    Released(Time),
    /// A timer, a cooldown, a reminder or a window ends then.
    Timer(Time),
}

/// Who is told of an alert, stage by stage.
#[derive(Clone, Debug)]
pub struct Stages {
    /// It does not fire: everything here is as if it did now.
    pub what_if: bool,
    /// At this level; or why that cannot be told: then `levels` has who would be told at each, and `routes` and `channels`
    /// are empty.
    pub level: Result<Level, &'static str>,
    /// With these labels: the subject's and the rule's.
    pub labels: Labels,
    /// Whether alerts are told at all.
    pub alerting: bool,
    /// The rule's own `notify`: then no route is asked.
    pub notify: Option<Vec<ChannelName>>,
    /// The routes, in their order.
    pub routes: Vec<RouteView>,
    /// The channels that are told, or were.
    pub channels: Vec<ChannelView>,
    /// Of an unknown level: those that it may have, from the highest.
    pub levels: Vec<AtLevel>,
}

/// Who would be told at one level.
#[derive(Clone, Debug)]
pub struct AtLevel {
    /// The level.
    pub level: Level,
    /// The routes, in their order.
    pub routes: Vec<RouteView>,
    /// The channels that would be told.
    pub channels: Vec<ChannelView>,
}

/// One route and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteView {
    /// Its place in the list, from 1.
    pub number: usize,
    /// Its line in larum.yaml; 0 where it is not written there.
    pub line: usize,
    /// Whom it tells.
    pub to: Vec<ChannelName>,
    /// Of these, the channels that do not exist.
    pub missing: Vec<ChannelName>,
    /// The routes after it are asked too.
    pub continues: bool,
    /// What it says.
    pub said: Said,
}

/// What a route says of an alert.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// It is not asked.
    NotAsked,
    /// It does not take it.
    Mismatch {
        /// The key that does not match.
        key: String,
        /// What it wants.
        wants: String,
        /// What the alert has.
        saw: String,
    },
    /// It takes it.
    Takes,
    /// It takes it, and its window is closed until then.
    Closed {
        /// When it opens, by the wall clock.
        opens: Time,
    },
}

/// One channel and what it knows.
#[derive(Clone, Debug)]
pub struct ChannelView {
    /// Its name.
    pub name: ChannelName,
    /// Whether, and when, it takes the alert.
    pub reach: Reach,
    /// What it should be told now, or what holds that back.
    pub decision: Decision,
    /// The labels of the group that tells it.
    pub group: Option<Labels>,
    /// What it was told of the present firing.
    pub told: Option<ToldFiring>,
    /// The notification on its way.
    pub in_flight: Option<NotificationId>,
    /// No firing notification follows before, but for a higher level.
    pub cooldown_until: Option<Time>,
    /// Events that it will hear of with the next notification.
    pub missed: u64,
    /// It is still owed the end of an earlier firing.
    pub owes_end: bool,
}

impl Explanation {
    /// The firing, where it fires.
    pub fn firing(&self) -> Option<&FiringId> {
        self.alert.as_ref()?.firing.as_ref().map(|firing| &firing.id)
    }

    /// What its condition reads now.
    pub fn reads(&self) -> &[(Arc<str>, Value)] {
        self.evaluated.as_ref().map_or(&[], |explained| &explained.judgement.reads)
    }
}

/// What a question about a rule finds.
#[derive(Clone, Debug)]
pub enum Answer {
    /// One subject or group was named, or there is only one.
    One(Box<Explanation>),
    /// None was named.
    All(Box<Survey>),
}

impl Engine {
    /// A rule by its name: to be made ready, and to be asked about then.
    ///
    /// # Errors
    /// Where there is no such rule.
    pub fn rule(&self, name: &str) -> Result<Arc<Rule>, Unexplained> {
        if self.awaits_rules {
            return Err(Unexplained::AwaitsRules);
        }
        let rules = &self.rules.rules;
        rules.get(name).cloned().ok_or_else(|| Unexplained::NoRule { rules: rules.keys().cloned().collect() })
    }

    /// Why a rule fires on what is named, or not; without a name how all that it judges fares. `kind` must be the rule's,
    /// where it is given.
    ///
    /// # Errors
    /// Where there is no such subject, or the rule is no longer in force.
    pub fn why(
        &self,
        now: Now,
        rule: &Inside,
        kind: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Answer, Unexplained> {
        let found = rule.rule();
        let (Scope::On { kind: judged } | Scope::Over { kind: judged, .. }) = &found.scope;
        if let (Some(kind), Some(_)) = (kind.filter(|kind| **judged != **kind), subject) {
            let other_kinds = vec![kind.into()];
            let (scope, names) = (found.scope.clone(), Vec::new());
            return Err(Unexplained::NoSubject { scope, names, other_kinds, member_of: None });
        }
        let is_one = matches!(&found.scope, Scope::Over { by, .. } if by.is_empty());
        match subject.is_none() && !is_one {
            true => self.survey(now, found).map(|survey| Answer::All(Box::new(survey))),
            false => self.explain(now, rule, subject).map(|explanation| Answer::One(Box::new(explanation))),
        }
    }

    /// Why a rule fires on a subject (or a group, by its name), or not. Evaluates the rule once, and looks at nothing else
    /// but this one alert. The name may have the rule's kind before it: `service shop-api`. The rule's only set needs no
    /// name.
    ///
    /// # Errors
    /// Where there is no such subject, or the rule is no longer in force.
    pub fn explain(&self, now: Now, inside: &Inside, subject: Option<&str>) -> Result<Explanation, Unexplained> {
        let now = self.present(now);
        let rule = inside.rule();
        self.in_force(rule)?;
        let target = self.find_target(now, rule, subject)?;
        let (key, context) = self.target_context(now, rule, &target);
        let state = self.states.get(&rule.name);
        let alert = state.and_then(|state| state.alerts.get(&target)).cloned();
        let evaluated = context.and_then(|context| match self.left_alone(rule) {
            Some(fault) => Err(NotEvaluated::Quarantined(fault)),
            None => {
                let on = alert.as_ref().map(Alert::on).unwrap_or_else(|| vec![false; rule.levels.len().max(1)]);
                Ok((inside.explain(&context, &on), context))
            }
        });
        let levels = levels::levels(inside);
        let level = self.level_of(rule, &levels, alert.as_ref(), evaluated.as_ref().ok());
        let members = match &evaluated {
            Ok((_, Context { target: Target::Set { members, .. }, .. })) => members.clone(),
            Ok(_) | Err(_) => [].into(),
        };
        let evaluated = evaluated.map(|(explained, _)| explained);
        let fields = match (&evaluated, &target) {
            (Ok(explained), TargetId::Subject(id))
                if matches!(explained.judgement.verdict, Verdict::NotConcerned { .. }) =>
            {
                self.world.fields(*id).map(|(name, _)| name.clone()).collect()
            }
            _ => Vec::new(),
        };
        let present = alert.clone().unwrap_or_else(|| Alert::new(key.clone(), &target, rule.levels.len().max(1)));
        Ok(Explanation {
            now,
            fares: self.fares(rule),
            seen: self.seen(now, rule, &target, &members),
            evaluated,
            fields,
            tracks: tracks(rule, &present, now),
            flapping_until: present.flap.quiet_at(flap_limit(rule)),
            next: self.next(now, rule, &target, alert.as_ref()),
            stages: self.stages(now, rule, present, level, levels),
            attention: alert.as_ref().map(|alert| self.attention(now, rule, alert)).unwrap_or_default(),
            subject: key,
            alert,
        })
    }

    /// Engine time never goes back.
    fn present(&self, now: Now) -> Now {
        Now { time: now.time.max(self.now.time), ..now }
    }

    /// Whether a rule that was made ready is still the one that is judged.
    fn in_force(&self, rule: &Arc<Rule>) -> Result<(), Unexplained> {
        match Arc::ptr_eq(&self.rule(rule.name.as_str())?, rule) {
            true => Ok(()),
            false => Err(Unexplained::RuleChanged),
        }
    }

    fn fares(&self, rule: &Arc<Rule>) -> Fares {
        let state = self.states.get(&rule.name);
        Fares {
            rule: rule.clone(),
            counts: state.map(|state| state.counts).unwrap_or_default(),
            fault: state.and_then(|state| state.fault.clone()),
            quarantined_until: state.and_then(|state| state.quarantine.until()),
            paused: self.pause_of_rule(&rule.name).cloned(),
        }
    }

    fn attention(&self, now: Now, rule: &Rule, alert: &Alert) -> Attention {
        let silences = self.silenced(now, rule, alert).by;
        Attention {
            acknowledged: alert.acknowledged.clone().filter(|_| alert.firing.is_some()),
            silences: silences.iter().filter_map(|id| self.silences().get(id)).cloned().collect(),
            muted: self.muted(now, rule, alert),
            next_step: self.next_step(now, rule, alert),
        }
    }

    /// The fault of a rule that ran away and is left alone: to evaluate it again would hold up the engine.
    fn left_alone(&self, rule: &Rule) -> Option<Fault> {
        let state = self.states.get(&rule.name)?;
        state.quarantine.until()?;
        state.fault.as_ref().map(|(_, fault)| fault.clone()).filter(|fault| fault.runaway)
    }

    /// What a name means to a rule.
    fn find_target(&self, now: Now, rule: &Rule, name: Option<&str>) -> Result<TargetId, Unexplained> {
        match &rule.scope {
            Scope::On { kind } => {
                let found = |name: &str| self.world.find(kind, name).map(TargetId::Subject);
                let name = name.unwrap_or_default();
                found(name).or_else(|| found(without_kind(name, kind)?)).ok_or_else(|| {
                    let names = self.world.of_kind(kind).filter_map(|id| self.key_of(id)).map(|key| key.name).collect();
                    self.no_subject(rule, name, names, None)
                })
            }
            Scope::Over { by, .. } if by.is_empty() && name.is_none() => Ok(TargetId::Group(Labels::new())),
            Scope::Over { kind, by } => {
                let found = |name: &str| match by.is_empty() && name == "all" {
                    true => Some(TargetId::Group(Labels::new())),
                    false => self.target_of(&rule.name, &SubjectKey::new(kind.clone(), name)),
                };
                let name = name.unwrap_or_default();
                found(name).or_else(|| found(without_kind(name, kind)?)).ok_or_else(|| {
                    let alerts = self.states.get(&rule.name).into_iter().flat_map(|state| state.alerts.values());
                    let names = alerts.map(|alert| alert.subject.name.clone()).collect();
                    let member = self.world.find(kind, name).filter(|id| !self.world.is_stale(*id, now));
                    let member_of = member.map(|id| group_name(&self.group_of(id, by)));
                    self.no_subject(rule, name, names, member_of)
                })
            }
        }
    }

    fn no_subject(&self, rule: &Rule, name: &str, names: Vec<Arc<str>>, member_of: Option<Arc<str>>) -> Unexplained {
        let (Scope::On { kind } | Scope::Over { kind, .. }) = &rule.scope;
        let others = self.world.kinds().filter(|other| *other != kind);
        let other_kinds = others.filter(|other| self.world.find(other, name).is_some()).cloned().collect();
        Unexplained::NoSubject { scope: rule.scope.clone(), names, other_kinds, member_of }
    }

    /// The name of a target, and the surroundings to evaluate the rule on it, or why it is not evaluated.
    fn target_context(&self, now: Now, rule: &Rule, target: &TargetId) -> (SubjectKey, Result<Context, NotEvaluated>) {
        let (Scope::On { kind } | Scope::Over { kind, .. }) = &rule.scope;
        match target {
            TargetId::Subject(id) => {
                let key = self.key_of(*id).unwrap_or_else(|| SubjectKey::new(kind.clone(), ""));
                let is_gone = self.world.subject(*id).is_none_or(|subject| subject.gone);
                let context = self.context(now, Target::Subject(*id));
                (key, if is_gone { Err(NotEvaluated::Gone) } else { Ok(context) })
            }
            TargetId::Group(labels) => {
                let key = SubjectKey { kind: kind.clone(), name: group_name(labels) };
                (key, self.set_context(now, rule, labels))
            }
        }
    }

    fn set_context(&self, now: Now, rule: &Rule, labels: &Labels) -> Result<Context, NotEvaluated> {
        let (Scope::On { kind } | Scope::Over { kind, .. }) = &rule.scope;
        let by: &[Arc<str>] = match &rule.scope {
            Scope::On { .. } => &[],
            Scope::Over { by, .. } => by,
        };
        if self.world.awaits_any(kind) {
            return Err(NotEvaluated::SetAwaited(NoData::SetAwaited { kind: kind.clone() }));
        }
        let all = Target::Set { kind: kind.clone(), members: [].into(), labels: Labels::new() };
        let mut context = self.context(now, all);
        let (mut groups, fault) = self.groups(&context, rule, kind, by);
        if let Some((id, fault)) = fault {
            let member = self.key_of(id).unwrap_or_else(|| SubjectKey::new(kind.clone(), ""));
            return Err(NotEvaluated::Members(member, fault));
        }
        let members = groups.remove(labels).ok_or(NotEvaluated::NoMembers)?;
        context.target = Target::Set { kind: kind.clone(), members, labels: labels.clone() };
        Ok(context)
    }

    fn seen(&self, now: Now, rule: &Rule, target: &TargetId, members: &[SubjectId]) -> Seen {
        match target {
            TargetId::Subject(id) => self.seen_subject(now, *id),
            TargetId::Group(_) => {
                let (Scope::On { kind } | Scope::Over { kind, .. }) = &rule.scope;
                let named = members.iter().take(NAMED_MEMBERS).filter_map(|id| self.key_of(*id));
                let names = named.map(|key| key.name).collect();
                Seen::Set { members: members.len(), names, of_kind: self.world.of_kind(kind).count() }
            }
        }
    }

    fn seen_subject(&self, now: Now, id: SubjectId) -> Seen {
        let Some(subject) = self.world.subject(id) else {
            return Seen::Set { members: 0, names: Vec::new(), of_kind: 0 };
        };
        Seen::Subject {
            labels: subject.labels.clone(),
            time: subject.time,
            arrived: subject.arrived,
            stale_at: subject.stale_at(),
            stale: self.world.is_stale(id, now),
            gone: subject.gone,
            awaited: self.world.is_awaited(id),
        }
    }

    /// When it is judged next, the soonest first.
    fn next(&self, now: Now, rule: &Rule, target: &TargetId, alert: Option<&Alert>) -> Vec<Next> {
        let state = self.states.get(&rule.name);
        if self.pause_of_rule(&rule.name).is_some() {
            return alert.and_then(|alert| alert.deadline).map(Next::Timer).into_iter().collect();
        }
        if let Some(until) = state.and_then(|state| state.quarantine.until()) {
            return vec![Next::Released(until)];
        }
        let mut next = vec![Next::Snapshot];
        if let TargetId::Subject(id) = target
            && let Some(subject) = self.world.subject(*id)
            && !subject.gone
            && subject.stale_at() > now.time
        {
            next.push(Next::Stale(subject.stale_at()));
        }
        next.extend(state.and_then(|state| state.tick).map(Next::Tick));
        next.extend(alert.and_then(|alert| alert.deadline).map(Next::Timer));
        next
    }

    /// The level at which it fires; of what does not fire, the one at which it would be raised now. Where nothing is true
    /// that says it, only a rule of one level has one.
    fn level_of(
        &self,
        rule: &Rule,
        levels: &[Level],
        alert: Option<&Alert>,
        evaluated: Option<&(Explained, Context)>,
    ) -> Result<Level, &'static str> {
        if let Some(firing) = alert.and_then(|alert| alert.firing.as_ref()) {
            return Ok(firing.level);
        }
        if let [level] = levels {
            return Ok(*level);
        }
        let verdict = evaluated.map(|(explained, context)| (&explained.judgement.verdict, context));
        let Some((Verdict::Conditions(conditions), context)) = verdict else {
            return Err("it cannot be told whether it fires");
        };
        let Some(highest) = conditions.iter().position(|condition| *condition == Condition::Fire) else {
            return Err("its condition is not true");
        };
        match rule.levels.is_empty() {
            // A closure that fails raises at this level too.
            true => Ok(rule.level(context).unwrap_or(Level::Warning)),
            false => Ok(track_level(rule, highest)),
        }
    }
}

/// A name without the kind before it.
fn without_kind<'a>(name: &'a str, kind: &str) -> Option<&'a str> {
    name.strip_prefix(kind)?.strip_prefix(' ').map(str::trim_start)
}

/// The conditions of an alert over time.
fn tracks(rule: &Rule, alert: &Alert, now: Now) -> Vec<TrackView> {
    let view = |(index, track): (usize, &Track)| {
        let level = track_level(rule, index);
        let (hold, keep) = (rule.hold.of(level), rule.keep.of(level));
        let (counted, length) = match track {
            Track::Pending { timer, .. } => (timer.elapsed(now.time), hold),
            Track::Recovering { timer, .. } => (timer.elapsed(now.time), keep),
            Track::Off | Track::On => Default::default(),
        };
        let condition = match &alert.standing {
            super::Standing::Judged(conditions) => conditions.get(index).copied(),
            _ => None,
        };
        // Of a silent subject no timer ends: nobody knows whether its condition still holds.
        let until = track.deadline(hold, keep).filter(|_| !alert.stale);
        TrackView { level: rule.levels.get(index).copied(), condition, track: *track, counted, length, until }
    };
    alert.tracks.iter().enumerate().map(view).collect()
}
