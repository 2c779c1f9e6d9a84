//! Runs of more than two arms, and what makes one hard to believe, in Markdown and JSON.

use record::{Contrast, Entry, Finding, Interval, Line, Measured, Verdict};
use report::{document, markdown, page};
use serde_json::json;

use crate::fixture::{lines, reported, scores};

/// With a third arm that is as fast as the first.
fn three_arms() -> Vec<Line> {
    let mut lines = lines();
    if let Entry::Header(header) = &mut lines[0].entry {
        let third = record::Arm { letter: 'C', name: "third".into(), ..header.arms[1].clone() };
        header.arms.push(third);
    }
    let score = scores(&mut lines).remove(0);
    let first = score.arms[&'A'];
    score.arms.insert('C', first);
    let ratio = Measured { value: Some(1.0), interval: Some(Interval::new(0.97, 1.03)), ..first };
    let equivalent =
        Contrast { ratio: Some(ratio), finding: Some(Finding::Equivalent), ..Contrast::default() };
    score.contrasts.insert('C', equivalent);
    lines
}

#[test]
fn each_arm_has_a_column_against_the_first() {
    let text = markdown::markdown(&reported(&three_arms()));
    let head = "| measure | A mono | B micro | C third | n | B/A, B−A | C/A, C−A |";
    assert!(text.contains(head), "{text}");
    let cells =
        "| 9.4ms | 187.0ms | 9.4ms | 4812 | ▼ ×19.9 [17.1, 23.0] differs | ×1.00 [0.97, 1.03] equivalent |";
    assert!(text.contains(cells), "{text}");
    let two = markdown::markdown(&reported(&lines()));
    assert!(two.contains("| measure | A mono | B micro | B/A, B−A | n | finding |"), "{two}");
}

#[test]
fn another_arm_may_be_the_base() {
    let mut lines = three_arms();
    if let Entry::Header(header) = &mut lines[0].entry {
        header.base = Some('C');
    }
    let run = reported(&lines);
    assert_eq!(json!(document::document(&run, None))["base"], json!("C"));
    assert!(markdown::markdown(&run).contains("| A/C, A−C | B/C, B−C |"), "{}", markdown::markdown(&run));
    let page = page::page(&run);
    assert!(page.contains("A against C") && page.contains("B against C"), "each arm against the base arm");
    assert!(!page.contains("B against A"), "and not against the first");
}

#[test]
fn every_row_may_stand_unfolded() {
    let run = reported(&lines());
    assert!(markdown::markdown(&run).contains("<summary>every row of the scorecard</summary>"));
    let text = markdown::unfolded(&run);
    assert!(!text.contains("every row of the scorecard"), "{text}");
    assert_eq!(text.matches("| p99 of ok journeys (fault)").count(), 2, "the headline and the row: {text}");
}

#[test]
fn an_invalid_run_begins_with_its_reason() {
    let mut lines = lines();
    if let Some(Line { entry: Entry::End(end), .. }) = lines.last_mut() {
        end.verdict = Some(Verdict::Invalid);
    }
    let run = reported(&lines);
    let reason = scorecard::reason::sentence(&run).expect("invalid");
    assert!(reason.starts_with("invalid: 3 ms late at p99 (allowed: "), "{reason}");
    let text = markdown::markdown(&run);
    assert!(text.contains(&format!("**{reason}**")), "{text}");
    assert_eq!(json!(document::document(&run, None))["reason"], json!(reason));
    let html = report::page::page(&run);
    let shown = reason.replace('<', "&lt;").replace('>', "&gt;");
    assert!(html.contains(&format!("<p class=\"invalid\">! {shown}</p>")), "{html}");
}
