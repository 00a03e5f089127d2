//! Going on after a restart: from what is stored to an engine, and what it missed.

use std::hash::{BuildHasher, Hasher};
use std::sync::mpsc;
use std::time::Instant;

use super::clock::Clock;
use super::together::together;
use super::{Error, error_chain};
use crate::engine::{DeadLetter, Engine, Input, Outcome, Resumed, Settings};
use crate::history::{Block, DAYS_BACK, LEADS_UP, Past, Threads, midnight};
use crate::model::{NotificationId, Now, Occasion, Time};
use crate::outbox::DROPPED;
use crate::store::{self, DeliveryState, Piece, PieceFilter, Reader, Text};

/// Blocks that are unpacked ahead.
const AHEAD: usize = 4;
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
    let n_samples = past.as_ref().map_or(0, |past| past.n_samples());
    let saved = reader.saved()?;
    // What came is read and unpacked while what was read before is taken in.
    let (engine, problems) = std::thread::scope(|scope| {
        let past = past.map(|past| {
            let (blocks, unpacked) = mpsc::sync_channel(AHEAD);
            let since = past.since;
            scope.spawn(move || unpack_all(reader, &past.pieces, &blocks));
            let at_once = std::thread::available_parallelism().map_or(1, usize::from);
            Past { since, blocks: Box::new(unpacked.into_iter()), threads: Threads::new(at_once, together) }
        });
        Engine::resume(settings, clock.now(), Resumed { sequence: last.sequence, time: last.time, saved, past })
    });
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

/// What windows may look back to after a restart, as it is stored.
struct StoredPast {
    /// From when on everything is in it, in engine time.
    since: Time,
    /// Oldest first.
    pieces: Vec<Piece>,
}

impl StoredPast {
    fn n_samples(&self) -> usize {
        self.pieces.iter().map(|piece| piece.extent.samples).sum()
    }
}

/// What came in a piece, of its subjects those that are wanted, or why it cannot be read.
pub(super) fn unpack(reader: &dyn Reader, piece: &Piece, wanted: impl Fn(&str, &str) -> bool) -> Result<Block, String> {
    let block = reader.piece(piece.id).map_err(|error| error_chain(&error))?;
    let block = block.ok_or("it is not there any more")?;
    Block::unpack(&block, wanted).map_err(|damage| damage.to_string())
}

/// What stands for a piece that cannot be read: that something is missing.
pub(super) fn missing(piece: &Piece) -> Block {
    let mut lost = Block::default();
    lost.lose(piece.extent.sequences.1, Now::at(piece.extent.arrived.1));
    lost
}

/// Reads pieces one after the other, and says at the end what could not be read.
fn unpack_all(reader: &dyn Reader, pieces: &[Piece], blocks: &mpsc::SyncSender<Block>) {
    let (mut n_broken, mut newest) = (0, None);
    for piece in pieces {
        let block = unpack(reader, piece, |_, _| true).unwrap_or_else(|error| {
            n_broken += 1;
            newest = Some((piece.extent.arrived.1, error));
            missing(piece)
        });
        if blocks.send(block).is_err() {
            return;
        }
    }
    if let Some((last, error)) = newest {
        tracing::error!(
            pieces = n_broken,
            of = pieces.len(),
            error,
            "some of what came up to {last} cannot be read: windows do not reach back so far"
        );
    }
}

/// What windows may look back to from a time on: of `history.memory`, as much as memory has room for, and the days that
/// rules ask for. `None` where nothing is stored.
fn past(reader: &dyn Reader, settings: &Settings, stopped: Time) -> Result<Option<StoredPast>, store::Error> {
    let since = stopped - settings.limits.reach().max(LEADS_UP);
    let days = days_back(&reader.texts()?).and_then(|days| midnight(stopped, days, &settings.zone));
    // Of days before, only their sums stay in memory.
    let from = days.map_or(since, |days| days.min(since));
    let mut pieces = reader.pieces(&PieceFilter { from: Some(from), ..PieceFilter::default() })?;
    let is_whole = !reader.pieces(&PieceFilter { until: Some(from), ..PieceFilter::default() })?.is_empty();
    // Of those that are not needed to know what subjects are, as many as there is room for; pieces that were sealed
    // together stay together.
    let mut room = settings.limits.memory_limit / BYTES_OF_SAMPLE;
    let fits = |piece: &&Piece| {
        let needs = if piece.extent.arrived.1 < since { 0 } else { piece.extent.samples };
        let fits = room >= needs || piece.extent.arrived.1 >= stopped - LEADS_UP;
        room = room.saturating_sub(needs);
        fits
    };
    let n_dropped = pieces.len() - pieces.iter().rev().take_while(fits).count();
    let cut = pieces[..n_dropped].last().map(|piece| piece.extent.sequences.1);
    pieces.retain(|piece| cut.is_none_or(|cut| piece.extent.sequences.0 > cut));
    let Some(first) = pieces.first() else { return Ok(None) };
    // Where something came before, and nothing had to be left out, nothing else came since then.
    let since = if is_whole && cut.is_none() { from } else { first.extent.arrived.0 };
    Ok(Some(StoredPast { since, pieces }))
}

