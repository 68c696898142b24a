//! Finds the value of every setting and remembers where it came from.
//!
//! clap reads flags and environment. The layers below them, the TOML file and what the data directory was made with, become
//! clap's *defaults* for a second pass over the same arguments. So one parser checks a value wherever it stands, and a
//! key is known exactly if there is a flag of that name.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use clap::{ArgAction, ArgMatches, Command, Error, FromArgMatches, error::ErrorKind, parser::ValueSource};

use super::DevSettings;

/// Name of the file in a data directory that remembers the settings it was made with.
pub(crate) const REMEMBERED: &str = "dev.toml";

/// Name of the subcommand that has these settings.
const DEV: &str = "dev";

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
pub(crate) struct Resolved {
    /// The values.
    pub(crate) settings: DevSettings,
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

/// Resolves the settings of `braid dev` from the whole command line `args`, whose first element is the program.
///
/// # Errors
/// A message for the user, with exit code 2 (or 0 for `--help`).
pub(crate) fn resolve(command: &Command, args: &[OsString]) -> Result<Resolved, Error> {
    let mut layers = Vec::new();
    let flags = pass(command, args, &layers)?;
    if let Some(path) = &flags.settings.config {
        layers.push(Layer { values: read(command, path)?, source: Source::File(path.clone()) });
    }
    let given = pass(command, args, &layers)?;
    let Some(remembered) = given.settings.datadir.as_ref().map(|dir| dir.join(REMEMBERED)).filter(|path| path.exists())
    else {
        return check(command, given);
    };
    let values = read(command, &remembered)?;
    check_contradictions(command, &given, &values, &remembered)?;
    layers.insert(0, Layer { values, source: Source::DataDirectory });
    check(command, pass(command, args, &layers)?)
}

/// One pass of clap, with `layers` (lowest first) as defaults.
fn pass(command: &Command, args: &[OsString], layers: &[Layer]) -> Result<Resolved, Error> {
    let mut with_defaults = command.clone();
    for layer in layers {
        with_defaults = set_defaults(with_defaults, layer)?;
    }
    let matches = with_defaults.try_get_matches_from(args).map_err(|error| match layers.last() {
        Some(Layer { source: Source::File(path), .. }) => {
            command.clone().error(error.kind(), format!("{} in {}", first_line(&error), path.display()))
        }
        _ => error,
    })?;
    let Some((DEV, dev)) = matches.subcommand() else {
        return Err(command.clone().error(ErrorKind::InvalidSubcommand, "settings belong to dev"));
    };
    let settings = DevSettings::from_arg_matches(dev)?;
    let names = names(command);
    let sources = names.iter().map(|(name, _)| (name.clone(), source(dev, name, layers))).collect();
    Ok(Resolved { settings, sources, names })
}

fn first_line(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

fn names(command: &Command) -> Vec<(String, String)> {
    let args = command.find_subcommand(DEV).into_iter().flat_map(Command::get_arguments);
    let settings = args.filter(|arg| !matches!(arg.get_id().as_str(), "config" | "print_config" | "help" | "version"));
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

fn set_defaults(command: Command, layer: &Layer) -> Result<Command, Error> {
    let mut defaults = Vec::new();
    for (name, value) in &layer.values {
        let is_misplaced_list = value.is_array() && !takes_list(&command, name);
        let Some(words) = words(value).filter(|_| !is_misplaced_list) else {
            let text = format!("{name} in {} is {value}, which it cannot be", layer.source);
            return Err(command.clone().error(ErrorKind::InvalidValue, text));
        };
        defaults.push((name.replace('-', "_"), words));
    }
    Ok(command.mut_subcommand(DEV, |mut dev| {
        for (id, words) in defaults {
            dev = dev.mut_arg(id, |arg| arg.default_values(words));
        }
        dev
    }))
}

fn takes_list(command: &Command, name: &str) -> bool {
    let args = command.find_subcommand(DEV).into_iter().flat_map(Command::get_arguments);
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

fn read(command: &Command, path: &Path) -> Result<toml::Table, Error> {
    let fail = |kind, text: String| command.clone().error(kind, text);
    let text = std::fs::read_to_string(path)
        .map_err(|error| fail(ErrorKind::Io, format!("cannot read {}: {error}", path.display())))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error| fail(ErrorKind::InvalidValue, format!("{} is not TOML: {error}", path.display())))?;
    let known = names(command);
    for name in table.keys() {
        if !known.iter().any(|(known, _)| known == name) {
            let text = format!("unknown setting {name} in {}; see braid dev --help", path.display());
            return Err(fail(ErrorKind::UnknownArgument, text));
        }
    }
    Ok(table)
}

/// Refuses settings asked for now that differ from those the data directory was made with.
fn check_contradictions(
    command: &Command,
    given: &Resolved,
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
fn check(command: &Command, resolved: Resolved) -> Result<Resolved, Error> {
    let fail = |text: String| Err(command.clone().error(ErrorKind::ArgumentConflict, text));
    let settings = &resolved.settings;
    if settings.no_mining && settings.block_time.is_some() {
        return fail("no-mining and block-time exclude each other".to_owned());
    }
    let said_by_genesis = ["chain-id", "fork", "timestamp", "balance"];
    let is_explicit = |name: &&str| resolved.sources.get(*name).is_some_and(Source::is_explicit);
    match said_by_genesis.iter().find(|name| is_explicit(name)) {
        Some(name) if settings.genesis.is_some() => {
            fail(format!("{name} and genesis exclude each other: the genesis file says it already"))
        }
        _ => Ok(resolved),
    }
}

impl Resolved {
    /// The values that are set, by name, as TOML.
    pub(crate) fn table(&self, command: &Command) -> Result<toml::Table, Error> {
        toml::Table::try_from(&self.settings)
            .map_err(|error| command.clone().error(ErrorKind::InvalidValue, error.to_string()))
    }
}
