//! Keys that every step may have and not every action can carry out: what it would ignore is refused.

use std::ops::Range;

use fault::{Fault, Target, TargetKind};
use toml::Spanned;
use toml::de::DeTable;

use crate::action::{Action, lasts_by_name};
use crate::reader::Reader;

/// Where the keys of a step stand that only some actions carry out.
pub(crate) struct OptionalKeys {
    places: Vec<(&'static str, Range<usize>)>,
}

const KEYS: [&str; 9] = ["on", "pick", "ramp", "until", "share", "share_of", "every", "first", "route"];

impl OptionalKeys {
    pub(crate) fn of(table: &DeTable<'_>) -> Self {
        let place = |key: &'static str| {
            let (found, _) = table.get_key_value(key)?;
            Some((key, Spanned::span(found)))
        };
        Self { places: KEYS.into_iter().filter_map(place).collect() }
    }

    /// Reports those that the action would ignore.
    pub(crate) fn check(&self, reader: &mut Reader<'_>, action: &Action, verb: &str, target: Option<Target>) {
        // A proxy sees bytes, and no calls.
        let on_connection = target.is_some_and(|target| target.kind() == TargetKind::Connection);
        let is_caller_side = action.fault().is_some_and(Fault::is_caller_side);
        for (key, place) in &self.places {
            let reason = match *key {
                "on" if !action.has_target() => "acts on no process of its own",
                "pick" if !action.has_target() => "acts on no process of its own",
                "pick" if action.acts_on_whole_processes() => "acts on all copies of a process",
                "pick" if is_caller_side => "acts in all callers of a component",
                "pick" if target == Some(Target::Host) => "acts on the whole machine",
                "pick" if on_connection => "acts on all connections of a component to a server",
                "ramp" if target == Some(Target::Host) => "has its full size at once on the machine",
                "ramp" if on_connection => "has its full size at once on a connection",
                "share" | "share_of" | "every" | "first" | "route" if on_connection => {
                    "does not act call by call on a connection"
                }
                "ramp" if !action.can_ramp() => "has its full size at once",
                "until" if lasts_by_name(verb) != Some(true) => "is instantaneous",
                "until" if target == Some(Target::Host) => {
                    "acts on all arms at once, and each has figures of its own"
                }
                "until" if matches!(action, Action::Load(_)) => {
                    "is in the schedule, which is drawn before the run"
                }
                "share" | "share_of" | "every" | "first" | "route" if !action.chooses_calls() => {
                    "does not act call by call"
                }
                _ => continue,
            };
            reader.report(place.clone(), format!("`{verb}` {reason}; remove `{key}`"));
        }
    }
}
