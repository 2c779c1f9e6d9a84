//! Reads `[load]` and the arrivals of its trace.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use toml::de::{DeTable, DeValue};
use traffic::arrival_trace;
use traffic::load::{Load, Surge};

use crate::action::Action;
use crate::reader::Reader;
use crate::scenario::Step;
use crate::source::Source;
use crate::tokens::{find_token, remove, tokens, within};

/// Largest arrival trace, bytes.
const MAX_TRACE_BYTES: u64 = 16 << 20;

impl Reader<'_> {
    /// `length` is that of the phases together, where it is known.
    pub(crate) fn load(
        &mut self,
        top: &mut DeTable<'_>,
        source: &Source,
        length: Option<Duration>,
    ) -> Option<Load> {
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
        let (mut load, removed): (Load, Vec<String>) = self.value_in_part(value, has_unknown_keys)?;
        self.further_place =
            keys.iter().find(|(name, _)| name == "further_rates").map(|(_, place)| place.clone());
        let trace_place = find_token(&inside, "trace").unwrap_or(span.clone());
        self.trace(&mut load, source, trace_place.clone());
        if let Some(message) = length.and_then(|length| load.trace_diagnostic(length)) {
            self.report(trace_place, message);
        }
        let names: Vec<String> = self.declared.phases.clone();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // A rate that is missing now may be the misspelt key, which is reported already.
        let has_mistakes = has_unknown_keys || !removed.is_empty();
        let missing = |message: &String| has_mistakes && message.starts_with("rate: missing");
        for message in load.diagnostics(&names).into_iter().filter(|message| !missing(message)) {
            // A message begins with its key, which may be a default that is absent from the file.
            let key = message.split(':').next().unwrap_or_default();
            if removed.iter().any(|removed| removed == key) {
                continue;
            }
            let place = keys.iter().find(|(name, _)| name == key).map(|(_, place)| place.clone());
            let place = match place {
                Some(place) => find_token(&within(&inside, &place), &message).or(Some(place)),
                None => find_token(&inside, &message),
            };
            self.report(place.unwrap_or(span.clone()), message);
        }
        if removed.is_empty() { Some(load) } else { None }
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
}

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
pub(crate) fn surges(steps: &[Step]) -> Vec<Surge> {
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
