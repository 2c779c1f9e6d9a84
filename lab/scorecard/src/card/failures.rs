//! Where two arms lose different shares of their journeys, a ratio of their latencies says nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Run, Window};

use crate::draft::Draft;
use crate::expect::{Argument, Parameter};
use crate::inference::{Figure, Resampling, fail_differently};
use crate::measures::ERRORS;
use crate::selection::Selection;

/// The failed shares of a run's arms, window by window.
pub(super) struct Failures<'a> {
    run: &'a Run,
    figures: BTreeMap<(String, char), Figure>,
}

impl<'a> Failures<'a> {
    pub fn new(run: &'a Run) -> Self {
        Self { run, figures: BTreeMap::new() }
    }

    /// Whether a row of latencies compares arms that fail differently.
    pub fn differ(&mut self, draft: &Draft, base: char, other: char) -> bool {
        let Some(window) = draft.latencies_of.clone() else { return false };
        let [base, other] = [base, other].map(|arm| self.figure(&window, arm));
        fail_differently(&base, &other)
    }

    fn figure(&mut self, window: &Window, arm: char) -> Figure {
        let argument = Argument::of_row(Parameter::Journey, None);
        let selection = Selection::new(self.run, arm, window, &argument);
        let frame = selection.frame();
        let key = (frame.window.clone(), arm);
        let figure = || {
            let resampling = Arc::new(Resampling::new(&frame));
            Figure::new((ERRORS.statistic)(&selection), &resampling)
        };
        self.figures.entry(key).or_insert_with(figure).clone()
    }
}
