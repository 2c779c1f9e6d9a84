//! Vocabulary, names and captions: made from syllables, the same for every seed.

/// Words there are.
pub const VOCABULARY: usize = 2_000;

const ONSETS: [&str; 16] = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "tr"];
const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
const CODAS: [&str; 5] = ["l", "n", "r", "s", "m"];

/// The word of a rank, 0 the most frequent. Ranks differ in their words.
pub fn word(rank: usize) -> String {
    // 16 x 5 x 16 x 5 = 6,400 words of two open syllables and a coda by rank.
    let (rank, coda) = (rank % VOCABULARY, CODAS[rank % CODAS.len()]);
    let (first, rest) = (rank % 80, rank / 80);
    let (second, _) = (rest % 80, rest / 80);
    format!(
        "{}{}{}{}{coda}",
        ONSETS[first % 16],
        VOWELS[first / 16],
        ONSETS[second % 16],
        VOWELS[second / 16]
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A person's display name from random bits.
pub fn name(bits: u64) -> String {
    let part = |bits: u64| capital(&word(bits as usize % VOCABULARY));
    format!("{} {}", part(bits >> 32), part(bits & 0xffff_ffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_and_plain() {
        let words: std::collections::BTreeSet<String> = (0..VOCABULARY).map(word).collect();
        assert_eq!(words.len(), VOCABULARY);
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
    }
}
