//! The grammar of expectations.
//!
//! ```text
//! expectation = side op side [ "held" duration ]
//! op          = "<=" | "<" | ">=" | ">" | "=="
//! side        = [ number "*" ] measure | quantity [ "for" axes ]
//! measure     = name [ "(" [ argument { "," argument } ] ")" ] [ "in" window ] [ "for" axes ]
//! window      = phase | "last" duration | "whole"
//! axes        = name { "," name }
//! quantity    = number [ unit ]
//! ```
//!
//! `for` binds to the measure it follows; a measure without one takes the other
//! side's; without any, every arm must meet the expectation.

use std::str::FromStr;

use super::{ExpectError, Expectation, Kind, MEASURES, Measure, Op, Side, Thing, Unit, Window};

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
        let mut parser = Parser { text, at: 0 };
        let mut left = parser.side()?;
        let (op, (right, trailing)) = parser.comparison(&left)?;
        let held_ns = if parser.word_is("held") { parser.duration()? } else { 0 };
        parser.end()?;
        let Side::Measure { measure, .. } = &mut left else {
            return Err(ExpectError {
                at: 0,
                message: "write the measure on the left: `errors(all) < 1%`".into(),
            });
        };
        if measure.axes.is_empty() {
            measure.axes = match &right {
                Side::Measure { measure: other, .. } => other.axes.clone(),
                Side::Quantity { .. } => trailing,
            };
        }
        let unit = measure.kind.unit();
        let mut right = right;
        match &mut right {
            Side::Measure { measure: other, .. } => {
                if other.kind.unit() != unit {
                    return Err(parser.error(format!(
                        "the sides have different units, {unit:?} and {:?}",
                        other.kind.unit()
                    )));
                }
                if other.axes.is_empty() {
                    other.axes.clone_from(&measure.axes);
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
                    return Err(
                        parser.error(format!("the limit has another unit than the measure; write {example}"))
                    );
                }
            }
        }
        Ok(Self { text: text.to_owned(), left, op, right, held_ns })
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, message: impl Into<String>) -> ExpectError {
        ExpectError { at: self.at.min(self.text.len()), message: message.into() }
    }

    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// A word: letters, digits and what names hold.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_-.#".contains(c))).unwrap_or(rest.len());
        // `a->b` is two words and an arrow: a hyphen before `>` is not part of the first.
        let end =
            rest[..end].strip_suffix('-').filter(|_| rest[end..].starts_with('>')).map_or(end, str::len);
        self.at += end;
        &rest[..end]
    }

    fn word_is(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.word() == word {
            return true;
        }
        self.at = before;
        false
    }

    fn number(&mut self) -> Option<f64> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let value: f64 = rest[..end].parse().ok()?;
        self.at += end;
        Some(value)
    }

    fn op(&mut self) -> Result<Op, ExpectError> {
        for (token, op) in
            [("<=", Op::AtMost), (">=", Op::AtLeast), ("==", Op::Equal), ("<", Op::Below), (">", Op::Above)]
        {
            if self.eat(token) {
                return Ok(op);
            }
        }
        Err(self.error("expected a comparison: <= < >= > =="))
    }

    /// What follows the left side. A time by itself is a condition: it is more than none.
    fn comparison(&mut self, left: &Side) -> Result<(Op, (Side, Vec<String>)), ExpectError> {
        let alone =
            matches!(left, Side::Measure { measure, .. } if matches!(measure.kind, Kind::BreakerOpen(..)));
        if alone && (self.rest().is_empty() || self.rest().starts_with("held")) {
            return Ok((Op::Above, (Side::Quantity { value: 0.0, unit: Unit::Time }, Vec::new())));
        }
        Ok((self.op()?, self.right_side()?))
    }

    fn side(&mut self) -> Result<Side, ExpectError> {
        let before = self.at;
        if let Some(factor) = self.number() {
            if self.eat("*") {
                return Ok(Side::Measure { factor, measure: self.measure()? });
            }
            self.at = before;
            let (value, unit) = self.quantity()?;
            return Ok(Side::Quantity { value, unit });
        }
        Ok(Side::Measure { factor: 1.0, measure: self.measure()? })
    }

    /// The right side, and the axes that follow a quantity.
    fn right_side(&mut self) -> Result<(Side, Vec<String>), ExpectError> {
        let side = self.side()?;
        let trailing = match &side {
            Side::Quantity { .. } if self.word_is("for") => self.axes()?,
            _ => Vec::new(),
        };
        Ok((side, trailing))
    }

    fn quantity(&mut self) -> Result<(f64, Unit), ExpectError> {
        let value = self.number().ok_or_else(|| self.error("expected a number"))?;
        const UNITS: [(&str, f64, Unit); 11] = [
            ("%", 0.01, Unit::Share),
            ("/s", 1.0, Unit::Rate),
            ("ms", 1e-3, Unit::Time),
            ("us", 1e-6, Unit::Time),
            ("min", 60.0, Unit::Time),
            ("KiB", 1024.0, Unit::Bytes),
            ("MiB", 1_048_576.0, Unit::Bytes),
            ("GiB", 1_073_741_824.0, Unit::Bytes),
            ("s", 1.0, Unit::Time),
            ("m", 60.0, Unit::Time),
            ("B", 1.0, Unit::Bytes),
        ];
        for (symbol, scale, unit) in UNITS {
            if self.text[self.at..].starts_with(symbol) {
                self.at += symbol.len();
                return Ok((value * scale, unit));
            }
        }
        Ok((value, Unit::Count))
    }

    fn duration(&mut self) -> Result<u64, ExpectError> {
        match self.quantity()? {
            (value, Unit::Time) => Ok((value * 1e9) as u64),
            _ => Err(self.error("expected a duration such as 10s")),
        }
    }

    fn axes(&mut self) -> Result<Vec<String>, ExpectError> {
        let mut axes = Vec::new();
        loop {
            let name = self.word();
            if name.is_empty() {
                return Err(self.error("`for` needs the name of a topology or variant"));
            }
            axes.push(name.to_owned());
            if !self.eat(",") {
                return Ok(axes);
            }
        }
    }

    fn measure(&mut self) -> Result<Measure, ExpectError> {
        let start = self.at;
        let name = self.word();
        let argument = self.argument()?;
        let kind = kind(name, argument.as_deref()).map_err(|message| ExpectError { at: start, message })?;
        let window = if self.word_is("in") { self.window()? } else { Window::Whole };
        let axes = if self.word_is("for") { self.axes()? } else { Vec::new() };
        Ok(Measure { kind, window, axes })
    }

    fn argument(&mut self) -> Result<Option<String>, ExpectError> {
        if !self.eat("(") {
            return Ok(None);
        }
        let rest = self.rest();
        let end = rest.find(')').ok_or_else(|| self.error("the bracket is never closed"))?;
        self.at += end + 1;
        Ok(Some(rest[..end].trim().to_owned()).filter(|argument| !argument.is_empty()))
    }

    fn window(&mut self) -> Result<Window, ExpectError> {
        if self.word_is("last") {
            return Ok(Window::Last(self.duration()?));
        }
        match self.word() {
            "" => Err(self.error("`in` needs a phase, `last 10s` or `whole`")),
            "whole" => Ok(Window::Whole),
            phase => Ok(Window::Phase(phase.to_owned())),
        }
    }

    fn end(&mut self) -> Result<(), ExpectError> {
        let rest = self.rest();
        if rest.is_empty() { Ok(()) } else { Err(self.error(format!("`{rest}` does not belong here"))) }
    }
}

