//! A set of subjects, or of sets: what `over`, `peers` and `all` give.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, FnPtr, ImmutableString, NativeCallContext};

use crate::history::{SubjectId, World};
use crate::model::{Labels, NoData, Now, Value};
use crate::rules::budget;
use crate::rules::evaluation::Evaluation;
use crate::rules::script::{Stop, fault, no_data, spend};

use super::subject::{LabelsView, label};
use super::{Subject, to_script};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// A set, as scripts hold it: its fresh members in the order of their names.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(super) evaluation: Arc<Evaluation>,
    kind: Arc<str>,
    /// The labels that all its members were chosen by.
    chosen_by: Arc<Labels>,
    pub(super) members: Members,
    /// It holds some of the subjects that its labels choose: what is stale cannot be told of it.
    partial: bool,
}

/// The members of a set.
#[derive(Clone, Debug)]
pub(super) enum Members {
    /// Subjects.
    Subjects(Arc<[SubjectId]>),
    /// Sets, as `by` makes them.
    Sets(Arc<[Set]>),
}

impl Members {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Members::Subjects(ids) => ids.len(),
            Members::Sets(sets) => sets.len(),
        }
    }
}

/// What is asked of each member.
#[derive(Clone, Debug)]
pub(super) enum Measure {
    /// The value of this field.
    Field(ImmutableString),
    /// What this closure says of it.
    Closure(FnPtr),
}

impl Measure {
    /// A function of it as a message names it.
    pub(super) fn question(&self, function: &str) -> String {
        match self {
            Measure::Field(field) => format!("{function}({field:?})"),
            Measure::Closure(_) => format!("{function}(|..| ..)"),
        }
    }
}

impl Set {
    /// The group that a rule with `over` judges.
    pub(crate) fn group(
        evaluation: &Arc<Evaluation>,
        kind: Arc<str>,
        members: Arc<[SubjectId]>,
        labels: Labels,
    ) -> Set {
        Set {
            evaluation: evaluation.clone(),
            kind,
            chosen_by: Arc::new(labels),
            members: Members::Subjects(members),
            partial: false,
        }
    }

    /// The fresh subjects of a kind that have these labels; `""` is a label that is missing.
    pub(super) fn of_kind(evaluation: &Arc<Evaluation>, kind: Arc<str>, labels: Labels) -> Result<Set> {
        let awaited = evaluation.ask(|world, _| world.awaits_any(&kind))?;
        if awaited {
            return Err(Stop::NoData { reason: NoData::SetAwaited { kind }, subject: None }.into_error());
        }
        let (members, looked_at) = evaluation.ask(|world, now| {
            let chosen = choose(world, &kind, &labels);
            let looked_at = chosen.len();
            (chosen.into_iter().filter(|id| !world.is_stale(*id, now)).collect::<Arc<[SubjectId]>>(), looked_at)
        })?;
        spend(cost(looked_at))?;
        Ok(Set::group(evaluation, kind, members, labels))
    }

    /// The set as people name it.
    pub(super) fn to_text(&self) -> String {
        match &self.members {
            Members::Subjects(ids) => format!("a set of {} {}", ids.len(), self.kind),
            Members::Sets(sets) => format!("{} sets of {}", sets.len(), self.kind),
        }
    }

    fn part(&self, members: Members) -> Set {
        Set { members, partial: true, ..self.clone() }
    }

    /// The members as scripts see them.
    pub(super) fn elements(&self) -> Vec<Dynamic> {
        match &self.members {
            Members::Subjects(ids) => ids.iter().map(|id| Dynamic::from(Subject::new(&self.evaluation, *id))).collect(),
            Members::Sets(sets) => sets.iter().cloned().map(Dynamic::from).collect(),
        }
    }

    /// The numbers of a field of all members, in their order. `None` where not all have one, or each must be asked.
    pub(super) fn numbers(&self, field: &str) -> Result<Option<Vec<f64>>> {
        let Members::Subjects(ids) = &self.members else { return Ok(None) };
        let numbers = self.evaluation.ask(|world, _| {
            let column = world.column(&self.kind, field)?;
            ids.iter().map(|id| column.number(*id)).collect::<Option<Vec<f64>>>()
        })?;
        if numbers.is_some() {
            spend(cost(ids.len()))?;
        }
        Ok(numbers)
    }

