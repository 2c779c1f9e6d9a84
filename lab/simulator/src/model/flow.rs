//! Little's law at a station: what is there on average is what comes times how long it stays.

/// Who has come and gone at a station, and how long they stayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    present: u64,
    /// Sum over time of those present, ns.
    area_ns: u128,
    /// Since when `present` holds, ns.
    since_ns: u64,
    /// Sum of stays of those gone.
    stayed_ns: u128,
    gone: u64,
}

impl Flow {
    /// One comes.
    pub fn enter(&mut self, now_ns: u64) {
        self.pass(now_ns);
        self.present += 1;
    }

    /// One that came at `since_ns` goes.
    pub fn leave(&mut self, now_ns: u64, since_ns: u64) {
        self.pass(now_ns);
        self.present -= 1;
        self.stayed_ns += u128::from(now_ns - since_ns);
        self.gone += 1;
    }

    /// One comes and goes in the same moment: it adds nothing to what is there over time.
    pub const fn pass_through(&mut self) {
        self.gone += 1;
    }

    fn pass(&mut self, now_ns: u64) {
        self.area_ns += u128::from(self.present) * u128::from(now_ns - self.since_ns);
        self.since_ns = now_ns;
    }

    /// Whether Little's law holds, exactly: what was there, summed over time, is the stays of those gone and of those still
    /// there, who came at these times. Anything else is a job that was lost or counted twice.
    pub fn is_balanced(&self, still: impl Iterator<Item = u64>) -> bool {
        let stays = still.map(|since_ns| u128::from(self.since_ns.saturating_sub(since_ns)));
        let (count, stayed_ns) = stays.fold((0, 0), |(count, sum), stay| (count + 1, sum + stay));
        self.present == count && self.area_ns == self.stayed_ns + stayed_ns
    }

    /// How many are there.
    pub const fn present(&self) -> u64 {
        self.present
    }

    /// How many have gone.
    pub const fn gone(&self) -> u64 {
        self.gone
    }

    /// Mean stay of those gone, ns; 0 of none.
    pub fn mean_stay_ns(&self) -> f64 {
        if self.gone == 0 { 0.0 } else { self.stayed_ns as f64 / self.gone as f64 }
    }

    /// Mean number present, from time 0 on.
    pub fn mean_present(&self) -> f64 {
        if self.since_ns == 0 { 0.0 } else { self.area_ns as f64 / self.since_ns as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_job_is_found() {
        let mut flow = Flow::default();
        flow.enter(10);
        flow.enter(30);
        flow.leave(50, 10);
        assert!(flow.is_balanced([30].into_iter()));
        assert_eq!((flow.present(), flow.gone()), (1, 1));
        // 40 ns of the one, 20 of the other so far, over 50.
        assert!(
            (flow.mean_present() - 60.0 / 50.0).abs() < 1e-12 && (flow.mean_stay_ns() - 40.0).abs() < 1e-12
        );
        let mut with_another = flow;
        with_another.pass_through();
        assert!(with_another.is_balanced([30].into_iter()) && with_another.gone() == 2);
        assert!(!flow.is_balanced([].into_iter()), "one has gone without a word");
        assert!(!flow.is_balanced([20].into_iter()), "it came at another time");
        flow.leave(60, 20);
        assert!(!flow.is_balanced([].into_iter()), "it left as another");
    }
}
