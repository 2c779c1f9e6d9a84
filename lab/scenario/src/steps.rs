//! Reads `[[step]]`: timed actions and their targets.

use std::ops::Range;

use fault::{Pattern, Target, TargetKind};
use policy::units::HumanDuration;
use scorecard::Expectation;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::action::{self, Action};
use crate::read::{Reader, Value};
use crate::scenario::{Phase, Pick, Step, ns};
use crate::source::{Source, unknown};
use crate::tokens::remove;

/// Keys of every step.
const STEP_KEYS: [&str; 10] = ["id", "in", "at", "do", "on", "for", "pick", "ramp", "until", "symptom"];
/// Keys of a partition, instead of `on`.
const PARTITION_KEYS: [&str; 2] = ["from", "to"];
/// Keys of a step that select calls.
const MATCH_KEYS: [&str; 5] = ["share", "share_of", "every", "first", "route"];

impl Reader<'_> {
    pub(crate) fn steps(&mut self, top: &mut DeTable<'_>, phases: &[Phase], source: &Source) -> Vec<Step> {
        let Some(value) = remove(top, "step") else { return Vec::new() };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.report(span, "`step` must be an array of tables; write [[step]]");
            return Vec::new();
        };
        let mut steps: Vec<Step> = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let span = item.span();
            let DeValue::Table(table) = item.into_inner() else {
                self.report(span, "a step must be a table; write it under [[step]]");
                continue;
            };
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            steps.extend(self.step(table, span, number, phases, source));
        }
        steps
    }

    /// Reads one step. All parts are checked before the step is rejected.
    fn step(
        &mut self,
        mut table: DeTable<'_>,
        span: Range<usize>,
        number: u32,
        phases: &[Phase],
        source: &Source,
    ) -> Option<Step> {
        self.partition_sides(&mut table);
        let place = |key: &str| table.get(key).map(Spanned::span);
        let [id_place, in_place, at_place, on_place, for_place] =
            ["id", "in", "at", "on", "for"].map(|key| place(key).unwrap_or(span.clone()));
        let [has_in, has_on, has_for] = ["in", "on", "for"].map(|key| place(key).is_some());
        let verb = table.get("do").and_then(|value| value.get_ref().as_str()).unwrap_or("step").to_owned();
        let has_unknown_keys = self.unknown_step_keys(&mut table, &verb);
        let id: Option<String> = self.take(&mut table, "id");
        let phase: Option<String> = self.take(&mut table, "in");
        let at: Option<String> = self.take(&mut table, "at");
        let on: Option<String> = self.take(&mut table, "on");
        let length: Option<HumanDuration> = self.take(&mut table, "for");
        let ramp: Option<HumanDuration> = self.take(&mut table, "ramp");
        let pick = remove(&mut table, "pick").and_then(|value| self.pick(&value));
        let until = remove(&mut table, "until").and_then(|value| self.condition(value, source));
        let symptom = remove(&mut table, "symptom").and_then(|value| self.condition(value, source));
        let mut chosen = DeTable::new();
        for key in MATCH_KEYS {
            if let Some((name, value)) = table.remove_entry(key) {
                chosen.insert(name, value);
            }
        }
        let matching: Option<fault::Match> = self.value(Spanned::new(span.clone(), DeValue::Table(chosen)));
        let action = self.action(table, span.clone(), has_unknown_keys);

        let id = id.unwrap_or_else(|| format!("{verb}-{number}"));
        if self.declared.steps.contains(&id) {
            self.report(id_place, format!("duplicate step `{id}`; write another id"));
        }
        self.declared.steps.push(id.clone());
        if !has_in {
            self.report(span.clone(), "the step has no phase; write for example in = \"steady\"");
        }
        let start_time =
            phase.and_then(|phase| self.start_time(&phase, in_place, at.as_deref(), at_place, phases));
        let needs_target = action.as_ref().is_none_or(Action::has_target);
        if !has_on && needs_target {
            self.report(
                span.clone(),
                "the step has no target; write for example on = \"photo\" or on = \"feed->follower\"",
            );
        }
        let target = on.as_deref().and_then(|on| self.target(on, on_place.clone()));
        let action = action?;
        match (has_for, action.lasts()) {
            (true, false) => self.report(for_place, format!("`{verb}` is instantaneous; remove `for`")),
            (false, true) => self.report(
                span.clone(),
                format!(
                    "`{verb}` needs a duration, after which it ends by itself; write for example for = \"5s\""
                ),
            ),
            _ => {}
        }
        let ramp_ns = ramp.map_or(0, ns);
        if ramp_ns > length.map_or(0, ns) {
            self.report(
                span.clone(),
                "the ramp is longer than the step; write a shorter `ramp` or a longer `for`",
            );
        }
        if let Some(target) = &target
            && let Err(message) = accepts(&action, *target)
        {
            self.report(on_place, message);
        }
        if needs_target {
            target?;
        }
        let (phase, start_ns) = start_time?;
        Some(Step {
            number,
            id,
            phase,
            start_ns,
            length_ns: length.map_or(0, ns),
            action,
            matching: matching?,
            target,
            on: on.unwrap_or_else(|| "users".to_owned()),
            pick,
            ramp_ns,
            until,
            symptom,
        })
    }

    /// Removes and reports keys that the verb does not have: serde would reject the tagged table as a
    /// whole, without the place of the key. Returns whether there were any.
    fn unknown_step_keys(&mut self, table: &mut DeTable<'_>, verb: &str) -> bool {
        let Some(fields) = action::fields(verb) else { return false };
        let known: Vec<&str> = STEP_KEYS.iter().chain(fields).chain(&MATCH_KEYS).copied().collect();
        let unknown_keys: Vec<(String, Range<usize>)> = table
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
            .map(|key| (key.get_ref().to_string(), key.span()))
            .collect();
        for (key, span) in &unknown_keys {
            table.remove(key.as_str());
            self.report(span.clone(), unknown("key", key, known.iter().copied()));
        }
        !unknown_keys.is_empty()
    }

    /// Index of the step's phase, and its start, ns since the load's start.
    fn start_time(
        &mut self,
        phase: &str,
        in_place: Range<usize>,
        at: Option<&str>,
        at_place: Range<usize>,
        phases: &[Phase],
    ) -> Option<(usize, u64)> {
        let offset = match at.map(|text| text.strip_prefix('+').unwrap_or(text).parse::<HumanDuration>()) {
            None => Some(0),
            Some(Ok(offset)) => Some(ns(offset)),
            Some(Err(_)) => {
                let written = at.unwrap_or_default();
                let message = format!(
                    "invalid offset `{written}`: expected a duration from the phase's start, e.g. at = \"+2s\""
                );
                self.report(at_place.clone(), message);
                None
            }
        };
        let Some(index) = phases.iter().position(|p| p.name == phase) else {
            let names = self.declared.phases.clone();
            // If the file declares no phase, that is reported already.
            if !names.is_empty() && !names.iter().any(|name| name == phase) {
                self.report(in_place, unknown("phase", phase, names.iter().map(String::as_str)));
            }
            return None;
        };
        let offset = offset?;
        if offset >= ns(phases[index].length) {
            let length = phases[index].length;
            let message = format!(
                "the step begins after the end of phase `{phase}`, which lasts {length}; write a smaller `at`"
            );
            self.report(at_place, message);
            return None;
        }
        let before: u64 = phases[..index].iter().map(|p| ns(p.length)).sum();
        Some((index, before + offset))
    }

    /// Turns `from = "zone:a", to = "zone:b"` of a partition into the edge `zone:a->zone:b`.
    fn partition_sides(&mut self, table: &mut DeTable<'_>) {
        let verb = table.get("do").and_then(|value| value.get_ref().as_str()).unwrap_or_default();
        if verb != "partition" || PARTITION_KEYS.iter().all(|side| !table.contains_key(*side)) {
            return;
        }
        let written = PARTITION_KEYS.map(|side| {
            let value = remove(table, side)?;
            Some((value.get_ref().as_str()?.to_owned(), value.span()))
        });
        match written {
            [Some((from, span)), Some((to, _))] => {
                let key = Spanned::new(span.clone(), "on".into());
                table.insert(key, Spanned::new(span, DeValue::String(format!("{from}->{to}").into())));
            }
            [Some((_, span)), None] | [None, Some((_, span))] => {
                self.report(span, "a partition needs two sides; write from = \"zone:a\" and to = \"zone:b\"");
            }
            [None, None] => {}
        }
    }

    /// `pick = 1` or `pick = "50%"`.
    fn pick(&mut self, value: &Value<'_>) -> Option<Pick> {
        let wrong = "invalid `pick`: expected a number of instances, at least 1, or a share such as \"50%\"";
        let picked = match value.get_ref() {
            DeValue::Integer(_) => {
                self.value::<u32>(value.clone()).filter(|count| *count > 0).map(Pick::Count)
            }
            DeValue::String(text) => {
                let share = text.parse::<policy::units::Ratio>().ok().filter(|share| share.get() > 0.0);
                share.map(|share| Pick::Share(share.get()))
            }
            _ => None,
        };
        if picked.is_none() {
            self.report(value.span(), wrong);
        }
        picked
    }

    fn condition(&mut self, value: Value<'_>, source: &Source) -> Option<Expectation> {
        let span = value.span();
        match value.into_inner() {
            DeValue::String(text) => self.expectation(&Spanned::new(span, text), source),
            _ => {
                self.report(span, "a condition must be a string; write for example \"errors(all) > 50%\"");
                None
            }
        }
    }

    fn action(
        &mut self,
        mut table: DeTable<'_>,
        span: Range<usize>,
        has_unknown_keys: bool,
    ) -> Option<Action> {
        let verbs: Vec<&str> = action::verbs().collect();
        let Some(value) = table.get("do") else {
            self.report(
                span,
                format!("the step has no verb; write for example do = \"kill\"; verbs: {}", verbs.join(", ")),
            );
            return None;
        };
        let place = value.span();
        let Some(verb) = value.get_ref().as_str().map(str::to_owned) else {
            self.report(place, format!("`do` must be a string; verbs: {}", verbs.join(", ")));
            return None;
        };
        if fault::Fault::names().contains(&verb.as_str()) {
            return self
                .value_after_unknown_keys(Spanned::new(span, DeValue::Table(table)), has_unknown_keys)
                .map(Action::Fault);
        }
        table.remove("do");
        let rest = Spanned::new(span, DeValue::Table(table));
        match verb.as_str() {
            "scale" => self.value_after_unknown_keys(rest, has_unknown_keys).map(Action::Scale),
            "deploy" => self
                .value_after_unknown_keys(rest, has_unknown_keys)
                .map(|deploy| Action::Deploy(Box::new(deploy))),
            "drain" => self.value_after_unknown_keys(rest, has_unknown_keys).map(Action::Drain),
            "reconfigure" => {
                let change: action::Reconfigure = self.value_after_unknown_keys(rest, has_unknown_keys)?;
                for (edge, policy) in &change.policy {
                    let diagnostics = self.policy_edge(edge, &place);
                    for message in diagnostics(policy) {
                        self.report(place.clone(), format!("policy `{edge}`: {message}"));
                    }
                }
                Some(Action::Reconfigure(change))
            }
            "load" => self.value_after_unknown_keys(rest, has_unknown_keys).map(Action::Load),
            "rollback" => self.value_after_unknown_keys(rest, has_unknown_keys).map(Action::Rollback),
            _ => {
                self.report(place, unknown("verb", &verb, verbs));
                None
            }
        }
    }

    fn target(&mut self, on: &str, span: Range<usize>) -> Option<Target> {
        let target: Target = match on.parse() {
            Ok(target) => target,
            Err(error) => {
                self.report(span, error.to_string());
                return None;
            }
        };
        let before = self.diagnostics.len();
        for pattern in target.patterns() {
            self.check_pattern(pattern, target, &span);
        }
        (self.diagnostics.len() == before).then_some(target)
    }

    fn check_pattern(&mut self, pattern: Pattern, target: Target, span: &Range<usize>) {
        if let Some(zone) = pattern.zone() {
            let zones = self.declared.zones.clone();
            if !zones.iter().any(|other| other == zone.as_str()) {
                self.report(span.clone(), unknown("zone", zone.as_str(), zones.iter().map(String::as_str)));
            }
            return;
        }
        let Some(name) = pattern.name() else { return };
        match target {
            Target::Store(_) => self.check_component(span.clone(), name.as_str(), &[]),
            Target::Cache(_) => {
                self.check_component(span.clone(), name.as_str(), &[]);
                let cached = self.declared.cached.iter().any(|other| other == name.as_str());
                if !cached && self.components.contains(&name) {
                    let message = format!(
                        "`{name}` has no cache; write [service.{name}] with cache = {{ ttl = \"60s\" }}"
                    );
                    self.report(span.clone(), message);
                }
            }
            Target::Edge { .. } => {
                self.check_component(span.clone(), name.as_str(), &["gateway", "registry"])
            }
            Target::Node(_) | Target::Host => {
                let processes = self.declared.processes.clone();
                let mut others: Vec<&str> = processes.iter().map(String::as_str).collect();
                others.extend(["gateway", "registry", "broker"]);
                others.sort_unstable();
                others.dedup();
                others.retain(|other| self.components.iter().all(|component| component.as_str() != *other));
                self.check_component(span.clone(), name.as_str(), &others);
            }
        }
    }

    /// Reports `name` unless it is a component or one of the `others`.
    pub(crate) fn check_component(&mut self, span: Range<usize>, name: &str, others: &[&str]) {
        let known: Vec<&str> =
            self.components.iter().map(|c| c.as_str()).chain(others.iter().copied()).collect();
        if !known.contains(&name) {
            self.report(span, unknown("component", name, known));
        }
    }
}

/// Whether an action can act on a target.
fn accepts(action: &Action, target: Target) -> Result<(), String> {
    match action {
        Action::Fault(fault) => fault.accepts(&target),
        _ if target.kind() == TargetKind::Node => Ok(()),
        _ => Err(format!("`{target}` has no instances; name a component such as `photo`")),
    }
}
