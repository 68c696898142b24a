//! Proofs as they were once written: what believed them goes on to, whatever becomes of the code.

#![expect(clippy::unwrap_used, reason = "tests")]

use alloy_primitives::U256;
use braid_light::{Bundle, Fact, LightClient, Trust, ethereum::Outcome};

fn client() -> LightClient {
    serde_json::from_str(include_str!("../fixtures/client.json")).unwrap()
}

fn verify(proof: &str) -> braid_light::Proved {
    serde_json::from_str::<Bundle>(proof).unwrap().verify(&client()).unwrap()
}

#[test]
fn the_account_is_proved() {
    let proved = verify(include_str!("../fixtures/account.json"));
    let Some(Fact::Account(account)) = proved.fact else { panic!("an account was claimed") };
    assert_eq!((proved.header.number, proved.ordered.height), (24, 27));
    assert_eq!((account.account.nonce, account.account.balance), (1, U256::ZERO));
    assert_eq!(account.storage, [(U256::from(3), U256::MAX / U256::from(3)), (U256::from(300), U256::ZERO)]);
}

#[test]
fn the_receipt_is_proved() {
    let proved = verify(include_str!("../fixtures/receipt.json"));
    let Some(Fact::Receipt(receipt)) = proved.fact else { panic!("a receipt was claimed") };
    let receipt = (receipt.transaction_index, receipt.receipt);
    assert_eq!((receipt.0, receipt.1.transaction_type, receipt.1.outcome), (2, 2, Outcome::Success));
    assert_eq!((receipt.1.cumulative_gas_used, receipt.1.logs.len()), (63_000, 2));
    let Trust::Checkpoint(checkpoint) = proved.client.trust else { panic!("a committee was trusted") };
    assert_eq!((checkpoint.epoch, checkpoint.committee.keys().len()), (2, 4));
}
