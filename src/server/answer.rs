//! What holds for every answer, whatever made it: what a browser may do with it, whether it may be kept, and gzip.
//!
//! An answer that is a document of modest size gets an `ETag`, so that whoever has it already is told that it is still so
//! (304). Answers without an end are neither tagged nor packed: each of their lines must leave at once.

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use tower_http::compression::predicate::Predicate;
use tower_http::compression::{CompressionLayer, CompressionLevel};

use super::access::Caller;
use super::error::ApiError;

/// What is smaller fits into one packet anyhow, in bytes.
const PACKED_FROM: u64 = 1024;
/// What is larger is not worth a digest, in bytes.
const TAGGED_TO: u64 = 1 << 20;

/// It may be kept by whoever asked, and must be asked for again before each use.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");
/// It may not be kept.
const KEEP_NOTHING: HeaderValue = HeaderValue::from_static("no-store");

/// What a page of ours may load and do: what this server has, and nothing else.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);
/// What anything else may, should a browser ever take it for a page: nothing.
const NO_PAGE_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");

/// On every answer, refusals and failures too.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The router whose answers are packed, and say what a browser may do with them. Goes around everything else.
pub(super) fn finish<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    // The network is mostly this machine: time counts for more than size.
    let gzip = CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(Whole);
    router.layer(gzip).layer(middleware::from_fn(guide))
}

/// An answer that is whole, and large enough: one that goes on and on would wait for the packer.
#[derive(Clone, Copy)]
struct Whole;

impl Predicate for Whole {
    fn should_compress<B: HttpBody>(&self, response: &axum::http::Response<B>) -> bool {
        let is_large = response.body().size_hint().exact().is_some_and(|size| size >= PACKED_FROM);
        let kind = content_type(response.headers());
        is_large && (kind == "image/svg+xml" || !(kind.starts_with("image/") || kind.starts_with("font/")))
    }
}

/// Marks an answer that only says that a page is still as it was: its headers take the place of those of the page.
#[derive(Clone)]
struct PageIsKnown;

/// Says what a browser may do with an answer, and makes sure that gzip is asked for by whoever takes it and nobody else.
async fn guide(mut request: Request, next: Next) -> Response {
    // Who takes neither gzip nor the plain text gets the plain text: a write that was done must not be answered with 406.
    match takes_gzip(request.headers()) {
        true => request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip")),
        false => request.headers_mut().remove(header::ACCEPT_ENCODING),
    };
    let mut response = next.run(request).await;
    let is_page = is_page(response.headers()) || response.extensions().get::<PageIsKnown>().is_some();
    let headers = response.headers_mut();
    if headers.contains_key(header::CONTENT_ENCODING)
        && let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok())
        && let Ok(tag) = HeaderValue::try_from(format!("{}-gzip\"", tag.trim_end_matches('"')))
    {
        // A strong tag is of the bytes that are sent.
        headers.insert(header::ETAG, tag);
    }
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, if is_page { PAGE_POLICY } else { NO_PAGE_POLICY });
    headers.entry(header::CACHE_CONTROL).or_insert(KEEP_NOTHING);
    response
}

/// Tags a document that was asked for, and leaves it out where the tag is known.
///
/// What was given for a token is not to be kept on anybody's disk: it would outlast the token. Its tag serves clients that
/// have the document in memory.
pub(super) async fn tag(request: Request, next: Next) -> Response {
    // The head of a document is that of the document: its body is still here, and is taken off on the way out.
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_for_token = request.extensions().get::<Caller>().is_some_and(|caller| caller.token.is_some());
    let known = request.headers().get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.collect::<Vec<_>>().join(",");
    let response = next.run(request).await;
    let size = response.body().size_hint().exact();
    let is_modest = size.is_some_and(|size| size <= TAGGED_TO);
    if !(is_read && is_modest && response.status() == StatusCode::OK && is_document(response.headers())) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, TAGGED_TO as usize).await else {
        return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer broke off").into_response();
    };
    let digest: String = Sha256::digest(&bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let found = matching(&known, &digest);
    let is_known = found.is_some();
    let tag = found.unwrap_or_else(|| format!("\"{digest}\""));
    parts.headers.extend(HeaderValue::try_from(tag).map(|tag| (header::ETAG, tag)));
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !is_for_token {
        parts.headers.entry(header::CACHE_CONTROL).or_insert(ASK_AGAIN);
    }
    if !is_known {
        return Response::from_parts(parts, Body::from(bytes));
    }
    if is_page(&parts.headers) {
        parts.extensions.insert(PageIsKnown);
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}

/// The tag of a document with this digest, packed or not, among those of an `If-None-Match`.
fn matching(known: &str, digest: &str) -> Option<String> {
    let tags = [format!("\"{digest}\""), format!("\"{digest}-gzip\"")];
    let known = known.split(',').map(str::trim).map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
    known.into_iter().find_map(|tag| match tag {
        "*" => Some(tags[0].clone()),
        tag => tags.iter().find(|ours| *ours == tag).cloned(),
    })
}

/// Whether this is something that a client may have already: figures for Prometheus never are.
fn is_document(headers: &HeaderMap) -> bool {
    let kind = content_type(headers);
    let texts = ["application/json", "text/html", "text/css", "text/javascript", "text/csv"];
    texts.contains(&kind) || kind.starts_with("image/") || kind.starts_with("font/")
}

fn is_page(headers: &HeaderMap) -> bool {
    content_type(headers) == "text/html"
}

/// The type of an answer's content, without its parameters.
fn content_type(headers: &HeaderMap) -> &str {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

/// Whether an `Accept-Encoding` takes gzip: named with a weight above 0, or meant by `*`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let (mut named, mut any) = (None, None);
    for coding in values.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let takes = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
        match name.as_str() {
            "gzip" | "x-gzip" => named = Some(takes),
            "*" => any = Some(takes),
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_whoever_takes_it() {
        let cases = [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("x-gzip", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("gzip; q=0.000", false),
            ("gzip;q=much", false),
            ("identity;q=0", false),
            ("br", false),
            ("", false),
        ];
        for (value, expected) in cases {
            let headers = [(header::ACCEPT_ENCODING, HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(takes_gzip(&headers), expected, "{value:?}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_tag_is_known_packed_or_not_and_among_others() {
        let cases = [
            ("\"ab\"", Some("\"ab\"")),
            ("W/\"ab\"", Some("\"ab\"")),
            ("\"x\" , \"ab-gzip\"", Some("\"ab-gzip\"")),
            ("*", Some("\"ab\"")),
            ("ab", None),
            ("\"abc\"", None),
            ("", None),
        ];
        for (known, expected) in cases {
            assert_eq!(matching(known, "ab").as_deref(), expected, "{known:?}");
        }
    }
}
