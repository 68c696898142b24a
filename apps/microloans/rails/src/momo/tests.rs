//! Answers, callbacks and statements as MTN documents them, variants that occur, and anything at all.

use proptest::prelude::*;

use super::*;
use crate::port::Direction;

fn ghs() -> Currency {
    "GHS".parse().unwrap()
}

const PAID: &str = r#"{"financialTransactionId":"23503452","externalId":"0e1c2d3e-4f50-4a6b-8c7d-9e8f7a6b5c4d","amount":"100.50","currency":"GHS",
    "payer":{"partyIdType":"MSISDN","partyId":"233241234567"},"payerMessage":"Loan","payeeNote":"LN-7K3Q9A","status":"SUCCESSFUL"}"#;

fn read(route: Route, body: &str) -> Result<Event, CallbackError> {
    read_callback(Delivery { route, body: body.as_bytes() }, ghs())
}

#[test]
fn a_payment_that_happened_in_a_callback_and_in_an_answer() {
    let Ok(Event::Result { correlation, state: State::Completed(completion), .. }) = read(Route::Collection, PAID)
    else {
        panic!()
    };
    assert_eq!(correlation.unwrap().to_string(), "0e1c2d3e-4f50-4a6b-8c7d-9e8f7a6b5c4d");
    assert_eq!(completion.receipt.as_deref(), Some("23503452"));
    assert_eq!(completion.amount.unwrap().minor, 10_050);
    assert_eq!(completion.party.as_deref(), Some("233241234567"));
    let answer = Answer { status: 200, body: PAID.into() };
    assert_eq!(state(&answer, Kind::Collection, ghs()), State::Completed(completion));
    assert!(read(Route::Collection, &PAID.replace("GHS", "UGX")).is_err());
    assert!(read(Route::Collection, &PAID.replace("100.50", "-1")).is_err());
    assert_eq!(read(Route::Confirmation, PAID), Err(CallbackError::NoSuchRoute));
}

#[test]
fn a_failure_has_a_reason_in_either_form() {
    for reason in [r#""APPROVAL_REJECTED""#, r#"{"code":"APPROVAL_REJECTED","message":"no"}"#] {
        let body = format!(r#"{{"status":"FAILED","reason":{reason}}}"#);
        let Ok(Event::Result { state: State::Failed(failure), .. }) = read(Route::Payout, &body) else { panic!() };
        assert_eq!(failure.reason, Reason::Cancelled);
    }
    let Ok(Event::Result { state: State::Failed(failure), .. }) = read(Route::Payout, r#"{"status":"FAILED"}"#) else {
        panic!()
    };
    assert_eq!(failure.reason, Reason::Other);
    let Ok(Event::Result { state: State::Unknown(_), .. }) = read(Route::Payout, r#"{"status":"ODD"}"#) else {
        panic!()
    };
}

#[test]
fn statuses_of_an_order() {
    let answer = |status: u16, body: &str| submission(Ok(Answer { status, body: body.to_owned().into() }));
    assert_eq!(answer(202, ""), Submission::Acknowledged { server_correlation: None });
    assert_eq!(answer(409, r#"{"code":"RESOURCE_ALREADY_EXIST"}"#), Submission::Duplicate);
    assert!(matches!(answer(400, r#"{"code":"INVALID_CURRENCY","message":"x"}"#), Submission::Refused(_)));
    assert!(matches!(answer(400, "<html>"), Submission::Unknown(_)));
    assert!(matches!(answer(500, r#"{"code":"INTERNAL_PROCESSING_ERROR"}"#), Submission::Unknown(_)));
    assert!(matches!(answer(200, "{}"), Submission::Unknown(_)));
}

#[test]
fn only_the_apis_own_404_says_that_there_is_no_such_request() {
    let answer = |body: &str| state(&Answer { status: 404, body: body.to_owned().into() }, Kind::Payout, ghs());
    assert_eq!(
        answer(r#"{"code":"RESOURCE_NOT_FOUND","message":"Requested resource was not found."}"#),
        State::NotFound
    );
    assert_eq!(answer("{}"), State::Unknown(Doubt::Status(404)));
    assert_eq!(answer("<html>"), State::Unknown(Doubt::Status(404)));
}

const STATEMENT: &str = r#"[{"transactionReference":"2","requestingOrganisationTransactionReference":"0e1c2d3e-4f50-4a6b-8c7d-9e8f7a6b5c4d","amount":"100.50",
    "currency":"GHS","type":"disbursement","transactionStatus":"completed","descriptionText":"","modificationDate":"2026-03-01T12:00:00Z"},
    {"transactionReference":"1","amount":"5","currency":"GHS","type":"merchantpay","transactionStatus":"completed","descriptionText":"LN-7K3Q9A","modificationDate":"2026-03-01T11:00:00Z"},
    {"transactionReference":"3","amount":"5","currency":"GHS","type":"merchantpay","transactionStatus":"failed","modificationDate":"2026-03-01T11:00:00Z"}]"#;

#[test]
fn a_statement_is_read_whole_or_not_at_all() {
    let span = Span { from: "2026-03-01T00:00:00Z".parse().unwrap(), to: "2026-03-02T00:00:00Z".parse().unwrap() };
    let lines = read_statement(STATEMENT.as_bytes(), ghs(), span).unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0].receipt.as_str(), lines[0].direction), ("1", Direction::In));
    assert!(lines[1].correlation.is_some() && lines[1].reference.is_none());
    let odd = STATEMENT.replace("merchantpay", "gift");
    assert!(matches!(read_statement(odd.as_bytes(), ghs(), span), Err(RailError::Statement { line: 2, .. })));
}

proptest! {
    #[test]
    fn any_answer_is_read_or_a_doubt(
        status in prop_oneof![Just("SUCCESSFUL".to_owned()), Just("FAILED".to_owned()), Just("PENDING".to_owned()), ".{0,8}"],
        amount in prop_oneof!["[0-9.,-]{0,30}", ".{0,8}"],
        reason in prop_oneof![Just("null".to_owned()), Just("{}".to_owned()), Just("[1]".to_owned()), Just("7".to_owned())],
    ) {
        let body = serde_json::json!({ "status": status, "amount": amount, "currency": "GHS", "financialTransactionId": "1" }).to_string();
        let body = body.replace("\"currency\"", &format!("\"reason\":{reason},\"currency\""));
        match state(&Answer { status: 200, body: body.into() }, Kind::Payout, ghs()) {
            State::Completed(completion) => prop_assert!(completion.amount.unwrap().minor > 0),
            State::Failed(_) => prop_assert_eq!(status.trim(), "FAILED"),
            _ => {}
        }
    }

    #[test]
    fn any_text_is_refused_or_a_doubt(status in 100..600u16, body in ".{0,60}") {
        let answer = Answer { status, body: body.into() };
        prop_assert!(matches!(state(&answer, Kind::Payout, ghs()), State::Unknown(_)));
        if !matches!(status, 202 | 409) {
            prop_assert!(matches!(submission(Ok(answer)), Submission::Unknown(_) | Submission::NotSent(_)));
        }
    }

    #[test]
    fn any_statement_is_read_or_refused(at in 0..STATEMENT.len(), with in "[0-9,\"{}.-]{0,3}") {
        let span = Span { from: jiff::Timestamp::MIN, to: jiff::Timestamp::MAX };
        let mut text = STATEMENT.to_owned();
        text.insert_str(at, &with);
        let _ = read_statement(text.as_bytes(), ghs(), span);
    }
}
