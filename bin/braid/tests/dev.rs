//! The built node from start to stop: first screen, pages, signals, restart, and what refuses to start.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A node that is killed if the test ends early.
struct Node {
    child: Child,
    address: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have stopped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn braid(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_braid"));
    command.args(args).env_clear();
    command
}

impl Node {
    /// Starts a node on a free port and waits for its first screen.
    fn start(args: &[&str]) -> Self {
        let mut command = braid(&[&["dev", "--port", "0"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.filter_map(|line| Some(line.split_once("http://")?.1.to_owned())).next();
        let Some(address) = url else { panic!("the node ended without a first screen") };
        Self { child, address }
    }

    /// Sends an HTTP/1.1 request and returns status line, headers and body.
    fn http(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn call(&self, method: &str, params: &str) -> serde_json::Value {
        let answer =
            self.http("POST /", &format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap()["result"].clone()
    }

    /// Sends a signal and returns the exit code.
    fn stop(mut self, signal: &str) -> Option<i32> {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap().code()
    }
}

fn stats(datadir: &Path) -> serde_json::Value {
    let output = braid(&["db", "stats", "--json", "--datadir", datadir.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_chain_goes_on_after_each_kind_of_end() {
    let dir = tempfile::tempdir().unwrap();
    let datadir = dir.path().join("chain");
    let args = ["--datadir", datadir.to_str().unwrap()];
    let mut hash = serde_json::Value::Null;
    for (height, signal) in ["-TERM", "-INT", "-KILL", "-TERM"].into_iter().enumerate() {
        let node = Node::start(&args);
        assert_eq!(node.call("eth_blockNumber", "[]"), format!("{height:#x}"));
        if height > 0 {
            assert_eq!(node.call("eth_getBlockByNumber", r#"["latest",false]"#)["hash"], hash);
        }
        node.call("evm_mine", "[]");
        hash = node.call("eth_getBlockByNumber", r#"["latest",false]"#)["hash"].clone();
        let code = node.stop(signal);
        assert_eq!(code, if signal == "-KILL" { None } else { Some(0) }, "{signal}");
    }
    let stats = stats(&datadir);
    assert_eq!((&stats["head"], &stats["checkpoint"]), (&4.into(), &4.into()));
}

#[test]
fn pages_answer_beside_json_rpc() {
    let node = Node::start(&["--accounts", "2"]);
    assert!(node.http("GET /health", "").starts_with("HTTP/1.1 200"));
    assert!(node.http("GET /ready", "").starts_with("HTTP/1.1 200"));
    node.call("evm_mine", "[]");
    let metrics = node.http("GET /metrics", "");
    for line in ["braid_block_height 1", "braid_blocks_total 1", r#"braid_rpc_calls_total{method="evm_mine""#] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    assert_eq!(node.call("eth_accounts", "[]").as_array().unwrap().len(), 2);
    assert_eq!(node.stop("-TERM"), Some(0));
}

#[test]
fn what_is_taken_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let datadir = dir.path().to_str().unwrap();
    let node = Node::start(&["--datadir", datadir]);
    let port = node.address.rsplit_once(':').unwrap().1;
    for (args, reason) in [
        (["dev", "--port", port, "--quiet"].as_slice(), "is in use by another program"),
        (&["dev", "--port", "0", "--datadir", datadir], "is in use by another process"),
        (&["db", "stats", "--datadir", datadir], "is in use by another process"),
    ] {
        let output = braid(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {error}");
        assert!(error.contains(reason), "{args:?}: {error}");
    }
}

#[test]
fn a_node_without_directory_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = braid(&["dev", "--port", "0"]);
    let mut child =
        command.env("TMPDIR", temporary.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("Ctrl-C stops")));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}
