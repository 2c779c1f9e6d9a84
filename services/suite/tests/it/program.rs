//! A program of this crate as a child, and plain requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A program that serves until the end of the test.
pub struct Program {
    /// Its internal address.
    pub listen: String,
    /// Its public address.
    pub public: String,
    child: Child,
    _data: TempDir,
}

impl Program {
    /// Starts it and reads where it serves.
    pub fn start(path: &str) -> Self {
        let data = TempDir::new().expect("a folder");
        let mut child = Command::new(path)
            .args(["--public", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it is built");
        let mut output = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut output).expect("readable");
        let output: serde_json::Value = serde_json::from_str(&output).expect("one line of JSON");
        let address = |key: &str| output[key].as_str().expect("an address").to_owned();
        Self { listen: address("listen"), public: address("public"), child, _data: data }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The whole answer to a request without a body.
pub fn get(addr: &str, path: &str) -> String {
    send(addr, &format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"))
}

/// The whole answer to a write of JSON; `key` makes it safe to repeat.
pub fn post(addr: &str, path: &str, key: &str, json: &serde_json::Value) -> String {
    let body = json.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    send(addr, &(head + &body))
}

/// The JSON of an answer.
pub fn json_of(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).unwrap_or_else(|why| panic!("{why} in {head}\n\n{body}"))
}

fn send(addr: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}
