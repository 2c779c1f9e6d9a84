//! What a figure's samples are worth: how far its events cluster in units, by themselves or by what they borrow.

use super::figure::{Content, Figure};
use super::shares::Share;

/// Seconds depend on each other where the slowest quarter clusters by more.
const MAX_CLUSTERING: f64 = 8.0;
/// From here a quantile is of the tail, and borrows from [`TAIL_LENDER`].
const TAIL: f64 = 0.99;
/// What a rare share borrows its clustering from.
const TAIL_LENDER: f64 = 0.90;
/// Up to here a quantile borrows nothing; beyond, from here.
const BODY: f64 = 0.75;

impl Figure {
    /// Design effect of a quantile's tail, in its own arrivals or those it is of.
    fn clustering_of(&self, q: f64) -> f64 {
        let pooled = match &self.content {
            Content::Quantile { pooled, .. } => Some(pooled),
            _ => self.lender.as_ref(),
        };
        pooled.map_or(0.0, |pooled| pooled.clustering(q, &self.resampling.units, self.present))
    }

    /// Design effect of the slowest quarter of the arrivals; 0 where it is of none.
    pub(super) fn clustering(&self) -> f64 {
        *self.clustering.get_or_init(|| self.clustering_of(BODY))
    }

    /// Whether queues couple the seconds, so that the interval of a p90 or of a mean is too narrow to decide.
    pub(super) fn is_coupled(&self) -> bool {
        let is_sensitive = match &self.content {
            Content::Quantile { q, .. } => *q > BODY && *q < TAIL,
            Content::Quotient { .. } => true,
            Content::Share { .. } | Content::Fixed => false,
        };
        is_sensitive && !self.resampling.is_by_rounds() && self.clustering() > MAX_CLUSTERING
    }

    /// Design effects of a quantile's tail: its own, and with what it borrows. Few events say little of how they cluster.
    pub(super) fn tail_clustering(&self, q: f64) -> (f64, f64) {
        let own = self.clustering_of(q);
        let with_borrowed = if q <= BODY {
            own
        } else if q < TAIL {
            own.max(self.clustering())
        } else {
            own.max(self.clustering_of(TAIL_LENDER)).max(1.0)
        };
        (own, with_borrowed)
    }

    /// By how much resampling understates the variance of the figure; `None` where it cannot know.
    pub(super) fn inflation(&self) -> Option<f64> {
        let Content::Quantile { q, .. } = self.content else { return Some(1.0) };
        if self.resampling.is_by_rounds() {
            return Some(1.0);
        }
        let (own, with_borrowed) = self.tail_clustering(q);
        if own <= 0.0 {
            return None;
        }
        Some(if q <= BODY {
            1.0
        } else if q < TAIL {
            with_borrowed / own
        } else {
            with_borrowed / own.max(1.0)
        })
    }

    /// Events among trials by unit, as a share with the clustering it has or borrows; `None` without trials.
    pub(super) fn share_of(&self, events: &[u64], trials: &[u64]) -> Option<Share> {
        let n = trials.iter().sum::<u64>();
        let own = if n > 0 { self.resampling.units.design_effect(events, trials, self.present) } else { 0.0 };
        // Over rounds nothing is borrowed.
        let lent = if self.resampling.is_by_rounds() { 0.0 } else { self.clustering_of(TAIL_LENDER) };
        (n > 0).then(|| Share {
            events: events.iter().sum::<u64>() as f64,
            trials: n as f64,
            clustering: own.max(lent),
            nu: self.freedom().nu,
        })
    }
}
