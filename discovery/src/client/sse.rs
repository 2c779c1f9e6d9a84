//! Incremental parser of server-sent events (WHATWG HTML, section 9.2).

/// Longest line, bytes. A snapshot of 1,000 instances has about 200 kB.
const MAX_LINE_BYTES: usize = 4 << 20;

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    pub id: String,
    pub event: String,
    pub data: String,
}

/// The stream sent a line that exceeds the limit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of the watch is longer than {MAX_LINE_BYTES} bytes")]
pub(crate) struct LineTooLong;

/// Splits a byte stream into events.
#[derive(Default)]
pub(crate) struct SseParser {
    line: Vec<u8>,
    frame: SseEvent,
}

impl SseParser {
    /// Adds a chunk and returns the events that it completes. Comments are skipped.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<SseEvent>, LineTooLong> {
        let mut frames = Vec::new();
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() > MAX_LINE_BYTES {
                return Err(LineTooLong);
            }
            if self.line.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.line);
                frames.extend(self.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r'])));
            }
        }
        Ok(frames)
    }

    fn line(&mut self, line: &str) -> Option<SseEvent> {
        if line.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            return (!frame.data.is_empty()).then_some(frame);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.frame.id = value.to_owned(),
            "event" => self.frame.event = value.to_owned(),
            "data" if self.frame.data.is_empty() => self.frame.data = value.to_owned(),
            "data" => {
                self.frame.data.push('\n');
                self.frame.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_of_chunks_does_not_matter() {
        let text = b": hello\n\nevent: snapshot\nid: 1-2\ndata: {\"a\":1}\n\n:\n\nevent:delta\r\nid:1-3\r\ndata: x\r\ndata: y\r\n\r\n";
        let expected = [
            SseEvent { id: "1-2".into(), event: "snapshot".into(), data: "{\"a\":1}".into() },
            SseEvent { id: "1-3".into(), event: "delta".into(), data: "x\ny".into() },
        ];
        for size in 1..=text.len() {
            let mut parser = SseParser::default();
            let frames: Vec<_> =
                text.chunks(size).flat_map(|chunk| parser.push(chunk).expect("short lines")).collect();
            assert_eq!(frames, expected, "chunks of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut parser = SseParser::default();
        let chunk = vec![b'x'; MAX_LINE_BYTES];
        assert_eq!(parser.push(&chunk), Ok(Vec::new()));
        assert_eq!(parser.push(b"x"), Err(LineTooLong));
    }
}
