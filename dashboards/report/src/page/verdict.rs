//! How a run turned out, and what makes it hard to believe.

use super::Page;
use crate::escaped;
use model::Run;

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
            let word = lint.verdict.word();
            self.write(format_args!(
                "<p class=\"{word}\">{} {word}, {}: {}</p>",
                lint.verdict.sign(),
                escaped(&lint.name),
                escaped(&lint.text)
            ));
        }
        for (is_so, text) in [
            (end.generator_saturated, "the generator fell behind: its figures are void"),
            (end.noisy, "the machine was busy: processes waited for a CPU half of the time"),
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

/// The day and minute of a wall clock's microseconds, UTC: `2026-11-26 10:15 UTC`. Days to dates as in Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms" (`civil_from_days`).
pub(crate) fn date(wall_us: i64) -> String {
    let seconds = wall_us.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", second / 3_600, second / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        // 2024 has a 29th of February, 60 days after its first.
        assert_eq!(date((1_704_067_200 + 59 * 86_400 + 3_661) * 1_000_000), "2024-02-29 01:01 UTC");
        assert_eq!(date(1_767_225_599_000_000), "2025-12-31 23:59 UTC");
        assert_eq!(date(-1), "1969-12-31 23:59 UTC");
    }
}
