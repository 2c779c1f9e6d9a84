//! `delay`: a call takes longer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use policy::service::normal;
use policy::units::{Ratio, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, Hit, FaultKind, MAX_WAIT, above};
use crate::matching::{Dice, unit};
use crate::{ConnectionFault, PieceDelay, TargetKind, CallFault};

/// Waits before the call goes on; on connections to a server, before what is sent to it goes on. Delays of several leases add
/// up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "DelayFields", into = "DelayFields")]
pub struct Delay {
    by: HumanDuration,
    jitter: Option<Jitter>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DelayFields {
    by: HumanDuration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<JitterSyntax>,
}

/// A jitter as written: `"20ms"`, or `{ dist = "pareto", spread = "40ms", correlation = "25%" }`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum JitterSyntax {
    Width(HumanDuration),
    Full(Jitter),
}

/// How delays differ from call to call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Jitter {
    #[serde(default)]
    dist: Distribution,
    /// Half the width, standard deviation, or mean of the tail.
    #[serde(default)]
    spread: HumanDuration,
    /// What was measured somewhere, in any order: quantiles at even distances, of which one is added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<HumanDuration>,
    /// How much of a call's deviation is that of the call before it (AR(1)).
    #[serde(default)]
    correlation: Ratio,
}

/// Shapes of jitter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Distribution {
    /// Even in `by` ± `spread`.
    #[default]
    Uniform,
    /// With standard deviation `spread`; never below nothing.
    Normal,
    /// `by`, and a lognormal tail of mean `spread` on top.
    Lognormal,
    /// `by`, and a Pareto tail (alpha 1.5) of mean `spread` on top.
    Pareto,
    /// `by`, and on top what lies between two of `values`.
    Empirical,
}

/// More values than this are a file, not a line.
const MAX_VALUES: usize = 100;
/// One draw is cut at so many times its spread, or a Pareto's could outlast a run.
const MAX_SPREADS: f64 = 50.0;

impl Delay {
    /// Exactly `by`.
    pub fn by(by: Duration) -> Self {
        Self { by: by.into(), jitter: None }
    }

    /// The delay of one call, and the draw it came from, 0 to 1, which the next call may be
    /// correlated with.
    fn draw(&self, hit: Hit) -> (Duration, f64) {
        let by = self.by.duration();
        let Some(Jitter { dist, spread, values, correlation }) = &self.jitter else { return (by, hit.previous_draw) };
        let (fresh, r) = (unit(hit.dice.draw("jitter")), correlation.get());
        let at = if hit.previous_draw > 0.0 { r * hit.previous_draw + (1.0 - r) * fresh } else { fresh };
        let factor = match dist {
            Distribution::Uniform => 2.0 * at - 1.0,
            Distribution::Normal => normal(at),
            Distribution::Lognormal => (normal(at) - 0.5).exp(),
            Distribution::Pareto => (1.0 / 3.0) * (1.0 - at).max(1e-9).powf(-1.0 / 1.5),
            Distribution::Empirical => return (by + quantile(values, at), at.max(f64::MIN_POSITIVE)),
        };
        let shift = spread.duration().as_secs_f64() * factor.clamp(-MAX_SPREADS, MAX_SPREADS);
        (Duration::from_secs_f64((by.as_secs_f64() + shift).max(0.0)), at.max(f64::MIN_POSITIVE))
    }
}

impl PieceDelay for Delay {
    fn of_piece(&self, connection: u64, piece: u64, previous_draw: f64) -> (Duration, f64) {
        let dice = Dice::new(connection, "connection", piece);
        self.draw(Hit { dice, strength: 1.0, previous_draw })
    }
}

/// The value at a place from 0 to 1 in what was measured, straight between neighbours.
fn quantile(sorted: &[HumanDuration], at: f64) -> Duration {
    let place = at * (sorted.len() - 1) as f64;
    let low = sorted[place as usize].duration();
    let high = sorted[(place as usize + 1).min(sorted.len() - 1)].duration();
    low + (high - low).mul_f64(place.fract())
}

