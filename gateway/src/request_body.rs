//! A request's body on its way through: read whole before anything else is asked to work for it.
//!
//! A client that sends slowly, or not at all, holds its connection and the bytes that have come,
//! and nothing that another client needs: no place, no connection to a component (as nginx's
//! `proxy_request_buffering`). What is held is bounded in all, and must keep a minimum rate.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use policy::MinimumRate;
use runtime::clock;
use tokio::time::timeout_at;
use transport::body_budget::BodyBudget;
use transport::byte_budget::Reservation;
use transport::{Body, BodyError};

use crate::clients::{AccountBytes, ClientRequest};

/// Why a body is not taken, by the client's doing but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFailure {
    /// More bytes than the route takes.
    TooLarge,
    /// It did not come in time, or too slowly.
    TooSlow,
    /// It broke off, or its framing is wrong.
    Broken,
    /// As many bytes are held as may be.
    NoRoom,
}

impl From<&BodyError> for BodyFailure {
    fn from(error: &BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self::TooLarge,
            BodyError::Idle(_) | BodyError::Late => Self::TooSlow,
            BodyError::Broken(_) => Self::Broken,
        }
    }
}

/// How bodies are taken.
#[derive(Debug)]
pub(crate) struct BodyTerms {
    /// Bodies up to this many bytes are sent as often as needed, longer ones once.
    pub keep: u64,
    /// How slowly they may come.
    pub rate: MinimumRate,
    /// What they hold together, and those of each address.
    pub budget: BodyBudget,
}

/// A body, all of it here, to be sent once or more often.
pub(crate) struct RequestBody {
    bytes: Bytes,
    /// Of one that is sent once: a try has read it.
    is_read: Option<Arc<AtomicBool>>,
    /// None for an empty one.
    _held: Option<([Reservation; 2], Option<AccountBytes>)>,
}

impl RequestBody {
    /// Takes all of a body that comes from `address`, at the latest at `until`. What is long is counted for the client's account
    /// as well.
    pub async fn take(
        mut body: Body,
        terms: &BodyTerms,
        address: IpAddr,
        client: &ClientRequest,
        until: Instant,
    ) -> Result<Self, BodyFailure> {
        if body.is_end_stream() {
            return Ok(Self { bytes: Bytes::new(), is_read: None, _held: None });
        }
        let started = clock::now();
        let mut bytes = BytesMut::new();
        let mut account = None;
        let mut allowed_ns = terms.rate.allowance_ns(0);
        let (mut short, mut long) = (terms.budget.short.reserve(address), terms.budget.long.reserve(address));
        while !body.is_end_stream() {
            let until = until.min(started + Duration::from_nanos(allowed_ns));
            let frame = timeout_at(until.into(), body.frame()).await.map_err(|_| BodyFailure::TooSlow)?;
            let Some(frame) = frame else { break };
            // Trailers are not passed on.
            let Ok(data) = frame.map_err(|error| BodyFailure::from(&error))?.into_data() else { continue };
            let (more, length) = (data.len() as u64, (bytes.len() + data.len()) as u64);
            let elapsed_ns = (clock::now() - started).as_nanos() as u64;
            allowed_ns = terms.rate.extended_ns(allowed_ns, more, elapsed_ns);
            let is_long = length > terms.keep;
            let room = if is_long { &mut long } else { &mut short };
            let is_held =
                room.grow(more) && (!is_long || account.get_or_insert_with(|| client.bytes()).grow(more));
            if !is_held {
                return Err(BodyFailure::NoRoom);
            }
            bytes.extend_from_slice(&data);
        }
        let is_read = (bytes.len() as u64 > terms.keep).then(Arc::default);
        Ok(Self { bytes: bytes.freeze(), is_read, _held: Some(([short, long], account)) })
    }

    /// The body for one try; `None` when it has been read and is too long to be sent again.
    pub fn lend(&self) -> Option<Body> {
        let Some(is_read) = &self.is_read else { return Some(Body::full(self.bytes.clone())) };
        let lent = LentBody { bytes: self.bytes.clone(), is_read: is_read.clone() };
        self.is_unread().then(|| Body::other(lent))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it can be sent as often as one likes.
    pub fn is_replayable(&self) -> bool {
        self.is_read.is_none()
    }

    /// Whether it can be sent for the first time.
    pub fn is_unread(&self) -> bool {
        self.is_read.as_ref().is_none_or(|is_read| !is_read.load(Ordering::Acquire))
    }
}

/// A long body in the hands of one try, taken over with the first read.
struct LentBody {
    bytes: Bytes,
    is_read: Arc<AtomicBool>,
}

impl HttpBody for LentBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.is_read.store(true, Ordering::Release);
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use contract::Principal;
    use futures_util::{StreamExt, stream};
    use http_body_util::StreamBody;
    use policy::units::HumanDuration;
    use policy::{BodyLimits, ClientLimits, ClientOptions};

    use super::*;
    use crate::clients::Clients;

    /// A body of unknown length, in pieces.
    fn chunked(pieces: &[&'static str]) -> Body {
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, BodyError>(Frame::data(Bytes::from_static(piece.as_bytes()))))
            .collect();
        Body::other(StreamBody::new(stream::iter(frames)))
    }

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// Bodies of five bytes are short. There is room for ten bytes of short ones and for thirty of long ones, half of it
    /// for one address.
    fn terms() -> BodyTerms {
        let rate = MinimumRate { grace: HumanDuration::from_millis(2_000), bytes_per_s: 1 };
        let limits = BodyLimits { in_all: 40, per_address: Some(20) };
        BodyTerms { keep: 5, rate, budget: BodyBudget::new(limits) }
    }

