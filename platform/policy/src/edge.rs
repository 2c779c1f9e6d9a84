//! The policy of an edge, as a scenario writes it, and what it comes to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adaptive_concurrency::AdaptiveConcurrencyOptions;
use crate::balance::Balance;
use crate::breaker::BreakerOptions;
use crate::budget::BudgetOptions;
use crate::edge_pattern::{EdgePattern, GATEWAY};
use crate::hedge::HedgeOptions;
use crate::retry::Jitter;
use crate::service::QUEUE_CAP;
use crate::throttle::ThrottleOptions;
use crate::units::{HumanDuration, MAX_LENGTH, MAX_WAIT};

/// What happens to a call whose caller has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cancellation {
    /// It is dropped, as hyper does by itself; that alone hides a retry storm.
    #[default]
    Propagate,
    /// It is finished, as databases and thread pools do.
    Detach,
}

/// `[policy."A->B"]`: what is set overrides what is less specific.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Limit of one try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HumanDuration>,
    /// Tries, the first included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// First wait between tries, doubling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<HumanDuration>,
    /// What retries are paid from; unset, they are free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetOptions>,
    /// Whether the remaining time travels along and expired work is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<bool>,
    /// What happens when the caller has gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancellation>,
    /// Calls under way at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulkhead: Option<u32>,
    /// Calls under way at most, as many as their latency allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive_concurrency: Option<AdaptiveConcurrencyOptions>,
    /// When the edge is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerOptions>,
    /// How the wait between tries is spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// A second try while the first is still out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hedge: Option<HedgeOptions>,
    /// Calls held back in proportion to what the callee turns away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<ThrottleOptions>,
    /// Whether a call that fails is answered with what its reply is when nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<bool>,
    /// Which copy is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// Connections to each copy that calls of the carrier `http2+binary` share; the other carriers have one a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_CONNECTIONS))]
    pub connections: Option<u32>,
}

/// More tries than this are a storm by themselves.
pub const MAX_ATTEMPTS: u32 = 5;
/// Four calls of a full pool on each: beyond that little is shared.
const MAX_CONNECTIONS: u32 = 16;

/// A policy with every blank filled in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectivePolicy {
    /// Limit of one try; what is left of the deadline where unset.
    pub timeout: Option<HumanDuration>,
    /// 1 to [`MAX_ATTEMPTS`]. Two by default: one retry rides over a restart.
    pub attempts: u32,
    /// 10 ms by default.
    pub backoff: HumanDuration,
    /// 10 %, at least 1/s, over 10 s by default (Google SRE book).
    pub budget: Option<BudgetOptions>,
    /// On by default.
    pub deadline: bool,
    /// `propagate` by default.
    pub cancel: Cancellation,
    /// None by default.
    pub bulkhead: Option<u32>,
    /// None by default.
    pub adaptive_concurrency: Option<AdaptiveConcurrencyOptions>,
    /// 50 % of the calls of 10 s by default, unless `attempts` is set.
    pub breaker: Option<BreakerOptions>,
    /// Full by default.
    pub jitter: Jitter,
    /// None by default.
    pub hedge: Option<HedgeOptions>,
    /// None by default.
    pub throttle: Option<ThrottleOptions>,
    /// Off by default.
    pub fallback: bool,
    /// Power of two choices by default.
    pub balance: Balance,
    /// One by default.
    pub connections: u32,
}

