//! Two runs beside each other.

use report::{Comparison, document, markdown, page};

use crate::fixture::{lines, other_lines, reported, run};

#[test]
fn other_differences_come_before_any_figure() {
    let (one, two) = (run(), reported(&other_lines()));
    let warnings = Comparison::of(&one, &two).warnings;
    assert_eq!(
        warnings,
        [
            "seeds differ: 42 in run 1, 43 in run 2",
            "scenario texts differ: 0 lines of run 1 are not in run 2, 1 of run 2 not in run 1"
        ]
    );
    assert!(Comparison::of(&one, &run()).warnings.is_empty(), "the same run again has nothing to warn of");
}

#[test]
fn only_intervals_that_do_not_overlap_make_a_difference() {
    let (one, two) = (run(), reported(&other_lines()));
    let comparison = Comparison::of(&one, &two);
    let [row] = &comparison.rows[..] else { panic!("one row") };
    let findings: Vec<(&str, Option<bool>)> =
        row.arms.iter().map(|pair| (pair.finding, pair.is_second_better)).collect();
    // A is the same in both; B went from 168..206 ms to 18..23 ms.
    assert_eq!(findings, [("undecided", None), ("differs", Some(true))]);
    let mut close = other_lines();
    for line in &mut close {
        if let record::Entry::Score(score) = &mut line.entry {
            let b = score.arms.get_mut(&'B').expect("measured");
            (b.value, b.interval) = (Some(0.17), Some(record::Interval::new(0.150, 0.190)));
        }
    }
    let close = reported(&close);
    assert_eq!(Comparison::of(&one, &close).rows[0].arms[1].finding, "undecided", "they overlap");
}

#[test]
fn every_document_of_two_runs_covers_both() {
    let (one, two) = (run(), reported(&other_lines()));
    let comparison = Comparison::of(&one, &two);
    let html = page::comparison(&comparison);
    let markdown = markdown::comparison(&comparison);
    for text in [&html, &markdown] {
        for part in ["187.0ms", "20.0ms", "▲ differs", "seeds differ", "micro, run 2", "✗ fail", "✓ pass"]
        {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
    // Both arms of both runs, on charts of one scale: the highest of each kind is the same axis.
    assert_eq!(html.matches("data-zoom=\"").count(), 24);
    let heights: Vec<&str> = html
        .match_indices(": latency: p50")
        .filter_map(|(at, _)| {
            html[at..].split("class=\"tick\"").nth(4).and_then(|tick| tick.split('>').nth(1))
        })
        .collect();
    assert!(!heights.is_empty() && heights.iter().all(|height| *height == heights[0]), "{heights:?}");
    let json = serde_json::to_value(document::comparison(&comparison)).expect("json");
    assert_eq!(json["scorecard"][0]["arms"]["micro"]["finding"], "differs");
    assert_eq!(json["scorecard"][0]["arms"]["micro"]["runs"][1]["value"], 0.02);
    assert_eq!(json["checks"][0]["runs"][0]["verdict"], "fail");
    assert_eq!(json["checks"][0]["runs"][1]["verdict"], "pass");
}

#[test]
fn an_arm_that_only_one_run_has_stands_alone() {
    let mut fewer = lines();
    if let record::Entry::Header(header) = &mut fewer[0].entry {
        header.arms.truncate(1);
    }
    let (one, two) = (run(), reported(&fewer));
    let comparison = Comparison::of(&one, &two);
    let letters: Vec<_> = comparison.arms.iter().map(|arm| arm.letters).collect();
    assert_eq!(letters, [[Some('A'), Some('A')], [Some('B'), None]]);
    assert_eq!(comparison.rows[0].arms[1].finding, "");
    assert!(page::comparison(&comparison).contains("B micro, run 1"));
}

#[test]
fn runs_of_different_length_share_an_axis() {
    let mut short = lines();
    if let record::Entry::Header(header) = &mut short[0].entry {
        header.phases[1].length_ns = 2_000_000_000;
    }
    let (one, two) = (run(), reported(&short));
    let html = page::comparison(&Comparison::of(&one, &two));
    let end_of = |name: &str| -> f64 {
        let chart = html.split(&format!("aria-label=\"{name}: latency")).nth(1).expect("a chart");
        let path = chart.split("class=\"curve one\" d=\"").nth(1).and_then(|rest| rest.split('"').next());
        let last = path.expect("a line").rsplit('L').next().expect("a point");
        last.split(' ').next().expect("its place").parse().expect("a number")
    };
    // 444 wide from 46 on: the last second of twenty, and the last of twelve on the same axis.
    let place = |second: f64| 46.0 + 444.0 * second / 20.0;
    assert!((end_of("B micro, run 1") - place(19.5)).abs() < 0.1, "{}", end_of("B micro, run 1"));
    assert!((end_of("B micro, run 2") - place(11.5)).abs() < 0.1, "{}", end_of("B micro, run 2"));
}
