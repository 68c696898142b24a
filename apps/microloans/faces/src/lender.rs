//! A pool on the chain, for who lends: what it has and has lost, what a share of each tranche is worth, who waits to leave; and the transactions by which a
//! wallet deposits, asks to leave and fetches its money.

use std::sync::Arc;

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use braid_microloans_arithmetic::{Currency, Minor};
use braid_microloans_chain::{
    ChainError,
    contracts::{FirstLoss, LenderPool, Token, Tranche},
};
use braid_microloans_service::chain::ChainLink;
use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    Faces,
    chart::{self, Bar},
    fault::Fault,
    guard::Visitor,
    language::fill,
    page::{Column, View, facts, field, notice, table},
    wallet::{self, Request, Value},
};

/// Decimals of a tranche's shares beyond those of the token.
const SHARE_DECIMALS: u32 = 6;

/// What is asked of the page.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    account: String,
    #[serde(default)]
    tranche: String,
    #[serde(default)]
    what: String,
    #[serde(default)]
    amount: String,
}

/// A tranche as the chain has it; amounts are in the token's units.
#[derive(Debug)]
struct Part {
    address: Address,
    worth: U256,
    lost: U256,
    share: U256,
    room: U256,
    leaving: U256,
}

/// A pool as the chain has it.
#[derive(Debug)]
struct Pool {
    currency: Currency,
    unit: U256,
    chain_id: u64,
    address: Address,
    token: Address,
    lendable: U256,
    outstanding: U256,
    senior_rate: U256,
    epoch: U256,
    until: U256,
    capital: U256,
    capital_lost: U256,
    senior: Part,
    junior: Part,
}

/// An account's money in a pool.
#[derive(Debug)]
struct Holding {
    account: Address,
    tokens: U256,
    parts: [Held; 2],
}

/// An account's money in a tranche.
#[derive(Debug)]
struct Held {
    shares: U256,
    worth: U256,
    leaving: U256,
    ready: U256,
}

/// Asks one contract after another.
struct Asking<'a>(&'a ChainLink, Address);

impl Asking<'_> {
    async fn ask<C: SolCall>(&self, call: C) -> Result<C::Return, ChainError> {
        self.0.ask(self.1, &call).await
    }
}

impl Pool {
    async fn read(link: &ChainLink, currency: Currency, address: Address) -> Result<Self, ChainError> {
        let pool = Asking(link, address);
        let worth = pool.ask(LenderPool::pendingWorthCall {}).await?;
        let (senior, junior) = (pool.ask(LenderPool::seniorCall {}).await?, pool.ask(LenderPool::juniorCall {}).await?);
        let epoch = pool.ask(LenderPool::epochCall {}).await?;
        let token = pool.ask(LenderPool::tokenCall {}).await?;
        let decimals = Asking(link, token).ask(Token::decimalsCall {}).await?;
        let one = U256::from(10).saturating_pow(U256::from(u32::from(decimals) + SHARE_DECIMALS));
        let lost = [pool.ask(LenderPool::seniorLostCall {}).await?, pool.ask(LenderPool::juniorLostCall {}).await?];
        let first_loss = pool.ask(LenderPool::firstLossCall {}).await?;
        Ok(Self {
            currency,
            unit: pool.ask(LenderPool::minorUnitCall {}).await?.max(U256::ONE),
            chain_id: link.id().await?,
            address,
            token,
            lendable: pool.ask(LenderPool::lendableCall {}).await?,
            outstanding: pool.ask(LenderPool::outstandingCall {}).await?,
            senior_rate: pool.ask(LenderPool::seniorRateCall {}).await?,
            epoch,
            until: pool.ask(LenderPool::epochUntilCall {}).await?,
            capital: Asking(link, first_loss).ask(FirstLoss::capitalCall {}).await?,
            capital_lost: pool.ask(LenderPool::firstLossLostCall {}).await?,
            senior: Part::read(link, senior, worth.ofSenior, lost[0], one, epoch).await?,
            junior: Part::read(link, junior, worth.ofJunior, lost[1], one, epoch).await?,
        })
    }

