//! Rows of the scorecard as tables, and a search for capacity, rate by rate.

use model::Run;
use model::contrasts::AgainstBase;
use model::format::{self, count, value};
use model::outcome::samples_of;
use record::Score;
use scorecard::figure::figure;
use scorecard::headlines::{Headline, headlines};
use scorecard::ladder::{Ladder, LadderRung};

use super::parts::Part;
use super::{ROWS, cell, label, mark, row_of};

/// The weightiest of the headline rows, in the order of the scorecard.
pub(super) fn headline_rows(run: &Run) -> Vec<&Score> {
    let rows: Vec<Headline<'_>> = headlines(run).into_iter().flat_map(|(_, rows)| rows).collect();
    let mut ranks: Vec<usize> = rows.iter().map(|row| row.rank).collect();
    ranks.sort_unstable();
    let last = ranks.get(ROWS - 1).copied().unwrap_or(usize::MAX);
    rows.into_iter().filter(|row| row.rank <= last).map(|row| row.score).collect()
}

/// Some rows, in the order of the scorecard.
pub(super) fn table(run: &Run, scores: &[&Score]) -> Part {
    let rows = scores.iter().map(|score| row(run, score));
    Part::table(&words(&head(run)), rows.collect())
}

/// Every row, below the claim that it tests.
pub(super) fn table_by_claim(run: &Run) -> Part {
    let head = head(run);
    let rows = run.scores_by_claim().into_iter().flat_map(|(claim, scores)| {
        let mut cells = vec![String::new(); head.len()];
        cells[0] = format!("**{}**", cell(claim));
        let group = row_of(&cells);
        // A claim is cut with its first row.
        scores.into_iter().enumerate().map(move |(place, score)| {
            let group = if place == 0 { group.as_str() } else { "" };
            format!("{group}{}", row(run, score))
        })
    });
    Part::table(&words(&head), rows.collect())
}

fn words(cells: &[String]) -> Vec<&str> {
    cells.iter().map(String::as_str).collect()
}

/// With two arms what sets them apart has a column, and its finding another; with more each arm that is compared has one.
fn head(run: &Run) -> Vec<String> {
    let arms = &run.header.arms;
    let others = run.others();
    let base = run.base().map_or('A', |base| base.letter);
    let mut head = vec!["measure".to_owned()];
    head.extend(arms.iter().map(|arm| format!("{} {}", arm.letter, cell(&arm.name))));
    let against = |other: &&record::Arm| format!("{}/{base}, {}−{base}", other.letter, other.letter);
    match others.as_slice() {
        [] => head.extend(["", "n", "finding"].map(str::to_owned)),
        [other] => head.extend([against(other), "n".to_owned(), "finding".to_owned()]),
        others => {
            head.push("n".to_owned());
            head.extend(others.iter().map(against));
        }
    }
    head
}

fn row(run: &Run, score: &Score) -> String {
    let notes: String = score.notes.iter().map(|note| format!("<br>{}", cell(note))).collect();
    let label = label(&score.measure, &score.window, score.part_of.as_deref());
    let mut cells = vec![format!("{label}{notes}")];
    cells.extend(run.header.arms.iter().map(|arm| cell(&figure(run, score, arm.letter))));
    let n = count(samples_of(score).map(|n| n as f64));
    let contrasts = run.contrasts(score);
    match contrasts.as_slice() {
        [] => cells.extend([String::new(), n, cell(&score.finding)]),
        [(_, of)] => {
            let finding = format!("{}{}", mark(of.is_better), cell(&score.finding));
            cells.extend([cell(&of.effect), n, finding]);
        }
        several => {
            cells.push(n);
            let shown = |(_, of): &(char, AgainstBase)| {
                let text = format!("{}{} {}", mark(of.is_better), cell(&of.effect), cell(&of.finding));
                text.trim().to_owned()
            };
            cells.extend(several.iter().map(shown));
        }
    }
    row_of(&cells)
}

/// A search for capacity, a line for each rate.
pub(super) fn rates(run: &Run, search: &Ladder) -> Part {
    let arms = run.letters();
    let mut head = vec![search.title.clone()];
    for arm in &arms {
        let name = format!("{arm} {}", cell(&run.arm_name(*arm)));
        head.extend([format!("{name}: late"), format!("{name}: p99"), name]);
    }
    let row = |rung: &LadderRung| {
        let mut cells = vec![format!("{} ({})", value(Some(rung.rate), "/s"), cell(&rung.phase))];
        for arm in &arms {
            let figures = rung.arms.get(arm);
            let shown = |of: Option<&record::Measured>, unit: &str| {
                of.map_or_else(|| format::NO_DATA.to_owned(), |of| format::measured(of, unit))
            };
            cells.push(shown(figures.map(|of| &of.late), "%"));
            cells.push(shown(figures.map(|of| &of.p99), "s"));
            cells.push(figures.map_or("", |of| of.standing.word()).to_owned());
        }
        row_of(&cells)
    };
    Part::table(&words(&head), search.rungs.iter().map(row).collect())
}
