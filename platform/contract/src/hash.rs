//! The workspace's hash: the same bytes give the same number in every process, run and version.
//!
//! Ids, seeded draws, fingerprints and checksums are made of it, so its results must not change. It
//! does not resist anyone who looks for collisions: secrets and tokens have nothing to do with it.

/// FNV-1a's offset basis, 64 bit.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
/// FNV-1a's prime, 64 bit.
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a, 64 bit (<http://www.isthe.com/chongo/tech/comp/fnv/>).
pub const fn fnv1a64(bytes: &[u8]) -> u64 {
    fnv1a64_with(bytes, OFFSET_BASIS)
}

/// FNV-1a that begins at `hash`: the result for earlier bytes, or a seed.
pub const fn fnv1a64_with(bytes: &[u8], mut hash: u64) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(PRIME);
        i += 1;
    }
    hash
}

/// The number that a seeded stream called `label` begins with.
pub const fn seeded(seed: u64, label: &str) -> u64 {
    mix(seed ^ fnv1a64(label.as_bytes()))
}

/// The finaliser of SplitMix64 (Steele et al., OOPSLA 2014): spreads FNV's weak low bits.
pub const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_the_published_values() {
        // Test vectors of <http://www.isthe.com/chongo/src/fnv/test_fnv.c>.
        for (text, hash) in
            [("", OFFSET_BASIS), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(fnv1a64(text.as_bytes()), hash, "{text}");
        }
        assert_eq!(fnv1a64_with(b"bar", fnv1a64(b"foo")), fnv1a64(b"foobar"));
        // The first output of SplitMix64 with seed 0 is its increment, finalised.
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
    }
}
