//! Recorded arrivals: time, journey, user. A trace is offered unchanged to every arm.

use serde::{Deserialize, Serialize};

use crate::journey::Journey;

/// One arrival of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRow {
    /// Time, microseconds since the load's start.
    pub offset_us: u64,
    /// Journey.
    pub journey: Journey,
    /// Index of the user, modulo the number of users.
    pub user: u32,
}

/// First line of a file.
pub const HEADER: &str = "offset_us,journey,user";
/// Longest trace, arrivals: more than one machine can offer in a run.
const MAX_ROWS: usize = 200_000;
/// Diagnostics reported per file at most.
const MAX_DIAGNOSTICS: usize = 5;

/// Reads a file of rows, `1500,home-feed,17`, below [`HEADER`]; empty lines and `#` are skipped.
///
/// # Errors
/// Diagnostics, by line.
pub fn parse(text: &str) -> Result<Vec<TraceRow>, Vec<String>> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut diagnostics = Vec::new();
    if lines.next().is_none_or(|(_, line)| line.replace(' ', "") != HEADER) {
        diagnostics.push(format!("the header is missing; write {HEADER} as the first line"));
        return Err(diagnostics);
    }
    let mut rows: Vec<TraceRow> = Vec::new();
    for (number, line) in lines {
        match row(line) {
            Ok(row) if rows.last().is_some_and(|last| last.offset_us > row.offset_us) => {
                diagnostics.push(format!(
                    "line {number}: {} us is earlier than the previous line; sort the lines by time",
                    row.offset_us
                ));
            }
            Ok(row) => rows.push(row),
            Err(why) => diagnostics.push(format!("line {number}: {why}")),
        }
        if diagnostics.len() == MAX_DIAGNOSTICS {
            break;
        }
    }
    if rows.is_empty() && diagnostics.is_empty() {
        diagnostics.push("the trace is empty; write at least one arrival".to_owned());
    }
    if rows.len() > MAX_ROWS {
        diagnostics.push(format!("{} arrivals are too many; write at most {MAX_ROWS}", rows.len()));
    }
    if diagnostics.is_empty() { Ok(rows) } else { Err(diagnostics) }
}

fn row(line: &str) -> Result<TraceRow, String> {
    let parts: Vec<&str> = line.split(',').map(str::trim).collect();
    let &[offset, journey, user] = parts.as_slice() else {
        return Err(format!("`{line}` has {} columns; expected three: {HEADER}", parts.len()));
    };
    Ok(TraceRow {
        offset_us: offset
            .parse()
            .map_err(|_| format!("invalid offset `{offset}`: expected whole microseconds, e.g. 1500"))?,
        journey: Journey::named(journey).ok_or_else(|| {
            let known: Vec<&str> = Journey::ALL.iter().map(|journey| journey.name()).collect();
            format!("unknown journey `{journey}`; journeys: {}", known.join(", "))
        })?,
        user: user
            .parse()
            .map_err(|_| format!("invalid user `{user}`: expected the index of a user, a whole number"))?,
    })
}

/// Most arrivals within any second: the rate the generator must sustain.
pub fn peak_rate(rows: &[TraceRow]) -> f64 {
    let mut first = 0;
    let mut peak = 0;
    for (last, row) in rows.iter().enumerate() {
        while row.offset_us - rows[first].offset_us >= 1_000_000 {
            first += 1;
        }
        peak = peak.max(last + 1 - first);
    }
    peak as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_order() {
        let rows = parse("# from the 3rd of May\noffset_us,journey,user\n0,home-feed,3\n\n1500, like, 9\n");
        let rows = rows.expect("a trace");
        assert_eq!(rows.iter().map(|row| row.offset_us).collect::<Vec<_>>(), [0, 1_500]);
        assert_eq!(rows[1], TraceRow { offset_us: 1_500, journey: Journey::Like, user: 9 });
    }

    #[test]
    fn each_diagnostic_names_its_line() {
        let diagnostics =
            parse("offset_us,journey,user\n5,home-feed,3\n4,like,1\nx,like,1\n6,lik,1\n7,like\n8,like,-1\n");
        let diagnostics = diagnostics.expect_err("five faults").join("\n");
        for part in [
            "line 3: 4 us is earlier",
            "line 4: invalid offset `x`",
            "line 5: unknown journey `lik`; journeys: home-feed",
            "line 6: `7,like` has 2 columns",
            "line 7: invalid user `-1`",
        ] {
            assert!(diagnostics.contains(part), "{diagnostics}");
        }
        assert!(parse("").expect_err("no heading")[0].contains(HEADER));
        assert!(parse(HEADER).expect_err("no rows")[0].contains("at least one"));
    }

    #[test]
    fn the_peak_is_the_fullest_second() {
        let row = |offset_us| TraceRow { offset_us, journey: Journey::HomeFeed, user: 0 };
        let rows = [0, 900_000, 950_000, 1_000_000, 1_899_999, 5_000_000].map(row);
        assert_eq!(peak_rate(&rows), 4.0);
        assert_eq!(peak_rate(&[]), 0.0);
    }
}
