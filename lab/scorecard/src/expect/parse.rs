//! Parses an expectation.
//!
//! ```text
//! expectation = side op side [ "held" duration ]
//! op          = "<=" | "<" | ">=" | ">" | "=="
//! side        = [ number "*" ] measure | quantity [ "for" axes ]
//! measure     = name [ "(" [ argument ] ")" ] [ "in" window ] [ "for" axes ]
//! window      = phase | "last" duration | "whole"
//! axes        = name { "," name }
//! quantity    = number [ unit ]
//! ```
//!
//! Names of measures and what they take in brackets come from the [catalogue](crate::measures::CATALOGUE). `for` binds
//! to the measure it follows; a measure without one takes the other side's; without any, every arm must meet the
//! expectation.

use std::str::FromStr;

use super::tokens::Tokens;
use super::{ExpectError, Expectation, Op, Query, Side, Window};
use crate::measure::{Measure, Property, Unit};
use crate::measures;

/// Longest expectation, bytes: a line, not a program.
const MAX_LENGTH: usize = 500;

impl FromStr for Expectation {
    type Err = ExpectError;

    fn from_str(text: &str) -> Result<Self, ExpectError> {
        if text.len() > MAX_LENGTH {
            return Err(ExpectError {
                at: 0,
                message: format!("an expectation has at most {MAX_LENGTH} bytes"),
            });
        }
        let mut tokens = Tokens::new(text);
        let left = side(&mut tokens)?;
        let (op, mut right, trailing) = comparison(&mut tokens, &left)?;
        let held_ns = if tokens.eat_word("held") { tokens.duration()? } else { 0 };
        tokens.end()?;
        let Side::Measure { factor, query: mut left } = left else {
            return Err(ExpectError {
                at: 0,
                message: "write the measure on the left: `errors(all) < 1%`".into(),
            });
        };
        if left.axes.is_empty() {
            left.axes = match &right {
                Side::Measure { query, .. } => query.axes.clone(),
                Side::Quantity { .. } => trailing,
            };
        }
        agree(&left, &mut right).map_err(|message| tokens.error(message))?;
        Ok(Self { text: text.to_owned(), left: Side::Measure { factor, query: left }, op, right, held_ns })
    }
}

/// Gives the right side the unit and the axes of the left, or returns why it cannot have them.
fn agree(left: &Query, right: &mut Side) -> Result<(), String> {
    let unit = left.measure.unit;
    match right {
        Side::Measure { query, .. } => {
            if query.measure.unit != unit {
                return Err(format!("the sides have different units, {unit:?} and {:?}", query.measure.unit));
            }
            if query.axes.is_empty() {
                query.axes.clone_from(&left.axes);
            }
        }
        Side::Quantity { value, unit: given } => {
            if *given == Unit::Count && *value == 0.0 {
                *given = unit;
            }
            if *given != unit {
                let example = match unit {
                    Unit::Time => "250ms or 2s",
                    Unit::Share => "95%",
                    Unit::Rate => "280/s",
                    Unit::Bytes => "96MiB",
                    Unit::Count => "a bare number",
                };
                return Err(format!("the limit has another unit than the measure; write {example}"));
            }
        }
    }
    Ok(())
}

/// What follows the left side: the comparison, the right side, and the axes behind a quantity. A measure that is a
/// condition by itself is more than none.
fn comparison(tokens: &mut Tokens<'_>, left: &Side) -> Result<(Op, Side, Vec<String>), ExpectError> {
    let is_condition = matches!(left, Side::Measure { query, .. } if query.measure.has(Property::Condition));
    if is_condition && (tokens.rest().is_empty() || tokens.rest().starts_with("held")) {
        return Ok((Op::Above, Side::Quantity { value: 0.0, unit: Unit::Time }, Vec::new()));
    }
    let op = op(tokens)?;
    let right = side(tokens)?;
    let trailing = match &right {
        Side::Quantity { .. } if tokens.eat_word("for") => axes(tokens)?,
        _ => Vec::new(),
    };
    Ok((op, right, trailing))
}

