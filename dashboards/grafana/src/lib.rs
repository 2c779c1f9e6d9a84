//! A run in Prometheus and Grafana: its figures as metrics, and the dashboards that draw them.
//!
//! - [`families`]: the metrics of a run. [`figures`]: the lines of a record, taken in one by one, as counters, gauges and histograms.
//! - [`openmetrics`]: what they are now, for a scrape; or all they ever were, for a run that is over.
//! - [`board`]: a dashboard as data; `model` makes Grafana's JSON of it, `links` lead from it to traces.
//! - [`boards`]: the six of them, one file each. A panel is one entry; start here to add one.
//! - [`promql`]: what a panel's query names, for the tests.
//!
//! Every metric and label is a constant of [`telemetry::names`]. `cargo run -p grafana` writes the
//! dashboards; a test fails where the committed files are not what it would write.

pub mod board;
pub mod boards;
pub mod families;
pub mod figures;
mod links;
mod model;
pub mod openmetrics;
pub mod promql;

/// The dashboards' files as they are committed: name and text.
pub fn files() -> Vec<(String, String)> {
    let file = |board: board::Board| (format!("{}.json", board.name), format!("{:#}\n", board.json()));
    boards::all().into_iter().map(file).collect()
}
