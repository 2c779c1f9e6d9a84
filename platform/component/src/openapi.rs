//! The contract of the routes as one OpenAPI document (<https://spec.openapis.org/oas/v3.1.0>).

use contract::RefusalKind;
use http::Method;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use transport::headers::{MAX_DEADLINE, MAX_KEY_BYTES};
use transport::refusal_response::ErrorDocument;

use crate::operation::{Content, Parameter};
use crate::service::Route;

/// Where the gateway serves it.
pub const PATH: &str = "/v1/openapi.json";

/// Where schemas are in the document.
const SCHEMAS: &str = "/components/schemas";

/// The document: `services` are components by name, with their routes.
pub fn document<'a>(services: impl IntoIterator<Item = (&'a str, &'a [Route])>) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for (component, routes) in services {
        for route in routes {
            let path = paths.entry(route.path).or_insert_with(|| json!({}));
            path[route.method.to_ascii_lowercase()] = operation(component, route, &mut schemas);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cleave's photo-sharing suite",
            "version": "1",
            "description": "One application, the same whether it runs as one process or as many.",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.into_definitions(),
            "parameters": shared_parameters(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "`token` of a session: POST /v1/sessions gives one",
                },
            },
        },
    })
}

/// Schemas of what is read and of what is written: one type may have both, with other fields required.
struct Schemas {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = SCHEMAS.into();
                settings.meta_schema = None;
            })
        };
        Self {
            read: settings().for_deserialize().into_generator(),
            written: settings().for_serialize().into_generator(),
        }
    }

    fn written<T: JsonSchema>(&mut self) -> Value {
        self.written.subschema_for::<T>().to_value()
    }

    fn into_definitions(mut self) -> Map<String, Value> {
        let mut definitions = self.written.take_definitions(true);
        for (name, schema) in self.read.take_definitions(true) {
            let written = definitions.insert(name.clone(), schema);
            assert!(written.is_none(), "`{name}` is read and written: name one of them anew");
        }
        definitions
    }
}

fn operation(component: &str, route: &Route, schemas: &mut Schemas) -> Value {
    let operation = &route.operation;
    let mut described = json!({
        "operationId": operation_id(route),
        "tags": [component],
        "summary": operation.summary,
        "parameters": parameters(route, schemas),
        "responses": responses(route, schemas),
        // Without a token where there may be one.
        "security": if route.authenticated { json!([{ "token": [] }]) } else { json!([{}, { "token": [] }]) },
    });
    if let Some(content) = content(&operation.takes, &mut schemas.read) {
        described["requestBody"] = json!({ "required": true, "content": content });
    }
    described
}

