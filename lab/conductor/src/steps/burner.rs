//! A fault of the machine: a process of the lab's own that burns CPU beside all arms.

use std::path::Path;

use fault::{Fault, Target};
use nix::sys::signal::Signal;

use crate::arm::children::{ChildSpec, Spawner};
use crate::process::program::Program;
use crate::steps::context::ActiveStep;

/// Burns CPU until the step ends.
pub(super) async fn burn_host_cpu(
    active: &ActiveStep<'_>,
    spawner: &Spawner,
    program: &Program,
    fault: &Fault,
) {
    let spec = burner(program, &active.arm.plan.folder, fault);
    match spawner.spawn(spec).await {
        Ok((mut child, _stdout)) => {
            active.count_hits(1);
            active.wait().await;
            child.close_lifeline();
            // It cannot refuse to end.
            let _ = child.signal(Signal::SIGKILL);
            child.wait().await;
        }
        Err(error) => active.log(error.to_string()),
    }
}

fn burner(program: &Program, folder: &Path, fault: &Fault) -> ChildSpec {
    let threads = fault.effect_on(Target::Host).burners;
    ChildSpec {
        name: "burner".into(),
        program: program.clone(),
        arguments: vec!["burn".into(), threads.to_string().into()],
        environment: Vec::new(),
        log: folder.join("burner.log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burner_gets_the_number_of_threads_that_the_fault_names() {
        let fault: Fault =
            serde_json::from_value(serde_json::json!({ "do": "cpu", "threads": 3 })).expect("a fault");
        let spec = burner(&"/bin/cleave".into(), Path::new("/runs/1"), &fault);
        assert_eq!(spec.arguments, ["burn", "3"]);
        assert_eq!(spec.log, Path::new("/runs/1/burner.log"));
    }
}
