//! `cleave noise`: runs one arm against itself and counts the runs that report differences although there are none, or that
//! find the CPU that was planted in one of the two.

mod planted;
mod printed;
mod tally;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use conductor::{RunError, RunOutcome};
use record::{Entry, Header, Kind, ReadError, Reader, Score};
use scenario::{Arm, RunMode, Scenario};
use scorecard::inference::StoredStarts;
use tokio::sync::watch;

use self::planted::JourneyCost;
use self::printed::{Planted, Printed};
use self::tally::{PLANTED_ROW, Tally};
use crate::cli::{self, Output};
use crate::machine_noise::{self, Identity, MachineNoise, ROUNDS_AS_UNITS, ScenarioNoise};
use crate::output::EXIT_INTERRUPTED;
use crate::run_files::RECORD_FILE;
use crate::run_view::View;
use crate::{capacity_probe, execution, output, scenario_files, signals};

/// `cleave noise`.
pub fn noise(args: &cli::Noise) -> ExitCode {
    let prepared = scenario_files::find(&args.scenario).and_then(|scenario| {
        let scenario = undisturbed(scenario, args);
        let arm = arm_of(&scenario, args)?;
        Ok((scenario, arm))
    });
    let (scenario, arm) = match prepared {
        Ok(prepared) => prepared,
        Err(text) => return output::usage_error(&text),
    };
    let interrupts = match signals::count_interrupts() {
        Ok(interrupts) => interrupts,
        Err(error) => return output::error(&error),
    };
    let runs = Runs { args, interrupts };
    match runs.all(&scenario, &arm) {
        Ok(code) => code,
        Err(NoiseError::Interrupted) => ExitCode::from(EXIT_INTERRUPTED),
        Err(NoiseError::Usage(text)) => output::usage_error(&text),
        Err(NoiseError::Failed(error)) => output::error(&*error),
    }
}

/// Why there is no result.
enum NoiseError {
    Interrupted,
    Usage(String),
    Failed(Box<dyn std::error::Error>),
}

impl<E: std::error::Error + 'static> From<E> for NoiseError {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error))
    }
}

struct Runs<'a> {
    args: &'a cli::Noise,
    interrupts: watch::Sender<u32>,
}

impl Runs<'_> {
    fn all(&self, scenario: &Scenario, arm: &Arm) -> Result<ExitCode, NoiseError> {
        let cost = self.args.plant.map(|_| self.measured(scenario, arm)).transpose()?;
        let pair = pair(scenario, arm, self.args.plant.map(|share| share.get()).zip(cost.as_ref()))
            .map_err(NoiseError::Usage)?;
        let mut tally = Tally::default();
        let mut last = Header::default();
        for turn in 0..self.args.runs {
            output::progress(format_args!("== run {} of {}", turn + 1, self.args.runs));
            let outcome = self.execute(&pair, scenario.seed + u64::from(turn))?;
            let scores;
            (last, scores) = read(&outcome.folder.join(RECORD_FILE))?;
            tally.add(&scores);
            // Only the scores are needed.
            let _ = std::fs::remove_dir_all(&outcome.folder);
        }
        let planted = self.args.plant.zip(cost).map(|(share, cost)| Planted {
            share,
            cpu_ms: cost.cpu_ms,
            power: predicted(scenario, &last, share.get()),
        });
        let kept = match planted {
            Some(_) => "planted runs are not kept as this machine's noise".to_owned(),
            None => keep(tally.noise(ScenarioNoise::of_run(&last, scenario, &arm.name), &last)),
        };
        let printed = Printed { scenario: &self.args.scenario, tally: &tally, planted, kept: &kept };
        let mut out = output::stdout();
        let result = match self.args.output {
            Output::Json => {
                output::note(format_args!("{kept}"));
                writeln!(out, "{:#}", printed.document())
            }
            Output::Human => printed.table(&mut out),
        };
        Ok(output::printed(result, printed.exit_code()))
    }

    /// What the arm's journeys cost, by a short run of it alone.
    fn measured(&self, scenario: &Scenario, arm: &Arm) -> Result<JourneyCost, NoiseError> {
        output::progress(format_args!("== measuring the CPU of {}", arm.name));
        let outcome = self.execute(&planted::measuring(scenario, arm), scenario.seed)?;
        let cost = planted::read_cost(&outcome.folder.join(RECORD_FILE))?;
        let _ = std::fs::remove_dir_all(&outcome.folder);
        cost.ok_or_else(|| NoiseError::Usage(format!("the CPU of `{}` could not be measured", arm.name)))
    }

    fn execute(&self, scenario: &Scenario, seed: u64) -> Result<RunOutcome, NoiseError> {
        let now = runtime::clock::now();
        let mut options = execution::run_options(&self.args.as_run(seed), scenario.clone(), now)?;
        if scenario.arms.len() == 1 {
            (options.interleaved, options.rounds) = (false, 1);
        }
        // How far starts differ is what is looked for: a run has to find it by itself.
        options.starts = StoredStarts::default();
        let result = capacity_probe::resolve_rate(options, &self.interrupts).and_then(|options| {
            execution::execute(options, View::Silent, &self.interrupts, cli::Screen::default())
        });
        match result {
            _ if *self.interrupts.borrow() > 0 => Err(NoiseError::Interrupted),
            Err(RunError::Interrupted) => Err(NoiseError::Interrupted),
            result => Ok(result?),
        }
    }
}

