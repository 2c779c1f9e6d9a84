//! Prices that a scenario declares: what computing and engineers' time cost, and how much of it a change takes. All of it
//! is assumed, and nothing of it measured.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a month of an arm is priced with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prices {
    /// What prices are in; text alone, nothing is converted.
    pub currency: String,
    /// Price of a core for an hour.
    pub core_hour: f64,
    /// Price of a GiB of memory for an hour.
    pub gib_hour: f64,
    /// Price of an engineer's hour.
    pub engineer_hour: f64,
    /// Share of the cores paid for that is busy.
    pub utilisation: f64,
    /// Teams, each with as many components as any other.
    pub teams: u32,
    /// Changes of all teams together, a week.
    pub changes_a_week: f64,
    /// Engineers' time that a deploy of one process takes, hours.
    pub deploy_h: f64,
    /// Engineers' time that building and testing the whole product takes, hours.
    pub retest_h: f64,
    /// Engineers' time to coordinate a change with one other team, hours.
    pub coordination_h: f64,
    /// Share of changes that need a second component changed.
    pub contract_share: f64,
    /// Engineers' time to operate one process of the topology for a month, whatever its copies, hours.
    pub operation_h: f64,
}

impl fmt::Display for Prices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a core-hour is {core} {currency}, a GiB-hour {gib} and an engineer-hour {engineer}; {busy:.0} % of cores paid for \
             are busy; {teams} teams make {changes} changes a week; a deploy takes {deploy} h of engineers' time, a test of the \
             whole product {retest} h, coordination with another team {coordination} h, and operating a process {operation} h a \
             month; {contract:.0} % of changes need a second component changed",
            core = self.core_hour,
            currency = self.currency,
            gib = self.gib_hour,
            engineer = self.engineer_hour,
            busy = self.utilisation * 100.0,
            teams = self.teams,
            changes = self.changes_a_week,
            deploy = rounded(self.deploy_h),
            retest = rounded(self.retest_h),
            coordination = rounded(self.coordination_h),
            operation = rounded(self.operation_h),
            contract = self.contract_share * 100.0,
        )
    }
}

/// Hours to the hundredth.
fn rounded(hours: f64) -> f64 {
    (hours * 100.0).round() / 100.0
}
