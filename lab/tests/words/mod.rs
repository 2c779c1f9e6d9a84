//! Words without a meaning in the field stay out of names, messages and documents.
//!
//! Checked are identifiers and file names, split at case changes and underscores, and whole words of string literals,
//! of comments, of scenario files and of Markdown.

use std::path::{Path, PathBuf};

/// Words of names and texts, and what to write instead.
const UNWANTED: &[(&[&str], &str)] = &[
    (&["told", "tell", "tells", "telling", "teller"], "report, print, send, notify"),
    (&["said"], "message, output, printed"),
    (&["whoever", "whomever"], "the subject: a client, the conductor, a caller"),
    (&["nobody", "somebody", "everybody", "anybody"], "the subject: no process, a user, all services"),
    (&["ill", "ills", "ailment", "ailing", "ails"], "fault, ConnectionFault, StorageFaults, RegistryFault"),
    (&["deed", "deeds"], "ProcessFault"),
    (&["afflict", "afflicts", "relieve", "relieves"], "add_fault, remove_fault"),
    (&["suffer", "suffers", "suffered", "suffering"], "AppliedFault, FaultOutcome"),
    (&["felt"], "user latency"),
    (&["knock", "knocks"], "Admission"),
    (&["taste", "tastes"], "check"),
    (&["spoilt"], "Corruption"),
    (&["walled"], "BulkheadLayer"),
    (&["voice"], "channel"),
];

/// Words of names alone: a text may say what a file says.
const UNWANTED_IN_NAMES: &[(&[&str], &str)] = &[
    (&["says"], "description, contains, states"),
    (&["complain", "complains", "complaint", "complaints"], "message, diagnostic"),
    (&["beside"], "context, next to"),
];

/// Exact identifiers and literals that stay, with the reason.
const ALLOWED: &[(&str, &str)] = &[("felt", "key of trace lines in records of version 1, which are read")];

/// Files that are not checked, with the reason.
const EXEMPT: &[(&str, &str)] = &[
    ("lab/tests/words/mod.rs", "holds the list"),
    ("CHANGELOG.md", "entries of past versions are not rewritten"),
];

/// A piece of a file that is checked, with its line.
struct Piece<'t> {
    line: usize,
    is_name: bool,
    text: &'t str,
}

/// Splits a name at underscores, hyphens and changes of case: `retryBudget` and `retry_budget` are two words.
fn words_of_name(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = '_';
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && previous.is_lowercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(c.to_lowercase());
        }
        previous = c;
    }
    words
}

fn words_of_text(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase).collect()
}

/// Identifiers, string literals and comments of Rust source.
fn pieces_of_rust(text: &str) -> Vec<Piece<'_>> {
    let bytes = text.as_bytes();
    let mut pieces = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let rest = &text[at..];
        let is_literal_prefix = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let length = if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            pieces.push(Piece { line, is_name: false, text: &rest[..length] });
            length
        } else if rest.starts_with("/*") {
            let length = rest.find("*/").map_or(rest.len(), |end| end + 2);
            pieces.push(Piece { line, is_name: false, text: &rest[..length] });
            length
        } else if let Some(length) = is_literal_prefix.then(|| raw_string(rest)).flatten() {
            pieces.push(Piece { line, is_name: false, text: &rest[..length] });
            length
        } else if rest.starts_with('"') {
            let length = quoted(rest);
            pieces.push(Piece { line, is_name: false, text: &rest[..length] });
            length
        } else if rest.starts_with('\'') {
            character(rest)
        } else if rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            pieces.push(Piece { line, is_name: true, text: &rest[..length] });
            length
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    pieces
}

/// Length of `r#"..."#` at the start of `text`.
fn raw_string(text: &str) -> Option<usize> {
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let inner = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - inner.len() + inner.find(&end)? + end.len())
}

