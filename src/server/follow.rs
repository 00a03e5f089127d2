//! `GET /api/v1/snapshots?follow=true`: snapshots as they are taken, as lines of a recording, until the daemon stops.
//!
//! A reader that is too slow gets a line `{"missed":12}` in the place of what it missed. Where nothing comes for a while,
//! an empty line keeps the connection open.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;

use super::Shared;
use super::error::ApiError;
use super::openapi::Doc;
use super::ports::Followed;
use super::read::query;
use crate::history::Recorder;

/// Less than the time after which an idle connection is closed.
const KEEP_OPEN: Duration = Duration::from_secs(15);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct FollowQuery {
    /// `true`: nothing else is offered.
    #[param(required = true)]
    follow: Option<bool>,
    /// Only these kinds, separated by commas.
    kind: Option<String>,
}

pub(super) async fn snapshots(State(shared): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let FollowQuery { follow, kind } = query(&uri)?;
    if follow != Some(true) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "snapshots can only be followed, as they are taken")
            .hint("add ?follow=true; GET /api/v1/subjects has the newest of each subject"));
    }
    let kinds: Option<BTreeSet<String>> = kind.map(|kinds| kinds.split(',').map(str::to_string).collect());
    if kinds.as_ref().is_some_and(|kinds| kinds.contains("")) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "`kind` has an empty name")
            .hint("write ?kind=host,disk, or leave it out for all kinds"));
    }
    let followed = shared.view.follow().map_err(|error| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).hint("end one of them").retry_after(10)
    })?;
    let lines = stream(followed, kinds, KEEP_OPEN).map(|lines| Ok::<_, Infallible>(Bytes::from(lines)));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

pub(super) fn snapshots_doc() -> Doc {
    Doc::new("follow_snapshots", "Snapshots as they are taken, until the daemon stops")
        .about(
            "A snapshot a line, as it is pushed, with `arrived`, `source` and `stale_after`. A reader that is too slow gets \
             `{\"missed\": 12}` in the place of what it missed. An empty line keeps the connection open.",
        )
        .query::<FollowQuery>()
        .streams("application/x-ndjson", "Lines of a recording.")
}

/// What is sent: nothing of a kind that is not asked for, and an empty line where nothing was sent for a while.
fn stream(
    followed: BoxStream<'static, Followed>,
    kinds: Option<BTreeSet<String>>,
    keep_open: Duration,
) -> impl Stream<Item = Vec<u8>> + Send + 'static {
    let state = (followed, Recorder::default(), kinds, Instant::now());
    futures_util::stream::unfold(state, move |(mut followed, mut recorder, kinds, sent)| async move {
        // Batches of which nothing is sent do not keep the connection open.
        let deadline = sent + keep_open;
        let lines = loop {
            let lines = match tokio::time::timeout_at(deadline, followed.next()).await {
                Ok(Some(followed)) => lines(&mut recorder, &followed, kinds.as_ref()),
                Ok(None) => return None,
                Err(_) => b"\n".to_vec(),
            };
            if !lines.is_empty() {
                break lines;
            }
            // Where one comes after the other, nothing is waited for.
            if Instant::now() >= deadline {
                break b"\n".to_vec();
            }
        };
        Some((lines, (followed, recorder, kinds, Instant::now())))
    })
}

fn lines(recorder: &mut Recorder, followed: &Followed, kinds: Option<&BTreeSet<String>>) -> Vec<u8> {
    let mut lines = Vec::new();
    if followed.missed > 0 {
        lines.extend_from_slice(format!("{{\"missed\":{}}}\n", followed.missed).as_bytes());
    }
    let wanted = |kind: &str| kinds.is_none_or(|kinds| kinds.contains(kind));
    recorder.write(followed.now, &followed.batch, &followed.refused, wanted, &mut lines);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Batch, Source};
    use crate::model::{Labels, Now, Snapshot, SubjectKey, Time};

    fn followed() -> Followed {
        let snapshot = Snapshot {
            subject: SubjectKey::new("host", "a"),
            time: Time::EPOCH,
            labels: Labels::new(),
            fields: [("x".into(), 1.0.into())].into(),
            gone: false,
        };
        let source = Source { name: "push".into(), stale_after: Duration::from_secs(300) };
        let batch = Batch { source, snapshots: vec![snapshot], complete: Vec::new() }.into();
        Followed { now: Now::at(Time::EPOCH), batch, refused: Vec::new(), missed: 0 }
    }

    #[tokio::test]
    async fn a_stream_of_which_nothing_is_wanted_is_kept_open() {
        let keep_open = Duration::from_millis(5);
        let without_end = || Box::pin(futures_util::stream::repeat_with(followed));
        let began = Instant::now();
        let mut lines = Box::pin(stream(without_end(), Some(["disk".to_string()].into()), keep_open));
        for count in 1..4 {
            assert_eq!(lines.next().await.unwrap(), b"\n");
            assert!(began.elapsed() >= keep_open * count);
        }
        let mut lines = Box::pin(stream(without_end(), Some(["host".to_string()].into()), KEEP_OPEN));
        assert!(lines.next().await.unwrap().starts_with(b"{\"time\":"));
        let nothing = Box::pin(futures_util::stream::pending());
        assert_eq!(Box::pin(stream(nothing, None, keep_open)).next().await.unwrap(), b"\n");
    }
}
