//! Checks whether expectations can be judged in this file: their arms, how long they are held, and the time they need.

use scorecard::expect::{Op, Query, Side, Window};
use scorecard::inference::needs::StatisticKind;
use scorecard::measure::{Property, Unit};

use crate::declared::{ExpectationRole, PlacedExpectation};
use crate::reader::Reader;
use crate::scenario::{Arm, Phase, Step, ns};
use crate::source::Source;

/// Seconds in a row that have to be good before an arm counts as recovered; as the measure `recovery` has it.
const GOOD_SECONDS: f64 = 3.0;
/// A second, ns.
const SECOND: u64 = 1_000_000_000;

/// What expectations are checked against.
pub(crate) struct JudgedParts<'a> {
    /// The arms that were read.
    pub(crate) arms: &'a [Arm],
    /// The phases; none where some could not be read, since their sum is not known then.
    pub(crate) phases: Option<&'a [Phase]>,
    /// The steps that were read.
    pub(crate) steps: &'a [Step],
    /// Whether these are all steps.
    pub(crate) has_all_steps: bool,
    /// Phases that are overloaded on purpose.
    pub(crate) overloaded: &'a [String],
}

impl JudgedParts<'_> {
    /// When the last fault, or the last phase that is overloaded on purpose, ends, ns since the load's start.
    fn disturbed_until(&self, phases: &[Phase]) -> Option<u64> {
        let faults = self.steps.iter().filter(|step| step.action.fault().is_some());
        let faults = faults.map(|step| step.start_ns + step.length_ns);
        let ends = phases.iter().scan(0, |end_ns, phase| {
            *end_ns += ns(phase.length);
            Some((phase, *end_ns))
        });
        let overloads = ends.filter(|(phase, _)| self.overloaded.contains(&phase.name));
        faults.chain(overloads.map(|(_, end_ns)| end_ns)).max()
    }
}

/// Reports what no run of this file could judge.
pub(crate) fn check_claims(reader: &mut Reader<'_>, source: &Source, parts: &JudgedParts<'_>) {
    for placed in reader.expectations.clone() {
        check_held(reader, source, &placed);
        check_arms(reader, source, &placed, parts.arms);
        check_limit(reader, source, &placed);
        check_own_windows(reader, source, &placed);
        check_promotion(reader, source, &placed);
        if let Some(phases) = parts.phases {
            let length_ns: u64 = phases.iter().map(|phase| ns(phase.length)).sum();
            check_windows(reader, source, &placed, length_ns);
            if placed.role == ExpectationRole::Claim {
                check_recovery(reader, &placed, parts, phases);
                check_whole(reader, source, &placed, phases);
            }
        }
    }
}

/// `held` needs a condition that is judged again and again.
fn check_held(reader: &mut Reader<'_>, source: &Source, placed: &PlacedExpectation) {
    if placed.that.held_ns > 0 && !placed.role.may_be_held() {
        reader.report(
            source.word_within(&placed.span, "held"),
            "`held` is for conditions that are judged while the run goes on, in `[stop]` and `until`; remove it, or \
             name a window: `in last 10s`",
        );
    }
}

fn queries(placed: &PlacedExpectation) -> impl Iterator<Item = &Query> {
    [&placed.that.left, &placed.that.right].into_iter().filter_map(|side| match side {
        Side::Measure { query, .. } => Some(query),
        Side::Quantity { .. } => None,
    })
}

/// A window of a figure that is of the whole run, or of its step, would be dropped without a word.
fn check_own_windows(reader: &mut Reader<'_>, source: &Source, placed: &PlacedExpectation) {
    for query in queries(placed) {
        let word = match &query.window {
            Window::Phase(phase) => phase.as_str(),
            Window::Last(_) => "last",
            Window::Whole | Window::Seconds(..) => continue,
        };
        if query.measure.has(Property::OwnWindow) {
            let message =
                format!("`{}` has a window of its own; leave `in {word}` out", query.measure.form());
            reader.report(source.word_within(&placed.span, word), message);
        }
    }
}

/// A deploy is promoted in each arm by what is seen there, so that its condition may leave no arm out.
fn check_promotion(reader: &mut Reader<'_>, source: &Source, placed: &PlacedExpectation) {
    let axes: Vec<&[String]> = queries(placed).map(|query| query.axes.as_slice()).collect();
    let (ExpectationRole::Promotion, [first, rest @ ..]) = (placed.role, axes.as_slice()) else { return };
    // One arm against another is judged once for both.
    let is_bound = !first.is_empty() && rest.iter().all(|axes| axes == first);
    let fits = |is_left_out: bool| {
        let arms = reader.declared.arms.iter().filter(|arm| arm.fits(first) != is_left_out);
        arms.map(|arm| arm.name.as_str()).collect::<Vec<&str>>()
    };
    let (bound, left_out) = (fits(false), fits(true));
    if is_bound && !bound.is_empty() && !left_out.is_empty() {
        let message = format!(
            "`promote_if` is judged in each arm by itself, and `for {}` leaves out {}; leave `for` out",
            first.join(", "),
            left_out.join(", ")
        );
        reader.report(source.word_within(&placed.span, &first[0]), message);
    }
}

