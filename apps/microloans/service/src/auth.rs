//! Callers: programs that act for people, each with a role. A caller shows a token; only its hash is known here.

use std::collections::BTreeSet;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header::AUTHORIZATION, request::Parts},
};
use braid_microloans_ledger::Actor;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{app::App, config::CallerConfig, limits, problem::Problem};

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Speaks for borrowers: the telephone menu, the web pages.
    Gateway,
    /// Reviews, and proposes.
    Officer,
    /// Decides on what others propose.
    Approver,
    /// Moves money: deposits, suspended payments, payments that nobody knows about.
    Treasurer,
    /// Reads everything but persons' data.
    Auditor,
    /// Runs the service.
    Operator,
}

impl Role {
    const ALL: [Self; 6] =
        [Self::Gateway, Self::Officer, Self::Approver, Self::Treasurer, Self::Auditor, Self::Operator];

    /// Its name in the configuration and the audit log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Officer => "officer",
            Self::Approver => "approver",
            Self::Treasurer => "treasurer",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
}

impl Caller {
    /// Refuses a caller of another role.
    ///
    /// # Errors
    /// If its role is none of these.
    pub fn must_be(&self, roles: &[Role]) -> Result<(), Problem> {
        if roles.contains(&self.role) {
            Ok(())
        } else {
            Err(Problem::forbidden(format!("a caller of role {} may not do this", self.role.name())))
        }
    }

    /// As the books know it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { name: self.name.clone(), role: self.role.name().to_owned() }
    }
}

/// All callers, by the hashes of their tokens.
#[derive(Clone, Debug, Default)]
pub struct Callers(Vec<([u8; 32], Caller)>);

impl Callers {
    pub(crate) fn new(configured: &[CallerConfig]) -> Result<Self, String> {
        let mut callers = Vec::new();
        let (mut names, mut hashes) = (BTreeSet::new(), BTreeSet::new());
        for caller in configured {
            let role = Role::ALL.into_iter().find(|role| role.name() == caller.role);
            let role = role.ok_or_else(|| format!("{:?} is not a role", caller.role))?;
            let mut hash = [0; 32];
            const_hex::decode_to_slice(&caller.token_sha256, &mut hash)
                .map_err(|_| format!("the token hash of {:?} is not 64 hexadecimal digits", caller.name))?;
            if caller.name.is_empty() || !names.insert(&caller.name) || !hashes.insert(hash) {
                return Err(format!("caller {:?} has no name or token of its own", caller.name));
            }
            callers.push((hash, Caller { name: caller.name.clone(), role }));
        }
        Ok(Self(callers))
    }

    /// The caller with this token. Every hash is compared, so that time tells nothing.
    fn with_token(&self, token: &str) -> Option<&Caller> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut found = None;
        for (known, caller) in &self.0 {
            if bool::from(known.ct_eq(&hash)) {
                found = Some(caller);
            }
        }
        found
    }
}

/// The caller of a request.
///
/// # Errors
/// If it shows no token, or one that nobody has.
pub fn caller_of(parts: &Parts, callers: &Callers) -> Result<Caller, Problem> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or("");
    let found = if token.len() >= limits::MIN_TOKEN_CHARS { callers.with_token(token) } else { None };
    found.cloned().ok_or_else(Problem::unauthorized)
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    App: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        caller_of(parts, &App::from_ref(state).callers)
    }
}
