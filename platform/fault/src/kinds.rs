//! The catalogue of faults. A new kind is a file here that implements [`FaultKind`], and its line below.

use std::fmt;
use std::ops::RangeInclusive;

use policy::units::{ByteSize, MAX_LENGTH, MAX_WAIT};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::matching::Dice;
use crate::target::TargetKind;
use crate::{ActiveFaults, CallFault, ConnectionFault, ProcessFault, Target};

/// What carries a kind out.
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
    /// The conductor, in sessions of its own on a database server.
    Session,
}

/// A call that is hit, as a kind sees it.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// The call's own dice.
    pub dice: Dice,
    /// How far a ramp has come, 0 to 1. Kinds without a size are hit by this share
    /// of calls instead, and see 1.
    pub strength: f64,
    /// The draw of the last call under the same lease, 0 for the first: for kinds whose
    /// calls are correlated. The kind returns its own.
    pub previous_draw: f64,
}

/// What a kind declares of itself. It describes an effect; actuators apply it.
pub trait FaultKind: fmt::Debug + fmt::Display {
    /// What carries it out.
    const ACTUATOR: Actuator;
    /// Whether it lasts, and so needs `for` in a scenario.
    const LASTS: bool;
    /// Its fields in a scenario, for "did you mean".
    const FIELDS: &'static [&'static str];
    /// What it can act on.
    const TARGETS: &'static [TargetKind];
    /// Whether it has a size that a ramp can grow.
    const HAS_SIZE: bool = false;
    /// Whether callers carry it out rather than the callee: then every process gets the lease.
    const CALLER_SIDE: bool = false;
    /// Whether its actuator counts every hit, rather than one hit when it begins.
    const COUNTS_HITS: bool = false;
    /// Adds its effect to the faults of a call, and returns its draw.
    fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
        let _untouched = fault;
        hit.previous_draw
    }
    /// What is wrong with its size, each sentence with the key first: what hits nothing, or more than a machine has.
    fn diagnostics(&self) -> Vec<String> {
        Vec::new()
    }
    /// Whether a hit ends the process that counts it: then the end of the process is counted.
    fn kills_process(&self) -> bool {
        false
    }
    /// Adds its effect to the active faults of a process.
    fn activate(&self, target: Target, strength: f64, active: &mut ActiveFaults) {
        let _untouched = (target, strength, active);
    }
    /// Whether it acts on events that a component consumes from other processes: where all share one
    /// transaction there are none.
    const ACTS_ON_EVENTS: bool = false;
    /// What carries it out on a target, where that depends on the target.
    fn actuator_on(_: TargetKind) -> Actuator {
        Self::ACTUATOR
    }
    /// Its effect on the connections of an edge, which a proxy applies.
    fn connection_fault(&self) -> Option<ConnectionFault> {
        None
    }
    /// What the conductor does.
    fn process_fault(&self) -> Option<ProcessFault> {
        None
    }
}

/// ``threads: 0 is out of range; write 1 to 256`` for what is outside of `range`.
fn out_of_range<T: PartialOrd + fmt::Display>(key: &str, size: T, range: RangeInclusive<T>) -> Vec<String> {
    if range.contains(&size) {
        return Vec::new();
    }
    vec![format!("{key}: {size} is out of range; write {} to {}", range.start(), range.end())]
}

/// More than a connection on loopback carries in a second, so that it limits nothing.
const MAX_RATE: ByteSize = ByteSize::new(16 << 30);

/// ``by: 10m is out of range; write at most 60s`` for what is above `most`, with what to write instead of it.
fn above<T: PartialOrd + fmt::Display>(key: &str, size: T, most: T, instead: &str) -> Vec<String> {
    if size <= most {
        return Vec::new();
    }
    vec![format!("{key}: {size} is out of range; write at most {most}{instead}")]
}

/// What is wrong with the bytes a second that connections are to carry, with a rate to write in place of none.
fn rate_diagnostics(rate: ByteSize, example: &str) -> Vec<String> {
    if rate.get() == 0 {
        return vec![format!(
            "rate: 0 bytes a second carry nothing; write more, e.g. \"{example}\", or do = \"blackhole\""
        )];
    }
    above("rate", rate, MAX_RATE, "")
}

