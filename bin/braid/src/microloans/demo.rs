//! `braid microloans demo`: the service with simulated mobile money and people who have borrowed for weeks, to look at.
//!
//! Their history ([`story`](super::story)) is not written into the tables: it is lived through, in the simulated past, by the service and the simulator, before time
//! goes on as the clock says. Everything lies in a temporary directory and ends with the process.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use alloy_signer_local::PrivateKeySigner;
use braid_microloans_rails::{
    Daraja, DarajaConfig, MobileMoney, MtnMomo, MtnMomoConfig, SimSwaps, StatementSource, TextMessages,
    daraja::credential, momo,
};
use braid_microloans_service::{App, Clock, Config, Rails, app::SimCheck, config::ChainConfig, messages::Post, serve};
use braid_microloans_simulator::{Faults, Habit, Settings, Simulator, Time, credentials, people};
use braid_suite::Suite;
use eyre::{WrapErr as _, eyre};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{pages::pages, story};

/// Where it is, unless somebody says otherwise.
pub(crate) const SERVICE: &str = "127.0.0.1:8730";
/// Where the telephones are.
pub(crate) const PHONES: &str = "127.0.0.1:8720";

/// Telephones, of Kenya and Ghana in turn.
const TELEPHONES: usize = 32;
/// What chance follows from, though nothing goes wrong here.
const SEED: u64 = 1;

/// How long an answer of the simulator is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// For how many days nothing is paid to a number with a new SIM, until two people agree.
const SIM_DAYS: u32 = 7;

/// Who works in the demonstration.
const STAFF: [(&str, &str); 5] =
    [("olive", "officer"), ("peter", "approver"), ("tessa", "treasurer"), ("aude", "auditor"), ("otto", "operator")];
/// Everybody's password there.
const PASSWORD: &str = "only for demonstrations";

/// The demonstration's configuration, but for what depends on the machine.
const CONFIG: &str = include_str!("demo.toml");

/// What can be donated for.
const PURPOSES: [&str; 2] = ["women tailors, Nairobi", "market traders, Accra"];
/// In what the demonstration's products are lent.
const CURRENCIES: [&str; 2] = ["KES", "GHS"];

/// Who tells a chain of the demonstration's loans, and the contracts that are told.
#[derive(Debug)]
pub(crate) struct Loans {
    /// The account, which has the roles.
    pub(crate) key: PrivateKeySigner,
    /// The contracts.
    pub(crate) suite: Suite,
}

/// A chain that is there to be told.
#[derive(Debug)]
pub(crate) struct ToldChain {
    rpc: String,
    loans: Loans,
}

impl Loans {
    /// With the node that listens there.
    pub(crate) fn at(self, mut node: SocketAddr) -> ToldChain {
        if node.ip().is_unspecified() {
            node.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        ToldChain { rpc: format!("http://{node}"), loans: self }
    }
}

impl ToldChain {
    fn config(&self, folder: &TempDir) -> eyre::Result<ChainConfig> {
        let key_file = folder.path().join("chain-key");
        std::fs::write(&key_file, alloy_primitives::hex::encode(self.loans.key.to_bytes()))
            .wrap_err("failed to write a key")?;
        let find = |name: &str| {
            let contract = self.loans.suite.find(name).ok_or_else(|| eyre!("the suite has no {name}"))?;
            eyre::Ok(contract.address)
        };
        let pools = CURRENCIES.map(|code| Ok((code.to_owned(), find(&format!("Loans-{code}"))?)));
        Ok(ChainConfig {
            rpc: self.rpc.clone(),
            key_file,
            book: find("Loan-Book")?,
            journal: find("Loan-Journal")?,
            donations: Some(find("Donations")?),
            purposes: PURPOSES.map(str::to_owned).into(),
            pools: pools.into_iter().collect::<eyre::Result<_>>()?,
        })
    }
}

/// A demonstration that runs.
pub(crate) struct Demo {
    /// Where the service is.
    pub(crate) service: SocketAddr,
    /// Where the telephones are.
    pub(crate) phones: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    life: JoinHandle<eyre::Result<()>>,
}

impl Demo {
    /// Begins to listen, at any free port where one is taken, and lives through the past in the background. The chain, if there is one,
    /// is told of the past when it is over.
    ///
    /// # Errors
    /// If nothing can be listened to, or no directory made.
    pub(crate) async fn start(service: SocketAddr, phones: SocketAddr, chain: Option<ToldChain>) -> eyre::Result<Self> {
        let listener = listen(service).await?;
        let start_ms = now_ms() - story::DAYS * 24 * 3_600 * 1_000;
        let settings = |listen| Settings {
            listen,
            seed: SEED,
            faults: Faults::calm(),
            time: Time::Manual { start_ms },
            phones: people(TELEPHONES, Habit::Approve),
        };
        let simulator = match Simulator::start(settings(phones)).await {
            Ok(simulator) => simulator,
            Err(_) => Simulator::start(settings(SocketAddr::new(phones.ip(), 0))).await?,
        };
        let (stop, stopped) = oneshot::channel();
        let address = listener.local_addr().wrap_err("failed to read the address")?;
        let phones = simulator.address();
        let life = tokio::spawn(live(listener, simulator, start_ms, chain, stopped));
        Ok(Self { service: address, phones, stop: Some(stop), life })
    }

