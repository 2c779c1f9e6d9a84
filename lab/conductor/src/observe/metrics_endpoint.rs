//! The run's own metrics at `/metrics`: latencies of its users, steps that act, the generator's lateness.
//!
//! Drawn from the model of the record like every view, so that a scrape shows what the record will hold. The text is
//! made at each scrape.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use grafana::openmetrics;
use runtime::Tasks;
use transport::serve::{self, BindError};

use crate::observe::record_writer::RecordWriter;

/// Serves the figures of a run on a free port of loopback until `tasks` close; returns where.
///
/// # Errors
/// When there is no free port.
pub async fn serve(tasks: &Tasks, record: &RecordWriter) -> Result<SocketAddr, BindError> {
    let listener = serve::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
    let record = record.clone();
    let answer = move || {
        let now = record.now();
        let text = record.query(|run| openmetrics::exposition(run, now));
        // Before its header a run has no metrics: an empty exposition is one that parses.
        let text = text.unwrap_or_else(|| openmetrics::exposition(&model::Run::default(), now));
        std::future::ready(([(CONTENT_TYPE, openmetrics::CONTENT_TYPE)], text))
    };
    let router = Router::new().route("/metrics", get(answer));
    Ok(serve::serve(tasks, listener, router, serve::Options::default()).addr())
}
