//! Explains what a run would do, without running it: [`explain`] for people, [`document`] for programs. `differences`: what
//! sets arms apart; `needs`: what claims take; `sizing`: the size of what is only simulated.

mod differences;
mod document;
mod needs;
mod sizing;

use std::fmt::Write;

use contract::store::{ServerCount, StoreProduct};
use contract::{ComponentName, Placement, ProcessPlan};
use fault::target::EVENTS;
use fault::{ProcessFault, Target};
use model::format::printable;
use policy::EdgePattern;
use record::Resources;
use traffic::load::{Model, Rates};

pub use self::document::document;
pub use self::needs::{open_claims, phases_with_faults};
use crate::scenario::{Arm, Phase, RunMode, Scenario, ns};
use crate::search::FurtherRate;

/// Width of the timeline, columns.
const WIDTH: usize = 60;

/// What keeps an arm's data, where files alone do not.
fn store_line(placement: &Placement) -> String {
    let servers = match (placement.servers.unwrap_or_default(), placement.shared_database) {
        (_, true) => "one server, one database for all, with a schema for each component",
        (ServerCount::One, false) => "one server, with a database for each store",
        (ServerCount::Each, false) => "a server for each store",
    };
    format!("data in {}: {servers}", placement.store)
}

/// Which connections to an arm's servers go through proxies of the lab, where any do: that takes time and CPU of the lab in all
/// phases.
fn proxies_line(scenario: &Scenario, arm: &Arm) -> Option<String> {
    let has_server = |server: ComponentName| match server {
        EVENTS => arm.placement.has_broker(),
        _ => arm.placement.store.of(server.as_str()) == StoreProduct::Postgres,
    };
    let faulted = scenario.steps.iter().filter_map(|step| match step.target? {
        Target::Connection { server, .. } if has_server(server) => Some(step.on.as_str()),
        _ => None,
    });
    let mut faulted: Vec<&str> = faulted.collect();
    faulted.sort_unstable();
    faulted.dedup();
    let has_any = arm.placement.has_server() || arm.placement.has_broker();
    let which = match (arm.network.is_loopback(), faulted.as_slice()) {
        (false, _) if has_any => "all connections to servers".to_owned(),
        (_, []) => return None,
        (_, some) => some.join(", "),
    };
    Some(format!("through proxies of the lab, all the time: {which}"))
}

/// Which databases a process has, where these are several.
fn stores_text(process: &ProcessPlan, is_shared: bool) -> String {
    let stores = process.stores();
    let files = stores.iter().filter(|store| store.product == StoreProduct::Sqlite).count();
    match (stores.len(), stores.len() - files) {
        (0 | 1, _) => String::new(),
        (_, schemas) if is_shared && schemas > 0 => match files {
            0 => format!("; {schemas} schemas, one per component"),
            _ => format!("; databases in files: {files}, schemas: {schemas}"),
        },
        (all, _) if process.store_per_component => format!("; {all} databases, one per component"),
        (all, _) => format!("; {all} databases, by what keeps them"),
    }
}

/// An arm that would be run.
#[derive(Clone, Debug)]
pub struct PlannedArm<'a> {
    /// The arm.
    pub arm: &'a Arm,
    /// Its processes.
    pub processes: Vec<ProcessPlan>,
    /// Its edges between processes, `caller->callee`; the others are function calls.
    pub remote_edges: Vec<String>,
    /// What its processes are given.
    pub resources: Resources,
}

