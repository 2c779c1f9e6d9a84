//! The catalogue of faults. A new kind is a file here that implements [`FaultKind`], and its line below.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::matching::Dice;
use crate::target::TargetKind;
use crate::{ActiveFaults, CallFault, ConnectionFault, ProcessFault, Target};

/// Who carries a kind out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actuator {
    /// The process that is hit, call by call.
    CallPath,
    /// The process that is hit, for as long as the lease holds.
    Process,
    /// A proxy between caller and callee.
    Proxy,
    /// The conductor, from outside: with signals and limits.
    Conductor,
}

/// A call that is hit, as a kind sees it.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// The call's own dice.
    pub dice: Dice,
    /// How far a ramp has come, 0 to 1. Kinds without a size are hit by this share
    /// of calls instead, and see 1.
    pub strength: f64,
    /// What the last call under the same lease suffered of this kind, -1 to 1: for
    /// ills that come in waves. The kind leaves its own.
    pub previous_draw: f64,
}

/// What every kind knows about itself. It describes; others carry out.
pub trait FaultKind: fmt::Debug + fmt::Display {
    /// Who carries it out.
    const ACTUATOR: Actuator;
    /// Whether it lasts, and so needs `for` in a scenario.
    const LASTS: bool;
    /// Its fields in a scenario, for "did you mean".
    const FIELDS: &'static [&'static str];
    /// What it can act on.
    const TARGETS: &'static [TargetKind];
    /// Whether it has a size that a ramp can grow.
    const HAS_SIZE: bool = false;
    /// Whether whoever asks carries it out rather than whoever answers: then every process hears of it.
    const CALLER_SIDE: bool = false;
    /// Whether it is counted each time it strikes, by whoever carries it out, rather than once when it begins.
    const COUNTS_HITS: bool = false;
    /// Adds its part to what a call must suffer, and returns the wave it leaves.
    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        let _untouched = fault;
        hit.previous_draw
    }
    /// Whether a hit takes along the process that counts it: then its death is what is counted.
    fn kills_process(&self) -> bool {
        false
    }
    /// Adds its part to what a process must suffer.
    fn activate(&self, target: Target, strength: f64, active: &mut ActiveFaults) {
        let _untouched = (target, strength, active);
    }
    /// Whether it acts on the events a component hears of from other processes: where all share one
    /// transaction there are none.
    const ACTS_ON_EVENTS: bool = false;
    /// Who carries it out there, where that depends on what it acts on.
    fn actuator_on(_: TargetKind) -> Actuator {
        Self::ACTUATOR
    }
    /// What a proxy does to the connections of an edge.
    fn connection_fault(&self) -> Option<ConnectionFault> {
        None
    }
    /// What the conductor does.
    fn process_fault(&self) -> Option<ProcessFault> {
        None
    }
}

macro_rules! kinds {
    ($($variant:ident in $file:ident as $name:literal),+ $(,)?) => {
        $(mod $file; pub use $file::$variant;)+

        /// A fault and its size, as a scenario's `do = ".."` says it.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "do")]
        #[expect(missing_docs, reason = "the structs of the same names carry the sentences")]
        pub enum Fault {
            $(#[serde(rename = $name)] $variant($variant),)+
        }

        impl Fault {
            /// What `do = ".."` may say, in the order of the catalogue.
            pub const fn names() -> &'static [&'static str] {
                &[$($name),+]
            }

            /// The kind's name.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            /// Who carries it out.
            pub const fn actuator(&self) -> Actuator {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::ACTUATOR,)+ }
            }

            /// Who carries it out on what it acts on.
            pub fn actuator_on(&self, target: TargetKind) -> Actuator {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::actuator_on(target),)+ }
            }

            /// Whether it lasts, and so needs `for` in a scenario.
            pub const fn lasts(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::LASTS,)+ }
            }

            /// Whether the kind called `name` lasts; `None` when there is no such kind.
            pub fn lasts_by_name(name: &str) -> Option<bool> {
                match name { $($name => Some(<$variant as FaultKind>::LASTS),)+ _ => None }
            }

            /// Fields of the kind called `name`; `None` when there is no such kind.
            pub fn fields(name: &str) -> Option<&'static [&'static str]> {
                match name { $($name => Some(<$variant as FaultKind>::FIELDS),)+ _ => None }
            }

            /// Whether every process hears of it, because whoever asks carries it out.
            pub const fn is_caller_side(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::CALLER_SIDE,)+ }
            }

            /// Whether a hit takes along the process that counts it.
            pub fn kills_process(&self) -> bool {
                match self { $(Self::$variant(kind) => kind.kills_process(),)+ }
            }

            /// Whether it acts on the events a component hears of from other processes.
            pub const fn acts_on_events(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::ACTS_ON_EVENTS,)+ }
            }

            /// Whether it is counted each time it strikes rather than once when it begins.
            pub(crate) const fn counts_hits(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::COUNTS_HITS,)+ }
            }

            /// Whether it has a size that a ramp can grow.
            pub(crate) const fn has_size(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::HAS_SIZE,)+ }
            }

            /// What it can act on.
            pub const fn target_kinds(&self) -> &'static [TargetKind] {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::TARGETS,)+ }
            }

            /// Whether it can act on `target`.
            ///
            /// # Errors
            /// When it cannot, as a sentence: signals are sent to processes, not to edges.
            pub fn accepts(&self, target: &Target) -> Result<(), String> {
                if self.target_kinds().contains(&target.kind()) {
                    return Ok(());
                }
                let choices: Vec<String> = self.target_kinds().iter().map(ToString::to_string).collect();
                Err(format!("`{}` does not act on `{target}`; name {}", self.name(), choices.join(" or ")))
            }

            /// What a proxy does to connections, where one carries it out.
            pub fn connection_fault(&self) -> Option<ConnectionFault> {
                match self { $(Self::$variant(kind) => kind.connection_fault(),)+ }
            }

            /// What the conductor does, where it is the one who does it.
            pub fn process_fault(&self) -> Option<ProcessFault> {
                match self { $(Self::$variant(kind) => kind.process_fault(),)+ }
            }

            pub(crate) fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
                match self { $(Self::$variant(kind) => kind.apply(hit, fault),)+ }
            }

            /// What it alone makes a process suffer.
            pub fn effect_on(&self, target: Target) -> ActiveFaults {
                let mut active = ActiveFaults::default();
                self.activate(target, 1.0, &mut active);
                active
            }

            pub(crate) fn activate(&self, target: Target, strength: f64, active: &mut ActiveFaults) {
                match self { $(Self::$variant(kind) => kind.activate(target, strength, active),)+ }
            }
        }

        impl fmt::Display for Fault {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$variant(kind) => fmt::Display::fmt(kind, f),)+ }
            }
        }
    };
}

