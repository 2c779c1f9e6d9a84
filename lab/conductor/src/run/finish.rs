//! From what happened to the last line: plans for the header, hits, states, checks, scores, verdict.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use node::control::StateDigest;
use record::{End, Entry, ExpectationPlan, JourneyPlan, Lint, StepPlan, Verdict};
use scenario::{Assertion, Scenario};
use scorecard::{Circumstances, judge};

use crate::arm::Arm;
use crate::observe::record_writer::RecordWriter;
use crate::process::control::ControlClient;
use crate::steps::targets::{self, ArmLayout, ResolvedTarget};
use crate::steps::timeline::StepLog;

/// Time states of a run without faults have to become equal: events travel.
const STATE_SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often they are compared.
const STATE_POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Share of time runnable tasks waited from which latencies of arms that ran
/// side by side are not compared.
const NOISY_STALL_SHARE: f64 = 0.5;
/// How far back a generator that is late is looked at.
const LAG_WINDOW_SECONDS: u32 = 5;

/// The expectations, for the header.
pub(crate) fn expectation_plans(scenario: &Scenario) -> Vec<ExpectationPlan> {
    assertions(scenario)
        .enumerate()
        .map(|(id, (list, assertion))| ExpectationPlan {
            id: u32::try_from(id).unwrap_or(u32::MAX),
            list: list.to_owned(),
            text: assertion.that.text.clone(),
            why: assertion.why.clone(),
            line: assertion.line,
        })
        .collect()
}

fn assertions(scenario: &Scenario) -> impl Iterator<Item = (&'static str, &Assertion)> {
    let valid = scenario.valid.iter().map(|assertion| ("valid", assertion));
    valid.chain(scenario.check.iter().map(|assertion| ("check", assertion)))
}

/// The journeys, for the header.
pub(crate) fn journey_plans(scenario: &Scenario) -> Vec<JourneyPlan> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    scenario
        .load
        .journeys()
        .into_iter()
        .map(|journey| JourneyPlan {
            name: journey.name().to_owned(),
            needs: owned(journey.depends_on()),
            groups: owned(journey.groups()),
        })
        .collect()
}

/// The steps, for the header.
pub(crate) fn step_plans(scenario: &Scenario, arms: &[record::Arm], seed: u64) -> Vec<StepPlan> {
    let components = suite::components();
    let layout = |arm: &record::Arm| {
        let planned = scenario.arms.iter().find(|planned| planned.name == arm.name)?;
        let processes = planned.placement.resolve(&components).ok()?;
        Some(crate::run::planned_layout(planned, &processes))
    };
    let layouts: Vec<(char, Option<ArmLayout>)> = arms.iter().map(|arm| (arm.letter, layout(arm))).collect();
    let plan = |step: &scenario::Step| {
        let reason = |(letter, layout): &(char, Option<ArmLayout>)| match targets::resolve(
            step,
            layout.as_ref()?,
            seed,
        ) {
            ResolvedTarget::Instances(_) | ResolvedTarget::Outside => None,
            ResolvedTarget::NotApplicable(reason) => Some((*letter, reason)),
        };
        StepPlan {
            number: step.number,
            id: step.id.clone(),
            text: format!("{} {}", step.on, step.action),
            hits: targets::components_of(step),
            start_ns: step.start_ns,
            length_ns: step.length_ns,
            is_fault: step.action.fault().is_some(),
            not_applicable: layouts.iter().filter_map(reason).collect(),
        }
    };
    scenario.steps.iter().map(plan).collect()
}

