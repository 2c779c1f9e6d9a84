//! What was wrong in the run: when, for how long, and how it was at its worst.

use std::collections::BTreeMap;

use model::TimeRange;
use model::incidents::{Kind, Symptom, symptoms};

use super::Story;
use crate::sweep;

/// Something that was wrong at one place of an arm for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Spell {
    /// Whose.
    pub arm: char,
    /// As it was at its worst.
    pub symptom: Symptom,
    /// Seconds of the load at whose end it was first and last there.
    pub first_s: u32,
    /// The last.
    pub last_s: u32,
    /// At whose end it was worst.
    pub worst_s: u32,
    /// Seconds it was there, rounds added up.
    pub seconds: u32,
}

impl Story {
    /// Everything that was wrong, arm by arm; nothing of a sweep, whose arms are too many to tell it of each.
    pub fn all_spells(&self) -> Vec<Spell> {
        if sweep::is_one(self) {
            return Vec::new();
        }
        self.header().arms.iter().flat_map(|arm| self.spells(arm.letter)).collect()
    }

    /// Everything that was wrong in an arm at the end of a second of the load; errors first, then as they came.
    pub fn spells(&self, arm: char) -> Vec<Spell> {
        let mut spells: BTreeMap<(Kind, String), Spell> = BTreeMap::new();
        for second in 1..=self.length_s() {
            let stretch = TimeRange { round: 0, seconds: second - 1..second };
            for range in self.run.run_time(arm, &stretch) {
                let procs = self.run.procs(arm).map(|(_, said)| said);
                for symptom in symptoms(range.end, self.run.edge_histories(arm), procs) {
                    let spell =
                        spells.entry((symptom.kind, symptom.place.clone())).or_insert_with(|| Spell {
                            arm,
                            symptom: symptom.clone(),
                            first_s: second,
                            last_s: second,
                            worst_s: second,
                            seconds: 0,
                        });
                    (spell.last_s, spell.seconds) = (second, spell.seconds + 1);
                    if symptom.weight > spell.symptom.weight {
                        (spell.symptom, spell.worst_s) = (symptom, second);
                    }
                }
            }
        }
        let mut spells: Vec<Spell> = spells.into_values().collect();
        spells.sort_by_key(|spell| (!spell.symptom.kind.is_error(), spell.first_s));
        spells
    }
}
