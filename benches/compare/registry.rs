//! The registry with many instances: how soon watchers hear of a change, and what it costs.
//!
//!     cargo run --release --package benches --features compare --example registry -- --instances 10000 --watchers 100 --churn 100
//!
//! Registry, watchers and those who announce are in this one process, over loopback, as each other's neighbours would be. Every
//! lease is renewed each second, in batches as a process of several services does; `churn` instances a second are replaced.
//! A change carries the time at which it was sent: a watcher compares it with the time at which it has read the event. The
//! registry has threads of its own, so that its CPU is counted apart from that of the others. The figures are one JSON document on
//! standard output.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use discovery::{LogOptions, Options, Registry};
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
    /// Keep a log, as the registry of an arm does.
    #[arg(long)]
    log: bool,
}

/// Name of the registry's threads, and of none else: this program's main thread is `registry`.
const REGISTRY_THREAD: &str = "of-registry";
/// Threads of the registry: as many as a process of an arm has by default.
const REGISTRY_WORKERS: usize = 2;

fn main() {
    let arguments = Arguments::parse();
    let of_registry = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(REGISTRY_WORKERS)
        .thread_name(REGISTRY_THREAD)
        // Threads that come and go take their CPU figures with them.
        .thread_keep_alive(Duration::from_secs(3_600))
        .enable_all()
        .build();
    let of_registry = of_registry.expect("threads");
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    threads.expect("threads").block_on(measure(arguments, &of_registry));
}

/// Registered instances by number, with their epochs.
type Live = Arc<Mutex<BTreeMap<usize, u64>>>;

async fn measure(arguments: Arguments, of_registry: &tokio::runtime::Runtime) {
    let (tasks, began) = (Tasks::new(), clock::now());
    let folder = tempfile::tempdir().expect("a folder");
    let log = LogOptions::at(folder.path().join("registry.log"));
    let options = Options { log: arguments.log.then(|| log.clone()), ..Options::new(Arc::from(TOKEN)) };
    let registry = Registry::open(options).expect("a folder of ours");
    let addr = start(&tasks, &registry, of_registry);

    // Renewals come from now on, or the first leases lapse while the last instances register.
    let live = Live::default();
    tasks.spawn("renewals", ShutdownPolicy::Cancel, renew(tasks.clone(), addr, live.clone()));
    let mut announcing = connect(&tasks, addr).await;
    for number in 0..arguments.instances {
        register(&mut announcing, &live, number, 1).await;
    }
    eprintln!("{} instances are registered", arguments.instances);

    let (to_us, mut heard) = mpsc::unbounded_channel();
    let (ready, mut is_ready) = mpsc::channel(arguments.watchers.max(1));
    for _ in 0..arguments.watchers {
        tasks.spawn("watcher", ShutdownPolicy::Cancel, watch(addr, began, to_us.clone(), ready.clone()));
    }
    for _ in 0..arguments.watchers {
        is_ready.recv().await.expect("watchers go on");
    }
    eprintln!("{} watchers have the snapshot", arguments.watchers);

    let (before, load_began) = (Cpu::now(), clock::now());
    let replaced = churn(&mut announcing, &live, began, arguments).await;
    let (after, seconds) = (Cpu::now(), (clock::now() - load_began).as_secs_f64());
    // What is on its way still arrives.
    tokio::time::sleep(Duration::from_millis(500)).await;

    let mut latencies_us: Vec<u64> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    latencies_us.sort_unstable();
    let quantile_ms = |q: f64| {
        let rank = (latencies_us.len() as f64 * q) as usize;
        latencies_us.get(rank).map(|us| *us as f64 / 1e3)
    };
    let figures = serde_json::json!({
        "instances": arguments.instances,
        "watchers": arguments.watchers,
        "churn_per_s": arguments.churn,
        "log": arguments.log,
        "seconds": seconds,
        "replaced": replaced,
        // Every watcher reads every registration once.
        "events_read": latencies_us.len(),
        "events_expected": replaced * arguments.watchers,
        // From sending the registration to reading its event.
        "propagation_ms_p50": quantile_ms(0.5),
        "propagation_ms_p99": quantile_ms(0.99),
        "propagation_ms_p999": quantile_ms(0.999),
        "registry_cores": (after.registry_s - before.registry_s) / seconds,
        "all_cores": (after.all_s - before.all_s) / seconds,
        // Of registry, watchers and announcers; the most was needed when all watchers asked for a snapshot at once.
        "pss_mib": of_self_kib("smaps_rollup", "Pss:") as f64 / 1_024.0,
        "peak_rss_mib": of_self_kib("status", "VmHWM:") as f64 / 1_024.0,
        "log_kib": std::fs::metadata(&log.path).map_or(0.0, |file| file.len() as f64 / 1_024.0),
        "listed": registry.snapshot().instances.len(),
    });
    println!("{figures:#}");
    tasks.close();
    tasks.finish(Duration::from_secs(2)).await;
}

/// Starts the registry on its threads, and returns its address.
fn start(tasks: &Tasks, registry: &Registry, threads: &tokio::runtime::Runtime) -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a socket option");
    let addr = listener.local_addr().expect("bound");
    let _inside = threads.enter();
    registry.start(tasks);
    let listener = tokio::net::TcpListener::from_std(listener).expect("registers");
    serve::serve(tasks, listener, registry.router(), serve::Options::default());
    addr
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

/// CPU since the start of this process, s.
struct Cpu {
    registry_s: f64,
    all_s: f64,
}

impl Cpu {
    fn now() -> Self {
        let threads = std::fs::read_dir("/proc/self/task").expect("Linux").flatten();
        let stats = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
        let ticks: u64 = stats.filter_map(|stat| ticks_of(&stat, REGISTRY_THREAD)).sum();
        // A tick is a hundredth of a second (proc_pid_stat(5)).
        Self { registry_s: ticks as f64 / 100.0, all_s: clock::process_cpu_ns() as f64 / 1e9 }
    }
}

/// utime and stime of a thread's `stat`, if that is its name.
fn ticks_of(stat: &str, name: &str) -> Option<u64> {
    let (before, fields) = stat.rsplit_once(')')?;
    let fields = fields.split_whitespace().skip(11).take(2);
    (before.split_once('(')?.1 == name).then(|| fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}

/// A line of a file of this process in `/proc`, KiB.
fn of_self_kib(file: &str, line: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).expect("Linux");
    let rest = text.lines().find_map(|found| found.strip_prefix(line)).unwrap_or_default();
    rest.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default()
}
