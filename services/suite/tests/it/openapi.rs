//! The contract and the handlers agree: every route is described, and so is everything that routes answer to good and
//! to malformed requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use contract::Placement;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use suite::CATALOGUE;
use suite::door::contract;
use testkit::{Reply, Request, delete, get, patch, post, put};

use crate::application::Application;
use crate::people::{Account, PASSWORD, picture, sign_up};

/// All operations of a document, with path and method.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods");
            methods.iter().map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

#[test]
fn every_route_is_an_operation_with_a_name_and_a_summary_of_its_own() {
    let document = contract();
    let described: BTreeSet<(String, String)> = operations(&document)
        .iter()
        .map(|(path, method, _)| (method.to_ascii_uppercase(), (*path).to_owned()))
        .collect();
    let routes = CATALOGUE.iter().flat_map(|service| service.routes);
    let routes: BTreeSet<_> = routes.map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(described, routes);

    let (mut ids, mut summaries) = (BTreeSet::new(), BTreeSet::new());
    for (path, method, operation) in operations(&document) {
        let text = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
        assert!(ids.insert(text("operationId")), "{method} {path}: its id is another's");
        let summary = text("summary");
        assert!(!summary.is_empty() && summaries.insert(summary), "{method} {path}: no summary of its own");
        let parameters = operation["parameters"].as_array().expect("parameters");
        let of_path: Vec<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().expect("a name"))
            .collect();
        let of_template: Vec<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(of_path, of_template, "{method} {path}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = contract();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > CATALOGUE.len(), "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("into the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect_references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| collect_references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

/// A request that is still to be sent.
#[derive(Clone, PartialEq)]
struct Draft {
    method: String,
    path: String,
    id: Option<String>,
    query: Vec<(&'static str, &'static str)>,
    token: Option<String>,
    key: Option<String>,
    deadline: Option<&'static str>,
    body: Option<(&'static str, Vec<u8>)>,
}

impl Draft {
    fn into_request(self) -> Request {
        let mut path = self.path;
        if let (Some(id), Some((before, rest))) = (self.id, path.split_once('{')) {
            let (_, after) = rest.split_once('}').expect("a template");
            path = format!("{before}{}{after}", percent_encoded(&id));
        }
        let query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
        if !query.is_empty() {
            let _ = write!(path, "?{}", query.join("&"));
        }
        let mut request = match self.method.as_str() {
            "get" => get(path),
            "post" => post(path),
            "put" => put(path),
            "patch" => patch(path),
            "delete" => delete(path),
            other => panic!("no way to send {other}"),
        };
        if let Some(token) = self.token {
            request = request.token(token);
        }
        if let Some(key) = self.key {
            request = request.key(key);
        }
        if let Some(deadline) = self.deadline {
            request = request.header("x-deadline-ms", deadline);
        }
        match self.body {
            Some((media_type, bytes)) => request.body(media_type, bytes),
            None => request,
        }
    }

    /// Changes the JSON body, where there is one.
    fn change_body(&mut self, change: impl FnOnce(&mut Map<String, Value>)) {
        if let Some(("application/json", bytes)) = &mut self.body {
            let mut document: Map<String, Value> = serde_json::from_slice(bytes).expect("ours");
            change(&mut document);
            *bytes = serde_json::to_vec(&document).expect("plain data");
        }
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// Makes another request of one.
type Change = fn(&mut Draft);

/// What may be wrong, or at an edge, with a request.
const CHANGES: &[(&str, Change)] = &[
    ("as it should be", |_| {}),
    ("no token", |draft| draft.token = None),
    ("a forged token", |draft| draft.token = Some("a.b.c".into())),
    ("an unknown id", |draft| draft.id = draft.id.take().map(|_| "0000000000001".into())),
    ("a malformed id", |draft| draft.id = draft.id.take().map(|_| "über all/<>".into())),
    ("a key too long", |draft| draft.key = Some("k".repeat(500))),
    ("an empty key", |draft| draft.key = Some(String::new())),
    ("no time left", |draft| draft.deadline = Some("0")),
    ("a deadline that is no number", |draft| draft.deadline = Some("soon")),
    ("the smallest page", |draft| draft.query.push(("limit", "1"))),
    ("no page", |draft| draft.query.push(("limit", "0"))),
    ("too large a page", |draft| draft.query.push(("limit", "101"))),
    ("a page of no number", |draft| draft.query.push(("limit", "ten"))),
    ("a cursor of another make", |draft| draft.query.push(("cursor", "%%%"))),
    ("people", |draft| draft.query.push(("in", "people"))),
    ("no query", |draft| draft.query.clear()),
    ("odd words", |draft| draft.query = vec![("q", "heron \"* OR")]),
    ("among stones", |draft| draft.query.push(("in", "stones"))),
    ("long words", |draft| draft.query = vec![("caption", LONG), ("tags", LONG), ("q", LONG)]),
    ("a body of no JSON", |draft| {
        if let Some((_, bytes)) = &mut draft.body {
            *bytes = b"{".to_vec();
        }
    }),
    ("a body of another type", |draft| {
        if let Some((media_type, _)) = &mut draft.body {
            *media_type = "text/plain";
        }
    }),
    ("no body", |draft| draft.body = None),
    ("an empty object", |draft| draft.change_body(Map::clear)),
    ("a field too many", |draft| {
        draft.change_body(|fields| {
            fields.insert("shoe_size".into(), json!(44));
        });
    }),
    ("numbers for words", |draft| {
        draft.change_body(|fields| fields.values_mut().for_each(|value| *value = json!(7)));
    }),
    ("words too long", |draft| {
        draft.change_body(|fields| fields.values_mut().for_each(|value| *value = json!(LONG)));
    }),
];

/// Longer than any word may be.
const LONG: &str = match str::from_utf8(&[b'x'; 1_000]) {
    Ok(text) => text,
    Err(_) => "",
};

/// Accounts and a photo that one request is about.
struct Scene {
    handle: String,
    me: Account,
    other: Account,
    photo: String,
}

impl Scene {
    async fn make(application: &Application, number: usize) -> Self {
        let handle = format!("me_{number}");
        let me = sign_up(application, &handle).await;
        let other = sign_up(application, &format!("other_{number}")).await;
        let upload = post("/v1/photos?caption=a+heron&tags=bird").token(&me.token).key(&handle);
        let posted = upload.body("image/png", picture()).send_to(&application.rest).await.expect(201);
        Self { handle, me, other, photo: posted["id"].as_str().expect("an id").to_owned() }
    }

    /// A request that succeeds.
    fn draft(&self, path: &str, method: &str, operation: &Value) -> Draft {
        let id = if path.contains("{handle}") {
            Some(self.handle.clone())
        } else if path.starts_with("/v1/photos/{id}") {
            Some(self.photo.clone())
        } else {
            path.contains("{id}").then(|| self.other.id.clone())
        };
        let body = match operation["operationId"].as_str().expect("an id") {
            "post_users" => {
                let handle = format!("new_{}", self.handle);
                Some(json!({ "handle": handle, "name": "New", "password": PASSWORD, "bio": "born today" }))
            }
            "post_sessions" => Some(json!({ "handle": self.handle, "password": PASSWORD })),
            "patch_users_me" => Some(json!({ "name": "Ada", "bio": "counts" })),
            _ => None,
        };
        let body = body.map(|body| ("application/json", serde_json::to_vec(&body).expect("plain data")));
        Draft {
            method: method.to_owned(),
            path: path.to_owned(),
            id,
            query: if path == "/v1/search" { vec![("q", "heron")] } else { Vec::new() },
            token: Some(self.me.token.clone()),
            key: None,
            deadline: None,
            body: if path == "/v1/photos" { Some(("image/png", picture())) } else { body },
        }
    }
}

/// Whether a change makes another request of an operation's.
fn is_changed(path: &str, method: &str, operation: &Value, apply: Change) -> bool {
    let account = || Account { id: "0000000000002".into(), token: "t".into() };
    let scene = Scene { handle: "me".into(), me: account(), other: account(), photo: account().id };
    let good = scene.draft(path, method, operation);
    let mut draft = good.clone();
    apply(&mut draft);
    draft != good
}

/// Checks replies against what a document says of their operations.
struct Conformance<'d> {
    document: &'d Value,
    validators: BTreeMap<(String, u16), Validator>,
}

impl Conformance<'_> {
    fn check(&mut self, operation: &Value, reply: &Reply) -> Result<(), String> {
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        let response = &operation["responses"][reply.status.to_string()];
        if response.is_null() {
            return Err(format!("status {} is not described", reply.status));
        }
        let Some(content) = response["content"].as_object() else {
            return if reply.body.is_empty() { Ok(()) } else { Err("a body that is not described".into()) };
        };
        let media_type =
            reply.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("none");
        let described = content.get(media_type).ok_or_else(|| format!("media type {media_type}"))?;
        let Some(schema) = described.get("schema") else { return Ok(()) };
        let validator = self.validators.entry((id, reply.status)).or_insert_with(|| {
            let mut schema = schema.clone();
            schema["components"] = self.document["components"].clone();
            jsonschema::draft202012::new(&schema).expect("a valid schema")
        });
        let body: Value = serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?;
        let errors: Vec<String> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
        if errors.is_empty() { Ok(()) } else { Err(format!("{body}: {}", errors.join("; "))) }
    }
}

#[tokio::test]
async fn whatever_a_route_answers_is_described() {
    let document = contract();
    let mut number = 0;
    for (topology, placement) in [
        ("mono", json!({ "processes": { "app": ["gateway", "*"] } })),
        ("micro", json!({ "processes": { "each": ["*"] } })),
    ] {
        let placement: Placement = serde_json::from_value(placement).expect("a placement");
        let application = Application::open(&placement).await;
        let mut conformance = Conformance { document: &document, validators: BTreeMap::new() };
        let mut wrong = Vec::new();
        for (path, method, operation) in operations(&document) {
            let mut refused = 0;
            for (at, (change, apply)) in CHANGES.iter().enumerate() {
                if at > 0 && !is_changed(path, method, operation, *apply) {
                    continue;
                }
                number += 1;
                let scene = Scene::make(&application, number).await;
                let mut draft = scene.draft(path, method, operation);
                apply(&mut draft);
                let reply = draft.into_request().send_to(&application.rest).await;
                let name = format!("{topology}, {method} {path}, {change}");
                let is_success = (200..300).contains(&reply.status);
                refused += usize::from(!is_success);
                if at == 0 && !is_success {
                    wrong.push(format!("{name}: {} {}", reply.status, String::from_utf8_lossy(&reply.body)));
                }
                if reply.status == 500 {
                    wrong.push(format!("{name}: 500"));
                }
                if let Err(reason) = conformance.check(operation, &reply) {
                    wrong.push(format!("{name}: {reason}"));
                }
            }
            assert!(refused > 0, "{method} {path} took everything");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
