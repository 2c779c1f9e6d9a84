//! What runs end with, at 80 columns.

use model::Run;
use record::Line;
use tui::card;

use crate::fixture::endings;

const COLUMNS: u16 = 80;

fn printed(lines: &[Line]) -> String {
    text_of(lines, |out, run| card::print_folded(out, run, COLUMNS, false))
}

fn text_of(lines: &[Line], print: impl FnOnce(&mut Vec<u8>, &Run) -> std::io::Result<()>) -> String {
    let mut run = Run::default();
    run.take(lines);
    let mut out = Vec::new();
    print(&mut out, &run).expect("a vector takes everything");
    String::from_utf8(out).expect("text")
}

/// The lines of the verdict and the answer: up to the first blank one.
fn answer(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| !line.is_empty()).collect()
}

/// The lines of the scorecard: from its heads on.
fn scorecard(text: &str) -> usize {
    text.lines().skip_while(|line| !line.ends_with("finding")).count()
}

#[track_caller]
fn fits(text: &str) {
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > COLUMNS.into()).collect();
    assert!(wide.is_empty(), "80 columns hold: {wide:#?}");
    assert!(answer(text).len() <= 6, "the answer takes six lines at most: {text}");
    assert!(scorecard(text) <= 41, "the scorecard takes forty lines, and one names what is folded: {text}");
}

#[test]
fn first_look() {
    let text = printed(&endings::first_look());
    fits(&text);
    let answer = answer(&text).join(" ");
    for part in
        ["p50 ×1.33 [1.30, 1.38]", "CPU/journey", "collateral failures dead-photo 0.0% vs 14.3%", "p99"]
    {
        assert!(answer.contains(part), "no `{part}` in {answer}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn crash_one() {
    let text = printed(&endings::crash_one());
    fits(&text);
    assert!(text.contains("×5.00") && !text.contains("no difference"), "five databases for one: {text}");
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.join(" ").contains("lengthen its phase or raise the rate"), "what helps: {text}");
    insta::assert_snapshot!(text);
}

#[test]
fn capacity_at_slo() {
    let text = printed(&endings::capacity_at_slo());
    fits(&text);
    assert!(
        answer(&text).iter().any(|line| line.starts_with("costs: capacity ")),
        "it was asked for: {text}"
    );
    assert!(
        text.contains("2,400/s")
            && !text.contains("highest rate tried")
            && text.contains("capacity at p99 < 50 ms"),
        "{text}"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn figures_that_are_wider_than_their_columns_stand_below() {
    let text = text_of(&endings::capacity_at_slo(), |out, run| card::print(out, run, COLUMNS, false));
    assert!(text.contains("\n    A 1,400/s to 2,400/s, B 800/s to 1,200/s\n"), "{text}");
}

#[test]
fn retry_storm() {
    let text = printed(&endings::retry_storm());
    fits(&text);
    let answer = answer(&text).join(" ");
    assert!(answer.contains("never (30 s watched)"), "the headline: {answer}");
    for arm in ["B naive/mono", "C budget/micro", "D shed/micro"] {
        assert!(answer.contains(arm), "each arm against the first: {answer}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn what_cannot_be_believed_names_the_limit_and_what_helps() {
    let text = printed(&endings::late_generator());
    let lines = text.lines().take(6).flat_map(str::split_whitespace);
    let first: String = lines.collect::<Vec<_>>().join(" ");
    assert!(text.starts_with("INVALID  late"), "{text}");
    assert!(first.contains("9000 us late at p50"), "what happened: {first}");
    assert!(first.contains("(allowed: 0.2 ms or a tenth"), "against which limit: {first}");
    assert!(first.contains("lower the rate"), "what helps: {first}");
    assert!(text.contains("notes: build"), "{text}");
}

#[test]
fn a_sweep_names_what_is_worth_having() {
    let mut lines = endings::first_look();
    if let record::Entry::Header(header) = &mut lines[0].entry {
        let second = header.arms[1].clone();
        header.arms.extend(('C'..='J').map(|letter| record::Arm {
            letter,
            name: format!("grouping-{letter}"),
            ..second.clone()
        }));
    }
    let text = printed(&lines);
    assert!(text.starts_with("PASS  first-look: "), "{text}");
    assert!(text.contains("* no other is better in everything, ~ tied"), "a table of ranks: {text}");
}
