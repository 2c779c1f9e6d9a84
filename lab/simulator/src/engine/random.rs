//! Random numbers: a stream for each purpose, and draws by request.
//!
//! Streams are seeded by name, never by the order of declaration. The generator is the simulator's own: what it gives
//! must not change with the version of a library. Logarithms of variates are [`libm`]'s, the same on every platform.

use contract::hash::{mix, seeded};

/// The increment of SplitMix64, 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream: xoshiro256++ 1.0 (Blackman & Vigna, ACM TOMS 2021).
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

impl Rng {
    /// The stream of a name: `arrivals`, `network/feed->photo`.
    pub fn new(seed: u64, name: &str) -> Self {
        Self::from_seed(seeded(seed, name))
    }

    /// The stream that SplitMix64 fills from a number, as the authors advise.
    pub fn from_seed(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(GOLDEN);
            mix(state)
        }))
    }

    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        let Self([a, b, c, d]) = self;
        let bits = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        bits
    }

    /// Uniform in 0 to 1, 1 excluded.
    pub const fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// Uniform in 0 to `n`, `n` excluded (Lemire's multiplication; the bias is below n / 2^64).
    pub const fn below(&mut self, n: u64) -> u64 {
        ((self.bits() as u128 * n as u128) >> 64) as u64
    }

    /// Exponential with mean 1.
    pub fn exp(&mut self) -> f64 {
        exp(self.bits())
    }
}

/// Draws of one purpose that depend on what they are for and not on when they are made. So request 4711 asks as much of
/// every arm, in whatever order its events happen there (common random numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws(u64);

impl Draws {
    /// The draws of a name: `service/feed/home-feed/2`.
    pub const fn new(seed: u64, name: &str) -> Self {
        Self(seeded(seed, name))
    }

    /// 64 random bits for a key: a request, on a path of calls, in a try.
    pub const fn bits(self, key: u64) -> u64 {
        mix(self.0.wrapping_add(mix(key.wrapping_add(GOLDEN)).wrapping_mul(GOLDEN)))
    }

    /// The key of what follows from another: a call of a call, a try of a call, a turn of a loop.
    pub const fn derive(key: u64, step: u64) -> u64 {
        mix(key.rotate_left(17) ^ step.wrapping_add(1).wrapping_mul(GOLDEN))
    }
}

/// What of a name random numbers hang on. Before a colon stands the system of several that are simulated next to each
/// other: these draw alike.
pub fn stream(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, rest)| rest)
}

/// 53 of the bits, as a number in 0 to 1, 1 excluded.
pub const fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Exponential with mean 1, by inversion.
pub fn exp(bits: u64) -> f64 {
    // 1 - u is never 0.
    -libm::log(1.0 - unit(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_the_published_values() {
        // xoshiro256++ from the state 1, 2, 3, 4: the reference vector of rand_xoshiro 0.8.
        let mut rng = Rng([1, 2, 3, 4]);
        let first: [u64; 4] = std::array::from_fn(|_| rng.bits());
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn streams_differ_by_name_and_draws_by_key() {
        let mut streams = ["arrivals", "network", "service"].map(|name| Rng::new(7, name).bits());
        streams.sort_unstable();
        assert!(streams.windows(2).all(|pair| pair[0] != pair[1]));
        let draws = Draws::new(7, "service/feed");
        assert_eq!(draws.bits(1), draws.bits(1));
        assert_ne!(draws.bits(1), draws.bits(2));
        assert_ne!(Draws::derive(1, 2), Draws::derive(2, 1));
    }

    #[test]
    fn draws_by_key_are_uniform() {
        // 64 cells of 4,096: each is within 5 standard deviations, 320, or the finaliser is none.
        let draws = Draws::new(3, "test");
        let mut cells = [0_i64; 64];
        for key in 0..64 * 4_096 {
            cells[(draws.bits(key) >> 58) as usize] += 1;
        }
        assert!(cells.iter().all(|cell| (cell - 4_096).abs() < 320), "{cells:?}");
    }
}
