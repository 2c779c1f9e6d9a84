//! How much more CPU calls take the rarer they are: between two calls code and data of a process leave the caches.
//!
//! A process that has just served a call is warm for calls of the same component. It cools evenly, and is cold after some
//! milliseconds; a call takes more by a share that falls with how warm it finds its process. Of calls that come at random this
//! is known from their rate alone, so that loads at several rates show both: by what share, and how soon.

use std::collections::BTreeMap;

use super::document::{Origin, Parameter};
use super::ledger::{ComponentCpu, Ledger, component_of};

/// A process under a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// Calls that it gets a second.
    pub calls_per_s: f64,
    /// CPU of a call, in any unit: only by what ratio it differs between loads counts.
    pub each: f64,
    /// How much it weighs: all of its CPU.
    pub weight: f64,
}

/// Rates that differ by less show nothing.
const MIN_RATIO: f64 = 1.3;
/// Times that are tried, ns, in equal ratios from the first to the last.
const TIMES_NS: (f64, f64) = (3e5, 3e7);
const TIMES: u32 = 60;
/// Shares that are tried: multiples up to a call that takes four times as much.
const SHARE_STEP: f64 = 0.02;
const SHARES: u32 = 150;
/// What is off by so much more, of a call, fits as well: of all that do, the least share is taken.
const EQUAL_FIT_LOSS: f64 = 0.002;
/// What is off by so much more fits nearly as well.
const NEAR_FIT_LOSS: f64 = 0.01;

/// By what share a call takes more in a cold process, and how soon one is cold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cooling {
    /// The share, 1 for twice as much.
    pub cold_cpu: f64,
    /// When it is cold, ns after its last call.
    pub cooling_ns: f64,
}

impl Cooling {
    /// How many times as much CPU a call takes as in a warm process, on average of so many calls a second that come at random.
    pub fn factor(self, calls_per_s: f64) -> f64 {
        1.0 + self.cold_cpu * coldness(self.cooling_ns, calls_per_s)
    }

    /// What was spent as if every call had come to a warm process.
    pub fn warmed(self, mut ledger: Ledger) -> Ledger {
        let factor = |spent: &ComponentCpu| self.factor(spent.calls_per_s(ledger.seconds));
        let factors: BTreeMap<String, f64> = ledger
            .components
            .iter()
            .filter(|(_, spent)| spent.served > 0.0)
            .map(|(name, spent)| (name.clone(), factor(spent)))
            .collect();
        let of = |component: &str| factors.get(component).copied().unwrap_or(1.0);
        for (name, spent) in &mut ledger.components {
            let factor = of(name);
            spent.total -= spent.tasks() * (1.0 - 1.0 / factor);
            spent.operations = spent.blocking + (spent.operations - spent.blocking) / factor;
        }
        for (name, cost) in &mut ledger.operations {
            let warm = |ns: u64| (ns as f64 / of(component_of(name))).round() as u64;
            (cost.business_ns, cost.database_ns) = (warm(cost.business_ns), warm(cost.database_ns));
        }
        ledger
    }
}

/// How cold calls that come at random find a process, from 0 to 1 and on average of so many a second: the gaps between them are
/// exponential, and a gap counts as far as it is shorter than the time in which a process cools.
fn coldness(cooling_ns: f64, calls_per_s: f64) -> f64 {
    let calls = calls_per_s * cooling_ns / 1e9;
    if calls > 1e-9 { -(-calls).exp_m1() / calls } else { 1.0 }
}

/// A load of a process that cools in a certain time.
#[derive(Clone, Copy, Debug)]
struct CooledLoad {
    coldness: f64,
    /// Logarithm of the CPU of a call.
    log_each: f64,
    weight: f64,
}

