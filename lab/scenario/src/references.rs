//! Checks names that refer to another section of the file.

use std::ops::Range;

use contract::Carrier;
use fault::{Target, TargetKind};
use scorecard::expect::{Argument, Query, Side, Window};
use traffic::load::Load;

use crate::action::{Action, Strategy};
use crate::application::Traffic;
use crate::declared::PlacedExpectation;
use crate::reader::Reader;
use crate::scenario::{Arm, Step, TelemetryLevel, first_deploy_of_change};
use crate::source::{Source, unknown};

/// The measure that takes `[prices]`.
const PRICED: &str = "monthly_cost";

/// Checks the references of all expectations; `load` is none if it has mistakes of its own.
pub(crate) fn check_references(reader: &mut Reader<'_>, source: &Source, load: Option<&Load>) {
    for PlacedExpectation { that, span, .. } in reader.expectations.clone() {
        for side in [&that.left, &that.right] {
            if let Side::Measure { query, .. } = side {
                check_measure(reader, query, load, &|word| source.word_within(&span, word));
            }
        }
    }
}

/// Checks that what is priced has prices; `has_prices` also where these have mistakes.
pub(crate) fn check_prices(reader: &mut Reader<'_>, source: &Source, has_prices: bool) {
    if has_prices {
        return;
    }
    for PlacedExpectation { that, span, .. } in reader.expectations.clone() {
        let is_priced =
            |side: &&Side| matches!(side, Side::Measure { query, .. } if query.measure.name == PRICED);
        if [&that.left, &that.right].iter().any(is_priced) {
            let message = format!("`{PRICED}` needs prices; write [prices] with what is assumed");
            reader.report(source.word_within(&span, PRICED), message);
        }
    }
}

/// Checks that every rollback names a deploy that began before it. `steps` are those that were read, perhaps not all.
pub(crate) fn check_rollbacks(reader: &mut Reader<'_>, steps: &[Step], has_all_steps: bool) {
    for (of, number, place) in std::mem::take(&mut reader.rollbacks) {
        check_declared(reader, "step", &of, &reader.declared.steps.clone(), &|_| place.clone());
        let Some(named) = steps.iter().find(|step| step.id == of) else { continue };
        let is_deploy = |step: &&Step| matches!(step.action, Action::Deploy(_));
        if !is_deploy(&named) {
            let deploys: Vec<&str> = steps.iter().filter(is_deploy).map(|step| step.id.as_str()).collect();
            let choices = match deploys.as_slice() {
                [] if has_all_steps => "; the scenario has no deploy".to_owned(),
                [] => String::new(),
                some => format!("; deploys: {}", some.join(", ")),
            };
            reader.report(
                place,
                format!("step `{of}` is not a deploy, so there is nothing to roll back{choices}"),
            );
        } else if let Some(back) = steps.iter().find(|step| step.number == number)
            && back.start_ns <= named.start_ns
        {
            let message =
                format!("the rollback begins before `{of}`, which it rolls back; write a later `at`");
            reader.report(place, message);
        }
    }
}

/// Checks that a build which a variant brings is deployed.
pub(crate) fn check_builds(reader: &mut Reader<'_>, steps: &[Step], has_all_steps: bool) {
    let has_deploy = steps.iter().any(|step| matches!(step.action, Action::Deploy(_)));
    for place in std::mem::take(&mut reader.build_places) {
        if has_all_steps && !has_deploy {
            reader.report(
                place,
                "no step deploys, so this build never runs; write a [[step]] with do = \"deploy\"",
            );
        }
    }
}

/// Checks that a build with a defect is deployed on a component: the defect is in what is done for its calls.
pub(crate) fn check_defects(reader: &mut Reader<'_>, steps: &[Step], arms: &[Arm]) {
    let components = reader.components;
    for step in steps {
        let target = step.target.filter(|target| target.kind() == TargetKind::Node);
        let (Some(deploy), Some(name)) = (step.action.deploy(), target.and_then(Target::component)) else {
            continue;
        };
        let mut builds = arms.iter().filter_map(|arm| arm.build).chain([deploy.build]);
        if let Some(build) = builds.find(|build| build.defect().is_some())
            && !components.contains(&name)
        {
            let names: Vec<&str> = components.iter().map(|component| component.as_str()).collect();
            let message = format!(
                "the defect of the build `{}` is in calls to a component, and `{name}` is not one; components: {}",
                build.name(),
                names.join(", ")
            );
            reader.report(step.span.clone(), message);
        }
    }
}

