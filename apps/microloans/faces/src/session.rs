//! Sessions: who somebody is, for how long, in a cookie that only this service can have signed.
//!
//! A cookie is `kind.subject.expires.nonce.signature`. The subject is a person's id or an account's name, neither of which says who that is. The signature is
//! HMAC-SHA-256 with a key of the vault. Forms carry a token made of the nonce in the same way, so that a page elsewhere cannot send them.

use braid_microloans_ledger::{LedgerError, PersonId, vault::Vault};
use braid_microloans_service::auth::Role;
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

/// How long a borrower stays signed in: telephones are shared.
pub(crate) const BORROWER_SECONDS: i64 = 30 * 60;
/// How long staff stay signed in: half a working day.
pub(crate) const STAFF_SECONDS: i64 = 4 * 60 * 60;
/// How long a sign-in form may lie open.
pub(crate) const NOBODY_SECONDS: i64 = 60 * 60;
/// The cookie's name.
pub(crate) const COOKIE: &str = "braid-session";
/// Longest cookie that is read.
const MAX_COOKIE: usize = 512;

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Nobody yet: somebody who looks at a sign-in form.
    Nobody,
    /// A borrower.
    Borrower(PersonId),
    /// An account of the configuration, in a role.
    Staff(String, Role),
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) who: Who,
    /// Seconds since 1970.
    pub(crate) expires: i64,
    pub(crate) nonce: String,
}

impl Session {
    /// A new one.
    pub(crate) fn begin(who: Who, now: Timestamp) -> Result<Self, LedgerError> {
        let seconds = match who {
            Who::Nobody => NOBODY_SECONDS,
            Who::Borrower(_) => BORROWER_SECONDS,
            Who::Staff(..) => STAFF_SECONDS,
        };
        Ok(Self { who, expires: now.as_second() + seconds, nonce: random_token()? })
    }

    fn content(&self) -> String {
        let (kind, subject) = match &self.who {
            Who::Nobody => ("nobody", "-"),
            Who::Borrower(person) => ("borrower", person.as_str()),
            Who::Staff(account, role) => (role.name(), account.as_str()),
        };
        format!("{kind}.{subject}.{}.{}", self.expires, self.nonce)
    }

    /// The cookie's value.
    pub(crate) fn signed(&self, vault: &Vault) -> String {
        let content = self.content();
        let signature = vault.blind("faces session", content.as_bytes());
        format!("{content}.{signature}")
    }

    /// Reads a cookie's value; none if it is not ours, or over.
    pub(crate) fn read(value: &str, vault: &Vault, now: Timestamp) -> Option<Self> {
        let (content, signature) = value.rsplit_once('.').filter(|_| value.len() <= MAX_COOKIE)?;
        let right = vault.blind("faces session", content.as_bytes());
        if !bool::from(right.as_bytes().ct_eq(signature.as_bytes())) {
            return None;
        }
        let mut parts = content.split('.');
        let (kind, subject) = (parts.next()?, parts.next()?);
        let (expires, nonce) = (parts.next()?.parse().ok()?, parts.next()?.to_owned());
        let who = match kind {
            "nobody" => Who::Nobody,
            "borrower" => Who::Borrower(subject.parse().ok()?),
            role => Who::Staff(subject.to_owned(), crate::accounts::role(role)?),
        };
        Some(Self { who, expires, nonce }).filter(|session| session.expires > now.as_second())
    }

    /// The token of this session's forms.
    pub(crate) fn form_token(&self, vault: &Vault) -> String {
        vault.blind("faces form", self.content().as_bytes())
    }

    /// Whether a form's token is this session's.
    pub(crate) fn has_token(&self, token: &str, vault: &Vault) -> bool {
        self.form_token(vault).as_bytes().ct_eq(token.as_bytes()).into()
    }
}

/// 128 random bits.
pub(crate) fn random_token() -> Result<String, LedgerError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(const_hex::encode(bytes))
}

/// The header that sets a cookie, or takes it away.
pub(crate) fn set_cookie(name: &str, value: &str, seconds: i64, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// A cookie of a request.
pub(crate) fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_session_is_read_again_until_it_is_over() {
        let vault = Vault::new(&[7; 32]);
        for who in
            [Who::Nobody, Who::Borrower(PersonId::random().unwrap()), Who::Staff("ada".to_owned(), Role::Officer)]
        {
            let session = Session::begin(who, now()).unwrap();
            let cookie = session.signed(&vault);
            assert_eq!(Session::read(&cookie, &vault, now()), Some(session.clone()));
            let later = Timestamp::from_second(session.expires).unwrap();
            assert_eq!(Session::read(&cookie, &vault, later), None, "over");
            assert_eq!(Session::read(&cookie, &Vault::new(&[8; 32]), now()), None, "another key");
        }
    }

    #[test]
    fn an_altered_cookie_is_none() {
        let vault = Vault::new(&[7; 32]);
        let session = Session::begin(Who::Staff("ada".to_owned(), Role::Officer), now()).unwrap();
        let cookie = session.signed(&vault);
        for altered in [
            cookie.replace("officer", "approver"),
            cookie.replace("ada", "bob"),
            cookie[1..].to_owned(),
            cookie[..cookie.len() - 1].to_owned(),
            String::new(),
            ".".repeat(600),
        ] {
            assert_eq!(Session::read(&altered, &vault, now()), None, "{altered}");
        }
    }

    #[test]
    fn a_form_belongs_to_one_session() {
        let vault = Vault::new(&[7; 32]);
        let [one, two] = [(); 2].map(|()| Session::begin(Who::Nobody, now()).unwrap());
        assert!(one.has_token(&one.form_token(&vault), &vault));
        assert!(!one.has_token(&two.form_token(&vault), &vault));
        assert!(!one.has_token("", &vault));
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let header = "a=1; braid-session=x.y; lang=sw";
        assert_eq!(cookie(header, COOKIE), Some("x.y"));
        assert_eq!(cookie(header, "session"), None);
    }
}
