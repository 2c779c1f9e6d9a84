//! Reads `[expect]` and `[stop]`: what must hold, and what ends a run early.

use std::time::Duration;

use policy::units::HumanDuration;
use scorecard::Expectation;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::declared::{ExpectationRole, PlacedExpectation};
use crate::read::STOP_KEY;
use crate::reader::Reader;
use crate::scenario::{Assertion, LONGEST_RUN, Phase, Stop, ns};
use crate::source::{Source, unknown};
use crate::tokens::{Value, remove};

impl Reader<'_> {
    pub(crate) fn expectations(
        &mut self,
        top: &mut DeTable<'_>,
        source: &Source,
    ) -> (Vec<Assertion>, Vec<Assertion>) {
        let Some(value) = remove(top, "expect") else { return (Vec::new(), Vec::new()) };
        let span = value.span();
        let DeValue::Table(mut table) = value.into_inner() else {
            self.report(
                span,
                "`expect` must be a table; write [expect] and below it check = [\"errors(all) < 1%\"]",
            );
            return (Vec::new(), Vec::new());
        };
        let valid = self.assertions(&mut table, "valid", source);
        let check = self.assertions(&mut table, "check", source);
        for key in table.keys() {
            self.report(key.span(), unknown("list", key.get_ref(), ["valid", "check"]));
        }
        (valid, check)
    }

    fn assertions(&mut self, table: &mut DeTable<'_>, key: &str, source: &Source) -> Vec<Assertion> {
        let Some(value) = remove(table, key) else { return Vec::new() };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.report(span, format!("`{key}` must be a list; write {key} = [\"errors(all) < 1%\"]"));
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
                    self.report(key.span(), unknown("key", key.get_ref(), ["that", "why"]));
                }
                match that.map(|value| (value.span(), value.into_inner())) {
                    Some((span, DeValue::String(text))) => (Spanned::new(span, text), why),
                    _ => {
                        self.report(span, "an expectation needs `that`; write { that = \"errors(all) < 1%\", why = \"..\" }");
                        return None;
                    }
                }
            }
            _ => {
                self.report(span, "an expectation must be a string, or { that = \"..\", why = \"..\" }");
                return None;
            }
        };
        let that = self.expectation(&text, source, ExpectationRole::Claim)?;
        let line = u32::try_from(source.position(text.span().start).0).unwrap_or(0);
        Some(Assertion { that, why, line })
    }

    pub(crate) fn expectation(
        &mut self,
        text: &Spanned<DeString<'_>>,
        source: &Source,
        role: ExpectationRole,
    ) -> Option<Expectation> {
        let span = text.span();
        match text.get_ref().parse::<Expectation>() {
            Ok(that) => {
                self.expectations.push(PlacedExpectation { that: that.clone(), span, role });
                Some(that)
            }
            Err(error) => {
                let inside = source.inside_quotes(&span);
                // Escapes in an expectation shift the caret; they are rare enough to accept that.
                let start = (inside.start + error.at).min(inside.end);
                self.report(source.word_at(start, inside.end), error.message);
                None
            }
        }
    }

    /// `phases` are none where some have mistakes: their sum is not known then.
    pub(crate) fn stop(
        &mut self,
        top: &mut DeTable<'_>,
        source: &Source,
        phases: Option<&Vec<Phase>>,
    ) -> Stop {
        let Some(value) = remove(top, STOP_KEY) else { return Stop::default() };
        let span = value.span();
        let DeValue::Table(mut table) = value.into_inner() else {
            self.report(span, "`stop` must be a table; write [stop] and below it max = \"90s\"");
            return Stop::default();
        };
        let max_place = table.get("max").map_or(span, Spanned::span);
        let max: Option<HumanDuration> = self.take(&mut table, "max");
        if let Some(max) = max.filter(|max| max.duration() > LONGEST_RUN) {
            let longest = HumanDuration::from(LONGEST_RUN);
            let message = format!(
                "every run is stopped after {longest}, before a `max` of {max}; write a shorter one, or leave it out"
            );
            self.report(max_place.clone(), message);
        }
        if let (Some(max), Some(phases)) = (max, phases) {
            let length: Duration = phases.iter().map(|phase| phase.length.duration()).sum();
            if max.duration() < length {
                let length = HumanDuration::from(length);
                let message = format!(
                    "the run would be stopped after {max}, before its phases end at {length}; write a longer `max`"
                );
                self.report(max_place, message);
            }
        }
        let mut when = Vec::new();
        if let Some(value) = remove(&mut table, "when") {
            let span = value.span();
            match value.into_inner() {
                DeValue::Array(items) => {
                    for item in items {
                        let span = item.span();
                        match item.into_inner() {
                            DeValue::String(text) => {
                                let text = Spanned::new(span, text);
                                when.extend(self.expectation(&text, source, ExpectationRole::Stop));
                            }
                            _ => self.report(
                                span,
                                "a stop condition must be a string; write for example \"errors(all) > 50%\"",
                            ),
                        }
                    }
                }
                _ => self.report(span, "`when` must be a list; write when = [\"errors(all) > 50%\"]"),
            }
        }
        for key in table.keys() {
            self.report(key.span(), unknown("key", key.get_ref(), ["when", "max"]));
        }
        Stop { when, max_ns: max.map_or(0, ns) }
    }
}
