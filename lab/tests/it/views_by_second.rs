//! The seven views of one recorded run agree to the digits they show: those of `views` on the whole run; and second by second the
//! plain lines, the series embedded in the page, and the Prometheus export.

use std::collections::BTreeMap;

use model::Run;
use model::format::count;
use model::source::Replay;
use report::{document, page};
use serde_json::{Value, json};
use telemetry::names::run as metric;

use crate::views::{self, lines};

/// What a view shows of one second of an arm.
#[derive(Debug)]
struct Shown {
    offered: String,
    good: String,
    /// Milliseconds; `None` is a gap.
    latencies: [Option<f64>; 2],
    /// Failed over offered, percent.
    errors: f64,
}

type Seconds = BTreeMap<(usize, String), Shown>;

/// From the plain lines: ` 00:12 steady   |    40   40    2.1    9.4    0 | ...`; `~` marks few samples.
fn of_plain(text: &str, letters: &[String]) -> Seconds {
    let mut seconds = Seconds::new();
    for line in text.lines().filter(|line| line.contains(" | ") && !line.contains("load phase")) {
        let mut cells = line.split(" | ");
        let clock = cells.next().and_then(|first| first.split_whitespace().next()).expect("a clock");
        let (minutes, rest) = clock.split_once(':').expect("minutes and seconds");
        let number = |text: &str| text.parse::<usize>().expect("a number");
        let second = number(minutes) * 60 + number(rest);
        for (letter, cells) in letters.iter().zip(cells) {
            let cells: Vec<&str> =
                cells.split_whitespace().map(|cell| cell.trim_start_matches('~')).collect();
            let [offered, good, p50, p99, failed] = cells[..] else { continue };
            let count = |text: &str| text.parse::<f64>().expect("a count");
            let shown = Shown {
                offered: offered.to_owned(),
                good: good.to_owned(),
                latencies: [p50, p99].map(|cell| cell.parse().ok()),
                errors: count(failed) / count(offered) * 100.0,
            };
            seconds.insert((second, letter.clone()), shown);
        }
    }
    seconds
}

/// From the series embedded in the page, which have four digits.
fn of_series(html: &str, letters: &[String]) -> Seconds {
    let data = html.split("id=\"run\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let data: Value = serde_json::from_str(data.expect("the data")).expect("one JSON document");
    let mut seconds = Seconds::new();
    for letter in letters {
        let series = &data["series"][0][letter];
        let point = |name: &str, second: usize| series[name][second].as_f64();
        for second in 0..series["offered_per_s"].as_array().map_or(0, Vec::len) {
            let Some(errors) = point("errors_percent", second) else { continue };
            let shown = Shown {
                offered: count(point("offered_per_s", second)),
                good: count(point("good_per_s", second)),
                latencies: ["latency_p50_ms", "latency_p99_ms_of_5s"].map(|name| point(name, second)),
                errors,
            };
            seconds.insert((second, letter.clone()), shown);
        }
    }
    seconds
}

/// What rounding to four digits takes.
const FOUR_DIGITS: f64 = 0.000_5;

/// Whether a latency of the plain lines is one of the page: the lines have two decimals below 1 ms, one below 100 ms.
fn is_same_ms(line: f64, page: f64) -> bool {
    let half_digit = match line {
        ms if ms < 1.0 => 0.005,
        ms if ms < 100.0 => 0.05,
        _ => 0.5,
    };
    (line - page).abs() <= half_digit + page * FOUR_DIGITS
}

/// From the Prometheus export: the last value of a metric's series of an arm, added up.
fn of_export(text: &str, name: &str, letter: &str, label: &str) -> f64 {
    let of_arm = |line: &&str| {
        line.starts_with(&format!("{name}{{"))
            && line.contains(&format!("letter=\"{letter}\""))
            && line.contains(label)
    };
    let mut last: BTreeMap<&str, f64> = BTreeMap::new();
    for line in text.lines().filter(of_arm) {
        let mut words = line.rsplitn(3, ' ');
        let _moment = words.next();
        let value = words.next().and_then(|value| value.parse().ok()).expect("a value");
        last.insert(words.next().expect("a series"), value);
    }
    last.values().sum()
}

#[test]
fn seven_views_of_one_record_agree_to_the_digit() {
    let record = lines();
    // Page, Markdown, JSON and the terminal; JUnit; plain lines and the Prometheus export.
    views::agree_to_the_digit(&record);
    views::junit_has_the_figures_of_every_check(&record);
    plain_lines_page_and_export_agree_second_by_second();
}

/// Asserts that the three show the same of the record of `views`.
fn plain_lines_page_and_export_agree_second_by_second() {
    let run = Run::of(&lines()).expect("a header");
    let letters: Vec<String> = run.letters().iter().map(char::to_string).collect();
    let mut plain = Vec::new();
    tui::plain::print(&mut lines().into_iter(), &mut plain).expect("a vector takes everything");
    let plain = of_plain(&String::from_utf8(plain).expect("text"), &letters);
    let page = of_series(&page::page(&run), &letters);
    assert!(plain.len() > 15, "{} seconds", plain.len());
    // A second whose windows come more than five seconds late has no figures in the plain lines: the page has them.
    assert!(plain.keys().all(|at| page.contains_key(at)), "{plain:?}");
    for (at, one) in &plain {
        let other = &page[at];
        assert_eq!((&one.offered, &one.good), (&other.offered, &other.good), "{at:?}");
        assert!(
            (one.errors - other.errors).abs() <= other.errors * FOUR_DIGITS,
            "{at:?}: {one:?}, {other:?}"
        );
        for pair in one.latencies.iter().zip(other.latencies) {
            let agree = match pair {
                (Some(line), Some(page)) => is_same_ms(*line, page),
                (line, page) => line.is_none() && page.is_none(),
            };
            assert!(agree, "{at:?}: {one:?}, {other:?}");
        }
    }

    let mut export = Vec::new();
    let record = Replay::of(lines());
    grafana::openmetrics::export(record, &mut export).expect("a vector takes everything");
    let export = String::from_utf8(export).expect("text");
    for letter in &letters {
        let of_arm = || page.iter().filter(|((_, arm), _)| arm == letter).map(|(_, shown)| shown);
        let sum =
            |of: fn(&Shown) -> &str| of_arm().map(|s| of(s).parse::<f64>().expect("a count")).sum::<f64>();
        assert_eq!(
            of_export(&export, metric::OFFERED, letter, ""),
            sum(|shown| &shown.offered),
            "of {letter}"
        );
        assert_eq!(of_export(&export, metric::GOOD, letter, ""), sum(|shown| &shown.good), "of {letter}");
        // Four digits of a percentage are a whole number of so few arrivals.
        let failed = |s: &Shown| s.errors / 100.0 * s.offered.parse::<f64>().expect("a count");
        let failed: f64 = of_arm().map(|shown| failed(shown).round()).sum();
        let not_ok =
            of_export(&export, metric::OFFERED, letter, "") - of_export(&export, metric::OK, letter, "");
        assert_eq!(not_ok, failed, "of {letter}");
    }
    let document = json!(document::document(&run, None));
    for audit in document["audits"].as_array().expect("audits") {
        let letter = audit["arm"].as_str().expect("a letter");
        for outcome in ["acknowledged", "found", "lost", "duplicated", "orphaned"] {
            let label = format!("outcome=\"{outcome}\"");
            let exported = of_export(&export, metric::AUDITED, letter, &label);
            assert_eq!(Some(exported), audit[outcome].as_f64(), "{outcome} of {letter}");
        }
    }
}
