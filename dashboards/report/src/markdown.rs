//! Markdown for a pull request or a CI summary: the verdict, the rows that matter, what does not hold; the rest folded.
//! What is too long loses rows of its largest part first, never its verdict.
//!
//! - [`parts`]: tables that can lose rows. [`mermaid`]: the topology as a diagram. [`scores`]: rows of the scorecard.
//!   [`comparison`](mod@comparison): two runs.

mod comparison;
mod mermaid;
mod parts;
mod scores;

use model::format::{self, count, printable, value};
use model::incidents::Incident;
use model::limit::value_and_limit;
use model::series::Series;
use model::shell::command_line;
use model::{Run, sweep};
use record::{Check, Verdict};
use scorecard::ladder::ladders;
use scorecard::{glossary, reason};

use crate::compare::NAMES;
use crate::without_verdict;
pub use comparison::comparison;
use parts::{Part, fitted};
use scores::{headline_rows, rates, table, table_by_claim};

/// GitHub refuses a comment of more than 65,536 characters and a summary of more than 1 MiB; what fits the first fits
/// both.
const LONGEST: usize = 64_000;
/// Rows of the table above the fold, and of one that compares two runs.
const ROWS: usize = 10;
/// Characters of a sparkline.
const SPARKS: usize = 40;

/// The document of a run.
pub fn markdown(run: &Run) -> String {
    document(run, false)
}

/// The same with every row of the scorecard unfolded.
pub fn unfolded(run: &Run) -> String {
    document(run, true)
}

fn document(run: &Run, is_full: bool) -> String {
    let header = &run.header;
    let (held, all) = run.held();
    let unended = || without_verdict(run).map(str::to_owned);
    let why = reason::sentence(run).or_else(unended);
    let why = why.map_or_else(String::new, |sentence| format!("**{}**\n\n", cell(&sentence)));
    let first = format!(
        "<!-- cleave:{} -->\n### {} {}: {held} of {all} expectations hold\n\n{}\n\n{}{why}",
        cell(&header.scenario).replace("--", "-"),
        cell(&header.scenario),
        run.verdict_words(),
        cell(&header.title),
        mark_of(run, "")
    );
    let mut answer = Part::lines();
    for line in scorecard::answer::answer(run) {
        answer.rows.push(format!("- {}\n", cell(&line)));
    }
    let mut predicted = Part::lines();
    predicted.rows.extend(run.prediction_lines().iter().map(|line| format!("- {}\n", cell(line))));
    let mut parts = vec![answer, predicted, lints(&[run])];
    let open: Vec<&Check> = run.checks().into_iter().filter(|check| check.verdict != Verdict::Pass).collect();
    let held: Vec<&Check> = run.checks().into_iter().filter(|check| check.verdict == Verdict::Pass).collect();
    parts.push(checks(run, &open));
    if run.is_sweep() {
        parts.push(of_sweep(run));
    } else {
        parts.extend(ladders(run).iter().map(|search| rates(run, search)));
        parts.push(table(run, &headline_rows(run)));
        let every_row = table_by_claim(run);
        parts.push(if is_full { every_row } else { every_row.folded("every row of the scorecard") });
    }
    parts.push(checks(run, &held).folded("what holds"));
    parts.push(symptoms(run).folded("what was wrong"));
    parts.push(how_it_went(run).folded("how it went"));
    parts.push(mermaid::topology(run).folded("who calls whom"));
    fitted(&first, parts, &again(run), LONGEST)
}

/// What stands behind a simulated run; nothing of a live one.
fn mark_of(run: &Run, name: &str) -> String {
    let limits = run.prediction_limits().into_iter().map(|text| format!("- {name}{}\n", cell(&text)));
    let mark = run.mark().map(|mark| format!("**{name}{}**\n\n", cell(&mark)));
    let text: String = mark.into_iter().chain(limits).collect();
    if text.is_empty() { text } else { text + "\n" }
}

fn lints(runs: &[&Run]) -> Part {
    let mut part = Part::lines();
    for (index, run) in runs.iter().enumerate() {
        let name = if runs.len() > 1 { format!("{}: ", NAMES[index]) } else { String::new() };
        for lint in run.end.iter().flat_map(|end| &end.lints) {
            let text = reason::of_lint(run, lint);
            part.rows.push(format!("- {name}**{}**, {}: {}\n", lint.word(), cell(&lint.name), cell(&text)));
        }
    }
    part
}

fn checks(run: &Run, checks: &[&Check]) -> Part {
    let head = ["", "expectation", "arm", "value", "limit", "margin", "n", ""];
    let row = |check: &&Check| {
        let (why, line) = run.reason_of(check);
        let (found, limit) = value_and_limit(check);
        row_of(&[
            format!("{} {}", check.verdict.sign(), check.verdict.word()),
            format!("{} line {line}", code(&check.text)),
            cell(&check.arm.to_string()),
            cell(&found),
            cell(&limit),
            cell(&value(check.margin, &check.unit)),
            count(Some(check.n as f64)),
            [run.violated_since(check), cell(&check.reason), cell(&reason::advice(run, check)), cell(why)]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join("; "),
        ])
    };
    Part::table(&head, checks.iter().map(row).collect())
}