/// Mean square of the logarithms by which CPU of calls is off, if a call takes more by a share in a cold process, and in a warm one
/// what suits its process best.
fn loss(cold_cpu: f64, processes: &[Vec<CooledLoad>]) -> f64 {
    let (mut squares, mut weights) = (0.0, 0.0);
    for loads in processes {
        let (mut weight, mut sum, mut square) = (0.0, 0.0, 0.0);
        for load in loads {
            let warm = load.log_each - (1.0 + cold_cpu * load.coldness).ln();
            weight += load.weight;
            sum += load.weight * warm;
            square += load.weight * warm * warm;
        }
        // About their mean.
        squares += (square - sum * sum / weight).max(0.0);
        weights += weight;
    }
    if weights > 0.0 { squares / weights } else { f64::INFINITY }
}

/// What loads at several rates show, by process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CoolingFit {
    /// What comes closest.
    pub cooling: Cooling,
    /// The share as a parameter.
    pub cold_cpu: Parameter,
    /// The time as a parameter.
    pub cooling_ns: Parameter,
}

/// The loads of every process at some levels of one mix of journeys. What the calls are differs from level to level by chance: what
/// counts is what they take beside what such calls take on average of all levels.
pub(super) fn loads(levels: &[&Ledger]) -> Vec<Vec<Load>> {
    let (mut operations, mut messages) = (Means::new(), Means::new());
    for ledger in levels {
        for (name, cost) in &ledger.operations {
            add(&mut operations, name, (cost.business_ns + cost.database_ns) as f64, cost.served as f64);
        }
        for (component, spent) in &ledger.components {
            let of_messages = (spent.tasks() + spent.blocking - spent.operations).max(0.0);
            add(&mut messages, component, of_messages, spent.served);
        }
    }
    let mean = |means: &Means, name: &str| match means.get(name) {
        Some((ns, count)) if *count > 0.0 => ns / count,
        _ => 0.0,
    };
    let mut processes: BTreeMap<&str, Vec<Load>> = BTreeMap::new();
    for ledger in levels {
        for (component, spent) in ledger.components.iter().filter(|(_, spent)| spent.served > 0.0) {
            let own = ledger.operations.iter().filter(|(name, _)| component_of(name) == component);
            let usual_ns = own.map(|(name, cost)| cost.served as f64 * mean(&operations, name)).sum::<f64>()
                + spent.served * mean(&messages, component);
            let each = if usual_ns > 0.0 { spent.tasks() / usual_ns } else { 0.0 };
            let calls_per_s = spent.calls_per_s(ledger.seconds);
            processes.entry(component).or_default().push(Load { calls_per_s, each, weight: spent.tasks() });
        }
    }
    processes.into_values().collect()
}

/// CPU, ns, and how often it was spent, by name.
type Means = BTreeMap<String, (f64, f64)>;

fn add(means: &mut Means, name: &str, ns: f64, count: f64) {
    let sum = means.entry(name.to_owned()).or_default();
    *sum = (sum.0 + ns, sum.1 + count);
}

