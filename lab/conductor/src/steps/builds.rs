//! Registered builds: what deploying one changes in a node's configuration.

use contract::ComponentName;
use fault::{Fault, Lease, Match, Pattern, Target};
use node::NodeConfig;
use scenario::action::Build;

/// The prefix of the leases that a build has from its start.
pub(super) const BUILD_LEASE_PREFIX: &str = "build:";

/// The leases and the schema of a build. Only the component named is affected, also where the whole program is
/// replaced.
fn build_leases(build: Build, component: Option<ComponentName>, seed: u64) -> (Vec<Lease>, u32) {
    let lease = |fault: Fault, matching: Match| Lease {
        id: format!("{BUILD_LEASE_PREFIX}{}", build.name()),
        order: 0,
        fault,
        target: Target::Node(component.map_or(Pattern::Any, Pattern::Component)),
        matching,
        copies: Vec::new(),
        detours: Vec::new(),
        ramp_ms: 0,
        seed,
    };
    let leases = build.defect().map(|(fault, matching)| lease(fault, matching));
    (leases.into_iter().collect(), if build == Build::IncompatibleSchema { 2 } else { 1 })
}

/// The change of a configuration that makes a node run a build.
pub(super) fn to_build(
    build: Build,
    component: Option<ComponentName>,
    seed: u64,
) -> impl Fn(&mut NodeConfig) + Sync {
    let (defects, schema) = build_leases(build, component, seed);
    move |config: &mut NodeConfig| {
        config.build = build.name().to_owned();
        config.defects.clone_from(&defects);
        config.schema = schema;
    }
}

/// What a copy runs, as its configuration has it: to go back to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeployedBuild {
    name: String,
    defects: Vec<Lease>,
    schema: u32,
}

impl DeployedBuild {
    pub fn of(config: &NodeConfig) -> Self {
        Self { name: config.build.clone(), defects: config.defects.clone(), schema: config.schema }
    }

    /// Makes a node run it.
    pub fn apply(&self, config: &mut NodeConfig) {
        config.build.clone_from(&self.name);
        config.defects.clone_from(&self.defects);
        config.schema = self.schema;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_brings_its_defect_and_a_good_one_takes_it_away() {
        let photo = Some(ComponentName::of("photo"));
        let mut config = NodeConfig::default();
        for (build, defects, schema) in [
            (Build::BadErrors, 1, 1),
            (Build::BadSlow, 1, 1),
            (Build::BadLeak, 1, 1),
            (Build::IncompatibleSchema, 0, 2),
            (Build::Good, 0, 1),
            (Build::Changed, 0, 1),
        ] {
            to_build(build, photo, 42)(&mut config);
            assert_eq!(
                (config.defects.len(), config.schema, config.build.as_str()),
                (defects, schema, build.name())
            );
        }
    }

    #[test]
    fn what_ran_before_a_deploy_can_run_again() {
        let (mut config, photo) = (NodeConfig::default(), Some(ComponentName::of("photo")));
        to_build(Build::Changed, photo, 42)(&mut config);
        let before = DeployedBuild::of(&config);
        to_build(Build::BadSlow, photo, 42)(&mut config);
        assert_ne!(DeployedBuild::of(&config), before);
        before.apply(&mut config);
        assert_eq!((config.build.as_str(), config.defects.len()), ("changed", 0));
    }
}
