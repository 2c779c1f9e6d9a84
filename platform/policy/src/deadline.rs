//! Arithmetic of the `x-deadline-ms` header: *remaining* milliseconds, so that clocks are never compared.

/// Shortest deadline taken seriously, ms.
pub const MIN_DEADLINE_MS: u64 = 1;
/// Longest, ms.
pub const MAX_DEADLINE_MS: u64 = 30_000;

/// The time a request has, ms: the client's word, at most the route's. What is not
/// digits alone, such as `-1`, is garbage and counts as no word; more than fits a number is
/// more than the route's. `None` when the client has stopped waiting.
pub fn remaining_ms(header: Option<&str>, route_ms: u64) -> Option<u64> {
    let route_ms = route_ms.clamp(MIN_DEADLINE_MS, MAX_DEADLINE_MS);
    let digits = |given: &&str| !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit());
    match header.map(str::trim).filter(digits).map(str::parse::<u64>) {
        Some(Ok(0)) => None,
        Some(Ok(given)) => Some(given.min(route_ms)),
        Some(Err(_)) | None => Some(route_ms),
    }
}

/// What is left after `elapsed_ns`, ns; `None` when nothing is.
pub const fn left_ns(budget_ns: u64, elapsed_ns: u64) -> Option<u64> {
    match budget_ns.checked_sub(elapsed_ns) {
        Some(0) | None => None,
        left => left,
    }
}

/// A try's time, ns: its own limit, at most what is left.
pub fn try_ns(left_ns: u64, per_try_ns: Option<u64>) -> u64 {
    per_try_ns.map_or(left_ns, |limit| limit.min(left_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_word_counts_if_it_makes_sense() {
        for (header, expected) in [
            (None, Some(2_000)),
            (Some("500"), Some(500)),
            (Some(" 500 "), Some(500)),
            (Some("999999999"), Some(2_000)),
            (Some("abc"), Some(2_000)),
            (Some(""), Some(2_000)),
            (Some("-1"), Some(2_000)),
            (Some("+5"), Some(2_000)),
            (Some("1.5"), Some(2_000)),
            (Some("18446744073709551616"), Some(2_000)),
            (Some("0"), None),
            (Some("000"), None),
        ] {
            assert_eq!(remaining_ms(header, 2_000), expected, "{header:?}");
        }
        assert_eq!(remaining_ms(None, 1_000_000), Some(MAX_DEADLINE_MS));
    }

    #[test]
    fn time_runs_out() {
        assert_eq!((left_ns(5, 3), left_ns(5, 5), left_ns(5, 9)), (Some(2), None, None));
        assert_eq!((try_ns(10, Some(3)), try_ns(10, Some(30)), try_ns(10, None)), (3, 10, 10));
    }
}
