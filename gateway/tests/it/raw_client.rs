//! A client that sends exactly the bytes it is given, and notices how the answer ends.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Waiting longer than this for anything is a failure. Less than the 30 s that a patient route gives.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// An answer, and whether it came to its proper end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub whole: bool,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The code of a refusal: `{"error":{"code"}}`.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A connection that is kept.
pub struct RawConnection {
    stream: TcpStream,
    ahead: Vec<u8>,
}

impl RawConnection {
    pub async fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("connects");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, ahead: Vec::new() }
    }

    /// From another address of this machine.
    pub async fn open_from(from: IpAddr, addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("all of 127.0.0.0/8 is this machine");
        let stream = socket.connect(addr).await.expect("connects");
        Self { stream, ahead: Vec::new() }
    }

    /// One that takes in no more than a few kilobytes before it reads.
    pub async fn open_narrow(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4 * 1024).expect("a socket option");
        let stream = socket.connect(addr).await.expect("connects");
        Self { stream, ahead: Vec::new() }
    }

    /// The first line of what has come, which is then gone as far as its head; an interim answer counts.
    pub async fn first_line(&mut self) -> String {
        self.receive_head().await;
        let head = String::from_utf8_lossy(&self.ahead).into_owned();
        if head.starts_with("HTTP/1.1 100") {
            let end = find(&self.ahead, b"\r\n\r\n").expect("a head") + 4;
            self.ahead.drain(..end);
        }
        head.lines().next().unwrap_or_default().to_owned()
    }

    pub async fn send(&mut self, raw: impl AsRef<[u8]>) {
        self.stream.write_all(raw.as_ref()).await.expect("writes");
    }

    /// The next answer; `None` when the connection ended without one.
    pub async fn receive(&mut self, to_head: bool) -> Option<Answer> {
        timeout(TIMEOUT, self.answer(to_head)).await.expect("an answer in time")
    }

    /// Waits until the head of the next answer is here; it is not taken.
    pub async fn receive_head(&mut self) {
        let head = async { while find(&self.ahead, b"\r\n\r\n").is_none() && self.more().await {} };
        timeout(TIMEOUT, head).await.expect("a head in time");
    }

    async fn answer(&mut self, to_head: bool) -> Option<Answer> {
        let end = loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                break end;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
        self.ahead.drain(..end + 4);
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        if status == 100 {
            return Box::pin(self.answer(to_head)).await;
        }
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let head: Vec<_> =
            fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        let mut answer = Answer { status, head, body: Vec::new(), whole: true };
        if to_head || status == 204 || status == 304 {
            return Some(answer);
        }
        if answer.field("transfer-encoding") == Some("chunked") {
            answer.whole = self.chunks(&mut answer.body).await;
        } else {
            let length =
                answer.field("content-length").and_then(|l| l.parse().ok()).expect("a framed answer");
            while self.ahead.len() < length && self.more().await {}
            let here = self.ahead.len().min(length);
            answer.body = self.ahead.drain(..here).collect();
            answer.whole = here == length;
        }
        Some(answer)
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(end) = find(&self.ahead, b"\r\n") else {
                if self.more().await {
                    continue;
                }
                return false;
            };
            let size = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size");
            while self.ahead.len() < end + 2 + size + 2 {
                if !self.more().await {
                    return false;
                }
            }
            self.ahead.drain(..end + 2);
            body.extend(self.ahead.drain(..size));
            self.ahead.drain(..2);
            if size == 0 {
                return true;
            }
        }
    }

    /// Whether the other side has closed.
    pub async fn is_closed(&mut self) -> bool {
        self.ahead.is_empty() && !timeout(TIMEOUT, self.more()).await.expect("an end in time")
    }

    /// Reads on; `false` at the end, however it came about.
    async fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.ahead.extend_from_slice(&buffer[..n]);
                true
            }
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// One exchange on one connection.
pub async fn exchange(addr: SocketAddr, raw: impl AsRef<[u8]>) -> Answer {
    let raw = raw.as_ref();
    let mut line = RawConnection::open(addr).await;
    line.send(raw).await;
    line.receive(raw.starts_with(b"HEAD ")).await.expect("an answer")
}

/// A well-formed request with these header lines, each ending in CRLF.
pub fn request(method: &str, path: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() && method != "POST" {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let mut raw = format!("{method} {path} HTTP/1.1\r\nhost: cleave\r\n{fields}{length}\r\n").into_bytes();
    raw.extend_from_slice(body);
    raw
}

pub async fn get(addr: SocketAddr, path: &str) -> Answer {
    exchange(addr, request("GET", path, "", b"")).await
}

pub async fn post(addr: SocketAddr, path: &str, fields: &str, body: &[u8]) -> Answer {
    exchange(addr, request("POST", path, fields, body)).await
}
