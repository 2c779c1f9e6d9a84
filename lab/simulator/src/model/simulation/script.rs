//! What a change does, line by line: which copies start and leave, in which order, and what is noted in between.

use policy::balance::{COPY_WEIGHT, canary_weight};
use policy::drain::DRAIN_TIMEOUT;

use super::super::change::{BuildPlan, ChangeAction, ChangePlan, Moment, Rollout, RolloutOrder};
use super::super::system::System;
use super::copy_sets::{Build, CopySet, CopySets};

/// How long a copy may take to leave, ns.
pub(super) const DRAIN_NS: u64 = DRAIN_TIMEOUT.as_nanos() as u64;

/// A line of a change. Sets of copies and processes are by number.
#[derive(Clone, Debug)]
pub(super) enum Line {
    /// The change begins: it is about these sets.
    Begin(Vec<u32>),
    /// It comes to a set.
    Each(u32),
    /// Copies of a set are added, or the newest removed, until there are so many.
    Resize(u32, u32),
    /// All copies of a set but the canary are replaced one after another.
    TakeOver(u32),
    /// A copy starts; the change goes on once it serves.
    Add { set: u32, build: Build, weight: u32, is_canary: bool },
    /// Copies drain, all at once, and are gone.
    Remove(Vec<u32>),
    /// The canary drains, and is gone.
    RemoveCanary,
    /// Copies drain within so many ns, all at once; they may start again in their place.
    Stop(Vec<u32>, u64),
    /// A copy starts again in its place, with a build.
    Start(u32, Build),
    /// Nothing happens for so long, ns.
    Wait(u64),
    /// Nothing happens until then, ns.
    Until(u64),
    /// Nothing happens for so long, but not beyond that time, ns.
    Pause { length_ns: u64, end_ns: u64 },
    /// What the copies of a set have done so far is noted.
    Sample(u32),
    /// An autoscaler decides on a set.
    Decide(u32),
    /// Where the change stands.
    Note(Moment),
    /// Where another one stands.
    NoteOf(u32, Moment),
    /// Which copy is the canary.
    NoteCanary,
    /// Nothing happens until it is known whether what was deployed passes; the watch lasts so long, ns.
    Watch(u64),
    /// Lines where it passes, and where it does not.
    Judged { passes: Vec<Line>, fails: Vec<Line> },
    /// What a deploy replaced in a set takes over again.
    TakeBack(u32),
}

