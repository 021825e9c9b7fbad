//! The search index's faults: what is tried again, and that the next attempt puts right what is not
//! known of the one before.

use std::time::Duration;

use anyhow::Result;
use partner_core::database::DatabaseError;
use partner_core::ports::search_index::SearchIndexError;
use serde_json::{Value, json};

use crate::answers::{done, failure};
use crate::doubles::Moment;
use crate::publication::{number, shown};
use crate::support::World;

/// How long a busy index asks us to wait.
const WAIT: Duration = Duration::from_secs(7);

/// An error of the index, and what it means to whoever can give up: its code, and whether to try
/// again.
struct Fault {
    error: fn() -> SearchIndexError,
    code: &'static str,
    retryable: bool,
    retry_after: Option<Duration>,
}

const FAULTS: [Fault; 5] = [
    Fault {
        error: || SearchIndexError::Unavailable {
            status: 429,
            message: "busy".to_owned(),
            retry_after: Some(WAIT),
        },
        code: "EXTERNAL_SERVICE_ERROR",
        retryable: true,
        retry_after: Some(WAIT),
    },
    Fault {
        error: || SearchIndexError::NoAnswer("connection closed".to_owned()),
        code: "EXTERNAL_SERVICE_ERROR",
        retryable: true,
        retry_after: None,
    },
    Fault {
        error: || SearchIndexError::Refused {
            status: 403,
            message: "read only".to_owned(),
        },
        code: "EXTERNAL_SERVICE_ERROR",
        retryable: false,
        retry_after: None,
    },
    Fault {
        error: || SearchIndexError::Invalid("no such id".to_owned()),
        code: "VALIDATION_ERROR",
        retryable: false,
        retry_after: None,
    },
    Fault {
        error: || SearchIndexError::Database(DatabaseError::from(sqlx::Error::PoolTimedOut)),
        code: "DATABASE_ERROR",
        retryable: true,
        retry_after: None,
    },
];

#[tokio::test]
async fn a_publication_that_fails_is_tried_again_if_that_can_help() -> Result<()> {
    let start = World::start().await?;
    for Fault {
        error,
        code,
        retryable,
        retry_after,
    } in FAULTS
    {
        for moment in Moment::ALL {
            let world = start.beside().approved().await?;
            world.index.fail(moment, error());
            let failure = failure(world.publish(json!({})).await)?;
            assert_eq!(failure.code, code);
            assert_eq!(
                (failure.retryable, failure.retry_after),
                (retryable, retry_after)
            );
            assert_eq!(world.column("live_version").await?, Value::Null);
            // Whatever became of it, the next attempt comes after it.
            done(world.publish(json!({})).await)?;
            assert_eq!(
                shown(&world).await?,
                (Some("Flat by the lake".to_owned()), json!(1))
            );
            number(&world).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn taking_out_is_tried_again_whatever_is_wrong() -> Result<()> {
    let start = World::start().await?;
    for Fault {
        error,
        code,
        retry_after,
        ..
    } in FAULTS
    {
        for moment in Moment::ALL {
            let world = start.beside().live().await?;
            world.index.fail(moment, error());
            let failure = failure(world.remove(json!({})).await)?;
            assert_eq!(failure.code, code);
            assert_eq!(
                (failure.retryable, failure.retry_after),
                (true, retry_after)
            );
            assert_eq!(world.column("live_version").await?, 1);
            done(world.remove(json!({})).await)?;
            assert_eq!(shown(&world).await?, (None, Value::Null));
        }
    }
    let world = start.live().await?;
    world.pool.close().await;
    let failure = failure(world.remove(json!({})).await)?;
    assert_eq!(
        (failure.code.as_str(), failure.retryable),
        ("DATABASE_ERROR", true)
    );
    Ok(())
}
