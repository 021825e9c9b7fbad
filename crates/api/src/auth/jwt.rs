//! Access tokens (JWT) of an identity provider: signed by one of the keys that it publishes, for us, and
//! not expired.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use partner_core::config::JwtConfig;
use partner_core::ids::UserId;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Caller, Scope, UNKNOWN};
use crate::error::{ApiError, Result};

/// Signatures by a key that the other side alone has. `none` and shared secrets are not among them.
const ALGORITHMS: [Algorithm; 7] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// How soon after reading the keys an unknown one is looked for again, if they are good for longer than
/// that: whoever invents key ids does not make us ask the provider each time.
const SOONEST: Duration = Duration::from_secs(30);

/// How long reading the provider's keys may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How far our clock and the provider's may be apart, in seconds.
const LEEWAY: u64 = 30;

/// Checks access tokens.
pub(crate) struct TokenVerifier {
    config: JwtConfig,
    client: reqwest::Client,
    keys: RwLock<Keys>,
    /// When the provider was last asked; held while it is.
    tried_at: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Keys {
    set: Option<JwkSet>,
    /// When they were last read.
    read_at: Option<Instant>,
}

impl Keys {
    fn find(&self, id: &str) -> Option<&Jwk> {
        self.set.as_ref()?.find(id)
    }

    /// Whether they were read, and since then less time has passed.
    fn are_younger_than(&self, age: Duration) -> bool {
        self.read_at.is_some_and(|at| at.elapsed() < age)
    }
}

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    /// Words with spaces between them (RFC 8693).
    #[serde(default)]
    scope: String,
}

impl TokenVerifier {
    pub(crate) fn new(config: JwtConfig) -> Result<Self> {
        // One provider of cryptography serves the process; another part of it may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ApiError::Defect(error.to_string()))?;
        Ok(Self {
            config,
            client,
            keys: RwLock::default(),
            tried_at: Mutex::default(),
        })
    }

    /// The caller whom a token is about.
    pub(crate) async fn verify(&self, token: &str) -> Result<Caller> {
        if self.config.jwks_url.is_none() {
            return Err(UNKNOWN);
        }
        let header = decode_header(token).map_err(|_| UNKNOWN)?;
        let key_id = header.kid.ok_or(UNKNOWN)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(UNKNOWN);
        }
        let key = self.key(&key_id, header.alg).await?.ok_or(UNKNOWN)?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = decode::<Claims>(token, &key, &validation)
            .map_err(|_| UNKNOWN)?
            .claims;
        // Whom the database cannot know is nobody.
        UserId::parse(&*claims.sub).map_err(|_| UNKNOWN)?;
        Ok(caller(claims))
    }

    /// The provider's key of this id, if it is one for such signatures.
    async fn key(&self, id: &str, algorithm: Algorithm) -> Result<Option<DecodingKey>> {
        let key = match self.known(id) {
            Some(key) => Some(key),
            None => self.renewed(id).await?,
        };
        let key = key.filter(|key| is_for(key, algorithm));
        Ok(key.and_then(|key| DecodingKey::from_jwk(&key).ok()))
    }

    /// A key that was read not long ago: nobody waits for the provider because of others.
    fn known(&self, id: &str) -> Option<Jwk> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = keys.are_younger_than(self.config.keys_ttl);
        keys.find(id).filter(|_| is_fresh).cloned()
    }

    /// The key after asking the provider, unless it was asked just now.
    async fn renewed(&self, id: &str) -> Result<Option<Jwk>> {
        // Whoever waits here finds what the one before has read.
        let mut tried_at = self.tried_at.lock().await;
        let mut is_read = false;
        let soonest = SOONEST.min(self.config.keys_ttl);
        if tried_at.is_none_or(|at| at.elapsed() > soonest) {
            let read = self.read().await;
            // Only now: a caller who goes away meanwhile must not have asked in vain.
            *tried_at = Some(Instant::now());
            match read {
                Ok(set) => {
                    let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
                    keys.set = Some(set);
                    keys.read_at = Some(Instant::now());
                    is_read = true;
                }
                // Keys that were good a while ago are better than nobody signed in, up to a point.
                Err(error) => {
                    let error = partner_core::error::chain(&error);
                    tracing::error!(error, "the identity provider's keys cannot be read");
                }
            }
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        // One that the provider took back must not work for as long as nobody reaches the provider.
        if !is_read && !keys.are_younger_than(self.config.keys_max_age) {
            return Err(ApiError::NoKeys);
        }
        Ok(keys.find(id).cloned())
    }

    async fn read(&self) -> std::result::Result<JwkSet, reqwest::Error> {
        let Some(url) = self.config.jwks_url.clone() else {
            return Ok(JwkSet { keys: Vec::new() });
        };
        let answer = self.client.get(url).send().await?.error_for_status()?;
        let published: Published = answer.json().await?;
        // A key of a kind that we do not know is none of ours, and no reason to refuse the others.
        let keys = published.keys.into_iter();
        let keys = keys.filter_map(|key| serde_json::from_value(key).ok());
        Ok(JwkSet {
            keys: keys.collect(),
        })
    }
}

/// What a provider publishes.
#[derive(Debug, Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// Whether a key is for signatures, and for those of this algorithm.
fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let is_for_signatures = match &common.public_key_use {
        None | Some(PublicKeyUse::Signature) => true,
        Some(_) => false,
    };
    let named = common.key_algorithm.map(|named| named.to_string());
    is_for_signatures && named.is_none_or(|named| named == format!("{algorithm:?}"))
}

/// A person sees what is theirs; an administrator, and a reviewer in what is reviewed, everyone's.
fn caller(claims: Claims) -> Caller {
    let words = claims.scope.split_ascii_whitespace();
    let scopes: BTreeSet<_> = words.filter_map(Scope::from_text).collect();
    let is_admin = scopes.contains(&Scope::Admin);
    Caller {
        id: format!("jwt:{}", claims.sub),
        name: claims.sub.clone(),
        scopes,
        person: Some(claims.sub.clone()),
        user: (!is_admin).then_some(claims.sub),
    }
}