/// The scenario without steps and claims, in the rounds that were asked for.
fn undisturbed(mut scenario: Scenario, args: &cli::Noise) -> Scenario {
    scenario.steps.clear();
    scenario.change = None;
    scenario.check.clear();
    scenario.valid.clear();
    scenario.load.surges.clear();
    if let Some(rounds) = args.rounds {
        scenario.repeats = rounds;
        scenario.way = if rounds > 1 { RunMode::Interleaved } else { RunMode::SideBySide };
    }
    scenario
}

/// The arm that is run twice.
fn arm_of(scenario: &Scenario, args: &cli::Noise) -> Result<Arm, String> {
    let names: Vec<&str> = scenario.arms.iter().map(|arm| arm.name.as_str()).collect();
    let wanted = args.arm.as_deref().unwrap_or(names.first().copied().unwrap_or_default());
    let arm = scenario.arms.iter().find(|arm| arm.name == wanted);
    arm.cloned().ok_or_else(|| scenario::source::unknown("arm", wanted, names))
}

/// The scenario with the arm twice; the second burns a share more CPU where that is planted.
fn pair(scenario: &Scenario, arm: &Arm, planted: Option<(f64, &JourneyCost)>) -> Result<Scenario, String> {
    let named =
        |suffix: &str| Arm { name: format!("{}-{suffix}", arm.name), is_opt_in: false, ..arm.clone() };
    let (one, mut other) = (named("one"), named("other"));
    if let Some((share, cost)) = planted {
        planted::plant(&mut other, share, cost)?;
    }
    Ok(Scenario { arms: vec![one, other], ..scenario.clone() })
}

/// The header and the scorecard of a record.
fn read(record: &Path) -> Result<(Header, Vec<Score>), ReadError> {
    let (mut header, mut scores) = (Header::default(), Vec::new());
    for line in Reader::open(record)?.only(&[Kind::Header, Kind::Score]) {
        match line?.entry {
            Entry::Header(read) => header = *read,
            Entry::Score(score) => scores.push(*score),
            _ => {}
        }
    }
    Ok((header, scores))
}

/// How often this machine's noise lets a run find planted CPU, where it was measured with the same rounds.
fn predicted(scenario: &Scenario, header: &Header, share: f64) -> Option<f64> {
    let known = MachineNoise::load();
    let by_rounds = header.rounds >= ROUNDS_AS_UNITS;
    let noise = known.find(&Identity::here(), scenario, by_rounds)?;
    machine_noise::predicted_power(noise, PLANTED_ROW, header.rounds, share)
}

/// Keeps what was measured; returns a sentence about it.
fn keep(noise: ScenarioNoise) -> String {
    if !noise.is_usable() {
        return "not kept as this machine's noise: it takes 6 runs that judge a row".to_owned();
    }
    let Some(path) = machine_noise::path() else {
        return "not kept as this machine's noise: neither XDG_STATE_HOME nor HOME is set".to_owned();
    };
    let mut known = MachineNoise::read(&path);
    let rows = noise.rows.len();
    known.insert(noise);
    match known.write(&path) {
        Ok(()) => format!("kept as this machine's noise, {rows} rows: {}", path.display()),
        Err(error) => format!("not kept as this machine's noise: {}: {error}", path.display()),
    }
}
