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
/// Keys of every step.
const STEP: [&str; 6] = ["id", "in", "at", "do", "on", "for"];
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
    let mut reader =
        Reader { components, faults: Vec::new(), written: Written::default(), claims: Vec::new() };
    let scenario = reader.scenario(&source);
    match scenario {
        Some(scenario) if reader.faults.is_empty() => Ok(scenario),
        _ => Err(Faults::new(&source, reader.faults)),
    }
}

pub(crate) struct Reader<'a> {
    pub(crate) components: &'a [ComponentName],
    pub(crate) faults: Vec<Fault>,
    pub(crate) written: Written,
    /// Every expectation of the file, with its place.
    pub(crate) claims: Vec<(Expectation, Range<usize>)>,
}

/// The names a file gives, those of faulty parts too: who refers to a phase whose
/// length is wrong has made no fault.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) phases: Vec<String>,
    pub(crate) arms: Vec<String>,
    pub(crate) steps: Vec<String>,
}

impl Reader<'_> {
    pub(crate) fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.faults.push(Fault { span, message: message.into() });
    }

    /// A value as the type that carries it out; a fault where it is none. Serde
    /// stops at the first fault of a table: the key at fault is taken out and the
    /// rest is read again, so that all are told.
    fn value<T: DeserializeOwned>(&mut self, value: Value<'_>) -> Option<T> {
        self.rest_of(value, false)
    }

    /// The same, of a table from which an unknown key may have been taken before.
    fn rest_of<T: DeserializeOwned>(&mut self, mut value: Value<'_>, misspelt: bool) -> Option<T> {
        let mut taken_out = false;
        loop {
            let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(read) => return (!taken_out).then_some(read),
                Err(error) => error,
            };
            let missing = error.message().starts_with("missing field");
            let mut span = error.span().unwrap_or(value.span());
            // What a type refuses after reading is placed at its whole table; the
            // message names what is wrong in it.
            if !missing && let Some(nearer) = nearest(&places(&value, &span), error.message()) {
                span = nearer;
            }
            // What is missing now may be what was misspelt.
            if !((taken_out || misspelt) && missing) {
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
        let place = top.get("schema").map_or(0..0, Spanned::span);
        if let Some(schema) = self.required::<i64>(&mut top, "schema", "schema = 1")
            && schema != SCHEMA
        {
            self.fault(place, format!("schema {schema} is not known; write schema = {SCHEMA}"));
        }
        let name = self.required(&mut top, "name", "name = \"hop-tax\"");
        let title = self.required(&mut top, "title", "title = \"what happens, in a line\"");
        let why = self.required(&mut top, "why", "why = \"the claim, with its source\"");
        let seed: Option<u64> = self.take(&mut top, "seed");
        let tags: Option<Vec<String>> = self.take(&mut top, "tags");
        let telemetry: Option<Watching> = self.take(&mut top, "telemetry");
        let phases = self.phases(&mut top);
        let load: Option<Load> = self.load(&mut top);
        let topologies = self.topologies(&mut top);
        let policies = self.policies(&mut top);
        let steps = self.steps(&mut top, &phases);
        let (valid, check) = self.expectations(&mut top, source);
        let stop = self.stop(&mut top, source);
        check::whole(self, source, load.as_ref());
        Some(Scenario {
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
        })
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
        let count = items.len();
        let mut phases: Vec<Phase> = Vec::new();
        for item in items {
            let (name, name_span) = text_of(&item, "name");
            let (_, length_span) = text_of(&item, "for");
            if let Some(name) = name {
                if self.written.phases.contains(&name) {
                    self.fault(name_span, format!("phase `{name}` is there already; give it another name"));
                }
                self.written.phases.push(name);
            }
            let Some(phase) = self.value::<Phase>(item) else { continue };
            let length = ns(phase.length);
            if length == 0 || !length.is_multiple_of(1_000_000_000) {
                self.fault(
                    length_span,
                    format!(
                        "phase `{}` must last whole seconds, at least one; write for = \"5s\"",
                        phase.name
                    ),
                );
            }
            phases.push(phase);
        }
        if self.written.phases.len() < count {
            // One without a name may be the one that is meant elsewhere.
            self.written.phases.clear();
        }
        if phases.len() == count && !phases.iter().any(|phase| phase.measure) {
            self.fault(span, "no phase is measured; leave out `measure = false` in at least one");
        }
        phases
    }

    fn load(&mut self, top: &mut DeTable<'_>) -> Option<Load> {
        let Some(value) = remove(top, "load") else {
            self.fault(0..0, "`[load]` is missing; write [load] and below it rate = \"100/s\"");
            return None;
        };
        let span = value.span();
        let keys: Vec<(String, Range<usize>)> = match value.get_ref() {
            DeValue::Table(table) => table.iter().map(|(k, v)| (k.get_ref().to_string(), v.span())).collect(),
            _ => Vec::new(),
        };
        let inside = places(&value, &span);
        let load: Load = self.value(value)?;
        let names: Vec<String> = self.written.phases.clone();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for message in load.faults(&names) {
            // A sentence begins with its key, which may be a default the file does not have.
            let key = message.split(':').next().unwrap_or_default();
            let place = keys.iter().find(|(name, _)| name == key).map(|(_, place)| place.clone());
            let place = match place {
                Some(place) => nearest(&within(&inside, &place), &message).or(Some(place)),
                None => nearest(&inside, &message),
            };
            self.fault(place.unwrap_or(span.clone()), message);
        }
        Some(load)
    }

    fn topologies(&mut self, top: &mut DeTable<'_>) -> Vec<(String, Placement)> {
        let mut topologies = Vec::new();
        let refused = top.get("topology").is_some_and(|value| value.get_ref().as_table().is_none());
        for (name, span, value) in self.tables(top, "topology") {
            self.written.arms.push(name.clone());
            let inside = places(&value, &value.span());
            let Some(placement) = self.value::<Placement>(value) else { continue };
            if let Err(errors) = placement.resolve(self.components) {
                for error in errors {
                    let place = nearest(&inside, &error.to_string()).unwrap_or(span.clone());
                    self.fault(place, format!("topology `{name}`: {error}"));
                }
            }
            topologies.push((name, placement));
        }
        if self.written.arms.is_empty() && !refused {
            self.fault(
                0..0,
                "no topology; write [topology.mono] and below it processes = { app = [\"gateway\", \"*\"] }",
            );
        }
        topologies
    }

    fn policies(&mut self, top: &mut DeTable<'_>) -> Vec<(String, Policy)> {
        let mut policies = Vec::new();
        for (name, span, value) in self.tables(top, "policy") {
            match name.parse::<EdgePattern>() {
                Ok(edge) => {
                    for side in edge.to_string().split("->").filter(|side| *side != "*") {
                        self.known_component(span.clone(), side, &["gateway"]);
                    }
                }
                Err(error) => self.fault(span.clone(), error.to_string()),
            }
            if let Some(policy) = self.value::<Policy>(value) {
                policies.push((name, policy));
            }
        }
        policies
    }

    /// The tables `[key.NAME]`, each with its name and the name's place.
    fn tables<'i>(&mut self, top: &mut DeTable<'i>, key: &str) -> Vec<(String, Range<usize>, Value<'i>)> {
        let Some(value) = remove(top, key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(tables) => {
                let mut tables: Vec<_> = tables
                    .into_iter()
                    .map(|(name, value)| (name.get_ref().to_string(), name.span(), value))
                    .collect();
                // They come sorted by name; arms and policies go by the order of the file.
                tables.sort_by_key(|(_, span, _)| span.start);
                tables
            }
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
                self.fault(span, "a step is a table; write it under [[step]]");
                continue;
            };
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            steps.extend(self.step(table, span, number, phases));
        }
        steps
    }

    /// One step. Every part is looked at before any of them is given up on.
    fn step(
        &mut self,
        mut table: DeTable<'_>,
        span: Range<usize>,
        number: u32,
        phases: &[Phase],
    ) -> Option<Step> {
        let place = |key: &str| table.get(key).map(Spanned::span);
        let [id_place, in_place, at_place, on_place, for_place] =
            ["id", "in", "at", "on", "for"].map(|key| place(key).unwrap_or(span.clone()));
        let [has_in, has_on, has_for] = ["in", "on", "for"].map(|key| place(key).is_some());
        let verb = table.get("do").and_then(|value| value.get_ref().as_str()).unwrap_or("step").to_owned();
        let misspelt = self.unknown_step_keys(&mut table, &verb);
        let id: Option<String> = self.take(&mut table, "id");
        let phase: Option<String> = self.take(&mut table, "in");
        let at: Option<String> = self.take(&mut table, "at");
        let on: Option<String> = self.take(&mut table, "on");
        let length: Option<Span> = self.take(&mut table, "for");
        let mut chosen = DeTable::new();
        for key in MATCH {
            if let Some((name, value)) = table.remove_entry(key) {
                chosen.insert(name, value);
            }
        }
        let matching: Option<fault::Match> = self.value(Spanned::new(span.clone(), DeValue::Table(chosen)));
        let fault = self.fault_kind(table, span.clone(), misspelt);

        let id = id.unwrap_or_else(|| format!("{verb}-{number}"));
        if self.written.steps.contains(&id) {
            self.fault(id_place, format!("step `{id}` is there already; give it another id"));
        }
        self.written.steps.push(id.clone());
        if !has_in {
            self.fault(span.clone(), "a step needs its phase: in = \"steady\"");
        }
        let start = phase.and_then(|phase| self.start(&phase, in_place, at.as_deref(), at_place, phases));
        if !has_on {
            self.fault(span.clone(), "a step needs its target: on = \"photo\" or on = \"feed->follower\"");
        }
        let target = on.as_deref().and_then(|on| self.target(on, on_place.clone()));
        let fault = fault?;
        match (has_for, fault.lasts()) {
            (true, false) => self.fault(for_place, format!("`{verb}` happens once; leave `for` out")),
            (false, true) => self.fault(
                span,
                format!("`{verb}` lasts: every lasting fault ends by itself, write for = \"5s\""),
            ),
            _ => {}
        }
        if let Some(target) = &target
            && let Err(message) = fault.accepts(target)
        {
            self.fault(on_place, message);
        }
        let (phase, start_ns) = start?;
        Some(Step {
            number,
            id,
            phase,
            start_ns,
            length_ns: length.map_or(0, ns),
            fault,
            matching: matching?,
            target: target?,
            on: on?,
        })
    }

    /// Takes out what no step with this verb has: a tagged table would be refused
    /// as a whole, without the place of the key. Whether there was any.
    fn unknown_step_keys(&mut self, table: &mut DeTable<'_>, verb: &str) -> bool {
        let Some(fields) = fault::Fault::fields(verb) else { return false };
        let known: Vec<&str> = STEP.iter().chain(fields).chain(&MATCH).copied().collect();
        let strange: Vec<(String, Range<usize>)> = table
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
            .map(|key| (key.get_ref().to_string(), key.span()))
            .collect();
        for (key, span) in &strange {
            table.remove(key.as_str());
            self.fault(span.clone(), unknown("key", key, known.iter().copied()));
        }
        !strange.is_empty()
    }

    /// A step's phase and its start.
    fn start(
        &mut self,
        phase: &str,
        in_place: Range<usize>,
        at: Option<&str>,
        at_place: Range<usize>,
        phases: &[Phase],
    ) -> Option<(usize, u64)> {
        let offset = match at.map(|text| text.strip_prefix('+').unwrap_or(text).parse::<Span>()) {
            None => Some(0),
            Some(Ok(offset)) => Some(ns(offset)),
            Some(Err(_)) => {
                let written = at.unwrap_or_default();
                let message = format!(
                    "`{written}` is no length of time; write at = \"+2s\", counted from the phase's start"
                );
                self.fault(at_place.clone(), message);
                None
            }
        };
        let Some(index) = phases.iter().position(|p| p.name == phase) else {
            let names = self.written.phases.clone();
            // Without any phase that one is missing has been said already.
            if !names.is_empty() && !names.iter().any(|name| name == phase) {
                self.fault(in_place, unknown("phase", phase, names.iter().map(String::as_str)));
            }
            return None;
        };
        let offset = offset?;
        if offset >= ns(phases[index].length) {
            let length = phases[index].length;
            let message = format!("the step begins after phase `{phase}` has ended; it lasts {length}");
            self.fault(at_place, message);
            return None;
        }
        let before: u64 = phases[..index].iter().map(|p| ns(p.length)).sum();
        Some((index, before + offset))
    }

    fn fault_kind(&mut self, table: DeTable<'_>, span: Range<usize>, misspelt: bool) -> Option<fault::Fault> {
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
                Some(verb) if known(verb) => {
                    self.rest_of(Spanned::new(span, DeValue::Table(table)), misspelt)
                }
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
                self.fault(span, error.to_string());
                return None;
            }
        };
        let before = self.faults.len();
        for component in target.components().filter(|component| *component != "*") {
            self.known_component(span.clone(), component, &["gateway", "registry"]);
        }
        (self.faults.len() == before).then_some(target)
    }

    /// A fault unless `name` is a component or one of the `others`.
    pub(crate) fn known_component(&mut self, span: Range<usize>, name: &str, others: &[&str]) {
        let known: Vec<&str> =
            self.components.iter().map(|c| c.as_str()).chain(others.iter().copied()).collect();
        if !known.contains(&name) {
            self.fault(span, unknown("component", name, known));
        }
    }

    fn expectations(&mut self, top: &mut DeTable<'_>, source: &Source) -> (Vec<Assertion>, Vec<Assertion>) {
        let Some(value) = remove(top, "expect") else { return (Vec::new(), Vec::new()) };
        let span = value.span();
        let DeValue::Table(mut table) = value.into_inner() else {
            self.fault(
                span,
                "`expect` is a table; write [expect] and below it check = [\"errors(all) < 1%\"]",
            );
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
            self.fault(span, format!("`{key}` is a list: [\"errors(all) < 1%\"]"));
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
        let that = self.expectation(&text, source)?;
        let line = u32::try_from(source.position(text.span().start).0).unwrap_or(0);
        Some(Assertion { that, why, line })
    }

    fn expectation(&mut self, text: &Spanned<DeString<'_>>, source: &Source) -> Option<Expectation> {
        let span = text.span();
        match text.get_ref().parse::<Expectation>() {
            Ok(expectation) => {
                self.claims.push((expectation.clone(), span));
                Some(expectation)
            }
            Err(error) => {
                let inside = source.inside_quotes(&span);
                // Escapes in an expectation would only shift the caret.
                let start = (inside.start + error.at).min(inside.end);
                self.fault(source.word_at(start, inside.end), error.message);
                None
            }
        }
    }

    fn stop(&mut self, top: &mut DeTable<'_>, source: &Source) -> Stop {
        let Some(value) = remove(top, STOP) else { return Stop::default() };
        let span = value.span();
        let DeValue::Table(mut table) = value.into_inner() else {
            self.fault(span, "`stop` is a table; write [stop] and below it max = \"90s\"");
            return Stop::default();
        };
        let max: Option<Span> = self.take(&mut table, "max");
        let mut when = Vec::new();
        if let Some(value) = remove(&mut table, "when") {
            let span = value.span();
            match value.into_inner() {
                DeValue::Array(items) => {
                    for item in items {
                        let span = item.span();
                        match item.into_inner() {
                            DeValue::String(text) => {
                                when.extend(self.expectation(&Spanned::new(span, text), source));
                            }
                            _ => self.fault(span, "a stop condition is a string: \"errors(all) > 50%\""),
                        }
                    }
                }
                _ => self.fault(span, "`when` is a list: [\"errors(all) > 50%\"]"),
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

/// A key's text and place in a table; the table's own place where it has none.
fn text_of(table: &Value<'_>, key: &str) -> (Option<String>, Range<usize>) {
    let value = table.get_ref().as_table().and_then(|table| table.get(key));
    let text = value.and_then(|value| value.get_ref().as_str()).map(str::to_owned);
    (text, value.map_or(table.span(), Spanned::span))
}

/// A key or a text somewhere in a value.
#[derive(Clone)]
struct Place {
    word: String,
    is_key: bool,
    span: Range<usize>,
}

/// Every key and text of a value within `span`, in the order of the file's tables.
fn places(value: &Value<'_>, span: &Range<usize>) -> Vec<Place> {
    let mut found = Vec::new();
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value.get_ref() {
            DeValue::String(text) => {
                found.push(Place { word: text.to_string(), is_key: false, span: value.span() });
            }
            DeValue::Array(items) => left.extend(items.iter()),
            DeValue::Table(table) => {
                for (key, value) in table {
                    found.push(Place { word: key.get_ref().to_string(), is_key: true, span: key.span() });
                    left.push(value);
                }
            }
            _ => {}
        }
    }
    // The span of a `[table]` is that of its header alone, so that a whole value has no bounds.
    found.sort_by_key(|place| place.span.start);
    if *span == value.span() { found } else { within(&found, span) }
}

fn within(places: &[Place], span: &Range<usize>) -> Vec<Place> {
    let inside = |place: &&Place| span.start <= place.span.start && place.span.end <= span.end;
    places.iter().filter(inside).cloned().collect()
}

/// The place a message speaks of: where a text it quotes stands last, or else a key it names.
fn nearest(places: &[Place], message: &str) -> Option<Range<usize>> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let text = |word: &&str| places.iter().rev().find(|place| !place.is_key && place.word == **word);
    let key = |word: &str| places.iter().rev().find(|place| place.is_key && place.word == word);
    let words = message.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    quoted
        .iter()
        .find_map(text)
        .or_else(|| quoted.iter().find_map(|word| key(word)))
        .or_else(|| words.into_iter().find_map(key))
        .map(|place| place.span.clone())
}

/// Serde's words in those of a scenario's writer, with a guess at what was meant.
fn explain(message: &str) -> String {
    let parts: Vec<&str> = message.split('`').collect();
    match parts.as_slice() {
        ["unknown field ", written, _] => format!("unknown key `{written}`; there are no keys here"),
        ["unknown field ", written, _, choices @ ..] => {
            let choices: Vec<&str> = choices.iter().copied().step_by(2).collect();
            unknown("key", written, choices)
        }
        ["unknown variant ", written, _, choices @ ..] => {
            let choices: Vec<&str> = choices.iter().copied().step_by(2).collect();
            unknown("value", written, choices)
        }
        ["missing field ", key, ..] => {
            let example = match *key {
                "for" => "for = \"5s\"",
                "by" => "by = \"150ms\"",
                "name" => "name = \"steady\"",
                "status" => "status = 503",
                "after" => "after = \"1s\"",
                "rate" => "rate = \"100/s\"",
                "processes" => "processes = { app = [\"gateway\", \"*\"] }",
                _ => return format!("`{key}` is missing"),
            };
            format!("`{key}` is missing; write for example {example}")
        }
        _ => wrong_type(message).unwrap_or_else(|| message.trim_end().replace('\n', " ")),
    }
}

/// ``invalid type: integer `5`, expected a string`` as ``write a text in quotes, not integer `5` ``.
fn wrong_type(message: &str) -> Option<String> {
    if message == "wanted string or table" {
        return Some("write a text in quotes or a table: { .. }".to_owned());
    }
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, wanted) = rest.rsplit_once(", expected ")?;
    let wanted = match wanted {
        "a string" | "string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list: [..]",
        "a map" => "a table: { .. }",
        "i64" | "usize" | "u64" | "u32" | "u16" | "u8" if message.starts_with("invalid value") => {
            "a whole number of fitting size"
        }
        "i64" | "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number",
        "f64" | "f32" => "a number",
        wanted if wanted.starts_with("struct ") || wanted.contains(" enum ") => "a table: { .. }",
        wanted => wanted,
    };
    let found = match found {
        "map" => "a table",
        "sequence" => "a list",
        found => found,
    };
    Some(format!("write {wanted}, not {found}"))
}
