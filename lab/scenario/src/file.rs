//! The shape of a scenario file, for its JSON Schema.
//!
//! The reader takes these tables apart key by key, to place every diagnostic; what stands in them is
//! the type that carries it out, and so is its schema. A test compares the keys with the reader's.

#![expect(dead_code, reason = "only the schemas of these types are used")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use contract::placement::MAX_REPLICAS;
use contract::{Carrier, Placement};
use fault::{Fault, Match, Target};
use policy::units::HumanDuration;
use policy::units::schema::{patterns, text};
use policy::{AutoscaleOptions, NetworkOptions, ServiceOptions};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use scorecard::measures::CATALOGUE;
use serde_json::Value;
use traffic::load::Load;

use crate::action::{Build, Deploy, Drain, Policies, Reconfigure, Rollback, Scale, Surge, lasts_by_name};
use crate::change::Change;
use crate::prices::Prices;
use crate::scale::SystemScale;
use crate::scenario::{Budget, DataRetention, Phase, RunMode, TelemetryLevel};
use crate::sweep::{MAX_AXES, MAX_REPLICATIONS, SweepAxis};

/// A scenario of Cleave.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct ScenarioFile {
    /// Version of the format.
    #[schemars(schema_with = "version")]
    schema: i64,
    /// The scenario's name, and its file's.
    name: String,
    /// What happens, in a line.
    title: String,
    /// The claim, with its source.
    why: String,
    /// One seed for everything.
    seed: Option<u64>,
    /// Words to find it by.
    tags: Option<Vec<String>>,
    /// How much is measured.
    telemetry: Option<TelemetryLevel>,
    /// How arms are run.
    way: Option<RunMode>,
    /// Rounds of arms that take turns.
    #[schemars(range(min = 1, max = 50))]
    repeats: Option<u32>,
    /// Whether every round begins with the snapshot.
    data: Option<DataRetention>,
    /// What every arm may use.
    budget: Option<Budget>,
    /// The run's phases.
    #[schemars(length(min = 1))]
    phases: Vec<Phase>,
    /// An edit of the application's source, built before the load and deployed by steps with the build `changed`.
    change: Option<Change>,
    /// What the users do.
    load: Load,
    /// One arm each, or one for every variant.
    topology: Topologies,
    /// What lies between the processes of an arm; loopback alone where it is left out.
    network: Option<NetworkOptions>,
    /// Capacity and work of components.
    service: Option<Services>,
    /// Policies by edge: `feed->photo`, `*->photo`, `*->*`.
    policy: Option<Policies>,
    /// Laid over service, policy, topology and network.
    variant: Option<BTreeMap<String, VariantFile>>,
    /// Which arms are run unless others are asked for.
    arms: Option<Vec<String>>,
    /// The size at which the scenario is simulated; one that has it is not run live.
    scale: Option<SystemScale>,
    /// What a month of each arm is priced with, assumed; needs `scale` or `sweep`.
    prices: Option<Prices>,
    /// Keys that vary from one simulation to the next; a scenario that has it is not run live.
    sweep: Option<SweepFile>,
    /// Timed actions.
    step: Option<Vec<StepFile>>,
    /// What must hold.
    expect: Option<ExpectFile>,
    /// What ends the run early.
    stop: Option<StopFile>,
}

fn version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": crate::read::SCHEMA_VERSION })
}

/// Topologies by name; `every-grouping` stands for all groupings of the components.
#[derive(JsonSchema)]
struct Topologies {
    #[schemars(rename = "every-grouping")]
    every_grouping: Option<GroupingOptions>,
    #[schemars(flatten)]
    named: BTreeMap<String, Placement>,
}

/// What all groupings have in common.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupingOptions {
    /// How calls between processes travel.
    #[serde(default)]
    pub(crate) carrier: Carrier,
}

/// `[service.NAME]`; the names are those of the catalogue.
struct Services;

impl JsonSchema for Services {
    fn schema_name() -> Cow<'static, str> {
        "Services".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, ServiceOptions>::json_schema(generator)
    }
}

/// `[variant.NAME]`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct VariantFile {
    /// Keys laid over those of the topologies.
    topology: Option<BTreeMap<String, TopologyOverlay>>,
    /// Keys laid over those of the services.
    service: Option<Services>,
    /// Keys laid over those of the policies.
    policy: Option<Policies>,
    /// Keys laid over those of the network.
    network: Option<NetworkOptions>,
    /// How much is measured here.
    telemetry: Option<TelemetryLevel>,
    /// What deploys deploy here.
    build: Option<Build>,
}

/// A topology of which a variant replaces some keys.
struct TopologyOverlay;

impl JsonSchema for TopologyOverlay {
    fn schema_name() -> Cow<'static, str> {
        "TopologyOverlay".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Placement::json_schema(generator);
        schema.remove("required");
        schema
    }
}

