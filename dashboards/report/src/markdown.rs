//! Markdown for a pull request or a CI summary: the verdict, the rows that matter, what does not hold.

use std::fmt::Write;

use record::figures::{self, count, value};
use record::{Check, Score, Verdict};

use crate::story::{Series, Story};

/// GitHub cuts a comment at 64 KiB: beyond this the details are left out.
const LONGEST: usize = 60 * 1024;
/// Rows of the table above the fold.
const ROWS: usize = 8;
/// Characters of a sparkline.
const SPARKS: usize = 40;

/// The document. What is too long loses its details, never its verdict.
pub fn markdown(story: &Story) -> String {
    let head = head(story);
    let details = details(story);
    if head.len() + details.len() <= LONGEST { head + &details } else { head }
}

fn head(story: &Story) -> String {
    let header = story.header();
    let (held, all) = story.held();
    let mut text = format!(
        "<!-- cleave:{} -->\n### {} {}: {held} of {all} expectations hold\n\n{}\n\n",
        header.scenario,
        header.scenario,
        story.verdict(),
        cell(&header.title)
    );
    // Writing to a string does not fail.
    for lint in story.end.iter().flat_map(|end| &end.lints) {
        let _ = writeln!(text, "- **{}**, {}: {}", lint.verdict.word(), lint.name, cell(&lint.text));
    }
    let open: Vec<&Check> = story.checks.iter().filter(|check| check.verdict != Verdict::Pass).collect();
    if !open.is_empty() {
        text.push_str("\n| | expectation | arm | value | limit | n | |\n|---|---|---|---|---|---|---|\n");
        for check in &open {
            let _ = writeln!(text, "{}", row_of(story, check));
        }
    }
    text.push('\n');
    let rows: Vec<&Score> = story.scores.iter().filter(|score| score.ratio.is_some()).take(ROWS).collect();
    text.push_str(&table(story, &rows));
    text
}

fn row_of(story: &Story, check: &Check) -> String {
    let (why, line) = story.reason_of(check);
    format!(
        "| {} {} | `{}` line {line} | {} | {} | {} | {} | {} {} |",
        check.verdict.sign(),
        check.verdict.word(),
        check.text.replace('|', "\\|"),
        check.arm,
        value(check.value, &check.unit),
        value(check.limit, &check.unit),
        count(Some(check.n as f64)),
        cell(&check.reason),
        cell(why)
    )
}

fn table(story: &Story, rows: &[&Score]) -> String {
    let arms = &story.header().arms;
    let names: Vec<String> = arms.iter().map(|arm| format!("{} {}", arm.letter, cell(&arm.name))).collect();
    let mut text = format!("| measure | {} | B/A | n | finding |\n|---|", names.join(" | "));
    text.push_str(&"---|".repeat(arms.len() + 3));
    text.push('\n');
    for score in rows {
        let values: Vec<String> = arms
            .iter()
            .map(|arm| value(score.arms.get(&arm.letter).and_then(|measured| measured.value), &score.unit))
            .collect();
        let mark = match figures::is_b_better(score) {
            Some(true) => "▲ ",
            Some(false) => "▼ ",
            None => "",
        };
        let n = score.arms.values().map(|measured| measured.n).min().unwrap_or(0);
        let _ = writeln!(
            text,
            "| {} ({}) | {} | {} | {} | {mark}{} |",
            cell(&score.measure),
            cell(&score.window),
            values.join(" | "),
            figures::ratio(score),
            count(Some(n as f64)),
            cell(&score.finding)
        );
    }
    text
}

fn details(story: &Story) -> String {
    let header = story.header();
    let mut text = String::from("\n<details><summary>every row of the scorecard</summary>\n\n");
    text.push_str(&table(story, &story.scores.iter().collect::<Vec<_>>()));
    text.push_str("\n</details>\n\n<details><summary>how it went</summary>\n\n```text\n");
    for arm in &header.arms {
        let _ = writeln!(
            text,
            "{} {:20} good/s {}\n{:22} p99 ms {}",
            arm.letter,
            arm.name,
            sparks(&story.good(arm.letter)),
            "",
            sparks(&story.latency_ms(arm.letter, 0.99))
        );
    }
    for step in &header.steps {
        let _ = writeln!(text, "{} at {:.1} s: {}", step.number, step.start_ns as f64 / 1e9, step.text);
    }
    text.push_str(
        "```\n\n</details>\n\n<details><summary>who calls whom</summary>\n\n```mermaid\nflowchart LR\n",
    );
    for arm in &header.arms {
        let _ = writeln!(text, "subgraph {}[\"{} {}\"]", arm.letter, arm.letter, arm.name);
        for instance in &arm.instances {
            let node = format!("{}_{}", arm.letter, instance.name.replace(['#', '-', '.'], "_"));
            let _ = writeln!(text, "{node}[\"{}: {}\"]", instance.name, instance.hosts.join(", "));
        }
        text.push_str("end\n");
    }
    let _ = writeln!(
        text,
        "```\n\n</details>\n\nAgain: `{}` (seed {}, Cleave {}, {} x {})",
        header.command.join(" ").replace('`', "'"),
        header.seed,
        header.version,
        header.machine.cores,
        cell(&header.machine.cpu)
    );
    text
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

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparks_show_shape_and_gaps() {
        assert_eq!(sparks(&vec![Some(0.0), Some(7.0), None, Some(3.5)]), "▁█ ▅");
        assert_eq!(sparks(&vec![Some(1.0); 200]).chars().count(), 40);
    }
}
