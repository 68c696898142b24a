//! The bytes of the protocol. All numbers are big-endian.
//!
//! ```text
//! client's first bytes   "BRDI" | version u8
//! server's first bytes   "BRDI" | version u8 | chain id u64
//! request                length u32 | EIP-2718 envelope, blob transactions with their sidecar
//! answer                 0u8 | transaction hash 32
//!                        1u8 | code i32 | length u16 | reason, UTF-8      refused
//!                        2u8 | length u16 | reason, UTF-8                 the server closes the connection
//! ```
//!
//! Answers have the order of the requests. Only an answer of the last kind belongs to none: what was sent and not answered before it was
//! not looked at.

use alloy_primitives::B256;
use braid_types::limits::{MAX_BLOB_TRANSACTION_SIZE_BYTES, MAX_TRANSACTION_SIZE_BYTES};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// What both sides begin with.
pub const MAGIC: [u8; 4] = *b"BRDI";

/// The version that is described here.
pub const VERSION: u8 = 1;

/// Bytes of a client's greeting.
pub const HELLO_SIZE_BYTES: usize = 5;

/// Bytes of a server's greeting.
pub const WELCOME_SIZE_BYTES: usize = 13;

/// Largest envelope, in bytes: a blob transaction with its sidecar. What is too large for its type is refused by itself.
pub const MAX_ENVELOPE_SIZE_BYTES: usize = MAX_BLOB_TRANSACTION_SIZE_BYTES + MAX_TRANSACTION_SIZE_BYTES;

/// Longest reason, in bytes; a longer one is cut.
pub const MAX_REASON_SIZE_BYTES: usize = 1_024;

const LENGTH_SIZE_BYTES: usize = 4;
const ACCEPTED: u8 = 0;
const REFUSED: u8 = 1;
const CLOSING: u8 = 2;

/// Something else than the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum WireError {
    #[error("the other side does not speak this protocol")]
    Magic,
    #[error("version {0} is not known here, but {VERSION} is")]
    Version(u8),
    #[error("an envelope of {0} bytes; the limit is {MAX_ENVELOPE_SIZE_BYTES}")]
    EnvelopeSize(usize),
    #[error("an empty envelope")]
    EmptyEnvelope,
    #[error("an answer of unknown kind {0}")]
    AnswerKind(u8),
    #[error("a reason of {0} bytes; the limit is {MAX_REASON_SIZE_BYTES}")]
    ReasonSize(usize),
    #[error("a reason that is no UTF-8")]
    Reason,
}

/// Why a transaction was refused: code and words of JSON-RPC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (code {code})")]
pub struct Refusal {
    /// JSON-RPC code.
    pub code: i32,
    /// What is wrong.
    pub reason: String,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The pool has the transaction with this hash.
    Accepted(B256),
    /// The pool does not take it.
    Refused(Refusal),
    /// Nothing more is answered on this connection.
    Closing(String),
}

impl From<Result<B256, Refusal>> for Answer {
    fn from(result: Result<B256, Refusal>) -> Self {
        result.map_or_else(Self::Refused, Self::Accepted)
    }
}

/// A client's greeting.
pub fn hello() -> [u8; HELLO_SIZE_BYTES] {
    let [a, b, c, d] = MAGIC;
    [a, b, c, d, VERSION]
}

/// Checks a client's greeting.
///
/// # Errors
/// If it is none of this version.
pub fn check_hello(bytes: [u8; HELLO_SIZE_BYTES]) -> Result<(), WireError> {
    match bytes {
        [magic @ .., _] if magic != MAGIC => Err(WireError::Magic),
        [.., VERSION] => Ok(()),
        [.., version] => Err(WireError::Version(version)),
    }
}

/// A server's greeting.
pub fn welcome(chain_id: u64) -> [u8; WELCOME_SIZE_BYTES] {
    let mut bytes = [0; WELCOME_SIZE_BYTES];
    bytes[..HELLO_SIZE_BYTES].copy_from_slice(&hello());
    bytes[HELLO_SIZE_BYTES..].copy_from_slice(&chain_id.to_be_bytes());
    bytes
}

