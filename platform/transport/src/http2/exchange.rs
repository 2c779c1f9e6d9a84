//! One try of a call: a stream, the head of its reply, and what it means when there is none.
//!
//! The failures are those of HTTP/1, and so is what may be repeated after them, with one more certainty: a stream that is
//! refused, or above the last one that the other side says it has seen, was not acted on (RFC 9113, section 8.7).

use std::time::Instant;

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use tokio::time::timeout_at;

use super::channel::CallPlace;
use super::reply::ReplyStream;
use crate::Body;
use crate::attempt::BODY_IDLE;
use crate::attempt_error::{AttemptError, NotSentReason};
use crate::cluster::Endpoint;

/// Largest body of a request, bytes: calls are encoded whole.
const MAX_REQUEST_BYTES: u64 = 16 << 20;
/// How often a call that was not acted on is sent again at once. A callee that drains lets a new connection have one
/// answer, and refuses what else has come on it meanwhile.
const MAX_UNSENT: u32 = 3;

/// How a call goes.
pub(crate) struct Conditions {
    /// How many connections the calls to an endpoint share.
    pub connections: u32,
    /// When its caller waits no longer.
    pub until: Instant,
    /// It may happen twice.
    pub is_repeatable: bool,
}

/// Sends what `make` makes, and waits for the head of the response. What was not acted on is sent again at once, without
/// charge to any budget; what may have been only where it may be repeated, on a kept connection, and once.
pub(crate) async fn exchange(
    endpoint: &Endpoint,
    conditions: Conditions,
    make: impl Fn() -> Option<Request<Body>>,
) -> Result<Response<Body>, AttemptError> {
    let Conditions { connections, until, is_repeatable } = conditions;
    let (mut unsent, mut lost) = (0, 0);
    loop {
        let mut place = endpoint
            .channel
            .begin_call(connections, until)
            .await
            .map_err(|why| AttemptError::NotSent(why.into()))?;
        if !endpoint.network.is_loopback() {
            by_deadline(until, endpoint.network.one_way()).await?;
        }
        // As for HTTP/1: what must not be sent twice does not meet a connection that has been closed.
        if !is_repeatable && place.connection.has_answered() && !place.connection.is_open() {
            place.connection.close();
            continue;
        }
        let request = make().ok_or(AttemptError::TimedOut)?;
        let was_kept = place.connection.has_answered();
        let error = match send(&mut place, request, until).await {
            Ok(response) => {
                if !endpoint.network.is_loopback() {
                    by_deadline(until, endpoint.network.one_way()).await?;
                }
                return Ok(response_of(response, place));
            }
            Err(error) => error,
        };
        match &error {
            AttemptError::NotSent(_) if unsent < MAX_UNSENT => unsent += 1,
            AttemptError::ConnectionLost(_) if is_repeatable && was_kept && lost == 0 => lost += 1,
            _ => return Err(error),
        }
    }
}

async fn by_deadline<T>(until: Instant, waiting: impl Future<Output = T>) -> Result<T, AttemptError> {
    timeout_at(until.into(), waiting).await.map_err(|_| AttemptError::TimedOut)
}

/// Opens a stream and waits for the head of the response. Given up before, the stream is reset, and the callee drops the call.
async fn send(
    place: &mut CallPlace,
    request: Request<Body>,
    until: Instant,
) -> Result<Response<RecvStream>, AttemptError> {
    let CallPlace { connection, alarm, .. } = place;
    let (head, body) = request.into_parts();
    let body = read_body(body).await?;
    let mut head = Request::from_parts(head, ());
    if !body.is_empty() {
        head.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    }
    let reads = connection.reads();
    let opened = connection.sender().send_request(head, body.is_empty());
    let (response, mut stream) = opened.map_err(|error| {
        // It ends, or the other side has announced that it does.
        connection.close();
        AttemptError::NotSent(NotSentReason::Closed(error.into()))
    })?;
    if !body.is_empty() {
        // The window may be smaller: the rest follows as it opens. An error is the response's as well.
        let _shown_by_the_response = stream.send_data(body, true);
    }
    drop(stream);
    match alarm.before(until, response).await {
        Some(Ok(response)) => {
            connection.answered();
            Ok(response)
        }
        Some(Err(error)) => {
            let is_of_stream = error.is_reset();
            if !is_of_stream {
                connection.close();
            }
            Err(failure(error))
        }
        None => {
            // Not a byte on the whole connection meanwhile: its other end may be gone. The next call finds out on a new one,
            // as over HTTP/1, where each that has timed out takes its connection along.
            if connection.reads() == reads {
                connection.close();
            }
            Err(AttemptError::TimedOut)
        }
    }
}

/// All of a body.
async fn read_body(body: Body) -> Result<Bytes, AttemptError> {
    match body.into_full() {
        Ok(bytes) => Ok(bytes),
        Err(body) => {
            let bytes = body.bytes(MAX_REQUEST_BYTES).await;
            bytes.map_err(|error| AttemptError::NotSent(NotSentReason::Closed(error.into())))
        }
    }
}

fn failure(error: h2::Error) -> AttemptError {
    let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    if error.is_remote() && (is_refused || error.is_go_away()) {
        AttemptError::NotSent(NotSentReason::Refused(error))
    } else if error.is_library() {
        AttemptError::Malformed("a frame violates HTTP/2")
    } else {
        AttemptError::ConnectionLost(error.into())
    }
}

fn response_of(response: Response<RecvStream>, place: CallPlace) -> Response<Body> {
    let (head, stream) = response.into_parts();
    let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let body = Body::from_stream(ReplyStream::new(stream, length, place)).idle_after(BODY_IDLE);
    Response::from_parts(head, body)
}
