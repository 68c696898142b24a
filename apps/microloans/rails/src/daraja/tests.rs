//! Callbacks and statements as Daraja documents them, variants that occur, and anything at all.

use braid_microloans_arithmetic::Money;
use proptest::prelude::*;

use super::*;
use crate::port::Direction;

fn kes() -> Currency {
    "KES".parse().unwrap()
}

fn read(route: Route, body: &str) -> Result<Event, CallbackError> {
    read_callback(Delivery { route, body: body.as_bytes() }, kes())
}

fn state(event: Event) -> State {
    match event {
        Event::Result { state, .. } => state,
        other => panic!("{other:?} is no result"),
    }
}

fn completion(event: Event) -> Completion {
    match state(event) {
        State::Completed(completion) => completion,
        other => panic!("{other:?} is no completion"),
    }
}

const PAYOUT: &str = r#"{"Result":{"ResultType":0,"ResultCode":0,"ResultDesc":"The service request is processed successfully.",
    "OriginatorConversationID":"0e1c2d3e-4f50-4a6b-8c7d-9e8f7a6b5c4d","ConversationID":"AG_20191219_00005797af5d7d75f652","TransactionID":"NLJ41HAY6Q",
    "ResultParameters":{"ResultParameter":[{"Key":"TransactionAmount","Value":10},{"Key":"TransactionReceipt","Value":"NLJ41HAY6Q"},
    {"Key":"B2CRecipientIsRegisteredCustomer","Value":"Y"},{"Key":"ReceiverPartyPublicName","Value":"254708374149 - John Doe"},
    {"Key":"TransactionCompletedDateTime","Value":"19.12.2019 11:45:50"},{"Key":"B2CUtilityAccountAvailableFunds","Value":10116.00}]},
    "ReferenceData":{"ReferenceItem":{"Key":"QueueTimeoutURL","Value":"https:\/\/example.org"}}}}"#;

#[test]
fn a_payout_that_happened() {
    let event = read(Route::Payout, PAYOUT).unwrap();
    let Event::Result { correlation, server_correlation, .. } = &event else { panic!("{event:?}") };
    assert_eq!(correlation.unwrap().to_string(), "0e1c2d3e-4f50-4a6b-8c7d-9e8f7a6b5c4d");
    assert_eq!(server_correlation.as_deref(), Some("AG_20191219_00005797af5d7d75f652"));
    let completion = completion(event);
    assert_eq!(completion.receipt.as_deref(), Some("NLJ41HAY6Q"));
    assert_eq!(completion.amount, Some(Money { minor: 1000, currency: kes() }));
    assert_eq!(completion.party.as_deref(), Some("254708374149"));
    assert_eq!(completion.party_name.as_deref(), Some("John Doe"));
    assert_eq!(completion.completed_at, Some("2019-12-19T08:45:50Z".parse().unwrap()));
}

