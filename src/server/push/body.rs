//! The bytes of a push: read and inflated within bounds.

use std::io::Read;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use flate2::bufread::MultiGzDecoder;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::error::ApiError;

/// Counts the bytes of all bodies that are held at one moment.
#[derive(Clone)]
pub(in crate::server) struct Bodies(Arc<Semaphore>);

/// The bytes of one body; they count until this is dropped.
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    claim: OwnedSemaphorePermit,
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Result<Encoding, ApiError> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(encoding) = encodings.next() else { return Ok(Encoding::Identity) };
        let encoding = encoding.to_str().unwrap_or("unreadable").trim().to_ascii_lowercase();
        match (encoding.as_str(), encodings.next()) {
            ("identity" | "", None) => Ok(Encoding::Identity),
            ("gzip" | "x-gzip", None) => Ok(Encoding::Gzip),
            _ => Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the `Content-Encoding` is not understood")
                .hint("send the body plain, or once with `Content-Encoding: gzip`")),
        }
    }
}

impl Bodies {
    /// Bodies of at most `max` bytes together.
    pub(in crate::server) fn new(max: usize) -> Bodies {
        Bodies(Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))))
    }

    fn claim(&self, n_bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let n_bytes = u32::try_from(n_bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(n_bytes).map_err(|_| {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too many large pushes are being read at this moment")
                .hint("send it again after `Retry-After` seconds, or send smaller batches")
                .retry_after(1)
        })
    }
}

impl Received {
    fn empty(bodies: &Bodies) -> Result<Received, ApiError> {
        Ok(Received { bytes: Vec::new(), claim: bodies.claim(0)? })
    }

    /// Adds bytes, within the bounds of one body and of all.
    fn extend(&mut self, bodies: &Bodies, max: usize, bytes: &[u8]) -> Result<(), ApiError> {
        if self.bytes.len() + bytes.len() > max {
            return Err(too_large(max));
        }
        self.claim.merge(bodies.claim(bytes.len())?);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// Reads a body as it was sent.
pub(super) async fn read(bodies: &Bodies, max: usize, headers: &HeaderMap, body: Body) -> Result<Received, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > max) {
        return Err(too_large(max));
    }
    let mut received = Received::empty(bodies)?;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            ApiError::new(StatusCode::BAD_REQUEST, "the body ended before it was complete")
                .hint("nothing of it was taken: send it again")
        })?;
        received.extend(bodies, max, &chunk)?;
    }
    Ok(received)
}

/// Inflates a gzip body of one or several members. Takes time: not for an async worker.
pub(super) fn inflate(bodies: &Bodies, max: usize, packed: &Received) -> Result<Received, ApiError> {
    let mut decoder = MultiGzDecoder::new(packed.bytes.as_slice());
    let mut inflated = Received::empty(bodies)?;
    let mut chunk = vec![0; 256 << 10];
    loop {
        let n_bytes = decoder.read(&mut chunk).map_err(|error| {
            ApiError::new(StatusCode::BAD_REQUEST, format!("the body is not whole gzip: {error}"))
                .hint("send all of the gzip stream, or leave out `Content-Encoding: gzip`")
        })?;
        if n_bytes == 0 {
            return Ok(inflated);
        }
        inflated.extend(bodies, max, &chunk[..n_bytes])?;
    }
}

fn too_large(max: usize) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is over {max} bytes, as sent or after inflation"))
        .hint("send smaller batches")
}
