//! Registries: the lease of a process that is silent lapses, and callers learn of it; so they do when it is back.
//!
//! A live registry that sees very many leases lapse at once keeps those processes as suspects, which are asked only where no
//! other is. Here they are left out: the two differ where every copy that a caller knows has lapsed.

use policy::lease::{LEASE_NS, RENEWAL_INTERVAL_NS, lapse_ns};

use super::super::edge::{Edge, Listing};
use super::super::plan::Plan;
use super::super::process::Process;
use super::super::system::{Instance, PlanError, System};
use super::{Simulation, kind};
use crate::engine::{Draws, Event, EventQueue, random};

/// What registries list.
#[derive(Debug, Default)]
pub(super) struct Registries {
    all: Vec<Registry>,
    /// By process.
    members: Vec<Member>,
    /// Changes that callers know of.
    changes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Registry {
    /// The process that it is in.
    process: u32,
    /// How long a change takes to the callers, ns.
    watch_ns: u64,
}

/// A process, as its registry lists it.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// The number of its registry; none lists it where there is none.
    registry: Option<u32>,
    listing: Listing,
    draws: Draws,
    /// The change that is expected of it.
    armed: u32,
    /// Whether it has taken itself off the list, and leaves.
    is_leaving: bool,
}

impl Registries {
    /// Hands an edge what has changed since it was asked last.
    pub fn update(&self, edge: &mut Edge, instances: &[Instance], now_ns: u64) {
        if edge.changes() != self.changes {
            let listing = |instance: u32| self.members[instances[instance as usize].process as usize].listing;
            edge.update(self.changes, now_ns, listing);
        }
    }
}

impl<Q: EventQueue> Simulation<Q> {
    /// Adds the registries of a plan, which list every process of theirs from the start.
    pub(super) fn add_registries(&mut self, plan: &Plan, seed: u64) -> Vec<PlanError> {
        let mut errors = Vec::new();
        let mut find = |system: &System, name: &str| {
            let found = system.process(name);
            if found.is_none() {
                errors.push(PlanError(format!("a registry names unknown process `{name}`")));
            }
            found
        };
        let member = |process: &Process| Member {
            registry: None,
            listing: Listing::FIRST,
            draws: Draws::new(seed, &format!("registry/{}", random::stream(&process.name))),
            armed: 0,
            is_leaving: false,
        };
        self.registries.members = self.system.processes.iter().map(member).collect();
        for registry in &plan.registries {
            let Some(process) = find(&self.system, &registry.process) else { continue };
            let number = self.registries.all.len() as u32;
            self.registries.all.push(Registry { process, watch_ns: registry.watch_ns });
            for name in &registry.members {
                if let Some(member) = find(&self.system, name) {
                    self.registries.members[member as usize].registry = Some(number);
                }
            }
        }
        errors
    }

    fn registry_of(&self, process: u32) -> Option<Registry> {
        let number = self.registries.members[process as usize].registry?;
        Some(self.registries.all[number as usize])
    }

    /// A change of what is listed of a process becomes known after `delay_ns`, in place of any other that was expected.
    fn expect(&mut self, process: u32, delay_ns: u64, kind: u8) {
        let seq = self.events.after(delay_ns, kind, process);
        self.registries.members[process as usize].armed = seq;
    }

    /// A process renews no longer: it is dead, or stands still.
    pub(super) fn falls_silent(&mut self, process: u32) {
        let Some(registry) = self.registry_of(process) else { return };
        let now_ns = self.events.now_ns();
        let member = &mut self.registries.members[process as usize];
        if member.is_leaving {
            return;
        }
        // What it was about to announce is never heard.
        member.armed = 0;
        if member.listing.is_listed {
            let since = random::unit(member.draws.bits(now_ns)) * RENEWAL_INTERVAL_NS as f64;
            let lapses_ns = lapse_ns(now_ns.saturating_sub(since as u64));
            self.expect(process, lapses_ns.saturating_sub(now_ns) + registry.watch_ns, kind::LAPSE);
        }
    }

