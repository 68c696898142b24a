//! Pages that everybody may see: what this is, lessons, and figures about nobody.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use braid_microloans_arithmetic::{
    Currency, Minor,
    metrics::{Bucket, Counting, Exposure, Restructured, at_risk},
};
use braid_microloans_ledger::{
    LedgerError, LoanState,
    journal::account::{self, Line},
    loans::report::{self, Standing},
};
use maud::{Markup, html};

use crate::{
    Faces,
    chart::{self, Bar},
    cohorts::{self, Cohort, K},
    fault::Fault,
    format,
    guard::Visitor,
    language::{Texts, fill},
    lender,
    page::{Column, View, facts, prose, table},
};

/// How long figures are kept, in seconds: to make them, every loan is replayed.
const KEPT_SECONDS: i64 = 30;

/// A whole portfolio, as the length of a bar.
const WHOLE: i128 = 10_000;

/// The style sheet.
pub(crate) async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, include_str!("../assets/style.css")).into_response()
}

/// The first page.
pub(crate) async fn home(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Response {
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let card = |path: &str, title: &str, text: &str| {
        html! { li.card { h2 { a href=(path) { (title) } } p { (text) } } }
    };
    view.page(
        &t.home_title,
        &html! {
            p.lead { (t.home_lead) }
            ul.cards {
                (card("/sign-in", &t.home_borrow, &fill(&t.home_borrow_text, &[("dial", &faces.dial)])))
                (card("/learn", &t.learn, &t.home_learn_text))
                (card("/lend", &t.lend, &t.home_lend_text))
                @if faces.app.chain.as_ref().is_some_and(|chain| chain.donations().is_some()) {
                    (card("/donate", &t.donate, &t.home_donate_text))
                }
                (card("/figures", &t.figures, &t.home_figures_text))
                (card("/staff", &t.staff, &t.home_staff_text))
            }
        },
    )
}

/// The lessons: address, title, text.
fn lessons(t: &Texts) -> [(&'static str, &str, &str); 4] {
    [
        ("cost", &t.lesson_cost, &t.lesson_cost_text),
        ("risk", &t.lesson_risk, &t.lesson_risk_text),
        ("safety", &t.lesson_safety, &t.lesson_safety_text),
        ("rights", &t.lesson_rights, &t.lesson_rights_text),
    ]
}

/// All lessons.
pub(crate) async fn learn(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Response {
    let view = View::new(&faces, &visitor);
    let t = view.t;
    view.page(
        &t.learn,
        &html! {
            p.lead { (t.learn_lead) }
            ul.cards { @for (path, title, text) in lessons(t) {
                li.card { h2 { a href={ "/learn/" (path) } { (title) } } p { (text.split("\n\n").next().unwrap_or("")) } }
            } }
        },
    )
}

/// A lesson.
pub(crate) async fn lesson(
    State(faces): State<Arc<Faces>>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    let view = View::new(&faces, &visitor);
    let lessons = lessons(view.t);
    let at = lessons.iter().position(|(path, ..)| *path == name).ok_or(Fault::NotFound)?;
    let (_, title, text) = lessons[at];
    let text = fill(text, &[("phone", &faces.helpline)]);
    Ok(view.page(
        title,
        &html! {
            (prose(&text))
            p { @if let Some((path, next, _)) = lessons.get(at + 1) { a.button href={ "/learn/" (path) } { (next) } }
                @else { a.button href="/learn" { (view.t.learn) } } }
        },
    ))
}

/// What the books say of all loans at a moment.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) second: i64,
    pub(crate) loans: Vec<Standing>,
    pub(crate) accounts: Vec<Line>,
}

impl Figures {
    /// The figures, not older than [`KEPT_SECONDS`].
    pub(crate) async fn now(faces: &Faces) -> Result<Arc<Self>, LedgerError> {
        // Held while they are made, so that many visitors at once make them once.
        let mut kept = faces.figures.lock().await;
        let now = faces.app.clock.now();
        if let Some(figures) =
            kept.as_ref().filter(|figures| (0..KEPT_SECONDS).contains(&(now.as_second() - figures.second)))
        {
            return Ok(Arc::clone(figures));
        }
        let mut read = faces.app.read().await?;
        let loans = report::standings(&mut read, now).await?;
        let accounts = account::trial_balance(&mut read).await?;
        let figures = Arc::new(Self { second: now.as_second(), loans, accounts });
        *kept = Some(Arc::clone(&figures));
        Ok(figures)
    }

    /// The currencies in which there is anything.
    fn currencies(&self) -> Vec<Currency> {
        let codes: BTreeSet<&str> = self.accounts.iter().map(|line| line.currency.as_str()).collect();
        codes.into_iter().filter_map(|code| code.parse().ok()).collect()
    }

    fn of(&self, currency: Currency) -> impl Iterator<Item = &Standing> {
        self.loans.iter().filter(move |loan| loan.currency == currency)
    }

    /// How many persons have borrowed in a currency.
    fn persons(&self, currency: Currency) -> usize {
        self.of(currency).map(|loan| &loan.person).collect::<BTreeSet<_>>().len()
    }

    fn exposures(&self, currency: Currency) -> Vec<Exposure> {
        let running = self.of(currency).filter(|loan| loan.outstanding > 0);
        let exposure = |loan: &Standing| Exposure {
            outstanding: loan.outstanding,
            overdue: loan.overdue,
            days_late: loan.days_late,
            restructured: match loan.state {
                LoanState::Restructured => Restructured::NotCured,
                _ => Restructured::No,
            },
        };
        running.map(exposure).collect()
    }

    /// What an account holds: credits less debits.
    fn credit(&self, account: &str, currency: Currency) -> Minor {
        let lines = self.accounts.iter().filter(|line| line.account == account && line.currency == currency.code());
        lines.map(|line| Minor::from(line.credits) - Minor::from(line.debits)).sum()
    }
}

/// Pools and cohorts, for everybody.
pub(crate) async fn figures(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let figures = Figures::now(&faces).await?;
    Ok(view.page(
        &t.figures,
        &html! {
            p.lead { (fill(&t.figures_lead, &[("k", &K.to_string())])) }
            p { small { (view.moment(figures.second * 1_000)) } }
            @for currency in figures.currencies() { (pool(&view, &figures, currency)) }
            @if figures.currencies().is_empty() { p { (t.figures_none) } }
            h2 { (t.figures_words) }
            (prose(&t.figures_words_text))
        },
    ))
}

fn pool(view: &View<'_>, figures: &Figures, currency: Currency) -> Markup {
    let t = view.t;
    let title = fill(&t.pool, &[("currency", currency.code())]);
    if figures.persons(currency) < K {
        return html! { section { h2 { (title) } p { (fill(&t.pool_small, &[("k", &K.to_string())])) } } };
    }
    let exposures = figures.exposures(currency);
    let lent: Minor = figures.of(currency).map(|loan| loan.principal).sum();
    let outstanding: Minor = exposures.iter().map(|exposure| exposure.outstanding).sum();
    html! {
        section {
            h2 { (title) }
            (facts(&[
                (t.pool_loans.as_str(), view.count(figures.of(currency).count())),
                (t.pool_lent.as_str(), view.money(lent, currency)),
                (t.pool_outstanding.as_str(), view.money(outstanding, currency)),
                (t.pool_available.as_str(), view.money(figures.credit("capital/available", currency), currency)),
                (t.pool_lost.as_str(), view.money(figures.credit("capital/lost", currency), currency)),
            ]))
            (risk(view, &exposures))
            (cohort_table(view, currency, &cohorts::cohorts(figures.of(currency))))
        }
    }
}

/// The portfolio at risk, as bars.
fn risk(view: &View<'_>, exposures: &[Exposure]) -> Markup {
    let t = view.t;
    let bar = |(days, name): (u32, &str)| {
        let ratio = at_risk(exposures, days, Counting::WithRestructured);
        let percent = ratio.percent().unwrap_or_else(|| "0.00".to_owned());
        let size = if ratio.whole > 0 { ratio.part * WHOLE / ratio.whole } else { 0 };
        Bar { name: name.to_owned(), figure: format!("{percent}%"), size }
    };
    let names = [(0, t.par1.as_str()), (30, &t.par30), (90, &t.par90)];
    chart::bars_of(&t.par_title, &names.map(bar), WHOLE)
}

fn cohort_table(view: &View<'_>, currency: Currency, rows: &[Cohort]) -> Markup {
    let t = view.t;
    if rows.is_empty() {
        return html! {};
    }
    let row = |cohort: &Cohort| {
        let (first, last) = (format::month(t, cohort.months.0), format::month(t, cohort.months.1));
        let share = |part: Minor, whole: Minor| {
            if whole > 0 { format!("{}.{}%", part * 100 / whole, part * 1_000 / whole % 10) } else { "0%".to_owned() }
        };
        vec![
            if first == last { first } else { format!("{first} – {last}") },
            view.count(cohort.loans),
            format::amount(view.language(), cohort.lent, currency),
            format::amount(view.language(), cohort.outstanding, currency),
            share(cohort.at_risk, cohort.outstanding),
            view.count(cohort.repaid),
            view.count(cohort.lost),
        ]
    };
    let heads = [
        (t.cohort.as_str(), Column::Words),
        (&t.pool_loans, Column::Figure),
        (&t.pool_lent, Column::Figure),
        (&t.pool_outstanding, Column::Figure),
        (&t.par30_short, Column::Figure),
        (&t.repaid, Column::Figure),
        (&t.lost, Column::Figure),
    ];
    table(&fill(&t.cohorts, &[("currency", currency.code())]), &heads, &rows.iter().map(row).collect::<Vec<_>>())
}

/// For those who think of lending: what their money does, and what can happen to it.
pub(crate) async fn lend(State(faces): State<Arc<Faces>>, visitor: Visitor) -> Result<Response, Fault> {
    let view = View::new(&faces, &visitor);
    let t = view.t;
    let figures = Figures::now(&faces).await?;
    Ok(view.page(
        &t.lend,
        &html! {
            p.lead { (t.lend_lead) }
            @for currency in figures.currencies() { @if figures.persons(currency) >= K { (lent_pool(&view, &figures, currency)) } }
            (lender::pools(&view))
            h2 { (t.lend_risk) }
            (prose(&t.lend_risk_text))
        },
    ))
}

fn lent_pool(view: &View<'_>, figures: &Figures, currency: Currency) -> Markup {
    let t = view.t;
    let credit = |account| figures.credit(account, currency);
    let money = |minor| view.money(minor, currency);
    let [available, committed, lent, lost] =
        ["capital/available", "capital/committed", "capital/lent", "capital/lost"].map(credit);
    let earned = credit("income/interest") + credit("income/fees") + credit("income/penalties");
    let recovered = credit("income/recovered");
    let bar = |(name, size): (&str, Minor)| Bar { name: name.to_owned(), figure: money(size), size };
    let uses = [(t.pool_available.as_str(), available), (&t.lend_committed, committed), (&t.pool_outstanding, lent)];
    let paid_in = available + committed + lent + lost;
    let layers = [
        (bar((&t.lend_layer_income, earned)), lost.min(earned)),
        (bar((&t.lend_layer_capital, paid_in)), (lost - earned).max(0)),
    ];
    html! {
        section {
            h2 { (fill(&t.pool, &[("currency", currency.code())])) }
            (facts(&[
                (t.lend_paid_in.as_str(), money(paid_in)),
                (t.lend_earned.as_str(), money(earned)),
                (t.pool_lost.as_str(), money(lost)),
                (t.lend_recovered.as_str(), money(recovered)),
            ]))
            (chart::bars(&t.lend_uses, &uses.map(bar)))
            (risk(view, &figures.exposures(currency)))
            (buckets(view, figures, currency))
            (chart::layers(&t.lend_waterfall, &layers))
            p { (t.lend_waterfall_text) }
        }
    }
}

/// What is outstanding, by how late it is. Classes of few persons are joined with those that are less late.
fn buckets(view: &View<'_>, figures: &Figures, currency: Currency) -> Markup {
    let t = view.t;
    let all = [Bucket::Current, Bucket::To30, Bucket::To60, Bucket::To90, Bucket::To180, Bucket::Beyond180];
    let names = [&t.bucket_current, &t.bucket_30, &t.bucket_60, &t.bucket_90, &t.bucket_180, &t.bucket_beyond];
    let mut rows: Vec<(String, Minor)> = Vec::new();
    let (mut name, mut sum, mut persons) = (String::new(), 0, BTreeSet::new());
    for (bucket, this) in all.into_iter().zip(names).rev() {
        let loans = figures.of(currency).filter(|loan| loan.outstanding > 0 && Bucket::of(loan.days_late) == bucket);
        for loan in loans {
            sum += loan.outstanding;
            persons.insert(&loan.person);
        }
        name = if name.is_empty() { this.clone() } else { format!("{this}, {name}") };
        if persons.len() >= K || persons.is_empty() {
            rows.push((std::mem::take(&mut name), std::mem::take(&mut sum)));
            persons.clear();
        }
    }
    if !name.is_empty() {
        match rows.iter_mut().rev().find(|(_, sum)| *sum > 0) {
            Some(last) => *last = (format!("{name}, {}", last.0), last.1 + sum),
            // Fewer than ten persons are being lent to: nothing can be told apart.
            None => return html! {},
        }
    }
    rows.reverse();
    let bar = |(name, size): (String, Minor)| Bar { figure: view.money(size, currency), name, size };
    chart::bars(&t.lend_buckets, &rows.into_iter().map(bar).collect::<Vec<_>>())
}
