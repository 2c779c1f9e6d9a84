//! Executes one run, for every command that makes some.

use std::time::Instant;

use conductor::process::program::Program;
use conductor::steps::targets::{ResolvedTarget, resolve_planned};
use conductor::{Run, RunError, RunOptions, RunOutcome};
use scenario::{Arm, RunMode, Scenario, Step, TelemetryLevel};
use scorecard::inference::StoredStarts;
use tokio::sync::watch;

use crate::machine_noise::{Identity, MachineNoise};
use crate::run_view::View;
use crate::{cli, given_servers, run_files};

/// The options of a run, as the command line has them.
///
/// # Errors
/// When the path of this program is not known, or a server's URL makes no sense.
pub fn run_options(
    args: &cli::Run,
    mut scenario: Scenario,
    started_at: Instant,
) -> std::io::Result<RunOptions> {
    if let Some(rtt) = args.rtt {
        scenario.set_rtt(rtt);
    }
    let interleaved = args.rounds.map_or(scenario.way == RunMode::Interleaved, |rounds| rounds > 1);
    let rounds = args.rounds.unwrap_or(scenario.repeats);
    // In rounds the run itself shows by how much starts differ.
    let starts = if interleaved {
        StoredStarts::default()
    } else {
        MachineNoise::load().starts(&Identity::here(), &scenario)
    };
    let seed = args.seed.unwrap_or(scenario.seed);
    let mut notes = untraced(&scenario);
    notes.extend(inapplicable(&scenario, &args.arms, seed));
    notes.extend(undecidable(&scenario, interleaved, rounds));
    Ok(RunOptions {
        seed,
        arms: args.arms.clone(),
        against: args.against.clone(),
        interleaved,
        rounds,
        out: args.out.clone(),
        program: Program::running()?,
        version: cli::VERSION.to_owned(),
        command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
        started_at,
        notes,
        starts,
        labels: args.labels.clone(),
        prediction: None,
        keep_data: args.keep_data,
        change: None,
        given: given_servers::read(&args.servers).map_err(std::io::Error::other)?,
        scenario,
    })
}

/// A note where the environment keeps a scenario from tracing.
fn untraced(scenario: &Scenario) -> Vec<String> {
    let declared = scenario.arms.iter().map(|arm| arm.telemetry.unwrap_or(scenario.telemetry));
    let traces = |level| matches!(level, TelemetryLevel::Sampled | TelemetryLevel::Full);
    let is_kept_off = telemetry::is_sdk_disabled() && declared.into_iter().any(traces);
    let note = "OTEL_SDK_DISABLED is set: no spans are created, and rows from traces have no values";
    is_kept_off.then(|| note.to_owned()).into_iter().collect()
}

/// A note on each step that acts in none of the arms that are run, or of the default ones where none is asked for.
fn inapplicable(scenario: &Scenario, asked: &[String], seed: u64) -> Vec<String> {
    let arms = scenario.arms_to_run(asked);
    let why_not = |step: &Step, arm: &Arm| {
        let processes = arm.placement.resolve(&suite::components()).unwrap_or_default();
        match resolve_planned(step, arm, &processes, seed) {
            ResolvedTarget::NotApplicable(reason) => Some(reason),
            ResolvedTarget::Instances(_) | ResolvedTarget::Outside => None,
        }
    };
    let note = |step: &Step| {
        let mut reasons: Vec<String> = arms.iter().map(|arm| why_not(step, arm)).collect::<Option<_>>()?;
        reasons.dedup();
        let reasons = reasons.join("; ");
        Some(format!("step {} (`{}`) acts in no arm of this run: {reasons}", step.number, step.id))
    };
    // A copy that is not there yet may come.
    let has_new_copies = scenario.steps.iter().any(|step| step.action.changes_copies());
    let is_known = |step: &&Step| !(has_new_copies && step.on.contains('#'));
    scenario.steps.iter().filter(is_known).filter_map(note).collect()
}

