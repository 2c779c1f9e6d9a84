//! From text to a scenario: every section on its own, so that one pass finds the faults of all.

use std::ops::Range;
use std::path::Path;

use contract::ComponentName;
use scorecard::Expectation;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use traffic::arrival_trace;
use traffic::load::{Load, Surge};

use crate::action::Action;
use crate::check;
use crate::model::{Budget, Keeping, Phase, Scenario, Step, Watching, Way, ns};
use crate::place::{explain, nearest, places, remove, take_out, text_of, within};
use crate::source::{Fault, Faults, Source, unknown};

/// Version of the schema this program reads.
pub const SCHEMA: i64 = 1;

/// Keys of a file, at its top.
pub(crate) const TOP: [&str; 20] = [
    "schema",
    "name",
    "title",
    "why",
    "seed",
    "tags",
    "telemetry",
    "way",
    "repeats",
    "data",
    "budget",
    "phases",
    "load",
    "topology",
    "service",
    "policy",
    "variant",
    "arms",
    "step",
    "expect",
];
/// `stop` is apart, because the array above is also the order of a well-written file.
pub(crate) const STOP: &str = "stop";

pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

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
    /// Topologies, variants, and arms by their whole names.
    pub(crate) axes: Vec<String>,
    /// Processes and zones of all topologies.
    pub(crate) processes: Vec<String>,
    pub(crate) zones: Vec<String>,
    /// Components that have a cache in some arm.
    pub(crate) cached: Vec<String>,
    pub(crate) steps: Vec<String>,
}

impl Reader<'_> {
    pub(crate) fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.faults.push(Fault { span, message: message.into() });
    }

    /// A value as the type that carries it out; a fault where it is none. Serde
    /// stops at the first fault of a table: the key at fault is taken out and the
    /// rest is read again, so that all are told.
    pub(crate) fn value<T: DeserializeOwned>(&mut self, value: Value<'_>) -> Option<T> {
        self.rest_of(value, false)
    }

    /// The same, of a table from which an unknown key may have been taken before.
    pub(crate) fn rest_of<T: DeserializeOwned>(&mut self, mut value: Value<'_>, misspelt: bool) -> Option<T> {
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

    pub(crate) fn take<T: DeserializeOwned>(&mut self, table: &mut DeTable<'_>, key: &str) -> Option<T> {
        let value = remove(table, key)?;
        self.value(value)
    }

    pub(crate) fn required<T: DeserializeOwned>(
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
        let way: Option<Way> = self.take(&mut top, "way");
        let repeats = self.repeats(&mut top, way);
        let data: Option<Keeping> = self.take(&mut top, "data");
        let budget: Option<Budget> = self.take(&mut top, "budget");
        let phases = self.phases(&mut top);
        let mut load: Option<Load> = self.load(&mut top, source);
        let arms = self.arms(&mut top);
        let steps = self.steps(&mut top, &phases, source);
        if let Some(load) = &mut load {
            load.surges = surges(&steps);
        }
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
            way: way.unwrap_or_default(),
            repeats,
            data: data.unwrap_or_default(),
            budget: budget.unwrap_or_default(),
            phases,
            load: load?,
            arms,
            steps,
            valid,
            check,
            stop,
        })
    }

    /// Rounds: only where arms take turns.
    fn repeats(&mut self, top: &mut DeTable<'_>, way: Option<Way>) -> u32 {
        let place = top.get("repeats").map_or(0..0, Spanned::span);
        let repeats: Option<u32> = self.take(top, "repeats");
        if repeats.is_some_and(|repeats| !(1..=50).contains(&repeats)) {
            self.fault(place, "`repeats` is 1 to 50 rounds");
        } else if repeats.is_some_and(|repeats| repeats > 1) && way != Some(Way::Interleaved) {
            self.fault(place, "only arms that take turns have rounds; write way = \"interleaved\"");
        }
        repeats.unwrap_or(1)
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

    fn load(&mut self, top: &mut DeTable<'_>, source: &Source) -> Option<Load> {
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
        let (value, misspelt) = self.known_keys(value, &Load::KEYS);
        let mut load: Load = self.value(value)?;
        self.trace(&mut load, source, nearest(&inside, "trace").unwrap_or(span.clone()));
        let names: Vec<String> = self.written.phases.clone();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // What is missing now may be what was misspelt.
        let missing = |message: &String| misspelt && message.starts_with("rate: nobody comes");
        for message in load.diagnostics(&names).into_iter().filter(|message| !missing(message)) {
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

    /// The rows of the trace a load names, from the folder of the scenario.
    fn trace(&mut self, load: &mut Load, source: &Source, place: Range<usize>) {
        let Some(written) = &load.trace else { return };
        let folder = source.path.parent().unwrap_or(Path::new(""));
        let path = folder.join(written);
        match regular_file(&path) {
            Err(why) => {
                self.fault(
                    place,
                    format!(
                        "trace: cannot read {}: {why}; name a file of rows {}",
                        path.display(),
                        arrival_trace::HEADER
                    ),
                );
            }
            Ok(text) => match arrival_trace::parse(&text) {
                Ok(rows) => load.rows = rows,
                Err(faults) => {
                    let name = path.display();
                    faults
                        .into_iter()
                        .for_each(|fault| self.fault(place.clone(), format!("trace: {name}: {fault}")));
                }
            },
        }
    }

    /// The table without the keys it cannot have, which are told, and whether there were any.
    fn known_keys<'i>(&mut self, value: Value<'i>, known: &[&str]) -> (Value<'i>, bool) {
        let span = value.span();
        let before = self.faults.len();
        let mut value = value.into_inner();
        if let DeValue::Table(table) = &mut value {
            let written: Vec<(String, Range<usize>)> =
                table.keys().map(|key| (key.get_ref().to_string(), key.span())).collect();
            for (key, place) in written.into_iter().filter(|(key, _)| !known.contains(&key.as_str())) {
                self.fault(place, unknown("key", &key, known.iter().copied()));
                remove(table, &key);
            }
        }
        (Spanned::new(span, value), self.faults.len() > before)
    }

    /// The tables `[key.NAME]`, each with its name and the name's place.
    pub(crate) fn tables<'i>(
        &mut self,
        top: &mut DeTable<'i>,
        key: &str,
    ) -> Vec<(String, Range<usize>, Value<'i>)> {
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
}

/// Longest trace, bytes.
const LONGEST_TRACE: u64 = 16 << 20;

/// The text of a file, unless it is a device, or has no end.
fn regular_file(path: &Path) -> std::io::Result<String> {
    let about = std::fs::metadata(path)?;
    if !about.is_file() || about.len() > LONGEST_TRACE {
        return Err(std::io::Error::other(format!("it is no file of at most {} MiB", LONGEST_TRACE >> 20)));
    }
    std::fs::read_to_string(path)
}

/// When more users come than the rates say.
fn surges(steps: &[Step]) -> Vec<Surge> {
    let surge = |step: &Step| match &step.action {
        Action::Load(surge) => Some(Surge {
            start_ns: step.start_ns,
            end_ns: step.start_ns + step.length_ns,
            ramp_ns: step.ramp_ns,
            by: surge.by.get(),
        }),
        _ => None,
    };
    steps.iter().filter_map(surge).collect()
}