/// A limit that every figure of the measure meets, or none does, decides nothing.
fn check_limit(reader: &mut Reader<'_>, source: &Source, placed: &PlacedExpectation) {
    let (Side::Measure { factor, query }, Side::Quantity { value: limit, .. }) =
        (&placed.that.left, &placed.that.right)
    else {
        return;
    };
    // Nothing measured is below 0, and a share is at most all.
    let most = if query.measure.unit == Unit::Share { *factor } else { f64::INFINITY };
    let limit = *limit;
    let (always, never) = match placed.that.op {
        Op::AtMost => (limit >= most, false),
        Op::Below => (limit > most, limit <= 0.0),
        Op::AtLeast => (limit <= 0.0, limit > most),
        Op::Above => (false, limit >= most),
        Op::Equal => (false, limit > most),
    };
    let range = if most.is_finite() { "0% to 100%" } else { "0 up" };
    let (is_wrong, what) = if always { (true, "always holds") } else { (never, "never holds") };
    if is_wrong {
        let message = format!(
            "this {what}: `{}` can be anything from {range}; write a limit that decides",
            query.measure.name
        );
        reader.report(source.inside_quotes(&placed.span), message);
    }
}

/// The arms that each side binds to: at least one of the file, and one alone on each side of a comparison of arms.
fn check_arms(reader: &mut Reader<'_>, source: &Source, placed: &PlacedExpectation, arms: &[Arm]) {
    let mut reported: Vec<&[String]> = Vec::new();
    for query in queries(placed) {
        let axes = query.axes.as_slice();
        // An axis that the file does not declare is reported already.
        let is_known = axes.iter().all(|axis| reader.declared.axes.contains(axis));
        if axes.is_empty()
            || !is_known
            || reported.contains(&axes)
            || reader.declared.arms.iter().any(|arm| arm.fits(axes))
        {
            continue;
        }
        reported.push(axes);
        let place = source.word_within(&placed.span, axes.first().map_or("", String::as_str));
        reader.report(place, no_such_arm(axes, &placed.that.text));
    }
    let (Side::Measure { query: left, .. }, Side::Measure { query: right, .. }) =
        (&placed.that.left, &placed.that.right)
    else {
        return;
    };
    let is_one_figure =
        left.measure == right.measure && left.argument == right.argument && left.window == right.window;
    if left.axes == right.axes {
        if is_one_figure {
            reader.report(
                source.inside_quotes(&placed.span),
                "both sides are the same figure: a side without `for` takes the other's; write `for` on both sides, \
                 or another phase on one",
            );
        }
        return;
    }
    let (of_left, of_right) = (arms_that_fit(arms, left), arms_that_fit(arms, right));
    for (query, fitting) in [(left, &of_left), (right, &of_right)] {
        if fitting.len() > 1 {
            let place = source.word_within(&placed.span, query.axes.first().map_or("", String::as_str));
            let example = fitting[0].replace('/', ", ");
            reader.report(
                place,
                format!(
                    "a comparison has one arm on each side, and `for {}` means {}: {}; write for example `for {example}`",
                    query.axes.join(", "),
                    fitting.len(),
                    fitting.join(", ")
                ),
            );
        }
    }
    if let ([one], [other], true) = (of_left.as_slice(), of_right.as_slice(), is_one_figure)
        && one == other
    {
        let message =
            format!("both sides are the same figure of `{one}`; write another arm, or another phase, on one");
        reader.report(source.inside_quotes(&placed.span), message);
    }
}

/// The arms that are run unless others are asked for, and that a side is bound to.
fn arms_that_fit<'a>(arms: &'a [Arm], side: &Query) -> Vec<&'a str> {
    let fitting =
        arms.iter().filter(|arm| !arm.is_opt_in && side.fits(&arm.name, &arm.topology, &arm.variant));
    fitting.map(|arm| arm.name.as_str()).collect()
}

/// ``no arm is both `mono` and `micro`: ..``, with the two ways to write it.
fn no_such_arm(axes: &[String], text: &str) -> String {
    let quoted: Vec<String> = axes.iter().map(|axis| format!("`{axis}`")).collect();
    let all = match quoted.as_slice() {
        [one, other] => format!("both {one} and {other}"),
        many => format!("all of {}", many.join(", ")),
    };
    let each: Vec<String> = axes.iter().map(|axis| format!("`{}`", bound_to(text, axes, axis))).collect();
    format!(
        "no arm is {all}, so this is never judged; write it once for each, {}, or leave `for` out to mean every arm",
        each.join(" and ")
    )
}

