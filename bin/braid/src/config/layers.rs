//! Finds the value of every setting of a subcommand and remembers where it came from.
//!
//! clap reads flags and environment. The layers below them, the TOML file and what the data directory was made with, become
//! clap's *defaults* for a second pass over the same arguments. So one parser checks a value wherever it stands, and a
//! key is known exactly if there is a flag of that name. Paths in a file are relative to its folder.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use clap::{ArgAction, ArgMatches, Args, Command, Error, error::ErrorKind, parser::ValueSource};
use serde::Serialize;

use super::Origin;

/// The settings of one subcommand.
pub(crate) trait Settings: Args + Serialize {
    /// Name of the subcommand.
    const COMMAND: &'static str;

    /// Names of the settings that are paths.
    const PATHS: &'static [&'static str];

    /// Where settings come from.
    fn origin(&self) -> &Origin;

    /// File with the settings that the data directory was made with, whether it is there or not.
    fn remembered(&self) -> Option<PathBuf>;

    /// Rules between settings.
    ///
    /// # Errors
    /// The rule that is broken.
    fn check(resolved: &Resolved<Self>) -> Result<(), String>
    where
        Self: Sized;
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A flag.
    Flag,
    /// A `BRAID_*` variable.
    Environment,
    /// The TOML file.
    File(PathBuf),
    /// What the data directory was made with.
    DataDirectory,
    /// Nothing set it.
    Default,
}

impl Source {
    /// Whether somebody asked for this value now, as opposed to a default or an earlier start.
    pub(crate) const fn is_explicit(&self) -> bool {
        matches!(self, Self::Flag | Self::Environment | Self::File(_))
    }