/// Of how many days before today rules ask, as far as their texts tell; `None` where they ask of none.
fn days_back(texts: &[Text]) -> Option<u32> {
    let asks = |names: &[&str]| {
        let calls = |text: &str| names.iter().any(|name| text.contains(&format!("{name}(")));
        texts.iter().any(|text| calls(&text.text) || text.imports.values().any(|text| calls(text)))
    };
    match () {
        () if asks(&[" day", "(day", ",day"]) => Some(DAYS_BACK),
        () if asks(&["yesterday"]) => Some(1),
        () if asks(&["today"]) => Some(0),
        () => None,
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::Effects;
    use crate::history::{Batch, Limits, Source, Window, WindowFn};
    use crate::model::{Labels, NoData, Snapshot, SubjectKey};
    use crate::store::{Memory, Record, Store};

    fn settings(memory_limit: usize) -> Settings {
        Settings {
            zone: jiff::tz::TimeZone::get("Asia/Shanghai").unwrap(),
            limits: Limits { memory: Duration::from_secs(3600), memory_limit, ..Limits::default() },
            remembers: true,
            ..Settings::default()
        }
    }

    /// Three days of one host every ten minutes, until 2026-11-21T10:00:00Z, which is 18:00 in Shanghai.
    fn store(rule: &str) -> (Memory, Engine) {
        let mut store = Memory::default();
        let end = 1_795_255_200_i64;
        let time = |n: i64| Time::from_micros((end - (432 - n) * 600) * 1_000_000);
        let mut engine = Engine::new(settings(512 << 20), Now::at(time(0)));
        for n in 0..=432 {
            let snapshot = Snapshot {
                subject: SubjectKey::new("host", "web-1"),
                time: time(n),
                labels: Labels::new(),
                fields: [("load".into(), (n as f64).into())].into(),
                gone: false,
            };
            let source = Source { name: "push".into(), stale_after: Duration::from_secs(1300) };
            let batch = Batch { source, snapshots: vec![snapshot], complete: Vec::new() };
            let effects: Effects = engine.step(Now::at(time(n)), Input::Batch(batch.into()));
            store.commit(&[Record::from(effects)]).unwrap();
        }
        let (text, imports) = (rule.into(), Default::default());
        store.commit(&[Record::Text(Text { file: "rules/host.rhai".into(), text, imports })]).unwrap();
        (store, engine)
    }

    fn ask(engine: &Engine, now: Now, window: Window) -> Result<f64, NoData> {
        let world = engine.world();
        world.window(world.find("host", "web-1").unwrap(), WindowFn::Count, "load", window, now)
    }

    fn resumed(store: &Memory, memory_limit: usize) -> (Engine, Now) {
        let reader = store.reader();
        let last = reader.last_step().unwrap().unwrap();
        let settings = settings(memory_limit);
        let past = past(&*reader, &settings, last.time).unwrap().unwrap();
        let blocks = past.pieces.iter().map(|piece| unpack(&*reader, piece, |_, _| true).unwrap());
        let past = Some(Past { since: past.since, blocks: Box::new(blocks), threads: Threads::default() });
        let (sequence, time, saved) = (last.sequence, last.time, reader.saved().unwrap());
        let now = Now::at(last.time);
        (Engine::resume(settings, now, Resumed { sequence, time, saved, past }).0, now)
    }

    #[test]
    fn windows_and_the_days_that_rules_ask_for_come_back() {
        let span = |secs| Window::Span { length: Duration::from_secs(secs), ago: Duration::ZERO };
        for (rule, n_days) in [
            ("s.max(\"load\", day(2)) > 1", 3),
            ("s.max(\"load\", yesterday()) > 1", 2),
            ("s.avg(\"load\", today()) > 1", 1),
            ("s.load > 1", 0),
        ] {
            let (store, went_on) = store(rule);
            let (engine, now) = resumed(&store, 512 << 20);
            assert_eq!(ask(&engine, now, span(3000)), Ok(5.0));
            for ago in 0..3 {
                let day = Window::Day { ago };
                let expected = if ago < n_days { ask(&went_on, now, day) } else { ask(&engine, now, day) };
                assert_eq!(ask(&engine, now, day), expected, "{rule} {ago}");
                assert_eq!(ask(&engine, now, day).is_ok(), ago < n_days, "{rule} {ago}");
            }
        }
    }

    #[test]
    fn what_memory_has_no_room_for_is_not_read() {
        let span = |secs| Window::Span { length: Duration::from_secs(secs), ago: Duration::ZERO };
        let (store, _) = store("s.avg(\"load\", yesterday()) > 1");
        let (engine, now) = resumed(&store, 3 * BYTES_OF_SAMPLE);
        assert_eq!(ask(&engine, now, span(1200)), Ok(2.0));
        assert!(matches!(ask(&engine, now, span(1201)), Err(NoData::BeyondHistory { .. })));
        assert!(ask(&engine, now, Window::Day { ago: 1 }).is_err());
    }
}
