//! Picking one of several endpoints.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use policy::Picker;
use policy::balance::{Balance, EndpointLoad};

pub fn balance(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("balance");
    for endpoints in [3_u64, 100] {
        let loads: Vec<EndpointLoad> = (0..endpoints)
            .zip(0_u32..)
            .map(|(n, place)| {
                let load = EndpointLoad::first().placed(place);
                load.succeeded(n, 1_000_000 + n * 10_000);
                load
            })
            .collect();
        for (name, balance) in [
            ("round-robin", Balance::RoundRobin),
            ("p2c-ewma", Balance::P2cEwma),
            ("bounded-hash", Balance::BoundedHash),
        ] {
            let picker = Picker::new(balance);
            let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
            group.bench_function(BenchmarkId::new(name, endpoints), |bencher| {
                bencher.iter(|| {
                    bits = bits.rotate_left(7).wrapping_mul(0x2545_f491_4f6c_dd1d);
                    picker.pick(&loads, |load| load, black_box(10_000_000_000), bits, None)
                });
            });
        }
    }
    group.finish();
}
