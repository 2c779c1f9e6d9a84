//! `cleave noise`: runs one arm against itself and counts the differences reported although there are none.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use policy::ServiceOptions;
use policy::service::{Distribution, SimulatedWork};
use policy::units::HumanDuration;
use record::{Entry, Kind, ReadError, Reader, Score};
use scenario::{Arm, RunMode, Scenario};
use serde_json::json;
use tokio::sync::watch;

use crate::cli::{self, Output};
use crate::output::EXIT_INTERRUPTED;
use crate::run_files::RECORD_FILE;
use crate::run_view::View;
use crate::{capacity_probe, execution, output, result_document, scenario_files};

/// CPU time both arms burn for each request of feed; the planted arm burns a tenth more.
const PLANTED_WORK: HumanDuration = HumanDuration::from_millis(4);
/// Share of rows that may be reported as different by chance: the intervals are 95 % intervals.
const MAX_DIFFERENT_SHARE: f64 = 0.05;

/// One row of the scorecard over all runs.
#[derive(Default)]
struct Row {
    /// Ratios of B over A.
    ratios: Vec<f64>,
    /// Runs in which it was reported as different.
    differs: u32,
    /// Runs in which it was judged.
    judged: u32,
}

/// `cleave noise`.
pub fn noise(args: &cli::Noise, started_at: Instant) -> ExitCode {
    let scenario =
        match scenario_files::find(&args.scenario).and_then(|scenario| against_itself(scenario, args)) {
            Ok(scenario) => scenario,
            Err(text) => return output::usage_error(&text),
        };
    let interrupts = watch::Sender::new(0);
    if let Err(error) = execution::on_signals(interrupts.clone()) {
        return output::error(&error);
    }
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut found = 0;
    let mut done = 0;
    for turn in 0..args.runs {
        eprintln!("== run {} of {}", turn + 1, args.runs);
        let run_args = args.as_run(scenario.seed + u64::from(turn));
        let options = match execution::run_options(&run_args, scenario.clone(), started_at) {
            Ok(options) => options,
            Err(error) => return output::error(&error),
        };
        let result = capacity_probe::resolve_rate(options, &interrupts).and_then(|options| {
            execution::execute(options, View::Silent, &interrupts, cli::Screen::default())
        });
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => return output::error(&error),
        };
        if *interrupts.borrow() > 0 {
            return ExitCode::from(EXIT_INTERRUPTED);
        }
        let scores = match scores(&outcome.folder.join(RECORD_FILE)) {
            Ok(scores) => scores,
            Err(error) => return output::error(&error),
        };
        found += u32::from(add_scores(&mut rows, &scores));
        done += 1;
        // Only the scores are needed.
        let _ = std::fs::remove_dir_all(&outcome.folder);
    }
    let printed = match args.output {
        Output::Json => print_json(args, &rows, found, done),
        Output::Human => print_table(args, &rows, found, done),
    };
    let false_share = false_difference_share(&rows);
    match printed {
        Err(error) => output::error(&error),
        // With --plant the difference has to be found; without, none may be.
        Ok(()) if args.plant => ExitCode::from(u8::from(f64::from(found) < 0.9 * f64::from(done))),
        Ok(()) => ExitCode::from(u8::from(false_share > MAX_DIFFERENT_SHARE)),
    }
}

/// The scenario with one arm twice, without steps and claims.
fn against_itself(mut scenario: Scenario, args: &cli::Noise) -> Result<Scenario, String> {
    let names: Vec<&str> = scenario.arms.iter().map(|arm| arm.name.as_str()).collect();
    let wanted = args.arm.as_deref().unwrap_or(names.first().copied().unwrap_or_default());
    let arm = scenario.arms.iter().find(|arm| arm.name == wanted);
    let arm = arm.cloned().ok_or_else(|| scenario::source::unknown("arm", wanted, names))?;
    let named =
        |suffix: &str| Arm { name: format!("{}-{suffix}", arm.name), is_opt_in: false, ..arm.clone() };
    let (mut one, mut other) = (named("one"), named("other"));
    if args.plant {
        let tenth = PLANTED_WORK.duration() / 10;
        plant(&mut one, PLANTED_WORK);
        plant(&mut other, (PLANTED_WORK.duration() + tenth).into());
    }
    scenario.arms = vec![one, other];
    scenario.steps.clear();
    scenario.check.clear();
    scenario.valid.clear();
    scenario.load.surges.clear();
    if let Some(rounds) = args.rounds {
        scenario.repeats = rounds;
        scenario.way = if rounds > 1 { RunMode::Interleaved } else { RunMode::SideBySide };
    }
    Ok(scenario)
}