/// In a line, for people: what is unset is left out, what is on by default is listed.
impl fmt::Display for EffectivePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempts {
            1 => f.write_str("1 attempt")?,
            attempts => write!(f, "{attempts} attempts")?,
        }
        if let Some(timeout) = self.timeout {
            write!(f, " of {timeout}")?;
        }
        if self.attempts > 1 {
            match (self.backoff == HumanDuration::default(), self.jitter) {
                (true, _) => f.write_str(", no back-off")?,
                (false, Jitter::Full) => write!(f, ", back-off up to {}, doubling", self.backoff)?,
                (false, Jitter::Equal) => {
                    let half = HumanDuration::from(self.backoff.duration() / 2);
                    write!(f, ", back-off {half} to {}, doubling", self.backoff)?;
                }
                (false, Jitter::None) => write!(f, ", back-off {}, doubling", self.backoff)?,
            }
            match self.budget {
                Some(BudgetOptions { ratio, min, window }) => {
                    write!(f, ", retry budget {ratio} + {min} over {window}")?;
                }
                None => f.write_str(", no retry budget")?,
            }
        }
        match self.breaker {
            Some(breaker) => {
                let BreakerOptions { errors, window, open, probes, .. } = breaker;
                let calls = breaker.calls_to_open();
                write!(
                    f,
                    ", breaker at {errors} errors over {window} (at least {calls} calls), open for {open}, {probes} probes"
                )?;
            }
            None => f.write_str(", no breaker")?,
        }
        if let Some(calls) = self.bulkhead {
            write!(f, ", bulkhead {calls}")?;
        }
        if let Some(AdaptiveConcurrencyOptions { initial, min, max, tolerance, .. }) =
            self.adaptive_concurrency
        {
            write!(
                f,
                ", adaptive concurrency {min} to {max}, at first {initial}, lower where calls take {tolerance} times as long"
            )?;
        }
        if let Some(HedgeOptions { after, extra }) = self.hedge {
            write!(f, ", hedged after {after}, at most {extra} more calls")?;
        }
        if let Some(ThrottleOptions { k, window, probe }) = self.throttle {
            write!(f, ", adaptive throttle K = {k} over {window}, {probe} let through")?;
        }
        if !self.deadline {
            f.write_str(", no deadline")?;
        }
        if self.cancel == Cancellation::Detach {
            f.write_str(", not cancelled when the caller disconnects")?;
        }
        if self.fallback {
            f.write_str(", with a fallback")?;
        }
        if self.balance == Balance::BoundedHash {
            f.write_str(", the same copy for the same request")?;
        }
        if self.connections > 1 {
            write!(f, ", {} shared connections", self.connections)?;
        }
        Ok(())
    }
}

impl Policy {
    /// This policy over a less specific one.
    pub fn over(&self, base: &Self) -> Self {
        Self {
            timeout: self.timeout.or(base.timeout),
            attempts: self.attempts.or(base.attempts),
            backoff: self.backoff.or(base.backoff),
            budget: self.budget.or(base.budget),
            deadline: self.deadline.or(base.deadline),
            cancel: self.cancel.or(base.cancel),
            bulkhead: self.bulkhead.or(base.bulkhead),
            adaptive_concurrency: self.adaptive_concurrency.or(base.adaptive_concurrency),
            breaker: self.breaker.or(base.breaker),
            jitter: self.jitter.or(base.jitter),
            hedge: self.hedge.or(base.hedge),
            throttle: self.throttle.or(base.throttle),
            fallback: self.fallback.or(base.fallback),
            balance: self.balance.or(base.balance),
            connections: self.connections.or(base.connections),
        }
    }

    /// What is wrong with it, with the right choices; empty when nothing is.
    pub fn diagnostics(&self) -> Vec<String> {
        let mut diagnostics = Vec::new();
        let mut refuse = |wrong: bool, sentence: String| {
            if wrong {
                diagnostics.push(sentence);
            }
        };
        let attempts = self.attempts.unwrap_or(1);
        refuse(
            !(1..=MAX_ATTEMPTS).contains(&attempts),
            format!("attempts: {attempts} is out of range; write 1 to {MAX_ATTEMPTS}, the first included"),
        );
        refuse(
            self.timeout == Some(HumanDuration::default()),
            "timeout: a try of 0s can never succeed; write a duration above zero, e.g. \"250ms\"".into(),
        );
        for (key, wait) in [
            ("timeout", self.timeout),
            ("backoff", self.backoff),
            ("hedge", self.hedge.map(|hedge| hedge.after)),
        ] {
            let wait = wait.unwrap_or_default();
            refuse(wait > MAX_WAIT, format!("{key}: {wait} is out of range; write at most {MAX_WAIT}"));
        }
        refuse(
            self.hedge.is_some_and(|hedge| hedge.after == HumanDuration::default()),
            "hedge: after 0s every call is sent twice; write for example after = \"50ms\"".into(),
        );
        refuse(
            self.hedge.is_some_and(|hedge| hedge.extra.get() <= 0.0),
            "hedge: extra = 0% pays for no second try; write e.g. extra = \"5%\"".into(),
        );
        refuse(self.bulkhead == Some(0), "bulkhead: it lets at least 1 call through".into());
        refuse(
            self.bulkhead.is_some_and(|calls| calls > QUEUE_CAP),
            format!(
                "bulkhead: more than {QUEUE_CAP} calls are no limit; write fewer, or leave `bulkhead` out"
            ),
        );
        let connections = self.connections.unwrap_or(1);
        refuse(
            !(1..=MAX_CONNECTIONS).contains(&connections),
            format!(
                "connections: {connections} is out of range; write 1 to {MAX_CONNECTIONS}, e.g. connections = 2"
            ),
        );
        let nothing = HumanDuration::default();
        if let Some(budget) = self.budget {
            refuse(
                budget.window == nothing,
                "budget: its window is 0s; write for example window = \"10s\"".into(),
            );
            refuse(
                budget.window > MAX_LENGTH,
                format!("budget: a window of {} is out of range; write at most {MAX_LENGTH}", budget.window),
            );
            refuse(
                budget.window > nothing && budget.pays_for_none(),
                format!(
                    "budget: ratio = {} and min = {} over {} pay for no retry; write e.g. ratio = \"10%\", or attempts = 1",
                    budget.ratio, budget.min, budget.window
                ),
            );
        }
        if let Some(concurrency) = self.adaptive_concurrency {
            if let Some(calls) = self.bulkhead.filter(|calls| (1..=concurrency.min).contains(calls)) {
                diagnostics.push(format!(
                    "adaptive_concurrency: min = {} is not below bulkhead = {calls}, so that the limit has nothing to decide; \
                     write a lower `min`, or leave one of the two out",
                    concurrency.min
                ));
            }
            diagnostics.extend(concurrency.diagnostics());
        }
        if let Some(breaker) = self.breaker {
            diagnostics.extend(breaker.diagnostics());
        }
        if let Some(throttle) = self.throttle {
            diagnostics.extend(throttle.diagnostics());
        }
        diagnostics
    }

