//! Where the lines of a run come from: a channel while it goes on, a list when it is over. A view is handed a source and
//! asks its [`Run`]; it never sees a line.

use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::vec;

use record::Line;

use crate::run::Run;
use crate::startup::Startup;

/// Lines folded at once at most: between two batches a view draws and hears keys.
const MAX_BATCH: usize = 4_096;

/// What a source had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Lines were folded; there may be more.
    Advanced,
    /// Nothing new.
    Waiting,
    /// There will be no more.
    Ended,
}

/// A run that becomes known bit by bit.
pub trait Source {
    /// Folds the lines that are there into the run, without waiting.
    fn advance(&mut self, run: &mut Run) -> Progress;

    /// Waits for the next line and adds it, without bringing percentiles up to date: [`Run::settle`] does. Never
    /// [`Progress::Waiting`].
    fn step(&mut self, run: &mut Run) -> Progress;

    /// How the run gets ready, where that has changed since it was last asked for; `None` of a run that began elsewhere.
    fn startup(&mut self) -> Option<Startup> {
        None
    }

    /// What the record has between two moments, for a view of seconds that the run no longer keeps in detail; `None`
    /// where there is no record to read back from.
    fn read_back(&mut self, _run: &Run, _range: Range<u64>) -> Option<Run> {
        None
    }
}

impl Source for Receiver<Arc<Line>> {
    fn advance(&mut self, run: &mut Run) -> Progress {
        let mut batch = 0;
        let progress = loop {
            match self.try_recv() {
                Ok(line) => run.add(&line),
                Err(TryRecvError::Empty) if batch == 0 => return Progress::Waiting,
                Err(TryRecvError::Disconnected) if batch == 0 => return Progress::Ended,
                Err(_) => break Progress::Advanced,
            }
            batch += 1;
            if batch == MAX_BATCH {
                break Progress::Advanced;
            }
        };
        run.settle();
        progress
    }

    fn step(&mut self, run: &mut Run) -> Progress {
        let Ok(line) = self.recv() else { return Progress::Ended };
        run.add(&line);
        Progress::Advanced
    }
}

impl Source for vec::IntoIter<Line> {
    fn advance(&mut self, run: &mut Run) -> Progress {
        let lines = std::mem::take(self);
        if lines.as_slice().is_empty() {
            return Progress::Ended;
        }
        run.take(lines.as_slice());
        Progress::Advanced
    }

    fn step(&mut self, run: &mut Run) -> Progress {
        let Some(line) = self.next() else { return Progress::Ended };
        run.add(&line);
        Progress::Advanced
    }
}

/// A record that is over, folded up to one moment after another.
pub struct Replay<'a> {
    lines: Peekable<Box<dyn Iterator<Item = Line> + 'a>>,
    run: Run,
}

impl<'a> Replay<'a> {
    /// A record's lines, in its order; they may be read as they are asked for.
    pub fn of(lines: impl IntoIterator<Item = Line, IntoIter: 'a>) -> Self {
        let lines: Box<dyn Iterator<Item = Line> + 'a> = Box::new(lines.into_iter());
        Self { lines: lines.peekable(), run: Run::default() }
    }

    /// When the next line was written; `None` after the last.
    pub fn next_t(&mut self) -> Option<u64> {
        self.lines.peek().map(|line| line.t)
    }

    /// Folds every line up to a moment, that moment included.
    pub fn advance_to(&mut self, t: u64) -> &Run {
        while let Some(line) = self.lines.next_if(|line| line.t <= t) {
            self.run.add(&line);
        }
        self.run.settle();
        &self.run
    }
}
