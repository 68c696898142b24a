//! A read view of chain and pool as Ethereum JSON-RPC.
