//! `chatty`: calls for many are made one by one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Carried, Kind};
use crate::{Place, Standing, Target};

/// N+1: nanoseconds in one process, milliseconds on the wire. On the component that is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chatty {}

impl Kind for Chatty {
    const CARRIED: Carried = Carried::Process;
    const LASTS: bool = true;
    const STRIKES: bool = true;
    const FIELDS: &'static [&'static str] = &[];
    const ON: &'static [Place] = &[Place::Node];
    const BY_ASKERS: bool = true;

    fn stand(&self, target: Target, _: f64, standing: &mut Standing) {
        standing.chatty.extend(target.component());
    }
}

impl fmt::Display for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("asked one by one")
    }
}
