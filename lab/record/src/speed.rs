//! How fast the machine was: CPU of a fixed piece of work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A machine is of another speed where the work takes so much more or less CPU, as a share.
const MARGIN: f64 = 0.05;

/// CPU time of a fixed piece of work, integers and memory on one thread, over some samples. Work of another build profile is
/// another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineSpeed {
    /// Median of the samples, ns; of several probes the mean of their medians.
    pub probe_ns: u64,
    /// Lower quartile of the samples, ns; of several probes the lowest.
    pub low_ns: u64,
    /// Upper quartile of the samples, ns; of several probes the highest.
    pub high_ns: u64,
}

impl MachineSpeed {
    /// From samples, ns; `None` without any, and where nothing was measured.
    pub fn of_samples(mut samples: Vec<u64>) -> Option<Self> {
        samples.sort_unstable();
        let last = samples.len().checked_sub(1)?;
        let quartile = |quarters: usize| samples[last * quarters / 4];
        let speed = Self { probe_ns: quartile(2), low_ns: quartile(1), high_ns: quartile(3) };
        (speed.probe_ns > 0).then_some(speed)
    }

    /// Of several probes; `None` without any.
    pub fn of_probes(probes: &[Self]) -> Option<Self> {
        let count = u64::try_from(probes.len()).ok()?;
        Some(Self {
            probe_ns: probes.iter().map(|probe| probe.probe_ns).sum::<u64>().checked_div(count)?,
            low_ns: probes.iter().map(|probe| probe.low_ns).min()?,
            high_ns: probes.iter().map(|probe| probe.high_ns).max()?,
        })
    }

    /// How much more CPU the work takes than it took at `then`, as a share: 0.09 where the machine is 9 % slower, below 0 where
    /// it is faster.
    pub fn slower_than(&self, then: &Self) -> f64 {
        if then.probe_ns > 0 { self.probe_ns as f64 / then.probe_ns as f64 - 1.0 } else { 0.0 }
    }

    /// The same where it is of another speed: by more than 5 %, and by more than either scatters; else `None`.
    pub fn change_since(&self, then: &Self) -> Option<f64> {
        let is_apart = self.low_ns > then.high_ns || self.high_ns < then.low_ns;
        Some(self.slower_than(then)).filter(|slower| is_apart && slower.abs() > MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(probe_ns: u64, scatter_ns: u64) -> MachineSpeed {
        MachineSpeed { probe_ns, low_ns: probe_ns - scatter_ns, high_ns: probe_ns + scatter_ns }
    }

    #[test]
    fn a_speed_is_the_median_and_the_quartiles_of_its_samples() {
        // One that met another program changes nothing.
        let samples = vec![3_100, 3_000, 9_000, 3_050, 3_020];
        let speed = MachineSpeed { probe_ns: 3_050, low_ns: 3_020, high_ns: 3_100 };
        assert_eq!(MachineSpeed::of_samples(samples), Some(speed));
        assert_eq!(MachineSpeed::of_samples(Vec::new()), None);
        assert_eq!(MachineSpeed::of_samples(vec![0; 5]), None, "a kernel without the clock");
    }

    #[test]
    fn several_probes_have_their_mean_and_the_widest_of_their_scatter() {
        let both = MachineSpeed::of_probes(&[around(3_000, 50), around(3_200, 10)]);
        assert_eq!(both, Some(MachineSpeed { probe_ns: 3_100, low_ns: 2_950, high_ns: 3_210 }));
        assert_eq!(MachineSpeed::of_probes(&[]), None);
    }

    #[test]
    fn a_machine_is_of_another_speed_beyond_a_twentieth_and_beyond_the_scatter() {
        let then = around(3_000, 30);
        let change = |now: MachineSpeed| now.change_since(&then).map(|slower| (slower * 100.0).round());
        assert_eq!(change(around(3_270, 30)), Some(9.0));
        assert_eq!(change(around(2_700, 30)), Some(-10.0));
        assert_eq!(change(around(3_120, 30)), None, "4 %");
        // 9 % of which the samples themselves are as far apart.
        assert_eq!(change(around(3_270, 300)), None);
        assert_eq!(then.change_since(&MachineSpeed::default()), None, "nothing was measured then");
    }
}
