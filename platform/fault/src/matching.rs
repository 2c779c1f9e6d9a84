//! Which of the calls at a target are hit.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::ComponentName;
use contract::hash::{fnv1a64_with, mix, seeded};
use policy::units::Ratio;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::CallSite;

/// What a share is a share of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareOf {
    /// Tries: a retry draws again and may get through.
    #[default]
    Calls,
    /// Requests: all tries and hops of one share their fate, no retry helps.
    Requests,
    /// Users: the same users are hit throughout.
    Users,
}

/// Which calls are hit; all of them unless something is set. At most one of
/// `share`, `every` and `first`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "MatchFields", into = "MatchFields")]
pub struct Match {
    selection: Selection,
    route: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Selection {
    #[default]
    All,
    Share(Ratio, ShareOf),
    Every(u64),
    First(u64),
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct MatchFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<Ratio>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of: Option<ShareOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_CALLS))]
    every: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_CALLS))]
    first: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
}

/// Calls of an edge in a long run at a high rate: counting on would hit none, or all.
const MAX_CALLS: u64 = 10_000_000;

impl Match {
    /// Names of its fields in a scenario.
    pub const FIELDS: &'static [&'static str] = &["share", "share_of", "every", "first", "route"];

    /// A share of the calls, of the requests or of the users.
    pub fn share(share: Ratio, of: ShareOf) -> Self {
        Self { selection: Selection::Share(share, of), route: None }
    }

    /// Each `n`th call on every edge: how many is exact, which ones is not reproducible.
    ///
    /// # Panics
    /// For 0.
    pub fn every(n: u64) -> Self {
        assert!(n > 0, "every 0th call is none");
        Self { selection: Selection::Every(n), route: None }
    }

    /// The first `n` calls on every edge.
    pub fn first(n: u64) -> Self {
        Self { selection: Selection::First(n), route: None }
    }

    /// Only this call or route: `follower.followers_of`, `GET /v1/feed`.
    #[must_use]
    pub fn on_route(self, route: impl Into<String>) -> Self {
        Self { route: Some(route.into()), ..self }
    }

    /// What a share is counted in, for reports; `None` where no share is drawn.
    pub fn share_of(&self) -> Option<ShareOf> {
        match self.selection {
            Selection::Share(_, of) => Some(of),
            _ => None,
        }
    }

    /// Whether the call at `site` is hit.
    pub(crate) fn hits(&self, site: &CallSite<'_>, dice: Dice, counts: &CallCounts) -> bool {
        if self.route.as_deref().is_some_and(|route| route != site.route) {
            return false;
        }
        match self.selection {
            Selection::All => true,
            Selection::Share(share, _) => unit(dice.draw("share")) < share.get(),
            Selection::Every(n) => counts.next(site).is_multiple_of(n),
            Selection::First(n) => counts.next(site) <= n,
        }
    }

    /// What the dice of a call depend on. Background work has no request; it
    /// draws by turn, which keeps the share and gives up reproducing it.
    pub(crate) fn key(&self, site: &CallSite<'_>, counts: &CallCounts) -> u64 {
        let request = match site.request {
            0 => mix(counts.turn.fetch_add(1, Ordering::Relaxed)),
            request => request,
        };
        match self.share_of().unwrap_or_default() {
            ShareOf::Calls => request ^ mix(u64::from(site.attempt)),
            ShareOf::Requests => request,
            ShareOf::Users => site.principal.map_or(request, contract::Id::raw),
        }
    }
}

impl TryFrom<MatchFields> for Match {
    type Error = String;

