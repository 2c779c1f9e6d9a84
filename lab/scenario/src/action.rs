//! Actions of a step besides faults: scaling, deploys, draining, reconfiguration, load.
//!
//! In a monolith the step acts on the whole program: the process that hosts the named component.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use contract::placement::MAX_REPLICAS;
use fault::kinds::{Abort, Delay};
use fault::{Actuator, Match, ShareOf};
use policy::autoscale::Target;
use policy::units::{Factor, HumanDuration, Ratio};
use policy::{AutoscaleOptions, Policy};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use scorecard::Expectation;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The action of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Injects a fault.
    Fault(fault::Fault),
    /// Adds or removes instances.
    Scale(Scale),
    /// Adds and removes instances by what they do, as long as it lasts.
    Autoscale(AutoscaleOptions),
    /// Replaces the running build by another.
    Deploy(Box<Deploy>),
    /// Instances finish their requests and stop.
    Drain(Drain),
    /// Changes policies; processes adopt them one after another.
    Reconfigure(Reconfigure),
    /// Multiplies the load.
    Load(Surge),
    /// Rolls back a deploy in progress.
    Rollback(Rollback),
}

/// `do = "scale"`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Number of instances afterwards.
    #[schemars(range(min = 1, max = MAX_REPLICAS))]
    pub to: u32,
}

/// `do = "deploy"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// The build that is deployed.
    pub build: Build,
    /// How the build is rolled out.
    #[serde(default)]
    pub strategy: Strategy,
}

/// A build: the same program with a declared defect, or a program with an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Build {
    /// No defect.
    Good,
    /// Answers two of five requests with 500.
    BadErrors,
    /// Takes half a second longer per request.
    BadSlow,
    /// Leaks one mebibyte per request.
    BadLeak,
    /// Uses a message format that earlier builds do not understand.
    IncompatibleSchema,
    /// The program with the edit of `[change]` in it: a program of its own.
    Changed,
}

/// How a build is rolled out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Strategy {
    /// The kind of rollout.
    pub kind: RolloutKind,
    /// Share of requests that the canary gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Ratio>,
    /// How long the canary is observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HumanDuration>,
    /// Condition for promoting the canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promote_if: Option<Condition>,
    /// Whether a deploy that fails its condition is rolled back automatically.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackMode>,
}

/// Kinds of rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutKind {
    /// Instance by instance: a new one starts, then an old one drains.
    #[default]
    Rolling,
    /// One new instance gets a share of requests and is observed.
    Canary,
    /// A complete new set starts, then the old one drains.
    BlueGreen,
    /// All old instances stop, then new ones start: the only way for one process with one port.
    Recreate,
}

/// How a failed deploy is rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RollbackMode {
    /// Automatically.
    Auto,
    /// It stays until a `rollback` step.
    Manual,
}

/// An expectation as a value of a step.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
pub struct Condition(#[schemars(with = "String")] pub Expectation);

/// `do = "drain"`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {}

/// `do = "reconfigure"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconfigure {
    /// Policies by edge, which override those in force.
    #[schemars(with = "Policies")]
    pub policy: BTreeMap<String, Policy>,
}

/// `[policy."A->B"]`; the names are those of the catalogue.
pub(crate) struct Policies;

impl JsonSchema for Policies {
    fn schema_name() -> Cow<'static, str> {
        "Policies".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, Policy>::json_schema(generator)
    }
}

/// `do = "load"`: multiplies the rate while it lasts. The schedule is drawn before the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Surge {
    /// The factor.
    pub by: Factor,
}

/// `do = "rollback"`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// Id of the deploy.
    pub of: String,
}

/// Verbs of actions, with their fields.
pub(crate) const ACTIONS: [(&str, &[&str]); 7] = [
    ("scale", &["to"]),
    ("autoscale", &["requests", "cpu", "min", "max", "tolerance", "up_after", "down_after"]),
    ("deploy", &["build", "strategy"]),
    ("drain", &[]),
    ("reconfigure", &["policy"]),
    ("load", &["by"]),
    ("rollback", &["of"]),
];

/// All verbs of `do = ".."`.
pub fn verbs() -> impl Iterator<Item = &'static str> {
    fault::Fault::names().iter().copied().chain(ACTIONS.iter().map(|(verb, _)| *verb))
}