macro_rules! kinds {
    ($($variant:ident in $file:ident as $name:literal),+ $(,)?) => {
        $(mod $file; pub use $file::$variant;)+

        /// A fault and its size: `do = ".."` of a scenario with its fields.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "do")]
        #[expect(missing_docs, reason = "the structs of the same names carry the sentences")]
        pub enum Fault {
            $(#[serde(rename = $name)] $variant($variant),)+
        }

        impl Fault {
            /// The names of all kinds, the values of `do`, in the order of the catalogue.
            pub const fn names() -> &'static [&'static str] {
                &[$($name),+]
            }

            /// The kind's name.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            /// What carries it out.
            pub const fn actuator(&self) -> Actuator {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::ACTUATOR,)+ }
            }

            /// What carries it out on a target.
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

            /// Whether every process gets the lease, because callers carry it out.
            pub const fn is_caller_side(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::CALLER_SIDE,)+ }
            }

            /// What is wrong with its size, each sentence with the key first.
            pub fn diagnostics(&self) -> Vec<String> {
                match self { $(Self::$variant(kind) => kind.diagnostics(),)+ }
            }

            /// Whether a hit takes along the process that counts it.
            pub fn kills_process(&self) -> bool {
                match self { $(Self::$variant(kind) => kind.kills_process(),)+ }
            }

            /// Whether it acts on events that a component consumes from other processes.
            pub const fn acts_on_events(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::ACTS_ON_EVENTS,)+ }
            }

            /// Whether every hit is counted, rather than one when it begins.
            pub(crate) const fn counts_hits(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::COUNTS_HITS,)+ }
            }

            /// Whether it has a size that a ramp can grow.
            pub const fn has_size(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::HAS_SIZE,)+ }
            }

            /// What it can act on.
            pub const fn target_kinds(&self) -> &'static [TargetKind] {
                match self { $(Self::$variant(_) => <$variant as FaultKind>::TARGETS,)+ }
            }

            /// The names of the kinds that can act on targets of a kind.
            pub fn names_on(target: TargetKind) -> impl Iterator<Item = &'static str> {
                const KINDS: &[(&str, &[TargetKind])] = &[$(($name, <$variant as FaultKind>::TARGETS)),+];
                KINDS.iter().filter(move |(_, targets)| targets.contains(&target)).map(|(name, _)| *name)
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

            /// What it acts on where a scenario names `target`: of a database the server that keeps it, where it acts in
            /// sessions of that server.
            pub fn acted_on(&self, target: Target) -> Target {
                match target {
                    Target::Store(name) if self.actuator() == Actuator::Session => Target::Server(name),
                    other => other,
                }
            }

            /// What a proxy does to connections, where one carries it out.
            pub fn connection_fault(&self) -> Option<ConnectionFault> {
                match self { $(Self::$variant(kind) => kind.connection_fault(),)+ }
            }

            /// What the conductor does to the process, where it is the actuator.
            pub fn process_fault(&self) -> Option<ProcessFault> {
                match self { $(Self::$variant(kind) => kind.process_fault(),)+ }
            }

            pub(crate) fn apply(&self, hit: Hit, fault: &mut CallFault) -> f64 {
                match self { $(Self::$variant(kind) => kind.apply(hit, fault),)+ }
            }

            /// What it does to a call, alone and at full strength; where that differs from call to call, what it does to the
            /// call of this number. For models of a run: a process asks [`crate::LeaseTable`].
            pub fn effect_on_call(&self, number: u64) -> CallFault {
                let mut fault = CallFault::default();
                let dice = Dice::new(0, self.name(), number);
                self.apply(Hit { dice, strength: 1.0, previous_draw: 0.0 }, &mut fault);
                fault
            }

            /// The active faults of a process that it alone causes.
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
    LockTable in lock_table as "lock-table",
    ChangeSchema in change_schema as "change-schema",
    KillBackend in kill_backend as "kill-backend",
    ExhaustConnections in exhaust_connections as "exhaust-connections",
}

