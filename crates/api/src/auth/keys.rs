//! API keys: `ppk_<id>_<secret>`. The database has the id and the SHA-256 of the secret.
//!
//! The secret is 256 bits of the system's randomness: nobody can guess one from its hash, so that a
//! slow password hash would only cost time at each request.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Caller, Scope, UNKNOWN};
use crate::error::{ApiError, Result};
use crate::state::ApiState;

/// What all keys begin with, so that one in a log or a repository is found.
const PREFIX: &str = "ppk_";

/// How many bytes the id and the secret have.
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;

/// A key as its owner holds it. It prints only on purpose.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The part that is no secret.
    pub id: String,
    secret: [u8; SECRET_BYTES],
}

impl Secret {
    /// A key that nobody has.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new() -> std::result::Result<Self, rand::rand_core::OsError> {
        let mut id = [0; ID_BYTES];
        let mut secret = [0; SECRET_BYTES];
        OsRng.try_fill_bytes(&mut id)?;
        OsRng.try_fill_bytes(&mut secret)?;
        Ok(Self {
            id: hex::encode(id),
            secret,
        })
    }

    /// Reads a key; `None` if it does not look like one.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let mut bytes = [0; SECRET_BYTES];
        hex::decode_to_slice(secret, &mut bytes).ok()?;
        let is_id = id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self {
            id: id.to_owned(),
            secret: bytes,
        })
    }

    /// The key as text: what its owner sends, and nobody else sees.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, hex::encode(self.secret))
    }

    /// What the database keeps of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_***", self.id)
    }
}

/// A key as the database has it, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The part of the key that is no secret.
    pub id: String,
    /// Whose it is, or what it is for.
    pub name: String,
    /// What it may.
    pub scopes: BTreeSet<Scope>,
    /// The user whose things are all that it sees.
    pub user_id: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was taken back.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, give or take a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The caller who holds this key.
pub(super) async fn authenticate(api: &ApiState, secret: &Secret) -> Result<Caller> {
    let found = api.within(api.keys.find_valid(&secret.id)).await?;
    // How much of a secret fits is not to be told by the time that it takes.
    let expected = found.as_ref().map_or([0; 32], |(_, hash)| *hash);
    let fits: bool = expected.ct_eq(&secret.hash()).into();
    match found {
        Some((key, _)) if fits => {
            api.within(api.keys.note_use(&key.id)).await?;
            Ok(Caller {
                id: format!("key:{}", key.id),
                name: key.name,
                scopes: key.scopes,
                person: key.user_id.clone(),
                user: key.user_id,
            })
        }
        _ => Err(UNKNOWN),
    }
}

impl From<rand::rand_core::OsError> for ApiError {
    fn from(error: rand::rand_core::OsError) -> Self {
        Self::Defect(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_prints_without_its_secret() {
        let secret = Secret::new().unwrap();
        let text = secret.expose();
        assert_eq!(Secret::parse(&text), Some(secret.clone()));
        let (_, part) = text.rsplit_once('_').unwrap();
        assert!(!format!("{secret:?}").contains(part));
    }

    #[test]
    fn what_is_no_key_is_not_taken_for_one() {
        let text = Secret::new().unwrap().expose();
        for wrong in [
            "",
            "ppk_",
            "ppk_1_2",
            "eyJhbGciOi.x.y",
            &text[1..],
            &text[..text.len() - 1],
        ] {
            assert_eq!(Secret::parse(wrong), None, "{wrong:?}");
        }
    }
}
