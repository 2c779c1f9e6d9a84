//! A run in Prometheus and Grafana: its numbers as metrics, and the dashboards that draw them.
//!
//! - [`families`]: the metrics of a run. [`mod@series`]: what they are at a moment, from [`model::Run`].
//! - [`openmetrics`]: their text, for a scrape at a moment; or of every second, for a run that is over.
//! - [`board`]: a dashboard as data; `dashboard_json` makes Grafana's JSON of it, `links` lead from it to traces.
//! - [`boards`]: the six of them, one file each. A panel is one entry; start here to add one.
//! - [`promql`]: what a panel's query names, for the tests.
//!
//! Every metric and label is a constant of [`telemetry::names`]. `cargo run -p grafana` writes the
//! dashboards; a test fails where the committed files are not what it would write.

pub mod board;
pub mod boards;
mod dashboard_json;
pub mod families;
mod links;
pub mod openmetrics;
pub mod promql;
pub mod series;

/// The dashboards' files as they are committed: name and text.
pub fn files() -> Vec<(String, String)> {
    let file = |board: board::Board| (format!("{}.json", board.name), format!("{:#}\n", board.json()));
    boards::all().into_iter().map(file).collect()
}
