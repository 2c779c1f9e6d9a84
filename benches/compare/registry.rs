//! The registry with many instances: how soon watchers hear of a change, and what it costs.
//!
//!     cargo run --release --package benches --example registry -- --instances 10000 --watchers 100 --churn 100
//!
//! Registry, watchers and those who announce are in this one process, over loopback, as each other's neighbours would be. Every
//! lease is renewed each second, in batches as a process of several services does; `churn` instances a second are replaced.
//! A change carries the time at which it was sent: a watcher compares it with the time at which it has read the event.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use discovery::{Options, Registry};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use runtime::{ShutdownPolicy, Tasks, clock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use transport::serve;

const TOKEN: &str = "of-this-bench";
const SERVICES: [&str; 5] = ["profile", "follower", "feed", "search", "photo"];
/// Leases in a batch of renewals: the registry takes bodies of 64 KiB.
const BATCH: usize = 500;
/// Epochs from here on are times, us since the start.
const FIRST_TIME: u64 = 1_000;
/// The field that has the time of a change.
const EPOCH: &[u8] = br#""epoch":"#;

#[derive(Clone, Copy, Parser)]
struct Arguments {
    /// Instances registered, over five services.
    #[arg(long, default_value_t = 10_000)]
    instances: usize,
    /// Watchers of all services.
    #[arg(long, default_value_t = 100)]
    watchers: usize,
    /// Instances replaced each second: one deregistered, one registered.
    #[arg(long, default_value_t = 100)]
    churn: usize,
    /// How long, seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

fn main() {
    let arguments = Arguments::parse();
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    threads.expect("threads").block_on(measure(arguments));
}

/// Registered instances by number, with their epochs.
type Live = Arc<Mutex<BTreeMap<usize, u64>>>;

async fn measure(arguments: Arguments) {
    let (tasks, began) = (Tasks::new(), clock::now());
    let registry = Registry::open(Options::new(Arc::from(TOKEN))).expect("it keeps no log");
    registry.start(&tasks);
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    serve::serve(&tasks, listener, registry.router(), serve::Options::default());

    // Renewals come from now on, or the first leases lapse while the last instances register.
    let live = Live::default();
    tasks.spawn("renewals", ShutdownPolicy::Cancel, renew(tasks.clone(), addr, live.clone()));
    let mut announcing = connect(&tasks, addr).await;
    for number in 0..arguments.instances {
        register(&mut announcing, &live, number, 1).await;
    }
    println!("{} instances are registered", arguments.instances);

    let (to_us, mut heard) = mpsc::unbounded_channel();
    let (ready, mut is_ready) = mpsc::channel(arguments.watchers.max(1));
    for _ in 0..arguments.watchers {
        tasks.spawn("watcher", ShutdownPolicy::Cancel, watch(addr, began, to_us.clone(), ready.clone()));
    }
    for _ in 0..arguments.watchers {
        is_ready.recv().await.expect("watchers go on");
    }
    println!("{} watchers have the snapshot", arguments.watchers);

    let (cpu_before, load_began) = (cpu_ms(), clock::now());
    let replaced = churn(&mut announcing, &live, began, arguments).await;
    let length = clock::now() - load_began;
    let cpu = (cpu_ms() - cpu_before) as f64 / 1e3 / length.as_secs_f64();
    // What is on its way still arrives.
    tokio::time::sleep(Duration::from_millis(500)).await;

    let mut latencies_us: Vec<u64> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    latencies_us.sort_unstable();
    println!("{replaced} replaced in {:.1} s", length.as_secs_f64());
    println!("{} of {} heard of", latencies_us.len(), replaced * arguments.watchers);
    for (name, q) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let rank = (latencies_us.len() as f64 * q) as usize;
        let Some(us) = latencies_us.get(rank) else { continue };
        println!("{name} {:.2} ms from sent to read", *us as f64 / 1e3);
    }
    println!("{cpu:.2} cores, of registry, watchers and announcers together");
    println!("{} MiB (PSS), {} instances", pss_kib() / 1_024, registry.snapshot().instances.len());
    tasks.close();
    tasks.finish(Duration::from_secs(2)).await;
}

type Connection = SendRequest<Full<Bytes>>;

async fn connect(tasks: &Tasks, addr: SocketAddr) -> Connection {
    let stream = TcpStream::connect(addr).await.expect("the registry listens");
    stream.set_nodelay(true).expect("a socket option");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tasks.spawn("connection", ShutdownPolicy::Cancel, async move {
        // Its requests report how it ended.
        let _ = connection.await;
    });
    sender
}

