//! From what happened to the record's last line: hits, symptoms, checks, scores, verdict.

use record::{End, Entry, MachineSpeed, Tracing, Verdict};
use scenario::{Assertion, Scenario};
use scorecard::{Circumstances, Engine, judge, lints};

use crate::observe::record_writer::RecordWriter;
use crate::steps::log::Steps;

/// How many of the last seconds the lag of the generator is read from.
const LAG_WINDOW_SECONDS: u32 = 5;

/// All expectations, each with its list.
pub(crate) fn assertions(scenario: &Scenario) -> impl Iterator<Item = (&'static str, &Assertion)> {
    let valid = scenario.valid.iter().map(|assertion| ("valid", assertion));
    valid.chain(scenario.check.iter().map(|assertion| ("check", assertion)))
}

/// Steps that had a target in an arm and hit nothing there. In rounds every arm has its turn.
pub(crate) fn steps_without_hits(scenario: &Scenario, record: &RecordWriter, log: &Steps) -> Vec<String> {
    let plans =
        record.query(|tally| (tally.header.steps.clone(), tally.header.arms.clone())).unwrap_or_default();
    let mut steps_without_hits = Vec::new();
    // Withheld faults are reported by their reason.
    if !log.withheld.is_empty() {
        return steps_without_hits;
    }
    for (step, plan) in scenario.steps.iter().zip(&plans.0) {
        let can = |arm: &&record::Arm| {
            !plan.not_applicable.contains_key(&arm.letter)
                && !log.degraded.contains_key(&(step.number, arm.letter))
        };
        for arm in plans.1.iter().filter(can) {
            if log.hits.get(&(step.number, arm.letter)).copied().unwrap_or(0) == 0 {
                steps_without_hits
                    .push(format!("step {} (`{}`) hit nothing in {}", step.number, step.id, arm.name));
            }
        }
    }
    steps_without_hits
}

/// Steps that had a target in no arm: what they claim to test never happened.
pub(crate) fn inapplicable_steps(scenario: &Scenario, record: &RecordWriter, log: &Steps) -> Vec<String> {
    let (plans, arms) =
        record.query(|tally| (tally.header.steps.clone(), tally.header.arms.clone())).unwrap_or_default();
    // Withheld faults are reported by their reason.
    if !log.withheld.is_empty() {
        return Vec::new();
    }
    let steps = scenario.steps.iter().zip(&plans);
    let nowhere =
        steps.filter(|(_, plan)| arms.iter().all(|arm| plan.not_applicable.contains_key(&arm.letter)));
    let sentences = nowhere.map(|(step, plan)| {
        let mut reasons: Vec<&str> = plan.not_applicable.values().map(String::as_str).collect();
        reasons.dedup();
        format!("step {} (`{}`) was applicable in no arm: {}", step.number, step.id, reasons.join("; "))
    });
    sentences.collect()
}

/// What is known of the measuring itself when a run is over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measuring {
    /// What became of the spans that reached the lab.
    pub tracing: Tracing,
    /// How fast the machine is now; `None` of a run that was interrupted.
    pub speed: Option<MachineSpeed>,
}

