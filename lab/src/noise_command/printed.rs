//! The result of `cleave noise`, as a table and as JSON.

use std::io::{self, Write};

use policy::units::Ratio;
use record::{Note, Verdict};
use scorecard::exit_code;
use scorecard::inference::noise::{contradicts, power_at_least};
use serde_json::{Value, json};

use super::tally::Tally;
use crate::result_document;

/// The power of an effect that a run says it could have seen.
const FOUR_IN_FIVE: f64 = 0.80;

/// What was planted.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// CPU that one arm burns beyond the other's, per journey.
    pub share: Ratio,
    /// CPU per journey as it was measured, ms.
    pub cpu_ms: f64,
    /// Probability that a run finds it, from this machine's noise, where it is known.
    pub power: Option<f64>,
}

impl Planted {
    /// The predicted power: from the machine's noise, else by what the runs could have seen.
    pub fn predicted(&self, tally: &Tally) -> Option<f64> {
        let seen = || tally.could_see().filter(|effect| self.share.get() >= *effect).map(|_| FOUR_IN_FIVE);
        self.power.or_else(seen)
    }

    /// Whether so few runs could contradict what is predicted at all, if none of them found it.
    fn can_be_contradicted(&self, tally: &Tally) -> bool {
        self.predicted(tally).is_some_and(|power| contradicts(0, tally.planted_judged, power))
    }

    /// Whether it was found less often than predicted. A prediction is of runs that judge the row: one that withheld it, on a
    /// busy machine for instance, is no evidence against it.
    pub fn is_contradicted(&self, tally: &Tally) -> bool {
        self.predicted(tally).is_some_and(|power| contradicts(tally.found, tally.planted_judged, power))
    }
}

/// The result.
pub struct Printed<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// What was counted.
    pub tally: &'a Tally,
    /// What was planted, if anything.
    pub planted: Option<Planted>,
    /// What became of the machine's noise.
    pub kept: &'a str,
}

impl Printed<'_> {
    /// Exit code: 1 where too many runs were false, or too few found what was planted; 4 where that cannot be known, since
    /// too few runs judged a row, or the planted one, or nothing could be predicted or contradicted.
    pub fn exit_code(&self) -> u8 {
        let (is_known, is_wrong) = match self.planted {
            Some(planted) => (planted.can_be_contradicted(self.tally), planted.is_contradicted(self.tally)),
            None => (self.tally.can_be_false(), self.tally.has_too_many_false()),
        };
        if is_known { u8::from(is_wrong) } else { exit_code(Verdict::Inconclusive) }
    }

    /// The table.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn table(&self, out: &mut impl Write) -> io::Result<()> {
        let tally = self.tally;
        let name = |(window, id): &(String, String)| format!("{id} in {window}");
        let judged = || tally.rows.iter().filter(|(_, row)| row.judged > 0);
        let width = judged().map(|(key, _)| name(key).len()).max().unwrap_or(3);
        writeln!(out, "{:width$}  {:>9}  ratio of B over A, over {} runs", "row", "different", tally.runs)?;
        for (key, row) in judged() {
            let spread =
                row.spread().map_or_else(String::new, |(low, high)| format!("{low:.3} to {high:.3}"));
            writeln!(out, "{:width$}  {:>4} / {:<2}  {spread}", name(key), row.differs, row.judged)?;
        }
        let never: Vec<String> = tally
            .never_judged()
            .map(|(key, note)| format!("{} ({})", name(key), note.map_or("no data", Note::words)))
            .collect();
        if !never.is_empty() {
            writeln!(out, "could differ, never judged: {}", never.join(", "))?;
        }
        for ((note, runs), keys) in tally.partly_judged() {
            let names: Vec<String> = keys.into_iter().map(name).collect();
            writeln!(
                out,
                "not judged in {runs} of {} runs ({}): {}",
                tally.runs,
                note.words(),
                names.join(", ")
            )?;
        }
        match self.planted {
            Some(planted) => self.found(out, &planted)?,
            None => writeln!(out, "{}", false_runs(tally))?,
        }
        writeln!(out, "{}", self.kept)
    }

    fn found(&self, out: &mut impl Write, planted: &Planted) -> io::Result<()> {
        let tally = self.tally;
        writeln!(
            out,
            "{} more than the measured {:.2} ms of CPU per journey: {}",
            planted.share,
            planted.cpu_ms,
            times_found(tally)
        )?;
        match (planted.predicted(tally), tally.could_see()) {
            (Some(power), _) => {
                let verdict = match planted.is_contradicted(tally) {
                    true => "contradicted",
                    false if planted.can_be_contradicted(tally) => "not contradicted",
                    false => "too few runs judged the row to contradict it",
                };
                writeln!(out, "predicted power {power:.2}: {verdict}")
            }
            (None, Some(effect)) => {
                writeln!(
                    out,
                    "no prediction: it takes {:.0} % to be found in four runs of five",
                    effect * 100.0
                )
            }
            (None, None) => writeln!(out, "no prediction: no run judged the CPU"),
        }
    }

    /// The JSON document.
    pub fn document(&self) -> Value {
        let tally = self.tally;
        let row = |((window, id), row): (&(String, String), &super::tally::Row)| {
            let not_judged = row.not_judged.iter().map(|(note, runs)| json!({ "note": note, "runs": runs }));
            json!({
                "id": id, "window": window, "differs": row.differs, "judged": row.judged,
                "ratio": row.spread(), "ratios": row.ratios, "not_judged": not_judged.collect::<Vec<_>>(),
            })
        };
        let never = |((window, id), note): (&(String, String), Option<Note>)| json!({ "id": id, "window": window, "note": note });
        let planted = self.planted.map(|planted| {
            json!({
                "share": planted.share.get(),
                "cpu_per_journey_ms": planted.cpu_ms,
                "judged_runs": tally.planted_judged,
                "found": tally.found,
                "power_at_least": lowest_power(tally),
                "predicted_power": planted.predicted(tally),
                "contradicted": planted.is_contradicted(tally),
            })
        });
        json!({
            "schema_version": result_document::SCHEMA_VERSION,
            "scenario": self.scenario,
            "runs": tally.runs,
            "judged_runs": tally.judged,
            "family": tally.family,
            "false_runs": self.planted.is_none().then_some(tally.false_runs),
            "may_be_false": tally.too_many_false() - 1,
            "planted": planted,
            "rows": tally.rows.iter().map(row).collect::<Vec<_>>(),
            "never_judged": tally.never_judged().map(never).collect::<Vec<_>>(),
        })
    }
}

