//! What is left when there is no screen: plain lines and the card.

use model::Run;
use record::{Contrast, Entry, Finding, Interval, Line, Measured};
use tui::tab::Tab;
use tui::{card, plain};

use crate::{fixture, still};

fn plain_lines() -> String {
    let mut out = Vec::new();
    plain::print(&mut fixture::lines().into_iter(), &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("text")
}

fn run(lines: &[Line]) -> Run {
    let mut run = Run::default();
    run.take(lines);
    run
}

fn card(width: u16, colour: bool) -> String {
    let mut out = Vec::new();
    card::print(&mut out, &run(&fixture::lines()), width, colour).expect("a vector takes everything");
    String::from_utf8(out).expect("text")
}

#[test]
fn plain_lines_of_a_run() {
    insta::assert_snapshot!(plain_lines());
}

#[test]
fn every_second_is_printed_once_and_in_order() {
    let text = plain_lines();
    let clock = |row: &str| row.split_whitespace().next().unwrap_or("").to_owned();
    let rows: Vec<String> =
        text.lines().filter(|row| row.contains(" | ") && !row.contains("load phase")).map(clock).collect();
    let seconds: Vec<String> = (0..fixture::LENGTH).map(|s| format!("{:02}:{:02}", s / 60, s % 60)).collect();
    assert_eq!(rows, seconds);
}

#[test]
fn card_at_80_columns() {
    let text = card(80, false);
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "80 columns hold, the widest line has {widest:?}");
    insta::assert_snapshot!(text);
}

/// The lines of a run whose shares differ: in points, which with their interval are longer than a ratio.
fn lines_with_differences() -> Vec<Line> {
    let mut lines = fixture::lines();
    for line in &mut lines {
        if let Entry::Score(score) = &mut line.entry
            && score.unit == "%"
        {
            let interval = Some(Interval::new(-0.265, -0.208));
            let difference = Some(Measured { value: Some(-0.237), interval, ..Measured::default() });
            let contrast = Contrast { difference, finding: Some(Finding::Differs), ..Contrast::default() };
            score.ratio = None;
            score.contrasts = [('B', contrast)].into();
        }
    }
    lines
}

#[test]
fn the_interval_of_a_difference_is_whole_at_80_columns() {
    let lines = lines_with_differences();
    let (mut whole, mut folded) = (Vec::new(), Vec::new());
    card::print(&mut whole, &run(&lines), 80, false).expect("a vector takes everything");
    card::print_folded(&mut folded, &run(&lines), 80, false).expect("a vector takes everything");
    let [whole, folded] = [whole, folded].map(|text| String::from_utf8(text).expect("text"));
    let mut state = still::after(lines);
    state.tab = Tab::Score;
    let screen = still::text(&still::drawn(&state, 80, 40));
    let effect = "-23.7% [-26.5%, -20.8%]";
    for text in [&whole, &folded, &screen] {
        assert!(text.lines().all(|line| line.chars().count() <= 80), "80 columns hold: {text}");
        assert!(text.lines().any(|line| line.contains(effect)), "{text}");
    }
    // The last of them is a row's own, below or beside its figures.
    let row = folded.lines().rev().find(|line| line.contains(effect)).expect("a row");
    assert!(row.contains("70.0%    93.7% ") && row.ends_with(" differs"), "{row}");
}

#[test]
fn a_card_in_colour_has_the_same_text() {
    let mut plain = String::new();
    let coloured = card(100, true);
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain += before;
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    assert!(coloured.contains("\x1b[31mFAIL"));
    assert_eq!(plain + rest, card(100, false));
}

/// The lines of a run whose names move the cursor and clear the screen.
fn hostile_lines() -> Vec<Line> {
    let evil = "a\u{1b}[2J \u{7}b\u{9b}1A\u{202e}\nFAIL";
    let mut lines = fixture::lines();
    for line in &mut lines {
        match &mut line.entry {
            record::Entry::Header(header) => {
                (header.scenario, header.title) = (evil.to_owned(), evil.to_owned());
                header.command =
                    vec!["cleave".to_owned(), "--out".to_owned(), "r/a b  c".to_owned(), evil.to_owned()];
                header.arms.iter_mut().for_each(|arm| arm.name = evil.to_owned());
                header.expectations.iter_mut().for_each(|plan| plan.why = evil.to_owned());
            }
            record::Entry::Event(event) => event.text = evil.to_owned(),
            record::Entry::Phase(phase) => phase.name = evil.to_owned(),
            record::Entry::Check(check) => {
                (check.text, check.reason) = (evil.to_owned(), evil.to_owned());
                check.unit = evil.to_owned();
                check.verdict = record::Verdict::Fail;
            }
            record::Entry::Score(score) => {
                (score.measure, score.finding) = (evil.to_owned(), evil.to_owned());
                // Figures end with it.
                score.unit = evil.to_owned();
                score.notes = vec![evil.to_owned()];
            }
            _ => {}
        }
    }
    lines
}

#[test]
fn no_name_reaches_the_terminal_raw() {
    let mut lines_out = Vec::new();
    plain::print(&mut hostile_lines().into_iter(), &mut lines_out).expect("a vector takes everything");
    let mut card_out = Vec::new();
    card::print(&mut card_out, &run(&hostile_lines()), 80, false).expect("a vector takes everything");
    for out in [lines_out, card_out] {
        let text = String::from_utf8(out).expect("text");
        let raw = text.lines().find(|line| line.contains(model::format::is_unprintable));
        assert_eq!(raw, None, "{text}");
        assert!(text.contains("\\u{1b}[2J"), "what they are made of is shown: {text}");
    }
}

#[test]
fn the_command_to_run_again_is_one_line_for_a_shell() {
    let mut out = Vec::new();
    card::print(&mut out, &run(&hostile_lines()), 80, false).expect("a vector takes everything");
    let text = String::from_utf8(out).expect("text");
    let again = text.lines().find(|line| line.starts_with("again: ")).expect("its line");
    assert!(again.starts_with("again: cleave --out 'r/a b  c' $'a\\033[2J "), "{again}");
    assert!(again.ends_with("\\012FAIL'"), "{again}");
}

#[test]
fn a_record_cut_short_is_invalid() {
    let mut out = Vec::new();
    card::print(&mut out, &run(&fixture::until(30)), 80, false).expect("a vector takes everything");
    let text = String::from_utf8(out).expect("text");
    assert!(text.starts_with("INVALID (the record has no end)"), "{text}");
}
