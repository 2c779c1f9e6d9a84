//! A client with one HTTP/1.1 connection to the registry, kept between requests and driven by its caller.
//!
//! It has no task of its own, so it works until the end of a shutdown, when the process deregisters.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use transport::Network;

use crate::api::TOKEN_HEADER;
use crate::location::Location;

/// Timeout of a request: a third of a lease.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// Largest response, watches excepted.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// Why a request to the registry failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("cannot connect to the registry at {0}")]
    Connect(Location, #[source] std::io::Error),
    #[error("the connection to the registry broke")]
    Broken(#[source] hyper::Error),
    #[error("the registry's response is unreadable")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no response from the registry within {0:?}")]
    Timeout(Duration),
}

pub(crate) struct RegistryClient {
    registry: Location,
    token: Option<Arc<str>>,
    network: Network,
    connection: Option<OpenConnection>,
}

/// An open connection: its request sender, and the future that transfers bytes.
struct OpenConnection {
    sender: SendRequest<Full<Bytes>>,
    driver: ConnectionDriver,
}

type Http = Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// The future that drives a connection; `None` after the connection has closed.
pub(crate) struct ConnectionDriver(Option<Pin<Box<Http>>>);

impl ConnectionDriver {
    /// Awaits `future` while driving the connection.
    pub async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| {
            if self.0.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
                self.0 = None;
            }
            future.as_mut().poll(cx)
        })
        .await
    }
}

impl RegistryClient {
    pub fn new(registry: Location, token: Option<Arc<str>>, network: Network) -> Self {
        Self { registry, token, network, connection: None }
    }

    /// Sends a request and reads the whole response. A stale connection is replaced once; all requests
    /// are idempotent.
    pub async fn send<T: Serialize>(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&T>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let body = body.map(|body| serde_json::to_vec(body).expect("the model is plain data"));
        let body = Bytes::from(body.unwrap_or_default());
        let response = timeout(REQUEST_TIMEOUT, async {
            let kept = self.connection.is_some();
            match self.exchange(method.clone(), path, body.clone()).await {
                Err(ClientError::Broken(_)) if kept => self.exchange(method, path, body).await,
                response => response,
            }
        });
        match response.await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                self.connection = None;
                Err(error)
            }
            Err(_) => {
                self.connection = None;
                Err(ClientError::Timeout(REQUEST_TIMEOUT))
            }
        }
    }

    /// Opens a stream of events, which takes over the connection.
    pub async fn open(
        &self,
        path: &str,
        last_event: Option<String>,
    ) -> Result<(Response<Incoming>, ConnectionDriver), ClientError> {
        let opening = async {
            let mut connection = self.connect().await?;
            let mut request = self.request(Method::GET, path, Bytes::new());
            if let Some(id) = last_event.and_then(|id| id.parse().ok()) {
                request.headers_mut().insert("last-event-id", id);
            }
            self.network.one_way().await;
            let response = connection
                .driver
                .drive(connection.sender.send_request(request))
                .await
                .map_err(ClientError::Broken)?;
            self.network.one_way().await;
            Ok((response, connection.driver))
        };
        timeout(REQUEST_TIMEOUT, opening).await.map_err(|_| ClientError::Timeout(REQUEST_TIMEOUT))?
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let request = self.request(method, path, body);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let response = connection.driver.drive(async {
            self.network.one_way().await;
            connection.sender.ready().await.map_err(ClientError::Broken)?;
            let response = connection.sender.send_request(request).await.map_err(ClientError::Broken)?;
            self.network.one_way().await;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES);
            Ok((status, body.collect().await.map_err(ClientError::Unreadable)?.to_bytes()))
        });
        let response = response.await?;
        self.connection = connection.driver.0.is_some().then_some(connection);
        Ok(response)
    }

    async fn connect(&self) -> Result<OpenConnection, ClientError> {
        let unreachable = |error| ClientError::Connect(self.registry.clone(), error);
        self.network.round_trip().await;
        let stream = TcpStream::connect(self.registry.as_str()).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(ClientError::Broken)?;
        Ok(OpenConnection { sender, driver: ConnectionDriver(Some(Box::pin(connection))) })
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.registry.as_str())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(TOKEN_HEADER, &**token);
        }
        request.body(Full::new(body)).expect("names are plain and tokens are visible ASCII")
    }
}
