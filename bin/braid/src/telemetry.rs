//! Log lines: to standard error, as text for people or as JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// What the storage engine says about its housekeeping matters to nobody else, unless somebody asks for it.
const QUIET: &str = "fjall=warn,lsm_tree=warn";

/// Starts logging what `filter` lets through. Does nothing if logging was started before.
///
/// # Errors
/// If `filter` is malformed.
pub(crate) fn start(format: LogFormat, filter: &str) -> eyre::Result<()> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(format!("{QUIET},{filter}"))?)
        .with_writer(std::io::stderr);
    // A second start fails because a subscriber is there, which is what we want.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
