//! The measures, a file each, and the one list of them. Expectations are parsed and judged from it, and the
//! scorecard's rows, the glossary, the scenario's schema and the documents are made from it.
//!
//! A new measure is its file, a constant of [`Measure`], and its line in [`CATALOGUE`].

mod attempts;
mod availability;
mod blast_radius;
mod breaker_open;
mod bystanders;
mod cache_hits;
pub(crate) mod capacity;
mod config_keys;
mod connections;
mod cost;
mod cpu;
mod cpu_per_journey;
mod database_connections;
mod databases;
mod duplicated_writes;
mod errors;
mod failed;
mod goodput;
mod hops;
mod host;
mod idle_cpu;
mod latency;
mod lost_writes;
mod memory;
mod monthly_cost;
mod ports;
mod processes;
mod rate;
mod rate_per_core;
mod rate_per_gib;
mod recovery;
mod servers;
mod slower;
mod spans;
mod stale_reads;
mod staleness;
mod start_up;
mod telemetry_cpu;
mod time_to_detect;
mod time_to_finish;
mod time_to_rollback;
mod time_to_served;
mod upkeep;
mod waits;
mod wasted;
mod worker_threads;

pub use cpu_per_journey::CPU_PER_JOURNEY;
pub use errors::ERRORS;
pub use latency::{P50, P99};
pub use memory::MEMORY;
pub(crate) use memory::highest as highest_memory;
pub(crate) use time_to_served::TIME_TO_FULLY_SERVED;
pub(crate) use waits::longest_of;

use crate::argument::Parameter;
use crate::measure::Measure;

/// All measures, in the order documents list them. The scorecard's rows of one claim stand in this order.
pub const CATALOGUE: &[&Measure] = &[
    &latency::P50,
    &latency::P90,
    &latency::P95,
    &latency::P99,
    &latency::P999,
    &hops::HOPS,
    &cpu_per_journey::CPU_PER_JOURNEY,
    &idle_cpu::MARGINAL_CPU,
    &cost::COST,
    &monthly_cost::MONTHLY_COST,
    &goodput::GOODPUT,
    &rate::RATE,
    &rate_per_core::RATE_PER_CORE,
    &rate_per_gib::RATE_PER_GIB,
    &errors::ERRORS,
    &failed::FAILED_P99,
    &availability::AVAILABILITY,
    &slower::SLOWER,
    &capacity::CAPACITY,
    &recovery::RECOVERY,
    &blast_radius::BLAST_RADIUS,
    &bystanders::BYSTANDER_P99,
    &bystanders::BYSTANDER_SLOWER,
    &waits::LONGEST_WAIT,
    &waits::WRITER_WAIT,
    &time_to_detect::TIME_TO_DETECT,
    &time_to_rollback::TIME_TO_ROLLBACK,
    &time_to_finish::TIME_TO_FINISH,
    &time_to_served::TIME_TO_FIRST_SERVED,
    &time_to_served::TIME_TO_FULLY_SERVED,
    &attempts::ATTEMPTS,
    &breaker_open::BREAKER_OPEN,
    &wasted::WASTED,
    &cache_hits::CACHE_HITS,
    &stale_reads::STALE_READS,
    &staleness::STALENESS_P50,
    &staleness::STALENESS_P99,
    &lost_writes::LOST_WRITES,
    &duplicated_writes::DUPLICATED_WRITES,
    &memory::MEMORY,
    &memory::MEMORY_OF,
    &cpu::CPU,
    &cpu::CPU_OF,
    &processes::PROCESSES,
    &ports::PORTS,
    &connections::CONNECTIONS,
    &databases::DATABASES,
    &database_connections::DB_READERS,
    &database_connections::DB_WRITERS,
    &worker_threads::WORKER_THREADS,
    &servers::SERVERS,
    &servers::SERVER_MEMORY,
    &servers::SERVER_CPU,
    &servers::SERVER_START_UP,
    &upkeep::BACKUPS,
    &upkeep::UPGRADES,
    &config_keys::CONFIG_KEYS,
    &start_up::START_UP,
    &idle_cpu::IDLE_CPU,
    &spans::SPANS,
    &telemetry_cpu::TELEMETRY_CPU,
    &host::CPU_STALL,
    &host::MEMORY_AVAILABLE,
];

/// The measure of a name. Two may share one, of which one takes an argument: `cpu` and `cpu(component)`.
pub fn find(name: &str, has_argument: bool) -> Option<&'static Measure> {
    let mut named = CATALOGUE.iter().copied().filter(|measure| measure.name == name);
    let first = named.next()?;
    let takes_argument = |measure: &Measure| measure.parameter != Parameter::None;
    Some(named.find(|measure| takes_argument(measure) == has_argument).unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Unit;

    #[test]
    fn every_measure_is_described_and_parsed_as_it_is_written() {
        for measure in CATALOGUE {
            assert!(measure.meaning.len() > 10, "`{}` is not defined", measure.name);
            let form = measure.form().replace("step id", "step x");
            let limit = match measure.unit {
                Unit::Time => "1s",
                Unit::Share => "1%",
                Unit::Rate => "1/s",
                Unit::Bytes => "1MiB",
                Unit::Count => "1",
            };
            let text = format!("{form} < {limit}");
            let parsed: crate::Expectation = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let crate::expect::Side::Measure { query, .. } = parsed.left else { panic!("a measure") };
            assert_eq!(query.measure, *measure);
        }
    }

    #[test]
    fn no_form_is_there_twice() {
        let mut forms: Vec<String> = CATALOGUE.iter().map(|measure| measure.form()).collect();
        forms.sort_unstable();
        assert!(forms.windows(2).all(|pair| pair[0] != pair[1]), "{forms:?}");
    }

    #[test]
    fn a_row_asks_no_more_than_a_row_can() {
        for measure in CATALOGUE {
            for row in measure.rows {
                let is_of_steps = row.window.is_of_steps();
                let is_possible = match measure.parameter {
                    Parameter::None | Parameter::Journey => true,
                    Parameter::Step => is_of_steps,
                    _ => false,
                };
                assert!(is_possible, "row `{}`: no argument for `{}`", row.id, measure.form());
                assert_eq!(row.text.contains("{step}"), is_of_steps, "row `{}`", row.id);
            }
        }
    }
}
