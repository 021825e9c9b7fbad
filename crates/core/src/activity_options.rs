//! Timeouts and retry policies: one place, by name, with the contract's defaults.
//!
//! A worker may run with other values than another one: options are not part of what replay
//! compares, so changing them never breaks a running workflow.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_common::RetryPolicy;
use temporalio_sdk::{ActivityOptions, LocalActivityOptions, WorkflowCancellationToken};

use crate::heartbeat::HEARTBEAT_TIMEOUT;

/// How often and how fast a failed activity is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// The wait before the second attempt.
    #[serde(with = "humantime_serde")]
    pub initial_interval: Duration,
    /// The longest wait between two attempts.
    #[serde(with = "humantime_serde")]
    pub maximum_interval: Duration,
    /// The factor by which the wait grows.
    pub coefficient: f64,
    /// How many attempts in all; 0 means without bound.
    pub attempts: u32,
}

impl Retry {
    const fn new(initial_ms: u64, maximum_ms: u64, coefficient: f64, attempts: u32) -> Self {
        Self {
            initial_interval: Duration::from_millis(initial_ms),
            maximum_interval: Duration::from_millis(maximum_ms),
            coefficient,
            attempts,
        }
    }

    /// The same pace without a bound on the attempts.
    #[must_use]
    pub const fn unbounded(self) -> Self {
        Self {
            attempts: 0,
            ..self
        }
    }

    fn policy(self) -> RetryPolicy {
        RetryPolicy::builder()
            .initial_interval(self.initial_interval)
            .maximum_interval(self.maximum_interval)
            .backoff_coefficient(self.coefficient)
            .maximum_attempts(self.attempts)
            .build()
    }
}

/// The named retry policies of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// 1 s to 30 s, doubling, 3 attempts.
    pub standard: Retry,
    /// 500 ms to 10 s, doubling, 5 attempts.
    pub aggressive: Retry,
    /// 1 s to 5 s, by half, 2 attempts.
    pub minimal: Retry,
    /// 2 s to 2 min, doubling, 10 attempts.
    pub extended: Retry,
}

/// The named timeouts of the contract: the longest that one attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// 30 s.
    #[serde(with = "humantime_serde")]
    pub short: Duration,
    /// 1 min.
    #[serde(with = "humantime_serde")]
    pub medium: Duration,
    /// 5 min.
    #[serde(with = "humantime_serde")]
    pub long: Duration,
    /// 15 min.
    #[serde(with = "humantime_serde")]
    pub very_long: Duration,
    /// 2 min: a call to the payment gateway, with its look-ups.
    #[serde(with = "humantime_serde")]
    pub gateway: Duration,
}

/// All timeouts and retry policies of the activities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ActivityPolicies {
    /// The named timeouts.
    pub timeouts: Timeouts,
    /// The named retry policies.
    pub retries: Retries,
}

impl Default for ActivityPolicies {
    fn default() -> Self {
        Self {
            timeouts: Timeouts {
                short: Duration::from_secs(30),
                medium: Duration::from_mins(1),
                long: Duration::from_mins(5),
                very_long: Duration::from_mins(15),
                gateway: Duration::from_mins(2),
            },
            retries: Retries {
                standard: Retry::new(1_000, 30_000, 2.0, 3),
                aggressive: Retry::new(500, 10_000, 2.0, 5),
                minimal: Retry::new(1_000, 5_000, 1.5, 2),
                extended: Retry::new(2_000, 120_000, 2.0, 10),
            },
        }
    }
}

impl ActivityPolicies {
    /// Mail, push and in-app messages.
    pub const fn notification(&self) -> ActivityPolicy {
        ActivityPolicy::new(self.timeouts.short, self.retries.standard)
    }

    /// The payment domain's steps.
    pub const fn payment(&self) -> ActivityPolicy {
        ActivityPolicy::new(self.timeouts.medium, self.retries.aggressive)
    }

    /// A call to the payment gateway.
    pub const fn gateway(&self) -> ActivityPolicy {
        ActivityPolicy::new(self.timeouts.gateway, self.retries.aggressive).heartbeating()
    }

    /// The listing domain's steps.
    pub const fn listing(&self) -> ActivityPolicy {
        ActivityPolicy::new(self.timeouts.medium, self.retries.standard)
    }

    /// The analytics domain's steps.
    pub const fn analytics(&self) -> ActivityPolicy {
        ActivityPolicy::new(self.timeouts.long, self.retries.standard)
    }

    /// The steps of the data cleanup.
    pub const fn cleanup(&self) -> ActivityPolicy {
        ActivityPolicy::new(self.timeouts.very_long, self.retries.extended)
    }
}

/// What one activity may take, and how it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityPolicy {
    /// The longest that one attempt may take.
    #[serde(with = "humantime_serde")]
    pub start_to_close_timeout: Duration,
    /// How it is tried again.
    pub retry: Retry,
    /// How long the server waits for a sign of life before another worker gets the activity.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub heartbeat_timeout: Option<Duration>,
}

/// A bound that no business process reaches, where the SDK insists on one.
const AS_LONG_AS_IT_TAKES: Duration = Duration::from_hours(10 * 365 * 24);

impl ActivityPolicy {
    /// A policy of these two.
    pub const fn new(start_to_close_timeout: Duration, retry: Retry) -> Self {
        Self {
            start_to_close_timeout,
            retry,
            heartbeat_timeout: None,
        }
    }

    /// The same policy for an activity that gives signs of life (see [`with_heartbeat`]).
    ///
    /// [`with_heartbeat`]: crate::heartbeat::with_heartbeat
    #[must_use]
    pub const fn heartbeating(self) -> Self {
        Self {
            heartbeat_timeout: Some(HEARTBEAT_TIMEOUT),
            ..self
        }
    }

    /// The same policy, tried until it succeeds or refuses for good.
    #[must_use]
    pub const fn unbounded(self) -> Self {
        Self {
            retry: self.retry.unbounded(),
            ..self
        }
    }

    /// The options of a remote activity. `summary` is what the Web UI shows.
    pub fn remote(self, summary: &str) -> ActivityOptions {
        ActivityOptions::with_start_to_close_timeout(self.start_to_close_timeout)
            .retry_policy(self.retry.policy())
            .maybe_heartbeat_timeout(self.heartbeat_timeout)
            .summary(summary)
            .build()
    }

    /// The options of a remote activity that goes on when the workflow is cancelled.
    pub fn detached(self, summary: &str) -> ActivityOptions {
        let mut options = self.remote(summary);
        options.cancellation_token = Some(WorkflowCancellationToken::new());
        options
    }

    /// The options of an undo step: goes on when the workflow is cancelled, and never gives up.
    pub fn undo(self, summary: &str) -> ActivityOptions {
        self.unbounded().detached(summary)
    }

    /// The options of a local activity: a short database step in the worker itself.
    ///
    /// It is detached: such a step takes milliseconds, and a result that cancellation threw away
    /// would have to be undone without being known.
    pub fn local(self, summary: &str) -> LocalActivityOptions {
        LocalActivityOptions::builder()
            .retry_policy(self.retry.policy())
            .start_to_close_timeout(self.start_to_close_timeout)
            // The SDK's default of 100 s would end the retries before the policy does.
            .schedule_to_close_timeout(AS_LONG_AS_IT_TAKES)
            .cancellation_token(WorkflowCancellationToken::new())
            .summary(summary.to_owned())
            .build()
    }
}
