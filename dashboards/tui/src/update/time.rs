//! The moment shown, and the stretch of time around it.

use crate::keymap::Action;
use crate::state::{State, Zoom};
use model::SECOND;

/// Stretches `+` and `-` go through, seconds.
const STRETCHES: [u32; 7] = [15, 30, 60, 120, 300, 600, 1_800];

/// The earliest moment worth showing: the load's first second.
pub(super) fn earliest(state: &State) -> u64 {
    state.run.load_start().min(state.run.now)
}

pub(super) fn act(state: &mut State, action: Action) {
    state.cursor = match action {
        Action::Pause if state.cursor.is_some() => None,
        Action::Pause => Some(state.run.now),
        Action::Start => Some(earliest(state)),
        Action::Step(seconds) => {
            // Whole seconds, from the start of the load to now.
            let moved = state.at().saturating_add_signed(i64::from(seconds) * SECOND as i64);
            Some(moved.clamp(earliest(state), state.run.now))
        }
        Action::NextEvent | Action::PreviousEvent => {
            let forward = action == Action::NextEvent;
            match state.run.event_from(state.at(), forward) {
                Some(at) => Some(at.clamp(earliest(state), state.run.now)),
                None => {
                    state.status = format!("no event {}", if forward { "after this" } else { "before this" });
                    state.cursor
                }
            }
        }
        _ => None,
    };
}

pub(super) fn zoom(state: &mut State, action: Action) {
    let length = state.run.length_s().max(1);
    let now = match state.live.zoom {
        Zoom::Fit => length,
        Zoom::Seconds(seconds) => seconds,
        Zoom::Phase(index) => {
            let phase = state.run.header.phases.get(index);
            phase.map_or(length, |phase| u32::try_from(phase.length_ns / SECOND).unwrap_or(length))
        }
    };
    state.live.zoom = match action {
        Action::ZoomIn => {
            Zoom::Seconds(STRETCHES.into_iter().rfind(|s| *s < now).unwrap_or(STRETCHES[0].min(length)))
        }
        // Beyond the longest is all of it, whether or not it fits well.
        Action::ZoomOut => {
            Zoom::Seconds(STRETCHES.into_iter().find(|s| *s > now && *s < length).unwrap_or(length))
        }
        Action::ZoomPhase => {
            state.run.progress_at(state.at()).map_or(Zoom::Fit, |(_, index)| Zoom::Phase(index))
        }
        _ => Zoom::Fit,
    };
}
