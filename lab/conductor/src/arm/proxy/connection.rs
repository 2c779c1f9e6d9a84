//! One connection of a proxy: both ways, each with a queue of what is on its way.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fault::{ConnectionFault, DelayCounts};
use model::delays::OF_NETWORK;
use policy::NetworkOptions;
use runtime::{clock, random, timer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};

/// Bytes moved at a time, and so the burst of a limited connection.
const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks of one way of a connection that are on their way: a writer that has more waits, as for a full window of TCP.
const MAX_CHUNKS: usize = 64;
/// A limited connection sends so often at least, or a trickle would stand still.
const SEND_INTERVAL: Duration = Duration::from_millis(50);

/// A fault in force, with the number of its step.
pub(super) type StepFault = (u32, ConnectionFault);
type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// What a proxy passes on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// A port of this machine.
    Port(SocketAddr),
    /// A port of a host by its name.
    Host(String, u16),
    /// A Unix socket.
    #[cfg_attr(
        not(any(test, feature = "postgres")),
        expect(dead_code, reason = "servers of databases listen on sockets")
    )]
    Socket(PathBuf),
}

/// What lies between the two ends of a proxy's connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    /// The declared network: half a round trip each way, and one to connect.
    pub network: NetworkOptions,
    /// Whether what a blackhole takes arrives when that ends, as TCP sends it again. Else it is gone.
    pub resends: bool,
}

/// What went through a proxy.
#[derive(Default)]
pub(super) struct Counts {
    pub transfers: AtomicU64,
    pub connections: AtomicU64,
    /// By step, and [`OF_NETWORK`].
    pub delays: Mutex<BTreeMap<u32, DelayCounts>>,
}

impl Counts {
    fn add_delay(&self, of: u32, asked: Duration, late: Duration) {
        self.delays.lock().expect("no panic while held").entry(of).or_default().add(asked, late);
    }
}

/// The effect of all faults in force on every connection of a proxy, delays left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct ConnectionEffect {
    /// Bytes a second, each way.
    rate: Option<u64>,
    blackhole: bool,
    /// Bytes of answers after which a connection ends.
    cut: Option<u64>,
}

impl ConnectionEffect {
    fn of(faults: &[StepFault]) -> Self {
        let mut all = Self::default();
        let least = |known: Option<u64>, new: u64| Some(known.map_or(new, |known| known.min(new)));
        for (_, fault) in faults {
            match fault {
                ConnectionFault::Bandwidth(rate) => all.rate = least(all.rate, rate.get().max(1)),
                ConnectionFault::Blackhole => all.blackhole = true,
                // Decided as a chunk arrives; and the kernel's work, before anything reaches the proxy.
                ConnectionFault::Delay(_) | ConnectionFault::Loss(_) => {}
                ConnectionFault::Cut(after) => all.cut = least(all.cut, after.get()),
            }
        }
        all
    }
}

impl Upstream {
    async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Port(addr) => TcpStream::connect(addr).await.map(Into::into),
            Self::Host(name, port) => TcpStream::connect((name.as_str(), *port)).await.map(Into::into),
            Self::Socket(path) => UnixStream::connect(path).await.map(Into::into),
        }
    }
}

/// The two halves of a connection.
pub(super) struct Stream {
    read: Reader,
    write: Writer,
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        // A small request must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        Self { read: Box::new(read), write: Box::new(write) }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        let (read, write) = stream.into_split();
        Self { read: Box::new(read), write: Box::new(write) }
    }
}

/// One connection of a proxy.
pub(super) struct Connection {
    pub number: u64,
    pub line: Line,
    pub faults: watch::Receiver<Vec<StepFault>>,
    pub counts: Arc<Counts>,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    There,
    Back,
}

/// How one way of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DirectionEnd {
    /// All that came was passed on, and no more will come.
    Finished,
    /// The side that it goes to takes nothing any more.
    Refused,
    /// By a fault.
    Cut,
}

/// Bytes on their way.
struct Chunk {
    bytes: Vec<u8>,
    due: Instant,
    /// What it waits for, by step or [`OF_NETWORK`].
    waits: Vec<(u32, Duration)>,
}

impl Connection {
    /// Passes on both ways. Either side's end is the connection's end.
    pub async fn forward(&self, caller: Stream, to: &Upstream) {
        self.counts.transfers.fetch_add(1, Ordering::Relaxed);
        if !self.line.network.is_loopback() {
            self.wait(clock::now() + self.part_of_round_trip(1), &[]).await;
        }
        let Ok(callee) = to.connect().await else { return };
        let there = self.carry(Direction::There, caller.read, callee.write);
        let mut back = pin!(self.carry(Direction::Back, callee.read, caller.write));
        tokio::select! {
            end = there => {
                if end == DirectionEnd::Refused {
                    // What the callee sent before it closed is still for the caller.
                    back.await;
                }
            }
            _ = &mut back => {}
        }
    }

