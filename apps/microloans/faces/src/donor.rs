//! Donated money on the chain: what was given for which purpose, and which merchants it has reached. That money went to its purpose is said of what merchants
//! were paid, and of nothing else.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolEvent as _, SolValue as _};
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use braid_microloans_arithmetic::Currency;
use braid_microloans_chain::{
    ChainError,
    contracts::{DonationFund, LenderPool},
};
use braid_microloans_ledger::LedgerError;
use braid_microloans_service::chain::ChainLink;
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    Faces,
    fault::Fault,
    guard::Visitor,
    language::fill,
    lender::silent,
    page::{Column, View, facts, field, notice, short, table},
    wallet::{self, Request, Value},
};

/// Donations and vouchers that are listed, the newest ones.
const ROWS: usize = 50;

/// Days for which a donation may be bound, at most: the contract's limit is three years.
const MAX_DAYS: u64 = 1_000;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What is asked of the page.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    account: String,
    #[serde(default)]
    currency: String,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    days: String,
}

/// Money of a pool's token, which a donation is in.
#[derive(Clone, Copy, Debug)]
struct Money {
    currency: Currency,
    unit: U256,
    token: Address,
}

impl Money {
    fn shown(&self, view: &View<'_>, units: U256) -> String {
        view.money(i128::try_from(units / self.unit).unwrap_or(i128::MAX), self.currency)
    }
}

async fn monies(link: &ChainLink) -> Result<Vec<Money>, ChainError> {
    let mut monies = Vec::new();
    for (code, pool) in link.pools() {
        let Ok(currency) = code.parse::<Currency>() else { continue };
        let token = link.ask(pool.address, &LenderPool::tokenCall {}).await?;
        let unit = link.ask(pool.address, &LenderPool::minorUnitCall {}).await?.max(U256::ONE);
        monies.push(Money { currency, unit, token });
    }
    Ok(monies)
}

fn shown(view: &View<'_>, monies: &[Money], token: Address, units: U256) -> String {
    let money = monies.iter().find(|money| money.token == token);
    money.map_or_else(|| format!("{units} × {token}"), |money| money.shown(view, units))
}

fn purpose_of(link: &ChainLink, hash: B256) -> Markup {
    match link.purposes().find(|(known, _)| *known == hash) {
        Some((_, purpose)) => html! { (purpose) },
        None => short(&hash.to_string()),
    }
}

fn fund(faces: &Faces) -> Result<(&ChainLink, Address), Fault> {
    let link = faces.app.chain.as_ref().ok_or(Fault::NotFound)?;
    Ok((link, link.donations().ok_or(Fault::NotFound)?))
}

/// All donations, and the way to give one.
pub(crate) async fn list(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let view = View::new(&faces, &visitor);
    let (link, fund) = fund(&faces)?;
    let content = match list_content(&view, link, fund, &asked).await {
        Ok(content) => content,
        Err(error) => silent(&view, &error),
    };
    Ok(view.page(&view.t.donate, &content))
}

async fn list_content(view: &View<'_>, link: &ChainLink, fund: Address, asked: &Asked) -> Result<Markup, ChainError> {
    let t = view.t;
    let monies = monies(link).await?;
    let logs = link.logs(fund, &[Some(DonationFund::DonationEarmarked::SIGNATURE_HASH)]).await?;
    let mut rows = Vec::new();
    for log in logs.iter().rev().take(ROWS) {
        let Some(donation) = log.topics.get(1).copied() else { continue };
        let found = link.ask(fund, &DonationFund::donationOfCall { donation }).await?;
        let given = found.left + found.inVouchers + found.spent;
        let cell = |units| html! { (shown(view, &monies, found.token, units)) };
        rows.push(vec![
            html! { a href={ "/donate/" (donation) } { (purpose_of(link, found.purpose)) } },
            cell(given),
            cell(found.inVouchers),
            cell(found.spent),
            cell(found.left),
        ]);
    }
    let heads = [
        (t.purpose.as_str(), Column::Words),
        (&t.donation_given, Column::Figure),
        (&t.donation_vouchers, Column::Figure),
        (&t.donation_spent, Column::Figure),
        (&t.donation_left, Column::Figure),
    ];
    let account = wallet::address(&asked.account);
    let requests = match account {
        Some(account) => earmark(view, link, fund, &monies, asked, account).await?,
        None => Ok(Vec::new()),
    };
    Ok(html! {
        p.lead { (t.donate_lead) }
        @if rows.is_empty() { p { (t.donations_none) } } @else { (table(&t.donations, &heads, &rows)) }
        @match &requests {
            Ok(requests) if requests.is_empty() => {}
            Ok(requests) => { (wallet::requests(view, requests)) }
            Err(text) => { (notice("bad", text)) }
        }
        (form(view, link, &monies, asked, account))
    })
}

