//! What happened, how to reproduce the run; the data for programs, and what each word means.

use model::Run;
use model::format::load_clock;
use model::glossary::{COLUMNS, Term};
use model::series::Series;
use scorecard::glossary;
use serde_json::{Value, json};

use super::{Page, SCRIPT, number, text, traces};
use crate::compare::NAMES;
use crate::document;
use crate::escaped;

/// Points of a series in the embedded data: what is longer is thinned to the least and greatest of each piece.
const MAX_POINTS: usize = 240;
/// Events in full; of more, the first and the last.
const MAX_EVENTS: usize = 400;

/// Where the points of a series come from.
type Points = fn(&Run, char) -> Series;

/// Series of the embedded data.
const SERIES: [(&str, Points); 10] = [
    ("latency_p50_ms", |run, arm| run.latency_series(arm, 0.5)),
    ("latency_p99_ms_of_5s", |run, arm| run.latency_series(arm, 0.99)),
    ("offered_per_s", Run::offered_series),
    ("good_per_s", Run::good_series),
    ("errors_percent", Run::error_series),
    ("queue_calls", Run::queue_series),
    ("staleness_p50_ms_of_30s", |run, arm| run.staleness_series(arm, 0.5)),
    ("staleness_p99_ms_of_30s", |run, arm| run.staleness_series(arm, 0.99)),
    ("cpu_cores_by_2s", Run::cpu_series),
    ("memory_mib_by_2s", Run::memory_series),
];

impl Page<'_> {
    pub(super) fn events(&mut self) {
        let all: usize = self.runs.iter().map(|run| run.events().len()).sum();
        self.open_folded("Events", &format!("{all} events"));
        for (index, run) in self.runs.clone().into_iter().enumerate() {
            let name = self.run_prefix(index);
            if run.events().is_empty() {
                self.quiet(&format!("{name}nothing was done, and nothing happened by itself."));
                continue;
            }
            let all = run.events().len();
            if self.runs.len() > 1 {
                self.write(format_args!("<h3>{}</h3>", NAMES[index]));
            }
            self.table(&[number("clock"), number("number"), text("event"), text("targets")]);
            let start = run.header.load_start_ns;
            for (at, (t, event)) in run.events().iter().enumerate() {
                // The first and the last show how it began and how it ended.
                if at >= MAX_EVENTS / 2 && at + MAX_EVENTS / 2 < all {
                    continue;
                }
                let targets: Vec<String> =
                    event.targets.iter().map(|(arm, target)| format!("{arm} {target}")).collect();
                let number = if event.number > 0 { event.number.to_string() } else { String::new() };
                self.row(
                    &load_clock(*t, start, 3),
                    &format!(
                        "<td>{number}</td><td class=\"text long\">{}</td><td class=\"text long quiet\">{}</td>",
                        escaped(&event.text),
                        escaped(&targets.join("; "))
                    ),
                );
            }
            self.end_table();
            if all > MAX_EVENTS {
                self.quiet(&format!("{} in between are in the record only.", all - MAX_EVENTS));
            }
        }
        self.close_folded();
    }

    pub(super) fn reproduce_section(&mut self) {
        self.open_folded("Reproduce", "the command, the machine, the scenario, the data");
        for (index, run) in self.runs.clone().into_iter().enumerate() {
            if self.runs.len() > 1 {
                self.write(format_args!("<h3>{}</h3>", NAMES[index]));
            }
            self.reproduce(run, index);
        }
        self.write(format_args!(
            "<p class=\"quiet\">The figures of this page are in it as JSON, in the element <code>run</code>. \
             <button id=\"save\" type=\"button\" hidden>save them</button></p>"
        ));
        self.close_folded();
    }

    fn reproduce(&mut self, run: &Run, index: usize) {
        let header = &run.header;
        let machine = &header.machine;
        self.write(format_args!("<pre>{}</pre>", escaped(&model::shell::command_line(&header.command))));
        self.quiet(&format!(
            "Cleave {}, {} build, telemetry {}; seed {}, schedule {} of {} arrivals per arm; {} x {}, {} MiB, Linux {}, \
             {}load average {:.2} before the run, {:.1} % of CPU time stolen since the machine started.",
            header.version,
            machine.profile,
            header.telemetry,
            header.seed,
            header.schedule_digest,
            header.planned,
            machine.cores,
            machine.cpu,
            machine.memory_mib,
            machine.kernel,
            machine.governor.as_ref().map_or_else(String::new, |governor| format!("governor {governor}, ")),
            machine.load_average,
            machine.steal
        ));
        if index == 0 || header.scenario_text != self.runs[0].header.scenario_text {
            self.write(format_args!(
                "<details><summary>the scenario</summary><pre>{}</pre></details>",
                escaped(&header.scenario_text)
            ));
        } else {
            self.quiet("The scenario is that of the run before, to the letter.");
        }
    }

    /// Every column and every row of this page has its words here.
    pub(super) fn glossary(&mut self) {
        self.terms.extend(["journey", "meaning", "measure"]);
        let terms: Vec<&Term> =
            glossary::terms().iter().chain(COLUMNS).filter(|term| self.terms.contains(term.id)).collect();
        self.open_folded("Glossary", "what each word and number is");
        self.table(&[text("measure"), text("meaning")]);
        for term in terms {
            let unit = if term.unit.is_empty() { String::new() } else { format!(" [{}]", term.unit) };
            self.row(
                &format!("<span id=\"term-{}\">{}{}</span>", term.id, escaped(term.name), escaped(&unit)),
                &format!("<td class=\"text long\">{}</td>", escaped(term.meaning)),
            );
        }
        if self.terms.contains("part") {
            for (name, meaning) in traces::classes() {
                self.row(&escaped(name), &format!("<td class=\"text long\">{}</td>", escaped(meaning)));
            }
        }
        self.end_table();
        self.fold("measures of expectations");
        self.table(&[text("expectation"), text("meaning")]);
        for measure in scorecard::measures::CATALOGUE {
            self.row(
                &format!("<code>{}</code>", escaped(&measure.form())),
                &format!("<td class=\"text long\">{}</td>", escaped(measure.meaning)),
            );
        }
        self.end_table();
        self.end_fold();
        self.close_folded();
    }

    /// Figures for programs, and the script.
    pub(super) fn foot(&mut self) {
        let document = match self.comparison {
            None => json!(document::document(self.runs[0], None)),
            Some(comparison) => json!(document::comparison(comparison)),
        };
        let series: Vec<Value> = self.runs.iter().map(|run| series(run)).collect();
        // A script's text ends at the first `</`, wherever it stands; `<!--` would begin a comment.
        let data = json!({ "document": document, "series": series });
        let data = data.to_string().replace("</", "<\\/").replace("<!", "<\\u0021");
        self.write(format_args!(
            "</main>\n<div id=\"status\" role=\"status\"></div>\n<script type=\"application/json\" id=\"run\">{data}</script>\n\
             <script>\n{SCRIPT}</script>\n</body></html>"
        ));
    }
}

