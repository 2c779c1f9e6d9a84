//! Lines within a limit: a record that is damaged, or was given by a stranger, may have one that never ends.

use std::io::{self, BufRead, ErrorKind, Read};

/// Longest line of a record that is read, 64 MiB. Most of a header, the longest, is the scenario's text, which has a MiB at most.
pub const MAX_LINE_BYTES: u64 = 64 << 20;

/// Reads on to the end of a line, of which `line` has what was read before, or to the end of what there is. Where it has no
/// end within `limit` bytes, `line` has one byte more than these, and no more are read. Returns how many bytes were.
pub(crate) fn read_on(lines: &mut impl BufRead, limit: u64, line: &mut Vec<u8>) -> io::Result<usize> {
    let left = (limit + 1).saturating_sub(line.len() as u64);
    Read::take(lines, left).read_until(b'\n', line)
}

/// Whether a line of a record is longer than is read.
pub(crate) fn is_too_long(line: &[u8]) -> bool {
    line.len() as u64 > MAX_LINE_BYTES
}

/// Why such a line is refused, by its number, from 1.
pub(crate) fn too_long(number: u64) -> io::Error {
    let text = format!("line {number} is longer than {} MiB; is it a run record?", MAX_LINE_BYTES >> 20);
    io::Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn a_line_is_read_on_to_its_end_and_no_further_than_its_limit() {
        let (mut text, mut line) = (&b"ne\ntwo\nlonger than that\n"[..], b"o".to_vec());
        assert_eq!(read_on(&mut text, 4, &mut line).expect("memory"), 3);
        assert_eq!(line, b"one\n", "with what was read before");
        line.clear();
        assert_eq!(read_on(&mut text, 4, &mut line).expect("memory"), 4);
        assert_eq!(line, b"two\n", "as long as it may be");
        line.clear();
        let mut endless = BufReader::new(text.chain(io::repeat(b'x')));
        assert_eq!(read_on(&mut endless, 4, &mut line).expect("memory"), 5);
        assert_eq!(read_on(&mut endless, 4, &mut line).expect("memory"), 0, "however often it is asked");
        assert_eq!(line, b"longe");
    }
}
