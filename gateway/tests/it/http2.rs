//! Clients that speak HTTP/2: what reaches components, and what does not.

use axum::body::Bytes;
use gateway::{Options, Route, Upstream};
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use policy::admission::AdmissionOptions;
use runtime::{ShutdownPolicy, Tasks};
use serde_json::Value;
use tokio::net::TcpStream;
use transport::serve::StreamLimits;

use crate::fixture::{Hits, PHOTO, TestGateway, Tuning, bounded, cluster_of, copy, echo, options, until};
use crate::raw_client::get;

type RequestBody = BoxBody<Bytes, std::convert::Infallible>;

/// A connection that begins with HTTP/2.
struct Client {
    _tasks: Tasks,
    requests: SendRequest<RequestBody>,
}

impl Client {
    async fn open(fixture: &TestGateway) -> Self {
        let tasks = Tasks::new();
        let stream = TcpStream::connect(fixture.addr).await.expect("connects");
        let (requests, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tasks.spawn("test.connection", ShutdownPolicy::Cancel, async move { connection.await.ok() });
        Self { _tasks: tasks, requests }
    }

    async fn ask(&mut self, request: Request<RequestBody>) -> Response<Incoming> {
        bounded("an answer", self.requests.send_request(request)).await.expect("the connection is open")
    }

    /// The status of an answer, and its JSON.
    async fn json(&mut self, request: Request<RequestBody>) -> (u16, Value) {
        let response = self.ask(request).await;
        assert_eq!(response.version(), Version::HTTP_2);
        let status = response.status().as_u16();
        let body = bounded("a body", response.into_body().collect()).await.expect("whole").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

fn request(
    method: Method,
    path: &str,
    fields: &[(&'static str, &str)],
    body: RequestBody,
) -> Request<RequestBody> {
    let mut request = Request::builder().method(method).uri(format!("http://cleave:80{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(body).expect("a request")
}

fn get_request(path: &str, fields: &[(&'static str, &str)]) -> Request<RequestBody> {
    request(Method::GET, path, fields, Empty::new().boxed())
}

fn full(length: usize) -> RequestBody {
    Full::new(Bytes::from(vec![b'x'; length])).boxed()
}

/// A gateway that serves HTTP/2 as well, in front of a component that does not.
async fn open(tasks: &Tasks, hits: Hits, options: Options) -> TestGateway {
    let copy = copy(tasks, echo(hits)).await;
    let tuning = Tuning { options: Some(options), http2: Some(StreamLimits::PUBLIC), ..Tuning::default() };
    TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await
}

#[tokio::test]
async fn components_get_requests_as_http1_has_them() {
    let tasks = Tasks::new();
    let fixture = open(&tasks, Hits::default(), options()).await;
    let mut client = Client::open(&fixture).await;
    let fields = [
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("te", "trailers"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-cleave-principal", "0000000000001"),
        ("accept", "*/*"),
    ];
    let (status, echoed) = client.json(get_request("/v1/echo/7?page=2", &fields)).await;
    assert_eq!((status, echoed["uri"].as_str()), (200, Some("/v1/echo/7?page=2")));
    let seen = |name: &str| echoed["fields"][name].as_str().map(str::to_owned);
    assert_eq!(seen("x-forwarded-host").as_deref(), Some("cleave:80"));
    assert_eq!(seen("x-forwarded-proto").as_deref(), Some("http"), "as it came, and not as it claims");
    assert_eq!(seen("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(seen("cookie").as_deref(), Some("a=1; b=2"));
    assert_eq!((seen("te"), seen("x-cleave-principal")), (None, None));
    assert!(seen("host").is_some_and(|host| host.starts_with("127.0.0.1:")), "its own address");

    let (status, echoed) = client.json(request(Method::POST, "/v1/echo", &[], full(100))).await;
    assert_eq!((status, echoed["length"].as_u64()), (200, Some(100)));
    assert_eq!(get(fixture.addr, "/v1/echo/7").await.status, 200, "HTTP/1.1 at the same port");
}

#[tokio::test]
async fn what_two_readers_could_understand_differently_is_refused() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let fixture = open(&tasks, hits.clone(), options()).await;
    let mut client = Client::open(&fixture).await;
    for (path, fields, expected) in [
        ("/v1/echo/7", &[("host", "elsewhere")][..], (400, "host_invalid")),
        ("/v1/echo/..", &[], (400, "path_invalid")),
        ("/v1/echo%2f7", &[], (400, "path_invalid")),
        ("/v1/echo//7", &[], (400, "path_invalid")),
        ("/v1/echo/7", &[("expect", "a pony")], (417, "expectation_failed")),
        ("/call/secret", &[], (404, "no_such_route")),
        ("/metrics", &[], (404, "no_such_route")),
    ] {
        let (status, refusal) = client.json(get_request(path, fields)).await;
        assert_eq!(
            (status, refusal["error"]["code"].as_str().unwrap_or_default()),
            expected,
            "{path} {fields:?}"
        );
    }
    let traced = client.json(request(Method::TRACE, "/v1/echo/7", &[], Empty::new().boxed())).await;
    assert_eq!(traced.0, 405);
    assert_eq!(hits.count(), 0, "no component is asked");
    let same = client.json(get_request("/v1/echo/7", &[("host", "cleave:80")])).await;
    assert_eq!(same.0, 200, "a host that is the authority's");
}

#[tokio::test]
async fn each_stream_has_the_limits_of_a_request() {
    let (tasks, hits) = (Tasks::new(), Hits::default());
    let fixture = open(&tasks, hits.clone(), options()).await;
    let mut client = Client::open(&fixture).await;
    let (status, _) = client.json(request(Method::POST, "/v1/small", &[], full(1_001))).await;
    assert_eq!(status, 413);
    // A body that never ends; its route gives it 200 ms.
    let frames = futures_util::stream::pending::<Result<Frame<Bytes>, std::convert::Infallible>>();
    let endless = BodyExt::boxed(StreamBody::new(frames));
    let (status, refusal) = client.json(request(Method::POST, "/v1/slow", &[], endless)).await;
    assert_eq!((status, refusal["error"]["code"].as_str()), (408, Some("body_too_slow")));
    assert_eq!(hits.count(), 0, "no component is asked");
    let large = client.json(request(Method::POST, "/v1/large", &[], full(4 << 20))).await;
    assert_eq!((large.0, large.1["length"].as_u64()), (200, Some(4 << 20)), "beyond any window");
    until("nothing is held", || fixture.gateway.held_request_bytes() == 0).await;
    let mut long = HeaderMap::new();
    long.insert("x-long", "a".repeat(17 * 1024).parse().expect("visible"));
    let mut too_long = get_request("/v1/echo/7", &[]);
    *too_long.headers_mut() = long;
    assert_eq!(client.ask(too_long).await.status(), 431, "a head has the same bound");
}

#[tokio::test]
async fn streams_of_one_connection_are_admitted_one_by_one() {
    let tasks = Tasks::new();
    let admit = AdmissionOptions { limit: 1, queue: 0, ..AdmissionOptions::default() };
    let copy = copy(&tasks, echo(Hits::default())).await;
    let slow = Route { deadline_ms: 30_000, ..Route::new("GET", "/v1/slow", PHOTO) };
    let tuning = Tuning {
        options: Some(Options { admit, ..options() }),
        routes: Some(vec![slow, Route::new("GET", "/v1/echo/{id}", PHOTO)]),
        http2: Some(StreamLimits::PUBLIC),
        ..Tuning::default()
    };
    let fixture = TestGateway::tuned(Upstream::Cluster(cluster_of(&[copy.addr()])), tuning).await;
    let mut client = Client::open(&fixture).await;
    // The first holds the one place.
    let _slow = client.requests.send_request(get_request("/v1/slow", &[]));
    let (status, refusal) = client.json(get_request("/v1/echo/7", &[])).await;
    assert_eq!((status, refusal["error"]["code"].as_str()), (503, Some("overloaded")));
}
