//! The scorecard of a run of many deployments: one line each, the ones worth having marked.

use std::io::{self, Write};

use model::Run;
use model::sweep::COLUMNS;

use crate::text::{left, right};

/// Cells of each of [`COLUMNS`].
const CELLS: [usize; COLUMNS.len()] = [9, 9, 11, 10];
/// Heads over them: short forms of their terms, for columns this narrow.
const HEADS: [&str; COLUMNS.len()] = ["p50", "CPU", "memory", "failures"];

/// Prints one line per arm, the best of the front first.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn print(out: &mut impl Write, run: &Run, width: usize) -> io::Result<()> {
    let fixed: usize = CELLS.iter().sum::<usize>() + 2;
    let names = width.saturating_sub(fixed).max(20);
    writeln!(out)?;
    writeln!(out, "p50, CPU per journey, peak memory, collateral failures (journeys that fail")?;
    writeln!(out, "and do not need what dies). * no other is better in everything, ~ tied.")?;
    let heads: String = HEADS.iter().zip(CELLS).map(|(head, cells)| right(head, cells)).collect();
    writeln!(out, "  {}{heads}", left("", names, false))?;
    for row in run.sweep_rows() {
        let mark = row.mark();
        let cells: String = row.values.iter().zip(CELLS).map(|(value, cells)| right(value, cells)).collect();
        writeln!(out, "{mark:1} {}{cells}", left(&row.arm.name, names, false))?;
    }
    Ok(())
}
