//! Judging a rule by its plans.

use super::{About, Stopped};
use crate::history::{Scratch, SubjectId, World};
use crate::model::{Level, NoData, Now};
use crate::rules::analyse::lower::Obstacle;
use crate::rules::evaluation::Reads;
use crate::rules::program::Closure;
use crate::rules::{Condition, Context, Judgement, Rule, Scope, Target, Verdict};

/// A verdict that leaves an alert at rest as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtRest {
    /// No condition is true.
    Clear,
    /// `where` does not take the subject.
    Excluded,
    /// The subject never had a field that is asked for.
    NotConcerned,
}

impl Rule {
    /// Whether `where` takes a subject; `None` where the interpreter must be asked. What has no data is not taken.
    pub(crate) fn takes_by_plan(
        &self,
        world: &World,
        subject: SubjectId,
        now: Now,
        scratch: &mut Scratch,
    ) -> Option<bool> {
        let Some(takes) = &self.program.takes else { return Some(true) };
        let plan = takes.plan.as_ref().ok().filter(|_| self.program.watched.is_none())?;
        match About::new(world, subject, now, false, scratch).ask(plan) {
            Ok(takes) => Some(takes),
            Err(Stopped::NoData(_)) => Some(false),
            Err(Stopped::Interpret) => None,
        }
    }

    /// Whether nothing but the labels of a subject decides whether `where` takes it.
    pub(crate) fn chooses_by_labels(&self) -> bool {
        let takes = self.program.takes.as_ref().map(|takes| takes.plan.as_ref());
        takes.is_none_or(|plan| plan.is_ok_and(|plan| plan.reads_only_labels()))
    }

    /// What the plans say of a subject whose alert is at rest; `None` where it is something else, or the interpreter must
    /// be asked.
    pub(crate) fn at_rest(&self, world: &World, subject: SubjectId, now: Now, scratch: &mut Scratch) -> Option<AtRest> {
        let program = &self.program;
        if program.watched.is_some() {
            return None;
        }
        let mut about = About::new(world, subject, now, false, scratch);
        if let Some(takes) = &program.takes {
            match about.ask(takes.plan.as_ref().ok()?) {
                Ok(true) => {}
                Ok(false) => return Some(AtRest::Excluded),
                Err(stopped) => return not_concerned(&stopped),
            }
        }
        for closure in &program.when {
            match about.ask(closure.plan.as_ref().ok()?) {
                Ok(false) => {}
                Ok(true) => return None,
                Err(stopped) => return not_concerned(&stopped),
            }
        }
        Some(AtRest::Clear)
    }

    /// Judges without the interpreter, where all that is asked is simple enough and gives no error.
    pub(in crate::rules) fn judge_by_plan(&self, context: &Context, on: &[bool]) -> Option<Judgement> {
        let program = &self.program;
        let Target::Subject(subject) = context.target else { return None };
        if program.watched.is_some() || context.budget.left() == 0 {
            return None;
        }
        let mut scratch = Scratch::default();
        let mut about = About::new(&context.world, subject, context.now, true, &mut scratch);
        let mut conditions = Vec::with_capacity(program.when.len());
        let (verdict, when_reads) = match self.verdict_by_plan(&mut about, on, &mut conditions) {
            Ok(when_reads) if conditions.is_empty() => (Verdict::Excluded, when_reads),
            Ok(when_reads) => (Verdict::Conditions(conditions), when_reads),
            Err((Stopped::Interpret, _)) => return None,
            Err((Stopped::NoData(NoData::NeverHad { field }), when_reads)) if when_reads.is_none() => {
                (Verdict::NotConcerned { field }, when_reads)
            }
            Err((Stopped::NoData(reason), when_reads)) => (Verdict::NoData(reason), when_reads),
        };
        context.budget.spend(about.reads.len() as u64 + 1);
        let reads = when_reads.filter(|reads| !reads.is_empty()).unwrap_or(about.reads);
        Some(Judgement { verdict, reads })
    }

    /// What a closure that says the level comes to, where its plan knows.
    pub(in crate::rules) fn level_by_plan(&self, context: &Context, closure: &Closure) -> Option<Level> {
        let Target::Subject(subject) = context.target else { return None };
        let plan = closure.plan.as_ref().ok().filter(|_| self.program.watched.is_none())?;
        let mut scratch = Scratch::default();
        let mut about = About::new(&context.world, subject, context.now, false, &mut scratch);
        about.text(plan).ok()?.parse().ok()
    }

    /// Why a rule needs the interpreter: its place and what there is. `None` where its conditions are judged by plans.
    pub fn not_lowered(&self) -> Option<String> {
        let program = &self.program;
        if matches!(self.scope, Scope::Over { .. }) {
            return Some(format!("{}:{}: it judges a set", self.file, self.line));
        }
        let closures = program.takes.iter().chain(&program.when).chain(program.clear.iter().flatten());
        let mut obstacles = closures.filter_map(|closure| Some((&closure.file, closure.plan.as_ref().err()?)));
        let (file, Obstacle { place, what }) = obstacles.next()?;
        Some(format!("{file}:{}:{}: {what}", place.line, place.column))
    }

    /// Asks the conditions in their order; none where `where` does not take the subject. Gives what `when` read, once it
    /// has been asked.
    fn verdict_by_plan(
        &self,
        about: &mut About<'_>,
        on: &[bool],
        conditions: &mut Vec<Condition>,
    ) -> Result<Option<Reads>, (Stopped, Option<Reads>)> {
        let program = &self.program;
        let ask = |about: &mut About<'_>, closure: &Closure| match &closure.plan {
            Ok(plan) => about.ask(plan),
            Err(_) => Err(Stopped::Interpret),
        };
        if let Some(takes) = &program.takes {
            let takes = ask(about, takes).map_err(|stopped| (stopped, None))?;
            if !takes {
                return Ok(None);
            }
            about.reads.clear();
        }
        for when in &program.when {
            let fires = ask(about, when).map_err(|stopped| (stopped, None))?;
            conditions.push(if fires { Condition::Fire } else { Condition::Clear });
        }
        let when_reads = std::mem::take(&mut about.reads);
        for ((condition, clear), on) in conditions.iter_mut().zip(&program.clear).zip(on) {
            if let (Condition::Clear, Some(clear), true) = (*condition, clear, on) {
                match ask(about, clear) {
                    Ok(true) => (),
                    Ok(false) => *condition = Condition::Neither,
                    Err(stopped) => return Err((stopped, Some(when_reads))),
                }
            }
        }
        Ok(Some(when_reads))
    }
}

fn not_concerned(stopped: &Stopped) -> Option<AtRest> {
    matches!(stopped, Stopped::NoData(NoData::NeverHad { .. })).then_some(AtRest::NotConcerned)
}
