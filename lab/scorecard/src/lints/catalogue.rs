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
pub struct LintDescription {
    /// Its stable name.
    pub name: &'static str,
    /// What it makes of a run.
    pub effect: Effect,
    /// When it is reported.
    pub meaning: &'static str,
    /// What is allowed, in a few words; empty where it is no matter of degree.
    pub limit: &'static str,
    /// What helps.
    pub help: &'static str,
}

const fn described_as(
    name: &'static str,
    effect: Effect,
    meaning: &'static str,
    limit: &'static str,
    help: &'static str,
) -> LintDescription {
    LintDescription { name, effect, meaning, limit, help }
}

const fn invalid(
    name: &'static str,
    meaning: &'static str,
    limit: &'static str,
    help: &'static str,
) -> LintDescription {
    described_as(name, Effect::Invalid, meaning, limit, help)
}

const fn inconclusive(
    name: &'static str,
    meaning: &'static str,
    limit: &'static str,
    help: &'static str,
) -> LintDescription {
    described_as(name, Effect::Inconclusive, meaning, limit, help)
}

const fn claims(
    name: &'static str,
    meaning: &'static str,
    limit: &'static str,
    help: &'static str,
) -> LintDescription {
    described_as(name, Effect::Claims, meaning, limit, help)
}

const fn note(
    name: &'static str,
    meaning: &'static str,
    limit: &'static str,
    help: &'static str,
) -> LintDescription {
    described_as(name, Effect::Note, meaning, limit, help)
}

