//! The configuration of an instance on disk: what its process is started with, and started with again.

use std::path::Path;

use node::NodeConfig;

use crate::arm::arm_plan::ArmError;
use crate::process::private;

/// The configuration in a file, without the secrets of its run.
pub(super) fn read_config(path: &Path) -> Result<NodeConfig, ArmError> {
    let failed = |source| ArmError::Config { path: path.to_owned(), source };
    let text = std::fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| failed(std::io::Error::other(error)))
}

/// A configuration without the secrets of its run: these are in the environment of its process, and gone with it.
pub(super) fn write_config(path: &Path, config: &NodeConfig) -> Result<(), ArmError> {
    let (secret, token) = Default::default();
    let text = serde_json::to_vec_pretty(&NodeConfig { secret, token, ..config.clone() })
        .expect("a configuration is plain data");
    private::write(path, &text).map_err(|source| ArmError::Config { path: path.to_owned(), source })
}
