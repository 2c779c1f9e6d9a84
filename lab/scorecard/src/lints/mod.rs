//! What makes a run, or a claim of it, unfit to be judged, whatever its checks show: the traps of comparing deployments, each
//! as a rule. Each lint has one effect, which [`CATALOGUE`] states.
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
//! | T11 one run, no idea of noise | `one_round`, `noisy`, `steal`, `other_cpu`, `io_pressure`, `not_steady`, `periodic_work`, `build` |
//! | T12 the fault never fired | `fault_without_hits`, `fault_without_target`, `no_symptom`, `page_cache` |
//! | T13 errors behind a rate | `mostly_errors`, `unequal_errors`, `drops` |
//! | T14 the generator is the bottleneck | `pace`, `generator_lag`, `generator_slots`, `generator_cpu`, `late_sends` |
//! | T15 each arm at another rate | `unequal_load`; the reader refuses loads of variants |
//! | T16 a ratio of hollow work | `hollow_ratio` |
//! | T17 a monolith without copies | `no_copies`, `one_copy` |
//!
//! `catalogue`: every lint with its effect. `arms`: what the seconds of an arm show; `failures`: what failed without a cause;
//! `generator`: what the load generator did. `claims`: which claims of the scenario cannot be concluded from this run (`claim`:
//! what one is about), by rules of its own and those of `copies`, `delays` (whether they were as long as asked), `lateness` (how
//! much of a latency is the generator's), `machine` (who else used it), `periodic` (what came by itself), `populations` (whose latencies they are) and `resources` (what arms were given). `traces`: what is known
//! of requests. `predictions`: what keeps a simulated run from deciding anything.

mod arms;
mod catalogue;
mod claim;
mod claims;
mod copies;
mod delays;
mod failures;
mod generator;
mod lateness;
mod machine;
mod periodic;
mod populations;
mod predictions;
mod resources;
mod traces;

use model::Run;
use record::{Check, Lint, Tracing, Verdict};

pub use catalogue::{CATALOGUE, Effect, LintDescription, find, lint};
pub use claim::Doubt;
pub use claims::doubts;
pub(crate) use copies::{is_against_one_copy, is_copied, is_one_copy, is_split};
pub(crate) use lateness::LatePercentile;
pub(crate) use machine::is_disturbed;
pub use machine::is_noisy;

/// What the lab itself knows about the run besides its lines.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Steps that had a target and never hit it, with the arm.
    pub unhit: Vec<String>,
    /// Steps that had a target in no arm.
    pub inapplicable: Vec<String>,
    /// Clean-up that was not confirmed.
    pub left_behind: Vec<String>,
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
    /// Why nothing was injected any more.
    pub withheld: Vec<String>,
    /// Steps this machine could not carry out, by their number, with the reason.
    pub degraded: Vec<(u32, String)>,
    /// Anything the generator reports about itself that makes its figures void.
    pub generator: Vec<String>,
    /// What became of the spans that reached the lab.
    pub tracing: Tracing,
}

/// Begins the reason of a check whose arm is not run.
pub(crate) const NOT_JUDGED: &str = "not judged: ";

/// Whether a check was not made, since no arm of the run is the one it is bound to.
pub(crate) fn is_unjudged(check: &Check) -> bool {
    check.reason.starts_with(NOT_JUDGED)
}

/// Everything that was found of a run, whatever its checks show; none twice.
pub fn lints(run: &Run, circumstances: &Circumstances) -> Vec<Lint> {
    let mut found = LintList::default();
    of_circumstances(circumstances, &mut found);
    arms::lints(run, &mut found);
    generator::lints(run, &mut found);
    claims::lints(run, &mut found);
    machine::notes(run, &mut found);
    lateness::notes(run, &mut found);
    periodic::notes(run, &mut found);
    populations::notes(run, circumstances, &mut found);
    traces::note(run, &mut found);
    copies::note(run, &mut found);
    delays::notes(run, &mut found);
    predictions::lints(run, &mut found);
    found.0
}

/// The lints found so far.
#[derive(Default)]
struct LintList(Vec<Lint>);

impl LintList {
    /// Adds a lint with the effect that the catalogue states.
    fn add(&mut self, name: &str, text: String) {
        self.0.push(lint(name, text));
    }

    /// Adds what touches no claim, unless the same touches one: it leaves the verdict alone.
    fn add_note(&mut self, name: &str, text: String) {
        if !self.0.iter().any(|lint| lint.name == name) {
            self.0.push(Lint { verdict: Verdict::Pass, ..lint(name, text) });
        }
    }
}

fn of_circumstances(circumstances: &Circumstances, found: &mut LintList) {
    let degraded: Vec<String> = circumstances.degraded.iter().map(|(_, text)| text.clone()).collect();
    let lists: [(&str, &[String]); 12] = [
        ("fault_without_hits", &circumstances.unhit),
        ("fault_without_target", &circumstances.inapplicable),
        ("no_symptom", &circumstances.no_symptom),
        ("degraded", &degraded),
        ("gate", &circumstances.withheld),
        ("clean_up_unconfirmed", &circumstances.left_behind),
        ("generator", &circumstances.generator),
        ("generator_skew", &circumstances.skewed),
        ("not_ready", &circumstances.unready),
        ("stale_data", &circumstances.stale_data),
        ("final_states_differ", circumstances.states_differ.as_slice()),
        ("final_states_unclear", circumstances.states_unclear.as_slice()),
    ];
    for (name, texts) in lists {
        texts.iter().for_each(|text| found.add(name, text.clone()));
    }
}
