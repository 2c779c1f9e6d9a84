//! Deploys in a running arm.

use crate::cleave::{Cleave, passes, scenario};

#[test]
fn every_service_is_redeployed_at_half_load_without_failures() {
    let (document, _) = Cleave::new().document(&[&scenario("roll-all")]);
    passes(&document);
}
