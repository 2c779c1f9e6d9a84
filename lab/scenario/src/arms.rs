//! Reads `[topology.T]`, `[service.S]` and the overlays of `[variant.V]`, and builds the arms.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use contract::Placement;
use policy::{NetworkOptions, Policy, ServiceOptions};
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::action::Build;
use crate::declared::{ArmName, CopyCount, ZoneMember};
use crate::edge_policies::NamedTable;
use crate::file::GroupingOptions;
use crate::reader::Reader;
use crate::scenario::Arm;
use crate::source::unknown;
use crate::tokens::{Value, find_key, find_string, find_token, remove, tokens};

/// Sections that a variant may override.
const OVERLAY_SECTIONS: [&str; 3] = ["topology", "service", "policy"];

/// The section of the network, which has no names.
const NETWORK: &str = "network";

/// `[topology.every-grouping]` stands for all groupings.
const EVERY_GROUPING: &str = "every-grouping";

/// Arms of a run have letters, upper and lower case: as many as there are groupings of five components.
pub const MAX_ARMS: usize = 52;

/// The three sections, as written or with a variant's overlay.
#[derive(Clone, Default)]
struct Sections<'i> {
    topology: Vec<NamedTable<'i>>,
    service: Vec<NamedTable<'i>>,
    policy: Vec<NamedTable<'i>>,
}

impl<'i> Sections<'i> {
    fn take(reader: &mut Reader<'_>, table: &mut DeTable<'i>) -> Self {
        Self {
            topology: reader.tables(table, OVERLAY_SECTIONS[0]),
            service: reader.tables(table, OVERLAY_SECTIONS[1]),
            policy: reader.policy_tables(table, OVERLAY_SECTIONS[2]),
        }
    }

    /// These sections overridden by `over`, key by key.
    fn overlaid_with(&self, over: Self) -> Self {
        Self {
            topology: overlay(&self.topology, over.topology),
            service: overlay(&self.service, over.service),
            policy: overlay(&self.policy, over.policy),
        }
    }
}

fn overlay<'i>(base: &[NamedTable<'i>], over: Vec<NamedTable<'i>>) -> Vec<NamedTable<'i>> {
    let mut merged = base.to_vec();
    for (name, span, value) in over {
        match merged.iter_mut().find(|(other, ..)| *other == name) {
            Some((.., below)) => merge(below, value),
            None => merged.push((name, span, value)),
        }
    }
    merged
}

/// The same for a section without names.
fn overlay_one<'i>(below: Option<Value<'i>>, over: Option<Value<'i>>) -> Option<Value<'i>> {
    match (below, over) {
        (Some(mut below), Some(over)) => {
            merge(&mut below, over);
            Some(below)
        }
        (below, over) => over.or(below),
    }
}

/// Keys of `over` replace those of `below`; nested tables are replaced as a whole.
fn merge<'i>(below: &mut Value<'i>, over: Value<'i>) {
    let span = over.span();
    match (below.get_mut(), over.into_inner()) {
        (DeValue::Table(below), DeValue::Table(over)) => {
            for (key, value) in over {
                below.remove(key.get_ref().as_ref());
                below.insert(key, value);
            }
        }
        (_, other) => *below = Spanned::new(span, other),
    }
}

/// The sections, deserialised.
struct ParsedSections {
    topologies: Vec<(String, Placement)>,
    services: BTreeMap<String, ServiceOptions>,
    policies: BTreeMap<String, Policy>,
}

