//! Which crate belongs to which component.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::graph::{CrateIndex, DependencyGraph};

/// `crate=component`: a crate belongs to a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Name of a member of the workspace.
    pub of_crate: String,
    /// Name of a component.
    pub component: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=').map(|(name, component)| (name.trim(), component.trim())) {
            Some((name, component)) if !name.is_empty() && !component.is_empty() => {
                Ok(Self { of_crate: name.to_owned(), component: component.to_owned() })
            }
            _ => Err(format!("invalid component `{text}`: expected crate=component, e.g. \"feed-api=feed\"")),
        }
    }
}

/// Why crates could not be assigned to components.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    /// No member of the workspace has that name.
    #[error("unknown crate `{name}`")]
    UnknownCrate {
        /// The name.
        name: String,
    },
    /// A crate cannot belong to two components.
    #[error("crate `{name}` is in two components, `{first}` and `{second}`: expected one")]
    AssignedTwice {
        /// The crate.
        name: String,
        /// The component that was written first.
        first: String,
        /// The other.
        second: String,
    },
}

/// A component and its crates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its crates, by name.
    pub crates: Vec<CrateIndex>,
}

/// The components of a workspace, in the order in which they were named.
#[derive(Debug)]
pub struct Components(Vec<Component>);

impl Components {
    /// The components that were named; without any, each member is one.
    ///
    /// # Errors
    /// Every name that is wrong.
    pub fn new(graph: &DependencyGraph, assignments: &[Assignment]) -> Result<Self, Vec<AssignmentError>> {
        let by_itself =
            |index: CrateIndex| Component { name: graph.get(index).name.clone(), crates: vec![index] };
        match assignments {
            [] => Ok(Self(graph.members().into_iter().map(by_itself).collect())),
            named => assigned(graph, named).map(Self),
        }
    }

    /// The components.
    pub fn all(&self) -> &[Component] {
        &self.0
    }

    /// The place of the component that a crate belongs to.
    pub fn of_crate(&self, index: CrateIndex) -> Option<usize> {
        self.0.iter().position(|component| component.crates.contains(&index))
    }
}

fn assigned(
    graph: &DependencyGraph,
    assignments: &[Assignment],
) -> Result<Vec<Component>, Vec<AssignmentError>> {
    let (mut all, mut errors) = (Vec::<Component>::new(), Vec::new());
    let (mut known, mut seen) = (BTreeMap::new(), BTreeSet::new());
    for Assignment { of_crate, component } in assignments {
        let Some(index) = graph.member(of_crate) else {
            if seen.insert(of_crate) {
                errors.push(AssignmentError::UnknownCrate { name: of_crate.clone() });
            }
            continue;
        };
        let first = known.entry(index).or_insert(component);
        if *first != component {
            errors.push(AssignmentError::AssignedTwice {
                name: of_crate.clone(),
                first: (*first).clone(),
                second: component.clone(),
            });
            continue;
        }
        match all.iter_mut().find(|known| known.name == *component) {
            Some(known) if known.crates.contains(&index) => {}
            Some(known) => known.crates.push(index),
            None => all.push(Component { name: component.clone(), crates: vec![index] }),
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}