    /// The same for an edge of the gateway, which passes replies on without reading them.
    pub fn gateway_diagnostics(&self) -> Vec<String> {
        let mut diagnostics = self.diagnostics();
        if self.fallback == Some(true) {
            let reason = "the gateway does not read replies, so it has none to fall back on";
            diagnostics.push(format!(
                "fallback: {reason}; write it on an edge between components, e.g. \"feed->follower\""
            ));
        }
        if self.connections.is_some() {
            let reason = "requests that the gateway forwards share none";
            diagnostics.push(format!(
                "connections: {reason}; write it on an edge between components, e.g. \"feed->photo\""
            ));
        }
        diagnostics
    }

    /// With the defaults filled in. A policy that sets `attempts` without a budget or
    /// a breaker has none: a naive retry must be possible to show.
    pub fn effective(&self) -> EffectivePolicy {
        let budget = if self.attempts.is_some() {
            self.budget
        } else {
            self.budget.or_else(|| Some(BudgetOptions::default()))
        };
        let breaker = if self.attempts.is_some() {
            self.breaker
        } else {
            self.breaker.or_else(|| Some(BreakerOptions::default()))
        };
        EffectivePolicy {
            timeout: self.timeout,
            attempts: self.attempts.unwrap_or(2).clamp(1, MAX_ATTEMPTS),
            backoff: self.backoff.unwrap_or(HumanDuration::from_millis(10)),
            budget,
            deadline: self.deadline.unwrap_or(true),
            cancel: self.cancel.unwrap_or_default(),
            bulkhead: self.bulkhead,
            adaptive_concurrency: self.adaptive_concurrency,
            breaker,
            jitter: self.jitter.unwrap_or_default(),
            hedge: self.hedge,
            throttle: self.throttle,
            fallback: self.fallback.unwrap_or(false),
            balance: self.balance.unwrap_or_default(),
            connections: self.connections.unwrap_or(1).clamp(1, MAX_CONNECTIONS),
        }
    }
}

