//! `cleave predict`: simulates a scenario, and writes a record like that of a live run, marked as simulated.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use conductor::RunOptions;
use scenario::Scenario;
use simulator::predict::Hosts;

use crate::cli::predict::Predict;
use crate::prediction::{Question, calibration};
use crate::{
    calibrate_command, execution, live_groupings, output, report_command, run_command, scenario_files, sweep,
};

/// `cleave predict`.
pub fn predict(args: &Predict, began: Instant) -> ExitCode {
    let run = args.as_run();
    let scenario = match report_command::check(&run).and_then(|()| scenario_files::find(&args.scenario)) {
        Ok(scenario) => scenario,
        Err(text) => return output::usage_error(&text),
    };
    if scenario.scale.is_some() && (args.hosts != Hosts::One || args.cores.is_some()) {
        let text = "the scenario has its hosts and their cores in [scale]; leave --hosts and --cores out";
        return output::usage_error(text);
    }
    let file = args.calibration.clone().unwrap_or_else(|| calibrate_command::default_file(&args.out));
    let calibration = match calibration(&file) {
        Ok(calibration) => calibration,
        Err(code) => return code,
    };
    let live = match live_groupings::find(args, &scenario) {
        Ok(live) => live,
        Err(text) => return output::usage_error(&text),
    };
    let combinations = match sweep::combinations(&scenario) {
        Ok(combinations) => combinations,
        Err(text) => return output::usage_error(&text),
    };
    let planned = |scenario: Scenario| execution::run_options(&run, scenario.at_scale(), began);
    let combinations = combinations.into_iter().map(planned).collect::<std::io::Result<Vec<RunOptions>>>();
    let (options, combinations) = match planned(scenario).and_then(|options| Ok((options, combinations?))) {
        Ok(both) => both,
        Err(error) => return output::error(&error),
    };
    let question = Question {
        options: &options,
        calibration: &calibration,
        hosts: args.hosts,
        cores: args.cores,
        replications: args.replications,
        combinations: &combinations,
        progress: &Arc::default(),
    };
    match sweep::simulate(&question).and_then(|sweep| question.answer(sweep)) {
        Ok(answer) => {
            let code = run_command::present(&run, &answer.outcome);
            match live_groupings::compare(args, &answer.outcome.folder, &live) {
                Ok(()) => code,
                Err(text) => output::usage_error(&text),
            }
        }
        Err(code) => code,
    }
}
