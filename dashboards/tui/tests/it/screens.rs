//! Screens as text and as roles, at the sizes the layouts are made for and at many others.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use record::{Entry, Line};
use tui::model::{Model, Msg, update};
use tui::style::{Look, Palette, Role, Theme};
use tui::view::view;

use crate::fixture;

fn after(lines: Vec<Line>) -> Model {
    let look = Look { palette: Palette::numbered(), ascii: false };
    let mut model = Model { look, ..Model::default() };
    update(&mut model, Msg::Lines(lines.into_iter().map(Arc::new).collect()));
    model
}

fn drawn(model: &Model, width: u16, height: u16) -> Buffer {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| view(model, frame));
    terminal.backend().buffer().clone()
}

fn rows(buffer: &Buffer, of: impl Fn(&ratatui::buffer::Cell) -> String) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let rows =
        buffer.content.chunks(width).map(|row| row.iter().map(&of).collect::<String>().trim_end().to_owned());
    rows.collect::<Vec<_>>().join("\n")
}

fn text(buffer: &Buffer) -> String {
    rows(buffer, |cell| cell.symbol().to_owned())
}

/// One letter of a role for every cell that shows something.
fn roles(buffer: &Buffer) -> String {
    rows(buffer, |cell| match cell.fg {
        _ if cell.symbol() == " " => " ".to_owned(),
        Color::Indexed(role) => Role::ALL[usize::from(role)].letter().to_string(),
        other => panic!("a cell without a role: {other:?}"),
    })
}

/// Text, and below it the roles of the same cells.
fn both(model: &Model, width: u16, height: u16) -> String {
    let buffer = drawn(model, width, height);
    format!("{}\n{}\n{}", text(&buffer), "=".repeat(usize::from(width)), roles(&buffer))
}

#[test]
fn slow_component_120x40() {
    insta::assert_snapshot!(both(&after(fixture::until(31)), 120, 40));
}

#[test]
fn crash_120x40() {
    insta::assert_snapshot!(both(&after(fixture::until(43)), 120, 40));
}

#[test]
fn crash_80x24() {
    insta::assert_snapshot!(both(&after(fixture::until(39)), 80, 24));
}

#[test]
fn crash_60x20() {
    insta::assert_snapshot!(both(&after(fixture::until(39)), 60, 20));
}

#[test]
fn crash_40x12() {
    insta::assert_snapshot!(both(&after(fixture::until(39)), 40, 12));
}

#[test]
fn sparklines_60x8() {
    insta::assert_snapshot!(both(&after(fixture::until(43)), 60, 8));
}

#[test]
fn one_line_20x5() {
    insta::assert_snapshot!(both(&after(fixture::until(39)), 20, 5));
}

#[test]
fn the_end_120x40() {
    insta::assert_snapshot!(text(&drawn(&after(fixture::lines()), 120, 40)));
}

#[test]
fn ascii_is_ascii() {
    let mut model = after(fixture::until(43));
    model.look.ascii = true;
    for (width, height) in [(120, 40), (80, 24), (60, 20), (60, 8), (20, 5)] {
        let text = text(&drawn(&model, width, height));
        let other: String = text.chars().filter(|c| !c.is_ascii()).collect();
        assert_eq!(other, "", "at {width}x{height}:\n{text}");
    }
    insta::assert_snapshot!(text(&drawn(&model, 80, 24)));
}

#[test]
fn paused_80x24_shows_the_past() {
    let mut paused = after(fixture::until(43));
    for _ in 0..12 {
        update(&mut paused, Msg::Key(KeyCode::Left, KeyModifiers::NONE));
    }
    let then = text(&drawn(&paused, 80, 24));
    assert!(then.contains("PAUSED -12.0s"), "{then}");
    assert!(!then.contains("went down"), "the crash comes later:\n{then}");
}

#[test]
fn help_80x24_lists_every_key() {
    let mut model = after(fixture::until(39));
    update(&mut model, Msg::Key(KeyCode::Char('?'), KeyModifiers::NONE));
    let text = text(&drawn(&model, 80, 24));
    for binding in tui::keymap::KEYS.iter().filter(|binding| !binding.shown.is_empty()) {
        assert!(text.contains(binding.help), "{} is missing:\n{text}", binding.help);
    }
    insta::assert_snapshot!(text);
}

/// A dead arm is a gap: its column of the chart holds no line.
#[test]
fn a_dead_arm_leaves_a_gap() {
    let buffer = drawn(&after(fixture::until(50)), 120, 40);
    let braille = |x: u16| {
        (4..12).any(|y| {
            ('\u{2801}'..='\u{28ff}').contains(&buffer[(x, y)].symbol().chars().next().unwrap_or(' '))
        })
    };
    // 54 columns for 60 s behind the frame and the gutter: second 38 to 39 is column 34 or 35.
    assert!(braille(5 + 20), "an answering arm has a line");
    assert!(!braille(5 + 35), "nothing was answered from 37 s to 40 s");
}

#[test]
fn no_size_and_no_moment_panics() {
    let models: Vec<Model> =
        [0, 1, 23, 38, 60].into_iter().map(|second| after(fixture::until(second))).collect();
    let empty = Model::default();
    // 200 sizes, spread over 0..140 by 0..50 by steps that share no factor with either.
    for i in 0..200_u32 {
        let (width, height) = ((i * 37 % 141) as u16, (i * 23 % 51) as u16);
        let mut model = models[i as usize % models.len()].clone();
        model.help = i % 7 == 0;
        model.swapped = i % 5 == 0;
        model.look.ascii = i % 3 == 0;
        drawn(&model, width, height);
        drawn(&empty, width, height);
    }
    for (width, height) in
        [(0, 0), (1, 1), (39, 6), (40, 5), (40, 6), (79, 24), (120, 35), (119, 36), (300, 100)]
    {
        models.iter().for_each(|model| drop(drawn(model, width, height)));
    }
}

/// Three arms: A stays, `c` changes what it is compared with.
#[test]
fn a_third_arm_is_reached_by_key() {
    let mut lines = fixture::until(31);
    if let Entry::Header(header) = &mut lines[0].entry {
        let mut third = header.arms[1].clone();
        (third.letter, third.name) = ('C', "duo".to_owned());
        header.arms.push(third);
    }
    let mut model = after(lines);
    assert!(text(&drawn(&model, 120, 40)).contains("B micro"));
    update(&mut model, Msg::Key(KeyCode::Char('c'), KeyModifiers::NONE));
    let screen = text(&drawn(&model, 120, 40));
    assert!(screen.contains("C duo") && !screen.contains("B micro"), "{screen}");
    assert!(screen.contains("p99 - "), "an arm without windows has no figures:\n{screen}");
}

#[test]
fn without_colour_every_role_keeps_the_terminals() {
    for role in Role::ALL {
        let style = Palette::new(Theme::Dark, true).style(role);
        assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
    }
}