/// Checks that what autoscalers go by is counted: requests are in the metrics of processes, which arms may have switched off.
pub(crate) fn check_autoscalers(
    reader: &mut Reader<'_>,
    steps: &[Step],
    arms: &[Arm],
    telemetry: Option<TelemetryLevel>,
) {
    let has_none = |arm: &&Arm| arm.telemetry.or(telemetry) == Some(TelemetryLevel::Off);
    let Some(arm) = arms.iter().find(has_none) else { return };
    let by_requests =
        |step: &&Step| matches!(&step.action, Action::Autoscale(options) if options.requests.is_some());
    for step in steps.iter().filter(by_requests) {
        let message = format!(
            "requests are counted by metrics, and `{}` has none: telemetry = \"off\"; write telemetry = \"metrics\", or \
             cpu = \"60%\" in place of `requests`",
            arm.name
        );
        reader.report(step.span.clone(), message);
    }
}

/// Checks that calls share connections somewhere if a policy, or a step that brings one in, says on how many.
pub(crate) fn check_connections(reader: &mut Reader<'_>, arms: &[Arm]) {
    let is_shared = arms.iter().any(|arm| arm.placement.carrier == Carrier::Http2Binary);
    let mut places = std::mem::take(&mut reader.connection_places);
    // Variants share most of their sections.
    places.sort_by_key(|place| place.start);
    places.dedup();
    for place in places.into_iter().filter(|_| !is_shared && !arms.is_empty()) {
        reader.report(
            place,
            "connections: calls share connections in no topology; write carrier = \"http2+binary\" in one, or remove the key",
        );
    }
}

/// Checks that the edit is deployed where there is one, and that there is one where it is deployed.
pub(crate) fn check_change(
    reader: &mut Reader<'_>,
    steps: &[Step],
    has_all_steps: bool,
    place: Option<Range<usize>>,
) {
    let deployed: Vec<&Step> = steps.iter().filter(|step| step.deploys_change()).collect();
    match place {
        Some(place) if deployed.is_empty() && has_all_steps => reader.report(
            place,
            "no step deploys the change; write a [[step]] with do = \"deploy\" and build = \"changed\"",
        ),
        Some(_) => {}
        None => {
            for step in &deployed {
                reader.report(
                    step.span.clone(),
                    "the file has no edit to deploy; write [change] with its `patch` and `probe`",
                );
            }
        }
    }
    // Neither the gateway nor the registry is a component, though steps act on them.
    let components = reader.components;
    let is_on_component = |step: &&Step| {
        step.target.and_then(Target::component).is_some_and(|target| components.contains(&target))
    };
    for step in deployed.into_iter().filter(|step| !is_on_component(step)) {
        let names: Vec<&str> = components.iter().map(|component| component.as_str()).collect();
        let message = format!(
            "a change is deployed on a component, and `{}` is not one; components: {}",
            step.on,
            names.join(", ")
        );
        reader.report(step.span.clone(), message);
    }
}

/// Checks that a measure of a step has a step that can have it: what no step does has no duration.
pub(crate) fn check_measured_steps(
    reader: &mut Reader<'_>,
    source: &Source,
    steps: &[Step],
    has_all_steps: bool,
) {
    let first_deploy = first_deploy_of_change(steps).map(|step| step.number);
    // What could not be read may be the condition of a deploy, or its rollback.
    let is_watched = |step: &Step| {
        let deploy = step.action.deploy();
        deploy.is_some_and(|deploy| !has_all_steps || deploy.strategy.promote_if.is_some())
    };
    let is_rolled_back = |step: &Step| {
        let is_of = |other: &Step| matches!(&other.action, Action::Rollback(back) if back.of == step.id);
        let strategy = step.action.deploy().map(|deploy| &deploy.strategy);
        is_watched(step) && strategy.is_some_and(Strategy::rolls_back_automatically)
            || strategy.is_some() && steps.iter().any(is_of)
    };
    for PlacedExpectation { that, span, .. } in reader.expectations.clone() {
        for side in [&that.left, &that.right] {
            let Side::Measure { query, .. } = side else { continue };
            let Argument::Step(written) = &query.argument else { continue };
            let is_meant = |step: &&Step| step.id == *written || step.number.to_string() == *written;
            let Some(step) = steps.iter().find(is_meant) else { continue };
            let (is_possible, wanted) = match query.measure.name {
                "time_to_detect" => (is_watched(step), "a deploy with a `promote_if`"),
                "time_to_rollback" => (
                    is_rolled_back(step),
                    "a deploy that is rolled back, by its `promote_if` or by a step with do = \"rollback\"",
                ),
                // With the first the behaviour comes; what deploys later find is not watched.
                "time_to_first_served" | "time_to_fully_served" => {
                    (first_deploy == Some(step.number), "a first deploy of the build `changed`")
                }
                "time_to_finish" => {
                    (step.action.is_finished(), "a deploy, `scale`, `drain` or `reconfigure`")
                }
                _ => continue,
            };
            if !is_possible {
                let message =
                    format!("`{}` needs {wanted}, and step `{written}` is not one", query.measure.name);
                reader.report(source.word_within(&span, written), message);
            }
        }
    }
}

