//! `GET /api/v1/events`: what happens, as server-sent events, until the daemon stops.
//!
//! `alert` is one event of an alert; `snapshots` are subjects that had news in the last second, at most [`super::SAMPLED`] of
//! them; `rules` says that files were looked at again. A browser that lost the connection comes back by itself.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};

use super::Shared;
use super::error::ApiError;
use super::openapi::Doc;
use super::read::{NoQuery, query};

/// Less than the time after which an idle connection is closed.
const KEEP_OPEN: Duration = Duration::from_secs(15);
/// After how long a browser tries again.
const RETRY: Duration = Duration::from_secs(2);

pub(super) async fn events(State(shared): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let NoQuery {} = query(&uri)?;
    let happenings = shared.view.events().map_err(|error| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).hint("end one of them").retry_after(10)
    })?;
    let hello = stream::iter([Event::default().event("hello").retry(RETRY).data("{}")]);
    let events = hello.chain(happenings.map(|happening| Event::default().event(happening.event).data(happening.data)));
    let events = events.map(Ok::<_, Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_OPEN)).into_response())
}

pub(super) fn events_doc() -> Doc {
    Doc::new("watch_events", "What happens, as it happens")
        .about("`alert`, `state`, `snapshots`, `rules`, and `missed` where somebody is too slow; each with JSON as its data.")
        .streams("text/event-stream", "Server-sent events.")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "Too many watch already.")
}