impl TryFrom<DelayFields> for Delay {
    type Error = String;

    fn try_from(DelayFields { by, jitter }: DelayFields) -> Result<Self, String> {
        let jitter = jitter.map(|jitter| match jitter {
            JitterSyntax::Width(spread) => {
                Jitter { dist: Distribution::Uniform, spread, values: Vec::new(), correlation: Ratio::default() }
            }
            JitterSyntax::Full(mut jitter) => {
                jitter.values.sort_unstable();
                jitter
            }
        });
        match &jitter {
            Some(Jitter { dist: Distribution::Uniform, spread, .. }) if *spread > by => {
                Err(format!("a jitter of {spread} is longer than the delay of {by}; no call can be early"))
            }
            Some(Jitter { dist: Distribution::Empirical, values, .. }) if !(2..=MAX_VALUES).contains(&values.len()) => {
                Err(format!("an empirical jitter has 2 to {MAX_VALUES} measured values; write values = [\"1ms\", \"3ms\", \"80ms\"]"))
            }
            Some(Jitter { dist, values, .. }) if *dist != Distribution::Empirical && !values.is_empty() => {
                Err("`values` are those of dist = \"empirical\"; leave them out".into())
            }
            Some(Jitter { dist: Distribution::Empirical, spread, .. }) if *spread != HumanDuration::default() => {
                Err("`spread` is not that of dist = \"empirical\", whose `values` have their own; leave it out".into())
            }
            Some(Jitter { dist, spread, .. }) if *dist != Distribution::Empirical && *spread == HumanDuration::default() => {
                Err("a jitter has its size; write spread = \"20ms\"".into())
            }
            _ => Ok(Self { by, jitter }),
        }
    }
}

impl From<Delay> for DelayFields {
    fn from(Delay { by, jitter }: Delay) -> Self {
        let plain = |jitter: &Jitter| jitter.dist == Distribution::Uniform && jitter.correlation.get() == 0.0;
        let spread = |jitter: Jitter| {
            if plain(&jitter) { JitterSyntax::Width(jitter.spread) } else { JitterSyntax::Full(jitter) }
        };
        Self { by, jitter: jitter.map(spread) }
    }
}

impl FaultKind for Delay {
    const ACTUATOR: Actuator = Actuator::CallPath;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["by", "jitter"];
    const TARGETS: &'static [TargetKind] = &[TargetKind::Edge, TargetKind::Node, TargetKind::Connection];
    const HAS_SIZE: bool = true;

    fn actuator_on(target: TargetKind) -> Actuator {
        if target == TargetKind::Connection { Actuator::Proxy } else { Self::ACTUATOR }
    }

