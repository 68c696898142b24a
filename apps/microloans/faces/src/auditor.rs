//! Pages of the auditor: every figure rebuilt from the journal, days with their seals, entries with their proofs, and the log of who did what.

use std::sync::Arc;

use alloy_primitives::B256;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use braid_microloans_arithmetic::{
    Currency, Minor,
    metrics::{Counting, Exposure, at_risk},
};
use braid_microloans_ledger::{
    LedgerError, audit,
    inspect::{self, Inspection},
    journal::{
        self, EntryView,
        account::{self, Line},
        seal,
    },
    loans::{self, report},
    time,
};
use braid_microloans_service::{api::Page, auth::Role, chain::SealOnChain};
use maud::{Markup, html};

use crate::{
    Faces,
    borrower::receipts::proof_of,
    fault::Fault,
    format,
    guard::Visitor,
    language::fill,
    page::{Column, View, facts, notice, short, table},
};

const AUDITORS: [Role; 2] = [Role::Auditor, Role::Operator];
/// Rows of one page, which stays below 100 KB.
const ROWS: i64 = 50;
/// Days that are listed.
const DAYS: i64 = 200;
/// Days of which the chain is asked: the newest ones.
const ANCHORS: usize = 31;

/// All figures, from the journal and from the books, side by side.
pub(crate) async fn books(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    visitor.staff(&AUDITORS)?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let mut read = faces.app.read().await?;
    let found = inspect::inspect(&mut read).await?;
    let stored = account::trial_balance(&mut read).await?;
    let rebuilt = report::rebuilt(&mut read).await?;
    let day = time::utc_date(faces.app.clock.now())?;
    let mut portfolios = Vec::new();
    for currency in currencies(&stored) {
        portfolios.push((currency, loans::exposures(&mut read, currency.code(), day).await?));
    }
    drop(read);
    Ok(view.page(
        &t.books,
        &html! {
            (verdict(&view, &found))
            (facts(&[
                (t.entries.as_str(), html! { (view.count(u64::try_from(found.journal.entries).unwrap_or(0))) }),
                (&t.days_sealed, html! { (view.count(u64::try_from(found.journal.days).unwrap_or(0))) }),
                (&t.loans_replayed, html! { (view.count(found.loans)) }),
                (&t.head, html! { code.hash { (found.journal.head) } }),
            ]))
            h2 { (t.rebuilt) }
            p { (t.rebuilt_lead) }
            (comparison(&view, &rebuilt, &stored))
            @for (currency, exposures) in &portfolios { (portfolio(&view, *currency, exposures, &rebuilt)) }
        },
    ))
}

fn currencies(lines: &[Line]) -> Vec<Currency> {
    let mut currencies: Vec<Currency> = lines.iter().filter_map(|line| line.currency.parse().ok()).collect();
    currencies.sort_by_key(|currency| currency.code());
    currencies.dedup();
    currencies
}

fn verdict(view: &View<'_>, found: &Inspection) -> Markup {
    let t = view.t;
    let failures = || found.journal.failures.iter().chain(&found.failures);
    html! {
        @if found.holds() { (notice("good", &t.holds)) }
        @else {
            (notice("bad", &t.holds_not))
            ul lang="en" { @for failure in failures().take(100) { li { (failure) } } }
        }
    }
}

fn comparison(view: &View<'_>, rebuilt: &[Line], stored: &[Line]) -> Markup {
    let t = view.t;
    let amount = |line: &Line, minor: i64| {
        let currency = line.currency.parse::<Currency>();
        currency.map_or_else(|_| minor.to_string(), |currency| format::amount(view.language(), minor.into(), currency))
    };
    let row = |line: &Line| {
        let same = stored.contains(line);
        vec![
            html! { code { (line.account) } },
            html! { (line.currency) },
            html! { (amount(line, line.debits)) },
            html! { (amount(line, line.credits)) },
            html! { @if same { span.good { (t.same) } } @else { strong.bad { (t.differs) } } },
        ]
    };
    let mut rows: Vec<_> = rebuilt.iter().map(row).collect();
    let is_missing = |line: &&Line| {
        !rebuilt.iter().any(|other| (&other.account, &other.currency) == (&line.account, &line.currency))
    };
    rows.extend(stored.iter().filter(is_missing).map(|line| {
        vec![
            html! { code { (line.account) } },
            html! { (line.currency) },
            html! {},
            html! {},
            html! { strong.bad { (t.differs) } },
        ]
    }));
    for currency in currencies(rebuilt) {
        let of = || rebuilt.iter().filter(|line| line.currency == currency.code());
        let (debits, credits) =
            (of().map(|line| Minor::from(line.debits)).sum(), of().map(|line| Minor::from(line.credits)).sum());
        let sum = |minor: Minor| html! { strong { (format::amount(view.language(), minor, currency)) } };
        let verdict = if debits == credits {
            html! { span.good { (t.balanced) } }
        } else {
            html! { strong.bad { (t.differs) } }
        };
        rows.push(vec![html! { strong { (t.total) } }, html! { (currency) }, sum(debits), sum(credits), verdict]);
    }
    let heads = [
        (t.account_head.as_str(), Column::Words),
        (&t.currency, Column::Words),
        (&t.debits, Column::Figure),
        (&t.credits, Column::Figure),
        (&t.books_say, Column::Words),
    ];
    table(&t.accounts, &heads, &rows)
}

