//! `/openapi.json` against the list of routes, and against what the routes answer.

use std::collections::BTreeSet;

use super::super::routes::ROUTES;
use super::security::{body, path, request, server};
use super::*;
use crate::model::wire::{WireLimits, parse};

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

fn document() -> Json {
    super::super::openapi::make(ROUTES)
}

/// Every operation, as `get /healthz`, with what is said of it.
fn operations(document: &Json) -> Vec<(String, &Json)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

fn each_object<'a>(json: &'a Json, visit: &mut impl FnMut(&'a serde_json::Map<String, Json>)) {
    match json {
        Json::Object(map) => {
            visit(map);
            map.values().for_each(|value| each_object(value, visit));
        }
        Json::Array(list) => list.iter().for_each(|value| each_object(value, visit)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_given_to_everybody() {
    let (status, json) = get_with(Daemon::default(), "/openapi.json").await;
    assert_eq!((status, &json["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(json, document());
    assert_eq!(get_with(Daemon::default(), "/openapi.json?x=1").await.0, 400);
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document = document();
    let said: BTreeSet<String> = operations(&document).into_iter().map(|(name, _)| name).collect();
    let served: BTreeSet<String> = ROUTES
        .iter()
        .map(|route| format!("{} {}", (route.method)().as_str().to_ascii_lowercase(), route.documented_path()))
        .collect();
    assert_eq!(said, served);
    assert_eq!(said.len(), ROUTES.len(), "no route is listed twice");
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    let document = document();
    let mut targets = BTreeSet::new();
    each_object(&document, &mut |map| {
        if let Some(target) = map.get("$ref") {
            targets.insert(target.as_str().unwrap().to_string());
        }
    });
    for target in &targets {
        let found = document.pointer(target.strip_prefix('#').unwrap());
        assert!(found.is_some(), "{target} is not in the document");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(targets.contains(&format!("#/components/schemas/{name}")), "nothing refers to {name}");
    }
}

#[test]
fn every_operation_says_what_it_is_for_what_it_takes_and_who_may_ask() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_string()), "two operations are called {id}");
        assert!(operation["summary"].is_string(), "{name} has no summary");
        let empty = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&empty);
        for parameter in parameters {
            assert!(["path", "query"].contains(&parameter["in"].as_str().unwrap()), "{name}: {parameter}");
            assert!(!parameter["schema"]["type"].is_array(), "{name}: no address has a null: {parameter}");
            assert!(parameter["description"].is_string(), "{name}: nothing is said of {}", parameter["name"]);
        }
        let in_path = |parameter: &&Json| parameter["in"] == "path";
        let said: Vec<&str> =
            parameters.iter().filter(in_path).map(|parameter| parameter["name"].as_str().unwrap()).collect();
        let needed: Vec<&str> = name.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        assert_eq!(said, needed, "the parameters in the path of {name}");

        let (method, path) = name.split_once(' ').unwrap();
        let method = axum::http::Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
        let route = ROUTES.iter().find(|route| (route.method)() == method && route.documented_path() == path);
        let scope = route.unwrap().scope;
        let security: Vec<Json> = scope.iter().map(|scope| json!({ "bearer": [scope.as_str()] })).collect();
        assert_eq!(operation["security"], Json::from(security), "{name}");
        let success = operation["responses"].as_object().unwrap().keys().filter(|status| status.starts_with('2'));
        assert!(success.count() > 0, "{name} says no answer");
    }
    let mut undescribed = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let properties = schema.get("properties").and_then(Json::as_object).into_iter().flatten();
        let bare = properties.filter(|(_, property)| property.get("description").is_none());
        undescribed.extend(bare.filter(|(_, property)| property.get("$ref").is_none()).map(|(key, _)| (name, key)));
    }
    assert_eq!(undescribed, [], "properties without a word on them");
}

