//! What people do on the pages: a borrower from the first sign-in to a receipt, two people who decide, an auditor; and what is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::support::{NAME, PHONES, PIN, Stage, filled};

/// Follows the link to a loan from a page of staff.
fn loan_path(text: &str) -> String {
    let links = text.split("href=\"").map(|rest| rest.split('"').next().unwrap());
    links.into_iter().find(|path| path.starts_with("/officer/loans/")).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_sign_in_to_a_receipt() {
    let stage = Stage::empty().await;
    stage.client.deposit("50000", "bank-1").await;
    stage.person(1).await;
    let mut borrower = stage.borrower(1).await;
    assert!(borrower.get("/me").await.text.contains("/me/apply"));

    // What it would cost, then the request.
    let page = borrower.get("/me/apply?product=stock&amount=9%2C951&instalments=3").await;
    assert!(
        page.text.contains("role=\"alert\""),
        "two percent leave 9,751.98, which nobody can pay out: {}",
        page.text
    );
    let page = borrower.get("/me/apply?product=stock&amount=10%2C000&instalments=3").await;
    assert!(page.text.contains("KES\u{a0}9,800"), "two percent are kept back: {}", page.text);
    let answer = borrower.submit(&page, "/me/apply", &[("purpose", "stock")]).await;
    assert_eq!((answer.status, answer.location.as_str()), (303, "/me"));
    let again = borrower.submit(&page, "/me/apply", &[("purpose", "stock")]).await;
    assert_eq!((again.status, again.location.as_str()), (303, "/me"), "the same form does what it did");
    assert!(borrower.get("/me").await.text.contains("asked for"));

    // An officer takes it up and proposes; somebody else approves.
    let mut officer = stage.staff("officer").await;
    let path = loan_path(&officer.get("/officer").await.text);
    let page = officer.get(&path).await;
    assert_eq!(officer.submit(&page, &format!("{path}/review"), &[]).await.status, 303);
    let page = officer.get(&path).await;
    assert_eq!(officer.submit(&page, &format!("{path}/offer"), &[]).await.status, 303);
    let mut approver = stage.staff("approver").await;
    let page = approver.get("/officer/approvals").await;
    let decide = page.text.split("action=\"").map(|rest| rest.split('"').next().unwrap());
    let decide = decide.into_iter().find(|action| action.starts_with("/officer/approvals/")).unwrap().to_owned();
    assert_eq!(approver.submit(&page, &decide, &[]).await.status, 303);

    // The borrower reads, mistypes the PIN once, and accepts.
    let page = borrower.get("/me/offer").await;
    let wrong = borrower.submit(&page, "/me/offer/accept", &[("read", "yes"), ("pin", "0000")]).await;
    assert_eq!(wrong.status, 401);
    let page = borrower.get("/me/offer").await;
    let answer = borrower.submit(&page, "/me/offer/accept", &[("read", "yes"), ("pin", PIN)]).await;
    assert_eq!((answer.status, answer.location.as_str()), (303, "/me"), "{}", answer.text);
    let id = path.rsplit('/').next().unwrap();
    stage.client.until(id, "active").await;

    // Paying: the telephone is asked; the receipt is proved once the day has ended.
    let page = borrower.get("/me/pay").await;
    let answer = borrower.submit(&page, "/me/pay", &[("choice", "other"), ("amount", "1 000")]).await;
    assert_eq!(answer.location, "/me/pay?said=sent");
    let page = borrower.get("/me/pay").await;
    let twice = borrower.submit(&page, "/me/pay", &[("choice", "other"), ("amount", "0.001")]).await;
    assert_eq!(twice.location, "/me/pay?said=amount");
    let mut receipts = String::new();
    for attempt in 0.. {
        receipts = borrower.get("/me/receipts").await.text;
        if receipts.contains("/me/receipts/") {
            break;
        }
        // Fewer seconds than a session has: what is due after some is due on this clock only when it is moved.
        assert!(attempt < 1_500, "{receipts}");
        stage.clock.advance(jiff::SignedDuration::from_secs(1));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let receipt = receipts.split("href=\"").map(|rest| rest.split('"').next().unwrap());
    let receipt = receipt.into_iter().find(|path| path.starts_with("/me/receipts/")).unwrap().to_owned();
    assert!(borrower.get(&receipt).await.text.contains("KES\u{a0}1,000"));
    stage.clock.advance(jiff::SignedDuration::from_hours(20));
    // The session of a shared telephone is over by then.
    assert_eq!(borrower.get(&receipt).await.location, "/sign-in");
    let mut borrower = stage.borrower(1).await;
    let mut write = stage.app.write(braid_microloans_ledger::Actor::system("test")).await.unwrap();
    braid_microloans_ledger::journal::seal::seal_ended_days(&mut write).await.unwrap();
    write.commit().await.unwrap();
    assert!(borrower.get(&receipt).await.text.contains("class=\"notice good\""), "the proof holds");

    // What is one borrower's is nobody else's.
    stage.person(2).await;
    let mut other = stage.borrower(2).await;
    assert_eq!(other.get(&receipt).await.status, 404);
    assert_eq!(other.get(&format!("/me/statement/{id}")).await.status, 404);
    assert!(borrower.get(&format!("/me/statement/{id}")).await.text.contains(NAME));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_not_done() {
    let stage = Stage::empty().await;
    stage.person(1).await;
    let mut borrower = stage.borrower(1).await;
    let page = borrower.get("/me/apply?product=stock&amount=10000&instalments=3").await;
    let fields = filled(&page, "/me/apply", &[("purpose", "stock")]);
    let without: Vec<_> = fields.iter().filter(|(name, _)| name != "token").cloned().collect();
    assert_eq!(borrower.post("/me/apply", &without, &[]).await.status, 400, "without a token");
    let foreign = borrower.post("/me/apply", &fields, &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(foreign.status, 403, "from another site");
    stage.person(2).await;
    let mut other = stage.borrower(2).await;
    assert_eq!(other.post("/me/apply", &fields, &[]).await.status, 403, "another session's token");
    let mut named = fields.clone();
    named.retain(|(name, _)| name != "purpose");
    named.push(("purpose".to_owned(), "for my cousin Amina".to_owned()));
    assert_eq!(borrower.post("/me/apply", &named, &[]).await.status, 400, "a purpose that is not of the list");
    assert_eq!(borrower.post("/me/apply", &fields, &[]).await.status, 303);

    // Nobody but staff, and staff in their roles only.
    assert_eq!(borrower.get("/officer").await.location, "/staff");
    assert_eq!(borrower.get("/audit").await.location, "/staff");
    assert_eq!(stage.browser().get("/me").await.location, "/sign-in");
    let mut auditor = stage.staff("auditor").await;
    assert_eq!(auditor.get("/officer").await.status, 403);
    let mut officer = stage.staff("officer").await;
    assert_eq!(officer.get("/audit").await.status, 403);
    let path = loan_path(&officer.get("/officer").await.text);
    let page = officer.get(&path).await;
    officer.submit(&page, &format!("{path}/review"), &[]).await;
    let page = officer.get(&path).await;
    officer.submit(&page, &format!("{path}/offer"), &[]).await;
    assert!(!officer.get("/officer/approvals").await.text.contains("action=\"/officer/approvals/"), "no approver");

    // Who approves may propose, but not approve that.
    let mut approver = stage.staff("approver").await;
    let page = approver.get("/officer/money").await;
    let deposit = [("rail", "daraja"), ("amount", "1000"), ("evidence", "bank-9")];
    assert_eq!(approver.submit(&page, "/officer/money/deposit", &deposit).await.status, 303);
    let pending = stage.client.get("approver", "/v1/approvals").await;
    let own = pending.as_array().unwrap().iter().find(|approval| approval["maker"] == "approver-1").unwrap();
    let action = format!("/officer/approvals/{}", own["id"].as_str().unwrap());
    let page = approver.get("/officer/approvals").await;
    assert!(!page.text.contains(&format!("action=\"{action}\"")));
    let sign_out = filled(&page, "/sign-out", &[("decision", "approved")]);
    assert_eq!(approver.post(&action, &sign_out, &[]).await.status, 409, "the books refuse it, whatever is sent");

    // Guessing.
    let mut guesser = stage.browser();
    for status in [401, 401, 401, 401] {
        let page = guesser.get("/sign-in").await;
        let phone = crate::support::phone(1);
        assert_eq!(guesser.submit(&page, "/sign-in", &[("phone", &phone), ("pin", "0000")]).await.status, status);
    }
    let page = guesser.get("/sign-in").await;
    let locked = guesser.submit(&page, "/sign-in", &[("phone", &crate::support::phone(1)), ("pin", PIN)]).await;
    assert_eq!(locked.status, 401, "locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_opened_for_a_reason_and_the_log_tells() {
    let stage = Stage::empty().await;
    let person = stage.person(1).await;
    let mut borrower = stage.borrower(1).await;
    let page = borrower.get("/me/apply?product=stock&amount=10000&instalments=3").await;
    borrower.submit(&page, "/me/apply", &[("purpose", "stock")]).await;
    let mut officer = stage.staff("officer").await;
    let path = loan_path(&officer.get("/officer").await.text);
    let page = officer.get(&path).await;
    assert!(!page.text.contains(NAME));
    let opened = officer.submit(&page, &format!("{path}/open"), &[("reason", "complaint")]).await;
    assert!(opened.text.contains(NAME) && opened.text.contains(PHONES), "{}", opened.text);
    assert!(!officer.get(&path).await.text.contains(NAME), "only that once");
    let log = stage.client.get("auditor", "/v1/audit?limit=500").await;
    let opening = log
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["actor"] == "officer-1" && record["action"] == "person.reveal");
    assert!(opening.into_iter().any(|record| record["subject"] == person && record["detail"] == "name: complaint"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_sees_every_figure_rebuilt() {
    let stage = Stage::seeded().await;
    let mut auditor = stage.staff("auditor").await;
    // Before the page: accounts may be added meanwhile, and never go.
    let accounts = stage.client.get("auditor", "/v1/accounts").await;
    let books = auditor.get("/audit").await.text;
    assert!(books.contains("class=\"notice good\"") && !books.contains("class=\"bad\""), "{books}");
    for line in accounts.as_array().unwrap() {
        assert!(books.contains(line["account"].as_str().unwrap()), "{line}");
    }
    let days = auditor.get("/audit/days").await.text;
    assert!(days.contains("/audit/journal?from=1\""), "{days}");
    assert!(auditor.get("/audit/journal/1").await.text.contains("class=\"notice good\""));
    assert_eq!(auditor.get("/audit/journal/999999").await.status, 404);

    // Everybody sees the pool, as twelve have borrowed; the portfolio at risk is that of the service.
    let portfolio = stage.client.get("auditor", "/v1/portfolio?currency=KES").await;
    let figures = stage.browser().get("/figures").await.text;
    for name in ["par1_percent", "par30_percent", "par90_percent"] {
        let percent = portfolio[name].as_str().unwrap();
        assert!(figures.contains(&format!(">{percent}%<")), "{name} {percent}");
    }
    assert_ne!(portfolio["par1_percent"], "0.00", "somebody is late");
}
