//! What is left when there is no screen: plain lines and the card.

use model::Run;
use record::Line;
use tui::{card, plain};

use crate::fixture;

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

#[test]
fn a_record_cut_short_is_invalid() {
    let mut out = Vec::new();
    card::print(&mut out, &run(&fixture::until(30)), 80, false).expect("a vector takes everything");
    let text = String::from_utf8(out).expect("text");
    assert!(text.starts_with("INVALID (the record has no end)"), "{text}");
}
