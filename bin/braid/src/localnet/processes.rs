//! The nodes of a local network as processes: their output with names in front, their ends reported, all stopped together.
//!
//! Each child has a pipe for its standard input and stops in order when that is closed, be it on purpose or because this
//! process is gone, however it went. Children have process groups of their own, so that Ctrl-C reaches this process alone.

use std::{
    io::{BufRead, BufReader, Read, Write, stdout},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use eyre::{Context, bail};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::files::{Files, NodeFiles};
use crate::signals::Signals;

/// How long nodes may take to stop before they are killed: longer than what they give their own requests.
const GRACE: Duration = Duration::from_secs(30);

/// How often a node is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);

/// A node that runs.
#[derive(Debug)]
struct Running {
    name: String,
    child: Child,
    /// Closing it stops the node.
    stdin: Option<ChildStdin>,
}

/// Runs all nodes until a signal, or until none is left. Prints `screen` once they have been started.
///
/// # Errors
/// If one cannot be started, or all have ended by themselves.
pub(super) fn run(files: &Files, screen: impl FnOnce() -> String) -> eyre::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.wrap_err("failed to start the runtime")?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let (lines, printed) = unbounded_channel();
        let printer = thread::spawn(move || print_lines(printed));
        let mut nodes = Vec::new();
        for node in &files.nodes {
            match start(node, &lines) {
                Ok(running) => nodes.push(running),
                Err(error) => {
                    stop(nodes, &lines, &mut signals).await;
                    return Err(error);
                }
            }
        }
        let _ = lines.send(screen());
        let outcome = watch(&mut nodes, &lines, &mut signals).await;
        stop(nodes, &lines, &mut signals).await;
        drop(lines);
        // It ends when the last pipe is closed.
        let _ = printer.join();
        outcome
    })
}

fn start(node: &NodeFiles, lines: &UnboundedSender<String>) -> eyre::Result<Running> {
    let program = std::env::current_exe().wrap_err("failed to find this program")?;
    let mut command = Command::new(program);
    command.args(["node", "--quiet", "--stop-with-stdin", "--config"]).arg(&node.config);
    // Settings of the environment would be those of all nodes.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BRAID_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().wrap_err_with(|| format!("failed to start {}", node.name))?;
    let stdin = child.stdin.take();
    forward(&node.name, child.stdout.take(), lines);
    forward(&node.name, child.stderr.take(), lines);
    Ok(Running { name: node.name.clone(), child, stdin })
}

/// Sends the lines of a pipe to the printer, with a name in front, until it is closed.
fn forward(name: &str, pipe: Option<impl Read + Send + 'static>, lines: &UnboundedSender<String>) {
    let (name, lines) = (name.to_owned(), lines.clone());
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line);
            if lines.send(format!("{name:<12} | {}\n", text.trim_end())).is_err() {
                return;
            }
            line.clear();
        }
    });
}

fn print_lines(mut lines: UnboundedReceiver<String>) {
    let mut stdout = stdout();
    while let Some(text) = lines.blocking_recv() {
        // A reader that closed the pipe is no reason to stop.
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }
}

/// Reports nodes that end, until a signal or until none is left.
async fn watch(nodes: &mut Vec<Running>, lines: &UnboundedSender<String>, signals: &mut Signals) -> eyre::Result<()> {
    let total = nodes.len();
    loop {
        tokio::select! {
            name = signals.next() => {
                let _ = lines.send(format!("{name}: stopping {} nodes\n", nodes.len()));
                return Ok(());
            }
            () = tokio::time::sleep(POLL) => {}
        }
        let mut ended = Vec::new();
        for (index, node) in nodes.iter_mut().enumerate() {
            if let Some(status) = node.child.try_wait().wrap_err_with(|| node.name.clone())? {
                ended.push((index, status));
            }
        }
        for (index, status) in ended.into_iter().rev() {
            let node = nodes.remove(index);
            let _ = lines.send(format!(
                "{} ended with {}; {} of {total} nodes go on\n",
                node.name,
                describe(status),
                nodes.len()
            ));
        }
        if nodes.is_empty() {
            bail!("no node is left");
        }
    }
}

/// Stops all nodes in order and waits for them; kills those that take too long, or all after another signal.
async fn stop(mut nodes: Vec<Running>, lines: &UnboundedSender<String>, signals: &mut Signals) {
    for node in &mut nodes {
        node.stdin = None;
    }
    let all = wait_all(&mut nodes, lines);
    let in_time = tokio::select! {
        () = all => true,
        _ = signals.next() => false,
        () = tokio::time::sleep(GRACE) => false,
    };
    if in_time {
        return;
    }
    for node in &mut nodes {
        if matches!(node.child.try_wait(), Ok(None)) {
            let _ = lines.send(format!("{} does not stop and is killed\n", node.name));
            let killed = node.child.kill().and_then(|()| node.child.wait());
            if let Err(error) = killed {
                let _ = lines.send(format!("{}: {error}\n", node.name));
            }
        }
    }
}

async fn wait_all(nodes: &mut [Running], lines: &UnboundedSender<String>) {
    for node in nodes {
        loop {
            match node.child.try_wait() {
                Ok(None) => tokio::time::sleep(POLL).await,
                Ok(Some(status)) if status.success() => break,
                Ok(Some(status)) => {
                    let _ = lines.send(format!("{} ended with {}\n", node.name, describe(status)));
                    break;
                }
                Err(_) => break,
            }
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}
