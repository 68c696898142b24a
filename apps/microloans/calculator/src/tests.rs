//! Requests as users write them. The figures of the schedules themselves are tested where they are calculated.

use serde_json::{Value, json};

use super::*;

fn ask(question: impl Fn(&[u8]) -> Result<String, CalculatorError>, request: &Value) -> Result<Value, String> {
    let answer = question(request.to_string().as_bytes()).map_err(|error| error.to_string())?;
    Ok(serde_json::from_str(&answer).unwrap())
}

fn hundred() -> Value {
    json!({
        "principal": "100", "currency": "USD", "annual_rate_percent": "9.4822", "method": "declining", "day_count": "30/360",
        "disbursed": "2024-01-01", "first_due": "2024-02-01", "every": "1 month", "instalments": 6,
    })
}

fn with(more: Value) -> Value {
    let mut request = hundred();
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn totals(request: &Value) -> Vec<String> {
    let answer = ask(schedule, request).unwrap();
    let lines = answer["instalments"].as_array().unwrap();
    lines.iter().map(|line| line["total"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_refused(question: impl Fn(&[u8]) -> Result<String, CalculatorError>, request: &Value, reason: &str) {
    let error = ask(question, request).unwrap_err();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn a_schedule_has_the_keys_it_should() {
    let answer = ask(schedule, &hundred()).unwrap();
    let first = json!({
        "due": "2024-02-01", "principal": "16.34", "interest": "0.79", "fees": "0.00", "penalties": "0.00", "total": "17.13",
        "balance": "83.66",
    });
    assert_eq!(answer["instalments"][0], first);
    assert_eq!((&answer["total_interest"], &answer["pay_off"]), (&json!("2.78"), &json!("100.00")));
    assert_eq!(answer.as_object().unwrap().len(), 3);
    assert_eq!(answer["instalments"].as_array().unwrap().len(), 6);
}

#[test]
fn optional_keys_may_be_left_out_or_null() {
    let short = json!({
        "principal": 100, "currency": "USD", "annual_rate_percent": 9.4822, "method": "declining", "disbursed": "2024-01-01",
        "instalments": 6, "payments": null, "fees": null, "grace_interest": null,
    });
    assert_eq!(ask(schedule, &short), ask(schedule, &hundred()));
    let daily = json!({
        "principal": "100", "currency": "USD", "annual_rate_percent": "36.5", "method": "daily", "disbursed": "2024-01-01",
        "instalments": 1,
    });
    assert_eq!(totals(&daily), ["103.10"], "days of a year of 365");
}

#[test]
fn whole_units_grace_and_methods() {
    let five_thousand = |method: &str| {
        with(json!({
            "principal": "5000", "annual_rate_percent": "12", "method": method, "disbursed": "2022-11-01", "first_due": "2022-12-01",
            "instalments": 18, "instalment_multiple": "1",
        }))
    };
    let ends = |request: &Value| (totals(request)[0].clone(), totals(request)[17].clone());
    let expected =
        [("flat", "328.00", "324.00"), ("declining", "305.00", "303.22"), ("equal_principal", "327.78", "280.52")];
    for (method, first, last) in expected {
        assert_eq!(ends(&five_thousand(method)), (first.to_owned(), last.to_owned()), "{method}");
    }
    assert_eq!(totals(&five_thousand("bullet"))[16..], ["50.00", "5050.00"]);
    let mut graced = five_thousand("declining");
    graced["grace_principal"] = json!(6);
    graced["grace_interest"] = json!(3);
    assert_eq!(totals(&graced)[..7], ["0.00", "0.00", "0.00", "200.00", "50.00", "50.00", "444.00"]);
    let mut up = five_thousand("declining");
    up["instalment_rounding"] = json!("up");
    up["instalment_multiple"] = json!("10");
    assert_eq!(totals(&up)[0], "310.00");
}

#[test]
fn disbursements_may_be_all_or_what_follows() {
    let later = json!({ "date": "2024-01-08", "amount": "200" });
    let both = json!([{ "date": "2024-01-01", "amount": "100" }, later]);
    let expected = ["51.33", "51.33", "51.33", "51.33", "51.33", "51.34"];
    assert_eq!(totals(&with(json!({ "disbursements": [later] }))), expected);
    assert_eq!(totals(&with(json!({ "disbursements": both }))), expected);
    assert_eq!(totals(&with(json!({ "disbursements": both, "principal": "300" }))), expected);
    assert_refused(schedule, &with(json!({ "disbursements": both, "principal": "299" })), "disbursements of 300.00");
    assert_refused(
        schedule,
        &with(json!({ "disbursements": [later], "disbursed": "2024-01-09" })),
        "is before 2024-01-09",
    );
}

#[test]
fn pay_off_with_and_without_payments() {
    let pay_off = |more: Value| {
        let mut request = with(json!({ "annual_rate_percent": "7", "as_of": "2024-02-15" }));
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(schedule, &request).unwrap()["pay_off"].clone()
    };
    let on_time = json!([{ "date": "2024-02-01", "amount": "17.01" }]);
    assert_eq!(pay_off(json!({})), "83.81", "payments that are not told of were made as agreed");
    assert_eq!(pay_off(json!({ "payments": on_time })), "83.81");
    assert_eq!(pay_off(json!({ "payments": [] })), "100.82", "none was made: 0.58 and 0.24 of interest are owed");
    let settled = ask(schedule, &with(json!({ "payments": [{ "date": "2024-01-15", "amount": "101" }] }))).unwrap();
    assert_eq!((&settled["pay_off"], &settled["overpaid"]), (&json!("0.00"), &json!("0.64")));
}

#[test]
fn fees_and_lateness() {
    let request = with(json!({
        "fees": [{ "name": "service", "percent": "1", "when": "every_instalment" }, { "amount": "5", "when": "first_instalment" }],
        "late": { "amount": "2.50", "grace_days": 3 },
        "payments": [], "as_of": "2024-02-05",
    }));
    let answer = ask(schedule, &request).unwrap();
    let fees_and_penalties =
        |at: usize| (answer["instalments"][at]["fees"].clone(), answer["instalments"][at]["penalties"].clone());
    assert_eq!(
        [fees_and_penalties(0), fees_and_penalties(1)],
        [(json!("6.00"), json!("2.50")), (json!("1.00"), json!("0.00"))]
    );
    assert_refused(schedule, &with(json!({ "late": {} })), "either an amount or a percentage");
    assert_refused(
        schedule,
        &with(json!({ "fees": [{ "amount": "1", "percent": "1", "when": "disbursement" }] })),
        "either",
    );
}

#[test]
fn requests_that_cannot_be_followed_say_why() {
    let cases = [
        (json!({ "principal": "-1" }), "a disbursement must be more than zero"),
        (json!({ "principal": "1.005" }), "principal: 1.005 has more decimals than USD"),
        (json!({ "principal": true }), "a decimal string"),
        (json!({ "principal": 1e300 }), "principal: "),
        (json!({ "principal": 1.005 }), "principal: 1.005 has more decimals than USD"),
        (json!({ "principal": "99999999999999999999" }), "principal: amount"),
        (json!({ "currency": "XYZ" }), "currency \"XYZ\" is not known"),
        (json!({ "annual_rate_percent": "-1" }), "annual_rate_percent: a rate must be"),
        (json!({ "method": "rule_of_78" }), "unknown variant"),
        (json!({ "day_count": "30/361" }), "day_count"),
        (json!({ "disbursed": "2024-02-30" }), "disbursed: \"2024-02-30\" is not a date"),
        (json!({ "first_due": "2024-01-01" }), "must be after the disbursement"),
        (json!({ "every": "1 moon" }), "every: \"1 moon\" is not an interval"),
        (json!({ "instalments": 0 }), "the number of instalments must be from 1 to 600"),
        (json!({ "instalments": 4_294_967_295_u32 }), "the number of instalments"),
        (json!({ "grace_principal": 6 }), "grace on principal"),
        (json!({ "instalment_multiple": "0" }), "the multiple of instalments"),
        (json!({ "instalment_multiples": "1" }), "unknown field"),
        (json!({ "payments": [{ "date": "2023-12-31", "amount": "1" }] }), "is before the loan"),
        (
            json!({ "payments": [{ "date": "2024-02-01", "amount": "0" }] }),
            "payments: a payment must be more than zero",
        ),
        (json!({ "payments": [{ "date": "2024-02-01", "amount": "1" }], "as_of": "2024-01-31" }), "is after as_of"),
        (json!({ "as_of": "2023-01-31" }), "is before the loan"),
    ];
    for (more, reason) in cases {
        assert_refused(schedule, &with(more), reason);
    }
    assert!(schedule(b"").is_err() && schedule(b"[]").is_err() && schedule(b"\xff").is_err());
    assert!(matches!(schedule(&vec![b' '; 2_000_000]), Err(CalculatorError::TooLarge)));
}

fn rate(request: &Value) -> (String, String) {
    let answer = ask(apr, request).unwrap();
    assert_eq!(answer.as_object().unwrap().len(), 2);
    let text = |key: &str| answer[key].as_str().unwrap().to_owned();
    (text("apr_percent"), text("effective_percent"))
}

#[test]
fn rates_by_unit_periods() {
    let loan = |per_year: Value, amount: &str, payments: Value| json!({ "unit_periods_per_year": per_year, "advances": [{ "t": 0, "f": "0", "amount": amount }], "payments": payments });
    let cases = [
        (loan(json!(12), "5000", json!([{ "t": 1, "f": "0", "amount": "230", "count": 24, "step": 1 }])), "9.69"),
        (loan(json!(12), "6000", json!([{ "t": 1, "f": "19/30", "amount": "200", "count": 36, "step": 1 }])), "11.82"),
        (loan(json!(24), "5000", json!([{ "t": 0, "f": "6/15", "amount": "219.17", "count": 24 }])), "10.34"),
        (loan(json!(4), "10000", json!([{ "t": 1, "f": "39/90", "amount": "385", "count": 40 }])), "8.97"),
        (loan(json!("365/255"), "1000", json!([{ "t": 1, "f": "0/255", "amount": "1080" }])), "11.45"),
        (loan(json!(52), "500", json!([{ "t": 4, "f": "4/7", "amount": "17.60", "count": 30 }])), "14.96"),
        (
            loan(json!("12"), "5000", json!([{ "t": 1, "amount": "250" }, { "t": 2, "amount": 230, "count": 23 }])),
            "10.08",
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(rate(&request).0, expected, "{request}");
    }
    let year = loan(json!(12), "1000", json!([{ "t": 12, "amount": "1126.825030" }]));
    assert_eq!(rate(&year), ("12.00".to_owned(), "12.68".to_owned()));
}

#[test]
fn rates_by_date() {
    let both = ("12.96".to_owned(), "12.96".to_owned());
    let flow = |date: &str, amount: &str| json!({ "date": date, "amount": amount });
    for sign in ["", "-"] {
        let other = if sign.is_empty() { "-" } else { "" };
        let list = json!([flow("1994-01-01", &format!("{sign}1000")), flow("1995-07-01", &format!("{other}1200"))]);
        assert_eq!(rate(&json!({ "dates": list })), both);
    }
    let sides = json!({ "advances": [flow("1994-01-01", "1000")], "payments": [flow("1995-07-01", "1200")] });
    assert_eq!(rate(&json!({ "dates": sides })), both);
    assert_refused(apr, &json!({ "dates": [flow("1994-01-01", "1000")] }), "number of cash flows");
    assert_refused(apr, &json!({ "dates": [flow("1994-01-01", "0"), flow("1995-07-01", "1")] }), "more than zero");
    assert_refused(apr, &json!({ "dates": [], "unit_periods_per_year": 12 }), "either dates, or unit periods");
    assert_refused(apr, &json!({}), "unit_periods_per_year is missing");
}

#[test]
fn what_has_no_rate_is_refused() {
    let request = |more: Value| {
        let mut request = json!({ "unit_periods_per_year": 12, "advances": [{ "amount": "100" }], "payments": [{ "t": 1, "amount": "110" }] });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    assert_eq!(rate(&request(json!({}))).0, "120.00");
    let cases = [
        (json!({ "unit_periods_per_year": 0 }), "the unit periods in a year"),
        (json!({ "unit_periods_per_year": "1/0" }), "is not a fraction"),
        (json!({ "advances": [] }), "number of cash flows"),
        (json!({ "payments": [{ "t": 1, "amount": "99" }] }), "less is paid than was advanced"),
        (json!({ "payments": [{ "t": 1, "f": "31/30", "amount": "110" }] }), "is not a fraction"),
        (json!({ "payments": [{ "t": 1, "f": "x", "amount": "110" }] }), "f: \"x\" is not a fraction"),
        (json!({ "payments": [{ "t": 1, "amount": "110", "count": 0 }] }), "the count of a series"),
        (json!({ "payments": [{ "t": 1, "amount": "110", "count": 4_000_000_000_u32 }] }), "the count of a series"),
        (
            json!({ "payments": [{ "t": 1, "amount": "110", "count": 3, "step": 4_000_000_000_u32 }] }),
            "the unit periods to",
        ),
        (json!({ "payments": [{ "t": -1, "amount": "110" }] }), "cannot be read"),
        (json!({ "payments": [{ "t": 0, "amount": "110" }] }), "at any rate"),
    ];
    for (more, reason) in cases {
        assert_refused(apr, &request(more), reason);
    }
}
