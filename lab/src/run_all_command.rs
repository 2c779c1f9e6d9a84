//! `cleave run --all`: every shipped scenario, or some of them, one after another, and one table.

mod results;

use std::path::Path;
use std::process::ExitCode;

use conductor::arm::given_servers::GivenServers;
use model::format::printable;
use report::junit::Suite;
use scenario::Scenario;

use self::results::{ScenarioResult, line, print_json, print_table, worst};
use crate::cli::{self, Document, Output, ReportOutput};
use crate::run_files;
use crate::run_view::View;
use crate::{capacity_probe, execution, given_servers, output, report_command, scenario_files, signals};

/// Seconds of a minute.
const MINUTE: f64 = 60.0;

/// `cleave run --all`.
pub fn run_all(args: &cli::Run) -> ExitCode {
    let scenarios = match documents_of(args).and_then(|()| chosen(&args.only)) {
        Ok(scenarios) => scenarios,
        Err(text) => return output::usage_error(&text),
    };
    let given = match given_servers::read(&args.servers) {
        Ok(given) => given,
        Err(error) => return output::error(&error),
    };
    let interrupts = match signals::count_interrupts() {
        Ok(interrupts) => interrupts,
        Err(error) => return output::error(&error),
    };
    let view = if output::is_quiet() { View::Silent } else { View::Progress };
    let mut results = Vec::new();
    let mut suites = Vec::new();
    let mut lacks_documents = false;
    for (index, scenario) in scenarios.iter().enumerate() {
        let position = format!("{}/{}", index + 1, scenarios.len());
        output::progress(format_args!(
            "== {position} {}: {}; {}",
            scenario.name,
            printable(&scenario.title),
            time_left(&scenarios[index..], args.rounds, &given)
        ));
        if let Some(reason) = missing(scenario, &given) {
            output::progress(format_args!("== {position} {} skipped: {reason}", scenario.name));
            suites.push(Suite::skipped(&scenario.name, &reason));
            results.push(ScenarioResult::skipped(scenario.name.clone(), reason));
            continue;
        }
        let started = runtime::clock::now();
        let options = match execution::run_options(args, scenario.clone(), started) {
            Ok(options) => options,
            Err(error) => return output::error(&error),
        };
        let result = capacity_probe::resolve_rate(options, &interrupts)
            .and_then(|options| execution::execute(options, view, &interrupts, cli::Screen::default()));
        let result = ScenarioResult::of(scenario.name.clone(), started.elapsed().as_secs(), result);
        output::progress(format_args!("== {position} {}", line(&result, 0)));
        let (suite, problem) = written(args, &result);
        suites.push(suite);
        if let Some(text) = problem {
            output::note(format_args!("{text}"));
            lacks_documents = true;
        }
        results.push(result);
        if *interrupts.borrow() > 0 {
            break;
        }
    }
    let is_interrupted = *interrupts.borrow() > 0;
    // As after one run: what was asked for is not there.
    let exit_code = match lacks_documents && !is_interrupted {
        true => output::EXIT_USAGE,
        false => worst(&results, is_interrupted),
    };
    let printed = match args.output {
        Output::Json => print_json(&results, exit_code),
        Output::Human => print_table(&results),
    };
    let code = output::printed(printed, exit_code);
    match write_junit(args, &suites) {
        Ok(()) => code,
        Err(text) => output::usage_error(&text),
    }
}

/// Refuses documents that are not of all runs together, nor of each in its own folder.
fn documents_of(args: &cli::Run) -> Result<(), String> {
    report_command::check(args)?;
    let is_of_all = |output: &&ReportOutput| match output.format {
        Document::Html => output.to.is_none(),
        format => format == Document::Junit,
    };
    match args.report.iter().find(|output| !is_of_all(output)) {
        Some(output) => Err(format!(
            "--all does not write {output}: expected html, a page in the folder of each run, and junit=FILE, one of all"
        )),
        None => Ok(()),
    }
}

