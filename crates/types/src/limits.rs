//! Every bound of the system that is not a flag, in one place. Flags default to these.

/// Largest signed transaction the pool takes, in bytes of its EIP-2718 encoding without blobs (geth: 128 KiB).
pub const MAX_TRANSACTION_SIZE_BYTES: usize = 128 * 1024;

/// Largest blob transaction with its sidecar, in bytes (geth: 1 MiB).
pub const MAX_BLOB_TRANSACTION_SIZE_BYTES: usize = 1024 * 1024;

/// Transactions the pool holds, over all senders.
pub const MAX_POOL_TRANSACTIONS: usize = 200_000;

/// Bytes of transactions the pool holds, over all senders.
pub const MAX_POOL_SIZE_BYTES: usize = 512 * 1024 * 1024;

/// Transactions the pool holds for one sender; also how far a nonce may lie ahead of the account's.
pub const MAX_POOL_TRANSACTIONS_PER_SENDER: usize = 10_000;

/// Transactions that are decoded and checked on their way into the pool at a time. A signature costs some 25 µs, so this is about a
/// second of two cores, and some 30 MB.
pub const MAX_ADMISSION_TRANSACTIONS: usize = 65_536;

/// States before the head that stay readable from memory (balances, proofs) without the disk.
pub const RETAINED_STATES: usize = 256;

/// The same where memory has a limit: a state keeps in memory what later blocks changed.
pub const RETAINED_STATES_IN_BOUNDED_MEMORY: usize = 4;

/// Largest record of the block log, in bytes; a longer length prefix is corruption.
pub const MAX_LOG_RECORD_SIZE_BYTES: u32 = 1 << 30;

/// Requests in one JSON-RPC batch.
pub const MAX_RPC_BATCH: u32 = 1_000;

/// Bytes of a JSON-RPC request body.
pub const MAX_RPC_BODY_BYTES: u32 = 25 * 1024 * 1024;

/// Bytes of a JSON-RPC response.
pub const MAX_RPC_RESPONSE_BYTES: u32 = 160 * 1024 * 1024;

/// Simultaneous RPC connections.
pub const MAX_RPC_CONNECTIONS: u32 = 1_000;

/// Subscriptions of one WebSocket connection.
pub const MAX_RPC_SUBSCRIPTIONS_PER_CONNECTION: u32 = 1_024;

/// Blocks one `eth_getLogs` may span.
pub const MAX_LOG_RANGE_BLOCKS: u64 = 100_000;

/// Logs one `eth_getLogs` may return.
pub const MAX_LOGS_PER_RESPONSE: usize = 20_000;

/// Installed filters, over all clients.
pub const MAX_FILTERS: usize = 10_000;

/// Milliseconds after which a filter that nobody polled is dropped (geth: 5 minutes).
pub const FILTER_TIMEOUT_MS: u64 = 5 * 60 * 1000;

/// Gas `eth_call`, `eth_estimateGas` and tracing may use (geth's `--rpc.gascap`).
pub const RPC_GAS_CAP: u64 = 50_000_000;

/// Blocks `eth_feeHistory` may span (geth: 1024).
pub const MAX_FEE_HISTORY_BLOCKS: u64 = 1_024;

/// Block state calls of one `eth_simulateV1` (geth: 256).
pub const MAX_SIMULATE_BLOCKS: u64 = 256;

/// Transactions of the block that the `pending` tag shows; a longer queue is cut here.
pub const MAX_PENDING_BLOCK_TRANSACTIONS: usize = 1_000;

/// Bytes of code kept in memory in front of the disk.
pub const MAX_CODE_CACHE_BYTES: usize = 256 * 1024 * 1024;

/// Bytes of blocks, as the log encodes them, kept in memory behind the head once they are on disk.
pub const MAX_BLOCK_CACHE_BYTES: u64 = 256 * 1024 * 1024;

/// RLP bytes of one block in a file that is imported. EIP-7934 allows 10 MiB since Osaka; blocks of a development chain
/// with a large gas limit may be larger.
pub const MAX_IMPORTED_BLOCK_SIZE_BYTES: u64 = 256 * 1024 * 1024;

/// Blocks one `evm_mine` or `anvil_mine` may ask for.
pub const MAX_MINED_BLOCKS_PER_CALL: u64 = 1_000_000;

/// Bytes that the state given to `anvil_loadState` may unfold to.
pub const MAX_LOADED_STATE_BYTES: u64 = 1024 * 1024 * 1024;

/// Blocks that one search of `ots_*` or `trace_filter` looks through.
pub const MAX_SEARCHED_BLOCKS: u64 = 100_000;

