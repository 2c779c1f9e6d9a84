//! The moment shown, and the stretch of time around it.

use crate::keymap::Action;
use crate::model::{Model, Zoom};
use crate::run::SECOND;

/// Stretches `+` and `-` go through, seconds.
const STRETCHES: [u32; 7] = [15, 30, 60, 120, 300, 600, 1_800];

/// The earliest moment worth showing: the load's first second.
pub(super) fn earliest(model: &Model) -> u64 {
    model.run.load_start().min(model.run.now)
}

pub(super) fn act(model: &mut Model, action: Action) {
    model.cursor = match action {
        Action::Pause if model.cursor.is_some() => None,
        Action::Pause => Some(model.run.now),
        Action::Start => Some(earliest(model)),
        Action::Step(seconds) => {
            // Whole seconds; nobody sees the future, nor anything before the load.
            let moved = model.at().saturating_add_signed(i64::from(seconds) * SECOND as i64);
            Some(moved.clamp(earliest(model), model.run.now))
        }
        Action::NextEvent | Action::PreviousEvent => {
            let forward = action == Action::NextEvent;
            match model.run.event_from(model.at(), forward) {
                Some(at) => Some(at.clamp(earliest(model), model.run.now)),
                None => {
                    model.status = format!("no event {}", if forward { "after this" } else { "before this" });
                    model.cursor
                }
            }
        }
        _ => None,
    };
}

pub(super) fn zoom(model: &mut Model, action: Action) {
    let length = u32::try_from(model.run.length_ns().div_ceil(SECOND)).unwrap_or(u32::MAX).max(1);
    let now = match model.live.zoom {
        Zoom::Fit => length,
        Zoom::Seconds(seconds) => seconds,
        Zoom::Phase(index) => {
            let phase = model.run.header.as_deref().and_then(|header| header.phases.get(index));
            phase.map_or(length, |phase| u32::try_from(phase.length_ns / SECOND).unwrap_or(length))
        }
    };
    model.live.zoom = match action {
        Action::ZoomIn => {
            Zoom::Seconds(STRETCHES.into_iter().rfind(|s| *s < now).unwrap_or(STRETCHES[0].min(length)))
        }
        // Beyond the longest is all of it, whether or not it fits well.
        Action::ZoomOut => {
            Zoom::Seconds(STRETCHES.into_iter().find(|s| *s > now && *s < length).unwrap_or(length))
        }
        Action::ZoomPhase => {
            model.run.progress(model.at()).map_or(Zoom::Fit, |(_, index)| Zoom::Phase(index))
        }
        _ => Zoom::Fit,
    };
}