/// The scenarios to run: all, or those that are named.
fn chosen(only: &[String]) -> Result<Vec<Scenario>, String> {
    let names = scenario_files::names();
    if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
        return Err(scenario::source::unknown("scenario", unknown, names.iter().map(String::as_str)));
    }
    let chosen = names.iter().filter(|name| only.is_empty() || only.contains(name));
    chosen.map(|name| scenario_files::find(name)).collect()
}

/// What a scenario needs that this machine, or a run of all of them, lacks.
fn missing(scenario: &Scenario, given: &GivenServers) -> Option<String> {
    if scenario.is_only_simulated() {
        return Some(format!("it is only simulated; write cleave predict {}", scenario.name));
    }
    if scenario.change.is_some() {
        return Some(format!(
            "it builds a change for minutes; run it by itself: cleave run {}",
            scenario.name
        ));
    }
    let arms: Vec<&scenario::Arm> = scenario.default_arms().collect();
    let servers =
        |arm: &&scenario::Arm| conductor::arm::servers::check(&arm.name, &arm.placement, given).err();
    let refused = || given.check_plan(&arms, &scenario.steps).err();
    arms.iter().find_map(servers).or_else(refused).map(|why| why.to_string())
}

/// `about 19 min left`, by the lengths of the scenarios that are left.
fn time_left(scenarios: &[Scenario], rounds: Option<u32>, given: &GivenServers) -> String {
    let seconds = |scenario: &Scenario| {
        let arms = scenario.default_arms().count();
        let as_planned = scenario::explain::duration_s(scenario, arms);
        rounds.map_or(as_planned, |rounds| scenario::explain::duration_in_rounds_s(scenario, arms, rounds))
    };
    // A sum of nothing is -0.
    let left =
        scenarios.iter().filter(|scenario| missing(scenario, given).is_none()).map(seconds).sum::<f64>()
            + 0.0;
    if left < 2.0 * MINUTE {
        format!("about {left:.0} s left")
    } else {
        format!("about {:.0} min left", left / MINUTE)
    }
}

/// Writes the page of a run where it is asked for; returns its suite for the JUnit document of all, and why a document lacks it.
fn written(args: &cli::Run, result: &ScenarioResult) -> (Suite, Option<String>) {
    if result.folder.is_empty() {
        let reason = result.error.as_deref().unwrap_or("interrupted");
        return (Suite::without_run(&result.name, reason), None);
    }
    let folder = Path::new(&result.folder);
    let wants = |format| args.report.iter().any(|output| output.format == format);
    if !wants(Document::Html) && !wants(Document::Junit) {
        return (Suite::default(), None);
    }
    let run = match run_files::fold(folder) {
        Ok(run) => run,
        Err(error) => {
            // A suite that were left out would pass.
            let text = output::error_chain(&error);
            return (Suite::without_run(&result.name, &text), Some(text));
        }
    };
    let mut problem = None;
    if wants(Document::Html) {
        match report_command::write_page(folder) {
            Ok(path) => output::progress(format_args!("report: {}", path.display())),
            Err(text) => problem = Some(text),
        }
    }
    (Suite::of(&run), problem)
}