    /// Paths as they are meant where they stand: in a file, relative to its folder.
    fn locate(&self, paths: Vec<String>) -> Vec<String> {
        let Self::File(file) = self else { return paths };
        let folder = file.parent().map(std::path::absolute).and_then(Result::ok).unwrap_or_default();
        paths.into_iter().map(|path| folder.join(path).to_string_lossy().into_owned()).collect()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::DataDirectory => f.write_str("data directory"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The settings, with the source of each by its name.
#[derive(Clone, Debug)]
pub(crate) struct Resolved<S> {
    /// The values.
    pub(crate) settings: S,
    /// Source by setting, such as `block-time`; in no particular order of precedence.
    pub(crate) sources: BTreeMap<String, Source>,
    /// Names of the settings in the order of the table, with the first line of their help.
    pub(crate) names: Vec<(String, String)>,
}

/// A file of settings below flags and environment.
#[derive(Clone, Debug)]
struct Layer {
    values: toml::Table,
    source: Source,
}

/// Resolves the settings of a subcommand from the whole command line `args`, whose first element is the program.
///
/// # Errors
/// A message for the user, with exit code 2 (or 0 for `--help`).
pub(crate) fn resolve<S: Settings>(command: &Command, args: &[OsString]) -> Result<Resolved<S>, Error> {
    let mut layers = Vec::new();
    // Only the name of the file is of interest yet; what is missing elsewhere may stand in it.
    if let Some(path) = file_of::<S>(command, args)? {
        layers.push(Layer { values: read::<S>(command, &path)?, source: Source::File(path) });
    }
    let given = pass::<S>(command, args, &layers)?;
    let Some(remembered) = given.settings.remembered().filter(|path| path.exists()) else {
        return check(command, given);
    };
    let values = read::<S>(command, &remembered)?;
    check_contradictions(command, &given, &values, &remembered)?;
    layers.insert(0, Layer { values, source: Source::DataDirectory });
    check(command, pass(command, args, &layers)?)
}

/// The configuration file that flags and environment name.
fn file_of<S: Settings>(command: &Command, args: &[OsString]) -> Result<Option<PathBuf>, Error> {
    let lenient = command.clone().mut_subcommand(S::COMMAND, |command| command.mut_args(|arg| arg.required(false)));
    let matches = lenient.try_get_matches_from(args)?;
    let (_, matches) = chosen::<S>(command, &matches)?;
    Ok(matches.get_one::<PathBuf>("config").cloned())
}

/// One pass of clap, with `layers` (lowest first) as defaults.
fn pass<S: Settings>(command: &Command, args: &[OsString], layers: &[Layer]) -> Result<Resolved<S>, Error> {
    let mut with_defaults = command.clone();
    for layer in layers {
        with_defaults = set_defaults::<S>(with_defaults, layer)?;
    }
    let matches = with_defaults.try_get_matches_from(args).map_err(|error| match layers.last() {
        // What is missing stands in no file, and clap lists it below the first line.
        Some(Layer { source: Source::File(path), .. }) if error.kind() != ErrorKind::MissingRequiredArgument => {
            command.clone().error(error.kind(), format!("{} in {}", first_line(&error), path.display()))
        }
        _ => error,
    })?;
    let (_, chosen) = chosen::<S>(command, &matches)?;
    let settings = S::from_arg_matches(chosen)?;
    let names = names::<S>(command);
    let sources = names.iter().map(|(name, _)| (name.clone(), source(chosen, name, layers))).collect();
    Ok(Resolved { settings, sources, names })
}

/// The name of the subcommand and its arguments.
fn chosen<'a, S: Settings>(command: &Command, matches: &'a ArgMatches) -> Result<(&'a str, &'a ArgMatches), Error> {
    let chosen = matches.subcommand().filter(|(name, _)| *name == S::COMMAND);
    chosen.ok_or_else(|| {
        command.clone().error(ErrorKind::InvalidSubcommand, format!("settings belong to {}", S::COMMAND))
    })
}

fn first_line(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn names<S: Settings>(command: &Command) -> Vec<(String, String)> {
    let args = command.find_subcommand(S::COMMAND).into_iter().flat_map(Command::get_arguments);
    let settings = args.filter(|arg| {
        !matches!(arg.get_id().as_str(), "config" | "print_config" | "help" | "version") && !arg.is_hide_set()
    });
    settings
        .filter_map(|arg| {
            Some((arg.get_long()?.to_owned(), arg.get_help().map(ToString::to_string).unwrap_or_default()))
        })
        .collect()
}

fn source(matches: &ArgMatches, name: &str, layers: &[Layer]) -> Source {
    match matches.value_source(&name.replace('-', "_")) {
        Some(ValueSource::CommandLine) => Source::Flag,
        Some(ValueSource::EnvVariable) => Source::Environment,
        _ => {
            let layer = layers.iter().rev().find(|layer| layer.values.contains_key(name));
            layer.map_or(Source::Default, |layer| layer.source.clone())
        }
    }
}

fn set_defaults<S: Settings>(command: Command, layer: &Layer) -> Result<Command, Error> {
    let mut defaults = Vec::new();
    for (name, value) in &layer.values {
        let is_misplaced_list = value.is_array() && !takes_list::<S>(&command, name);
        let Some(words) = words(value).filter(|_| !is_misplaced_list) else {
            let text = format!("{name} in {} is {value}, which it cannot be", layer.source);
            return Err(command.clone().error(ErrorKind::InvalidValue, text));
        };
        let words = if S::PATHS.contains(&name.as_str()) { layer.source.locate(words) } else { words };
        defaults.push((name.replace('-', "_"), words));
    }
    Ok(command.mut_subcommand(S::COMMAND, |mut chosen| {
        for (id, words) in defaults {
            chosen = chosen.mut_arg(id, |arg| arg.required(false).default_values(words));
        }
        chosen
    }))
}

fn takes_list<S: Settings>(command: &Command, name: &str) -> bool {
    let args = command.find_subcommand(S::COMMAND).into_iter().flat_map(Command::get_arguments);
    args.filter(|arg| arg.get_long() == Some(name)).any(|arg| matches!(arg.get_action(), ArgAction::Append))
}

/// A TOML value as it would stand on the command line.
fn words(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::Array(values) => {
            let words: Option<Vec<Vec<String>>> = values.iter().map(words).collect();
            Some(words?.concat())
        }
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Float(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(value) => Some(vec![value.to_string()]),
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

fn read<S: Settings>(command: &Command, path: &Path) -> Result<toml::Table, Error> {
    let fail = |kind, text: String| command.clone().error(kind, text);
    let text = std::fs::read_to_string(path)
        .map_err(|error| fail(ErrorKind::Io, format!("cannot read {}: {error}", path.display())))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error| fail(ErrorKind::InvalidValue, format!("{} is not TOML: {error}", path.display())))?;
    let known = names::<S>(command);
    for name in table.keys() {
        if !known.iter().any(|(known, _)| known == name) {
            let text = format!("unknown setting {name} in {}; see braid {} --help", path.display(), S::COMMAND);
            return Err(fail(ErrorKind::UnknownArgument, text));
        }
    }
    Ok(table)
}

/// Refuses settings asked for now that differ from those the data directory was made with.
fn check_contradictions<S: Settings>(
    command: &Command,
    given: &Resolved<S>,
    remembered: &toml::Table,
    path: &Path,
) -> Result<(), Error> {
    let now = given.table(command)?;
    for (name, then) in remembered {
        let (Some(source), Some(now)) = (given.sources.get(name), now.get(name)) else { continue };
        if source.is_explicit() && now != then {
            let text = format!(
                "{name} is {now} (from {source}), but the data directory was made with {then} ({}); leave it out or take another directory",
                path.display()
            );
            return Err(command.clone().error(ErrorKind::ArgumentConflict, text));
        }
    }
    Ok(())
}

/// Rules between settings.
fn check<S: Settings>(command: &Command, resolved: Resolved<S>) -> Result<Resolved<S>, Error> {
    match S::check(&resolved) {
        Ok(()) => Ok(resolved),
        Err(rule) => Err(command.clone().error(ErrorKind::ArgumentConflict, rule)),
    }
}

impl<S: Settings> Resolved<S> {
    /// The values that are set, by name, as TOML.
    ///
    /// # Errors
    /// If one of them cannot stand in TOML.
    pub(crate) fn table(&self, command: &Command) -> Result<toml::Table, Error> {
        toml::Table::try_from(&self.settings)
            .map_err(|error| command.clone().error(ErrorKind::InvalidValue, error.to_string()))
    }
}

impl<S> Resolved<S> {
    /// Whether somebody asked for the value of a setting now.
    pub(crate) fn is_explicit(&self, name: &str) -> bool {
        self.sources.get(name).is_some_and(Source::is_explicit)
    }
}
