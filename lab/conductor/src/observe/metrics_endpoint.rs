//! The run's own metrics at `/metrics`: latencies of its users, steps that act, the generator's lateness.
//!
//! Drawn from the model of the record like every view, so that a scrape shows what the record will hold. The text is
//! made at each scrape.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::routing::get;
use grafana::openmetrics::{self, Format};
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
    let answer = move |headers: HeaderMap| {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let format = Format::accepted(accept);
        let now = record.now();
        let text = record.query(|run| openmetrics::exposition_in(format, run, now));
        // Before its header a run has no metrics: an empty exposition is one that parses.
        let text = text.unwrap_or_else(|| openmetrics::exposition_in(format, &model::Run::default(), now));
        std::future::ready(([(CONTENT_TYPE, format.content_type())], text))
    };
    let router = Router::new().route("/metrics", get(answer));
    Ok(serve::serve(tasks, listener, router, serve::Options::default()).addr())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::StatusCode;
    use record::Entry;

    use super::*;
    use crate::fixture;
    use crate::process::control::ControlClient;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_scrape_shows_what_the_record_holds() {
        let tasks = Tasks::new();
        let (record, _folder) = fixture::record();
        let addr = serve(&tasks, &record).await.expect("a port");
        assert!(addr.ip().is_loopback());
        let client = ControlClient::new(tasks.clone(), "token");
        let scrape = async |path: &str| {
            let (status, body) = client.get(addr, path, LIMIT).await.expect("an answer");
            (status, String::from_utf8(body.to_vec()).expect("text"))
        };
        let (status, text) = scrape("/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(!text.contains("two-arms"), "nothing is known yet: {text}");
        record.append(Entry::Header(Box::new(fixture::header_line())));
        let (_, text) = scrape("/metrics").await;
        assert!(
            text.contains("two-arms") && !text.contains("# EOF"),
            "OpenMetrics was not asked for: {text}"
        );
        let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        assert!(
            families.clone().count() > 1 && families.clone().all(telemetry::names::has_namespace),
            "{text}"
        );
        assert_eq!(scrape("/").await.0, StatusCode::NOT_FOUND);
        tasks.finish(LIMIT).await;
    }
}
