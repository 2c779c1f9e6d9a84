//! Our calls beside tonic's: CPU of client and server together, and the median latency, at 1 and 32 calls in flight.
//!
//! Contestants take turns within a round, so that what disturbs one disturbs the others; ratios are to tonic in the same
//! round. Client and server are one process with a thread each: `taskset -c 0` puts both on one core.
//!
//! ```text
//! cargo run --profile published -p benches --features compare --example calls -- --rounds 6
//! ```

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use benches::context;
use benches::figures::spread;
use clap::Parser;
use contract::{Answer, Carrier, ComponentName};
use futures_util::future::join_all;
use http::uri::PathAndQuery;
use profile_api::{ProfilesByIds, UserId};
use runtime::{Tasks, clock};
use testkit::fakes::Roster;
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_prost::ProstCodec;
use transport::{CallRouter, CallRouterOptions, Clusters, Instance, serve};

const CALLER: ComponentName = ComponentName::of("feed");
const CALLEE: ComponentName = ComponentName::of("profile");
/// Of the profiles in a reply.
const SIZES: [u64; 2] = [1, 30];
const IN_FLIGHT: [usize; 2] = [1, 32];

#[derive(Parser)]
struct Arguments {
    /// Rounds; each contestant runs once in each, in an order that turns.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each measurement, from 0.01.
    #[arg(long, default_value = "2", value_parser = length)]
    seconds: Duration,
}

fn length(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.01..=3_600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "expected seconds, 0.01 to 3600, e.g. 0.7".to_owned())
}

/// The question as tonic asks it.
#[derive(Clone, PartialEq, prost::Message)]
struct Ids {
    #[prost(uint64, repeated, tag = "1")]
    ids: Vec<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProfileMessage {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    handle: String,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    bio: String,
    #[prost(uint64, tag = "5")]
    version: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Profiles {
    #[prost(message, repeated, tag = "1")]
    profiles: Vec<ProfileMessage>,
}

/// The answer of both: what [`Roster`] knows of these users.
#[derive(Clone)]
struct ByIds;

impl tonic::server::UnaryService<Ids> for ByIds {
    type Response = Profiles;
    type Future = std::future::Ready<Result<tonic::Response<Profiles>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Ids>) -> Self::Future {
        let message = |id| {
            let profile = Roster::profile(UserId::new(id));
            let (handle, name, bio, version) = (profile.handle, profile.name, profile.bio, profile.version);
            ProfileMessage { id, handle, name, bio, version }
        };
        let profiles = request.into_inner().ids.into_iter().map(message).collect();
        std::future::ready(Ok(tonic::Response::new(Profiles { profiles })))
    }
}

impl NamedService for ByIds {
    const NAME: &'static str = "compare.Profiles";
}

impl tower::Service<http::Request<Body>> for ByIds {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Profiles, Ids>::default());
            Ok(grpc.unary(Self, request).await)
        })
    }
}

/// A way to ask.
enum Contestant {
    Tonic(Channel),
    Ours(Arc<dyn Answer<ProfilesByIds>>),
}

impl Contestant {
    /// One call; returns how many profiles came.
    async fn ask(&self, size: u64) -> usize {
        match self {
            Self::Tonic(channel) => {
                let mut client = tonic::client::Grpc::new(channel.clone());
                client.ready().await.expect("a channel");
                let path = PathAndQuery::from_static("/compare.Profiles/ByIds");
                let request = tonic::Request::new(Ids { ids: (1..=size).collect() });
                let reply = client.unary(request, path, ProstCodec::<Ids, Profiles>::default()).await;
                reply.expect("an answer").into_inner().profiles.len()
            }
            Self::Ours(answer) => {
                let call = ProfilesByIds { ids: (1..=size).map(UserId::new).collect() };
                answer.answer(&context(), call).await.expect("an answer").len()
            }
        }
    }
}

fn router(carrier: Carrier, hosts: &[ComponentName], clusters: Clusters) -> CallRouter {
    CallRouter::new(CallRouterOptions {
        carrier,
        clusters,
        services: Default::default(),
        copy: "compare#0".into(),
        schema: 1,
        policies: Vec::new(),
        faults: Arc::default(),
        token: "compare".into(),
        hosts: hosts.to_vec(),
        seed: 42,
    })
}

