//! A row's figure of one arm in words, for people: where it has a word of its own it is not a bound like others.

use model::{Run, format};
use record::{Measured, Note, Score};

use crate::ladder;

/// `41.2ms`, `> 2.00s`; of a recovery that did not happen `never (30 s watched)`, of a capacity that no rate exceeded
/// `at least 1,600/s (highest rate tried)`, or the highest rate where its seconds do not decide; `not decided` where none do.
pub fn figure(run: &Run, score: &Score, arm: char) -> String {
    let measured = score.arms.get(&arm).copied().unwrap_or_default();
    if is_of("recovery", &score.id)
        && let Some(never) = never(run, &measured)
    {
        return never;
    }
    let text = format::measured(&measured, &score.unit);
    let is_open = measured.value.is_none() && measured.interval.is_some_and(|of| of.high.is_none());
    let highest = if is_of("capacity", &score.id) && is_open {
        ladder::highest_rate(run, arm, &score.measure)
    } else {
        None
    };
    let (Some(highest), Some(held)) = (highest, measured.interval) else { return text };
    if highest <= held.low {
        return format!("{text} (highest rate tried)");
    }
    // Where no rate is known to be held or failed, a bound of 0 would look like a finding.
    let text = if held.low > 0.0 { text } else { "not decided".to_owned() };
    format!("{text} (highest rate tried: {})", format::value(Some(highest), &score.unit))
}

/// A recovery that did not happen while the run watched. Over rounds its mean is a bound like others, since some rounds may
/// have recovered.
pub(crate) fn never(run: &Run, recovery: &Measured) -> Option<String> {
    let is_never = recovery.is_censored && recovery.note == Some(Note::ThisEvent) && run.header.rounds <= 1;
    let watched = recovery.value.filter(|_| is_never)?;
    Some(format!("never ({watched:.0} s watched)"))
}

/// Whether a score's id is that of a row, or of one of its family: `capacity_home-feed-50ms`.
pub(crate) fn is_of(id: &str, score_id: &str) -> bool {
    score_id.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}
