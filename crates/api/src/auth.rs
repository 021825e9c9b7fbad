//! Who asks, and what they may.
//!
//! Two kinds of credentials come as `Authorization: Bearer ...`: API keys, which `partner keys`
//! makes for programs, and access tokens of an identity provider for people. A caller that is bound
//! to a user sees and starts only what belongs to that user; one that is not, all.

mod failures;
mod jwt;
mod keys;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use partner_core::text_enum;

use crate::error::{ApiError, Result};
use crate::state::ApiState;

pub(crate) use failures::Failures;
pub(crate) use jwt::TokenVerifier;
pub use keys::{ApiKey, Secret};

text_enum! {
    /// What a caller may.
    Scope {
        /// See what there is.
        Read = "read",
        /// Start, signal and cancel.
        Write = "write",
        /// See what waits for a review, and decide.
        Review = "review",
        /// Everything, reports and cleanups among it.
        Admin = "admin",
    }
}

/// Whoever asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    /// What they are known by: rate limits and idempotency keys are theirs alone.
    pub id: String,
    /// How they are called, in what is put on record.
    pub name: String,
    /// What they may.
    pub scopes: BTreeSet<Scope>,
    /// Who they are, if that is a person, or a program that stands for one: they decide as nobody else.
    pub person: Option<String>,
    /// The user whose things are all that they see; everyone's without one.
    pub user: Option<String>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl Caller {
    /// Refuses a caller who may not.
    pub(crate) fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        let message = format!("this needs the scope {scope:?}", scope = scope.as_str());
        Err(ApiError::Forbidden(message))
    }

    /// Whether a workflow of this user, or of nobody, is there for the caller.
    pub(crate) fn sees(&self, user: Option<&str>) -> bool {
        self.user.is_none() || self.user.as_deref() == user
    }

    /// Refuses a caller who acts for somebody else.
    pub(crate) fn act_for(&self, user: Option<&str>) -> Result<()> {
        match (&self.user, user) {
            (Some(own), Some(user)) if own != user => Err(ApiError::Forbidden(format!(
                "userId: these credentials act for {own:?} only"
            ))),
            (Some(_), None) => Err(ApiError::Forbidden(
                "these credentials act for one user only, and this is nobody's".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self> {
        let credentials = credentials(parts)?;
        let attempt = api.failures.begin(peer(parts)?, credentials)?;
        let caller = match Secret::parse(credentials) {
            Some(secret) => keys::authenticate(api, &secret).await,
            None => api.tokens.verify(credentials).await,
        };
        match &caller {
            Ok(_) => api.failures.succeeded(&attempt),
            Err(ApiError::Unauthenticated(_)) => api.failures.failed(&attempt),
            // What does not answer says nothing about the credentials.
            Err(_) => {}
        }
        let caller = caller?;
        api.limits.check(&caller.id)?;
        tracing::Span::current().record("caller", &caller.id);
        Ok(caller)
    }
}

/// What a request brings to say who asks.
fn credentials(parts: &Parts) -> Result<&str> {
    let header = parts.headers.get(AUTHORIZATION).ok_or(MISSING)?;
    header
        .to_str()
        .ok()
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, credentials)| credentials.trim())
        .ok_or(MISSING)
}

/// The other end of the connection: who asks, or the proxy in front of us. What a header says of an
/// address anybody can write.
fn peer(parts: &Parts) -> Result<SocketAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(peer)| *peer);
    peer.ok_or_else(|| ApiError::Defect("a request without its peer's address".to_owned()))
}

const MISSING: ApiError = ApiError::Unauthenticated(
    "expected Authorization: Bearer and an API key (`partner keys create`) or an access token",
);

/// The same words whatever is wrong: which part of a credential fits is nobody's business.
const UNKNOWN: ApiError =
    ApiError::Unauthenticated("these credentials are not known, expired or revoked");
