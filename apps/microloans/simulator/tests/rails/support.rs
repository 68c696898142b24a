//! A simulator, the adapters against it, and somebody who receives their callbacks.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    response::IntoResponse as _,
    routing::any,
};
use braid_microloans_arithmetic::Money;
use braid_microloans_rails::{
    Clock, CorrelationId, Daraja, DarajaConfig, MobileMoney, Msisdn, MtnMomo, MtnMomoConfig, StatementSource,
    daraja::credential,
    momo::Product,
    port::{CallbackUrl, Collection, Decision, Delivery, Event, Kind, Payout, Provider, Route, Span, StateQuery},
};
use braid_microloans_simulator::{Faults, Habit, Settings, Simulator, Time, credentials, people};
use std::sync::Mutex;

/// 2 March 2026, nine o'clock in Nairobi.
pub const START_MS: i64 = 1_772_431_200_000;

/// A callback that arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub provider: Provider,
    pub token: String,
    pub route: Route,
    pub body: Vec<u8>,
}

#[derive(Debug)]
struct Inbox {
    received: Mutex<Vec<Received>>,
    decision: Mutex<Decision>,
    adapters: Mutex<Vec<Arc<dyn MobileMoney>>>,
}

/// All of it.
#[derive(Debug)]
pub struct Stage {
    pub simulator: Arc<Simulator>,
    pub daraja: Arc<Daraja>,
    pub momo: Arc<MtnMomo>,
    inbox: Arc<Inbox>,
    base: String,
}

async fn receive(
    State(inbox): State<Arc<Inbox>>,
    Path((provider, token, route)): Path<(String, String, String)>,
    body: Bytes,
) -> axum::response::Response {
    let (provider, route) = (Provider::named(&provider).unwrap(), Route::named(&route).unwrap());
    inbox.received.lock().unwrap().push(Received { provider, token, route, body: body.to_vec() });
    let adapters = inbox.adapters.lock().unwrap();
    let adapter = adapters.iter().find(|adapter| adapter.provider() == provider).unwrap();
    adapter.answer_callback(route, *inbox.decision.lock().unwrap()).body.into_response()
}

