//! `[scale]`: the size at which a scenario is simulated, beyond what one machine runs.
//!
//! A scenario that has it is never run live: what it names are hosts, zones and networks that are not here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use contract::ProcessPlan;
use policy::NetworkOptions;
use policy::units::Rate;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::de::DeTable;
use traffic::load::{Load, Model, Rates};

use crate::reader::Reader;
use crate::source::unknown;
use crate::tokens::{Token, find_key, find_string, remove, tokens, within};

/// Copies in all, and hosts: ten times as many as take a prediction minutes.
const MAX_COPIES: u32 = 100_000;
/// More cores than one machine has.
const MAX_CORES: u32 = 1_024;
/// Users who wait and think at once: as many requests as a simulation holds.
const MAX_USERS: u32 = 1_000_000;
/// Cores of a host, where nothing else is written: those of a small virtual machine.
const CORES: u32 = 4;
/// In `copies`: every process that is not named.
const OTHERS: &str = "*";

/// The size at which a scenario is simulated.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SystemScale {
    /// Highest rate of an open load, arrivals per second and arm: all its rates grow alike.
    pub rate: Option<Rate>,
    /// Users of a closed loop.
    #[schemars(range(min = 1, max = MAX_USERS))]
    pub users: Option<u32>,
    /// Copies of a process of the topologies; `*` for those not named. As many as the topology has where neither stands here.
    pub copies: BTreeMap<String, u32>,
    /// Hosts of each arm, to which copies are dealt out in turn; one for each copy unless set.
    #[schemars(range(min = 1, max = MAX_COPIES))]
    pub hosts: Option<u32>,
    /// Cores of each host, and threads of each copy that serve requests.
    #[schemars(range(min = 1, max = MAX_CORES))]
    pub cores: u32,
    /// Failure zones, to which hosts are dealt out in turn.
    pub zones: Vec<String>,
    /// Regions, and the zones of each; all zones are in one where there is none.
    pub regions: BTreeMap<String, Vec<String>>,
    /// What lies between processes.
    pub links: Links,
}

/// All copies of a process in a zone.
#[derive(Clone, Debug)]
pub struct CopyGroup<'p> {
    /// See [`SystemScale::group_name`].
    pub name: String,
    /// The process.
    pub process: &'p ProcessPlan,
    /// How many they are.
    pub copies: u32,
}

impl CopyGroup<'_> {
    /// Whether they stand in a zone.
    pub fn is_in(&self, zone: &str) -> bool {
        self.name.split_once('@').is_some_and(|(_, other)| other == zone)
    }
}

/// What lies between two processes, by how far they are from each other; what is not written is as the next nearer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// On one host.
    pub processes: Option<NetworkOptions>,
    /// On hosts of one zone; users are no further from any process.
    pub hosts: Option<NetworkOptions>,
    /// In zones of one region.
    pub zones: Option<NetworkOptions>,
    /// In different regions.
    pub regions: Option<NetworkOptions>,
}

impl Default for SystemScale {
    fn default() -> Self {
        Self {
            rate: None,
            users: None,
            copies: BTreeMap::new(),
            hosts: None,
            cores: CORES,
            zones: Vec::new(),
            regions: BTreeMap::new(),
            links: Links::default(),
        }
    }
}

impl Links {
    /// Each of them, the nearest first, with its key.
    fn named(&self) -> [(&'static str, Option<NetworkOptions>); 4] {
        [
            ("processes", self.processes),
            ("hosts", self.hosts),
            ("zones", self.zones),
            ("regions", self.regions),
        ]
    }

    /// The nearest first: on one host, in one zone, in one region, across regions. `declared` is the scenario's `[network]`,
    /// which lies between processes of one host where nothing else is written.
    pub fn by_distance(&self, declared: NetworkOptions) -> [NetworkOptions; 4] {
        let mut nearer = declared;
        self.named().map(|(_, link)| {
            nearer = link.unwrap_or(nearer);
            nearer
        })
    }
}

impl SystemScale {
    /// Its keys in a scenario.
    pub const KEYS: [&str; 8] = ["rate", "users", "copies", "hosts", "cores", "zones", "regions", "links"];

    /// Copies of a process.
    pub fn copies_of(&self, process: &ProcessPlan) -> u32 {
        if process.registry {
            return process.replicas;
        }
        let named = self.copies.get(&process.name).or_else(|| self.copies.get(OTHERS));
        named.copied().unwrap_or(process.replicas)
    }

    /// Processes with the copies that they have at this size.
    pub fn sized(&self, processes: &[ProcessPlan]) -> Vec<ProcessPlan> {
        let sized =
            |process: &ProcessPlan| ProcessPlan { replicas: self.copies_of(process), ..process.clone() };
        processes.iter().map(sized).collect()
    }

    /// The name of all copies of a process in a zone: `feed@a`, or `feed` where there are no zones.
    pub fn group_name(process: &str, zone: Option<&str>) -> String {
        zone.map_or_else(|| process.to_owned(), |zone| format!("{process}@{zone}"))
    }

