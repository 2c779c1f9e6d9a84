//! What hostile clients do: they are slow, hasty, or heavy.

use std::future::Future;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runtime::{ShutdownPolicy, Tasks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::setting;
use super::writers::{until_answered, with_comment};
use crate::routes::{bomb, sign_up};
use crate::up::Suite;

/// Clients of each flood: each has one request under way, and sends the next as soon as it is answered.
const FLOODERS: usize = 12;
/// Between two bytes of a slow client.
const DRIP: Duration = Duration::from_millis(300);
/// An original of some 6 MiB, in comments of a JPEG.
const COMMENTS: usize = 100;

/// What is attacked, from where, and with what.
pub(super) struct Target {
    addr: SocketAddr,
    from: Ipv4Addr,
    token: String,
    /// Log-ins so far: each is of another account.
    log_ins: AtomicUsize,
    /// Where a large original is.
    original: String,
    bombs: [Vec<u8>; 2],
}

/// A connection that takes in no more than a few kilobytes before it reads.
async fn connect(target: &Target) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((target.from, 0).into())?;
    socket.set_recv_buffer_size(4 * 1024)?;
    socket.connect(target.addr).await
}

/// Sends the beginning, and then a byte now and then, until the other side has had enough.
async fn drip(target: &Target, beginning: &[u8]) -> std::io::Result<()> {
    let mut stream = connect(target).await?;
    stream.write_all(beginning).await?;
    loop {
        let mut byte = [0];
        match tokio::time::timeout(DRIP, stream.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => return Ok(()),
            // Answered; it has not been asked for.
            Ok(Ok(_)) => {}
            Err(_) => stream.write_all(b"x").await?,
        }
    }
}

/// Sends a request and reads all of the reply.
async fn exchange(target: &Target, request: &[u8]) -> std::io::Result<()> {
    let mut stream = connect(target).await?;
    stream.write_all(request).await?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.map(drop)
}

async fn slow_headers(target: Arc<Target>) {
    let _cut_off = drip(&target, b"GET /v1/feed HTTP/1.1\r\nhost: a\r\nx-a").await;
}

async fn slow_bodies(target: Arc<Target>) {
    let head = b"POST /v1/sessions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{";
    let _cut_off = drip(&target, head).await;
}

async fn slow_uploads(target: Arc<Target>) {
    let mut upload = format!(
        "POST /v1/photos HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: image/png\r\ncontent-length: 1000000\r\n\r\n",
        target.token
    )
    .into_bytes();
    upload.extend(std::iter::repeat_n(b'x', 100_000));
    let _cut_off = drip(&target, &upload).await;
}

async fn slow_readers(target: Arc<Target>) {
    let request = format!("GET {} HTTP/1.1\r\nhost: a\r\n\r\n", target.original);
    let reading = async {
        let mut stream = connect(&target).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = [0; 16];
        while stream.read(&mut bytes).await? > 0 {
            tokio::time::sleep(DRIP).await;
        }
        Ok::<_, std::io::Error>(())
    };
    let _cut_off = reading.await;
}

async fn hasty_reads(target: Arc<Target>) {
    let request = format!(
        "GET /v1/feed HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\nx-deadline-ms: 5\r\nconnection: close\r\n\r\n",
        target.token
    );
    let _late = exchange(&target, request.as_bytes()).await;
}

/// Each is of an account that does not exist, which costs as much as one that does.
async fn hasty_log_ins(target: Arc<Target>) {
    let number = target.log_ins.fetch_add(1, Ordering::Relaxed);
    let body = format!("{{\"handle\":\"stranger{number}\",\"password\":\"a guess of mine\"}}");
    let request = format!(
        "POST /v1/sessions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nx-deadline-ms: 5\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _late = exchange(&target, request.as_bytes()).await;
}

/// Failures of a client's own: their answers are held back after a while.
async fn refused_sign_ups(target: Arc<Target>) {
    let body = "{\"handle\":\"!\",\"name\":\"n\",\"password\":\"a guess of mine\"}";
    let request = format!(
        "POST /v1/users HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _refused = exchange(&target, request.as_bytes()).await;
}

/// Asks once, and keeps the connection for as long as it may.
async fn idle_connections(target: Arc<Target>) {
    let _closed = exchange(&target, b"GET /v1/nothing HTTP/1.1\r\nhost: a\r\n\r\n").await;
}

async fn bombs(target: Arc<Target>) {
    for bomb in &target.bombs {
        let mut upload = format!(
            "POST /v1/photos HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: image/png\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            target.token,
            bomb.len()
        )
        .into_bytes();
        upload.extend_from_slice(bomb);
        let _refused = exchange(&target, &upload).await;
    }
}

/// A PNG of one colour, 27 MB once decoded and 27 KB before.
fn deep_bomb() -> Vec<u8> {
    let side = 3_000_usize;
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..side {
        packed.write_all(&vec![0; 1 + side * 3]).expect("memory");
    }
    let packed = packed.finish().expect("memory");
    let chunk = |kind: &[u8], content: &[u8]| {
        let checked = [kind, content].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&checked);
        let length = u32::try_from(content.len()).expect("short").to_be_bytes();
        [&length[..], &checked, &crc.sum().to_be_bytes()].concat()
    };
    let pixels = u32::try_from(side).expect("small").to_be_bytes();
    let header = [&pixels[..], &pixels, &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &packed), chunk(b"IEND", b"")]
        .concat()
}

