//! Where the load generator was the bottleneck (trap T14).
//!
//! Of a phase that is overloaded on purpose (`overloaded`), arrivals count that were handed over in time: that they found no
//! slot is the arms' doing. Whether they were handed over in time, `generator_lag` looks at there as well.

use model::so_far::is_too_late;
use model::{Run, SECOND, TimeRange, Window};
use record::Latencies;

use super::LintList;

/// Share of the planned arrivals that must be sent.
const MIN_PACE: f64 = 0.98;
/// Waits for a slot, at the median, from which the generator is the bottleneck.
const MAX_SLOT_WAIT_US: u64 = 2_000;
/// CPU over all cores from which the generator is the bottleneck.
const MAX_CPU: f64 = 0.5;

pub(super) fn lints(run: &Run, found: &mut LintList) {
    for arm in &run.header.arms {
        let lints = [
            ("pace", pace(run, arm.letter)),
            ("generator_lag", lag(run, arm.letter)),
            ("generator_slots", slots(run, arm.letter)),
        ];
        for (lint, text) in lints {
            if let Some(text) = text {
                found.add(lint, format!("{}: {text}", arm.name));
            }
        }
    }
    if let Some(share) = cpu(run).filter(|share| *share > MAX_CPU) {
        found.add("generator_cpu", format!("the load generator used {:.0} % of all cores", share * 100.0));
    }
}

/// Fewer arrivals of a round's measured phases than planned. A drop by design counts as sent.
fn pace(run: &Run, arm: char) -> Option<String> {
    let measured: Vec<(Window, bool)> = run
        .header
        .phases
        .iter()
        .filter(|phase| phase.measure)
        .map(|phase| (Window::Phase(phase.name.clone()), run.is_overloaded(phase)))
        .collect();
    let sent = |index: usize, (phase, is_overloaded): &(Window, bool)| {
        let range = run.rounds(phase).into_iter().nth(index)?;
        let is_overloaded = *is_overloaded;
        Some(run.sum(arm, &range, "all", |w| if is_overloaded { w.offered } else { w.sent + w.dropped }))
    };
    let of_round = |(index, planned): (usize, &u64)| {
        let sent: u64 = measured.iter().filter_map(|phase| sent(index, phase)).sum();
        let is_short = (sent as f64) < MIN_PACE * *planned as f64;
        is_short.then(|| format!("{sent} sent of {planned} planned in round {}", index + 1))
    };
    run.header.planned_measured.iter().enumerate().find_map(of_round)
}

/// Half of the arrivals are sent on time. How much of each percentile the generator's lateness is, `late_sends` looks at.
fn lag(run: &Run, arm: char) -> Option<String> {
    let whole = run.whole(&Window::Whole);
    let mut lag = run.merged(arm, &whole, "all", |w| &w.pace_lag);
    lag.merge(&run.merged(arm, &whole, "all", |w| &w.own_wait));
    let measured = run.merged(arm, &whole, "all", |w| &w.intended).quantile(0.5)?;
    let p50 = lag.quantile(0.5)?;
    is_too_late(p50 as f64, measured as f64)
        .then(|| format!("the generator was {p50} us late at p50, of a measured p50 of {measured} us"))
}

/// An arm that stalls causes waits for the generator's slots. Where most arrivals wait, and there are fewer slots than
/// could be needed, the generator causes them.
fn slots(run: &Run, arm: char) -> Option<String> {
    let (slots, needed) = run.header.slots;
    let ranges: Vec<TimeRange> = run.phases_to_carry().map(|phase| run.whole(&phase)).collect();
    let of_each = ranges.iter().map(|range| run.merged(arm, range, "all", |w| &w.slot_wait));
    let waits = Latencies::merged(&of_each.collect::<Vec<_>>());
    let sent: u64 = ranges.iter().map(|range| run.sum(arm, range, "all", |w| w.sent)).sum();
    let most_wait = waits.len() * 2 > sent;
    let waited = waits.quantile(0.5)?;
    (slots < needed && most_wait && waited > MAX_SLOT_WAIT_US).then(|| {
        format!(
            "{needed} requests could be under way and the generator has slots for {slots}, for which \
             most arrivals waited, {waited} us at p50; lower the rate or the timeout, or raise `pool`"
        )
    })
}

/// Share of all cores the generator used while it ran: each round has a process of its own, which has no figures any more
/// once it has ended.
fn cpu(run: &Run) -> Option<f64> {
    let (_, samples) = run.processes('-').find(|(name, _)| *name == "generator")?;
    let (mut used, mut wall) = (0, 0);
    for pair in samples.windows(2) {
        let ((from, before), (to, after)) = (&pair[0], &pair[1]);
        if before.pid == after.pid && after.cpu_ns >= before.cpu_ns {
            used += after.cpu_ns - before.cpu_ns;
            wall += to - from;
        }
    }
    let cores = f64::from(run.header.machine.cores);
    (wall >= SECOND && cores > 0.0).then(|| used as f64 / (wall as f64 * cores))
}
