//! How the run turned out: expectations, scores, audits, and the verdict in a word.

use std::collections::BTreeMap;

use record::{Audit, Better, Check, ExpectationPlan, Score, Verdict};

use crate::format;
use crate::history::until;
use crate::limit;
use crate::run::Run;
use crate::score_rows::parts_below_totals;
use crate::shell;

/// An expectation with its last check in each arm: none before it is first judged.
pub type ExpectationChecks<'a> = (&'a ExpectationPlan, Vec<&'a Check>);

/// Two figures nearer than this share of the first are called the same before they are judged.
pub const SAME_SHARE: f64 = 0.03;

/// From this share worse than the other arm's on, a figure is marked while a run goes on.
pub const WORSE_SHARE: f64 = 0.1;

/// Whether a figure is more than [`WORSE_SHARE`] worse than another.
pub fn is_much_worse(better: Better, figure: f64, other: f64) -> bool {
    match better {
        Better::Higher => figure < other * (1.0 - WORSE_SHARE),
        Better::Lower => figure > other * (1.0 + WORSE_SHARE),
        Better::Neither => false,
    }
}

/// Whether `b` is better than `a` by more than [`SAME_SHARE`]; `None` where they count as the same.
pub fn is_clearly_better(better: Better, a: f64, b: f64) -> Option<bool> {
    let is_same = (b - a).abs() <= a.abs() * SAME_SHARE;
    if is_same { None } else { is_better(better, a, b) }
}

impl Run {
    /// What commands call it, as a shell reads it: the end of its id; `last` where it has none.
    pub fn short_id(&self) -> String {
        match self.header.run_id.rsplit('-').next() {
            None | Some("") => "last".to_owned(),
            Some(end) => shell::command_line(&[end.to_owned()]),
        }
    }

    /// The verdict in a word, for runs that were cut short as well.
    pub fn verdict(&self) -> &'static str {
        match self.end.as_ref().map(|end| end.verdict) {
            Some(Some(verdict)) => verdict.word(),
            Some(None) => "interrupted",
            None => "invalid",
        }
    }

    /// The same as a heading has it: `predicted pass` of a simulated run, whose verdict stands in for no live one.
    pub fn verdict_words(&self) -> String {
        let is_judged = self.end.as_ref().is_some_and(|end| end.verdict.is_some());
        let lead = if self.is_simulated() && is_judged { "predicted " } else { "" };
        format!("{lead}{}", self.verdict())
    }

    /// Highest PSS of everything that ran, MiB; `None` before the end, and of a simulated run, in which nothing did.
    pub fn peak_pss_mib(&self) -> Option<f64> {
        self.end.as_ref().filter(|_| !self.is_simulated()).map(|end| end.pss_mib_peak)
    }

    /// The last check of each expectation and arm, in the order of the file.
    pub fn checks(&self) -> Vec<&Check> {
        self.last_checks(u64::MAX).into_values().collect()
    }

    /// Every expectation with its last check in each arm at `t`, in the file's order.
    pub fn checks_until(&self, t: u64) -> Vec<ExpectationChecks<'_>> {
        let last = self.last_checks(t);
        let standing = |plan: &ExpectationPlan| {
            last.range((plan.id, '\0')..=(plan.id, char::MAX)).map(|(_, check)| *check).collect()
        };
        self.header.expectations.iter().map(|plan| (plan, standing(plan))).collect()
    }

    /// An expectation that changed is written again: the last counts.
    fn last_checks(&self, t: u64) -> BTreeMap<(u32, char), &Check> {
        until(&self.checks, t).iter().map(|(_, check)| ((check.id, check.arm), check)).collect()
    }

    /// Checks that hold, and all.
    pub fn held(&self) -> (usize, usize) {
        let checks = self.checks();
        (checks.iter().filter(|check| check.verdict == Verdict::Pass).count(), checks.len())
    }

    /// The plan of a check's expectation.
    pub fn plan_of(&self, check: &Check) -> Option<&ExpectationPlan> {
        self.header.expectations.iter().find(|plan| plan.id == check.id)
    }

    /// What the file has beside a check: why it should hold, and its line; empty without.
    pub fn reason_of(&self, check: &Check) -> (&str, u32) {
        self.plan_of(check).map_or(("", 0), |plan| (plan.why.as_str(), plan.line))
    }

    /// A check's verdict for a collector of tests: where the run, or the premise it is, cannot be believed, what does
    /// not hold is invalid rather than failed.
    pub fn verdict_of(&self, check: &Check) -> Verdict {
        let is_premise = self.plan_of(check).is_some_and(|plan| plan.list == "valid");
        let is_void = self.verdict() == Verdict::Invalid.word();
        if check.verdict == Verdict::Fail && (is_premise || is_void) {
            Verdict::Invalid
        } else {
            check.verdict
        }
    }

    /// The name of a check's arm; none where it is of no single arm.
    pub fn arm_name_of(&self, check: &Check) -> Option<&str> {
        self.header.arms.iter().find(|arm| arm.letter == check.arm).map(|arm| arm.name.as_str())
    }

    /// `violated since 00:12.5`, on the load's clock as charts have it; empty where it is not known.
    pub fn violated_since(&self, check: &Check) -> String {
        check.since_ns.map_or_else(String::new, |ns| {
            format!("violated since {}", format::load_clock(ns, self.load_start(), 1))
        })
    }

    /// What a check found, in a sentence: `187ms where the limit is 150ms (n=4812)`.
    pub fn finding_of(&self, check: &Check) -> String {
        if check.value.is_none() && check.limit.is_none() && !check.reason.is_empty() {
            return check.reason.clone();
        }
        let (value, limit) = limit::value_and_limit(check);
        let mut found =
            format!("{value} where the limit is {limit} (n={})", format::count(Some(check.n as f64)));
        for more in [&self.violated_since(check), &check.reason] {
            if !more.is_empty() {
                found += &format!("; {more}");
            }
        }
        found
    }

    /// Puts other rows in the place of those that the record has: the same figures, judged again.
    pub fn replace_scores(&mut self, scores: impl IntoIterator<Item = Score>) {
        let t = self.now;
        self.scores = scores.into_iter().map(|score| (t, score)).collect();
    }

    /// Rows of the scorecard, in their order.
    pub fn scores(&self) -> Vec<&Score> {
        self.scores_until(u64::MAX)
    }

    /// Rows of the scorecard known at `t`: parts follow the row they are a part of.
    pub fn scores_until(&self, t: u64) -> Vec<&Score> {
        parts_below_totals(until(&self.scores, t).iter().map(|(_, score)| score).collect())
    }

    /// Rows by the claim they test, in the order claims first come.
    pub fn scores_by_claim(&self) -> Vec<(&str, Vec<&Score>)> {
        self.scores_by_claim_until(u64::MAX)
    }

    /// The same of the rows known at `t`.
    pub fn scores_by_claim_until(&self, t: u64) -> Vec<(&str, Vec<&Score>)> {
        let mut claims: Vec<(&str, Vec<&Score>)> = Vec::new();
        for score in self.scores_until(t) {
            match claims.iter_mut().find(|(claim, _)| *claim == score.claim) {
                Some((_, rows)) => rows.push(score),
                None => claims.push((score.claim.as_str(), vec![score])),
            }
        }
        claims
    }

    /// What the audits of acknowledged writes found, one an arm, rounds added up.
    pub fn audits(&self) -> Vec<Audit> {
        let mut arms: Vec<Audit> = Vec::new();
        for audit in self.audits.values() {
            match arms.last_mut().filter(|sum| sum.arm == audit.arm) {
                Some(sum) => add(sum, audit),
                None => arms.push(audit.clone()),
            }
        }
        arms
    }

    /// What the audits found in an arm, rounds added up.
    pub fn audit(&self, arm: char) -> Option<Audit> {
        self.audits().into_iter().find(|audit| audit.arm == arm)
    }

    /// What the audit of one round found in an arm.
    pub fn audit_of(&self, arm: char, round: u32) -> Option<&Audit> {
        self.audits.get(&(arm, round))
    }
}