#[test]
fn a_code_is_a_failure_only_if_it_is_in_the_table() {
    let with = |code: &str| {
        let body = format!(
            r#"{{"Result":{{"ResultType":0,"ResultCode":{code},"ResultDesc":"no","OriginatorConversationID":"x"}}}}"#
        );
        state(read(Route::Payout, &body).unwrap())
    };
    for (code, reason) in [
        ("1", Reason::InsufficientFunds),
        ("\"1\"", Reason::InsufficientFunds),
        ("2", Reason::LimitExceeded),
        ("3", Reason::LimitExceeded),
        ("4", Reason::LimitExceeded),
        ("8", Reason::LimitExceeded),
        ("17", Reason::TooSoon),
        ("2001", Reason::NotAuthorised),
        ("2040", Reason::NotRegistered),
        ("8006", Reason::AccountBlocked),
        ("\"SFC_IC0003\"", Reason::NotRegistered),
        ("\"R000002\"", Reason::NotReversible),
    ] {
        let State::Failed(failure) = with(code) else { panic!("{code}") };
        assert_eq!(failure.reason, reason, "{code}");
    }
    for code in ["26", "9999", "\"\"", "-1", "\"00\"", "1.5"] {
        assert!(matches!(with(code), State::Unknown(Doubt::Code(_))), "{code}");
    }
    assert!(read(Route::Payout, r#"{"Result":{"ResultCode":null}}"#).is_err());
}

#[test]
fn a_prompt_that_was_approved_and_one_that_was_not() {
    let approved = r#"{"Body":{"stkCallback":{"MerchantRequestID":"29115-34620561-1","CheckoutRequestID":"ws_CO_191220191020363925","ResultCode":0,
        "ResultDesc":"ok","CallbackMetadata":{"Item":[{"Name":"Amount","Value":1.00},{"Name":"MpesaReceiptNumber","Value":"NLJ7RT61SV"},
        {"Name":"Balance"},{"Name":"TransactionDate","Value":20191219102115},{"Name":"PhoneNumber","Value":254708374149}]}}}}"#;
    let event = read(Route::Collection, approved).unwrap();
    let Event::Result { server_correlation, .. } = &event else { panic!("{event:?}") };
    assert_eq!(server_correlation.as_deref(), Some("ws_CO_191220191020363925"));
    let completion = completion(event);
    assert_eq!(completion.amount, Some(Money { minor: 100, currency: kes() }));
    assert_eq!(completion.party.as_deref(), Some("254708374149"));
    assert_eq!(completion.completed_at, Some("2019-12-19T07:21:15Z".parse().unwrap()));

    let cancelled = r#"{"Body":{"stkCallback":{"MerchantRequestID":"1","CheckoutRequestID":"ws","ResultCode":1032,"ResultDesc":"Request cancelled by user"}}}"#;
    let State::Failed(failure) = state(read(Route::Collection, cancelled).unwrap()) else { panic!() };
    assert_eq!(failure.reason, Reason::Cancelled);
    // Success without a receipt or an amount is nothing to rely on.
    let empty = r#"{"Body":{"stkCallback":{"CheckoutRequestID":"ws","ResultCode":0}}}"#;
    assert!(read(Route::Collection, empty).is_err());
}

#[test]
fn a_query_that_fails_says_nothing_about_the_payment() {
    let failed = r#"{"Result":{"ResultCode":1,"ResultDesc":"no"}}"#;
    assert!(matches!(state(read(Route::Status, failed).unwrap()), State::Unknown(_)));
    let never_seen = r#"{"Result":{"ResultCode":"R000002","ResultDesc":"no"}}"#;
    assert!(matches!(state(read(Route::Status, never_seen).unwrap()), State::NotFound));
    let never_seen = r#"{"Result":{"ResultCode":"R000002","ResultDesc":"no"}}"#;
    assert!(matches!(state(read(Route::Status, never_seen).unwrap()), State::NotFound));
    let status = |word: &str| {
        let body = format!(
            r#"{{"Result":{{"ResultCode":"0","OriginatorConversationID":"of-the-query","ResultParameters":{{"ResultParameter":[
            {{"Key":"ReceiptNo","Value":"NLJ41HAY6Q"}},{{"Key":"Amount","Value":"1,500.00"}},{{"Key":"TransactionStatus","Value":"{word}"}},
            {{"Key":"OriginatorConversationID","Value":"0e1c2d3e-4f50-4a6b-8c7d-9e8f7a6b5c4d"}},{{"Key":"FinalisedTime","Value":20191219114550}},
            {{"Key":"CreditPartyName","Value":"254708374149 - John Doe"}}]}}}}}}"#
        );
        read(Route::Status, &body).unwrap()
    };
    let Event::Result { correlation, .. } = status("Completed") else { panic!() };
    assert!(correlation.is_some(), "the payment's, not the query's");
    assert_eq!(completion(status("Completed")).amount, Some(Money { minor: 150_000, currency: kes() }));
    assert!(matches!(state(status("Failed")), State::Failed(_)));
    assert!(matches!(state(status("Pending")), State::Pending));
    assert!(matches!(state(status("Sideways")), State::Unknown(_)));
}

