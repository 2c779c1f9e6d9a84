//! `delay`: a call takes longer.

use std::fmt;
use std::time::Duration;

use policy::units::Span;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::Verdict;
use crate::matching::{Dice, unit};

/// Waits before the call goes on. Delays of several leases add up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Delay {
    by: Span,
    jitter: Option<Span>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    by: Span,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<Span>,
}

impl Delay {
    /// Exactly `by`.
    pub fn by(by: Duration) -> Self {
        Self { by: by.into(), jitter: None }
    }

    /// The wait of one call: uniform in `by` ± `jitter`, drawn from the call's own dice.
    fn wait(&self, dice: Dice) -> Duration {
        let by: Duration = self.by.into();
        let Some(jitter) = self.jitter.map(Duration::from) else { return by };
        by - jitter + (jitter * 2).mul_f64(unit(dice.draw("jitter")))
    }
}

impl TryFrom<Written> for Delay {
    type Error = String;

    fn try_from(Written { by, jitter }: Written) -> Result<Self, String> {
        match jitter {
            Some(jitter) if Duration::from(jitter) > Duration::from(by) => {
                Err(format!("a jitter of {jitter} is longer than the delay of {by}; no call can be early"))
            }
            _ => Ok(Self { by, jitter }),
        }
    }
}

impl From<Delay> for Written {
    fn from(Delay { by, jitter }: Delay) -> Self {
        Self { by, jitter }
    }
}

impl Kind for Delay {
    const CARRIED: Carried = Carried::Inside;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["by", "jitter"];

    fn apply(&self, dice: Dice, verdict: &mut Verdict) {
        verdict.delay += self.wait(dice);
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delay by {}", self.by)?;
        self.jitter.map_or(Ok(()), |jitter| write!(f, " ± {jitter}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_bounds_and_centres_on_the_delay() {
        let delay = Delay { by: Duration::from_millis(100).into(), jitter: Some(Duration::from_millis(40).into()) };
        let waits: Vec<_> = (0..1_000).map(|key| delay.wait(Dice::new(7, "slow", key))).collect();
        assert!(waits.iter().all(|w| (60..=140).contains(&w.as_millis())));
        // Uniform on 80 ms: the mean of 1,000 has a standard error of 80/sqrt(12)/sqrt(1000) = 0.7 ms.
        let mean_ms = waits.iter().sum::<Duration>().as_secs_f64() * 1_000.0 / 1_000.0;
        assert!((96.0..104.0).contains(&mean_ms), "{mean_ms} ms");
    }
}
