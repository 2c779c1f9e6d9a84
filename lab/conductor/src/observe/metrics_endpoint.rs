//! The run's own figures at `/metrics`: what its users felt, what acts, how late the generator is.
//!
//! Drawn from the lines of the record like every view, so that a scrape shows what the record will
//! say. Taking a line in costs some microseconds; the text is made when somebody asks.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use grafana::figures::Figures;
use grafana::openmetrics;
use runtime::{ShutdownPolicy, Tasks};
use transport::serve::{self, BindError};

use crate::observe::record_writer::{RecordSubscription, RecordWriter};

/// Serves the figures of a run on a free port of loopback until `tasks` close; returns where.
///
/// # Errors
/// When there is no free port.
pub async fn serve(tasks: &Tasks, record: &RecordWriter) -> Result<SocketAddr, BindError> {
    let listener = serve::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
    let figures = Arc::<Mutex<Figures>>::default();
    tasks.spawn("lab.metrics", ShutdownPolicy::Cancel, follow(record.subscribe(), figures.clone()));
    let answer = move || {
        let figures = figures.lock().expect("no panic while held");
        std::future::ready(([(CONTENT_TYPE, openmetrics::CONTENT_TYPE)], openmetrics::exposition(&figures)))
    };
    let router = Router::new().route("/metrics", get(answer));
    Ok(serve::serve(tasks, listener, router, serve::Options::default()).addr())
}

async fn follow(mut lines: RecordSubscription, figures: Arc<Mutex<Figures>>) {
    while let Some(line) = lines.next().await {
        figures.lock().expect("no panic while held").add(&line);
    }
}