    fn try_from(fields: MatchFields) -> Result<Self, String> {
        let MatchFields { share, share_of, every, first, route } = fields;
        let selection = match (share, every, first) {
            (None, None, None) => Selection::All,
            (Some(share), None, None) if share.get() <= 0.0 => {
                return Err("`share` of 0% hits nothing; write more, e.g. share = \"10%\"".into());
            }
            (Some(share), None, None) => Selection::Share(share, share_of.unwrap_or_default()),
            (None, Some(0), None) => return Err("`every = 0` hits nothing; give 1 or more".into()),
            (None, Some(n), None) | (None, None, Some(n)) if n > MAX_CALLS => {
                let key = if every.is_some() { "every" } else { "first" };
                return Err(format!(
                    "`{key} = {n}` is beyond what an edge calls in a run; give at most {MAX_CALLS}"
                ));
            }
            (None, Some(n), None) => Selection::Every(n),
            (None, None, Some(0)) => return Err("`first = 0` hits nothing; give 1 or more".into()),
            (None, None, Some(n)) => Selection::First(n),
            _ => return Err("give at most one of `share`, `every` and `first`".into()),
        };
        if share_of.is_some() && share.is_none() {
            return Err("`share_of` needs a `share`".into());
        }
        if route.as_deref().is_some_and(|route| route.trim().is_empty()) {
            return Err(
                "`route` is empty and hits nothing; write for example route = \"GET /v1/feed\"".into()
            );
        }
        Ok(Self { selection, route })
    }
}

impl From<Match> for MatchFields {
    fn from(Match { selection, route }: Match) -> Self {
        let fields = Self { route, ..Self::default() };
        match selection {
            Selection::All => fields,
            Selection::Share(share, of) => Self { share: Some(share), share_of: Some(of), ..fields },
            Selection::Every(n) => Self { every: Some(n), ..fields },
            Selection::First(n) => Self { first: Some(n), ..fields },
        }
    }
}

/// The dice of one call under one lease. Stateless: the same seed, lease and
/// key give the same draw on any thread, in any order, in any process.
#[derive(Clone, Copy, Debug)]
pub struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, lease: &str, key: u64) -> Self {
        let lease = mix(fnv1a64_with(lease.as_bytes(), seeded(seed, "")));
        Self(mix(lease ^ mix(key)))
    }

    /// 64 bits for one purpose.
    pub(crate) fn draw(self, purpose: &str) -> u64 {
        mix(fnv1a64_with(purpose.as_bytes(), self.0))
    }
}

/// 53 bits as a number in [0, 1).
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Counters of a lease, by edge.
#[derive(Debug, Default)]
pub(crate) struct CallCounts {
    by_edge: Mutex<HashMap<(ComponentName, ComponentName), u64>>,
    turn: AtomicU64,
}

impl CallCounts {
    /// Which call this is on its edge, from 1.
    fn next(&self, site: &CallSite<'_>) -> u64 {
        let mut counts = self.by_edge.lock().expect("no panic while held");
        let count = counts.entry((site.caller, site.callee)).or_default();
        *count += 1;
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_one_way_to_choose() {
        let read = |text: &str| toml::from_str::<Match>(text).map_err(|e| e.message().to_owned());
        assert_eq!(read("").expect("all calls"), Match::default());
        assert_eq!(read("every = 3").expect("one way"), Match::every(3));
        for (text, part) in [
            ("share = \"30%\"\nevery = 3", "at most one"),
            ("every = 0", "hits nothing"),
            ("share_of = \"users\"", "needs a `share`"),
            ("route = \" \"", "`route` is empty"),
            ("shard = 1", "unknown field `shard`"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn it_reads_back_what_it_writes() {
        for text in ["", "share = \"30%\"\nshare_of = \"requests\"", "first = 2\nroute = \"GET /v1/feed\""] {
            let read: Match = toml::from_str(text).expect("valid");
            let json = serde_json::to_string(&read).expect("plain data");
            assert_eq!(serde_json::from_str::<Match>(&json).expect("reads back"), read, "{json}");
        }
    }

    #[test]
    fn unit_is_never_one() {
        assert_eq!(unit(0), 0.0);
        assert!(unit(u64::MAX) < 1.0);
    }
}