/// Fields of a verb; `None` when there is no such verb.
pub fn fields(verb: &str) -> Option<&'static [&'static str]> {
    let action = ACTIONS.iter().find(|(name, _)| *name == verb).map(|(_, fields)| *fields);
    action.or_else(|| fault::Fault::fields(verb))
}

/// Whether a verb needs a duration (`for`); `None` when there is no such verb.
pub fn lasts_by_name(verb: &str) -> Option<bool> {
    let is_action = ACTIONS.iter().any(|(name, _)| *name == verb);
    fault::Fault::lasts_by_name(verb).or(is_action.then_some(matches!(verb, "load" | "autoscale")))
}

impl Action {
    /// Whether it acts on a choice of calls, as `share`, `every`, `first` and `route` make it.
    pub fn chooses_calls(&self) -> bool {
        self.fault().is_some_and(|fault| fault.actuator() == Actuator::CallPath)
    }

    /// Whether it can grow to its full size.
    pub fn can_ramp(&self) -> bool {
        match self {
            Self::Fault(fault) => match fault.actuator() {
                Actuator::CallPath => true,
                Actuator::Process => fault.has_size(),
                Actuator::Proxy | Actuator::Conductor | Actuator::Session => false,
            },
            Self::Load(_) => true,
            _ => false,
        }
    }

    /// Whether it needs a target.
    pub const fn has_target(&self) -> bool {
        !matches!(self, Self::Load(_) | Self::Rollback(_))
    }

    /// Whether it acts on all copies of each process that it reaches.
    pub const fn acts_on_whole_processes(&self) -> bool {
        matches!(self, Self::Scale(_) | Self::Autoscale(_) | Self::Deploy(_))
    }

    /// The fault, if it is one.
    pub const fn fault(&self) -> Option<&fault::Fault> {
        if let Self::Fault(fault) = self { Some(fault) } else { None }
    }

    /// The deploy, if it is one.
    pub fn deploy(&self) -> Option<&Deploy> {
        if let Self::Deploy(deploy) = self { Some(deploy) } else { None }
    }

    /// Whether it is a change with an end of its own: all serve that should.
    pub const fn is_finished(&self) -> bool {
        matches!(self, Self::Scale(_) | Self::Deploy(_) | Self::Drain(_) | Self::Reconfigure(_))
    }

    /// Whether it starts or stops instances, so that a database may have several users.
    pub const fn changes_copies(&self) -> bool {
        matches!(
            self,
            Self::Scale(_) | Self::Autoscale(_) | Self::Deploy(_) | Self::Reconfigure(_) | Self::Rollback(_)
        )
    }
}

