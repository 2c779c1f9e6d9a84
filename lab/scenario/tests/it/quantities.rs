//! Quantities: the reader and the schema accept the same texts.

use std::sync::LazyLock;

use jsonschema::Validator;
use policy::breaker::Window;
use policy::units::{ByteSize, Factor, HumanDuration, Rate, Ratio};
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use traffic::load::{Rates, Shape};

/// A type with its reader and the validator of its schema.
struct Quantity {
    name: String,
    read: fn(Value) -> Result<(), serde_json::Error>,
    validator: Validator,
}

impl Quantity {
    fn of<T: JsonSchema + DeserializeOwned>() -> Self {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<T>();
        Self {
            name: T::schema_name().into_owned(),
            read: |value| serde_json::from_value::<T>(value).map(drop),
            validator: jsonschema::draft202012::new(schema.as_value()).expect("a valid schema"),
        }
    }

    /// The reader and the schema agree on a value.
    fn check(&self, value: &Value) {
        let read = (self.read)(value.clone());
        let name = &self.name;
        assert_eq!(read.is_ok(), self.validator.is_valid(value), "{name}: {value}: {read:?}");
    }
}

static QUANTITIES: LazyLock<[Quantity; 8]> = LazyLock::new(|| {
    [
        Quantity::of::<HumanDuration>(),
        Quantity::of::<Ratio>(),
        Quantity::of::<Rate>(),
        Quantity::of::<Factor>(),
        Quantity::of::<ByteSize>(),
        Quantity::of::<Window>(),
        Quantity::of::<Shape>(),
        Quantity::of::<Rates>(),
    ]
});

fn check(text: &str) {
    QUANTITIES.iter().for_each(|quantity| quantity.check(&json!(text)));
}

#[test]
fn texts_of_the_cases_are_read_or_refused_by_both() {
    let texts = [
        "1 s",
        "1min",
        "1m",
        "1s",
        " 1s ",
        "250ms",
        "250us",
        "1.5h",
        "24h",
        "24.0h",
        "24.01h",
        "1441m",
        "86400s",
        "86400.0000000000000001s",
        "0s",
        "5",
        "ms",
        "-1s",
        "+1s",
        "1e3s",
        ".5s",
        "5.s",
        "007s",
        "1\ts",
        "é",
        "",
        "100%",
        "100.1%",
        "10 %",
        " 10% ",
        "0.1",
        "1",
        "1.01",
        "-0.1",
        "1e-3",
        "NaN",
        "inf",
        "280/s",
        "280 / s",
        "12/m",
        "12/min",
        "12/h",
        "1000000/s",
        "1000000.5/s",
        "60000000/m",
        "60000001/m",
        "/s",
        "10x",
        "10",
        "0.5x",
        "1x",
        "10xx",
        "1000000x",
        "1000001x",
        "10 x",
        "64KiB",
        "64 KiB",
        "4MB",
        "4",
        "1024GiB",
        "1025GiB",
        "1.5MiB",
        "0B",
        "20 calls",
        "20calls",
        "0 calls",
        "10000 calls",
        "10001 calls",
        "+5 calls",
        "150/s -> 300/s",
        "150/s->300/s",
        "150/s ->",
        "1/s -> 2/s -> 3/s",
        "1/s, 2/s",
        "1/s,",
        "1/s diurnal",
        "1/s diurnal 60% per 20s",
        "1/s diurnal per 0s",
        "1/s diurnal 200%",
        "1/s flash-crowd",
        "1/s flash-crowd 5x rise 2s hold 20s decay 10s",
        "1/s flash-crowd rise 2s",
        "1/s flash-crowd 5x rise 0.0s",
        "30% of slowest",
        "30%of slowest",
        "of slowest",
        "200% of slowest",
    ];
    texts.into_iter().for_each(check);
    for value in
        [json!(0), json!(1), json!(0.5), json!(1.5), json!(-0.5), json!(true), json!(null), json!([])]
    {
        QUANTITIES.iter().for_each(|quantity| quantity.check(&value));
    }
}

proptest! {
    #[test]
    fn texts_near_a_quantity_are_read_or_refused_by_both(
        text in "[ +-]{0,1}[0-9]{0,12}(\\.[0-9]{0,3})?[ ]?(us|ms|s|m|min|h|%|x|/s|/m|/min|B|KiB|MiB|GiB|calls| of slowest|e3s)?( ?(->|,) ?[0-9]{1,8}/s)?[ ]?"
    ) {
        check(&text);
    }
}
