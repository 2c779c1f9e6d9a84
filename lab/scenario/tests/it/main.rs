//! Reading scenario files: valid ones, and the messages for invalid ones.

mod catalogue;
mod diagnostics;
mod edits;
mod network;
mod quantities;
mod schema;

use std::path::{Path, PathBuf};

use contract::ComponentName;
use scenario::{Application, Diagnostics, Scenario};

/// The components of the application the scenarios are written for.
const COMPONENTS: [ComponentName; 5] = [
    ComponentName::of("profile"),
    ComponentName::of("follower"),
    ComponentName::of("feed"),
    ComponentName::of("search"),
    ComponentName::of("photo"),
];

/// Who calls whom in it, and who takes events from whom.
const CALLS: [(ComponentName, ComponentName); 9] = [
    (ComponentName::GATEWAY, ComponentName::of("profile")),
    (ComponentName::GATEWAY, ComponentName::of("follower")),
    (ComponentName::GATEWAY, ComponentName::of("feed")),
    (ComponentName::GATEWAY, ComponentName::of("search")),
    (ComponentName::GATEWAY, ComponentName::of("photo")),
    (ComponentName::of("follower"), ComponentName::of("profile")),
    (ComponentName::of("feed"), ComponentName::of("follower")),
    (ComponentName::of("feed"), ComponentName::of("photo")),
    (ComponentName::of("feed"), ComponentName::of("profile")),
];
const EVENTS: [(ComponentName, ComponentName); 3] = [
    (ComponentName::of("feed"), ComponentName::of("photo")),
    (ComponentName::of("search"), ComponentName::of("photo")),
    (ComponentName::of("search"), ComponentName::of("profile")),
];
const TABLES: [(ComponentName, &str); 3] = [
    (ComponentName::of("feed"), "feed_posts"),
    (ComponentName::of("feed"), "feed_timelines"),
    (ComponentName::of("photo"), "photo_photos"),
];
const APPLICATION: Application<'_> =
    Application { components: &COMPONENTS, calls: &CALLS, events: &EVENTS, tables: &TABLES };

/// Reads a text as the program would, under the name its messages shall show.
fn read(name: &str, text: &str) -> Result<Scenario, Diagnostics> {
    scenario::read(Path::new(name), text.to_owned(), &APPLICATION)
}

/// The files of a folder that end in `.extension`, by name.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder of ours").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// A name without folder and ending.
fn stem(path: &Path) -> String {
    path.file_stem().expect("a file").to_string_lossy().into_owned()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