/// Writes checks and scores; returns how the run ends.
pub(crate) fn conclude(
    scenario: &Scenario,
    record: &RecordWriter,
    notes: &Circumstances,
    engine: &Engine,
    interrupted: bool,
    measured: Measuring,
) -> End {
    let (mut checks, mut valid) = (Vec::new(), Vec::new());
    for (id, (list, assertion)) in assertions(scenario).enumerate() {
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        if list == "valid" {
            valid.extend(record.query(|run| judge::premises(run, id, &assertion.that)).unwrap_or_default());
            continue;
        }
        let mut results =
            record.query(|run| judge::checks_with(run, id, &assertion.that, engine)).unwrap_or_default();
        record.query(|run| {
            let doubts = lints::doubts(run, &assertion.that);
            judge::limit_checks(run, &assertion.that, &doubts, &mut results);
        });
        checks.extend(results);
    }
    for check in valid.iter().chain(&checks) {
        record.append(Entry::Check(check.clone()));
    }
    for score in record.query(|run| scorecard::scorecard_with(run, engine)).unwrap_or_default() {
        record.append(Entry::Score(Box::new(score)));
    }
    let notes = Circumstances {
        no_symptom: steps_without_symptom(scenario, record, notes),
        tracing: measured.tracing,
        ..notes.clone()
    };
    let mut lints = record.query(|tally| scorecard::lints(tally, &notes)).unwrap_or_default();
    for check in valid.iter().filter(|check| check.verdict == Verdict::Fail) {
        lints.push(lints::lint("valid", format!("`{}` does not hold", check.text)));
    }
    if valid.is_empty() && checks.is_empty() {
        let text = "the scenario expects nothing; write [expect] with check = [\"errors(all) < 1%\"]";
        lints.push(lints::lint("nothing_judged", text.into()));
    }
    let verdict = judge::verdict(&valid, &checks, &lints);
    let (verdict, exit_code) = if interrupted {
        (None, judge::EXIT_INTERRUPTED)
    } else {
        (Some(verdict), judge::exit_code(verdict))
    };
    let generator = ["generator", "generator_lag", "generator_slots", "generator_cpu", "pace"];
    End {
        verdict,
        exit_code,
        generator_saturated: lints.iter().any(|lint| generator.contains(&lint.name.as_str())),
        noisy: record.query(lints::is_noisy).unwrap_or(false),
        pss_mib_peak: record.query(peak_pss_mib).unwrap_or(0.0),
        lints,
        lines: record.counts(),
        dropped_updates: record.dropped(),
        tracing: measured.tracing,
        speed: measured.speed,
    }
}

/// Steps that hit something without the symptom that they name.
fn steps_without_symptom(scenario: &Scenario, record: &RecordWriter, notes: &Circumstances) -> Vec<String> {
    if !notes.withheld.is_empty() {
        return Vec::new();
    }
    let seen = |step: &scenario::Step, that: &scorecard::Expectation| {
        let (from, to) =
            (step.start_ns / 1_000_000_000, (step.start_ns + step.length_ns).div_ceil(1_000_000_000));
        let that = that.over_seconds(u32::try_from(from).unwrap_or(0), u32::try_from(to).unwrap_or(u32::MAX));
        let checks = record.query(|tally| judge::conditions(tally, &that)).unwrap_or_default();
        checks.iter().any(|check| check.verdict == Verdict::Pass)
    };
    let played = |step: &&scenario::Step| notes.degraded.iter().all(|(number, _)| *number != step.number);
    let silent = scenario.steps.iter().filter(played).filter_map(|step| {
        let that = step.symptom.as_ref()?;
        (!seen(step, that))
            .then(|| format!("step {} (`{}`): `{}` was not seen", step.number, step.id, that.text))
    });
    silent.collect()
}

/// Lateness of the generator's pacer at the median of the seconds before this one of the load, us.
pub(crate) fn generator_lag_us(tally: &model::Run, second: u32) -> Option<u64> {
    let recent = model::Window::Seconds(second.saturating_sub(LAG_WINDOW_SECONDS), second);
    let window = tally.whole(&recent);
    // Arms that take turns have their seconds one after another: the latest to be late counts.
    let late = |arm| tally.merged(arm, &window, "all", |window| &window.pace_lag).quantile(0.5);
    tally.letters().into_iter().filter_map(late).max()
}

/// PSS of everything now, the lab included, MiB.
pub(crate) fn pss_mib(tally: &model::Run) -> f64 {
    tally.all_hosts().map(|host| host.pss_kib).last().unwrap_or(0) as f64 / 1024.0
}

