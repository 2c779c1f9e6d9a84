//! What makes a run unbelievable, whatever its checks say: the traps of comparing deployments, each as a rule.
//!
//! | trap | rule here |
//! |---|---|
//! | T1 requests counted for actions | no measure counts requests: the reader refuses `rps` |
//! | T2 unequal budgets | `over_budget` |
//! | T3 a closed loop hides capacity | `closed_loop` |
//! | T4 reading nothing | `empty_pages` |
//! | T5 one key is the whole benchmark, or none is | `popularity` |
//! | T6 seeds from the clock | `generator`: a schedule of another digest; the reader refuses other seeds |
//! | T7 state grows between runs | `stale_data`: an arm did not begin with the snapshot |
//! | T8 generators off by one | `generator_skew`: what is offered is not what is declared; property tests of `traffic` |
//! | T9 two code bases | `final_states_differ` |
//! | T10 an empty run passes | `no_samples` |
//! | T11 one run, no idea of noise | `one_round`, `noisy` |
//! | T12 the fault never fired | `fault_without_hits`, `no_symptom` |
//! | T13 errors behind a rate | `mostly_errors` |
//! | T14 the generator is the bottleneck | `pace`, `generator_lag`, `generator_slots`, `generator_cpu` |
//! | T15 each arm at another rate | `unequal_load`; the reader refuses loads of variants |
//! | T16 a ratio of hollow work | `hollow_ratio` |
//! | T17 a monolith without copies | `no_copies` |

use model::Run;
use record::{Lint, Verdict};

use crate::expect::{Expectation, Kind, Measure, Op, Side, Window};
use crate::judge;

/// What the lab itself knows about the run besides its lines.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Steps that had a target and never hit it, with the arm.
    pub unhit: Vec<String>,
    /// Clean-up that was not confirmed.
    pub left_behind: Vec<String>,
    /// Whether arms took turns, so that neither could disturb the other.
    pub interleaved: bool,
    /// Final states differ although nothing was broken.
    pub states_differ: Option<String>,
    /// Arms that did not begin with the snapshot.
    pub stale_data: Vec<String>,
    /// Where the schedule is not what the load declares.
    pub skewed: Vec<String>,
    /// Steps whose symptom was not seen.
    pub no_symptom: Vec<String>,
    /// The machine was busy with other things.
    pub noisy: bool,
    /// Why nothing was injected any more.
    pub withheld: Vec<String>,
    /// Steps this machine could not carry out, by their number, with the reason.
    pub degraded: Vec<(u32, String)>,
    /// Anything the generator said about itself that makes its figures void.
    pub generator: Vec<String>,
}

/// Share of empty pages from which a read journey read nothing (trap T4).
const EMPTY_PAGES: f64 = 0.05;
/// Generator CPU over all cores from which it is the bottleneck.
const GENERATOR_CPU: f64 = 0.5;
/// Waits for a slot from which it is, at the median.
const SLOT_WAIT_US: u64 = 2_000;

/// Why a comparison of latencies is not judged.
pub(crate) const TOO_BUSY: &str = "the machine was too busy to compare latencies side by side";

