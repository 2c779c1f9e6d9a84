//! JUnit's XML: a scenario is a suite, an expectation a case. What could not be judged is an error, never a failure
//! and never skipped, which reads as green; skipped are scenarios that were not to be run here, each with the reason.

use std::fmt::Write;

use model::Run;
use record::{Check, Lint, Verdict};
use scorecard::Expectation;

use crate::{escaped, without_verdict};

/// A test case.
struct Case {
    name: String,
    line: u32,
    seconds: f64,
    /// `None` of what was skipped.
    standing: Option<Verdict>,
    /// What was found; empty where it holds.
    found: String,
    why: String,
}

/// A run as a suite of the document.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    xml: String,
    tests: usize,
    failures: usize,
    errors: usize,
}

/// The document of a run.
pub fn junit(run: &Run) -> String {
    document(&[Suite::of(run)])
}

/// The document of several runs.
pub fn document(suites: &[Suite]) -> String {
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let (tests, failures, errors) =
        (sum(|suite| suite.tests), sum(|suite| suite.failures), sum(|suite| suite.errors));
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n"
    );
    xml.extend(suites.iter().map(|suite| suite.xml.as_str()));
    xml + "</testsuites>\n"
}

impl Suite {
    /// A run with its expectations.
    pub fn of(run: &Run) -> Self {
        let header = &run.header;
        let properties = [
            ("run", header.run_id.clone()),
            ("seed", header.seed.to_string()),
            ("verdict", run.verdict().to_owned()),
            ("version", header.version.clone()),
            ("machine", format!("{} x {}", header.machine.cores, header.machine.cpu)),
            ("command", model::shell::command_line(&header.command)),
        ];
        let properties = properties.map(|(name, text)| (name.to_owned(), text));
        // A note is no case: it would be one that passes.
        let notes = notes(run).map(|note| (format!("note {}", note.name), note.text.clone()));
        let source = run.mark().map(|mark| ("source".to_owned(), mark));
        let properties: Vec<_> = source.into_iter().chain(properties).chain(notes).collect();
        // The name is what a collector shows: a case of a prediction must not pass for one of a run.
        let simulated = if run.is_simulated() { " (simulated)" } else { "" };
        let name = format!("{}{simulated}", header.scenario);
        Self::with(&name, f64::from(run.length_s()), &properties, &cases(run))
    }

    /// A scenario that was to be run and was not, and why.
    pub fn without_run(scenario: &str, reason: &str) -> Self {
        Self::of_one_case(scenario, Some(Verdict::Invalid), reason)
    }

    /// A scenario that was not to be run here, as one whose server is missing, and why.
    pub fn skipped(scenario: &str, reason: &str) -> Self {
        Self::of_one_case(scenario, None, reason)
    }

    fn of_one_case(scenario: &str, standing: Option<Verdict>, reason: &str) -> Self {
        let case = Case {
            name: "run".to_owned(),
            line: 0,
            seconds: 0.0,
            standing,
            found: reason.to_owned(),
            why: String::new(),
        };
        Self::with(scenario, 0.0, &[], &[case])
    }

