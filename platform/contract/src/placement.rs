//! Which component lives in which process, and what keeps its data: the type a scenario's `[topology.T]` is read into.

use std::collections::BTreeMap;
use std::fmt;

use policy::units::{ByteSize, MAX_LENGTH};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ComponentName;
use crate::broker::EventCarrier;
pub use crate::process_plan::{ProcessPlan, StorePlan, process_count};
pub use crate::restart::Restart;
use crate::store::{ServerCount, StoreChoice, StoreProduct};

/// How calls between components travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Carrier {
    /// A function call; only within a process.
    #[serde(rename = "local")]
    Local,
    /// Encoded and decoded, but never leaving the process: what encoding alone costs.
    #[serde(rename = "wire")]
    Wire,
    /// HTTP/1.1 with JSON.
    #[default]
    #[serde(rename = "http+json")]
    Json,
    /// HTTP/1.1 with postcard.
    #[serde(rename = "http+binary")]
    Binary,
    /// HTTP/2 with postcard: calls to one copy share a connection, each in a stream of its own.
    #[serde(rename = "http2+binary")]
    Http2Binary,
}

impl Carrier {
    /// As a scenario writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Wire => "wire",
            Self::Json => "http+json",
            Self::Binary => "http+binary",
            Self::Http2Binary => "http2+binary",
        }
    }
}

/// What every copy of a process may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Data it may have (RLIMIT_DATA): beyond it an allocation fails and the process aborts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Cores it may use, by a quota of the kernel where there is one to set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Open files and sockets it may have (RLIMIT_NOFILE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fds: Option<u64>,
    /// How far it stands back when cores are short, 0 to 19.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<u8>,
}

/// A topology: how components are grouped into processes, and how many copies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Process name to the components it holds. `each = ["*"]` gives every
    /// component its own process; `*` stands for those not named elsewhere.
    pub processes: BTreeMap<String, Vec<String>>,
    /// Copies of a process; one where unnamed.
    #[serde(default)]
    pub replicas: BTreeMap<String, u32>,
    /// Carrier between processes; `wire` also encodes calls within one.
    #[serde(default)]
    pub carrier: Carrier,
    /// Failure zones: name to the copies that stand there, `feed#0` or `feed` for all of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub zones: BTreeMap<String, Vec<String>>,
    /// What a process may use, by its name; `*` for those not named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Limits>,
    /// Threads that serve requests, in all processes together, more than cores where so many are asked for; where unset, as many
    /// as the other arms have, but in no process more than it has cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_WORKERS))]
    pub workers: Option<u32>,
    /// What brings a dead process back; unset, nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// Whether every component has a database of its own, in whatever process it lives. Without it the components of one
    /// process share a database, with one writer. Events between databases of a process go through an outbox
    /// that is read in place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub store_per_component: bool,
    /// What keeps the data: `sqlite` or `postgres`, for all components or for each by its name, `*` for those not named.
    #[serde(default, skip_serializing_if = "StoreChoice::is_default")]
    pub store: StoreChoice,
    /// Servers of PostgreSQL: `one` with a database for each store, or one for `each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub servers: Option<ServerCount>,
    /// Whether all components that PostgreSQL keeps share one database, with a schema each, often the first step of splitting
    /// a monolith.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared_database: bool,
    /// What carries events from one process to another: consumers `pull` them over HTTP, or publishers relay them to a server of
    /// `nats`.
    #[serde(default, skip_serializing_if = "EventCarrier::is_default")]
    pub events: EventCarrier,
}

/// What is wrong with a placement, with the right choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementError(pub String);

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlacementError {}

/// More copies than this of one process is a slip of the finger on one machine.
pub const MAX_REPLICAS: u32 = 64;
/// Twice as many in all: each has some thirty threads and MiB.
const MAX_COPIES: u32 = 2 * MAX_REPLICAS;
/// What Linux allows a process at most where nothing else is set (`fs.nr_open`).
const MAX_FILES: u64 = 1_048_576;
/// An empty process of the suite has several times this.
const MIN_MEMORY: ByteSize = ByteSize::new(1 << 20);
/// Several for each core of a large machine.
pub const MAX_WORKERS: u32 = 1_024;
/// One a second for more than a day of `cleave up`.
const MAX_RESTARTS: u32 = 100_000;

