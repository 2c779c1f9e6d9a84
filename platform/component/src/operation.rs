//! What a client may send to a route and what it gets: an operation, as OpenAPI has it
//! (<https://spec.openapis.org/oas/v3.1.0#operation-object>). Schemas come from the types that are read and written.

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A body.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// None.
    Nothing,
    /// A JSON document.
    Json(SchemaOf),
    /// Bytes of one of these media types.
    Bytes(&'static [&'static str]),
}

/// A part of a path, or a key of a query.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// As the route's template or the query names it.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
    /// What it may be.
    pub schema: SchemaOf,
    /// Whether a query must have it; a path always does.
    pub is_required: bool,
}

impl Parameter {
    /// One that is read as a `T`.
    pub const fn of<T: JsonSchema>(name: &'static str, description: &'static str) -> Self {
        Self { name, description, schema: schema_of::<T>, is_required: false }
    }

    /// The same, without which a query is refused.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }
}

/// What a route does.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// In a few words.
    pub summary: &'static str,
    /// The parts of its path, each of which its template names.
    pub path: &'static [Parameter],
    /// What its query may hold.
    pub query: &'static [Parameter],
    /// What it takes.
    pub takes: Content,
    /// The status of its success.
    pub status: u16,
    /// What it answers then.
    pub answers: Content,
}

impl Operation {
    /// One that takes and answers nothing: 204.
    pub const EMPTY: Self = Self {
        summary: "",
        path: &[],
        query: &[],
        takes: Content::Nothing,
        status: 204,
        answers: Content::Nothing,
    };

    /// The same, taking a JSON document.
    #[must_use]
    pub const fn taking<T: JsonSchema>(self) -> Self {
        Self { takes: Content::Json(schema_of::<T>), ..self }
    }

    /// The same, answering with a JSON document.
    #[must_use]
    pub const fn answering<T: JsonSchema>(self, status: u16) -> Self {
        Self { status, answers: Content::Json(schema_of::<T>), ..self }
    }
}
