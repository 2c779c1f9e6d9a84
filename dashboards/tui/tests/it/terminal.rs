//! The bytes a terminal gets, read back by a terminal.

use std::cell::RefCell;
use std::io::{self, Write};
use std::num::NonZero;
use std::rc::Rc;

use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use tui::screen;
use tui::state::State;
use tui::style::{ColorScheme, Palette, Theme};
use tui::update::advance;

use tui::tab::Tab;

use crate::fixture;

/// A frame's bytes at 120x40 are to stay below this.
const BUDGET: usize = 8 * 1024;

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
fn session(theme: Theme) -> (Vec<u8>, Vec<u8>) {
    let bytes = Bytes::default();
    let mut out = bytes.clone();
    screen::enter(&mut out, true).expect("a vector takes everything");
    let viewport = Viewport::Fixed(Rect::new(0, 0, 120, 40));
    let mut terminal =
        Terminal::with_options(CrosstermBackend::new(out.clone()), TerminalOptions { viewport })
            .expect("a fixed size needs no query");
    for second in [31, 43] {
        let mut state = State { theme, size: (120, 40), ..State::default() };
        advance(&mut state, &mut fixture::until(second).into_iter());
        screen::draw(&mut terminal, &state).expect("a vector takes everything");
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
    let (drawn, all) = session(Theme::default());
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
    let (drawn, _) = session(Theme::default());
    let text = String::from_utf8_lossy(&drawn).into_owned();
    assert_eq!((text.matches("\x1b[?2026h").count(), text.matches("\x1b[?2026l").count()), (2, 2));
    let second = text.rfind("\x1b[?2026h").expect("two frames");
    assert!(text.ends_with("\x1b[?2026l") && text[..second].ends_with("\x1b[?2026l"), "nothing outside");
    assert!(text.len() - second < BUDGET, "a frame is small: {} bytes", text.len() - second);
}

/// Every second of the run, on every tab: what a terminal far away is sent.
#[test]
fn a_second_of_the_run_costs_few_bytes() {
    let lines = fixture::lines();
    let mut most = Vec::new();
    for tab in Tab::ALL {
        let bytes = Bytes::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, 120, 40));
        let mut terminal =
            Terminal::with_options(CrosstermBackend::new(bytes.clone()), TerminalOptions { viewport })
                .expect("a fixed size needs no query");
        let mut state = State { tab, size: (120, 40), ..State::default() };
        let mut frames = Vec::new();
        for second in 0..=u64::from(fixture::LENGTH) {
            let upto = fixture::LOAD_START + second * fixture::SECOND + 500_000_000;
            let known = state.at();
            let new = lines.iter().filter(|line| line.t <= upto && (line.t > known || known == 0));
            advance(&mut state, &mut new.cloned().collect::<Vec<_>>().into_iter());
            bytes.0.borrow_mut().clear();
            screen::draw(&mut terminal, &state).expect("a vector takes everything");
            frames.push(bytes.0.borrow().len());
        }
        // The first draws the whole screen.
        let largest = frames.iter().skip(1).max().copied().unwrap_or(0);
        most.push((tab, largest));
        assert!(largest > 0, "{tab:?} draws something");
    }
    assert!(most.iter().all(|(_, bytes)| *bytes <= BUDGET), "at most {BUDGET} bytes a frame: {most:?}");
}

#[test]
fn the_mouse_is_asked_for_and_given_back() {
    let mut asked = Vec::new();
    screen::enter(&mut asked, true).expect("a vector takes everything");
    let mut quiet = Vec::new();
    screen::enter(&mut quiet, false).expect("a vector takes everything");
    let mut left = Vec::new();
    screen::leave(&mut left).expect("a vector takes everything");
    let has = |bytes: &[u8], query: &str| String::from_utf8_lossy(bytes).contains(query);
    assert!(has(&asked, "\x1b[?1000h") && !has(&quiet, "\x1b[?1000h"));
    assert!(has(&left, "\x1b[?1000l"), "a caller that did not query restores it as well");
    assert!(!has(&asked, "\x1b[?1003h"), "moves are not asked for");
}

#[test]
fn no_color_sends_no_colour() {
    let (coloured, _) = session(Theme { palette: Palette::new(ColorScheme::Dark, false), ascii: false });
    let (plain, _) = session(Theme { palette: Palette::new(ColorScheme::Dark, true), ascii: false });
    assert!(colours(&coloured) > 0 || std::env::var_os("NO_COLOR").is_some());
    assert_eq!(colours(&plain), 0);
}

#[test]
fn giving_back_twice_or_without_a_screen_does_nothing() {
    tui::restore();
    tui::restore();
}
