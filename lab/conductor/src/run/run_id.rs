//! Names of runs.

use runtime::clock;

/// Names a run: when it began (UTC), and some letters that differ between two of the same second.
pub(crate) fn run_id() -> String {
    let us = clock::wall_us();
    let tail = contract::Id::<()>::derived("run", &[&us.to_le_bytes(), &std::process::id().to_le_bytes()]);
    format!("{}-{}", timestamp(us), &tail.to_string()[9..])
}

/// `20260131-235959` of microseconds since 1970.
fn timestamp(us: i64) -> String {
    let seconds = us.div_euclid(1_000_000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_date(days);
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a day since 1970 (Hinnant, chrono-Compatible Low-Level Date Algorithms).
fn civil_date(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(20_453), (2025, 12, 31));
        assert_eq!(civil_date(11_016), (2000, 2, 29));
    }

    #[test]
    fn a_name_begins_with_its_moment() {
        // One day, one hour, two minutes and three seconds.
        assert_eq!(timestamp((86_400 + 3_600 + 120 + 3) * 1_000_000), "19700102-010203");
        let id = run_id();
        assert_eq!(id.split('-').count(), 3, "{id}");
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "a folder's name: {id}");
    }
}
