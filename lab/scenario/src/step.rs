//! `[[step]]`: what happens when, to whom.

use std::ops::Range;

use policy::units::Span;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::{Phase, Step, ns};
use crate::place::remove;
use crate::read::Reader;
use crate::source::unknown;

/// Keys of every step.
const STEP: [&str; 6] = ["id", "in", "at", "do", "on", "for"];
/// Keys of a step that choose which calls are hit.
const MATCH: [&str; 5] = ["share", "share_of", "every", "first", "route"];

impl Reader<'_> {
    pub(crate) fn steps(&mut self, top: &mut DeTable<'_>, phases: &[Phase]) -> Vec<Step> {
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
}
