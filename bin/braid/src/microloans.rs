//! `braid microloans`: the lending product. So far its calculator, which needs neither a chain nor a configuration.

use std::io::{Read as _, Write as _};

use braid_microloans_calculator::{CalculatorError, MAX_REQUEST_BYTES};
use clap::Subcommand;
use eyre::WrapErr as _;

use crate::config::Unusable;

/// Calculate micro-loans
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum MicroloansCommand {
    /// Calculate a schedule of repayment: JSON from standard input, to standard output
    Schedule,
    /// Calculate the annual percentage rate of cash flows: JSON from standard input, to standard output
    Apr,
}

/// Runs `braid microloans`.
///
/// # Errors
/// If the request cannot be followed ([`Unusable`]), read, or answered.
pub(crate) fn run(command: MicroloansCommand) -> eyre::Result<()> {
    match command {
        MicroloansCommand::Schedule => answer(braid_microloans_calculator::schedule),
        MicroloansCommand::Apr => answer(braid_microloans_calculator::apr),
    }
}

fn answer(calculate: impl Fn(&[u8]) -> Result<String, CalculatorError>) -> eyre::Result<()> {
    let mut request = Vec::new();
    // One byte more than may be, so that too much is noticed.
    let mut input = std::io::stdin().lock().take(MAX_REQUEST_BYTES + 1);
    input.read_to_end(&mut request).wrap_err("failed to read standard input")?;
    let answer = calculate(&request).map_err(|error| Unusable(error.to_string()))?;
    std::io::stdout().write_all(answer.as_bytes()).wrap_err("failed to write to standard output")
}