    fn with(scenario: &str, seconds: f64, properties: &[(String, String)], cases: &[Case]) -> Self {
        let failures = cases.iter().filter(|case| case.standing == Some(Verdict::Fail)).count();
        let errors = cases.iter().filter(|case| case.standing.is_some_and(is_unjudged)).count();
        let skipped = cases.iter().filter(|case| case.standing.is_none()).count();
        let tests = cases.len();
        let mut xml = format!(
            "<testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" \
             time=\"{seconds}\">\n<properties>\n",
            escaped(scenario)
        );
        // Writing to a string does not fail.
        for (name, text) in properties {
            let _ = writeln!(xml, "<property name=\"{}\" value=\"{}\"/>", escaped(name), escaped(text));
        }
        xml.push_str("</properties>\n");
        for case in cases {
            let line = if case.line > 0 { format!(" line=\"{}\"", case.line) } else { String::new() };
            let _ = write!(
                xml,
                "<testcase classname=\"{}\" name=\"{}\"{line} time=\"{}\">",
                escaped(scenario),
                escaped(&case.name),
                case.seconds
            );
            let element = match case.standing {
                Some(Verdict::Pass) => None,
                Some(Verdict::Fail) => Some(("failure", "fail")),
                Some(unjudged @ (Verdict::Inconclusive | Verdict::Invalid)) => {
                    Some(("error", unjudged.word()))
                }
                None => {
                    let _ = write!(xml, "<skipped message=\"{}\"/>", escaped(&case.found));
                    None
                }
            };
            if let Some((element, kind)) = element {
                let _ = write!(
                    xml,
                    "<{element} type=\"{kind}\" message=\"{}\">{}</{element}>",
                    escaped(&case.found),
                    escaped(&case.why)
                );
            }
            xml.push_str("</testcase>\n");
        }
        xml.push_str("</testsuite>\n");
        Self { xml, tests, failures, errors }
    }
}

/// What leaves the verdict alone.
fn notes(run: &Run) -> impl Iterator<Item = &Lint> {
    run.end.iter().flat_map(|end| &end.lints).filter(|lint| lint.is_note())
}

/// The cases, each with a name of its own: a collector takes two of one name for one test that ran twice.
fn cases(run: &Run) -> Vec<Case> {
    let mut cases = all_cases(run);
    for index in 0..cases.len() {
        let is_taken = |name: &str| cases[..index].iter().any(|case| case.name == name);
        let (name, line) = (&cases[index].name, cases[index].line);
        let with_line = format!("{name}, line {line}");
        let numbered = (2..).map(|number| format!("{name} ({number})"));
        let names = [name.clone()].into_iter().chain((line > 0).then_some(with_line)).chain(numbered);
        if let Some(name) = names.into_iter().find(|name| !is_taken(name)) {
            cases[index].name = name;
        }
    }
    cases
}

fn all_cases(run: &Run) -> Vec<Case> {
    let mut cases: Vec<Case> = run.checks().into_iter().map(|check| of_check(run, check)).collect();
    let whole = |name: &str, standing, found: &str| Case {
        name: name.to_owned(),
        line: 0,
        seconds: f64::from(run.length_s()),
        standing: Some(standing),
        found: found.to_owned(),
        why: String::new(),
    };
    if let Some(why) = without_verdict(run) {
        cases.push(whole("end", Verdict::Invalid, why));
    }
    // A reason not to believe a run is never a failure of what it ran.
    let standing = |verdict| if verdict == Verdict::Inconclusive { verdict } else { Verdict::Invalid };
    let lints = run.end.iter().flat_map(|end| &end.lints).filter(|lint| !lint.is_note());
    cases.extend(lints.map(|lint| whole(&lint.name, standing(lint.verdict), &lint.text)));
    cases
}

fn of_check(run: &Run, check: &Check) -> Case {
    let (why, line) = run.reason_of(check);
    let arm = run.arm_name_of(check).map_or_else(String::new, |arm| format!(" [{arm}]"));
    Case {
        name: format!("{}{arm}", check.text),
        line,
        seconds: seconds_of(run, check),
        standing: Some(run.verdict_of(check)),
        found: run.finding_of(check),
        why: why.to_owned(),
    }
}

/// Seconds an expectation looks at: of its phases, or of the whole load.
fn seconds_of(run: &Run, check: &Check) -> f64 {
    let expectation = check.text.parse::<Expectation>();
    let named = expectation.iter().flat_map(Expectation::phases).filter_map(|name| run.phase(name));
    let ns: u64 = named.map(|phase| phase.length_ns).max().unwrap_or(0);
    if ns > 0 { ns as f64 / 1e9 } else { f64::from(run.length_s()) }
}

const fn is_unjudged(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Inconclusive | Verdict::Invalid)
}
