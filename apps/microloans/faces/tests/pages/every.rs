//! Every page in every language, from seeded books: size, language, labels, headers, and nobody's data.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use crate::support::{Answer, NAME, NATIONAL_ID, PHONES, Stage, attribute};

const LANGUAGES: [&str; 6] = ["en", "sw", "ha", "yo", "tw", "hi"];
/// The promise of every page.
const MAX_BYTES: usize = 100_000;

/// What every page has, whatever it is about.
fn check(path: &str, language: &str, page: &Answer) {
    let Answer { status, text, headers, .. } = page;
    let place = format!("{path} in {language}");
    assert_eq!(*status, 200, "{place}: {text}");
    assert!(text.len() < MAX_BYTES, "{place} has {} bytes", text.len());
    assert!(text.contains(&format!("<html lang=\"{language}\">")), "{place}");
    assert_eq!(text.matches("<h1>").count(), 1, "{place}");
    assert!(text.contains("name=\"viewport\"") && text.contains("<main id=\"content\">"), "{place}");
    assert!(!text.contains("<script") && !text.contains(" style=") && !text.contains("javascript:"), "{place}");
    assert!(!text.contains("http://") && !text.contains("https://"), "{place} loads or names something elsewhere");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{place}: {policy}");
    assert_eq!(headers["cache-control"], "no-store", "{place}");
    assert_eq!(headers["x-content-type-options"], "nosniff", "{place}");
    // A value that was not put in would leave its braces.
    assert!(!text.contains('{') && !text.contains('}'), "{place}: a value is missing");
    labelled(&place, text);
    headings(&place, text);
}

/// Every control has a label: its own, or one around it.
fn labelled(place: &str, text: &str) {
    for control in text.split('<').filter(|tag| tag.starts_with("input") || tag.starts_with("select")) {
        let (kind, id) = (attribute(control, "type"), attribute(control, "id"));
        if kind == "hidden" {
            continue;
        }
        let has_label = !id.is_empty() && text.contains(&format!("<label for=\"{id}\">"));
        let is_inside = text.contains(&format!("<label class=\"choice\"><{}", &control[..control.find('>').unwrap()]));
        assert!(has_label || is_inside, "{place}: {control} has no label");
        let hint = attribute(control, "aria-describedby");
        assert!(hint.is_empty() || text.contains(&format!("id=\"{hint}\"")), "{place}: {control}");
    }
    for (at, _) in text.match_indices("<svg") {
        let tag = &text[at..at + text[at..].find('>').unwrap()];
        assert!(tag.contains("role=\"img\"") && !attribute(tag, "aria-label").is_empty(), "{place}: {tag}");
    }
}

/// Ids are of one element each.
fn headings(place: &str, text: &str) {
    let mut ids: Vec<&str> = text.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{place}: an id is there twice");
}

fn is_about_nobody(path: &str, text: &str) {
    for canary in [NAME, NATIONAL_ID, PHONES] {
        assert!(!names(text, canary), "{path} contains {canary}");
    }
}

/// Whether a text holds a value by itself: eight digits may stand within a hash by chance.
fn names(text: &str, value: &str) -> bool {
    let is_hex = |c: Option<char>| c.is_some_and(|c| c.is_ascii_hexdigit());
    text.match_indices(value).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        // What follows a number's beginning is the rest of the number.
        let after = if value == PHONES { None } else { text[at + value.len()..].chars().next() };
        !is_hex(before) && !is_hex(after)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_in_every_language() {
    let stage = Stage::seeded().await;
    let mut rendered = 0;
    for language in LANGUAGES {
        let mut stranger = stage.browser();
        for path in [
            "/",
            "/learn",
            "/learn/cost",
            "/learn/risk",
            "/learn/safety",
            "/learn/rights",
            "/figures",
            "/lend",
            "/sign-in",
            "/staff",
        ] {
            let page = stranger.get(&format!("{path}?lang={language}")).await;
            check(path, language, &page);
            is_about_nobody(path, &page.text);
            rendered += 1;
        }
        rendered += borrowers_pages(&stage, language).await;
        rendered += staff_pages(&stage, language).await;
    }
    assert!(rendered > 200, "{rendered} pages");
}

async fn borrowers_pages(stage: &Stage, language: &str) -> usize {
    let mut rendered = 0;
    // 0 is late, 5 has paid, 20 to 23 are asked for, under review, offered and refused.
    for number in [0, 5, 20, 21, 22, 23] {
        let mut browser = stage.borrower(number).await;
        let mut paths = vec!["/me".to_owned(), "/me/apply".to_owned(), "/me/pay".to_owned(), "/me/receipts".to_owned()];
        let me = browser.get("/me").await.text;
        paths.extend(
            me.split("href=\"")
                .map(|rest| rest.split('"').next().unwrap())
                .filter(|path| path.starts_with("/me/statement/"))
                .map(str::to_owned),
        );
        let receipts = browser.get("/me/receipts").await.text;
        paths.extend(
            receipts
                .split("href=\"")
                .map(|rest| rest.split('"').next().unwrap())
                .filter(|path| path.starts_with("/me/receipts/"))
                .map(str::to_owned),
        );
        if number == 22 {
            paths.push("/me/offer".to_owned());
        }
        if number == 23 {
            paths.push("/me/apply?product=stock&amount=5000&instalments=3&x".to_owned());
        }
        if number == 5 {
            assert!(paths.len() >= 6, "a statement and a receipt: {paths:?}");
        }
        for path in paths {
            let join = if path.contains('?') { '&' } else { '?' };
            let page = browser.get(&format!("{path}{join}lang={language}")).await;
            check(&path, language, &page);
            // One's own name stands on the statement only, and the number nowhere.
            assert!(!names(&page.text, PHONES) && !names(&page.text, NATIONAL_ID), "{path}");
            assert_eq!(page.text.contains(NAME), path.starts_with("/me/statement/"), "{path}");
            assert!(!page.headers.contains_key("location"));
            rendered += 1;
        }
    }
    rendered
}

async fn staff_pages(stage: &Stage, language: &str) -> usize {
    let mut rendered = 0;
    for role in ["officer", "approver", "treasurer", "operator"] {
        let mut browser = stage.staff(role).await;
        let queue = browser.get("/officer").await.text;
        let mut paths: Vec<String> =
            ["/officer", "/officer/approvals", "/officer/collections", "/officer/money"].map(str::to_owned).to_vec();
        let late = browser.get("/officer/collections").await.text;
        let loans = [&queue, &late]
            .into_iter()
            .flat_map(|text| text.split("href=\""))
            .map(|rest| rest.split('"').next().unwrap());
        paths.extend(loans.filter(|path| path.starts_with("/officer/loans/")).map(str::to_owned));
        assert!(paths.len() > 8, "loans that wait and loans that are late: {paths:?}");
        for path in paths {
            let page = browser.get(&format!("{path}?lang={language}")).await;
            check(&path, language, &page);
            is_about_nobody(&path, &page.text);
            rendered += 1;
        }
    }
    let mut auditor = stage.staff("auditor").await;
    for path in ["/audit", "/audit/days", "/audit/journal", "/audit/journal/1", "/audit/log"] {
        let page = auditor.get(&format!("{path}?lang={language}")).await;
        check(path, language, &page);
        is_about_nobody(path, &page.text);
        rendered += 1;
    }
    rendered
}
