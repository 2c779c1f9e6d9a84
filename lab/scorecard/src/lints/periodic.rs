//! Work that comes by itself now and then, and not in every arm's window as often.

use model::Run;

use super::LintList;
use super::claim::{claims, winner_and_loser};
use crate::selection::name_of;

/// A checkpoint copies a database's log into its file and syncs both: a moment of slow commits. Where a claim sets latencies
/// or CPU of two arms against each other and one of them had more of these in the claim's window, that is part of what is
/// compared, and a window of a few seconds has one or none by chance.
pub(super) fn notes(run: &Run, found: &mut LintList) {
    for claim in claims(run) {
        let Some((winner, loser)) = winner_and_loser(run, &claim) else { continue };
        let measure = winner.query.measure;
        if winner.query.window != loser.query.window
            || !(measure.is_latency() || matches!(measure.name, "cpu" | "cpu_per_journey"))
        {
            continue;
        }
        let count = |arm: char| loser.query.of(run, arm).grown(|proc| proc.checkpoints).unwrap_or(0);
        let (of_winner, of_loser) = (count(winner.arm), count(loser.arm));
        if of_winner != of_loser {
            let window = name_of(&winner.query.window);
            let text = format!(
                "checkpoints of databases in {window}: {of_winner} in {}, {of_loser} in {}",
                run.arm_name(winner.arm),
                run.arm_name(loser.arm)
            );
            found.add_note("periodic_work", text);
        }
    }
}
