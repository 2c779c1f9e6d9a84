//! Whether a fault may be injected: what must hold before the first one, and how much may be hit at once.

use record::Verdict;
use scenario::{Budget, Scenario, Step};
use scorecard::{Expectation, judge};

use crate::observe::record_writer::RecordWriter;

/// Why nothing is injected: an expectation that must hold before the first fault does not. Judged once, at the first
/// fault.
pub(super) fn unmet_condition(scenario: &Scenario, step: &Step, record: &RecordWriter) -> Option<String> {
    let faults = scenario.steps.iter().filter(|step| step.action.fault().is_some());
    let first = faults.map(|step| step.start_ns).min()?;
    if step.start_ns > first {
        return None;
    }
    let plan = scenario.plan();
    let is_over =
        |name: &str| plan.iter().any(|phase| phase.name == name && phase.start_ns + phase.length_ns <= first);
    let is_broken = |that: &Expectation| {
        let phases = that.phases();
        !phases.is_empty()
            && phases.iter().all(|phase| is_over(phase))
            && verdicts(that, record).contains(&Verdict::Fail)
    };
    let assertion = scenario.valid.iter().find(|assertion| is_broken(&assertion.that))?;
    Some(format!("`{}` does not hold before the first fault", assertion.that.text))
}

fn verdicts(that: &Expectation, record: &RecordWriter) -> Vec<Verdict> {
    let checks = record.query_judgeable(|run| judge::conditions(run, that)).unwrap_or_default();
    checks.iter().map(|check| check.verdict).collect()
}

/// Why a fault on `names` would exceed the scenario's budget, given the faults in force and the number of copies.
pub(super) fn exceeded_budget(
    budget: &Budget,
    step: u32,
    names: &[String],
    active: &[(u32, &str)],
    copies: usize,
) -> Option<String> {
    let mut steps: Vec<u32> = active.iter().map(|(step, _)| *step).collect();
    steps.sort_unstable();
    steps.dedup();
    if budget.faults.is_some_and(|most| steps.len() as u32 >= most) {
        return Some(format!(
            "step {step}: {} faults are in force already, the most that `budget` allows",
            steps.len()
        ));
    }
    let most = budget.blast?;
    let mut hit: Vec<&str> = active.iter().map(|(_, name)| *name).collect();
    hit.extend(names.iter().map(String::as_str));
    hit.sort_unstable();
    hit.dedup();
    (hit.len() as f64 > most.get() * copies as f64).then(|| {
        format!(
            "step {step}: {} of {copies} copies would be hit at once, and `budget` allows {most}",
            hit.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use policy::units::Ratio;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn as_many_faults_may_be_in_force_as_the_budget_allows() {
        let budget = Budget { faults: Some(2), ..Budget::default() };
        let exceeded = |active: &[(u32, &str)]| exceeded_budget(&budget, 9, &names(&["feed#0"]), active, 3);
        assert_eq!(exceeded(&[(1, "feed#0"), (1, "feed#1")]), None, "one step on two copies is one fault");
        let reason = exceeded(&[(1, "feed#0"), (2, "feed#1"), (1, "feed#2")]).expect("two faults");
        assert!(reason.contains("step 9") && reason.contains("2 faults"), "{reason}");
    }

    #[test]
    fn a_copy_that_is_hit_twice_counts_once() {
        let budget = Budget { blast: Some(Ratio::new(0.5)), ..Budget::default() };
        let exceeded = |hit: &[&str]| exceeded_budget(&budget, 9, &names(hit), &[(1, "feed#0")], 4);
        assert_eq!(exceeded(&["feed#0", "feed#1"]), None, "two of four");
        assert!(exceeded(&["feed#1", "feed#2"]).expect("three of four").contains("3 of 4 copies"));
    }
}
