//! The bytes a terminal gets, read back by a terminal.

use std::cell::RefCell;
use std::io::{self, Write};
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;

use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use tui::model::{Model, Msg, update};
use tui::screen;
use tui::style::{Look, Palette, Theme};

use crate::fixture;

#[derive(Clone, Default)]
struct Bytes(Rc<RefCell<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Enters, draws two moments, leaves.
fn session(look: Look) -> (Vec<u8>, Vec<u8>) {
    let bytes = Bytes::default();
    let mut out = bytes.clone();
    screen::enter(&mut out).expect("a vector takes everything");
    let viewport = Viewport::Fixed(Rect::new(0, 0, 120, 40));
    let mut terminal =
        Terminal::with_options(CrosstermBackend::new(out.clone()), TerminalOptions { viewport })
            .expect("a fixed size asks nobody");
    for second in [31, 43] {
        let mut model = Model { look, ..Model::default() };
        let lines = fixture::until(second).into_iter().map(Arc::new).collect();
        update(&mut model, Msg::Lines(lines));
        screen::draw(&mut terminal, &model).expect("a vector takes everything");
    }
    let drawn = bytes.0.borrow().clone();
    screen::leave(&mut out).expect("a vector takes everything");
    let all = bytes.0.borrow().clone();
    (drawn, all)
}

/// Parameters of every Select Graphic Rendition sequence (`ESC [ .. m`).
fn renditions(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for sequence in text.split("\x1b[").skip(1) {
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        if sequence[end..].starts_with('m') {
            found.push(sequence[..end].to_owned());
        }
    }
    found
}

/// Foregrounds and backgrounds, not their resets (39, 49).
fn colours(bytes: &[u8]) -> usize {
    let colour = |code: &str| matches!(code.parse(), Ok(30..=38 | 40..=48 | 90..=97 | 100..=107));
    renditions(bytes).iter().filter(|sequence| sequence.split(';').any(colour)).count()
}

fn terminal_of(rows: u16, columns: u16) -> vt100::Parser {
    let cells = |n| NonZero::new(n).expect("a terminal has cells");
    vt100::Parser::new(cells(rows), cells(columns), 0)
}

#[test]
fn the_screen_is_given_back() {
    let (drawn, all) = session(Look::default());
    let mut terminal = terminal_of(40, 120);
    terminal.process(&drawn);
    assert!(terminal.screen().alternate_screen() && terminal.screen().hide_cursor());
    assert!(terminal.screen().contents().contains("slow-then-dead"));
    let mut terminal = terminal_of(40, 120);
    terminal.process(&all);
    assert!(!terminal.screen().alternate_screen() && !terminal.screen().hide_cursor());
}

#[test]
fn every_frame_is_one_synchronized_update() {
    let (drawn, _) = session(Look::default());
    let text = String::from_utf8_lossy(&drawn).into_owned();
    assert_eq!((text.matches("\x1b[?2026h").count(), text.matches("\x1b[?2026l").count()), (2, 2));
    let second = text.rfind("\x1b[?2026h").expect("two frames");
    assert!(text.ends_with("\x1b[?2026l") && text[..second].ends_with("\x1b[?2026l"), "nothing outside");
    assert!(text.len() - second < 16 * 1024, "a frame is small: {} bytes", text.len() - second);
}

#[test]
fn no_color_sends_no_colour() {
    let (coloured, _) = session(Look { palette: Palette::new(Theme::Dark, false), ascii: false });
    let (plain, _) = session(Look { palette: Palette::new(Theme::Dark, true), ascii: false });
    assert!(colours(&coloured) > 0 || std::env::var_os("NO_COLOR").is_some());
    assert_eq!(colours(&plain), 0);
}

#[test]
fn giving_back_twice_or_without_a_screen_does_nothing() {
    tui::restore();
    tui::restore();
}
