//! What makes a run invalid or inconclusive, whatever its checks show: the traps of comparing deployments, each as a rule.
//!
//! | trap | rule here |
//! |---|---|
//! | T1 requests counted for actions | no measure counts requests: the reader refuses `rps` |
//! | T2 unequal budgets | `over_budget`, `unequal_resources` |
//! | T3 a closed loop hides capacity | `closed_loop` |
//! | T4 reading nothing | `empty_pages` |
//! | T5 one key is the whole benchmark, or none is | `popularity` |
//! | T6 seeds from the clock | `generator`: a schedule of another digest; the reader refuses other seeds |
//! | T7 state grows between runs | `stale_data`: an arm did not begin with the snapshot |
//! | T8 generators off by one | `generator_skew`: what is offered is not what is declared; property tests of `traffic` |
//! | T9 two code bases | `final_states_differ`, `final_states_unclear` |
//! | T10 an empty run passes | `no_samples`, `not_judged`, `nothing_judged` |
//! | T11 one run, no idea of noise | `one_round`, `noisy` |
//! | T12 the fault never fired | `fault_without_hits`, `no_symptom`; the reader refuses copies that no arm has |
//! | T13 errors behind a rate | `mostly_errors` |
//! | T14 the generator is the bottleneck | `pace`, `generator_lag`, `generator_slots`, `generator_cpu` |
//! | T15 each arm at another rate | `unequal_load`; the reader refuses loads of variants |
//! | T16 a ratio of hollow work | `hollow_ratio` |
//! | T17 a monolith without copies | `no_copies` |
//!
//! `generator`: what the load generator did; `failures`: what failed without a cause; `claims`: what the scenario claims and
//! cannot be concluded from this run; `resources`: what arms were given.

mod claims;
mod failures;
mod generator;
mod resources;

use model::{Run, Window};
use record::{Arm, Check, Lint, Verdict};

use crate::expect::Argument;
use crate::measures::highest_memory;
use crate::selection::Selection;

pub(crate) use claims::compares_latencies;

/// What the lab itself knows about the run besides its lines.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Steps that had a target and never hit it, with the arm.
    pub unhit: Vec<String>,
    /// Steps that had a target in no arm.
    pub inapplicable: Vec<String>,
    /// Clean-up that was not confirmed.
    pub left_behind: Vec<String>,
    /// Whether arms took turns, so that neither could disturb the other.
    pub interleaved: bool,
    /// Final states differ although nothing was broken.
    pub states_differ: Option<String>,
    /// Final states differ, where journeys that did not succeed or events still under way may be why.
    pub states_unclear: Option<String>,
    /// Arms that did not begin with the snapshot.
    pub stale_data: Vec<String>,
    /// Where the schedule is not what the load declares.
    pub skewed: Vec<String>,
    /// Arms that did not answer as asked before the load began.
    pub unready: Vec<String>,
    /// Steps whose symptom was not seen.
    pub no_symptom: Vec<String>,
    /// The machine was busy with other things.
    pub noisy: bool,
    /// Why nothing was injected any more.
    pub withheld: Vec<String>,
    /// Steps this machine could not carry out, by their number, with the reason.
    pub degraded: Vec<(u32, String)>,
    /// Anything the generator reports about itself that makes its figures void.
    pub generator: Vec<String>,
}

/// Share of empty pages from which a read journey read nothing (trap T4).
const MAX_EMPTY_PAGES: f64 = 0.05;
/// Generator CPU over all cores from which it is the bottleneck.
const MAX_GENERATOR_CPU: f64 = 0.5;
/// Exponent of popularity from which one key is the whole benchmark: at 1.4 the hottest of 40,000 gets a third of all.
const MAX_POPULARITY: f64 = 1.4;
/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

/// Why a comparison of latencies is not judged.
pub(crate) const TOO_BUSY: &str = "the machine was too busy to compare latencies side by side";

/// Begins the reason of a check whose arm is not run.
pub(crate) const NOT_JUDGED: &str = "not judged: ";

/// Whether a check was not made, since no arm of the run is the one it is bound to.
pub(crate) fn is_unjudged(check: &Check) -> bool {
    check.reason.starts_with(NOT_JUDGED)
}

/// Everything that makes the run invalid or inconclusive, whatever its checks show.
pub fn lints(run: &Run, circumstances: &Circumstances) -> Vec<Lint> {
    let mut found = Found::default();
    of_circumstances(circumstances, &mut found);
    for arm in &run.header.arms {
        of_arm(run, arm, &mut found);
        if let Some(text) = failures::without_cause(run, arm) {
            found.inconclusive("failures_without_cause", text);
        }
    }
    for audit in run.audits().into_iter().filter(|audit| audit.unverified > 0) {
        let arm = run.header.arms.iter().find(|arm| arm.letter == audit.arm);
        let text = format!(
            "{}: {} of {} acknowledged writes could not be read after the load: neither lost nor found",
            arm.map_or("", |arm| &arm.name),
            audit.unverified,
            audit.acknowledged
        );
        found.inconclusive("audit_incomplete", text);
    }
    for (_, text) in &circumstances.degraded {
        found.inconclusive("degraded", text.clone());
    }
    for text in &circumstances.inapplicable {
        found.inconclusive("fault_without_hits", text.clone());
    }
    of_load(run, &mut found);
    for arm in &run.header.arms {
        over_budget(run, arm, &mut found);
    }
    for text in &circumstances.stale_data {
        found.invalid("stale_data", text.clone());
    }
    for text in &circumstances.no_symptom {
        found.invalid("no_symptom", text.clone());
    }
    claims::lints(run, circumstances, &mut found);
    found.0
}