/// The cooling that comes closest to the loads of processes; `None` where they differ too little in their rates.
pub(super) fn fit(processes: &[Vec<Load>]) -> Option<CoolingFit> {
    let usable: Vec<Vec<Load>> = processes.iter().map(|loads| known(loads)).collect();
    let usable: Vec<Vec<Load>> = usable.into_iter().filter(|loads| differ(loads)).collect();
    if usable.is_empty() {
        return None;
    }
    let ratio = (TIMES_NS.1 / TIMES_NS.0).ln() / f64::from(TIMES - 1);
    let mut tried: Vec<(Cooling, f64)> = Vec::new();
    for cooling_ns in (0..TIMES).map(|step| TIMES_NS.0 * (ratio * f64::from(step)).exp()) {
        let cooled = |load: &Load| CooledLoad {
            coldness: coldness(cooling_ns, load.calls_per_s),
            log_each: load.each.ln(),
            weight: load.weight,
        };
        let processes: Vec<Vec<CooledLoad>> =
            usable.iter().map(|loads| loads.iter().map(cooled).collect()).collect();
        tried.extend((0..=SHARES).map(|step| {
            let cold_cpu = SHARE_STEP * f64::from(step);
            (Cooling { cold_cpu, cooling_ns }, loss(cold_cpu, &processes))
        }));
    }
    let least = tried.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
    let within = |more: f64| {
        let bound = least + more * more;
        tried.iter().filter(move |(_, loss)| *loss <= bound)
    };
    let (cooling, _) = within(EQUAL_FIT_LOSS)
        .min_by(|(a, of_a), (b, of_b)| a.cold_cpu.total_cmp(&b.cold_cpu).then(of_a.total_cmp(of_b)))?;
    let parameter = |of: fn(&Cooling) -> f64| {
        let near = within(NEAR_FIT_LOSS).map(|(point, _)| of(point));
        let value = of(cooling);
        let (low, high) = near.fold((value, value), |(low, high), near| (low.min(near), high.max(near)));
        Parameter { value, origin: Origin::Fitted, low, high }
    };
    Some(CoolingFit {
        cooling: *cooling,
        cold_cpu: parameter(|point| point.cold_cpu),
        cooling_ns: parameter(|point| point.cooling_ns),
    })
}

/// Loads in which a process did something.
fn known(loads: &[Load]) -> Vec<Load> {
    loads
        .iter()
        .copied()
        .filter(|load| load.calls_per_s > 0.0 && load.each > 0.0 && load.weight > 0.0)
        .collect()
}

/// Whether a process had loads at different rates.
fn differ(loads: &[Load]) -> bool {
    let lowest = loads.iter().map(|load| load.calls_per_s).fold(f64::INFINITY, f64::min);
    loads.iter().any(|load| load.calls_per_s > lowest * MIN_RATIO)
}

#[cfg(test)]
mod tests {
    use record::OperationCost;

    use super::*;

    /// A process at three rates, of calls that take so much in a warm one.
    fn process(truth: Cooling, rates: [f64; 3], warm_ns: f64) -> Vec<Load> {
        let load = |calls_per_s| {
            let each = warm_ns * truth.factor(calls_per_s);
            Load { calls_per_s, each, weight: calls_per_s * each }
        };
        rates.map(load).into()
    }