impl Action {
    /// What is wrong with its size, each sentence with the key first.
    pub fn diagnostics(&self) -> Vec<String> {
        match self {
            Self::Fault(fault) => fault.diagnostics(),
            Self::Scale(Scale { to }) if !(1..=MAX_REPLICAS).contains(to) => vec![format!(
                "to: {to} copies are out of range; write 1 to {MAX_REPLICAS}, or do = \"stop\" for a process without any"
            )],
            Self::Autoscale(options) => {
                let mut diagnostics = options.diagnostics();
                if options.max > MAX_REPLICAS {
                    let message =
                        format!("max: {} copies are out of range; write 1 to {MAX_REPLICAS}", options.max);
                    diagnostics.push(message);
                }
                diagnostics
            }
            Self::Deploy(deploy) => deploy.strategy.diagnostics(),
            Self::Load(surge) if surge.by.get() <= 1.0 => {
                vec![format!("by: {} changes nothing; write more, e.g. \"2x\"", surge.by)]
            }
            Self::Reconfigure(change)
                if change.policy.values().all(|policy| *policy == Policy::default()) =>
            {
                vec!["policy: nothing is changed; write policy = { \"feed->photo\" = { timeout = \"250ms\" } }".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

impl Build {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::BadErrors => "bad-errors",
            Self::BadSlow => "bad-slow",
            Self::BadLeak => "bad-leak",
            Self::IncompatibleSchema => "incompatible-schema",
            Self::Changed => "changed",
        }
    }

    /// What its program does wrong by itself, and to which of a component's calls. Messages that others do not understand are
    /// not among it, and what is new in the changed one is its program.
    pub fn defect(self) -> Option<(fault::Fault, Match)> {
        match self {
            Self::Good | Self::Changed | Self::IncompatibleSchema => None,
            Self::BadErrors => {
                let abort = Abort::with(500).expect("a failure");
                Some((fault::Fault::Abort(abort), Match::share(Ratio::new(0.4), ShareOf::Calls)))
            }
            Self::BadSlow => {
                let delay = Delay::by(Duration::from_millis(500));
                Some((fault::Fault::Delay(delay), Match::default()))
            }
            Self::BadLeak => {
                let leak = serde_json::json!({ "do": "leak", "size": "1MiB" });
                Some((serde_json::from_value(leak).expect("a leak"), Match::default()))
            }
        }
    }
}

impl Strategy {
    /// Share of requests that the canary gets.
    pub fn canary_share(&self) -> f64 {
        self.share.map_or(0.1, Ratio::get)
    }

    /// How long a canary is observed, ns.
    pub fn hold_ns(&self) -> u64 {
        self.hold.map_or(5_000_000_000, HumanDuration::nanos)
    }

    /// Whether the new build is observed for a time before it is everywhere.
    pub fn is_observed(&self) -> bool {
        self.kind == RolloutKind::Canary || self.promote_if.is_some()
    }

    /// What is wrong with it, each sentence with the key first: what this kind of rollout would not carry out.
    fn diagnostics(&self) -> Vec<String> {
        let mut diagnostics = Vec::new();
        let mut refuse = |wrong: bool, sentence: &str| {
            if wrong {
                diagnostics.push(sentence.to_owned());
            }
        };
        let is_canary = self.kind == RolloutKind::Canary;
        let share = self.canary_share();
        refuse(
            self.share.is_some() && !is_canary,
            "share: only a canary gets a share of requests; write kind = \"canary\", or leave `share` out",
        );
        refuse(
            is_canary && !(0.001..=0.999).contains(&share),
            "share: a canary gets 0.1% to 99.9% of the requests; write for example share = \"10%\"",
        );
        refuse(
            self.hold.is_some() && !is_canary && self.promote_if.is_none(),
            "hold: nothing is observed; write promote_if = \"errors(all) < 5%\", or leave `hold` out",
        );
        refuse(self.hold_ns() == 0, "hold: nothing is seen in 0s; write for example hold = \"5s\"");
        refuse(
            self.rollback.is_some() && self.promote_if.is_none(),
            "rollback: a deploy without a condition does not fail; write promote_if = \"errors(all) < 5%\"",
        );
        diagnostics
    }

    /// Whether a failed deploy is rolled back automatically.
    pub const fn rolls_back_automatically(&self) -> bool {
        !matches!(self.rollback, Some(RollbackMode::Manual))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fmt::Display::fmt(fault, f),
            Self::Scale(scale) => write!(f, "scale to {}", scale.to),
            Self::Autoscale(options) => {
                let AutoscaleOptions { min, max, .. } = options;
                match options.target() {
                    Some(Target::Requests(per_copy)) => {
                        write!(f, "autoscale {min} to {max} copies at {per_copy}/s each")
                    }
                    Some(Target::Cpu(cores)) => {
                        write!(f, "autoscale {min} to {max} copies at {} of a core each", Ratio::new(cores))
                    }
                    None => write!(f, "autoscale {min} to {max} copies"),
                }
            }
            Self::Deploy(deploy) => {
                let way = match deploy.strategy.kind {
                    RolloutKind::Rolling => "rolling",
                    RolloutKind::Canary => "canary",
                    RolloutKind::BlueGreen => "blue-green",
                    RolloutKind::Recreate => "all at once",
                };
                write!(f, "deploy {}, {way}", deploy.build.name())
            }
            Self::Drain(_) => f.write_str("drain"),
            Self::Reconfigure(change) => {
                let edges: Vec<&str> = change.policy.keys().map(String::as_str).collect();
                write!(f, "reconfigure {}", edges.join(", "))
            }
            Self::Load(surge) => write!(f, "load {}", surge.by),
            Self::Rollback(back) => write!(f, "roll back {}", back.of),
        }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}
