//! A small HTTP client for the lab's own questions: control, metrics, readiness. One connection a question.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use runtime::{ShutdownPolicy, Tasks};
use tokio::net::TcpStream;

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens, or the connection broke.
    #[error("{addr} does not answer")]
    Connection {
        /// Who was asked.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Too late.
    #[error("{addr} took longer than {}ms", limit.as_millis())]
    Timeout {
        /// Who was asked.
        addr: SocketAddr,
        /// How long we waited.
        limit: Duration,
    },
}

/// Asks nodes, with the run's token.
#[derive(Clone)]
pub struct ControlClient {
    tasks: Tasks,
    token: String,
}

impl ControlClient {
    /// An asker whose connections belong to `tasks`.
    pub fn new(tasks: Tasks, token: impl Into<String>) -> Self {
        Self { tasks, token: token.into() }
    }

    /// Asks, and waits at most `limit` for the whole answer.
    ///
    /// # Errors
    /// When nobody listens, the connection breaks, or the limit passes. A
    /// status that means failure is an answer.
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
                // Its end is told to the sender, which is where we look.
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
            let body = response.into_body().collect().await.map_err(|why| connection_error(why.into()))?;
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
