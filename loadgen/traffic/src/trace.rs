//! Arrivals that were written down: when, what, who. A trace is offered as it is, to every arm.

use serde::{Deserialize, Serialize};

use crate::journey::Journey;

/// One arrival of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// When, microseconds since the load's start.
    pub offset_us: u64,
    /// What.
    pub journey: Journey,
    /// Index of the user who acts; taken modulo the users there are.
    pub user: u32,
}

/// What the first line of a file is.
pub const HEADING: &str = "offset_us,journey,user";
/// More is no trace for one machine.
const MOST: usize = 200_000;
/// So many faults of a file are told.
const TOLD: usize = 5;

/// Reads a file of rows, `1500,home-feed,17`, below [`HEADING`]; empty lines and `#` are skipped.
///
/// # Errors
/// What is wrong with it, by line.
pub fn parse(text: &str) -> Result<Vec<Row>, Vec<String>> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut faults = Vec::new();
    if lines.next().is_none_or(|(_, line)| line.replace(' ', "") != HEADING) {
        faults.push(format!("a trace begins with the line {HEADING}"));
        return Err(faults);
    }
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in lines {
        match row(line) {
            Ok(row) if rows.last().is_some_and(|last| last.offset_us > row.offset_us) => {
                faults.push(format!("line {number}: {} us is earlier than the line before", row.offset_us));
            }
            Ok(row) => rows.push(row),
            Err(why) => faults.push(format!("line {number}: {why}")),
        }
        if faults.len() == TOLD {
            break;
        }
    }
    if rows.is_empty() && faults.is_empty() {
        faults.push("a trace has at least one arrival".to_owned());
    }
    if rows.len() > MOST {
        faults.push(format!("{} arrivals are too many; a trace has at most {MOST}", rows.len()));
    }
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

fn row(line: &str) -> Result<Row, String> {
    let parts: Vec<&str> = line.split(',').map(str::trim).collect();
    let &[offset, journey, user] = parts.as_slice() else {
        return Err(format!("`{line}` has {} columns, not three: {HEADING}", parts.len()));
    };
    Ok(Row {
        offset_us: offset
            .parse()
            .map_err(|_| format!("`{offset}` is no offset; write whole microseconds such as 1500"))?,
        journey: Journey::named(journey).ok_or_else(|| {
            let known: Vec<&str> = Journey::ALL.iter().map(|journey| journey.name()).collect();
            format!("unknown journey `{journey}`; journeys: {}", known.join(", "))
        })?,
        user: user.parse().map_err(|_| format!("`{user}` is no index of a user; write a whole number"))?,
    })
}

/// The most arrivals within any second: what the generator must be ready for.
pub fn peak_rate(rows: &[Row]) -> f64 {
    let mut first = 0;
    let mut most = 0;
    for (last, row) in rows.iter().enumerate() {
        while row.offset_us - rows[first].offset_us >= 1_000_000 {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_order() {
        let rows = parse("# from the 3rd of May\noffset_us,journey,user\n0,home-feed,3\n\n1500, like, 9\n");
        let rows = rows.expect("a trace");
        assert_eq!(rows.iter().map(|row| row.offset_us).collect::<Vec<_>>(), [0, 1_500]);
        assert_eq!(rows[1], Row { offset_us: 1_500, journey: Journey::Like, user: 9 });
    }

    #[test]
    fn each_fault_is_told_with_its_line() {
        let faults =
            parse("offset_us,journey,user\n5,home-feed,3\n4,like,1\nx,like,1\n6,lik,1\n7,like\n8,like,-1\n");
        let faults = faults.expect_err("five faults").join("\n");
        for part in [
            "line 3: 4 us is earlier",
            "line 4: `x` is no offset",
            "line 5: unknown journey `lik`; journeys: home-feed",
            "line 6: `7,like` has 2 columns",
            "line 7: `-1` is no index",
        ] {
            assert!(faults.contains(part), "{faults}");
        }
        assert!(parse("").expect_err("no heading")[0].contains(HEADING));
        assert!(parse(HEADING).expect_err("no rows")[0].contains("at least one"));
    }

    #[test]
    fn the_peak_is_the_fullest_second() {
        let row = |offset_us| Row { offset_us, journey: Journey::HomeFeed, user: 0 };
        let rows = [0, 900_000, 950_000, 1_000_000, 1_899_999, 5_000_000].map(row);
        assert_eq!(peak_rate(&rows), 4.0);
        assert_eq!(peak_rate(&[]), 0.0);
    }
}
