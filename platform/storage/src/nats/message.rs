//! An event as a message: the payload is the event's own, all else stands in headers.

use std::str::FromStr;

use async_nats::header::{HeaderMap, HeaderValue, NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID};
use bytes::Bytes;
use contract::Envelope;

/// Which database published it.
const EPOCH: &str = "Cleave-Epoch";
/// Its position there.
const SEQ: &str = "Cleave-Seq";
/// The position of the event before it in the stream.
const PREVIOUS: &str = "Cleave-Previous";
/// The event's id.
const ID: &str = "Cleave-Event-Id";
/// The event's key.
const KEY: &str = "Cleave-Event-Key";
/// When it was published, microseconds since the Unix epoch.
const CREATED: &str = "Cleave-Created-Us";
/// The publishing span (W3C Trace Context, section 3.2).
const TRACEPARENT: &str = "traceparent";

/// An event in a stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StreamEvent {
    /// Names the publisher's database.
    pub epoch: String,
    /// The position of the event before it in the stream: where the consumer is not as far, some are missing.
    pub previous: i64,
    /// The event.
    pub envelope: Envelope,
}

impl StreamEvent {
    /// Its headers, for the place after the message of this number of the stream, and no other.
    ///
    /// # Errors
    /// When its id cannot be a header.
    pub fn headers(&self, after: u64) -> Result<HeaderMap, String> {
        let Self { epoch, previous, envelope } = self;
        let mut headers = HeaderMap::new();
        let mut insert = |name: &str, value: &str| -> Result<(), String> {
            let value = HeaderValue::from_str(value).map_err(|why| format!("{name}: {why}"))?;
            headers.insert(name, value);
            Ok(())
        };
        // A position is given once in a database; ids of events are the same in all that are filled from one seed.
        insert(NATS_MESSAGE_ID.as_ref(), &format!("{epoch}/{}", envelope.seq))?;
        insert(NATS_EXPECTED_LAST_SEQUENCE.as_ref(), &after.to_string())?;
        insert(EPOCH, epoch)?;
        insert(SEQ, &envelope.seq.to_string())?;
        insert(PREVIOUS, &previous.to_string())?;
        insert(ID, &envelope.id)?;
        insert(KEY, &envelope.key.to_string())?;
        insert(CREATED, &envelope.created_us.to_string())?;
        if !envelope.traceparent.is_empty() {
            insert(TRACEPARENT, &envelope.traceparent)?;
        }
        Ok(headers)
    }

    /// Its payload.
    pub fn payload(&self) -> Bytes {
        self.envelope.payload.clone().into()
    }

    /// The event of a message; the last part of the subject is its topic.
    ///
    /// # Errors
    /// When the message is no event.
    pub fn read(subject: &str, headers: &HeaderMap, payload: &[u8]) -> Result<Self, String> {
        let text = |name: &str| headers.get(name).map(HeaderValue::as_str);
        let needed = |name: &str| text(name).ok_or_else(|| format!("it has no header {name}"));
        let payload = std::str::from_utf8(payload).map_err(|why| why.to_string())?;
        let topic = subject.rsplit('.').next().unwrap_or_default();
        let envelope = Envelope {
            seq: number(SEQ, needed(SEQ)?)?,
            id: needed(ID)?.to_owned(),
            topic: topic.to_owned().into(),
            key: number(KEY, needed(KEY)?)?,
            payload: payload.to_owned(),
            traceparent: text(TRACEPARENT).unwrap_or_default().to_owned(),
            created_us: number(CREATED, needed(CREATED)?)?,
        };
        let previous = number(PREVIOUS, needed(PREVIOUS)?)?;
        Ok(Self { epoch: needed(EPOCH)?.to_owned(), previous, envelope })
    }
}

fn number<N: FromStr>(name: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("its header {name} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> StreamEvent {
        let envelope = Envelope {
            seq: 7,
            id: "PhotoPosted/12".into(),
            topic: "PhotoPosted".into(),
            key: u64::MAX,
            payload: "{\"caption\":\"ünïcode\\nand lines\"}".into(),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
            created_us: 1_700_000_000_000_000,
        };
        StreamEvent { epoch: "00c0ffee".into(), previous: 5, envelope }
    }

    #[test]
    fn an_event_comes_back_as_it_went() {
        for traceparent in [event().envelope.traceparent, String::new()] {
            let mut sent = event();
            sent.envelope.traceparent = traceparent;
            let headers = sent.headers(41).expect("plain text");
            assert_eq!(headers.get("Nats-Msg-Id").map(HeaderValue::as_str), Some("00c0ffee/7"));
            assert_eq!(headers.get("Nats-Expected-Last-Sequence").map(HeaderValue::as_str), Some("41"));
            assert_eq!(headers.get("traceparent").is_some(), !sent.envelope.traceparent.is_empty());
            let read = StreamEvent::read("run.ev.photo.PhotoPosted", &headers, &sent.payload());
            assert_eq!(read, Ok(sent));
        }
    }

    #[test]
    fn what_is_no_event_is_refused_with_what_it_lacks() {
        let whole = event().headers(0).expect("plain text");
        for (name, value, part) in [
            (SEQ, None, "no header Cleave-Seq"),
            (SEQ, Some("seven"), "Cleave-Seq is not a number"),
            (EPOCH, None, "no header Cleave-Epoch"),
            (PREVIOUS, Some("-"), "Cleave-Previous is not a number"),
        ] {
            let mut headers = HeaderMap::new();
            for (other, values) in whole.iter() {
                if other.to_string() != name {
                    values.iter().for_each(|value| headers.append(other.clone(), value.clone()));
                }
            }
            if let Some(value) = value {
                headers.insert(name, value);
            }
            let why = StreamEvent::read("run.ev.photo.PhotoPosted", &headers, b"{}").expect_err(part);
            assert!(why.contains(part), "{why}");
        }
        let mut broken = event();
        broken.envelope.id = "two\r\nlines".into();
        assert!(broken.headers(0).expect_err("no header").contains("Cleave-Event-Id"));
    }
}