fn op(tokens: &mut Tokens<'_>) -> Result<Op, ExpectError> {
    for (token, op) in
        [("<=", Op::AtMost), (">=", Op::AtLeast), ("==", Op::Equal), ("<", Op::Below), (">", Op::Above)]
    {
        if tokens.eat(token) {
            return Ok(op);
        }
    }
    Err(tokens.error("expected a comparison: <= < >= > =="))
}

fn side(tokens: &mut Tokens<'_>) -> Result<Side, ExpectError> {
    let start = tokens.position();
    if let Some(factor) = tokens.factor() {
        // Times 0 every figure is the same one.
        if factor <= 0.0 || !factor.is_finite() {
            return Err(ExpectError { at: start, message: "a factor must be above 0".into() });
        }
        return Ok(Side::Measure { factor, query: query(tokens)? });
    }
    if tokens.is_number() {
        let (value, unit) = tokens.quantity()?;
        return Ok(Side::Quantity { value, unit });
    }
    Ok(Side::Measure { factor: 1.0, query: query(tokens)? })
}

fn query(tokens: &mut Tokens<'_>) -> Result<Query, ExpectError> {
    let start = tokens.position();
    let name = tokens.word();
    let written = tokens.brackets()?;
    let measure = measure(name, written.is_some()).map_err(|message| ExpectError { at: start, message })?;
    let argument =
        measure.parameter.read(name, written).map_err(|message| ExpectError { at: start, message })?;
    let window = if tokens.eat_word("in") { window(tokens)? } else { Window::Whole };
    let axes = if tokens.eat_word("for") { axes(tokens)? } else { Vec::new() };
    Ok(Query { measure, argument, window, axes })
}

/// The measure of a name. Where one name is of two, the argument decides.
fn measure(name: &str, has_argument: bool) -> Result<&'static Measure, String> {
    if ["rps", "requests", "throughput"].contains(&name) {
        return Err(format!(
            "`{name}` counts requests, and requests are no throughput: services make more of them for the same \
             journeys; write rate(all)"
        ));
    }
    measures::find(name, has_argument).ok_or_else(|| {
        let forms: Vec<String> = measures::CATALOGUE.iter().map(|measure| measure.form()).collect();
        format!("unknown measure `{name}`; measures: {}", forms.join(", "))
    })
}

fn window(tokens: &mut Tokens<'_>) -> Result<Window, ExpectError> {
    if tokens.eat_word("last") {
        return Ok(Window::Last(tokens.duration()?));
    }
    match tokens.word() {
        "" => Err(tokens.error("`in` needs a phase, `last 10s` or `whole`")),
        "whole" => Ok(Window::Whole),
        phase => Ok(Window::Phase(phase.to_owned())),
    }
}

fn axes(tokens: &mut Tokens<'_>) -> Result<Vec<String>, ExpectError> {
    let mut axes = Vec::new();
    loop {
        let name = tokens.word();
        if name.is_empty() {
            return Err(tokens.error("`for` needs the name of a topology or variant"));
        }
        axes.push(name.to_owned());
        if !tokens.eat(",") {
            return Ok(axes);
        }
    }
}

