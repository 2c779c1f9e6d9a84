//! A run as it would begin, without starting anything: for what is simulated instead of run.

use std::path::PathBuf;
use std::sync::Arc;

use contract::ProcessPlan;
use record::Header;
use scenario::SystemScale;
use scenario::scale::CopyGroup;
use traffic::{Dataset, Seed};

use crate::arm::layout::components_of;
use crate::arm::resources;
use crate::process::private;
use crate::run::header::{LoadStart, describe_planned, header};
use crate::run::options::{RunError, RunOptions};
use crate::run::plan::{PlannedArm, RunPlan};
use crate::run::schedules::Schedules;
use crate::run::secrets::RunSecrets;
use crate::run::{check_arms, folder, run_id};

/// A run that is planned and will not be started.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// Its record's first line, as a live run would write it.
    pub header: Header,
    /// Processes of each arm, in the order of the header's.
    pub processes: Vec<Vec<ProcessPlan>>,
    /// The data that users act on.
    pub data: Arc<Dataset>,
}

/// Plans a run whose arms have the threads that they have on a machine of so many cores.
///
/// # Errors
/// When it names arms that the scenario does not have.
pub fn plan(options: &RunOptions, cores: usize) -> Result<PlannedRun, RunError> {
    check_arms(options)?;
    let id = run_id::run_id();
    let folder = options.out.join(&id);
    // Nothing is started that could be asked with them.
    let secrets = RunSecrets { token: String::new(), identity: String::new(), broker: String::new() };
    let plan = RunPlan { options, id: &id, folder: &folder, secrets: &secrets, otlp: None };
    let mut arms = plan.arms_on(cores, &[])?;
    if let Some(scale) = &options.scenario.scale {
        arms.iter_mut().for_each(|arm| size(arm, scale));
    }
    let load = &options.scenario.load;
    let data = Arc::new(Dataset::generate(Seed(options.seed), load.size, &load.graph));
    let rounds = if options.interleaved { options.rounds } else { 1 };
    let schedules = Schedules::plan(options.seed, rounds, &options.scenario, &data);
    let start = LoadStart {
        schedules: &schedules,
        ready_ms: 0,
        load_start_ns: 0,
        now_ns: 0,
        collector: None,
        speed: None,
    };
    let mut header = header(&plan, arms.iter().map(describe_planned).collect(), &start);
    if let Some(scale) = &options.scenario.scale {
        header.arms.iter_mut().zip(&arms).for_each(|(arm, planned)| group(arm, planned, scale));
        let steps = header.steps.iter_mut().zip(&options.scenario.steps);
        // Zones of that size are in every arm.
        steps.filter(|(_, step)| step.zone().is_some()).for_each(|(step, _)| step.not_applicable.clear());
    }
    let processes = arms.into_iter().map(|arm| arm.processes).collect();
    Ok(PlannedRun { header, processes, data })
}

/// Gives an arm what it has at the scenario's size.
fn size(arm: &mut PlannedArm, scale: &SystemScale) {
    arm.processes = scale.sized(&arm.processes);
    arm.plan.resources = resources::at_scale(&arm.plan.resources, &arm.processes, scale);
}

/// Puts the copies of each process in a zone together: a view has no room for thousands.
fn group(arm: &mut record::Arm, planned: &PlannedArm, scale: &SystemScale) {
    let instance = |group: CopyGroup<'_>| record::Instance {
        name: group.name,
        copies: group.copies,
        hosts: components_of(group.process),
        port: 0,
        public_port: group.process.gateway.then_some(0),
    };
    arm.instances = scale.groups(&planned.processes).into_iter().map(instance).collect();
    // Each copy keeps a part of the data.
    arm.databases = planned.plan.resources.writers;
}

impl PlannedRun {
    /// Makes the folder that its record will lie in.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create_folder(&self, options: &RunOptions) -> Result<PathBuf, RunError> {
        let folder = options.out.join(&self.header.run_id);
        private::create_folder(&folder).map_err(folder::not_written(&folder))?;
        Ok(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_planned_run_has_the_header_of_a_live_one_and_makes_nothing() {
        let out = tempfile::tempdir().expect("a folder");
        let mut options = fixture::options(&fixture::two_arms(""));
        options.out = out.path().to_owned();
        let planned = plan(&options, 2).expect("two arms");
        assert_eq!(planned.header.arms.len(), 2);
        assert_eq!(planned.processes.iter().map(Vec::len).collect::<Vec<_>>(), [7, 1]);
        let workers = |run: &PlannedRun| -> Vec<u32> {
            run.header.arms.iter().filter_map(|arm| Some(arm.resources.as_ref()?.workers)).collect()
        };
        assert_eq!(workers(&planned), [7, 2], "of two cores, whatever this machine has");
        assert_eq!(workers(&plan(&options, 16).expect("two arms")), [16, 16]);
        let live = fixture::header_of(&fixture::two_arms(""));
        assert_eq!(planned.header.journeys, live.journeys);
        assert!(planned.header.planned > 0 && planned.header.source.is_live(), "until it is simulated");
        assert_eq!(std::fs::read_dir(out.path()).expect("ours").count(), 0);
        options.arms = vec!["mirco".to_owned()];
        assert!(plan(&options, 2).is_err_and(|error| error.to_string().contains("did you mean `micro`?")));
    }
}
