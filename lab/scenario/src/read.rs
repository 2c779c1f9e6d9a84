//! From text to a scenario: every section on its own, so that one pass finds the faults of all.

use std::ops::Range;
use std::path::Path;

use contract::{ComponentName, Placement};
use policy::units::Span;
use policy::{EdgePattern, Policy};
use scorecard::Expectation;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, ValueDeserializer};
use traffic::load::Load;

use crate::check;
use crate::model::{Assertion, Phase, Scenario, Step, Stop, Watching, ns};
use crate::source::{Fault, Faults, Source, unknown};

/// Version of the schema this program reads.
pub const SCHEMA: i64 = 1;

/// Keys of a file, at its top.
const TOP: [&str; 13] = [
    "schema",
    "name",
    "title",
    "why",
    "seed",
    "tags",
    "telemetry",
    "phases",
    "load",
    "topology",
    "policy",
    "step",
    "expect",
];
/// `stop` is apart, because the array above is also the order of a well-written file.
const STOP: &str = "stop";
/// Keys of a step that choose which calls are hit.
const MATCH: [&str; 5] = ["share", "share_of", "every", "first", "route"];

type Value<'i> = Spanned<DeValue<'i>>;

/// Reads a scenario file.
///
/// # Errors
/// All faults of the text, each with its place and the right choices; or the
/// file cannot be read.
pub fn read(path: &Path, text: String, components: &[ComponentName]) -> Result<Scenario, Faults> {
    let source = Source { path: path.to_owned(), text };
    let mut reader = Reader { components, faults: Vec::new() };
    let scenario = reader.scenario(&source);
    match scenario {
        Some(scenario) if reader.faults.is_empty() => Ok(scenario),
        _ => Err(Faults::new(&source, reader.faults)),
    }
}

pub(crate) struct Reader<'a> {
    pub(crate) components: &'a [ComponentName],
    pub(crate) faults: Vec<Fault>,
}

