//! What a proof has proved, for people.

use std::fmt::{self, Display, Write as _};

use braid_light::{
    Fact, Proved, Trust,
    ethereum::{EMPTY_CODE, Outcome},
    proof::{ProvedAccount, ProvedReceipt},
};

/// Lines of what has been proved.
pub(super) fn text(proved: &Proved) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, proved);
    text
}

fn write(out: &mut String, proved: &Proved) -> fmt::Result {
    let Proved { client, ordered, header, fact } = proved;
    match &client.trust {
        Trust::Checkpoint(checkpoint) => {
            let committee = &checkpoint.committee;
            let (members, quorum) = (committee.keys().len(), committee.quorum());
            line(
                out,
                "signed by",
                format_args!("at least {quorum} of {members} validators of epoch {}", checkpoint.epoch),
            )?;
        }
        Trust::GroupKey(key) => line(out, "signed by", format_args!("the group {}", key.bytes()))?,
    }
    line(out, "ordered block", format_args!("{} {}", ordered.height, ordered.digest))?;
    line(out, "block", format_args!("{} {}", header.number, header.hash))?;
    line(out, "state root", header.state_root)?;
    line(out, "timestamp", header.timestamp)?;
    match fact {
        Some(Fact::Account(account)) => write_account(out, account),
        Some(Fact::Receipt(receipt)) => write_receipt(out, receipt),
        None => Ok(()),
    }
}

fn write_account(out: &mut String, proved: &ProvedAccount) -> fmt::Result {
    let ProvedAccount { address, exists, account, storage } = proved;
    line(out, "account", format_args!("{address}{}", if *exists { "" } else { " (does not exist)" }))?;
    line(out, "nonce", account.nonce)?;
    line(out, "balance", format_args!("{} wei", account.balance))?;
    let has_code = account.code_hash != EMPTY_CODE;
    line(out, "code hash", format_args!("{}{}", account.code_hash, if has_code { "" } else { " (no code)" }))?;
    line(out, "storage root", account.storage_root)?;
    storage.iter().try_for_each(|(slot, value)| line(out, &format!("slot {slot:#x}"), format_args!("{value:#x}")))
}

fn write_receipt(out: &mut String, proved: &ProvedReceipt) -> fmt::Result {
    let ProvedReceipt { transaction_hash, transaction_index, receipt, .. } = proved;
    line(out, "transaction", transaction_hash)?;
    line(out, "index", transaction_index)?;
    line(out, "type", receipt.transaction_type)?;
    match receipt.outcome {
        Outcome::Success => line(out, "status", "success")?,
        Outcome::Failure => line(out, "status", "failure")?,
        Outcome::StateRoot(root) => line(out, "state root after", root)?,
    }
    line(out, "cumulative gas", receipt.cumulative_gas_used)?;
    for (index, log) in receipt.logs.iter().enumerate() {
        line(out, &format!("log {index}"), format_args!("{} {}", log.address, log.data.data))?;
        log.topics().iter().try_for_each(|topic| line(out, "  topic", topic))?;
    }
    Ok(())
}

fn line(out: &mut String, name: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "{name:<16} {value}")
}
