//! The command line of the built binary: help, configuration by flag, environment and file, exit codes.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

/// Runs `braid` with these arguments and no environment but `env`.
fn braid(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_braid"));
    command.args(args).env_clear().envs(env.iter().copied());
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_and_version_exit_with_success() {
    for args in [["--help"].as_slice(), &["-h"], &["--version"], &["dev", "--help"], &["db", "stats", "--help"]] {
        let output = braid(args, &[]);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(stdout(&output).contains("braid"), "{args:?}");
    }
}

#[test]
fn every_command_explains_itself() {
    let top = stdout(&braid(&["--help"], &[]));
    for command in [
        "dev",
        "statetest",
        "blocktest",
        "replay",
        "rpctest",
        "import",
        "export",
        "db",
        "microloans",
        "mobile-money-sim",
    ] {
        assert!(top.contains(command), "{command} is missing in {top}");
        assert_eq!(braid(&[command, "--help"], &[]).status.code(), Some(0), "{command}");
    }
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "port = 1\nchain-id = 2\naccounts = 3\n").unwrap();
    let path = file.path().to_str().unwrap();
    let env = [("BRAID_PORT", "11"), ("BRAID_CHAIN_ID", "12"), ("BRAID_CONFIG", path)];
    // Flags without a command belong to dev.
    for args in [["--port", "21", "--print-config"].as_slice(), &["dev", "--port", "21", "--print-config"]] {
        let output = braid(args, &env);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.contains("\nport = 21 # flag\n"), "{text}");
        assert!(text.contains("\nchain-id = 12 # environment\n"), "{text}");
        assert!(text.contains(&format!("\naccounts = 3 # file {path}\n")), "{text}");
        assert!(text.contains("\ngas-limit = 30000000 # default\n"), "{text}");
    }
}

#[test]
fn what_cannot_be_followed_exits_with_two_and_says_why() {
    let bad = [
        (vec!["--port", "x"], vec![], "--port"),
        (vec![], vec![("BRAID_PORT", "x")], "--port"),
        (vec![], vec![("BRAID_CONFIG", "/nonexistent.toml")], "/nonexistent.toml"),
        (vec!["--no-such-flag"], vec![], "--no-such-flag"),
        (vec!["no-such-command"], vec![], "no-such-command"),
    ];
    for (args, env, mention) in bad {
        let output = braid(&args, &env);
        assert_eq!(output.status.code(), Some(2), "{args:?} {env:?}");
        assert!(stderr(&output).contains(mention), "{args:?} {env:?}: {}", stderr(&output));
    }
}

#[test]
fn a_failure_exits_with_one() {
    let output = braid(&["db", "stats", "--datadir", "/nonexistent"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nonexistent is not a data directory"), "{}", stderr(&output));
}

/// Runs `braid microloans` with a request on standard input.
fn calculate(command: &str, request: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_braid"))
        .args(["microloans", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn loans_are_calculated_from_standard_input() {
    let request = r#"{"principal":"1000","currency":"KES","annual_rate_percent":"0","method":"declining","disbursed":"2024-01-01",
        "first_due":"2024-02-01","every":"1 month","instalments":4}"#;
    let output = calculate("schedule", request);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["instalments"][3]["total"], &answer["pay_off"]), (&"250.00".into(), &"1000.00".into()));
    let output = calculate(
        "apr",
        r#"{"unit_periods_per_year":12,"advances":[{"amount":"5000"}],"payments":[{"t":1,"amount":"230","count":24}]}"#,
    );
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer, serde_json::json!({ "apr_percent": "9.69", "effective_percent": "10.13" }));
    for (command, request, reason) in
        [("schedule", "{", "cannot be read"), ("apr", "{}", "unit_periods_per_year is missing")]
    {
        let output = calculate(command, request);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{command} {request}");
        assert!(stderr(&output).starts_with("error: ") && stderr(&output).contains(reason), "{}", stderr(&output));
    }
}
