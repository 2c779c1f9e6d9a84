//! What every section is read with: it collects diagnostics, and what a later check compares with other sections.

use std::ops::Range;

use contract::ComponentName;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::application::Application;
use crate::declared::{DeclaredNames, PlacedExpectation, PlacedTarget};
use crate::source::{Diagnostic, unknown};
use crate::tokens::{Value, explain_serde_error, find_token, remove, remove_covering, tokens};

/// Reads one file.
pub(crate) struct Reader<'a> {
    pub(crate) application: Application<'a>,
    pub(crate) components: &'a [ComponentName],
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) declared: DeclaredNames,
    /// All expectations of the file, with their places and roles.
    pub(crate) expectations: Vec<PlacedExpectation>,
    /// What its steps act on.
    pub(crate) targets: Vec<PlacedTarget>,
    /// Builds of variants.
    pub(crate) build_places: Vec<Range<usize>>,
    /// Where policies set how many connections calls share.
    pub(crate) connection_places: Vec<Range<usize>>,
    /// Factors of the load's steps.
    pub(crate) surge_places: Vec<Range<usize>>,
    /// Where steps pick a number of copies, by the step's number.
    pub(crate) pick_places: Vec<(u32, Range<usize>)>,
    /// Where `further_rates` stands.
    pub(crate) further_place: Option<Range<usize>>,
    /// Whether the file has the values of a combination in it, and its sweep is passed over.
    pub(crate) is_combination: bool,
    /// The edges that steps reconfigure, each with the step's number and the edge's place.
    pub(crate) reconfigured_edges: Vec<(String, u32, Range<usize>)>,
    /// The deploys that rollbacks name, each with the number of the rollback's step and the name's place.
    pub(crate) rollbacks: Vec<(String, u32, Range<usize>)>,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing yet.
    pub(crate) fn new(application: &Application<'a>) -> Self {
        Self {
            application: *application,
            components: application.components,
            diagnostics: Vec::new(),
            declared: DeclaredNames::default(),
            expectations: Vec::new(),
            targets: Vec::new(),
            build_places: Vec::new(),
            connection_places: Vec::new(),
            surge_places: Vec::new(),
            pick_places: Vec::new(),
            further_place: None,
            is_combination: false,
            reconfigured_edges: Vec::new(),
            rollbacks: Vec::new(),
        }
    }
}

impl Reader<'_> {
    /// Reports a mistake at its place.
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
        value: Value<'_>,
        has_unknown_keys: bool,
    ) -> Option<T> {
        let (read, removed) = self.value_in_part(value, has_unknown_keys)?;
        removed.is_empty().then_some(read)
    }

    /// The same, with what could be read without the keys that have mistakes, and these keys. A key that is missing then
    /// has its default, so a check of the value leaves out what concerns the removed ones.
    pub(crate) fn value_in_part<T: DeserializeOwned>(
        &mut self,
        mut value: Value<'_>,
        has_unknown_keys: bool,
    ) -> Option<(T, Vec<String>)> {
        let mut removed: Vec<String> = Vec::new();
        loop {
            let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(read) => return Some((read, removed)),
                Err(error) => error,
            };
            let missing = error.message().starts_with("missing field");
            let mut span = error.span().unwrap_or(value.span());
            // Serde places an error of a `try_from` at the whole table; the message names the value.
            if !missing && let Some(token_span) = find_token(&tokens(&value, &span), error.message()) {
                span = token_span;
            }
            // A key that is missing now may be the misspelt one, which is reported already.
            if !((!removed.is_empty() || has_unknown_keys) && missing) {
                self.report(span.clone(), explain_serde_error(error.message()));
            }
            removed.push(remove_covering(&mut value, &span)?);
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

    /// Removes unknown keys from a table and reports them; returns whether there were any.
    pub(crate) fn known_keys<'i>(&mut self, value: Value<'i>, known: &[&str]) -> (Value<'i>, bool) {
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