    /// A process runs again, as another than before where it had died.
    pub(super) fn announces_itself(&mut self, process: u32, is_new: bool) {
        self.registry_returns(process);
        let Some(registry) = self.registry_of(process) else { return };
        let member = &mut self.registries.members[process as usize];
        member.is_leaving = false;
        if is_new {
            member.listing.life += 1;
        } else if member.listing.is_listed {
            // It renews what has not lapsed.
            member.armed = 0;
            return;
        }
        if self.is_up(registry.process) {
            self.expect(process, registry.watch_ns, kind::LISTED);
        }
    }

    pub(super) fn on_lapse(&mut self, event: Event) {
        let member = &mut self.registries.members[event.index as usize];
        if member.armed != event.seq {
            return;
        }
        member.armed = 0;
        // A registry that is down finds out when it is back.
        let is_found = self.registry_of(event.index).is_some_and(|registry| self.is_up(registry.process));
        if is_found {
            self.registries.members[event.index as usize].listing.is_listed = false;
            self.registries.changes += 1;
        }
    }

    pub(super) fn on_listed(&mut self, event: Event) {
        let now_ns = self.events.now_ns();
        let member = &mut self.registries.members[event.index as usize];
        if member.armed != event.seq {
            return;
        }
        member.armed = 0;
        if self.registry_of(event.index).is_some_and(|registry| self.is_up(registry.process)) {
            let listing = &mut self.registries.members[event.index as usize].listing;
            // What was off the list is new to its callers, whether it has died or stood still.
            listing.life += u32::from(!listing.is_listed && listing.life == listing.known_life);
            (listing.is_listed, listing.since_ns) = (true, now_ns);
            listing.known_life = listing.life;
            self.registries.changes += 1;
            self.copy_serves(event.index);
        }
    }

    /// Whether a registry lists a process.
    pub(super) fn has_registry(&self, process: u32) -> bool {
        self.registries.members[process as usize].registry.is_some()
    }

    /// A copy that steps may add is on no list, and none of the callers' copies.
    pub(super) fn stands_by(&mut self, process: u32) {
        let listing = &mut self.registries.members[process as usize].listing;
        (listing.is_listed, listing.is_member) = (false, false);
        self.registries.changes += 1;
    }

    /// A copy is about to be listed, with a weight.
    pub(super) fn joins(&mut self, process: u32, weight: u32) {
        let listing = &mut self.registries.members[process as usize].listing;
        (listing.is_member, listing.weight) = (true, weight);
    }

    /// A process takes itself off the list before it leaves.
    pub(super) fn withdraws(&mut self, process: u32) {
        self.registries.members[process as usize].is_leaving = true;
        if let Some(registry) = self.registry_of(process) {
            self.expect(process, registry.watch_ns, kind::LAPSE);
        }
    }

    /// A copy is gone for good.
    pub(super) fn has_left(&mut self, process: u32) {
        self.registries.members[process as usize].listing.is_member = false;
        self.registries.changes += 1;
    }

    fn is_up(&self, process: u32) -> bool {
        let process = &self.system.processes[process as usize];
        process.is_up && !process.is_paused
    }

    /// Where a process is a registry that comes back: what it listed is kept for one lease, and those that run register again
    /// when they would have renewed.
    fn registry_returns(&mut self, process: u32) {
        let now_ns = self.events.now_ns();
        let Some(number) = self.registries.all.iter().position(|registry| registry.process == process) else {
            return;
        };
        let watch_ns = self.registries.all[number].watch_ns;
        for other in 0..self.registries.members.len() as u32 {
            let member = self.registries.members[other as usize];
            if member.registry != Some(number as u32) {
                continue;
            }
            let Listing { is_listed, life, known_life, .. } = member.listing;
            if member.is_leaving {
                if is_listed {
                    self.expect(other, watch_ns, kind::LAPSE);
                }
            } else if !self.is_up(other) {
                if is_listed {
                    self.expect(other, LEASE_NS + watch_ns, kind::LAPSE);
                }
            } else if member.armed == 0 && (!is_listed || life != known_life) {
                let wait_ns = random::unit(member.draws.bits(now_ns)) * RENEWAL_INTERVAL_NS as f64;
                self.expect(other, wait_ns as u64 + watch_ns, kind::LISTED);
            }
        }
    }
}
