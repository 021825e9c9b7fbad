//! How activities and statements end, for tests that know how they must.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use temporalio_sdk::activities::ActivityError;

/// How an activity ends.
pub(crate) type Answer<T> = Result<T, ActivityError>;

/// The result of an activity that must succeed.
pub(crate) fn done<T>(answer: Answer<T>) -> Result<T> {
    answer.map_err(|error| anyhow!("the activity failed: {error:?}"))
}

/// How an activity failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) code: String,
    pub(crate) retryable: bool,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

/// How an activity failed that must.
pub(crate) fn failure<T: Debug>(answer: Answer<T>) -> Result<Failed> {
    match answer {
        Err(ActivityError::Application(failure)) => {
            let code = failure.type_name().context("a failure without a type")?;
            Ok(Failed {
                code: code.to_owned(),
                retryable: !failure.is_non_retryable(),
                message: failure.to_string(),
                retry_after: failure.next_retry_delay(),
            })
        }
        other => Err(anyhow!("not an application failure: {other:?}")),
    }
}

/// Why an activity was refused for good, by a rule, that must be.
pub(crate) fn refused<T: Debug>(answer: Answer<T>) -> Result<String> {
    let failure = failure(answer)?;
    ensure!(
        failure.code == "VALIDATION_ERROR" && !failure.retryable,
        "not refused: {failure:?}"
    );
    Ok(failure.message)
}

/// The name of the constraint that refuses a statement which must be refused.
pub(crate) fn constraint<T: Debug>(result: Result<T, sqlx::Error>) -> Result<String> {
    match result {
        Err(sqlx::Error::Database(error)) => {
            let name = error.constraint().context("refused without a name")?;
            Ok(name.to_owned())
        }
        other => Err(anyhow!("not refused by a constraint: {other:?}")),
    }
}
