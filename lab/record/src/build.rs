//! What it took to build a change into the programs of an arm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One build of a change, before the load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// From the edit to the last program, seconds.
    pub seconds: f64,
    /// Crates that were compiled again.
    pub crates: Vec<String>,
    /// Bytes of what the compiler and the linker wrote for them.
    pub bytes: u64,
    /// Programs that were made, each with its bytes: what has to be shipped.
    pub programs: Vec<BuiltProgram>,
    /// Crates among those of these programs whose tests the change selects.
    pub tests: Vec<String>,
    /// From the edit to the end of these tests, compiled again and run, seconds, the build left out; absent where that was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_seconds: Option<f64>,
}

/// A program that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuiltProgram {
    /// Its name.
    pub name: String,
    /// Its size, bytes.
    pub bytes: u64,
}
