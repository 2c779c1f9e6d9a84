//! A TCP proxy on an edge: it limits, swallows or cuts what a connection carries, byte by byte.
//!
//! A lease's detours make callers connect to the proxy instead, so it sits on the edge of those callers only. One proxy
//! serves every step on the same edge; what it does is computed from the faults in force.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fault::ConnectionFault;
use runtime::{ShutdownPolicy, Tasks, clock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes moved at a time, and so the burst of a limited connection.
const CHUNK_BYTES: usize = 16 * 1024;
/// A limited connection sends so often at least, or a trickle would stand still.
const SEND_INTERVAL: Duration = Duration::from_millis(50);
/// Connections of an edge at once; a pool has 64.
const MAX_CONNECTIONS: usize = 1_024;

/// A proxy before one address. Dropped, it closes its port and its connections.
pub(crate) struct Proxy {
    /// Where it listens.
    pub addr: SocketAddr,
    faults: watch::Sender<Vec<(u32, ConnectionFault)>>,
    transfers: Arc<AtomicU64>,
    ending: watch::Sender<bool>,
}

/// The effect of all faults in force on every connection of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct ConnectionEffect {
    /// Bytes a second, each way.
    rate: Option<u64>,
    blackhole: bool,
    /// Bytes of answers after which a connection ends.
    cut: Option<u64>,
}

impl ConnectionEffect {
    fn of(faults: &[(u32, ConnectionFault)]) -> Self {
        let mut all = Self::default();
        let least = |known: Option<u64>, new: u64| Some(known.map_or(new, |known| known.min(new)));
        for (_, fault) in faults {
            match fault {
                ConnectionFault::Bandwidth(rate) => all.rate = least(all.rate, rate.get().max(1)),
                ConnectionFault::Blackhole => all.blackhole = true,
                // The kernel's work, before anything reaches the proxy.
                ConnectionFault::Loss(_) => {}
                ConnectionFault::Cut(after) => all.cut = least(all.cut, after.get()),
            }
        }
        all
    }
}

impl Proxy {
    /// Listens on a port of its own, and passes on to `to`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn open(tasks: &Tasks, to: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (faults, _) = watch::channel(Vec::new());
        let (ending, mut ended) = watch::channel(false);
        let transfers = Arc::new(AtomicU64::new(0));
        let proxy = Self { addr, faults: faults.clone(), transfers: transfers.clone(), ending };
        let owner = tasks.clone();
        tasks.spawn("lab.proxy", ShutdownPolicy::Cancel, async move {
            let permits = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = ended.changed() => return,
                };
                let (Ok((caller, _)), Ok(permit)) = (accepted, permits.clone().try_acquire_owned()) else {
                    continue;
                };
                let (faults, transfers, mut ended) = (faults.subscribe(), transfers.clone(), ended.clone());
                owner.spawn("lab.proxy.connection", ShutdownPolicy::Cancel, async move {
                    let _permit = permit;
                    tokio::select! {
                        () = forward(caller, to, faults, transfers) => {}
                        _ = ended.changed() => {}
                    }
                });
            }
        });
        Ok(proxy)
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
        self.transfers.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ending.send_replace(true);
    }
}

/// One connection, both ways.
async fn forward(
    caller: TcpStream,
    to: SocketAddr,
    faults: watch::Receiver<Vec<(u32, ConnectionFault)>>,
    transfers: Arc<AtomicU64>,
) {
    transfers.fetch_add(1, Ordering::Relaxed);
    let Ok(callee) = TcpStream::connect(to).await else { return };
    for stream in [&caller, &callee] {
        // A small request must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
    }
    let ((from_caller, to_caller), (from_callee, to_callee)) = (caller.into_split(), callee.into_split());
    let there = copy_with_faults(from_caller, to_callee, faults.clone(), false, &transfers);
    let back = copy_with_faults(from_callee, to_caller, faults, true, &transfers);
    // Either side's end is the connection's end.
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

async fn copy_with_faults(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    faults: watch::Receiver<Vec<(u32, ConnectionFault)>>,
    answers: bool,
    transfers: &AtomicU64,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut sent = 0_u64;
    loop {
        let Ok(read @ 1..) = from.read(&mut chunk).await else { return };
        transfers.fetch_add(1, Ordering::Relaxed);
        let mut left = &chunk[..read];
        while !left.is_empty() {
            let effect = ConnectionEffect::of(&faults.borrow());
            if effect.blackhole {
                // Swallowed; the socket stays open, and neither side gets an error.
                break;
            }
            let room = effect.cut.filter(|_| answers).map_or(u64::MAX, |cut| cut.saturating_sub(sent));
            if room == 0 {
                return;
            }
            let share = effect
                .rate
                .map_or(left.len(), |rate| (rate as f64 * SEND_INTERVAL.as_secs_f64()).ceil() as usize);
            let now = left.len().min(share.max(1)).min(usize::try_from(room).unwrap_or(usize::MAX));
            let began = clock::now();
            if to.write_all(&left[..now]).await.is_err() {
                return;
            }
            sent += now as u64;
            left = &left[now..];
            if let Some(rate) = effect.rate {
                let due = Duration::from_secs_f64(now as f64 / rate as f64);
                tokio::time::sleep(due.saturating_sub(clock::now().saturating_duration_since(began))).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use policy::units::ByteSize;

    use super::*;

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

    async fn exchange(stream: &mut TcpStream, bytes: usize) -> std::io::Result<usize> {
        stream.write_all(&vec![7; bytes]).await?;
        let mut received = 0;
        let mut buffer = vec![0; CHUNK_BYTES];
        while received < bytes {
            match stream.read(&mut buffer).await? {
                0 => break,
                read => received += read,
            }
        }
        Ok(received)
    }

    #[tokio::test]
    async fn what_it_does_follows_the_faults_in_force() {
        let tasks = Tasks::new();
        let proxy = Proxy::open(&tasks, echo(&tasks).await).await.expect("a port");
        let mut stream = TcpStream::connect(proxy.addr).await.expect("it listens");
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
        let proxy = Proxy::open(&tasks, echo(&tasks).await).await.expect("a port");
        let mut stream = TcpStream::connect(proxy.addr).await.expect("it listens");
        assert_eq!(exchange(&mut stream, 100).await.expect("passed on"), 100);
        proxy.add_fault(1, ConnectionFault::Blackhole);
        let silent = tokio::time::timeout(Duration::from_millis(200), exchange(&mut stream, 100)).await;
        assert!(silent.is_err(), "open, and silent");
        let addr = proxy.addr;
        drop(proxy);
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0, "its connections end with it");
        tasks.finish(Duration::from_secs(1)).await;
        // A child that another test starts has the port for a moment.
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}
