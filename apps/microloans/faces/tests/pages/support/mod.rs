//! What the tests of the pages share: a service with seeded books, and a browser without scripts.

#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(unreachable_pub, reason = "the service's helpers within are a module of several test programs")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "../../../../service/tests/support/mod.rs"]
pub mod service;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use braid_microloans_faces::{AccountConfig, Faces, FacesConfig, Pins, hash_password, router};
use braid_microloans_rails::Msisdn;
use braid_microloans_service::{App, Clock, housekeeping, serve, worker, worker::Watch};
use braid_microloans_ussd::loans::{PinCheck, Unavailable};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use service::{Client, Till};

/// What a person's data looks like here; it must be on no page of others.
pub const NAME: &str = "Amina Mwangi";
pub const NATIONAL_ID: &str = "12345678";
/// The beginning of all telephone numbers of the tests.
pub const PHONES: &str = "25470000";
/// Everybody's PIN.
pub const PIN: &str = "4711";
pub const PASSWORD: &str = "correct horse battery";
/// Borrowers with loans that are being repaid: enough for figures that everybody may see.
pub const BORROWERS: u32 = 12;

/// PINs, counted in memory.
#[derive(Debug, Default)]
struct CountedPins(Mutex<BTreeMap<Msisdn, u8>>);

#[async_trait]
impl Pins for CountedPins {
    async fn check(&self, who: &Msisdn, pin: &SecretString, _key: &str) -> Result<PinCheck, Unavailable> {
        let mut wrong = self.0.lock().unwrap();
        let count = wrong.entry(who.clone()).or_default();
        if *count >= 3 {
            return Ok(PinCheck::Locked);
        }
        if pin.expose_secret() == PIN {
            *count = 0;
            return Ok(PinCheck::Right);
        }
        *count += 1;
        Ok(if *count >= 3 { PinCheck::Locked } else { PinCheck::Wrong { left: 3 - *count } })
    }
}

/// A service with its pages.
pub struct Stage {
    pub folder: tempfile::TempDir,
    pub client: Client,
    pub clock: Clock,
    pub app: App,
}

pub fn phone(number: u32) -> String {
    format!("+{PHONES}{number:04}")
}

fn config() -> FacesConfig {
    let password = hash_password(PASSWORD).unwrap();
    let account =
        |role: &&str| AccountConfig { name: format!("{role}-1"), role: (*role).to_owned(), password: password.clone() };
    FacesConfig {
        helpline: "0800 000 000".to_owned(),
        dial: "*384*27#".to_owned(),
        https: false,
        accounts: ["officer", "approver", "treasurer", "auditor", "operator"].iter().map(account).collect(),
    }
}

impl Stage {
    /// A service without loans, on a Monday morning.
    pub async fn empty() -> Self {
        Self::with("", Clock::manual(service::monday())).await
    }

