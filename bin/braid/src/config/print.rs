//! `--print-config`: every setting with its value and source, as a file that `--config` reads.

use std::fmt::Write;

use super::layers::{Resolved, Settings, Source};

/// The settings as TOML. What is not set stands as a comment.
pub(crate) fn print<S: Settings>(resolved: &Resolved<S>, values: &toml::Table) -> String {
    let mut text = format!(
        "# Effective settings of braid {}. Precedence: flag, environment, file, data directory, default.\n",
        S::COMMAND
    );
    for (name, help) in &resolved.names {
        let source = resolved.sources.get(name).unwrap_or(&Source::Default);
        // Writing to a string cannot fail.
        let _ = match values.get(name) {
            Some(value) => writeln!(text, "\n# {help}\n{name} = {value} # {source}"),
            None => writeln!(text, "\n# {help}\n# {name} is not set"),
        };
    }
    text
}