#[test]
fn a_time_out_is_a_doubt() {
    let body = r#"{"Result":{"ResultType":1,"ResultCode":1,"ResultDesc":"timeout","OriginatorConversationID":"x"}}"#;
    assert_eq!(state(read(Route::Timeout, body).unwrap()), State::Unknown(Doubt::QueueTimeout));
}

#[test]
fn a_deposit_with_a_masked_number() {
    let body = r#"{"TransactionType":"Pay Bill","TransID":"RKTQDM7W6S","TransTime":"20191122063845","TransAmount":"10.00","BusinessShortCode":"600638",
        "BillRefNumber":"LN-7K3Q9A","InvoiceNumber":"","OrgAccountBalance":"","ThirdPartyTransID":"","MSISDN":"2547 ***** 126","FirstName":"John"}"#;
    let Event::Deposit(deposit) = read(Route::Confirmation, body).unwrap() else { panic!() };
    assert_eq!((deposit.receipt.as_str(), deposit.reference.as_str()), ("RKTQDM7W6S", "LN-7K3Q9A"));
    assert_eq!(deposit.amount.minor, 1000);
    assert!("254712345126".parse::<crate::Msisdn>().unwrap().matches_masked(&deposit.party));
    assert!(matches!(read(Route::Validation, body), Ok(Event::Validation(_))));
    for amount in ["0", "-1", "1e3", "ten", ""] {
        assert!(read(Route::Confirmation, &body.replace("10.00", amount)).is_err(), "{amount}");
    }
    let answer = callback::answer(Route::Validation, Decision::UnknownReference);
    assert!(answer.body.contains("C2B00012"));
    assert!(callback::answer(Route::Confirmation, Decision::Refuse).body.contains("\"0\""));
}

const STATEMENT: &str = "Account Holder,Braid\nShort Code,600638\n\nReceipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.\n\
    NLJ41HAY6Q,2019-12-19 11:45:50,2019-12-19 11:45:49,Business Payment to 2547******149. Original conversation ID is 0e1c2d3e-4f50-4a6b-8c7d-9e8f7a6b5c4d.,Completed,,\"-1,500.00\",8500.00,true,Business Payment,2547******149 - J,,\n\
    NLJ41HAY6Q,2019-12-19 11:45:50,2019-12-19 11:45:49,Charge,Completed,,5.00,8495.00,true,Business Payment Charge,,,\n\
    NLJ7RT61SV,2019-12-19 10:21:15,2019-12-19 10:21:15,Pay Bill from 2547******149,Completed,250.00,,10000.00,true,Pay Bill,2547******149 - J,,LN-7K3Q9A\n\
    NLJ8RT61SV,2019-12-19 10:21:16,2019-12-19 10:21:15,Pay Bill from 2547******149,Failed,250.00,,10000.00,true,Pay Bill,2547******149 - J,,LN-7K3Q9A\n";

fn year() -> Span {
    Span { from: "2019-01-01T00:00:00Z".parse().unwrap(), to: "2020-01-01T00:00:00Z".parse().unwrap() }
}

#[test]
fn a_statement_is_read_whole_or_not_at_all() {
    let lines = read_statement(STATEMENT.as_bytes(), kes(), year()).unwrap();
    assert_eq!(lines.len(), 3);
    assert_eq!((lines[0].receipt.as_str(), lines[0].direction), ("NLJ7RT61SV", Direction::In));
    assert_eq!(lines[0].reference.as_deref(), Some("LN-7K3Q9A"));
    let payout = lines.iter().find(|line| line.correlation.is_some()).unwrap();
    assert_eq!((payout.amount.minor, payout.direction), (150_000, Direction::Out));
    assert!(lines.iter().any(|line| line.purpose == crate::port::Purpose::Charge));
    let cut = STATEMENT.replace(",LN-7K3Q9A\nNLJ8", "\nNLJ8");
    assert!(matches!(read_statement(cut.as_bytes(), kes(), year()), Err(RailError::Statement { line: 7, .. })));
    assert!(read_statement(b"", kes(), year()).is_err());
}

