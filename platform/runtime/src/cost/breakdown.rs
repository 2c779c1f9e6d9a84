//! The time of a request by part, as it travels back to the caller.

use super::Part;

/// Nanoseconds by part, in the order of [`Part::ALL`]; they sum to the request's duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostBreakdown {
    /// By part.
    pub wall_ns: [u64; Part::ALL.len()],
}

impl CostBreakdown {
    /// Of one part.
    pub fn of(&self, part: Part) -> u64 {
        self.wall_ns[part as usize]
    }

    /// The whole duration, ns.
    pub fn total(&self) -> u64 {
        self.wall_ns.iter().sum()
    }

    /// As a `Server-Timing` header (W3C Server Timing): milliseconds with six
    /// decimals, so that no nanosecond is lost.
    pub fn to_header(&self) -> String {
        let mut header = String::new();
        for part in Part::ALL {
            let ns = self.of(part);
            if ns > 0 {
                let comma = if header.is_empty() { "" } else { ", " };
                header += &format!("{comma}{};dur={}.{:06}", part.as_str(), ns / 1_000_000, ns % 1_000_000);
            }
        }
        header
    }

    /// Reads the header; entries we do not know are left out.
    pub fn from_header(header: &str) -> Self {
        let mut breakdown = Self::default();
        for entry in header.split(',') {
            let mut fields = entry.trim().split(';');
            let Some(part) =
                fields.next().and_then(|name| Part::ALL.into_iter().find(|p| p.as_str() == name.trim()))
            else {
                continue;
            };
            let dur = fields.find_map(|field| field.trim().strip_prefix("dur="));
            if let Some(ms) =
                dur.and_then(|text| text.parse::<f64>().ok()).filter(|ms| (0.0..1e9).contains(ms))
            {
                breakdown.wall_ns[part as usize] += (ms * 1e6).round() as u64;
            }
        }
        breakdown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_reads_back() {
        let breakdown = CostBreakdown { wall_ns: [1, 2_500_000, 0, 999_999_999, 123_456, 0, 7] };
        assert_eq!(CostBreakdown::from_header(&breakdown.to_header()), breakdown);
        assert_eq!(CostBreakdown::default().to_header(), "");
    }

    #[test]
    fn strangers_and_nonsense_are_left_out() {
        let header =
            "cdn-cache;dur=5, encoding;desc=\"x\";dur=1.5, business;dur=-3, database;dur=abc, transport";
        assert_eq!(
            CostBreakdown::from_header(header),
            CostBreakdown { wall_ns: [1_500_000, 0, 0, 0, 0, 0, 0] }
        );
    }
}
