//! Requests to a node's control, metrics and public endpoints, with the run's token. One connection a request.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use runtime::{ShutdownPolicy, Tasks};
use tokio::net::TcpStream;

/// Longest answer, 16 MiB: far more than the metrics of any node.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The connection was refused, or it broke.
    #[error("{addr} does not answer")]
    Connection {
        /// The address.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Too late.
    #[error("{addr} took longer than {}ms", limit.as_millis())]
    Timeout {
        /// The address.
        addr: SocketAddr,
        /// The time it had.
        limit: Duration,
    },
    /// More than an answer has.
    #[error("the answer of {addr} is longer than {} MiB", MAX_ANSWER_BYTES >> 20)]
    TooLong {
        /// The address.
        addr: SocketAddr,
    },
}

/// Sends requests to nodes. Cheap to clone.
#[derive(Clone)]
pub struct ControlClient {
    tasks: Tasks,
    token: String,
}

impl ControlClient {
    /// A client whose connections belong to `tasks`.
    pub fn new(tasks: Tasks, token: impl Into<String>) -> Self {
        Self { tasks, token: token.into() }
    }

    /// Sends a request, and waits at most `limit` for the whole answer.
    ///
    /// # Errors
    /// When the connection is refused or breaks, the limit passes, or the answer is longer than 16 MiB. A status that means
    /// failure is an answer.
    pub async fn request(
        &self,
        addr: SocketAddr,
        method: Method,
        path: &str,
        body: impl Into<Bytes> + Send,
        limit: Duration,
    ) -> Result<(StatusCode, Bytes), ControlError> {
        let connection_error =
            |source: Box<dyn std::error::Error + Send + Sync>| ControlError::Connection { addr, source };
        let exchange = async {
            let stream = TcpStream::connect(addr).await.map_err(|why| connection_error(why.into()))?;
            stream.set_nodelay(true).map_err(|why| connection_error(why.into()))?;
            let (mut sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(|why| connection_error(why.into()))?;
            self.tasks.spawn("lab.control", ShutdownPolicy::Cancel, async move {
                // The sender gets its error.
                let _ = connection.await;
            });
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(HOST, addr.to_string())
                .header(CONNECTION, "close")
                .header(CONTENT_TYPE, "application/json")
                .header("x-cleave-token", &self.token)
                .body(Full::new(body.into()))
                .map_err(|why| connection_error(why.into()))?;
            let response = sender.send_request(request).await.map_err(|why| connection_error(why.into()))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|why| match why.is::<LengthLimitError>() {
                true => ControlError::TooLong { addr },
                false => connection_error(why),
            })?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(limit, exchange).await.map_err(|_| ControlError::Timeout { addr, limit })?
    }

    /// `GET`, for reading.
    ///
    /// # Errors
    /// As [`ControlClient::request`].
    pub async fn get(
        &self,
        addr: SocketAddr,
        path: &str,
        limit: Duration,
    ) -> Result<(StatusCode, Bytes), ControlError> {
        self.request(addr, Method::GET, path, Bytes::new(), limit).await
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::Router;
    use axum::http::HeaderMap;
    use axum::routing::any;
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// A test that waits this long has failed.
    const LIMIT: Duration = Duration::from_secs(60);

    async fn serve(tasks: &Tasks, router: Router) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        tasks.spawn("test.server", ShutdownPolicy::Cancel, async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        addr
    }

    #[tokio::test]
    async fn a_request_has_the_token_and_a_failure_is_an_answer() {
        let tasks = Tasks::new();
        let answer = |method: Method, headers: HeaderMap, body: String| async move {
            let token = headers["x-cleave-token"].to_str().expect("text").to_owned();
            (StatusCode::CONFLICT, format!("{method} {token} {body}"))
        };
        let addr = serve(&tasks, Router::new().route("/control/leases", any(answer))).await;
        let control = ControlClient::new(tasks.clone(), "secret");
        let (status, body) =
            control.request(addr, Method::PUT, "/control/leases", "lease", LIMIT).await.expect("an answer");
        assert_eq!((status, &body[..]), (StatusCode::CONFLICT, &b"PUT secret lease"[..]));
        tasks.finish(LIMIT).await;
    }

    #[tokio::test]
    async fn an_answer_that_is_longer_than_any_of_a_node_is_refused_by_name() {
        let tasks = Tasks::new();
        let long = Router::new()
            .route("/longest", any(|| async { vec![b'x'; MAX_ANSWER_BYTES] }))
            .route("/longer", any(|| async { vec![b'x'; MAX_ANSWER_BYTES + 1] }));
        let addr = serve(&tasks, long).await;
        let control = ControlClient::new(tasks.clone(), "secret");
        let (_, body) = control.get(addr, "/longest", LIMIT).await.expect("as long as it may be");
        assert_eq!(body.len(), MAX_ANSWER_BYTES);
        let error = control.get(addr, "/longer", LIMIT).await.expect_err("it is longer");
        assert_eq!(error.to_string(), format!("the answer of {addr} is longer than 16 MiB"));
        tasks.finish(LIMIT).await;
    }

    #[tokio::test]
    async fn a_silent_server_and_a_closed_port_are_distinguished() {
        let tasks = Tasks::new();
        let control = ControlClient::new(tasks.clone(), "secret");
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let addr = silent.local_addr().expect("bound");
        let late = control.get(addr, "/", Duration::from_millis(1)).await;
        assert!(matches!(late, Err(ControlError::Timeout { .. })), "{late:?}");
        // A port that is taken and does not listen: no other test gets it meanwhile.
        let closed = TcpSocket::new_v4().expect("a socket");
        closed.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        let refused = control.get(closed.local_addr().expect("bound"), "/", LIMIT).await;
        assert!(matches!(refused, Err(ControlError::Connection { .. })), "{refused:?}");
        tasks.finish(LIMIT).await;
    }
}
