//! Conditions of deploys: judged while the load goes on, on the record as it stands by then, by the rule of a live run.

use model::Run;
use record::{Header, Prediction};
use scenario::Scenario;
use scorecard::judge;

use super::block::Block;
use super::changes::step_of;
use super::layout::Layout;
use super::lines::{self, RecordContents};
use crate::calibrate::Calibration;
use crate::model::ChangeWatch;

const SECOND_NS: u64 = 1_000_000_000;

/// What a condition is judged with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch<'a> {
    /// The header of the run.
    pub header: &'a Header,
    pub scenario: &'a Scenario,
    /// The arms.
    pub layouts: &'a [Layout],
    pub calibration: &'a Calibration,
    /// The round of the load.
    pub round: u32,
}

impl Watch<'_> {
    /// Whether what a change deployed passes, once `second` seconds of the load are over; `None` while its watch goes on.
    pub fn passes(&self, watched: &ChangeWatch, so_far: &Block, second: u64) -> Option<bool> {
        let is_over = second * SECOND_NS >= watched.until_ns;
        judge::watch_result(self.judged(watched, so_far, second), is_over)
    }

    fn judged(&self, watched: &ChangeWatch, so_far: &Block, second: u64) -> Option<(record::Verdict, bool)> {
        let (letter, step) = step_of(&watched.change, self.scenario)?;
        let condition = step.action.deploy()?.strategy.promote_if.as_ref()?;
        let lines = lines::lines(&RecordContents {
            header: self.header.clone(),
            scenario: self.scenario,
            layouts: self.layouts,
            calibration: self.calibration,
            blocks: &[(self.round, so_far.clone())],
            prediction: &Prediction::default(),
        });
        let run = Run::of(&lines).ok()?;
        let at = |second: u64| u32::try_from(second).unwrap_or(u32::MAX);
        let from = at(watched.since_ns / SECOND_NS);
        let that = condition.0.over_seconds(from, at(second).max(from + 1));
        judge::condition_in(&run, letter, &that)
    }
}
