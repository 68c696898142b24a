//! SIGINT (Ctrl-C) and SIGTERM.

use eyre::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a process that a second Ctrl-C ended: 128 + SIGINT.
pub(crate) const KILLED: i32 = 130;

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

    /// Waits for the next one; its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
