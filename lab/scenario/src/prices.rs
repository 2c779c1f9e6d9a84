//! `[prices]`: what computing and engineers' time cost, and how much of it a change takes. A scenario that has it is only
//! simulated: nothing of it is measured, so nothing that a live run shows may rest on it.

use policy::units::{HumanDuration, Ratio};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::de::DeTable;

use crate::reader::Reader;
use crate::tokens::remove;

/// More teams than one application has.
const MAX_TEAMS: u32 = 1_000;
/// More changes than all teams make in a week.
const MAX_CHANGES_A_WEEK: f64 = 100_000.0;
/// Longest name of a currency, letters.
const MAX_CURRENCY_LETTERS: usize = 16;

/// What a month of each arm is priced with; every key is assumed.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// What prices are in, such as `EUR`; text alone, nothing is converted.
    #[serde(deserialize_with = "currency")]
    #[schemars(length(min = 1, max = MAX_CURRENCY_LETTERS))]
    pub currency: String,
    /// Price of a core for an hour.
    #[serde(deserialize_with = "price")]
    #[schemars(range(min = 0))]
    pub core_hour: f64,
    /// Price of a GiB of memory for an hour.
    #[serde(deserialize_with = "price")]
    #[schemars(range(min = 0))]
    pub gib_hour: f64,
    /// Price of an engineer's hour.
    #[serde(deserialize_with = "price")]
    #[schemars(range(min = 0))]
    pub engineer_hour: f64,
    /// Share of the cores paid for that is busy.
    #[serde(deserialize_with = "utilisation")]
    pub utilisation: Ratio,
    /// Teams, each with as many components as any other.
    #[serde(deserialize_with = "teams")]
    #[schemars(range(min = 1, max = MAX_TEAMS))]
    pub teams: u32,
    /// Changes of all teams together, a week; each component is changed as often as any other.
    #[serde(deserialize_with = "changes")]
    #[schemars(range(min = 0, max = MAX_CHANGES_A_WEEK))]
    pub changes_a_week: f64,
    /// Engineers' time that a deploy of one process takes.
    pub deploy: HumanDuration,
    /// Engineers' time that building and testing the whole product takes; of one process its share of the components.
    pub retest: HumanDuration,
    /// Engineers' time to coordinate a change with one other team.
    pub coordination: HumanDuration,
    /// Share of changes that need a second component changed.
    pub contract: Ratio,
    /// Engineers' time to operate one process of the topology for a month, whatever its copies.
    pub operation: HumanDuration,
}

impl Prices {
    /// As the record has them.
    pub fn record(&self) -> record::Prices {
        let hours = |time: HumanDuration| time.duration().as_secs_f64() / 3_600.0;
        record::Prices {
            currency: self.currency.clone(),
            core_hour: self.core_hour,
            gib_hour: self.gib_hour,
            engineer_hour: self.engineer_hour,
            utilisation: self.utilisation.get(),
            teams: self.teams,
            changes_a_week: self.changes_a_week,
            deploy_h: hours(self.deploy),
            retest_h: hours(self.retest),
            coordination_h: hours(self.coordination),
            contract_share: self.contract.get(),
            operation_h: hours(self.operation),
        }
    }
}

impl Reader<'_> {
    /// Reads `[prices]`; to be called before `[scale]` and `[sweep]` are taken out, of which it needs one.
    pub(crate) fn prices(&mut self, top: &mut DeTable<'_>) -> Option<Prices> {
        let is_only_simulated = ["scale", "sweep"].iter().any(|key| top.contains_key(*key));
        let value = remove(top, "prices")?;
        let span = value.span();
        if !is_only_simulated {
            let text = "`prices` are assumed, and a live run shows nothing that follows from them; write [scale] \
                        or [sweep], so that the scenario is only simulated, or remove them";
            self.report(span, text);
        }
        self.value(value)
    }
}

/// A price: 0 or more.
fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let price = f64::deserialize(deserializer)?;
    let is_price = price.is_finite() && price >= 0.0;
    let message = || format!("invalid price `{price}`: expected a number of 0 or more, e.g. 0.04");
    is_price.then_some(price).ok_or_else(|| D::Error::custom(message()))
}

/// Cores that are never busy would do no work.
fn utilisation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ratio, D::Error> {
    let share = Ratio::deserialize(deserializer)?;
    let message = "utilisation: cores that are never busy do no work; write for example \"60%\"";
    (share.get() > 0.0).then_some(share).ok_or_else(|| D::Error::custom(message))
}

fn teams<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let teams = u32::deserialize(deserializer)?;
    let message = || format!("teams: `{teams}` is out of range; write 1 to {MAX_TEAMS}");
    (1..=MAX_TEAMS).contains(&teams).then_some(teams).ok_or_else(|| D::Error::custom(message()))
}

fn changes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let changes = f64::deserialize(deserializer)?;
    let message = || format!("changes_a_week: `{changes}` is out of range; write 0 to {MAX_CHANGES_A_WEEK}");
    let is_within = (0.0..=MAX_CHANGES_A_WEEK).contains(&changes);
    is_within.then_some(changes).ok_or_else(|| D::Error::custom(message()))
}

/// What a currency is called stands in sentences.
fn currency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let currency = String::deserialize(deserializer)?;
    let message = || format!("currency: write 1 to {MAX_CURRENCY_LETTERS} letters, for example \"EUR\"");
    let is_within = (1..=MAX_CURRENCY_LETTERS).contains(&currency.chars().count());
    is_within.then_some(currency).ok_or_else(|| D::Error::custom(message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_recorded_in_hours() {
        let time = HumanDuration::from_millis;
        let share = Ratio::new(0.5);
        let prices = Prices {
            currency: "EUR".into(),
            core_hour: 0.04,
            gib_hour: 0.005,
            engineer_hour: 80.0,
            utilisation: share,
            teams: 5,
            changes_a_week: 4.0,
            deploy: time(1_800_000),
            retest: time(7_200_000),
            coordination: time(900_000),
            contract: share,
            operation: time(3_600_000),
        };
        let kept = prices.record();
        let hours = [kept.deploy_h, kept.retest_h, kept.coordination_h, kept.operation_h];
        assert_eq!(hours, [0.5, 2.0, 0.25, 1.0]);
    }
}