    fn connection_fault(&self) -> Option<ConnectionFault> {
        Some(ConnectionFault::Delay(Arc::new(self.clone())))
    }

    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        let (wait, draw) = self.draw(hit);
        fault.delay += wait.mul_f64(hit.strength);
        draw
    }

    fn diagnostics(&self) -> Vec<String> {
        let none = HumanDuration::default();
        let adds_nothing = |jitter: &Jitter| jitter.dist == Distribution::Empirical && jitter.values.iter().all(|value| *value == none);
        let is_nothing = self.by == none && self.jitter.as_ref().is_none_or(adds_nothing);
        let nothing = is_nothing.then(|| "by: 0s delays nothing; write more, e.g. \"150ms\"".to_owned());
        let too_long = above("by", self.by, MAX_WAIT, ", or do = \"hang\"");
        let jitter = self.jitter.iter().flat_map(|jitter| jitter.values.iter().chain([&jitter.spread]).max().copied());
        nothing.into_iter().chain(too_long).chain(jitter.flat_map(|longest| above("jitter", longest, MAX_WAIT, ""))).collect()
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delay by {}", self.by)?;
        match &self.jitter {
            None => Ok(()),
            Some(Jitter { dist: Distribution::Uniform | Distribution::Normal, spread, .. }) => write!(f, " ± {spread}"),
            Some(Jitter { dist: Distribution::Lognormal | Distribution::Pareto, spread, .. }) => write!(f, " + {spread}"),
            Some(Jitter { dist: Distribution::Empirical, values, .. }) => {
                write!(f, " + {} to {}", values[0], values[values.len() - 1])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(toml: &str, calls: u64) -> Vec<f64> {
        let delay: Delay = toml::from_str(toml).expect(toml);
        let mut previous_draw = 0.0;
        (0..calls)
            .map(|key| {
                let hit = Hit { dice: Dice::new(7, "slow", key), strength: 1.0, previous_draw };
                let (wait, next) = delay.draw(hit);
                previous_draw = next;
                wait.as_secs_f64() * 1e3
            })
            .collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn jitter_stays_within_its_bounds_and_centres_on_the_delay() {
        let waits = waits("by = \"100ms\"\njitter = \"40ms\"", 1_000);
        assert!(waits.iter().all(|ms| (60.0..=140.0).contains(ms)));
        // Uniform on 80 ms: the mean of 1,000 has a standard error of 80/sqrt(12)/sqrt(1000) = 0.7 ms.
        assert!((96.0..104.0).contains(&mean(&waits)), "{} ms", mean(&waits));
    }

    #[test]
    fn tails_only_add_and_have_the_mean_they_declare() {
        for dist in ["lognormal", "pareto"] {
            let waits = waits(&format!("by = \"80ms\"\njitter = {{ dist = \"{dist}\", spread = \"40ms\" }}"), 50_000);
            assert!(waits.iter().all(|ms| *ms >= 80.0), "{dist}");
            assert!((112.0..124.0).contains(&mean(&waits)), "{dist}: {} ms", mean(&waits));
        }
    }

    #[test]
    fn measured_values_come_as_often_as_they_were_measured() {
        let waits = waits("by = \"10ms\"\njitter = { dist = \"empirical\", values = [\"4ms\", \"0ms\", \"0ms\", \"90ms\", \"0ms\"] }", 20_000);
        assert!(waits.iter().all(|ms| (10.0..=100.0).contains(ms)));
        // Five values are four stretches: half of all lie between the three that are nothing.
        let plain = waits.iter().filter(|ms| **ms == 10.0).count();
        let tail = waits.iter().filter(|ms| **ms > 14.0).count();
        assert!((9_500..10_500).contains(&plain) && (4_600..5_400).contains(&tail), "{plain} {tail}");
        let wrong = |toml: &str| toml::from_str::<Delay>(toml).expect_err(toml).message().to_owned();
        assert!(wrong("by = \"1ms\"\njitter = { dist = \"empirical\", values = [\"4ms\"] }").contains("2 to 100"));
        assert!(wrong("by = \"1ms\"\njitter = { dist = \"pareto\" }").contains("has its size"));
        let both = "by = \"1ms\"\njitter = { dist = \"empirical\", values = [\"1ms\", \"2ms\"], spread = \"9ms\" }";
        assert!(wrong(both).contains("`values` have their own"));
    }

    #[test]
    fn correlated_calls_come_in_waves() {
        let lag_1 = |correlation: &str| {
            let toml = format!("by = \"100ms\"\njitter = {{ spread = \"40ms\", correlation = \"{correlation}\" }}");
            let waits = waits(&toml, 20_000);
            let mean = mean(&waits);
            let products: f64 = waits.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
            products / waits.iter().map(|ms| (ms - mean).powi(2)).sum::<f64>()
        };
        // An AR(1) process with r has that autocorrelation at lag one.
        assert!((lag_1("80%") - 0.8).abs() < 0.03 && lag_1("0%").abs() < 0.03);
    }
}
