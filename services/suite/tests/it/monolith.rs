//! The monolith as a program: all services behind one public port, in one process with one database.

use serde_json::json;

use crate::people::PASSWORD;
use crate::program::{Program, get, json_of, post};

#[test]
fn the_whole_application_serves_as_one_program() {
    let monolith = Program::start(env!("CARGO_BIN_EXE_monolith"));
    assert!(get(&monolith.listen, "/readyz").starts_with("HTTP/1.1 200"));

    let new = json!({ "handle": "grace", "name": "Grace", "password": PASSWORD });
    let opened = post(&monolith.public, "/v1/users", "grace", &new);
    assert!(opened.starts_with("HTTP/1.1 201"), "{opened}");
    let user = json_of(&opened)["user"]["id"].as_str().expect("an id").to_owned();
    let profile = json_of(&get(&monolith.public, &format!("/v1/users/{user}")));
    assert_eq!(profile["handle"], "grace");

    // The contract has a route of every service, and each is behind this port.
    let contract = json_of(&get(&monolith.public, "/v1/openapi.json"));
    let paths = contract["paths"].as_object().expect("a table");
    assert!(paths.len() > 10, "{paths:?}");
    for (path, methods) in paths {
        if methods.get("get").is_some() {
            let names = path.split('/').map(|name| if name.starts_with('{') { "1" } else { name });
            let answer = get(&monolith.public, &names.collect::<Vec<_>>().join("/"));
            assert!(!answer.starts_with("HTTP/1.1 5"), "no component answers {path}: {answer}");
        }
    }
    assert!(get(&monolith.public, "/metrics").starts_with("HTTP/1.1 404"), "what is inside is not public");
}
