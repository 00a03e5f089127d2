//! Going on after a restart: from what is stored to an engine, and what it missed.

use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::{Error, error_chain};
use crate::engine::{DeadLetter, Engine, Input, Outcome, Resumed, Settings};
use crate::history::{Block, Past};
use crate::model::{NotificationId, Occasion, Time};
use crate::outbox::DROPPED;
use crate::store::{self, DeliveryState, PieceFilter, Reader};

/// Windows also look at the sample before them, which is not older than this.
const BEFORE_WINDOWS: Duration = Duration::from_secs(900);
/// About how many bytes of memory a sample takes.
const BYTES_OF_SAMPLE: usize = 20;
/// Summaries of summaries that are followed.
const DEEPEST: usize = 64;

/// The seed of ids and jitter. A store that forgets at the stop needs a new one for each start: the engine counts firings
/// anew, and a receiver must not take the first firing of today for the first one of yesterday.
pub(super) fn seed(reader: &dyn Reader) -> u64 {
    match reader.is_durable() {
        true => reader.seed(),
        false => std::hash::RandomState::new().build_hasher().finish(),
    }
}

/// The clock: engine time goes on from the newest stored step, and never before it.
///
/// # Errors
/// Where the store cannot be read.
pub(super) fn clock(reader: &dyn Reader) -> Result<Clock, store::Error> {
    Ok(Clock::start(reader.last_step()?.map(|step| step.time)))
}

/// The engine as it was at the newest stored step, and what it has to be told first: ends of notifications that were
/// stored, and that it did not hear of any more.
///
/// # Errors
/// Where the store cannot be read.
pub(super) fn engine(reader: &dyn Reader, settings: Settings, clock: &Clock) -> Result<(Engine, Vec<Input>), Error> {
    let Some(last) = reader.last_step()? else { return Ok((Engine::new(settings, clock.now()), Vec::new())) };
    let began = Instant::now();
    let past = past(reader, &settings, last.time)?;
    let n_samples = past.as_ref().map_or(0, |(_, n_samples)| *n_samples);
    let resumed =
        Resumed { sequence: last.sequence, time: last.time, saved: reader.saved()?, past: past.map(|(past, _)| past) };
    let (engine, problems) = Engine::resume(settings, clock.now(), resumed);
    for problem in problems {
        tracing::error!(error = problem, "a piece of what was stored cannot be read, and begins anew");
    }
    let mut missed = Vec::new();
    for id in engine.in_flight() {
        if let Some(outcome) = outcome(reader, &id)? {
            missed.push(Input::Delivered { notification: id, outcome });
        }
    }
    tracing::info!(
        sequence = last.sequence,
        missed = missed.len(),
        samples = n_samples,
        took = ?began.elapsed(),
        "going on from what was stored"
    );
    Ok((engine, missed))
}

/// What windows may look back to from a time on, and how many samples that is: of `history.memory`, as much as memory
/// has room for. `None` where nothing is stored.
fn past<'a>(
    reader: &'a dyn Reader,
    settings: &Settings,
    stopped: Time,
) -> Result<Option<(Past<'a>, usize)>, store::Error> {
    let since = stopped - settings.limits.memory - BEFORE_WINDOWS;
    let mut pieces = reader.pieces(&PieceFilter { from: Some(since), ..PieceFilter::default() })?;
    let mut room = settings.limits.memory_limit / BYTES_OF_SAMPLE;
    // Of the newest ones as many as there is room for; pieces that were sealed together stay together.
    let n_dropped = pieces.len()
        - pieces
            .iter()
            .rev()
            .take_while(|piece| {
                let has_room = room >= piece.extent.samples;
                room = room.saturating_sub(piece.extent.samples);
                has_room
            })
            .count();
    let cut = pieces.iter().take(n_dropped).next_back().map(|piece| piece.extent.sequences.1);
    pieces.retain(|piece| cut.is_none_or(|cut| piece.extent.sequences.0 > cut));
    let Some(first) = pieces.first() else { return Ok(None) };
    let since = first.extent.arrived.0;
    let n_samples = pieces.iter().map(|piece| piece.extent.samples).sum();
    let blocks = pieces.into_iter().filter_map(|piece| {
        let block = reader.piece(piece.id).map_err(|error| error_chain(&error)).and_then(|block| {
            let block = block.ok_or("it is not there any more")?;
            Block::unpack(&block, |_, _| true).map_err(|damage| damage.to_string())
        });
        block
            .inspect_err(|error| {
                tracing::error!(error, "some of what came before the stop cannot be read: windows lack it")
            })
            .ok()
    });
    Ok(Some((Past { since, blocks: Box::new(blocks) }, n_samples)))
}

/// How a notification ended; `None` while it waits.
fn outcome(reader: &dyn Reader, id: &NotificationId) -> Result<Option<Outcome>, store::Error> {
    let mut asked = id.clone();
    for depth in 0..DEEPEST {
        // What is stored with the state that waits for it is there, unless the file was changed by hand.
        let Some(delivery) = reader.delivery(&asked)? else { return Ok(Some(Outcome::dead())) };
        match delivery.state {
            DeliveryState::Waiting { .. } => return Ok(None),
            DeliveryState::Absorbed { by } => asked = by,
            DeliveryState::Delivered { .. } if depth > 0 => return Ok(Some(Outcome::Absorbed)),
            DeliveryState::Delivered { .. } => return Ok(Some(Outcome::Delivered)),
            DeliveryState::Dead { error, .. } => {
                let Some(own) = reader.delivery(id)? else { return Ok(Some(Outcome::dead())) };
                // As while the daemon runs: neither what an operator dropped nor a dead letter itself is told on, and of a
                // summary it is told once.
                let is_told_on = depth == 0
                    && !error.starts_with(DROPPED)
                    && !matches!(own.notification.occasion, Occasion::Undelivered(_));
                if !is_told_on {
                    return Ok(Some(Outcome::dead()));
                }
                let letter = DeadLetter { notification: own.notification.into(), reason: error };
                return Ok(Some(Outcome::Dead { letter: Some(letter.into()) }));
            }
        }
    }
    Ok(Some(Outcome::dead()))
}