    async fn carry(&self, way: Direction, from: Reader, to: Writer) -> DirectionEnd {
        let (sender, chunks) = mpsc::channel(MAX_CHUNKS);
        let mut writing = pin!(self.write(way, to, chunks));
        tokio::select! {
            end = &mut writing => end,
            () = self.read(way, from, sender) => writing.await,
        }
    }

    /// Takes what comes, and decides when it is due.
    async fn read(&self, way: Direction, mut from: Reader, chunks: mpsc::Sender<Chunk>) {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut draws = BTreeMap::new();
        let mut due = clock::now();
        let mut number = 0;
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            self.counts.transfers.fetch_add(1, Ordering::Relaxed);
            let waits = self.waits(way, number, &mut draws);
            number += 1;
            let length: Duration = waits.iter().map(|(_, wait)| *wait).sum();
            // One that waits less does not overtake.
            due = due.max(clock::now() + length);
            let chunk = Chunk { bytes: buffer[..read].to_vec(), due, waits };
            if chunks.send(chunk).await.is_err() {
                return;
            }
        }
    }

    /// What a chunk waits for: the network either way, delays of steps on the way there. `draws` are the last ones, by step.
    fn waits(&self, way: Direction, number: u64, draws: &mut BTreeMap<u32, f64>) -> Vec<(u32, Duration)> {
        let mut waits = Vec::new();
        if !self.line.network.is_loopback() {
            waits.push((OF_NETWORK, self.part_of_round_trip(2)));
        }
        if way == Direction::Back {
            return waits;
        }
        for (step, fault) in &*self.faults.borrow() {
            if let ConnectionFault::Delay(delay) = fault {
                let draw = draws.entry(*step).or_default();
                let (wait, next) = delay.of_piece(self.number, number, *draw);
                *draw = next;
                waits.push((*step, wait));
            }
        }
        waits
    }

    /// A round trip of the declared network, or a part of it.
    fn part_of_round_trip(&self, divisor: u64) -> Duration {
        Duration::from_nanos(self.line.network.round_trip_ns(random::unit(random::bits())) / divisor)
    }

    /// Waits until something is due, and counts how late that came.
    async fn wait(&self, due: Instant, waits: &[(u32, Duration)]) {
        timer::sleep(due.saturating_duration_since(clock::now())).await;
        let late = clock::now().saturating_duration_since(due);
        for (of, asked) in waits {
            self.counts.add_delay(*of, *asked, late);
        }
    }

    /// Passes on what is due, as the faults in force by then allow.
    async fn write(&self, way: Direction, mut to: Writer, mut chunks: mpsc::Receiver<Chunk>) -> DirectionEnd {
        let mut sent = 0_u64;
        while let Some(Chunk { bytes, due, waits }) = chunks.recv().await {
            self.wait(due, &waits).await;
            let mut left = &bytes[..];
            while !left.is_empty() {
                let mut effect = ConnectionEffect::of(&self.faults.borrow());
                if effect.blackhole && !self.line.resends {
                    // Swallowed; the socket stays open, and neither side gets an error.
                    break;
                }
                if effect.blackhole {
                    self.until_no_blackhole().await;
                    effect = ConnectionEffect::of(&self.faults.borrow());
                }
                let cut = effect.cut.filter(|_| way == Direction::Back);
                let room = cut.map_or(u64::MAX, |cut| cut.saturating_sub(sent));
                if room == 0 {
                    return DirectionEnd::Cut;
                }
                let share = effect
                    .rate
                    .map_or(left.len(), |rate| (rate as f64 * SEND_INTERVAL.as_secs_f64()).ceil() as usize);
                let now = left.len().min(share.max(1)).min(usize::try_from(room).unwrap_or(usize::MAX));
                let began = clock::now();
                if to.write_all(&left[..now]).await.is_err() {
                    return DirectionEnd::Refused;
                }
                sent += now as u64;
                left = &left[now..];
                if let Some(rate) = effect.rate {
                    let due = Duration::from_secs_f64(now as f64 / rate as f64);
                    tokio::time::sleep(due.saturating_sub(clock::now().saturating_duration_since(began)))
                        .await;
                }
            }
        }
        DirectionEnd::Finished
    }

    async fn until_no_blackhole(&self) {
        let mut faults = self.faults.clone();
        // A proxy that is gone ends its connections as well.
        let _ = faults.wait_for(|faults| !ConnectionEffect::of(faults).blackhole).await;
    }
}