/// Goes on with an attack on so many connections until it is dropped.
fn attack<F>(tasks: &Tasks, target: &Arc<Target>, count: usize, one: fn(Arc<Target>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for _ in 0..count {
        let target = target.clone();
        tasks.spawn("test.hostile", ShutdownPolicy::Cancel, async move {
            loop {
                one(target.clone()).await;
                // A connection that is refused at once is not made again in the same moment.
                tokio::task::yield_now().await;
            }
        });
    }
}

/// Attacks by name, with as many clients as a whole crowd has of them.
const ATTACKS: [(&str, usize); 9] = [
    ("slow headers", 500),
    ("slow bodies", 700),
    ("slow uploads", 40),
    ("slow readers", 600),
    ("idle connections", 1_000),
    ("refused sign-ups", FLOODERS),
    ("5 ms deadlines", FLOODERS),
    ("log-ins in 5 ms", FLOODERS),
    ("bombs", FLOODERS),
];
/// Per cent of the slow clients of a crowd where nothing else is asked for; `CLEAVE_TORTURE_CROWD` is.
const CROWD_PERCENT: usize = 10;

/// Names of all attacks.
pub(super) fn names() -> Vec<&'static str> {
    ATTACKS.iter().map(|(name, _)| *name).collect()
}

/// Begins an attack, which goes on until the tasks close. Returns how many clients it has.
pub(super) fn begin(name: &str, tasks: &Tasks, target: &Arc<Target>) -> usize {
    let crowd = ATTACKS.iter().find(|(known, _)| *known == name).expect("one of the list").1;
    let percent = setting("CROWD").unwrap_or(CROWD_PERCENT);
    let count = if crowd == FLOODERS { crowd } else { (crowd * percent).div_ceil(100) };
    match name {
        "slow headers" => attack(tasks, target, count, slow_headers),
        "slow bodies" => attack(tasks, target, count, slow_bodies),
        "slow uploads" => attack(tasks, target, count, slow_uploads),
        "slow readers" => attack(tasks, target, count, slow_readers),
        "idle connections" => attack(tasks, target, count, idle_connections),
        "refused sign-ups" => attack(tasks, target, count, refused_sign_ups),
        "5 ms deadlines" => attack(tasks, target, count, hasty_reads),
        "log-ins in 5 ms" => attack(tasks, target, count, hasty_log_ins),
        _ => attack(tasks, target, count, bombs),
    }
    count
}

impl Target {
    /// A suite, attacked from an address: all of 127.0.0.0/8 is this machine.
    pub fn new(suite: &Suite, from: Ipv4Addr) -> Self {
        let (client, _) = sign_up(&suite.guest(), "hostile");
        let mut file = pictures::jpeg(3).to_vec();
        for number in 0..COMMENTS {
            let mut comment = vec![b'x'; 60_000];
            comment[..8].copy_from_slice(&number.to_be_bytes());
            file = with_comment(&file, &comment);
        }
        let headers = [("content-type", "image/jpeg"), ("idempotency-key", "large")];
        let post = || client.try_send("POST", "/v1/photos?caption=large", &headers, &file).ok();
        let photo = until_answered(post).expect("an answer").expect(201);
        let id = photo["id"].as_str().expect("an id");
        Self {
            addr: client.addr,
            from,
            token: client.token.expect("signed in"),
            log_ins: AtomicUsize::new(0),
            original: format!("/v1/photos/{id}/original"),
            bombs: [bomb(), deep_bomb()],
        }
    }
}
