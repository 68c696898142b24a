//! The rules of the house that no compiler checks: who may use whom, what a folder is called, how a file begins, what
//! no file may say, and which licences the dependencies may have.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Folder of a crate, and the folders whose packages it may depend on. `rpc` reaches `exec` and `state` through what
/// `chain` re-exports, so that there is one way in.
const MAY_USE: [(&str, &[&str]); 27] = [
    ("crates/types", &[]),
    ("crates/keccak", &[]),
    ("crates/exec", &["types"]),
    ("crates/state", &["types", "keccak"]),
    ("crates/pool", &["types"]),
    ("crates/signatures", &["types", "keccak"]),
    ("crates/chain", &["types", "keccak", "exec", "state", "pool", "signatures"]),
    ("crates/consensus", &["types", "chain", "pool"]),
    ("crates/ingest", &["types"]),
    ("crates/light", &[]),
    ("crates/rpc", &["types", "chain", "pool", "signatures"]),
    ("crates/interleave", &["types"]),
    ("crates/model", &[]),
    ("crates/sim", &["types", "exec", "state", "pool", "chain", "consensus"]),
    ("crates/suite", &[]),
    ("crates/bench", &["types", "exec", "state", "chain", "suite"]),
    ("apps/microloans/arithmetic", &[]),
    ("apps/microloans/calculator", &["microloans-arithmetic"]),
    (
        "apps/microloans/faces",
        &[
            "microloans-arithmetic",
            "microloans-chain",
            "microloans-ledger",
            "microloans-rails",
            "microloans-service",
            "microloans-ussd",
        ],
    ),
    ("apps/microloans/chain", &[]),
    ("apps/microloans/ledger", &["microloans-arithmetic"]),
    ("apps/microloans/rails", &["microloans-arithmetic"]),
    (
        "apps/microloans/service",
        &["microloans-arithmetic", "microloans-chain", "microloans-ledger", "microloans-rails", "microloans-ussd"],
    ),
    ("apps/microloans/simulator", &[]),
    ("apps/microloans/ussd", &["microloans-arithmetic", "microloans-rails"]),
    ("apps/risk", &[]),
    (
        "bin/braid",
        &[
            "types",
            "exec",
            "state",
            "pool",
            "chain",
            "rpc",
            "bench",
            "consensus",
            "ingest",
            "light",
            "signatures",
            "suite",
            "microloans-calculator",
            "microloans-faces",
            "microloans-ledger",
            "microloans-rails",
            "microloans-service",
            "microloans-simulator",
        ],
    ),
];

/// Folders that are built or installed, not written.
const NOT_OURS: [&str; 6] = [".git", "target", "node_modules", "corpus", "artifacts", "coverage"];

