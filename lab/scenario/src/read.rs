//! Reads a scenario: each section on its own, so that one pass reports the mistakes of all.

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
use crate::references;
use crate::scenario::{Budget, DataRetention, Phase, RunMode, Scenario, Step, TelemetryLevel, ns};
use crate::source::{Diagnostic, Diagnostics, Source, unknown};
use crate::tokens::{explain_serde_error, find_token, remove, remove_covering, string_entry, tokens, within};

/// Version of the schema this program reads.
pub const SCHEMA_VERSION: i64 = 1;

/// Top-level keys of a file.
pub(crate) const TOP_KEYS: [&str; 20] = [
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
/// `stop` is separate: the array above is also the order of sections in a well-written file.
pub(crate) const STOP_KEY: &str = "stop";

pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

/// Reads a scenario file.
///
/// # Errors
/// All mistakes in the text, each with its place and the valid choices.
pub fn read(path: &Path, text: String, components: &[ComponentName]) -> Result<Scenario, Diagnostics> {
    let source = Source { path: path.to_owned(), text };
    let mut reader = Reader {
        components,
        diagnostics: Vec::new(),
        declared: DeclaredNames::default(),
        expectations: Vec::new(),
    };
    let scenario = reader.scenario(&source);
    match scenario {
        Some(scenario) if reader.diagnostics.is_empty() => Ok(scenario),
        _ => Err(Diagnostics::new(&source, reader.diagnostics)),
    }
}

pub(crate) struct Reader<'a> {
    pub(crate) components: &'a [ComponentName],
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) declared: DeclaredNames,
    /// All expectations of the file, with their places.
    pub(crate) expectations: Vec<(Expectation, Range<usize>)>,
}

