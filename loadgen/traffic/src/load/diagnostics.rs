//! What of a load cannot be offered, each sentence with the valid choices.

use std::time::Duration;

use policy::units::{HumanDuration, MAX_LENGTH};

use super::{Arrivals, Feed, Load, MAX_FURTHER_RATES, MAX_RATE, MAX_SLOTS, Model, Overload, Rates, Shape};
use crate::arrival_trace;
use crate::dataset::Size;
use crate::journey::Journey;

/// Lowest rate: one a half hour, the longest run.
const MIN_RATE: f64 = 1.0 / 1_800.0;
/// More followers than any account of a data set has: all are fanned out on write.
const MAX_FOLLOWERS: u32 = 1_000_000;
/// Longest timeout, which is also how long a run may take to drain.
const MAX_TIMEOUT: HumanDuration = HumanDuration::from_millis(30_000);
/// Ten seconds of the highest rate: what waits longer than that has timed out.
const MAX_QUEUE: usize = 200_000;
/// Above this the most popular item gets nearly all views: at 1.4 one photo has a third of them.
const MAX_ZIPF_EXPONENT: f64 = 3.0;

impl Load {
    /// Mistakes in it, with the valid choices; each begins with its key.
    pub fn diagnostics(&self, phases: &[&str]) -> Vec<String> {
        let mut diagnostics = self.rate_diagnostics(phases);
        let mut refuse = |wrong: bool, sentence: String| {
            if wrong {
                diagnostics.push(sentence);
            }
        };
        refuse(self.mix.weights().is_empty(), "mix: all weights are 0; write at least one above 0".into());
        let has_celebrities = self.weights().iter().any(|(journey, _)| *journey == Journey::CelebrityPost);
        refuse(
            has_celebrities && matches!(self.size, Size::Tiny | Size::Small),
            "size: celebrity-post needs accounts with a thousand followers; write size = \"standard\" or \"large\"".into(),
        );
        let span = self.timeout;
        refuse(
            span > MAX_TIMEOUT || span < HumanDuration::from_millis(1),
            format!("timeout: {span} is out of range; write 1ms to {MAX_TIMEOUT}"),
        );
        refuse(
            !(1..=5).contains(&self.attempts),
            format!("attempts: {} is out of range; write 1 to 5", self.attempts),
        );
        for phase in self.overloaded.iter().filter(|phase| !phases.contains(&phase.as_str())) {
            refuse(true, format!("overloaded: unknown phase `{phase}`; phases: {}", phases.join(", ")));
        }
        let closed = self.model == Model::Closed;
        refuse(
            closed && !self.overloaded.is_empty(),
            "overloaded: users of a closed loop wait, and offer no more than the arms do; write model = \"open\"".into(),
        );
        refuse(
            closed != self.users.is_some(),
            "users: `users` and model = \"closed\" need each other; write model = \"closed\" and users = { count = 20, think = \"1s\" }".into(),
        );
        let count = self.users.map_or(1, |users| users.count as usize);
        refuse(
            !(1..=MAX_SLOTS).contains(&count),
            format!("users: a count of {count} is out of range; write 1 to {MAX_SLOTS}"),
        );
        let think = self.users.map_or_else(HumanDuration::default, |users| users.think);
        refuse(
            think > MAX_LENGTH,
            format!("users: a think time of {think} is out of range; write at most {MAX_LENGTH}"),
        );
        refuse(
            self.feed.push_below > MAX_FOLLOWERS,
            format!(
                "feed: push_below = {} is out of range; write at most {MAX_FOLLOWERS} followers",
                self.feed.push_below
            ),
        );
        let good = self.good_within.unwrap_or(span);
        refuse(
            good > span || good == HumanDuration::default(),
            format!(
                "good_within: {good} is out of range; write more than 0s and at most the timeout, {span}"
            ),
        );
        for (name, exponent) in [("reader", self.popularity.reader), ("photo", self.popularity.photo)] {
            refuse(
                !(0.0..=MAX_ZIPF_EXPONENT).contains(&exponent),
                format!(
                    "popularity: {name} = {exponent} is out of range; write an exponent from 0 (uniform) to {MAX_ZIPF_EXPONENT}"
                ),
            );
        }
        let Feed { depth, page, .. } = self.feed;
        refuse(
            !(1..=100).contains(&page),
            format!("feed: a page of {page} items is out of range; write 1 to 100"),
        );
        refuse(
            !(page..=10_000).contains(&depth),
            format!(
                "feed: a depth of {depth} is out of range; write at least the page, {page}, and at most 10000"
            ),
        );
        refuse(
            closed && self.pool.is_some(),
            "pool: a closed loop has a slot for each of its users; remove `pool`".into(),
        );
        refuse(
            closed && self.arrivals != Arrivals::default(),
            "arrivals: in a closed loop a journey begins when a user is ready; remove `arrivals`".into(),
        );
        refuse(
            closed && self.overload != Overload::default(),
            "overload: no journey of a closed loop waits for a slot; remove `overload`".into(),
        );
        refuse(
            closed && self.queue_cap.is_some(),
            "queue_cap: no journey of a closed loop waits for a slot; remove `queue_cap`".into(),
        );
        let slots = self.pool.unwrap_or(MAX_SLOTS);
        refuse(
            !(1..=MAX_SLOTS).contains(&slots),
            format!("pool: {slots} slots are out of range; write 1 to {MAX_SLOTS}"),
        );
        let further = self.further_rates.unwrap_or(0);
        refuse(
            further > MAX_FURTHER_RATES,
            format!("further_rates: {further} is out of range; write 0 to {MAX_FURTHER_RATES}"),
        );
        let queue = self.queue_cap.unwrap_or(1);
        refuse(
            !(1..=MAX_QUEUE).contains(&queue),
            format!("queue_cap: {queue} is out of range; write at least 1 and at most {MAX_QUEUE}"),
        );
        diagnostics.extend(self.graph.diagnostics(self.size.users()));
        diagnostics
    }