/// Length of `"..."` at the start of `text`.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a character literal at the start of `text`, or of the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut inner = text.chars().skip(1);
    match (inner.next(), inner.next()) {
        (Some('\\'), Some(_)) => text[3..].find('\'').map_or(1, |end| end + 4),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 1,
    }
}

/// Unwanted words of a file, as messages with its path and line.
fn findings(path: &str, text: &str) -> Vec<String> {
    let mut pieces = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("rs") => pieces_of_rust(text),
        _ => text
            .lines()
            .enumerate()
            .map(|(index, text)| Piece { line: index + 1, is_name: false, text })
            .collect(),
    };
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    pieces.push(Piece { line: 1, is_name: true, text: stem });
    let mut findings = Vec::new();
    for Piece { line, is_name, text } in pieces {
        if ALLOWED.iter().any(|(allowed, _)| text.trim_matches('"') == *allowed) {
            continue;
        }
        let words = if is_name { words_of_name(text) } else { words_of_text(text) };
        for (unwanted, instead) in UNWANTED.iter().chain(UNWANTED_IN_NAMES.iter().filter(|_| is_name)) {
            if let Some(word) = words.iter().find(|word| unwanted.contains(&word.as_str())) {
                let excerpt: String = text.trim().chars().take(100).collect();
                findings.push(format!("{path}:{line}: `{word}` in `{excerpt}`; write for example {instead}"));
            }
        }
    }
    findings
}

/// Rust sources, Markdown and scenario files below `folder`.
fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_skipped = name == "target" || name == "runs" || name.to_string_lossy().starts_with('.');
        if path.is_dir() && !is_skipped {
            files_below(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "md" || ending == "toml")
        {
            found.push(path);
        }
    }
}

#[test]
fn unwanted_words_do_not_come_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("lab lies in the workspace");
    let mut paths = Vec::new();
    files_below(root, &mut paths);
    assert!(paths.len() > 500, "only {} files found", paths.len());
    let mut found = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        if EXEMPT.iter().all(|(exempt, _)| name != *exempt) {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{name}: {why}"));
            found.extend(findings(&name, &text));
        }
    }
    assert!(found.is_empty(), "{} findings\n{}", found.len(), found.join("\n"));
}

#[test]
fn planted_words_are_found() {
    let is_found = |path: &str, text: &str| !findings(path, text).is_empty();
    assert!(is_found("a.rs", "struct WireIll;"));
    assert!(is_found("a.rs", "fn suffer_again() {}"));
    assert!(is_found("a.rs", "let tellWindows = 1;"));
    assert!(is_found("teller.rs", ""));
    assert!(is_found("a.rs", r#"let x = "nobody answers";"#));
    assert!(is_found("a.rs", r##"let x = r#"a "quoted" word is told"#;"##));
    assert!(is_found("a.rs", "/// How a run is told.\nstruct Run;"));
    assert!(is_found("a.rs", "let x = 1; // whoever asks") && is_found("a.rs", "/* nobody */"));
    assert!(is_found("a.md", "Tell a run that is over."));
    assert!(is_found("a.toml", "why = \"whoever waits\""));
    assert!(is_found("a.rs", "let beside = 1;"));
    assert_eq!(findings("a.rs", "let x = 1;\nlet told = '\"';\nlet y = \"\";").len(), 1);
    assert!(findings("a.rs", "let x = 1;\nlet told = 2;")[0].starts_with("a.rs:2: `told`"));
}

#[test]
fn other_words_are_not_found() {
    let is_clean = |path: &str, text: &str| findings(path, text).is_empty();
    assert!(is_clean("a.rs", "fn fill() { let skills = \"still\"; } // untold"), "parts of words");
    assert!(
        is_clean("a.rs", "let x: &'static str = \"a \\\" b\"; let felt = '\\'';"),
        "quotes end where they end"
    );
    assert!(
        is_clean("a.md", "The file says what stands beside it."),
        "some words are unwanted in names alone"
    );
    assert!(is_clean("a.rs", "// What stands beside it says so."), "some words are unwanted in names alone");
}
