//! What a wallet is asked to sign. The pages hold no keys and send nothing: they show each transaction as it is, and as a link that wallets understand
//! (ERC-681).

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use braid_microloans_chain::contracts::Token;
use maud::{Markup, html};

use crate::page::View;

/// A transaction for a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// What it does, for people.
    pub(crate) about: String,
    to: Address,
    data: String,
    link: String,
}

/// A value of a call, as ERC-681 writes it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    Address(Address),
    Number(U256),
    Word(alloy_primitives::B256),
    Time(u64),
}

impl Value {
    fn pair(self) -> String {
        match self {
            Self::Address(address) => format!("address={address}"),
            Self::Number(number) => format!("uint256={number}"),
            Self::Word(word) => format!("bytes32={word}"),
            Self::Time(seconds) => format!("uint64={seconds}"),
        }
    }
}

impl Request {
    /// A call of a contract; `values` are those of the call, in their order.
    pub(crate) fn new<C: SolCall>(about: &str, chain_id: u64, to: Address, call: &C, values: &[Value]) -> Self {
        let name = C::SIGNATURE.split('(').next().unwrap_or_default();
        let values: Vec<String> = values.iter().map(|value| value.pair()).collect();
        let link = format!("ethereum:{to}@{chain_id}/{name}?{}", values.join("&"));
        let data = format!("0x{}", const_hex::encode(call.abi_encode()));
        Self { about: about.to_owned(), to, data, link }
    }

    /// That `spender` may take an amount of a token.
    pub(crate) fn allowance(about: &str, chain_id: u64, token: Address, spender: Address, amount: U256) -> Self {
        let call = Token::approveCall { spender, amount };
        Self::new(about, chain_id, token, &call, &[Value::Address(spender), Value::Number(amount)])
    }
}

/// The transactions, in the order in which they are to be signed.
pub(crate) fn requests(view: &View<'_>, requests: &[Request]) -> Markup {
    let t = view.t;
    html! {
        section id="sign" {
            h2 { (t.sign_title) }
            p { (t.sign_text) }
            ol {
                @for request in requests {
                    li {
                        p { strong { (request.about) } }
                        p { a.button href=(request.link) { (t.sign_open) } }
                        dl {
                            div { dt { (t.sign_to) } dd { code.hash.sign-to { (request.to) } } }
                            div { dt { (t.sign_data) } dd { code.hash.sign-data { (request.data) } } }
                        }
                    }
                }
            }
        }
    }
}

/// An address as people type it: with spaces around it at most.
pub(crate) fn address(text: &str) -> Option<Address> {
    text.trim().parse().ok()
}