/// What is set for an edge: every matching policy, the most specific on top. A fallback or a number of shared connections that
/// is set for all callers of a component leaves the gateway out, which has neither.
pub fn for_edge(policies: &[(EdgePattern, Policy)], caller: &str, callee: &str) -> Policy {
    let mut matching: Vec<_> =
        policies.iter().filter(|(pattern, _)| pattern.matches(caller, callee)).collect();
    matching.sort_by_key(|(pattern, _)| pattern.specificity());
    let mut set = matching.into_iter().fold(Policy::default(), |base, (_, policy)| policy.over(&base));
    if caller == GATEWAY {
        set.fallback = None;
        set.connections = None;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_pattern_wins_field_by_field() {
        let policy = |toml: &str| toml::from_str::<Policy>(toml).expect(toml);
        let table = [
            ("feed->follower", policy("timeout = \"250ms\"\nattempts = 4")),
            ("*->*", policy("timeout = \"1100ms\"\ncancel = \"detach\"")),
        ]
        .map(|(pattern, policy)| (pattern.parse().expect(pattern), policy));
        let edge = for_edge(&table, "feed", "follower");
        assert_eq!(
            (edge.timeout, edge.attempts, edge.cancel),
            (Some(HumanDuration::from_millis(250)), Some(4), Some(Cancellation::Detach))
        );
        assert_eq!(edge.effective().budget, None, "four naive attempts are not budgeted");
        let other = for_edge(&table, "feed", "photo");
        assert_eq!((other.timeout, other.attempts), (Some(HumanDuration::from_millis(1_100)), None));
        assert_eq!(other.effective().budget, Some(BudgetOptions::default()));
    }

    #[test]
    fn a_policy_prints_as_one_line() {
        let line = |toml: &str| toml::from_str::<Policy>(toml).expect(toml).effective().to_string();
        assert_eq!(
            line(""),
            "2 attempts, back-off up to 10ms, doubling, retry budget 10% + 1/s over 10s, \
             breaker at 50% errors over 10s (at least 20 calls), open for 5s, 3 probes"
        );
        assert_eq!(
            line(
                "attempts = 4\ntimeout = \"250ms\"\nbackoff = \"0ms\"\ncancel = \"detach\"\ndeadline = false"
            ),
            "4 attempts of 250ms, no back-off, no retry budget, no breaker, no deadline, not cancelled when the caller \
             disconnects"
        );
        assert_eq!(
            line("attempts = 1\nbreaker = { window = \"10 calls\" }"),
            "1 attempt, breaker at 50% errors over 10 calls (at least 10 calls), open for 5s, 3 probes"
        );
        assert_eq!(
            line("attempts = 1\nbulkhead = 6\nfallback = true\nbalance = \"bounded-hash\"\nconnections = 2"),
            "1 attempt, no breaker, bulkhead 6, with a fallback, the same copy for the same request, 2 shared connections"
        );
    }

    #[test]
    fn the_gateway_has_no_fallback() {
        let policy = Policy { fallback: Some(true), ..Policy::default() };
        assert!(policy.diagnostics().is_empty());
        assert!(policy.gateway_diagnostics()[0].starts_with("fallback: the gateway does not read replies"));
        let all = [("*->photo".parse().expect("a pattern"), policy)];
        assert!(for_edge(&all, "feed", "photo").effective().fallback);
        assert!(!for_edge(&all, "gateway", "photo").effective().fallback);
    }

    #[test]
    fn what_the_gateway_forwards_shares_no_connections() {
        let policy = Policy { connections: Some(4), ..Policy::default() };
        assert!(policy.diagnostics().is_empty());
        assert!(
            policy.gateway_diagnostics()[0].starts_with("connections: requests that the gateway forwards")
        );
        let all = [("*->*".parse().expect("a pattern"), policy)];
        assert_eq!(for_edge(&all, "feed", "photo").effective().connections, 4);
        assert_eq!(for_edge(&all, "gateway", "photo").effective().connections, 1);
    }

    #[test]
    fn the_handbooks_policy_is_read_and_a_typo_is_not() {
        let text = "timeout = \"300ms\"\nattempts = 2\nbudget = { ratio = \"10%\", min = \"1/s\", window = \"10s\" }\nbulkhead = 32\nbreaker = { errors = \"50%\", window = \"20 calls\", open = \"2s\", probes = 3 }\ncancel = \"propagate\"";
        let policy: Policy = toml::from_str(text).expect("the handbook's");
        assert_eq!(policy.effective().attempts, 2);
        assert!(toml::from_str::<Policy>("timout = \"1s\"").is_err());
    }

    #[test]
    fn a_limit_that_a_bulkhead_keeps_from_moving_is_refused() {
        let read = |toml: &str| toml::from_str::<Policy>(toml).expect(toml);
        let both = read("bulkhead = 4\nadaptive_concurrency = { min = 4 }").diagnostics();
        assert!(both[0].starts_with("adaptive_concurrency: min = 4 is not below bulkhead = 4"), "{both:?}");
        for good in ["bulkhead = 4\nadaptive_concurrency = { min = 3 }", "adaptive_concurrency = {}"] {
            assert_eq!(read(good).diagnostics(), [""; 0], "{good}");
        }
        assert_eq!(
            read("attempts = 1\nadaptive_concurrency = {}").effective().to_string(),
            "1 attempt, no breaker, adaptive concurrency 1 to 200, at first 20, lower where calls take 1.5 times as long"
        );
    }
}
