//! `braid microloans`: the lending product. Its calculator needs neither a chain nor a configuration; its service is a process of its own, and
//! its demonstration brings telephones, money and people along ([`demo`]).

pub(crate) mod demo;
mod pages;
mod story;

use std::{
    io::{BufRead as _, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use braid_microloans_calculator::{CalculatorError, MAX_REQUEST_BYTES};
use braid_microloans_service::{
    Clock, Config,
    config::ConfigError,
    rails,
    serve::{self, ServeError},
};
use clap::{Args, Subcommand};
use eyre::WrapErr as _;
use tokio::net::TcpListener;

use crate::{
    config::{LogFormat, Unusable},
    server,
    signals::Signals,
    telemetry,
};

/// Arguments of `braid microloans`: a calculation, or, with a configuration alone, the service.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct MicroloansArgs {
    #[command(subcommand)]
    command: Option<MicroloansCommand>,
    /// The configuration of the service, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which messages the service logs, as for other commands
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log_level: String,
}

/// What micro-loans have commands for.
#[derive(Clone, Debug, Subcommand)]
enum MicroloansCommand {
    /// Calculate a schedule of repayment: JSON from standard input, to standard output
    Schedule,
    /// Calculate the annual percentage rate of cash flows: JSON from standard input, to standard output
    Apr,
    /// Keep the books of micro-loans and serve them over HTTP (what `--config` alone does too)
    Serve(ServeArgs),
    /// Serve a demonstration: simulated mobile money, and people who have borrowed for weeks
    Demo(DemoArgs),
    /// Hash the password of an account of the pages: a line from standard input, to standard output
    HashPassword,
}

/// Where the demonstration is.
#[derive(Args, Clone, Debug)]
struct DemoArgs {
    /// Address of the service; if it is taken, a free port
    #[arg(long, value_name = "ADDRESS", default_value = demo::SERVICE)]
    listen: SocketAddr,
    /// Address of the telephones; if it is taken, a free port
    #[arg(long, value_name = "ADDRESS", default_value = demo::PHONES)]
    phones: SocketAddr,
    /// Which messages are logged, as for other commands
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    log_level: String,
}

/// What the service is started with.
#[derive(Args, Clone, Debug)]
struct ServeArgs {
    /// The configuration, in TOML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Which messages are logged, as for other commands
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log_level: String,
}

/// Runs `braid microloans`.
///
/// # Errors
/// If the request or the configuration cannot be followed ([`Unusable`]), or the service cannot be started.
pub(crate) fn run(args: &MicroloansArgs) -> eyre::Result<()> {
    match (&args.command, &args.config) {
        (Some(MicroloansCommand::Schedule), _) => answer(braid_microloans_calculator::schedule),
        (Some(MicroloansCommand::Apr), _) => answer(braid_microloans_calculator::apr),
        (Some(MicroloansCommand::HashPassword), _) => hash_password(),
        (Some(MicroloansCommand::Serve(args)), _) => serve(&args.config, &args.log_level),
        (Some(MicroloansCommand::Demo(args)), _) => demonstrate(args),
        (None, Some(config)) => serve(config, &args.log_level),
        (None, None) => Err(Unusable("a command or --config is needed; see --help".to_owned()).into()),
    }
}

/// A configuration that cannot be followed, with everything that led to it.
fn unusable(error: ConfigError) -> Unusable {
    Unusable(format!("{:#}", eyre::Report::new(error)))
}

fn serve(config: &Path, log_level: &str) -> eyre::Result<()> {
    telemetry::start(LogFormat::Text, log_level)?;
    let config = Config::read(config).map_err(unusable)?;
    server::run_until_stopped(async {
        let rails = rails::build(&config.rails, &Clock::System).map_err(unusable)?;
        let app = serve::open(&config, rails, Clock::System).await.map_err(|error| match error {
            ServeError::Config(error) => eyre::Report::new(unusable(error)),
            other => eyre::Report::new(other),
        })?;
        let pages = pages::pages(&app, &config)?;
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.wrap_err_with(|| format!("failed to listen on {}", config.listen))?;
        let address = listener.local_addr().wrap_err("failed to read the address")?;
        tell(&format!("Micro-loans  http://{address}"))?;
        let mut signals = Signals::listen()?;
        let end = async move {
            let signal = signals.next().await;
            tracing::info!(signal, "stopping");
            signals.exit_on_next();
        };
        Ok(serve::serve_with(app, listener, pages, end).await?)
    })
}

fn demonstrate(args: &DemoArgs) -> eyre::Result<()> {
    telemetry::start(LogFormat::Text, &args.log_level)?;
    server::run_until_stopped(async {
        let mut signals = Signals::listen()?;
        let mut demo = demo::Demo::start(args.listen, args.phones, None).await?;
        tell(demo.screen().trim_end())?;
        tokio::select! {
            _ = signals.next() => {}
            ended = demo.ended() => return ended,
        }
        signals.exit_on_next();
        demo.stop().await
    })
}

/// Says a line to whoever started the service.
fn tell(line: &str) -> eyre::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).wrap_err("failed to write to standard output")
}

/// The longest line that may be a password, with its end.
const MAX_PASSWORD_LINE: u64 = 1024;

fn hash_password() -> eyre::Result<()> {
    let mut line = String::new();
    let mut input = std::io::BufReader::new(std::io::stdin().lock().take(MAX_PASSWORD_LINE));
    input.read_line(&mut line).wrap_err("failed to read standard input")?;
    let hash = braid_microloans_faces::hash_password(line.trim_end_matches(['\r', '\n']));
    tell(&hash.map_err(|error| Unusable(error.to_string()))?)
}

fn answer(calculate: impl Fn(&[u8]) -> Result<String, CalculatorError>) -> eyre::Result<()> {
    let mut request = Vec::new();
    // One byte more than may be, so that too much is noticed.
    let mut input = std::io::stdin().lock().take(MAX_REQUEST_BYTES + 1);
    input.read_to_end(&mut request).wrap_err("failed to read standard input")?;
    let answer = calculate(&request).map_err(|error| Unusable(error.to_string()))?;
    std::io::stdout().write_all(answer.as_bytes()).wrap_err("failed to write to standard output")
}
