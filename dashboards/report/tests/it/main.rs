//! What documents hold, of a small run told by hand.

mod fixture;

use record::{Entry, Line, Verdict, Window};
use report::{github, junit, markdown, page};

use crate::fixture::story;

#[test]
fn a_page_needs_nothing_from_outside() {
    let html = page::page(&story());
    for attribute in ["src=", "href=", "url(", "@import"] {
        assert!(!html.contains(attribute), "{attribute}");
    }
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    assert!(html.contains("default-src 'none'"));
    assert_eq!(html, page::page(&story()), "the same record gives the same bytes");
}

#[test]
fn a_page_holds_every_section_in_its_order() {
    let html = page::page(&story());
    let places: Vec<usize> = [
        "class=\"verdict fail\"",
        "<h2>Scorecard",
        "<h2>Expectations",
        "<h2>Timeline",
        "<h2>Distribution",
        "<h2>Arms",
        "<h2>Edges",
        "<h2>Events",
        "<h2>Again",
        "<h2>Glossary",
        "id=\"run\"",
    ]
    .iter()
    .map(|part| html.find(part).unwrap_or_else(|| panic!("no {part}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
    // Two arms: latency, journeys and CPU of each, and one distribution.
    assert_eq!(html.matches("<svg").count(), 7);
    assert!(html.matches("class=\"fault\"").count() >= 6, "the fault on every chart of time");
    assert!(html.contains("limit 150ms"), "the expectation's limit is drawn");
}

#[test]
fn every_view_shows_the_same_figures() {
    let story = story();
    let html = page::page(&story);
    let (markdown, junit) = (markdown::markdown(&story), junit::junit(&story));
    // The failed check: 187 ms where 150 ms is the limit; the score of both arms and its ratio.
    for figure in ["187.0ms", "150.0ms"] {
        for (name, text) in [("page", &html), ("markdown", &markdown), ("junit", &junit)] {
            assert!(text.contains(figure), "no {figure} in the {name}");
        }
    }
    for figure in ["9.4ms", "187.0ms", "×19.9 [17.1, 23.0]"] {
        assert!(html.contains(figure) && markdown.contains(figure), "{figure}");
    }
}

#[test]
fn markup_in_a_scenario_stays_text() {
    let html = page::page(&story());
    assert!(html.contains("&lt;script&gt;alert(1)") && !html.contains("<script>alert(1)"));
    let data =
        html.split("id=\"run\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("the data");
    let data: serde_json::Value = serde_json::from_str(data).expect("one JSON document");
    assert_eq!(data["verdict"], "fail");
    assert_eq!(data["checks"].as_array().map(Vec::len), Some(3));
}

#[test]
fn what_cannot_be_judged_is_an_error_and_never_skipped() {
    let xml = junit::junit(&story());
    assert!(xml.contains("tests=\"4\" failures=\"1\" errors=\"2\""), "{xml}");
    assert!(xml.contains("<error type=\"inconclusive\"") && xml.contains("<error type=\"invalid\""), "{xml}");
    assert!(xml.contains("<failure message=\"187.0ms where the limit is 150.0ms (n=4812)"), "{xml}");
    assert!(!xml.contains("skipped"));
    let mut cut = story();
    cut.end = None;
    assert!(junit::junit(&cut).contains("the run was cut short"));
}

#[test]
fn annotations_point_at_the_line_of_the_expectation() {
    let text = github::annotations(&story(), "scenarios/slow, one.toml");
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
fn a_summary_begins_with_the_verdict_and_is_never_too_long() {
    let text = markdown::markdown(&story());
    assert!(
        text.starts_with("<!-- cleave:slow-follower -->\n### slow-follower fail: 1 of 3 expectations hold"),
        "{text}"
    );
    assert!(text.contains("```mermaid") && text.contains("good/s"));
    let mut long = story();
    long.scores = vec![long.scores[0].clone(); 2_000];
    let text = markdown::markdown(&long);
    assert!(text.len() < 64 * 1024 && text.contains("### slow-follower fail"), "{} bytes", text.len());
}

#[test]
fn a_second_in_which_nobody_was_answered_is_a_gap_in_every_line() {
    let mut story = story();
    let dead = Window {
        arm: 'A',
        round: 1,
        journey: "home-feed".into(),
        second: 12,
        offered: 20,
        ..Window::default()
    };
    story.tally.add(&Line { t: 0, entry: Entry::Window(Box::new(dead)) });
    for q in [0.5, 0.99] {
        let series = story.latency_ms('A', q);
        assert_eq!((series[11].is_some(), series[12], series[13].is_some()), (true, None, true), "{q}");
    }
    assert_eq!((story.good('A')[12], story.failed('A')[12]), (Some(0.0), Some(20.0)));
}

#[test]
fn a_record_without_its_end_is_invalid() {
    let mut cut = story();
    cut.end = None;
    assert_eq!(cut.verdict(), "invalid");
    assert!(page::page(&cut).contains("the run was cut short"));
    let whole = story();
    assert_eq!((whole.verdict(), whole.held()), ("fail", (1, 3)));
    assert_eq!(whole.checks[0].verdict, Verdict::Fail, "the last word counts");
}
