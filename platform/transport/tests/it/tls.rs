//! A port with a certificate: who is served there, who is not, and what handshakes may cost.

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use runtime::{ShutdownPolicy, Tasks};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use transport::Body;
use transport::serve::{self, ConnectionLimits, Listener, Server, StreamLimits};
use transport::tls::Tls;

use crate::pair::{PATIENCE, until};

// Of an authority of their own, for `localhost`, from 2020 to 2120. Made with `openssl ca`.
const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("certificates/server.pem");
const KEY: &[u8] = include_bytes!("certificates/server.key");
const OTHER_KEY: &[u8] = include_bytes!("certificates/other.key");

/// A certificate and a key in files, whose key only its owner may read.
struct Files {
    _folder: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(certificate: &[u8], key: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Self {
            certificate: folder.path().join("site.pem"),
            key: folder.path().join("site.key"),
            _folder: folder,
        };
        fs::write(&files.certificate, certificate).expect("written");
        fs::write(&files.key, key).expect("written");
        files.allow(0o600);
        files
    }

    fn allow(&self, mode: u32) {
        fs::set_permissions(&self.key, Permissions::from_mode(mode)).expect("it is ours");
    }

    /// What is wrong with them, with the causes.
    fn problem(&self) -> String {
        let error = Tls::from_files(&self.certificate, &self.key).expect_err("they are wrong");
        let first: &(dyn std::error::Error + 'static) = &error;
        let chain = std::iter::successors(Some(first), |error| error.source());
        chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}

fn tls() -> Tls {
    let files = Files::of(CERTIFICATE, KEY);
    Tls::from_files(&files.certificate, &files.key).expect("a pair")
}

/// A server that answers whether a request came over TLS, and a long answer at `/long`.
async fn served(tasks: &Tasks, tls: Tls, options: serve::Options) -> Server {
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let service = tower::service_fn(|request: Request<Body>| async move {
        let is_secured = request.body().peer().is_some_and(|peer| peer.is_secured);
        let answer = match request.uri().path() {
            "/long" => Body::full(vec![0_u8; 64 << 20]),
            _ => Body::full(format!("secured: {is_secured}")),
        };
        Ok::<_, Infallible>(Response::new(answer))
    });
    serve::serve(tasks, Listener::from(listener).with_tls(tls), service, options)
}

fn usual() -> serve::Options {
    serve::Options { drain_grace: Duration::from_millis(50), ..serve::Options::default() }
}

fn with_http2() -> serve::Options {
    serve::Options { http2: Some(StreamLimits::PUBLIC), ..usual() }
}

/// A client that asks for these protocols.
async fn connect(addr: SocketAddr, protocols: &[&str]) -> io::Result<TlsStream<TcpStream>> {
    shake_hands(TcpStream::connect(addr).await?, protocols).await
}

/// The same on a connection that is there. It trusts the authority.
async fn shake_hands(stream: TcpStream, protocols: &[&str]) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY).expect("PEM")).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(PATIENCE, handshake).await.expect("a handshake in time")
}

fn agreed(stream: &TlsStream<TcpStream>) -> Option<&str> {
    stream.get_ref().1.alpn_protocol().map(|name| std::str::from_utf8(name).expect("text"))
}

/// One exchange of HTTP/1.1 over a new connection.
async fn get(addr: SocketAddr) -> String {
    let mut stream = connect(addr, &["http/1.1"]).await.expect("a handshake");
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("written");
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .expect("closed")
        .expect("its end is announced");
    answer
}

/// Reads until the server closes, in time.
async fn is_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is as good as an end.
    let _end = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed");
    rest
}

#[tokio::test]
async fn requests_come_over_tls_and_are_known_to() {
    let tasks = Tasks::new();
    let server = served(&tasks, tls(), usual()).await;
    let answer = get(server.addr()).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("secured: true"), "{answer}");
    tasks.close();
}

