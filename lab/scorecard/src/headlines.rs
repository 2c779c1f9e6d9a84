//! The rows that a folded scorecard shows: of each claim those by which a decision is made.

use model::Run;
use record::Score;

use crate::figure::is_of;

/// Ids of the rows, or of what has a row for each step, the weightiest first: where there is no room for all, the last
/// leave.
const ROWS: [&str; 23] = [
    "capacity",
    "latency_p50",
    "latency_p99",
    "cpu_per_journey",
    "recovery",
    "blast_radius",
    "memory",
    "goodput",
    "lost_writes",
    "stale_reads",
    "staleness_p99",
    "processes",
    "databases",
    "start_up",
    "culprit",
    "bystander_slower",
    "rate_per_core",
    "hops",
    "spans",
    "duplicated_writes",
    "telemetry_cpu",
    "bystanders",
    "pareto_front",
];

/// A claim with its headline rows.
pub type Group<'a> = (&'a str, Vec<Headline<'a>>);

/// A row of the folded scorecard.
#[derive(Clone, Copy, Debug)]
pub struct Headline<'a> {
    /// The row.
    pub score: &'a Score,
    /// Its weight: the smaller, the later it leaves.
    pub rank: usize,
}

/// The headline rows, claim by claim.
pub fn headlines(run: &Run) -> Vec<Group<'_>> {
    let groups = run.scores_by_claim().into_iter().map(|(claim, scores)| {
        let rows = scores.into_iter().filter_map(|score| Some(Headline { score, rank: rank(score)? }));
        (claim, rows.collect::<Vec<_>>())
    });
    groups.filter(|(_, rows)| !rows.is_empty()).collect()
}

/// The place of a row among those of the list; `None` where it is folded away. Latencies of a phase with a fault are: their
/// rows are those of its steps.
fn rank(score: &Score) -> Option<usize> {
    let is_of_phase = score.id.starts_with("latency_") && score.id.matches('_').count() > 1;
    if score.part_of.is_some() || is_of_phase {
        return None;
    }
    ROWS.iter().position(|id| is_of(id, &score.id))
}