/// The exact lower bound of power as a user meets it: a run that withheld the row did not find what was planted. `None` where
/// all did, of which nothing follows.
fn lowest_power(tally: &Tally) -> Option<f64> {
    (tally.planted_judged > 0).then(|| power_at_least(tally.found, tally.runs))
}

/// `found in 15 of 20 runs, of which 16 judged the row; power at least 0.54`.
fn times_found(tally: &Tally) -> String {
    let &Tally { runs, planted_judged, found, .. } = tally;
    let Some(power) = lowest_power(tally) else {
        return format!("none of {runs} runs judged the row, and nothing is known of the power");
    };
    let judged = match planted_judged == runs {
        true => String::new(),
        false => format!(", of which {planted_judged} judged the row"),
    };
    format!("found in {found} of {runs} runs{judged}; power at least {power:.2}")
}

/// `1 of 20 runs false; up to 4 may be`.
fn false_runs(tally: &Tally) -> String {
    let &Tally { runs, judged, false_runs, .. } = tally;
    let of = if judged == runs { format!("{runs} runs") } else { format!("{judged} runs that judged a row") };
    let most = match tally.can_be_false() {
        true => format!("up to {} may be", tally.too_many_false() - 1),
        false => "too few to be judged".to_owned(),
    };
    format!("{false_runs} of {of} false; {most}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(tally: &Tally, planted: Option<Planted>) -> String {
        let mut out = Vec::new();
        let printed = Printed { scenario: "hop-tax", tally, planted, kept: "not kept" };
        printed.table(&mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_was_not_judged_or_not_predicted_is_no_pass() {
        let code = |tally: &Tally, planted| {
            Printed { scenario: "hop-tax", tally, planted, kept: "not kept" }.exit_code()
        };
        let aa = |false_runs, judged| Tally { runs: 20, judged, false_runs, ..Tally::default() };
        assert_eq!([aa(4, 20), aa(5, 20), aa(0, 0)].map(|tally| code(&tally, None)), [0, 1, 4]);
        assert_eq!(
            [aa(4, 5), aa(1, 1)].map(|tally| code(&tally, None)),
            [1, 4],
            "of five, and of a single one"
        );
        let planted = |power| Some(Planted { share: Ratio::new(0.10), cpu_ms: 4.0, power });
        let found = |found| Tally { runs: 20, planted_judged: 20, found, ..Tally::default() };
        assert_eq!(code(&found(19), planted(Some(0.97))), 0);
        assert_eq!(code(&found(15), planted(Some(0.97))), 1);
        assert_eq!(code(&found(20), planted(None)), 4, "nothing was predicted");
        let once = Tally { runs: 1, planted_judged: 1, ..Tally::default() };
        assert_eq!(code(&once, planted(Some(0.97))), 4, "missed once in thirty by chance");
    }

    #[test]
    fn the_count_and_what_it_may_be() {
        let of = |judged| printed(&Tally { runs: 20, judged, false_runs: 1, ..Tally::default() }, None);
        assert!(of(20).contains("1 of 20 runs false; up to 4 may be\n"));
        assert!(of(5).contains("1 of 5 runs that judged a row false; up to 2 may be\n"));
        assert!(of(1).contains("1 of 1 runs that judged a row false; too few to be judged\n"));
    }

    #[test]
    fn a_row_that_some_runs_did_not_judge_has_the_reason() {
        let mut tally = Tally { runs: 10, ..Tally::default() };
        let mut add = |id: &str, judged| {
            let row = tally.rows.entry(("steady".into(), id.into())).or_default();
            (row.judged, row.not_judged) = (judged, [(Note::NotSteady, 10 - judged)].into());
        };
        add("cpu_per_journey", 2);
        add("latency_p50", 2);
        add("latency_p999", 0);
        let text = printed(&tally, None);
        let line =
            "not judged in 8 of 10 runs (not steady): cpu_per_journey in steady, latency_p50 in steady\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn what_was_planted_and_how_often_it_was_found() {
        let planted = Planted { share: Ratio::new(0.10), cpu_ms: 4.0, power: Some(0.97) };
        let tally = |found| Tally { runs: 20, planted_judged: 20, found, ..Tally::default() };
        let text = printed(&tally(19), Some(planted));
        assert!(text.contains("found in 19 of 20 runs; power at least 0.78"), "{text}");
        assert!(text.contains("predicted power 0.97: not contradicted"), "{text}");
        assert!(planted.is_contradicted(&tally(15)), "15 of 20 at 0.97");
        let unknown = Planted { power: None, ..planted };
        assert!(!unknown.is_contradicted(&tally(0)), "nothing was predicted");
    }

    #[test]
    fn a_run_that_withheld_the_row_is_no_evidence_against_the_prediction() {
        let planted = Planted { share: Ratio::new(0.10), cpu_ms: 4.0, power: Some(0.97) };
        let shown = |tally: &Tally| {
            let result = Printed { scenario: "hop-tax", tally, planted: Some(planted), kept: "not kept" };
            (printed(tally, Some(planted)), result.document()["planted"].clone(), result.exit_code())
        };
        // 15 of 20 contradict 0.97, 15 of 16 do not; that five of twenty runs found nothing stays in the bound.
        let (text, document, code) =
            shown(&Tally { runs: 20, planted_judged: 16, found: 15, ..Tally::default() });
        assert!(
            text.contains("found in 15 of 20 runs, of which 16 judged the row; power at least 0.54"),
            "{text}"
        );
        assert!(text.contains("predicted power 0.97: not contradicted\n"), "{text}");
        let of_all = power_at_least(15, 20);
        assert_eq!((&document["judged_runs"], &document["found"]), (&json!(16), &json!(15)));
        assert_eq!((&document["power_at_least"], &document["contradicted"]), (&json!(of_all), &json!(false)));
        assert_eq!(code, 0);

        let (text, document, code) = shown(&Tally { runs: 20, ..Tally::default() });
        assert!(
            text.contains(": none of 20 runs judged the row, and nothing is known of the power\n"),
            "{text}"
        );
        assert!(
            text.contains("predicted power 0.97: too few runs judged the row to contradict it\n"),
            "{text}"
        );
        assert_eq!((&document["judged_runs"], &document["power_at_least"]), (&json!(0), &Value::Null));
        assert_eq!(code, 4);
    }
}