/// The transactions of a donation; or why there are none.
async fn earmark(
    view: &View<'_>,
    link: &ChainLink,
    fund: Address,
    monies: &[Money],
    asked: &Asked,
    account: Address,
) -> Result<Result<Vec<Request>, String>, ChainError> {
    let t = view.t;
    let money = monies.iter().find(|money| money.currency.code() == asked.currency);
    let purpose = link.purposes().find(|(hash, _)| hash.to_string() == asked.purpose);
    let days = asked.days.trim().parse::<u64>().ok().filter(|days| (1..=MAX_DAYS).contains(days));
    let (Some(money), Some((purpose, about)), Some(days)) = (money, purpose, days) else {
        return Ok(Err(fill(&t.donate_wrong, &[("days", &MAX_DAYS.to_string())])));
    };
    let amount = money.currency.parse(asked.amount.trim()).ok().and_then(|minor| U256::try_from(minor).ok());
    let amount = amount.unwrap_or(U256::ZERO).saturating_mul(money.unit);
    if amount.is_zero() {
        return Ok(Err(fill(&t.donate_wrong, &[("days", &MAX_DAYS.to_string())])));
    }
    let Ok(salt) = random_salt() else { return Ok(Err(t.unavailable.clone())) };
    let chain_id = link.id().await?;
    let until = u64::try_from(view.faces.app.clock.now().as_second()).unwrap_or(0) + days * DAY;
    let call = DonationFund::earmarkCall { token: money.token, amount, purpose, until, salt };
    let values = [
        Value::Address(money.token),
        Value::Number(amount),
        Value::Word(purpose),
        Value::Time(until),
        Value::Word(salt),
    ];
    let donation = keccak256((account, salt).abi_encode());
    let text = fill(&t.donate_sign, &[("purpose", about), ("donation", &format!("/donate/{donation}"))]);
    Ok(Ok(vec![
        Request::allowance(&t.sign_allow, chain_id, money.token, fund, amount),
        Request::new(&text, chain_id, fund, &call, &values),
    ]))
}

fn random_salt() -> Result<B256, LedgerError> {
    let mut salt = B256::ZERO;
    getrandom::fill(salt.as_mut_slice())?;
    Ok(salt)
}

fn form(view: &View<'_>, link: &ChainLink, monies: &[Money], asked: &Asked, account: Option<Address>) -> Markup {
    let t = view.t;
    let is_wrong = !asked.account.trim().is_empty() && account.is_none();
    html! {
        h2 { (t.donate_do) }
        p { (t.lend_do_text) }
        @if is_wrong { (notice("bad", &t.account_wrong)) }
        form method="get" action=(view.visitor.path) {
            (field(&t.your_account, "account", Some(&t.account_hint), |hint| html! {
                input type="text" id="account" name="account" value=(asked.account) maxlength="60" required autocomplete="off" aria-describedby=[hint];
            }))
            (field(&t.purpose, "purpose", None, |_| html! {
                select id="purpose" name="purpose" { @for (hash, purpose) in link.purposes() {
                    option value=(hash) selected[hash.to_string() == asked.purpose] { (purpose) }
                } }
            }))
            (field(&t.currency, "currency", None, |_| html! {
                select id="currency" name="currency" { @for money in monies {
                    option value=(money.currency) selected[money.currency.code() == asked.currency] { (money.currency) }
                } }
            }))
            (field(&t.amount, "amount", None, |_| html! {
                input type="text" id="amount" name="amount" value=(asked.amount) inputmode="decimal" maxlength="20" required;
            }))
            (field(&t.donate_days, "days", Some(&t.donate_days_hint), |hint| html! {
                input type="text" id="days" name="days" value=(asked.days) inputmode="numeric" maxlength="4" required aria-describedby=[hint];
            }))
            button { (t.prepare) }
        }
    }
}

