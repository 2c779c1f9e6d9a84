//! Markdown, JUnit and annotations.

use record::{Entry, ExpectationPlan, Line, Lint, Verdict};
use report::{document, github, junit, markdown, page};

use crate::fixture::{checks, lines, reported, run, scores};

#[test]
fn every_view_shows_the_same_figures() {
    let run = run();
    let html = page::page(&run);
    let (markdown, junit) = (markdown::markdown(&run), junit::junit(&run));
    // The failed check: 187 ms where 150 ms is the limit; the score of both arms and its ratio.
    for figure in ["187.0ms", "150ms"] {
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
        xml.contains("<failure type=\"fail\" message=\"187.0ms where the limit is 150ms (n=4812)"),
        "{xml}"
    );
    assert!(!xml.contains("<skipped"));
    let mut cut = run();
    cut.end = None;
    let why = "the record has no end: the run was cut short";
    assert!(junit::junit(&cut).contains(why));
    // In every document: a verdict without a reason would be one of its claims.
    assert!(markdown::markdown(&cut).contains(&format!("**{why}**")));
    assert!(github::annotations(&cut, "a.toml").contains(why));
    assert_eq!(document::document(&cut, None).reason, Some(format!("invalid: {why}")));
    roxmltree::Document::parse(&xml).expect("well-formed");
}

#[test]
fn a_scenario_that_was_not_to_be_run_is_skipped_with_its_reason() {
    let skipped = junit::Suite::skipped("stores", "no `initdb` & no `postgres`");
    let xml = junit::document(&[skipped, junit::Suite::without_run("crash-one", "interrupted")]);
    let document = roxmltree::Document::parse(&xml).expect("well-formed");
    assert_eq!(document.root_element().attribute("errors"), Some("1"), "of the other one: {xml}");
    let suites: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testsuite")).collect();
    let counts = ["tests", "failures", "errors", "skipped"].map(|name| suites[0].attribute(name));
    assert_eq!(counts, [Some("1"), Some("0"), Some("0"), Some("1")], "{xml}");
    assert_eq!(suites[1].attribute("skipped"), Some("0"), "{xml}");
    let elements: Vec<_> = document.descendants().filter(|node| node.has_tag_name("skipped")).collect();
    assert_eq!(elements.len(), 1, "{xml}");
    assert_eq!(elements[0].attribute("message"), Some("no `initdb` & no `postgres`"));
    let case = elements[0].parent_element().expect("a case");
    assert_eq!((case.attribute("classname"), case.attribute("name")), (Some("stores"), Some("run")));
}

#[test]
fn a_note_is_neither_a_case_nor_a_reason_to_doubt() {
    let mut noted = run();
    let text = "a debug build".to_owned();
    let note = Lint { name: "build".into(), verdict: Verdict::Pass, text };
    if let Some(end) = &mut noted.end {
        end.lints.push(note);
    }
    let xml = junit::junit(&noted);
    assert!(xml.contains("tests=\"4\" failures=\"1\" errors=\"2\""), "as without it: {xml}");
    assert!(xml.contains("<property name=\"note build\" value=\"a debug build\"/>"), "{xml}");
    let annotations = github::annotations(&noted, "a.toml");
    assert!(
        annotations.ends_with("::notice file=a.toml,title=build::note: a debug build\n"),
        "{annotations}"
    );
    assert!(markdown::markdown(&noted).contains("- **note**, build: a debug build"));
    assert!(page::page(&noted).contains("<p class=\"quiet\">~ note, build: a debug build</p>"));
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
    assert!(xml.contains("name=\"p99(all) in fault &lt; 150ms [micro]\" line=\"12\" time=\"10\""), "{xml}");
    assert!(xml.contains("name=\"errors(all) &lt; 1% [micro]\" line=\"14\" time=\"20\""), "{xml}");
}