impl Placement {
    /// The processes to start, door and registry included: the gateway gets its
    /// own process, with a registry, as soon as there are two processes.
    ///
    /// # Errors
    /// Every fault of the placement at once: unknown or doubly placed
    /// components, components without a place, impossible replica counts.
    pub fn resolve(&self, catalogue: &[ComponentName]) -> Result<Vec<ProcessPlan>, Vec<PlacementError>> {
        let mut errors = Vec::new();
        let mut placed: BTreeMap<&str, &str> = BTreeMap::new();
        for (process, members) in &self.processes {
            for member in members.iter().filter(|m| *m != "*") {
                let known = member == "gateway" || catalogue.iter().any(|c| c.as_str() == member);
                if !known {
                    errors.push(PlacementError(format!(
                        "process `{process}`: unknown component `{member}`; components: {}, gateway, *",
                        list(catalogue)
                    )));
                } else if let Some(other) = placed.insert(member, process) {
                    errors.push(PlacementError(format!(
                        "component `{member}` is placed twice, in `{other}` and in `{process}`"
                    )));
                }
            }
        }
        let rest: Vec<ComponentName> =
            catalogue.iter().copied().filter(|c| !placed.contains_key(c.as_str())).collect();
        let stars = self.processes.values().filter(|m| m.iter().any(|c| c == "*")).count();
        if stars == 0 && !rest.is_empty() {
            errors.push(PlacementError(format!("no process holds {}; add them or `*`", list(&rest))));
        }
        if stars > 1 {
            errors.push(PlacementError("`*` may stand in one process only".into()));
        }

        let mut plans = Vec::new();
        for (process, members) in &self.processes {
            let mut hosts: Vec<ComponentName> =
                catalogue.iter().copied().filter(|c| members.iter().any(|m| m == c.as_str())).collect();
            if members.iter().any(|m| m == "*") {
                hosts = catalogue.iter().copied().filter(|c| hosts.contains(c) || rest.contains(c)).collect();
            }
            if process == "each" {
                plans.extend(hosts.into_iter().map(ProcessPlan::holding));
            } else {
                let gateway = members.iter().any(|member| member == "gateway");
                plans.push(ProcessPlan { hosts, gateway, ..ProcessPlan::empty(process) });
            }
        }
        for (process, &count) in &self.replicas {
            match plans.iter_mut().find(|p| p.name == *process) {
                Some(_) if !(1..=MAX_REPLICAS).contains(&count) => errors.push(PlacementError(format!(
                    "replicas of `{process}`: {count} is out of range; give 1 to {MAX_REPLICAS}"
                ))),
                Some(plan) if plan.gateway && count > 1 => errors.push(PlacementError(format!(
                    "process `{process}` holds the gateway and has one port; leave `gateway` out to run {count} copies"
                ))),
                Some(plan) => plan.replicas = count,
                None => errors.push(PlacementError(format!(
                    "replicas of unknown process `{process}`; processes: {}",
                    plans.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ")
                ))),
            }
        }
        let process_known = |name: &str| plans.iter().any(|plan| plan.name == name);
        let names = || plans.iter().map(|plan| plan.name.as_str()).collect::<Vec<_>>().join(", ");
        for (process, limits) in &self.limits {
            if process != "*" && !process_known(process) {
                errors.push(PlacementError(format!(
                    "limits of unknown process `{process}`; processes: {}, *",
                    names()
                )));
            }
            if limits.nice.is_some_and(|nice| nice > 19) {
                errors.push(PlacementError(format!("limits of `{process}`: invalid nice: expected 0 to 19")));
            }
            if limits.cpu.is_some_and(|cpu| !(0.01..=64.0).contains(&cpu)) {
                errors.push(PlacementError(format!(
                    "limits of `{process}`: invalid cpu: expected 0.01 to 64 cores"
                )));
            }
            if limits.fds.is_some_and(|fds| fds < 16) {
                errors.push(PlacementError(format!(
                    "limits of `{process}`: a process needs at least 16 open files to start"
                )));
            }
            if limits.fds.is_some_and(|fds| fds > MAX_FILES) {
                errors.push(PlacementError(format!(
                    "limits of `{process}`: the kernel allows at most {MAX_FILES} open files"
                )));
            }
            if limits.memory.is_some_and(|memory| memory < MIN_MEMORY) {
                errors.push(PlacementError(format!(
                    "limits of `{process}`: a process does not start with less than {MIN_MEMORY} of memory"
                )));
            }
        }
        if let Some(restart) = self.restart.filter(|restart| !(1..=MAX_RESTARTS).contains(&restart.max)) {
            errors.push(PlacementError(format!(
                "restart: max = {} is out of range; give 1 to {MAX_RESTARTS}, or leave `restart` out",
                restart.max
            )));
        }
        if self.restart.is_some_and(|restart| restart.after > MAX_LENGTH.nanos() / 1_000_000) {
            errors.push(PlacementError(format!("restart: after is out of range; give at most {MAX_LENGTH}")));
        }
        let delay = self.restart.and_then(|restart| Some((restart.after, restart.max_delay?)));
        if delay.is_some_and(|(after, longest)| {
            !(after.max(1)..=MAX_LENGTH.nanos() / 1_000_000).contains(&longest)
        }) {
            errors.push(PlacementError(format!(
                "restart: max_delay is out of range; give `after` to {MAX_LENGTH}, or leave it out"
            )));
        }
        let copies: u32 = plans.iter().map(|plan| plan.replicas).fold(0, u32::saturating_add);
        if copies > MAX_COPIES {
            errors.push(PlacementError(format!(
                "replicas: {copies} processes in all are out of range; give at most {MAX_COPIES}"
            )));
        }
        let callers = plans.iter().filter(|plan| !plan.hosts.is_empty()).count();
        if self.carrier == Carrier::Local && callers > 1 {
            errors.push(PlacementError(format!(
                "carrier `local` is a function call, which cannot go between {callers} processes; write \"http+json\", \
                 \"http+binary\" or \"http2+binary\""
            )));
        }
        errors.extend(self.store_errors(catalogue).into_iter().map(PlacementError));
        errors.extend(self.event_error(&plans).map(PlacementError));
        let mut placed_in: BTreeMap<&str, &str> = BTreeMap::new();
        for (zone, members) in &self.zones {
            if members.is_empty() {
                errors.push(PlacementError(format!("zone `{zone}` is empty; processes: {}", names())));
            }
            for member in members {
                let (process, copy) = member.split_once('#').unwrap_or((member, "0"));
                let shared = placed_in.iter().find(|(placed, other)| {
                    **other != zone.as_str() && (is_copy_of(placed, member) || is_copy_of(member, placed))
                });
                if !process_known(process) {
                    errors.push(PlacementError(format!(
                        "zone `{zone}`: unknown process `{member}`; processes: {}",
                        names()
                    )));
                } else if !copy.parse::<u32>().is_ok_and(|number| number.to_string() == copy) {
                    errors.push(PlacementError(format!(
                        "zone `{zone}`: no copy is called `{member}`; copies have numbers, the first is `{process}#0`"
                    )));
                } else if let Some((placed, other)) = shared {
                    errors.push(PlacementError(format!(
                        "`{member}` of zone `{zone}` and `{placed}` of zone `{other}` are one copy; write each in one zone"
                    )));
                }
                if let Some(other) = placed_in.insert(member, zone).filter(|other| *other != zone.as_str()) {
                    errors.push(PlacementError(format!(
                        "`{member}` stands in two zones, `{other}` and `{zone}`"
                    )));
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        for plan in &mut plans {
            // A process of one component has one database either way.
            plan.store_per_component = self.store_per_component && plan.hosts.len() > 1;
            plan.schema_per_component = self.shared_database && plan.hosts.len() > 1;
            let on_postgres = |host: &&ComponentName| self.store.of(host.as_str()) == StoreProduct::Postgres;
            plan.on_postgres = plan.hosts.iter().filter(on_postgres).copied().collect();
        }
        if !plans.iter().any(|p| p.gateway) {
            plans.insert(0, ProcessPlan { gateway: true, ..ProcessPlan::empty("gateway") });
        }
        if process_count(&plans) > 1 {
            let registry = ProcessPlan { registry: true, ..ProcessPlan::empty("registry") };
            plans.insert(0, registry);
        }
        if let Some(workers) = self.workers
            && !(process_count(&plans)..=MAX_WORKERS).contains(&workers)
        {
            return Err(vec![PlacementError(format!(
                "workers = {workers} is out of range: one for each of {} processes at least; give {} to {MAX_WORKERS}",
                process_count(&plans),
                process_count(&plans)
            ))]);
        }
        Ok(plans)
    }
}

impl Placement {
    /// What a copy of a process may use.
    pub fn limits_of(&self, process: &str) -> Limits {
        self.limits.get(process).or_else(|| self.limits.get("*")).copied().unwrap_or_default()
    }

    /// The zone of a copy; empty where none is declared.
    pub fn zone_of(&self, process: &str, copy: u32) -> &str {
        let here = |member: &String| *member == process || *member == format!("{process}#{copy}");
        self.zones.iter().find(|(_, members)| members.iter().any(here)).map_or("", |(zone, _)| zone.as_str())
    }
}

/// Whether a member of a zone is a copy of a process that stands in one as a whole: `feed#0` of `feed`.
fn is_copy_of(member: &str, process: &str) -> bool {
    member.split_once('#').is_some_and(|(name, _)| name == process)
}

pub(crate) fn list(names: &[ComponentName]) -> String {
    names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: [ComponentName; 5] = [
        ComponentName::of("profile"),
        ComponentName::of("follower"),
        ComponentName::of("feed"),
        ComponentName::of("search"),
        ComponentName::of("photo"),
    ];

    fn placement(processes: &[(&str, &[&str])], replicas: &[(&str, u32)]) -> Placement {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Placement {
            processes: processes.iter().map(|(p, m)| ((*p).to_owned(), owned(m))).collect(),
            replicas: replicas.iter().map(|(p, n)| ((*p).to_owned(), *n)).collect(),
            ..Placement::default()
        }
    }

    fn names(plans: &[ProcessPlan]) -> Vec<&str> {
        plans.iter().map(|p| p.name.as_str()).collect()
    }

    #[test]
    fn a_pure_monolith_is_one_process_with_the_door_inside() {
        let plans = placement(&[("app", &["gateway", "*"])], &[]).resolve(&FIVE).expect("valid");
        assert_eq!(names(&plans), ["app"]);
        assert!(plans[0].gateway && !plans[0].registry);
        assert_eq!(plans[0].hosts, FIVE);
    }

    #[test]
    fn two_processes_bring_a_door_and_a_registry() {
        let each = placement(&[("each", &["*"])], &[]).resolve(&FIVE).expect("valid");
        assert_eq!(names(&each), ["registry", "gateway", "profile", "follower", "feed", "search", "photo"]);
        let apart = placement(&[("app", &["*"])], &[]).resolve(&FIVE).expect("valid");
        assert_eq!(names(&apart), ["registry", "gateway", "app"], "the door has to find it");
        let copies = placement(&[("app", &["*"])], &[("app", 3)]).resolve(&FIVE).expect("valid");
        assert_eq!(names(&copies), ["registry", "gateway", "app"]);
        assert_eq!(copies[2].replicas, 3);
    }

    #[test]
    fn threads_are_one_a_process_at_least() {
        let with = |workers| Placement { workers: Some(workers), ..placement(&[("each", &["*"])], &[]) };
        assert!(with(7).resolve(&FIVE).is_ok() && with(MAX_WORKERS).resolve(&FIVE).is_ok());
        for workers in [0, 6, MAX_WORKERS + 1] {
            let errors = with(workers).resolve(&FIVE).expect_err("seven processes");
            let range = "one for each of 7 processes at least; give 7 to 1024";
            assert_eq!(errors[0].0, format!("workers = {workers} is out of range: {range}"));
        }
    }

    /// The placement of a topology, as a scenario has it.
    fn read(processes: &str, keys: &str) -> serde_json::Result<Placement> {
        serde_json::from_str(&format!("{{ \"processes\": {processes} {keys} }}"))
    }

    #[test]
    fn mistakes_of_stores_have_their_choices() {
        for (keys, parts) in [
            (r#""store": "mysql""#, &["unknown store `mysql`", "sqlite, postgres"] as &[&str]),
            (r#""store": { "fed": "postgres" }"#, &["unknown component `fed`", "feed"]),
            (r#""servers": "two""#, &["two", "one"]),
            (r#""servers": "each""#, &["servers", "store = \"postgres\""]),
            (r#""shared_database": true"#, &["shared_database", "store = \"postgres\""]),
            (
                r#""store": "postgres", "servers": "each", "shared_database": true"#,
                &["one database of one server"],
            ),
        ] {
            let text = match read(r#"{ "each": ["*"] }"#, &format!(", {keys}")) {
                Ok(placement) => {
                    let errors = placement.resolve(&FIVE).expect_err("a mistake");
                    errors.into_iter().map(|error| error.0).collect::<Vec<_>>().join("\n")
                }
                Err(error) => error.to_string(),
            };
            assert!(parts.iter().all(|part| text.contains(part)), "{keys}: {text}");
        }
    }

    #[test]
    fn a_copy_stands_in_one_zone_by_one_name() {
        let with = |zones: &str| {
            let keys = format!(r#", "replicas": {{ "feed": 2 }}, "zones": {zones}"#);
            read(r#"{ "each": ["*"] }"#, &keys).expect("a placement").resolve(&FIVE)
        };
        assert!(with(r#"{ "a": ["feed#0", "photo"], "b": ["feed#1"] }"#).is_ok());
        for (zones, part) in [
            (r#"{ "a": ["feed"], "b": ["feed#1"] }"#, "`feed#1` of zone `b` and `feed` of zone `a`"),
            (r#"{ "a": ["feed#1"], "b": ["feed"] }"#, "`feed` of zone `b` and `feed#1` of zone `a`"),
            (r#"{ "a": ["feed#01"] }"#, "no copy is called `feed#01`"),
            (r#"{ "a": ["feed#+1"] }"#, "no copy is called `feed#+1`"),
        ] {
            let errors = with(zones).expect_err("a mistake");
            assert!(errors[0].0.contains(part), "{zones}: {errors:?}");
        }
    }

    #[test]
    fn all_mistakes_of_a_placement_are_reported_at_once() {
        let broken = placement(&[("a", &["feed", "fed"]), ("b", &["feed"])], &[("c", 2), ("a", 0)]);
        let errors = broken.resolve(&FIVE).expect_err("four faults and missing components");
        let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for part in [
            "unknown component `fed`",
            "placed twice",
            "no process holds profile",
            "unknown process `c`",
            "0 is out of range",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }
}
