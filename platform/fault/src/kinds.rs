//! The catalogue of faults. A new kind is a file here that implements [`Kind`], and its line below.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::matching::Dice;
use crate::{Target, Verdict};

/// Who carries a kind out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The process that is hit, call by call.
    Inside,
    /// The conductor, with signals.
    Conductor,
}

/// What every kind knows about itself.
pub trait Kind: fmt::Debug + fmt::Display {
    /// Who carries it out.
    const CARRIED: Carried;
    /// Whether it lasts, and so needs `for` in a scenario.
    const LASTS: bool;
    /// Its fields in a scenario, for "did you mean".
    const FIELDS: &'static [&'static str];
    /// Adds its part to what a call must suffer.
    fn apply(&self, dice: Dice, verdict: &mut Verdict) {
        let _untouched = (dice, verdict);
    }
}

macro_rules! kinds {
    ($($variant:ident in $file:ident as $name:literal),+ $(,)?) => {
        $(mod $file; pub use $file::$variant;)+

        /// A fault and its size, as a scenario's `do = ".."` says it.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "do")]
        #[expect(missing_docs, reason = "the structs of the same names carry the sentences")]
        pub enum Fault {
            $(#[serde(rename = $name)] $variant($variant),)+
        }

        impl Fault {
            /// What `do = ".."` may say, in the order of the catalogue.
            pub const fn verbs() -> &'static [&'static str] {
                &[$($name),+]
            }

            /// The kind's name.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            /// Who carries it out.
            pub const fn carried(&self) -> Carried {
                match self { $(Self::$variant(_) => <$variant as Kind>::CARRIED,)+ }
            }

            /// Whether it lasts, and so needs `for` in a scenario.
            pub const fn lasts(&self) -> bool {
                match self { $(Self::$variant(_) => <$variant as Kind>::LASTS,)+ }
            }

            /// Fields of the kind called `name`; `None` when there is no such kind.
            pub fn fields(name: &str) -> Option<&'static [&'static str]> {
                match name { $($name => Some(<$variant as Kind>::FIELDS),)+ _ => None }
            }

            /// Whether it can act on `target`.
            ///
            /// # Errors
            /// When it cannot, as a sentence: signals are sent to processes, not to edges.
            pub fn accepts(&self, target: &Target) -> Result<(), String> {
                match (self.carried(), target) {
                    (Carried::Conductor, Target::Edge { callee, .. }) => Err(format!(
                        "`{}` acts on a process, not on the edge `{target}`; name a component or a copy, such as `{callee}#0`",
                        self.name(),
                    )),
                    _ => Ok(()),
                }
            }

            pub(crate) fn apply(&self, dice: Dice, verdict: &mut Verdict) {
                match self { $(Self::$variant(kind) => kind.apply(dice, verdict),)+ }
            }
        }

        impl fmt::Display for Fault {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$variant(kind) => fmt::Display::fmt(kind, f),)+ }
            }
        }
    };
}

kinds! {
    Delay in delay as "delay",
    Abort in abort as "abort",
    Hang in hang as "hang",
    Kill in kill as "kill",
    Pause in pause as "pause",
    Slow in slow as "slow",
}

pub use kill::Restart;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Fault, String> {
        toml::from_str(toml).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn every_kind_reads_as_a_scenario_writes_it() {
        for (text, shown) in [
            ("do = \"delay\"\nby = \"150ms\"", "delay by 150ms"),
            ("do = \"delay\"\nby = \"80ms\"\njitter = \"20ms\"", "delay by 80ms ± 20ms"),
            ("do = \"abort\"\nstatus = 503", "abort with 503"),
            ("do = \"hang\"", "hang"),
            ("do = \"kill\"", "kill"),
            ("do = \"kill\"\nrestart = { after = \"500ms\" }", "kill, back after 500ms"),
            ("do = \"pause\"", "pause"),
            ("do = \"slow\"\nby = \"10x\"", "slow by 10x"),
        ] {
            let fault = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(fault.to_string(), shown);
            let json = serde_json::to_string(&fault).expect("plain data");
            assert_eq!(serde_json::from_str::<Fault>(&json).expect("reads back"), fault, "{json}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_right_choices() {
        for (text, says) in [
            ("do = \"dleay\"\nby = \"150ms\"", "delay"),
            ("do = \"delay\"\nby = \"150ms\"\nbye = 1", "unknown field `bye`"),
            ("do = \"delay\"\nby = \"10ms\"\njitter = \"20ms\"", "longer than the delay"),
            ("do = \"abort\"\nstatus = 200", "400 to 599"),
            ("do = \"hang\"\nby = \"1s\"", "unknown field `by`"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(says), "{text}: {why}");
        }
    }

    #[test]
    fn a_signal_has_no_edge_to_act_on() {
        let kill = read("do = \"kill\"").expect("valid");
        let on = |text: &str| text.parse::<Target>().expect("a target");
        assert_eq!(kill.accepts(&on("photo#0")), Ok(()));
        assert!(kill.accepts(&on("feed->photo")).expect_err("an edge").contains("photo#0"));
        assert_eq!(read("do = \"hang\"").expect("valid").accepts(&on("feed->photo")), Ok(()));
    }

    #[test]
    fn fields_are_known_by_kind() {
        for name in Fault::verbs() {
            assert!(Fault::fields(name).is_some(), "{name}");
        }
        assert_eq!(Fault::fields("delay"), Some(&["by", "jitter"][..]));
        assert_eq!(Fault::fields("dleay"), None);
    }
}