    /// A service without loans, with more in its configuration.
    pub async fn with(more: &str, clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}?mode=rwc", folder.path().join("books.sqlite").display());
        let path = service::write_config(folder.path(), &database);
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + more).unwrap();
        let till = Till::new(folder.path());
        let app = service::open(&path, &till, clock.clone(), Watch::default()).await;
        let faces = Faces::new(app.clone(), &config(), Arc::new(CountedPins::default())).unwrap();
        let routes = serve::router(app.clone()).merge(router(faces));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(worker::run(app.clone()));
        tokio::spawn(braid_microloans_service::chain::run(app.clone()));
        tokio::spawn(housekeeping::run(app.clone()));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { folder, client: Client::new(base), clock, app }
    }

    /// A service with loans in several states: being repaid, late, repaid in part, asked for, under review, offered, refused.
    pub async fn seeded() -> Self {
        let stage = Self::empty().await;
        stage.client.deposit("500000", "bank-1").await;
        let mut active = Vec::new();
        for number in 0..BORROWERS {
            let loan = stage.client.accepted(&phone(number)).await;
            active.push(loan["id"].as_str().unwrap().to_owned());
        }
        for id in &active {
            stage.client.until(id, "active").await;
        }
        // A month and a half: the first instalment is late where it is not paid, and days are sealed.
        stage.clock.advance(SignedDuration::from_hours(30 * 24));
        for id in active.iter().skip(4) {
            stage.repay(id, "1900").await;
        }
        stage.clock.advance(SignedDuration::from_hours(14 * 24));
        for (number, state) in (20..).zip(["submitted", "under_review", "offered", "rejected"]) {
            stage.application(number, state).await;
        }
        let mut write = stage.app.write(braid_microloans_ledger::Actor::system("test")).await.unwrap();
        braid_microloans_ledger::journal::seal::seal_ended_days(&mut write).await.unwrap();
        write.commit().await.unwrap();
        stage
    }

    /// Asks for a payment, and waits until it is booked.
    pub async fn repay(&self, id: &str, amount: &str) {
        let leg = self.client.post("gateway", &format!("/v1/loans/{id}/collect"), json!({"amount": amount})).await;
        for attempt in 0.. {
            let legs = self.client.get("auditor", &format!("/v1/loans/{id}/legs")).await;
            let leg = legs.as_array().unwrap().iter().find(|other| other["id"] == leg["id"]).unwrap().clone();
            if leg["state"] == "succeeded" {
                return;
            }
            assert!(attempt < 6_000, "{leg}");
            self.clock.advance(SignedDuration::from_secs(1));
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Registers a person; their id.
    pub async fn person(&self, number: u32) -> Value {
        let person = json!({"country": "KE", "language": "sw", "name": NAME, "phone": phone(number), "national_id": NATIONAL_ID});
        self.client.post("gateway", "/v1/people", person).await["id"].clone()
    }

    /// An application in a state.
    async fn application(&self, number: u32, state: &str) {
        let person = self.person(number).await;
        let application =
            json!({"person": person, "product": "stock", "principal": "5000", "instalments": 3, "purpose": "tools"});
        let loan = self.client.post("gateway", "/v1/loans", application).await;
        let id = loan["id"].as_str().unwrap();
        if state == "submitted" {
            return;
        }
        self.client.post("officer", &format!("/v1/loans/{id}/review"), json!({})).await;
        match state {
            "offered" => self.client.approved("officer", json!({"action": "offer", "loan": id})).await,
            "rejected" => {
                self.client.post("officer", &format!("/v1/loans/{id}/reject"), json!({"reason": "another loan"})).await;
            }
            _ => {}
        }
    }

    pub fn browser(&self) -> Browser {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Browser { http, base: self.client.base.clone(), cookies: BTreeMap::new() }
    }

    /// A browser in which a borrower is signed in.
    pub async fn borrower(&self, number: u32) -> Browser {
        let mut browser = self.browser();
        let page = browser.get("/sign-in").await;
        let answer = browser.submit(&page, "/sign-in", &[("phone", &phone(number)), ("pin", PIN)]).await;
        assert_eq!((answer.status, answer.location.as_str()), (303, "/me"), "{}", answer.text);
        browser
    }

    /// A browser in which an account is signed in.
    pub async fn staff(&self, role: &str) -> Browser {
        let mut browser = self.browser();
        let page = browser.get("/staff").await;
        let account = format!("{role}-1");
        let answer = browser.submit(&page, "/staff", &[("account", &account), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        browser
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    pub location: String,
    pub headers: reqwest::header::HeaderMap,
}

/// A browser that keeps cookies, and neither follows nor executes anything.
pub struct Browser {
    http: reqwest::Client,
    base: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn cookie(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    async fn take(&mut self, response: reqwest::Response) -> Answer {
        for header in response.headers().get_all("set-cookie") {
            let (name, value) = header.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = response.headers().get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, location, headers, text: response.text().await.unwrap() }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.base)).header("cookie", self.cookie());
        let response = request.send().await.unwrap();
        self.take(response).await
    }

    /// Sends fields as they are.
    pub async fn post(&mut self, path: &str, fields: &[(String, String)], headers: &[(&str, &str)]) -> Answer {
        let encoded: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let mut request = self.http.post(format!("{}{path}", self.base)).header("cookie", self.cookie());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(encoded.join("&"));
        let response = request.send().await.unwrap();
        self.take(response).await
    }

    /// Fills in a form of a page and sends it.
    pub async fn submit(&mut self, page: &Answer, action: &str, typed: &[(&str, &str)]) -> Answer {
        let fields = filled(page, action, typed);
        self.post(action, &fields, &[("sec-fetch-site", "same-origin")]).await
    }
}

/// The hidden fields of a form, and what is typed.
pub fn filled(page: &Answer, action: &str, typed: &[(&str, &str)]) -> Vec<(String, String)> {
    let start = page.text.find(&format!("method=\"post\" action=\"{action}\""));
    let start = start.unwrap_or_else(|| panic!("no form for {action} in {}", page.text));
    let end = page.text[start..].find("</form>").unwrap() + start;
    let inputs = page.text[start..end].split("<input").skip(1).filter(|input| input.contains("type=\"hidden\""));
    let hidden = inputs.map(|input| (attribute(input, "name"), attribute(input, "value")));
    let typed = typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    hidden.chain(typed).collect()
}

/// The value of an attribute of a tag.
pub fn attribute(tag: &str, name: &str) -> String {
    let tag = &tag[..tag.find('>').unwrap_or(tag.len())];
    let value = tag.split_once(&format!(" {name}=\"")).map_or("", |(_, rest)| rest.split('"').next().unwrap());
    value.replace("&amp;", "&")
}

fn encode(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}
