//! Words, names and captions, generated from syllables; the same for every seed.

use std::sync::LazyLock;

use contract::hash::mix;

use crate::distributions::WeightedChoice;
use crate::random::unit;

/// Number of words.
pub const VOCABULARY: usize = 2_000;

const ONSETS: [&str; 16] = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "tr"];
const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
const CODAS: [&str; 5] = ["l", "n", "r", "s", "m"];
/// Open syllables: 16 x 5. Two of them could form 6,400 words.
const SYLLABLES: usize = ONSETS.len() * VOWELS.len();

static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let syllable = |i: usize| format!("{}{}", ONSETS[i % ONSETS.len()], VOWELS[i / ONSETS.len()]);
    let word = |rank: usize| {
        format!("{}{}{}", syllable(rank % SYLLABLES), syllable(rank / SYLLABLES), CODAS[rank % CODAS.len()])
    };
    (0..VOCABULARY).map(word).collect()
});
/// Frequency of words: Zipf 1.0, as in natural language.
static FREQUENCY: LazyLock<WeightedChoice> = LazyLock::new(|| WeightedChoice::zipf(VOCABULARY, 1.0));

/// The word of a rank, 0 for the most frequent. Words are distinct.
///
/// # Panics
/// When the rank is not below [`VOCABULARY`].
pub fn word(rank: usize) -> &'static str {
    &WORDS[rank]
}

/// An endless stream of words by frequency, determined by the bits.
fn word_stream(bits: u64) -> impl Iterator<Item = &'static str> {
    (1_u64..).map(move |position| word(FREQUENCY.index(unit(mix(bits ^ mix(position))))))
}

/// A number of words from random bits.
pub fn phrase(bits: u64, words: usize) -> String {
    word_stream(bits).take(words).collect::<Vec<_>>().join(" ")
}

/// Text of exactly this many bytes; the last word is cut.
pub fn text(bits: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 8);
    for word in word_stream(bits) {
        text += word;
        if text.len() >= bytes {
            break;
        }
        text.push(' ');
    }
    text.truncate(bytes);
    // No trailing space: an API may trim it.
    if text.ends_with(' ') {
        text.replace_range(bytes - 1.., "s");
    }
    text
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A person's display name from random bits.
pub fn name(bits: u64) -> String {
    let part = |bits: u64| capitalized(word(bits as usize % VOCABULARY));
    format!("{} {}", part(bits >> 32), part(bits & 0xffff_ffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_and_plain() {
        let words: std::collections::BTreeSet<&str> = (0..VOCABULARY).map(word).collect();
        assert_eq!(words.len(), VOCABULARY);
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
    }

    #[test]
    fn text_has_its_length_and_no_space_around() {
        for bytes in 1..200 {
            let text = text(bytes as u64, bytes);
            assert_eq!((text.len(), text.trim()), (bytes, text.as_str()));
        }
        assert_eq!(phrase(9, 4).split(' ').count(), 4);
        assert!(text(9, 100).starts_with(&phrase(9, 4)), "the same words from the same bits");
    }
}