/// What is wrong with a value that should fit a schema. Stricter than JSON Schema: a key that is not said is wrong.
fn misfits(document: &Json, schema: &Json, value: &Json, place: &str) -> Vec<String> {
    if let Some(target) = schema.get("$ref").and_then(Json::as_str) {
        return misfits(document, document.pointer(&target[1..]).unwrap(), value, place);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(any) = schema.get(key).and_then(Json::as_array) {
            let all: Vec<_> = any.iter().map(|schema| misfits(document, schema, value, place)).collect();
            let fits = all.iter().any(Vec::is_empty);
            return if fits { Vec::new() } else { all.into_iter().flatten().collect() };
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Json::as_array) {
        let mut together = json!({ "type": "object", "properties": {}, "required": [] });
        for mut part in parts {
            while let Some(target) = part.get("$ref").and_then(Json::as_str) {
                part = document.pointer(&target[1..]).unwrap();
            }
            for (key, property) in part["properties"].as_object().unwrap() {
                together["properties"][key] = property.clone();
            }
        }
        return misfits(document, &together, value, place);
    }
    let mut wrong = Vec::new();
    let actual = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let types: Vec<&str> = match schema.get("type") {
        None => vec![actual],
        Some(Json::Array(types)) => types.iter().filter_map(Json::as_str).collect(),
        Some(one) => one.as_str().into_iter().collect(),
    };
    let fits = types.contains(&actual) || (actual == "integer" && types.contains(&"number"));
    if !fits {
        wrong.push(format!("{place} is {actual} and not {types:?}"));
    }
    if let Some(values) = schema.get("enum").and_then(Json::as_array).filter(|values| !values.contains(value)) {
        wrong.push(format!("{place} is {value} and none of {values:?}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        wrong.extend(misfits(document, &schema["items"], item, &format!("{place}[{index}]")));
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        let property = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
        let is_any = schema.get("properties").is_none() && property.is_none();
        match property.filter(|property| !property.is_boolean()) {
            Some(property) => wrong.extend(misfits(document, property, item, &format!("{place}.{key}"))),
            None if is_any => {}
            None => wrong.push(format!("{place}.{key} is not in the document")),
        }
    }
    for key in schema.get("required").and_then(Json::as_array).into_iter().flatten() {
        if value.as_object().is_some_and(|map| !map.contains_key(key.as_str().unwrap())) {
            wrong.push(format!("{place}.{key} is missing"));
        }
    }
    wrong
}

/// What an operation says of an answer.
fn said_of<'a>(document: &'a Json, operation: &'a Json, status: u16, content_type: &str) -> Option<&'a Json> {
    let mut response = operation["responses"].get(status.to_string())?;
    if let Some(target) = response.get("$ref").and_then(Json::as_str) {
        response = document.pointer(&target[1..]).unwrap();
    }
    response["content"].get(content_type.split(';').next().unwrap())?.get("schema")
}

#[tokio::test]
async fn every_route_answers_as_the_document_says() {
    let document = document();
    let operations = operations(&document);
    for route in ROUTES {
        let name = format!("{} {}", (route.method)().as_str().to_ascii_lowercase(), route.documented_path());
        let (_, operation) = operations.iter().find(|(known, _)| *known == name).unwrap();
        let good = request(route).body(body(route)).unwrap();
        let path = path(route);
        let refused = Request::builder().method((route.method)()).uri(&path).header("host", "evil.example");
        let nonsense = request(route).uri(format!("{path}{}nonsense=1", if path.contains('?') { '&' } else { '?' }));
        for asked in [good, refused.body(Body::empty()).unwrap(), nonsense.body(Body::from("nonsense")).unwrap()] {
            let answer = server(settings()).0.oneshot(asked).await.unwrap();
            let status = answer.status().as_u16();
            let content_type = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_string();
            let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            let schema = said_of(&document, operation, status, &content_type)
                .unwrap_or_else(|| panic!("{name} does not say {status} with {content_type}"));
            let value = match content_type.as_str() {
                "application/json" => serde_json::from_slice(&bytes).unwrap(),
                _ => Json::from(String::from_utf8_lossy(&bytes).into_owned()),
            };
            assert_eq!(misfits(&document, schema, &value, ""), [""; 0], "{name} {status}: {value}");
        }
    }
}

#[test]
fn a_snapshot_has_the_keys_that_the_document_says() {
    let document = document();
    let schema = &document["components"]["schemas"]["Snapshot"];
    let values = json!({
        "time": "2026-11-21T10:00:00Z", "arrived": 1.5, "kind": "host", "name": "a", "labels": { "region": "eu" },
        "fields": { "number": 1.5, "text": "x", "bool": true, "none": null }, "gone": false
    });
    let said: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(said, values.as_object().unwrap().keys().collect());
    assert_eq!(misfits(&document, schema, &values, ""), [""; 0]);
    let reads = |value: &Json| parse(value.to_string().as_bytes(), &WireLimits::default()).remove(0).is_ok();
    assert!(reads(&values), "each of them is read");
    for required in schema["required"].as_array().unwrap() {
        let mut without = values.clone();
        without.as_object_mut().unwrap().remove(required.as_str().unwrap());
        assert!(!reads(&without), "{required} is needed");
    }
    let mut more = values;
    more["x"] = json!(1);
    assert!(!reads(&more), "there is no other");
}
