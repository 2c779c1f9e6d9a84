//! Sums of windows.

use crate::Window;

impl Window {
    /// What it counted, without latencies.
    pub fn counts(&self) -> Self {
        let mut counts = Self {
            arm: self.arm,
            round: self.round,
            journey: self.journey.clone(),
            second: self.second,
            closed: self.closed,
            ..Self::default()
        };
        counts.add_counts(self);
        counts
    }

    /// Adds what another window counted.
    pub fn add_counts(&mut self, other: &Self) {
        self.offered += other.offered;
        self.sent += other.sent;
        self.ok += other.ok;
        self.good += other.good;
        for (cause, count) in &other.errors {
            *self.errors.entry(cause.clone()).or_default() += count;
        }
        self.dropped += other.dropped;
        self.abandoned += other.abandoned;
        self.pages += other.pages;
        self.empty_pages += other.empty_pages;
        self.bytes += other.bytes;
        self.probes += other.probes;
        self.stale += other.stale;
        self.unseen += other.unseen;
        if let Some(finished) = other.finished {
            *self.finished.get_or_insert_default() += finished;
        }
    }

    /// Merges another window's latencies into those here.
    pub fn add_latencies(&mut self, other: &Self) {
        self.intended.merge(&other.intended);
        self.service.merge(&other.service);
        self.failed.merge(&other.failed);
        self.pace_lag.merge(&other.pace_lag);
        self.own_wait.merge(&other.own_wait);
        self.slot_wait.merge(&other.slot_wait);
        self.staleness.merge(&other.staleness);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window in which every count is `n` and every histogram has one latency of `n` microseconds. Fields are found by
    /// their values, so that one that is added to windows and not summed is missed below.
    fn window(n: u64) -> Window {
        let mut fields = serde_json::to_value(Window::default()).expect("json");
        let latencies = serde_json::to_value([n].into_iter().collect::<crate::Latencies>()).expect("json");
        for (key, value) in fields.as_object_mut().expect("a table") {
            if value.is_u64() && !["round", "second"].contains(&key.as_str()) {
                *value = n.into();
            } else if value == "" && key != "journey" {
                value.clone_from(&latencies);
            } else if key == "errors" {
                *value = serde_json::json!({ "timeout": n });
            }
        }
        serde_json::from_value(fields).expect("a window")
    }

    #[test]
    fn every_count_and_every_histogram_is_summed() {
        let mut counts = window(2);
        counts.add_counts(&window(3));
        let expected = |key: &str, value: &serde_json::Value| match value {
            value if value.is_u64() && !["round", "second"].contains(&key) => 5.into(),
            value if key == "errors" => {
                serde_json::json!({ "timeout": value["timeout"].as_u64().map(|n| n + 3) })
            }
            value => value.clone(),
        };
        let before = serde_json::to_value(window(2)).expect("json");
        let after = serde_json::to_value(&counts).expect("json");
        for (key, value) in before.as_object().expect("a table") {
            assert_eq!(after[key], expected(key, value), "{key}");
        }

        let mut latencies = window(2);
        latencies.add_latencies(&window(3));
        let after = serde_json::to_value(&latencies).expect("json");
        let both = serde_json::to_value([2, 3].into_iter().collect::<crate::Latencies>()).expect("json");
        for (key, value) in before.as_object().expect("a table") {
            let is_latencies = value.as_str().is_some_and(|text| text.len() > 1);
            assert_eq!(&after[key], if is_latencies { &both } else { value }, "{key}");
        }
    }
}