    #[test]
    fn calls_take_twice_as_much_where_they_are_rare_and_as_in_a_warm_process_where_they_are_many() {
        let cooling = Cooling { cold_cpu: 1.0, cooling_ns: 2e6 };
        assert!((cooling.factor(0.0) - 2.0).abs() < 1e-9);
        // One in 2 ms: 1 - 1/e of the way to cold.
        assert!((cooling.factor(500.0) - (2.0 - (-1.0_f64).exp())).abs() < 1e-9);
        assert!(cooling.factor(1e6) < 1.001);
        assert!((Cooling::default().factor(100.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_planted_cooling_is_found_and_costs_fall_as_planted() {
        let truth = Cooling { cold_cpu: 1.2, cooling_ns: 2.6e6 };
        let loads =
            [process(truth, [250.0, 575.0, 830.0], 300e3), process(truth, [175.0, 400.0, 580.0], 90e3)];
        let found = fit(&loads).expect("three rates");
        assert!((found.cooling.cold_cpu / 1.2 - 1.0).abs() < 0.25, "{found:?}");
        assert!((found.cooling.cooling_ns / 2.6e6 - 1.0).abs() < 0.25, "{found:?}");
        assert!((found.cold_cpu.low..=found.cold_cpu.high).contains(&1.2), "{found:?}");
        // What it is for: between the rates and a little beyond them, a call costs what was planted.
        for rate in [384.0, 703.0, 1_023.0] {
            let fall = |cooling: Cooling| cooling.factor(rate) / cooling.factor(250.0);
            let (seen, planted) = (fall(found.cooling), fall(truth));
            assert!((seen / planted - 1.0).abs() < 0.02, "at {rate}/s {seen} of that at 250/s, {planted}");
        }
    }

    #[test]
    fn more_heavy_calls_at_one_level_than_at_another_are_no_cooling() {
        // 100 us a light call and 5 ms a heavy one, and 50 us the messages of either: of 300 one is heavy, of 600 thirty.
        let level = |light: u64, heavy: u64| {
            let cost = |served: u64, ns: u64| OperationCost {
                served,
                business_ns: served * ns,
                ..OperationCost::default()
            };
            let calls = (light + heavy) as f64;
            let operations = light as f64 * 1e5 + heavy as f64 * 5e6;
            let spent = ComponentCpu {
                operations,
                total: operations + calls * 5e4,
                served: calls,
                copies: 1.0,
                ..ComponentCpu::default()
            };
            Ledger {
                components: [("photo".to_owned(), spent)].into(),
                operations: [
                    ("photo/light".to_owned(), cost(light, 100_000)),
                    ("photo/heavy".to_owned(), cost(heavy, 5_000_000)),
                ]
                .into(),
                seconds: 4.0,
                ..Ledger::default()
            }
        };
        let found = loads(&[&level(299, 1), &level(570, 30)]);
        let [few, many] = &found[0][..] else { panic!("two levels: {found:?}") };
        assert!((few.each - 1.0).abs() < 1e-9 && (many.each - 1.0).abs() < 1e-9, "{found:?}");
        assert!((few.calls_per_s - 75.0).abs() < 1e-9 && (many.calls_per_s - 150.0).abs() < 1e-9);
        assert!(fit(&found).expect("two rates").cooling.cold_cpu.abs() < 1e-9);
    }

    #[test]
    fn what_does_not_fall_does_not_cool() {
        let level = fit(&[process(Cooling::default(), [100.0, 200.0, 400.0], 50e3)]).expect("three rates");
        assert!(level.cooling.cold_cpu.abs() < 1e-9, "{level:?}");
        let one = fit(&[process(Cooling { cold_cpu: 1.0, cooling_ns: 2e6 }, [100.0, 110.0, 120.0], 50e3)]);
        assert_eq!(one, None, "rates that hardly differ");
        assert_eq!(fit(&[]), None);
    }

    #[test]
    fn a_warm_process_takes_less_of_what_cools_and_as_much_of_what_does_not() {
        // A thousand calls a second find it half cooled: half more of 300 ms of operations and 150 ms of messages.
        let cooling = Cooling { cold_cpu: 1.0, cooling_ns: 1.594e6 };
        assert!((cooling.factor(1_000.0) - 1.5).abs() < 1e-3, "{}", cooling.factor(1_000.0));
        let spent = ComponentCpu {
            operations: 300e6 + 40e6,
            blocking: 40e6,
            telemetry: 20e6,
            waking: 30e6,
            total: 540e6,
            served: 2_000.0,
            copies: 1.0,
            ..ComponentCpu::default()
        };
        let cost = OperationCost {
            served: 2_000,
            business_ns: 300_000_000,
            blocking_ns: 40_000_000,
            ..OperationCost::default()
        };
        let ledger = Ledger {
            components: [("photo".to_owned(), spent)].into(),
            operations: [("photo/photo.by_ids".to_owned(), cost)].into(),
            seconds: 2.0,
            ..Ledger::default()
        };
        let warm = cooling.warmed(ledger);
        let (photo, cost) = (warm.components["photo"], &warm.operations["photo/photo.by_ids"]);
        let ms = |ns: f64| (ns / 1e6).round();
        assert_eq!((ms(photo.total), ms(photo.operations)), (390.0, 240.0), "{photo:?}");
        assert_eq!((ms(photo.telemetry), ms(photo.waking), ms(photo.blocking)), (20.0, 30.0, 40.0));
        assert_eq!((ms(cost.business_ns as f64), ms(cost.blocking_ns as f64)), (200.0, 40.0));
    }
}
