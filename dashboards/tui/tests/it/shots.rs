//! Screenshots: what they are called, what they hold, and that a viewer can read them.

use tui::shot;
use tui::tab::Tab;

use crate::fixture;
use crate::still::{after, drawn, text};

/// Walks the markup: every tag is closed by its own name, and text holds no markup.
fn is_well_formed(svg: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some((before, after)) = rest.split_once('<') {
        let stray = before
            .split('&')
            .skip(1)
            .find(|part| !["amp;", "lt;", "gt;"].iter().any(|e| part.starts_with(e)));
        if before.contains('>') || stray.is_some() {
            return Err(format!("markup in text: {before}"));
        }
        let (tag, next) = after.split_once('>').ok_or("a tag without an end")?;
        match (tag.strip_prefix('/'), tag.ends_with('/')) {
            (Some(name), _) => match open.pop() {
                Some(opened) if opened == name => {}
                other => return Err(format!("`{name}` closes {other:?}")),
            },
            (None, true) => {}
            (None, false) => open.push(tag.split_whitespace().next().unwrap_or(tag)),
        }
        if tag.matches('"').count() % 2 != 0 {
            return Err(format!("a quote is open in {tag}"));
        }
        rest = next;
    }
    if open.is_empty() { Ok(()) } else { Err(format!("left open: {open:?}")) }
}

#[test]
fn the_checker_of_markup_finds_what_is_wrong() {
    assert_eq!(is_well_formed("<a b=\"c\"><d/>x &amp; y</a>"), Ok(()));
    for wrong in ["<a>", "<a></b>", "<a>x & y</a>", "<a b=\"c>x</a>", "<a>b > c</a>"] {
        assert!(is_well_formed(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_screen_is_written_as_text_colours_and_a_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut state = after(fixture::until(43));
    for tab in Tab::ALL {
        state.tab = tab;
        let paths = shot::write(&state, folder.path()).expect("the folder is ours");
        let names =
            paths.each_ref().map(|path| path.file_name().and_then(|name| name.to_str()).unwrap_or(""));
        let tab = tab.name().to_lowercase();
        let expected = ["txt", "ansi", "svg"].map(|ending| format!("screen-{tab}-00m43.0s.{ending}"));
        assert_eq!(names, expected, "the name has the content and the time");
        let [plain, ansi, svg] =
            paths.map(|path| std::fs::read_to_string(path).expect("it was just written"));
        assert_eq!(plain.trim_end(), text(&drawn(&state, 120, 40)).trim_end());
        assert_eq!(is_well_formed(&svg), Ok(()));
        assert!(
            svg.contains("prefers-color-scheme: light") && !svg.contains("url("),
            "both pages, nothing fetched"
        );
        // Every word of the screen is in all three.
        for word in plain.split_whitespace().filter(|word| word.chars().all(|c| c.is_ascii_alphanumeric())) {
            assert!(svg.contains(word) && ansi.contains(word), "{word}");
        }
    }
}

#[test]
fn a_folder_that_is_gone_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let gone = folder.path().join("gone");
    assert!(shot::write(&after(fixture::until(5)), &gone).is_err());
}