    /// Copies of each process by zone; `processes` have those of this size.
    pub fn groups<'p>(&self, processes: &'p [ProcessPlan]) -> Vec<CopyGroup<'p>> {
        let all: u32 = processes.iter().map(|process| process.replicas).sum();
        let copies = processes.iter().flat_map(|process| (0..process.replicas).map(move |_| process));
        let mut groups: Vec<CopyGroup<'p>> = Vec::new();
        let mut known: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
        for (process, number) in copies.zip(0..) {
            let zone = self.zone_of(self.host_of(number, all));
            let at = *known.entry((&process.name, zone)).or_insert_with(|| {
                groups.push(CopyGroup { name: Self::group_name(&process.name, zone), process, copies: 0 });
                groups.len() - 1
            });
            groups[at].copies += 1;
        }
        groups
    }

    /// The host of a copy, by its number among all copies of the arm, of which there are `all`.
    pub fn host_of(&self, copy: u32, all: u32) -> u32 {
        copy % self.hosts.unwrap_or(all).max(1)
    }

    /// The zone of a host; none where there are no zones.
    pub fn zone_of(&self, host: u32) -> Option<&str> {
        let count = u32::try_from(self.zones.len()).unwrap_or(u32::MAX);
        (count > 0).then(|| self.zones[(host % count) as usize].as_str())
    }

    /// The region of a zone; none where there are no regions.
    pub fn region_of(&self, zone: &str) -> Option<&str> {
        let holds = |(_, zones): &(&String, &Vec<String>)| zones.iter().any(|other| other == zone);
        self.regions.iter().find(holds).map(|(region, _)| region.as_str())
    }

    /// The load at this size.
    pub fn load(&self, load: &Load) -> Load {
        let mut sized = load.clone();
        if let Some(rate) = self.rate {
            let declared = load.rate.peak();
            if declared > 0.0 {
                sized.rate = load.rate.times(rate.get() / declared);
            }
        }
        if let (Some(count), Some(users)) = (self.users, &mut sized.users) {
            users.count = count;
        }
        sized
    }

    /// What is wrong with it by itself, each sentence with the key first.
    fn diagnostics(&self) -> Vec<String> {
        let mut found = Vec::new();
        let outside = |count: u32, most: u32| !(1..=most).contains(&count);
        for (name, count) in self.copies.iter().filter(|(_, count)| outside(**count, MAX_COPIES)) {
            found.push(format!("copies: `{name}` = {count} is out of range; write 1 to {MAX_COPIES}"));
        }
        if let Some(hosts) = self.hosts.filter(|hosts| outside(*hosts, MAX_COPIES)) {
            found.push(format!("hosts: {hosts} is out of range; write 1 to {MAX_COPIES}"));
        }
        if outside(self.cores, MAX_CORES) {
            found.push(format!("cores: {} is out of range; write 1 to {MAX_CORES}", self.cores));
        }
        if let Some(users) = self.users.filter(|users| outside(*users, MAX_USERS)) {
            found.push(format!("users: {users} is out of range; write 1 to {MAX_USERS}"));
        }
        if self.rate.is_some_and(|rate| rate.get() <= 0.0) {
            found.push("rate: 0 would offer nothing; write for example \"100000/s\"".to_owned());
        }
        for (key, link) in self.links.named() {
            let wrong = link.iter().flat_map(NetworkOptions::diagnostics);
            found.extend(wrong.map(|sentence| format!("links: `{key}`: {sentence}")));
        }
        for (key, link, parts) in [
            ("zones", self.links.zones, self.zones.len()),
            ("regions", self.links.regions, self.regions.len()),
        ] {
            if link.is_some() && parts < 2 {
                found.push(format!(
                    "links: `{key}`: nothing lies between fewer than two {key}; write another, or leave it out"
                ));
            }
        }
        let hosts = self.hosts.filter(|hosts| *hosts > 0).map_or(usize::MAX, |hosts| hosts as usize);
        for zone in self.zones.iter().skip(hosts) {
            found.push(format!(
                "zones: `{zone}` has none of the {hosts} hosts; write more hosts, or fewer zones"
            ));
        }
        found.extend(self.zone_diagnostics());
        found
    }

    fn zone_diagnostics(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut known = BTreeSet::new();
        for zone in self.zones.iter().filter(|zone| !known.insert(zone.as_str())) {
            found.push(format!("zones: `{zone}` stands there twice; write another name"));
        }
        let mut placed: BTreeMap<&str, &str> = BTreeMap::new();
        for (region, zones) in &self.regions {
            for zone in zones {
                if !known.contains(zone.as_str()) {
                    let message = unknown("zone", zone, known.iter().copied());
                    found.push(format!("regions: {message}"));
                } else if let Some(other) = placed.insert(zone, region) {
                    found.push(format!("regions: `{zone}` is in `{other}` and in `{region}`; leave one out"));
                }
            }
        }
        if !self.regions.is_empty() {
            for zone in known.iter().filter(|zone| !placed.contains_key(**zone)) {
                found.push(format!("regions: `{zone}` is in none; write it in one of them"));
            }
        }
        found
    }

    /// What of the load does not go with it, each sentence with the key first.
    fn load_diagnostics(&self, load: &Load) -> Vec<String> {
        let mut found = Vec::new();
        if self.rate.is_some() {
            if load.model == Model::Closed {
                found.push("rate: users of a closed loop decide how many arrive; write `users`".to_owned());
            } else if matches!(load.rate, Rates::OfSlowest(_)) || load.trace.is_some() {
                let form = "write an absolute rate in [load], such as \"100/s\"";
                found.push(format!("rate: grows no share of a capacity, and no trace; {form}"));
            }
        }
        if self.users.is_some() && load.model != Model::Closed {
            found.push("users: the load is open and has no number of users; write `rate`".to_owned());
        }
        found
    }
}

