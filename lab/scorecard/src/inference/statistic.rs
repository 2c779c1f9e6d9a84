//! What a figure of one arm is made of, unit by unit: enough for its value over any weighted multiset of units.
//!
//! A *unit* is one second of one round; units stand round by round, so that second `s` of round `r` (both from 0) is at
//! `r * seconds + s`. What is missing is `None`: it leaves numerator and denominator. A second without arrivals is not
//! missing.

use record::Latencies;

/// The units of a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Seed of the run.
    pub seed: u64,
    /// Name of the window: `steady`.
    pub window: String,
    /// Rounds.
    pub rounds: u32,
    /// Seconds of the window in each round.
    pub seconds: u32,
}

impl Frame {
    /// Units in it.
    pub fn units(&self) -> usize {
        self.rounds as usize * self.seconds as usize
    }
}

/// A unit of a quotient of sums: CPU and journeys, good journeys and seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// Added up above the line. Integers, where parts are to add up to their total.
    pub numerator: f64,
    /// Added up below it.
    pub denominator: f64,
}

/// A unit of a share: events among trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trials {
    /// Trials in which it happened.
    pub events: u64,
    /// Trials.
    pub trials: u64,
}

/// A unit of a quantile: what was waited for in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Waits that ended, microseconds.
    pub waits: Latencies,
    /// Waits that did not: failures, drops, timeouts. They lie above every value.
    pub censored: u64,
}

impl Arrivals {
    /// All of them.
    pub fn len(&self) -> u64 {
        self.waits.len() + self.censored
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a figure is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A sum, a mean, a quotient of sums.
    Quotient(Vec<Option<Terms>>),
    /// The quantile `q` of waits: the `ceil(q N)`-th smallest.
    Quantile {
        /// 0 to 1, both left out.
        q: f64,
        /// By unit.
        arrivals: Vec<Option<Arrivals>>,
        /// As far as was waited, microseconds: a censored quantile lies beyond.
        bound_us: u64,
    },
    /// The share of trials in which something happened.
    Share {
        /// By unit.
        trials: Vec<Option<Trials>>,
        /// The arrivals the trials are of, from which a rare share borrows how its events cluster; empty where the trials
        /// are no arrivals.
        arrivals: Vec<Option<Arrivals>>,
        /// Whether events are failures, which come in bursts (errors, stale reads), rather than successes.
        is_failure: bool,
    },
    /// A count of events among an exposure, one for each round; as seen.
    Count(Vec<Option<Trials>>),
    /// What was counted by plan, without chance.
    Exact(Option<f64>),
    /// Between which two values it lies, where no point in between is to be had; an end that was not found is open.
    Bracket {
        /// Lower end.
        low: Option<f64>,
        /// Upper end.
        high: Option<f64>,
    },
    /// A figure seen once in each round: a maximum, a start-up time, what one event did.
    PerRound {
        /// By round.
        values: Vec<Option<Once>>,
        /// Whether it is what one event did, rather than a maximum.
        is_event: bool,
    },
}

/// A figure seen once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Once {
    /// The value.
    pub value: f64,
    /// Whether the true value lies beyond.
    pub is_censored: bool,
    /// Its interval by its own nature, lower and upper end: recovery is known to the second. An upper end may be
    /// infinite.
    pub interval: Option<(f64, f64)>,
}

/// A figure of one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistic {
    /// What it is made of.
    pub body: Body,
    /// Samples behind it, as the row shows them.
    pub n: u64,
    /// From the unit of the body to that of the row: `1e-6` from microseconds to seconds.
    pub scale: f64,
    /// Whether its interval is known to cover less than 95 %: means of latencies.
    pub is_nominal: bool,
    /// Samples below which what one event did decides nothing. Of shares and quantiles the body states how many: 0 here.
    pub needs: u64,
}

impl Once {
    /// A value that is known.
    pub const fn of(value: f64) -> Self {
        Self { value, is_censored: false, interval: None }
    }
}

impl Statistic {
    /// A quotient of sums. `n` samples; `scale` from its unit to the row's.
    pub const fn quotient(units: Vec<Option<Terms>>, n: u64, scale: f64) -> Self {
        Self { body: Body::Quotient(units), n, scale, is_nominal: false, needs: 0 }
    }

    /// A quantile of waits, in seconds.
    pub fn quantile(q: f64, arrivals: Vec<Option<Arrivals>>, bound_us: u64) -> Self {
        let n = arrivals.iter().flatten().map(Arrivals::len).sum();
        Self { body: Body::Quantile { q, arrivals, bound_us }, n, scale: 1e-6, is_nominal: false, needs: 0 }
    }

    /// A share of trials.
    pub fn share(trials: Vec<Option<Trials>>, arrivals: Vec<Option<Arrivals>>, is_failure: bool) -> Self {
        let n = trials.iter().flatten().map(|unit| unit.trials).sum();
        Self {
            body: Body::Share { trials, arrivals, is_failure },
            n,
            scale: 1.0,
            is_nominal: false,
            needs: 0,
        }
    }

    /// A count of events, by round.
    pub fn count(rounds: Vec<Option<Trials>>) -> Self {
        let n = rounds.iter().flatten().map(|round| round.trials).sum();
        Self { body: Body::Count(rounds), n, scale: 1.0, is_nominal: false, needs: 0 }
    }

    /// What is known without chance.
    pub fn exact(value: Option<f64>) -> Self {
        Self {
            body: Body::Exact(value),
            n: u64::from(value.is_some()),
            scale: 1.0,
            is_nominal: false,
            needs: 0,
        }
    }

    /// What lies between two values. `n` samples.
    pub const fn bracket(low: Option<f64>, high: Option<f64>, n: u64) -> Self {
        Self { body: Body::Bracket { low, high }, n, scale: 1.0, is_nominal: false, needs: 0 }
    }

    /// What one event did, by round.
    pub fn event(values: Vec<Option<Once>>) -> Self {
        Self::per_round(values, true)
    }

    /// A maximum, or another figure that each round has once.
    pub fn once(values: Vec<Option<Once>>) -> Self {
        Self::per_round(values, false)
    }

    fn per_round(values: Vec<Option<Once>>, is_event: bool) -> Self {
        let n = values.iter().flatten().count() as u64;
        Self { body: Body::PerRound { values, is_event }, n, scale: 1.0, is_nominal: false, needs: 0 }
    }

    /// With another count of samples.
    #[must_use]
    pub fn of_samples(self, n: u64) -> Self {
        Self { n, ..self }
    }

    /// With how many samples it takes to decide anything.
    #[must_use]
    pub fn needing(self, needs: u64) -> Self {
        Self { needs, ..self }
    }

    /// Multiplied by a number.
    #[must_use]
    pub fn scaled(self, by: f64) -> Self {
        Self { scale: self.scale * by, ..self }
    }

    /// With an interval that is known to be too narrow.
    #[must_use]
    pub fn nominal(self) -> Self {
        Self { is_nominal: true, ..self }
    }
}
