//! A command as a shell reads it.

/// A command line that a shell (POSIX, and `$'..'` of bash and POSIX.1-2024 where a word has control characters) splits
/// into these words again; always one line.
pub fn command_line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.contains(crate::format::is_unprintable) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut text = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => text.extend(['\\', c]),
            c if crate::format::is_unprintable(c) => {
                // As bytes, in octal: three digits never take the next character along.
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    text += &format!("\\{byte:03o}");
                }
            }
            c => text.push(c),
        }
    }
    text + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        let line =
            |words: &[&str]| command_line(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            line(&["cleave", "run", "x.toml", "--out", "r/a b  c"]),
            "cleave run x.toml --out 'r/a b  c'"
        );
        assert_eq!(
            line(&["it's", "", "$HOME", "a;b", "*", "~", "é"]),
            "'it'\\''s' '' '$HOME' 'a;b' '*' '~' 'é'"
        );
        assert_eq!(line(&["a\nb\u{1b}[2J'\\1"]), "$'a\\012b\\033[2J\\'\\\\1'");
        assert!(!line(&["\u{9b}2J\u{202e}"]).contains(crate::format::is_unprintable));
    }
}