/// Writes the JUnit document of all runs where it is asked for.
fn write_junit(args: &cli::Run, suites: &[Suite]) -> Result<(), String> {
    for output in args.report.iter().filter(|output| output.format == Document::Junit) {
        let text = report::junit::document(suites);
        match &output.to {
            None => output::print_text(&text),
            Some(path) => {
                report_command::write(path, &text)?;
                output::note(format_args!("{}", path.display()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use conductor::arm::server_product::ServerProduct;
    use conductor::arm::servers::availability;

    use super::*;
    use crate::run_files::RECORD_FILE;

    fn left(scenarios: &[Scenario], rounds: Option<u32>) -> String {
        time_left(scenarios, rounds, &GivenServers::default())
    }

    fn lacking(scenario: &Scenario) -> Option<String> {
        missing(scenario, &GivenServers::default())
    }

    #[test]
    fn some_are_chosen_by_name_and_an_unknown_one_is_answered() {
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            chosen(&only).map(|scenarios| scenarios.into_iter().map(|one| one.name).collect::<Vec<String>>())
        };
        assert_eq!(names(&["hop-tax", "crash-one"]).expect("shipped"), ["crash-one", "hop-tax"]);
        assert_eq!(names(&[]).expect("shipped"), scenario_files::names());
        assert!(names(&["crash-on"]).is_err_and(|text| text.contains("did you mean `crash-one`?")));
    }

    #[test]
    fn the_time_left_is_that_of_the_scenarios_that_are_left() {
        let scenarios = chosen(&["crash-one".to_owned(), "first-look".to_owned()]).expect("shipped");
        // Two of 60 s or less, eight seconds each of start and audit included.
        assert_eq!(left(&scenarios[1..], None), "about 56 s left");
        let both = left(&scenarios, Some(6));
        assert!(both.ends_with(" min left"), "twelve starts of each: {both}");
        assert_eq!(left(&[], None), "about 0 s left");
    }

    #[test]
    fn what_is_skipped_has_a_reason() {
        let files = chosen(&["first-look".to_owned()]).expect("shipped");
        assert_eq!(lacking(&files[0]), None, "files are always there");
        for (name, product) in [("stores", ServerProduct::Postgres), ("broker-outage", ServerProduct::Nats)] {
            let servers = chosen(&[name.to_owned()]).expect("shipped");
            assert_eq!(lacking(&servers[0]).is_some(), availability(product).is_err(), "{name}");
        }
        let built = chosen(&["change-one-service".to_owned()]).expect("shipped");
        let reason = lacking(&built[0]).expect("it builds for minutes");
        assert!(reason.contains("run it by itself: cleave run change-one-service"), "{reason}");
        assert_eq!(left(&built, None), "about 0 s left");
    }

    #[test]
    fn a_run_whose_document_cannot_be_written_is_no_test_that_passes() {
        let out = tempfile::TempDir::new().expect("a folder");
        let report = ["html", "junit=all.xml"].iter().map(|text| text.parse().expect("an output")).collect();
        let args = cli::Run { report, ..cli::Run::default() };
        let result = |folder: &Path| ScenarioResult {
            folder: folder.display().to_string(),
            ..ScenarioResult::skipped("one".into(), String::new())
        };
        let (suite, problem) = written(&args, &result(&out.path().join("gone")));
        assert!(report::junit::document(&[suite]).contains("errors=\"1\""), "its record is not there");
        assert!(problem.is_some_and(|text| text.contains("run.jsonl cannot be read")));
        let kept = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/records/crash.jsonl"));
        let folder = out.path().join("20260101-000000-aaaa");
        std::fs::create_dir(&folder).expect("a folder of ours");
        std::fs::copy(kept, folder.join(RECORD_FILE)).expect("copies");
        assert_eq!(written(&args, &result(&folder)).1, None);
        std::fs::remove_file(folder.join("report.html")).expect("it was written");
        std::fs::create_dir(folder.join("report.html")).expect("a folder of ours");
        let problem = written(&args, &result(&folder)).1.expect("a folder is in its place");
        assert!(problem.starts_with("cannot write "), "{problem}");
    }

    #[test]
    fn documents_are_of_all_runs_or_of_each() {
        let asked = |outputs: &[&str]| {
            let report = outputs.iter().map(|text| text.parse().expect("an output")).collect();
            documents_of(&cli::Run { report, ..cli::Run::default() })
        };
        assert_eq!(asked(&["html", "junit=all.xml"]), Ok(()));
        assert!(asked(&["markdown"]).is_err_and(|text| text.starts_with("--all does not write markdown")));
        assert!(asked(&["html=page.html"]).is_err(), "one page for many runs");
    }
}
