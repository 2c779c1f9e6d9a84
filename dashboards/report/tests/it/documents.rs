//! Markdown, JUnit and annotations.

use record::{Entry, ExpectationPlan, Line, Verdict};
use report::{github, junit, markdown, page};

use crate::fixture::{checks, lines, reported, run, scores};

#[test]
fn every_view_shows_the_same_figures() {
    let run = run();
    let html = page::page(&run);
    let (markdown, junit) = (markdown::markdown(&run), junit::junit(&run));
    // The failed check: 187 ms where 150 ms is the limit; the score of both arms and its ratio.
    for figure in ["187.0ms", "150.0ms"] {
        for (name, text) in [("page", &html), ("markdown", &markdown), ("junit", &junit)] {
            assert!(text.contains(figure), "no {figure} in the {name}");
        }
    }
    // And how far it is beyond: 37 ms.
    for figure in ["9.4ms", "187.0ms", "-37.0ms", "×19.9 [17.1, 23.0]"] {
        assert!(html.contains(figure) && markdown.contains(figure), "{figure}");
    }
}

#[test]
fn what_cannot_be_judged_is_an_error_and_never_skipped() {
    let xml = junit::junit(&run());
    assert!(xml.contains("tests=\"4\" failures=\"1\" errors=\"2\""), "{xml}");
    assert!(xml.contains("<error type=\"inconclusive\"") && xml.contains("<error type=\"invalid\""), "{xml}");
    assert!(
        xml.contains("<failure type=\"fail\" message=\"187.0ms where the limit is 150.0ms (n=4812)"),
        "{xml}"
    );
    assert!(!xml.contains("<skipped"));
    let mut cut = run();
    cut.end = None;
    assert!(junit::junit(&cut).contains("the run was cut short"));
    roxmltree::Document::parse(&xml).expect("well-formed");
}

#[test]
fn in_a_run_that_cannot_be_believed_nothing_fails() {
    let mut void = run();
    if let Some(end) = &mut void.end {
        end.verdict = Some(Verdict::Invalid);
    }
    let xml = junit::junit(&void);
    assert!(xml.contains("failures=\"0\" errors=\"3\""), "{xml}");
    assert!(
        github::annotations(&void, "a.toml").starts_with("::error file=a.toml,line=12::invalid: p99(all)")
    );
    let mut interrupted = run();
    if let Some(end) = &mut interrupted.end {
        end.verdict = None;
    }
    assert!(junit::junit(&interrupted).contains("message=\"the run was interrupted\""));
    assert!(github::annotations(&interrupted, "a.toml").contains("invalid: the run was interrupted"));
}

#[test]
fn a_premise_that_does_not_hold_is_an_error() {
    let mut lines = lines();
    if let record::Entry::Header(header) = &mut lines[0].entry {
        header.expectations[0] = ExpectationPlan { list: "valid".into(), ..header.expectations[0].clone() };
    }
    let xml = junit::junit(&reported(&lines));
    assert!(xml.contains("failures=\"0\" errors=\"3\""), "{xml}");
}

#[test]
fn a_case_takes_as_long_as_its_phase() {
    let mut lines = lines();
    checks(&mut lines).into_iter().filter(|check| check.id == 0).for_each(|check| {
        check.text = "p99(all) in fault < 150ms".into();
    });
    let xml = junit::junit(&reported(&lines));
    assert!(xml.contains("name=\"p99(all) in fault &lt; 150ms [B]\" line=\"12\" time=\"10\""), "{xml}");
    assert!(xml.contains("name=\"errors(all) &lt; 1% [B]\" line=\"14\" time=\"20\""), "{xml}");
}

#[test]
fn annotations_point_at_the_line_of_the_expectation() {
    let text = github::annotations(&run(), "scenarios/slow, one.toml");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0]
            .starts_with("::error file=scenarios/slow%2C one.toml,line=12::fail: p99(all) < 150ms: 187.0ms"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("::warning file=scenarios/slow%2C one.toml,line=13::inconclusive:"),
        "{text}"
    );
    assert!(lines[2].contains("title=generator_lag::invalid"), "{text}");
    assert_eq!(lines.len(), 3, "what holds is not annotated");
}

#[test]
fn a_violated_check_has_its_time_on_the_clock_of_the_charts() {
    let mut lines = lines();
    // 13.5 s of the run; its load began at 1 s.
    checks(&mut lines).into_iter().filter(|check| check.id == 0).for_each(|check| {
        check.since_ns = Some(13_500_000_000);
    });
    let run = reported(&lines);
    let texts =
        [page::page(&run), markdown::markdown(&run), junit::junit(&run), github::annotations(&run, "a.toml")];
    for text in texts {
        assert!(text.contains("00:12.5"), "{text}");
    }
}

#[test]
fn a_summary_begins_with_the_verdict_and_is_never_too_long() {
    let text = markdown::markdown(&run());
    assert!(
        text.starts_with("<!-- cleave:slow-follower -->\n### slow-follower fail: 1 of 3 expectations hold"),
        "{text}"
    );
    assert!(text.contains("```mermaid") && text.contains("good/s"));
    assert!(
        text.contains("A_app") && text.contains("B_feed -->|\"20/s, 9.1% failed\"| B_follower"),
        "{text}"
    );
    let mut lines = lines();
    let row = scores(&mut lines)[0].clone();
    lines.extend(std::iter::repeat_n(Line { t: 0, entry: Entry::Score(Box::new(row)) }, 2_000));
    let text = markdown::markdown(&reported(&lines));
    assert!(text.len() < 64 * 1024 && text.contains("### slow-follower fail"), "{} bytes", text.len());
    assert!(text.contains("more rows are left out here") && text.contains("```mermaid"), "the rest stays");
}