/// Parts of words, so that this file does not contain what it looks for.
const FORBIDDEN: [(&str, &str); 8] = [
    ("/work", "/"),
    ("/root", "/"),
    ("/home", "/"),
    ("registry.", "npmjs"),
    ("pypi.", "org"),
    ("files.python", "hosted"),
    ("todo", "!("),
    ("unimplemented", "!("),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

fn manifest(folder: &Path) -> toml::Table {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every member of the workspace, as its folder from the root.
fn members() -> BTreeSet<String> {
    let root = root();
    let mut found = BTreeSet::new();
    for group in ["crates", "bin", "apps", "apps/microloans"] {
        for entry in fs::read_dir(root.join(group)).unwrap() {
            let path = entry.unwrap().path();
            if path.join("Cargo.toml").exists() {
                found.insert(format!("{group}/{}", path.file_name().unwrap().to_string_lossy()));
            }
        }
    }
    found
}

/// Names of the packages of this workspace that `table` of a manifest lists.
fn own_dependencies(manifest: &toml::Table, table: &str) -> BTreeSet<String> {
    let listed = manifest.get(table).and_then(toml::Value::as_table);
    let names = listed.into_iter().flat_map(toml::Table::keys);
    names.filter(|name| name.starts_with("braid")).cloned().collect()
}

/// Every file that somebody wrote.
fn files() -> Vec<PathBuf> {
    let mut folders = vec![root()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !NOT_OURS.iter().any(|other| name == *other) {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_crate_uses_only_what_it_may() {
    let table: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let listed: BTreeSet<String> = table.keys().map(|folder| (*folder).to_owned()).collect();
    assert_eq!(members(), listed, "the table and the folders agree");
    for (folder, may_use) in table {
        let manifest = manifest(&root().join(folder));
        let allowed: BTreeSet<String> = may_use.iter().map(|name| format!("braid-{name}")).collect();
        for section in ["dependencies", "build-dependencies"] {
            let used = own_dependencies(&manifest, section);
            let excess: Vec<_> = used.difference(&allowed).collect();
            assert!(excess.is_empty(), "{folder} may not use {excess:?}");
        }
        assert!(!manifest.contains_key("target"), "{folder} has dependencies that this test does not read");
    }
}

#[test]
fn a_folder_has_its_packages_name_and_the_lints_of_all() {
    for folder in members() {
        let manifest = manifest(&root().join(&folder));
        let named = folder.strip_prefix("crates/").or_else(|| folder.strip_prefix("apps/"));
        let expected = match named {
            Some(name) => format!("braid-{}", name.replace('/', "-")),
            None => folder.replace("bin/", ""),
        };
        assert_eq!(manifest["package"]["name"].as_str(), Some(expected.as_str()), "{folder}");
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(lints.and_then(toml::Value::as_bool), Some(true), "{folder} follows the workspace's lints");
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    let sources = files().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let silent: Vec<_> = sources
        .filter(|path| !fs::read_to_string(path).unwrap().trim_start_matches("#![no_main]\n").starts_with("//!"))
        .map(|path| relative(&path))
        .collect();
    assert!(silent.is_empty(), "these do not open with //!: {silent:?}");
}

#[test]
fn no_file_names_a_machine_or_leaves_a_gap() {
    let mut found = Vec::new();
    for path in files() {
        // Not text: a fixture. What git ignores beside these is not there in a fresh checkout.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (start, end) in FORBIDDEN {
            let word = format!("{start}{end}");
            if text.contains(&word) {
                found.push(format!("{} contains {word}", relative(&path)));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn dependencies_come_from_the_registry_under_licences_we_may_use() {
    let deny: toml::Table = fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap();
    let allowed: BTreeSet<&str> =
        deny["licenses"]["allow"].as_array().unwrap().iter().map(|licence| licence.as_str().unwrap()).collect();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "the list is complete");
    let mut refused = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let is_own = package["source"].is_null();
        if !is_own && !package["source"].as_str().is_some_and(|source| source.starts_with("registry+")) {
            refused.push(format!("{name} does not come from the registry"));
        }
        let licence = package["license"].as_str().unwrap_or("none");
        if !is_permitted(licence, &allowed) {
            refused.push(format!("{name}: {licence}"));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

/// Whether an SPDX expression leaves a choice that is allowed. Reads what occurs: AND, OR, WITH, parentheses, and the
/// older slash for OR.
fn is_permitted(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut position = 0;
    let permitted = any_of(&tokens, &mut position, allowed);
    permitted && position == tokens.len()
}

fn any_of(tokens: &[&str], position: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut permitted = all_of(tokens, position, allowed);
    while tokens.get(*position) == Some(&"OR") {
        *position += 1;
        permitted |= all_of(tokens, position, allowed);
    }
    permitted
}

fn all_of(tokens: &[&str], position: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut permitted = one(tokens, position, allowed);
    while tokens.get(*position) == Some(&"AND") {
        *position += 1;
        permitted &= one(tokens, position, allowed);
    }
    permitted
}

fn one(tokens: &[&str], position: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let Some(token) = tokens.get(*position) else { return false };
    *position += 1;
    if *token == "(" {
        let permitted = any_of(tokens, position, allowed);
        *position += 1;
        return permitted;
    }
    if tokens.get(*position) == Some(&"WITH") {
        let name = format!("{token} WITH {}", tokens.get(*position + 1).unwrap_or(&""));
        *position += 2;
        return allowed.contains(name.as_str()) || allowed.contains(token);
    }
    allowed.contains(token)
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Unicode-3.0"]);
    for good in
        ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-3.0", "(MIT OR GPL-2.0) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(is_permitted(good, &allowed), "{good}");
    }
    for bad in ["none", "", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR GPL-2.0) AND GPL-3.0", "MIT GPL-3.0"] {
        assert!(!is_permitted(bad, &allowed), "{bad}");
    }
}
