//! Reads `[policy."A->B"]`, each for its edge.

use std::collections::BTreeMap;
use std::ops::Range;

use policy::{EdgePattern, Policy};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::application::Traffic;
use crate::reader::Reader;
use crate::tokens::Value;

/// A named table of a section, with the place of its name.
pub(crate) type NamedTable<'i> = (String, Range<usize>, Value<'i>);

/// How a run spells the edge of a policy; as it is written where that is no edge, which is reported elsewhere.
pub(crate) fn edge_name(written: &str) -> String {
    written.parse::<EdgePattern>().map_or_else(|_| written.to_owned(), |edge| edge.to_string())
}

impl Reader<'_> {
    /// The tables `[policy."A->B"]` by the edges that they mean: an overlay finds `feed -> photo` below `feed->photo`.
    pub(crate) fn policy_tables<'i>(&mut self, top: &mut DeTable<'i>, key: &str) -> Vec<NamedTable<'i>> {
        let mut tables: Vec<NamedTable<'i>> = Vec::new();
        for (written, span, value) in self.tables(top, key) {
            let name = edge_name(&written);
            if tables.iter().any(|(other, ..)| *other == name) {
                self.report(span, format!("duplicate policy of `{name}`; write its keys in one table"));
            } else {
                tables.push((name, span, value));
            }
        }
        tables
    }

    pub(crate) fn policies(&mut self, tables: Vec<NamedTable<'_>>) -> BTreeMap<String, Policy> {
        let mut policies = BTreeMap::new();
        for (name, span, value) in tables {
            if let DeValue::Table(table) = value.get_ref() {
                self.connection_places.extend(table.get("connections").map(Spanned::span));
            }
            let diagnostics = self.policy_edge(&name, &span);
            if let Some(policy) = self.checked(value, span, diagnostics) {
                policies.insert(name, policy);
            }
        }
        policies
    }

    /// Checks the edge a policy is written for. Answers what such a policy is checked by:
    /// at the gateway, not everything can be done that can be done between components.
    pub(crate) fn policy_edge(&mut self, name: &str, span: &Range<usize>) -> fn(&Policy) -> Vec<String> {
        match name.parse::<EdgePattern>() {
            Ok(edge) => {
                let sides = edge.to_string();
                let sides: Vec<&str> = sides.split("->").collect();
                for side in sides.iter().filter(|side| **side != "*") {
                    self.check_component(span.clone(), side, &["gateway"]);
                }
                if let [caller, callee] = sides[..] {
                    self.check_called(caller, callee, Traffic::Calls, span.clone());
                }
                if edge.is_from_gateway() { Policy::gateway_diagnostics } else { Policy::diagnostics }
            }
            Err(error) => {
                self.report(span.clone(), error.to_string());
                Policy::diagnostics
            }
        }
    }
}
