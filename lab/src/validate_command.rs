//! `cleave validate`: a calibration, predictions of scenarios that it was not made from, and live runs of these: how far each
//! figure is off.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use conductor::{RunError, RunOptions};
use model::Run;
use record::Verdict;
use simulator::calibrate::Calibration;
use simulator::validate::{self, HeldOut, Validation};
use tokio::sync::watch;

use crate::cli::predict::Validate;
use crate::output::{self, EXIT_INTERRUPTED};
use crate::run_view::View;
use crate::{calibrate_command, cli, execution, prediction, run_files, scenario_files, signals};

/// Exit code where a held-out scenario could not be compared.
const EXIT_INVALID: u8 = 3;
/// What the table of misses shows.
const PARTS: &str = "CPU of a journey by what it is for, predicted vs measured, in each arm with a miss";
/// Live runs of each scenario, whose difference is the noise of the machine.
const RUNS: usize = 2;

/// `cleave validate`.
pub fn validate(args: &Validate, began: Instant) -> ExitCode {
    match answer(args, began) {
        Ok(code) | Err(code) => code,
    }
}

fn answer(args: &Validate, began: Instant) -> Result<ExitCode, ExitCode> {
    let base = scenario_files::find(&args.scenario).map_err(|text| output::usage_error(&text))?;
    let interrupts = signals::count_interrupts().map_err(|error| output::error(&error))?;
    let calibration = match &args.calibration {
        Some(file) => prediction::calibration(file)?,
        None => {
            let folders = calibrate_command::calibration_runs(&base, &args.out, began, &interrupts)?;
            calibrate_command::learn(&folders)?
        }
    };
    let seen = validate::learnt_from(&calibration);
    if !seen.is_empty() {
        let (seen, name) = (seen.join(", "), &base.name);
        let text = format!(
            "the calibration was learnt from what is held out: {seen}; make another with: cleave calibrate {name}"
        );
        return Err(output::usage_error(&text));
    }
    let knee = validate::knee(&calibration, &validate::mix_of(&base));
    let held_out = validate::held_out(&base, |mix| validate::knee(&calibration, mix), args.quick);
    let (Some(knee), Some(held_out)) = (knee, held_out) else {
        let text = "the calibration has no CPU of the journeys that are held out; make one with: cleave calibrate hop-tax";
        return Err(output::usage_error(text));
    };
    let predicted = freeze(args, held_out, &calibration)?;
    let runs = if args.quick { 1 } else { RUNS };
    let mut validation = Validation::default();
    for (number, (held_out, options)) in predicted.iter().enumerate() {
        output::progress(format_args!("== {} of {}: {}", number + 1, predicted.len(), held_out.name));
        let measured = measure(options, runs, &interrupts, |reason| {
            validation.excluded.push(format!("{}: {reason}", held_out.name));
        })?;
        // Without it the figures are compared all the same.
        let frozen = options.prediction.as_ref().map(|prediction| options.out.join(&prediction.run_id));
        let predicted = frozen.and_then(|folder| run_files::fold(&folder).ok());
        validation.add(held_out, predicted.as_ref(), &measured, &calibration);
    }
    report(args, &validation, &calibration, knee)
}

/// Predicts every held-out scenario, before any of them is run.
fn freeze(
    args: &Validate,
    all: Vec<HeldOut>,
    calibration: &Calibration,
) -> Result<Vec<(HeldOut, RunOptions)>, ExitCode> {
    let mut frozen = Vec::new();
    for held_out in all {
        let path = format!("{}.toml", held_out.name);
        let scenario = calibrate_command::parsed(Path::new(&path), held_out.text.clone())
            .map_err(|text| output::usage_error(&text))?;
        let run = cli::Run { no_tui: true, out: args.out.clone(), ..cli::Run::default() };
        let options = execution::run_options(&run, scenario, runtime::clock::now());
        let mut options = options.map_err(|error| output::error(&error))?;
        options.prediction = Some(prediction::frozen(&options, calibration)?);
        frozen.push((held_out, options));
    }
    Ok(frozen)
}

/// Makes live runs of one seed; those that are invalid are excluded with the reason.
fn measure(
    options: &RunOptions,
    runs: usize,
    interrupts: &watch::Sender<u32>,
    mut exclude: impl FnMut(String),
) -> Result<Vec<Run>, ExitCode> {
    let view = || if output::is_quiet() { View::Silent } else { View::Progress };
    let mut measured = Vec::new();
    for _ in 0..runs {
        let options = RunOptions { started_at: runtime::clock::now(), ..options.clone() };
        let outcome = match execution::execute(options, view(), interrupts, cli::Screen::default()) {
            Ok(outcome) => outcome,
            Err(RunError::Interrupted) => return Err(ExitCode::from(EXIT_INTERRUPTED)),
            Err(error) => return Err(output::error(&error)),
        };
        if outcome.verdict.is_none() {
            return Err(ExitCode::from(EXIT_INTERRUPTED));
        }
        let run = run_files::fold(&outcome.folder).map_err(|error| output::error(&error))?;
        if outcome.verdict == Some(Verdict::Invalid) {
            exclude(format!("run {} is invalid", run.header.run_id));
        } else {
            measured.push(run);
        }
    }
    Ok(measured)
}

