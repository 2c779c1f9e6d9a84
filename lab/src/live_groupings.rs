//! A predicted sweep beside live runs of the same arms: whether they come in the same order, and whether the same are worth
//! having.

use std::fmt::Arguments;
use std::path::{Path, PathBuf};

use model::{Run, SIMULATED};
use scenario::Scenario;
use simulator::validate::Agreement;

use crate::cli::Output;
use crate::cli::predict::Predict;
use crate::output;
use crate::run_files::{self, Progress, RunFolder};

/// In place of a name: the last live run of the scenario.
const LAST: &str = "last";

/// The live runs that a prediction is compared with: those that are named, or of a sweep the last of its scenario.
///
/// # Errors
/// A message with the runs there are, where a name is that of none.
pub fn find(args: &Predict, scenario: &Scenario) -> Result<Vec<PathBuf>, String> {
    if args.live.is_empty() {
        let is_sweep = scenario.arms_to_run(&args.arms).len() > model::sweep::MAX_SIDE_BY_SIDE;
        return Ok(last_of(&args.out, scenario).filter(|_| is_sweep).into_iter().collect());
    }
    let named = |run: &String| {
        if run == LAST {
            let none = || {
                let name = &scenario.name;
                format!("no live run of `{name}` in {}; make one with: cleave run {name}", args.out.display())
            };
            return last_of(&args.out, scenario).ok_or_else(none);
        }
        let folder = run_files::find_recorded(&args.out, run)?;
        match run_files::header_of(&folder) {
            Some(header) if !header.source.is_live() => {
                Err(format!("run {} is a simulation; write the id of a live run after --live", header.run_id))
            }
            _ => Ok(folder),
        }
    };
    args.live.iter().map(named).collect()
}

/// The last live run of a scenario that has a record.
fn last_of(out: &Path, scenario: &Scenario) -> Option<PathBuf> {
    let is_meant = |run: &RunFolder| {
        let header = run_files::header_of(&run.path);
        header.is_some_and(|header| header.source.is_live() && header.scenario == scenario.name)
            && run_files::progress(&run.path) == Progress::Recorded
    };
    run_files::all(out).into_iter().rev().find(is_meant).map(|run| run.path)
}

/// Prints how a prediction agrees with live runs, and these with each other; on standard error where standard output is a
/// document's.
///
/// # Errors
/// A message where a record cannot be read, or has too few of the arms.
pub fn compare(args: &Predict, predicted: &Path, live: &[PathBuf]) -> Result<(), String> {
    if live.is_empty() {
        return Ok(());
    }
    let print: fn(Arguments<'_>) = match args.output {
        Output::Human => output::print_line,
        Output::Json => output::note,
    };
    let fold = |folder: &PathBuf| run_files::fold(folder).map_err(|error| error.to_string());
    let predicted = run_files::fold(predicted).map_err(|error| error.to_string())?;
    let live: Vec<Run> = live.iter().map(fold).collect::<Result<_, _>>()?;
    for run in &live {
        let agreement = Agreement::of(&predicted, run).ok_or_else(|| too_few(run))?;
        print(format_args!("{SIMULATED} beside live run {}: {}", named(run), agreement.correlations()));
        if let Some(front) = agreement.front() {
            print(format_args!("  {front}"));
        }
    }
    for (one, other) in live.iter().zip(live.iter().skip(1)) {
        let agreement = Agreement::of(one, other).ok_or_else(|| too_few(other))?;
        print(format_args!(
            "live runs {} and {} with each other: {}",
            named(one),
            named(other),
            agreement.correlations()
        ));
    }
    Ok(())
}

/// A live run's id, with its verdict where its figures are not to be relied on.
fn named(run: &Run) -> String {
    let id = &run.header.run_id;
    if run.verdict() == record::Verdict::Invalid.word() { format!("{id} (invalid)") } else { id.clone() }
}

fn too_few(run: &Run) -> String {
    format!(
        "run {} has fewer than five of the arms that are compared; write the id of a live run of the same scenario after --live",
        run.header.run_id
    )
}

#[cfg(test)]
mod tests {
    use record::{Entry, Header, Line, Provenance, Writer};

    use super::*;
    use crate::run_files::RECORD_FILE;
    use crate::scenario_files;

    /// A run in a folder of runs.
    fn put(out: &Path, id: &str, wall_us: i64, scenario: &str, source: Provenance) {
        let folder = out.join(id);
        std::fs::create_dir_all(&folder).expect("a folder of ours");
        let mut writer = Writer::create(&folder.join(RECORD_FILE)).expect("a new record");
        let header = Header {
            schema_version: record::SCHEMA_VERSION,
            run_id: id.to_owned(),
            scenario: scenario.to_owned(),
            wall_us,
            source,
            ..Header::default()
        };
        writer.write(&Line { t: 0, entry: Entry::Header(Box::new(header)) }).expect("writes");
    }

    #[test]
    fn the_last_live_run_of_a_sweep_is_found_and_no_simulation_of_it() {
        let out = tempfile::TempDir::new().expect("a folder");
        put(out.path(), "old", 1, "groupings", Provenance::Live);
        put(out.path(), "new", 2, "groupings", Provenance::Live);
        put(out.path(), "predicted", 3, "groupings", Provenance::Simulated);
        put(out.path(), "other", 4, "hop-tax", Provenance::Live);
        let groupings = scenario_files::find("groupings").expect("it is shipped");
        let find = |scenario: &Scenario, live: &[&str]| {
            let live = live.iter().map(|run| (*run).to_owned()).collect();
            let args = Predict { live, ..args(out.path()) };
            super::find(&args, scenario).map(|found| {
                let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
                found.iter().map(name).collect::<Vec<_>>()
            })
        };
        assert_eq!(find(&groupings, &[]), Ok(vec!["new".to_owned()]));
        assert_eq!(find(&groupings, &["last", "old"]), Ok(vec!["new".to_owned(), "old".to_owned()]));
        assert!(find(&groupings, &["predicted"]).is_err_and(|text| text.contains("is a simulation")));
        assert!(find(&groupings, &["none"]).is_err_and(|text| text.contains("unknown run `none`")));
        let few = scenario_files::find("hop-tax").expect("it is shipped");
        assert_eq!(find(&few, &[]), Ok(Vec::new()), "three arms have no front");
        let crash = scenario_files::find("crash-one").expect("it is shipped");
        assert!(find(&crash, &["last"]).is_err_and(|text| text.contains("cleave run crash-one")));
    }

    /// `cleave predict groupings` with a folder of runs.
    fn args(out: &Path) -> Predict {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            predict: Predict,
        }
        let out = out.to_string_lossy().into_owned();
        let line = <Line as clap::Parser>::try_parse_from(["predict", "groupings", "--out", &out]);
        line.expect("its own defaults").predict
    }
}
