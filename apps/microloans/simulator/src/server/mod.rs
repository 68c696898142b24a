//! The simulator as a server: the providers' interfaces, the controls, and the page of telephones, over one world.

mod control;
mod daraja;
mod deliver;
mod momo;
mod page;
mod sms;

use std::{collections::BTreeMap, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::DefaultBodyLimit,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    credentials::Credentials,
    faults::{Answering, Faults},
    phone::{Habit, Phone, Rail},
    world::{World, WorldError},
};

/// The longest request that is read.
const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// How often the agenda is looked at, where time passes by itself.
const TICK: Duration = Duration::from_millis(20);
/// How long a request without an answer stays open where time passes only when told: whoever waits for it may be who tells.
const OPEN: Duration = Duration::from_millis(200);
/// What the organisation has with each provider at the beginning, in minor units: ten million.
const FLOAT_MINOR: i64 = 1_000_000_000;

/// How time passes in the simulated world.
#[derive(Clone)]
pub enum Time {
    /// As the clock says, in milliseconds since 1970.
    Real(Arc<dyn Fn() -> i64 + Send + Sync>),
    /// Only when told, from this instant on.
    Manual {
        /// In milliseconds since 1970.
        start_ms: i64,
    },
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real(_) => f.write_str("Real"),
            Self::Manual { start_ms } => f.debug_struct("Manual").field("start_ms", start_ms).finish(),
        }
    }
}

/// What a simulator is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// What chance follows from.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// How time passes.
    pub time: Time,
    /// The telephones.
    pub phones: Vec<Phone>,
}

/// Why a simulator cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("failed to listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The client of callbacks cannot be made.
    #[error("failed to set up the client of callbacks")]
    Client(#[source] reqwest::Error),
    /// The settings make no world.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// What handlers share.
#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    credentials: Mutex<Credentials>,
    client: reqwest::Client,
    /// Held by whoever lets time pass, so that callbacks leave one after the other.
    passing: tokio::sync::Mutex<()>,
    time: Mutex<Time>,
}

impl Shared {
    /// The time in the world.
    fn now_ms(&self) -> i64 {
        match &*self.time.lock() {
            Time::Real(clock) => clock(),
            Time::Manual { .. } => self.world.lock().now_ms(),
        }
    }

