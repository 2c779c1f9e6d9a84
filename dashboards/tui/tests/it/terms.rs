//! Every figure on the screen is defined, and the help says how.

use crossterm::event::{KeyCode, KeyModifiers};
use scorecard::glossary;
use tui::keymap::KEYS;
use tui::state::Overlay;
use tui::update::{Msg, update};

use crate::fixture;
use crate::still::{after, drawn, text};

#[test]
fn every_figure_shown_has_a_term() {
    let shown = tui::view::figures_shown();
    assert!(shown.len() > 18, "the tables were walked: {shown:?}");
    for id in shown {
        let term = glossary::term_of(id);
        assert_eq!(term.map(|term| term.id), Some(id), "`{id}` is shown and not defined");
    }
}

#[test]
fn help_holds_every_key_and_every_term() {
    let mut state = after(fixture::until(39));
    update(&mut state, Msg::Key(KeyCode::Char('?'), KeyModifiers::NONE));
    // High enough for all of it, and no wider than it, so that nothing stands beside it.
    let all = text(&drawn(&state, 104, 400));
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let all = squeezed(&all.replace(['│', '╭', '╮', '╰', '╯'], " "));
    for binding in KEYS.iter().filter(|binding| !binding.shown.is_empty()) {
        assert!(all.contains(&squeezed(binding.help)), "{} is missing:\n{all}", binding.help);
    }
    for term in glossary::terms() {
        assert!(all.contains(&squeezed(term.meaning)), "{} is missing:\n{all}", term.id);
    }
    // How many more rows there are is a matter of all terms.
    let shown = text(&drawn(&state, 80, 24));
    let (before, more) = shown.rsplit_once("↓ ").expect("more than fits");
    let rest = more.trim_start_matches(|digit: char| digit.is_ascii_digit());
    assert!(rest.starts_with(" more rows"), "{more}");
    insta::assert_snapshot!("help_80x24", format!("{before}↓ N{rest}"));
}

#[test]
fn help_is_searched_by_typing() {
    let mut state = after(fixture::until(39));
    for key in "?/retries".chars() {
        update(&mut state, Msg::Key(KeyCode::Char(key), KeyModifiers::NONE));
    }
    let found = text(&drawn(&state, 80, 24));
    assert!(found.contains("tries beyond the first") && !found.contains("median latency"), "{found}");
    update(&mut state, Msg::Key(KeyCode::Esc, KeyModifiers::NONE));
    assert_eq!((state.overlay, state.help.query.as_str()), (Overlay::Help, ""), "Esc drops the search first");
    update(&mut state, Msg::Key(KeyCode::Esc, KeyModifiers::NONE));
    assert_eq!(state.overlay, Overlay::Nothing);
}
