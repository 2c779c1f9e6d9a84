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

use crate::http::TOKEN;
use crate::place::Place;

/// A request that takes longer than this has failed: a third of a lease.
const PATIENCE: Duration = Duration::from_secs(1);
/// Largest answer to anything but a watch.
const ANSWER_MAX: usize = 1 << 20;

/// Why the registry did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("no connection to the registry at {0}")]
    Connect(Place, #[source] std::io::Error),
    #[error("the connection to the registry broke")]
    Broken(#[source] hyper::Error),
    #[error("the registry's answer is unreadable")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the registry did not answer within {0:?}")]
    Silent(Duration),
}

pub(crate) struct Link {
    registry: Place,
    token: Option<Arc<str>>,
    line: Option<Line>,
}

/// An open connection: the side to speak into, and what moves the bytes.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    wire: Wire,
}

type Http = Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// `None` once the connection has ended.
pub(crate) struct Wire(Option<Pin<Box<Http>>>);

impl Wire {
    /// Waits for `future` while moving bytes.
    pub async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| {
            if self.0.as_mut().is_some_and(|wire| wire.as_mut().poll(cx).is_ready()) {
                self.0 = None;
            }
            future.as_mut().poll(cx)
        })
        .await
    }
}

impl Link {
    pub fn new(registry: Place, token: Option<Arc<str>>) -> Self {
        Self { registry, token, line: None }
    }

    /// One request and its whole answer. A kept connection that turns out to
    /// be dead is replaced once; all our requests may be repeated.
    pub async fn ask<T: Serialize>(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&T>,
    ) -> Result<(StatusCode, Bytes), LinkError> {
        let body = body.map(|body| serde_json::to_vec(body).expect("the model is plain data"));
        let body = Bytes::from(body.unwrap_or_default());
        let answer = timeout(PATIENCE, async {
            let kept = self.line.is_some();
            match self.exchange(method.clone(), path, body.clone()).await {
                Err(LinkError::Broken(_)) if kept => self.exchange(method, path, body).await,
                answer => answer,
            }
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.line = None;
                Err(error)
            }
            Err(_) => {
                self.line = None;
                Err(LinkError::Silent(PATIENCE))
            }
        }
    }

    /// Opens a stream of events; the connection belongs to it from now on.
    pub async fn open(
        &self,
        path: &str,
        last_event: Option<String>,
    ) -> Result<(Response<Incoming>, Wire), LinkError> {
        let opening = async {
            let mut line = self.connect().await?;
            let mut request = self.request(Method::GET, path, Bytes::new());
            if let Some(id) = last_event.and_then(|id| id.parse().ok()) {
                request.headers_mut().insert("last-event-id", id);
            }
            let response =
                line.wire.drive(line.sender.send_request(request)).await.map_err(LinkError::Broken)?;
            Ok((response, line.wire))
        };
        timeout(PATIENCE, opening).await.map_err(|_| LinkError::Silent(PATIENCE))?
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), LinkError> {
        let request = self.request(method, path, body);
        let mut line = match self.line.take() {
            Some(line) => line,
            None => self.connect().await?,
        };
        let answer = line.wire.drive(async {
            line.sender.ready().await.map_err(LinkError::Broken)?;
            let response = line.sender.send_request(request).await.map_err(LinkError::Broken)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_MAX);
            Ok((status, body.collect().await.map_err(LinkError::Unreadable)?.to_bytes()))
        });
        let answer = answer.await?;
        self.line = line.wire.0.is_some().then_some(line);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Line, LinkError> {
        let unreachable = |error| LinkError::Connect(self.registry.clone(), error);
        let stream = TcpStream::connect(self.registry.as_str()).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(LinkError::Broken)?;
        Ok(Line { sender, wire: Wire(Some(Box::pin(connection))) })
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.registry.as_str())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(TOKEN, &**token);
        }
        request.body(Full::new(body)).expect("names are plain and tokens are visible ASCII")
    }
}
