//! Precedence, errors and round trips of the settings.

use std::{ffi::OsString, io::Write};

use clap::{CommandFactory, Error, error::ErrorKind};

use super::{
    DevSettings,
    layers::{Resolved, Source, resolve},
};
use crate::cli::Cli;

/// Resolves flags against the real command, without the environment of whoever runs the tests. What the environment does
/// is tested on the binary, in `tests/cli.rs`.
fn resolve_with(args: &[&str]) -> Result<Resolved<DevSettings>, Error> {
    let command = Cli::command().mut_subcommand("dev", |dev| dev.mut_args(|arg| arg.env(None::<&'static str>)));
    let args: Vec<OsString> = ["braid", "dev"].iter().chain(args).map(OsString::from).collect();
    resolve(&command, &args)
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

#[test]
fn defaults_hold_where_nothing_is_set() {
    let resolved = resolve_with(&[]).unwrap();
    assert_eq!(resolved.settings.server.port, 8545);
    assert_eq!(resolved.settings.chain_id, 31_337);
    assert_eq!(resolved.settings.server.cors, ["*"]);
    assert!(resolved.sources.values().all(|source| *source == Source::Default));
}

#[test]
fn flag_beats_file_beats_default() {
    let file = file("port = 1\naccounts = 3\n");
    let resolved = resolve_with(&["--config", path(&file), "--port", "21"]).unwrap();
    let settings = &resolved.settings;
    assert_eq!((settings.server.port, settings.accounts, settings.gas_limit), (21, 3, 30_000_000));
    assert_eq!(resolved.sources["port"], Source::Flag);
    assert_eq!(resolved.sources["accounts"], Source::File(file.path().to_owned()));
    assert_eq!(resolved.sources["gas-limit"], Source::Default);
}

#[test]
fn every_kind_of_toml_value_is_read() {
    let file =
        file("block-time = 0.25\nbalance = 7\ncors = [\"http://a\", \"http://b\"]\nquiet = true\nfork = \"london\"\n");
    let settings = resolve_with(&["--config", path(&file)]).unwrap().settings;
    assert_eq!(settings.block_time.unwrap().0.as_millis(), 250);
    assert_eq!(settings.balance.to_string(), "7");
    assert_eq!(settings.server.cors, ["http://a", "http://b"]);
    assert!(settings.output.quiet);
    assert_eq!(settings.fork.to_string(), "london");
}

#[test]
fn a_flag_can_switch_off_what_the_file_switches_on() {
    let file = file("quiet = true\n");
    assert!(!resolve_with(&["--config", path(&file), "--quiet=false"]).unwrap().settings.output.quiet);
    assert!(resolve_with(&["--quiet"]).unwrap().settings.output.quiet);
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    let file = file("prot = 1\n");
    let error = resolve_with(&["--config", path(&file)]).unwrap_err();
    assert_eq!((error.kind(), error.exit_code()), (ErrorKind::UnknownArgument, 2));
    assert!(error.to_string().contains("unknown setting prot"), "{error}");
}

#[test]
fn the_file_cannot_name_another_file() {
    let file = file("config = \"other.toml\"\n");
    assert_eq!(resolve_with(&["--config", path(&file)]).unwrap_err().kind(), ErrorKind::UnknownArgument);
}

#[test]
fn a_bad_value_in_the_file_is_an_error_that_names_the_file() {
    for text in [
        "port = 70000",
        "port = \"x\"",
        "block-time = 0",
        "mnemonic = \"test\"",
        "port = [1, 2]",
        "fork = {}",
        "log-level = \"bogus\"",
        "rpc-max-batch = 0",
    ] {
        let file = file(text);
        let error = resolve_with(&["--config", path(&file)]).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{text}");
        assert!(error.to_string().contains(path(&file)), "{text}: {error}");
    }
}

#[test]
fn bad_flags_and_files_that_are_not_there_are_errors() {
    let bad = [
        vec!["--port", "x"],
        vec!["--block-time", "0"],
        vec!["--block-time", "NaN"],
        vec!["--block-time", "-1"],
        vec!["--balance", "-1"],
        vec!["--balance", "1e99"],
        vec!["--mnemonic", "test test"],
        vec!["--fork", "amsterdam"],
        vec!["--chain-id", "0"],
        vec!["--threads", "0"],
        vec!["--log-level", "a=b=c"],
        vec!["--log-level", "bogus"],
        vec!["--log-level", ""],
        vec!["--log-level", "info,braid_chain"],
        vec!["--log-level", "info,braid_chain=loud"],
        vec!["--rpc-max-connections", "0"],
        vec!["--rpc-max-batch", "0"],
        vec!["--pool-max-transactions", "0"],
        vec!["--config", "/nonexistent/braid.toml"],
        vec!["--no-mining", "--block-time", "1"],
        vec!["--genesis", "g.json", "--fork", "london"],
    ];
    for args in bad {
        let error = resolve_with(&args).expect_err(&args.join(" "));
        assert_eq!(error.exit_code(), 2, "{args:?}");
    }
}

#[test]
fn a_log_level_is_a_level_or_directives_with_levels() {
    for text in
        ["off", "WARN", "info,braid_chain=debug", "braid_rpc=trace, error", "warn,braid_chain[block{height=1}]=debug"]
    {
        assert_eq!(resolve_with(&["--log-level", text]).unwrap().settings.output.log_level, text);
    }
}

#[test]
fn what_is_printed_reads_back_the_same() {
    let first = resolve_with(&["--block-time", "1.5", "--balance", "0.1", "--fork", "cancun"]).unwrap();
    let command = Cli::command();
    let text = super::print::print(&first, &first.table(&command).unwrap());
    assert!(text.contains("block-time = 1.5 # flag"), "{text}");
    assert!(text.contains("port = 8545 # default"), "{text}");
    assert!(text.contains("# datadir is not set"), "{text}");
    let file = file(&text);
    let second = resolve_with(&["--config", path(&file)]).unwrap();
    assert_eq!(first.table(&command).unwrap(), second.table(&command).unwrap());
}

#[test]
fn a_data_directory_remembers_and_refuses_contradictions() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("dev.toml"), "chain-id = 5\naccounts = 3\n").unwrap();
    let datadir = dir.path().to_str().unwrap();
    let resolved = resolve_with(&["--datadir", datadir, "--accounts", "3"]).unwrap();
    assert_eq!(resolved.settings.chain_id, 5);
    assert_eq!(resolved.sources["chain-id"], Source::DataDirectory);
    assert_eq!(resolved.sources["accounts"], Source::Flag);
    let error = resolve_with(&["--datadir", datadir, "--chain-id", "6"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("chain-id is 6 (from flag)"), "{error}");
}

#[test]
fn flag_and_variable_have_one_name_and_each_has_help() {
    let command = Cli::command();
    let dev = command.find_subcommand("dev").unwrap();
    for arg in dev.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "print_config")) {
        let name = arg.get_long().unwrap();
        let variable = format!("BRAID_{}", name.to_uppercase().replace('-', "_"));
        assert_eq!(arg.get_env().unwrap().to_str().unwrap(), variable);
        assert_eq!(arg.get_id().as_str(), name.replace('-', "_"));
        assert!(arg.get_help().is_some(), "{name} has no help");
    }
    command.debug_assert();
}

#[test]
fn the_sample_configuration_is_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/braid.toml");
    let settings = resolve_with(&["--config", path]).unwrap().settings;
    assert_eq!((settings.history, settings.output.quiet), (Some(100_000), true));
}
