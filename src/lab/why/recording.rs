//! Why something fired in the past, or did not: a recording is replayed up to then, and the engine asked.

use std::io;

use crate::diagnostic::error_chain;
use crate::engine::Engine;
use crate::engine::explain::{Answer, Unexplained};
use crate::lab::Bench;
use crate::lab::project::Project;
use crate::lab::replay::{Happening, Options, Recording, Summary, replay_to_end};
use crate::model::{ChannelName, Now};
use crate::rules::trace::Inside;
use crate::server::api::{WhyDto, WhyOutboxDto, WhyStagesDto};

use super::{Refusal, document, survey_document};

/// An answer about the past.
#[derive(Clone, Debug)]
pub struct Past {
    /// The explanation.
    pub document: WhyDto,
    /// What was replayed for it.
    pub summary: Summary,
}

/// Why there is no answer about the past.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The recording cannot be read on.
    #[error("the replay of the recording broke off: {}", error_chain(.0))]
    Read(io::Error),
    /// Nothing of it is before the time that was asked for.
    #[error("the recording has no snapshot that can be used, or begins later than that")]
    Empty,
    /// There is no such rule or subject.
    #[error("{}", .0.error)]
    Refused(Refusal),
}

/// Replays a recording up to `options.until`, or its end, and explains a rule as of then.
///
/// # Errors
/// Where the recording cannot be read, has nothing until then, or knows no such rule or subject.
pub fn of_recording(
    recording: Recording,
    project: &Project,
    options: &Options,
    rule: &str,
    subject: Option<&str>,
) -> Result<Past, PastError> {
    let mut ignore = |_: Happening<'_>| Ok(());
    let (summary, bench) = replay_to_end(recording, project, options, &mut ignore).map_err(PastError::Read)?;
    let bench = bench.ok_or(PastError::Empty)?;
    let mut document = ask(bench.engine(), bench.now(), rule, subject)
        .map_err(|unexplained| PastError::Refused(Refusal::of(&unexplained, rule, subject)))?;
    with_backlog(&mut document, &bench, project);
    Ok(Past { document, summary })
}

/// What waits for each channel in the outbox of the bench, and for what.
pub(in crate::lab) fn with_backlog(document: &mut WhyDto, bench: &Bench, project: &Project) {
    for channel in document.stages.iter_mut().flat_map(WhyStagesDto::channels_mut) {
        let name = ChannelName::from(channel.name.as_str());
        let backlog = bench.backlog(&name);
        let wall = |time| bench.now().wall_of(time);
        if backlog.waiting == 0 && backlog.limited_until.is_none() {
            continue;
        }
        let limit = project.channels.get(&name).and_then(|channel| channel.limit());
        channel.outbox = Some(WhyOutboxDto {
            waiting: backlog.waiting,
            limit: limit.map(|limit| limit.to_string()),
            limit_count: limit.map(|limit| limit.count()),
            limited_until: backlog.limited_until.map(wall),
            paused_until: backlog.held_until.map(wall),
            ..WhyOutboxDto::default()
        });
    }
}

/// Asks an engine that nobody waits for: all that is clear is looked at.
fn ask(engine: &Engine, now: Now, rule: &str, subject: Option<&str>) -> Result<WhyDto, Unexplained> {
    let inside = Inside::of(&engine.rule(rule)?);
    Ok(match engine.why(now, &inside, None, subject)? {
        Answer::One(explanation) => document(&explanation),
        Answer::All(survey) => {
            let near = engine.distances(now, &inside, &survey.clear);
            survey_document(&survey, survey.clear.len(), near)
        }
    })
}