/// `[[step]]`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct StepFile {
    /// Its name.
    id: Option<String>,
    /// Its phase.
    #[schemars(rename = "in")]
    phase: String,
    /// Offset in the phase.
    #[schemars(schema_with = "offset", default)]
    at: Option<String>,
    /// What it acts on.
    on: Option<Target>,
    /// How long it lasts.
    #[schemars(rename = "for")]
    length: Option<HumanDuration>,
    /// How many of the copies meant are hit.
    #[schemars(schema_with = "pick", default)]
    pick: Option<String>,
    /// How long it takes to grow to its full size.
    ramp: Option<HumanDuration>,
    /// Ends it early: an expectation.
    until: Option<ExpectationText>,
    /// What must be seen of it: an expectation.
    symptom: Option<ExpectationText>,
    #[schemars(flatten)]
    action: ActionFile,
    #[schemars(flatten)]
    matching: Match,
}

fn offset(_: &mut SchemaGenerator) -> Schema {
    let pattern = format!("^\\+? *{} *$", patterns::duration());
    json_schema!({ "type": "string", "pattern": pattern, "examples": ["+2s"] })
}

fn pick(_: &mut SchemaGenerator) -> Schema {
    let share = text(&format!("(?![0.]+ *%? *$){}", patterns::ratio()), "a share of the copies", &["50%"]);
    json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": MAX_REPLICAS }, share] })
}

/// `do = ".."` with the fields of the verb: those of faults, and those of other actions.
struct ActionFile;

/// Actions that are no faults.
#[derive(JsonSchema)]
#[serde(tag = "do", rename_all = "lowercase")]
enum OtherAction {
    Scale(Scale),
    Autoscale(AutoscaleOptions),
    Deploy(Box<Deploy>),
    Drain(Drain),
    Reconfigure(Reconfigure),
    Load(Surge),
    Rollback(Rollback),
}

/// `from` and `to` of a partition, in the place of `on`.
#[derive(JsonSchema)]
struct PartitionSides {
    /// One side of a partition.
    from: Option<String>,
    /// The other side.
    to: Option<String>,
}

impl JsonSchema for ActionFile {
    fn schema_name() -> Cow<'static, str> {
        "Action".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let sides = PartitionSides::json_schema(generator);
        let branches = |schema: Schema| match schema.get("oneOf") {
            Some(Value::Array(branches)) => branches.clone(),
            _ => Vec::new(),
        };
        let mut all = branches(Fault::json_schema(generator));
        all.extend(branches(OtherAction::json_schema(generator)));
        for branch in &mut all {
            bound_length(branch);
            if branch.pointer("/properties/do/const") == Some(&"partition".into())
                && let (Some(Value::Object(known)), Some(Value::Object(sides))) =
                    (branch.pointer_mut("/properties"), sides.get("properties"))
            {
                known.extend(sides.clone());
            }
        }
        json_schema!({ "oneOf": all })
    }
}

/// What lasts needs `for`, and what happens once has none.
fn bound_length(branch: &mut Value) {
    let verb = branch.pointer("/properties/do/const").and_then(Value::as_str).unwrap_or_default();
    let lasts = lasts_by_name(verb) == Some(true);
    if lasts && let Some(Value::Array(required)) = branch.get_mut("required") {
        required.push("for".into());
    } else if let Some(Value::Object(known)) = branch.get_mut("properties") {
        known.insert("for".into(), false.into());
    }
}

/// `[expect]`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ExpectFile {
    /// Must hold for the run to be believed.
    valid: Option<Vec<AssertionFile>>,
    /// What the scenario claims.
    check: Option<Vec<AssertionFile>>,
}

/// An expectation, which begins with a measure of the catalogue.
struct ExpectationText;

impl JsonSchema for ExpectationText {
    fn schema_name() -> Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let forms: Vec<String> = CATALOGUE.iter().map(|measure| measure.form()).collect();
        let names: Vec<String> = CATALOGUE.iter().map(|measure| measure.name.replace('.', "\\.")).collect();
        json_schema!({
            "type": "string",
            "description": format!("An expectation, such as errors(all) < 1%. Measures: {}.", forms.join(", ")),
            "pattern": format!("^\\s*(?:[0-9.]+\\s*\\*\\s*)?(?:{})(?:[^A-Za-z0-9_.#-]|$)", names.join("|")),
        })
    }
}

/// An expectation, perhaps with its reason.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum AssertionFile {
    Text(ExpectationText),
    Explained(ExplainedAssertion),
}

/// An expectation with its reason.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ExplainedAssertion {
    /// What must hold.
    that: ExpectationText,
    /// Why it should.
    why: Option<String>,
}

/// `[sweep]`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SweepFile {
    /// Counted are the simulations in which it holds.
    holds: ExpectationText,
    /// Simulations of each combination of values, with other seeds; 10 unless set.
    #[schemars(range(min = 1, max = MAX_REPLICATIONS))]
    replications: Option<u32>,
    /// The keys that vary.
    #[schemars(length(min = 1, max = MAX_AXES))]
    axes: Vec<SweepAxis>,
}

/// `[stop]`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct StopFile {
    /// Expectations, any of which ends the run.
    when: Option<Vec<ExpectationText>>,
    /// Longest load; where arms take turns, of each turn.
    max: Option<HumanDuration>,
}
