//! Words of a text as SQLite's tokenizer `unicode61` has them (<https://www.sqlite.org/fts5.html>, section 4.3.1), so that
//! every database finds the same: letters and digits, in lower case, Latin letters without accents.

/// The longest word that PostgreSQL indexes, bytes; what is longer is cut off.
const MAX_WORD_BYTES: usize = 2_046;

/// Latin letters with accents, by the letter without (Unicode, canonical decomposition).
const ACCENTED: [(char, &str); 25] = [
    ('a', "àáâãäåāăąǎǟǻȁȃȧḁạảấầẩẫậắằẳẵặ"),
    ('b', "ḃḅḇ"),
    ('c', "çćĉċčḉ"),
    ('d', "ďḋḍḏḑḓ"),
    ('e', "èéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệ"),
    ('f', "ḟ"),
    ('g', "ĝğġģǧǵḡ"),
    ('h', "ĥȟḣḥḧḩḫẖ"),
    ('i', "ìíîïĩīĭįǐȉȋḭḯỉị"),
    ('j', "ĵǰ"),
    ('k', "ķǩḱḳḵ"),
    ('l', "ĺļľḷḹḻḽ"),
    ('m', "ḿṁṃ"),
    ('n', "ñńņňǹṅṇṉṋ"),
    ('o', "òóôõöōŏőơǒǫǭȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợ"),
    ('p', "ṕṗ"),
    ('r', "ŕŗřȑȓṙṛṝṟ"),
    ('s', "śŝşšșṡṣṥṧṩẛſ"),
    ('t', "ţťțṫṭṯṱẗ"),
    ('u', "ùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữự"),
    ('v', "ṽṿ"),
    ('w', "ŵẁẃẅẇẉẘ"),
    ('x', "ẋẍ"),
    ('y', "ýÿŷȳẏẙỳỵỷỹ"),
    ('z', "źżžẑẓẕ"),
];

/// The words of a text, in their order.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            fold(letter, &mut word);
        } else if !is_accent(letter) || word.is_empty() {
            words.extend(finished(&mut word));
        }
    }
    words.extend(finished(&mut word));
    words
}

/// Accents of their own, behind the letter they stand over, from U+0300 on: those that SQLite knows.
const ACCENTS: u64 = 0x0003_61F8_0802_9FDF;

/// Whether it is one: it is part of the word, and left out of it.
const fn is_accent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{331}') && ACCENTS & 1 << (letter as u32 - 0x300) != 0
}

/// Adds a letter in lower case, without its accents.
fn fold(letter: char, word: &mut String) {
    if letter.is_ascii() {
        word.push(letter.to_ascii_lowercase());
        return;
    }
    for lower in letter.to_lowercase().filter(|lower| !is_accent(*lower)) {
        let lower = match lower {
            // At the end of a word a sigma has another shape.
            'ς' => 'σ',
            // The sign of a millionth is the letter.
            'µ' => 'μ',
            other => other,
        };
        let plain = ACCENTED.iter().find(|(_, accented)| accented.contains(lower));
        word.push(plain.map_or(lower, |(plain, _)| *plain));
    }
}

fn finished(word: &mut String) -> Option<String> {
    if word.len() > MAX_WORD_BYTES {
        word.truncate(word.floor_char_boundary(MAX_WORD_BYTES));
    }
    (!word.is_empty()).then(|| std::mem::take(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_words() {
        for (text, expected) in [
            ("", &[] as &[&str]),
            ("The red/blue SEA", &["the", "red", "blue", "sea"]),
            ("www.sea.org 3.14 -5", &["www", "sea", "org", "3", "14", "5"]),
            ("naïve été Öl ÖL", &["naive", "ete", "ol", "ol"]),
            ("e\u{301}te\u{301} \u{301}x", &["ete", "x"]),
            ("Straße ĦØŁ 日本 Ελλάς", &["straße", "ħøł", "日本", "ελλάσ"]),
            ("it's \"quoted\"\0here", &["it", "s", "quoted", "here"]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    /// What SQLite makes of each letter, by its own account (<https://www.sqlite.org/fts5.html>, section 9.1).
    #[tokio::test]
    async fn letters_are_those_of_sqlite() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let db = storage::Database::open(folder.path().join("words.db"), storage::Options::bulk()).await;
        let db = db.expect("opens");
        let mut tx = db.write().await.expect("the turn");
        for statement in [
            "CREATE VIRTUAL TABLE texts USING fts5(text, content = '', tokenize = 'unicode61 remove_diacritics 2')",
            "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(texts, instance)",
        ] {
            storage::query("CREATE", "texts", statement).execute(tx.conn()).await.expect("made");
        }
        // Latin, Greek, Cyrillic, Hebrew, kana and ideographs: letters on whose kind all versions of Unicode agree.
        let ranges = [
            0x20..0x220,
            0x300..0x332,
            0x391..0x3A2,
            0x3A3..0x3CF,
            0x410..0x450,
            0x5D0..0x5EB,
            0x1E00..0x1EFA,
            0x3041..0x3097,
            0x4E00..0x4E80,
        ];
        let letters: Vec<char> = ranges.into_iter().flatten().filter_map(char::from_u32).collect();
        let texts =
            letters.iter().map(|letter| [i64::from(u32::from(*letter)).into(), format!("x{letter}y").into()]);
        let insert = storage::query("INSERT", "texts", "INSERT INTO texts (rowid, text) VALUES ($1, $2)");
        insert.execute_each(tx.conn(), texts).await.expect("indexed");
        tx.commit().await.expect("commits");
        let mut read = db.read().await.expect("a reader");
        let mut wrong = Vec::new();
        for letter in letters {
            let select = "SELECT term FROM vocabulary WHERE doc = $1 ORDER BY \"offset\"";
            let select = storage::query("SELECT", "vocabulary", select).bind(i64::from(u32::from(letter)));
            let expected: Vec<String> = select.all(&mut read).await.expect("readable");
            let found = words(&format!("x{letter}y"));
            if found != expected {
                wrong.push(format!("{letter:?}: {found:?} instead of {expected:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_word_has_an_end() {
        let long = words(&format!("{} next", "ü日".repeat(1_000)));
        assert!(long[0].len() <= MAX_WORD_BYTES && long[0].len() > MAX_WORD_BYTES - 3);
        assert_eq!(long[1], "next");
    }
}
