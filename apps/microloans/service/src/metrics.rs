//! Metrics, in the text format of Prometheus. They are counted from the books when asked for, so they say after a restart what they said before.

use std::{fmt::Write as _, sync::atomic::Ordering};

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use braid_microloans_ledger::{
    LedgerError, chain, loans,
    payments::{self, outbox},
};

use crate::{app::App, problem::Problem};

/// Answers `/metrics`.
///
/// # Errors
/// If the database fails.
pub async fn answer(State(app): State<App>) -> Result<Response, Problem> {
    let text = text(&app).await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

async fn text(app: &App) -> Result<String, LedgerError> {
    let mut read = app.read().await?;
    let mut text = String::new();
    heading(&mut text, "braid_loans", "gauge", "Loans by state.");
    for (state, count) in loans::count_by_state(&mut read).await? {
        let _ = writeln!(text, "braid_loans{{state=\"{state}\"}} {count}");
    }
    heading(&mut text, "braid_loan_legs", "gauge", "Payment legs by kind and state.");
    for (kind, state, count) in payments::count_by_state(&mut read).await? {
        let _ = writeln!(text, "braid_loan_legs{{kind=\"{kind}\",state=\"{state}\"}} {count}");
    }
    let (waiting, age_ms) = outbox::backlog(&mut read, app.clock.now()).await?;
    let contradictions = i64::try_from(payments::contradictions(&mut read).await?.len()).unwrap_or(i64::MAX);
    let suspended = i64::try_from(payments::suspended(&mut read).await?.len()).unwrap_or(i64::MAX);
    let gauges = [
        ("braid_loans_outbox", "Rows of the outbox that are not done.", waiting),
        ("braid_loans_outbox_late_milliseconds", "How late the oldest of them is.", age_ms),
        ("braid_loans_contradictions", "Contradictions that nobody has settled, up to 500.", contradictions),
        ("braid_loans_suspended", "Payments without a loan, up to 500.", suspended),
    ];
    for (name, what, value) in gauges {
        heading(&mut text, name, "gauge", what);
        let _ = writeln!(text, "{name} {value}");
    }
    if app.chain.is_some() {
        let [told, untold, refused] = chain::counts(&mut read).await?;
        let (waiting, _) = outbox::backlog_at(&mut read, outbox::Desk::Chain, app.clock.now()).await?;
        let gauges = [
            ("braid_loans_chain_told", "Facts of loans that the chain has.", told),
            ("braid_loans_chain_untold", "Facts of loans that it has not.", untold),
            ("braid_loans_chain_refused", "Those of them that it has refused.", refused),
            ("braid_loans_chain_outbox", "Loans and days that it is to be told of.", waiting),
        ];
        for (name, what, value) in gauges {
            heading(&mut text, name, "gauge", what);
            let _ = writeln!(text, "{name} {value}");
        }
    }
    let counters = [
        ("braid_loans_requests_total", "Requests that were answered.", &app.counts.requests),
        ("braid_loans_callbacks_total", "Callbacks that were read.", &app.counts.callbacks),
        ("braid_loans_callbacks_refused_total", "Callbacks that were refused.", &app.counts.callbacks_refused),
        ("braid_loans_failures_total", "Rounds of the worker and the housekeeping that failed.", &app.counts.failures),
    ];
    for (name, what, value) in counters {
        heading(&mut text, name, "counter", what);
        let _ = writeln!(text, "{name} {}", value.load(Ordering::Relaxed));
    }
    Ok(text)
}

fn heading(text: &mut String, name: &str, kind: &str, what: &str) {
    let _ = writeln!(text, "# HELP {name} {what}\n# TYPE {name} {kind}");
}
