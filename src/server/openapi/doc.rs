//! What the document says of one route.

use axum::http::StatusCode;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr, Required};
use utoipa::{IntoParams, ToSchema};

const JSON: &str = "application/json";

/// Schemas by name.
type Schemas = Vec<(String, RefOr<Schema>)>;

/// What the document says of one route: what it is for, what it takes and what it answers. Refusals that every route has
/// (a token that is missing, a body that is too large) are not repeated here.
#[must_use]
pub(in crate::server) struct Doc {
    operation: OperationBuilder,
    body: Option<RequestBodyBuilder>,
    schemas: Schemas,
}

impl Doc {
    /// The name for programs, `list_alerts`, and what it is for, in a few words.
    pub(in crate::server) fn new(id: &'static str, summary: &'static str) -> Doc {
        let operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary));
        Doc { operation, body: None, schemas: Vec::new() }
    }

    /// More words on it.
    pub(in crate::server) fn about(mut self, text: &'static str) -> Doc {
        self.operation = self.operation.description(Some(text));
        self
    }

    /// It has this parameter in its path.
    pub(in crate::server) fn path(mut self, name: &'static str, about: &'static str) -> Doc {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        self.operation = self.operation.parameter(parameter.description(Some(about)).schema(Some(text)).build());
        self
    }

    /// It reads its parameters as this type.
    pub(in crate::server) fn query<Q: IntoParams>(mut self) -> Doc {
        let parameters: Vec<Parameter> = Q::into_params(|| Some(ParameterIn::Query));
        self.operation = self.operation.parameters(Some(parameters));
        self
    }

    /// It reads its body as this type; without one it does nothing.
    pub(in crate::server) fn body<B: ToSchema>(mut self, about: &'static str) -> Doc {
        let schema = self.schema_of::<B>();
        self.body_as(JSON, schema, about)
    }

    /// It reads its body as this type; one that is empty is as good as `{}`.
    pub(in crate::server) fn optional_body<B: ToSchema>(self, about: &'static str) -> Doc {
        let mut doc = self.body::<B>(about);
        doc.body = doc.body.map(|body| body.required(Some(Required::False)));
        doc
    }

    /// It takes a body of this type of content; may be said several times.
    pub(in crate::server) fn body_as(
        mut self,
        content_type: &'static str,
        schema: impl Into<RefOr<Schema>>,
        about: &'static str,
    ) -> Doc {
        let body = self.body.unwrap_or_default().description(Some(about)).required(Some(Required::True));
        self.body = Some(body.content(content_type, ContentBuilder::new().schema(Some(schema)).build()));
        self
    }

    /// It answers with this type as JSON.
    pub(in crate::server) fn answers<T: ToSchema>(mut self, status: StatusCode, about: &'static str) -> Doc {
        let schema = self.schema_of::<T>();
        self.answers_as(status, &[JSON], schema, about)
    }

    /// It answers with JSON of which nothing more is said here.
    pub(in crate::server) fn answers_any(self, status: StatusCode, about: &'static str) -> Doc {
        self.answers_as(status, &[JSON], ObjectBuilder::new(), about)
    }

    /// It answers with a text of one of these types of content.
    pub(in crate::server) fn answers_text(self, content_types: &[&'static str], about: &'static str) -> Doc {
        let text = ObjectBuilder::new().schema_type(Type::String);
        self.answers_as(StatusCode::OK, content_types, text, about)
    }

    /// It answers with a text that goes on until one of the two ends it.
    pub(in crate::server) fn streams(mut self, content_type: &'static str, about: &'static str) -> Doc {
        self.operation = self.operation.tag("streams");
        self.answers_text(&[content_type], about)
    }

    /// It answers with this schema.
    pub(in crate::server) fn answers_as(
        mut self,
        status: StatusCode,
        content_types: &[&'static str],
        schema: impl Into<RefOr<Schema>>,
        about: &'static str,
    ) -> Doc {
        let schema = schema.into();
        let response =
            content_types.iter().fold(ResponseBuilder::new().description(about), |response, content_type| {
                response.content(*content_type, ContentBuilder::new().schema(Some(schema.clone())).build())
            });
        self.operation = self.operation.response(status.as_str(), response.build());
        self
    }

    /// It answers with an error, beside those that every route has.
    pub(in crate::server) fn fails(self, status: StatusCode, about: &'static str) -> Doc {
        self.answers::<super::ErrorDto>(status, about)
    }

    /// A reference to the schema of a type, which will be in the document.
    pub(in crate::server) fn schema_of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.schemas.extend(schemas_of::<T>());
        reference::<T>()
    }

    pub(super) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    pub(super) fn into_operation(self) -> Operation {
        self.operation.request_body(self.body.map(RequestBodyBuilder::build)).build()
    }
}

/// The schema of a type, and of those that it is made of.
pub(super) fn schemas_of<T: ToSchema>() -> Schemas {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

/// An answer with a type as JSON, whose schema must be in the document.
pub(super) fn json_response<T: ToSchema>(about: &'static str) -> Response {
    let content = ContentBuilder::new().schema(Some(reference::<T>())).build();
    ResponseBuilder::new().description(about).content(JSON, content).build()
}

fn reference<T: ToSchema>() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

/// Whatever fits one of these.
pub(in crate::server) fn any_of(schemas: impl IntoIterator<Item = RefOr<Schema>>) -> Schema {
    schemas.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item).build().into()
}

/// One of these, or a list of them.
pub(in crate::server) fn one_or_many(schema: RefOr<Schema>) -> Schema {
    let list = ArrayBuilder::new().items(schema.clone()).build();
    any_of([schema, RefOr::T(Schema::Array(list))])
}
