//! Deposit requests out of the deposit contract's logs (EIP-6110).
//!
//! The contract logs five byte strings in Ethereum's ABI: five offsets, then each string's length and its bytes, padded
//! to whole words. A request is the five strings one after another. The lengths are fixed, so a log of any other layout
//! makes the block invalid.

use alloy_primitives::{Address, B256, b256};
use braid_types::Receipt;

/// `keccak256("DepositEvent(bytes,bytes,bytes,bytes,bytes)")`.
const DEPOSIT_EVENT: B256 = b256!("0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");

/// Where the strings' lengths stand in the data, and what they are: public key, withdrawal credentials, amount,
/// signature, index.
const FIELDS: [(usize, usize); 5] = [(160, 48), (256, 32), (320, 8), (384, 96), (512, 8)];

/// Bytes of a deposit log's data.
const LOG_SIZE_BYTES: usize = 576;

/// The requests of all deposit logs, one after another.
pub(crate) fn collect(receipts: &[Receipt], contract: Address) -> Result<Vec<u8>, String> {
    let mut requests = Vec::new();
    for log in receipts.iter().flat_map(Receipt::logs) {
        if log.address == contract && log.topics().first() == Some(&DEPOSIT_EVENT) {
            append(&log.data.data, &mut requests)?;
        }
    }
    Ok(requests)
}

fn append(data: &[u8], requests: &mut Vec<u8>) -> Result<(), String> {
    if data.len() != LOG_SIZE_BYTES {
        return Err(format!("it has {} bytes instead of {LOG_SIZE_BYTES}", data.len()));
    }
    for (field, (start, length)) in FIELDS.into_iter().enumerate() {
        check_word(data, field * 32, start)?;
        check_word(data, start, length)?;
        requests.extend_from_slice(&data[start + 32..start + 32 + length]);
    }
    Ok(())
}

fn check_word(data: &[u8], at: usize, expected: usize) -> Result<(), String> {
    let found = alloy_primitives::U256::from_be_slice(&data[at..at + 32]);
    if found == alloy_primitives::U256::from(expected) {
        return Ok(());
    }
    Err(format!("the word at byte {at} is {found} instead of {expected}"))
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{Eip658Value, Receipt as Fields, ReceiptWithBloom};
    use alloy_primitives::{Bytes, Log};

    use super::*;

    const CONTRACT: Address = braid_types::fork::MAINNET_DEPOSIT_CONTRACT;

    fn log_data() -> Vec<u8> {
        let mut data = vec![0; LOG_SIZE_BYTES];
        for (field, (start, length)) in FIELDS.into_iter().enumerate() {
            data[field * 32 + 30..field * 32 + 32].copy_from_slice(&u16::try_from(start).unwrap().to_be_bytes());
            data[start + 31] = u8::try_from(length).unwrap();
            data[start + 32..start + 32 + length].fill(u8::try_from(field).unwrap() + 1);
        }
        data
    }

    fn receipt(address: Address, topics: Vec<B256>, data: Vec<u8>) -> Receipt {
        let logs = vec![Log::new_unchecked(address, topics, Bytes::from(data))];
        let receipt = Fields { status: Eip658Value::Eip658(true), cumulative_gas_used: 0, logs };
        Receipt::Legacy(ReceiptWithBloom::from(receipt))
    }

    #[test]
    fn the_event_is_named_by_its_signature() {
        let signature = "DepositEvent(bytes,bytes,bytes,bytes,bytes)";
        assert_eq!(DEPOSIT_EVENT, alloy_primitives::keccak256(signature));
    }

    #[test]
    fn a_log_becomes_its_fields_in_order() {
        let requests = collect(&[receipt(CONTRACT, vec![DEPOSIT_EVENT], log_data())], CONTRACT).unwrap();
        let expected: Vec<u8> = FIELDS.iter().zip(1u8..).flat_map(|(&(_, length), byte)| vec![byte; length]).collect();
        assert_eq!(requests, expected);
        assert_eq!(requests.len(), 192);
    }

    #[test]
    fn other_logs_are_no_deposits() {
        let elsewhere = receipt(Address::ZERO, vec![DEPOSIT_EVENT], log_data());
        let other_event = receipt(CONTRACT, vec![B256::ZERO], log_data());
        let anonymous = receipt(CONTRACT, vec![], log_data());
        assert_eq!(collect(&[elsewhere, other_event, anonymous], CONTRACT), Ok(Vec::new()));
    }

    #[test]
    fn another_layout_is_an_error() {
        let too_long = [log_data(), vec![0]].concat();
        assert!(collect(&[receipt(CONTRACT, vec![DEPOSIT_EVENT], too_long)], CONTRACT).is_err());
        for at in [31, 127, 191, 351, 543] {
            let mut data = log_data();
            data[at] ^= 1;
            assert!(collect(&[receipt(CONTRACT, vec![DEPOSIT_EVENT], data)], CONTRACT).is_err(), "byte {at}");
        }
    }
}
