//! Whether arms hold the same data: when the load begins, and when it is over.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use node::control::StateDigest;

use crate::arm::Arm;
use crate::process::control::ControlClient;

/// Time the events of a run have to be applied, on a machine that is busy with something else.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long states that are settled and differ may still become equal: they were not read at the same moment.
const AGREE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a process has to answer.
const DIGEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How often they are compared.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The first state of each kind that was seen in a run, to compare the others with.
#[derive(Default)]
pub(crate) struct StateComparison {
    initial: Mutex<Option<String>>,
    /// By round, since each has a load of its own, and by the configuration of services: a variant may keep other data on
    /// purpose, such as longer timelines.
    last: Mutex<BTreeMap<(u32, String), String>>,
    /// Arrivals that did not succeed, by round.
    unsuccessful: Mutex<BTreeMap<u32, u64>>,
}

impl StateComparison {
    /// A sentence where an arm begins a round with other data than the first that was asked (trap T7).
    pub fn initial(&self, arm: &str, round: u32, state: &str) -> Option<String> {
        let mut first = self.initial.lock().expect("no panic while held");
        let first = first.get_or_insert_with(|| state.to_owned());
        (state != *first).then(|| format!("{arm} began round {round} with {state}, and others with {first}"))
    }

    /// Counts arrivals of a round that did not succeed, and returns those of all its arms so far.
    pub fn add_unsuccessful(&self, round: u32, count: u64) -> u64 {
        let mut rounds = self.unsuccessful.lock().expect("no panic while held");
        let sum = rounds.entry(round).or_default();
        *sum += count;
        *sum
    }

    /// A sentence where the same load left other data in an arm than in the first of the same configuration.
    pub fn last(&self, arm: &str, round: u32, configuration: String, state: &str) -> Option<String> {
        let mut known = self.last.lock().expect("no panic while held");
        let first = known.entry((round, configuration)).or_insert_with(|| state.to_owned());
        (state != *first).then(|| format!("the same load left {first} first, and {state} in {arm}"))
    }
}

/// What arms hold.
pub(crate) struct ArmStates {
    /// The state of each arm, by component.
    pub states: BTreeMap<char, String>,
    /// Whether no event was under way when they were read.
    pub is_settled: bool,
}

/// The state of each arm. Where all must agree they get time to: until no event is under way, and all answers of one
/// poll are equal.
pub(crate) async fn arm_states(arms: &[Arc<Arm>], control: &ControlClient, must_agree: bool) -> ArmStates {
    let began = runtime::clock::now();
    loop {
        let mut states = BTreeMap::new();
        let mut is_settled = true;
        for arm in arms {
            if let Some((state, waiting)) = arm_state(arm, control).await {
                states.insert(arm.plan.letter, state);
                is_settled &= waiting == 0;
            }
        }
        let waited = runtime::clock::now().saturating_duration_since(began);
        let timeout = if is_settled { AGREE_TIMEOUT } else { SETTLE_TIMEOUT };
        if !must_agree || (is_settled && all_equal(&states)) || waited > timeout {
            return ArmStates { states, is_settled };
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn all_equal(states: &BTreeMap<char, String>) -> bool {
    let mut states = states.values();
    let first = states.next();
    states.all(|other| Some(other) == first)
}

/// The state of an arm, and its events that some consumer has not applied yet.
async fn arm_state(arm: &Arm, control: &ControlClient) -> Option<(String, u64)> {
    let mut digests = Vec::new();
    for instance in arm.instances() {
        let digest = digest(instance.status().listen, control).await;
        digests.push((instance.process.name.clone(), digest));
    }
    combine(digests)
}

/// One state of the digests of all copies. Copies share a database, and each knows the consumers that have asked it:
/// the smallest number of waiting events is right, and one copy that answers is enough. `None` where a process has none.
fn combine(digests: Vec<(String, Option<StateDigest>)>) -> Option<(String, u64)> {
    let mut components = BTreeMap::new();
    let mut waiting: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for (process, digest) in digests {
        let known = waiting.entry(process).or_default();
        if let Some(digest) = digest {
            components.extend(digest.components);
            *known = (*known).into_iter().chain([digest.waiting]).min();
        }
    }
    let waiting = waiting.into_values().sum::<Option<u64>>()?;
    let parts: Vec<String> =
        components.into_iter().map(|(name, digest)| format!("{name}={digest}")).collect();
    Some((parts.join(" "), waiting))
}

async fn digest(addr: Option<SocketAddr>, control: &ControlClient) -> Option<StateDigest> {
    let (status, body) = control.get(addr?, "/control/digest", DIGEST_TIMEOUT).await.ok()?;
    status.is_success().then(|| serde_json::from_slice(&body).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(components: &[(&str, &str)], waiting: u64) -> Option<StateDigest> {
        let components: BTreeMap<&str, &str> = components.iter().copied().collect();
        let text = serde_json::json!({ "components": components, "waiting": waiting });
        Some(serde_json::from_value(text).expect("a digest"))
    }

    #[test]
    fn of_two_copies_the_better_informed_is_right() {
        let both = vec![
            ("feed".to_owned(), digest(&[("feed", "aa")], 7)),
            ("feed".to_owned(), digest(&[("feed", "aa")], 0)),
            ("photo".to_owned(), digest(&[("photo", "bb")], 2)),
            ("photo".to_owned(), None),
        ];
        assert_eq!(combine(both), Some(("feed=aa photo=bb".to_owned(), 2)));
        let unknown = vec![("feed".to_owned(), None), ("photo".to_owned(), digest(&[], 0))];
        assert_eq!(combine(unknown), None, "no copy of feed has answered");
    }

    #[test]
    fn arms_are_compared_with_the_first_of_their_configuration() {
        let states = StateComparison::default();
        assert_eq!(states.initial("A", 1, "x"), None);
        assert!(states.initial("B", 2, "y").expect("another").contains("B began round 2 with y"));
        assert_eq!(states.last("A", 1, "short".into(), "x"), None);
        assert_eq!(
            states.last("B", 1, "long".into(), "y"),
            None,
            "another configuration may keep other data"
        );
        assert!(states.last("B", 1, "short".into(), "y").expect("another").contains("y in B"));
        assert_eq!(states.last("B", 2, "short".into(), "y"), None, "another round has another load");
        assert!(states.last("A", 2, "short".into(), "x").expect("another").contains("x in A"));
        assert_eq!([(1, 2), (2, 0), (1, 1)].map(|(round, n)| states.add_unsuccessful(round, n)), [2, 0, 3]);
    }

    #[test]
    fn no_arm_and_one_arm_agree() {
        assert!(all_equal(&BTreeMap::new()));
        assert!(all_equal(&BTreeMap::from([('A', "x".to_owned())])));
        assert!(!all_equal(&BTreeMap::from([('A', "x".to_owned()), ('B', "y".to_owned())])));
    }
}
