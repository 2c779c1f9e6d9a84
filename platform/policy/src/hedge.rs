//! Hedging: a second try while a slow first is still out, paid from a budget of its own.
//!
//! Dean & Barroso, The Tail at Scale, CACM 2013.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget::{BudgetOptions, RetryBudget};
use crate::units::{HumanDuration, Rate, Ratio};

/// `{ after = "50ms", extra = "5%" }`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HedgeOptions {
    /// How long the first try may take before a second is sent.
    pub after: HumanDuration,
    /// Second tries per call, at most.
    #[serde(default = "HedgeOptions::extra")]
    pub extra: Ratio,
}

impl HedgeOptions {
    const fn extra() -> Ratio {
        Ratio::new(0.05)
    }

    /// What second tries are paid from. One a second is always allowed, or a quiet
    /// edge could never hedge.
    pub fn budget(&self) -> RetryBudget {
        let (min, window) = (Rate::per_second(1.0), HumanDuration::from_millis(10_000));
        RetryBudget::new(BudgetOptions { ratio: self.extra, min, window })
    }
}
