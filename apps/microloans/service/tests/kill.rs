//! The service is killed with SIGKILL at every step of a payout, and started again: the books end as those of a calm run, and the provider
//! has paid once.
//!
//! The test starts itself once more as the process that is killed. The provider's books are a file, which outlives it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use braid_microloans_ledger::inspect;
use braid_microloans_service::{
    Clock,
    worker::{Step, Watch},
};
use support::{Answer, Client, Till};

/// Tells the process that is killed what to do.
const FOLDER: &str = "BRAID_TEST_KILL_FOLDER";
const STEP: &str = "BRAID_TEST_KILL_STEP";
const FAULT: &str = "BRAID_TEST_KILL_FAULT";

/// Said by the process at the step where it is to be killed.
const REACHED: &str = "the step is reached";
/// Said before the digest of the books.
const DIGEST: &str = "digest ";

fn step_name(step: Step) -> String {
    format!("{step:?}")
}

fn fault(name: &str) -> Option<Answer> {
    [Answer::TakeSilently, Answer::LoseOrder, Answer::Unreachable]
        .into_iter()
        .find(|fault| format!("{fault:?}") == name)
}

/// Starts the process, and kills it at the step if it gets there. Returns the digest of its books if it ended by itself.
fn run(folder: &Path, step: &str, fault: &str) -> Option<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "the_process_that_is_killed", "--nocapture"]);
    command.env(FOLDER, folder).env(STEP, step).env(FAULT, fault).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut digest = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains(REACHED) {
            // SIGKILL, on every Unix.
            child.kill().unwrap();
        }
        if let Some((_, text)) = line.split_once(DIGEST) {
            digest = Some(text.to_owned());
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(status.success(), digest.is_some(), "{step} {fault}: {status}");
    digest
}

#[test]
fn the_books_are_those_of_a_calm_run() {
    let calm = tempfile::tempdir().unwrap();
    let calm = run(calm.path(), "", "").unwrap();
    assert!(calm.contains("loans active"), "{calm}");
    std::thread::scope(|scope| {
        for fault in ["", "TakeSilently", "LoseOrder"] {
            let calm = &calm;
            scope.spawn(move || {
                for step in Step::ALL {
                    let folder = tempfile::tempdir().unwrap();
                    let step = step_name(step);
                    assert_eq!(run(folder.path(), &step, fault), None, "{step} {fault} is not reached");
                    let digest = run(folder.path(), "", fault);
                    assert_eq!(digest.as_ref(), Some(calm), "killed at {step} {fault}");
                    let till = Till::new(folder.path());
                    assert_eq!(till.lines().len(), 1, "killed at {step} {fault}: {:?}", till.lines());
                }
            });
        }
    });
}

#[test]
#[ignore = "it is started by the other test"]
fn the_process_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(live(Path::new(&folder)));
}

async fn live(folder: &Path) {
    let database = format!("sqlite://{}?mode=rwc", folder.join("books.sqlite").display());
    let is_first = !folder.join("books.sqlite").exists();
    let config = support::write_config(folder, &database);
    let till = Till::new(folder);
    if let Some(fault) = fault(&std::env::var(FAULT).unwrap()).filter(|_| is_first) {
        till.answers.lock().unwrap().push_back(fault);
    }
    let app = support::open(&config, &till, Clock::System, watch(std::env::var(STEP).unwrap())).await;
    let ledger = app.ledger.clone();
    let client = support::start(app).await;
    let id = loan(&client, is_first).await;
    client.until(&id, "active").await;
    wait_for_an_empty_outbox(&client).await;
    let mut read = ledger.read().await.unwrap();
    let inspection = inspect::inspect(&mut read).await.unwrap();
    assert!(inspection.holds(), "{inspection:#?}");
    let digest = inspect::digest(&mut read).await.unwrap();
    println!("{DIGEST}{}", serde_json::to_string(&digest).unwrap());
}

/// At the step, says so and waits for the end.
fn watch(at: String) -> Watch {
    let said = AtomicBool::new(false);
    Watch::new(move |step| {
        if step_name(step) == at && !said.swap(true, Ordering::SeqCst) {
            println!("{REACHED}");
            std::io::stdout().flush().unwrap();
            loop {
                std::thread::park();
            }
        }
    })
}

/// The one loan: made at the first start, found at the second.
async fn loan(client: &Client, is_first: bool) -> String {
    if is_first {
        client.deposit("50000", "bank-1").await;
        return client.accepted("+254700000001").await["id"].as_str().unwrap().to_owned();
    }
    for state in ["accepted", "funded", "disbursing", "disbursement_unknown", "active"] {
        let loans = client.get("auditor", &format!("/v1/loans?state={state}")).await;
        if let Some(loan) = loans.as_array().unwrap().first() {
            return loan["id"].as_str().unwrap().to_owned();
        }
    }
    panic!("the loan is gone");
}

async fn wait_for_an_empty_outbox(client: &Client) {
    for _ in 0..6_000 {
        let metrics = client.get("auditor", "/metrics").await;
        if metrics.as_str().unwrap().contains("braid_loans_outbox 0") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the outbox is not empty after two minutes");
}
