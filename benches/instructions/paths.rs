//! The hot paths. What is measured of each is the function that bears its name; what it needs is made outside.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use benches::context;
use contract::{Answer, CallContext, Carrier, ComponentName};
use gateway::{Gateway, Route, RouteTable, Upstream};
use http::{HeaderMap, HeaderValue, Method, Request};
use policy::breaker::{Breaker, BreakerOptions, Permission};
use policy::budget::{BudgetOptions, RetryBudget};
use policy::{BodyLimits, EndpointLoad, Picker};
use profile_api::{ProfilesByIds, UserId};
use telemetry::{Origin, ServerMetrics, ServerOutcome};
use testkit::fakes::Roster;
use tokio::runtime::Runtime;
use transport::body_budget::BodyBudget;
use transport::{Body, CallRouter, CallRouterOptions, Clusters, headers, sanitize};

const PHOTO: ComponentName = ComponentName::of("photo");
const PROFILE: ComponentName = ComponentName::of("profile");
const FEED: ComponentName = ComponentName::of("feed");

/// A path, ready to be walked.
pub struct HotPath {
    /// The function that is measured.
    pub name: &'static str,
    walk: Box<dyn FnMut()>,
}

impl HotPath {
    fn new(name: &'static str, walk: impl FnMut() + 'static) -> Self {
        Self { name, walk: Box::new(walk) }
    }

    /// Walks it so many times.
    pub fn walk(&mut self, times: u64) {
        (0..times).for_each(|_| (self.walk)());
    }
}

/// All of them.
pub fn all() -> Vec<HotPath> {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    let (door, doors) = (runtime(), gateway());
    let (hop, calls) = (runtime(), wire());
    let routes = gateway();
    let call = ProfilesByIds { ids: (1..=10).map(UserId::new).collect() };
    let cx = context();
    let loads: Vec<_> = (0..3).map(|_| EndpointLoad::first()).collect();
    let picker = Picker::default();
    let (mut breaker, mut budget) =
        (Breaker::new(BreakerOptions::default()), RetryBudget::new(BudgetOptions::default()));
    let bodies = BodyBudget::new(BodyLimits { in_all: 64 << 20, per_address: None });
    let metrics = ServerMetrics::of(PHOTO, "GET", "/v1/photos/{id}");
    let mut now_ns = 0;
    let mut tick = move || {
        now_ns += 50_000;
        now_ns
    };
    let mut tock = tick;
    vec![
        HotPath::new("clean_request_head", || clean_request_head(request_head())),
        HotPath::new("clean_response_head", || clean_response_head(response_head())),
        HotPath::new("read_call_context", || read_call_context(&request_head())),
        HotPath::new("find_route", move || find_route(&routes)),
        HotPath::new("pick_endpoint", move || pick_endpoint(&picker, &loads, tick())),
        HotPath::new("admit_and_report", move || admit_and_report(&mut breaker, &mut budget, tock())),
        HotPath::new("hold_reply_bytes", move || hold_reply_bytes(&bodies)),
        HotPath::new("record_request", move || record_request(&metrics)),
        HotPath::new("trace_unsampled", trace_unsampled),
        HotPath::new("serve_at_the_door", move || serve_at_the_door(&door, &doors, door_request())),
        HotPath::new("call_encoded", move || call_encoded(&hop, &calls, &cx, call.clone())),
    ]
}

/// As the load generator sends it.
fn request_head() -> HeaderMap {
    let fields = [
        ("host", "127.0.0.1:8080"),
        ("user-agent", "cleave/0.1"),
        ("accept", "application/json"),
        ("authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.AAAA"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"),
        ("x-cleave-request", "00000000000000ff"),
        ("x-deadline-ms", "2000"),
    ];
    let field = |(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value));
    fields.into_iter().map(field).collect()
}

fn response_head() -> HeaderMap {
    let fields = [
        ("content-type", "application/json"),
        ("content-length", "200"),
        ("date", "Mon, 30 Nov 2026 17:00:00 GMT"),
    ];
    let field = |(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value));
    fields.into_iter().map(field).collect()
}

fn door_request() -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = "/v1/photos/7".parse().expect("a path");
    *request.headers_mut() = request_head();
    request
}

