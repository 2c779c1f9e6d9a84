//! The scorecard of a run of many deployments: one line each, the ones worth having marked.

use std::collections::BTreeMap;
use std::io::{self, Write};

use record::{Header, Score};

use crate::figures::{left, right, value};

/// From so many arms on, rows and columns change places.
pub(crate) const MANY: usize = 9;

/// Rows shown, as columns: id, head, cells.
const COLUMNS: [(&str, &str, usize); 4] = [
    ("latency_p50", "p50", 9),
    ("cpu_per_journey", "CPU", 9),
    ("memory", "memory", 11),
    ("bystanders", "hurt", 8),
];

/// Prints one line per arm, the best of the front first.
///
/// # Errors
/// What writing to `out` says.
pub(crate) fn print(
    out: &mut impl Write,
    header: &Header,
    scores: &[&Score],
    width: usize,
) -> io::Result<()> {
    let by_id: BTreeMap<&str, &Score> = scores.iter().map(|score| (score.id.as_str(), *score)).collect();
    let of = |id: &str, arm: char| by_id.get(id).and_then(|score| score.arms.get(&arm)).and_then(|m| m.value);
    let fixed: usize = COLUMNS.iter().map(|(.., cells)| cells).sum::<usize>() + 2;
    let names = width.saturating_sub(fixed).max(20);
    writeln!(out)?;
    writeln!(out, "p50 of ok journeys, CPU per journey, memory, and the share of journeys hurt that do not")?;
    writeln!(out, "need the component whose process dies. * no other is better in everything.")?;
    let heads: String = COLUMNS.iter().map(|(_, head, cells)| right(head, *cells)).collect();
    writeln!(out, "  {}{heads}", left("", names, false))?;
    let mut arms: Vec<_> = header.arms.iter().collect();
    let rank = |letter: char| (of("pareto_front", letter) != Some(1.0), of("cpu_per_journey", letter));
    arms.sort_by(|a, b| rank(a.letter).partial_cmp(&rank(b.letter)).unwrap_or(std::cmp::Ordering::Equal));
    for arm in arms {
        let mark = if of("pareto_front", arm.letter) == Some(1.0) { '*' } else { ' ' };
        let cells: String = COLUMNS
            .iter()
            .map(|(id, _, cells)| {
                let unit = by_id.get(id).map_or("", |score| score.unit.as_str());
                right(&value(of(id, arm.letter), unit), *cells)
            })
            .collect();
        writeln!(out, "{mark} {}{cells}", left(&arm.name, names, false))?;
    }
    Ok(())
}