    async fn take_from(address: IpAddr, body: Body, terms: &BodyTerms) -> Result<RequestBody, BodyFailure> {
        let stranger = Clients::new(ClientOptions::default()).begin(0, address, || None);
        let until = clock::now() + Duration::from_secs(10);
        RequestBody::take(body, terms, address, &stranger, until).await
    }

    async fn take(body: Body, terms: &BodyTerms) -> Result<RequestBody, BodyFailure> {
        take_from(HERE, body, terms).await
    }

    async fn read(body: &RequestBody) -> Option<Bytes> {
        Some(body.lend()?.bytes(100).await.expect("whole"))
    }

    #[tokio::test]
    async fn a_short_body_is_sent_as_often_as_one_likes() {
        for body in
            [Body::full("hello"), chunked(&["he", "llo"]), chunked(&["hello"]), chunked(&["", "hello"])]
        {
            let body = take(body, &terms()).await.expect("short");
            assert!(body.is_replayable());
            assert_eq!(read(&body).await.as_deref(), Some(&b"hello"[..]));
            assert_eq!(read(&body).await.as_deref(), Some(&b"hello"[..]));
        }
    }

    #[tokio::test]
    async fn a_long_body_is_lent_again_until_it_is_read() {
        for body in [Body::full("hello!"), chunked(&["he", "llo!"]), chunked(&["h", "ello", "!"])] {
            let body = take(body, &terms()).await.expect("not too large");
            assert!(!body.is_replayable());
            drop(body.lend().expect("unread"));
            assert_eq!(body.lend().expect("unread").size_hint().exact(), Some(6));
            assert_eq!(read(&body).await.as_deref(), Some(&b"hello!"[..]));
            assert!(body.lend().is_none() && !body.is_unread());
        }
    }

    #[tokio::test]
    async fn too_much_is_noticed_while_reading() {
        let body = chunked(&["hell", "o!"]).limited(4);
        assert_eq!(take(body, &terms()).await.err(), Some(BodyFailure::TooLarge));
    }

    #[tokio::test]
    async fn bodies_share_a_bounded_room_and_give_it_back() {
        let terms = terms();
        let ten = || chunked(&["1234567890"]);
        let first = take(ten(), &terms).await.expect("ten of fifteen");
        assert_eq!(take(ten(), &terms).await.err(), Some(BodyFailure::NoRoom), "its address has no more");
        let _short = take(chunked(&["12345"]), &terms).await.expect("short ones have a room of their own");
        let _elsewhere = take_from(THERE, ten(), &terms).await.expect("another address has its own");
        drop(first);
        take(ten(), &terms).await.expect("there is room again");
        assert_eq!(terms.budget.long.held(), 10, "what the other address holds");
    }

    #[tokio::test]
    async fn many_addresses_hold_no_more_than_all_may() {
        let terms = terms();
        let fifteen = || chunked(&["123456789012345"]);
        let _one = take_from(HERE, fifteen(), &terms).await.expect("fifteen of thirty");
        let _other = take_from(THERE, fifteen(), &terms).await.expect("thirty");
        let third = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
        assert_eq!(take_from(third, fifteen(), &terms).await.err(), Some(BodyFailure::NoRoom));
    }

    #[tokio::test]
    async fn an_account_holds_its_share_of_long_ones_wherever_it_is() {
        let options = ClientOptions::new(true, false, 2);
        let clients = Clients::new(ClientOptions {
            account: options.account.map(|limits| ClientLimits { body_bytes: 12, ..limits }),
            ..options
        });
        let (terms, until) = (terms(), clock::now() + Duration::from_secs(10));
        let take = async |account, address| {
            let request = clients.begin(0, address, || Some(Principal::new(account)));
            RequestBody::take(chunked(&["1234567890"]), &terms, address, &request, until).await
        };
        let first = take(1, HERE).await.expect("ten of twelve");
        assert_eq!(take(1, THERE).await.err(), Some(BodyFailure::NoRoom));
        drop(take(2, THERE).await.expect("another account"));
        drop(first);
        drop(take(1, THERE).await.expect("it is free again"));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_came_at_once_pay_for_no_long_silence() {
        let first = stream::iter([Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"hell")))]);
        let stops = Body::other(StreamBody::new(first.chain(stream::pending())));
        let started = tokio::time::Instant::now();
        let rate = MinimumRate { grace: HumanDuration::from_millis(1_000), bytes_per_s: 1 };
        assert_eq!(take(stops, &BodyTerms { rate, ..terms() }).await.err(), Some(BodyFailure::TooSlow));
        assert!(started.elapsed() < Duration::from_secs(2), "four bytes would have paid for five seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_keep_its_rate() {
        let silent = || Body::other(StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyError>>()));
        assert_eq!(take(silent(), &terms()).await.err(), Some(BodyFailure::TooSlow));
        // One byte each 1.6 s, where one a second is the least after the first two: the second is late.
        let dripping = stream::iter(0..3).then(|_| async {
            tokio::time::sleep(Duration::from_millis(1_600)).await;
            Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"x")))
        });
        let dripping = Body::other(StreamBody::new(Box::pin(dripping)));
        assert_eq!(take(dripping, &terms()).await.err(), Some(BodyFailure::TooSlow));
    }
}
