//! A search for capacity that goes on: before each rate beyond the declared ones it is decided whether that is offered.

use std::sync::Mutex;
use std::time::Duration;

use record::EventKind;
use scorecard::search::{self, SearchDecision, Stop};
use tokio::sync::mpsc;

use crate::run::phases::{PhaseCost, Phases};

/// What the load generator is asked when a rate is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadRequest {
    /// To go on to the next rate.
    Further,
    /// To send nothing more.
    End,
}

/// How long before a rate begins it is decided whether it is offered: the generator must have been asked by then, and on a
/// busy machine a line takes some milliseconds to reach it.
const DECISION_LEAD: Duration = Duration::from_millis(250);

/// Requests that may wait: one for each further rate, and one to end.
pub(crate) const MAX_REQUESTS: usize = traffic::load::MAX_FURTHER_RATES as usize + 1;

impl Phases<'_> {
    /// Goes on to further rates, one by one, and asks the generator for each; asks it to end after the last.
    pub async fn search(&self, requests: mpsc::Sender<LoadRequest>, costs: &Mutex<Vec<PhaseCost>>) {
        if self.further.is_empty() {
            return;
        }
        let stop = self.offer_further(&requests, costs).await;
        self.record.event(EventKind::Log, 0, format!("the search for capacity ends: {}", stop.sentence()));
        // A generator that has ended takes no request.
        let _ = requests.send(LoadRequest::End).await;
    }

    /// Why no further rate is offered, once that is so.
    async fn offer_further(
        &self,
        requests: &mpsc::Sender<LoadRequest>,
        costs: &Mutex<Vec<PhaseCost>>,
    ) -> Stop {
        let letters: Vec<char> = self.letters().collect();
        for (offered, phase) in self.further.iter().enumerate() {
            let lead_ns = u64::try_from(DECISION_LEAD.as_nanos()).unwrap_or(0);
            self.sleep_until(phase.start_ns.saturating_sub(lead_ns)).await;
            // A record that cannot be asked any more shows no rate that was carried.
            match self.record.query(|run| search::next(run, &letters, offered)) {
                Some(SearchDecision::Offer) => {}
                Some(SearchDecision::Stop(stop)) => return stop,
                None => return Stop::Late,
            }
            let _ = requests.send(LoadRequest::Further).await;
            self.begin(self.plan.len() + offered, phase).await;
            let before = self.totals().await;
            self.sleep_until(phase.start_ns + phase.length_ns).await;
            self.add_costs(costs, &phase.name, &before, &self.totals().await);
        }
        Stop::Exhausted
    }
}