    fn rate_diagnostics(&self, phases: &[&str]) -> Vec<String> {
        let mut diagnostics = Vec::new();
        if self.trace.is_some() {
            if self.rate != Rates::default() {
                diagnostics.push("trace: the trace defines the arrivals; remove `rate`".into());
            }
            if self.model == Model::Closed {
                diagnostics.push("trace: a closed loop defines its own arrivals; remove `trace`".into());
            }
            let peak = arrival_trace::peak_rate(&self.rows);
            if peak > MAX_RATE {
                diagnostics.push(format!(
                    "trace: {peak} arrivals within a second are out of range; write at most {MAX_RATE}"
                ));
            }
            return diagnostics;
        }
        let mut check = |place: &str, shape: &Shape| {
            for rate in shape.levels() {
                if rate.get() < MIN_RATE {
                    diagnostics.push(format!(
                        "{place}: a rate of {rate} offers no load; write for example \"100/s\""
                    ));
                }
            }
            if shape.peak() > MAX_RATE {
                diagnostics.push(format!("{place}: {shape} is out of range; write at most {MAX_RATE}/s"));
            }
        };
        match &self.rate {
            Rates::One(shape) => check("rate", shape),
            Rates::OfSlowest(share) => {
                if share.get() <= 0.0 {
                    diagnostics
                        .push("rate: 0% of slowest offers no load; write rate = \"30% of slowest\"".into());
                }
            }
            Rates::ByPhase(table) => {
                table.iter().for_each(|(phase, shape)| check(&format!("rate in `{phase}`"), shape));
                if table.is_empty() {
                    diagnostics.push("rate: missing; write for example rate = \"100/s\"".into());
                }
                for phase in table.keys().filter(|phase| !phases.contains(&phase.as_str())) {
                    diagnostics.push(format!("rate: unknown phase `{phase}`; phases: {}", phases.join(", ")));
                }
            }
        }
        diagnostics.dedup();
        diagnostics
    }

    /// Why its surges cannot be offered, as a sentence: the rate that they make of the highest one, or arrivals that no rate
    /// decides.
    pub fn surge_diagnostic(&self) -> Option<String> {
        if self.model == Model::Closed && !self.surges.is_empty() {
            let text = "users of a closed loop decide how many journeys begin, and no step changes that; remove the step";
            return Some(text.to_owned());
        }
        if self.trace.is_some() && !self.surges.is_empty() {
            return Some(
                "a trace is offered as it is, and no step changes its load; remove the step".to_owned(),
            );
        }
        let peak = self.peak_rate();
        let is_above = !self.surges.is_empty() && peak > MAX_RATE;
        is_above.then(|| {
            format!("the load would come to {peak:.0}/s in all; write a factor for at most {MAX_RATE}/s")
        })
    }

