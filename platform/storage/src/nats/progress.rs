//! How far consumers are, as they report it to a publisher: rows of its outbox go when all have applied them.
//!
//! A report is a plain message, which may get lost: a consumer sends one every second.

use std::time::Duration;

use contract::ComponentName;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use super::broker::{Broker, BrokerError};
use crate::{Outbox, Position};

/// Wait before a subscription is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// What a consumer reports: everything up to a position is applied.
#[derive(Serialize, Deserialize)]
struct Progress<'a> {
    consumer: &'a str,
    topics: &'a str,
    at: Position,
}

/// Reports to a publisher.
pub(super) async fn report(
    broker: &Broker,
    publisher: ComponentName,
    consumer: ComponentName,
    topics: &str,
    at: &Position,
) -> Result<(), BrokerError> {
    let progress = Progress { consumer: consumer.as_str(), topics, at: at.clone() };
    let text = serde_json::to_vec(&progress).expect("plain data");
    let client = broker.connected()?.client();
    let sent = client.publish(broker.progress_of(publisher), text.into()).await;
    sent.map_err(|why| BrokerError::request("take a report")(why.into()))
}

/// Notes in the outbox of a publisher what its consumers report, for as long as the process lives.
pub(super) async fn listen(broker: Broker, publisher: ComponentName, outbox: Outbox) {
    loop {
        // The client subscribes again by itself after it has lost the connection.
        if let Ok(jetstream) = broker.connected()
            && let Ok(mut reports) = jetstream.client().subscribe(broker.progress_of(publisher)).await
        {
            while let Some(report) = reports.next().await {
                // What is no report is not for us.
                if let Ok(progress) = serde_json::from_slice::<Progress<'_>>(&report.payload) {
                    let consumer = ComponentName::intern(progress.consumer);
                    outbox.applied(progress.topics, consumer, &progress.at);
                }
            }
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}