    /// Whether time passes by itself.
    fn is_real(&self) -> bool {
        matches!(*self.time.lock(), Time::Real(_))
    }
}

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Simulator {
    /// Starts one.
    ///
    /// # Errors
    /// If it cannot listen, or the settings make no world.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let start_ms = match &settings.time {
            Time::Real(clock) => clock(),
            Time::Manual { start_ms } => *start_ms,
        };
        let float = BTreeMap::from([(Rail::Daraja, FLOAT_MINOR), (Rail::MtnMomo, FLOAT_MINOR)]);
        let mut world = World::new(settings.seed, start_ms, Faults::calm(), float);
        world.set_faults(settings.faults)?;
        for phone in settings.phones {
            world.add_phone(phone)?;
        }
        let client = deliver::client().map_err(StartError::Client)?;
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            credentials: Mutex::new(Credentials::new(settings.seed)),
            client,
            passing: tokio::sync::Mutex::new(()),
            time: Mutex::new(settings.time),
        });
        let listener = TcpListener::bind(settings.listen).await;
        let listener = listener.map_err(|error| StartError::Listen(settings.listen, error))?;
        let address = listener.local_addr().map_err(|error| StartError::Listen(settings.listen, error))?;
        let router = router(Arc::clone(&shared));
        let mut tasks = vec![tokio::spawn(async move {
            // It serves for ever.
            let _ = axum::serve(listener, router).await;
        })];
        if shared.is_real() {
            tasks.push(tokio::spawn(pass_with_the_clock(Arc::clone(&shared))));
        }
        Ok(Self { shared, address, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets time pass, and sends the callbacks that are due, one after the other. Returns how many were sent. Only where time passes when told.
    pub async fn advance(&self, by: Duration) -> usize {
        deliver::advance(&self.shared, by).await
    }

    /// Lets time pass by itself from now on: what happened until then happened in the past.
    pub fn follow(&mut self, clock: Arc<dyn Fn() -> i64 + Send + Sync>) {
        *self.shared.time.lock() = Time::Real(clock);
        self.tasks.push(tokio::spawn(pass_with_the_clock(Arc::clone(&self.shared))));
    }

    /// The time in the world, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.shared.now_ms()
    }

    /// When the next thing happens by itself, in milliseconds since 1970.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        self.shared.world.lock().next_due_ms()
    }

    /// Adds a telephone.
    ///
    /// # Errors
    /// If it cannot be one.
    pub fn add_phone(&self, phone: Phone) -> Result<(), WorldError> {
        self.shared.world.lock().add_phone(phone)
    }

    /// A telephone as it is now.
    #[must_use]
    pub fn phone(&self, msisdn: &str) -> Option<Phone> {
        self.shared.world.lock().phone(msisdn).ok().cloned()
    }

    /// What all telephones of a provider have, what the organisation has there, and what was charged: it changes only when telephones are added.
    #[must_use]
    pub fn total_minor(&self, rail: Rail) -> i64 {
        let world = self.shared.world.lock();
        let (float, charges) = world.float_and_charges(rail);
        let wallets: i64 = world.phones().filter(|phone| phone.rail == rail).map(|phone| phone.balance_minor).sum();
        wallets + float + charges
    }

    /// What the holder of a telephone pays of their own accord, to an account that they type.
    ///
    /// # Errors
    /// If there is no such telephone, or the money is not there.
    pub fn pay_in(&self, msisdn: &str, account: &str, amount_minor: i64) -> Result<(), WorldError> {
        let mut world = self.shared.world.lock();
        let pin = world.phone(msisdn)?.pin.clone();
        world.pay_in(msisdn, &pin, account, amount_minor).map(drop)
    }

    /// Changes what a holder does when asked.
    ///
    /// # Errors
    /// If there is no such telephone.
    pub fn set_habit(&self, msisdn: &str, habit: Habit) -> Result<(), WorldError> {
        self.shared.world.lock().phone_mut(msisdn).map(|phone| phone.habit = habit)
    }

    /// Changes what goes wrong from now on.
    ///
    /// # Errors
    /// If the shares are impossible.
    pub fn set_faults(&self, faults: Faults) -> Result<(), WorldError> {
        self.shared.world.lock().set_faults(faults)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .merge(daraja::routes())
        .merge(momo::routes())
        .merge(control::routes())
        .merge(page::routes())
        .merge(sms::routes())
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(shared)
}

async fn pass_with_the_clock(shared: Arc<Shared>) {
    loop {
        let until_ms = shared.now_ms();
        deliver::pass(&shared, until_ms).await;
        tokio::time::sleep(TICK).await;
    }
}

/// A header as text.
fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    header_text(headers, header::AUTHORIZATION.as_str())
}

/// A body as JSON object; null if it is none.
fn object(body: &Bytes) -> Value {
    serde_json::from_slice::<Value>(body).ok().filter(Value::is_object).unwrap_or_default()
}

/// A string or a number under a key, as text.
fn text(body: &Value, key: &str) -> Option<String> {
    match body.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// The answer to a request that was acted upon, as fate has it.
async fn answered(shared: &Shared, answering: Answering, well: Response) -> Response {
    match answering {
        Answering::Well | Answering::ErrorBefore => well,
        Answering::ErrorAfter => json_response(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!({ "requestId": "0", "errorCode": "500.003.1001", "errorMessage": "Internal Server Error" }),
        ),
        // Until the client gives up: then nobody waits for this any more.
        Answering::Never | Answering::Held(_) if shared.is_real() => std::future::pending().await,
        Answering::Never | Answering::Held(_) => {
            tokio::time::sleep(OPEN).await;
            broken(well.status())
        }
        Answering::Broken => broken(well.status()),
    }
}

/// An answer whose body breaks off.
fn broken(status: StatusCode) -> Response {
    let parts = [Ok(Bytes::from_static(b"{")), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    let body = Body::from_stream(futures::stream::iter(parts));
    (status, [(header::CONTENT_LENGTH, "200")], body).into_response()
}