/// JSON that resembles a callback: the right keys with any values.
fn near_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("\"\"".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        "[0-9.,-]{0,30}".prop_map(|text| format!("\"{text}\"")),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
    ];
    (scalar.clone(), scalar.clone(), scalar.clone(), scalar).prop_map(|(a, b, c, d)| {
        format!(
            r#"{{"Result":{{"ResultCode":{a},"TransactionID":{b},"ResultParameters":{{"ResultParameter":[{{"Key":"TransactionAmount","Value":{c}}},
            {{"Key":"TransactionStatus","Value":{d}}},{{"Key":"ReceiptNo","Value":{b}}},{{"Key":{a}}}]}}}},
            "Body":{{"stkCallback":{{"ResultCode":{a},"CallbackMetadata":{{"Item":[{{"Name":"Amount","Value":{c}}},{{"Name":"MpesaReceiptNumber","Value":{d}}}]}}}}}},
            "TransID":{b},"TransAmount":{c},"BillRefNumber":{d},"MSISDN":{a}}}"#
        )
    })
}

proptest! {
    #[test]
    fn any_callback_is_read_or_refused(body in prop_oneof![near_json(), ".{0,200}"], route in 0..Route::ALL.len()) {
        match read(Route::ALL[route], &body) {
            Ok(Event::Result { state: State::Completed(completion), .. }) => {
                prop_assert!(completion.receipt.is_some());
                prop_assert!(completion.amount.is_none_or(|amount| amount.minor > 0));
            }
            Ok(Event::Deposit(deposit) | Event::Validation(deposit)) => prop_assert!(deposit.amount.minor > 0),
            Ok(_) | Err(_) => {}
        }
    }

    #[test]
    fn any_code_outside_the_table_is_a_doubt(code in "[A-Z0-9_.]{1,12}") {
        let known = codes::reason(&code, From::Initiator).is_some() || code == codes::SUCCESS;
        let body = format!(r#"{{"Result":{{"ResultCode":"{code}"}}}}"#);
        let doubtful = matches!(read(Route::Payout, &body).map(state), Ok(State::Unknown(_)));
        prop_assert!(known || doubtful);
    }

    #[test]
    fn any_answer_is_a_failure_only_where_the_provider_says_so(status in 100..600u16, body in ".{0,60}") {
        let answer = Answer { status, body: body.into() };
        prop_assert!(matches!(
            submission(Ok(answer.clone()), "ConversationID", From::Initiator),
            Submission::Unknown(_) | Submission::NotSent(_)
        ));
        prop_assert!(matches!(prompt_state(&answer), State::Unknown(_)));
    }

    #[test]
    fn any_statement_is_read_or_refused(at in 0..STATEMENT.len(), with in "[0-9,\"\n.é-]{0,3}") {
        let mut text = STATEMENT.to_owned();
        text.insert_str(at, &with);
        let _ = read_statement(text.as_bytes(), kes(), year());
    }
}

#[test]
fn answers_of_the_gateway() {
    let answer = |status: u16, body: &str| {
        submission(Ok(Answer { status, body: body.to_owned().into() }), "ConversationID", From::Initiator)
    };
    let code = |code: &str, text: &str| format!(r#"{{"requestId":"1","errorCode":"{code}","errorMessage":"{text}"}}"#);
    assert_eq!(
        answer(200, r#"{"ConversationID":"AG_1","OriginatorConversationID":"x","ResponseCode":"0"}"#),
        Submission::Acknowledged { server_correlation: Some("AG_1".into()) }
    );
    assert_eq!(answer(500, &code("500.002.1001", "Duplicate OriginatorConversationID.")), Submission::Duplicate);
    assert!(matches!(answer(500, &code("500.002.1001", "Maintenance")), Submission::Unknown(_)));
    assert!(matches!(answer(400, &code("400.002.02", "Bad Request - Invalid Amount")), Submission::Refused(_)));
    assert!(matches!(answer(429, ""), Submission::NotSent(_)));
    assert!(matches!(answer(502, "<html>"), Submission::Unknown(_)));
    assert!(matches!(answer(200, r#"{"ResponseCode":"1"}"#), Submission::Refused(_)));
    assert!(matches!(answer(200, r#"{"ResponseCode":"77"}"#), Submission::Unknown(_)));
}
