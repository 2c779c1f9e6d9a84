//! Defaults of the command line from `cleave.toml`: a flag comes before an environment variable, that before the file, and
//! the file before what is built in. Help prints the default that is in force.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Command;
use node::config::{POSTGRES_PASSWORD_VARIABLE, SECRET_VARIABLE, TOKEN_VARIABLE};
use runtime::bounded_file;

/// Keys of the file: each the long flag of that name, in every command that has it. None of them changes what is measured.
const KEYS: [&str; 6] = ["out", "theme", "ascii", "no-mouse", "no-tui", "keep-data"];
/// Names the file, where it is another one than `cleave.toml` in the working folder.
const VARIABLE: &str = "CLEAVE_CONFIG";
const FILE: &str = "cleave.toml";
/// What a run starts itself: its arguments are complete.
const STARTED_BY_RUNS: [&str; 4] = ["node", "guard", "burn", "load"];

/// The defaults of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The file; `None` where there is none.
    pub path: Option<PathBuf>,
    /// Flags with their values, as a command line would have them.
    flags: Vec<(String, String)>,
}

/// Variables that hold nothing but a secret.
const SECRETS: [&str; 4] =
    [SECRET_VARIABLE, TOKEN_VARIABLE, POSTGRES_PASSWORD_VARIABLE, contract::broker::CREDENTIALS_VARIABLE];

/// A variable for people; `None` where it is none of the lab's, or a secret. A URL may hold a password.
fn of_environment(name: &str, value: &str) -> Option<String> {
    if !name.starts_with("CLEAVE_") || SECRETS.contains(&name) {
        return None;
    }
    let value = if name.ends_with("_URL") { "(a URL)" } else { value };
    Some(format!("{name}={value}, by the environment"))
}

impl Defaults {
    /// Those of the file that the environment names, else of `cleave.toml` in the working folder; none for what a run
    /// starts itself.
    ///
    /// # Errors
    /// A message where the file is named and not there, cannot be read, or has a mistake.
    pub fn load(arguments: &[String]) -> Result<Self, String> {
        if arguments.get(1).is_some_and(|command| STARTED_BY_RUNS.contains(&command.as_str())) {
            return Ok(Self::default());
        }
        match std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => Self::of(Path::new(&path), true),
            None => Self::of(Path::new(FILE), false),
        }
    }

    fn of(path: &Path, must_exist: bool) -> Result<Self, String> {
        match bounded_file::read_text(path, bounded_file::MAX_BYTES) {
            Ok(text) => {
                let flags = read(&text).map_err(|text| format!("{}: {text}", path.display()))?;
                Ok(Self { path: Some(path.to_owned()), flags })
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => Ok(Self::default()),
            Err(error) => Err(format!("{} cannot be read: {error}; {VARIABLE} names it", path.display())),
        }
    }

    /// The command line with these defaults.
    pub fn apply(&self, command: Command) -> Command {
        let command = command.mut_args(|arg| {
            let found = self.flags.iter().find(|(flag, _)| arg.get_long() == Some(flag.as_str()));
            // A default lives as long as the program.
            match found {
                Some((_, value)) => arg.default_value(&*Box::leak(value.clone().into_boxed_str())),
                None => arg,
            }
        });
        command.mut_subcommands(|subcommand| self.apply(subcommand))
    }

    /// A line for each, for people.
    pub fn lines(&self) -> Vec<String> {
        let of_file = self.path.iter().flat_map(|path| {
            self.flags.iter().map(move |(flag, value)| format!("--{flag} {value}, by {}", path.display()))
        });
        // Variables of other programs may be no UTF-8.
        let text = |text: OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        let mut of_environment: Vec<String> =
            variables.filter_map(|(name, value)| of_environment(&name, &value)).collect();
        of_environment.sort();
        of_file.chain(of_environment).collect()
    }
}

/// The keys of a file with their values.
fn read(text: &str) -> Result<Vec<(String, String)>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        format!("line {line}: {}", error.message())
    })?;
    table.into_iter().map(|(key, value)| flag(key, value)).collect()
}

fn flag(key: String, value: toml::Value) -> Result<(String, String), String> {
    let is_switch = ["ascii", "no-mouse", "no-tui", "keep-data"].contains(&key.as_str());
    match value {
        _ if !KEYS.contains(&key.as_str()) => Err(scenario::source::unknown("key", &key, KEYS)),
        toml::Value::Boolean(value) if is_switch => Ok((key, value.to_string())),
        toml::Value::String(value) if !is_switch => check_theme(key, value),
        value => {
            let expected = if is_switch { "true or false" } else { "a text in quotes" };
            Err(format!("{key} = {value}: expected {expected}"))
        }
    }
}