/// A gateway with the photo component in the same process: all of the door, and no socket.
fn gateway() -> Gateway {
    let router = Router::new().route("/v1/photos/{id}", get(|| async { "a photo" }));
    let routes = ["/v1/photos/{id}", "/v1/feed", "/v1/users/{id}", "/v1/search"];
    let routes = routes.map(|path| Route::new("GET", path, PHOTO)).into();
    let options = gateway::Options::new("bench".into());
    Gateway::new(options, RouteTable { routes }, move |_| Some(Upstream::Local(router.clone())))
        .expect("a valid table")
}

/// Calls that are encoded and decoded in place.
fn wire() -> Arc<dyn Answer<ProfilesByIds>> {
    let router = CallRouter::new(CallRouterOptions {
        carrier: Carrier::Wire,
        clusters: Clusters::new(),
        services: Default::default(),
        copy: "test#0".into(),
        schema: 1,
        policies: Vec::new(),
        faults: Arc::default(),
        token: "bench".into(),
        hosts: vec![FEED, PROFILE],
        seed: 42,
    });
    router.answer::<ProfilesByIds>(Arc::new(Roster));
    router.ask::<ProfilesByIds>(FEED)
}

#[inline(never)]
fn clean_request_head(mut head: HeaderMap) {
    sanitize::strip_hop_by_hop(&mut head);
    sanitize::strip_claims(&mut head);
    sanitize::forwarded(&mut head, &HeaderValue::from_static("127.0.0.1"), false, None);
    black_box(head);
}

#[inline(never)]
fn clean_response_head(mut head: HeaderMap) {
    sanitize::strip_hop_by_hop(&mut head);
    black_box(head);
}

#[inline(never)]
fn read_call_context(head: &HeaderMap) {
    black_box(headers::public_context(head));
}

#[inline(never)]
fn find_route(gateway: &Gateway) {
    let table = gateway.table().load();
    black_box(table.find(black_box(&Method::GET), black_box("/v1/photos/7")));
}

#[inline(never)]
fn pick_endpoint(picker: &Picker, loads: &[EndpointLoad], now_ns: u64) {
    let at = picker.pick(loads, |load| load, now_ns, now_ns.wrapping_mul(0x9e37_79b9_7f4a_7c15), None);
    let load = &loads[at.expect("three are there")];
    load.begin();
    load.succeeded(now_ns, 300_000);
    load.end();
}

#[inline(never)]
fn admit_and_report(breaker: &mut Breaker, budget: &mut RetryBudget, now_ns: u64) {
    budget.deposit(now_ns);
    match breaker.admit(now_ns) {
        Permission::Granted(generation) => breaker.on_result(now_ns, generation, true),
        Permission::Denied(_) => unreachable!("no call has failed"),
    }
}

#[inline(never)]
fn hold_reply_bytes(bodies: &BodyBudget) {
    let mut room = bodies.short.reserve(IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert!(room.grow(200));
    drop(black_box(room.split(200)));
}

#[inline(never)]
fn record_request(metrics: &Arc<ServerMetrics>) {
    let _active = metrics.begin();
    metrics.record(ServerOutcome::of(black_box(200)), Duration::from_micros(300));
}

#[inline(never)]
fn trace_unsampled() {
    let parent = contract::TraceContext { trace_id: 7, span_id: 9, sampled: false };
    let span =
        telemetry::server_span("GET", "/v1/feed", "/v1/feed", "1.1", black_box(parent), Origin::Client);
    span.in_scope(|| {
        let client = telemetry::client_span("GET", "/v1/feed", FEED, "127.0.0.1:80", 0);
        black_box(telemetry::current_trace());
        telemetry::client_end(&client, Ok(200));
    });
    telemetry::server_end(&span, ServerOutcome::of(200));
}

#[inline(never)]
fn serve_at_the_door(runtime: &Runtime, gateway: &Gateway, request: Request<Body>) {
    let response = runtime.block_on(gateway.handle(request));
    assert_eq!(black_box(response).status(), 200);
}

#[inline(never)]
fn call_encoded(
    runtime: &Runtime,
    calls: &Arc<dyn Answer<ProfilesByIds>>,
    cx: &CallContext,
    call: ProfilesByIds,
) {
    let profiles = runtime.block_on(calls.answer(cx, call)).expect("it answers");
    assert_eq!(black_box(profiles).len(), 10);
}