/// Describes the scenario. `reach` returns the target of a step in an arm, both by index.
pub fn explain(
    scenario: &Scenario,
    arms: &[PlannedArm<'_>],
    reach: impl Fn(usize, usize) -> String,
) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut print = |line: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{}", printable(&line.to_string()));
    };
    let length_s = scenario.length_ns() as f64 / 1e9;
    print(format_args!("{}: {}", scenario.name, scenario.title));
    print(format_args!("  {}", scenario.why));
    print(format_args!(""));
    print(format_args!("arms, on one seed ({}):", scenario.seed));
    let mut printed: Vec<(char, Vec<String>)> = Vec::new();
    for (index, PlannedArm { arm, processes, remote_edges, resources }) in arms.iter().enumerate() {
        let name = &arm.name;
        let letter = letter(index);
        let copies: u32 = processes.iter().map(|process| process.replicas).sum();
        print(format_args!("  {letter} {name}: {copies} process{}", if copies == 1 { "" } else { "es" }));
        for process in processes {
            let mut hosts: Vec<&str> = Vec::new();
            hosts.extend(process.registry.then_some("registry"));
            hosts.extend(process.gateway.then_some("gateway"));
            hosts.extend(process.hosts.iter().map(|host| host.as_str()));
            let stores = stores_text(process, arm.placement.shared_database);
            print(format_args!("      {} x{}: {}{stores}", process.name, process.replicas, hosts.join(", ")));
        }
        if arm.placement.has_server() {
            print(format_args!("      {}", store_line(&arm.placement)));
        }
        if arm.placement.has_broker() {
            print(format_args!(
                "      events between processes through NATS: one server, filled from the outboxes"
            ));
        }
        if !arm.network.is_loopback() {
            let has_any = arm.placement.has_server() || arm.placement.has_broker();
            let servers = if has_any { ", and to the arm's servers" } else { "" };
            print(format_args!("      network between processes{servers}: {}", arm.network));
        }
        if let Some(line) = proxies_line(scenario, arm) {
            print(format_args!("      {line}"));
        }
        if arm.services.values().any(|service| service.calls_in_transaction == Some(true)) {
            print(format_args!(
                "      subscribers call other components inside the publisher's write transaction"
            ));
        }
        print(format_args!("      {}", resources_line(resources)));
        let lines = policy_lines(arm, remote_edges);
        match printed.iter().find(|(_, other)| !lines.is_empty() && *other == lines) {
            Some((other, _)) => print(format_args!("      calls between processes: as in {other}")),
            None => lines.iter().for_each(|line| print(format_args!("      {line}"))),
        }
        printed.push((letter, lines));
    }
    let left_out: Vec<&str> = scenario.opt_in_arms().map(|arm| arm.name.as_str()).collect();
    if !left_out.is_empty() {
        print(format_args!("  run only where --arms names them: {}", left_out.join(", ")));
    }
    let is_run = !scenario.is_only_simulated();
    if is_run && arms.iter().all(|planned| planned.arm.network.is_loopback()) {
        print(format_args!("  network between processes: loopback; --rtt 300us adds a round trip"));
    }
    for line in difference_lines(arms)
        .into_iter()
        .chain(sizing::lines(scenario, arms))
        .chain(sizing::price_lines(scenario))
        .chain(sizing::sweep_lines(scenario))
    {
        print(format_args!("{line}"));
    }
    if let Some(change) = &scenario.change {
        let files: Vec<&str> = change.files().collect();
        print(format_args!(""));
        print(format_args!(
            "built before the run by cargo, from a copy of the source tree, {} builds: an edit of",
            change.builds
        ));
        print(format_args!("  {}", files.join(", ")));
        print(format_args!("  served once GET {} contains: {}", change.probe.path, change.probe.shows));
    }
    print(format_args!(""));
    let names: Vec<&str> = scenario.phases.iter().map(|phase| phase.name.as_str()).collect();
    let model = match scenario.load.model {
        Model::Open => "open loop",
        Model::Closed => "closed loop: slow responses reduce the load",
    };
    print(format_args!("load, {model}, the same for every arm; data `{}`:", scenario.load.size.name()));
    let mut start_ns = 0;
    for (phase, shape) in scenario.phases.iter().zip(scenario.load.shapes(&names)) {
        let mut note = if phase.measure { String::new() } else { "  (not measured)".to_owned() };
        if scenario.load.overloaded.contains(&phase.name) {
            note += "  (more than the arms can do, on purpose)";
        }
        let rate = match &scenario.load.rate {
            Rates::OfSlowest(share) => format!("{share} of the slowest arm, measured before the first run"),
            _ if scenario.load.trace.is_some() => trace_line(scenario, phase, start_ns),
            _ => shape.to_string(),
        };
        print(format_args!("  {:<10} {:>5}  {rate}{note}", phase.name, phase.length.to_string()));
        start_ns += ns(phase.length);
    }
    for line in further_lines(scenario) {
        print(format_args!("{line}"));
    }
    let total: f64 = scenario.load.weights().iter().map(|(_, weight)| weight).sum();
    let shares: Vec<String> = scenario
        .load
        .weights()
        .iter()
        .filter(|(_, weight)| *weight > 0.0)
        .map(|(journey, weight)| format!("{} {:.1}%", journey.name(), weight / total * 100.0))
        .collect();
    print(format_args!("  mix: {}", shares.join(", ")));
    if is_run {
        print(format_args!(
            "  slots: {} per arm, for {:.0}/s of up to {} each",
            scenario.load.slots(),
            scenario.load.peak_rate(),
            scenario.load.timeout
        ));
    }
    for line in capacity_lines(scenario) {
        print(format_args!("{line}"));
    }
    print(format_args!(""));
    print(format_args!("timeline, {length_s:.0} s:"));
    print(format_args!("  {}", timeline_bar(scenario)));
    for (index, step) in scenario.steps.iter().enumerate() {
        let at = step.start_ns as f64 / 1e9;
        let lasts =
            if step.length_ns > 0 { format!(" for {}s", step.length_ns as f64 / 1e9) } else { String::new() };
        print(format_args!("  {} at {at:.1}s{lasts}: {} {}", step.number, step.on, step.action));
        for (number, PlannedArm { arm, .. }) in arms.iter().enumerate() {
            print(format_args!("      {}: {}", arm.name, reach(index, number)));
        }
    }
    print(format_args!(""));
    print(format_args!("must hold, or the run is invalid:"));
    for assertion in &scenario.valid {
        print(format_args!("  {}", assertion.that.text));
    }
    print(format_args!("claims:"));
    for assertion in &scenario.check {
        let why = if assertion.why.is_empty() { String::new() } else { format!("    ({})", assertion.why) };
        print(format_args!("  {}{why}", assertion.that.text));
        for sentence in
            needs::of(scenario, &assertion.that, false).into_iter().flat_map(|needs| needs.sentences)
        {
            print(format_args!("      {sentence}"));
        }
    }
    if !is_run {
        return text;
    }
    print(format_args!(""));
    let needed = privileges(scenario);
    print(format_args!("privileges: {needed}"));
    let seconds = duration_s(scenario, arms.len());
    let way = match scenario.way {
        RunMode::SideBySide => "side by side".to_owned(),
        RunMode::Interleaved => format!(
            "one after another, {} round{}",
            scenario.repeats,
            if scenario.repeats == 1 { "" } else { "s, each with arrivals of its own" }
        ),
    };
    let further = further_s(scenario, arms.len());
    let more =
        if further > 0.0 { format!(", and up to {further:.0} s at further rates") } else { String::new() };
    print(format_args!("takes about {seconds:.0} s {way}, including start and audit{more}"));
    text
}

