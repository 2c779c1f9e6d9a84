//! The registry as a program: what a container starts, and what its health check asks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const REGISTRY: &str = env!("CARGO_BIN_EXE_registry");
const TOKEN: &str = "of-this-test";

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn check(listen: &str) -> Output {
    Command::new(REGISTRY).args(["--check", "--listen", listen]).output().expect("it is built")
}

/// Starts a registry, and returns it with its address once it serves.
fn start(arguments: &[&str]) -> (Running, String) {
    let mut command = Command::new(REGISTRY);
    command.args(arguments).env("CLEAVE_TOKEN", TOKEN).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it is built");
    let mut output = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut output).expect("readable");
    let output: serde_json::Value = serde_json::from_str(&output).expect("one line of JSON");
    (Running(child), output["listen"].as_str().expect("an address").to_owned())
}

/// Sends a request to a registry, and returns its whole answer.
fn ask(listen: &str, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(listen).expect("it serves");
    let request = format!(
        "{line} HTTP/1.1\r\nhost: registry\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-cleave-token: {TOKEN}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

#[test]
fn it_is_ready_while_it_serves() {
    let (running, listen) = start(&[]);
    let listen = listen.as_str();
    assert!(listen.starts_with("127.0.0.1:"), "on loopback by default: {listen}");
    assert!(check(listen).status.success());
    drop(running);
    let late = check(listen);
    assert_eq!(late.status.code(), Some(1));
    let text = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(text.contains(&format!("no response from {listen}")), "{text}");
}

#[test]
fn a_killed_registry_that_is_started_again_knows_what_was_registered() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("registry-log");
    // It is not there in a first build.
    let _ = std::fs::remove_dir_all(&folder);
    let log = folder.join("registry.log");
    let flags = ["--log", log.to_str().expect("plain")];
    let (running, listen) = start(&flags);
    let body = r#"{"epoch":1,"addr":"127.0.0.1:4001"}"#;
    let answer = ask(&listen, "PUT /v1/services/photo/instances/p", body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // It is acknowledged before it is written.
    while !std::fs::read_to_string(&log).expect("it is there from the start").contains("photo") {
        std::thread::yield_now();
    }
    drop(running);
    let (_running, again) = start(&[&flags[..], &["--listen", listen.as_str()]].concat());
    assert_eq!(again, listen);
    let answer = ask(&listen, "GET /v1/services", "");
    assert!(answer.contains(r#""service":"photo","id":"p""#), "{answer}");
}

#[test]
fn a_log_that_is_another_file_is_refused_by_name() {
    let other = Path::new(env!("CARGO_TARGET_TMPDIR")).join("other.txt");
    std::fs::write(&other, "notes\n").expect("cargo's folder for it");
    let output = Command::new(REGISTRY).arg("--log").arg(&other).output().expect("it is built");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("other.txt is not a registry's log"), "{text}");
    assert_eq!(std::fs::read_to_string(&other).expect("it is there"), "notes\n");
}

#[test]
fn an_invalid_location_is_refused_with_an_example() {
    let output = Command::new(REGISTRY).args(["--registry", "registry"]).output().expect("it is built");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("invalid location `registry`") && text.contains("registry:7000"), "{text}");
}