/// Steps that had a target in an arm and hit nothing there. In rounds every arm has its turn.
pub(crate) fn steps_without_hits(scenario: &Scenario, record: &RecordWriter, log: &StepLog) -> Vec<String> {
    let plans =
        record.query(|tally| (tally.header.steps.clone(), tally.header.arms.clone())).unwrap_or_default();
    let mut steps_without_hits = Vec::new();
    // What was withheld is said by its reason.
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

/// The final state of each arm, by component. Where all must agree they get time to: until no event is under way, and
/// those asked together say the same.
pub(crate) async fn final_states(
    arms: &[Arc<Arm>],
    control: &ControlClient,
    must_agree: bool,
) -> BTreeMap<char, String> {
    let until = runtime::clock::now() + STATE_SETTLE_TIMEOUT;
    loop {
        let mut states = BTreeMap::new();
        let mut is_settled = true;
        for arm in arms {
            if let Some((state, waiting)) = final_state(arm, control).await {
                states.insert(arm.plan.letter, state);
                is_settled &= waiting == 0;
            }
        }
        let mut digests = states.values();
        let first = digests.next();
        let agree = digests.all(|other| Some(other) == first);
        if (agree && is_settled) || !must_agree || runtime::clock::now() > until {
            return states;
        }
        tokio::time::sleep(STATE_POLL_INTERVAL).await;
    }
}

/// The state of an arm, and its events that somebody has not applied yet.
async fn final_state(arm: &Arm, control: &ControlClient) -> Option<(String, u64)> {
    let mut components = BTreeMap::new();
    // Copies share a database, and each knows what consumers have told it: the best informed is right. One that
    // answers is enough.
    let mut waiting: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for instance in arm.instances() {
        let known = waiting.entry(instance.process.name.clone()).or_default();
        if let Some(digest) = digest(instance.status().listen, control).await {
            components.extend(digest.components);
            *known = (*known).into_iter().chain([digest.waiting]).min();
        }
    }
    let waiting = waiting.into_values().sum::<Option<u64>>()?;
    let parts: Vec<String> =
        components.into_iter().map(|(name, digest)| format!("{name}={digest}")).collect();
    Some((parts.join(" "), waiting))
}

async fn digest(addr: Option<SocketAddr>, control: &ControlClient) -> Option<StateDigest> {
    let (status, body) = control.get(addr?, "/control/digest", STATE_SETTLE_TIMEOUT).await.ok()?;
    status.is_success().then(|| serde_json::from_slice(&body).ok())?
}

/// Writes checks and scores, and says how the run ends.
pub(crate) fn conclude(
    scenario: &Scenario,
    record: &RecordWriter,
    notes: &Circumstances,
    interrupted: bool,
    tracing: record::Tracing,
) -> End {
    let (mut checks, mut valid) = (Vec::new(), Vec::new());
    let noisy = record.query(is_noisy).unwrap_or(false);
    for (id, (list, assertion)) in assertions(scenario).enumerate() {
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        let mut results = record.query(|tally| judge::checks(tally, id, &assertion.that)).unwrap_or_default();
        if noisy && !notes.interleaved {
            judge::mark_inconclusive(&mut results, &assertion.that);
        }
        if list == "valid" { valid.extend(results) } else { checks.extend(results) }
    }
    for check in valid.iter().chain(&checks) {
        record.append(Entry::Check(check.clone()));
    }
    for score in record.query(scorecard::scorecard).unwrap_or_default() {
        record.append(Entry::Score(Box::new(score)));
    }
    let notes =
        Circumstances { noisy, no_symptom: steps_without_symptom(scenario, record, notes), ..notes.clone() };
    let mut lints = record.query(|tally| scorecard::lints(tally, &notes)).unwrap_or_default();
    for check in valid.iter().filter(|check| check.verdict == Verdict::Fail) {
        lints.push(Lint {
            name: "valid".into(),
            verdict: Verdict::Invalid,
            text: format!("`{}` does not hold", check.text),
        });
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
        noisy,
        pss_mib_peak: record.query(peak_pss_mib).unwrap_or(0.0),
        lints,
        lines: record.counts(),
        dropped_updates: record.dropped(),
        tracing,
    }
}

/// Steps that hit something and left no trace of it: each names what must be seen.
fn steps_without_symptom(scenario: &Scenario, record: &RecordWriter, notes: &Circumstances) -> Vec<String> {
    if !notes.withheld.is_empty() {
        return Vec::new();
    }
    let seen = |step: &scenario::Step, that: &scorecard::Expectation| {
        let (from, to) =
            (step.start_ns / 1_000_000_000, (step.start_ns + step.length_ns).div_ceil(1_000_000_000));
        let that = that.over_seconds(u32::try_from(from).unwrap_or(0), u32::try_from(to).unwrap_or(u32::MAX));
        let checks = record.query(|tally| judge::checks(tally, 0, &that)).unwrap_or_default();
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

fn is_noisy(tally: &model::Run) -> bool {
    let whole = tally.whole(&model::Window::Whole);
    let stalls: Vec<f64> = tally.hosts(&whole).map(|host| host.cpu_stall / 100.0).collect();
    !stalls.is_empty() && stalls.iter().sum::<f64>() / stalls.len() as f64 > NOISY_STALL_SHARE
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