impl Stage {
    /// A stage with so many telephones, whose holders have this habit.
    pub async fn new(seed: u64, phones: usize, habit: Habit, faults: Faults, timeout: Duration) -> Self {
        let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let time = Time::Manual { start_ms: START_MS };
        let settings = Settings { listen, seed, faults, time, phones: people(phones, habit) };
        let simulator = Arc::new(Simulator::start(settings).await.unwrap());
        let watched = Arc::clone(&simulator);
        let clock = Clock(Arc::new(move || jiff::Timestamp::from_millisecond(watched.now_ms()).unwrap()));
        let daraja = Arc::new(Daraja::new(daraja_config(&simulator.url(), timeout), clock.clone()).unwrap());
        let momo = Arc::new(MtnMomo::new(momo_config(&simulator.url(), timeout), clock).unwrap());
        let adapters: Vec<Arc<dyn MobileMoney>> = vec![Arc::clone(&daraja) as _, Arc::clone(&momo) as _];
        let inbox = Arc::new(Inbox {
            received: Mutex::default(),
            decision: Mutex::new(Decision::Accept),
            adapters: Mutex::new(adapters),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/callbacks/{provider}/{token}/{route}", any(receive));
        let router = router.with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { simulator, daraja, momo, inbox, base }
    }

    pub fn rail(&self, provider: Provider) -> &dyn MobileMoney {
        match provider {
            Provider::Daraja => &*self.daraja,
            Provider::MtnMomo => &*self.momo,
        }
    }

    pub fn callback(&self, provider: Provider, token: &str) -> CallbackUrl {
        CallbackUrl(format!("{}/callbacks/{}/{token}", self.base, provider.name()))
    }

    pub fn decide(&self, decision: Decision) {
        *self.inbox.decision.lock().unwrap() = decision;
    }

    /// Lets time pass, and reads what arrived.
    pub async fn pass(&self, seconds: u64) -> Vec<(Received, Event)> {
        self.simulator.advance(Duration::from_secs(seconds)).await;
        let received = std::mem::take(&mut *self.inbox.received.lock().unwrap());
        let read = |received: Received| {
            let delivery = Delivery { route: received.route, body: &received.body };
            let event = self.rail(received.provider).read_callback(delivery).ok()?;
            Some((received, event))
        };
        received.into_iter().filter_map(read).collect()
    }

    pub fn payout(&self, provider: Provider, n: u8, msisdn: &str, units: i128) -> Payout {
        Payout {
            correlation: id(n),
            amount: money(provider, units),
            payee: number(msisdn),
            reference: format!("LN-{n}"),
            note: "Your loan's here".into(),
            callback: self.callback(provider, &format!("token-{n}")),
        }
    }

    pub fn collection(&self, provider: Provider, n: u8, msisdn: &str, units: i128) -> Collection {
        Collection {
            correlation: id(n),
            amount: money(provider, units),
            payer: number(msisdn),
            reference: format!("LN-{n}"),
            note: "Instalment".into(),
            callback: self.callback(provider, &format!("token-{n}")),
        }
    }

    pub fn query(&self, provider: Provider, kind: Kind, n: u8, server_correlation: Option<String>) -> StateQuery {
        let callback = self.callback(provider, &format!("token-{n}"));
        StateQuery { kind, correlation: id(n), server_correlation, receipt: None, callback }
    }
}

pub fn id(n: u8) -> CorrelationId {
    CorrelationId::from_random([n; 16])
}

pub fn number(msisdn: &str) -> Msisdn {
    msisdn.parse().unwrap()
}

pub fn money(provider: Provider, units: i128) -> Money {
    let currency = if provider == Provider::Daraja { "KES" } else { "GHS" };
    Money { minor: units * 100, currency: currency.parse().unwrap() }
}

pub fn all_time() -> Span {
    Span { from: "2026-01-01T00:00:00Z".parse().unwrap(), to: "2027-01-01T00:00:00Z".parse().unwrap() }
}

fn statement(url: &str, provider: Provider) -> Option<StatementSource> {
    let path = format!("/statements/{}", provider.name());
    Some(StatementSource { base_url: url.to_owned(), path, token: credentials::STATEMENT_TOKEN.to_owned().into() })
}

pub fn daraja_config(url: &str, timeout: Duration) -> DarajaConfig {
    let password = credentials::INITIATOR_PASSWORD.to_owned().into();
    DarajaConfig {
        base_url: url.to_owned(),
        consumer_key: credentials::CONSUMER_KEY.to_owned().into(),
        consumer_secret: credentials::CONSUMER_SECRET.to_owned().into(),
        collection_code: credentials::SHORT_CODE.to_owned(),
        passkey: credentials::PASSKEY.to_owned().into(),
        payout_code: credentials::SHORT_CODE.to_owned(),
        initiator: credentials::INITIATOR.to_owned(),
        security_credential: credential::seal(&password, credentials::CERTIFICATE_PEM).unwrap(),
        statement: statement(url, Provider::Daraja),
        timeout,
    }
}

pub fn momo_config(url: &str, timeout: Duration) -> MtnMomoConfig {
    let product = Product {
        subscription_key: credentials::SUBSCRIPTION_KEY.to_owned().into(),
        user: credentials::API_USER.to_owned(),
        key: credentials::API_KEY.to_owned().into(),
    };
    MtnMomoConfig {
        base_url: url.to_owned(),
        target_environment: "mtnghana".to_owned(),
        currency: "GHS".parse().unwrap(),
        largest: 1_000_000,
        collection: product.clone(),
        disbursement: product,
        statement: statement(url, Provider::MtnMomo),
        timeout,
    }
}
