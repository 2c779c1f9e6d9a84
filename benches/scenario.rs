//! A scenario file read and checked.

use std::path::Path;

use criterion::Criterion;
use scenario::Application;

const TEXT: &str = include_str!("../scenarios/first-look.toml");

pub fn scenario(criterion: &mut Criterion) {
    let (components, calls, events) = (suite::components(), suite::calls(), suite::event_sources());
    let tables = suite::tables();
    let application =
        Application { components: &components, calls: &calls, events: &events, tables: &tables };
    criterion.bench_function("scenario/first-look", |bencher| {
        bencher.iter(|| {
            let path = Path::new("scenarios/first-look.toml");
            scenario::read(path, TEXT.to_owned(), &application).expect("it is right")
        });
    });
}
