//! The registry as a program: what a container starts, and what its health check asks.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

const REGISTRY: &str = env!("CARGO_BIN_EXE_registry");

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

#[test]
fn it_is_ready_while_it_serves() {
    let mut child = Command::new(REGISTRY).stdout(Stdio::piped()).spawn().expect("it is built");
    let mut output = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut output).expect("readable");
    let running = Running(child);
    let output: serde_json::Value = serde_json::from_str(&output).expect("one line of JSON");
    let listen = output["listen"].as_str().expect("an address");
    assert!(listen.starts_with("127.0.0.1:"), "on loopback by default: {listen}");
    assert!(check(listen).status.success());
    drop(running);
    let late = check(listen);
    assert_eq!(late.status.code(), Some(1));
    let text = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(text.contains(&format!("no response from {listen}")), "{text}");
}

#[test]
fn an_invalid_location_is_refused_with_an_example() {
    let output = Command::new(REGISTRY).args(["--registry", "registry"]).output().expect("it is built");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("invalid location `registry`") && text.contains("registry:7000"), "{text}");
}
