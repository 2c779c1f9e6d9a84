//! `cleave init`: a scenario file of one's own, copied from a shipped one, and its schema for editors.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use model::shell::command_line;

use crate::{cli, output, scenario_files};

/// The schema next to the file. It is generated: an older one is replaced.
const SCHEMA_FILE: &str = "cleave.schema.json";
/// How a first line names a schema, as Taplo and Even Better TOML read it.
const SCHEMA_MARK: &str = "#:schema ";

/// `cleave init`.
pub fn init(args: &cli::init::Init) -> ExitCode {
    match write(&args.file, &args.from) {
        Ok(()) => {
            output::print_line(format_args!("{}: copied from {}", args.file.display(), args.from));
            let file = as_argument(&args.file);
            output::print_line(format_args!("change a number in it, then:"));
            output::print_line(format_args!(
                "  cleave explain {file}    what a run would do, or every mistake of the file"
            ));
            output::print_line(format_args!("  cleave run {file}"));
            ExitCode::SUCCESS
        }
        Err(text) => output::usage_error(&text),
    }
}

/// A file as a shell reads it.
fn as_argument(file: &Path) -> String {
    command_line(&[file.display().to_string()])
}

fn write(file: &Path, from: &str) -> Result<(), String> {
    if file.extension().is_none_or(|extension| extension != "toml") {
        let hint = file.with_extension("toml");
        return Err(format!("{} does not end in .toml; write {}", file.display(), hint.display()));
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let (_, shipped) = scenario_files::text_of(from)?;
    let text = own_text(&shipped, from, &name, &as_argument(file));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |path: &Path, error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => format!("{} exists already; write another name", path.display()),
        _ => format!("{} cannot be written: {error}", path.display()),
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut created = std::fs::File::create_new(file).map_err(|error| failed(file, error))?;
    let mut fill = || {
        created.write_all(text.as_bytes()).map_err(|error| failed(file, error))?;
        let schema = folder.join(SCHEMA_FILE);
        let text = format!("{:#}\n", scenario::schema::schema(&suite::components()));
        std::fs::write(&schema, text).map_err(|error| failed(&schema, error))?;
        // The name is the only thing in it that can be wrong.
        scenario_files::find(&file.display().to_string()).map(drop)
    };
    // One that stayed would be in the way of the next attempt.
    fill().inspect_err(|_| {
        let _ = std::fs::remove_file(file);
    })
}

/// The text of a shipped scenario under another name.
fn own_text(shipped: &str, from: &str, name: &str, file: &str) -> String {
    let mut text = format!("{SCHEMA_MARK}./{SCHEMA_FILE}\n");
    let lines = shipped.lines().filter(|line| !line.starts_with(SCHEMA_MARK));
    let mut is_named = false;
    for line in lines {
        let key = line.split('=').next().unwrap_or_default().trim();
        if key == "name" && !is_named {
            is_named = true;
            text += &line.replacen(&format!("\"{from}\""), &format!("\"{name}\""), 1);
        } else {
            text += &["run", "predict"].iter().fold(line.to_owned(), |line, verb| {
                line.replace(&format!("cleave {verb} {from}"), &format!("cleave {verb} {file}"))
            });
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_can_be_started_from() {
        let folder = tempfile::TempDir::new().expect("a folder");
        for from in scenario_files::names() {
            let file = folder.path().join(format!("my-{from}.toml"));
            write(&file, &from).unwrap_or_else(|text| panic!("{text}"));
            let path = file.display().to_string();
            let scenario = scenario_files::find(&path).unwrap_or_else(|text| panic!("{text}"));
            assert_eq!(scenario.name, format!("my-{from}"));
            let text = std::fs::read_to_string(&file).expect("written");
            let mut lines = text.lines();
            assert_eq!(lines.next(), Some("#:schema ./cleave.schema.json"));
            let verb = if scenario.is_only_simulated() { "predict" } else { "run" };
            assert_eq!(lines.next(), Some(&*format!("# cleave {verb} {path}")), "{from}");
        }
        let schema = std::fs::read_to_string(folder.path().join(SCHEMA_FILE)).expect("written");
        assert!(schema.contains("a scenario of Cleave"));
    }

    #[test]
    fn commands_are_as_a_shell_reads_them() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("my own\nscenarios").join("mine.toml");
        write(&file, "first-look").unwrap_or_else(|text| panic!("{text}"));
        let text = std::fs::read_to_string(&file).expect("written");
        let command = text.lines().nth(1).expect("its second line");
        assert!(command.starts_with("# cleave run $'"), "{command}");
        assert!(command.ends_with("/my own\\012scenarios/mine.toml'"), "{command}");
    }

    #[test]
    fn no_file_is_overwritten_and_none_is_left_that_is_invalid() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, "mine").expect("a folder of ours");
        assert!(write(&file, "first-look").is_err_and(|text| text.contains("exists already")));
        assert_eq!(std::fs::read_to_string(&file).expect("there"), "mine");
        let blocked = folder.path().join("blocked");
        std::fs::create_dir_all(blocked.join(SCHEMA_FILE)).expect("a folder of ours");
        let file = blocked.join("mine.toml");
        assert!(write(&file, "first-look").is_err() && !file.exists(), "its schema cannot be written");
        let spaced = folder.path().join("my own.toml");
        assert!(write(&spaced, "first-look").is_err() && !spaced.exists(), "no name for a scenario");
        let text = write(&folder.path().join("mine"), "first-look").expect_err("no ending");
        assert!(text.ends_with("mine.toml"), "{text}");
        let text = write(&folder.path().join("other.toml"), "first-lok").expect_err("a typo");
        assert!(text.contains("did you mean `first-look`?"), "{text}");
    }
}