kinds! {
    Delay in delay as "delay",
    Slow in slow as "slow",
    Loss in loss as "drop",
    Duplicate in duplicate as "duplicate",
    Reorder in reorder as "reorder",
    Corrupt in corrupt as "corrupt",
    Abort in abort as "abort",
    Reset in reset as "reset",
    Hang in hang as "hang",
    PacketLoss in packet_loss as "packet-loss",
    Bandwidth in bandwidth as "bandwidth",
    Trickle in trickle as "trickle",
    Blackhole in blackhole as "blackhole",
    Cut in cut as "cut",
    Partition in partition as "partition",
    Kill in kill as "kill",
    Stop in stop as "stop",
    Pause in pause as "pause",
    Restart in restart as "restart",
    Crashloop in crashloop as "crashloop",
    Cpu in cpu as "cpu",
    CpuQuota in cpu_quota as "cpu-quota",
    Memory in memory as "memory",
    Fds in fds as "fds",
    Leak in leak as "leak",
    Panic in panic as "panic",
    Clock in clock as "clock",
    DiskFull in disk_full as "disk-full",
    DiskSlow in disk_slow as "disk-slow",
    DiskError in disk_error as "disk-error",
    DbLock in db_lock as "db-lock",
    PoolShrink in pool_shrink as "pool-shrink",
    CacheFlush in cache_flush as "cache-flush",
    Poison in poison as "poison",
    Chatty in chatty as "chatty",
    NotReady in not_ready as "not-ready",
    Registry in registry as "registry",
    Outage in outage as "outage",
}

pub use kill::Restore;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Fault, String> {
        toml::from_str(toml).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn every_kind_reads_as_a_scenario_writes_it() {
        for (text, shown) in [
            ("do = \"delay\"\nby = \"150ms\"", "delay by 150ms"),
            ("do = \"delay\"\nby = \"80ms\"\njitter = \"20ms\"", "delay by 80ms ± 20ms"),
            ("do = \"abort\"\nstatus = 503", "abort with 503"),
            ("do = \"hang\"", "hang"),
            ("do = \"kill\"", "kill"),
            ("do = \"kill\"\nrestart = { after = \"500ms\" }", "kill, back after 500ms"),
            ("do = \"pause\"", "pause"),
            ("do = \"slow\"\nby = \"10x\"", "slow by 10x"),
            ("do = \"reorder\"\nwindow = 8", "events reordered in windows of 8"),
            ("do = \"registry\"\nanswers = \"slow\"\nby = \"2s\"", "answers 2s late"),
        ] {
            let fault = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(fault.to_string(), shown);
            let json = serde_json::to_string(&fault).expect("plain data");
            assert_eq!(serde_json::from_str::<Fault>(&json).expect("reads back"), fault, "{json}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_right_choices() {
        for (text, says) in [
            ("do = \"dleay\"\nby = \"150ms\"", "delay"),
            ("do = \"delay\"\nby = \"150ms\"\nbye = 1", "unknown field `bye`"),
            ("do = \"delay\"\nby = \"10ms\"\njitter = \"20ms\"", "longer than the delay"),
            ("do = \"abort\"\nstatus = 200", "400 to 599"),
            ("do = \"hang\"\nby = \"1s\"", "unknown field `by`"),
            ("do = \"registry\"\nanswers = \"slow\"", "by = \"2s\""),
            ("do = \"reorder\"\nwindow = 0", "nonzero"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(says), "{text}: {why}");
        }
    }

    #[test]
    fn no_kind_has_a_field_that_chooses_calls() {
        for verb in Fault::names() {
            let fields = Fault::fields(verb).expect("a kind");
            let taken = fields.iter().find(|field| crate::Match::FIELDS.contains(field));
            assert_eq!(taken, None, "`{verb}`: a scenario reads it as the choice of calls");
        }
    }

    #[test]
    fn a_signal_has_no_edge_to_act_on() {
        let kill = read("do = \"kill\"").expect("valid");
        let on = |text: &str| text.parse::<Target>().expect("a target");
        assert_eq!(kill.accepts(&on("photo#0")), Ok(()));
        assert!(kill.accepts(&on("feed->photo")).expect_err("an edge").contains("photo#0"));
        assert_eq!(read("do = \"hang\"").expect("valid").accepts(&on("feed->photo")), Ok(()));
    }

    #[test]
    fn fields_are_known_by_kind() {
        for name in Fault::names() {
            assert!(Fault::fields(name).is_some(), "{name}");
        }
        assert_eq!(Fault::fields("delay"), Some(&["by", "jitter"][..]));
        assert_eq!(Fault::fields("dleay"), None);
    }
}
