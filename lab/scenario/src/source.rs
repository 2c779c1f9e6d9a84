//! The text of a scenario file, and diagnostics with their place, a caret and the valid choices.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use model::format::printable;

/// A file's text with its name, for messages.
#[derive(Clone, Debug)]
pub struct Source {
    /// As the user gave it.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Byte range of the text it concerns.
    pub span: Range<usize>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// All mistakes in a file, in the order of the text.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    /// The file.
    pub source: Source,
    /// At least one.
    pub items: Vec<Diagnostic>,
}

impl Source {
    /// Line and column of a byte offset, both from 1, columns in characters.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = without_mark(&self.text[..at]);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The range between the quotes of a string; escapes count as written.
    pub(crate) fn inside_quotes(&self, span: &Range<usize>) -> Range<usize> {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
        // TOML drops one line break right after three quotes.
        let inner = raw.get(quotes..).unwrap_or_default();
        let rest = inner.strip_prefix("\r\n").or_else(|| inner.strip_prefix('\n')).filter(|_| quotes == 3);
        let dropped = rest.map_or(0, |rest| inner.len() - rest.len());
        let start = (span.start + quotes + dropped).min(span.end);
        start..span.end.saturating_sub(quotes).max(start)
    }

    /// The word at `start`, after leading blanks, or else the single character there.
    pub(crate) fn word_at(&self, start: usize, end: usize) -> Range<usize> {
        let rest = self.text.get(start..end).unwrap_or_default();
        let blank = rest.len() - rest.trim_start().len();
        let (start, rest) = if blank == rest.len() { (start, rest) } else { (start + blank, &rest[blank..]) };
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let first = rest.chars().next().map_or(1, char::len_utf8);
        start..(start + word.max(first)).min(self.text.len())
    }

    /// Where `word` occurs as a whole word within `span`; all of `span` if it does not.
    pub(crate) fn word_within(&self, span: &Range<usize>, word: &str) -> Range<usize> {
        let text = self.text.get(span.clone()).unwrap_or_default();
        let stands_alone = |at: usize| {
            let before = text[..at].chars().next_back();
            let after = text[at + word.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        };
        let found = text.match_indices(word).map(|(at, _)| at).find(|at| stands_alone(*at));
        found.map_or(span.clone(), |at| span.start + at..span.start + at + word.len())
    }

    fn line(&self, number: usize) -> &str {
        without_mark(&self.text).lines().nth(number - 1).unwrap_or_default()
    }
}

/// A text without the byte order mark that it may begin with, which is no character of its first line.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// A piece of a line as a message shows it: a tab is as wide as a blank, so that carets stand below what they mark.
fn shown(piece: &str) -> String {
    printable(&piece.replace('\t', " ")).into_owned()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-' || c == '.'
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.items.iter().enumerate() {
            let (line, column) = self.source.position(diagnostic.span.start);
            let text = self.source.line(line);
            let marked = self.source.text.get(diagnostic.span.clone()).and_then(|text| text.lines().next());
            let width = shown(marked.unwrap_or_default()).chars().count().max(1);
            let before: String = text.chars().take(column - 1).collect();
            let pad = shown(&before).chars().count();
            let gutter = line.to_string().len();
            if i > 0 {
                writeln!(f)?;
            }
            let place = self.source.path.display().to_string();
            writeln!(f, "{}:{line}:{column}: {}", printable(&place), printable(&diagnostic.message))?;
            writeln!(f, "{:gutter$} |", "")?;
            writeln!(f, "{line} | {}", shown(text))?;
            // Not as a width of the format, which ends at 65,535: a file may be one line.
            write!(f, "{:gutter$} | {}{}", "", " ".repeat(pad), "^".repeat(width))?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl Diagnostics {
    /// Sorts the mistakes of a file by place.
    pub fn new(source: &Source, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        Self { source: source.clone(), items: diagnostics }
    }
}

/// The choice most similar to what was written, if one is similar enough.
pub fn did_you_mean<'a>(written: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    choices
        .into_iter()
        .map(|choice| (strsim::jaro_winkler(written, choice), choice))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, choice)| choice)
}

/// ``unknown component `fed`; did you mean `feed`? components: profile, feed``.
pub fn unknown<'a>(what: &str, written: &str, choices: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let hint = did_you_mean(written, choices.clone())
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let list: Vec<&str> = choices.into_iter().collect();
    if list.is_empty() {
        return format!("unknown {what} `{written}`; there are no {} here", plural(what));
    }
    let stop = if hint.is_empty() { ";" } else { "" };
    format!("unknown {what} `{written}`{hint}{stop} {}: {}", plural(what), list.join(", "))
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}

/// Where scenarios are searched by name.
pub fn catalogue_folder() -> PathBuf {
    Path::new("scenarios").to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_its_place_with_a_caret() {
        let source = Source { path: "scenarios/x.toml".into(), text: "a = 1\non = \"fed\"\n".into() };
        let span = 12..15;
        let message = unknown("component", "fed", ["profile", "feed"]);
        let text = Diagnostics::new(&source, vec![Diagnostic { span, message }]).to_string();
        assert_eq!(
            text,
            "scenarios/x.toml:2:7: unknown component `fed`; did you mean `feed`? components: profile, feed\n  |\n2 | on = \"fed\"\n  |       ^^^"
        );
    }

    #[test]
    fn carets_stand_below_what_they_mark_whatever_is_before_it() {
        let shown = |text: &str, marked: &str| {
            let source = Source { path: "x.toml".into(), text: text.into() };
            let start = text.find(marked).expect("it stands there");
            let span = start..start + marked.len();
            Diagnostics::new(&source, vec![Diagnostic { span, message: "no".into() }]).to_string()
        };
        assert_eq!(shown("\ta = \tb", "b"), "x.toml:1:7: no\n  |\n1 |  a =  b\n  |       ^");
        assert_eq!(shown("\u{feff}a = b", "b"), "x.toml:1:5: no\n  |\n1 | a = b\n  |     ^");
        assert_eq!(
            shown("\u{1b} = b", "b"),
            "x.toml:1:5: no\n  |\n1 | \\u{1b} = b\n  |          ^",
            "what is escaped is wider"
        );
        let far = format!("a = \"{}\" b", "x".repeat(70_000));
        assert!(shown(&far, "b").ends_with(&format!("| {}^", " ".repeat(70_007))), "a file may be one line");
    }

    #[test]
    fn one_line_break_after_three_quotes_is_no_part_of_a_string() {
        for (text, inside) in
            [("\"\"\"\n\na\"\"\"", "\na"), ("'''\r\na'''", "a"), ("\"\"\"a\"\"\"", "a"), ("\"a\"", "a")]
        {
            let source = Source { path: "x.toml".into(), text: text.into() };
            assert_eq!(&text[source.inside_quotes(&(0..text.len()))], inside, "{text}");
        }
    }

    #[test]
    fn nothing_near_is_not_guessed() {
        assert_eq!(did_you_mean("xyz", ["profile", "feed"]), None);
        assert_eq!(unknown("verb", "xyz", ["kill"]), "unknown verb `xyz`; verbs: kill");
        assert_eq!(unknown("topology", "xyz", ["mono"]), "unknown topology `xyz`; topologies: mono");
        assert_eq!(unknown("key", "xyz", ["rate"]), "unknown key `xyz`; keys: rate");
    }

    #[test]
    fn positions_count_characters_and_never_split_one() {
        let source = Source { path: "x".into(), text: "é = 1".into() };
        assert_eq!(source.position(1), (1, 1));
        assert_eq!(source.position(2), (1, 2));
        assert_eq!(source.position(999), (1, 6));
    }
}
