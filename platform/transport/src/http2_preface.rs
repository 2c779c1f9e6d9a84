//! The answer to a client that speaks HTTP/2 from its first byte: that version is not served here.
//!
//! hyper ends such a connection without a word, which looks to its client like a server that has crashed.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, Write};
use tokio::time::timeout;

/// RFC 9110, section 15.6.6.
const ANSWER: &[u8] =
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// How long the client may take to see the answer: what it has sent meanwhile is read, or the kernel would reset the
/// connection and the answer with it (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are read for that.
const LINGER_BYTES: usize = 64 * 1024;

/// Answers 505, and waits for the client to close. A client that has left already makes it fail, which is its own end.
pub(crate) async fn refuse(mut io: impl Read + Write + Unpin) {
    let _ended = timeout(LINGER, async {
        write(&mut io, ANSWER).await?;
        poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await?;
        drain(&mut io).await
    })
    .await;
}

async fn write(io: &mut (impl Write + Unpin), mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match poll_fn(|cx| Pin::new(&mut *io).poll_write(cx, bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
}

/// Reads to the end, or as many bytes as may be.
async fn drain(io: &mut (impl Read + Unpin)) -> io::Result<()> {
    let mut left = LINGER_BYTES;
    while left > 0 {
        let mut space = [MaybeUninit::uninit(); 1_024];
        let mut buffer = ReadBuf::uninit(&mut space);
        poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, buffer.unfilled())).await?;
        let read = buffer.filled().len();
        if read == 0 {
            break;
        }
        left = left.saturating_sub(read);
    }
    Ok(())
}