    /// Asks each member; those that never had what is asked, or cannot be read now, are left out.
    ///
    /// # Errors
    /// No data where there are members and none can be read: "never had" where that is why for all of them.
    pub(super) fn ask_each(
        &self,
        context: &NativeCallContext,
        function: &str,
        measure: &Measure,
        mut take: impl FnMut(usize, Dynamic) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut readable = 0;
        let mut never_had = None;
        let mut n_never_had = 0;
        let mut answers = self.answers(context, measure)?;
        for index in 0..self.members.len() {
            match answers(index)? {
                Ok(answer) => {
                    readable += 1;
                    if take(index, answer)?.is_break() {
                        return Ok(());
                    }
                }
                Err(NoData::NeverHad { field }) => {
                    n_never_had += 1;
                    never_had.get_or_insert(field);
                }
                Err(_) => (),
            }
        }
        if readable > 0 || self.members.len() == 0 {
            return Ok(());
        }
        Err(no_data(match never_had {
            Some(field) if n_never_had == self.members.len() => NoData::NeverHad { field },
            Some(_) | None => NoData::EmptySet { question: measure.question(function) },
        }))
    }

    /// A function from a member's index to its answer.
    #[expect(
        clippy::type_complexity,
        reason = "one outcome inside the other: a stop of the evaluation, no data of a member"
    )]
    fn answers<'a>(
        &'a self,
        context: &'a NativeCallContext<'_>,
        measure: &'a Measure,
    ) -> Result<Box<dyn FnMut(usize) -> Result<std::result::Result<Dynamic, NoData>> + 'a>> {
        match (measure, &self.members) {
            (Measure::Field(field), Members::Subjects(ids)) => {
                spend(cost(ids.len()))?;
                let values = self
                    .evaluation
                    .ask(|world, now| ids.iter().map(|id| read(world, *id, field, now)).collect::<Vec<_>>())?;
                let mut values = values.into_iter();
                Ok(Box::new(move |_| Ok(values.next().unwrap_or(Err(NoData::Gone)).map(to_script))))
            }
            (Measure::Field(field), Members::Sets(_)) => {
                Err(fault(format!("the members of `by(..)` are sets and have no field: write `|g| g.avg({field:?})`")))
            }
            (Measure::Closure(closure), members) => Ok(Box::new(move |index| {
                let (argument, asked) = match members {
                    Members::Subjects(ids) => {
                        (Dynamic::from(Subject::new(&self.evaluation, ids[index])), Some(ids[index]))
                    }
                    Members::Sets(sets) => (Dynamic::from(sets[index].clone()), None),
                };
                let answer = self.evaluation.muted(|| closure.call_raw(context, None, [argument]));
                match answer {
                    Ok(answer) => Ok(Ok(answer)),
                    Err(error) => match Stop::of(&error) {
                        Some(Stop::NoData { reason, subject }) => {
                            budget::resume();
                            Ok(Err(match reason {
                                // Of another subject than the member: says nothing of what the member ever had.
                                NoData::NeverHad { field } if subject.is_some() && subject != asked => {
                                    NoData::FieldMissing { field }
                                }
                                reason => reason,
                            }))
                        }
                        Some(Stop::Exhausted(_)) | None => Err(error),
                    },
                }
            })),
        }
    }

    /// The members with these indexes, in their order.
    pub(super) fn pick(&self, indexes: &[usize]) -> Set {
        self.part(match &self.members {
            Members::Subjects(ids) => Members::Subjects(indexes.iter().map(|index| ids[*index]).collect()),
            Members::Sets(sets) => Members::Sets(indexes.iter().map(|index| sets[*index].clone()).collect()),
        })
    }

    /// One set for each different value of the labels, in the order of the values.
    pub(super) fn by(&self, names: &[Arc<str>]) -> Result<Set> {
        let Members::Subjects(ids) = &self.members else {
            return Err(fault("a set of sets has no labels to group by: name all labels in one `by([..])`"));
        };
        spend(cost(ids.len()))?;
        let groups = self.evaluation.ask(|world, _| {
            let mut groups: BTreeMap<Vec<Arc<str>>, Vec<SubjectId>> = BTreeMap::new();
            for id in ids.iter() {
                if let Some(subject) = world.subject(*id) {
                    groups.entry(names.iter().map(|name| label(subject, name)).collect()).or_default().push(*id);
                }
            }
            groups
        })?;
        let sets = groups.into_iter().map(|(values, ids)| {
            let mut labels = (*self.chosen_by).clone();
            labels.extend(names.iter().cloned().zip(values));
            let group = Set::group(&self.evaluation, self.kind.clone(), ids.into(), labels);
            Set { partial: self.partial, ..group }
        });
        let sets = Members::Sets(sets.collect());
        Ok(Set { members: sets, ..self.clone() })
    }

    /// The labels on which all members agree, with those that the set was chosen by.
    pub(super) fn labels(&self) -> Result<LabelsView> {
        let mut labels: Labels = self.chosen_by.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Members::Subjects(ids) = &self.members {
            spend(cost(ids.len()))?;
            self.evaluation.ask(|world, _| {
                let mut subjects = ids.iter().filter_map(|id| world.subject(*id));
                let mut agreed = subjects.next().map(|first| first.labels.clone()).unwrap_or_default();
                for subject in subjects {
                    agreed.retain(|name, value| subject.labels.get(name) == Some(value));
                }
                labels.append(&mut agreed);
            })?;
        }
        labels.retain(|_, value| !value.is_empty());
        Ok(LabelsView(Arc::new(labels)))
    }

    /// The names of the members; of sets their labels.
    pub(super) fn names(&self) -> Result<Vec<ImmutableString>> {
        match &self.members {
            Members::Subjects(ids) => {
                spend(cost(ids.len()))?;
                self.evaluation.ask(|world, _| {
                    let subjects = ids.iter().filter_map(|id| world.subject(*id));
                    subjects.map(|subject| ImmutableString::from(&*subject.key.name)).collect()
                })
            }
            Members::Sets(sets) => Ok(sets.iter().map(Set::title).collect()),
        }
    }

    /// The labels that it was chosen by, as a title: `region=eu`.
    fn title(&self) -> ImmutableString {
        let pairs: Vec<String> = self.chosen_by.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(", ").into()
    }

    /// How many of its subjects are stale, though their sources did not say that they are gone.
    pub(super) fn stale(&self) -> Result<i64> {
        if self.partial {
            return Err(fault("`stale()` can be asked of a whole set, not of a part such as `filter` or `top` give"));
        }
        let (stale, looked_at) = self.evaluation.ask(|world, now| {
            let chosen = choose(world, &self.kind, &self.chosen_by);
            let stale = chosen
                .iter()
                .filter(|id| world.is_stale(**id, now) && world.subject(**id).is_some_and(|subject| !subject.gone));
            (stale.count(), chosen.len())
        })?;
        spend(cost(looked_at))?;
        Ok(stale as i64)
    }

    /// How many of its fresh members lack the field.
    pub(super) fn missing(&self, field: &str) -> Result<i64> {
        let Members::Subjects(ids) = &self.members else {
            return Err(fault("the members of `by(..)` are sets and have no field"));
        };
        spend(cost(ids.len()))?;
        let lacking = self.evaluation.ask(|world, now| {
            let lacks = |id: &&SubjectId| {
                matches!(world.field(**id, field, now), Err(NoData::FieldMissing { .. } | NoData::NeverHad { .. }))
            };
            ids.iter().filter(lacks).count()
        })?;
        Ok(lacking as i64)
    }
}

