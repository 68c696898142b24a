//! The DeFi contracts: in the genesis of a development chain ([`genesis`]), on any chain ([`deploy`]), and as a list ([`list`]).

pub(crate) mod deploy;
pub(crate) mod genesis;
pub(crate) mod list;
mod send;
mod simulate;