impl Reader<'_> {
    pub(crate) fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.faults.push(Fault { span, message: message.into() });
    }

    /// A value as the type that carries it out; a fault where it is none. Serde
    /// stops at the first fault of a table: the key at fault is taken out and the
    /// rest is read again, so that all are told.
    fn value<T: DeserializeOwned>(&mut self, mut value: Value<'_>) -> Option<T> {
        let mut taken_out = false;
        loop {
            let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(read) => return (!taken_out).then_some(read),
                Err(error) => error,
            };
            let span = error.span().unwrap_or(value.span());
            // What is missing now may be what was misspelt.
            if !(taken_out && error.message().starts_with("missing field")) {
                self.fault(span.clone(), explain(error.message()));
            }
            if !take_out(&mut value, &span) {
                return None;
            }
            taken_out = true;
        }
    }

    fn take<T: DeserializeOwned>(&mut self, table: &mut DeTable<'_>, key: &str) -> Option<T> {
        let value = remove(table, key)?;
        self.value(value)
    }

    fn required<T: DeserializeOwned>(
        &mut self,
        table: &mut DeTable<'_>,
        key: &str,
        example: &str,
    ) -> Option<T> {
        if !table.contains_key(key) {
            self.fault(0..0, format!("`{key}` is missing; write for example {example}"));
            return None;
        }
        self.take(table, key)
    }

    fn scenario(&mut self, source: &Source) -> Option<Scenario> {
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        for error in errors {
            self.fault(error.span().unwrap_or(0..0), format!("this is not TOML: {}", error.message()));
        }
        if !self.faults.is_empty() {
            return None;
        }
        let mut top = table.into_inner();
        self.unknown_keys(&top);
        if let Some(schema) = self.required::<i64>(&mut top, "schema", "schema = 1")
            && schema != SCHEMA
        {
            self.fault(0..0, format!("schema {schema} is not known; this program reads schema {SCHEMA}"));
        }
        let name = self.required(&mut top, "name", "name = \"hop-tax\"");
        let title = self.required(&mut top, "title", "title = \"what happens, in a line\"");
        let why = self.required(&mut top, "why", "why = \"the claim, with its source\"");
        let seed: Option<u64> = self.take(&mut top, "seed");
        let tags: Option<Vec<String>> = self.take(&mut top, "tags");
        let telemetry: Option<Watching> = self.take(&mut top, "telemetry");
        let phases = self.phases(&mut top);
        let load: Option<Load> = self.load(&mut top, &phases);
        let topologies = self.topologies(&mut top);
        let policies = self.policies(&mut top);
        let steps = self.steps(&mut top, &phases);
        let (valid, check) = self.expectations(&mut top, source);
        let stop = self.stop(&mut top);
        let scenario = Scenario {
            source: source.clone(),
            name: name?,
            title: title?,
            why: why?,
            seed: seed.unwrap_or(42),
            tags: tags.unwrap_or_default(),
            telemetry: telemetry.unwrap_or_default(),
            phases,
            load: load?,
            topologies,
            policies,
            steps,
            valid,
            check,
            stop,
        };
        check::whole(self, &scenario);
        Some(scenario)
    }

    fn unknown_keys(&mut self, top: &DeTable<'_>) {
        for key in top.keys() {
            let name: &str = key.get_ref();
            if !TOP.contains(&name) && name != STOP {
                let choices: Vec<&str> = TOP.iter().copied().chain([STOP]).collect();
                self.fault(key.span(), unknown("key", name, choices));
            }
        }
    }

    fn phases(&mut self, top: &mut DeTable<'_>) -> Vec<Phase> {
        let Some(value) = remove(top, "phases") else {
            self.fault(
                0..0,
                "`phases` is missing; write for example phases = [{ name = \"steady\", for = \"10s\" }]",
            );
            return Vec::new();
        };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.fault(span, "`phases` is a list: [{ name = \"steady\", for = \"10s\" }]");
            return Vec::new();
        };
        let mut phases: Vec<Phase> = Vec::new();
        for item in items {
            let span = item.span();
            let Some(phase) = self.value::<Phase>(item) else { continue };
            if phases.iter().any(|other| other.name == phase.name) {
                self.fault(span.clone(), format!("phase `{}` is there already", phase.name));
            }
            let length = ns(phase.length);
            if length == 0 || !length.is_multiple_of(1_000_000_000) {
                self.fault(span, format!("phase `{}` must last whole seconds, at least one", phase.name));
            }
            phases.push(phase);
        }
        if !phases.is_empty() && !phases.iter().any(|phase| phase.measure) {
            self.fault(0..0, "no phase is measured; leave out `measure = false` in at least one");
        }
        phases
    }

    fn load(&mut self, top: &mut DeTable<'_>, phases: &[Phase]) -> Option<Load> {
        let Some(value) = remove(top, "load") else {
            self.fault(0..0, "`[load]` is missing; write for example [load] rate = \"100/s\"");
            return None;
        };
        let span = value.span();
        let places: Vec<(String, Range<usize>)> = match value.get_ref() {
            DeValue::Table(table) => table.iter().map(|(k, v)| (k.get_ref().to_string(), v.span())).collect(),
            _ => Vec::new(),
        };
        let load: Load = self.value(value)?;
        let names: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
        for message in load.faults(&names) {
            // A sentence begins with its key, which may be a default the file does not have.
            let key = message.split(':').next().unwrap_or_default();
            let place = places.iter().find(|(name, _)| name == key).map(|(_, place)| place.clone());
            self.fault(place.unwrap_or(span.clone()), message);
        }
        Some(load)
    }

    fn topologies(&mut self, top: &mut DeTable<'_>) -> Vec<(String, Placement)> {
        let mut topologies = Vec::new();
        for (name, span, value) in self.tables(top, "topology") {
            let Some(placement) = self.value::<Placement>(value) else { continue };
            if let Err(errors) = placement.resolve(self.components) {
                for error in errors {
                    self.fault(span.clone(), format!("topology `{name}`: {error}"));
                }
            }
            topologies.push((span.start, name, placement));
        }
        if topologies.is_empty() && self.faults.is_empty() {
            self.fault(
                0..0,
                "no topology; write for example [topology.mono] processes = { app = [\"gateway\", \"*\"] }",
            );
        }
        // Tables come sorted by name; arms go by the order of the file.
        topologies.sort_by_key(|(at, ..)| *at);
        topologies.into_iter().map(|(_, name, placement)| (name, placement)).collect()
    }

    fn policies(&mut self, top: &mut DeTable<'_>) -> Vec<(String, Policy)> {
        let mut policies = Vec::new();
        for (name, span, value) in self.tables(top, "policy") {
            if let Err(error) = name.parse::<EdgePattern>() {
                self.fault(span.clone(), format!("policy `{name}`: {error}"));
            }
            if let Some(policy) = self.value::<Policy>(value) {
                policies.push((span.start, name, policy));
            }
        }
        policies.sort_by_key(|(at, ..)| *at);
        policies.into_iter().map(|(_, name, policy)| (name, policy)).collect()
    }

    /// The tables `[key.NAME]`, each with its name and the name's place.
    fn tables<'i>(&mut self, top: &mut DeTable<'i>, key: &str) -> Vec<(String, Range<usize>, Value<'i>)> {
        let Some(value) = remove(top, key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(tables) => tables
                .into_iter()
                .map(|(name, value)| (name.get_ref().to_string(), name.span(), value))
                .collect(),
            _ => {
                self.fault(span, format!("`{key}` is a table of tables: [{key}.NAME]"));
                Vec::new()
            }
        }
    }

    fn steps(&mut self, top: &mut DeTable<'_>, phases: &[Phase]) -> Vec<Step> {
        let Some(value) = remove(top, "step") else { return Vec::new() };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.fault(span, "steps are written [[step]], each a table");
            return Vec::new();
        };
        let mut steps: Vec<Step> = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let span = item.span();
            let DeValue::Table(table) = item.into_inner() else {
                self.fault(span, "a step is a table");
                continue;
            };
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let Some(step) = self.step(table, span.clone(), number, phases) else { continue };
            if steps.iter().any(|other| other.id == step.id) {
                self.fault(span, format!("step `{}` is there already; give it another id", step.id));
            }
            steps.push(step);
        }
        steps
    }

    fn step(
        &mut self,
        mut table: DeTable<'_>,
        span: Range<usize>,
        number: u32,
        phases: &[Phase],
    ) -> Option<Step> {
        let at_span = |table: &DeTable<'_>, key: &str| table.get(key).map(Spanned::span);
        let in_span = at_span(&table, "in");
        let on_span = at_span(&table, "on").unwrap_or(span.clone());
        let id: Option<String> = self.take(&mut table, "id");
        let phase: Option<String> = self.take(&mut table, "in");
        let at: Option<String> = self.take(&mut table, "at");
        let on: Option<String> = self.take(&mut table, "on");
        let length: Option<Span> = self.take(&mut table, "for");
        let verb = table.get("do").and_then(|value| value.get_ref().as_str()).unwrap_or("step").to_owned();
        let mut chosen = DeTable::new();
        for key in MATCH {
            if let Some((name, value)) = table.remove_entry(key) {
                chosen.insert(name, value);
            }
        }
        let matching: fault::Match = self.value(Spanned::new(span.clone(), DeValue::Table(chosen)))?;
        let fault = self.fault_kind(table, span.clone())?;

        let Some(phase) = phase else {
            self.fault(span, "a step needs its phase: in = \"steady\"");
            return None;
        };
        let Some(index) = phases.iter().position(|p| p.name == phase) else {
            let names: Vec<&str> = phases.iter().map(|p| p.name.as_str()).collect();
            self.fault(in_span.unwrap_or(span), unknown("phase", &phase, names));
            return None;
        };
        let before: u64 = phases[..index].iter().map(|p| ns(p.length)).sum();
        let offset = match at.as_deref().map(|text| text.strip_prefix('+').unwrap_or(text).parse::<Span>()) {
            None => 0,
            Some(Ok(offset)) => ns(offset),
            Some(Err(error)) => {
                self.fault(
                    span,
                    format!("`at`: {error}; write at = \"+2s\", counted from the phase's start"),
                );
                return None;
            }
        };
        if offset >= ns(phases[index].length) {
            self.fault(span, format!("the step begins after phase `{phase}` has ended"));
            return None;
        }
        let Some(on) = on else {
            self.fault(span, "a step needs its target: on = \"photo\" or on = \"feed->follower\"");
            return None;
        };
        let target = self.target(&on, on_span)?;
        let length_ns = match (length, fault.lasts()) {
            (Some(length), true) => ns(length),
            (None, false) => 0,
            (Some(_), false) => {
                self.fault(span, format!("`{verb}` happens once; leave `for` out"));
                return None;
            }
            (None, true) => {
                self.fault(
                    span,
                    format!("`{verb}` lasts: every lasting fault ends by itself, write for = \"5s\""),
                );
                return None;
            }
        };
        if let Err(message) = fault.accepts(&target) {
            self.fault(span, message);
        }
        let id = id.unwrap_or_else(|| format!("{verb}-{number}"));
        Some(Step {
            number,
            id,
            phase: index,
            start_ns: before + offset,
            length_ns,
            fault,
            matching,
            target,
            on,
        })
    }

    fn fault_kind(&mut self, table: DeTable<'_>, span: Range<usize>) -> Option<fault::Fault> {
        let verbs = fault::Fault::verbs();
        let known = |verb: &str| verbs.contains(&verb);
        match table.get("do") {
            None => {
                self.fault(
                    span,
                    format!("a step needs its verb: do = \"kill\"; verbs: {}", verbs.join(", ")),
                );
                None
            }
            Some(value) => match value.get_ref().as_str() {
                Some(verb) if known(verb) => self.value(Spanned::new(span, DeValue::Table(table))),
                Some(verb) => {
                    let message = unknown("verb", verb, verbs.iter().copied());
                    self.fault(value.span(), message);
                    None
                }
                None => {
                    self.fault(value.span(), format!("`do` is a verb: {}", verbs.join(", ")));
                    None
                }
            },
        }
    }

    fn target(&mut self, on: &str, span: Range<usize>) -> Option<fault::Target> {
        let target: fault::Target = match on.parse() {
            Ok(target) => target,
            Err(error) => {
                self.fault(span, format!("`{on}`: {error}"));
                return None;
            }
        };
        let names: Vec<&str> =
            self.components.iter().map(|c| c.as_str()).chain(["gateway", "registry"]).collect();
        let mut known = true;
        for component in target.components() {
            if component != "*" && !names.contains(&component) {
                let message = unknown("component", component, names.iter().copied());
                self.fault(span.clone(), message);
                known = false;
            }
        }
        known.then_some(target)
    }

    fn expectations(&mut self, top: &mut DeTable<'_>, source: &Source) -> (Vec<Assertion>, Vec<Assertion>) {
        let Some(value) = remove(top, "expect") else { return (Vec::new(), Vec::new()) };
        let span = value.span();
        let DeValue::Table(mut table) = value.into_inner() else {
            self.fault(span, "`expect` is a table: [expect] check = [\"errors(all) < 1%\"]");
            return (Vec::new(), Vec::new());
        };
        let valid = self.assertions(&mut table, "valid", source);
        let check = self.assertions(&mut table, "check", source);
        for key in table.keys() {
            self.fault(key.span(), unknown("list", key.get_ref(), ["valid", "check"]));
        }
        (valid, check)
    }

    fn assertions(&mut self, table: &mut DeTable<'_>, key: &str, source: &Source) -> Vec<Assertion> {
        let Some(value) = remove(table, key) else { return Vec::new() };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.fault(span, format!("`{key}` is a list of expectations"));
            return Vec::new();
        };
        items.into_iter().filter_map(|item| self.assertion(item, source)).collect()
    }

    fn assertion(&mut self, item: Value<'_>, source: &Source) -> Option<Assertion> {
        let span = item.span();
        let (text, why) = match item.into_inner() {
            DeValue::String(text) => (Spanned::new(span, text), String::new()),
            DeValue::Table(mut table) => {
                let that = remove(&mut table, "that");
                let why = self.take(&mut table, "why").unwrap_or_default();
                for key in table.keys() {
                    self.fault(key.span(), unknown("key", key.get_ref(), ["that", "why"]));
                }
                match that.map(|value| (value.span(), value.into_inner())) {
                    Some((span, DeValue::String(text))) => (Spanned::new(span, text), why),
                    _ => {
                        self.fault(span, "an expectation is { that = \"errors(all) < 1%\", why = \"..\" }");
                        return None;
                    }
                }
            }
            _ => {
                self.fault(span, "an expectation is a string, or { that = \"..\", why = \"..\" }");
                return None;
            }
        };
        let that = self.expectation(&text)?;
        let line = u32::try_from(source.position(text.span().start).0).unwrap_or(0);
        Some(Assertion { that, why, line })
    }

    fn expectation(&mut self, text: &Spanned<DeString<'_>>) -> Option<Expectation> {
        match text.get_ref().parse::<Expectation>() {
            Ok(expectation) => Some(expectation),
            Err(error) => {
                // One for the opening quote; escapes in an expectation would only shift the caret.
                let start = text.span().start + 1 + error.at;
                self.fault(start..start + 1, error.message);
                None
            }
        }
    }

    fn stop(&mut self, top: &mut DeTable<'_>) -> Stop {
        let Some(value) = remove(top, STOP) else { return Stop::default() };
        let span = value.span();
        let DeValue::Table(mut table) = value.into_inner() else {
            self.fault(span, "`stop` is a table: [stop] max = \"90s\"");
            return Stop::default();
        };
        let max: Option<Span> = self.take(&mut table, "max");
        let mut when = Vec::new();
        if let Some(value) = remove(&mut table, "when")
            && let DeValue::Array(items) = value.into_inner()
        {
            for item in items {
                let span = item.span();
                match item.into_inner() {
                    DeValue::String(text) => when.extend(self.expectation(&Spanned::new(span, text))),
                    _ => self.fault(span, "a stop condition is a string"),
                }
            }
        }
        for key in table.keys() {
            self.fault(key.span(), unknown("key", key.get_ref(), ["when", "max"]));
        }
        Stop { when, max_ns: max.map_or(0, ns) }
    }
}

fn remove<'i>(table: &mut DeTable<'i>, key: &str) -> Option<Value<'i>> {
    table.remove_entry(key).map(|(_, value)| value)
}

/// Takes the entry that covers `span` out of a table; false where there is none.
fn take_out(value: &mut Value<'_>, span: &Range<usize>) -> bool {
    let DeValue::Table(table) = value.get_mut() else { return false };
    let covers = |place: Range<usize>| place.start <= span.start && span.end <= place.end;
    let guilty = table.iter().find(|(key, value)| covers(key.span()) || covers(value.span()));
    let Some(name) = guilty.map(|(key, _)| key.get_ref().to_string()) else { return false };
    table.remove(name.as_str()).is_some()
}

/// Serde's words for an unknown field, with a guess at what was meant.
fn explain(message: &str) -> String {
    let parts: Vec<&str> = message.split('`').collect();
    match parts.as_slice() {
        ["unknown field ", written, _, choices @ ..] | ["unknown variant ", written, _, choices @ ..] => {
            let choices: Vec<&str> = choices.iter().copied().step_by(2).collect();
            unknown("key", written, choices)
        }
        _ => message.trim_end().replace('\n', " "),
    }
}
