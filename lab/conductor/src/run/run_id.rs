//! Names of runs.

use model::date::CivilTime;
use runtime::clock;

/// How the name of a suite that is kept up begins, and that of its folder.
pub const SUITE_PREFIX: &str = "up-";

/// Names a run: when it began (UTC), and some letters that differ between two of the same second.
pub(crate) fn run_id() -> String {
    let us = clock::wall_us();
    format!("{}-{}", timestamp(us), tail(us))
}

/// Names a suite that is kept up: its process, by which its control groups are known, and some letters, since another machine may
/// have a process of that number, and this one had: both may keep their data on one server.
pub(crate) fn suite_id() -> String {
    format!("{SUITE_PREFIX}{}-{}", std::process::id(), tail(clock::wall_us()))
}

/// The folder of a suite: its name with that of its arm in it, so that no two are the same whatever ids processes get.
pub(crate) fn suite_folder(suite_id: &str, arm: &str) -> String {
    let unique = suite_id.strip_prefix(SUITE_PREFIX).unwrap_or(suite_id);
    format!("{SUITE_PREFIX}{}-{unique}", arm.replace('/', "-"))
}

/// Letters that differ between two programs of one moment, and between two moments of one program.
fn tail(us: i64) -> String {
    let id = contract::Id::<()>::derived("run", &[&us.to_le_bytes(), &std::process::id().to_le_bytes()]);
    id.to_string()[9..].to_owned()
}

/// `20260131-235959` of microseconds since 1970.
fn timestamp(us: i64) -> String {
    let CivilTime { year, month, day, hour, minute, second } = CivilTime::of_wall_us(us);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_its_moment() {
        // One day, one hour, two minutes and three seconds.
        assert_eq!(timestamp((86_400 + 3_600 + 120 + 3) * 1_000_000), "19700102-010203");
        let id = run_id();
        assert_eq!(id.split('-').count(), 3, "{id}");
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "a folder's name: {id}");
        assert!(suite_id().starts_with(&format!("up-{}-", std::process::id())), "{}", suite_id());
        assert_eq!(suite_folder("up-77-abcd", "micro/naive"), "up-micro-naive-77-abcd");
    }
}