/// What loans owe by their terms and payments, beside what the journal says; and the portfolio at risk.
fn portfolio(view: &View<'_>, currency: Currency, exposures: &[Exposure], rebuilt: &[Line]) -> Markup {
    let t = view.t;
    let outstanding: Minor = exposures.iter().map(|exposure| exposure.outstanding).sum();
    let lines = rebuilt.iter().filter(|line| line.account == "loans/principal" && line.currency == currency.code());
    let booked: Minor = lines.map(|line| Minor::from(line.debits) - Minor::from(line.credits)).sum();
    let par = |days| {
        at_risk(exposures, days, Counting::WithRestructured)
            .percent()
            .map_or_else(|| "–".to_owned(), |percent| percent + "%")
    };
    html! {
        h2 { (fill(&t.pool, &[("currency", currency.code())])) }
        (facts(&[
            (t.by_journal.as_str(), view.money(booked, currency)),
            (&t.by_loans, view.money(outstanding, currency)),
            (&t.par1, par(0)),
            (&t.par30, par(30)),
            (&t.par90, par(90)),
        ]))
    }
}

/// A trial balance.
pub(crate) fn balance_table(view: &View<'_>, lines: &[Line]) -> Markup {
    let t = view.t;
    let row = |line: &Line| {
        let amount = |minor: i64| {
            let currency = line.currency.parse::<Currency>();
            currency
                .map_or_else(|_| minor.to_string(), |currency| format::amount(view.language(), minor.into(), currency))
        };
        vec![
            html! { code { (line.account) } },
            html! { (line.currency) },
            html! { (amount(line.debits)) },
            html! { (amount(line.credits)) },
        ]
    };
    let heads = [
        (t.account_head.as_str(), Column::Words),
        (&t.currency, Column::Words),
        (&t.debits, Column::Figure),
        (&t.credits, Column::Figure),
    ];
    table(&t.accounts, &heads, &lines.iter().map(row).collect::<Vec<_>>())
}

/// The sealed days.
pub(crate) async fn days(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    visitor.staff(&AUDITORS)?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let seals = report::seals(&mut faces.app.read().await?, DAYS).await?;
    let mut verdicts = anchors(&view, &seals).await.into_iter();
    let row = |seal: &seal::Seal| {
        let mut cells = vec![
            html! { (view.day(&seal.day)) },
            html! { a href={ "/audit/journal?from=" (seal.first_seq) } { (seal.first_seq) " – " (seal.last_seq) } },
            html! { code.hash { (seal.root) } },
        ];
        cells.extend(faces.app.chain.is_some().then(|| verdicts.next().unwrap_or_default()));
        cells
    };
    let mut heads = vec![(t.day.as_str(), Column::Words), (&t.entries, Column::Words), (&t.day_root, Column::Words)];
    if faces.app.chain.is_some() {
        heads.push((&t.anchored, Column::Words));
    }
    Ok(view.page(
        &t.days,
        &html! {
            p { (t.days_lead) }
            @if seals.is_empty() { p.lead { (t.days_none) } } @else { (table(&t.days, &heads, &seals.iter().map(row).collect::<Vec<_>>())) }
        },
    ))
}

/// What the chain says of days, as long as it answers.
async fn anchors(view: &View<'_>, seals: &[seal::Seal]) -> Vec<Markup> {
    let t = view.t;
    let Some(link) = &view.faces.app.chain else { return Vec::new() };
    let mut verdicts = Vec::new();
    for seal in seals.iter().take(ANCHORS) {
        let Ok(day) = seal.day.parse() else { continue };
        let Ok(found) = link.seal_of(day).await else {
            verdicts.push(html! { (t.chain_silent) });
            break;
        };
        let is_same = |found: SealOnChain| {
            let entries = (i64::try_from(found.first_entry), i64::try_from(found.last_entry));
            const_hex::encode(found.root) == seal.root && entries == (Ok(seal.first_seq), Ok(seal.last_seq))
        };
        verdicts.push(match found {
            None => html! { (t.anchor_waits) },
            Some(found) if is_same(found) => {
                let at = i64::try_from(found.anchored_at).unwrap_or(0).saturating_mul(1_000);
                html! { span.good { (t.anchor_same) } " " (view.moment(at)) }
            }
            Some(found) => html! { strong.bad { (t.anchor_differs) } " " code.hash { (found.root) } },
        });
    }
    verdicts
}

/// What the chain says of an entry, by its proof.
async fn entry_on_chain(view: &View<'_>, seq: i64, proof: &seal::EntryProof) -> Markup {
    let t = view.t;
    let Some(link) = &view.faces.app.chain else { return html! {} };
    let parsed = || {
        let path = proof.proof.path.iter().map(|hash| hash.parse()).collect::<Result<Vec<B256>, _>>().ok()?;
        Some((proof.day.parse().ok()?, u64::try_from(seq).ok()?, proof.leaf.parse().ok()?, path))
    };
    let Some((day, entry, leaf, path)) = parsed() else { return html! {} };
    match link.is_anchored(day, entry, leaf, path).await {
        Ok(true) => notice("good", &t.entry_anchored),
        Ok(false) => notice("calm", &t.entry_not_anchored),
        Err(_) => notice("calm", &t.chain_silent),
    }
}