impl Reader<'_> {
    /// Reads `[scale]` behind the load and the topologies, whose copies it replaces.
    pub(crate) fn scale(&mut self, top: &mut DeTable<'_>, load: Option<&Load>) -> Option<SystemScale> {
        let value = remove(top, "scale")?;
        let span = value.span();
        let inside = tokens(&value, &span);
        let (value, has_unknown_keys) = self.known_keys(value, &SystemScale::KEYS);
        let (scale, removed): (SystemScale, Vec<String>) = self.value_in_part(value, has_unknown_keys)?;
        let is_read = |sentence: &String| {
            let key = sentence.split(':').next().unwrap_or_default();
            !removed.iter().any(|removed| removed == key)
        };
        let mut sentences = scale.diagnostics();
        sentences.extend(load.into_iter().flat_map(|load| scale.load_diagnostics(load)));
        for sentence in sentences.into_iter().filter(is_read) {
            self.report(place_of(&inside, &sentence).unwrap_or(span.clone()), sentence);
        }
        for zone in &scale.zones {
            self.check_name("zone", zone, find_string(&inside, zone).unwrap_or(span.clone()));
        }
        self.check_copies_at_scale(&scale, &inside, &span);
        if self.declared.zones.is_empty() {
            self.declared.zones.clone_from(&scale.zones);
        } else {
            let text = "topologies have zones of their own; write those of the size at which it is simulated in [scale]";
            self.report(find_key(&inside, "zones").unwrap_or(span), text);
        }
        removed.is_empty().then_some(scale)
    }

    /// Reports copies of processes that no topology has, and arms of too many. Steps may then name the others.
    fn check_copies_at_scale(&mut self, scale: &SystemScale, inside: &[Token], span: &Range<usize>) {
        let mut all: BTreeMap<String, u32> = BTreeMap::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for copies in &mut self.declared.copies {
            copies.process.replicas = scale.copies_of(&copies.process);
            let sum = all.entry(copies.topology.clone()).or_default();
            *sum = sum.saturating_add(copies.process.replicas);
            if !copies.process.registry {
                known.insert(copies.process.name.clone());
            }
        }
        let place = |name: &str| find_key(inside, name).unwrap_or(span.clone());
        // Where a topology has mistakes, its processes are not known.
        if !known.is_empty() {
            let names = scale.copies.keys().filter(|name| *name != OTHERS && !known.contains(*name));
            let choices = || known.iter().map(String::as_str).chain([OTHERS]);
            let unknown: Vec<_> =
                names.map(|name| (place(name), unknown("process name", name, choices()))).collect();
            unknown.into_iter().for_each(|(place, message)| self.report(place, message));
        }
        for (topology, copies) in all.into_iter().filter(|(_, copies)| *copies > MAX_COPIES) {
            let text =
                format!("copies: {copies} in all in `{topology}`; write at most {MAX_COPIES} together");
            self.report(place("copies"), text);
        }
    }
}

/// The place of a sentence: what it quotes, within the key that it begins with.
fn place_of(inside: &[Token], sentence: &str) -> Option<Range<usize>> {
    let key = sentence.split(':').next().unwrap_or_default();
    let place = find_key(inside, key)?;
    let behind = within(inside, &(place.start..usize::MAX));
    let find = |quoted| find_string(&behind, quoted).or_else(|| find_key(&behind, quoted));
    sentence.split('`').nth(1).and_then(find).or(Some(place))
}

#[cfg(test)]
mod tests {
    use policy::units::HumanDuration;

    use super::*;

    #[test]
    fn a_link_that_is_not_written_is_as_the_next_nearer() {
        let rtt = |ms| NetworkOptions { rtt: HumanDuration::from_millis(ms), ..NetworkOptions::default() };
        let links = Links { hosts: Some(rtt(1)), regions: Some(rtt(80)), ..Links::default() };
        assert_eq!(links.by_distance(rtt(0)), [rtt(0), rtt(1), rtt(1), rtt(80)]);
    }

    #[test]
    fn copies_are_dealt_out_to_hosts_and_hosts_to_zones() {
        let zones = ["a", "b", "c"].map(str::to_owned).to_vec();
        let scale = SystemScale { hosts: Some(6), zones, ..SystemScale::default() };
        let zone = |copy| scale.zone_of(scale.host_of(copy, 20));
        assert_eq!([0, 1, 2, 3, 6, 7].map(zone), ["a", "b", "c", "a", "a", "b"].map(Some));
        assert_eq!(SystemScale::default().zone_of(3), None);
    }
}