/// Series of each arm, thinned.
fn series(run: &Run) -> Value {
    let of = |arm: char| -> Value {
        let named = SERIES.iter().filter_map(|(name, series)| {
            let series = series(run, arm);
            let thinned = thinned(&series);
            (!thinned.is_empty()).then(|| ((*name).to_owned(), Value::Array(thinned)))
        });
        Value::Object(named.collect())
    };
    let arms = run.header.arms.iter();
    Value::Object(arms.map(|arm| (arm.letter.to_string(), of(arm.letter))).collect())
}

/// Four digits of each point; of a long series the place and value of the least and greatest of each piece. Empty
/// where nothing is known.
fn thinned(series: &Series) -> Vec<Value> {
    if series.iter().all(Option::is_none) {
        return Vec::new();
    }
    let few = crate::plot::decimated(series, MAX_POINTS);
    let whole = few.len() == series.len();
    few.into_iter()
        .map(|(at, value)| {
            let value = value.map_or(Value::Null, |value| json!(four_digits(value)));
            if whole { value } else { json!([at as u64, value]) }
        })
        .collect()
}

fn four_digits(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_thinned_to_what_a_chart_shows() {
        assert_eq!(json!(thinned(&vec![Some(1.234_56), None, Some(0.0)])), json!([1.235, null, 0.0]));
        let mut long = vec![Some(1.0); 1_000];
        long[700] = Some(98_765.4);
        let thinned = thinned(&long);
        assert!(thinned.len() <= MAX_POINTS && thinned.contains(&json!([700, 98_770.0])), "{thinned:?}");
        assert!(super::thinned(&vec![None; 3]).is_empty());
    }
}