#[tokio::test]
async fn http2_is_served_to_clients_that_ask_for_it_where_it_is_allowed() {
    let tasks = Tasks::new();
    let server = served(&tasks, tls(), with_http2()).await;
    let stream = connect(server.addr(), &["h2", "http/1.1"]).await.expect("a handshake");
    assert_eq!(agreed(&stream), Some("h2"));
    let (mut client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tasks.spawn("test.connection", ShutdownPolicy::Cancel, async move { connection.await.ok() });
    let request = Request::builder().uri("https://localhost/").body(Body::empty()).expect("a request");
    let response =
        timeout(PATIENCE, client.send_request(request)).await.expect("in time").expect("an answer");
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    let body = http_body_util::BodyExt::collect(response.into_body()).await.expect("whole").to_bytes();
    assert_eq!(body.as_ref(), b"secured: true");
    let plain = connect(server.addr(), &[]).await.expect("a handshake");
    assert_eq!(agreed(&plain), None);
    assert!(get(server.addr()).await.ends_with("secured: true"), "HTTP/1.1 as well");

    let without = served(&tasks, tls(), usual()).await;
    let stream = connect(without.addr(), &["h2", "http/1.1"]).await.expect("a handshake");
    assert_eq!(agreed(&stream), Some("http/1.1"));
    assert!(connect(without.addr(), &["h2"]).await.is_err(), "there is no protocol for both");
    tasks.close();
}

#[tokio::test]
async fn http2_that_was_not_agreed_on_is_not_served() {
    let tasks = Tasks::new();
    let server = served(&tasks, tls(), with_http2()).await;
    let mut stream = connect(server.addr(), &["http/1.1"]).await.expect("a handshake");
    stream.write_all(crate::frames::PREFACE).await.expect("written");
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("closed").expect("text");
    assert!(answer.starts_with("HTTP/1.1 505"), "{answer}");
    tasks.close();
}

#[tokio::test]
async fn what_begins_without_a_handshake_is_closed() {
    let tasks = Tasks::new();
    let server = served(&tasks, tls(), with_http2()).await;
    for plain in [&b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"[..], crate::frames::PREFACE] {
        let mut stream = TcpStream::connect(server.addr()).await.expect("it accepts");
        stream.write_all(plain).await.expect("written");
        let answer = is_closed(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1"), "{}", String::from_utf8_lossy(&answer));
    }
    assert!(get(server.addr()).await.starts_with("HTTP/1.1 200"));
    tasks.close();
}

#[tokio::test]
async fn a_handshake_that_is_not_over_in_time_is_closed() {
    let tasks = Tasks::new();
    let tls = tls().with_handshake_timeout(Duration::from_millis(100));
    let server = served(&tasks, tls, usual()).await;
    let mut silent = TcpStream::connect(server.addr()).await.expect("it accepts");
    let mut half = TcpStream::connect(server.addr()).await.expect("it accepts");
    // The head of a record with a ClientHello of 512 bytes (RFC 8446, section 5.1), and nothing of it.
    half.write_all(&[22, 3, 1, 2, 0, 1]).await.expect("written");
    is_closed(&mut silent).await;
    is_closed(&mut half).await;
    until("none of them is held", || server.connections() == 0).await;
    tasks.close();
}

#[tokio::test]
async fn handshakes_that_never_end_make_room_for_those_that_do() {
    let tasks = Tasks::new();
    let limits = ConnectionLimits { idle_per_address: Some(4), ..ConnectionLimits::SHARED };
    let server = served(&tasks, tls(), serve::Options { connection_limits: limits, ..usual() }).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.addr()).await.expect("it accepts");
        stream.write_all(&[22, 3, 1, 2, 0, 1]).await.expect("written");
        slow.push(stream);
    }
    until("the oldest have gone", || server.connections() <= 4).await;
    assert!(get(server.addr()).await.starts_with("HTTP/1.1 200"), "from the same address");
    is_closed(&mut slow[0]).await;
    tasks.close();
}

#[tokio::test]
async fn a_drain_waits_for_no_handshake() {
    let tasks = Tasks::new();
    let server = served(&tasks, tls(), usual()).await;
    let _half = TcpStream::connect(server.addr()).await.expect("it accepts");
    until("it is in", || server.connections() == 1).await;
    assert_eq!(timeout(PATIENCE, server.finish()).await.expect("in time"), 0, "none is cut off");
    tasks.close();
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let tasks = Tasks::new();
    let grace = policy::units::HumanDuration::from_millis(1_000);
    let rate = policy::MinimumRate { grace, bytes_per_s: 1 << 20 };
    let server = served(&tasks, tls(), serve::Options { read_rate: Some(rate), ..usual() }).await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4 * 1024).expect("a socket option");
    let narrow = socket.connect(server.addr()).await.expect("it accepts");
    let mut stream = shake_hands(narrow, &[]).await.expect("a handshake");
    stream.write_all(b"GET /long HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("written");
    until("it is in", || server.connections() == 1).await;
    until("it is out", || server.connections() == 0).await;
    tasks.close();
}

#[test]
fn what_is_wrong_with_a_certificate_or_a_key_is_reported_with_its_file() {
    let check = |files: &Files, parts: &[&str]| {
        let problem = files.problem();
        for part in parts {
            assert!(problem.contains(part), "{part} is missing in: {problem}");
        }
        let secret = KEY.split(|byte| *byte == b'\n').nth(1).expect("a line of it");
        assert!(!problem.contains(std::str::from_utf8(secret).expect("Base64")), "{problem}");
    };
    let right = Files::of(CERTIFICATE, KEY);
    Tls::from_files(&right.certificate, &right.key).expect("a pair");
    for mode in [0o644, 0o640, 0o604, 0o660] {
        right.allow(mode);
        check(&right, &["site.key` is open to others", &format!("with mode {mode:04o}"), "chmod 600"]);
    }
    right.allow(0o400);
    Tls::from_files(&right.certificate, &right.key).expect("its owner need not write it");

    check(&Files::of(CERTIFICATE, OTHER_KEY), &["site.key` is not that of the certificate `", "site.pem`"]);
    check(&Files::of(b"", KEY), &["site.pem` holds no certificate", "BEGIN CERTIFICATE"]);
    check(&Files::of(KEY, KEY), &["site.pem` holds no certificate"]);
    check(&Files::of(CERTIFICATE, CERTIFICATE), &["site.key` holds no key", "not encrypted"]);
    check(
        &Files::of(CERTIFICATE, &KEY[..KEY.len() / 2]),
        &["the key `", "site.key` is not valid PEM", "END"],
    );
    let garbled = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check(&Files::of(garbled, KEY), &["the certificate `", "site.pem` cannot be used"]);
    let garbled = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    check(&Files::of(CERTIFICATE, garbled), &["the key `", "site.key` cannot be used"]);
    let gone = Files::of(CERTIFICATE, KEY);
    fs::remove_file(&gone.certificate).expect("it is there");
    check(&gone, &["cannot read the certificate `", "site.pem`", "No such file"]);
}
