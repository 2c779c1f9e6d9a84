//! `[sweep]`: keys that vary, and what is counted for each combination of their values. A scenario that has it is only
//! simulated.

use std::fmt;
use std::ops::Range;

use schemars::JsonSchema;
use scorecard::Expectation;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::declared::ExpectationRole;
use crate::reader::Reader;
use crate::source::{Source, unknown};
use crate::tokens::{Token, find_string, remove, tokens};

/// Keys that vary: what comes of more is no table.
pub(crate) const MAX_AXES: usize = 2;
/// Values of a key.
pub(crate) const MAX_VALUES: usize = 50;
/// Simulations of a combination.
pub(crate) const MAX_REPLICATIONS: u32 = 1_000;
/// Simulations of a combination, where nothing else is written.
const REPLICATIONS: u32 = 10;

/// What a simulation does not read: what a file is called, and the sweep itself.
const UNREAD: [&str; 5] = ["name", "title", "why", "tags", "sweep"];

/// What varies, and what is counted.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Counted are the simulations in which it holds.
    pub holds: Expectation,
    /// Simulations of each combination of values, with other seeds.
    pub replications: u32,
    /// The keys that vary.
    pub axes: Vec<SweepAxis>,
}

/// A key that varies.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepAxis {
    /// What it is called in results.
    pub name: String,
    /// The key, from its section on: `load.rate`; `step.slowdown.for` of the step with the id `slowdown`.
    pub key: String,
    /// Its values, written as the key is.
    #[schemars(length(min = 2, max = MAX_VALUES))]
    pub values: Vec<SweepValue>,
}

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a value of a sweep must be a text or a number")]
pub enum SweepValue {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
}

impl fmt::Display for SweepValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number:?}"),
        }
    }
}

impl SweepValue {
    /// As it is written in a file.
    fn toml(&self) -> String {
        match self {
            Self::Text(text) => toml::Value::String(text.clone()).to_string(),
            Self::Whole(_) | Self::Number(_) => self.to_string(),
        }
    }
}

impl Sweep {
    /// Its keys in a scenario.
    pub const KEYS: [&str; 3] = ["holds", "replications", "axes"];

    /// Every combination of values: the number of the value on each axis. Those of the last axis change first.
    pub fn combinations(&self) -> Vec<Vec<usize>> {
        let mut all: Vec<Vec<usize>> = vec![Vec::new()];
        for axis in &self.axes {
            let longer = |shorter: &Vec<usize>, at: usize| -> Vec<usize> {
                shorter.iter().copied().chain([at]).collect()
            };
            all = all
                .iter()
                .flat_map(|shorter| (0..axis.values.len()).map(move |at| longer(shorter, at)))
                .collect();
        }
        all
    }

    /// A file with the values of a combination.
    ///
    /// # Errors
    /// A key that does not stand in it.
    pub(crate) fn edited(&self, source: &Source, combination: &[usize]) -> Result<Source, String> {
        edited(source, self.axes.iter().zip(combination).map(|(axis, at)| (axis, &axis.values[*at])))
    }
}

/// A file with other values of some keys.
///
/// # Errors
/// A key that does not stand in it.
fn edited<'s>(
    source: &Source,
    values: impl IntoIterator<Item = (&'s SweepAxis, &'s SweepValue)>,
) -> Result<Source, String> {
    let mut text = source.text.clone();
    for (axis, value) in values {
        let place = place_of(&text, &axis.key)?;
        text.replace_range(place, &value.toml());
    }
    Ok(Source { path: source.path.clone(), text })
}

/// The names that a key is made of, from its section on.
fn parts(key: &str) -> impl Iterator<Item = &str> {
    key.split('.').map(|part| part.trim_matches('"'))
}