/// The chain id of a server's greeting.
///
/// # Errors
/// If it is none of this version.
pub fn read_welcome(bytes: [u8; WELCOME_SIZE_BYTES]) -> Result<u64, WireError> {
    let [a, b, c, d, e, chain_id @ ..] = bytes;
    check_hello([a, b, c, d, e])?;
    Ok(u64::from_be_bytes(chain_id))
}

/// Appends a request.
///
/// # Errors
/// If the envelope is empty or too large.
pub fn put_request(out: &mut Vec<u8>, envelope: &[u8]) -> Result<(), WireError> {
    check_length(envelope.len())?;
    let length = u32::try_from(envelope.len()).map_err(|_| WireError::EnvelopeSize(envelope.len()))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(envelope);
    Ok(())
}

const fn check_length(length: usize) -> Result<(), WireError> {
    match length {
        0 => Err(WireError::EmptyEnvelope),
        MAX_ENVELOPE_SIZE_BYTES.. => Err(WireError::EnvelopeSize(length)),
        _ => Ok(()),
    }
}

/// Takes the next envelope off what has arrived; `None`: it is not complete.
///
/// # Errors
/// If it is empty or too large, which is known before it has arrived.
pub fn take_request(arrived: &mut BytesMut) -> Result<Option<Bytes>, WireError> {
    let Some(length) = arrived.first_chunk::<LENGTH_SIZE_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    check_length(length)?;
    if arrived.len() < LENGTH_SIZE_BYTES + length {
        return Ok(None);
    }
    arrived.advance(LENGTH_SIZE_BYTES);
    Ok(Some(arrived.split_to(length).freeze()))
}

/// Appends an answer.
pub fn put_answer(out: &mut Vec<u8>, answer: &Answer) {
    match answer {
        Answer::Accepted(hash) => {
            out.put_u8(ACCEPTED);
            out.put_slice(hash.as_slice());
        }
        Answer::Refused(Refusal { code, reason }) => {
            out.put_u8(REFUSED);
            out.put_i32(*code);
            put_reason(out, reason);
        }
        Answer::Closing(reason) => {
            out.put_u8(CLOSING);
            put_reason(out, reason);
        }
    }
}

fn put_reason(out: &mut Vec<u8>, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(MAX_REASON_SIZE_BYTES)];
    // At most MAX_REASON_SIZE_BYTES.
    out.put_u16(u16::try_from(reason.len()).unwrap_or(u16::MAX));
    out.put_slice(reason.as_bytes());
}

/// Takes the next answer off what has arrived; `None`: it is not complete.
///
/// # Errors
/// If it is none.
pub fn take_answer(arrived: &mut BytesMut) -> Result<Option<Answer>, WireError> {
    let mut rest = &arrived[..];
    let answer = match rest.try_get_u8() {
        Err(_) => None,
        Ok(ACCEPTED) => rest.split_first_chunk().map(|(hash, after)| {
            rest = after;
            Answer::Accepted(B256::from(*hash))
        }),
        Ok(REFUSED) => match rest.try_get_i32() {
            Ok(code) => take_reason(&mut rest)?.map(|reason| Answer::Refused(Refusal { code, reason })),
            Err(_) => None,
        },
        Ok(CLOSING) => take_reason(&mut rest)?.map(Answer::Closing),
        Ok(kind) => return Err(WireError::AnswerKind(kind)),
    };
    if answer.is_some() {
        let taken = arrived.len() - rest.len();
        arrived.advance(taken);
    }
    Ok(answer)
}

