//! How a run turned out, and what makes it hard to believe.

use super::Page;
use crate::escaped;
use model::Run;
use model::date::CivilTime;

impl Page<'_> {
    pub(super) fn verdict(&mut self) {
        self.write(format_args!("<header id=\"verdict\">"));
        for (index, run) in self.runs.clone().into_iter().enumerate() {
            self.outcome(index, run);
        }
        if let Some(comparison) = self.comparison {
            for warning in &comparison.warnings {
                self.write(format_args!("<p class=\"invalid\">! {}</p>", escaped(warning)));
            }
            if comparison.warnings.is_empty() {
                self.quiet("Both runs have the same scenario, seed, schedule, machine and version.");
            }
        }
        self.links_at = self.html.len();
        self.write(format_args!("</header>"));
    }

    fn outcome(&mut self, index: usize, run: &Run) {
        let header = &run.header;
        let (held, all) = run.held();
        let word = run.verdict();
        let name = self.run_name(index);
        let name = if name.is_empty() { name } else { format!("{name}: ") };
        let heading = if index == 0 { "h1" } else { "h2" };
        self.write(format_args!(
            "<{heading}>{name}<span class=\"verdict {word}\">{word}</span> {}</{heading}>",
            escaped(&header.scenario)
        ));
        // The claim of a scenario is the same in both runs of it.
        if index == 0 || header.title != self.runs[0].header.title {
            self.write(format_args!("<p>{}</p>", escaped(&header.title)));
            self.quiet(&header.why);
        }
        let answer = scorecard::answer::answer(run);
        if !answer.is_empty() {
            let items: String = answer.iter().map(|line| format!("<li>{}</li>", escaped(line))).collect();
            self.write(format_args!("<ul class=\"answer\">{items}</ul>"));
        }
        let rounds = if header.rounds > 1 { format!(" in {} rounds", header.rounds) } else { String::new() };
        let peak = run.end.as_ref();
        let peak = peak.map_or_else(String::new, |end| format!(", at most {:.0} MiB", end.pss_mib_peak));
        self.write(format_args!(
            "<p>{held} of {all} expectations hold. Seed {}, {}{rounds}, run {} of {}, Cleave {}, on {} x {}, Linux {}{peak}.</p>",
            header.seed,
            escaped(&header.way),
            escaped(&header.run_id),
            date(header.wall_us),
            escaped(&header.version),
            header.machine.cores,
            escaped(&header.machine.cpu),
            escaped(&header.machine.kernel)
        ));
        let Some(end) = &run.end else {
            self.write(format_args!(
                "<p class=\"invalid\">! invalid: the record has no end; the run was cut short.</p>"
            ));
            return;
        };
        for lint in &end.lints {
            let word = lint.word();
            let class = if lint.is_note() { "quiet" } else { word };
            self.write(format_args!(
                "<p class=\"{class}\">{} {word}, {}: {}</p>",
                lint.sign(),
                escaped(&lint.name),
                escaped(&lint.text)
            ));
        }
        for (is_so, text) in [
            (end.generator_saturated, "the generator fell behind: its figures are void"),
            (
                end.noisy && !end.lints.iter().any(|lint| lint.name == "noisy"),
                "the machine was busy: processes waited for a CPU half of the time",
            ),
        ] {
            if is_so {
                self.write(format_args!("<p class=\"inconclusive\">~ {text}</p>"));
            }
        }
        if end.dropped_updates > 0 {
            self.quiet(&format!("Views missed {} updates; the record has them.", end.dropped_updates));
        }
    }
}

/// The day and minute of a wall clock's microseconds, UTC: `2026-11-26 10:15 UTC`.
pub(crate) fn date(wall_us: i64) -> String {
    let CivilTime { year, month, day, hour, minute, .. } = CivilTime::of_wall_us(wall_us);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn a_run_is_dated_to_the_minute() {
        assert_eq!(date(1_704_067_200_000_000 + 3_661_000_000), "2024-01-01 01:01 UTC");
    }
}