/// A note on claims that the run leaves open whatever it measures, since its phases or its rate are too small for them.
fn undecidable(scenario: &Scenario, interleaved: bool, rounds: u32) -> Option<String> {
    let mut planned = scenario.clone();
    planned.way = if interleaved { RunMode::Interleaved } else { RunMode::SideBySide };
    planned.repeats = rounds;
    let open = scenario::explain::open_claims(&planned);
    let (first, others) = open.split_first()?;
    let more = match others.len() {
        0 => String::new(),
        1 => " (and 1 more claim)".to_owned(),
        count => format!(" (and {count} more claims)"),
    };
    Some(format!("this run cannot decide {first}{more}; cleave explain prints what each claim needs"))
}

/// Executes a run with a view. Its rate is absolute: [`crate::capacity_probe`] resolves one that is a share.
///
/// # Errors
/// When the run cannot be prepared or does not come to its end.
pub fn execute(
    options: RunOptions,
    view: View,
    interrupts: &watch::Sender<u32>,
    screen_options: cli::Screen,
) -> Result<RunOutcome, RunError> {
    let run = Run::prepare(options, interrupts.subscribe())?;
    let folder = run.folder().to_owned();
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = built.map_err(|source| RunError::Folder { path: folder.clone(), source })?;
    let view_threads = view.watch(&run, interrupts.clone(), screen_options.options(false, folder));
    let result = runtime.block_on(run.run());
    // Views end when the lines end.
    drop(runtime);
    view_threads.join();
    if let Ok(outcome) = &result {
        run_files::pack(&outcome.folder);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario_files;

    fn scenario(text: &str) -> Scenario {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("short.toml");
        std::fs::write(&file, text).expect("a folder of ours");
        let path = file.display().to_string();
        scenario_files::find(&path).unwrap_or_else(|text| panic!("{text}"))
    }

    #[test]
    fn steps_that_act_in_no_arm_are_noted_before_it_begins() {
        let text = "schema = 1\nname = \"short\"\ntitle = \"t\"\nwhy = \"w\"\n\
                    phases = [{ name = \"steady\", for = \"10s\" }]\n\
                    [load]\nrate = \"40/s\"\nsize = \"tiny\"\n\
                    [topology.mono]\nprocesses = { app = [\"gateway\", \"*\"] }\n\
                    [topology.micro]\nprocesses = { each = [\"*\"] }\n\
                    [[step]]\nid = \"slow\"\nin = \"steady\"\ndo = \"delay\"\non = \"gateway->photo\"\n\
                    by = \"5ms\"\nfor = \"2s\"\n";
        let scenario = scenario(text);
        let noted = |arms: &[&str]| {
            let asked: Vec<String> = arms.iter().map(|arm| (*arm).to_owned()).collect();
            inapplicable(&scenario, &asked, 42)
        };
        assert_eq!(noted(&[]), Vec::<String>::new(), "it acts in services");
        let of_mono = noted(&["mono"]);
        let expected =
            "step 1 (`slow`) acts in no arm of this run: gateway->photo is a function call here".to_owned();
        assert_eq!(of_mono, [expected]);
    }

    #[test]
    fn claims_that_a_run_cannot_decide_are_noted_before_it_begins() {
        let text = "schema = 1\nname = \"short\"\ntitle = \"t\"\nwhy = \"w\"\n\
                    phases = [{ name = \"steady\", for = \"4s\" }]\n\
                    [load]\nrate = \"40/s\"\nsize = \"tiny\"\n\
                    [topology.mono]\nprocesses = { app = [\"gateway\", \"*\"] }\n\
                    [expect]\ncheck = [\"errors(all) < 5%\", \"p99(all) < 1s\", \"lost_writes() == 0\"]\n";
        let scenario = scenario(text);
        let note = undecidable(&scenario, false, 1).expect("four seconds have no interval");
        assert!(note.starts_with("this run cannot decide `errors(all) < 5%`: "), "{note}");
        assert!(note.contains("a window of 8 s") && note.contains("(and 1 more claim)"), "{note}");
        // 160 arrivals in each of six rounds are 960 of the 1,000 that a p99 takes.
        let note = undecidable(&scenario, true, 6).expect("too few arrivals");
        assert!(note.starts_with("this run cannot decide `p99(all) < 1s`: "), "{note}");
        assert_eq!(undecidable(&scenario, true, 7), None);
    }
}