fn take_reason(rest: &mut &[u8]) -> Result<Option<String>, WireError> {
    let Ok(length) = rest.try_get_u16() else { return Ok(None) };
    let length = usize::from(length);
    if length > MAX_REASON_SIZE_BYTES {
        return Err(WireError::ReasonSize(length));
    }
    let Some((reason, after)) = rest.split_at_checked(length) else { return Ok(None) };
    *rest = after;
    let reason = std::str::from_utf8(reason).map_err(|_| WireError::Reason)?;
    Ok(Some(reason.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answers() -> impl Strategy<Value = Answer> {
        let refusal = (any::<i32>(), ".{0,40}").prop_map(|(code, reason)| Refusal { code, reason });
        prop_oneof![
            any::<[u8; 32]>().prop_map(|hash| Answer::Accepted(hash.into())),
            refusal.prop_map(Answer::Refused),
            ".{0,40}".prop_map(Answer::Closing),
        ]
    }

    #[test]
    fn greetings() {
        assert_eq!(check_hello(hello()), Ok(()));
        assert_eq!(check_hello(*b"BRDI\x02"), Err(WireError::Version(2)));
        assert_eq!(check_hello(*b"POST "), Err(WireError::Magic));
        assert_eq!(read_welcome(welcome(31_337)), Ok(31_337));
        assert_eq!(welcome(1), *b"BRDI\x01\0\0\0\0\0\0\0\x01");
    }

    #[test]
    fn sizes_are_refused_before_the_bytes_arrive() {
        let take = |length: usize| take_request(&mut u32::try_from(length).unwrap().to_be_bytes()[..].into());
        assert_eq!(take(0), Err(WireError::EmptyEnvelope));
        assert_eq!(take(MAX_ENVELOPE_SIZE_BYTES), Err(WireError::EnvelopeSize(MAX_ENVELOPE_SIZE_BYTES)));
        assert_eq!(take(MAX_ENVELOPE_SIZE_BYTES - 1), Ok(None));
        assert_eq!(put_request(&mut Vec::new(), &[]), Err(WireError::EmptyEnvelope));
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let mut out = Vec::new();
        put_answer(&mut out, &Answer::Closing("ü".repeat(MAX_REASON_SIZE_BYTES) + "x"));
        let Ok(Some(Answer::Closing(reason))) = take_answer(&mut out[..].into()) else { panic!("{out:?}") };
        assert_eq!(reason, "ü".repeat(MAX_REASON_SIZE_BYTES / 2));
    }

    proptest! {
        #[test]
        fn requests_come_as_they_went(envelopes in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..8), cut in 1..20_usize) {
            let mut sent = Vec::new();
            for envelope in &envelopes {
                put_request(&mut sent, envelope).unwrap();
            }
            let (mut arrived, mut found) = (BytesMut::new(), Vec::new());
            for piece in sent.chunks(cut) {
                arrived.extend_from_slice(piece);
                while let Some(envelope) = take_request(&mut arrived).unwrap() {
                    found.push(envelope.to_vec());
                }
            }
            prop_assert_eq!(found, envelopes);
            prop_assert!(arrived.is_empty());
        }

        #[test]
        fn answers_come_as_they_went(answers in prop::collection::vec(answers(), 0..8), cut in 1..20_usize) {
            let mut sent = Vec::new();
            for answer in &answers {
                put_answer(&mut sent, answer);
            }
            let (mut arrived, mut found) = (BytesMut::new(), Vec::new());
            for piece in sent.chunks(cut) {
                arrived.extend_from_slice(piece);
                while let Some(answer) = take_answer(&mut arrived).unwrap() {
                    found.push(answer);
                }
            }
            prop_assert_eq!(found, answers);
            prop_assert!(arrived.is_empty());
        }

        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut arrived = BytesMut::from(&bytes[..]);
            while let Ok(Some(envelope)) = take_request(&mut arrived) {
                let mut again = Vec::new();
                put_request(&mut again, &envelope).unwrap();
                prop_assert_eq!(&again[4..], &envelope[..]);
            }
            let mut arrived = BytesMut::from(&bytes[..]);
            while let Ok(Some(answer)) = take_answer(&mut arrived) {
                let mut again = Vec::new();
                put_answer(&mut again, &answer);
                let mut again = BytesMut::from(&again[..]);
                prop_assert_eq!(take_answer(&mut again), Ok(Some(answer)));
            }
        }
    }
}