/// Rates that a search for capacity may go on to, and on what condition.
fn further_lines(scenario: &Scenario) -> Vec<String> {
    let further = scenario.further_rates();
    let rate = |of: &FurtherRate| {
        let seconds = format!("{}s", of.phase.length_ns as f64 / 1e9);
        format!(
            "  {:<10} {seconds:>5}  {}  (only while an arm carries every rate before it)",
            of.phase.name, of.rate
        )
    };
    further.iter().map(rate).collect()
}

/// The longest that further rates of all blocks of a run may take, seconds.
fn further_s(scenario: &Scenario, arms: usize) -> f64 {
    let end_ns = scenario.further_rates().last().map_or(0, |last| last.phase.start_ns + last.phase.length_ns);
    let blocks = match scenario.way {
        RunMode::SideBySide => 1.0,
        RunMode::Interleaved => arms as f64 * f64::from(scenario.repeats),
    };
    end_ns.saturating_sub(scenario.length_ns()) as f64 / 1e9 * blocks
}

/// Letter of an arm, as views call it.
fn letter(index: usize) -> char {
    (b'A'..=b'Z').chain(b'a'..=b'z').map(char::from).nth(index).unwrap_or('?')
}

/// What sets each arm apart from the first; none where there is one alone.
fn difference_lines(arms: &[PlannedArm<'_>]) -> Vec<String> {
    let Some((base, others)) = arms.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Vec::new();
    };
    let mut lines = vec![String::new(), format!("what sets arms apart from A {}:", base.arm.name)];
    for (index, PlannedArm { arm, .. }) in others.iter().enumerate() {
        lines.push(format!("  {} {}:", letter(index + 1), arm.name));
        let differences = differences::between(base.arm, arm);
        lines.extend(differences.iter().map(|difference| format!("      {difference}")));
        if differences.is_empty() {
            lines.push("      nothing: the same arm under another name".to_owned());
        }
    }
    lines
}

/// What an arm's processes are given together, and what of it is more or less than other arms have by nature.
fn resources_line(resources: &Resources) -> String {
    let extra =
        |count: u32| if count > 0 { format!(" ({count} since each process has one)") } else { String::new() };
    let cut = match resources.cut_workers {
        0 => String::new(),
        count => format!(" ({count} fewer since no process has more than cores)"),
    };
    format!(
        "database connections: {} to read{}, {} to write; threads: {}{}{cut}",
        resources.readers,
        extra(resources.extra_readers),
        resources.writers,
        resources.workers,
        extra(resources.extra_workers),
    )
}