/// Prints what came of it, and writes it where that is asked for.
fn report(
    args: &Validate,
    validation: &Validation,
    calibration: &Calibration,
    knee: f64,
) -> Result<ExitCode, ExitCode> {
    let table = validation.table();
    let (explained, summary) = (validation.explained(), validation.summary());
    output::print_line(format_args!("{table}"));
    if !explained.is_empty() {
        output::print_line(format_args!("{PARTS}:\n\n{explained}"));
    }
    for line in &summary {
        output::print_line(format_args!("{line}"));
    }
    if let Some(file) = &args.output {
        let text = document(&table, &explained, &summary, calibration, knee);
        std::fs::write(file, text).map_err(|error| {
            output::usage_error(&format!("{} cannot be written: {error}", file.display()))
        })?;
        output::print_line(format_args!("written: {}", file.display()));
    }
    let is_compared = !validation.rows.is_empty() && validation.not_compared.is_empty();
    Ok(match (is_compared, validation.holds()) {
        (false, _) => ExitCode::from(EXIT_INVALID),
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
    })
}

fn document(
    table: &str,
    explained: &str,
    summary: &[String],
    calibration: &Calibration,
    knee: f64,
) -> String {
    let machine = &calibration.machine;
    let sources: Vec<&str> = calibration.sources.iter().map(|run| run.run_id.as_str()).collect();
    let summary: Vec<String> = summary.iter().map(|line| format!("- {line}\n")).collect();
    let explained = match explained {
        "" => String::new(),
        table => format!("\n## What the misses are made of\n\n{PARTS}.\n\n{table}"),
    };
    format!(
        "# How far predictions are off\n\n\
         Written by `cleave validate`. The scenarios have loads, mixes, groupings and faults that the calibration was not made \
         from; all that it learns from a monolith is what calls within the gateway's process cost. Every scenario was predicted \
         before the first of them ran, and the record of each live run has the SHA-256 of its prediction. *Bound*: 10 % for p50, \
         20 % for p99, 5 % for CPU per journey, or twice the difference between two live runs of the same seed where that is \
         more. *One station* is M/M/c with the CPU of a journey of the mix, *scaled* the calibration run's own figure \
         scaled to mix and load, *USL* the universal scalability law through three calibrated rates: see section 11 of \
         [method.md](method.md).\n\n\
         {}, {} cores, kernel {}; Cleave {}; calibrated from {}; the services and the load generator keep every core busy at \
         {knee:.0} journeys a second of the scenario's own mix.\n\n\
         {}\n{table}{explained}",
        machine.cpu,
        machine.cores,
        machine.kernel,
        calibration.version,
        sources.join(", "),
        summary.concat(),
    )
}

#[cfg(test)]
mod tests {
    use simulator::calibrate::demand::Mix;

    use super::*;

    #[test]
    fn held_out_scenarios_are_read_and_quick_ones_are_two() {
        let base = scenario_files::find("hop-tax").expect("it is shipped");
        let set = validate::held_out(&base, |_| Some(400.0), false).expect("known");
        for held_out in &set {
            let scenario = calibrate_command::parsed(Path::new(&held_out.name), held_out.text.clone());
            let scenario = scenario.unwrap_or_else(|text| panic!("{}: {text}", held_out.name));
            assert!((scenario.load.peak_rate() - held_out.rate).abs() < 1e-9, "{}", held_out.name);
        }
        let names = |set: &[HeldOut]| set.iter().map(|held_out| held_out.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            names(&set),
            [
                "held-out-load-30",
                "held-out-load-55",
                "held-out-load-80",
                "held-out-mix",
                "held-out-crash",
                "held-out-slow-dependency"
            ]
        );
        let quick = validate::held_out(&base, |_| Some(400.0), true).expect("known");
        assert_eq!(names(&quick), ["held-out-load-55", "held-out-slow-dependency"]);
        // The mix with journeys that write has a knee of its own.
        let of_mix = |mix: &Mix| Some(if mix.contains_key("upload") { 100.0 } else { 400.0 });
        let set = validate::held_out(&base, of_mix, false).expect("known");
        let rate = |name: &str| set.iter().find(|held_out| held_out.name == name).expect("it is there").rate;
        assert!(
            (rate("held-out-load-55") - 220.0).abs() < 1e-9 && (rate("held-out-mix") - 55.0).abs() < 1e-9
        );
    }
}
