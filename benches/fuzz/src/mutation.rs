//! The next input: one of the corpus, changed in a few places. The same seed gives the same inputs.

use runtime::random::RandomStream;

/// Longest input, bytes: the readers' own limits are reached by words of the corpus, not by length.
pub const MAX_INPUT_BYTES: usize = 8 * 1024;
/// Changes to one input at most.
const MAX_CHANGES: usize = 6;
/// Longest piece that is moved, repeated or removed, bytes.
const MAX_PIECE_BYTES: usize = 64;
/// Bytes at which readers change their minds: ends, separators, signs, and those that are no UTF-8.
const EDGES: &[u8] = b"\0\t\n\r \"#%&+,-./:;=?@[\\]_{}\x7f\x80\xc0\xed\xff0129azAZ";

/// Makes inputs.
pub struct Mutator<'a> {
    random: RandomStream,
    corpus: &'a [Vec<u8>],
    words: &'a [&'a [u8]],
}

impl<'a> Mutator<'a> {
    /// From these inputs and words; an empty corpus is one empty input.
    pub fn new(seed: u64, name: &str, corpus: &'a [Vec<u8>], words: &'a [&'a [u8]]) -> Self {
        Self { random: RandomStream::new(seed, name), corpus, words }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = self.one_of_corpus();
        for _ in 0..=self.below(MAX_CHANGES) {
            self.change(&mut input);
        }
        input.truncate(MAX_INPUT_BYTES);
        input
    }

    /// A number below `limit`; 0 where there is none.
    fn below(&mut self, limit: usize) -> usize {
        let limit = limit.max(1) as u64;
        usize::try_from(self.random.next_u64() % limit).expect("below a length")
    }

    fn one_of_corpus(&mut self) -> Vec<u8> {
        let at = self.below(self.corpus.len());
        self.corpus.get(at).cloned().unwrap_or_default()
    }

    /// A place in the input, its end included, and how long a piece from there on may be.
    fn piece(&mut self, input: &[u8]) -> (usize, usize) {
        let at = self.below(input.len() + 1);
        let length = self.below(MAX_PIECE_BYTES.min(input.len() - at) + 1);
        (at, length)
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let (at, length) = self.piece(input);
        match self.below(9) {
            0 => {
                let bit = self.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            1 => {
                let edge = EDGES[self.below(EDGES.len())];
                if let Some(byte) = input.get_mut(at) {
                    *byte = edge;
                }
            }
            2 => input.insert(at, EDGES[self.below(EDGES.len())]),
            3 => drop(input.drain(at..at + length)),
            4 => {
                let piece = input[at..at + length].to_vec();
                for _ in 0..=self.below(3) {
                    input.splice(at..at, piece.iter().copied());
                }
            }
            5 | 6 => {
                let word = self.below(self.words.len());
                let word = self.words.get(word).copied().unwrap_or_default();
                // In the place of something, or between.
                let replaced = if self.below(2) == 0 { length.min(word.len()) } else { 0 };
                input.splice(at..at + replaced, word.iter().copied());
            }
            7 => {
                let other = self.one_of_corpus();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let number = (self.random.next_u64() >> self.below(64)).to_string();
                input.splice(at..at + length, number.into_bytes());
            }
        }
    }
}
