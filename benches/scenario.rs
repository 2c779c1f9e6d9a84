//! A scenario file read and checked.

use std::path::Path;

use criterion::Criterion;

const TEXT: &str = include_str!("../scenarios/first-look.toml");

pub fn scenario(criterion: &mut Criterion) {
    let components = suite::components();
    criterion.bench_function("scenario/first-look", |bencher| {
        bencher.iter(|| {
            let path = Path::new("scenarios/first-look.toml");
            scenario::read(path, TEXT.to_owned(), &components).expect("it is right")
        });
    });
}