/// Everything that makes the run invalid or inconclusive, whatever its checks say.
pub fn lints(run: &Run, circumstances: &Circumstances) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut invalid = |name: &str, text: String| {
        lints.push(Lint { name: name.into(), verdict: Verdict::Invalid, text });
    };
    for text in &circumstances.unhit {
        invalid("fault_without_hits", text.clone());
    }
    for text in &circumstances.withheld {
        invalid("gate", text.clone());
    }
    for text in &circumstances.left_behind {
        invalid("clean_up_unconfirmed", text.clone());
    }
    for text in &circumstances.generator {
        invalid("generator", text.clone());
    }
    for text in &circumstances.skewed {
        invalid("generator_skew", text.clone());
    }
    if let Some(text) = &circumstances.states_differ {
        invalid("final_states_differ", text.clone());
    }
    let whole = run.whole(&Window::Whole);
    let mut offered_by_arm = Vec::new();
    for arm in &run.header.arms {
        let letter = arm.letter;
        let sum = |which: fn(&record::Window) -> u64| run.sum(letter, &whole, "all", which);
        let (offered, sent, ok) = (sum(|w| w.offered), sum(|w| w.sent), sum(|w| w.ok));
        let failed = sum(|w| w.errors.values().sum());
        let (dropped, abandoned) = (sum(|w| w.dropped), sum(|w| w.abandoned));
        offered_by_arm.push(offered);
        if offered != ok + failed + dropped + abandoned {
            invalid(
                "conservation",
                format!(
                    "{}: {offered} offered are not {ok} ok + {failed} failed + {dropped} dropped + {abandoned} abandoned",
                    arm.name
                ),
            );
        }
        if dropped > 0 && !run.header.drops {
            invalid(
                "queue_cap",
                format!("{}: {dropped} arrivals found the queue full; raise `queue_cap`", arm.name),
            );
        }
        for phase in run.header.phases.iter().filter(|phase| phase.measure) {
            let stretch = run.whole(&Window::Phase(phase.name.clone()));
            if run.sum(letter, &stretch, "all", |w| w.offered) == 0 {
                invalid("no_samples", format!("{}: nothing was offered in phase `{}`", arm.name, phase.name));
            }
        }
        let pages = sum(|w| w.pages);
        let empty = sum(|w| w.empty_pages);
        if pages > 0 && empty as f64 > EMPTY_PAGES * pages as f64 {
            invalid(
                "empty_pages",
                format!("{}: {empty} of {pages} pages were empty; reads read nothing", arm.name),
            );
        }
        let planned = run.header.planned;
        let measured_share = measured_share(run);
        if (sent + dropped) as f64 * 1.0 < 0.98 * planned as f64 * measured_share {
            invalid("pace", format!("{}: {sent} sent of {planned} planned", arm.name));
        }
        if let Some(text) = generator_lag(run, letter) {
            invalid("generator_lag", format!("{}: {text}", arm.name));
        }
        if let Some(text) = generator_slots(run, letter) {
            invalid("generator_slots", format!("{}: {text}", arm.name));
        }
    }
    for (_, text) in &circumstances.degraded {
        lints.push(Lint { name: "degraded".into(), verdict: Verdict::Inconclusive, text: text.clone() });
    }
    let mut invalid = |name: &str, text: String| {
        lints.push(Lint { name: name.into(), verdict: Verdict::Invalid, text });
    };
    // In a closed loop the arms decide how many come.
    if !run.header.closed && offered_by_arm.windows(2).any(|pair| pair[0] != pair[1]) {
        invalid("unequal_load", format!("the arms were offered {offered_by_arm:?} arrivals"));
    }
    if let Some(share) = generator_cpu(run).filter(|share| *share > GENERATOR_CPU) {
        invalid("generator_cpu", format!("the load generator used {:.0} % of all cores", share * 100.0));
    }
    lints.extend(traps(run, circumstances));
    lints
}

/// The planned arrivals are counted over all rounds and phases; only measured ones are compared.
fn measured_share(run: &Run) -> f64 {
    let total: u64 = run.header.phases.iter().map(|phase| phase.length_ns).sum();
    let measured: u64 =
        run.header.phases.iter().filter(|phase| phase.measure).map(|phase| phase.length_ns).sum();
    // Phases may have rates of their own, so this is a floor with room, not an equality.
    if total == 0 { 0.0 } else { 0.9 * measured as f64 / total as f64 }
}

