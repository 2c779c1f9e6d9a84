//! Scenarios by name or file: of the working folder's `scenarios`, else those that the program was built with.

use std::path::PathBuf;

use runtime::bounded_file;
use scenario::{Application, Diagnostics, Scenario};

/// Largest scenario file, bytes: the longest that is shipped has less than a hundredth of it.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The scenarios that the program was built with.
mod built_in {
    include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));
}

/// Names of all scenarios, sorted.
pub fn names() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(scenario::source::catalogue_folder()) else {
        return built_in::SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// The path of a scenario and its text.
///
/// # Errors
/// A message with the valid choices.
pub fn text_of(requested: &str) -> Result<(PathBuf, String), String> {
    let is_file = requested.ends_with(".toml") || requested.contains('/');
    let folder = scenario::source::catalogue_folder();
    let path = if is_file { PathBuf::from(requested) } else { folder.join(format!("{requested}.toml")) };
    let built_in = built_in::SHIPPED.iter().find(|(name, _)| !is_file && *name == requested);
    match (bounded_file::read_text(&path, MAX_FILE_BYTES), built_in) {
        (Ok(text), _) => Ok((path, text)),
        (Err(_), Some((_, text))) if !folder.is_dir() => Ok((path, (*text).to_owned())),
        (Err(error), _) if is_file => Err(format!("{} cannot be read: {error}", path.display())),
        (Err(_), _) => {
            Err(scenario::source::unknown("scenario", requested, names().iter().map(String::as_str)))
        }
    }
}

/// Reads a scenario by name, or a file.
///
/// # Errors
/// A message with file, line and the valid choices.
pub fn find(requested: &str) -> Result<Scenario, String> {
    let (path, text) = text_of(requested)?;
    for_application(|application| scenario::read(&path, text, application))
}

/// A scenario with the values of a combination of its sweep.
///
/// # Errors
/// A message with what does not go together.
pub fn combination(scenario: &Scenario, values: &[usize]) -> Result<Scenario, String> {
    for_application(|application| scenario::read_combination(scenario, values, application))
}

/// Reads a scenario for the application that the program was built with.
fn for_application(
    read: impl FnOnce(&Application<'_>) -> Result<Scenario, Diagnostics>,
) -> Result<Scenario, String> {
    let (components, calls, events) = (suite::components(), suite::calls(), suite::event_sources());
    let tables = suite::tables();
    let application =
        Application { components: &components, calls: &calls, events: &events, tables: &tables };
    read(&application).map_err(|faults| faults.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_valid_and_named_like_its_file() {
        let names = names();
        assert!(names.len() >= 4, "{names:?}");
        for name in names {
            let scenario = find(&name).unwrap_or_else(|text| panic!("{text}"));
            assert_eq!(scenario.name, name);
            assert!(!scenario.why.is_empty() && !scenario.check.is_empty(), "{name} claims nothing");
        }
    }

    #[test]
    fn the_scenarios_of_the_source_tree_are_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
        let files = std::fs::read_dir(folder).expect("a folder").flatten();
        let files = files.filter(|file| file.path().extension().is_some_and(|found| found == "toml")).count();
        assert_eq!(built_in::SHIPPED.len(), files);
    }

    #[test]
    fn a_file_without_an_end_is_no_scenario() {
        let text = find("/dev/zero").expect_err("it has no end");
        assert_eq!(text, "/dev/zero cannot be read: it is longer than 1 MiB");
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_right_choices() {
        let text = find("first-lok").expect_err("a typo");
        assert!(text.contains("did you mean `first-look`?"), "{text}");
    }
}
