//! A request through the gateway, with the routes of the whole application, as far as a component sees it.

use std::cell::OnceCell;
use std::sync::Arc;

use axum::Router;
use gateway::{Gateway, Options, Upstream};
use http::{Request, StatusCode};
use tokio::runtime::Runtime;
use transport::Body;

use super::{Target, head, no_seeds};

pub(super) const TARGET: Target = Target { name: "routing", run, seeds: no_seeds, words: head::WORDS };

/// What a client may get; anything else is a failure of ours. 504: it had no time, or next to none.
const STATUSES: [StatusCode; 10] = [
    StatusCode::OK,
    StatusCode::NO_CONTENT,
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::EXPECTATION_FAILED,
    StatusCode::GATEWAY_TIMEOUT,
];

struct Door {
    runtime: Runtime,
    gateway: Gateway,
}

thread_local! {
    static DOOR: OnceCell<Door> = const { OnceCell::new() };
}

impl Door {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let component = Router::new().fallback(component);
        let options = Options::new(Arc::from("the run's token"));
        let found = move |_| Some(Upstream::Local(component.clone()));
        let gateway =
            Gateway::new(options, suite::door::route_table(), found).expect("the application's routes");
        Self { runtime, gateway }
    }
}

/// What every request that reaches a component must be like.
async fn component(request: axum::extract::Request) -> StatusCode {
    let (path, headers) = (request.uri().path(), request.headers());
    assert!(path.starts_with("/v1/"), "`{path}` is public");
    assert_eq!(headers.get("x-cleave-caller").map(http::HeaderValue::as_bytes), Some(&b"gateway"[..]));
    for inside in
        ["x-cleave-token", "x-cleave-principal", "forwarded", "connection", "transfer-encoding", "te"]
    {
        assert!(!headers.contains_key(inside), "{inside} reaches a component");
    }
    let deadline = headers.get("x-deadline-ms").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    assert!(deadline.is_some_and(|ms| (1..=30_000).contains(&ms)), "deadline {deadline:?}");
    StatusCode::OK
}

fn run(input: &[u8]) {
    let Some((parts, body)) = head::read(input) else { return };
    DOOR.with(|door| {
        let Door { runtime, gateway } = door.get_or_init(Door::open);
        let request = Request::from_parts(parts, Body::full(body));
        let response = runtime.block_on(gateway.handle(request));
        // A component that panics is a connection that was lost: 502.
        assert!(STATUSES.contains(&response.status()), "answered {}", response.status());
    });
}
