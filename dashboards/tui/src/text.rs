//! Text cut and padded to its cells, and numbers as [`model::format`] writes them, which all views share.

pub(crate) use model::format::{NO_DATA, about, clock, cores, count, load_clock, ms, percent, value};
use model::format::{printable, short_ratio};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// B over A: `×2.5` above ten percent apart or so, `-3%` near one.
pub(crate) fn ratio(ratio: f64, ascii: bool) -> String {
    let text = short_ratio(ratio);
    if ascii { text.replace('×', "x") } else { text }
}

/// A step's number as every view shows it: `①`, or `1` in brackets beyond twenty and in ASCII.
pub(crate) fn number(number: u32, ascii: bool) -> String {
    match number {
        1..=20 if !ascii => char::from_u32(0x245F + number).map(String::from).unwrap_or_default(),
        n => format!("[{n}]"),
    }
}

/// How a figure is called: its term's name in the glossary. Every label of a figure on the screen comes through here,
/// so that drawing all screens, as the tests do, finds one that is not defined.
pub(crate) fn name_of(id: &str) -> &'static str {
    let term = scorecard::glossary::term_of(id).filter(|term| term.id == id);
    debug_assert!(term.is_some(), "`{id}` is shown and has no term in the glossary");
    term.map_or("", |term| term.name)
}

/// Cells a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to `cells`, its last cell `…` (`~` in ASCII) where something is missing.
pub(crate) fn cut(text: &str, cells: usize, ascii: bool) -> String {
    let text = printable(text);
    if width(&text) <= cells {
        return text.into_owned();
    }
    if cells == 0 {
        return String::new();
    }
    let mut short = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > cells - 1 {
            break;
        }
        used += wide;
        short.push(c);
    }
    short.push(if ascii { '~' } else { '…' });
    short
}

/// Padded with blanks on the right to `cells`, cut if longer.
pub(crate) fn left(text: &str, cells: usize, ascii: bool) -> String {
    let text = cut(text, cells, ascii);
    let blank = cells.saturating_sub(width(&text));
    text + &" ".repeat(blank)
}

/// An effect, `+0.0% [-2.7%, +1.2%]`, in `cells`: without its interval where both do not fit, and nothing where the value
/// does not either; a number that is cut lies.
pub(crate) fn effect_in(text: &str, cells: usize) -> &str {
    if width(text) <= cells {
        return text;
    }
    let value = text.split(" [").next().unwrap_or_default();
    if value.contains('[') || width(value) > cells { "" } else { value }
}

/// Padded with blanks on the left to `cells`, never cut: a number without its last digits lies.
pub(crate) fn right(text: &str, cells: usize) -> String {
    let text = printable(text);
    " ".repeat(cells.saturating_sub(width(&text))) + &text
}

/// Broken at blanks into lines of at most `cells`; a longer word is cut in pieces.
pub(crate) fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let text = text.split_whitespace().map(printable).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > cells {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) + c.width().unwrap_or(0) > cells {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fits_the_cells_it_is_given() {
        assert_eq!(cut("follower", 5, false), "foll…");
        assert_eq!(cut("follower", 0, false), "");
        assert_eq!(left("feed", 6, true), "feed  ");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
    }

    #[test]
    fn an_effect_that_does_not_fit_loses_its_interval_and_no_digit() {
        let effect = "+0.0% [-2.7%, +1.2%]";
        assert_eq!([20, 19, 5, 4].map(|cells| effect_in(effect, cells)), [effect, "+0.0%", "+0.0%", ""]);
        // Brackets that are apart have an interval alone.
        assert_eq!([13, 12].map(|cells| effect_in("×[0.33, 0.86]", cells)), ["×[0.33, 0.86]", ""]);
    }

    #[test]
    fn no_text_reaches_the_terminal_as_a_command() {
        // A record may have any text as a unit, and its figures end with it.
        let figure = value(Some(1.5), "\u{1b}]0;title\u{7}");
        let shown =
            [cut(&figure, 99, true), left(&figure, 99, true), right(&figure, 99), wrap(&figure, 99).concat()];
        for text in shown {
            assert!(!text.chars().any(char::is_control) && text.contains("1.50"), "{text:?}");
        }
    }
}
