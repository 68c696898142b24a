//! What every page has at hand, and where the pages are.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use braid_microloans_ledger::LedgerError;
use braid_microloans_service::App;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{
    accounts::{AccountConfig, Accounts},
    auditor, borrower, donor, guard,
    language::{Catalogue, LocaleError},
    lender, officer,
    open::{self, Figures},
    pins::Pins,
};

/// The longest form that is read, in bytes.
pub(crate) const MAX_FORM_BYTES: usize = 16 * 1024;

/// The pages' part of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FacesConfig {
    /// The number that people can call, as they would dial it.
    pub helpline: String,
    /// The code that opens the menus of any telephone, such as `*384*27#`.
    pub dial: String,
    /// Whether the pages are reached over HTTPS only, so that cookies never travel otherwise.
    #[serde(default)]
    pub https: bool,
    /// Staff.
    #[serde(default)]
    pub accounts: Vec<AccountConfig>,
}

/// Why there are no pages.
#[derive(Debug, thiserror::Error)]
pub enum FacesError {
    /// A password that cannot be hashed.
    #[error("a password has at least twelve characters and at most 256 bytes")]
    Password,
    /// An account that cannot be.
    #[error("account {name:?} does not have {what}")]
    Account {
        /// Its name.
        name: String,
        /// What it should have.
        what: &'static str,
    },
    /// A configuration that is too long.
    #[error("there are at most {0} accounts")]
    TooManyAccounts(usize),
    /// A locale file.
    #[error(transparent)]
    Locale(#[from] LocaleError),
    /// No random numbers, or no database.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What every page has at hand.
#[derive(Debug)]
pub struct Faces {
    pub(crate) app: App,
    pub(crate) texts: Catalogue,
    pub(crate) accounts: Accounts,
    pub(crate) pins: Arc<dyn Pins>,
    pub(crate) helpline: String,
    pub(crate) dial: String,
    pub(crate) is_secure: bool,
    pub(crate) figures: Mutex<Option<Arc<Figures>>>,
}

impl Faces {
    /// The pages of a service.
    ///
    /// # Errors
    /// If an account cannot be, or a locale file cannot be read.
    pub fn new(app: App, config: &FacesConfig, pins: Arc<dyn Pins>) -> Result<Arc<Self>, FacesError> {
        Ok(Arc::new(Self {
            app,
            texts: Catalogue::load()?,
            accounts: Accounts::new(&config.accounts)?,
            pins,
            helpline: config.helpline.clone(),
            dial: config.dial.clone(),
            is_secure: config.https,
            figures: Mutex::default(),
        }))
    }
}

/// All pages, without a fallback: to be merged with the service's own router.
pub fn router(faces: Arc<Faces>) -> Router {
    let open = Router::new()
        .route("/", get(open::home))
        .route("/style.css", get(open::style))
        .route("/learn", get(open::learn))
        .route("/learn/{lesson}", get(open::lesson))
        .route("/figures", get(open::figures))
        .route("/lend", get(open::lend))
        .route("/lend/{currency}", get(lender::show))
        .route("/donate", get(donor::list))
        .route("/donate/{donation}", get(donor::one));
    let borrower = Router::new()
        .route("/sign-in", get(borrower::sign_in::form).post(borrower::sign_in::sign_in))
        .route("/sign-out", post(borrower::sign_in::sign_out))
        .route("/me", get(borrower::overview::show))
        .route("/me/withdraw", post(borrower::overview::withdraw))
        .route("/me/apply", get(borrower::apply::form).post(borrower::apply::apply))
        .route("/me/offer", get(borrower::offer::show))
        .route("/me/offer/accept", post(borrower::offer::accept))
        .route("/me/offer/decline", post(borrower::offer::decline))
        .route("/me/pay", get(borrower::pay::form).post(borrower::pay::pay))
        .route("/me/statement/{loan}", get(borrower::statement::show))
        .route("/me/receipts", get(borrower::receipts::list))
        .route("/me/receipts/{payment}", get(borrower::receipts::one));
    let staff = Router::new()
        .route("/staff", get(officer::sign_in::form).post(officer::sign_in::sign_in))
        .route("/officer", get(officer::queue::show))
        .route("/officer/collections", get(officer::collections::show))
        .route("/officer/approvals", get(officer::approvals::list))
        .route("/officer/approvals/{id}", post(officer::approvals::decide))
        .route("/officer/money", get(officer::money::show))
        .route("/officer/money/deposit", post(officer::money::deposit))
        .route("/officer/money/assign", post(officer::money::assign))
        .route("/officer/loans/{id}", get(officer::loan::show))
        .route("/officer/loans/{id}/{action}", post(officer::loan::act))
        .route("/audit", get(auditor::books))
        .route("/audit/days", get(auditor::days))
        .route("/audit/journal", get(auditor::journal))
        .route("/audit/journal/{seq}", get(auditor::entry))
        .route("/audit/log", get(auditor::log));
    open.merge(borrower)
        .merge(staff)
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&faces), guard::guard))
        .with_state(faces)
}
