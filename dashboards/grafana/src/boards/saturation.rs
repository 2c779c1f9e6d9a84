//! What is full: cores, memory, threads, queues, pools, files.

use telemetry::names::{self, run};

use super::{of, quantile, rate, sum};
use crate::board::{Board, Panel, Row};

const COPY: &str = "{{arm}} {{instance}}";

pub(super) fn board() -> Board {
    let copy = format!("{}, {}", names::ARM, names::INSTANCE);
    let of_run =
        |title, unit, description, query| Panel::lines(title, unit, description, vec![(COPY, query)]);
    let of_nodes = |title, unit, description, query| {
        Panel::lines(title, unit, description, vec![(COPY, query)]).of_nodes()
    };
    let host = |name| format!("{name}{{{}=~\"$run_id\"}}", names::RUN_ID);
    Board {
        name: "saturation",
        title: "saturation",
        description: "What is full, process by process; and the machine they share.",
        rows: vec![
            Row {
                title: "Processes, from /proc",
                repeat: None,
                width: 8,
                height: 7,
                panels: vec![
                    of_run("CPU", "short", "Cores a process keeps busy.", rate(run::CPU, "", &copy)),
                    of_run("Waiting for a core", "short", "Threads of a process that could run and had no core, on average.", rate(run::CPU_WAIT, "", &copy)),
                    of_run("Memory", "bytes", "Proportional set size.", sum(run::MEMORY, "", &copy)),
                    of_run("Threads", "short", "Of a process.", sum(run::THREADS, "", &copy)),
                    of_run("Open files", "short", "Sockets included.", sum(run::FDS, "", &copy)),
                    of_run("Context switches", "ops", "Each second.", rate(run::SWITCHES, "", &copy)),
                    of_run("Databases", "bytes", "Write-ahead log included.", sum(run::DATABASE, "", &copy)),
                    Panel::lines(
                        "Machine",
                        "percentunit",
                        "Share of the last second in which something waited for a core, and cores that other programs kept busy.",
                        vec![("something waits", host(run::CPU_STALL)), ("others' cores", host(run::OTHER_CPU))],
                    ),
                    Panel::lines("Memory left", "bytes", "On the machine.", vec![("available", host(run::MEMORY_LEFT))]),
                ],
            },
            Row {
                title: "Inside the processes",
                repeat: None,
                width: 8,
                height: 7,
                panels: vec![
                    of_nodes(
                        "Workers busy",
                        "percentunit",
                        "Share of the async runtime's workers that are at work.",
                        format!(
                            "{} / {}",
                            rate(names::TOKIO_BUSY, "", &copy),
                            sum(names::TOKIO_WORKERS, "", &copy)
                        ),
                    ),
                    of_nodes("Tasks", "short", "Alive in the async runtime.", sum(names::TOKIO_ALIVE_TASKS, "", &copy)),
                    of_nodes("Tasks without a worker", "short", "In the runtime's global queue.", sum(names::TOKIO_QUEUE_DEPTH, "", &copy)),
                    of_nodes("Requests under way", "short", "Of all components of a process.", sum(names::HTTP_SERVER_ACTIVE_REQUESTS, "", &copy)),
                    Panel::lines(
                        "Waiting in queues",
                        "s",
                        "99th percentile, by component and queue: tx is the database's writer, pool a reader or a connection.",
                        vec![(
                            "{{arm}} {{service}} {{queue}}",
                            quantile(0.99, names::QUEUE_WAIT, "", &format!("{}, {}, {}", names::ARM, names::SERVICE, names::QUEUE)),
                        )],
                    )
                    .of_nodes(),
                    Panel::lines(
                        "Connections",
                        "short",
                        "At work, by whom they lead to, and callers that wait for one.",
                        vec![
                            ("{{arm}} to {{peer_service}}", sum(names::POOL_ACTIVE, "", &format!("{}, {}", names::ARM, names::PEER_SERVICE))),
                            ("{{arm}} waiting for {{peer_service}}", sum(names::POOL_WAITING, "", &format!("{}, {}", names::ARM, names::PEER_SERVICE))),
                        ],
                    )
                    .of_nodes(),
                    Panel::lines(
                        "Shed",
                        "reqps",
                        "Requests refused to protect the rest, each second, by reason.",
                        vec![("{{arm}} {{service}} {{kind}}", rate(names::REQUESTS_SHED, "", &format!("{}, {}, {}", names::ARM, names::SERVICE, names::KIND)))],
                    )
                    .of_nodes()
                    .seldom(),
                    of_nodes("Write-ahead log", "bytes", "What the next checkpoint has to move.", sum(names::WAL_BYTES, "", &copy)).seldom(),
                    of_nodes("Spans lost", "ops", "Spans that never reached the exporter, or that no collector took, each second.", {
                        let lost = |name| rate(name, "", &copy);
                        format!("{} + {}", lost(names::SPANS_DROPPED), lost(names::SPANS_FAILED))
                    }),
                    of_nodes("Registry silent", "s", "Since a process last heard from the registry.", of(names::DISCOVERY_STALENESS, "")).seldom(),
                ],
            },
        ],
    }
}