/// The lints found so far.
#[derive(Default)]
struct Found(Vec<Lint>);

impl Found {
    fn invalid(&mut self, name: &str, text: String) {
        self.0.push(Lint { name: name.into(), verdict: Verdict::Invalid, text });
    }

    fn inconclusive(&mut self, name: &str, text: String) {
        self.0.push(Lint { name: name.into(), verdict: Verdict::Inconclusive, text });
    }
}

fn of_circumstances(circumstances: &Circumstances, found: &mut Found) {
    let lists = [
        ("fault_without_hits", &circumstances.unhit),
        ("gate", &circumstances.withheld),
        ("clean_up_unconfirmed", &circumstances.left_behind),
        ("generator", &circumstances.generator),
        ("generator_skew", &circumstances.skewed),
        ("not_ready", &circumstances.unready),
    ];
    for (name, texts) in lists {
        texts.iter().for_each(|text| found.invalid(name, text.clone()));
    }
    if let Some(text) = &circumstances.states_differ {
        found.invalid("final_states_differ", text.clone());
    }
    if let Some(text) = &circumstances.states_unclear {
        found.inconclusive("final_states_unclear", text.clone());
    }
}

/// What the seconds of one arm show.
fn of_arm(run: &Run, arm: &Arm, found: &mut Found) {
    let name = &arm.name;
    let whole = run.whole(&Window::Whole);
    let sum = |which: fn(&record::Window) -> u64| run.sum(arm.letter, &whole, "all", which);
    let (offered, sent, ok) = (sum(|w| w.offered), sum(|w| w.sent), sum(|w| w.ok));
    let failed = sum(|w| w.errors.values().sum());
    let (dropped, abandoned) = (sum(|w| w.dropped), sum(|w| w.abandoned));
    if offered != ok + failed + dropped + abandoned {
        let text = format!(
            "{name}: {offered} offered are not {ok} ok + {failed} failed + {dropped} dropped + {abandoned} abandoned"
        );
        found.invalid("conservation", text);
    }
    if dropped > 0 && !run.header.drops {
        found.invalid(
            "queue_cap",
            format!("{name}: {dropped} arrivals found the queue full; raise `queue_cap`"),
        );
    }
    for phase in run.header.phases.iter().filter(|phase| phase.measure) {
        let range = run.whole(&Window::Phase(phase.name.clone()));
        if run.sum(arm.letter, &range, "all", |w| w.offered) == 0 {
            found.invalid("no_samples", format!("{name}: nothing was offered in phase `{}`", phase.name));
        }
    }
    let (pages, empty) = (sum(|w| w.pages), sum(|w| w.empty_pages));
    if pages > 0 && empty as f64 > MAX_EMPTY_PAGES * pages as f64 {
        let text = format!("{name}: {empty} of {pages} pages were empty; reads read nothing");
        found.invalid("empty_pages", text);
    }
    let lints = [
        ("pace", generator::pace(run, sent, dropped)),
        ("generator_lag", generator::lag(run, arm.letter)),
        ("generator_slots", generator::slots(run, arm.letter)),
    ];
    for (lint, text) in lints {
        if let Some(text) = text {
            found.invalid(lint, format!("{name}: {text}"));
        }
    }
}

/// What the load of all arms shows.
fn of_load(run: &Run, found: &mut Found) {
    let whole = run.whole(&Window::Whole);
    let offered: Vec<u64> =
        run.letters().into_iter().map(|arm| run.sum(arm, &whole, "all", |w| w.offered)).collect();
    // In a closed loop the arms decide how many come.
    if !run.header.closed && offered.windows(2).any(|pair| pair[0] != pair[1]) {
        found.invalid("unequal_load", format!("the arms were offered {offered:?} arrivals"));
    }
    if let Some(share) = generator::cpu(run).filter(|share| *share > MAX_GENERATOR_CPU) {
        let text = format!("the load generator used {:.0} % of all cores", share * 100.0);
        found.invalid("generator_cpu", text);
    }
}

fn over_budget(run: &Run, arm: &Arm, found: &mut Found) {
    let Some(budget) = run.header.budget_memory else { return };
    let whole = Selection::new(run, arm.letter, &Window::Whole, &Argument::None);
    let held = highest_memory(&whole, |_| true).unwrap_or(0.0);
    if held > budget as f64 {
        let text =
            format!("{}: {:.0} MiB held, {:.0} MiB allowed", arm.name, held / MIB, budget as f64 / MIB);
        found.invalid("over_budget", text);
    }
}
