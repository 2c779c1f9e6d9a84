//! The report: one HTML file that needs no network and no script. Its charts are drawn here, its styles and its few
//! lines of script lie beside this file.

use std::fmt::Write;

use record::figures::{self, clock_ns, count, load_clock, value};
use record::{Latencies, Score};

use crate::escaped;
use crate::plot::{Band, Curve, Plot};
use crate::story::{Series, Story};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Classes of lines where one chart holds all arms.
const CLASSES: [&str; 4] = ["one", "two", "three", "four"];
/// More arms than this are a sweep: charts beside each other say nothing then.
const MOST_CHARTED: usize = 8;
/// Quantiles of the distribution: 1 - 2^-k, so that each is half as rare as the one before.
const OCTAVES: u32 = 12;

/// The page. The same record gives the same bytes.
pub fn page(story: &Story) -> String {
    let mut page = Page { story, html: String::new() };
    page.head();
    page.verdict();
    page.scorecard();
    page.expectations();
    if story.header().arms.len() <= MOST_CHARTED {
        page.charts();
        page.distribution();
    }
    page.topology();
    page.edges();
    page.events();
    page.again();
    page.glossary();
    page.foot();
    page.html
}

struct Page<'a> {
    story: &'a Story,
    html: String,
}

impl Page<'_> {
    fn say(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.html.write_fmt(text);
        self.html.push('\n');
    }

    fn head(&mut self) {
        let header = self.story.header();
        let title = escaped(&format!("{} {}", header.scenario, self.story.verdict()));
        self.say(format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'; img-src data:\"><title>{title}</title>\n<style>\n{STYLE}</style></head>\n<body>"
        ));
    }

    fn verdict(&mut self) {
        let story = self.story;
        let header = story.header();
        let (held, all) = story.held();
        let word = story.verdict();
        self.say(format_args!(
            "<header><h1><span class=\"verdict {word}\">{word}</span> {}</h1><p>{}</p><p class=\"quiet\">{}</p>",
            escaped(&header.scenario),
            escaped(&header.title),
            escaped(&header.why)
        ));
        let rounds = if header.rounds > 1 { format!(" in {} rounds", header.rounds) } else { String::new() };
        let peak = story
            .end
            .as_ref()
            .map_or_else(String::new, |end| format!(", at most {:.0} MiB", end.pss_mib_peak));
        self.say(format_args!(
            "<p>{held} of {all} expectations hold. Seed {}, {}{rounds}, run {}, on {} x {}, Linux {}{peak}.</p>",
            header.seed,
            escaped(&header.way),
            escaped(&header.run_id),
            header.machine.cores,
            escaped(&header.machine.cpu),
            escaped(&header.machine.kernel)
        ));
        if story.end.is_none() {
            self.say(format_args!(
                "<p class=\"invalid\">! invalid: the record has no end; the run was cut short.</p>"
            ));
        }
        for lint in story.end.iter().flat_map(|end| &end.lints) {
            let word = lint.verdict.word();
            self.say(format_args!(
                "<p class=\"{word}\">{} {word}, {}: {}</p>",
                lint.verdict.sign(),
                escaped(&lint.name),
                escaped(&lint.text)
            ));
        }
        self.say(format_args!("</header>"));
    }

    fn scorecard(&mut self) {
        let story = self.story;
        if story.scores.is_empty() {
            return;
        }
        let arms = &story.header().arms;
        self.say(format_args!("<section><h2>Scorecard</h2><table><thead><tr><th>measure</th>"));
        for arm in arms {
            self.say(format_args!("<th>{} {}</th>", arm.letter, escaped(&arm.name)));
        }
        self.say(format_args!("<th>B/A</th><th>n</th><th class=\"text\">finding</th></tr></thead><tbody>"));
        for (claim, scores) in story.by_claim() {
            self.say(format_args!(
                "<tr class=\"claim\"><td colspan=\"{}\">{}</td></tr>",
                arms.len() + 4,
                escaped(claim)
            ));
            scores.into_iter().for_each(|score| self.score(score));
        }
        self.say(format_args!("</tbody></table>"));
        let mut beside: Vec<&str> = story.scores.iter().filter_map(|score| score.beside.as_deref()).collect();
        beside.dedup();
        for text in beside {
            self.say(format_args!("<p class=\"quiet\">Beside these ratios: {}</p>", escaped(text)));
        }
        self.say(format_args!(
            "<p class=\"quiet\">▲ B better, ▼ B worse: only where the finding is <q>differs</q>. [..] is the 95 % \
             interval of B/A. n is the smallest of the arms.</p></section>"
        ));
    }

    fn score(&mut self, score: &Score) {
        let arms = &self.story.header().arms;
        let cells: String = arms
            .iter()
            .map(|arm| {
                let measured = score.arms.get(&arm.letter).and_then(|measured| measured.value);
                format!("<td>{}</td>", escaped(&value(measured, &score.unit)))
            })
            .collect();
        let (mark, class) = match figures::is_b_better(score) {
            Some(true) => ("▲ ", "better"),
            Some(false) => ("▼ ", "worse"),
            None => ("", "quiet"),
        };
        let n = score.arms.values().map(|measured| measured.n).min().unwrap_or(0);
        let window = if score.window.is_empty() { String::new() } else { format!(" ({})", score.window) };
        self.say(format_args!(
            "<tr><td>{}</td>{cells}<td>{}</td><td>{}</td><td class=\"text {class}\">{mark}{}</td></tr>",
            escaped(&format!("{}{window}", score.measure)),
            escaped(&figures::ratio(score)),
            count(Some(n as f64)),
            escaped(&score.finding)
        ));
    }

    fn expectations(&mut self) {
        let story = self.story;
        if story.checks.is_empty() {
            return;
        }
        self.say(format_args!(
            "<section><h2>Expectations</h2><table><thead><tr><th>expectation</th><th>arm</th><th>value</th>\
             <th>limit</th><th>n</th><th class=\"text\">verdict</th></tr></thead><tbody>"
        ));
        for check in &story.checks {
            let (why, line) = story.reason_of(check);
            let word = check.verdict.word();
            let since =
                check.since_ns.map_or_else(String::new, |ns| format!("; violated since {}", clock_ns(ns, 1)));
            let reason = if check.reason.is_empty() { String::new() } else { format!("; {}", check.reason) };
            self.say(format_args!(
                "<tr><td><code>{}</code><br><span class=\"quiet\">line {line}{}</span></td><td>{}</td><td>{}</td>\
                 <td>{}</td><td>{}</td><td class=\"text {word}\">{} {word}{}{}</td></tr>",
                escaped(&check.text),
                escaped(&if why.is_empty() { String::new() } else { format!(": {why}") }),
                check.arm,
                escaped(&value(check.value, &check.unit)),
                escaped(&value(check.limit, &check.unit)),
                count(Some(check.n as f64)),
                check.verdict.sign(),
                escaped(&reason),
                escaped(&since)
            ));
        }
        self.say(format_args!("</tbody></table></section>"));
    }

    fn charts(&mut self) {
        let story = self.story;
        let arms: Vec<(char, String)> = story
            .header()
            .arms
            .iter()
            .map(|arm| (arm.letter, format!("{} {}", arm.letter, arm.name)))
            .collect();
        self.say(format_args!(
            "<section><h2>Timeline</h2><p class=\"quiet\">Latency of ok journeys in ms, from the intended start. {}</p>",
            steps(story)
        ));
        let latencies: Vec<[Series; 2]> = arms
            .iter()
            .map(|(letter, _)| [story.latency_ms(*letter, 0.5), story.latency_ms(*letter, 0.99)])
            .collect();
        let curves = |of: &[Series; 2], names: [&'static str; 2], classes: [&'static str; 2]| {
            [0, 1].map(|i| Curve { name: names[i], class: classes[i], points: of[i].clone() })
        };
        let limits = latency_limits(story);
        let range = range(latencies.iter().flatten(), limits.iter().map(|(limit, _)| *limit));
        let drawn = arms.iter().zip(&latencies).map(|((_, name), of)| {
            let title = format!("{name}: latency");
            let curves = curves(of, ["p50", "p99 of 5 s"], ["p50", "p99"]);
            self.draw(&title, "ms", true, range, &limits, &curves)
        });
        let drawn: Vec<String> = drawn.collect();
        self.figures(&drawn);
        let rates: Vec<[Series; 2]> =
            arms.iter().map(|(letter, _)| [story.good(*letter), story.failed(*letter)]).collect();
        let range = self::range(rates.iter().flatten(), std::iter::empty());
        let drawn = arms.iter().zip(&rates).map(|((_, name), of)| {
            let curves = curves(of, ["good", "not good"], ["good", "bad"]);
            self.draw(&format!("{name}: journeys per second"), "", false, range, &[], &curves)
        });
        let drawn: Vec<String> = drawn.collect();
        self.figures(&drawn);
        let cpu: Vec<Series> = arms.iter().map(|(letter, _)| story.cpu_cores(*letter)).collect();
        let range = self::range(cpu.iter(), std::iter::empty());
        let drawn = arms.iter().zip(&cpu).map(|((_, name), of)| {
            let curve = Curve { name: "cores", class: "one", points: of.clone() };
            self.draw(&format!("{name}: CPU"), "", false, range, &[], &[curve])
        });
        let drawn: Vec<String> = drawn.collect();
        self.figures(&drawn);
        self.say(format_args!("</section>"));
    }

    fn draw(
        &self,
        title: &str,
        unit: &str,
        logarithmic: bool,
        range: (f64, f64),
        limits: &[(f64, String)],
        curves: &[Curve<'_>],
    ) -> String {
        let header = self.story.header();
        let begins = |phase: &record::PhasePlan| {
            let second = phase.start_ns / 1_000_000_000;
            (second as f64, format!("{} {}", figures::clock(second), phase.name))
        };
        let begins: Vec<(f64, String)> = header.phases.iter().map(begins).collect();
        let phases: Vec<(f64, &str)> = begins.iter().map(|(second, text)| (*second, text.as_str())).collect();
        let band = |step: &record::StepPlan| Band {
            number: step.number,
            from_s: step.start_ns as f64 / 1e9,
            to_s: (step.start_ns + step.length_ns) as f64 / 1e9,
            is_fault: step.is_fault,
        };
        let bands: Vec<Band> = header.steps.iter().map(band).collect();
        let length_s = f64::from(self.story.length_s());
        let (phases, bands) = (phases.as_slice(), bands.as_slice());
        Plot { title, unit, logarithmic, range, length_s, phases, bands, limits, curves }.draw()
    }

    fn figures(&mut self, drawn: &[String]) {
        self.say(format_args!("<div class=\"pair\">"));
        for svg in drawn {
            self.say(format_args!("<figure>{svg}</figure>"));
        }
        self.say(format_args!("</div>"));
    }

    /// Latency by rarity: one in 2, one in 4, and on to one in 4,096.
    fn distribution(&mut self) {
        let story = self.story;
        let merged: Vec<(String, Latencies)> = story
            .header()
            .arms
            .iter()
            .map(|arm| (format!("{} {}", arm.letter, arm.name), story.all_latencies(arm.letter)))
            .collect();
        let of = |latencies: &Latencies| -> Series {
            let enough = |octave: &u32| latencies.len() as f64 / 2_f64.powi(*octave as i32) >= 1.0;
            (1..=OCTAVES)
                .map(|octave| {
                    let q = 1.0 - 0.5_f64.powi(octave as i32);
                    latencies.quantile(q).filter(|_| enough(&octave)).map(|us| us as f64 / 1e3)
                })
                .collect()
        };
        let series: Vec<Series> = merged.iter().map(|(_, latencies)| of(latencies)).collect();
        let curves: Vec<Curve<'_>> = merged
            .iter()
            .zip(&series)
            .zip(CLASSES.iter().cycle())
            .map(|(((name, _), points), class)| Curve { name, class, points: points.clone() })
            .collect();
        let range = range(series.iter(), std::iter::empty());
        let marks: Vec<(f64, String)> = (1..=OCTAVES)
            .filter(|octave| octave % 3 == 1)
            .map(|octave| (f64::from(octave - 1), format!("1 in {}", 1_u32 << octave)))
            .collect();
        let phases: Vec<(f64, &str)> = marks.iter().map(|(at, text)| (*at, text.as_str())).collect();
        let svg = Plot {
            title: "latency by rarity, measured phases",
            unit: "ms",
            logarithmic: true,
            range,
            length_s: f64::from(OCTAVES),
            phases: &phases,
            bands: &[],
            limits: &[],
            curves: &curves,
        }
        .draw_plain();
        self.say(format_args!("<section><h2>Distribution</h2><figure>{svg}</figure></section>"));
    }

    fn topology(&mut self) {
        let story = self.story;
        self.say(format_args!(
            "<section><h2>Arms</h2><table><thead><tr><th>arm</th><th class=\"text\">processes</th><th>databases</th>\
             <th>ready</th></tr></thead><tbody>"
        ));
        for arm in &story.header().arms {
            let processes: Vec<String> =
                arm.instances.iter().map(|one| format!("{} ({})", one.name, one.hosts.join(", "))).collect();
            self.say(format_args!(
                "<tr><td>{} {}</td><td class=\"text\">{}</td><td>{}</td><td>{} ms</td></tr>",
                arm.letter,
                escaped(&arm.name),
                escaped(&processes.join("; ")),
                arm.databases,
                arm.ready_ms
            ));
        }
        self.say(format_args!("</tbody></table></section>"));
    }

    fn edges(&mut self) {
        let story = self.story;
        let rows: Vec<(char, crate::story::EdgeRow)> = story
            .header()
            .arms
            .iter()
            .flat_map(|arm| story.edges(arm.letter).into_iter().map(|row| (arm.letter, row)))
            .collect();
        if rows.is_empty() || story.header().arms.len() > MOST_CHARTED {
            return;
        }
        self.say(format_args!(
            "<section><h2>Edges</h2><details open><summary>calls between processes, measured phases</summary><table><thead>\
             <tr><th>edge</th><th>arm</th><th>calls</th><th>tries per call</th><th>failed</th><th>worst second's p99</th>\
             <th>breaker open</th></tr></thead><tbody>"
        ));
        for (letter, row) in rows {
            let per_call = (row.calls > 0.0).then(|| row.tries / row.calls);
            self.say(format_args!(
                "<tr><td>{} → {}</td><td>{letter}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{} s</td></tr>",
                escaped(&row.caller),
                escaped(&row.callee),
                count(Some(row.calls)),
                value(per_call, ""),
                value(Some(row.failed / row.tries), "%"),
                escaped(&value(row.worst_p99_ms.map(|ms| ms / 1e3), "s")),
                row.open_s
            ));
        }
        self.say(format_args!("</tbody></table></details></section>"));
    }

    fn events(&mut self) {
        let story = self.story;
        if story.events.is_empty() {
            return;
        }
        self.say(format_args!(
            "<section><h2>Events</h2><details><summary>{} events</summary><table><tbody>",
            story.events.len()
        ));
        let start = story.header().load_start_ns;
        for (t, event) in &story.events {
            let targets: Vec<String> =
                event.targets.iter().map(|(arm, target)| format!("{arm} {target}")).collect();
            let number = if event.number > 0 { event.number.to_string() } else { String::new() };
            self.say(format_args!(
                "<tr><td>{}</td><td>{number}</td><td class=\"text\">{}</td><td class=\"text quiet\">{}</td></tr>",
                load_clock(*t, start, 3),
                escaped(&event.text),
                escaped(&targets.join("; "))
            ));
        }
        self.say(format_args!("</tbody></table></details></section>"));
    }

    fn again(&mut self) {
        let header = self.story.header();
        let machine = &header.machine;
        self.say(format_args!(
            "<section><h2>Again</h2><pre>{}</pre><p class=\"quiet\">Cleave {}, {} build, telemetry {}, schedule {}, \
             load average {:.2} before the run.</p><details><summary>the scenario</summary><pre>{}</pre></details></section>",
            escaped(&header.command.join(" ")),
            escaped(&header.version),
            escaped(&machine.profile),
            escaped(&header.telemetry),
            escaped(&header.schedule_digest),
            machine.load_average,
            escaped(&header.scenario_text)
        ));
    }

    fn glossary(&mut self) {
        self.say(format_args!(
            "<section><h2>Glossary</h2><details><summary>what each measure means</summary><table><tbody>"
        ));
        for (form, means) in scorecard::expect::MEASURES {
            self.say(format_args!(
                "<tr><td><code>{}</code></td><td class=\"text\">{}</td></tr>",
                escaped(form),
                escaped(means)
            ));
        }
        self.say(format_args!("</tbody></table></details></section>"));
    }

    /// Figures for programs, and the script.
    fn foot(&mut self) {
        let story = self.story;
        let data = serde_json::json!({
            "scenario": story.header().scenario,
            "run_id": story.header().run_id,
            "seed": story.header().seed,
            "verdict": story.verdict(),
            "checks": story.checks,
            "scorecard": story.scores,
            "audits": story.audits,
            "lints": story.end.as_ref().map(|end| &end.lints),
        });
        // A script's text ends at the first `</`, wherever it stands.
        let data = data.to_string().replace("</", "<\\/");
        self.say(format_args!(
            "<div id=\"told\" role=\"status\"></div>\n<script type=\"application/json\" id=\"run\">{data}</script>\n\
             <script>\n{SCRIPT}</script>\n</body></html>"
        ));
    }
}