pub use change_schema::SchemaChange;
pub use kill::Restore;
pub use kill_backend::BackendSignal;

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
            ("do = \"lock-table\"\ntable = \"feed_posts\"", "locks table feed_posts"),
            (
                "do = \"change-schema\"\ntable = \"feed_posts\"\nchange = \"add-column\"",
                "adds a column to feed_posts",
            ),
            (
                "do = \"change-schema\"\ntable = \"feed_posts\"\nchange = \"drop-column\"",
                "drops the column of feed_posts",
            ),
            ("do = \"kill-backend\"", "1 backend ended by SIGTERM"),
            ("do = \"kill-backend\"\nbackends = 3\nsignal = \"kill\"", "3 backends ended by SIGKILL"),
            ("do = \"exhaust-connections\"", "takes every connection"),
        ] {
            let fault = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(fault.to_string(), shown);
            let json = serde_json::to_string(&fault).expect("plain data");
            assert_eq!(serde_json::from_str::<Fault>(&json).expect("reads back"), fault, "{json}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_right_choices() {
        for (text, part) in [
            ("do = \"dleay\"\nby = \"150ms\"", "delay"),
            ("do = \"delay\"\nby = \"150ms\"\nbye = 1", "unknown field `bye`"),
            ("do = \"delay\"\nby = \"10ms\"\njitter = \"20ms\"", "longer than the delay"),
            ("do = \"abort\"\nstatus = 200", "400 to 599"),
            ("do = \"hang\"\nby = \"1s\"", "unknown field `by`"),
            ("do = \"registry\"\nanswers = \"slow\"", "by = \"2s\""),
            ("do = \"reorder\"\nwindow = 0", "nonzero"),
            ("do = \"lock-table\"", "missing field `table`"),
            ("do = \"change-schema\"\ntable = \"feed_posts\"", "missing field `change`"),
            ("do = \"kill-backend\"\nsignal = \"hup\"", "`term` or `kill`"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn a_size_that_hits_nothing_or_everything_is_reported_with_its_key() {
        for (text, part) in [
            ("do = \"slow\"\nby = \"1x\"", "by: 1x slows nothing"),
            ("do = \"delay\"\nby = \"0s\"", "by: 0s delays nothing"),
            (
                "do = \"delay\"\nby = \"0s\"\njitter = { dist = \"empirical\", values = [\"0s\", \"0s\"] }",
                "by: 0s delays nothing",
            ),
            ("do = \"drop\"\nloss = \"0%\"", "loss: no call would wait"),
            ("do = \"packet-loss\"\nloss = \"0%\"", "loss: 0% loses nothing"),
            ("do = \"bandwidth\"\nrate = \"0B\"", "rate: 0 bytes a second"),
            ("do = \"trickle\"\nrate = \"0B\"", "rate: 0 bytes a second"),
            ("do = \"disk-slow\"\nby = \"0s\"", "by: 0s slows nothing"),
            ("do = \"cpu\"\nthreads = 0", "threads: 0 is out of range; write 1 to 256"),
            ("do = \"cpu\"\nthreads = 100000", "threads: 100000 is out of range"),
            ("do = \"leak\"\nsize = \"100GiB\"", "size: 100GiB is out of range; write 1B to 64MiB"),
            ("do = \"leak\"\nsize = \"0B\"", "size: 0B is out of range"),
            ("do = \"memory\"\nlimit = \"0B\"", "write at least 1MiB"),
            ("do = \"memory\"\nlimit = \"1024GiB\"", "limit: 1024GiB is out of range; write at most 64GiB"),
            ("do = \"fds\"\nlimit = 2000000", "limit: 2000000 is out of range"),
            ("do = \"crashloop\"\nperiod = \"0s\"", "write at least 100ms"),
            ("do = \"cpu-quota\"\nquota = \"0%\"", "quota: 0% of a core"),
            ("do = \"pool-shrink\"\nto = 65", "to: 65 is out of range; write 0 to 64"),
            ("do = \"reorder\"\nwindow = 1", "window: 1 is out of range; write 2 to 1000"),
            ("do = \"stop\"\nwithin = \"1h\"", "within: 60m is out of range; write at most 10m"),
            ("do = \"delay\"\nby = \"2m\"", "by: 2m is out of range; write at most 1m"),
            (
                "do = \"delay\"\nby = \"1s\"\njitter = { dist = \"pareto\", spread = \"2m\" }",
                "jitter: 2m is out of range",
            ),
            ("do = \"slow\"\nby = \"100000x\"", "by: 100000x is out of range; write at most 1000x"),
            ("do = \"drop\"\nloss = \"1%\"\nrto = \"10m\"", "rto: 10m is out of range; write at most 2m"),
            ("do = \"disk-slow\"\nby = \"1h\"", "by: 60m is out of range; write at most 1m"),
            (
                "do = \"registry\"\nanswers = \"slow\"\nby = \"1h\"",
                "by: 60m is out of range; write at most 1m",
            ),
            (
                "do = \"kill\"\nrestart = { after = \"1h\" }",
                "restart: 60m is out of range; write at most 10m",
            ),
            ("do = \"crashloop\"\nperiod = \"1h\"", "period: 60m is out of range; write at most 10m"),
            ("do = \"bandwidth\"\nrate = \"1024GiB\"", "rate: 1024GiB is out of range; write at most 16GiB"),
            ("do = \"trickle\"\nrate = \"1024GiB\"", "rate: 1024GiB is out of range; write at most 16GiB"),
            ("do = \"cut\"\nafter = \"1024GiB\"", "after: 1024GiB is out of range; write at most 16GiB"),
            ("do = \"kill-backend\"\nbackends = 0", "backends: 0 is out of range; write 1 to 1000"),
            ("do = \"clock\"", "ahead: a clock goes wrong one way"),
            ("do = \"clock\"\nahead = \"1s\"\nbehind = \"1s\"", "ahead: a clock goes wrong one way"),
            ("do = \"clock\"\nahead = \"0s\"", "ahead: a clock goes wrong one way"),
        ] {
            let found = read(text).unwrap_or_else(|why| panic!("{text}: {why}")).diagnostics();
            assert!(matches!(found.as_slice(), [one] if one.contains(part)), "{text}: {found:?}");
        }
        for text in
            ["do = \"cpu\"", "do = \"fds\"\nlimit = 0", "do = \"stop\"", "do = \"clock\"\nbehind = \"2m\""]
        {
            let found = read(text).unwrap_or_else(|why| panic!("{text}: {why}")).diagnostics();
            assert!(found.is_empty(), "{text}: {found:?}");
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
