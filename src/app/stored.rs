//! Samples and exports of what is stored, for the server.

use std::io;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::mpsc;

use super::api::Api;
use super::error_chain;
use super::past;
use crate::diagnostic::did_you_mean;
use crate::export::{self, AlertFilter, Asked, Format, MOST_SAMPLES, Point, downsample};
use crate::history::World;
use crate::model::{SubjectKey, Time};
use crate::server::api::HistoryDto;
use crate::server::{Exported, HistoryError, HistoryQuery, PastError};
use crate::store::Reader;

/// Pieces of an export that wait for their reader.
const AHEAD: usize = 4;

/// What memory has of a field.
struct Kept {
    samples: Vec<(Time, f64)>,
    /// Before this time there may be more.
    since: Option<Time>,
    gap: Duration,
}

impl Kept {
    fn of(world: &World, asked: &Asked) -> Option<Kept> {
        let id = world.find(&asked.subject.kind, &asked.subject.name)?;
        let before = |time: Time| Time::from_micros(time.as_micros() - 1);
        let samples = world.samples(id, &asked.field, before(asked.from), before(asked.until)).collect();
        let stale_after = world.subject(id)?.stale_after;
        Some(Kept { samples, since: world.kept_since(id, &asked.field), gap: stale_after })
    }
}

impl Api {
    /// The samples of a field: what memory has, and before that what is stored.
    pub(super) async fn samples(&self, asked: HistoryQuery) -> Result<HistoryDto, HistoryError> {
        let HistoryQuery { kind, name, field, from, to, step } = asked;
        let now = self.clock.now();
        let engine_time = |wall: Time| wall.offset(now.wall_offset.saturating_neg());
        let asked = Asked {
            subject: SubjectKey::new(&*kind, &*name),
            field: field.clone(),
            from: engine_time(from),
            until: engine_time(to),
        };
        let question = asked.clone();
        let kept = self.ask(move |engine, _| Kept::of(engine.world(), &question)).await.map_err(PastError::from)?;
        let gap = kept.as_ref().map_or(Duration::from_secs(300), |kept| kept.gap);
        let is_known = kept.is_some();
        let (mut samples, since) = kept.map_or((Vec::new(), None), |kept| (kept.samples, kept.since));
        // Of a subject that is not known any more, all there is is stored.
        let stored_until = if is_known { since.map(|since| since.min(asked.until)) } else { Some(asked.until) };
        if let Some(until) = stored_until.filter(|until| *until > asked.from) {
            let first = samples.first().map_or(asked.until, |(time, _)| *time);
            let older = Asked { until: (until + Duration::from_micros(1)).min(first), ..asked.clone() };
            let store = self.store.clone();
            let older = past::read(self.store.clone(), move |_| export::stored(store, &older)).await?;
            samples.splice(0..0, older);
        }
        if !is_known && samples.is_empty() {
            return Err(self.unknown(kind, name).await?);
        }
        if step.is_none() && samples.len() > MOST_SAMPLES {
            return Err(HistoryError::TooMany { max: MOST_SAMPLES });
        }
        let point = |point: Point| {
            let time = now.wall_of(point.time).as_micros() as f64 / 1e6;
            [time, point.mean, point.min, point.max]
        };
        let points = downsample(&samples, step).into_iter().map(point).collect();
        let (step_seconds, gap_seconds) = (step.unwrap_or_default().as_secs_f64(), gap.as_secs_f64());
        Ok(HistoryDto { kind, name, field, from, to, step_seconds, gap_seconds, points })
    }

    async fn unknown(&self, kind: String, name: String) -> Result<HistoryError, HistoryError> {
        let near = move |world: &World| {
            let names = world.of_kind(&kind).filter_map(|id| world.subject(id));
            let names: Vec<String> = names.map(|subject| subject.key.name.to_string()).collect();
            let hint = did_you_mean(&name, names.iter().map(String::as_str));
            HistoryError::Unknown { error: format!("there is no subject `{name}` of kind `{kind}`"), hint }
        };
        Ok(self.ask(move |engine, _| near(engine.world())).await.map_err(PastError::from)?)
    }

    /// What is stored, a piece at a time: it is read as fast as it is taken.
    pub(super) fn exported(&self, what: Exported, format: Format) -> BoxStream<'static, io::Result<Bytes>> {
        let (pieces, receiver) = mpsc::channel(AHEAD);
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || {
            let failed = match what {
                Exported::Metrics(filter) => match export::metrics(store, filter, format) {
                    Ok(metrics) => {
                        let mut pieces = metrics.map(|piece| pieces.blocking_send(piece));
                        // Whoever asked may have gone.
                        pieces.find(Result::is_err);
                        return;
                    }
                    Err(error) => error,
                },
                Exported::Alerts(filter) => match alerts(&*store, &filter, format, &pieces) {
                    Ok(()) | Err(Stopped::Gone) => return,
                    Err(Stopped::Failed(error)) => error,
                },
            };
            pieces.blocking_send(Err(failed)).ok();
        });
        let stream = stream::unfold(receiver, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
        let bytes = |piece: Result<Vec<u8>, export::Error>| {
            piece.map(Bytes::from).map_err(|error| {
                let error = error_chain(&error);
                tracing::error!(error, "an export breaks off");
                io::Error::other(error)
            })
        };
        stream.map(bytes).boxed()
    }
}

/// Why alerts are not written to the end.
enum Stopped {
    Gone,
    Failed(export::Error),
}

impl From<export::Error> for Stopped {
    fn from(error: export::Error) -> Stopped {
        Stopped::Failed(error)
    }
}

fn alerts(
    store: &dyn Reader,
    filter: &AlertFilter,
    format: Format,
    pieces: &mpsc::Sender<Result<Vec<u8>, export::Error>>,
) -> Result<(), Stopped> {
    let write = |bytes| pieces.blocking_send(Ok(bytes)).map_err(|_| Stopped::Gone);
    export::alerts(store, filter, format, write).map(drop)
}