/// A line for each of many arms.
fn of_sweep(run: &Run) -> Part {
    let mut head = vec!["arm", "front"];
    head.extend(sweep::COLUMNS.map(|id| glossary::term_by_id(id).map_or(id, |term| term.name)));
    let row = |row: sweep::SweepRow<'_>| {
        let mut cells = vec![format!("{} {}", row.arm.letter, cell(&row.arm.name))];
        cells.push(row.mark().to_owned());
        cells.extend(row.values.iter().map(|value| cell(value)));
        row_of(&cells)
    };
    Part::table(&head, run.sweep_rows().into_iter().map(row).collect())
}

/// What a row is; a part is indented below its total, since a table of Markdown has no fold.
fn label(measure: &str, window: &str, part_of: Option<&str>) -> String {
    let indent = if part_of.is_some() { "&emsp;" } else { "" };
    let window = if window.is_empty() { String::new() } else { format!(" ({})", cell(window)) };
    format!("{indent}{}{window}", cell(measure))
}

fn mark(is_better: Option<bool>) -> &'static str {
    match is_better {
        Some(true) => "▲ ",
        Some(false) => "▼ ",
        None => "",
    }
}

/// What was wrong in each arm, and when.
fn symptoms(run: &Run) -> Part {
    let head = ["arm", "at its worst", "first", "last", "seconds"];
    let row = |incident: Incident| {
        let at = |second: u32| format::clock(second.into());
        row_of(&[
            incident.arm.to_string(),
            cell(&incident.symptom.text),
            at(incident.first_s),
            at(incident.last_s),
            incident.seconds.to_string(),
        ])
    };
    Part::table(&head, run.incidents().into_iter().map(row).collect())
}

/// Sparklines of every arm, and what was done when.
fn how_it_went(run: &Run) -> Part {
    let mut part = Part::code("text");
    for arm in &run.header.arms {
        part.rows.push(format!(
            "{} {:20} good/s {}\n{:22} p99 ms {}\n",
            arm.letter,
            fence(&arm.name),
            sparks(&run.good_series(arm.letter)),
            "",
            sparks(&run.latency_series(arm.letter, 0.99))
        ));
    }
    for step in &run.header.steps {
        part.rows.push(format!(
            "{} at {}: {}\n",
            step.number,
            format::clock_ns(step.start_ns, 1),
            fence(&step.text)
        ));
    }
    part
}

fn again(run: &Run) -> String {
    let header = &run.header;
    format!(
        "\nAgain: `{}` (seed {}, Cleave {}, {} x {})\n",
        fence(&command_line(&header.command)),
        header.seed,
        cell(&header.version),
        header.machine.cores,
        cell(&header.machine.cpu)
    )
}

/// A series in eighths of a line; a blank where there is no data.
fn sparks(series: &Series) -> String {
    let step = series.len().div_ceil(SPARKS).max(1);
    let means: Vec<Option<f64>> = series
        .chunks(step)
        .map(|part| {
            let known: Vec<f64> = part.iter().flatten().copied().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        })
        .collect();
    let most = means.iter().flatten().copied().fold(0.0, f64::max);
    let spark = |value: f64| {
        let eighth = if most > 0.0 { (value / most * 7.0).round() as u32 } else { 0 };
        char::from_u32(0x2581 + eighth.min(7)).unwrap_or(' ')
    };
    means.into_iter().map(|mean| mean.map_or(' ', spark)).collect()
}

fn row_of(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Text that stays in its cell; in what it has as code nothing is markup.
fn cell(text: &str) -> String {
    let text = text.replace('|', "\\|").replace('\n', " ");
    let text = printable(&text);
    let parts: Vec<&str> = text.split('`').collect();
    let is_closed = parts.len() % 2 == 1;
    let part = |(at, part): (usize, &&str)| {
        let is_code = is_closed && at % 2 == 1;
        if is_code { (*part).to_owned() } else { part.replace('<', "&lt;") }
    };
    parts.iter().enumerate().map(part).collect::<Vec<_>>().join("`")
}

/// Text as code in a cell: nothing in it is markup, and it does not end early.
fn code(text: &str) -> String {
    format!("`{}`", fence(text).replace('|', "\\|"))
}

/// Text inside code: it does not end it.
fn fence(text: &str) -> String {
    printable(&text.replace('`', "'").replace('\n', " ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparks_show_shape_and_gaps() {
        assert_eq!(sparks(&vec![Some(0.0), Some(7.0), None, Some(3.5)]), "▁█ ▅");
        assert_eq!(sparks(&vec![Some(1.0); 200]).chars().count(), 40);
    }

    #[test]
    fn code_ends_where_it_should() {
        assert_eq!(code("a`b|c\nd"), "`a'b\\|c d`");
        assert_eq!(cell("`a < b` <i>"), "`a < b` &lt;i>");
        assert_eq!(cell("not closed: `<i>"), "not closed: `&lt;i>");
    }
}