fn check_measure(
    reader: &mut Reader<'_>,
    query: &Query,
    load: Option<&Load>,
    place: &dyn Fn(&str) -> Range<usize>,
) {
    if let Window::Phase(phase) = &query.window {
        check_declared(reader, "phase", phase, &reader.declared.phases.clone(), place);
    }
    for axis in &query.axes {
        check_declared(reader, "arm", axis, &reader.declared.axes.clone(), place);
    }
    match &query.argument {
        Argument::None => {}
        Argument::Journey(journey) => {
            if let Some(load) = load {
                check_journey(reader, load, journey, place);
            }
        }
        Argument::JourneyAndTime(journey, us) => {
            if let Some(load) = load {
                check_journey(reader, load, journey, place);
                check_time(reader, load, *us, place(journey));
            }
        }
        Argument::Step(step) => step_of(reader, step, place),
        Argument::Component(name) => reader.check_component(place(name), name, &[]),
        Argument::Process(name) => reader.check_component(place(name), name, &["gateway", "registry"]),
        Argument::Edge(caller, callee) => {
            for name in [caller, callee] {
                reader.check_component(place(name), name, &["gateway"]);
            }
            reader.check_called(caller, callee, Traffic::Calls, place(caller));
        }
    }
}

/// Reports `name` unless the file declares it. If the file declares none, that is reported already.
fn check_declared(
    reader: &mut Reader<'_>,
    what: &str,
    name: &str,
    written: &[String],
    place: &dyn Fn(&str) -> Range<usize>,
) {
    if !written.is_empty() && !written.iter().any(|other| other == name) {
        reader.report(place(name), unknown(what, name, written.iter().map(String::as_str)));
    }
}

/// Reports `step` unless it is the id or the number of a step.
fn step_of(reader: &mut Reader<'_>, step: &str, place: &dyn Fn(&str) -> Range<usize>) {
    let steps = reader.declared.steps.clone();
    let numbered = step.parse::<usize>().is_ok_and(|number| (1..=steps.len()).contains(&number));
    if numbered {
        return;
    }
    if steps.is_empty() {
        reader.report(place(step), format!("unknown step `{step}`; the scenario has no [[step]]"));
    } else {
        check_declared(reader, "step", step, &steps, place);
    }
}

/// A time within which an answer counts has to be one that answers can be within, and beyond.
fn check_time(reader: &mut Reader<'_>, load: &Load, us: u64, place: Range<usize>) {
    let longest_us = u64::try_from(load.timeout.duration().as_micros()).unwrap_or(u64::MAX);
    if us == 0 {
        reader.report(place, "no answer takes 0s; write a longer time, e.g. 50ms");
    } else if us > longest_us {
        let message = format!(
            "no journey is waited for longer than the load's `timeout`, {}; write a shorter time",
            load.timeout
        );
        reader.report(place, message);
    }
}

fn check_journey(reader: &mut Reader<'_>, load: &Load, written: &str, place: &dyn Fn(&str) -> Range<usize>) {
    let mut known: Vec<&str> = vec!["all"];
    for journey in load.journeys() {
        for name in std::iter::once(journey.name()).chain(journey.groups().iter().copied()) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    if !known.contains(&written) {
        reader.report(place(written), unknown("journey", written, known));
    }
}