/// The names a file declares, also in parts with mistakes: a reference to a phase whose length is
/// wrong is not a second mistake.
#[derive(Default)]
pub(crate) struct DeclaredNames {
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
    pub(crate) fn report(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic { span, message: message.into() });
    }

    /// Deserialises a value and reports its mistakes. Serde stops at the first mistake in a table,
    /// so the offending key is removed and the rest is read again, until all are reported.
    pub(crate) fn value<T: DeserializeOwned>(&mut self, value: Value<'_>) -> Option<T> {
        self.value_after_unknown_keys(value, false)
    }

    /// The same, for a table from which unknown keys may have been removed before.
    pub(crate) fn value_after_unknown_keys<T: DeserializeOwned>(
        &mut self,
        mut value: Value<'_>,
        has_unknown_keys: bool,
    ) -> Option<T> {
        let mut has_removed = false;
        loop {
            let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(read) => return (!has_removed).then_some(read),
                Err(error) => error,
            };
            let missing = error.message().starts_with("missing field");
            let mut span = error.span().unwrap_or(value.span());
            // Serde places an error of a `try_from` at the whole table; the message names the value.
            if !missing && let Some(token_span) = find_token(&tokens(&value, &span), error.message()) {
                span = token_span;
            }
            // A key that is missing now may be the misspelt one, which is reported already.
            if !((has_removed || has_unknown_keys) && missing) {
                self.report(span.clone(), explain_serde_error(error.message()));
            }
            if !remove_covering(&mut value, &span) {
                return None;
            }
            has_removed = true;
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
            self.report(0..0, format!("`{key}` is missing; write for example {example}"));
            return None;
        }
        self.take(table, key)
    }

    fn scenario(&mut self, source: &Source) -> Option<Scenario> {
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        for error in errors {
            self.report(error.span().unwrap_or(0..0), format!("invalid TOML: {}", error.message()));
        }
        if !self.diagnostics.is_empty() {
            return None;
        }
        let mut top = table.into_inner();
        self.unknown_keys(&top);
        let place = top.get("schema").map_or(0..0, Spanned::span);
        if let Some(schema) = self.required::<i64>(&mut top, "schema", "schema = 1")
            && schema != SCHEMA_VERSION
        {
            self.report(place, format!("unknown schema version {schema}; write schema = {SCHEMA_VERSION}"));
        }
        let name = self.required(&mut top, "name", "name = \"hop-tax\"");
        let title = self.required(&mut top, "title", "title = \"what happens, in one line\"");
        let why = self.required(&mut top, "why", "why = \"the claim, with its source\"");
        let seed: Option<u64> = self.take(&mut top, "seed");
        let tags: Option<Vec<String>> = self.take(&mut top, "tags");
        let telemetry: Option<TelemetryLevel> = self.take(&mut top, "telemetry");
        let way: Option<RunMode> = self.take(&mut top, "way");
        let repeats = self.repeats(&mut top, way);
        let data: Option<DataRetention> = self.take(&mut top, "data");
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
        references::check_references(self, source, load.as_ref());
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

    /// `repeats`: rounds, only for interleaved arms.
    fn repeats(&mut self, top: &mut DeTable<'_>, way: Option<RunMode>) -> u32 {
        let place = top.get("repeats").map_or(0..0, Spanned::span);
        let repeats: Option<u32> = self.take(top, "repeats");
        if repeats.is_some_and(|repeats| !(1..=50).contains(&repeats)) {
            self.report(place, "`repeats` is out of range; write 1 to 50 rounds");
        } else if repeats.is_some_and(|repeats| repeats > 1) && way != Some(RunMode::Interleaved) {
            self.report(place, "`repeats` needs interleaved arms; write way = \"interleaved\"");
        }
        repeats.unwrap_or(1)
    }

    fn unknown_keys(&mut self, top: &DeTable<'_>) {
        for key in top.keys() {
            let name: &str = key.get_ref();
            if !TOP_KEYS.contains(&name) && name != STOP_KEY {
                let choices: Vec<&str> = TOP_KEYS.iter().copied().chain([STOP_KEY]).collect();
                self.report(key.span(), unknown("key", name, choices));
            }
        }
    }

    fn phases(&mut self, top: &mut DeTable<'_>) -> Vec<Phase> {
        let Some(value) = remove(top, "phases") else {
            self.report(
                0..0,
                "`phases` is missing; write for example phases = [{ name = \"steady\", for = \"10s\" }]",
            );
            return Vec::new();
        };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.report(
                span,
                "`phases` must be a list; write phases = [{ name = \"steady\", for = \"10s\" }]",
            );
            return Vec::new();
        };
        let count = items.len();
        let mut phases: Vec<Phase> = Vec::new();
        for item in items {
            let (name, name_span) = string_entry(&item, "name");
            let (_, length_span) = string_entry(&item, "for");
            if let Some(name) = name {
                if self.declared.phases.contains(&name) {
                    self.report(name_span, format!("duplicate phase `{name}`; write another name"));
                }
                self.declared.phases.push(name);
            }
            let Some(phase) = self.value::<Phase>(item) else { continue };
            let length = ns(phase.length);
            if length == 0 || !length.is_multiple_of(1_000_000_000) {
                self.report(
                    length_span,
                    format!(
                        "phase `{}` must last a whole number of seconds, at least one; write for = \"5s\"",
                        phase.name
                    ),
                );
            }
            phases.push(phase);
        }
        if self.declared.phases.len() < count {
            // A phase without a name may be the one that other sections refer to.
            self.declared.phases.clear();
        }
        if phases.len() == count && !phases.iter().any(|phase| phase.measure) {
            self.report(span, "no phase is measured; remove `measure = false` from at least one");
        }
        phases
    }

    fn load(&mut self, top: &mut DeTable<'_>, source: &Source) -> Option<Load> {
        let Some(value) = remove(top, "load") else {
            self.report(0..0, "`[load]` is missing; write [load] and below it rate = \"100/s\"");
            return None;
        };
        let span = value.span();
        let keys: Vec<(String, Range<usize>)> = match value.get_ref() {
            DeValue::Table(table) => table.iter().map(|(k, v)| (k.get_ref().to_string(), v.span())).collect(),
            _ => Vec::new(),
        };
        let inside = tokens(&value, &span);
        let (value, has_unknown_keys) = self.known_keys(value, &Load::KEYS);
        let mut load: Load = self.value(value)?;
        self.trace(&mut load, source, find_token(&inside, "trace").unwrap_or(span.clone()));
        let names: Vec<String> = self.declared.phases.clone();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // A rate that is missing now may be the misspelt key, which is reported already.
        let missing = |message: &String| has_unknown_keys && message.starts_with("rate: missing");
        for message in load.diagnostics(&names).into_iter().filter(|message| !missing(message)) {
            // A message begins with its key, which may be a default that is absent from the file.
            let key = message.split(':').next().unwrap_or_default();
            let place = keys.iter().find(|(name, _)| name == key).map(|(_, place)| place.clone());
            let place = match place {
                Some(place) => find_token(&within(&inside, &place), &message).or(Some(place)),
                None => find_token(&inside, &message),
            };
            self.report(place.unwrap_or(span.clone()), message);
        }
        Some(load)
    }

    /// Reads the rows of the arrival trace from the folder of the scenario.
    fn trace(&mut self, load: &mut Load, source: &Source, place: Range<usize>) {
        let Some(written) = &load.trace else { return };
        let folder = source.path.parent().unwrap_or(Path::new(""));
        let path = folder.join(written);
        match regular_file(&path) {
            Err(why) => {
                self.report(
                    place,
                    format!(
                        "trace: cannot read {}: {why}; expected a file with rows {}",
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
                        .for_each(|fault| self.report(place.clone(), format!("trace: {name}: {fault}")));
                }
            },
        }
    }

    /// Removes unknown keys from a table and reports them; returns whether there were any.
    fn known_keys<'i>(&mut self, value: Value<'i>, known: &[&str]) -> (Value<'i>, bool) {
        let span = value.span();
        let before = self.diagnostics.len();
        let mut value = value.into_inner();
        if let DeValue::Table(table) = &mut value {
            let written: Vec<(String, Range<usize>)> =
                table.keys().map(|key| (key.get_ref().to_string(), key.span())).collect();
            for (key, place) in written.into_iter().filter(|(key, _)| !known.contains(&key.as_str())) {
                self.report(place, unknown("key", &key, known.iter().copied()));
                remove(table, &key);
            }
        }
        (Spanned::new(span, value), self.diagnostics.len() > before)
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
                // The parser sorts by name; arms and policies follow the order of the file.
                tables.sort_by_key(|(_, span, _)| span.start);
                tables
            }
            _ => {
                self.report(span, format!("`{key}` must be a table of tables; write [{key}.NAME]"));
                Vec::new()
            }
        }
    }
}

/// Largest arrival trace, bytes.
const MAX_TRACE_BYTES: u64 = 16 << 20;

/// The text of a regular file of limited size: a device may have no end.
fn regular_file(path: &Path) -> std::io::Result<String> {
    let about = std::fs::metadata(path)?;
    if !about.is_file() || about.len() > MAX_TRACE_BYTES {
        return Err(std::io::Error::other(format!(
            "not a regular file of at most {} MiB",
            MAX_TRACE_BYTES >> 20
        )));
    }
    std::fs::read_to_string(path)
}

/// Load steps as surges over the rates.
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
