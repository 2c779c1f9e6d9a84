//! Reads what is written in the brackets of a measure.

use super::parse::parse_duration;
use crate::argument::{Argument, Parameter};

impl Parameter {
    /// Reads what stands in the brackets of `measure`; `None` where there are none, or nothing in them.
    pub(super) fn read(self, measure: &str, written: Option<&str>) -> Result<Argument, String> {
        let name = |text: &str| text.trim().to_owned();
        let read = match self {
            Self::None => {
                return match written {
                    None => Ok(Argument::None),
                    Some(text) => Err(format!("`{measure}` takes no argument, not `{text}`")),
                };
            }
            Self::Journey => written.map(|text| Argument::Journey(text.to_owned())),
            Self::JourneyAndTime => written.and_then(|text| {
                let (journey, time) = text.trim().split_once(' ')?;
                Some(Argument::JourneyAndTime(journey.to_owned(), parse_duration(time.trim())? / 1_000))
            }),
            Self::Edge => written.and_then(|text| {
                let (caller, callee) = text.split_once("->")?;
                Some(Argument::Edge(name(caller), name(callee)))
            }),
            Self::Step => {
                written.and_then(|text| text.strip_prefix("step ")).map(|id| Argument::Step(name(id)))
            }
            Self::Component => written.map(|text| Argument::Component(text.to_owned())),
            Self::Process => written.map(|text| Argument::Process(text.to_owned())),
        };
        read.ok_or_else(|| {
            let (what, example) = match self {
                Self::None => ("nothing", ""),
                Self::Journey => ("a journey or `all`", "all"),
                Self::JourneyAndTime => ("a journey and a time", "all 50ms"),
                Self::Edge => ("an edge", "feed->follower"),
                Self::Step => ("a step", "step dead-photo"),
                Self::Component | Self::Process => ("a component", "photo"),
            };
            format!("`{measure}` needs {what}: `{measure}({example})`")
        })
    }
}