async fn send(connection: &mut Connection, method: &str, path: &str, body: String) -> u16 {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "registry")
        .header("x-cleave-token", TOKEN)
        .header("content-type", "application/json")
        .body(Full::from(body))
        .expect("a request");
    connection.ready().await.expect("the connection is kept");
    let response = connection.send_request(request).await.expect("an answer");
    let status = response.status().as_u16();
    response.into_body().collect().await.expect("a whole answer");
    status
}

fn service_of(number: usize) -> &'static str {
    SERVICES[number % SERVICES.len()]
}

fn path_of(number: usize) -> String {
    format!("/v1/services/{}/instances/i{number}", service_of(number))
}

async fn register(connection: &mut Connection, live: &Live, number: usize, epoch: u64) {
    let port = 1_024 + number % 60_000;
    let body = format!(r#"{{"epoch":{epoch},"addr":"127.0.0.1:{port}"}}"#);
    assert_eq!(send(connection, "PUT", &path_of(number), body).await, 200, "instance {number}");
    live.lock().expect("no panic while held").insert(number, epoch);
}

/// Renews every lease once a second.
async fn renew(tasks: Tasks, addr: SocketAddr, live: Live) {
    let mut connection = connect(&tasks, addr).await;
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        let holder = |(number, epoch): (&usize, &u64)| {
            format!(r#"{{"service":"{}","id":"i{number}","epoch":{epoch}}}"#, service_of(*number))
        };
        let leases: Vec<String> = live.lock().expect("no panic while held").iter().map(holder).collect();
        for batch in leases.chunks(BATCH) {
            let body = format!(r#"{{"leases":[{}]}}"#, batch.join(","));
            assert_eq!(send(&mut connection, "POST", "/v1/renew", body).await, 200);
        }
    }
}

/// Replaces the oldest instances by new ones, evenly spread over each second.
async fn churn(connection: &mut Connection, live: &Live, began: Instant, arguments: Arguments) -> usize {
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / arguments.churn as f64));
    let replaced = arguments.churn * arguments.seconds as usize;
    for count in 0..replaced {
        tick.tick().await;
        live.lock().expect("no panic while held").remove(&count);
        assert_eq!(send(connection, "DELETE", &path_of(count), String::new()).await, 204);
        let epoch = FIRST_TIME + micros_since(began);
        register(connection, live, arguments.instances + count, epoch).await;
    }
    replaced
}

fn micros_since(began: Instant) -> u64 {
    clock::now().saturating_duration_since(began).as_micros() as u64
}

/// Reads a watch, and reports how long after it was sent each change was read.
async fn watch(addr: SocketAddr, began: Instant, to_us: mpsc::UnboundedSender<u64>, ready: mpsc::Sender<()>) {
    let mut stream = TcpStream::connect(addr).await.expect("the registry listens");
    stream.write_all(b"GET /v1/watch HTTP/1.1\r\nhost: registry\r\n\r\n").await.expect("a request");
    let mut text = Vec::with_capacity(64 * 1_024);
    let mut has_snapshot = false;
    while stream.read_buf(&mut text).await.is_ok_and(|read| read > 0) {
        let now = FIRST_TIME + micros_since(began);
        let mut rest = text.as_slice();
        // Digits that end with the bytes read so far may go on in the next.
        while let Some((epoch, after)) = next_epoch(rest) {
            if epoch >= FIRST_TIME {
                // Without a receiver the measurement is over.
                let _ = to_us.send(now.saturating_sub(epoch));
            }
            rest = after;
        }
        // A delta comes after the snapshot; the end of the snapshot is the end of an event.
        if !has_snapshot && text.ends_with(b"\n\n\r\n") {
            has_snapshot = true;
            // Without a receiver nothing waits for it.
            let _ = ready.send(()).await;
        }
        let kept = rest.len().min(EPOCH.len() + 24);
        text.drain(..text.len() - kept);
    }
}

/// The first whole epoch of a text, and what follows it.
fn next_epoch(text: &[u8]) -> Option<(u64, &[u8])> {
    let at = text.windows(EPOCH.len()).position(|window| window == EPOCH)? + EPOCH.len();
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = at + digits;
    // The byte after them shows that they are all.
    let number = std::str::from_utf8(text.get(at..end).filter(|_| end < text.len())?).ok()?;
    Some((number.parse().ok()?, &text[end..]))
}

/// CPU of this process since its start, ms.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // utime and stime, in hundredths of a second (proc_pid_stat(5)).
    fields[11..13].iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}

/// Proportional set size of this process, KiB.
fn pss_kib() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default()
}
