//! The suite as `compose.yaml` starts it, without a container engine: seven programs, each given its own by
//! the environment written there, that find each other and serve one application through the door.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::setup::{PARTS, environment};

/// Long enough for a loaded machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A part that runs; gone at the end of the test.
struct Part {
    child: Child,
    program: PathBuf,
    listen: SocketAddr,
    public: Option<SocketAddr>,
    _data: TempDir,
}

impl Part {
    /// Starts it as its container would be: on all addresses, but on a port that is free.
    fn start(name: &str, registry: Option<SocketAddr>) -> Self {
        let program = program(name);
        let data = TempDir::new().expect("a folder");
        let mut command = Command::new(&program);
        command.env("CLEAVE_DATA", data.path());
        for (variable, value) in environment(name) {
            match variable.as_str() {
                "CLEAVE_LISTEN" | "CLEAVE_PUBLIC" => {
                    let host = value.rsplit_once(':').expect("a port").0;
                    command.env(variable, format!("{host}:0"));
                }
                "CLEAVE_REGISTRY" => {
                    assert_eq!(value, "registry:7100", "{name} looks for the registry under its name");
                    command.env(variable, registry.expect("it was started first").to_string());
                }
                // There is no collector of that name here.
                "OTEL_EXPORTER_OTLP_ENDPOINT" => {}
                _ => {
                    command.env(variable, value);
                }
            }
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it is built");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
        let stated: Value =
            serde_json::from_str(&line).unwrap_or_else(|why| panic!("{name}: {why}: {line:?}"));
        let addr = |key: &str| stated[key].as_str().map(|text| here(text.parse().expect("an address")));
        let listen = addr("listen").expect("it listens");
        Self { child, program, listen, public: addr("public"), _data: data }
    }

    /// What its container's health check finds.
    fn is_healthy(&self) -> bool {
        let mut check = Command::new(&self.program);
        check.arg("--check").env("CLEAVE_LISTEN", self.listen.to_string()).stderr(Stdio::null());
        check.status().expect("it is built").success()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program is built beside ours.
fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_grafana")).with_file_name(name)
}

/// What listens on all addresses, on loopback.
fn here(addr: SocketAddr) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, addr.port()).into()
}

/// One request, until there is room for it: on a busy machine the two seconds of a route may be over before its answer. Writes
/// have a key, and one effect. Status and body.
fn ask(addr: SocketAddr, method: &str, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
    wait_for(&format!("an answer to {method} {path}"), || {
        let answer = ask_once(addr, method, path, token, body);
        (!matches!(answer.0, 408 | 409 | 503 | 504)).then_some(answer)
    })
}

fn ask_once(addr: SocketAddr, method: &str, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let token = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         idempotency-key: {method}-{}\r\ncontent-length: {}\r\n{token}\r\n",
        path.replace('/', "-"),
        body.len()
    );
    let mut stream = TcpStream::connect(addr).expect("it listens");
    stream.write_all((head + &body).as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let until = runtime::clock::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(runtime::clock::now() < until, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_suite_of_containers_serves_one_application() {
    let missing: Vec<&str> = PARTS.into_iter().filter(|name| !program(name).exists()).collect();
    if !missing.is_empty() {
        println!("skipped: {} not built here; `cargo test --workspace` builds all", missing.join(", "));
        return;
    }
    let registry = Part::start("registry", None);
    wait_for("the registry to be healthy", || registry.is_healthy().then_some(()));
    let others: Vec<Part> =
        PARTS.into_iter().skip(1).map(|name| Part::start(name, Some(registry.listen))).collect();
    wait_for("every part to be healthy", || others.iter().all(Part::is_healthy).then_some(()));

    let (status, known) = ask(registry.listen, "GET", "/v1/services", None, &Value::Null);
    assert_eq!(status, 200);
    let text = known.to_string();
    assert!(
        text.contains("127.0.0.1:") && !text.contains("0.0.0.0"),
        "announced where they are reached: {text}"
    );

    let door = others[0].public.expect("the gateway has a public port");
    let account = json!({ "handle": "ada", "password": "correct horse battery", "name": "Ada" });
    let made = wait_for("the door to know the profiles", || {
        let (status, made) = ask(door, "POST", "/v1/users", None, &account);
        (status == 201).then_some(made)
    });
    let credentials = json!({ "handle": "ada", "password": "correct horse battery" });
    let (_, session) = ask(door, "POST", "/v1/sessions", None, &credentials);
    let token = session["token"].as_str().unwrap_or_else(|| panic!("{made} {session}"));
    let (status, feed) = ask(door, "GET", "/v1/feed?limit=3", Some(token), &Value::Null);
    assert_eq!((status, feed["items"].as_array().map(Vec::len)), (200, Some(0)), "{feed}");
    // Search has heard of it from profile: an event between two databases.
    wait_for("search to find the account", || {
        let (_, found) = ask(door, "GET", "/v1/search?q=ada&in=people", Some(token), &Value::Null);
        found.to_string().contains("\"ada\"").then_some(())
    });

    let mut dead = others.into_iter().next().expect("the gateway");
    dead.child.kill().expect("it is ours");
    dead.child.wait().expect("it ends");
    assert!(!dead.is_healthy(), "a dead part is not healthy");
}
