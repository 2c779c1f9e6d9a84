//! `cleave run --all`: every shipped scenario, or some of them, one after another, and one table.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use conductor::arm::given_servers::GivenServers;
use model::format::{printable, printable_lines};
use record::{Check, Entry, Kind, Lint, ReadError, Reader, Verdict};
use report::junit::Suite;
use scenario::Scenario;
use serde_json::json;

use crate::cli::{self, Document, Output, ReportOutput};
use crate::output::EXIT_INTERRUPTED;
use crate::run_files::{self, RECORD_FILE};
use crate::run_view::View;
use crate::{
    capacity_probe, execution, given_servers, output, report_command, result_document, scenario_files,
    signals,
};

/// Seconds of a minute.
const MINUTE: f64 = 60.0;

/// The result of one scenario.
struct ScenarioResult {
    name: String,
    seconds: u64,
    exit_code: u8,
    verdict: Option<Verdict>,
    folder: String,
    /// Names of its arms, by their letters.
    arms: BTreeMap<char, String>,
    /// Checks that did not pass, with their reasons.
    open: Vec<Check>,
    lints: Vec<Lint>,
    error: Option<String>,
    /// Why it was not tried.
    skipped: Option<String>,
}

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
        let result = scenario_result(scenario.name.clone(), started.elapsed().as_secs(), result);
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

/// `hop-tax  pass          65s`, the name padded to a width.
fn line(result: &ScenarioResult, width: usize) -> String {
    format!("{:width$}  {:12}  {:>4}s", result.name, verdict_of(result), result.seconds)
}

impl ScenarioResult {
    /// One that is not tried.
    fn skipped(name: String, reason: String) -> Self {
        Self {
            name,
            seconds: 0,
            exit_code: 0,
            verdict: None,
            folder: String::new(),
            arms: BTreeMap::new(),
            open: Vec::new(),
            lints: Vec::new(),
            error: None,
            skipped: Some(reason),
        }
    }
}

fn scenario_result(
    name: String,
    seconds: u64,
    result: Result<conductor::RunOutcome, conductor::RunError>,
) -> ScenarioResult {
    let mut scenario = ScenarioResult {
        name,
        seconds,
        exit_code: output::EXIT_USAGE,
        verdict: None,
        folder: String::new(),
        arms: BTreeMap::new(),
        open: Vec::new(),
        lints: Vec::new(),
        error: None,
        skipped: None,
    };
    match result {
        Ok(outcome) => {
            scenario.exit_code = outcome.exit_code;
            scenario.verdict = outcome.verdict;
            scenario.folder = outcome.folder.display().to_string();
            match unmet_checks(&outcome.folder.join(RECORD_FILE)) {
                Ok(unmet) => {
                    (scenario.arms, scenario.open, scenario.lints) = (unmet.arms, unmet.checks, unmet.lints);
                }
                Err(error) => scenario.error = Some(output::error_chain(&error)),
            }
        }
        Err(error) => scenario.error = Some(output::error_chain(&error)),
    }
    scenario
}

/// What of a record did not pass.
#[derive(Default)]
struct Unmet {
    /// Names of its arms, by their letters.
    arms: BTreeMap<char, String>,
    checks: Vec<Check>,
    lints: Vec<Lint>,
}

/// Checks of a record that did not pass, and its lints.
fn unmet_checks(record: &Path) -> Result<Unmet, ReadError> {
    let mut unmet = Unmet::default();
    for line in Reader::open(record)?.only(&[Kind::Header, Kind::Check, Kind::End]) {
        match line?.entry {
            Entry::Header(header) => {
                unmet.arms = header.arms.into_iter().map(|arm| (arm.letter, arm.name)).collect();
            }
            Entry::Check(check) if check.verdict != Verdict::Pass => unmet.checks.push(check),
            Entry::End(end) => unmet.lints = end.lints,
            _ => {}
        }
    }
    Ok(unmet)
}

/// The exit code of all, the worst first: interrupted, not started, invalid, fail, inconclusive.
fn worst(results: &[ScenarioResult], interrupted: bool) -> u8 {
    if interrupted {
        return EXIT_INTERRUPTED;
    }
    let has = |code: u8| results.iter().any(|scenario| scenario.exit_code == code);
    [output::EXIT_USAGE, 3, 1, 4].into_iter().find(|code| has(*code)).unwrap_or(0)
}

fn verdict_of(scenario: &ScenarioResult) -> &'static str {
    match scenario.verdict {
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Fail) => "FAIL",
        Some(Verdict::Inconclusive) => "inconclusive",
        Some(Verdict::Invalid) => "INVALID",
        None if scenario.skipped.is_some() => "skipped",
        None if scenario.error.is_some() => "no run",
        None => "interrupted",
    }
}

