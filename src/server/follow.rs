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
use futures_util::StreamExt as _;
use serde::Deserialize;

use super::Shared;
use super::error::ApiError;
use super::ports::Followed;
use super::read::query;
use crate::history::Recorder;

/// Less than the time after which an idle connection is closed.
const KEEP_OPEN: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowQuery {
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
    let followed = shared.view.follow().map_err(|error| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).hint("end one of them").retry_after(10)
    })?;
    let state = (followed, Recorder::default(), kinds);
    let lines = futures_util::stream::unfold(state, async |(mut followed, mut recorder, kinds)| {
        let lines = match tokio::time::timeout(KEEP_OPEN, followed.next()).await {
            Ok(Some(followed)) => lines(&mut recorder, &followed, kinds.as_ref()),
            Ok(None) => return None,
            Err(_) => b"\n".to_vec(),
        };
        Some((Ok::<_, Infallible>(Bytes::from(lines)), (followed, recorder, kinds)))
    });
    // Nothing of a kind that is asked for is nothing to send.
    let lines = lines.filter(|lines| std::future::ready(lines.as_ref().is_ok_and(|lines| !lines.is_empty())));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

fn lines(recorder: &mut Recorder, followed: &Followed, kinds: Option<&BTreeSet<String>>) -> Vec<u8> {
    let mut lines = Vec::new();
    if followed.missed > 0 {
        lines.extend_from_slice(format!("{{\"missed\":{}}}\n", followed.missed).as_bytes());
    }
    let wanted = |kind: &str| kinds.is_none_or(|kinds| kinds.contains(kind));
    recorder.write(followed.now, &followed.batch, wanted, &mut lines);
    lines
}
