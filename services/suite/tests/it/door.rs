//! The gateway as a program: it listens before it knows any instance, and responds that none is known.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(addr: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(addr).expect("it listens");
    let head = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

#[test]
fn a_door_that_leads_nowhere_yet_refuses_in_a_sentence() {
    let data = tempfile::TempDir::new().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["--public", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is built");
    let mut output = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut output).expect("readable");
    let _running = Running(child);
    let output: serde_json::Value = serde_json::from_str(&output).expect("one line of JSON");
    let (listen, public) =
        (output["listen"].as_str().expect("a port"), output["public"].as_str().expect("a door"));
    assert!(get(listen, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(listen, "/metrics").contains("cleave_tokio_workers"));
    let refused = get(public, "/v1/photos/1");
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("\"message\""), "{refused}");
    assert!(get(public, "/metrics").starts_with("HTTP/1.1 404"), "what is inside is not for the public");
}
