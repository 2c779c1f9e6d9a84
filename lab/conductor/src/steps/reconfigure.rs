//! `reconfigure`: processes take over changed policies, one after another.

use std::collections::BTreeMap;

use node::NodeConfig;
use scenario::action::Reconfigure;

use crate::steps::context::ActiveStep;
use crate::steps::copies::replace_copy;

/// Replaces the copies reached, but the registry, by ones with the changed policies.
pub(super) async fn reconfigure(active: &ActiveStep<'_>, change: &Reconfigure, names: &[String]) {
    let letter = active.letter();
    active.mark("began", format!("{letter} {}", active.step.action));
    let changed = |config: &mut NodeConfig| merge_policies(&mut config.policies, &change.policy);
    let mut have_all_changed = true;
    for instance in active.instances(names).iter().filter(|instance| !instance.process.registry) {
        have_all_changed &= replace_copy(active, instance, &changed).await;
    }
    if have_all_changed {
        active.mark("done", format!("{letter} policies have changed"));
    }
}

fn merge_policies(
    policies: &mut BTreeMap<String, policy::Policy>,
    changes: &BTreeMap<String, policy::Policy>,
) {
    for (edge, change) in changes {
        let merged = policies.get(edge).map_or_else(|| change.clone(), |before| change.over(before));
        policies.insert(edge.clone(), merged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_policies_are_laid_over_those_in_force() {
        let policy = |toml: &str| toml::from_str::<policy::Policy>(toml).expect(toml);
        let mut policies =
            BTreeMap::from([("feed->photo".to_owned(), policy("timeout = \"1s\"\nattempts = 2"))]);
        let changes = BTreeMap::from([("feed->photo".to_owned(), policy("timeout = \"100ms\""))]);
        merge_policies(&mut policies, &changes);
        assert_eq!(policies["feed->photo"], policy("timeout = \"100ms\"\nattempts = 2"));
    }

    #[test]
    fn an_edge_without_a_policy_gets_the_changed_one() {
        let policy = toml::from_str::<policy::Policy>("attempts = 3").expect("a policy");
        let mut policies = BTreeMap::new();
        merge_policies(&mut policies, &BTreeMap::from([("feed->photo".to_owned(), policy.clone())]));
        assert_eq!(policies["feed->photo"], policy);
    }
}