fn print_table(results: &[ScenarioResult]) -> std::io::Result<()> {
    output::stdout().write_all(table(results).as_bytes())
}

/// The table, whatever messages in it are made of: some are of servers and of programs that ended.
fn table(results: &[ScenarioResult]) -> String {
    let width = results.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    let mut text = String::from("\n");
    for one in results {
        text += &format!("{}\n", line(one, width));
        for check in &one.open {
            let (value, _) = model::limit::value_and_limit(check);
            let arm = one.arms.get(&check.arm).map_or_else(String::new, |name| format!(" [{name}]"));
            let why = if check.reason.is_empty() { "" } else { &check.reason };
            text += &format!("{:width$}    {}{arm}: {value} {why}\n", "", check.text);
        }
        for (lint, more) in once_each(&one.lints) {
            let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
            text += &format!("{:width$}    {}, {}: {}{more}\n", "", lint.word(), lint.name, lint.text);
        }
        if let Some(error) = one.error.as_ref().or(one.skipped.as_ref()) {
            text += &format!("{:width$}    {error}\n", "");
        }
    }
    printable_lines(&text).into_owned()
}

/// The first lint of each name, and how many more there are of it: a run of 52 arms may have one for each.
fn once_each(lints: &[Lint]) -> Vec<(&Lint, usize)> {
    let mut once: Vec<(&Lint, usize)> = Vec::new();
    for lint in lints {
        match once.iter_mut().find(|(first, _)| first.name == lint.name) {
            Some((_, more)) => *more += 1,
            None => once.push((lint, 0)),
        }
    }
    once
}

fn print_json(results: &[ScenarioResult], exit_code: u8) -> std::io::Result<()> {
    let one = |scenario: &ScenarioResult| {
        json!({
            "scenario": scenario.name,
            "verdict": scenario.verdict,
            "exit_code": scenario.exit_code,
            "seconds": scenario.seconds,
            "run_dir": scenario.folder,
            "open": scenario.open,
            "lints": scenario.lints,
            "error": scenario.error,
            "skipped": scenario.skipped,
        })
    };
    let runs: Vec<_> = results.iter().map(one).collect();
    let document =
        json!({ "schema_version": result_document::SCHEMA_VERSION, "exit_code": exit_code, "runs": runs });
    let mut out = output::stdout();
    serde_json::to_writer_pretty(&mut out, &document)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use conductor::arm::server_product::ServerProduct;
    use conductor::arm::servers::availability;

    use super::*;

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
    fn what_is_skipped_has_a_reason_and_fails_nothing() {
        let skipped = ScenarioResult::skipped("stores".into(), "no server".into());
        assert!(line(&skipped, 8).starts_with("stores    skipped"));
        assert_eq!(worst(&[skipped], false), 0);
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
    fn a_lint_of_many_arms_takes_one_line() {
        let lint = |name: &str, arm: &str| Lint {
            name: name.into(),
            verdict: Verdict::Invalid,
            text: format!("{arm}: nothing was offered"),
        };
        let lints =
            [lint("no_samples", "A"), lint("pace", "A"), lint("no_samples", "B"), lint("no_samples", "C")];
        assert_eq!(once_each(&lints), [(&lints[0], 2), (&lints[1], 0)]);
    }

    #[test]
    fn a_claim_that_two_arms_fail_names_each() {
        let check = |arm: char, value: f64| Check {
            id: 0,
            text: "hops <= 3".into(),
            arm,
            value: Some(value),
            interval: None,
            is_censored: false,
            limit: Some(3.0),
            unit: String::new(),
            margin: None,
            n: 100,
            verdict: Verdict::Fail,
            reason: String::new(),
            note: None,
            since_ns: None,
        };
        let failed = ScenarioResult {
            arms: BTreeMap::from([('A', "mono".to_owned()), ('B', "micro".to_owned())]),
            open: vec![check('A', 3.004), check('B', 4.0), check('-', 5.0)],
            ..ScenarioResult::skipped("one".into(), String::new())
        };
        let text = table(&[failed]);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("hops")).collect();
        assert_eq!(lines, ["hops <= 3 [mono]: 3.004", "hops <= 3 [micro]: 4", "hops <= 3: 5"]);
    }

    #[test]
    fn a_message_reaches_no_terminal_raw() {
        let error = Some("a\u{1b}[2J\n  because: b".to_owned());
        let failed = ScenarioResult { error, ..ScenarioResult::skipped("one".into(), String::new()) };
        assert!(table(&[failed]).ends_with("a\\u{1b}[2J\n  because: b\n"));
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
