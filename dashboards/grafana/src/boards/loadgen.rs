//! Is the load what was promised? If not, nothing else on these pages can be believed.

use telemetry::names::{self, run};

use super::{ended, quantile, rate};
use crate::board::{Board, Panel, Row};

const ARM: &str = names::ARM;

pub(super) fn board() -> Board {
    let of_arm = |name| rate(name, "", ARM);
    // It belongs to no arm.
    let own = |name| format!("{name}{{{}=~\"$run_id\",{}=\"generator\"}}", names::RUN_ID, names::INSTANCE);
    Board {
        name: "loadgen",
        title: "load generator",
        description: "What was offered, what became of it, and whether the generator kept its own times.",
        rows: vec![
            Row {
                title: "What was offered, and what became of it",
                repeat: None,
                width: 12,
                height: 8,
                panels: vec![
                    Panel::lines(
                        "Arrivals",
                        "reqps",
                        "Due, and sent, each second: the same for every arm.",
                        vec![("{{arm}} due", of_arm(run::OFFERED)), ("{{arm}} sent", of_arm(run::SENT))],
                    ),
                    Panel::lines(
                        "Ends",
                        "reqps",
                        "Journeys answered as asked, and failed, each second, by when they were due.",
                        vec![("{{arm}} ok", of_arm(run::OK)), ("{{arm}} failed", ended("failed", "", ARM))],
                    ),
                    Panel::lines(
                        "By journey",
                        "reqps",
                        "Sent, each second.",
                        vec![("{{arm}} {{journey}}", rate(run::SENT, "", &format!("{ARM}, {}", names::JOURNEY)))],
                    ),
                    Panel::lines("Dropped", "reqps", "Arrivals that found no free slot, each second.", vec![("{{arm}}", of_arm(run::DROPPED))]),
                    Panel::lines(
                        "Timeouts",
                        "reqps",
                        "Journeys that were not answered before their user gave up, each second.",
                        vec![("{{arm}}", rate(run::FAILED, &format!("{}=\"timeout\"", names::ERROR_TYPE), ARM))],
                    )
                    .seldom(),
                ],
            },
            Row {
                title: "The generator itself",
                repeat: None,
                width: 12,
                height: 8,
                panels: vec![
                    Panel::lines(
                        "Lag",
                        "s",
                        "Due until handed over. A run is invalid where half of its arrivals are over a tenth of the measured median, and 0.2 ms, late.",
                        vec![("{{arm}} p99", quantile(0.99, run::LAG, "", ARM)), ("{{arm}} p50", quantile(0.5, run::LAG, "", ARM))],
                    ),
                    Panel::lines(
                        "Waiting for a slot",
                        "s",
                        "Handed over until sent, while the arm kept all slots busy: the arm's doing, and part of its latency.",
                        vec![("{{arm}} p99", quantile(0.99, run::SLOT_WAIT, "", ARM))],
                    )
                    .seldom(),
                    Panel::lines("CPU", "short", "Cores the generator keeps busy.", vec![("generator", format!("rate({}[$__rate_interval])", own(run::CPU)))]),
                    Panel::lines("Memory", "bytes", "Proportional set size of the generator.", vec![("generator", own(run::MEMORY))]),
                ],
            },
        ],
    }
}
