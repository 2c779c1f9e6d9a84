//! Arms that were not given the same, though nothing in the scenario says so.

use record::{Arm, Resources};

/// A resource that arms are compared in.
struct Resource {
    /// As the lint calls it.
    name: &'static str,
    /// As [`Resources::declared`] has it; empty where no scenario can declare it.
    declared_as: &'static str,
    /// How much an arm was to have of it, in words: without what it has more by nature, with what it has no cores for.
    given: fn(&Resources) -> String,
}

const RESOURCES: [Resource; 6] = [
    Resource {
        name: "database connections that read",
        declared_as: "readers",
        given: |given| given.readers.saturating_sub(given.extra_readers).to_string(),
    },
    Resource {
        name: "threads that serve requests",
        declared_as: "workers",
        given: |given| (given.workers.saturating_sub(given.extra_workers) + given.cut_workers).to_string(),
    },
    Resource {
        name: "weight when cores are short",
        declared_as: "",
        given: |given| given.cpu_weight.map_or("none".into(), |weight| weight.to_string()),
    },
    Resource { name: "telemetry", declared_as: "telemetry", given: |given| given.telemetry.clone() },
    Resource { name: "durability", declared_as: "durability", given: |given| given.durability.clone() },
    Resource { name: "allocator", declared_as: "allocator", given: |given| given.allocator.clone() },
];

impl Resource {
    /// What two arms were given of it, where that differs and neither declares it.
    fn difference(&self, one: &Arm, other: &Arm) -> Option<String> {
        let (a, b) = (one.resources.as_ref()?, other.resources.as_ref()?);
        let is_declared = [a, b].iter().any(|given| given.declared.contains(self.declared_as));
        let (first, second) = ((self.given)(a), (self.given)(b));
        (first != second && !is_declared)
            .then(|| format!("{}: {first} in {}, {second} in {}", self.name, one.name, other.name))
    }
}

/// What arms were not given the same of, though none of them declares it; empty where they were.
pub(super) fn differences(arms: &[&Arm]) -> Vec<String> {
    let Some((first, others)) = arms.split_first() else { return Vec::new() };
    let difference = |resource: &Resource| others.iter().find_map(|other| resource.difference(first, other));
    RESOURCES.iter().filter_map(difference).collect()
}