    /// Waits until it ends by itself, which it does only if it fails.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) async fn ended(&mut self) -> eyre::Result<()> {
        (&mut self.life).await.wrap_err("the demonstration was cut off")?
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// If it had failed.
    pub(crate) async fn stop(mut self) -> eyre::Result<()> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.ended().await
    }

    /// What to tell whoever started it.
    pub(crate) fn screen(&self) -> String {
        let (service, phones) = (self.service, self.phones);
        let borrower = people(1, Habit::Ask).first().map(|phone| format!("+{}, PIN {}", phone.msisdn, phone.pin));
        let borrower = borrower.unwrap_or_default();
        let accounts = STAFF.map(|(name, _)| name).join(", ");
        format!(
            "Micro-loans, with simulated people and money (ready when their past has been lived through)\n  \
             Pages       http://{service}/          sign in as {borrower}\n  \
             Staff       http://{service}/staff     {accounts}, each with the password {PASSWORD:?}\n  \
             Handset     http://{service}/handset   any number of the telephones\n  \
             Telephones  http://{phones}/\n  \
             Interface   http://{service}/openapi.json\n"
        )
    }
}

async fn listen(address: SocketAddr) -> eyre::Result<TcpListener> {
    if let Ok(listener) = TcpListener::bind(address).await {
        return Ok(listener);
    }
    let any = SocketAddr::new(address.ip(), 0);
    TcpListener::bind(any).await.wrap_err_with(|| format!("failed to listen on {any}"))
}

async fn live(
    listener: TcpListener,
    mut simulator: Simulator,
    start_ms: i64,
    chain: Option<ToldChain>,
    stopped: oneshot::Receiver<()>,
) -> eyre::Result<()> {
    let folder = tempfile::tempdir().wrap_err("failed to make a directory for the demonstration")?;
    let listener = listener.into_std().wrap_err("failed to keep the address")?;
    let mut config = config(&folder, listener.local_addr()?)?;
    let past = Clock::manual(Timestamp::from_millisecond(start_ms)?);
    {
        let app = open(&config, &simulator, past.clone()).await?;
        let router = serve::router(app.clone());
        let twin = TcpListener::from_std(listener.try_clone()?)?;
        let served = tokio::spawn(async move { axum::serve(twin, router).await });
        let told = story::live_through(&app, &simulator, &past, now_ms()).await;
        served.abort();
        app.ledger.close().await;
        told?;
    }
    simulator.follow(Arc::new(now_ms));
    for phone in people(TELEPHONES, Habit::Ask) {
        simulator.set_habit(&phone.msisdn, Habit::Ask)?;
    }
    tracing::info!("the people of the demonstration are ready");
    config.chain = chain.map(|chain| chain.config(&folder)).transpose()?;
    let app = open(&config, &simulator, Clock::System).await?;
    let end = async move {
        let _ = stopped.await;
    };
    let pages = pages(&app, &config)?;
    serve::serve_with(app, TcpListener::from_std(listener)?, pages, end).await?;
    Ok(())
}

