//! What was wrong in a run: a [`Symptom`] is what is wrong at a moment, an [`Incident`] the same over time: since when,
//! for how long, how badly.

mod symptom;

use std::collections::BTreeMap;

pub use symptom::{Kind, Symptom, symptoms};

pub use crate::history::STALE_NS;
use crate::run::Run;
use crate::window::TimeRange;

/// Something that was wrong at one place of an arm for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Arm letter.
    pub arm: char,
    /// As it was at its worst.
    pub symptom: Symptom,
    /// Second of the load at whose end it was first there.
    pub first_s: u32,
    /// The last such second.
    pub last_s: u32,
    /// The second at whose end it was worst.
    pub worst_s: u32,
    /// Seconds at whose end it was there, rounds added up.
    pub seconds: u32,
}

impl Run {
    /// What is wrong in an arm at `t`, the worst first.
    pub fn symptoms_at(&self, arm: char, t: u64) -> Vec<Symptom> {
        symptoms(
            self.loaded_until(arm, t),
            self.edge_histories(arm).map(Vec::as_slice),
            self.process_histories(arm).map(|(_, samples)| samples.as_slice()),
        )
    }

    /// Every incident, arm by arm; none of a sweep, whose arms are too many to list them of each.
    pub fn incidents(&self) -> Vec<Incident> {
        if self.is_sweep() {
            return Vec::new();
        }
        self.letters().into_iter().flat_map(|arm| self.incidents_of(arm)).collect()
    }

    /// Every incident of an arm; errors first, then in the order they began.
    pub fn incidents_of(&self, arm: char) -> Vec<Incident> {
        let mut incidents: BTreeMap<(Kind, String), Incident> = BTreeMap::new();
        for second in 1..=self.length_s() {
            for range in self.run_time(arm, &TimeRange { round: 0, seconds: second - 1..second }) {
                for symptom in self.symptoms_at(arm, range.end) {
                    let incident =
                        incidents.entry((symptom.kind, symptom.place.clone())).or_insert_with(|| Incident {
                            arm,
                            symptom: symptom.clone(),
                            first_s: second,
                            last_s: second,
                            worst_s: second,
                            seconds: 0,
                        });
                    (incident.last_s, incident.seconds) = (second, incident.seconds + 1);
                    if symptom.weight > incident.symptom.weight {
                        (incident.symptom, incident.worst_s) = (symptom, second);
                    }
                }
            }
        }
        let mut incidents: Vec<Incident> = incidents.into_values().collect();
        incidents.sort_by_key(|incident| (!incident.symptom.kind.is_error(), incident.first_s));
        incidents
    }
}
