//! One HTTP/1.1 connection to the registry, kept between requests and driven by whoever waits on it.
//!
//! No task of its own: it works to the last moment of a shutdown, when
//! deregistering matters most.

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

use crate::api::TOKEN_HEADER;
use crate::location::Location;

/// A request that takes longer than this has failed: a third of a lease.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// Largest answer to anything but a watch.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// Why the registry did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("no connection to the registry at {0}")]
    Connect(Location, #[source] std::io::Error),
    #[error("the connection to the registry broke")]
    Broken(#[source] hyper::Error),
    #[error("the registry's answer is unreadable")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the registry did not answer within {0:?}")]
    Timeout(Duration),
}

pub(crate) struct RegistryClient {
    registry: Location,
    token: Option<Arc<str>>,
    connection: Option<OpenConnection>,
}

/// An open connection: the side to speak into, and what moves the bytes.
struct OpenConnection {
    sender: SendRequest<Full<Bytes>>,
    driver: ConnectionDriver,
}

type Http = Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// `None` once the connection has ended.
pub(crate) struct ConnectionDriver(Option<Pin<Box<Http>>>);

impl ConnectionDriver {
    /// Waits for `future` while moving bytes.
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
    pub fn new(registry: Location, token: Option<Arc<str>>) -> Self {
        Self { registry, token, connection: None }
    }

    /// One request and its whole answer. A kept connection that turns out to
    /// be dead is replaced once; all our requests may be repeated.
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

    /// Opens a stream of events; the connection belongs to it from now on.
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
            let response = connection
                .driver
                .drive(connection.sender.send_request(request))
                .await
                .map_err(ClientError::Broken)?;
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
            connection.sender.ready().await.map_err(ClientError::Broken)?;
            let response = connection.sender.send_request(request).await.map_err(ClientError::Broken)?;
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
