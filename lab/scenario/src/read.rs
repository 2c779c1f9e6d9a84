//! Reads a scenario: each section on its own, so that one pass reports the mistakes of all.

use std::path::Path;
use std::time::Duration;

use policy::units::HumanDuration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use traffic::load::Load;

use crate::application::Application;
use crate::change::Change;
use crate::claims::{self, JudgedParts};
use crate::collisions;
use crate::copies;
use crate::load;
use crate::reader::Reader;
use crate::references;
use crate::scenario::{Budget, DataRetention, LONGEST_RUN, Phase, RunMode, Scenario, TelemetryLevel, ns};
use crate::search;
use crate::servers;
use crate::source::{Diagnostic, Diagnostics, Source, unknown};
use crate::steps;
use crate::tokens::{remove, string_entry};

/// Version of the schema this program reads.
pub const SCHEMA_VERSION: i64 = 1;

/// Top-level keys of a file.
pub(crate) const TOP_KEYS: [&str; 25] = [
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
    "change",
    "load",
    "topology",
    "network",
    "service",
    "policy",
    "variant",
    "arms",
    "scale",
    "prices",
    "sweep",
    "step",
    "expect",
];
/// `stop` is separate: the array above is also the order of sections in a well-written file.
pub(crate) const STOP_KEY: &str = "stop";

/// Reads a scenario file.
///
/// # Errors
/// All mistakes in the text, each with its place and the valid choices.
pub fn read(path: &Path, text: String, application: &Application<'_>) -> Result<Scenario, Diagnostics> {
    finish(Reader::new(application), &Source { path: path.to_owned(), text })
}

/// Reads a scenario once more, with the values of a combination of its sweep, and without that.
///
/// # Errors
/// Mistakes that two values make together: each by itself was tried when the file was read.
pub fn read_combination(
    scenario: &Scenario,
    combination: &[usize],
    application: &Application<'_>,
) -> Result<Scenario, Diagnostics> {
    let source = &scenario.source;
    let edited = scenario.sweep.as_ref().map(|sweep| sweep.edited(source, combination)).transpose();
    let edited =
        edited.map_err(|message| Diagnostics::new(source, vec![Diagnostic { span: 0..0, message }]))?;
    let reader = Reader { is_combination: true, ..Reader::new(application) };
    finish(reader, edited.as_ref().unwrap_or(source))
}

fn finish(mut reader: Reader<'_>, source: &Source) -> Result<Scenario, Diagnostics> {
    match reader.scenario(source) {
        Some(scenario) if reader.diagnostics.is_empty() => Ok(scenario),
        _ => Err(Diagnostics::new(source, reader.diagnostics)),
    }
}

