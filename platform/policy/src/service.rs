//! What a scenario declares of a component: its slots, its queue, and the work of a call.
//!
//! Capacity is slots over mean work, whatever the machine: a verdict about queues
//! then survives a busy laptop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bodies::BodyOptions;
use crate::units::{HumanDuration, MAX_WAIT, Ratio};

/// More waiting calls than this is a run that diverged, whatever the file asks for.
pub const QUEUE_CAP: u32 = 50_000;
/// A million entries of a few hundred bytes are a few hundred MiB in each copy.
const MAX_ENTRIES: u32 = 1_000_000;
/// More followers than any account of a data set has: all are fanned out on write.
const MAX_FOLLOWERS: u32 = 1_000_000;
/// Each connection owns a thread.
const MAX_CONNECTIONS: u32 = 64;

/// `[service.S]`, of every copy of the component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceOptions {
    /// Calls worked on at once; unlimited where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Calls that may wait for a slot; 50,000 where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// What each call does besides its real work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<SimulatedWork>,
    /// A look-aside cache before the component's store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<SimulatedCache>,
    /// Shape of the store behind it: slots, queue and work of a fill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<SimulatedStore>,
    /// For feed: authors with fewer followers are fanned out on write, the others merged on read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_below: Option<u32>,
    /// Whether events are written in the transaction of the change they report. Switched off, they
    /// are published after it, and a crash in between loses them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbox: Option<bool>,
    /// Whether subscribers that share the publisher's database call other components inside its write transaction,
    /// so that every other writer waits for those calls. Without it they call before the transaction begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_in_transaction: Option<bool>,
    /// Connections that read its database. Components of one process share a database,
    /// and it has as many as they ask for together. Where unset, two in all copies
    /// together, and at least one in each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<u32>,
    /// For gateway, which has nothing else to set: bytes of bodies that it holds at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bodies: Option<BodyOptions>,
}

/// How the work of calls is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Exponential: many short, few long.
    #[default]
    Exp,
    /// Always the mean.
    Constant,
    /// Even between nothing and twice the mean.
    Uniform,
    /// Lognormal with sigma 1.
    Lognormal,
    /// Pareto with alpha 1.5: a heavy tail, cut at a hundred times the mean.
    Pareto,
}

/// `{ dist = "exp", mean = "20ms" }`: a sampled wait that holds the slot, or as much CPU.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatedWork {
    /// How it is spread.
    #[serde(default)]
    pub dist: Distribution,
    /// Its mean.
    pub mean: HumanDuration,
    /// Burns CPU instead of waiting; on the thread that serves the call, which
    /// stalls whatever else that thread serves.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cpu: bool,
    /// Burns it on a thread for blocking work, as a careful programmer would.
    #[serde(default, skip_serializing_if = "is_false")]
    pub offload: bool,
    /// Share of calls that do it at all, drawn by request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Ratio>,
}

/// `{ ttl = "500s", warm = true }`: what is read often is kept nearby.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatedCache {
    /// How long an entry is fresh; for ever where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<HumanDuration>,
    /// Entries kept at most; 100,000 where unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u32>,
    /// Whether every key is warm when the run begins.
    #[serde(skip_serializing_if = "is_false")]
    pub warm: bool,
    /// One fill per key at a time; the others wait for it.
    #[serde(skip_serializing_if = "is_false")]
    pub single_flight: bool,
    /// Stale entries are answered at once and refreshed behind the caller's back.
    #[serde(skip_serializing_if = "is_false")]
    pub serve_stale: bool,
    /// A fill whose caller has given up is kept all the same.
    #[serde(skip_serializing_if = "is_false")]
    pub keep_late: bool,
}

impl SimulatedCache {
    /// Entries of a cache that sets none.
    pub const ENTRIES: u32 = 100_000;
}

/// `{ slots = 8, work = { mean = "20ms" }, timeout = "300ms" }`: the store behind a
/// cache. It never cancels: what was asked of it is done, also for callers that have left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatedStore {
    /// Fills worked on at once.
    pub slots: u32,
    /// Fills that may wait; 50,000 where unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// What a fill takes.
    pub work: SimulatedWork,
    /// How long the component waits for a fill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HumanDuration>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A work's spread beyond its mean is cut here, so that one draw cannot outlast a run.
const MAX_TIMES_MEAN: f64 = 100.0;

