//! A gateway, and components behind it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use bytes::Bytes;
use contract::ComponentName;
use gateway::{Gateway, Options, Route, RouteTable, Upstream};
use policy::{BodyLimits, EdgePattern, Policy};
use runtime::Tasks;
use serde_json::json;
use tokio::sync::watch;
use transport::serve::{self, Server, StreamLimits};
use transport::{Cluster, Instance, cluster, pool};

pub const PHOTO: ComponentName = ComponentName::of("photo");
/// What is behind the gateway by another name: only the test of what is counted asks for it.
pub const COUNTED: ComponentName = ComponentName::of("counted");
pub const TOKEN: &str = "the-run's-token";

pub struct TestGateway {
    _tasks: Tasks,
    pub gateway: Gateway,
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    server: Server,
}

/// How a gateway differs from the defaults.
#[derive(Default)]
pub struct Tuning {
    pub policy: Option<Policy>,
    pub options: Option<Options>,
    pub routes: Option<Vec<Route>>,
    pub reply_bytes: Option<BodyLimits>,
    pub http2: Option<StreamLimits>,
}

impl TestGateway {
    pub async fn open(upstream: Upstream) -> Self {
        Self::tuned(upstream, Tuning::default()).await
    }

    pub async fn tuned(upstream: Upstream, tuning: Tuning) -> Self {
        let tasks = Tasks::new();
        let mut options = tuning.options.unwrap_or_else(options);
        if let Some(policy) = tuning.policy {
            options.policies = vec![("gateway->*".parse::<EdgePattern>().expect("an edge"), policy)];
        }
        let routes = RouteTable { routes: tuning.routes.unwrap_or_else(routes) };
        let find = move |name| [PHOTO, COUNTED].contains(&name).then(|| upstream.clone());
        let gateway = Gateway::new(options, routes, find).expect("a valid table");
        let mut serving = serve::Options { http2: tuning.http2, ..serve::Options::default() };
        serving.reply_bytes = tuning.reply_bytes.unwrap_or(serving.reply_bytes);
        let server = gateway.serve(&tasks, listen().await, serving);
        let admin = serve::serve(&tasks, listen().await, gateway.admin(None), serve::Options::default());
        Self { addr: server.addr(), admin: admin.addr(), _tasks: tasks, gateway, server }
    }

    /// Bytes of replies that are held now.
    pub fn held_reply_bytes(&self) -> u64 {
        self.server.held_reply_bytes()
    }

    /// Connections of clients that are open now.
    pub fn gateway_connections(&self) -> usize {
        self.server.connections()
    }
}

/// The options most tests use.
pub fn options() -> Options {
    Options::new(Arc::from(TOKEN))
}

/// Time that a route gives a request whose answer must come, ms: the longest there is, since a busy machine stands still for
/// seconds.
pub const PATIENT_MS: u64 = 30_000;

/// A route with that time.
pub fn patient(method: &str, path: &str) -> Route {
    Route { deadline_ms: PATIENT_MS, ..Route::new(method, path, PHOTO) }
}

/// The routes most tests use. What never answers has a short time.
pub fn routes() -> Vec<Route> {
    vec![
        patient("GET", "/v1/echo/{id}"),
        patient("POST", "/v1/echo"),
        Route { max_body: 1_000, ..patient("POST", "/v1/small") },
        Route { max_body: 8 << 20, ..patient("POST", "/v1/large") },
        Route { deadline_ms: 200, ..Route::new("GET", "/v1/slow", PHOTO) },
        Route { deadline_ms: 200, ..Route::new("POST", "/v1/slow", PHOTO) },
        patient("GET", "/v1/status/{code}"),
        patient("GET", "/v1/broken"),
        patient("GET", "/v1/panic"),
    ]
}

pub async fn listen() -> tokio::net::TcpListener {
    serve::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port")
}

/// Serves a router as one copy of a component.
pub async fn copy(tasks: &Tasks, router: Router) -> Server {
    serve::serve(tasks, listen().await, router, serve::Options::default())
}

