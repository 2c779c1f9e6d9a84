//! The body of a reply: its stream, and the place of its call until it has ended.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::SizeHint;

use super::channel::CallPlace;

/// What is still to come of a reply. Dropped before its end, its stream is reset.
pub(crate) struct ReplyStream {
    stream: RecvStream,
    /// What it declares and has not come yet.
    left: Option<u64>,
    place: Option<CallPlace>,
}

impl ReplyStream {
    /// `length` is what its head declares.
    pub fn new(stream: RecvStream, length: Option<u64>, place: CallPlace) -> Self {
        Self { stream, left: length, place: Some(place) }
    }

    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let data = ready!(self.stream.poll_data(cx));
        if let Some(Ok(bytes)) = &data {
            // It is read, so that as much more may come. A stream that has ended needs no more.
            let _ended = self.stream.flow_control().release_capacity(bytes.len());
            self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
        }
        if self.is_ended() || !matches!(data, Some(Ok(_))) {
            self.place = None;
        }
        Poll::Ready(data)
    }

    pub fn is_ended(&self) -> bool {
        self.stream.is_end_stream()
    }

    pub fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