impl SimulatedWork {
    /// The work of a call, ns, by inverse transform of `unit` in [0, 1): one draw
    /// per call, the same in every arm.
    pub fn sample_ns(&self, unit: f64) -> u64 {
        let mean = self.mean.nanos() as f64;
        let factor = match self.dist {
            Distribution::Exp => -(1.0 - unit).ln(),
            Distribution::Constant => 1.0,
            Distribution::Uniform => 2.0 * unit,
            // exp(z - 1/2) has mean 1 for a standard normal z.
            Distribution::Lognormal => (normal(unit) - 0.5).exp(),
            // Scale (alpha - 1) / alpha gives mean 1.
            Distribution::Pareto => (1.0 / 3.0) * (1.0 - unit).powf(-1.0 / 1.5),
        };
        (mean * factor.clamp(0.0, MAX_TIMES_MEAN)) as u64
    }
}

/// The standard normal quantile, to 4.5e-4 (Abramowitz & Stegun 26.2.23).
pub fn normal(unit: f64) -> f64 {
    let unit = unit.clamp(1e-12, 1.0 - 1e-12);
    let (p, sign) = if unit < 0.5 { (unit, -1.0) } else { (1.0 - unit, 1.0) };
    let t = (-2.0 * p.ln()).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    sign * (t - numerator / denominator)
}

impl ServiceOptions {
    /// Whether calls go through it unshaped.
    pub fn is_plain(&self) -> bool {
        self.slots.is_none() && self.work.is_none() && self.cache.is_none()
    }

    /// Calls per second that one copy can do; `None` where nothing limits it.
    pub fn capacity(&self) -> Option<f64> {
        let (slots, work) = (self.slots?, self.work?);
        let share = work.share.map_or(1.0, Ratio::get);
        Some(f64::from(slots) / (work.mean.duration().as_secs_f64() * share))
    }

    /// What is wrong with it as that of the gateway, which calls others and works on nothing.
    pub fn gateway_diagnostics(&self) -> Vec<String> {
        let mut diagnostics = self.bodies.map_or_else(Vec::new, |bodies| bodies.diagnostics());
        if (Self { bodies: None, ..self.clone() }) != Self::default() {
            let message = "the gateway has no key but `bodies`; write the others under a component";
            diagnostics.push(message.to_owned());
        }
        diagnostics
    }

