//! SIGINT (Ctrl-C) and SIGTERM.

use std::process;

use eyre::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a process that a second Ctrl-C ended: 128 + SIGINT.
const KILLED: i32 = 130;

/// The signals that ask a process to stop.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the system does not let it.
    pub(crate) fn listen() -> eyre::Result<Self> {
        let listen = |kind| signal(kind).wrap_err("failed to listen to signals");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Ends the process at once when another one comes, while it stops in order.
    pub(crate) fn exit_on_next(mut self) {
        tokio::spawn(async move {
            self.next().await;
            process::exit(KILLED);
        });
    }

    /// Waits for the next one; its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
