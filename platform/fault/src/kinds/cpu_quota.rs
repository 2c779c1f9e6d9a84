//! `cpu-quota`: the kernel leaves a process a part of a core.

use std::fmt;

use policy::units::Ratio;
use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Deed, Place};

/// By control group, where the machine lets us make one; `cleave doctor` says whether it does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuQuota {
    /// Share of one core.
    quota: Ratio,
}

impl Kind for CpuQuota {
    const CARRIED: Carried = Carried::Conductor;
    const LASTS: bool = true;
    const FIELDS: &'static [&'static str] = &["quota"];
    const ON: &'static [Place] = &[Place::Node];

    fn deed(&self) -> Option<Deed> {
        Some(Deed::Quota(self.quota.get()))
    }
}

impl fmt::Display for CpuQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leave {} of a core", self.quota)
    }
}
