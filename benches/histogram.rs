//! A minute of one-second windows made one: what every figure of the scorecard costs.

use criterion::Criterion;
use record::Latencies;

/// A second of 200 requests, long tail included.
fn window(second: u64) -> Latencies {
    let mut histogram = record::histogram::recorder();
    for n in 0..200 {
        histogram.saturating_record(500 + n * n + second * 13);
    }
    Latencies::of(&histogram)
}

pub fn histogram(criterion: &mut Criterion) {
    let windows: Vec<Latencies> = (0..60).map(window).collect();
    let mut group = criterion.benchmark_group("histogram");
    group.bench_function("merge 60", |bencher| bencher.iter(|| Latencies::merged(&windows)));
    let whole = Latencies::merged(&windows);
    group.bench_function("p99", |bencher| bencher.iter(|| whole.quantile(0.99)));
    group.finish();
}