    /// Whole minor units, down.
    fn minor(&self, units: U256) -> Minor {
        Minor::try_from(units / self.unit).unwrap_or(Minor::MAX)
    }

    fn money(&self, view: &View<'_>, units: U256) -> String {
        view.money(self.minor(units), self.currency)
    }

    fn part(&self, name: &str) -> &Part {
        if name == "senior" { &self.senior } else { &self.junior }
    }
}

impl Part {
    async fn read(
        link: &ChainLink,
        address: Address,
        worth: U256,
        lost: U256,
        one: U256,
        epoch: U256,
    ) -> Result<Self, ChainError> {
        let tranche = Asking(link, address);
        let requested = tranche.ask(Tranche::outcomeOfCall { epoch }).await?.requested;
        Ok(Self {
            address,
            worth,
            lost,
            share: tranche.ask(Tranche::convertToAssetsCall { shares: one }).await?,
            room: tranche.ask(Tranche::maxDepositCall { receiver: Address::ZERO }).await?,
            leaving: tranche.ask(Tranche::convertToAssetsCall { shares: requested }).await?,
        })
    }
}

impl Holding {
    async fn read(link: &ChainLink, pool: &Pool, account: Address) -> Result<Self, ChainError> {
        let tokens = Asking(link, pool.token).ask(Token::balanceOfCall { account }).await?;
        let senior = Held::read(link, &pool.senior, pool.epoch, account).await?;
        let junior = Held::read(link, &pool.junior, pool.epoch, account).await?;
        Ok(Self { account, tokens, parts: [senior, junior] })
    }

    fn part(&self, name: &str) -> &Held {
        let [senior, junior] = &self.parts;
        if name == "senior" { senior } else { junior }
    }
}

impl Held {
    async fn read(link: &ChainLink, part: &Part, epoch: U256, account: Address) -> Result<Self, ChainError> {
        let tranche = Asking(link, part.address);
        let shares = tranche.ask(Tranche::balanceOfCall { account }).await?;
        let pending = Tranche::pendingRedeemRequestCall { requestId: epoch, controller: account };
        let leaving = tranche.ask(pending).await?;
        Ok(Self {
            shares,
            worth: tranche.ask(Tranche::convertToAssetsCall { shares }).await?,
            leaving: tranche.ask(Tranche::convertToAssetsCall { shares: leaving }).await?,
            ready: tranche.ask(Tranche::maxWithdrawCall { owner: account }).await?,
        })
    }
}

/// Links to the pools, for the page about lending.
pub(crate) fn pools(view: &View<'_>) -> Markup {
    let Some(link) = &view.faces.app.chain else { return html! {} };
    let t = view.t;
    html! {
        h2 { (t.chain_pools) }
        p { (t.chain_pools_lead) }
        ul.cards { @for code in link.pools().keys() {
            li.card { h3 { a href={ "/lend/" (code) } { (fill(&t.chain_pool, &[("currency", code)])) } } }
        } }
    }
}

/// A pool.
pub(crate) async fn show(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Path(code): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let view = View::new(&faces, &visitor);
    let link = faces.app.chain.as_ref().ok_or(Fault::NotFound)?;
    let address = link.pools().get(&code).ok_or(Fault::NotFound)?.address;
    let currency: Currency = code.parse().map_err(|_| Fault::NotFound)?;
    let title = fill(&view.t.chain_pool, &[("currency", &code)]);
    let content = match content(&view, link, currency, address, &asked).await {
        Ok(content) => content,
        Err(error) => silent(&view, &error),
    };
    Ok(view.page(&title, &content))
}

/// What is said when the chain does not answer.
pub(crate) fn silent(view: &View<'_>, error: &ChainError) -> Markup {
    tracing::warn!(error = error as &dyn std::error::Error, "a page was not answered by the chain");
    notice("bad", &view.t.chain_silent)
}