/// A time by itself, ns.
pub(super) fn parse_duration(text: &str) -> Option<u64> {
    let mut tokens = Tokens::new(text);
    let ns = tokens.duration().ok()?;
    tokens.end().ok().map(|()| ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Expectation {
        text.parse().unwrap_or_else(|error: ExpectError| panic!("{text}: {error}"))
    }

    #[test]
    fn the_handbooks_forms_are_read() {
        for text in [
            "errors(all) in steady < 0.5%",
            "host.cpu_stall in steady < 30%",
            "p95(feed) in steady for micro <= 4 * p95(feed) in steady for mono",
            "availability(profile) in leak >= 99.5% for micro",
            "blast_radius(step bad-search) for micro < blast_radius(step bad-search) for mono",
            "lost_writes() == 0",
            "goodput(feed) in last 10s <= 5%  for naive,micro",
            "attempts(feed->follower) in after >= 3.5 * attempts(feed->follower) in steady for naive,micro",
            "recovery(feed) <= 3s             for budget,micro",
            "cpu_per_journey in steady for micro >= 1.3 * cpu_per_journey in steady for mono",
            "errors(all) > 90% held 15s",
            "cpu(feed) in steady for micro <= 0.5 * cpu in steady for mono",
            "pss(search) in leak >= 200MiB",
        ] {
            parse(text);
        }
    }

    #[test]
    fn axes_bind_to_the_measure_they_follow() {
        let both = parse("p50(all) for micro <= 2 * p50(all) for mono");
        let (Side::Measure { query: left, .. }, Side::Measure { factor, query: right }) =
            (&both.left, &both.right)
        else {
            panic!("two measures")
        };
        assert_eq!(
            (left.axes.as_slice(), right.axes.as_slice(), *factor),
            (&["micro".to_owned()][..], &["mono".to_owned()][..], 2.0)
        );
        let trailing = parse("recovery(all) <= 3s for budget,micro");
        let Side::Measure { query, .. } = &trailing.left else { panic!("a measure") };
        assert_eq!(query.axes, ["budget", "micro"]);
    }

    #[test]
    fn quantities_are_in_base_units() {
        let Side::Quantity { value, unit } = parse("p99(all) <= 250ms").right else { panic!("a quantity") };
        assert!((value - 0.25).abs() < 1e-12 && unit == Unit::Time);
        assert_eq!(parse("errors(all) == 0").right, Side::Quantity { value: 0.0, unit: Unit::Share });
        let limit = |text: &str| match parse(text).right {
            Side::Quantity { value, .. } => value,
            Side::Measure { .. } => panic!("{text} ends with a quantity"),
        };
        assert_eq!(limit("availability(all) >= 99.9%"), 999.0 / 1_000.0);
        assert_eq!([limit("errors(all) <= 0.7%"), limit("p50(all) <= 9ms")], [0.007, 0.009]);
        assert_eq!(parse_duration("1025ms"), Some(1_025_000_000), "no nanosecond less");
    }

    #[test]
    fn mistakes_have_a_place_and_a_suggestion() {
        for (text, part) in [
            ("p98(all) < 1s", "unknown measure `p98`"),
            ("p99 < 1s", "needs a journey or `all`"),
            ("p99(all) < 5%", "write 250ms or 2s"),
            ("p99(all) = 1s", "expected a comparison"),
            ("5% > errors(all)", "measure on the left"),
            ("errors(all) < 1% and more", "does not belong here"),
            ("p50(all) < errors(all)", "different units"),
            ("attempts(feed) < 2", "needs an edge"),
            ("lost_writes(all) == 0", "takes no argument"),
            ("errors(all < 1%", "never closed"),
            ("errors(all) in < 1%", "needs a phase"),
            ("errors(all) in last 0s < 1%", "above 0s"),
            ("p50(all) for a <= 0 * p50(all) for b", "above 0"),
            ("errors(all) < 1% held 0ms", "above 0s"),
            ("lost_writes() < 9999999999999999", "out of range; write at most 1000000000000000"),
            ("rate(all) < NaN/s", "unknown measure `NaN`"),
            ("p50(all) < inf", "unknown measure `inf`"),
            ("p50(all) < -1ms", "unknown measure"),
        ] {
            let error = text.parse::<Expectation>().expect_err(text);
            assert!(error.message.contains(part), "{text}: {error}");
            assert!(error.at <= text.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = text.parse::<Expectation>();
        }

        #[test]
        fn no_shuffle_of_words_panics(words in proptest::collection::vec(
            proptest::sample::select(vec!["p50(", "all", ")", "in", "last", "10s", "for", "mono", ",", "<=", "*", "3", "%", "->", "é", "held"]), 0..12)) {
            let _ = words.join(" ").parse::<Expectation>();
            let _ = words.concat().parse::<Expectation>();
        }
    }
}
