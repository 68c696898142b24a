//! What happens by itself as time goes on: offers end, accepted loans are funded and paid out, days are booked and sealed, and statements
//! are compared with what was booked.

use std::sync::atomic::Ordering;

use braid_microloans_ledger::{
    Actor, LedgerError, LegState, LoanId, LoanState,
    journal::seal,
    loans,
    payments::{self, LegKind},
    rules,
};

use jiff::SignedDuration;

use crate::{app::App, limits, reconcile};

fn actor() -> Actor {
    Actor::system("housekeeping")
}

/// Keeps house until it is dropped.
pub async fn run(app: App) {
    let pause = std::time::Duration::from_secs(app.worker.housekeeping_seconds.max(1).into());
    let mut statements_at = app.clock.now();
    loop {
        if app.clock.now() >= statements_at {
            let next = SignedDuration::from_secs(limits::STATEMENT_PAUSE_SECONDS);
            statements_at = app.clock.now().saturating_add(next).unwrap_or(statements_at);
            if let Err(error) = reconcile::due(&app).await {
                app.counts.failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(error = &error as &dyn std::error::Error, "a comparison with a statement failed");
            }
        }
        if let Err(error) = round(&app).await {
            app.counts.failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = &error as &dyn std::error::Error, "a round of housekeeping failed");
        }
        tokio::time::sleep(pause).await;
    }
}

/// Does everything that is due.
///
/// # Errors
/// If the database fails.
pub async fn round(app: &App) -> Result<(), LedgerError> {
    let mut write = app.write(actor()).await?;
    loans::expire_offers(&mut write).await?;
    seal::seal_ended_days(&mut write).await?;
    write.commit().await?;
    for rules in rules::all()? {
        close_day(app, &rules.country).await?;
    }
    if app.straight_through {
        advance(app, LoanState::Accepted).await?;
        advance(app, LoanState::Funded).await?;
    }
    Ok(())
}

async fn close_day(app: &App, country: &str) -> Result<(), LedgerError> {
    loop {
        let mut write = app.write(actor()).await?;
        let booked = loans::close_day(&mut write, country, limits::LOANS_AT_A_TIME).await?;
        write.commit().await?;
        if booked == 0 {
            return Ok(());
        }
    }
}

/// Takes every loan in a state one step further, each in a transaction of its own. What cannot be done now is left for later.
async fn advance(app: &App, state: LoanState) -> Result<(), LedgerError> {
    let mut after = String::new();
    loop {
        let part = loans::in_state(&mut app.read().await?, state, &after, limits::BATCH).await?;
        let Some(last) = part.last() else { return Ok(()) };
        after = last.id.to_string();
        for loan in part {
            match advance_loan(app, &loan.id, state).await {
                Ok(()) => {}
                Err(error @ (LedgerError::Conflict(_) | LedgerError::IllegalStep(_) | LedgerError::NotFound(..))) => {
                    tracing::info!(loan = %loan.id, %error, "a loan waits");
                }
                Err(error) => return Err(error),
            }
        }
    }
}

async fn advance_loan(app: &App, id: &LoanId, state: LoanState) -> Result<(), LedgerError> {
    let mut write = app.write(actor()).await?;
    if state == LoanState::Accepted {
        loans::fund(&mut write, id).await?;
        return write.commit().await;
    }
    let loan = loans::loan(&mut write, id).await?;
    let legs = payments::legs_of(&mut write, id).await?;
    let failed: Vec<_> =
        legs.iter().filter(|leg| leg.kind == LegKind::Payout && leg.state == LegState::Failed).collect();
    let pause_ms = limits::PAYOUT_PAUSE_SECONDS * 1_000;
    let is_soon = failed.iter().any(|leg| write.at.as_millisecond() - leg.created_at < pause_ms);
    if failed.len() >= limits::PAYOUT_ATTEMPTS || is_soon {
        return Ok(());
    }
    let rail = app.catalogue.product(&loan.product)?.rail.clone();
    app.rail(&rail)?;
    loans::disburse(&mut write, id, &rail).await?;
    write.commit().await
}