async fn content(
    view: &View<'_>,
    link: &ChainLink,
    currency: Currency,
    address: Address,
    asked: &Asked,
) -> Result<Markup, ChainError> {
    let pool = Pool::read(link, currency, address).await?;
    let account = wallet::address(&asked.account);
    let holding = match account {
        Some(account) => Some(Holding::read(link, &pool, account).await?),
        None => None,
    };
    let requests = match &holding {
        Some(holding) => prepared(view, link, &pool, holding, asked).await?,
        None => Ok(Vec::new()),
    };
    Ok(html! {
        p.lead { (view.t.chain_pool_lead) }
        (figures(view, &pool))
        (tranches(view, &pool))
        (waterfall(view, &pool))
        @if let Some(holding) = &holding { (held(view, &pool, holding)) }
        @match &requests {
            Ok(requests) if requests.is_empty() => {}
            Ok(requests) => { (wallet::requests(view, requests)) }
            Err(text) => { (notice("bad", text)) }
        }
        (form(view, asked, account))
    })
}

fn figures(view: &View<'_>, pool: &Pool) -> Markup {
    let t = view.t;
    let until = i64::try_from(pool.until).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000);
    // Millionths of a percent, shown in hundredths.
    let rate = u64::try_from(pool.senior_rate / U256::from(10_000)).unwrap_or(0);
    facts(&[
        (t.pool_available.as_str(), pool.money(view, pool.lendable)),
        (t.pool_outstanding.as_str(), pool.money(view, pool.outstanding)),
        (t.chain_promised.as_str(), format!("{}.{:02}%", rate / 100, rate % 100)),
        (t.chain_round.as_str(), view.count(u64::try_from(pool.epoch).unwrap_or(0))),
        (t.chain_round_until.as_str(), view.moment(until)),
    ])
}

fn tranches(view: &View<'_>, pool: &Pool) -> Markup {
    let t = view.t;
    let row = |(name, part): (&String, &Part)| {
        vec![
            name.clone(),
            pool.money(view, part.worth),
            share_value(pool, part),
            pool.money(view, part.room),
            pool.money(view, part.leaving),
        ]
    };
    let heads = [
        (t.tranche.as_str(), Column::Words),
        (&t.tranche_worth, Column::Figure),
        (&t.tranche_share, Column::Figure),
        (&t.tranche_room, Column::Figure),
        (&t.tranche_leaving, Column::Figure),
    ];
    let rows = [(&t.senior, &pool.senior), (&t.junior, &pool.junior)].map(row);
    table(&t.tranches, &heads, &rows)
}