impl Reader<'_> {
    pub(crate) fn scenario(&mut self, source: &Source) -> Option<Scenario> {
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
        let name_place = top.get("name").map_or(0..0, Spanned::span);
        let name: Option<String> = self.required(&mut top, "name", "name = \"hop-tax\"");
        if let Some(name) = &name {
            self.check_name("scenario", name, name_place);
        }
        let title = self.required(&mut top, "title", "title = \"what happens, in one line\"");
        let why = self.required(&mut top, "why", "why = \"the claim, with its source\"");
        let seed: Option<u64> = self.take(&mut top, "seed");
        let tags: Option<Vec<String>> = self.take(&mut top, "tags");
        let telemetry: Option<TelemetryLevel> = self.take(&mut top, "telemetry");
        let has_way = top.contains_key("way");
        let way: Option<RunMode> = self.take(&mut top, "way");
        // Of a way with a mistake it is not known.
        let has_rounds = way == Some(RunMode::Interleaved) || has_way && way.is_none();
        let repeats = self.repeats(&mut top, has_rounds);
        let data_place = top.get("data").map_or(0..0, Spanned::span);
        let data: Option<DataRetention> = self.take(&mut top, "data");
        if data == Some(DataRetention::Kept) && !has_rounds {
            let message = "`data` is kept from round to round, which needs interleaved arms; write way = \"interleaved\" and \
                           `repeats`";
            self.report(data_place, message);
        }
        let budget = remove(&mut top, "budget").and_then(|value| {
            let span = value.span();
            self.checked(value, span, Budget::diagnostics)
        });
        let change_place = top.get("change").map(Spanned::span);
        let change = remove(&mut top, "change").and_then(|value| {
            let span = value.span();
            self.checked(value, span, Change::diagnostics)
        });
        let before = self.diagnostics.len();
        let phases = self.phases(&mut top);
        let has_all_phases = self.diagnostics.len() == before;
        let length: Duration = phases.iter().map(|phase| phase.length.duration()).sum();
        let mut load: Option<Load> = self.load(&mut top, source, has_all_phases.then_some(length));
        let arms = self.arms(&mut top);
        let has_prices = top.contains_key("prices");
        let prices = self.prices(&mut top);
        let scale = self.scale(&mut top, load.as_ref());
        let before = self.diagnostics.len();
        let steps = self.steps(&mut top, &phases, source);
        let has_all_steps = self.diagnostics.len() == before;
        if let Some(load) = &mut load {
            load.surges = load::surges(&steps);
            if let Some(message) = load.surge_diagnostic() {
                let place = self.surge_places.first().cloned().unwrap_or(0..0);
                self.report(place, message);
            }
        }
        let (valid, check) = self.expectations(&mut top, source);
        let sweep = self.sweep(&mut top, source);
        let stop = self.stop(&mut top, source, has_all_phases.then_some(&phases));
        references::check_references(self, source, load.as_ref());
        references::check_prices(self, source, has_prices);
        if let (Some(place), Some(load), true) = (self.further_place.take(), &load, has_all_steps) {
            let claims = valid.iter().chain(&check).map(|assertion| &assertion.that);
            if let Some(obstacle) = search::obstacle(load, !steps.is_empty(), claims) {
                self.report(place, format!("`further_rates` has no effect: {obstacle}; remove it"));
            }
        }
        let parts = JudgedParts {
            arms: &arms,
            phases: has_all_phases.then_some(&phases),
            steps: &steps,
            has_all_steps,
            overloaded: load.as_ref().map_or(&[], |load| load.overloaded.as_slice()),
        };
        steps::check_ends(self, &parts);
        collisions::check_collisions(self, &steps);
        claims::check_claims(self, source, &parts);
        copies::check_copies(self, has_all_steps.then_some(&steps));
        // Sizes of what is only simulated are others.
        if scale.is_none() {
            copies::check_picks(self, has_all_steps.then_some(&steps));
        }
        servers::check_servers(self);
        references::check_rollbacks(self, &steps, has_all_steps);
        references::check_builds(self, &steps, has_all_steps);
        references::check_connections(self, &arms);
        references::check_defects(self, &steps, &arms);
        references::check_autoscalers(self, &steps, &arms, telemetry);
        copies::check_reconfigured(self, &steps);
        references::check_change(self, &steps, has_all_steps, change_place);
        references::check_measured_steps(self, source, &steps, has_all_steps);
        // Values are tried in a file that has no other mistakes.
        if let Some(sweep) = sweep.as_ref().filter(|_| self.diagnostics.is_empty()) {
            self.check_sweep(sweep, source);
        }
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
            change,
            load: load?,
            arms,
            scale,
            prices,
            sweep: sweep.map(|(sweep, _)| sweep),
            steps,
            valid,
            check,
            stop,
        })
    }

    /// `repeats`: rounds, only for interleaved arms.
    fn repeats(&mut self, top: &mut DeTable<'_>, has_rounds: bool) -> u32 {
        let place = top.get("repeats").map_or(0..0, Spanned::span);
        let repeats: Option<u32> = self.take(top, "repeats");
        if repeats.is_some_and(|repeats| !(1..=50).contains(&repeats)) {
            self.report(place, "`repeats` is out of range; write 1 to 50 rounds");
        } else if repeats.is_some_and(|repeats| repeats > 1) && !has_rounds {
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
                    self.report(name_span.clone(), format!("duplicate phase `{name}`; write another name"));
                }
                if ["whole", "last"].contains(&name.as_str()) {
                    let message = format!(
                        "`in {name}` of an expectation would not mean this phase; write another name"
                    );
                    self.report(name_span.clone(), message);
                }
                self.check_name("phase", &name, name_span);
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
        let length: Duration = phases.iter().map(|phase| phase.length.duration()).sum();
        if length > LONGEST_RUN {
            let (length, most) = (HumanDuration::from(length), HumanDuration::from(LONGEST_RUN));
            self.report(
                span.clone(),
                format!("the phases last {length} in all, and a run at most {most}; write shorter ones"),
            );
        }
        if phases.len() == count && !phases.iter().any(|phase| phase.measure) {
            self.report(span, "no phase is measured; remove `measure = false` from at least one");
        }
        phases
    }
}
