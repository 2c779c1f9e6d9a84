//! `cleave calibrate`: learns from finished runs, or from two that it makes for itself.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Instant;

use conductor::RunError;
use model::Run;
use scenario::{Application, Scenario};
use simulator::calibrate::{self, Calibration, Level, Source};
use simulator::validate;
use tokio::sync::watch;

use crate::cli::predict::Calibrate;
use crate::output::{self, EXIT_INTERRUPTED};
use crate::run_view::View;
use crate::{cli, execution, run_files, scenario_files, signals, whole_file};

/// Name of the calibration in the folder of the runs.
const FILE: &str = "calibration.json";

/// Where a calibration lies, unless a file is named.
pub fn default_file(out: &Path) -> PathBuf {
    out.join(FILE)
}

/// `cleave calibrate`.
pub fn calibrate(args: &Calibrate, began: Instant) -> ExitCode {
    let folders = match folders(args, began) {
        Ok(folders) => folders,
        Err(code) => return code,
    };
    let calibration = match learn(&folders) {
        Ok(calibration) => calibration,
        Err(code) => return code,
    };
    let file = args.output.clone().unwrap_or_else(|| default_file(&args.out));
    if let Err(error) = whole_file::write(&file, calibration.text().as_bytes()) {
        return output::usage_error(&format!("{} cannot be written: {error}", file.display()));
    }
    for line in summary(&calibration) {
        output::print_line(format_args!("{line}"));
    }
    output::print_line(format_args!("calibration: {}", file.display()));
    ExitCode::SUCCESS
}

/// Learns from finished runs.
///
/// # Errors
/// The exit code where nothing can be learnt; why has been printed.
pub fn learn(folders: &[PathBuf]) -> Result<Calibration, ExitCode> {
    let runs = folders.iter().map(|folder| read(folder)).collect::<Result<Vec<_>, _>>();
    let runs = runs.map_err(|text| output::usage_error(&text))?;
    let sources: Vec<Source<'_>> = runs.iter().map(|(run, scenario)| Source { run, scenario }).collect();
    output::progress(format_args!("fitting: simulations of {} against what was measured", named(&runs)));
    let threads = available_parallelism().map_or(1, usize::from);
    calibrate::calibrate(&sources, &suite::components(), threads).map_err(|error| output::error(&error))
}

fn named(runs: &[(Run, Scenario)]) -> String {
    let names: Vec<&str> = runs.iter().map(|(run, _)| run.header.run_id.as_str()).collect();
    names.join(", ")
}

/// The folders of the runs to learn from; two that are made now where a scenario is named.
fn folders(args: &Calibrate, began: Instant) -> Result<Vec<PathBuf>, ExitCode> {
    let refused = |text: String| output::usage_error(&text);
    if let [only] = args.of.as_slice() {
        let is_scenario = only.ends_with(".toml") || scenario_files::names().iter().any(|name| name == only);
        if is_scenario {
            let scenario = scenario_files::find(only).map_err(refused)?;
            return runs_for(&scenario, args, began);
        }
    }
    let found = args.of.iter().map(|run| run_files::find_recorded(&args.out, run));
    found.collect::<Result<Vec<PathBuf>, String>>().map_err(|text| {
        refused(format!(
            "{text}; or name a scenario to make calibration runs: {}",
            scenario_files::names().join(", ")
        ))
    })
}

/// Makes calibration runs; returns their folders.
fn runs_for(scenario: &Scenario, args: &Calibrate, began: Instant) -> Result<Vec<PathBuf>, ExitCode> {
    let interrupts = signals::count_interrupts().map_err(|error| output::error(&error))?;
    calibration_runs(scenario, &args.out, began, &interrupts)
}

/// Makes the runs to calibrate from, and returns their folders: one of every journey shows at about which rate all cores are busy,
/// the other has the scenario's own journeys at shares of that. The latter comes first: its figures are what predictions are
/// compared with.
///
/// # Errors
/// The exit code where there are none; why has been printed.
pub fn calibration_runs(
    scenario: &Scenario,
    out: &Path,
    began: Instant,
    interrupts: &watch::Sender<u32>,
) -> Result<Vec<PathBuf>, ExitCode> {
    let journeys = made(calibrate::journeys_scenario(scenario), out, began, interrupts)?;
    let (run, of_run) = read(&journeys).map_err(|text| output::usage_error(&text))?;
    let source = Source { run: &run, scenario: &of_run };
    let knee = calibrate::knee(source, &validate::mix_of(scenario)).map_err(|error| output::error(&error))?;
    let Some(knee) = knee else {
        let id = &run.header.run_id;
        return Err(output::usage_error(&format!(
            "run {id} has no CPU of the journeys of `{}`",
            scenario.name
        )));
    };
    output::progress(format_args!(
        "about {knee:.0} journeys a second keep every core busy; next, shares of that"
    ));
    let levels = calibrate::levels_scenario(scenario, knee);
    let levels = made(levels, out, runtime::clock::now(), interrupts)?;
    Ok(vec![levels, journeys])
}