/// All lints, the gravest first.
pub const CATALOGUE: &[LintDescription] = &[
    invalid(
        "valid",
        "a premise, an expectation in `valid`, does not hold",
        "",
        "change the load or the limit in `valid` until the undisturbed phase meets it",
    ),
    invalid(
        "conservation",
        "arrivals offered are not those ok, failed, dropped and abandoned",
        "none may be missing",
        "report it as a defect, with the record",
    ),
    invalid(
        "no_samples",
        "nothing was offered in a measured phase",
        "at least one arrival in each",
        "lengthen the phase or raise the rate",
    ),
    invalid(
        "empty_pages",
        "more than 5 % of pages were empty: reads read nothing",
        "at most 5 %",
        "raise `size`, so that reads find data",
    ),
    invalid(
        "mostly_errors",
        "fewer than half of the journeys were answered, no step is a fault and no phase `overloaded`",
        "at least half",
        "lower the rate, look for the cause in errors by cause, or name the phase in `overloaded`",
    ),
    invalid(
        "unequal_load",
        "arms were not offered the same number of arrivals",
        "the same number",
        "run it again on an idle machine; report it as a defect where it comes back",
    ),
    invalid(
        "queue_cap",
        "arrivals were dropped that the scenario does not allow to be",
        "none, unless `overload = \"drop\"`, or in phases of `overloaded`",
        "lower the rate, write overload = \"drop\", or name the phase in `overloaded`",
    ),
    invalid(
        "over_budget",
        "an arm held more memory than `budget`",
        "`budget` of the scenario",
        "raise `budget`, or lower `size` or the rate",
    ),
    invalid(
        "stale_data",
        "an arm did not begin a round with the snapshot",
        "the same bytes in every round",
        "run it again: every run copies the snapshot anew",
    ),
    invalid(
        "final_states_differ",
        "arms ended with other data, although no step is planned and every journey succeeded",
        "the same data in all arms",
        "report it as a defect: the arms are not one application",
    ),
    invalid(
        "fault_without_hits",
        "a step had a target and did not hit it",
        "at least one hit",
        "aim the step at something the load uses, or lengthen its phase",
    ),
    invalid(
        "no_symptom",
        "a step's `symptom` was not seen",
        "the `symptom` of the step",
        "make the fault stronger or longer, or change the symptom",
    ),
    invalid(
        "gate",
        "a gate kept steps from being injected",
        "the conditions of the gate",
        "lower the rate until the gate holds",
    ),
    invalid(
        "clean_up_unconfirmed",
        "something that the run started or changed may be left",
        "",
        "cleave doctor --clean reverts what is left",
    ),
    invalid(
        "generator",
        "the load generator reports a defect: another schedule, an early end",
        "",
        "run it again; report it as a defect where it comes back",
    ),
    invalid(
        "generator_skew",
        "the schedule is not what the load declares",
        "",
        "report it as a defect, with the record",
    ),
    invalid(
        "pace",
        "fewer than 98 % of a round's planned arrivals were sent in its measured phases",
        "at least 98 %",
        "lower the rate, or free a core for the generator",
    ),
    invalid(
        "generator_lag",
        "half of the arrivals were sent later than a tenth of the measured p50 and 0.2 ms",
        "0.2 ms or a tenth of the measured p50, whichever is more",
        "lower the rate, run in turns with --rounds 6, or stop other programs",
    ),
    invalid(
        "generator_slots",
        "most arrivals waited for one of the generator's slots, of which there were too few",
        "2 ms at p50",
        "lower the rate or the timeout, or raise `pool`",
    ),
    invalid(
        "generator_cpu",
        "the generator used more than half of all cores",
        "half of all cores",
        "lower the rate, or run on more cores",
    ),
    invalid(
        "not_ready",
        "an arm did not answer as asked before the load began",
        "one right answer of every kind",
        "read the log of its processes in the folder of the run",
    ),
    inconclusive(
        "not_simulated",
        "the simulator lacks something that the scenario has, so the prediction covers less than the scenario",
        "nothing left out",
        "calibrate with the journeys of this load: cleave calibrate and the scenario's name; steps without a counterpart take a live run",
    ),
    inconclusive(
        "assumed",
        "something that a prediction rests on was never measured: another machine or build, a network, other data",
        "",
        "calibrate on this machine, with this program and the data of the scenario",
    ),
    inconclusive(
        "diverged",
        "more requests were in flight than can be simulated: figures from then on mean nothing",
        "",
        "lower the rate, or declare slots and a queue",
    ),
    inconclusive(
        "nothing_judged",
        "the scenario expects nothing",
        "",
        "write [expect] with check = [\"errors(all) < 1%\"]",
    ),
    inconclusive(
        "not_judged",
        "arms that expectations are bound to were not run",
        "",
        "run all arms: leave --arms out",
    ),
    inconclusive(
        "fault_without_target",
        "a step was applicable in no arm",
        "",
        "choose a target that an arm has: cleave explain prints them",
    ),
    inconclusive(
        "degraded",
        "this machine could not carry out a step",
        "",
        "cleave doctor prints what this machine lacks",
    ),
    inconclusive(
        "final_states_unclear",
        "arms ended with other data, and journeys that did not succeed, or events under way, may be why",
        "the same data in all arms",
        "lower the rate until every journey succeeds, or lengthen the last phase",
    ),
    inconclusive(
        "audit_incomplete",
        "acknowledged writes could not be read after the load: neither lost nor found",
        "every acknowledged write",
        "lengthen the last phase, so that the arms recover before the audit",
    ),
    inconclusive(
        "popularity",
        "one key gets nearly all of the load, or all keys get the same",
        "",
        "set `popularity` between 0.5 and 1.2",
    ),
    inconclusive(
        "failures_without_cause",
        "over 1 % of arrivals failed where no step, no overload on purpose and no search for capacity explains it",
        "1 % of arrivals",
        "lower the rate, lengthen the warm-up, or stop other programs",
    ),
    claims(
        "closed_loop",
        "users wait for answers, which hides what the claim is about",
        "",
        "write model = \"open\"",
    ),
    claims(
        "one_round",
        "the claim compares arms that took turns fewer than three times; what is exact, in a bracket, or held (memory, sockets) is compared all the same",
        "at least three rounds",
        "run it with --rounds 6",
    ),
    claims(
        "noisy",
        "side by side, tasks waited for a CPU more than half of the claim's window: latencies and capacity",
        "half of the time",
        "stop other programs, lower the rate, or run in turns with --rounds 6",
    ),
    claims(
        "steal",
        "side by side, the hypervisor took over 2 % of the CPU time of the claim's window",
        "2 %",
        "use a machine of your own, or run in turns with --rounds 6",
    ),
    claims(
        "late_sends",
        "over a tenth, and over 0.2 ms, of a percentile that may decide the claim passed before the generator sent",
        "a tenth of the percentile, or 0.2 ms",
        "lower the rate, run in turns with --rounds 6, or stop other programs",
    ),
    claims(
        "other_cpu",
        "side by side, processes outside the run used over 10 % of the machine in the claim's window",
        "10 %",
        "stop other programs, or run in turns with --rounds 6",
    ),
    claims(
        "io_pressure",
        "side by side, tasks waited for a disk more than half of the claim's window",
        "half of the time",
        "stop other programs, or put --out on another disk",
    ),
    claims(
        "hollow_ratio",
        "a ratio without work, hops and hop cost",
        "",
        "write telemetry = \"metrics\" or more, so that work and hops are known",
    ),
    claims(
        "unequal_resources",
        "the claim compares arms that were not given the same, and none declares it",
        "the same in all arms, threads as far as processes have cores for them",
        "give the arms the same `workers` and `pool`, or declare the difference",
    ),
    claims(
        "no_copies",
        "services beat a monolith of one copy, and the scenario declares none with copies",
        "a monolith with copies",
        "declare a topology such as mono-x3, and run it as well",
    ),
    claims(
        "unequal_errors",
        "of two arms whose latencies are compared, the one that is claimed to be faster fails more",
        "",
        "lower the rate until the arms fail alike, or claim the failures themselves",
    ),
    claims(
        "drops",
        "of two arms whose latencies are compared, the one that is claimed to be faster dropped more",
        "",
        "lower the rate, or claim goodput in place of latency",
    ),
    claims(
        "delay_off_target",
        "an injected delay, or a way over the declared network, took over 50 us and over a tenth longer than it asked for, at \
         the median",
        "50 us and a tenth of the delay",
        "stop other programs, or ask for a longer delay",
    ),
    claims(
        "not_steady",
        "what sets two compared arms apart drifts within the claim's window, by as much as the claim is decided by",
        "no trend at the 1 % level, or one smaller than the distance to what is claimed",
        "lengthen the warm-up, or run in turns with --rounds 6",
    ),
    note(
        "one_copy",
        "services beat a monolith of one copy, and the one with copies was not run",
        "",
        "run the arm with copies as well: cleave explain prints its name",
    ),
    note(
        "simulated",
        "nothing ran: every figure was computed by the simulator from a calibration",
        "",
        "run it: cleave run, and compare",
    ),
    note(
        "drift",
        "latency or CPU of an arm drifts within the window of undisturbed figures",
        "no trend at the 1 % level",
        "lengthen the warm-up",
    ),
    note(
        "periodic_work",
        "of two arms whose latencies or CPU a claim compares, one had more checkpoints of its databases in the claim's window",
        "as many in both",
        "lengthen the phase, or run in turns with --rounds 6",
    ),
    note(
        "pressure_unknown",
        "the kernel reports no pressure, so whether the machine had room is not known",
        "",
        "use a kernel with CONFIG_PSI",
    ),
    note(
        "spans_lost",
        "spans were lost: rows made from traces have no finding",
        "",
        "lower the rate, or write telemetry = \"sampled\"",
    ),
    note(
        "unpaired_traces",
        "most traced requests are whole in one arm and not in all: rows made from traces are of a minority",
        "half of them",
        "lower the rate until traces are whole in all arms",
    ),
    note(
        "build",
        "a debug build, or one of a tree with changes: its figures are not to be quoted",
        "",
        "build a commit with cargo build --release",
    ),
    note(
        "page_cache",
        "a step acts on a database's disk, and the data set fits into memory: outside the fault no read meets a disk",
        "",
        "raise `size` beyond the memory of the machine",
    ),
];

/// The lint of that name; `None` of another version's.
pub fn find(name: &str) -> Option<&'static LintDescription> {
    CATALOGUE.iter().find(|lint| lint.name == name)
}

/// The lint of that name with its effect.
pub(super) fn described(name: &str) -> &'static LintDescription {
    find(name).unwrap_or_else(|| panic!("lint `{name}` is missing in the catalogue"))
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
