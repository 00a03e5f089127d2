//! The schemas of types that read and write themselves by hand.

use std::borrow::Cow;

use serde_json::json;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::any_of;
use crate::model::wire::WireSnapshot;
use crate::model::{Time, Value};
use crate::routing::Matchers;
use crate::server::ports::Named;

fn of(schema_type: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(schema_type)
}

/// Any text.
pub(in crate::server) fn text() -> RefOr<Schema> {
    of(Type::String).into()
}

fn texts() -> RefOr<Schema> {
    ArrayBuilder::new().items(text()).into()
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        of(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("A time of the wall clock, as RFC 3339 writes it."))
            .examples([json!("2026-11-21T10:00:00Z")])
            .into()
    }
}

impl ToSchema for Time {}

impl PartialSchema for Value {
    fn schema() -> RefOr<Schema> {
        let types = [Type::Number, Type::String, Type::Boolean, Type::Null];
        let about = "The value of one field. Null is a number that JSON cannot write.";
        ObjectBuilder::new().schema_type(types.into_iter().collect::<SchemaTypes>()).description(Some(about)).into()
    }
}

type SchemaTypes = utoipa::openapi::schema::SchemaType;

impl ToSchema for Value {
    fn name() -> Cow<'static, str> {
        "FieldValue".into()
    }
}

impl PartialSchema for Matchers {
    fn schema() -> RefOr<Schema> {
        of(Type::Object)
            .additional_properties(Some(AdditionalProperties::RefOr(any_of([text(), texts()]).into())))
            .description(Some(
                "Conditions on an alert, all of which must hold. `rule`, `level`, `kind` and `name` are the alert's own, \
                 any other key is a label. A value is a text, a glob such as `cpu_*`, a negation such as `!dev`, a level \
                 such as `>=error`, or a list of these.",
            ))
            .examples([json!({ "rule": "cpu_*", "level": ">=error" })])
            .into()
    }
}

impl ToSchema for Matchers {}

impl PartialSchema for Named {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new()
            .item(of(Type::Boolean))
            .item(texts())
            .description(Some("`true` for all, or a list of names."))
            .into()
    }
}

impl ToSchema for Named {}

impl PartialSchema for WireSnapshot {
    fn schema() -> RefOr<Schema> {
        let time = |about: &'static str| {
            any_of([RefOr::Ref(Ref::from_schema_name(Time::name())), of(Type::Number).into(), of(Type::Null).into()])
                .described(about)
        };
        let labels = of(Type::Object).additional_properties(Some(AdditionalProperties::RefOr(text())));
        let value = RefOr::Ref(Ref::from_schema_name(Value::name()));
        let fields = of(Type::Object).additional_properties(Some(AdditionalProperties::RefOr(value)));
        let kind = of(Type::String).pattern(Some("^[A-Za-z_][A-Za-z0-9_.-]*$")).max_length(Some(256));
        of(Type::Object)
            .description(Some("What was observed of one subject at one time."))
            .property("time", time("When it was observed, as text or in Unix seconds; now unless said."))
            .property("arrived", time("Of recordings; a push has it passed over."))
            .property("kind", kind.description(Some("What sort of thing it is.")))
            .property("name", of(Type::String).min_length(Some(1)).description(Some("Which one.")))
            .property("labels", labels.description(Some("Its labels.")))
            .property("fields", fields.description(Some("What was measured; null is as if the field were missing.")))
            .property("gone", of(Type::Boolean).description(Some("The subject no longer exists.")))
            .required("kind")
            .required("name")
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
            .examples([
                json!({ "kind": "service", "name": "shop-api", "fields": { "status": "running", "error_rate": 0.12 } }),
            ])
            .into()
    }
}

impl ToSchema for WireSnapshot {
    fn name() -> Cow<'static, str> {
        "Snapshot".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Time::name().into_owned(), Time::schema()));
        schemas.push((Value::name().into_owned(), Value::schema()));
    }
}

/// Adds words to a schema that has none.
trait Described {
    fn described(self, about: &'static str) -> Schema;
}

impl Described for Schema {
    fn described(mut self, about: &'static str) -> Schema {
        if let Schema::AnyOf(any) = &mut self {
            any.description = Some(about.to_string());
        }
        self
    }
}