impl Reader<'_> {
    /// Every variant on every topology. Mistakes in what variants share are reported once.
    pub(crate) fn arms(&mut self, top: &mut DeTable<'_>) -> Vec<Arm> {
        let is_not_a_table = top.get("topology").is_some_and(|value| value.get_ref().as_table().is_none());
        let chosen = remove(top, "arms");
        let network = remove(top, NETWORK);
        let mut base = Sections::take(self, top);
        let grouped = base.topology.iter().position(|(name, ..)| name == EVERY_GROUPING);
        let grouped = grouped.map(|at| base.topology.remove(at));
        let names: Vec<String> = base.topology.iter().map(|(name, ..)| name.clone()).collect();
        if names.is_empty() && !is_not_a_table && grouped.is_none() {
            self.report(
                0..0,
                "`[topology.NAME]` is missing; write [topology.mono] and below it processes = { app = [\"gateway\", \"*\"] }",
            );
        }
        for (name, span, _) in &base.topology {
            self.check_name("topology", name, span.clone());
        }
        let places: Vec<(String, Range<usize>)> =
            base.topology.iter().map(|(name, span, _)| (name.clone(), span.clone())).collect();
        self.declared.axes.clone_from(&names);
        let variants = self.tables(top, "variant");
        if let (Some(_), Some((variant, span, _))) = (&grouped, variants.first()) {
            let message = format!(
                "variants are laid over topologies that are written out, and over none of `{EVERY_GROUPING}`; write \
                 topologies, or the keys of [variant.{variant}] outside of it"
            );
            self.report(span.clone(), message);
        }
        let mut arm_places: Vec<(ArmName, Range<usize>)> = Vec::new();
        let of_variant = |variant: &str, place: Option<&Range<usize>>| {
            let arm = |(name, span): &(String, Range<usize>)| {
                (ArmName::new(name, variant), place.unwrap_or(span).clone())
            };
            places.iter().map(arm).collect::<Vec<_>>()
        };
        let mut arms = Vec::new();
        let plain = self.sections(base.clone());
        let plain_network = self.network(network.clone());
        if variants.is_empty() {
            arms = arms_of(&plain, "", plain_network);
            arm_places = of_variant("", None);
        }
        for (variant, span, value) in variants {
            self.check_name("variant", &variant, span.clone());
            arm_places.extend(of_variant(&variant, Some(&span)));
            if names.contains(&variant) {
                let message = format!(
                    "variant `{variant}` has the name of a topology, so expectations would be ambiguous; write another name"
                );
                self.report(span.clone(), message);
            }
            self.declared.axes.push(variant.clone());
            let DeValue::Table(mut table) = value.into_inner() else {
                self.report(
                    span,
                    format!("a variant must be a table; write [variant.{variant}.policy.\"feed->photo\"]"),
                );
                continue;
            };
            let over = Sections::take(self, &mut table);
            let telemetry = self.take(&mut table, "telemetry");
            let build_place = table.get_key_value("build").map(|(key, _)| key.span());
            let build: Option<Build> = self.take(&mut table, "build");
            match build_place {
                Some(place) if build == Some(Build::Changed) => self.report(
                    place,
                    "a variant cannot have the build `changed`: it is built for the components that steps deploy; write build = \"changed\" in a [[step]] with do = \"deploy\"",
                ),
                place => self.build_places.extend(place),
            }
            let own_network = remove(&mut table, NETWORK);
            for (name, span, _) in over.topology.iter().filter(|(name, ..)| !names.contains(name)) {
                self.report(span.clone(), unknown("topology", name, names.iter().map(String::as_str)));
            }
            if let Some(load) = remove(&mut table, "load") {
                self.report(
                    load.span(),
                    "a variant cannot change the load: arms are comparable only under the same load; write [load] once",
                );
            }
            for key in table.keys() {
                let choices = OVERLAY_SECTIONS.iter().copied().chain([NETWORK, "telemetry", "build"]);
                self.report(key.span(), unknown("section", key.get_ref(), choices));
            }
            let read = self.sections(base.overlaid_with(over));
            let network = self.network(overlay_one(network.clone(), own_network));
            let own = arms_of(&read, &variant, network).into_iter();
            arms.extend(own.map(|arm| Arm { telemetry, build, ..arm }));
        }
        if let Some((_, span, value)) = grouped {
            let before = arms.len();
            self.groupings(&mut arms, &plain, plain_network, span.clone(), value);
            arm_places.extend(arms[before..].iter().map(|arm| (ArmName::new(&arm.name, ""), span.clone())));
        }
        self.check_arm_folders(&arm_places);
        self.declared.arms = arm_places.into_iter().map(|(arm, _)| arm).collect();
        self.declared.axes.extend(arms.iter().map(|arm| arm.name.clone()));
        let mut seen = BTreeSet::new();
        self.declared.axes.retain(|axis| seen.insert(axis.clone()));
        self.remove_duplicates();
        if let Some(chosen) = chosen {
            self.select_default_arms(&mut arms, chosen);
        }
        let run = arms.iter().filter(|arm| !arm.is_opt_in).count();
        if run > MAX_ARMS {
            self.report(
                0..0,
                format!("{run} arms would be run, and a run has at most {MAX_ARMS}; write for example arms = [\"mono\", \"micro\"]"),
            );
        }
        arms
    }

    /// `arms = ["naive/mono", "budget/micro"]`: the arms that are run unless --arms names others.
    fn select_default_arms(&mut self, arms: &mut [Arm], chosen: Value<'_>) {
        let span = chosen.span();
        let DeValue::Array(items) = chosen.into_inner() else {
            self.report(span, "`arms` must be a list; write arms = [\"mono\", \"micro\"]");
            return;
        };
        if items.is_empty() {
            self.report(span, "`arms` is empty, so nothing would be run; write arms = [\"mono\", \"micro\"], or leave it out");
        }
        let mut names_wanted = Vec::new();
        for item in items {
            let span = item.span();
            let names: Vec<String> = arms.iter().map(|arm| arm.name.clone()).collect();
            match item.get_ref().as_str() {
                Some(name) if names_wanted.iter().any(|other| other == name) => {
                    self.report(span, format!("arm `{name}` is listed twice; write it once"));
                }
                Some(name) if names.iter().any(|other| other == name) => names_wanted.push(name.to_owned()),
                Some(name) if !names.is_empty() => {
                    self.report(span, unknown("arm", name, names.iter().map(String::as_str)));
                }
                Some(_) => {}
                None => self.report(span, "an arm must be a string; write its name in quotes"),
            }
        }
        let place = |arm: &Arm| names_wanted.iter().position(|name| *name == arm.name);
        arms.sort_by_key(|arm| place(arm).unwrap_or(usize::MAX));
        for arm in arms.iter_mut() {
            arm.is_opt_in = place(arm).is_none();
        }
    }

    /// Adds an arm for every way to group the components into processes; the gateway and the registry
    /// get processes of their own as soon as there are two.
    fn groupings(
        &mut self,
        arms: &mut Vec<Arm>,
        plain: &ParsedSections,
        network: NetworkOptions,
        span: Range<usize>,
        value: Value<'_>,
    ) {
        let Some(options) = self.value::<GroupingOptions>(value) else { return };
        for groups in partitions(self.components) {
            let names: Vec<String> = groups.iter().map(|group| group.join("-")).collect();
            let process = |group: &Vec<&'static str>| {
                let members: Vec<String> = group.iter().map(|name| (*name).to_owned()).collect();
                (group.join("-"), members)
            };
            let mut processes: BTreeMap<String, Vec<String>> = groups.iter().map(process).collect();
            if let [all] = groups.as_slice() {
                let members = std::iter::once("gateway").chain(all.iter().copied()).map(str::to_owned);
                processes = BTreeMap::from([("app".to_owned(), members.collect())]);
            }
            let placement = Placement { processes, carrier: options.carrier, ..Placement::default() };
            if let Err(errors) = placement.resolve(self.components) {
                self.report(
                    span.clone(),
                    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
                );
                return;
            }
            let name = names.join(".");
            arms.push(Arm {
                services: plain.services.clone(),
                policies: plain.policies.clone(),
                network,
                ..Arm::without_variant(&name, placement)
            });
        }
    }

    fn sections(&mut self, sections: Sections<'_>) -> ParsedSections {
        ParsedSections {
            topologies: self.topologies(sections.topology),
            services: self.services(sections.service),
            policies: self.policies(sections.policy),
        }
    }

    /// `[network]`; loopback where it is left out.
    fn network(&mut self, value: Option<Value<'_>>) -> NetworkOptions {
        let Some(mut value) = value else { return NetworkOptions::default() };
        if let DeValue::Table(table) = value.get_mut()
            && let Some(loss) = remove(table, "loss")
        {
            self.report(
                loss.span(),
                "no network here loses packets all the time; write a step with do = \"packet-loss\", in the kernel, or do = \"drop\", which needs nothing",
            );
        }
        let span = value.span();
        self.checked(value, span, NetworkOptions::diagnostics).unwrap_or_default()
    }

    fn topologies(&mut self, tables: Vec<NamedTable<'_>>) -> Vec<(String, Placement)> {
        let mut topologies = Vec::new();
        for (name, span, value) in tables {
            let inside = tokens(&value, &value.span());
            let Some(placement) = self.value::<Placement>(value) else {
                // Its mistake is reported, and a step that needs its broker is not a second one.
                self.declared.has_broker |= find_key(&inside, "events").is_some();
                continue;
            };
            self.declared.has_broker |= placement.has_broker();
            if let Err(errors) = placement.resolve(self.components) {
                for error in errors {
                    let place = find_token(&inside, &error.to_string()).unwrap_or(span.clone());
                    self.report(place, format!("topology `{name}`: {error}"));
                }
            }
            if let Ok(plans) = placement.resolve(self.components) {
                self.declared.processes.extend(plans.iter().map(|plan| plan.name.clone()));
                let counts = plans.into_iter().map(|process| CopyCount { topology: name.clone(), process });
                self.declared.copies.extend(counts);
            }
            self.check_processes(&placement, &|name| find_key(&inside, name).unwrap_or(span.clone()));
            for (zone, members) in &placement.zones {
                let place = find_key(&inside, zone).unwrap_or(span.clone());
                self.check_name("zone", zone, place.clone());
                let member = |member: &String| ZoneMember {
                    topology: name.clone(),
                    member: member.clone(),
                    span: find_string(&inside, member).unwrap_or(place.clone()),
                };
                self.declared.zone_members.extend(members.iter().map(member));
            }
            self.declared.zones.extend(placement.zones.keys().cloned());
            topologies.push((name, placement));
        }
        topologies
    }

    fn services(&mut self, tables: Vec<NamedTable<'_>>) -> BTreeMap<String, ServiceOptions> {
        let mut services = BTreeMap::new();
        for (name, span, value) in tables {
            let inside = tokens(&value, &value.span());
            self.check_component(span.clone(), &name, &["gateway"]);
            let diagnostics = match name.as_str() {
                "gateway" => ServiceOptions::gateway_diagnostics,
                _ => ServiceOptions::diagnostics,
            };
            if let Some(service) = self.checked(value, span.clone(), diagnostics) {
                self.check_event_keys(&name, &service, &|key| find_key(&inside, key).unwrap_or(span.clone()));
                if service.cache.is_some() {
                    self.declared.cached.push(name.clone());
                }
                services.insert(name, service);
            }
        }
        services
    }

    /// Deserialises a value and reports what its type finds wrong, each message at the key it begins with.
    pub(crate) fn checked<T: DeserializeOwned>(
        &mut self,
        value: Value<'_>,
        span: Range<usize>,
        find_problems: fn(&T) -> Vec<String>,
    ) -> Option<T> {
        let keys: Vec<(String, Range<usize>)> = match value.get_ref() {
            DeValue::Table(table) => table.iter().map(|(k, v)| (k.get_ref().to_string(), v.span())).collect(),
            _ => Vec::new(),
        };
        let (read, removed): (T, Vec<String>) = self.value_in_part(value, false)?;
        for message in find_problems(&read) {
            let key = message.split(':').next().unwrap_or_default();
            if removed.iter().any(|removed| removed == key) {
                continue;
            }
            let place =
                keys.iter().find(|(name, _)| name == key).map_or(span.clone(), |(_, place)| place.clone());
            self.report(place, message);
        }
        removed.is_empty().then_some(read)
    }

    /// Removes duplicate diagnostics: variants share most of their sections.
    fn remove_duplicates(&mut self) {
        let mut seen = Vec::new();
        self.diagnostics.retain(|diagnostic| {
            let is_new = !seen.contains(diagnostic);
            if is_new {
                seen.push(diagnostic.clone());
            }
            is_new
        });
    }
}

