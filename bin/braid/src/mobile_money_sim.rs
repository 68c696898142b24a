//! `braid mobile-money-sim`: M-PESA and MTN Mobile Money, simulated, with telephones to look at.

use std::{fs, io::Write as _, net::SocketAddr, path::PathBuf, sync::Arc, time::SystemTime};

use braid_microloans_simulator::{Faults, Habit, Settings, Simulator, Time, credentials, people};
use clap::{Args, ValueEnum, value_parser};
use eyre::WrapErr as _;

use crate::{config::Unusable, server, signals::Signals};

/// The longest file of faults that is read.
const MAX_FAULTS_BYTES: u64 = 64 * 1024;

/// Arguments of `braid mobile-money-sim`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SimulatorArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8720")]
    listen: SocketAddr,
    /// What chance follows from: with the same seed the same goes wrong
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Telephones, in turn of Kenya (M-PESA) and of Ghana (MTN)
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value_parser!(u32).range(0..=10_000))]
    phones: u32,
    /// What their holders do when they are asked to pay
    #[arg(long, value_enum, default_value_t = HabitName::Ask)]
    habit: HabitName,
    /// What goes wrong
    #[arg(long, value_enum, default_value_t = FaultsName::None, conflicts_with = "faults_file")]
    faults: FaultsName,
    /// What goes wrong, as JSON: shares of a thousand by name
    #[arg(long, value_name = "FILE")]
    faults_file: Option<PathBuf>,
    /// Let time pass only when told (POST /simulator/advance), from this second since 1970 on
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(i64).range(0..=4_000_000_000))]
    manual_from: Option<i64>,
}

/// A [`Habit`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HabitName {
    /// Somebody answers on the page
    Ask,
    /// They approve
    Approve,
    /// They refuse
    Refuse,
}

/// Faults on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FaultsName {
    /// Nothing goes wrong
    None,
    /// Everything does, at times: a third of the callbacks, one in seven answers
    Rough,
}

/// Runs `braid mobile-money-sim` until it is told to stop.
///
/// # Errors
/// If the faults cannot be read, or the address cannot be listened on.
pub(crate) fn run(args: &SimulatorArgs) -> eyre::Result<()> {
    let settings = settings(args)?;
    server::run_until_stopped(async {
        let mut signals = Signals::listen()?;
        let simulator = Simulator::start(settings).await?;
        tell(&simulator, args)?;
        signals.next().await;
        Ok(())
    })
}

fn settings(args: &SimulatorArgs) -> eyre::Result<Settings> {
    let habit = match args.habit {
        HabitName::Ask => Habit::Ask,
        HabitName::Approve => Habit::Approve,
        HabitName::Refuse => Habit::Refuse,
    };
    let time = match args.manual_from {
        Some(seconds) => Time::Manual { start_ms: seconds * 1000 },
        None => Time::Real(Arc::new(now_ms)),
    };
    let phones = people(usize::try_from(args.phones)?, habit);
    Ok(Settings { listen: args.listen, seed: args.seed, faults: faults(args)?, time, phones })
}

fn faults(args: &SimulatorArgs) -> eyre::Result<Faults> {
    let Some(path) = &args.faults_file else {
        return Ok(if args.faults == FaultsName::Rough { Faults::rough() } else { Faults::calm() });
    };
    let size = fs::metadata(path).wrap_err_with(|| format!("failed to read {}", path.display()))?.len();
    if size > MAX_FAULTS_BYTES {
        return Err(Unusable(format!("{} is longer than {MAX_FAULTS_BYTES} bytes", path.display())).into());
    }
    let text = fs::read_to_string(path).wrap_err_with(|| format!("failed to read {}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| Unusable(format!("{}: {error}", path.display())).into())
}

/// The clock of this machine.
#[expect(clippy::disallowed_methods, reason = "the binary reads the clock, and hands it on")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn tell(simulator: &Simulator, args: &SimulatorArgs) -> eyre::Result<()> {
    let url = simulator.url();
    let mut out = std::io::stdout().lock();
    let mut write = || -> std::io::Result<()> {
        writeln!(out, "Mobile money, simulated (seed {}); nothing here is worth anything.", args.seed)?;
        writeln!(out, "Telephones   {url}/")?;
        writeln!(
            out,
            "Daraja       {url}  key {}  secret {}",
            credentials::CONSUMER_KEY,
            credentials::CONSUMER_SECRET
        )?;
        writeln!(
            out,
            "MTN MoMo     {url}  subscription {}  user {}",
            credentials::SUBSCRIPTION_KEY,
            credentials::API_USER
        )?;
        for phone in people(usize::try_from(args.phones.min(4)).unwrap_or_default(), Habit::Ask) {
            writeln!(out, "+{}  PIN {}  {}", phone.msisdn, phone.pin, phone.name)?;
        }
        out.flush()
    };
    write().wrap_err("failed to write to standard output")
}
