//! Every lint with its effect on the verdict: the one table that documents are written from, and that a lint's verdict is
//! read from.

use record::{Lint, Verdict};

/// What a lint makes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The run is invalid: exit 3.
    Invalid,
    /// The run is inconclusive, whatever its claims are: exit 4.
    Inconclusive,
    /// The claims that it touches are inconclusive, with the reason. Where it touches none it is a note; rows are noted
    /// either way.
    Claims,
    /// A remark that leaves the verdict alone.
    Note,
}

impl Effect {
    /// All of them, the gravest first.
    pub const ALL: [Self; 4] = [Self::Invalid, Self::Inconclusive, Self::Claims, Self::Note];

    /// As documents write it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Invalid => "invalid (exit 3)",
            Self::Inconclusive => "inconclusive (exit 4)",
            Self::Claims => "inconclusive for the claims it touches, else a note",
            Self::Note => "note: the verdict stays",
        }
    }
}

/// A lint of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Its stable name.
    pub name: &'static str,
    /// What it makes of a run.
    pub effect: Effect,
    /// When it is reported.
    pub meaning: &'static str,
}

const fn invalid(name: &'static str, meaning: &'static str) -> Described {
    Described { name, effect: Effect::Invalid, meaning }
}

const fn inconclusive(name: &'static str, meaning: &'static str) -> Described {
    Described { name, effect: Effect::Inconclusive, meaning }
}

const fn claims(name: &'static str, meaning: &'static str) -> Described {
    Described { name, effect: Effect::Claims, meaning }
}

const fn note(name: &'static str, meaning: &'static str) -> Described {
    Described { name, effect: Effect::Note, meaning }
}

/// All lints, the gravest first.
pub const CATALOGUE: &[Described] = &[
    invalid("valid", "a premise, an expectation in `valid`, does not hold"),
    invalid("conservation", "arrivals offered are not those ok, failed, dropped and abandoned"),
    invalid("no_samples", "nothing was offered in a measured phase"),
    invalid("empty_pages", "more than 5 % of pages were empty: reads read nothing"),
    invalid("mostly_errors", "fewer than half of the journeys were answered, and no step is a fault"),
    invalid("unequal_load", "arms were not offered the same number of arrivals"),
    invalid("queue_cap", "arrivals were dropped that the scenario does not allow to be"),
    invalid("over_budget", "an arm held more memory than `budget`"),
    invalid("stale_data", "an arm did not begin a round with the snapshot"),
    invalid(
        "final_states_differ",
        "arms ended with other data, although no step is planned and every journey succeeded",
    ),
    invalid("fault_without_hits", "a step had a target and did not hit it"),
    invalid("no_symptom", "a step's `symptom` was not seen"),
    invalid("gate", "a gate kept steps from being injected"),
    invalid("clean_up_unconfirmed", "something that the run started or changed may be left"),
    invalid("generator", "the load generator reports a defect: another schedule, an early end"),
    invalid("generator_skew", "the schedule is not what the load declares"),
    invalid("pace", "fewer than 98 % of a round's planned arrivals were sent in its measured phases"),
    invalid(
        "generator_lag",
        "half of the arrivals were sent later than a tenth of the measured p50 and 0.2 ms",
    ),
    invalid(
        "generator_slots",
        "most arrivals waited for one of the generator's slots, of which there were too few",
    ),
    invalid("generator_cpu", "the generator used more than half of all cores"),
    invalid("not_ready", "an arm did not answer as asked before the load began"),
    inconclusive("nothing_judged", "the scenario expects nothing"),
    inconclusive("not_judged", "arms that expectations are bound to were not run"),
    inconclusive("fault_without_target", "a step was applicable in no arm"),
    inconclusive("degraded", "this machine could not carry out a step"),
    inconclusive(
        "final_states_unclear",
        "arms ended with other data, and journeys that did not succeed, or events under way, may be why",
    ),
    inconclusive(
        "audit_incomplete",
        "acknowledged writes could not be read after the load: neither lost nor found",
    ),
    inconclusive("popularity", "one key gets nearly all of the load, or all keys get the same"),
    inconclusive(
        "failures_without_cause",
        "over 1 % of arrivals failed where no step and no search for capacity explains it",
    ),
    claims("closed_loop", "users wait for answers, which hides what the claim is about"),
    claims("one_round", "the claim compares arms that took turns fewer than three times"),
    claims(
        "noisy",
        "side by side, tasks waited for a CPU more than half of the claim's window: latencies and capacity",
    ),
    claims(
        "late_sends",
        "over a tenth, and over 0.2 ms, of a percentile that the claim is about passed before the generator sent",
    ),
    claims("steal", "side by side, the hypervisor took over 2 % of the CPU time of the claim's window"),
    claims(
        "other_cpu",
        "side by side, processes outside the run used over 10 % of the machine in the claim's window",
    ),
    claims("io_pressure", "side by side, tasks waited for a disk more than half of the claim's window"),
    claims("hollow_ratio", "a ratio without work, hops and hop cost"),
    claims("unequal_resources", "the claim compares arms that were not given the same, and none declares it"),
    claims("no_copies", "services beat a monolith of one copy, and the scenario declares none with copies"),
    claims(
        "unequal_errors",
        "of two arms whose latencies are compared, the one that is claimed to be faster fails more",
    ),
    claims(
        "drops",
        "of two arms whose latencies are compared, the one that is claimed to be faster dropped more",
    ),
    claims(
        "delay_off_target",
        "an injected delay, or a way over the declared network, took over 50 us and over a tenth longer than it asked for, at \
         the median",
    ),
    claims("not_steady", "what sets two compared arms apart drifts within the claim's window"),
    note("one_copy", "services beat a monolith of one copy, and the one with copies was not run"),
    note("drift", "latency or CPU of an arm drifts within the window of undisturbed figures"),
    note("pressure_unknown", "the kernel reports no pressure, so whether the machine had room is not known"),
    note("spans_lost", "spans were lost: rows made from traces have no finding"),
    note(
        "unpaired_traces",
        "most traced requests are whole in one arm and not in all: rows made from traces are of a minority",
    ),
    note("build", "a debug build, or one of a tree with changes: its figures are not to be quoted"),
    note(
        "page_cache",
        "a step acts on a database's disk, and the data set fits into memory: outside the fault no read meets a disk",
    ),
];

/// The lint of that name with its effect.
pub(super) fn described(name: &str) -> &'static Described {
    let found = CATALOGUE.iter().find(|lint| lint.name == name);
    found.unwrap_or_else(|| panic!("lint `{name}` is missing in the catalogue"))
}

/// A lint of the catalogue that was found.
pub fn lint(name: &str, text: String) -> Lint {
    let verdict = match described(name).effect {
        Effect::Invalid => Verdict::Invalid,
        Effect::Inconclusive | Effect::Claims => Verdict::Inconclusive,
        Effect::Note => Verdict::Pass,
    };
    Lint { name: name.to_owned(), verdict, text }
}
