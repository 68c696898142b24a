//! Log lines: to standard error, as text for people or as JSON for machines.

use std::io::IsTerminal;

use tracing::Metadata;
use tracing_subscriber::{EnvFilter, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::LogFormat;

/// What the storage engine says about its housekeeping matters to nobody else, unless somebody asks for it.
const QUIET: &str = "fjall=warn,lsm_tree=warn";

/// Starts logging what `filter` lets through. Does nothing if logging was started before.
///
/// Lines do not say in which spans they were written. Consensus opens hundreds of those for every block, and keeping them took a seventh of
/// the processor time of a validator without load.
///
/// # Errors
/// If `filter` is malformed.
pub(crate) fn start(format: LogFormat, filter: &str) -> eyre::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))?;
    let subscriber =
        tracing_subscriber::registry().with(filter).with(filter_fn(|metadata: &Metadata<'_>| metadata.is_event()));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second start fails because a subscriber is there, which is what we want.
    let _ = match format {
        LogFormat::Text => {
            subscriber.with(lines.with_target(false).with_ansi(std::io::stderr().is_terminal())).try_init()
        }
        LogFormat::Json => subscriber.with(lines.json().flatten_event(true)).try_init(),
    };
    Ok(())
}
