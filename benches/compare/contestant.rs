//! What a comparison needs of ours: the upstream, our gateway before it, and a collector for its spans.
//!
//! Each prints its address and serves until its standard input ends. `benches/compare/gateway.py` starts them.

use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use clap::Parser;
use contract::ComponentName;
use gateway::{Gateway, Route, RouteTable, Upstream};
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use policy::{BodyOptions, MinimumRate};
use runtime::{ShutdownPolicy, Tasks};
use telemetry::{Level, LogTarget, Options};
use tokio::net::TcpListener;
use transport::{Cluster, Instance, pool, serve};

/// The component behind the gateway.
const PHOTO: ComponentName = ComponentName::of("photo");
/// What the upstream answers: 200 bytes of JSON, as long as a photo without its picture.
const ANSWER: &str = concat!(
    r#"{"id":"p_01J9ZK3VQ8","author":"u_01J9ZK3VQ9","caption":"the harbour at six in the morning, fog still on the "#,
    r#"water, no one up","width":4032,"height":3024,"created_us":1764523490123456,"likes":42,"v":1}"#,
);

#[derive(Parser)]
enum Contestant {
    /// Answers every request with 200 bytes.
    Upstream,
    /// Our gateway, as a node serves it, with one worker.
    Gateway {
        /// Where it forwards to.
        #[arg(long)]
        upstream: SocketAddr,
        /// How much it records: metrics, sampled(0.1), full.
        #[arg(long, default_value = "metrics")]
        level: Level,
        /// Where its spans go.
        #[arg(long)]
        otlp: Option<String>,
    },
    /// Takes spans over gRPC, and drops them.
    Collector,
}

fn main() {
    let contestant = Contestant::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a thread");
    let addr = runtime.block_on(async {
        match contestant {
            Contestant::Upstream => upstream().await,
            Contestant::Gateway { upstream, level, otlp } => gateway(upstream, level, otlp).await,
            Contestant::Collector => collector().await,
        }
    });
    println!("{addr}");
    // Not on the runtime's threads: they are what is measured.
    let _ended = std::io::stdin().read_to_end(&mut Vec::new());
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let addr = listener.local_addr().expect("bound");
    (listener, addr)
}

/// hyper alone: it must cost as little as can be, for its CPU is no contestant's.
async fn upstream() -> SocketAddr {
    assert_eq!(ANSWER.len(), 200);
    let (listener, addr) = listen().await;
    let tasks = Tasks::new();
    let connections = tasks.clone();
    tasks.spawn("compare.upstream", ShutdownPolicy::Cancel, async move {
        loop {
            let (stream, _) = listener.accept().await.expect("connections are accepted");
            stream.set_nodelay(true).expect("a TCP socket");
            let answer = |_: Request<Incoming>| async {
                let mut response = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(http::header::CONTENT_TYPE, json);
                Ok::<_, Infallible>(response)
            };
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer));
            connections.spawn("compare.connection", ShutdownPolicy::Cancel, async {
                let _ended = connection.await;
            });
        }
    });
    // The owner of the tasks lives as long as the process.
    std::mem::forget(tasks);
    addr
}

async fn gateway(upstream: SocketAddr, level: Level, otlp_endpoint: Option<String>) -> SocketAddr {
    let options = Options { level, otlp_endpoint, log: LogTarget::Stderr, ..Options::default() };
    let telemetry = telemetry::install(options).expect("once a process");
    let cluster = Arc::new(Cluster::new(PHOTO, pool::Options::default()));
    cluster.update(vec![Instance::new("photo#0", upstream)]);
    let routes = RouteTable { routes: vec![Route::new("GET", "/v1/photos/{id}", PHOTO)] };
    let find = move |_| Some(Upstream::Cluster(cluster.clone()));
    let gateway = Gateway::new(gateway::Options::new("compare".into()), routes, find).expect("a valid table");
    // As a node serves its public door where all clients share an address.
    let serving = serve::Options {
        read_rate: Some(MinimumRate::default()),
        reply_bytes: BodyOptions::default().replies(false),
        ..serve::Options::default()
    };
    let (listener, addr) = listen().await;
    let tasks = Tasks::new();
    gateway.serve(&tasks, listener, serving);
    std::mem::forget((tasks, telemetry));
    addr
}

struct Sink;

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        _: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn collector() -> SocketAddr {
    let (listener, addr) = listen().await;
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(Sink));
    let tasks = Tasks::new();
    tasks.spawn("compare.collector", ShutdownPolicy::Cancel, server.serve_with_incoming(incoming));
    std::mem::forget(tasks);
    addr
}