impl IntoIterator for Set {
    type Item = Dynamic;
    type IntoIter = std::vec::IntoIter<Dynamic>;

    fn into_iter(self) -> Self::IntoIter {
        self.elements().into_iter()
    }
}

/// A field's value, finite if it is a number.
fn read(world: &World, id: SubjectId, field: &str, now: Now) -> std::result::Result<Value, NoData> {
    let value = world.field(id, field, now)?;
    match value.as_number() {
        Some(number) if !number.is_finite() => Err(NoData::NotFinite { origin: field.to_string() }),
        Some(_) | None => Ok(value),
    }
}

/// The subjects of a kind with these labels, stale ones too; `""` is a label that is missing.
fn choose(world: &World, kind: &str, labels: &Labels) -> Vec<SubjectId> {
    let present: Vec<(&str, &str)> =
        labels.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (&**name, &**value)).collect();
    let mut ids = match present.is_empty() {
        true => world.of_kind(kind).collect(),
        false => world.select(kind, &present),
    };
    if present.len() < labels.len() {
        ids.retain(|id| {
            world.subject(*id).is_some_and(|subject| {
                labels.iter().filter(|(_, value)| value.is_empty()).all(|(name, _)| label(subject, name).is_empty())
            })
        });
    }
    ids
}

/// What looking at so many members costs of the budget: some tens of nanoseconds each, as one operation of the
/// interpreter takes.
fn cost(n_members: usize) -> u64 {
    1 + n_members as u64 / 4
}
