//! How a node's ports are served, and what they answer where no component does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use component::web::RefusalResponse;
use contract::{Carrier, Refusal, RefusalKind};
use policy::drain::{DRAIN_DEADLINE, DRAIN_GRACE};
use policy::{BodyLimits, ClientOptions, MinimumRate};
use transport::serve;

use crate::config::NodeConfig;

/// Bytes of a long reply that wait at the internal port for its reader: a piece from the disk, so that a stream holds one. As
/// many streams as a pool of the gateway passes on, 1,024, hold 32 MiB.
const INTERNAL_BUFFER_BYTES: usize = 32 * 1024;

/// Bytes of headers that the gateway adds to a request: what fits its own limit must fit that of the component, or each such
/// request would cost a connection. The host is written twice, at 253 bytes at most; all else is short.
const ADDED_HEADER_BYTES: usize = 2 * 1024;

/// The internal port's: with HTTP/2 where calls travel by it. Its readers are our own, all from one address, and bound what
/// they read for each client: a budget here would be one for all clients, and slow ones would take it from the others.
pub(crate) fn serve_options(carrier: Carrier) -> serve::Options {
    let http2 = (carrier == Carrier::Http2Binary).then(serve::StreamLimits::default);
    serve::Options {
        http2,
        reply_bytes: BodyLimits::UNLIMITED,
        buffer_bytes: INTERNAL_BUFFER_BYTES,
        max_header_bytes: serve::Options::default().max_header_bytes + ADDED_HEADER_BYTES,
        drain_grace: DRAIN_GRACE,
        drain_deadline: DRAIN_DEADLINE,
        ..serve::Options::default()
    }
}

/// The public door's: HTTP/2 where it is asked for, how slowly a client may read, and limits by address unless all clients share
/// one.
pub(crate) fn public_options(config: &NodeConfig) -> serve::Options {
    let by_address = config.settings.limits_per_address;
    let connection_limits =
        if by_address { serve::ConnectionLimits::PUBLIC } else { serve::ConnectionLimits::SHARED };
    serve::Options {
        connection_limits,
        read_rate: Some(MinimumRate::default()),
        reply_bytes: config.bodies().replies(by_address),
        buffer_bytes: serve::Options::default().buffer_bytes,
        max_header_bytes: serve::Options::default().max_header_bytes,
        http2: config.public_http2.then_some(serve::StreamLimits::PUBLIC),
        ..serve_options(config.carrier)
    }
}

/// How much of the gateway one account and one address may have.
pub(crate) fn client_options(config: &NodeConfig) -> ClientOptions {
    let settings = &config.settings;
    let cores = runtime::limits::allowed_cores().len();
    ClientOptions::new(settings.limits_per_account, settings.limits_per_address, cores)
}

pub(crate) fn health(ready: Arc<AtomicBool>) -> Router {
    let readiness = move || {
        let ready = ready.load(Ordering::Acquire);
        let answer = if ready {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        };
        std::future::ready(answer)
    };
    Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(readiness))
}

pub(crate) async fn no_such_path() -> RefusalResponse {
    RefusalResponse(Refusal::new(RefusalKind::NotFound, "no_such_route", "there is no such path here"))
}

pub(crate) async fn wrong_method() -> impl IntoResponse {
    let sentence = "this path exists, but not for this method; see `Allow`";
    (StatusCode::METHOD_NOT_ALLOWED, RefusalResponse(Refusal::bad_request("method_not_allowed", sentence)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_bounded_for_clients_and_for_no_caller_of_ours() {
        let internal = serve_options(Carrier::Json);
        assert_eq!(internal.reply_bytes, BodyLimits::UNLIMITED);
        let public = public_options(&NodeConfig::default());
        assert_eq!(public.reply_bytes, NodeConfig::default().bodies().replies(true));
        assert!(internal.buffer_bytes < public.buffer_bytes);
        assert!(public.http2.is_none(), "unless it is asked for");
        assert!(public_options(&NodeConfig { public_http2: true, ..NodeConfig::default() }).http2.is_some());
        assert!(internal.max_header_bytes > public.max_header_bytes, "the gateway adds to what it passes on");
    }
}
