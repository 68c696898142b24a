//! The hash of an entry: SHA-256 over its fields, each with its length before it, so that no two entries have the same bytes.

use sha2::{Digest as _, Sha256};

/// What the first entry has as the hash before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Begins the bytes of every entry, so that they are nothing else's.
const DOMAIN: &str = "braid microloans entry 1";

/// The hash of an entry, in hexadecimal.
pub(super) fn of_entry(
    previous: &str,
    seq: i64,
    kind: &str,
    subject: &str,
    dated: &str,
    at: i64,
    transfers: &[String],
) -> String {
    let mut hasher = Sha256::new();
    let (seq, at) = (seq.to_string(), at.to_string());
    for field in
        [DOMAIN, previous, &seq, kind, subject, dated, &at].into_iter().chain(transfers.iter().map(String::as_str))
    {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    const_hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_stays() {
        let lines = ["rail/a/float capital/available KES 5".to_owned()];
        let hash = of_entry(GENESIS, 1, "deposit", "d-1", "2026-11-23", 1_795_000_000_000, &lines);
        // By another program; another value means that journals written before can no longer be verified.
        assert_eq!(hash, "2059fdc6acfd4396945d313f2b34d8502dc305a30a928029b4d809f4446f8b78");
    }

    #[test]
    fn fields_do_not_run_together() {
        let hash = |kind: &str, subject: &str| of_entry(GENESIS, 1, kind, subject, "2026-11-23", 0, &[]);
        assert_ne!(hash("ab", "c"), hash("a", "bc"));
    }
}
