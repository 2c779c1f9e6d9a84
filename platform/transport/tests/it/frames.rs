//! HTTP/2 frame by frame (RFC 9113, section 4): what a well-behaved library would not send.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub const INTERNAL_ERROR: u32 = 2;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame as it was received.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The four bytes that begin at `at`: of RST_STREAM and GOAWAY an error code.
    pub fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }
}

/// A frame's bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block without compression: literal fields that are not indexed (RFC 7541, section 6.2.2).
pub fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "one byte of length");
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// One end of a connection.
pub struct Connection(pub TcpStream);

impl Connection {
    /// The next one that begins with HTTP/2.
    pub async fn accept(listener: &TcpListener) -> io::Result<Self> {
        let (mut stream, _) = listener.accept().await?;
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await?;
        assert_eq!(preface, PREFACE);
        let mut connection = Self(stream);
        connection.write(&frame(SETTINGS, 0, 0, &[])).await?;
        Ok(connection)
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    pub async fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let mut payload = vec![0; number(&head[..3]) as usize];
        self.0.read_exact(&mut payload).await?;
        Ok(Frame { kind: head[3], flags: head[4], stream: number(&head[5..]), payload })
    }

    /// The next frame of a kind; the others are skipped.
    pub async fn read_until(&mut self, kind: u8) -> io::Result<Frame> {
        loop {
            let frame = self.read().await?;
            if frame.kind == kind {
                return Ok(frame);
            }
        }
    }

    /// The stream of the next call that is here as a whole.
    pub async fn next_call(&mut self) -> io::Result<u32> {
        loop {
            let frame = self.read().await?;
            if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
                return Ok(frame.stream);
            }
        }
    }

    /// `:status: 200`, which has a number of its own (RFC 7541, appendix A), and a body.
    pub async fn answer(&mut self, stream: u32, body: &[u8]) -> io::Result<()> {
        let head = frame(HEADERS, END_HEADERS, stream, &[0x88]);
        self.write(&[head, frame(DATA, END_STREAM, stream, body)].concat()).await
    }

    pub async fn reset(&mut self, stream: u32, code: u32) -> io::Result<()> {
        self.write(&frame(RST_STREAM, 0, stream, &code.to_be_bytes())).await
    }

    /// Announces the end: streams up to `last` were acted on, and no others.
    pub async fn go_away(&mut self, last: u32) -> io::Result<()> {
        self.write(&frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())).await
    }

    /// Ends it, and waits for the other side to do the same.
    pub async fn close(mut self) -> io::Result<()> {
        self.0.shutdown().await?;
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.map(drop)
    }
}