    /// Why its trace does not fit phases of this length together, as a sentence: arrivals that would never be offered.
    pub fn trace_diagnostic(&self, length: Duration) -> Option<String> {
        let end_us = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        let beyond = self.rows.iter().filter(|row| row.offset_us >= end_us).count();
        (beyond > 0).then(|| {
            format!(
                "trace: {beyond} of {} arrivals lie beyond the end of the phases at {}; write longer phases, or cut the \
                 trace there",
                self.rows.len(),
                HumanDuration::from(length)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrival_trace::TraceRow;
    use crate::load::Surge;

    fn read(text: &str) -> Load {
        toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn arrivals_beyond_the_phases_are_counted() {
        let row = |offset_us| TraceRow { offset_us, journey: Journey::HomeFeed, user: 0 };
        let load = Load { rows: [0, 2_999_999, 3_000_000, 9_000_000].map(row).into(), ..read("") };
        let message = load.trace_diagnostic(Duration::from_secs(3)).expect("two of them");
        assert!(
            message.starts_with("trace: 2 of 4 arrivals lie beyond the end of the phases at 3s"),
            "{message}"
        );
        assert_eq!(load.trace_diagnostic(Duration::from_secs(10)), None);
    }

    #[test]
    fn surges_are_part_of_the_highest_rate() {
        let surge = |by| Surge { start_ns: 0, end_ns: 1, ramp_ns: 0, by };
        let load = |by| Load { surges: vec![surge(by)], ..read("rate = \"1000/s\"") };
        assert_eq!(load(20.0).surge_diagnostic(), None);
        assert!(load(21.0).surge_diagnostic().expect("too much").contains("21000/s in all"));
    }

    #[test]
    fn a_load_that_cannot_be_offered_is_refused() {
        for (text, part) in [
            ("rate = \"0/s\"", "offers no load"),
            ("rate = \"500000/s\"", "write at most 20000/s"),
            ("rate = { stady = \"1/s\" }", "unknown phase `stady`; phases: steady"),
            ("rate = {}", "rate: missing"),
            ("rate = \"1/s\"\nmodel = \"closed\"", "users = { count = 20"),
            ("rate = \"1/s\"\nusers = { count = 5 }", "write model = \"closed\""),
            ("rate = \"9000/s flash-crowd 5x\"", "write at most 20000/s"),
            ("size = \"tiny\"", "rate: missing"),
            ("rate = \"1/s\"\ntrace = \"a.csv\"", "remove `rate`"),
            ("rate = \"1/s\"\nmix = { search = 0 }", "all weights are 0"),
            ("rate = \"1/s\"\ntimeout = \"2m\"", "out of range"),
            ("rate = \"1/s\"\ntimeout = \"1s\"\ngood_within = \"2s\"", "at most the timeout, 1s"),
            ("rate = \"1/s\"\npopularity = { reader = nan }", "reader = NaN is out of range"),
            ("rate = \"1/s\"\npopularity = { photo = -1.0 }", "photo = -1 is out of range"),
            ("rate = \"1/s\"\nfeed = { page = 0 }", "write 1 to 100"),
            ("rate = \"1/s\"\nfeed = { depth = 10 }", "write at least the page"),
            ("rate = \"1/s\"\npool = 0", "write 1 to 1000"),
            ("rate = \"1/s\"\nqueue_cap = 0", "write at least 1"),
            ("rate = \"1/s\"\nqueue_cap = 9000000", "at most 200000"),
            (
                "rate = \"1/s\"\nmodel = \"closed\"\nusers = { count = 5 }\narrivals = \"constant\"",
                "remove `arrivals`",
            ),
            (
                "rate = \"1/s\"\nmodel = \"closed\"\nusers = { count = 5 }\noverload = \"drop\"",
                "remove `overload`",
            ),
            (
                "rate = \"1/s\"\nmodel = \"closed\"\nusers = { count = 5 }\nqueue_cap = 9",
                "remove `queue_cap`",
            ),
            ("rate = \"1/s\"\nsize = \"tiny\"\ngraph = { mean = 300 }", "cap"),
            ("rate = \"1/s\"\ngraph = { alpha = 1.0 }", "alpha"),
            ("rate = \"1/s\"\ngraph = { following_sigma = 50.0 }", "following_sigma"),
        ] {
            let diagnostics = read(text).diagnostics(&["steady"]).join("\n");
            assert!(diagnostics.contains(part), "{text}: {diagnostics}");
        }
    }
}
