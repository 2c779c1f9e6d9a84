//! How a run gets ready: what a view shows until the record begins.

use crate::format;

/// How far a part of the start is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskState {
    /// It waits for those before it.
    #[default]
    Waiting,
    /// It goes on.
    Active,
    /// It is done.
    Done,
}

/// A part of the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartupTask {
    /// What gets ready: `data`, `A mono`, `generator`.
    pub name: String,
    /// How far it is.
    pub state: TaskState,
    /// What it is about, then what it came to.
    pub text: String,
}

/// The start of a run, part by part, in the order they begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// The scenario's name; empty where nothing is known of the start.
    pub scenario: String,
    /// The seed used.
    pub seed: u64,
    /// Its parts.
    pub tasks: Vec<StartupTask>,
}

impl Startup {
    /// A start of which nothing is done yet; tasks by their names and what they are about.
    pub fn new<'a>(scenario: &str, seed: u64, tasks: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let task = |(name, text): (&str, String)| StartupTask {
            name: name.to_owned(),
            state: TaskState::Waiting,
            text,
        };
        Self { scenario: scenario.to_owned(), seed, tasks: tasks.into_iter().map(task).collect() }
    }

    /// A task begins, or goes on with something else.
    pub fn begin(&mut self, name: &str, text: &str) {
        self.set(name, TaskState::Active, text.to_owned());
    }

    /// A task is done, after so many seconds.
    pub fn finish(&mut self, name: &str, text: &str, seconds: f64) {
        self.set(name, TaskState::Done, format!("{text}, {}", format::value(Some(seconds), "s")));
    }

    /// Arms that start again in later rounds are no part of the start: an unknown name changes nothing.
    fn set(&mut self, name: &str, state: TaskState, text: String) {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.name == name) {
            (task.state, task.text) = (state, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_begin_and_are_done_by_name() {
        let mut startup =
            Startup::new("first-look", 42, [("data", "of seed 42".to_owned()), ("A mono", String::new())]);
        startup.begin("data", "copied to A");
        startup.finish("data", "copied to 2 arms", 0.412);
        startup.begin("B micro", "7 processes start");
        let task =
            |name: &str, state, text: &str| StartupTask { name: name.into(), state, text: text.into() };
        assert_eq!(
            startup.tasks,
            [
                task("data", TaskState::Done, "copied to 2 arms, 412.0ms"),
                task("A mono", TaskState::Waiting, "")
            ]
        );
    }
}