/// A cluster of copies at these addresses: `photo#0`, `photo#1`, ..
pub fn cluster_of(addrs: &[SocketAddr]) -> Arc<Cluster> {
    cluster_named(PHOTO, addrs)
}

/// The same of another component.
pub fn cluster_named(name: ComponentName, addrs: &[SocketAddr]) -> Arc<Cluster> {
    let cluster = Cluster::new(name, pool::Options::default());
    cluster.update(instances(addrs));
    Arc::new(cluster)
}

pub fn instances(addrs: &[SocketAddr]) -> Vec<Instance> {
    addrs.iter().enumerate().map(|(n, addr)| Instance::new(format!("photo#{n}"), *addr)).collect()
}

pub fn draining(instance: Instance) -> Instance {
    Instance { state: cluster::State::Draining, ..instance }
}

/// An address that refuses connections for as long as the socket is kept: it
/// is taken, and nothing listens.
pub fn refusing_addr() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let addr = socket.local_addr().expect("bound");
    (socket, addr)
}

/// How often a component was asked.
#[derive(Clone, Default)]
pub struct Hits(watch::Sender<usize>);

impl Hits {
    pub fn hit(&self) -> usize {
        let mut count = 0;
        self.0.send_modify(|hits| {
            *hits += 1;
            count = *hits;
        });
        count
    }

    pub fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until it was asked so often.
    pub async fn reach(&self, count: usize) {
        self.0.subscribe().wait_for(|hits| *hits >= count).await.expect("this is a sender");
    }
}

/// A component that says what it was asked. `/v1/broken` fails in the middle of its answer, once another request has come.
pub fn echo(hits: Hits) -> Router {
    let counted = hits.clone();
    let echoed = move |request: Request| {
        let hits = hits.clone();
        async move {
            hits.hit();
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|_| StatusCode::BAD_REQUEST)?;
            Ok::<_, StatusCode>(axum::Json(json!({
                "method": head.method.as_str(),
                "uri": head.uri.to_string(),
                "fields": fields(&head.headers),
                "length": body.len(),
                "body": String::from_utf8_lossy(&body[..body.len().min(100)]),
            })))
        }
    };
    let broken = move || {
        let hits = counted.clone();
        async move {
            let next = hits.count() + 1;
            let rest = async move {
                hits.reach(next).await;
                Err(std::io::Error::other("lost the rest"))
            };
            let first = futures_util::stream::iter([Ok(Bytes::from_static(b"half of "))]);
            let pieces = futures_util::StreamExt::chain(first, futures_util::stream::once(rest));
            axum::body::Body::from_stream(pieces)
        }
    };
    Router::new()
        .route("/v1/echo/{id}", any(echoed.clone()))
        .route("/v1/echo", post(echoed.clone()))
        .route("/v1/small", post(echoed.clone()))
        .route("/v1/large", post(echoed.clone()))
        .route("/v1/slow", get(std::future::pending::<()>).post(echoed.clone()))
        .route("/v1/status/{code}", get(status))
        .route("/v1/broken", get(broken))
        .route("/v1/panic", get(panicking))
        .route("/call/secret", any(echoed.clone()))
        .route("/metrics", any(echoed))
        .layer(DefaultBodyLimit::disable())
}

async fn panicking() -> StatusCode {
    panic!("on purpose")
}

async fn status(axum::extract::Path(code): axum::extract::Path<u16>) -> impl IntoResponse {
    let code = StatusCode::from_u16(code).expect("a status");
    (code, [("x-mine", "1"), ("connection", "x-mine"), ("retry-after", "7")], "the reason")
}

fn fields(headers: &HeaderMap) -> serde_json::Map<String, serde_json::Value> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), json!(text(value)))).collect()
}

/// Waits for a condition; [`TIMEOUT`](crate::raw_client::TIMEOUT) without it is a failure.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    bounded(what, waiting).await;
}

pub async fn bounded<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(crate::raw_client::TIMEOUT, future)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
