//! How fast the machine was during a run, and whether it was as fast when it was calibrated.

use record::MachineSpeed;

use crate::run::Run;

/// When the machine had another speed than its calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// It has it now: for a prediction that is made.
    Now,
    /// It had it during a run that is over.
    Then,
}

impl Run {
    /// How fast the machine was, before and after the load together; of a simulated run before the simulation. `None` where it
    /// was not measured.
    pub fn speed(&self) -> Option<MachineSpeed> {
        let after = self.end.as_ref().and_then(|end| end.speed);
        let probes: Vec<MachineSpeed> = self.header.machine.speed.into_iter().chain(after).collect();
        MachineSpeed::of_probes(&probes)
    }

    /// A sentence where the machine of a live run had another speed than when its prediction was calibrated.
    pub(crate) fn speed_since_calibration(&self) -> Option<String> {
        let calibration = &self.header.prediction.as_ref()?.calibration;
        let machine = &self.header.machine;
        // What another machine or build takes is no speed of this one.
        let is_same = (&calibration.cpu, &calibration.profile) == (&machine.cpu, &machine.profile);
        sentence(calibration.speed.filter(|_| is_same)?, self.speed()?, Compared::Then)
    }
}

/// A sentence where the machine has another speed than it had when it was calibrated; `None` where it is the same, as far as
/// probes show.
pub fn sentence(calibrated: MachineSpeed, seen: MachineSpeed, compared: Compared) -> Option<String> {
    let slower = seen.change_since(&calibrated)?;
    let (this, other) = if slower > 0.0 { ("slower", "faster") } else { ("faster", "slower") };
    let is = match compared {
        Compared::Now => "is",
        Compared::Then => "was",
    };
    Some(format!(
        "the machine {is} {:.0} % {this} than when it was calibrated: predicted CPU and times are of the {other} one",
        slower.abs() * 100.0
    ))
}

#[cfg(test)]
mod tests {
    use record::{CalibrationIdentity, End, Header, Machine, Prediction, Provenance};

    use super::*;

    const fn probe(ns: u64) -> MachineSpeed {
        MachineSpeed { probe_ns: ns, low_ns: ns - 10, high_ns: ns + 10 }
    }

    #[test]
    fn another_speed_is_named_in_one_sentence_and_the_same_is_not() {
        assert_eq!(
            sentence(probe(3_000), probe(3_270), Compared::Now).as_deref(),
            Some(
                "the machine is 9 % slower than when it was calibrated: predicted CPU and times are of the faster one"
            )
        );
        let faster = sentence(probe(3_000), probe(2_700), Compared::Then).expect("by a tenth");
        assert!(faster.starts_with("the machine was 10 % faster") && faster.ends_with("of the slower one"));
        assert_eq!(sentence(probe(3_000), probe(3_120), Compared::Now), None, "4 %");
    }

    #[test]
    fn a_live_run_is_compared_before_and_after_its_load_with_its_calibration() {
        let live = |profile: &str, before: u64, after: Option<u64>| {
            let calibration = CalibrationIdentity {
                profile: "release".into(),
                speed: Some(probe(3_000)),
                ..CalibrationIdentity::default()
            };
            let machine =
                Machine { profile: profile.into(), speed: Some(probe(before)), ..Machine::default() };
            let mut run = Run::new(Header {
                machine,
                prediction: Some(Prediction { calibration, ..Prediction::default() }),
                ..Header::default()
            });
            run.end = after.map(|ns| End { speed: Some(probe(ns)), ..End::default() });
            run
        };
        // 10 and 20 % slower are 15 on average.
        let run = live("release", 3_300, Some(3_600));
        assert_eq!(run.speed().map(|speed| speed.probe_ns), Some(3_450));
        let lines = run.prediction_lines();
        assert!(lines[1].starts_with("the machine was 15 % slower than"), "{lines:?}");
        assert!(live("release", 3_300, None).prediction_lines()[1].contains("10 % slower"));
        assert_eq!(live("release", 3_000, Some(3_000)).prediction_lines().len(), 1);
        assert_eq!(live("debug", 9_000, Some(9_000)).prediction_lines().len(), 1, "another program");
        let mut simulated = live("release", 3_300, None);
        simulated.header.source = Provenance::Simulated;
        assert!(simulated.prediction_lines().is_empty(), "its limits have it");
        assert_eq!(Run::new(Header::default()).speed(), None);
    }
}
