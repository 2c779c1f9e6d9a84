//! The `[sweep]` of a scenario, simulated: how often its condition holds, for each combination of values.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread::available_parallelism;

use conductor::run::planned::PlannedRun;
use model::Run;
use record::{Interval, Prediction, SweepCell, SweepCount, SweepResult, SweptKey, Verdict};
use scenario::{Scenario, Sweep};
use scorecard::judge;
use simulator::predict::lines::{self, RecordContents};
use simulator::predict::{PredictError, Predictor, not_simulated};
use simulator::run;

use crate::output;
use crate::prediction::{Question, watched};
use crate::scenario_files;

/// The scenario with the values of each combination; none where it sweeps nothing.
///
/// # Errors
/// A message about values that do not go together.
pub fn combinations(scenario: &Scenario) -> Result<Vec<Scenario>, String> {
    let Some(sweep) = &scenario.sweep else { return Ok(Vec::new()) };
    let all = sweep.combinations().into_iter();
    all.map(|combination| scenario_files::combination(scenario, &combination)).collect()
}

/// Simulates every combination and counts; `None` where there is none.
///
/// # Errors
/// The exit code where one cannot be simulated; why has been printed.
pub fn simulate(question: &Question<'_>) -> Result<Option<SweepResult>, ExitCode> {
    let Some(sweep) = &question.options.scenario.sweep else { return Ok(None) };
    output::progress(format_args!(
        "simulating {} combinations of {}, {} times each",
        question.combinations.len(),
        sweep.axes.iter().map(|axis| axis.name.as_str()).collect::<Vec<_>>().join(" and "),
        sweep.replications
    ));
    let progress = Arc::default();
    let questions: Vec<Question<'_>> = question
        .combinations
        .iter()
        .map(|options| Question { options, progress: &progress, ..*question })
        .collect();
    let plans: Vec<PlannedRun> = questions.iter().map(Question::plan).collect::<Result<_, _>>()?;
    let predictors: Vec<Predictor<'_>> =
        questions.iter().zip(&plans).map(|(question, plan)| question.predictor(plan)).collect();
    let threads = available_parallelism().map_or(1, usize::from);
    let each = u64::from(sweep.replications);
    predictors.iter().for_each(|predictor| predictor.expect_replications(sweep.replications));
    let counts = watched(&progress, || {
        run::in_order(predictors.len() as u64 * each, threads, |number| {
            let at = (number / each) as usize;
            holds(sweep, &predictors[at], &plans[at], (number % each) as u32)
        })
    });
    let mut cells = vec![SweepCell::default(); predictors.len()];
    for (number, judged) in (0..).zip(counts) {
        let judged = judged.map_err(|error| output::usage_error(&error.to_string()))?;
        let cell: &mut SweepCell = &mut cells[(number / each) as usize];
        for (arm, holds) in judged {
            let count = cell.arms.entry(arm).or_default();
            count.judged += u32::from(holds.is_some());
            count.held += u32::from(holds == Some(true));
        }
    }
    cells.iter_mut().flat_map(|cell| cell.arms.values_mut()).for_each(bound);
    let key = |axis: &scenario::sweep::SweepAxis| SweptKey {
        name: axis.name.clone(),
        key: axis.key.clone(),
        values: axis.values.iter().map(ToString::to_string).collect(),
    };
    Ok(Some(SweepResult {
        holds: sweep.holds.text.clone(),
        replications: sweep.replications,
        axes: sweep.axes.iter().map(key).collect(),
        cells,
    }))
}

fn bound(count: &mut SweepCount) {
    let ends = run::Interval::of_share(count.held, count.judged);
    count.interval = ends.map(|(low, high)| Interval::new(low, high));
}

/// Whether the condition holds in a replication, by arm; `None` where it cannot be judged.
fn holds(
    sweep: &Sweep,
    predictor: &Predictor<'_>,
    planned: &PlannedRun,
    number: u32,
) -> Result<Vec<(char, Option<bool>)>, PredictError> {
    let blocks = predictor.replication(number)?;
    let diverged = blocks.iter().any(|(_, block)| block.report.diverged.is_some());
    let prediction = Prediction { not_simulated: not_simulated(&blocks), ..Prediction::default() };
    let lines = lines::lines(&RecordContents {
        header: planned.header.clone(),
        scenario: predictor.scenario,
        layouts: &predictor.layouts,
        calibration: predictor.calibration,
        blocks: &blocks,
        prediction: &prediction,
    });
    let mut run = Run::default();
    run.take(&lines);
    let judged = |verdict| match verdict {
        Verdict::Pass => Some(true),
        Verdict::Fail => Some(false),
        Verdict::Inconclusive | Verdict::Invalid => None,
    };
    let checks = judge::premises(&run, 0, &sweep.holds).into_iter();
    Ok(checks.map(|check| (check.arm, judged(check.verdict).filter(|_| !diverged))).collect())
}
