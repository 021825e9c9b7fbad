//! Access tokens (RFC 9068) of an identity provider: signed by one of the keys that it publishes,
//! for us, and not expired.

use std::collections::BTreeSet;
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use partner_core::config::JwtConfig;
use partner_core::ids::UserId;
use serde::Deserialize;
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

/// How soon after reading the keys an unknown one is looked for again: whoever invents key ids does
/// not make us ask the provider each time.
const SOONEST: Duration = Duration::from_secs(30);

/// How long reading the provider's keys may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How far our clock and the provider's may be apart, in seconds.
const LEEWAY: u64 = 30;

/// Checks access tokens.
pub(crate) struct TokenVerifier {
    config: JwtConfig,
    client: reqwest::Client,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    set: Option<JwkSet>,
    /// When they were last read.
    read_at: Option<Instant>,
    /// When that was last tried.
    tried_at: Option<Instant>,
}

impl Keys {
    fn find(&self, id: &str) -> Option<&Jwk> {
        self.set.as_ref()?.find(id)
    }
}

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    /// Words with spaces between them (RFC 8693).
    #[serde(default)]
    scope: String,
    #[serde(default)]
    name: Option<String>,
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
            keys: Mutex::default(),
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
        let key = self.key(&key_id).await?.ok_or(UNKNOWN)?;
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

    /// The provider's key of this id.
    async fn key(&self, id: &str) -> Result<Option<DecodingKey>> {
        // Held while the keys are read: the others wait for the same answer.
        let mut keys = self.keys.lock().await;
        let is_old = keys
            .read_at
            .is_none_or(|at| at.elapsed() > self.config.keys_ttl);
        let is_known = keys.find(id).is_some();
        let was_tried = keys.tried_at.is_some_and(|at| at.elapsed() < SOONEST);
        if (is_old || !is_known) && !was_tried {
            keys.tried_at = Some(Instant::now());
            match self.read().await {
                Ok(set) => {
                    keys.set = Some(set);
                    keys.read_at = keys.tried_at;
                }
                // Keys that were good a while ago are better than nobody signed in.
                Err(error) => {
                    let error = partner_core::error::chain(&error);
                    tracing::error!(error, "the identity provider's keys cannot be read");
                }
            }
        }
        if keys.set.is_none() {
            return Err(ApiError::NoKeys);
        }
        let key = keys.find(id);
        Ok(key.and_then(|key| DecodingKey::from_jwk(key).ok()))
    }

    async fn read(&self) -> std::result::Result<JwkSet, reqwest::Error> {
        let Some(url) = self.config.jwks_url.clone() else {
            return Ok(JwkSet { keys: Vec::new() });
        };
        let answer = self.client.get(url).send().await?.error_for_status()?;
        answer.json().await
    }
}

/// A person sees what is theirs; an administrator, and a reviewer in what is reviewed, everyone's.
fn caller(claims: Claims) -> Caller {
    let words = claims.scope.split_ascii_whitespace();
    let scopes: BTreeSet<_> = words.filter_map(Scope::from_text).collect();
    let is_admin = scopes.contains(&Scope::Admin);
    Caller {
        id: format!("jwt:{}", claims.sub),
        name: claims.name.unwrap_or_else(|| claims.sub.clone()),
        scopes,
        user: (!is_admin).then_some(claims.sub),
    }
}