/// Highest PSS of everything, the lab included, MiB.
fn peak_pss_mib(tally: &model::Run) -> f64 {
    tally.all_hosts().map(|host| host.pss_kib).max().unwrap_or(0) as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const STEPS: &str = r#"[[step]]
id = "slow"
in = "steady"
do = "delay"
on = "feed->profile"
by = "10ms"
at = "+1s"
for = "1s"
"#;

    fn unhit(change: impl FnOnce(&mut Steps)) -> Vec<String> {
        let (record, _folder) = fixture::record();
        let text = fixture::two_arms(STEPS);
        record.append(Entry::Header(Box::new(fixture::header_of(&text))));
        let mut steps = Steps::default();
        change(&mut steps);
        steps_without_hits(&fixture::scenario(&text), &record, &steps)
    }

    #[test]
    fn a_step_that_hit_nothing_is_named_unless_there_is_a_reason() {
        let silent = unhit(|_| {});
        assert_eq!(silent.len(), 1, "{silent:?}: in `mono` it had no target");
        assert!(silent[0].contains("`slow`") && silent[0].ends_with("in micro"), "{silent:?}");
        assert_eq!(unhit(|steps| steps.hits.extend([((1, 'A'), 1)])), [""; 0]);
        assert_eq!(unhit(|steps| steps.degraded.extend([((1, 'A'), "no group".into())])), [""; 0]);
        assert_eq!(unhit(|steps| steps.withheld.push("the gate is closed".into())), [""; 0]);
    }

    #[test]
    fn a_step_without_a_target_in_any_arm_is_named_with_the_reason() {
        let nowhere = |arms: &[&str]| {
            let (record, _folder) = fixture::record();
            let text = fixture::two_arms(STEPS);
            let mut header = fixture::header_of(&text);
            header.arms.retain(|arm| arms.contains(&arm.name.as_str()));
            record.append(Entry::Header(Box::new(header)));
            inapplicable_steps(&fixture::scenario(&text), &record, &Steps::default())
        };
        assert_eq!(nowhere(&["micro", "mono"]), [""; 0], "in `micro` the edge is a call");
        let in_mono = nowhere(&["mono"]);
        assert!(
            matches!(in_mono.as_slice(), [one] if one.starts_with("step 1 (`slow`) was applicable in no arm: ")
                && one.contains("function call")),
            "{in_mono:?}"
        );
    }

    #[test]
    fn a_run_that_judges_nothing_or_not_everything_is_inconclusive() {
        let lints = |more: &str, arms: &[&str]| {
            let (record, _folder) = fixture::record();
            let text = fixture::two_arms(more);
            let mut header = fixture::header_of(&text);
            header.arms.retain(|arm| arms.contains(&arm.name.as_str()));
            record.append(Entry::Header(Box::new(header)));
            let scenario = fixture::scenario(&text);
            let end = conclude(
                &scenario,
                &record,
                &Circumstances::default(),
                &Engine::default(),
                false,
                Measuring::default(),
            );
            end.lints.into_iter().map(|lint| (lint.name, lint.verdict, lint.text)).collect::<Vec<_>>()
        };
        let has = |lints: &[(String, Verdict, String)], name: &str, text: &str| {
            lints.iter().any(|(found, verdict, message)| {
                found == name && *verdict == Verdict::Inconclusive && message.contains(text)
            })
        };
        let both = ["micro", "mono"];
        assert!(has(&lints("", &both), "nothing_judged", "expects nothing"));
        let claims = "[expect]\ncheck = [\"errors(all) < 1%\", \"errors(all) for mono < 1%\"]\n";
        let part = lints(claims, &["micro"]);
        assert!(has(&part, "not_judged", "1 of 2 claims not judged"), "{part:?}");
        let whole = lints(claims, &both);
        assert!(!has(&whole, "not_judged", "") && !has(&whole, "nothing_judged", ""), "{whole:?}");
    }

    #[test]
    fn an_interrupted_run_has_no_verdict_and_every_other_one() {
        let (record, _folder) = fixture::record();
        record.append(Entry::Header(Box::new(fixture::header_line())));
        let scenario = fixture::scenario(&fixture::two_arms(""));
        let end = |interrupted| {
            let measured = Measuring::default();
            conclude(&scenario, &record, &Circumstances::default(), &Engine::default(), interrupted, measured)
        };
        assert_eq!((end(true).verdict, end(true).exit_code), (None, judge::EXIT_INTERRUPTED));
        let judged = end(false);
        assert_eq!(judged.verdict, Some(Verdict::Invalid), "nothing was measured: {:?}", judged.lints);
        assert_eq!(judged.exit_code, judge::exit_code(Verdict::Invalid));
    }
}