    /// What is wrong with it, with the right choices; empty when nothing is.
    pub fn diagnostics(&self) -> Vec<String> {
        let mut diagnostics = Vec::new();
        let mut refuse = |wrong: bool, sentence: &str| {
            if wrong {
                diagnostics.push(sentence.to_owned());
            }
        };
        let range = 1..=QUEUE_CAP;
        refuse(
            self.slots.is_some_and(|slots| !range.contains(&slots)),
            "slots: write 1 to 50000; leave `slots` out for no limit",
        );
        refuse(self.queue.is_some_and(|queue| queue > QUEUE_CAP), "queue: at most 50000 calls may wait");
        refuse(self.queue.is_some() && self.slots.is_none(), "queue: calls wait for slots; write slots = 8");
        refuse(
            self.bodies.is_some(),
            "bodies: they are held by the gateway; write them under [service.gateway]",
        );
        refuse(
            self.pool.is_some_and(|pool| !(1..=MAX_CONNECTIONS).contains(&pool)),
            "pool: a pool holds 1 to 64 connections",
        );
        refuse(
            self.store.is_some() && self.cache.is_none(),
            "store: it is asked by a cache; write cache = { single_flight = true }",
        );
        refuse(
            self.store.is_some_and(|store| !range.contains(&store.slots)),
            "store: its slots are out of range; write 1 to 50000",
        );
        refuse(
            self.store.and_then(|store| store.queue).is_some_and(|queue| queue > QUEUE_CAP),
            "store: at most 50000 fills may wait",
        );
        let nothing = Some(HumanDuration::default());
        refuse(
            self.store.is_some_and(|store| store.timeout == nothing),
            "store: no fill is done in 0s; write for example timeout = \"300ms\"",
        );
        refuse(
            self.store.and_then(|store| store.timeout).is_some_and(|timeout| timeout > MAX_WAIT),
            "store: its timeout is out of range; write at most 1m, or leave `timeout` out",
        );
        refuse(
            self.push_below.is_some_and(|followers| followers > MAX_FOLLOWERS),
            "push_below: out of range; write at most 1000000 followers",
        );
        refuse(
            self.cache.is_some_and(|cache| cache.ttl == nothing),
            "cache: an entry that is fresh for 0s is never used; write for example ttl = \"60s\"",
        );
        refuse(
            self.cache
                .and_then(|cache| cache.entries)
                .is_some_and(|entries| !(1..=MAX_ENTRIES).contains(&entries)),
            "cache: its entries are out of range; write 1 to 1000000",
        );
        for work in [self.work, self.store.map(|store| store.work)].into_iter().flatten() {
            refuse(work.mean == HumanDuration::default(), "work: its mean is nothing; write mean = \"20ms\"");
            refuse(work.mean > MAX_WAIT, "work: its mean is out of range; write at most 1m");
            refuse(
                work.share.is_some_and(|share| share.get() <= 0.0),
                "work: a share of 0% does nothing; write e.g. share = \"10%\"",
            );
            refuse(work.offload && !work.cpu, "work: only CPU is offloaded; write cpu = true as well");
        }
        diagnostics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(text: &str) -> ServiceOptions {
        toml::from_str(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn capacity_is_slots_over_work() {
        let follower = service("slots = 8\nwork = { dist = \"exp\", mean = \"20ms\" }");
        assert_eq!(follower.capacity(), Some(400.0));
        assert_eq!(service("").capacity(), None);
        assert_eq!(service("slots = 2\nwork = { mean = \"20ms\", share = \"50%\" }").capacity(), Some(200.0));
    }

    #[test]
    fn every_spread_has_the_mean_it_declares() {
        for dist in [
            Distribution::Exp,
            Distribution::Constant,
            Distribution::Uniform,
            Distribution::Lognormal,
            Distribution::Pareto,
        ] {
            let work = SimulatedWork {
                dist,
                mean: HumanDuration::from_millis(20),
                cpu: false,
                offload: false,
                share: None,
            };
            let draws = 100_000;
            let sum: f64 =
                (0..draws).map(|i| work.sample_ns((f64::from(i) + 0.5) / f64::from(draws)) as f64).sum();
            let mean_ms = sum / f64::from(draws) / 1e6;
            // The cut tail of a Pareto with alpha 1.5 holds a twentieth of its mean.
            assert!((18.5..20.3).contains(&mean_ms), "{dist:?}: {mean_ms} ms");
        }
    }

    #[test]
    fn a_normal_quantile_of_known_values() {
        for (unit, z) in [(0.5, 0.0), (0.975, 1.959_96), (0.001, -3.090_23)] {
            assert!((normal(unit) - z).abs() < 1e-3, "{unit}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_reported() {
        for (text, part) in [
            ("slots = 0", "1 to 50000"),
            ("queue = 4", "write slots"),
            ("slots = 1\nqueue = 60000", "at most 50000"),
            ("pool = 0", "1 to 64 connections"),
            ("bodies = {}", "[service.gateway]"),
            ("pool = 65", "1 to 64 connections"),
            ("work = { mean = \"0ms\" }", "mean is nothing"),
            ("work = { mean = \"1ms\", offload = true }", "cpu = true"),
            ("store = { slots = 1, work = { mean = \"1ms\" } }", "asked by a cache"),
            ("cache = {}\nstore = { slots = 0, work = { mean = \"1ms\" } }", "1 to 50000"),
            ("cache = {}\nstore = { slots = 1, queue = 60000, work = { mean = \"1ms\" } }", "may wait"),
            (
                "cache = {}\nstore = { slots = 1, timeout = \"0s\", work = { mean = \"1ms\" } }",
                "no fill is done",
            ),
            ("cache = { ttl = \"0s\" }", "never used"),
            ("cache = { entries = 0 }", "1 to 1000000"),
            ("cache = { entries = 4000000000 }", "1 to 1000000"),
            ("work = { mean = \"1ms\", share = \"0%\" }", "does nothing"),
        ] {
            let diagnostics = service(text).diagnostics().join("\n");
            assert!(diagnostics.contains(part), "{text}: {diagnostics}");
        }
        assert!(toml::from_str::<ServiceOptions>("slot = 1").is_err());
    }

    #[test]
    fn the_gateway_has_bodies_alone_to_set() {
        for (text, part) in [
            ("bodies = { replies = \"64MiB\" }", ""),
            ("bodies = { replies = \"64B\" }", "out of range"),
            ("slots = 4\nbodies = {}", "no key but `bodies`"),
        ] {
            let diagnostics = service(text).gateway_diagnostics().join("\n");
            assert_eq!(diagnostics.is_empty(), part.is_empty(), "{text}: {diagnostics}");
            assert!(diagnostics.contains(part), "{text}: {diagnostics}");
        }
    }
}
