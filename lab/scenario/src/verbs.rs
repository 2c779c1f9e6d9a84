//! Reads `do = ".."` of a step and the fields of its verb.

use std::collections::btree_map::Entry;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::action::{self, Action, Reconfigure};
use crate::declared::ExpectationRole;
use crate::edge_policies::edge_name;
use crate::reader::Reader;
use crate::source::{Source, unknown};
use crate::tokens::{Token, find_key, find_string, tokens};

impl Reader<'_> {
    /// Reads the verb and its fields. What is out of range is reported, and the action returned all the same, so that
    /// the rest of the step is checked, too.
    pub(crate) fn action(
        &mut self,
        mut table: DeTable<'_>,
        span: Range<usize>,
        has_unknown_keys: bool,
        number: u32,
        source: &Source,
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
        let is_fault = fault::Fault::names().contains(&verb.as_str());
        if !is_fault && !action::verbs().any(|known| known == verb) {
            self.report(place, unknown("verb", &verb, verbs));
            return None;
        }
        self.promotion(&mut table, source);
        if !is_fault {
            table.remove("do");
        }
        let value = Spanned::new(span, DeValue::Table(table));
        let inside = tokens(&value, &value.span());
        let mut action = match verb.as_str() {
            _ if is_fault => self.value_after_unknown_keys(value, has_unknown_keys).map(Action::Fault),
            "scale" => self.value_after_unknown_keys(value, has_unknown_keys).map(Action::Scale),
            "autoscale" => self.value_after_unknown_keys(value, has_unknown_keys).map(Action::Autoscale),
            "deploy" => self
                .value_after_unknown_keys(value, has_unknown_keys)
                .map(|deploy| Action::Deploy(Box::new(deploy))),
            "drain" => self.value_after_unknown_keys(value, has_unknown_keys).map(Action::Drain),
            "reconfigure" => self.value_after_unknown_keys(value, has_unknown_keys).map(Action::Reconfigure),
            "load" => self.value_after_unknown_keys(value, has_unknown_keys).map(Action::Load),
            _ => self.value_after_unknown_keys(value, has_unknown_keys).map(Action::Rollback),
        }?;
        for message in action.diagnostics() {
            let key = message.split(':').next().unwrap_or_default();
            let at = find_key(&inside, key).unwrap_or(place.clone());
            self.report(at, message);
        }
        match &mut action {
            Action::Reconfigure(change) => self.reconfigured(change, number, &inside, &place),
            Action::Load(_) => self.surge_places.push(find_key(&inside, "by").unwrap_or(place)),
            Action::Rollback(back) => {
                let at = find_string(&inside, &back.of).unwrap_or(place);
                self.rollbacks.push((back.of.clone(), number, at));
            }
            _ => {}
        }
        Some(action)
    }

    /// Checks the policies that a step brings in, each at its edge, and calls the edges as a run does.
    fn reconfigured(
        &mut self,
        change: &mut Reconfigure,
        number: u32,
        inside: &[Token],
        place: &Range<usize>,
    ) {
        for (written, policy) in std::mem::take(&mut change.policy) {
            let at = find_key(inside, &written).unwrap_or(place.clone());
            let before = self.diagnostics.len();
            let diagnostics = self.policy_edge(&written, &at);
            // An edge that nothing calls has no caller to be missed.
            if self.diagnostics.len() == before {
                self.reconfigured_edges.push((edge_name(&written), number, at.clone()));
            }
            for message in diagnostics(&policy) {
                self.report(at.clone(), format!("policy `{written}`: {message}"));
            }
            if policy.connections.is_some() {
                self.connection_places.push(find_key(inside, "connections").unwrap_or(at.clone()));
            }
            match change.policy.entry(edge_name(&written)) {
                Entry::Vacant(entry) => {
                    entry.insert(policy);
                }
                Entry::Occupied(entry) => {
                    let text = format!("duplicate policy of `{}`; write its keys in one table", entry.key());
                    self.report(at, text);
                }
            }
        }
    }

    /// Reads `strategy = { promote_if = ".." }` as the expectation it is; with mistakes it is reported and removed.
    fn promotion(&mut self, table: &mut DeTable<'_>, source: &Source) {
        let Some(strategy) = table.get_mut("strategy") else { return };
        let DeValue::Table(strategy) = strategy.get_mut() else { return };
        let Some(value) = strategy.get("promote_if") else { return };
        if let DeValue::String(text) = value.get_ref() {
            let text = Spanned::new(value.span(), text.clone());
            if self.expectation(&text, source, ExpectationRole::Promotion).is_none() {
                strategy.remove("promote_if");
            }
        }
    }
}