/// Arrivals of a trace in a phase: how many, and how many a second on average.
fn trace_line(scenario: &Scenario, phase: &Phase, start_ns: u64) -> String {
    let phase_us = start_ns / 1_000..(start_ns + ns(phase.length)) / 1_000;
    let count = scenario.load.rows.iter().filter(|row| phase_us.contains(&row.offset_us)).count();
    let mean = count as f64 / phase.length.duration().as_secs_f64();
    format!("{count} arrivals of the trace, {}/s on average", (mean * 10.0).round() / 10.0)
}

/// Effective policies of an arm's edges, defaults included: the most common first, each other one with
/// its edges.
fn policy_lines(arm: &Arm, edges: &[String]) -> Vec<String> {
    let table: Vec<(EdgePattern, policy::Policy)> =
        arm.policies.iter().filter_map(|(edge, policy)| Some((edge.parse().ok()?, policy.clone()))).collect();
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for edge in edges {
        let Some((caller, callee)) = edge.split_once("->") else { continue };
        let policy = policy::for_edge(&table, caller, callee).effective().to_string();
        match groups.iter_mut().find(|(other, _)| *other == policy) {
            Some((_, alike)) => alike.push(edge),
            None => groups.push((policy, vec![edge])),
        }
    }
    groups.sort_by_key(|(_, edges)| std::cmp::Reverse(edges.len()));
    let line = |(index, (policy, edges)): (usize, &(String, Vec<&str>))| match index {
        0 => format!("calls between processes: {policy}"),
        _ => format!("{}: {policy}", edges.join(", ")),
    };
    groups.iter().enumerate().map(line).collect()
}

/// Capacity of components with declared slots and work in the first arm, and the slots that Little's law asks for.
fn capacity_lines(scenario: &Scenario) -> Vec<String> {
    let Some(arm) = scenario.default_arms().next() else { return Vec::new() };
    let shape = |(name, service): (&String, &policy::ServiceOptions)| {
        let (slots, work) = (service.slots?, service.work?);
        let capacity = service.capacity()?;
        let needed = scenario.load.peak_rate() * work.mean.duration().as_secs_f64();
        Some(format!(
            "  {name}: {slots} slots of {} serve {capacity:.0}/s; one call per arrival needs {needed:.1} slots at the peak",
            work.mean
        ))
    };
    arm.services.iter().filter_map(shape).collect()
}

/// Privileges the scenario needs, and what happens without them.
fn privileges(scenario: &Scenario) -> String {
    let quota = scenario
        .faults()
        .any(|fault| matches!(fault.process_fault(), Some(ProcessFault::CpuQuota(_))))
        || scenario.arms.iter().any(|arm| arm.placement.limits.values().any(|limits| limits.cpu.is_some()));
    let mut needed = Vec::new();
    needed.extend(quota.then_some("control groups for CPU quotas"));
    needed.extend(scenario.loses_packets().then_some("a network namespace and iptables for packet loss"));
    needed.extend(scenario.fills_broker_disk().then_some("a mount namespace for the broker's disk"));
    if needed.is_empty() {
        return "none; everything listens on loopback".to_owned();
    }
    format!("{}; without them the run is inconclusive (see `cleave doctor`)", needed.join(", "))
}

/// Duration of a run, seconds: the load, with starts and audits.
pub fn duration_s(scenario: &Scenario, arms: usize) -> f64 {
    match scenario.way {
        RunMode::SideBySide => scenario.length_ns() as f64 / 1e9 + 8.0,
        RunMode::Interleaved => duration_in_rounds_s(scenario, arms, scenario.repeats),
    }
}

/// The same with arms in turns, in so many rounds.
pub fn duration_in_rounds_s(scenario: &Scenario, arms: usize, rounds: u32) -> f64 {
    (scenario.length_ns() as f64 / 1e9 + 4.0) * arms as f64 * f64::from(rounds)
}

/// Draws phases as a bar, with the numbers of the steps.
fn timeline_bar(scenario: &Scenario) -> String {
    let length = scenario.length_ns().max(1);
    let column = |at_ns: u64| (u128::from(at_ns) * WIDTH as u128 / u128::from(length)) as usize;
    let mut bar: Vec<char> = vec!['-'; WIDTH];
    let mut start = 0;
    for phase in &scenario.phases {
        bar[column(start).min(WIDTH - 1)] = '|';
        start += ns(phase.length);
    }
    for step in &scenario.steps {
        let end = column(step.start_ns + step.length_ns).min(WIDTH);
        for slot in bar.iter_mut().take(end).skip(column(step.start_ns)) {
            *slot = '=';
        }
        let digit = char::from_digit(step.number % 10, 10).unwrap_or('*');
        bar[column(step.start_ns).min(WIDTH - 1)] = digit;
    }
    bar.into_iter().collect()
}
