//! Where the load generator was the bottleneck (trap T14).

use model::{Run, Window};

/// Waits for a slot, at the median, from which the generator is the bottleneck.
const MAX_SLOT_WAIT_US: u64 = 2_000;
/// Lateness that is always allowed at the 99th percentile, however short the latencies.
const MIN_LAG_P99_US: u64 = 2_000;
/// The same at the median.
const MIN_LAG_P50_US: u64 = 200;

/// Fewer arrivals than planned.
pub(super) fn pace(run: &Run, sent: u64, dropped: u64) -> Option<String> {
    let planned = run.header.planned;
    let is_short = ((sent + dropped) as f64) < 0.98 * planned as f64 * measured_share(run);
    is_short.then(|| format!("{sent} sent of {planned} planned"))
}

/// The planned arrivals are counted over all rounds and phases; only measured ones are compared.
fn measured_share(run: &Run) -> f64 {
    let phases = &run.header.phases;
    let total: u64 = phases.iter().map(|phase| phase.length_ns).sum();
    let measured: u64 = phases.iter().filter(|phase| phase.measure).map(|phase| phase.length_ns).sum();
    // Phases may have rates of their own, so this is a floor with room, not an equality.
    if total == 0 { 0.0 } else { 0.9 * measured as f64 / total as f64 }
}

/// The generator's own lateness is at most a tenth of what it measured.
pub(super) fn lag(run: &Run, arm: char) -> Option<String> {
    let whole = run.whole(&Window::Whole);
    let mut lag = run.merged(arm, &whole, "all", |w| &w.pace_lag);
    lag.merge(&run.merged(arm, &whole, "all", |w| &w.own_wait));
    let measured = run.merged(arm, &whole, "all", |w| &w.intended);
    let limit = |q: f64, floor_us: u64| Some(floor_us.max(measured.quantile(q)? / 10));
    let (p50, p99) = (lag.quantile(0.5)?, lag.quantile(0.99)?);
    if p99 > limit(0.99, MIN_LAG_P99_US)? {
        return Some(format!("the generator was {p99} us late at p99 and {p50} us at p50"));
    }
    (p50 > limit(0.5, MIN_LAG_P50_US)?).then(|| format!("the generator was {p50} us late at p50"))
}

/// An arm that stalls causes waits for the generator's slots. Where most arrivals wait, and there are fewer slots than
/// could be needed, the generator causes them.
pub(super) fn slots(run: &Run, arm: char) -> Option<String> {
    let (slots, needed) = run.header.slots;
    let whole = run.whole(&Window::Whole);
    let waits = run.merged(arm, &whole, "all", |w| &w.slot_wait);
    let most_wait = waits.len() * 2 > run.sum(arm, &whole, "all", |w| w.sent);
    let waited = waits.quantile(0.5)?;
    (slots < needed && most_wait && waited > MAX_SLOT_WAIT_US).then(|| {
        format!(
            "{needed} requests could be under way and the generator has slots for {slots}, for which \
             most arrivals waited, {waited} us at p50; lower the rate or the timeout, or raise `pool`"
        )
    })
}

/// Share of all cores the generator used.
pub(super) fn cpu(run: &Run) -> Option<f64> {
    let (_, samples) = run.processes('-').find(|(name, _)| *name == "generator")?;
    let (first, last) = (samples.first()?, samples.last()?);
    let wall = last.0.saturating_sub(first.0) as f64 * f64::from(run.header.machine.cores);
    (wall > 0.0).then(|| last.1.cpu_ns.saturating_sub(first.1.cpu_ns) as f64 / wall)
}