/// Makes a run of a scenario's text; returns its folder.
fn made(
    text: String,
    out: &Path,
    began: Instant,
    interrupts: &watch::Sender<u32>,
) -> Result<PathBuf, ExitCode> {
    let scenario = parsed(Path::new("calibration.toml"), text).map_err(|text| output::usage_error(&text))?;
    let options = cli::Run { no_tui: true, out: out.to_owned(), ..cli::Run::default() };
    let view = if output::is_quiet() { View::Silent } else { View::Progress };
    let started = execution::run_options(&options, scenario, began).map_err(|error| output::error(&error))?;
    match execution::execute(started, view, interrupts, options.screen) {
        Ok(outcome) if outcome.verdict.is_none() => Err(ExitCode::from(EXIT_INTERRUPTED)),
        Ok(outcome) => Ok(outcome.folder),
        Err(RunError::Interrupted) => Err(ExitCode::from(EXIT_INTERRUPTED)),
        Err(error) => Err(output::error(&error)),
    }
}

/// A run with the scenario in its record.
fn read(folder: &Path) -> Result<(Run, Scenario), String> {
    let run = run_files::fold(folder).map_err(|error| error.to_string())?;
    let name = format!("{}.toml", run.header.scenario);
    let mut scenario = parsed(Path::new(&name), run.header.scenario_text.clone())?;
    if let Some(network) = run.header.arms.iter().find_map(|arm| arm.network) {
        scenario.set_rtt(std::time::Duration::from_nanos(network.rtt_ns).into());
    }
    Ok((run, scenario))
}

/// A scenario of its text.
///
/// # Errors
/// A message with file, line and the valid choices.
pub fn parsed(path: &Path, text: String) -> Result<Scenario, String> {
    let (components, calls, events) = (suite::components(), suite::calls(), suite::event_sources());
    let tables = suite::tables();
    let application =
        Application { components: &components, calls: &calls, events: &events, tables: &tables };
    scenario::read(path, text, &application).map_err(|faults| faults.to_string())
}

/// What was learnt, and how far a simulation of the runs is off what they measured.
fn summary(calibration: &Calibration) -> Vec<String> {
    let us = |ns: f64| format!("{:.0} us", ns / 1e3);
    let parameters = &calibration.parameters;
    let mut lines = vec![format!(
        "{} operations; waking a process takes {} and {} of CPU; contention {:.3}; watching a call {} of CPU on either side",
        calibration.operations.len(),
        us(parameters.wake_ns.value),
        us(parameters.wake_cpu_ns.value),
        parameters.contention.value,
        us(parameters.span_ns.value),
    )];
    lines.push(format!(
        "a call to a process that has served none for {:.1} ms takes {:.0} % more CPU; besides, a process takes {} a second",
        parameters.cooling_ns.value / 1e6,
        parameters.cold_cpu.value * 100.0,
        us(calibration.idle_ns_per_s + calibration.background_ns_per_s),
    ));
    if let Some(speed) = calibration.speed {
        let ms = |ns: u64| format!("{:.2} ms", ns as f64 / 1e6);
        lines.push(format!(
            "speed of the machine: a fixed piece of work takes {} of CPU ({} to {})",
            ms(speed.probe_ns),
            ms(speed.low_ns),
            ms(speed.high_ns)
        ));
    }
    if !calibration.noise.is_quiet() {
        lines.push(format!(
            "other programs took {:.0} % of a core: p99 was not fitted, and predictions from it are labelled `assumed`; \
             calibrate again on a quiet machine",
            calibration.noise.other_cpu + calibration.noise.steal
        ));
    }
    for (carrier, hop) in &calibration.hops {
        lines.push(format!(
            "a call over {carrier}: {} of CPU in the callee, {} in the caller",
            us(hop.served_ns),
            us(hop.called_ns)
        ));
    }
    if calibration.local_ns > 0.0 {
        lines.push(format!("a call by the gateway within its process: {} of CPU", us(calibration.local_ns)));
    }
    let unexplained: f64 = calibration.unexplained_ns_per_s.values().sum();
    lines.push(format!(
        "{} of CPU a second, over all components, belongs neither to an operation nor to a message",
        us(unexplained)
    ));
    for error in &calibration.fit {
        // All CPU is scaled to what was learnt from: that the two agree shows nothing.
        if error.is_fitted && error.measure == "cpu_per_journey" {
            let measured = model::format::value(Some(error.measured), "s");
            lines.push(format!(
                "{} {}: measured {measured}, to which CPU is scaled",
                error.arm, error.measure
            ));
            continue;
        }
        let held_out = if error.is_fitted { "" } else { " (held out)" };
        lines.push(format!(
            "{}{held_out} {}: measured {}, simulated {}, {:+.0} %",
            error.arm,
            error.measure,
            model::format::value(Some(error.measured), "s"),
            model::format::value(Some(error.simulated), "s"),
            error.relative() * 100.0
        ));
    }
    lines.extend(calibration.levels.iter().map(of_level));
    lines
}

/// How far a simulation of a level is off in the CPU of a journey.
fn of_level(level: &Level) -> String {
    let shown = |seconds| model::format::value(Some(seconds), "s");
    let parts = level.simulated_cpu.named().into_iter().zip(level.measured_cpu.named());
    let parts: Vec<String> = parts
        .filter(|((_, simulated), (_, measured))| *simulated > 0.0 || *measured > 0.0)
        .map(|((name, simulated), (_, measured))| {
            format!("{name} {} vs {}", shown(simulated), shown(measured))
        })
        .collect();
    format!(
        "{}{} at {:.0}/s of {} cpu_per_journey: measured {}, simulated {}, {:+.0} %{}{}",
        level.arm,
        if level.is_fitted { "" } else { " (held out)" },
        level.rate,
        level.run_id,
        shown(level.measured.cpu),
        shown(level.simulated.cpu),
        level.cpu_error() * 100.0,
        if parts.is_empty() { "" } else { "; simulated vs measured: " },
        parts.join(", ")
    )
}
