//! A run as documents: for people, for a pull request, for a test collector. Pure functions of its record.
//!
//! - [`compare`]: two runs, matched: before and after. [`regressions`]: what of them a gate looks at.
//! - [`page`]: one HTML file, its charts drawn by [`plot`].
//! - [`markdown`]: for a CI summary.
//! - [`mod@document`]: one JSON document.
//! - [`junit`]: an expectation is a test case.
//! - [`github`]: annotations at the line of the expectation.
//!
//! What is shown comes from [`model::Run`] and the scorecard's rows in it; nothing is computed here. Start with [`page`].

pub mod compare;
pub mod document;
pub mod github;
pub mod junit;
pub mod markdown;
pub mod page;
pub mod plot;
pub mod regressions;

pub use compare::Comparison;
use model::Run;

/// Why a run has no verdict, in a sentence; `None` where it has one.
pub(crate) fn without_verdict(run: &Run) -> Option<&'static str> {
    match run.end.as_ref().map(|end| end.verdict) {
        None => Some("the record has no end: the run was cut short"),
        Some(None) => Some("the run was interrupted"),
        Some(Some(_)) => None,
    }
}

/// Text inside HTML, SVG or XML.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(c),
            // No XML 1.0 document may hold other control characters, nor these two, escaped or not (section 2.2), and what
            // turns the direction of text belongs into no document.
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c if model::format::is_unprintable(c) => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_that_is_written_becomes_markup() {
        assert_eq!(
            super::escaped("a<b & \"c\" 'd'>\u{7}\u{ffff}\n\t"),
            "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;\u{fffd}\u{fffd}\n\t"
        );
    }
}