fn kind(name: &str, argument: Option<&str>) -> Result<Kind, String> {
    let selector = || {
        argument.map(str::to_owned).ok_or_else(|| format!("`{name}` needs a journey or `all`: `{name}(all)`"))
    };
    let edge = || {
        argument
            .and_then(|text| text.split_once("->"))
            .map(|(caller, callee)| (caller.trim().to_owned(), callee.trim().to_owned()))
            .ok_or_else(|| format!("`{name}` needs an edge: `{name}(feed->follower)`"))
    };
    let step = || {
        let id = argument.and_then(|text| text.strip_prefix("step ")).map(|id| id.trim().to_owned());
        id.ok_or_else(|| format!("`{name}` needs a step: `{name}(step dead-photo)`"))
    };
    let journey_and_time = || {
        let parts = argument.and_then(|text| text.trim().split_once(' '));
        let parsed = parts.and_then(|(journey, time)| {
            let mut parser = Parser { text: time.trim(), at: 0 };
            let ns = parser.duration().ok().filter(|_| parser.end().is_ok())?;
            Some((journey.to_owned(), ns / 1_000))
        });
        parsed.ok_or_else(|| format!("`{name}` needs a journey and a time: `{name}(all 50ms)`"))
    };
    let none = |kind: Kind| match argument {
        None => Ok(kind),
        Some(argument) => Err(format!("`{name}` takes no argument, not `{argument}`")),
    };
    match name {
        "p50" => Ok(Kind::Latency(0.50, selector()?)),
        "p95" => Ok(Kind::Latency(0.95, selector()?)),
        "p99" => Ok(Kind::Latency(0.99, selector()?)),
        "p999" => Ok(Kind::Latency(0.999, selector()?)),
        "goodput" => Ok(Kind::Goodput(selector()?)),
        "rate" => Ok(Kind::Rate(selector()?)),
        "errors" => Ok(Kind::Errors(selector()?)),
        "availability" => Ok(Kind::Availability(selector()?)),
        "attempts" => edge().map(|(a, b)| Kind::Attempts(a, b)),
        "breaker_open" => edge().map(|(a, b)| Kind::BreakerOpen(a, b)),
        "recovery" => Ok(Kind::Recovery(selector()?)),
        "wasted" => argument
            .map(|name| Kind::Wasted(name.to_owned()))
            .ok_or_else(|| "`wasted` needs a component: `wasted(follower)`".into()),
        "blast_radius" => step().map(Kind::BlastRadius),
        "time_to_detect" => step().map(Kind::TimeToDetect),
        "time_to_rollback" => step().map(Kind::TimeToRollback),
        "time_to_finish" => step().map(Kind::TimeToFinish),
        "cache_hits" => argument
            .map(|name| Kind::CacheHits(name.to_owned()))
            .ok_or_else(|| "`cache_hits` needs a component: `cache_hits(profile)`".into()),
        "cpu" => Ok(argument.map_or(Kind::Cpu, |name| Kind::CpuOf(name.to_owned()))),
        "pss" => argument
            .map(|name| Kind::PssOf(name.to_owned()))
            .ok_or_else(|| "`pss` needs a component: `pss(photo)`; of the arm it is procs.pss".into()),
        "slower" => journey_and_time().map(|(journey, us)| Kind::Slower(journey, us)),
        "capacity" => journey_and_time().map(|(journey, us)| Kind::Capacity(journey, us)),
        "processes" => none(Kind::Things(Thing::Processes)),
        "ports" => none(Kind::Things(Thing::Ports)),
        "databases" => none(Kind::Things(Thing::Databases)),
        "config_keys" => none(Kind::Things(Thing::ConfigKeys)),
        "start_up" => none(Kind::StartUp),
        "spans" => none(Kind::Spans),
        "cpu_per_journey" => none(Kind::CpuPerJourney),
        "cost" => none(Kind::Cost),
        "hops" => none(Kind::Hops),
        "procs.pss" => none(Kind::Pss),
        "lost_writes" => none(Kind::LostWrites),
        "duplicated_writes" => none(Kind::DuplicatedWrites),
        "stale_reads" => none(Kind::StaleReads),
        "staleness_p50" => none(Kind::Staleness(0.5)),
        "staleness_p99" => none(Kind::Staleness(0.99)),
        "host.cpu_stall" => none(Kind::CpuStall),
        "host.mem_available" => none(Kind::MemoryAvailable),
        "rps" | "requests" | "throughput" => Err(format!(
            "`{name}` counts requests, and requests are no throughput: services make more of them for the same journeys; write rate(all)"
        )),
        _ => {
            let names: Vec<&str> = MEASURES.iter().map(|(form, _)| *form).collect();
            Err(format!("unknown measure `{name}`; measures: {}", names.join(", ")))
        }
    }
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
        let (Side::Measure { measure: left, .. }, Side::Measure { factor, measure: right }) =
            (&both.left, &both.right)
        else {
            panic!("two measures")
        };
        assert_eq!(
            (left.axes.as_slice(), right.axes.as_slice(), *factor),
            (&["micro".to_owned()][..], &["mono".to_owned()][..], 2.0)
        );
        let trailing = parse("recovery(all) <= 3s for budget,micro");
        let Side::Measure { measure, .. } = &trailing.left else { panic!("a measure") };
        assert_eq!(measure.axes, ["budget", "micro"]);
    }

    #[test]
    fn quantities_are_in_base_units() {
        let Side::Quantity { value, unit } = parse("p99(all) <= 250ms").right else { panic!("a quantity") };
        assert!((value - 0.25).abs() < 1e-12 && unit == Unit::Time);
        assert_eq!(parse("errors(all) == 0").right, Side::Quantity { value: 0.0, unit: Unit::Share });
    }

    #[test]
    fn mistakes_say_where_and_what_instead() {
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
