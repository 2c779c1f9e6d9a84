//! Reads `[[step]]`: timed actions and their targets.

use std::ops::Range;
use std::time::Duration;

use contract::placement::MAX_REPLICAS;
use fault::Fault;
use policy::units::HumanDuration;
use scorecard::Expectation;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::action::{self, Action};
use crate::claims::JudgedParts;
use crate::declared::{ExpectationRole, PlacedTarget};
use crate::optional_keys::OptionalKeys;
use crate::reader::Reader;
use crate::scenario::{Phase, Pick, Step, ns};
use crate::source::{Source, unknown};
use crate::targets;
use crate::tokens::{Value, remove};

/// Keys of every step.
const STEP_KEYS: [&str; 10] = ["id", "in", "at", "do", "on", "for", "pick", "ramp", "until", "symptom"];
/// Keys of a partition, instead of `on`.
const PARTITION_KEYS: [&str; 2] = ["from", "to"];
/// Keys of a step that select calls.
const MATCH_KEYS: [&str; 5] = ["share", "share_of", "every", "first", "route"];

/// Reports steps that end, or end what they began, after the load: nothing could be seen of it.
pub(crate) fn check_ends(reader: &mut Reader<'_>, parts: &JudgedParts<'_>) {
    let Some(phases) = parts.phases else { return };
    let end_ns: u64 = phases.iter().map(|phase| ns(phase.length)).sum();
    for step in parts.steps {
        let left = HumanDuration::from(Duration::from_nanos(end_ns.saturating_sub(step.start_ns)));
        let (lasts_ns, what, write) = match &step.action {
            Action::Deploy(deploy) if deploy.strategy.is_observed() => (
                deploy.strategy.hold_ns(),
                "what is deployed would be observed",
                "a shorter `hold`, an earlier `at`",
            ),
            Action::Fault(Fault::Kill(kill)) => (
                kill.restart.map_or(0, |restart| ns(restart.after)),
                "the process would come back",
                "a shorter `restart`, an earlier `at`",
            ),
            _ => (step.length_ns, "the step would go on", "a shorter `for`, an earlier `at`"),
        };
        if step.start_ns.saturating_add(lasts_ns) > end_ns {
            let lasts = HumanDuration::from(Duration::from_nanos(lasts_ns));
            let message = match step.action {
                Action::Fault(Fault::Kill(_)) => format!("{what} after {lasts}"),
                _ => format!("{what} for {lasts}"),
            };
            reader.report(
                step.span.clone(),
                format!("{message}, and the load ends {left} after the step begins; write {write} or a longer phase"),
            );
        }
    }
}

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
        let [id_place, in_place, at_place, on_place, for_place, table_place] =
            ["id", "in", "at", "on", "for", "table"].map(|key| place(key).unwrap_or(span.clone()));
        let [has_in, has_on, has_for] = ["in", "on", "for"].map(|key| place(key).is_some());
        self.pick_places.extend(place("pick").map(|place| (number, place)));
        let optional = OptionalKeys::of(&table);
        let verb = table.get("do").and_then(|value| value.get_ref().as_str()).unwrap_or("step").to_owned();
        let has_unknown_keys = self.unknown_step_keys(&mut table, &verb);
        let id: Option<String> = self.take(&mut table, "id");
        let phase: Option<String> = self.take(&mut table, "in");
        let at: Option<String> = self.take(&mut table, "at");
        let on: Option<String> = self.take(&mut table, "on");
        let length: Option<HumanDuration> = self.take(&mut table, "for");
        let ramp: Option<HumanDuration> = self.take(&mut table, "ramp");
        let pick = remove(&mut table, "pick").and_then(|value| self.pick(&value));
        let until = remove(&mut table, "until")
            .and_then(|value| self.condition(value, source, ExpectationRole::Until));
        let symptom = remove(&mut table, "symptom")
            .and_then(|value| self.condition(value, source, ExpectationRole::Symptom));
        let mut chosen = DeTable::new();
        for key in MATCH_KEYS {
            if let Some((name, value)) = table.remove_entry(key) {
                chosen.insert(name, value);
            }
        }
        let matching: Option<fault::Match> = self.value(Spanned::new(span.clone(), DeValue::Table(chosen)));
        let action = self.action(table, span.clone(), has_unknown_keys, number, source);

        if let Some(id) = &id {
            self.check_name("step", id, id_place.clone());
            if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
                let message = format!(
                    "`step {id}` would mean the step's number in the file; write an id with a letter"
                );
                self.report(id_place.clone(), message);
            }
        }
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
        self.targets.extend(target.map(|target| {
            let fault = action.as_ref().and_then(Action::fault);
            let target = fault.map_or(target, |fault| fault.acted_on(target));
            PlacedTarget { target, span: on_place.clone() }
        }));
        match (has_for, action::lasts_by_name(&verb)) {
            (true, Some(false)) => {
                self.report(for_place.clone(), format!("`{verb}` is instantaneous; remove `for`"));
            }
            (false, Some(true)) => self.report(
                span.clone(),
                format!(
                    "`{verb}` needs a duration, after which it ends by itself; write for example for = \"5s\""
                ),
            ),
            (true, Some(true)) if length == Some(HumanDuration::default()) => {
                self.report(for_place.clone(), format!("a `{verb}` of 0s does nothing; write for = \"5s\""));
            }
            _ => {}
        }
        let end_place = for_place.clone();
        let action = action?;
        optional.check(self, &action, &verb, target);
        self.check_table(&action, target, table_place);
        if let (Some(until), Some(length)) = (&until, length)
            && until.held_ns >= ns(length).max(1)
        {
            let message = format!(
                "the step ends after {length}, before `until` can have held so long; write a longer `for`"
            );
            self.report(for_place, message);
        }
        let ramp_ns = ramp.map_or(0, ns);
        // A length with a mistake of its own is not too short as well.
        if ramp_ns > length.map_or(0, ns) && (length.is_some() || !has_for) {
            self.report(
                span.clone(),
                "the ramp is longer than the step; write a shorter `ramp` or a longer `for`",
            );
        }
        match target.map(|target| (target, targets::accepts(&action, target))) {
            Some((_, Err(message))) => self.report(on_place, message),
            Some((target, Ok(()))) => self.check_callee(&action, target, on_place),
            None => {}
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
            span: if has_for { end_place } else { span },
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
        if let Some((on, _)) = table.get_key_value("on") {
            let place = Spanned::span(on);
            self.report(place, "a partition has `on` or `from` and `to`; remove `on`, or both of these");
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
        let wrong = format!(
            "invalid `pick`: expected a number of instances, 1 to {MAX_REPLICAS}, or a share such as \"50%\""
        );
        let picked = match value.get_ref() {
            DeValue::Integer(_) => self
                .value::<u32>(value.clone())
                .filter(|count| (1..=MAX_REPLICAS).contains(count))
                .map(Pick::Count),
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

    fn condition(&mut self, value: Value<'_>, source: &Source, role: ExpectationRole) -> Option<Expectation> {
        let span = value.span();
        match value.into_inner() {
            DeValue::String(text) => self.expectation(&Spanned::new(span, text), source, role),
            _ => {
                self.report(span, "a condition must be a string; write for example \"errors(all) > 50%\"");
                None
            }
        }
    }
}
