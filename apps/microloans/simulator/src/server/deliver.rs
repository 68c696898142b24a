//! Callbacks on their way: sent one after the other, in the order of the world, once each. Providers do not try again either.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::Shared;
use crate::world::Delivery;

/// How long the receiver of a callback is waited for. M-PESA waits eight seconds for a validation.
const PATIENCE: Duration = Duration::from_secs(8);

/// A client that speaks plain HTTP, to this machine.
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).no_proxy().build()
}

/// Lets time pass by so much, where it passes when told.
pub(super) async fn advance(shared: &Arc<Shared>, by: Duration) -> usize {
    if shared.is_real() {
        return 0;
    }
    let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
    let until_ms = shared.world.lock().now_ms().saturating_add(by_ms);
    pass(shared, until_ms).await
}

/// Lets time pass up to an instant.
pub(super) async fn pass(shared: &Arc<Shared>, until_ms: i64) -> usize {
    let _passing = shared.passing.lock().await;
    let mut sent = 0;
    loop {
        let next = shared.world.lock().step(until_ms);
        let Some(delivery) = next else { return sent };
        let answer = send(shared, &delivery).await;
        if let Some(key) = &delivery.validates {
            shared.world.lock().validated(key, answer);
        }
        sent += 1;
    }
}

/// Sends a callback. The answer is whether a deposit is accepted; none if there is no answer that can be read.
async fn send(shared: &Shared, delivery: &Delivery) -> Option<bool> {
    let request = if delivery.is_put { shared.client.put(&delivery.url) } else { shared.client.post(&delivery.url) };
    let request = request.header("content-type", "application/json").body(delivery.body.clone());
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            // The URL holds a secret of the payment.
            tracing::debug!(error = %error.without_url(), "a callback was not received");
            return None;
        }
    };
    if !response.status().is_success() {
        return None;
    }
    let body: Value = serde_json::from_str(&response.text().await.ok()?).ok()?;
    let code = super::text(&body, "ResultCode")?;
    Some(code == "0")
}