#[test]
fn annotations_point_at_the_line_of_the_expectation() {
    let text = github::annotations(&run(), "scenarios/slow, one.toml");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with(
            "::error file=scenarios/slow%2C one.toml,line=12::fail: p99(all) < 150ms [micro]: 187.0ms"
        ),
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
fn arms_are_called_by_their_names_and_no_two_cases_alike() {
    let mut lines = lines();
    let first = checks(&mut lines)[1].clone();
    if let record::Entry::Header(header) = &mut lines[0].entry {
        let claims = &mut header.expectations;
        claims.extend([
            ExpectationPlan { id: 8, ..claims[0].clone() },
            ExpectationPlan { id: 9, ..claims[0].clone() },
        ]);
    }
    let again = [8, 9].map(|id| record::Check { id, ..first.clone() });
    let at = lines.len() - 1;
    lines.splice(at..at, again.map(|check| Line { t: 0, entry: Entry::Check(check) }));
    let run = reported(&lines);
    let xml = junit::junit(&run);
    let document = roxmltree::Document::parse(&xml).expect("well-formed");
    let mut names: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .filter_map(|node| node.attribute("name"))
        .collect();
    let arm = run.arm_name_of(&first).expect("a check of an arm").to_owned();
    let name = format!("{} [{arm}]", first.text);
    for name in [name.clone(), format!("{name}, line 12"), format!("{name} (2)")] {
        assert!(names.contains(&name.as_str()), "no {name} in {names:?}");
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
    let text = github::annotations(&run, "a.toml");
    assert!(text.contains(&format!("fail: {name}: 187.0ms")), "{text}");
}

#[test]
fn a_claim_without_an_arm_is_an_error_with_its_reason() {
    let mut lines = lines();
    let reason = "not judged: no arm of this run is `micro`";
    checks(&mut lines).into_iter().filter(|check| check.id == 0).for_each(|check| {
        (check.arm, check.verdict, check.reason) = ('-', Verdict::Inconclusive, reason.into());
        (check.value, check.limit, check.margin) = (None, None, None);
    });
    let run = reported(&lines);
    let xml = junit::junit(&run);
    assert!(xml.contains("name=\"p99(all) &lt; 150ms\" line=\"12\""), "{xml}");
    assert!(xml.contains(&format!("<error type=\"inconclusive\" message=\"{reason}\"")), "{xml}");
    let texts = [page::page(&run), markdown::markdown(&run), github::annotations(&run, "a.toml")];
    for text in texts {
        assert!(text.contains("not judged: no arm of this run is"), "{text}");
    }
}

#[test]
fn names_reach_no_terminal_raw_and_the_command_can_be_run_again() {
    let mut lines = lines();
    if let record::Entry::Header(header) = &mut lines[0].entry {
        header.title = "clears \u{1b}[2J the \u{7} screen".into();
        header.command = ["cleave", "run", "--out", "r/a b  c"].map(str::to_owned).to_vec();
        header.expectations[0].why = "\u{9b}2J \u{202e}".into();
        header.arms[0].name = "\u{1b}[2Jmicro\r".into();
        header.arms[0].instances[0].name = "\u{1b}]0;x\u{7}#0".into();
    }
    checks(&mut lines).into_iter().for_each(|check| check.unit = "\u{1b}]0;x\u{7}".into());
    scores(&mut lines).into_iter().for_each(|score| score.unit = "\u{1b}]0;x\u{7}".into());
    let run = reported(&lines);
    for text in [markdown::markdown(&run), junit::junit(&run), github::annotations(&run, "a.toml")] {
        let raw = text.chars().find(|c| *c != '\n' && model::format::is_unprintable(*c));
        assert_eq!(raw, None, "{text}");
    }
    for text in [markdown::markdown(&run), page::page(&run), junit::junit(&run)] {
        let text = text.replace("&#39;", "'");
        assert!(text.contains("cleave run --out 'r/a b  c'"), "{text}");
    }
}

#[test]
fn a_unit_ends_no_cell_and_is_no_markup() {
    let mut lines = lines();
    let hostile = "|<img src=x>";
    checks(&mut lines).into_iter().for_each(|check| check.unit = hostile.into());
    scores(&mut lines).into_iter().for_each(|score| score.unit = hostile.into());
    let run = reported(&lines);
    let comparison = report::Comparison::of(&run, &run);
    for text in [markdown::unfolded(&run), markdown::comparison(&comparison)] {
        assert!(text.contains("\\|&lt;img") && !text.contains("<img") && !text.contains("0|"), "{text}");
    }
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
