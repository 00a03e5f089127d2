//! `GET /openapi.json`: the API for programs, made from the list of routes and from the types that are read and written.
//!
//! What the document says of a route stands beside its handler, as a [`Doc`]; what holds for all routes alike (who may
//! ask, the paths, what any of them may refuse) is added here.

mod doc;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value as Json;
use utoipa::openapi::path::{HttpMethod, Operation, PathsBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, HeaderBuilder, InfoBuilder, OpenApiBuilder, Ref, RefOr, ResponseBuilder};

use super::error::{ApiError, ErrorDto};
use super::read::{NoQuery, query};
use super::routes::{ROUTES, Route};
pub(super) use doc::{Doc, any_of, one_or_many};
pub(super) use types::text;

/// The name of the one way to show who one is.
const BEARER: &str = "bearer";

/// What any route may refuse: the status, the name of the answer in the document, and when it comes.
const REFUSALS: [(StatusCode, &str, &str); 12] = [
    (StatusCode::BAD_REQUEST, "BadRequest", "What was sent cannot be read, or asks for what cannot be."),
    (StatusCode::UNAUTHORIZED, "Unauthorized", "No token was sent, or one that is not known."),
    (StatusCode::FORBIDDEN, "Forbidden", "The token is not good for this, or a page of another origin asks."),
    (StatusCode::NOT_FOUND, "NotFound", "What is asked for is not there."),
    (StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The request was not read and answered in time."),
    (StatusCode::CONFLICT, "Conflict", "What is asked for does not fit the state in which things are."),
    (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", "The body is too large, or was cut off."),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", "The body is not JSON."),
    (StatusCode::MISDIRECTED_REQUEST, "MisdirectedRequest", "The server is not addressed by this name."),
    (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "Too many requests came without a good token."),
    (StatusCode::INTERNAL_SERVER_ERROR, "Failed", "The server failed on this request: a fault of larum."),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "It cannot be done for now; `Retry-After` says when to ask again.",
    ),
];

/// The name of the answer that says that a document is still as it was.
const NOT_MODIFIED: &str = "NotModified";

/// Which of these a route may answer by itself, whatever its handler does.
fn refuses(route: &Route, status: StatusCode) -> bool {
    let writes = (route.method)() != Method::GET;
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            route.scope.is_some()
        }
        StatusCode::FORBIDDEN => route.scope.is_some() || writes,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNSUPPORTED_MEDIA_TYPE => writes,
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => false,
        _ => true,
    }
}

pub(super) async fn document(request: Request) -> Result<Response, ApiError> {
    /// Made once: it does not change while the daemon runs.
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(make(ROUTES).to_string()));
    let NoQuery {} = query(request.uri())?;
    Ok(([(header::CONTENT_TYPE, "application/json")], TEXT.clone()).into_response())
}

/// What the document says of itself.
pub(super) fn document_doc() -> Doc {
    Doc::new("openapi", "This document").answers_any(StatusCode::OK, "An OpenAPI 3.1 document.")
}

/// The document of these routes.
///
/// # Panics
/// Where two types of different schemas have the same name: a client could not tell them apart.
pub(super) fn make(routes: &[Route]) -> Json {
    let mut paths = PathsBuilder::new().build();
    let mut schemas = BTreeMap::new();
    let docs = routes.iter().map(|route| (route, (route.doc)()));
    for (route, doc) in docs {
        for (name, schema) in doc.schemas() {
            if let Some(other) = schemas.insert(name.clone(), schema.clone()) {
                assert!(other == *schema, "two types are called {name} in the document");
            }
        }
        paths.add_path_operation(route.documented_path(), vec![http_method(route)], operation(route, doc));
    }
    schemas.extend(doc::schemas_of::<ErrorDto>());
    let responses = REFUSALS.map(|(_, name, about)| (name, doc::json_response::<ErrorDto>(about)));
    let tag = HeaderBuilder::new().schema(Some(types::text())).description(Some("The tag of the document."));
    let not_modified = ResponseBuilder::new()
        .description("The document is as it was when it had the `ETag` that `If-None-Match` names.")
        .header("ETag", tag.build());
    let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some(
        "A token of larum.yaml, which `larum token new` makes, with the scope that the route names; who may write may \
         read. Where no token is configured, and larum listens on this machine alone, none is needed.",
    ));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .responses_from_iter(responses)
        .response(NOT_MODIFIED, not_modified.build())
        .security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
    let info = InfoBuilder::new().title("Larum").version(env!("CARGO_PKG_VERSION")).description(Some(
        "An alerting engine whose rules are scripts. Times are RFC 3339 text. A list is under its own name, and `next` \
         gives its next page as `cursor`. Documents may grow: new keys may come at any time.",
    ));
    let document = OpenApiBuilder::new().info(info.build()).paths(paths).components(Some(components.build())).build();
    let mut json = serde_json::to_value(document).unwrap_or_default();
    polish(&mut json);
    json
}

fn http_method(route: &Route) -> HttpMethod {
    match (route.method)() {
        Method::POST => HttpMethod::Post,
        Method::DELETE => HttpMethod::Delete,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        _ => HttpMethod::Get,
    }
}

/// What the handler says of itself, and what holds for all.
fn operation(route: &Route, doc: Doc) -> Operation {
    let mut operation = doc.into_operation();
    let said: BTreeSet<String> = operation.responses.responses.keys().cloned().collect();
    for (status, name, _) in REFUSALS {
        if refuses(route, status) && !said.contains(status.as_str()) {
            let response = RefOr::Ref(Ref::from_response_name(name));
            operation.responses.responses.insert(status.as_str().to_string(), response);
        }
    }
    let is_document = |kind: &String| kind == "application/json" || kind == "text/html";
    let has_document = match operation.responses.responses.get("200") {
        Some(RefOr::T(response)) => response.content.keys().any(is_document),
        _ => false,
    };
    if has_document && (route.method)() == Method::GET {
        let response = RefOr::Ref(Ref::from_response_name(NOT_MODIFIED));
        operation.responses.responses.insert("304".to_string(), response);
    }
    operation.security =
        Some(route.scope.iter().map(|scope| SecurityRequirement::new(BEARER, [scope.as_str()])).collect());
    operation
}

/// Takes out of names and words what only programmers of larum know: `AlertDto` is `Alert`, and links of Rust are none.
fn polish(json: &mut Json) {
    match json {
        Json::Object(map) => {
            if let Some(Json::Object(schemas)) = map.get_mut("schemas") {
                *schemas = std::mem::take(schemas)
                    .into_iter()
                    .map(|(name, schema)| (name.trim_end_matches("Dto").to_string(), schema))
                    .collect();
            }
            if let Some(Json::String(target)) = map.get_mut("$ref") {
                *target = target.trim_end_matches("Dto").to_string();
            }
            // A parameter that may be left out is not one that may be null: an address has no null.
            if map.get("in").is_some_and(|place| place == "query")
                && let Some(kind) = map.get_mut("schema").and_then(|schema| schema.get_mut("type"))
                && let Json::Array(types) = kind
            {
                *kind = types.iter().find(|one| *one != "null").cloned().unwrap_or_default();
            }
            // A key that may be null has its words at the type that it has else.
            if let Some(Json::Array(parts)) = map.get_mut("oneOf") {
                let words = parts.iter_mut().find_map(|part| part.as_object_mut()?.remove("description"));
                map.extend(words.map(|words| ("description".to_string(), words)));
            }
            if let Some(Json::String(text)) = map.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`").replace("Dto::", ".").trim().to_string();
            }
            map.values_mut().for_each(polish);
        }
        Json::Array(list) => list.iter_mut().for_each(polish),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