/// An expectation with one axis in the place of several.
fn bound_to(text: &str, axes: &[String], axis: &str) -> String {
    let after =
        |at: usize, name: &String| text[at..].find(name.as_str()).map(|found| at + found + name.len());
    let start = text.find(" for ").map_or(0, |at| at + " for ".len());
    let end = axes.iter().try_fold(start, after);
    end.map_or(text.to_owned(), |end| format!("{}{axis}{}", &text[..start], &text[end..]))
}

/// The last seconds are those of the load.
fn check_windows(reader: &mut Reader<'_>, source: &Source, placed: &PlacedExpectation, length_ns: u64) {
    let seconds_of = |ns: u64| seconds(ns as f64 / SECOND as f64);
    if placed.role == ExpectationRole::Stop && placed.that.held_ns >= length_ns {
        let message =
            format!("the load ends after {}, before this can have held so long", seconds_of(length_ns));
        reader.report(source.word_within(&placed.span, "held"), message);
    }
    for query in queries(placed) {
        if let Window::Last(last_ns) = query.window
            && last_ns < SECOND
        {
            let message = "figures are counted in whole seconds; write at least `last 1s`";
            reader.report(source.word_within(&placed.span, "last"), message);
        }
        if let Window::Last(last_ns) = query.window
            && last_ns > length_ns
        {
            let message = format!(
                "the last {} are longer than the load, {}; write a shorter time, or `in whole`",
                seconds_of(last_ns),
                seconds_of(length_ns)
            );
            reader.report(source.word_within(&placed.span, "last"), message);
        }
    }
}

/// All measured phases are the seconds from the first to the end of the last: one between them that is not measured would be
/// counted with them.
fn check_whole(reader: &mut Reader<'_>, source: &Source, placed: &PlacedExpectation, phases: &[Phase]) {
    let first = phases.iter().position(|phase| phase.measure);
    let last = phases.iter().rposition(|phase| phase.measure);
    let (Some(first), Some(last)) = (first, last) else { return };
    let Some(between) = phases[first..=last].iter().find(|phase| !phase.measure) else { return };
    let counts_seconds = |query: &&Query| {
        let is_of_run = query.measure.has(Property::OwnWindow) || query.measure.has(Property::OfHost);
        query.window == Window::Whole && !is_of_run && StatisticKind::of(query) != StatisticKind::AsSeen
    };
    let Some(query) = queries(placed).find(counts_seconds) else { return };
    let measured = phases.iter().filter(|phase| phase.measure);
    let choices: Vec<String> = measured.map(|phase| format!("`in {}`", phase.name)).collect();
    let message = format!(
        "`{}` of the whole run counts `{}`, which lies between measured phases and is not measured; write {}",
        query.measure.form(),
        between.name,
        choices.join(" or ")
    );
    reader.report(source.inside_quotes(&placed.span), message);
}

/// Whether what is claimed of a recovery can be seen before the load ends: of one that is over within a time, three good seconds
/// after it; of one that takes longer, that time.
fn check_recovery(
    reader: &mut Reader<'_>,
    placed: &PlacedExpectation,
    parts: &JudgedParts<'_>,
    phases: &[Phase],
) {
    let that = &placed.that;
    if queries(placed).all(|query| query.measure.name != "recovery") {
        return;
    }
    let Some(end_ns) = parts.disturbed_until(phases) else {
        if parts.has_all_steps {
            let message = "no step is a fault and no phase is `overloaded`, so nothing recovers; write a [[step]], or remove \
                           the expectation";
            reader.report(placed.span.clone(), message);
        }
        return;
    };
    let (limit, op) = match (&that.left, &that.right) {
        (Side::Measure { factor, .. }, Side::Quantity { value, .. }) => (value / factor, that.op),
        // Of two recoveries each has to be seen, and the quickest is over at once.
        _ => (0.0, Op::AtMost),
    };
    // The measure counts in whole seconds of the load.
    let length_ns: u64 = phases.iter().map(|phase| ns(phase.length)).sum();
    let left = (length_ns / SECOND).saturating_sub(end_ns / SECOND) as f64;
    let needed = limit + GOOD_SECONDS;
    let message = match op {
        Op::AtMost | Op::Below | Op::Equal if needed > left => format!(
            "recovery within {} takes {} to see, {GOOD_SECONDS} good seconds in a row at its end included",
            seconds(limit),
            seconds(needed)
        ),
        Op::AtLeast if limit > left => format!("no recovery of {} or more can be seen", seconds(limit)),
        Op::Above if limit >= left => format!("no recovery of more than {} can be seen", seconds(limit)),
        _ => return,
    };
    reader.report(
        placed.span.clone(),
        format!(
            "{message}, and the load ends {} after the last fault or overload; write a longer phase, an earlier fault or a \
             smaller limit",
            seconds(left)
        ),
    );
}

/// `2.5s`.
fn seconds(seconds: f64) -> String {
    format!("{}s", (seconds * 1e3).round() / 1e3)
}
