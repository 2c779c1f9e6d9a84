//! A proxy on connections: it delays, limits, withholds or cuts what they carry, byte by byte.
//!
//! On an edge a lease's detours make callers connect to the proxy instead of the callee, for as long as a step lasts. Before a
//! server, of databases or of events, processes have the proxy's address from their start on (`servers/proxies.rs`). One proxy
//! serves every step on the same connections; what it does is computed from the faults in force.

mod connection;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fault::{ConnectionFault, DelayCounts};
use runtime::{ShutdownPolicy, Tasks};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use self::connection::{Connection, Counts, StepFault, Stream};
pub(crate) use self::connection::{Line, Upstream};

/// Connections of an edge at once; a pool has 64. To a server an arm has some dozens.
const MAX_CONNECTIONS: usize = 1_024;

/// A proxy. Dropped, it closes its port, or removes its socket, and ends its connections.
pub(crate) struct Proxy {
    faults: watch::Sender<Vec<StepFault>>,
    counts: Arc<Counts>,
    ending: watch::Sender<bool>,
    socket: Option<PathBuf>,
}

impl Proxy {
    /// Listens on a port of its own, and passes on to another.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn open(tasks: &Tasks, to: SocketAddr) -> io::Result<(SocketAddr, Self)> {
        Self::on_port(tasks, Upstream::Port(to), Line::default()).await
    }

    /// The same over a line, to whatever listens.
    ///
    /// # Errors
    /// As [`Proxy::open`].
    pub async fn on_port(tasks: &Tasks, to: Upstream, line: Line) -> io::Result<(SocketAddr, Self)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        Ok((addr, Self::serve(tasks, Listener::Port(listener), to, line, None)))
    }

    /// Listens on a Unix socket, in a folder that other users cannot enter.
    ///
    /// # Errors
    /// When there can be no socket of that path: it may be too long.
    #[cfg_attr(
        not(any(test, feature = "postgres")),
        expect(dead_code, reason = "servers of databases listen on sockets")
    )]
    pub fn on_socket(tasks: &Tasks, path: &Path, to: Upstream, line: Line) -> io::Result<Self> {
        // That of an arm which had its turn before.
        let _ = std::fs::remove_file(path);
        let listener = Listener::Socket(UnixListener::bind(path)?);
        Ok(Self::serve(tasks, listener, to, line, Some(path.to_owned())))
    }

    fn serve(tasks: &Tasks, listener: Listener, to: Upstream, line: Line, socket: Option<PathBuf>) -> Self {
        let (faults, _) = watch::channel(Vec::new());
        let (ending, mut ended) = watch::channel(false);
        let counts = Arc::new(Counts::default());
        let proxy = Self { faults: faults.clone(), counts: counts.clone(), ending, socket };
        let owner = tasks.clone();
        tasks.spawn("lab.proxy", ShutdownPolicy::Cancel, async move {
            let permits = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = ended.changed() => return,
                };
                let (Ok(caller), Ok(permit)) = (accepted, permits.clone().try_acquire_owned()) else {
                    continue;
                };
                let number = counts.connections.fetch_add(1, Ordering::Relaxed);
                let connection =
                    Connection { number, line, faults: faults.subscribe(), counts: counts.clone() };
                let (to, mut ended) = (to.clone(), ended.clone());
                owner.spawn("lab.proxy.connection", ShutdownPolicy::Cancel, async move {
                    let _permit = permit;
                    tokio::select! {
                        () = connection.forward(caller, &to) => {}
                        _ = ended.changed() => {}
                    }
                });
            }
        });
        proxy
    }

    /// Adds what a step does.
    pub fn add_fault(&self, step: u32, fault: ConnectionFault) {
        self.faults.send_modify(|faults| {
            faults.retain(|(other, _)| *other != step);
            faults.push((step, fault));
        });
    }

    /// Takes it away; true where nothing is left.
    pub fn remove_fault(&self, step: u32) -> bool {
        self.faults.send_modify(|faults| faults.retain(|(other, _)| *other != step));
        self.faults.borrow().is_empty()
    }

    /// Connections and pieces of data that went through, or were to.
    pub fn transfers(&self) -> u64 {
        self.counts.transfers.load(Ordering::Relaxed)
    }

    /// What delays asked for and how late they came, by step; those of the declared network by [`model::delays::OF_NETWORK`].
    pub fn delays(&self) -> BTreeMap<u32, DelayCounts> {
        self.counts.delays.lock().expect("no panic while held").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ending.send_replace(true);
        if let Some(socket) = &self.socket {
            // The folder goes with its run.
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// Where a proxy listens.
enum Listener {
    Port(TcpListener),
    Socket(UnixListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Port(listener) => listener.accept().await.map(|(stream, _)| stream.into()),
            Self::Socket(listener) => listener.accept().await.map(|(stream, _)| stream.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::delays::OF_NETWORK;
    use policy::NetworkOptions;
    use policy::units::{ByteSize, HumanDuration};
    use runtime::clock;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::{TcpStream, UnixStream};

    use super::*;

    /// More than is read at once.
    const MANY_BYTES: usize = 20_000;
    /// By so much a wait may end early, as half of them do.
    const EARLY: Duration = Duration::from_millis(1);

    /// Sends back what it receives.
    async fn echo(tasks: &Tasks) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        tasks.spawn("echo", ShutdownPolicy::Cancel, async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            }
        });
        addr
    }

    /// The same on a socket in a folder, with a proxy before it.
    fn echo_behind_proxy(tasks: &Tasks, folder: &Path, network: NetworkOptions) -> (Proxy, PathBuf) {
        let (upstream, socket) = (folder.join("echo"), folder.join("proxy"));
        let listener = UnixListener::bind(&upstream).expect("a short path");
        tasks.spawn("echo", ShutdownPolicy::Cancel, async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            }
        });
        let line = Line { network, resends: true };
        let proxy = Proxy::on_socket(tasks, &socket, Upstream::Socket(upstream), line).expect("a short path");
        (proxy, socket)
    }

    /// A connection through a proxy, over which something has gone.
    async fn connect(socket: &Path) -> UnixStream {
        let mut stream = UnixStream::connect(socket).await.expect("it listens");
        assert_eq!(exchange(&mut stream, 10).await.expect("passed on"), 10);
        stream
    }

    async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: usize) -> io::Result<usize> {
        stream.write_all(&vec![7; bytes]).await?;
        receive(stream, bytes).await
    }

    async fn receive(stream: &mut (impl AsyncRead + Unpin), bytes: usize) -> io::Result<usize> {
        let mut received = 0;
        let mut buffer = vec![0; MANY_BYTES];
        while received < bytes {
            match stream.read(&mut buffer).await? {
                0 => break,
                read => received += read,
            }
        }
        Ok(received)
    }

    /// How long it takes until some bytes are back.
    async fn timed(stream: &mut UnixStream, bytes: usize) -> Duration {
        let began = clock::now();
        assert_eq!(exchange(stream, bytes).await.expect("passed on"), bytes);
        clock::now().saturating_duration_since(began)
    }

    fn delay(by: &str) -> ConnectionFault {
        let text = serde_json::json!({ "do": "delay", "by": by });
        let fault: fault::Fault = serde_json::from_value(text).expect("a delay");
        fault.connection_fault().expect("it acts on connections")
    }

    #[tokio::test]
    async fn what_it_does_follows_the_faults_in_force() {
        let tasks = Tasks::new();
        let (addr, proxy) = Proxy::open(&tasks, echo(&tasks).await).await.expect("a port");
        let mut stream = TcpStream::connect(addr).await.expect("it listens");
        assert_eq!(exchange(&mut stream, 10_000).await.expect("passed on"), 10_000);
        assert!(proxy.transfers() > 0);
        // Two limits: the smaller wins; 2,000 bytes a second each way take a second there and no less.
        proxy.add_fault(1, ConnectionFault::Bandwidth(ByteSize::new(2_000)));
        proxy.add_fault(2, ConnectionFault::Bandwidth(ByteSize::new(1 << 30)));
        let began = clock::now();
        assert_eq!(exchange(&mut stream, 1_000).await.expect("slowly"), 1_000);
        assert!(
            clock::now().saturating_duration_since(began) >= Duration::from_millis(450),
            "1,000 bytes at 2,000/s"
        );
        assert!(!proxy.remove_fault(1) && proxy.remove_fault(2), "nothing is left");
        assert_eq!(exchange(&mut stream, 10_000).await.expect("as before"), 10_000);
        proxy.add_fault(3, ConnectionFault::Cut(ByteSize::new(20_000)));
        assert!(
            exchange(&mut stream, 10_000).await.map_or(true, |received| received < 10_000),
            "21,000 bytes have come back"
        );
        tasks.finish(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn a_blackhole_swallows_and_a_dropped_proxy_is_gone() {
        let tasks = Tasks::new();
        let (addr, proxy) = Proxy::open(&tasks, echo(&tasks).await).await.expect("a port");
        let mut stream = TcpStream::connect(addr).await.expect("it listens");
        assert_eq!(exchange(&mut stream, 100).await.expect("passed on"), 100);
        proxy.add_fault(1, ConnectionFault::Blackhole);
        let silent = tokio::time::timeout(Duration::from_millis(200), exchange(&mut stream, 100)).await;
        assert!(silent.is_err(), "open, and silent");
        drop(proxy);
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0, "its connections end with it");
        tasks.finish(Duration::from_secs(1)).await;
        // A child that another test starts has the port for a moment.
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_network_takes_half_a_round_trip_each_way_and_a_delay_its_length_on_the_way_there() {
        let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder"));
        let network = NetworkOptions { rtt: HumanDuration::from_millis(40), ..NetworkOptions::default() };
        let (proxy, socket) = echo_behind_proxy(&tasks, folder.path(), network);
        let (began, ms) = (clock::now(), Duration::from_millis);
        let mut stream = connect(&socket).await;
        let took = clock::now().saturating_duration_since(began);
        assert!(took + EARLY >= ms(80), "a round trip to connect, and one for the exchange: {took:?}");
        assert!(timed(&mut stream, 10).await + EARLY >= ms(40));
        proxy.add_fault(3, delay("60ms"));
        assert!(timed(&mut stream, 10).await + EARLY >= ms(100), "60 ms and a round trip");
        assert!(proxy.remove_fault(3));
        let delays = proxy.delays();
        let (network, of_step) = (&delays[&OF_NETWORK], &delays[&3]);
        assert_eq!(
            (network.count(), network.asked_us_p50()),
            (6, Some(20_000)),
            "three exchanges, both ways"
        );
        assert_eq!((of_step.count(), of_step.asked_us_p50()), (1, Some(60_000)));
        tasks.finish(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn pieces_wait_at_once_and_stay_in_order() {
        // Fewer than are read ahead, and so many that a busy machine is not as slow as their delays one after another.
        const PIECES: u8 = 40;
        const DELAY: Duration = Duration::from_millis(200);
        let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder"));
        let (proxy, socket) = echo_behind_proxy(&tasks, folder.path(), NetworkOptions::default());
        let mut stream = connect(&socket).await;
        proxy.add_fault(1, delay("200ms"));
        let began = clock::now();
        let transfers = proxy.transfers();
        for (byte, read) in (0..PIECES).zip(1..) {
            stream.write_all(&[byte]).await.expect("sent");
            // Each is a piece of its own.
            while proxy.transfers() < transfers + read {
                tokio::task::yield_now().await;
            }
        }
        // On a busy machine it takes a while until all are under way.
        let sent = clock::now().saturating_duration_since(began);
        let mut answer = [u8::MAX; PIECES as usize];
        stream.read_exact(&mut answer).await.expect("all of them");
        let took = clock::now().saturating_duration_since(began);
        assert!(answer.into_iter().eq(0..PIECES), "{answer:?}");
        assert!(took + EARLY >= DELAY, "{took:?}");
        let apart = DELAY * u32::from(PIECES - 1);
        assert!(took < sent + apart, "one after another they would take 8 s: {took:?}, sent within {sent:?}");
        tasks.finish(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn what_a_blackhole_before_a_server_takes_arrives_when_it_ends_and_a_cut_ends_a_connection() {
        let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder"));
        let (proxy, socket) = echo_behind_proxy(&tasks, folder.path(), NetworkOptions::default());
        let mut stream = connect(&socket).await;
        proxy.add_fault(1, ConnectionFault::Blackhole);
        let silent = tokio::time::timeout(Duration::from_millis(200), exchange(&mut stream, 100)).await;
        assert!(silent.is_err(), "open, and silent");
        assert!(proxy.remove_fault(1));
        assert_eq!(receive(&mut stream, 100).await.expect("sent again"), 100);
        proxy.add_fault(2, ConnectionFault::Cut(ByteSize::new(0)));
        assert_eq!(exchange(&mut stream, 100).await.unwrap_or(0), 0, "some bytes have come back");
        assert!(socket.exists());
        drop(proxy);
        assert!(!socket.exists() && UnixStream::connect(&socket).await.is_err());
        tasks.finish(Duration::from_secs(1)).await;
    }

    #[tokio::test]
    async fn the_end_of_a_server_is_the_end_of_its_connections() {
        let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder"));
        let (upstream, socket) = (folder.path().join("server"), folder.path().join("proxy"));
        let line = Line { resends: true, ..Line::default() };
        let proxy = Proxy::on_socket(&tasks, &socket, Upstream::Socket(upstream.clone()), line)
            .expect("a short path");
        let mut early = UnixStream::connect(&socket).await.expect("it listens");
        assert_eq!(early.read(&mut [0; 16]).await.unwrap_or(0), 0, "there is no server");
        let listener = UnixListener::bind(&upstream).expect("a short path");
        let mut stream = UnixStream::connect(&socket).await.expect("it listens");
        let (mut accepted, _) = listener.accept().await.expect("passed on");
        accepted.write_all(b"the last").await.expect("sent");
        drop(accepted);
        let mut last = Vec::new();
        stream.read_to_end(&mut last).await.expect("it ends in order");
        assert_eq!(last, b"the last");
        drop(proxy);
        tasks.finish(Duration::from_secs(1)).await;
    }
}