/// All partitions of the components, from one group to one group each: 52 of five (the Bell number).
fn partitions(components: &[contract::ComponentName]) -> Vec<Vec<Vec<&'static str>>> {
    let mut found: Vec<Vec<Vec<&'static str>>> = vec![Vec::new()];
    for component in components {
        let mut next = Vec::new();
        for groups in found {
            for at in 0..groups.len() {
                let mut joined = groups.clone();
                joined[at].push(component.as_str());
                next.push(joined);
            }
            let mut alone = groups;
            alone.push(vec![component.as_str()]);
            next.push(alone);
        }
        found = next;
    }
    found.sort_by_key(Vec::len);
    found
}

fn arms_of(read: &ParsedSections, variant: &str, network: NetworkOptions) -> Vec<Arm> {
    let arm = |(topology, placement): &(String, Placement)| Arm {
        name: if variant.is_empty() { topology.clone() } else { format!("{variant}/{topology}") },
        variant: variant.to_owned(),
        services: read.services.clone(),
        policies: read.policies.clone(),
        network,
        ..Arm::without_variant(topology, placement.clone())
    };
    read.topologies.iter().map(arm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_components_have_fifty_two_groupings() {
        let five = ["profile", "follower", "feed", "search", "photo"].map(contract::ComponentName::of);
        let all = partitions(&five);
        assert_eq!(all.len(), 52);
        assert_eq!((all[0].len(), all[51].len()), (1, 5), "from one process to five");
        let mut distinct = all.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 52);
    }
}
