//! A search for capacity as a table: a line for each rate.

use std::io::{self, Write};

use model::Run;
use model::format::{measured, value};
use scorecard::ladder::Ladder;

use super::{Card, Tone};
use crate::text::{NO_DATA, left, right};

/// Cells of a rate, of the late share, of a p99, of a standing.
const RATE: usize = 11;
const LATE: usize = 8;
const P99: usize = 10;
const STANDING: usize = 11;

/// Its lines, the title first.
pub(super) fn lines(run: &Run, search: &Ladder, width: usize) -> Vec<String> {
    let arms = run.letters();
    // As many arms as fit beside each other.
    let most = width.saturating_sub(RATE) / (LATE + P99 + STANDING);
    let arms: Vec<char> = arms.into_iter().take(most.max(1)).collect();
    let name = |arm: &char| format!("{arm} {}", run.arm_name(*arm));
    let heads: String =
        arms.iter().map(|arm| format!("   {}", left(&name(arm), LATE + P99 + STANDING - 3, false))).collect();
    let columns: String = arms
        .iter()
        .map(|_| format!("{}{} {}", right("late", LATE), right("p99", P99), left("", STANDING - 1, false)))
        .collect();
    let mut lines = vec![
        search.title.clone(),
        format!("{}{heads}", left("", RATE, false)),
        format!("{}{columns}", right("rate", RATE)),
    ];
    for rung in &search.rungs {
        let cells: String = arms
            .iter()
            .map(|arm| {
                let Some(of) = rung.arms.get(arm) else {
                    return left(&right(NO_DATA, LATE), LATE + P99 + STANDING, false);
                };
                let (late, p99) = (measured(&of.late, "%"), measured(&of.p99, "s"));
                let standing = left(of.standing.word(), STANDING - 1, false);
                format!("{}{} {standing}", right(&late, LATE), right(&p99, P99))
            })
            .collect();
        lines.push(format!("{}{cells}", right(&value(Some(rung.rate), "/s"), RATE)));
    }
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

impl<W: Write> Card<'_, W> {
    /// The table of a search, its title first.
    pub(super) fn ladder(&mut self, lines: &[String]) -> io::Result<()> {
        for (index, line) in lines.iter().enumerate() {
            let tone = match index {
                0 => Tone::Strong,
                1 | 2 => Tone::Quiet,
                _ => Tone::Plain,
            };
            let line = self.painted(tone, line);
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }
}
