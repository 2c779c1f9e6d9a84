//! The views of one recorded run agree: page, Markdown, JSON, JUnit and the terminal's scorecard show the same figures and
//! the same verdicts, to the digit; `views_by_second` has the others, and the test of all seven. The record is one of
//! `records/crash.toml`, of which the windows that were final are kept.

use std::path::Path;

use model::Run;
use model::format::{count, value};
use record::Line;
use report::{document, markdown, page};
use serde_json::{Value, json};

use crate::cleave::lines_of;

/// A row of the scorecard as a view shows it: its label, a value per arm, the ratio, the samples.
type Row = (String, Vec<String>, String, String);
/// An expectation: its text and arm, then value, limit, samples, verdict, and in documents the margin.
type Check = (String, String, [String; 5]);
/// Wide enough for every label to stand on its own line.
const WIDE: u16 = 240;

pub fn lines() -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/records/crash.jsonl");
    lines_of(&path).expect("a record")
}

fn label(measure: &str, window: &str) -> String {
    format!("{measure} ({window})")
}

/// From the JSON document, through the figures every view is written with.
fn of_json(document: &Value) -> (Vec<Row>, Vec<Check>) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let letters: Vec<String> =
        document["arms"].as_array().expect("arms").iter().map(|arm| text(&arm["letter"])).collect();
    let row = |score: &Value| {
        let measured = |letter: &String| &score["arms"][letter];
        let values = letters
            .iter()
            .map(|letter| value(measured(letter)["value"].as_f64(), &text(&score["unit"])))
            .collect();
        let samples = letters.iter().filter_map(|letter| measured(letter)["n"].as_u64()).min();
        let score: record::Score = serde_json::from_value(score.clone()).expect("a score");
        (
            label(&score.measure, &score.window),
            values,
            model::format::effect(&score),
            count(samples.map(|n| n as f64)),
        )
    };
    let check = |check: &Value| {
        let unit = text(&check["unit"]);
        let known: record::Check = serde_json::from_value(check.clone()).expect("a check");
        let (found, limit) = model::limit::value_and_limit(&known);
        let figures = [
            found,
            limit,
            count(check["n"].as_f64()),
            text(&check["verdict"]),
            value(check["margin"].as_f64(), &unit),
        ];
        (text(&check["text"]), text(&check["arm"]), figures)
    };
    let scores = document["scorecard"].as_array().expect("rows").iter().map(row).collect();
    (scores, document["checks"].as_array().expect("checks").iter().map(check).collect())
}

/// The texts of a row's cells, markup and entities taken away.
fn cells(row: &str) -> Vec<String> {
    row.replace("<th", "<td")
        .replace("</th>", "</td>")
        .split("<td")
        .skip(1)
        .map(|cell| {
            let inner = cell.split_once('>').expect("an open cell").1;
            let inner = inner.split("</td>").next().expect("closed");
            let mut text = String::new();
            let mut in_tag = false;
            for c in inner.chars() {
                match c {
                    '<' => in_tag = true,
                    '>' => in_tag = false,
                    c if !in_tag => text.push(c),
                    _ => {}
                }
            }
            text.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'").replace("&amp;", "&")
        })
        .collect()
}

/// Rows of the page's tables with an attribute.
fn rows_of<'h>(html: &'h str, mark: &'static str) -> impl Iterator<Item = &'h str> {
    html.lines().filter(move |line| line.starts_with("<tr") && line.contains(mark))
}

fn of_page(html: &str, arms: usize) -> (Vec<Row>, Vec<Check>) {
    // Above the fold stand the few that matter.
    let all = html.split("<summary>all ").nth(1).expect("every row");
    let scores = rows_of(all, "data-score=").map(|row| {
        let cells = cells(row);
        let effect =
            row.split("class=\"text contrast\">").nth(1).and_then(|rest| rest.split(" <span").next());
        let effect = effect.unwrap_or_default().to_owned();
        (cells[0].clone(), cells[1..=arms].to_vec(), effect, cells[arms + 2].clone())
    });
    let checks = rows_of(html, "data-check=").map(|row| {
        let cells = cells(row);
        // The code is followed by its line and its reason.
        let text =
            row.split("<code>").nth(1).and_then(|rest| rest.split("</code>").next()).expect("its text");
        let text = self::cells(&format!("<td>{text}</td>")).remove(0);
        let verdict = cells[7].split_whitespace().nth(1).expect("a word").trim_end_matches(';').to_owned();
        let arm = cells[1].chars().next().unwrap_or('-').to_string();
        (text, arm, [cells[2].clone(), cells[3].clone(), cells[5].clone(), verdict, cells[4].clone()])
    });
    (scores.collect(), checks.collect())
}

