//! How to decide what a run leaves open: more rounds, since one start of each process cannot show what starts differ by.

use model::Run;
use model::shell::command_line;

/// An even number of rounds removes linear drift; six find a tenth of CPU in four runs of five.
const MIN_QUOTABLE_ROUNDS: u32 = 6;

/// `cleave run first-look --rounds 6`.
pub(crate) fn more_rounds(run: &Run) -> String {
    let done = run.header.rounds;
    let rounds = if done < MIN_QUOTABLE_ROUNDS { MIN_QUOTABLE_ROUNDS } else { done * 2 };
    // What is only simulated has instances that stand for many copies, and is not run.
    let mut instances = run.header.arms.iter().flat_map(|arm| &arm.instances);
    let verb = if instances.any(|instance| instance.copies > 1) { "predict" } else { "run" };
    format!("cleave {verb} {} --rounds {rounds}", written_scenario(run))
}

/// The scenario as the command line named it, a file by its path, as a shell reads it.
fn written_scenario(run: &Run) -> String {
    let header = &run.header;
    let file = header.command.iter().find(|word| word.ends_with(".toml"));
    command_line(std::slice::from_ref(file.unwrap_or(&header.scenario)))
}

/// The line that says so.
pub(super) fn how(run: &Run) -> String {
    format!(
        "to decide it: {}; cleave explain {} prints the rounds that an effect takes",
        more_rounds(run),
        written_scenario(run)
    )
}
