//! No screen of a simulated run passes for one of a measured run.

use model::SIMULATED;
use record::{CalibrationIdentity, Entry, Line, Prediction, Provenance, Sensitivity, Validity};
use tui::tab::Tab;

use crate::fixture;
use crate::still::{after, drawn, text};

/// The lines of a run as a prediction would have them.
fn predicted(until: u32) -> Vec<Line> {
    let mut lines = fixture::until(until);
    let Entry::Header(header) = &mut lines[0].entry else { panic!("it begins with its header") };
    header.source = Provenance::Simulated;
    header.prediction = Some(Prediction {
        calibration: CalibrationIdentity {
            sources: vec!["hop-tax r0".into()],
            ..CalibrationIdentity::default()
        },
        validity: Validity::Extrapolated,
        band: vec![Sensitivity {
            arm: 'A',
            measure: "latency_p99".into(),
            unit: "s".into(),
            value: 0.01,
            low: 0.008,
            high: 0.011,
            parameter: "wake_ns".into(),
            interval: None,
        }],
        band_copies: Some(1_000),
        ..Prediction::default()
    });
    lines
}

#[test]
fn every_tab_is_marked_at_every_size_while_it_goes_on_and_when_it_is_over() {
    for until in [20, u32::MAX] {
        for tab in Tab::ALL {
            let mut state = after(predicted(until));
            state.tab = tab;
            for (width, height) in [(200, 60), (120, 40), (80, 24), (60, 16), (40, 8), (40, 6)] {
                state.size = (width, height);
                let screen = text(&drawn(&state, width, height));
                assert!(screen.contains(SIMULATED), "{tab:?} at {width}x{height}:\n{screen}");
            }
            // All there is room for.
            state.size = (30, 5);
            let screen = text(&drawn(&state, 30, 5));
            assert!(screen.contains("SIM "), "{tab:?}:\n{screen}");
        }
    }
}

#[test]
fn what_stands_behind_it_is_on_every_screen_with_room() {
    for tab in Tab::ALL {
        let mut state = after(predicted(u32::MAX));
        (state.tab, state.size) = (tab, (200, 60));
        let screen = text(&drawn(&state, 200, 60));
        for part in ["hop-tax r0", "validity: extrapolated", "p99 ±20 %", "1000 instances"] {
            assert!(screen.contains(part), "{part}, {tab:?}:\n{screen}");
        }
    }
}

#[test]
fn a_measured_run_is_not_marked() {
    let mut state = after(fixture::until(20));
    state.size = (200, 60);
    assert!(!text(&drawn(&state, 200, 60)).contains(SIMULATED));
}