fn of_markdown(text: &str, arms: usize) -> (Vec<Row>, Vec<Check>) {
    let cells = |line: &str| -> Vec<String> {
        let inner = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")).expect("a row");
        // A part is indented.
        let text = |cell: &str| cell.replace("&lt;", "<").replace("&emsp;", "").trim().to_owned();
        inner.split(" | ").map(text).collect()
    };
    // The last table of each kind that has all rows: above it stand the few that matter.
    let folded = text.split("<summary>every row of the scorecard</summary>").nth(1).expect("every row");
    let table = folded.split("</details>").next().expect("closed");
    // A claim has a line of its own above its rows.
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| **");
    let scores = table.lines().filter(is_row).skip(1).map(|line| {
        let cells = cells(line);
        (cells[0].clone(), cells[1..=arms].to_vec(), cells[arms + 1].clone(), cells[arms + 2].clone())
    });
    let checks = text.lines().filter(|line| line.starts_with("| ") && line.contains("` line ")).map(|line| {
        let cells = cells(line);
        let text = cells[1].trim_start_matches('`').split("` line ").next().expect("its text").to_owned();
        let verdict = cells[0].split_whitespace().nth(1).expect("a word").to_owned();
        (
            text,
            cells[2].clone(),
            [cells[3].clone(), cells[4].clone(), cells[6].clone(), verdict, cells[5].clone()],
        )
    });
    (scores.collect(), checks.collect())
}

/// From the text of the terminal: rows begin with a label, checks with a sign.
fn of_card(text: &str, arms: usize, labels: &[String]) -> (Vec<Row>, Vec<Check>) {
    let mut rows = Vec::new();
    let mut checks = Vec::new();
    for line in text.lines() {
        if let Some(rest) = ["✓ ", "✗ ", "? ", "! "].iter().find_map(|sign| line.strip_prefix(sign)) {
            let mut words: Vec<&str> = rest.split_whitespace().collect();
            // Audits have signs too; an expectation's line ends in its verdict.
            let verdict = words.pop().unwrap_or_default();
            if !["pass", "fail", "inconclusive", "invalid"].contains(&verdict) {
                continue;
            }
            let mut last = || words.pop().unwrap_or_default().to_owned();
            let (n, limit, found) = (last(), last(), last());
            // The arm is a single letter beyond the text; what compares arms has none.
            let arm = words.last().copied().filter(|word| word.len() == 1).map(str::to_owned);
            words.truncate(words.len() - usize::from(arm.is_some()));
            let arm = arm.unwrap_or_else(|| "-".into());
            checks.push((words.join(" "), arm, [found, limit, n, verdict.to_owned(), String::new()]));
            continue;
        }
        let shown = |label: &&String| label.trim_end_matches(" (whole)").to_owned();
        // A part stands below its total, and further in.
        let row = line.strip_prefix("    ").or_else(|| line.strip_prefix("  ")).unwrap_or_default();
        let begins = |label: &&String| row.starts_with(&format!("{} ", shown(label)));
        let Some(label) = labels.iter().filter(begins).max_by_key(|label| label.len()) else { continue };
        let rest = &row[shown(&label).len()..];
        let mut words = rest.split_whitespace().peekable();
        let values: Vec<String> = words.by_ref().take(arms).map(str::to_owned).collect();
        let mut ratio = String::new();
        // A ratio, or a difference; of what is counted there is neither.
        if words.peek().is_some_and(|word| word.starts_with(['×', '+', '-'])) {
            ratio.push_str(words.next().unwrap_or_default());
            if words.peek().is_some_and(|word| word.starts_with('[')) {
                let (low, high) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                ratio = format!("{ratio} {low} {high}");
            }
        }
        rows.push((label.clone(), values, ratio, words.next().unwrap_or_default().to_owned()));
    }
    (rows, checks)
}

/// From JUnit: the name of each case, and what was found where it does not hold.
fn of_junit(xml: &str) -> Vec<(String, String)> {
    let attribute = |case: &str, name: &str| -> String {
        let value = case.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        let value = value.unwrap_or_default();
        value.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'").replace("&amp;", "&")
    };
    xml.split("<testcase ")
        .skip(1)
        .map(|case| {
            let case = format!(" {}", case.split("</testcase>").next().expect("closed"));
            (attribute(&case, "name"), attribute(&case, "message"))
        })
        .collect()
}

fn sorted((mut rows, mut checks): (Vec<Row>, Vec<Check>)) -> (Vec<Row>, Vec<Check>) {
    rows.sort();
    checks.sort();
    (rows, checks)
}