/// Links to the rows before and after.
fn pages(view: &View<'_>, path: &str, from: i64, shown: usize) -> Markup {
    let is_full = i64::try_from(shown).is_ok_and(|shown| shown == ROWS);
    html! {
        nav.pages aria-label=(view.t.pages) {
            @if from > 1 { a href={ (path) "?from=" ((from - ROWS).max(1)) } { "← " (view.t.before) } }
            @if is_full { a href={ (path) "?from=" (from + ROWS) } { (view.t.after) " →" } }
        }
    }
}

/// Entries of the journal.
pub(crate) async fn journal(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Query(page): Query<Page>,
) -> Result<Response, Fault> {
    visitor.staff(&AUDITORS)?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let from = page.from.max(1);
    let entries = journal::entries(&mut faces.app.read().await?, from, ROWS).await?;
    let row = |entry: &EntryView| {
        vec![
            html! { a href={ "/audit/journal/" (entry.seq) } { (entry.seq) } },
            html! { (view.moment(entry.at)) },
            html! { code { (entry.kind) } },
            html! { (short(&entry.subject)) },
            html! { (short(&entry.hash)) },
        ]
    };
    let heads = [
        (t.entry.as_str(), Column::Figure),
        (&t.when, Column::Words),
        (&t.kind, Column::Words),
        (&t.subject, Column::Words),
        (&t.entry_hash, Column::Words),
    ];
    Ok(view.page(
        &t.journal,
        &html! {
            (table(&t.journal, &heads, &entries.iter().map(row).collect::<Vec<_>>()))
            (pages(&view, "/audit/journal", from, entries.len()))
        },
    ))
}

/// An entry, with its proof.
pub(crate) async fn entry(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Path(seq): Path<i64>,
) -> Result<Response, Fault> {
    visitor.staff(&AUDITORS)?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let mut read = faces.app.read().await?;
    let entry =
        journal::entries(&mut read, seq, 1).await?.pop().filter(|entry| entry.seq == seq).ok_or(Fault::NotFound)?;
    let proof = match seal::prove(&mut read, seq).await {
        Ok(proof) => Some(proof),
        // The day has not ended yet.
        Err(LedgerError::NotFound(..)) => None,
        Err(error) => return Err(error.into()),
    };
    drop(read);
    let anchored = match &proof {
        Some(proof) => entry_on_chain(&view, seq, proof).await,
        None => html! {},
    };
    let row = |transfer: &journal::TransferView| {
        let currency = transfer.currency.parse::<Currency>();
        let amount = currency
            .map_or_else(|_| transfer.amount.to_string(), |currency| view.money(transfer.amount.into(), currency));
        vec![html! { code.hash { (transfer.debit) } }, html! { code.hash { (transfer.credit) } }, html! { (amount) }]
    };
    let heads = [(t.debits.as_str(), Column::Words), (&t.credits, Column::Words), (&t.amount, Column::Figure)];
    Ok(view.page(
        &format!("{} {seq}", t.entry),
        &html! {
            (facts(&[
                (t.kind.as_str(), html! { code { (entry.kind) } }),
                (&t.subject, html! { code.hash { (entry.subject) } }),
                (&t.when, html! { (view.moment(entry.at)) }),
                (&t.entry_before, html! { code.hash { (entry.previous) } }),
                (&t.entry_hash, html! { code.hash { (entry.hash) } }),
            ]))
            (table(&t.transfers, &heads, &entry.transfers.iter().map(row).collect::<Vec<_>>()))
            h2 { (t.proof) }
            @match proof {
                Some(proof) => { (proof_of(&view, &proof)?) (anchored) }
                None => p { (t.proof_later) }
            }
        },
    ))
}

/// Who did what.
pub(crate) async fn log(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Query(page): Query<Page>,
) -> Result<Response, Fault> {
    visitor.staff(&AUDITORS)?;
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let from = page.from.max(1);
    let records = audit::records(&mut faces.app.read().await?, from, ROWS).await?;
    let row = |record: &audit::Record| {
        vec![
            html! { (record.seq) },
            html! { (view.moment(record.at)) },
            html! { (record.actor) " (" (record.role) ")" },
            html! { code { (record.action) } },
            html! { (short(&record.subject)) },
            html! { (record.detail) },
        ]
    };
    let heads = [
        (t.entry.as_str(), Column::Figure),
        (&t.when, Column::Words),
        (&t.who, Column::Words),
        (&t.what, Column::Words),
        (&t.subject, Column::Words),
        (&t.detail, Column::Words),
    ];
    Ok(view.page(
        &t.log,
        &html! {
            (table(&t.log, &heads, &records.iter().map(row).collect::<Vec<_>>()))
            (pages(&view, "/audit/log", from, records.len()))
        },
    ))
}