fn ours(carrier: Carrier, server: &Runtime, tasks: &Tasks) -> Contestant {
    let answering = router(carrier, &[CALLEE], Clusters::new());
    answering.answer::<ProfilesByIds>(Arc::new(Roster));
    let http2 = (carrier == Carrier::Http2Binary).then(serve::StreamLimits::default);
    let options = serve::Options { http2, ..serve::Options::default() };
    let addr = server.block_on(async {
        let listener = serve::bind(loopback()).await.expect("a free port");
        serve::serve(tasks, listener, answering.router(), options).addr()
    });
    let clusters = Clusters::new();
    clusters.get(CALLEE).update(vec![Instance::new("profile#0", addr)]);
    Contestant::Ours(router(carrier, &[CALLER], clusters).ask::<ProfilesByIds>(CALLER))
}

fn tonic(server: &Runtime, client: &Runtime, tasks: &Tasks) -> Contestant {
    let addr = server.block_on(async {
        let incoming = TcpIncoming::bind(loopback()).expect("a free port").with_nodelay(Some(true));
        let addr = incoming.local_addr().expect("bound");
        tasks.spawn("compare.tonic", runtime::ShutdownPolicy::Cancel, async move {
            Server::builder().add_service(ByIds).serve_with_incoming(incoming).await.expect("it serves");
        });
        addr
    });
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).expect("an address").tcp_nodelay(true);
    Contestant::Tonic(client.block_on(endpoint.connect()).expect("it listens"))
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// CPU of a call, and its median latency, us.
struct Measurement {
    cpu_us: f64,
    p50_us: f64,
}

/// Asks for so long, with so many calls in flight.
async fn measure(contestant: &Contestant, size: u64, in_flight: usize, length: Duration) -> Measurement {
    let slot = move |until: Instant| async move {
        let mut latencies = Vec::new();
        loop {
            let began = clock::now();
            if began >= until {
                return latencies;
            }
            assert_eq!(contestant.ask(size).await, size as usize);
            latencies.push((clock::now() - began).as_nanos() as u64);
        }
    };
    let slots = |length| join_all((0..in_flight).map(move |_| slot(clock::now() + length)));
    slots(length / 4).await;
    let before = clock::process_cpu_ns();
    let mut latencies = slots(length).await.concat();
    let cpu_ns = clock::process_cpu_ns() - before;
    latencies.sort_unstable();
    let p50_us = latencies[latencies.len() / 2] as f64 / 1e3;
    Measurement { cpu_us: cpu_ns as f64 / 1e3 / latencies.len() as f64, p50_us }
}

fn main() {
    let Arguments { rounds, seconds: length } = Arguments::parse();
    let thread = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (server, client) = (thread().expect("a thread"), thread().expect("a thread"));
    let tasks = Tasks::new();
    let contestants = [
        ("tonic", tonic(&server, &client, &tasks)),
        ("http+json", ours(Carrier::Json, &server, &tasks)),
        ("http+binary", ours(Carrier::Binary, &server, &tasks)),
        ("http2+binary", ours(Carrier::Http2Binary, &server, &tasks)),
    ];
    let contestants = Arc::new(contestants);
    println!("| profiles | in flight | contestant | CPU us | to tonic | p50 us |");
    println!("|---|---|---|---|---|---|");
    for size in SIZES {
        for in_flight in IN_FLIGHT {
            let mut measured: Vec<Vec<Measurement>> = contestants.iter().map(|_| Vec::new()).collect();
            for round in 0..rounds {
                for place in 0..contestants.len() {
                    let at = (round as usize + place) % contestants.len();
                    let asked = contestants.clone();
                    // In a task, as a component asks, and not on the thread that waits for it.
                    let measurement = client.block_on(async {
                        let asking = async move { measure(&asked[at].1, size, in_flight, length).await };
                        let asking =
                            tasks.spawn("compare.measurement", runtime::ShutdownPolicy::Drain, asking);
                        asking.await.expect("no panic").expect("it is not dropped")
                    });
                    measured[at].push(measurement);
                }
            }
            for ((name, _), own) in contestants.iter().zip(&measured) {
                let (cpu, low, high) = spread(own.iter().map(|one| one.cpu_us).collect());
                let ratios = own.iter().zip(&measured[0]).map(|(own, tonic)| own.cpu_us / tonic.cpu_us);
                let (ratio, least, most) = spread(ratios.collect());
                let (p50, ..) = spread(own.iter().map(|one| one.p50_us).collect());
                println!(
                    "| {size} | {in_flight} | {name} | {cpu:.1} [{low:.1}-{high:.1}] | {ratio:.2} [{least:.2}-{most:.2}] | {p50:.1} |"
                );
            }
        }
    }
    tasks.close();
}