/// A theme that there is: clap takes a default for granted.
fn check_theme(key: String, value: String) -> Result<(String, String), String> {
    let themes = ["dark", "light", "mono"];
    if key == "theme" && !themes.contains(&value.as_str()) {
        return Err(scenario::source::unknown("theme", &value, themes));
    }
    Ok((key, value))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::cli::{self, Cleave};

    fn defaults(text: &str) -> Defaults {
        Defaults { path: Some(FILE.into()), flags: read(text).expect("valid") }
    }

    fn run(defaults: &Defaults, arguments: &[&str]) -> cli::Run {
        let all = ["cleave", "run", "hop-tax"].iter().chain(arguments);
        let matches = defaults.apply(Cleave::command()).try_get_matches_from(all).expect("valid");
        match Cleave::from_arg_matches(&matches).expect("valid").command {
            cli::Command::Run(run) => run,
            _ => panic!("another command"),
        }
    }

    #[test]
    fn a_flag_comes_before_the_file_and_the_file_before_what_is_built_in() {
        let file = defaults("out = \"/var/runs\"\ntheme = \"light\"\nascii = true\n");
        let of_file = run(&file, &[]);
        assert_eq!(of_file.out, Path::new("/var/runs"));
        assert!(of_file.screen.ascii && of_file.screen.theme == cli::screen::Theme::Light && !of_file.no_tui);
        assert_eq!(run(&file, &["--out", "here", "--theme", "mono"]).out, Path::new("here"));
        assert_eq!(run(&file, &["--theme", "mono"]).screen.theme, cli::screen::Theme::Mono);
        assert_eq!(run(&Defaults::default(), &[]).out, Path::new("runs"));
        assert!(!run(&defaults("ascii = false"), &[]).screen.ascii);
    }

    #[test]
    fn what_is_printed_of_the_environment_holds_no_secret() {
        let url = of_environment("CLEAVE_POSTGRES_URL", "postgresql://ada:s3cret@db/app");
        assert_eq!(url.as_deref(), Some("CLEAVE_POSTGRES_URL=(a URL), by the environment"));
        assert_eq!(
            of_environment("CLEAVE_OUT", "here").as_deref(),
            Some("CLEAVE_OUT=here, by the environment")
        );
        for name in SECRETS.into_iter().chain(["HOME"]) {
            assert_eq!(of_environment(name, "s3cret"), None, "{name}");
        }
    }

    #[test]
    fn help_prints_the_default_in_force() {
        let mut command = defaults("out = \"/var/runs\"").apply(Cleave::command());
        let run = command.find_subcommand_mut("run").expect("a command");
        let help = run.render_long_help().to_string();
        assert!(help.contains("[env: CLEAVE_OUT=") && help.contains("[default: /var/runs]"), "{help}");
    }

    #[test]
    fn every_key_is_a_flag_of_some_command_that_the_environment_sets_too() {
        let command = Cleave::command();
        for key in KEYS {
            let mut flags = command.get_subcommands().flat_map(Command::get_arguments);
            let flag = flags.find(|arg| arg.get_long() == Some(key)).unwrap_or_else(|| panic!("no --{key}"));
            let variable = format!("CLEAVE_{}", key.replace('-', "_").to_uppercase());
            assert_eq!(flag.get_env().and_then(|name| name.to_str()), Some(&*variable));
        }
    }

    #[test]
    fn a_mistake_in_the_file_is_shown_with_the_right_choices() {
        let wrong = |text: &str| read(text).expect_err(text);
        assert!(wrong("asci = true").contains("did you mean `ascii`?"));
        assert!(wrong("theme = \"drak\"").contains("did you mean `dark`?"));
        assert_eq!(wrong("ascii = \"yes\""), "ascii = \"yes\": expected true or false");
        assert_eq!(wrong("out = 3"), "out = 3: expected a text in quotes");
        assert!(wrong("out = \"a\"\nascii =").starts_with("line 2: "), "{}", wrong("out = \"a\"\nascii ="));
        let missing = Defaults::of(Path::new("no/such/file.toml"), true).expect_err("not there");
        assert!(missing.contains("no/such/file.toml cannot be read") && missing.contains("CLEAVE_CONFIG"));
        assert_eq!(Defaults::of(Path::new("no/such/file.toml"), false), Ok(Defaults::default()));
        let endless = Defaults::of(Path::new("/dev/zero"), false).expect_err("it has no end");
        assert!(endless.starts_with("/dev/zero cannot be read: it is longer than 64 MiB"), "{endless}");
    }
}