fn plant(arm: &mut Arm, mean: HumanDuration) {
    let work = SimulatedWork { dist: Distribution::Constant, mean, cpu: true, offload: false, share: None };
    let feed = arm.services.remove("feed").unwrap_or_default();
    arm.services.insert("feed".to_owned(), ServiceOptions { work: Some(work), ..feed });
}

/// The scorecard of a record.
fn scores(record: &Path) -> Result<Vec<Score>, ReadError> {
    let mut scores = Vec::new();
    for line in Reader::open(record)?.only(&[Kind::Score]) {
        if let Entry::Score(score) = line?.entry {
            scores.push(*score);
        }
    }
    Ok(scores)
}

/// Adds the rows of a run; returns whether CPU or median latency was reported as different.
fn add_scores(rows: &mut BTreeMap<String, Row>, scores: &[Score]) -> bool {
    let mut found = false;
    for score in scores {
        let judged = matches!(score.finding.as_str(), "differs" | "no difference");
        if !judged {
            continue;
        }
        let row = rows.entry(score.id.clone()).or_default();
        row.judged += 1;
        row.ratios.extend(score.ratio.and_then(|ratio| ratio.value));
        if score.finding == "differs" {
            row.differs += 1;
            found |= matches!(score.id.as_str(), "cpu_per_journey" | "latency_p50");
        }
    }
    found
}

/// Share of judged rows that were reported as different.
fn false_difference_share(rows: &BTreeMap<String, Row>) -> f64 {
    let judged: u32 = rows.values().map(|row| row.judged).sum();
    let differs: u32 = rows.values().map(|row| row.differs).sum();
    f64::from(differs) / f64::from(judged.max(1))
}

fn spread(row: &Row) -> Option<(f64, f64)> {
    let low = row.ratios.iter().copied().reduce(f64::min)?;
    let high = row.ratios.iter().copied().reduce(f64::max)?;
    Some((low, high))
}

fn print_table(
    args: &cli::Noise,
    rows: &BTreeMap<String, Row>,
    found: u32,
    done: u32,
) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let width = rows.keys().map(String::len).max().unwrap_or(0);
    writeln!(out, "{:width$}  {:>9}  ratio of B over A, over {done} runs", "row", "different")?;
    for (id, row) in rows {
        let spread = spread(row).map_or_else(String::new, |(low, high)| format!("{low:.3} to {high:.3}"));
        writeln!(out, "{id:width$}  {:>4} / {:<2}  {spread}", row.differs, row.judged)?;
    }
    if args.plant {
        writeln!(out, "a tenth more work in one arm was detected in {found} of {done} runs")
    } else {
        writeln!(
            out,
            "{:.1} % of rows were reported as different although none was",
            false_difference_share(rows) * 100.0
        )
    }
}

fn print_json(args: &cli::Noise, rows: &BTreeMap<String, Row>, found: u32, done: u32) -> std::io::Result<()> {
    let row = |(id, row): (&String, &Row)| json!({ "id": id, "differs": row.differs, "judged": row.judged, "ratio": spread(row), "ratios": row.ratios });
    let document = json!({
        "schema_version": result_document::SCHEMA_VERSION,
        "scenario": args.scenario,
        "runs": done,
        "planted": args.plant,
        "found": args.plant.then_some(found),
        "called_different": false_difference_share(rows),
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    });
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &document)?;
    writeln!(out)
}
