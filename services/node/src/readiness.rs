//! Probes whether the program at an address is ready, for containers' health checks, which have no shell and no curl.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

/// A program that has not answered by then is not ready.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Enough of an answer to see its status.
const MAX_ANSWER_BYTES: u64 = 64;

/// Asks `GET /readyz` at `listen`, and succeeds if it answers 200; prints why on standard error if not.
pub(crate) fn probe(listen: SocketAddr) -> ExitCode {
    match status(listen) {
        Ok(line) if line.starts_with("HTTP/1.1 200 ") => ExitCode::SUCCESS,
        Ok(line) => {
            eprintln!("not ready: {line}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("no response from {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The first line of its answer.
fn status(listen: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&connect_address(listen), PROBE_TIMEOUT)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

/// One that listens on all addresses is asked on loopback.
fn connect_address(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(addr) if addr.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, addr.port()).into(),
        SocketAddr::V6(addr) if addr.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, addr.port()).into(),
        addr => addr,
    }
}