/// Traces that one `trace_filter` may return.
pub const MAX_TRACES_PER_RESPONSE: usize = 10_000;

/// Snapshots that `evm_snapshot` keeps; beyond it, the oldest goes.
pub const MAX_SNAPSHOTS: usize = 10_000;

/// Times an `eth_createAccessList` runs its call.
pub const MAX_ACCESS_LIST_RUNS: usize = 64;

/// Blocks kept in memory behind the head once they are on disk.
pub const MAX_CACHED_BLOCKS: usize = 1_024;

/// Transactions that one search of `ots_*` or `trace_filter` runs again.
pub const MAX_SEARCHED_TRANSACTIONS: usize = 100_000;

/// Entries of one page of `ots_*`.
pub const MAX_OTS_PAGE: usize = 1_000;

/// Words of 32 bytes that one traced request may record: steps with their stacks and memories, and inputs of calls. Beyond it
/// the answer would exceed [`MAX_RPC_RESPONSE_BYTES`] anyway.
pub const MAX_TRACE_WORDS: usize = 8 * 1024 * 1024;

/// Latest time stamp that a development node may be set to, in seconds: 2^53, the largest integer that every client's numbers hold.
pub const MAX_TIMESTAMP_S: u64 = 1 << 53;

/// Heights whose history one checkpoint forgets beyond those that it adds.
pub const MAX_PRUNED_HEIGHTS: u64 = 4_096;

/// Contended locations that the statistics of one block name.
pub const MAX_CONTENTIONS_PER_BLOCK: usize = 32;

/// Bytes of an encoded access list of a block (EIP-7928) that are decoded.
pub const MAX_ACCESS_LIST_SIZE_BYTES: usize = 64 * 1024 * 1024;

/// Newest blocks whose execution statistics a node keeps in memory.
pub const MAX_KEPT_STATISTICS: usize = 1_024;

/// Bytes of the transactions of one ordered block, as EIP-2718 encodes them. With their RLP headers and the block's own they
/// stay below what a block may have since Osaka (EIP-7934).
pub const MAX_ORDERED_BLOCK_SIZE_BYTES: usize = 4 * 1024 * 1024;

/// Accounts whose public keys are kept, to check signatures that are said to be theirs: some 14 MB.
pub const MAX_KNOWN_KEYS: usize = 131_072;

/// Ordered blocks whose execution is kept before they are final. Beyond it the oldest goes, and is executed again if it
/// becomes final after all.
pub const MAX_SPECULATIVE_BLOCKS: usize = 64;

/// Members of a committee. Channels to peers are sized by it.
pub const MAX_VALIDATORS: usize = 128;

/// Nodes that a validator lets follow it, beside the committee.
pub const MAX_FOLLOWERS: usize = 64;

/// Heights by which an execution commitment may lag behind the ordered block that carries it. Execution must stay ahead of
/// finality by less than [`MAX_SPECULATIVE_BLOCKS`].
pub const MAX_EXECUTION_LAG: u64 = 16;

/// Bytes of a snapshot's chunk at which it is closed: it takes a moment to send, and is one of few even where the state is large.
pub const SNAPSHOT_CHUNK_SIZE_BYTES: usize = 1024 * 1024;

/// Bytes of a snapshot's chunk. The last entry may exceed [`SNAPSHOT_CHUNK_SIZE_BYTES`] by the account's code.
pub const MAX_SNAPSHOT_CHUNK_SIZE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of what a snapshot says about its block: the block, its receipts, and the headers before.
pub const MAX_SNAPSHOT_MANIFEST_SIZE_BYTES: usize = 64 * 1024 * 1024;

/// Headers that a snapshot has, its own included: those whose hashes the next block can ask for (BLOCKHASH).
pub const SNAPSHOT_HEADERS: u64 = 256;

/// Blocks from a snapshot that is taken for who joins to the next: at ten blocks a second, who begins with one is two minutes behind.
pub const SNAPSHOT_INTERVAL_BLOCKS: u64 = 1_000;

/// Height of a snapshot from which on an empty node begins with it rather than with the genesis: below it, executing every block
/// takes about as long, and gives the whole history.
pub const AUTO_SYNC_BLOCKS: u64 = 10_000;

/// Connections of the binary ingest at a time; each may hold three batches in memory.
pub const MAX_INGEST_CONNECTIONS: usize = 128;

/// Transactions that the binary ingest submits together; larger batches make signatures no cheaper.
pub const MAX_INGEST_BATCH: usize = 4_096;

/// Bytes of transactions that a connection of the binary ingest gathers before it is read no further.
pub const MAX_INGEST_BATCH_SIZE_BYTES: usize = 1024 * 1024;
