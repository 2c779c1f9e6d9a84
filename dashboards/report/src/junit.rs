//! JUnit's XML: a scenario is a suite, an expectation a case. What could not be judged is an error, never a failure
//! and never skipped, which reads as green.

use std::fmt::Write;

use record::Verdict;
use record::figures::{count, value};

use crate::escaped;
use crate::story::Story;

/// The document.
pub fn junit(story: &Story) -> String {
    let header = story.header();
    let seconds = f64::from(story.length_s());
    let lints = story.end.iter().flat_map(|end| &end.lints).collect::<Vec<_>>();
    let failures = story.checks.iter().filter(|check| check.verdict == Verdict::Fail).count();
    let unjudged = story.checks.iter().filter(|check| is_unjudged(check.verdict)).count();
    let errors = unjudged + lints.len() + usize::from(story.end.is_none());
    let tests = story.checks.len() + lints.len() + usize::from(story.end.is_none());
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        xml,
        "<testsuites tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n\
         <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds}\">\n\
         <properties>",
        escaped(&header.scenario)
    );
    for (name, text) in [
        ("run", header.run_id.clone()),
        ("seed", header.seed.to_string()),
        ("verdict", story.verdict().to_owned()),
        ("version", header.version.clone()),
        ("machine", format!("{} x {}", header.machine.cores, header.machine.cpu)),
    ] {
        let _ = writeln!(xml, "<property name=\"{name}\" value=\"{}\"/>", escaped(&text));
    }
    xml.push_str("</properties>\n");
    for check in &story.checks {
        let (why, line) = story.reason_of(check);
        let arm = if check.arm == '-' { String::new() } else { format!(" [{}]", check.arm) };
        let _ = write!(
            xml,
            "<testcase classname=\"{}\" name=\"{}\" line=\"{line}\" time=\"{seconds}\">",
            escaped(&header.scenario),
            escaped(&format!("{}{arm}", check.text))
        );
        let found = format!(
            "{} where the limit is {} (n={}){}",
            value(check.value, &check.unit),
            value(check.limit, &check.unit),
            count(Some(check.n as f64)),
            if check.reason.is_empty() { String::new() } else { format!("; {}", check.reason) }
        );
        match check.verdict {
            Verdict::Pass => {}
            Verdict::Fail => {
                let _ = write!(xml, "<failure message=\"{}\">{}</failure>", escaped(&found), escaped(why));
            }
            Verdict::Inconclusive | Verdict::Invalid => {
                let word = check.verdict.word();
                let _ = write!(
                    xml,
                    "<error type=\"{word}\" message=\"{}\">{}</error>",
                    escaped(&found),
                    escaped(why)
                );
            }
        }
        xml.push_str("</testcase>\n");
    }
    for lint in lints {
        let _ = writeln!(
            xml,
            "<testcase classname=\"{}\" name=\"{}\"><error type=\"{}\" message=\"{}\"/></testcase>",
            escaped(&header.scenario),
            escaped(&lint.name),
            lint.verdict.word(),
            escaped(&lint.text)
        );
    }
    if story.end.is_none() {
        let _ = writeln!(
            xml,
            "<testcase classname=\"{}\" name=\"end\"><error type=\"invalid\" message=\"the record has no end: \
             the run was cut short\"/></testcase>",
            escaped(&header.scenario)
        );
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

const fn is_unjudged(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Inconclusive | Verdict::Invalid)
}
