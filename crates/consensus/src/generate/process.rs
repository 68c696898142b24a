//! The generation on tokio and TCP.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use braid_types::ordered::GenesisValidator;
use commonware_codec::Encode as _;
use commonware_cryptography::{Blake3, Hasher as _};
use commonware_runtime::{
    Quota, Runner as _, Supervisor as _,
    tokio::{Config, Runner},
};
use commonware_utils::NZU32;
use zeroize::Zeroizing;

use super::{GenerateError, Generated, Generation, Message, Terms, run};
use crate::{
    committee::Committee,
    keys,
    peers::{Addressed, Peers as _},
    process::network,
    reshare::MAX_MEMBERS,
    rules::committee,
};

/// Messages that a member may send a second.
const MESSAGES: Quota = Quota::per_second(NZU32!(64));

/// What taking part needs.
#[derive(Clone)]
pub struct GenerateOptions {
    /// EIP-155 chain id of the chain to come.
    pub chain_id: u64,
    /// Its validators, as its genesis will have them.
    pub validators: Vec<GenesisValidator>,
    /// The private identity of one of them; see [`keys::identity`].
    pub identity: Zeroizing<Vec<u8>>,
    /// Where it listens for the others.
    pub listen: SocketAddr,
    /// Counts attempts; the same for all.
    pub attempt: u64,
    /// How long to wait for the others.
    pub patience: Duration,
}

impl std::fmt::Debug for GenerateOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { chain_id, validators, identity: _, listen, attempt, patience } = self;
        let mut fields = f.debug_struct("GenerateOptions");
        fields.field("chain_id", chain_id).field("validators", validators).field("listen", listen);
        fields.field("attempt", attempt).field("patience", patience).finish_non_exhaustive()
    }
}

impl Terms {
    /// The terms of a chain's committee.
    pub fn new(chain_id: u64, committee: &Committee, attempt: u64) -> Self {
        let members = committee.keys();
        let digest = Blake3::hash(&[b"braid group", &chain_id.to_be_bytes(), &members.encode()]);
        Self { members, namespace: [b"braid-group-", digest.as_ref()].concat(), attempt }
    }
}

/// Makes a group key with the other validators; returns once all have it. `keep` puts the share on disk.
///
/// # Errors
/// [`GenerateError`]. What `keep` has stored must not be used then.
pub fn generate(
    options: GenerateOptions,
    keep: impl FnOnce(&Generated) -> Result<(), String> + Send + 'static,
) -> Result<Generated, GenerateError> {
    let GenerateOptions { chain_id, validators, identity, listen, attempt, patience } = options;
    let refuse = |error: &dyn std::error::Error| GenerateError::Terms(error.to_string());
    let committee = committee(&validators).map_err(|error| refuse(&error))?;
    let key = keys::identity(&identity).map_err(|error| refuse(&error))?;
    network::check_free(listen)
        .map_err(|reason| GenerateError::Terms(format!("cannot listen on {listen}: {reason}")))?;
    let terms = Terms::new(chain_id, &committee, attempt);
    let config = Config::new()
        .with_tcp_nodelay(Some(true))
        .with_connect_timeout(network::CONNECT_TIMEOUT)
        .with_read_write_timeout(network::SILENCE_TIMEOUT);
    Runner::new(config).start(|mut context| async move {
        let largest = commonware_p2p::max_message_size(&[Message::max_size(MAX_MEMBERS)]);
        let most = NonZeroUsize::new(committee.validators().len()).unwrap_or(NonZeroUsize::MIN);
        let namespace = terms.namespace.clone();
        let (mut lookup, oracle) = network::prepare(&context, key.clone(), &namespace, listen, most, largest);
        let channel = lookup.register(0, MESSAGES);
        lookup.start();
        let mut peers =
            Addressed { manager: oracle, followers: Default::default(), resolve: network::resolver_of_names() };
        peers.activate(0, &committee, &[]);
        let generation = Generation::new(&mut context, terms, key)?;
        run(context.child("generate"), generation, channel, patience, keep).await
    })
}