/// The terminal's scorecard.
pub fn card(run: &Run) -> String {
    let mut card = Vec::new();
    tui::card::print(&mut card, run, WIDE, false).expect("a vector takes everything");
    String::from_utf8(card).expect("text")
}

/// Asserts that page, Markdown, JSON and the terminal's scorecard of a record show the same figures.
pub fn agree_to_the_digit(lines: &[Line]) {
    let run = Run::of(lines).expect("a header");
    let arms = run.header.arms.len();
    let json = sorted(of_json(&json!(document::document(&run, None))));
    assert!(json.0.len() > 25 && json.1.len() > 5, "{} rows, {} checks", json.0.len(), json.1.len());
    assert_eq!(sorted(of_page(&page::page(&run), arms)), json, "the page");
    assert_eq!(sorted(of_markdown(&markdown::markdown(&run), arms)), json, "Markdown");
    // The terminal's scorecard has no room for margins; its tab of expectations has.
    let mut json = json;
    for (.., [.., margin]) in &mut json.1 {
        margin.clear();
    }
    let (json, card) = (sorted(json), card(&run));
    let labels: Vec<String> = json.0.iter().map(|row| row.0.clone()).collect();
    assert_eq!(sorted(of_card(&card, arms, &labels)), json, "the terminal");
    let verdict = run.verdict().to_uppercase();
    assert!(card.starts_with(&verdict), "{card}");
}

/// Asserts that JUnit has a case for each check of a record, with the figures of those that do not hold.
pub fn junit_has_the_figures_of_every_check(lines: &[Line]) {
    let run = Run::of(lines).expect("a header");
    let (_, checks) = of_json(&json!(document::document(&run, None)));
    let cases = of_junit(&report::junit::junit(&run));
    assert!(cases.len() >= checks.len(), "{} cases", cases.len());
    for (text, arm, [value, limit, n, verdict, _]) in checks {
        let letter = arm.chars().next().expect("a letter");
        let name = if letter == '-' { text } else { format!("{text} [{}]", run.arm_name(letter)) };
        let (_, found) = cases.iter().find(|(case, _)| *case == name).expect("a case of its own");
        let shown = format!("{value} where the limit is {limit} (n={n})");
        let expected = if verdict == "pass" { "" } else { shown.as_str() };
        assert!(found.starts_with(expected) && found.is_empty() == expected.is_empty(), "{name}: {found}");
    }
}

#[test]
fn incidents_are_equal_in_all_views() {
    let run = Run::of(&lines()).expect("a header");
    let clock = |value: &Value| model::format::clock(value.as_u64().expect("a second"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let document = json!(document::document(&run, None));
    let symptoms = document["symptoms"].as_array().expect("a list");
    let expected_rows: Vec<[String; 5]> = symptoms
        .iter()
        .map(|it| {
            let seconds = it["seconds"].to_string();
            [text(&it["arm"]), text(&it["text"]), clock(&it["first_s"]), clock(&it["last_s"]), seconds]
        })
        .collect();
    let killed = |arm: &str| expected_rows.iter().any(|row| row[0] == arm && row[1].ends_with("#0 is down"));
    assert!(killed("A") && killed("B"), "photo was killed in both: {expected_rows:?}");

    let markdown = markdown::markdown(&run);
    let folded = markdown.split("<summary>what was wrong</summary>").nth(1).expect("it is folded");
    let rows =
        folded.split("</details>").next().expect("closed").lines().filter(|line| line.starts_with("| "));
    let shown: Vec<[String; 5]> = rows
        .skip(1)
        .map(|row| {
            let cells: Vec<String> = row.trim_matches(['|', ' ']).split(" | ").map(str::to_owned).collect();
            cells.try_into().expect("five cells")
        })
        .collect();
    assert_eq!(shown, expected_rows, "Markdown");

    let page = page::page(&run);
    let section = page.split("<section id=\"what-was-wrong\">").nth(1).expect("a section");
    let rows = section
        .split("</section>")
        .next()
        .expect("closed")
        .lines()
        .filter(|line| line.starts_with("<tr><th scope=\"row\""));
    let shown: Vec<[String; 5]> = rows
        .map(|row| {
            let [arm, text, first, _, last, seconds] = &cells(row)[..] else { panic!("six cells: {row}") };
            let (letter, seconds) = (&arm[..1], seconds.trim_end_matches('s'));
            [letter, text, first, last, seconds].map(str::to_owned)
        })
        .collect();
    assert_eq!(shown, expected_rows, "the page");
}

#[test]
fn every_row_of_a_scorecard_has_a_term() {
    for score in Run::of(&lines()).expect("a header").scores() {
        assert!(
            scorecard::glossary::term_of(&score.id).is_some(),
            "{} has no term in the glossary",
            score.id
        );
    }
}
