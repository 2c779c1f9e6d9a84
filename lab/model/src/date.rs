//! Dates of wall clocks, in UTC.

/// A second of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    /// Year of our era.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59: Unix time has no leap seconds.
    pub second: i64,
}

impl CivilTime {
    /// Of microseconds since 1970. Days to dates as in Hinnant, "chrono-Compatible Low-Level Date Algorithms"
    /// (`civil_from_days`).
    pub fn of_wall_us(wall_us: i64) -> Self {
        let seconds = wall_us.div_euclid(1_000_000);
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Years begin in March here, so that a leap day is the last of its year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day, hour: of_day / 3_600, minute: of_day / 60 % 60, second: of_day % 60 }
    }

    /// `2026-11-26 10:15 UTC`.
    pub fn to_the_minute(self) -> String {
        let Self { year, month, day, hour, minute, .. } = self;
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = |wall_us| {
            let CivilTime { year, month, day, hour, minute, second } = CivilTime::of_wall_us(wall_us);
            (year, month, day, hour, minute, second)
        };
        let day = 86_400 * 1_000_000;
        assert_eq!(date(0), (1970, 1, 1, 0, 0, 0));
        assert_eq!(date(-1), (1969, 12, 31, 23, 59, 59));
        assert_eq!(date(11_016 * day), (2000, 2, 29, 0, 0, 0));
        // 2024 has a 29th of February, 60 days after its first.
        assert_eq!(date((1_704_067_200 + 59 * 86_400 + 3_661) * 1_000_000), (2024, 2, 29, 1, 1, 1));
        assert_eq!(date(1_767_225_599_000_000), (2025, 12, 31, 23, 59, 59));
        let minute = CivilTime::of_wall_us(1_704_067_200_000_000 + 3_661_000_000).to_the_minute();
        assert_eq!(minute, "2024-01-01 01:01 UTC");
    }
}