/// Where the value of a key stands in a file.
///
/// # Errors
/// Where none does, or no single one: a sentence with the choices.
fn place_of(text: &str, key: &str) -> Result<Range<usize>, String> {
    let (document, _) = DeTable::parse_recoverable(text);
    let mut table = document.get_ref();
    let mut parts = parts(key).peekable();
    while let Some(part) = parts.next() {
        let value = table.get(part).ok_or_else(|| {
            let choices: Vec<&str> = table.keys().map(|key| &**key.get_ref()).collect();
            format!("`{key}`: {}", unknown("key", part, choices))
        })?;
        let is_last = parts.peek().is_none();
        match value.get_ref() {
            DeValue::Table(inside) if !is_last => table = inside,
            DeValue::Array(items) if !is_last => {
                let wanted = parts.next().unwrap_or_default();
                let id = |item: &Spanned<DeValue<'_>>| {
                    Some(item.get_ref().as_table()?.get("id")?.get_ref().as_str()?.to_owned())
                };
                let ids: Vec<String> = items.iter().filter_map(id).collect();
                let item = items.iter().find(|item| id(item).as_deref() == Some(wanted));
                let inside = item.and_then(|item| item.get_ref().as_table());
                table = inside.ok_or_else(|| {
                    let message = unknown("id", wanted, ids.iter().map(String::as_str));
                    format!("`{key}`: {message}")
                })?;
            }
            DeValue::Table(_) | DeValue::Array(_) => break,
            _ if is_last => return Ok(value.span()),
            _ => break,
        }
    }
    Err(format!("`{key}` is not a single value; write the whole key of a text or a number of this file"))
}

/// `[sweep]` as it was read, and the words in it.
pub(crate) type PlacedSweep = (Sweep, Vec<Token>);

impl Reader<'_> {
    /// Reads `[sweep]`; a file with the values of a combination has none.
    pub(crate) fn sweep(&mut self, top: &mut DeTable<'_>, source: &Source) -> Option<PlacedSweep> {
        let value = remove(top, "sweep")?;
        if self.is_combination {
            return None;
        }
        let span = value.span();
        let inside = tokens(&value, &span);
        let (value, _) = self.known_keys(value, &Sweep::KEYS);
        let DeValue::Table(mut table) = value.into_inner() else {
            self.report(span, "`sweep` must be a table; write [sweep] and below it `holds` and `axes`");
            return None;
        };
        let place = |table: &DeTable<'_>, key: &str| table.get(key).map_or(span.clone(), Spanned::span);
        let replications_place = place(&table, "replications");
        let replications: Option<u32> = self.take(&mut table, "replications");
        if replications.is_some_and(|count| !(1..=MAX_REPLICATIONS).contains(&count)) {
            let message = format!("`replications` is out of range; write 1 to {MAX_REPLICATIONS}");
            self.report(replications_place, message);
        }
        let holds = remove(&mut table, "holds").map(|value| (value.span(), value.into_inner()));
        let holds = if let Some((span, DeValue::String(text))) = holds {
            self.expectation(&Spanned::new(span, text), source, ExpectationRole::Claim)
        } else {
            let message = "`holds` is missing, or no text; write for example holds = \"goodput(all) in last 10s >= 95%\"";
            self.report(span.clone(), message);
            None
        };
        let axes_place = place(&table, "axes");
        let axes: Option<Vec<SweepAxis>> = self.take(&mut table, "axes");
        let count = axes.as_ref().map_or(0, Vec::len);
        if !(1..=MAX_AXES).contains(&count) && axes.is_some() == table_had(&inside) {
            let example = "axes = [{ name = \"load\", key = \"load.rate\", values = [\"80/s\", \"120/s\"] }]";
            self.report(axes_place, format!("`axes` needs 1 to {MAX_AXES} keys that vary; write {example}"));
        }
        let axes = axes?;
        for axis in axes.iter().filter(|axis| !(2..=MAX_VALUES).contains(&axis.values.len())) {
            let place = find_string(&inside, &axis.key).unwrap_or(span.clone());
            self.report(place, format!("`{}` needs 2 to {MAX_VALUES} values", axis.key));
        }
        self.check_axes(&axes, &inside, &span);
        Some((Sweep { holds: holds?, replications: replications.unwrap_or(REPLICATIONS), axes }, inside))
    }

    /// Reports what would make combinations that are one: a key, a name or a value that stands there twice, and keys that no
    /// simulation reads.
    fn check_axes(&mut self, axes: &[SweepAxis], inside: &[Token], span: &Range<usize>) {
        let last = |text: &str| {
            let found = inside.iter().rfind(|token| !token.is_key && token.text == text);
            found.map_or(span.clone(), |token| token.span.clone())
        };
        let mut found = Vec::new();
        for (index, axis) in axes.iter().enumerate() {
            let SweepAxis { name, key, values } = axis;
            if axes[..index].iter().any(|other| parts(&other.key).eq(parts(key))) {
                found.push((last(key), format!("`{key}` varies on two axes; write another key")));
            }
            if axes[..index].iter().any(|other| other.name == *name) {
                found.push((last(name), format!("two axes are called `{name}`; write another name")));
            }
            for (at, value) in values.iter().enumerate().filter(|(at, value)| values[..*at].contains(value)) {
                // The sentence is one for as often as it stands there.
                if values[..at].iter().filter(|other| *other == value).count() == 1 {
                    let text = value.to_string();
                    found.push((last(&text), format!("`{text}` stands twice in `{key}`; write it once")));
                }
            }
            if parts(key).next().is_some_and(|section| UNREAD.contains(&section)) {
                let message =
                    format!("`{key}` changes nothing that is simulated; write a key such as load.rate");
                found.push((last(key), message));
            }
        }
        found.into_iter().for_each(|(place, message)| self.report(place, message));
    }

    /// Reports keys that the file does not have, and values that they cannot have.
    pub(crate) fn check_sweep(&mut self, (sweep, inside): &PlacedSweep, source: &Source) {
        for axis in &sweep.axes {
            let key_place = find_string(inside, &axis.key).unwrap_or(0..0);
            for value in &axis.values {
                let edited = match edited(source, [(axis, value)]) {
                    Ok(edited) => edited,
                    Err(message) => {
                        self.report(key_place, message);
                        break;
                    }
                };
                let mut reader = Reader { is_combination: true, ..Reader::new(&self.application) };
                reader.scenario(&edited);
                if let Some(first) = reader.diagnostics.first() {
                    let place = find_string(inside, &value.to_string()).unwrap_or(key_place.clone());
                    self.report(place, format!("`{value}` as `{}`: {}", axis.key, first.message));
                }
            }
        }
    }
}

