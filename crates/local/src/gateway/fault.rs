//! The faults that a test can ask the gateway for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a call asks of the gateway.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v1/payment_intents`.
    Create,
    /// `POST /v1/payment_intents/{id}/confirm`.
    #[default]
    Confirm,
    /// `POST /v1/payment_intents/{id}/capture`.
    Capture,
    /// `POST /v1/payment_intents/{id}/cancel`.
    Cancel,
    /// `POST /v1/refunds`.
    Refund,
    /// `GET /v1/payment_intents/{id}`.
    Retrieve,
    /// `GET /v1/payment_intents/search`.
    Search,
    /// `GET /v1/payment_intents` and `GET /v1/refunds`; no fault applies to it.
    List,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultMode {
    /// The issuer declines the charge, with this code. Always on confirm.
    Decline {
        /// Such as `insufficient_funds`.
        code: String,
    },
    /// The call takes effect, then the connection closes without an answer.
    DropAfterCommit,
    /// The connection closes before the call takes effect.
    DropBeforeCommit,
    /// The call takes effect, then the answer is a 500.
    ErrorAfterCommit,
    /// The answer is a 500, and the call takes no effect.
    Error,
    /// The call takes effect at once, the answer comes late.
    Slow {
        /// How late.
        delay: Duration,
    },
    /// The answer is a 400, and the call takes no effect.
    Refuse,
    /// The answer is a 429, and the call takes no effect.
    RateLimit {
        /// What `Retry-After` says.
        retry_after_seconds: u64,
    },
    /// The charge is under way for a while, and then settles. Always on confirm.
    Processing {
        /// How many retrievals still answer `processing`.
        retrieves: u32,
        /// With a code, it settles as declined; without, as charged.
        then_decline: Option<String>,
    },
    /// The call takes effect, the answer waits until the test releases the order.
    Hold,
    /// The search index lags behind: the payment is not found. Always on search.
    Stale,
}

/// A fault of one order's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub mode: FaultMode,
    /// With which call. Modes that belong to one operation ignore it.
    pub operation: Operation,
    /// How often; `None` is every time, until the faults are cleared.
    pub times: Option<u32>,
}

impl Fault {
    /// A fault of every confirm.
    pub const fn new(mode: FaultMode) -> Self {
        Self {
            mode,
            operation: Operation::Confirm,
            times: None,
        }
    }

    /// A fault of the next confirm only.
    pub const fn once(mode: FaultMode) -> Self {
        Self::new(mode).times(1)
    }

    /// The same, with another operation.
    #[must_use]
    pub const fn on(mut self, operation: Operation) -> Self {
        self.operation = operation;
        self
    }

    /// The same, that often.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The operation that it really applies to.
    pub(super) const fn applies_to(&self) -> Operation {
        match self.mode {
            FaultMode::Decline { .. } | FaultMode::Processing { .. } => Operation::Confirm,
            FaultMode::Stale => Operation::Search,
            _ => self.operation,
        }
    }

    /// Whether it decides what becomes of the call, rather than what it finds at the gateway.
    pub(super) const fn decides_call(&self) -> bool {
        !self.decides_charge() && !matches!(self.mode, FaultMode::Stale)
    }

    /// Whether it decides what the issuer says.
    pub(super) const fn decides_charge(&self) -> bool {
        matches!(
            self.mode,
            FaultMode::Decline { .. } | FaultMode::Processing { .. }
        )
    }
}

/// A fault as the control API spells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FaultSpec {
    mode: ModeName,
    #[serde(default)]
    operation: Operation,
    times: Option<u32>,
    code: Option<String>,
    delay_ms: Option<u64>,
    retry_after_seconds: Option<u64>,
    retrieves: Option<u32>,
    then_decline: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeName {
    Decline,
    DropAfterCommit,
    DropBeforeCommit,
    ErrorAfterCommit,
    Error,
    Slow,
    Refuse,
    RateLimit,
    Processing,
    Hold,
    Stale,
}

impl From<FaultSpec> for Fault {
    fn from(spec: FaultSpec) -> Self {
        let mode = match spec.mode {
            ModeName::Decline => FaultMode::Decline {
                code: spec.code.unwrap_or_else(|| "generic_decline".to_owned()),
            },
            ModeName::DropAfterCommit => FaultMode::DropAfterCommit,
            ModeName::DropBeforeCommit => FaultMode::DropBeforeCommit,
            ModeName::ErrorAfterCommit => FaultMode::ErrorAfterCommit,
            ModeName::Error => FaultMode::Error,
            ModeName::Slow => FaultMode::Slow {
                delay: Duration::from_millis(spec.delay_ms.unwrap_or(1_000)),
            },
            ModeName::Refuse => FaultMode::Refuse,
            ModeName::RateLimit => FaultMode::RateLimit {
                retry_after_seconds: spec.retry_after_seconds.unwrap_or(1),
            },
            ModeName::Processing => FaultMode::Processing {
                retrieves: spec.retrieves.unwrap_or(1),
                then_decline: spec.then_decline,
            },
            ModeName::Hold => FaultMode::Hold,
            ModeName::Stale => FaultMode::Stale,
        };
        Self {
            mode,
            operation: spec.operation,
            times: spec.times,
        }
    }
}
