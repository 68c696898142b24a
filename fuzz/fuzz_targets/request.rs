//! A JSON-RPC request to a node with a few blocks; see `braid_fuzz::request`.
#![no_main]

use std::sync::LazyLock;

static NODE: LazyLock<braid_fuzz::Node> = LazyLock::new(braid_fuzz::Node::start);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| braid_fuzz::request(&NODE, bytes));
