//! The run's own metrics at `/metrics`: latencies of its users, steps that act, the generator's lateness.
//!
//! Drawn from the model of the record like every view, so that a scrape shows what the record will hold. The text is
//! made at each scrape. What a run finds last, after its load, would be gone before a scraper that comes once a second sees it:
//! a run that is scraped waits for one scrape more ([`MetricsEndpoint::last_scrape`]).

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::routing::get;
use grafana::openmetrics::{self, Format};
use runtime::Tasks;
use tokio::sync::watch;
use transport::serve::{self, BindError};

use crate::observe::record_writer::RecordWriter;

/// Longest wait for the last scrape: twice the interval of `dashboards/prometheus/prometheus.yml`.
const LAST_SCRAPE_LIMIT: Duration = Duration::from_secs(2);

/// Where the figures of a run are served, and how often they were asked for.
pub struct MetricsEndpoint {
    /// Where `/metrics` is.
    pub addr: SocketAddr,
    scrapes: watch::Receiver<u64>,
}

impl MetricsEndpoint {
    /// Serves the figures of a run on a free port of loopback until `tasks` close.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(tasks: &Tasks, record: &RecordWriter) -> Result<Self, BindError> {
        let listener = serve::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
        let record = record.clone();
        let (counter, scrapes) = watch::channel(0);
        let answer = move |headers: HeaderMap| {
            let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let format = Format::accepted(accept);
            let now = record.now();
            let text = record.query(|run| openmetrics::exposition_in(format, run, now));
            // Before its header a run has no metrics: an empty exposition is one that parses.
            let text =
                text.unwrap_or_else(|| openmetrics::exposition_in(format, &model::Run::default(), now));
            counter.send_modify(|scrapes| *scrapes += 1);
            std::future::ready(([(CONTENT_TYPE, format.content_type())], text))
        };
        let router = Router::new().route("/metrics", get(answer));
        let addr = serve::serve(tasks, listener, router, serve::Options::default()).addr();
        Ok(Self { addr, scrapes })
    }

    /// Waits until what the record holds now was scraped: not at all where no scraper ever came, and two seconds at most
    /// where one comes less often or has left.
    pub async fn last_scrape(&self) {
        let mut scrapes = self.scrapes.clone();
        if *scrapes.borrow_and_update() > 0 {
            // Late or never: the run does not depend on who looks at it.
            let _ = tokio::time::timeout(LAST_SCRAPE_LIMIT, scrapes.changed()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::StatusCode;
    use record::Entry;

    use super::*;
    use crate::fixture;
    use crate::process::control::ControlClient;

    /// A test that waits this long has failed.
    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_scrape_shows_what_the_record_holds() {
        let tasks = Tasks::new();
        let (record, _folder) = fixture::record();
        let endpoint = MetricsEndpoint::start(&tasks, &record).await.expect("a port");
        let addr = endpoint.addr;
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

    #[tokio::test]
    async fn a_run_that_is_scraped_waits_for_one_scrape_more() {
        let tasks = Tasks::new();
        let (record, _folder) = fixture::record();
        let endpoint = MetricsEndpoint::start(&tasks, &record).await.expect("a port");
        // At once, though the limit is never reached: time stands still.
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        endpoint.last_scrape().await;
        assert_eq!(begun.elapsed(), Duration::ZERO, "no scraper ever came");
        tokio::time::resume();
        let client = ControlClient::new(tasks.clone(), "token");
        let scrape = async || client.get(endpoint.addr, "/metrics", LIMIT).await.expect("an answer").0;
        assert_eq!(scrape().await, StatusCode::OK);
        let mut last = std::pin::pin!(endpoint.last_scrape());
        assert!(futures_util::poll!(last.as_mut()).is_pending(), "what came since was not scraped");
        assert_eq!(scrape().await, StatusCode::OK);
        last.await;
        assert_eq!(*endpoint.scrapes.borrow(), 2);
        tasks.finish(LIMIT).await;
    }
}