fn config(folder: &TempDir, address: SocketAddr) -> eyre::Result<Config> {
    let mut key = [0; 32];
    rand_bytes(&mut key)?;
    let master = folder.path().join("master-key");
    std::fs::write(&master, alloy_primitives::hex::encode(key)).wrap_err("failed to write a key")?;
    let database = folder.path().join("books.sqlite");
    let password = braid_microloans_faces::hash_password(PASSWORD)?;
    let accounts = STAFF.map(|(name, role)| format!("{{ name = {name:?}, role = {role:?}, password = {password:?} }}"));
    let text = CONFIG
        .replace("{address}", &address.to_string())
        .replace("{database}", &database.display().to_string())
        .replace("{master}", &master.display().to_string())
        .replace("{accounts}", &accounts.join(", "));
    toml::from_str(&text).wrap_err("failed to read the demonstration's configuration")
}

fn rand_bytes(bytes: &mut [u8; 32]) -> eyre::Result<()> {
    // A fresh private key is thirty-two random bytes.
    let random = PrivateKeySigner::random().to_bytes();
    bytes.copy_from_slice(random.as_slice());
    Ok(())
}

async fn open(config: &Config, simulator: &Simulator, clock: Clock) -> eyre::Result<App> {
    let url = simulator.url();
    let mut app =
        serve::open(config, rails(&url, &clock)?, clock).await.wrap_err("failed to open the demonstration's books")?;
    let sim = || {
        let token = credentials::SIM_TOKEN.to_owned().into();
        eyre::Ok(SimCheck { operator: SimSwaps::new(&url, token, PATIENCE)?, days: SIM_DAYS })
    };
    app.sims = Arc::new([("daraja".to_owned(), sim()?), ("mtn".to_owned(), sim()?)].into());
    let key = "simulated".to_owned().into();
    let gateway = TextMessages::new(&url, "braid", key, Some("BRAID".to_owned()), PATIENCE)?;
    let helpline = config.ussd.as_ref().map_or("", |ussd| ussd.phone.as_str());
    app.post = Some(Arc::new(Post::with(gateway, helpline)?));
    app.ledger = app.ledger.telling_borrowers();
    Ok(app)
}

/// The simulator's two providers.
fn rails(url: &str, clock: &Clock) -> eyre::Result<Rails> {
    let statement = |rail: &str| {
        let token = credentials::STATEMENT_TOKEN.to_owned().into();
        Some(StatementSource { base_url: url.to_owned(), path: format!("/statements/{rail}"), token })
    };
    let password = credentials::INITIATOR_PASSWORD.to_owned().into();
    let daraja = DarajaConfig {
        base_url: url.to_owned(),
        consumer_key: credentials::CONSUMER_KEY.to_owned().into(),
        consumer_secret: credentials::CONSUMER_SECRET.to_owned().into(),
        collection_code: credentials::SHORT_CODE.to_owned(),
        passkey: credentials::PASSKEY.to_owned().into(),
        payout_code: credentials::SHORT_CODE.to_owned(),
        initiator: credentials::INITIATOR.to_owned(),
        security_credential: credential::seal(&password, credentials::CERTIFICATE_PEM)?,
        statement: statement("daraja"),
        timeout: PATIENCE,
    };
    let product = momo::Product {
        subscription_key: credentials::SUBSCRIPTION_KEY.to_owned().into(),
        user: credentials::API_USER.to_owned(),
        key: credentials::API_KEY.to_owned().into(),
    };
    let mtn = MtnMomoConfig {
        base_url: url.to_owned(),
        target_environment: "mtnghana".to_owned(),
        currency: "GHS".parse()?,
        largest: 1_000_000,
        collection: product.clone(),
        disbursement: product,
        statement: statement("mtn-momo"),
        timeout: PATIENCE,
    };
    let daraja: Arc<dyn MobileMoney> = Arc::new(Daraja::new(daraja, clock.of_rails())?);
    let mtn: Arc<dyn MobileMoney> = Arc::new(MtnMomo::new(mtn, clock.of_rails())?);
    Ok(Rails::from([("daraja".to_owned(), daraja), ("mtn".to_owned(), mtn)]))
}

/// The clock of this machine.
#[expect(clippy::disallowed_methods, reason = "the binary is where time comes from")]
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