/// The generator's own lateness against what it measured (load-generation rules).
fn generator_lag(run: &Run, arm: char) -> Option<String> {
    let whole = run.whole(&Window::Whole);
    let mut lag = run.merged(arm, &whole, "all", |w| &w.pace_lag);
    lag.merge(&run.merged(arm, &whole, "all", |w| &w.own_wait));
    let felt = run.merged(arm, &whole, "all", |w| &w.intended);
    let limit = |q: f64, floor_us: u64| Some(floor_us.max(felt.quantile(q)? / 10));
    let (p50, p99) = (lag.quantile(0.5)?, lag.quantile(0.99)?);
    if p99 > limit(0.99, 2_000)? {
        return Some(format!("the generator was {p99} us late at p99 and {p50} us at p50"));
    }
    (p50 > limit(0.5, 200)?).then(|| format!("the generator was {p50} us late at p50"))
}

/// Waits for one of the generator's slots are an arm's doing while it stalls. Where most arrivals
/// wait, and there are fewer slots than could be needed, they are the generator's.
fn generator_slots(run: &Run, arm: char) -> Option<String> {
    let (slots, needed) = run.header.slots;
    let whole = run.whole(&Window::Whole);
    let waits = run.merged(arm, &whole, "all", |w| &w.slot_wait);
    let most = waits.len() * 2 > run.sum(arm, &whole, "all", |w| w.sent);
    let waited = waits.quantile(0.5)?;
    (slots < needed && most && waited > SLOT_WAIT_US).then(|| {
        format!(
            "{needed} requests could be under way and the generator has slots for {slots}, for which \
             most arrivals waited, {waited} us at p50; lower the rate or the timeout, or raise `pool`"
        )
    })
}

fn generator_cpu(run: &Run) -> Option<f64> {
    let (_, samples) = run.procs('-').find(|(name, _)| *name == "generator")?;
    let (first, last) = (samples.first()?, samples.last()?);
    let wall = last.0.saturating_sub(first.0) as f64 * f64::from(run.header.machine.cores);
    (wall > 0.0).then(|| last.1.cpu_ns.saturating_sub(first.1.cpu_ns) as f64 / wall)
}

/// Claims of the scenario, read again from the record.
fn claims(run: &Run) -> Vec<Expectation> {
    let texts = run.header.expectations.iter().filter(|plan| plan.list == "check");
    texts.filter_map(|plan| plan.text.parse().ok()).collect()
}

/// The measures of a claim that compares arms.
fn compared(claim: &Expectation) -> Option<(&Measure, &Measure)> {
    match (&claim.left, &claim.right) {
        (Side::Measure { measure: left, .. }, Side::Measure { measure: right, .. })
            if left.axes != right.axes =>
        {
            Some((left, right))
        }
        _ => None,
    }
}

/// Whether a claim sets one arm's latency against another's.
pub(crate) fn compares_latencies(claim: &Expectation) -> bool {
    compared(claim).is_some_and(|(left, _)| matches!(left.kind, Kind::Latency(..)))
}

fn is_cost(kind: &Kind) -> bool {
    matches!(kind, Kind::Latency(..) | Kind::CpuPerJourney | Kind::Cost)
}

