//! Two runs in Markdown: what stands on either side, what changed, and the rest folded.

use model::format::value;
use model::limit::value_and_limit;
use record::Verdict;

use super::parts::{Part, fitted};
use super::{LONGEST, ROWS, again, cell, code, how_it_went, label, lints, mark, mark_of, row_of};
use crate::compare::{self, CheckPair, Comparison, NAMES, Side};

/// The document of two runs.
pub fn comparison(comparison: &Comparison<'_>) -> String {
    let [before, after] = comparison.runs;
    let name = &after.header.scenario;
    let first = format!(
        "<!-- cleave:compare:{} -->\n### {}: {} before, {} after\n\n{}\n\n{}{}",
        cell(name).replace("--", "-"),
        cell(name),
        before.verdict_words(),
        after.verdict_words(),
        cell(&after.header.title),
        mark_of(before, "before: "),
        mark_of(after, "after: ")
    );
    let mut warnings = Part::lines();
    warnings
        .rows
        .extend(comparison.warnings.iter().map(|warning| format!("- **not the same**: {}\n", cell(warning))));
    let is_changed = |pair: &&CheckPair<'_>| {
        pair.runs[0].map(|check| check.verdict) != pair.runs[1].map(|check| check.verdict)
    };
    let changed: Vec<&CheckPair<'_>> = comparison.checks.iter().filter(is_changed).collect();
    let differing: Vec<&compare::Row> = comparison
        .rows
        .iter()
        .filter(|row| row.marked(&comparison.arms).next().is_some())
        .take(ROWS)
        .collect();
    let all: Vec<&compare::Row> = comparison.rows.iter().collect();
    let mut nothing = Part::lines();
    nothing.rows.extend(differing.is_empty().then(|| "No row of the scorecard is marked.\n".to_owned()));
    let parts = vec![
        sides(comparison),
        warnings,
        lints(&comparison.runs),
        checks(&changed),
        nothing,
        rows(comparison, &differing, true),
        rows(comparison, &all, false).folded("every row of the scorecard"),
        checks(&comparison.checks.iter().collect::<Vec<_>>()).folded("every expectation"),
        how_it_went(before).folded("how the run before went"),
        how_it_went(after).folded("how the run after went"),
    ];
    fitted(&first, parts, &format!("{}{}", again(before), again(after)), LONGEST)
}

/// Which runs these are.
fn sides(comparison: &Comparison<'_>) -> Part {
    let [before, after] = comparison.runs.map(Side::of);
    let row = |name: &str, of: fn(&Side) -> &str| row_of(&[name.into(), cell(of(&before)), cell(of(&after))]);
    let rows = vec![
        row("commit", |side| &side.commit),
        row("date", |side| &side.date),
        row("machine", |side| &side.machine),
        row("run", |side| &side.run),
    ];
    Part::table(&["", NAMES[0], NAMES[1]], rows)
}

/// A line for each arm of a row, and one for each arm against the base arm; `only_marked` leaves out the rest.
fn rows(comparison: &Comparison<'_>, rows: &[&compare::Row], only_marked: bool) -> Part {
    let lines = rows.iter().flat_map(|row| {
        let label = label(&row.measure, &row.window, row.part_of.as_deref());
        let contrasts = row.contrasts.iter().map(|pair| {
            let [before, after] = pair.runs.clone();
            (pair.name.clone(), before, after, pair.is_after_better, pair.finding)
        });
        let arms = comparison.arms.iter().zip(&row.arms).map(|(arm, pair)| {
            let [before, after] = pair.texts.clone();
            (arm.name.clone(), before, after, pair.is_after_better, pair.finding)
        });
        let is_shown = move |line: &(_, _, _, Option<bool>, _)| !only_marked || line.3.is_some();
        contrasts.chain(arms).filter(is_shown).map(move |(of, before, after, is_better, finding)| {
            let finding = format!("{}{finding}", mark(is_better));
            row_of(&[label.clone(), cell(&of), cell(&before), cell(&after), finding])
        })
    });
    Part::table(&["measure", "of", NAMES[0], NAMES[1], "after is"], lines.collect())
}

fn checks(checks: &[&CheckPair<'_>]) -> Part {
    let head = ["expectation", "arm", "before", "", "after", "", "limit"];
    let row = |pair: &&CheckPair<'_>| {
        let mut cells = vec![code(&pair.text), cell(&pair.arm)];
        for check in &pair.runs {
            cells.push(check.map_or("-".into(), |check| cell(&value_and_limit(check).0)));
            cells.push(check.map_or("not asked".into(), |check| {
                let margin = match check.verdict {
                    Verdict::Fail => {
                        format!(" by {}", cell(&value(check.margin.map(f64::abs), &check.unit)))
                    }
                    _ => String::new(),
                };
                format!("{} {}{margin}", check.verdict.sign(), check.verdict.word())
            }));
        }
        let limits = pair.runs.iter().flatten().map(|check| cell(&value_and_limit(check).1));
        cells.extend(limits.take(1));
        row_of(&cells)
    };
    Part::table(&head, checks.iter().map(row).collect())
}
