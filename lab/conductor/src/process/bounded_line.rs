//! Lines that another process wrote, within a limit: one that is damaged or hostile may never end.

use std::io::{self, BufRead, ErrorKind, Read};

/// Reads a line of at most `limit` bytes, with its end where it has one, in place of what `line` held. Returns whether there
/// was any.
///
/// # Errors
/// When it cannot be read, and of kind [`ErrorKind::InvalidData`] when it is longer.
pub(crate) fn read(from: &mut impl BufRead, limit: u64, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = Read::take(from, limit + 1).read_until(b'\n', line)?;
    if read as u64 > limit {
        let text = format!("a line is longer than {limit} bytes");
        return Err(io::Error::new(ErrorKind::InvalidData, text));
    }
    Ok(read > 0)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_are_read_one_by_one_and_one_that_is_too_long_is_refused() {
        let mut text = &b"one\n\nthe longest\ntorn"[..];
        let mut line = b"before".to_vec();
        for expected in ["one\n", "\n", "the longest\n", "torn"] {
            assert!(read(&mut text, 12, &mut line).expect("within the limit"));
            assert_eq!(line, expected.as_bytes());
        }
        assert!(!read(&mut text, 12, &mut line).expect("the end") && line.is_empty());

        let mut endless = BufReader::new(io::repeat(b'x'));
        let error = read(&mut endless, 12, &mut line).expect_err("it has no end");
        assert_eq!(error.to_string(), "a line is longer than 12 bytes");
        assert_eq!(line.len(), 13, "no more than that is held");
    }
}