/// The lines that take the place of one that depends on the copies there are.
pub(super) fn next_lines(
    copies: &mut CopySets,
    plans: &[ChangePlan],
    system: &System,
    (change, canary): (u32, Option<u32>),
    line: Line,
) -> Vec<Line> {
    match line {
        Line::Begin(sets) => begin(copies, plans, system, change, &sets),
        Line::Each(set) => each(copies, plans, change, set),
        Line::Resize(set, to) => resize(copies, set, to),
        Line::TakeOver(set) => {
            let running = copies.sets[set as usize].running();
            let old: Vec<u32> = running.into_iter().filter(|process| Some(*process) != canary).collect();
            replaced_in_turn(set, &old, Some(change))
        }
        Line::TakeBack(set) => {
            let of = &copies.sets[set as usize];
            let before = copies.replaced.get(&(change, set)).copied().flatten();
            match &plans[change as usize].action {
                ChangeAction::Deploy(_, rollout) => {
                    taken_over(rollout.order, set, &of.running(), of.has_one_port, before)
                }
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn begin(copies: &CopySets, plans: &[ChangePlan], system: &System, change: u32, sets: &[u32]) -> Vec<Line> {
    let all = || sets.iter().map(|set| Line::Each(*set));
    let there = |names: &[String]| -> Vec<u32> {
        let running: Vec<u32> = copies.sets.iter().flat_map(CopySet::running).collect();
        let named = names.iter().filter_map(|name| system.process(name));
        named.filter(|process| running.contains(process)).collect()
    };
    match &plans[change as usize].action {
        // Begun by itself.
        ChangeAction::Autoscale(..) => Vec::new(),
        ChangeAction::Scale(_) => all().collect(),
        ChangeAction::Deploy(..) => {
            [Line::Note(Moment::Began)].into_iter().chain(all()).chain([Line::Note(Moment::Over)]).collect()
        }
        ChangeAction::RollBack(of) => {
            let Some(deploy) = plans.iter().position(|plan| plan.name == *of) else {
                return Vec::new();
            };
            let is_meant = |set: &u32| {
                let running = copies.sets[*set as usize].running();
                running.iter().any(|process| runs_build_of(copies, plans, *process, deploy as u32))
            };
            let replaced = copies.replaced.keys().filter(|(of, _)| *of == deploy as u32);
            let sets: Vec<u32> = replaced.map(|(_, set)| *set).filter(is_meant).collect();
            let done = (!sets.is_empty()).then_some(Line::NoteOf(deploy as u32, Moment::RolledBack));
            sets.into_iter().map(Line::Each).chain(done).collect()
        }
        ChangeAction::Drain(names) => {
            let drained = |process: u32| {
                let name = &system.processes[process as usize].name;
                let (begins, ends) = (Moment::Draining(name.clone()), Moment::Left(name.clone()));
                [Line::Note(begins), Line::Remove(vec![process]), Line::Note(ends)]
            };
            there(names).into_iter().flat_map(drained).collect()
        }
        ChangeAction::Restart(names) => {
            let restarted = |process: u32| in_place(process, copies.build_of(process));
            there(names).into_iter().flat_map(restarted).collect()
        }
        ChangeAction::Stop(names, within_ns) => vec![Line::Stop(there(names), *within_ns)],
    }
}

fn each(copies: &mut CopySets, plans: &[ChangePlan], change: u32, set: u32) -> Vec<Line> {
    let of = &copies.sets[set as usize];
    let (running, name, has_one_port) = (of.running(), of.name.clone(), of.has_one_port);
    match plans[change as usize].action.clone() {
        ChangeAction::Scale(_) if has_one_port => vec![Line::Note(Moment::HasOnePort(name))],
        ChangeAction::Scale(to) => {
            let from = running.len() as u32;
            vec![
                Line::Note(Moment::Resizing { process: name.clone(), from, to, total: None }),
                Line::Resize(set, to),
                Line::Note(Moment::Resized { process: name, to }),
            ]
        }
        ChangeAction::Deploy(build, rollout) => {
            let runs_it = |process: &u32| runs_build_of(copies, plans, *process, change);
            if build.is_deployed_once && running.iter().all(runs_it) {
                return vec![Line::Note(Moment::Unchanged(name))];
            }
            let before = running.first().and_then(|process| copies.build_of(*process));
            copies.replaced.insert((change, set), before);
            rolled_out((change, set), &running, has_one_port, rollout)
        }
        ChangeAction::RollBack(of) => {
            let deploy = plans.iter().position(|plan| plan.name == of).map(|deploy| deploy as u32);
            let Some(deploy) = deploy else { return Vec::new() };
            let before = copies.replaced.get(&(deploy, set)).copied().flatten();
            let new = running.into_iter().filter(|process| runs_build_of(copies, plans, *process, deploy));
            let new: Vec<u32> = new.collect();
            if has_one_port {
                new.into_iter().flat_map(|process| in_place(process, before)).collect()
            } else {
                replaced_in_turn(set, &new, before)
            }
        }
        ChangeAction::Autoscale(..)
        | ChangeAction::Drain(_)
        | ChangeAction::Restart(_)
        | ChangeAction::Stop(..) => Vec::new(),
    }
}

/// A build takes over in the copies of a set.
fn rolled_out(
    (change, set): (u32, u32),
    running: &[u32],
    has_one_port: bool,
    Rollout { order, watched_ns, is_judged, rolls_back }: Rollout,
) -> Vec<Line> {
    let build = Some(change);
    let fails = |back: Line| -> Vec<Line> {
        let back = [back, Line::Note(Moment::RolledBack)].into_iter().filter(|_| rolls_back);
        [Line::Note(Moment::Detected)].into_iter().chain(back).collect()
    };
    if let RolloutOrder::Canary(share) = order
        && !has_one_port
    {
        let weight = canary_weight(share, running.len());
        let passes = vec![Line::TakeOver(set), Line::RemoveCanary, Line::Note(Moment::Promoted)];
        let mut lines = vec![Line::Add { set, build, weight, is_canary: true }, Line::NoteCanary];
        if is_judged {
            lines.push(Line::Watch(watched_ns));
            lines.push(Line::Judged { passes, fails: fails(Line::RemoveCanary) });
        } else {
            lines.push(Line::Wait(watched_ns));
            lines.extend(passes);
        }
        return lines;
    }
    let mut lines = taken_over(order, set, running, has_one_port, build);
    if is_judged {
        lines.push(Line::Watch(watched_ns));
        lines.push(Line::Judged { passes: Vec::new(), fails: fails(Line::TakeBack(set)) });
    }
    lines
}

/// A build takes over in all copies of a set, a canary's copy by copy.
fn taken_over(order: RolloutOrder, set: u32, running: &[u32], has_one_port: bool, build: Build) -> Vec<Line> {
    match order {
        RolloutOrder::Rolling | RolloutOrder::Canary(_) if !has_one_port => {
            replaced_in_turn(set, running, build)
        }
        RolloutOrder::BlueGreen if !has_one_port => {
            let new = running.iter().map(|_| added(set, build));
            new.chain([Line::Remove(running.to_vec())]).collect()
        }
        _ => running.iter().flat_map(|process| in_place(*process, build)).collect(),
    }
}

/// A new copy serves before an old one drains, one after another.
fn replaced_in_turn(set: u32, old: &[u32], build: Build) -> Vec<Line> {
    old.iter().flat_map(|process| [added(set, build), Line::Remove(vec![*process])]).collect()
}

fn added(set: u32, build: Build) -> Line {
    Line::Add { set, build, weight: COPY_WEIGHT, is_canary: false }
}

/// A copy ends and comes back in its place.
fn in_place(process: u32, build: Build) -> [Line; 2] {
    [Line::Stop(vec![process], DRAIN_NS), Line::Start(process, build)]
}

/// One more copy, or one less; then what is still missing.
fn resize(copies: &CopySets, set: u32, to: u32) -> Vec<Line> {
    let of = &copies.sets[set as usize];
    let running = of.running();
    let first = if running.len() < to as usize && of.next().is_some() {
        // It has the build of the oldest.
        added(set, running.first().and_then(|process| copies.build_of(*process)))
    } else if running.len() > to as usize {
        Line::Remove(running.last().copied().into_iter().collect())
    } else {
        return Vec::new();
    };
    vec![first, Line::Resize(set, to)]
}

/// Whether a process runs the build that a change deploys, by its name.
fn runs_build_of(copies: &CopySets, plans: &[ChangePlan], process: u32, change: u32) -> bool {
    let name = |change: u32| match &plans[change as usize].action {
        ChangeAction::Deploy(BuildPlan { name, .. }, _) => Some(name.as_str()),
        _ => None,
    };
    copies.build_of(process).is_some_and(|running| name(running) == name(change))
}