/// `get_users_id_photos`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '-']).filter(|word| !word.is_empty() && *word != "v1");
    std::iter::once(route.method.to_ascii_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

/// Whether a route changes something (RFC 9110, section 9.2.1).
fn is_write(route: &Route) -> bool {
    route.method.parse::<Method>().is_ok_and(|method| !method.is_safe())
}

fn is_file(content: &Content) -> bool {
    matches!(content, Content::Bytes(_))
}

fn parameters(route: &Route, schemas: &mut Schemas) -> Vec<Value> {
    let operation = &route.operation;
    let mut described = |parameter: &Parameter, place: &str| {
        json!({
            "name": parameter.name,
            "in": place,
            "required": place == "path" || parameter.is_required,
            "description": parameter.description,
            "schema": (parameter.schema)(&mut schemas.read),
        })
    };
    let mut parameters: Vec<Value> = operation.path.iter().map(|one| described(one, "path")).collect();
    parameters.extend(operation.query.iter().map(|one| described(one, "query")));
    let shared = |name: &str| json!({ "$ref": format!("#/components/parameters/{name}") });
    parameters.push(shared("Deadline"));
    if is_write(route) {
        parameters.push(shared("IdempotencyKey"));
    }
    if is_file(&operation.answers) {
        parameters.push(shared("IfNoneMatch"));
    }
    parameters
}

/// Headers of more than one route.
fn shared_parameters() -> Value {
    json!({
        "Deadline": {
            "name": "X-Deadline-Ms",
            "in": "header",
            "description": "How long the client waits, milliseconds; at most what its route allows",
            "schema": { "type": "integer", "minimum": 1, "maximum": MAX_DEADLINE.as_millis() as u64 },
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Makes the write safe to repeat: under one key it happens once",
            "schema": { "type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES, "pattern": "^[ -~]*$" },
        },
        "IfNoneMatch": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of what the client has",
            "schema": { "type": "string" },
        },
    })
}

fn responses(route: &Route, schemas: &mut Schemas) -> Map<String, Value> {
    let operation = &route.operation;
    let mut success = json!({ "description": operation.summary });
    if let Some(content) = content(&operation.answers, &mut schemas.written) {
        success["content"] = content;
    }
    let mut responses = Map::from_iter([(operation.status.to_string(), success)]);
    if is_file(&operation.answers) {
        responses.insert("304".into(), json!({ "description": "the client has it" }));
    }
    let refusal = schemas.written::<ErrorDocument<'_>>();
    for (status, description) in refusals(route) {
        let content = json!({ "application/json": { "schema": &refusal } });
        responses.insert(status.to_string(), json!({ "description": description, "content": content }));
    }
    responses
}

/// How a route may refuse: by what it reads, and by what may happen to any request.
fn refusals(route: &Route) -> Vec<(u16, &'static str)> {
    use RefusalKind as Kind;

    let operation = &route.operation;
    let mut refusals = vec![
        (Kind::BadRequest, "a parameter or header is malformed"),
        (Kind::Unauthenticated, "the token is missing, forged or expired"),
        (Kind::TooMany, "asked too often; `Retry-After` says when to come back"),
        (Kind::Internal, "a defect of the suite"),
        (Kind::Lost, "the connection to the component broke: it may have happened"),
        (Kind::Unavailable, "not now; nothing was done"),
        (Kind::DeadlineExceeded, "the deadline passed: it may have happened"),
    ];
    if !operation.path.is_empty() || is_write(route) {
        refusals.push((Kind::NotFound, "no such user or photo"));
    }
    if is_write(route) {
        refusals.push((Kind::Forbidden, "not this user's to change"));
        refusals.push((Kind::Conflict, "another state than was assumed, or taken already"));
        refusals.push((Kind::Unprocessable, "well-formed, and not acceptable"));
    }
    if route.max_body > 0 {
        refusals.push((Kind::TooLarge, "the body is too long"));
        refusals.push((Kind::Unsupported, "a media type that is not read"));
    }
    let mut refusals: Vec<_> =
        refusals.into_iter().map(|(kind, description)| (kind.status(), description)).collect();
    if route.max_body > 0 {
        // RFC 9110, section 15.5.9; the gateway answers it.
        refusals.push((408, "the body came too slowly"));
    }
    refusals
}

/// A body by its media types.
fn content(content: &Content, generator: &mut SchemaGenerator) -> Option<Value> {
    match content {
        Content::Nothing => None,
        Content::Json(schema) => Some(json!({ "application/json": { "schema": schema(generator) } })),
        // Bytes have no schema (section 4.8.14.3 of OpenAPI 3.1).
        Content::Bytes(media_types) => {
            Some(Value::Object(media_types.iter().map(|one| ((*one).to_owned(), json!({}))).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    struct Wish {
        #[allow(dead_code, reason = "only its schema is asked for")]
        #[serde(default)]
        words: String,
    }

    #[derive(Serialize, JsonSchema)]
    struct Fulfilled {
        #[serde(skip_serializing_if = "Option::is_none")]
        when: Option<u64>,
    }

    const ID: Parameter = Parameter::of::<String>("id", "Which");
    const ROUTES: &[Route] = &[
        Route::read("GET", "/v1/wishes/{id}")
            .summary("A wish")
            .path_parameters(&[ID])
            .answers::<Fulfilled>(200),
        Route::write("POST", "/v1/wishes").authenticated().summary("Makes one").takes::<Wish>(),
        Route::read("GET", "/v1/wishes/{id}/picture")
            .summary("Its picture")
            .path_parameters(&[ID])
            .answers_bytes(&["image/png"]),
    ];

    #[test]
    fn what_is_read_may_be_left_out_and_what_is_written_is_there() {
        let document = document([("wish", ROUTES)]);
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Wish"].get("required"), None);
        assert_eq!(schemas["Fulfilled"].get("required"), None, "left out where there is none");
        assert_eq!(schemas["Refusal"]["required"], json!(["error"]));
        assert_eq!(
            document["paths"]["/v1/wishes"]["post"]["requestBody"]["content"]["application/json"]["schema"],
            json!({ "$ref": "#/components/schemas/Wish" })
        );
    }

    #[test]
    fn statuses_follow_from_what_a_route_reads() {
        let document = document([("wish", ROUTES)]);
        let statuses = |path: &str, method: &str| -> Vec<String> {
            let responses = document["paths"][path][method]["responses"].as_object().expect("responses");
            responses.keys().cloned().collect()
        };
        let read = statuses("/v1/wishes/{id}", "get");
        assert_eq!(read, ["200", "400", "401", "404", "429", "500", "502", "503", "504"]);
        let written = statuses("/v1/wishes", "post");
        for status in ["204", "403", "408", "409", "413", "415", "422"] {
            assert!(
                written.iter().any(|one| one == status) && !read.iter().any(|one| one == status),
                "{status}"
            );
        }
        assert!(statuses("/v1/wishes/{id}/picture", "get").contains(&"304".to_owned()));
    }

    #[test]
    fn a_route_is_named_by_its_method_and_path() {
        assert_eq!(operation_id(&ROUTES[2]), "get_wishes_id_picture");
    }
}
