//! Where two arms lose different shares of their journeys, a ratio of their latencies says nothing.

use std::collections::BTreeMap;

use model::{Run, Window};

use crate::draft::Draft;
use crate::expect::{Argument, Parameter};
use crate::inference::{Engine, Figure, fail_differently};
use crate::measures::ERRORS;
use crate::selection::Selection;

/// The failed shares of a run's arms, window by window.
pub(super) struct Failures<'a> {
    run: &'a Run,
    engine: &'a Engine,
    figures: BTreeMap<(String, char), Figure>,
}

impl<'a> Failures<'a> {
    pub fn new(run: &'a Run, engine: &'a Engine) -> Self {
        Self { run, engine, figures: BTreeMap::new() }
    }

    /// Whether a row of latencies compares arms that fail differently.
    pub fn differ(&mut self, draft: &Draft, base: char, other: char) -> bool {
        let Some(window) = &draft.latencies_of else { return false };
        let keys = [base, other].map(|arm| self.known(window, arm));
        let [Some(base), Some(other)] = keys.map(|key| self.figures.get(&key)) else { return false };
        fail_differently(base, other)
    }

    /// Where the figure of an arm is kept.
    fn known(&mut self, window: &Window, arm: char) -> (String, char) {
        let argument = Argument::of_row(Parameter::Journey, None);
        let selection = Selection::new(self.run, arm, window, &argument);
        let frame = selection.frame();
        let key = (frame.window.clone(), arm);
        let engine = self.engine;
        let figure = || Figure::new((ERRORS.statistic)(&selection), &engine.resampling(&frame));
        self.figures.entry(key.clone()).or_insert_with(figure);
        key
    }
}