/// A donation, followed to merchants.
pub(crate) async fn one(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Path(donation): Path<String>,
) -> Result<Response, Fault> {
    let view = View::new(&faces, &visitor);
    let (link, fund) = fund(&faces)?;
    let donation: B256 = donation.parse().map_err(|_| Fault::NotFound)?;
    let content = match one_content(&view, link, fund, donation).await {
        Ok(Some(content)) => content,
        Ok(None) => return Err(Fault::NotFound),
        Err(error) => silent(&view, &error),
    };
    Ok(view.page(&view.t.donation, &content))
}

async fn one_content(
    view: &View<'_>,
    link: &ChainLink,
    fund: Address,
    donation: B256,
) -> Result<Option<Markup>, ChainError> {
    let t = view.t;
    let found = link.ask(fund, &DonationFund::donationOfCall { donation }).await?;
    if found.donor.is_zero() {
        return Ok(None);
    }
    let monies = monies(link).await?;
    let money = |units| shown(view, &monies, found.token, units);
    let vouchers = vouchers(link, fund, donation).await?;
    let row = |(lock, voucher): (&B256, &Voucher)| {
        vec![
            short(&lock.to_string()),
            html! { code.hash { (voucher.merchant) } },
            html! { (money(voucher.amount)) },
            html! { (voucher.state(view)) },
        ]
    };
    let heads = [
        (t.voucher.as_str(), Column::Words),
        (&t.merchant, Column::Words),
        (&t.amount, Column::Figure),
        (&t.state, Column::Words),
    ];
    let rows: Vec<_> = vouchers.iter().take(ROWS).map(row).collect();
    let until = i64::try_from(found.until).unwrap_or(0);
    let is_over = until < view.faces.app.clock.now().as_second() && !found.left.is_zero();
    let back = DonationFund::takeBackCall { donation };
    let back = Request::new(&t.donation_back, link.id().await?, fund, &back, &[Value::Word(donation)]);
    Ok(Some(html! {
        p.lead { (purpose_of(link, found.purpose)) }
        (facts(&[
            (t.donation_given.as_str(), html! { (money(found.left + found.inVouchers + found.spent)) }),
            (t.donation_spent.as_str(), html! { (money(found.spent)) }),
            (t.donation_vouchers.as_str(), html! { (money(found.inVouchers)) }),
            (t.donation_left.as_str(), html! { (money(found.left)) }),
            (t.donation_until.as_str(), html! { (view.moment(until.saturating_mul(1_000))) }),
            (t.donation.as_str(), html! { code.hash { (donation) } }),
        ]))
        p { (t.donation_text) }
        @if rows.is_empty() { p { (t.vouchers_none) } } @else { (table(&t.vouchers, &heads, &rows)) }
        @if is_over { (wallet::requests(view, &[back])) }
    }))
}

/// A voucher, and what became of it.
#[derive(Debug)]
struct Voucher {
    merchant: Address,
    amount: U256,
    is_paid: bool,
    is_over: bool,
}

impl Voucher {
    fn state<'a>(&self, view: &View<'a>) -> &'a str {
        match (self.is_paid, self.is_over) {
            (true, _) => &view.t.voucher_paid,
            (false, true) => &view.t.voucher_over,
            (false, false) => &view.t.voucher_stands,
        }
    }
}

async fn vouchers(link: &ChainLink, fund: Address, donation: B256) -> Result<BTreeMap<B256, Voucher>, ChainError> {
    let of = async |event: B256| link.logs(fund, &[Some(event), None, Some(donation)]).await;
    let mut vouchers = BTreeMap::new();
    for log in of(DonationFund::VoucherIssued::SIGNATURE_HASH).await? {
        let issued = DonationFund::VoucherIssued::decode_raw_log(log.topics, &log.data);
        let issued = issued.map_err(|_| ChainError::Malformed("eth_getLogs"))?;
        let (merchant, amount) = (issued.merchant, issued.amount);
        vouchers.insert(issued.lock, Voucher { merchant, amount, is_paid: false, is_over: false });
    }
    for log in of(DonationFund::DonationReleased::SIGNATURE_HASH).await? {
        if let Some(voucher) = log.topics.get(1).and_then(|lock| vouchers.get_mut(lock)) {
            voucher.is_paid = true;
        }
    }
    for log in of(DonationFund::VoucherEnded::SIGNATURE_HASH).await? {
        if let Some(voucher) = log.topics.get(1).and_then(|lock| vouchers.get_mut(lock)) {
            voucher.is_over = true;
        }
    }
    Ok(vouchers)
}