/// What was done, by number.
fn steps(story: &Story) -> String {
    let steps = story.header().steps.iter();
    let told = steps.map(|step| {
        let missing: Vec<String> = step
            .not_applicable
            .iter()
            .map(|(arm, reason)| format!("{arm} not applicable: {reason}"))
            .collect();
        let missing = if missing.is_empty() { String::new() } else { format!(" ({})", missing.join("; ")) };
        escaped(&format!("{} {}{missing}", step.number, step.text))
    });
    told.collect::<Vec<_>>().join(" &middot; ")
}

/// Limits of expectations on latency, ms.
fn latency_limits(story: &Story) -> Vec<(f64, String)> {
    let mut limits: Vec<(f64, String)> = story
        .checks
        .iter()
        .filter(|check| check.unit == "s" && check.arm != '-' && check.text.starts_with('p'))
        .filter_map(|check| Some((check.limit? * 1e3, check.text.clone())))
        .collect();
    limits.dedup();
    limits
}

/// The least positive and the greatest value of all series that share a scale.
fn range<'s>(series: impl Iterator<Item = &'s Series>, more: impl Iterator<Item = f64>) -> (f64, f64) {
    let values = series.flatten().flatten().copied().chain(more).filter(|value| value.is_finite());
    values.fold((f64::INFINITY, 0.0), |(least, most), value| {
        (if value > 0.0 { value.min(least) } else { least }, value.max(most))
    })
}