fn add(sum: &mut Audit, other: &Audit) {
    sum.round = other.round;
    sum.acknowledged += other.acknowledged;
    sum.found += other.found;
    sum.lost += other.lost;
    sum.unverified += other.unverified;
    sum.duplicated += other.duplicated;
    sum.unacknowledged += other.unacknowledged;
    sum.orphaned += other.orphaned;
    sum.state_digest.clone_from(&other.state_digest);
}

/// Samples of a row: the smallest of its arms.
pub fn samples_of(score: &Score) -> Option<u64> {
    score.arms.values().map(|measured| measured.n).min()
}

/// Whether B is better than A: only where the finding is that they differ.
pub fn is_b_better(score: &Score) -> Option<bool> {
    let values: Vec<f64> = score.arms.values().filter_map(|measured| measured.value).collect();
    let [a, b, ..] = values[..] else { return None };
    if score.finding != "differs" { None } else { is_better(score.better, a, b) }
}

/// Whether `b` is better than `a`; `None` where they are equal or neither is good.
pub fn is_better(better: Better, a: f64, b: f64) -> Option<bool> {
    match better {
        _ if a == b => None,
        Better::Neither => None,
        Better::Higher => Some(b > a),
        Better::Lower => Some(b < a),
    }
}

#[cfg(test)]
mod tests {
    use record::{Entry, Line};

    use super::*;

    #[test]
    fn commands_call_a_run_by_the_end_of_its_id() {
        let called = |id: &str| {
            let mut run = Run::default();
            run.header.run_id = id.into();
            run.short_id()
        };
        assert_eq!(called("20261126-101500-a7f3"), "a7f3");
        assert_eq!(called("kept"), "kept");
        assert_eq!(called(""), "last");
        assert_eq!(called("x-a b\u{1b}"), "$'a b\\033'", "it is read from a file");
    }

    #[test]
    fn rounds_add_up_and_a_later_line_of_a_round_replaces_the_earlier() {
        let audit = |arm, round, lost, digest: Option<&str>| Audit {
            arm,
            round,
            acknowledged: 10,
            found: 10 - lost,
            lost,
            state_digest: digest.map(str::to_owned),
            ..Audit::default()
        };
        let mut run = Run::default();
        for audit in [
            audit('A', 1, 1, None),
            audit('A', 1, 1, Some("x")),
            audit('B', 1, 0, None),
            audit('A', 2, 2, None),
        ] {
            run.add(&Line { t: 0, entry: Entry::Audit(audit) });
        }
        let sums: Vec<(char, u64, u64)> =
            run.audits().iter().map(|sum| (sum.arm, sum.acknowledged, sum.lost)).collect();
        assert_eq!(sums, [('A', 20, 3), ('B', 10, 0)]);
    }
}