/// Traps that can be seen from what was planned and measured, beyond the generator's own.
fn traps(run: &Run, circumstances: &Circumstances) -> Vec<Lint> {
    let mut found = Vec::new();
    let mut lint = |name: &str, verdict, text: String| found.push(Lint { name: name.into(), verdict, text });
    let header = &run.header;
    let claims = claims(run);
    if let Some(budget) = header.budget_memory {
        for arm in &header.arms {
            let held =
                crate::measure::measure(run, &Kind::Pss, &Window::Whole, arm.letter).value.unwrap_or(0.0);
            if held > budget as f64 {
                let mib = |bytes: f64| bytes / 1_048_576.0;
                let text =
                    format!("{}: {:.0} MiB held, {:.0} MiB allowed", arm.name, mib(held), mib(budget as f64));
                lint("over_budget", Verdict::Invalid, text);
            }
        }
    }
    for text in &circumstances.stale_data {
        lint("stale_data", Verdict::Invalid, text.clone());
    }
    for text in &circumstances.no_symptom {
        lint("no_symptom", Verdict::Invalid, text.clone());
    }
    let hides = |kind: &Kind| {
        is_cost(kind) || matches!(kind, Kind::Capacity(..) | Kind::Goodput(_) | Kind::Slower(..))
    };
    let closed = claims.iter().find(|claim| {
        header.closed && matches!(&claim.left, Side::Measure { measure, .. } if hides(&measure.kind))
    });
    if let Some(claim) = closed {
        let text = format!("a closed loop waits for slow answers, and `{}` does not see them", claim.text);
        lint("closed_loop", Verdict::Inconclusive, text);
    }
    let (reader, photo) = header.popularity;
    for (name, exponent) in [("reader", reader), ("photo", photo)] {
        // At 1.4 the hottest of 40,000 gets a third of all; at 0 there are no hot ones at all.
        if exponent > 1.4 {
            let text = format!("popularity of {name} is {exponent}: one key is nearly the whole benchmark");
            lint("popularity", Verdict::Inconclusive, text);
        }
    }
    if circumstances.interleaved && header.rounds < 3 {
        let one = claims.iter().find(|claim| compared(claim).is_some_and(|(left, _)| is_cost(&left.kind)));
        if let Some(claim) = one {
            let text = format!("`{}` compares what took turns once; write repeats = 3", claim.text);
            lint("one_round", Verdict::Inconclusive, text);
        }
    }
    if !circumstances.interleaved
        && circumstances.noisy
        && let Some(claim) = claims.iter().find(|claim| compares_latencies(claim))
    {
        lint("noisy", Verdict::Inconclusive, format!("{TOO_BUSY}: `{}`", claim.text));
    }
    if header.steps.iter().all(|step| !step.is_fault) {
        let whole = run.whole(&Window::Whole);
        for arm in &header.arms {
            let offered = run.sum(arm.letter, &whole, "all", |w| w.offered);
            let ok = run.sum(arm.letter, &whole, "all", |w| w.ok);
            if offered > 0 && ok * 2 < offered {
                let text =
                    format!("{}: {ok} of {offered} journeys were answered, and nothing was broken", arm.name);
                lint("mostly_errors", Verdict::Invalid, text);
            }
        }
    }
    for claim in &claims {
        let Some((left, right)) = compared(claim).filter(|(left, _)| is_cost(&left.kind)) else { continue };
        let arms = judge::bound(run, left).into_iter().chain(judge::bound(run, right));
        let hollow = arms.filter(|arm| !crate::card::parts::is_known(run, *arm)).collect::<String>();
        if !hollow.is_empty() {
            let text = format!("`{}`: work, hops and hop cost of {hollow} are not known", claim.text);
            lint("hollow_ratio", Verdict::Inconclusive, text);
        }
    }
    if let Some(text) = claims.iter().find_map(|claim| without_copies(run, claim)) {
        lint("no_copies", Verdict::Inconclusive, text);
    }
    found
}

/// A claim that services beat a monolith, where no monolith with copies is to be had.
fn without_copies(run: &Run, claim: &Expectation) -> Option<String> {
    let (left, right) = compared(claim)?;
    let (a, b) = (judge::bound(run, left), judge::bound(run, right));
    let (one, other) = (*a.first()?, *b.first()?);
    let (winner, loser) = match (claim.op, left.kind.is_better_high()) {
        (Op::AtMost | Op::Below, false) | (Op::AtLeast | Op::Above, true) => (one, other),
        (Op::AtMost | Op::Below, true) | (Op::AtLeast | Op::Above, false) => (other, one),
        (Op::Equal, _) => return None,
    };
    let arm = |letter: char| run.header.arms.iter().find(|arm| arm.letter == letter);
    let split = arm(winner)?.databases > 1;
    let whole = arm(loser)?.databases == 1 && arm(loser)?.instances.len() == 1;
    (split && whole && !run.header.has_copies).then(|| {
        format!("`{}` beats a monolith without copies; write [topology.mono-x3] as well", claim.text)
    })
}