/// What a share that cost one unit at first is worth, with six decimals.
fn share_value(pool: &Pool, part: &Part) -> String {
    let whole = pool.unit * U256::from(10).saturating_pow(U256::from(pool.currency.decimals()));
    let millionths = part.share * U256::from(1_000_000) / whole.max(U256::ONE);
    let millionths = u64::try_from(millionths).unwrap_or(u64::MAX);
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

/// Who bears losses, the first one first.
fn waterfall(view: &View<'_>, pool: &Pool) -> Markup {
    let t = view.t;
    let layer = |name: &str, left: U256, lost: U256| {
        let whole = left + lost;
        let bar = Bar { name: name.to_owned(), figure: pool.money(view, left), size: pool.minor(whole) };
        (bar, pool.minor(lost))
    };
    let layers = [
        layer(&t.first_loss, pool.capital, pool.capital_lost),
        layer(&t.junior, pool.junior.worth, pool.junior.lost),
        layer(&t.senior, pool.senior.worth, pool.senior.lost),
    ];
    html! { (chart::layers(&t.chain_waterfall, &layers)) p { (t.chain_waterfall_text) } }
}

fn held(view: &View<'_>, pool: &Pool, holding: &Holding) -> Markup {
    let t = view.t;
    let row = |(name, held): (&String, &Held)| {
        vec![name.clone(), pool.money(view, held.worth), pool.money(view, held.leaving), pool.money(view, held.ready)]
    };
    let heads = [
        (t.tranche.as_str(), Column::Words),
        (&t.tranche_worth, Column::Figure),
        (&t.tranche_leaving, Column::Figure),
        (&t.tranche_ready, Column::Figure),
    ];
    let [senior, junior] = &holding.parts;
    html! {
        h2 { (t.your_account) }
        p { code.hash { (holding.account) } }
        (facts(&[(t.account_has.as_str(), pool.money(view, holding.tokens))]))
        (table(&t.your_account, &heads, &[(&t.senior, senior), (&t.junior, junior)].map(row)))
    }
}

/// The transactions for what is asked; or why there are none.
async fn prepared(
    view: &View<'_>,
    link: &ChainLink,
    pool: &Pool,
    holding: &Holding,
    asked: &Asked,
) -> Result<Result<Vec<Request>, String>, ChainError> {
    let t = view.t;
    let (part, held, account) = (pool.part(&asked.tranche), holding.part(&asked.tranche), holding.account);
    let amount = pool.currency.parse(asked.amount.trim()).ok().and_then(|minor| U256::try_from(minor).ok());
    let amount = amount.unwrap_or(U256::ZERO).saturating_mul(pool.unit);
    let too_much = |most: U256| Ok(Err(fill(&t.amount_most, &[("amount", &pool.money(view, most))])));
    let chain_id = pool.chain_id;
    Ok(Ok(match asked.what.as_str() {
        "deposit" => {
            let most = part.room.min(holding.tokens);
            if amount.is_zero() || amount > most {
                return too_much(most);
            }
            let call = Tranche::depositCall { assets: amount, receiver: account };
            let values = [Value::Number(amount), Value::Address(account)];
            vec![
                Request::allowance(&t.sign_allow, chain_id, pool.token, part.address, amount),
                Request::new(&t.do_deposit, chain_id, part.address, &call, &values),
            ]
        }
        "leave" => {
            if amount.is_zero() || amount > held.worth {
                return too_much(held.worth);
            }
            let shares = Asking(link, part.address).ask(Tranche::convertToSharesCall { assets: amount }).await?;
            let shares = shares.min(held.shares);
            let call = Tranche::requestRedeemCall { shares, controller: account, owner: account };
            let values = [Value::Number(shares), Value::Address(account), Value::Address(account)];
            vec![Request::new(&t.do_leave, chain_id, part.address, &call, &values)]
        }
        "fetch" => {
            if held.ready.is_zero() {
                return too_much(U256::ZERO);
            }
            let call = Tranche::withdrawCall { assets: held.ready, receiver: account, controller: account };
            let values = [Value::Number(held.ready), Value::Address(account), Value::Address(account)];
            vec![Request::new(&t.do_fetch, chain_id, part.address, &call, &values)]
        }
        "close" => {
            vec![Request::new(&t.do_close, chain_id, pool.address, &LenderPool::closeEpochCall {}, &[])]
        }
        _ => Vec::new(),
    }))
}

fn form(view: &View<'_>, asked: &Asked, account: Option<Address>) -> Markup {
    let t = view.t;
    let is_wrong = !asked.account.trim().is_empty() && account.is_none();
    let option = |name: &str, chosen: &str, text: &str| {
        html! { option value=(name) selected[name == chosen] { (text) } }
    };
    html! {
        h2 { (t.lend_do) }
        p { (t.lend_do_text) }
        @if is_wrong { (notice("bad", &t.account_wrong)) }
        form method="get" action=(view.visitor.path) {
            (field(&t.your_account, "account", Some(&t.account_hint), |hint| html! {
                input type="text" id="account" name="account" value=(asked.account) maxlength="60" required autocomplete="off" aria-describedby=[hint];
            }))
            (field(&t.what, "what", None, |_| html! {
                select id="what" name="what" {
                    (option("", &asked.what, &t.do_look)) (option("deposit", &asked.what, &t.do_deposit))
                    (option("leave", &asked.what, &t.do_leave)) (option("fetch", &asked.what, &t.do_fetch))
                    (option("close", &asked.what, &t.do_close))
                }
            }))
            (field(&t.tranche, "tranche", None, |_| html! {
                select id="tranche" name="tranche" {
                    (option("junior", &asked.tranche, &t.junior)) (option("senior", &asked.tranche, &t.senior))
                }
            }))
            (field(&t.amount, "amount", None, |_| html! {
                input type="text" id="amount" name="amount" value=(asked.amount) inputmode="decimal" maxlength="20";
            }))
            button { (t.prepare) }
        }
    }
}