/// Whether `axes` stands there at all: where it does and could not be read, that has been reported.
fn table_had(inside: &[Token]) -> bool {
    inside.iter().any(|token| token.is_key && token.text == "axes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a = 1\n[load]\nrate = \"60/s\"  # users\n[policy.\"feed->photo\"]\nattempts = 3\n\
                        [[step]]\nid = \"slow\"\nfor = \"1s\"\n[[step]]\nid = \"dead\"\nfor = \"2s\"\n";

    #[test]
    fn a_key_is_found_by_its_path_and_steps_by_their_id() {
        let at = |key: &str| place_of(TEXT, key).map(|place| &TEXT[place]);
        assert_eq!(at("a"), Ok("1"));
        assert_eq!(at("load.rate"), Ok("\"60/s\""));
        assert_eq!(at("policy.\"feed->photo\".attempts"), Ok("3"));
        assert_eq!(at("step.dead.for"), Ok("\"2s\""));
        for (key, part) in [
            ("load.rat", "did you mean `rate`?"),
            ("step.ded.for", "did you mean `dead`?"),
            ("load", "not a single value"),
            ("step.dead", "not a single value"),
            ("load.rate.low", "not a single value"),
        ] {
            let message = place_of(TEXT, key).expect_err(key);
            assert!(message.contains(part), "{key}: {message}");
        }
    }

    #[test]
    fn a_combination_changes_its_values_and_nothing_else() {
        let axis = |key: &str, values: [&str; 2]| SweepAxis {
            name: key.into(),
            key: key.into(),
            values: values.map(|value| SweepValue::Text(value.into())).into(),
        };
        let (load, length) = (axis("load.rate", ["70/s", "80/s"]), axis("step.slow.for", ["3s", "40s"]));
        let source = Source { path: "x.toml".into(), text: TEXT.into() };
        let values = [(&load, &load.values[1]), (&length, &length.values[1])];
        let edited = edited(&source, values).expect("both are there").text;
        assert_eq!(edited, TEXT.replace("60/s", "80/s").replace("\"1s\"", "\"40s\""));
        let holds = "errors(all) < 1%".parse().expect("a claim");
        let sweep = Sweep { holds, replications: 1, axes: vec![load, length] };
        assert_eq!(sweep.combinations(), [[0, 0], [0, 1], [1, 0], [1, 1]]);
    }
}
