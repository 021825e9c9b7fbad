//! The embedded index on a real PostgreSQL: one server for all tests, one database for each.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use partner_adapters::PostgresSearchIndex;
use partner_core::database::MIGRATOR;
use partner_core::error::{ErrorCode, Failure};
use partner_core::ports::search_index::{SearchIndex, SearchQuery};
use partner_local::postgres::{PostgresOptions, PostgresServer};
use partner_local::progress::Progress;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::conformance::{conformance, found, text, titled};

/// The server of this test binary; it ends with the process, whose leash it is on.
static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();

static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// An index in a database of its own.
struct Stage {
    index: PostgresSearchIndex,
    pool: PgPool,
}

impl Stage {
    fn index(&self) -> &dyn SearchIndex {
        &self.index
    }

    async fn close(self) -> Result<()> {
        self.pool.close().await;
        Ok(())
    }
}

async fn open() -> Result<Stage> {
    let server = SERVER.get_or_try_init(start).await?;
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).await?;
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .connect(&server.url(&name))
        .await?;
    MIGRATOR.run(&pool).await?;
    Ok(Stage {
        index: PostgresSearchIndex::new(pool.clone()),
        pool,
    })
}

async fn start() -> Result<PostgresServer> {
    // The server outlives the test that starts it, and so must the runtime that watches it.
    // Leaked, because a runtime must not be dropped inside another.
    let runtime: &'static Runtime = Box::leak(Box::new(Runtime::new()?));
    let started = runtime.spawn(async {
        PostgresServer::start(PostgresOptions::default(), &Progress::silent()).await
    });
    Ok(started.await??)
}

conformance!(open);

#[tokio::test]
async fn what_others_write_between_two_pages_moves_no_other_hit() -> Result<()> {
    let stage = open().await?;
    for id in ["b", "d", "f", "h"] {
        stage.index.publish(&titled(id, 1, "Penthouse")).await?;
    }
    let first = SearchQuery {
        limit: 2,
        ..text("penthouse")
    };
    let page = stage.index.search(&first).await?;
    // One before, one behind, one better than all, and the last hit of the page goes.
    for (id, title) in [
        ("a", "Penthouse"),
        ("g", "Penthouse"),
        ("z", "Penthouse penthouse"),
    ] {
        stage.index.publish(&titled(id, 1, title)).await?;
    }
    stage.index.remove("d", 2).await?;
    let second = SearchQuery {
        after: page.next,
        ..text("penthouse")
    };
    assert_eq!(found(stage.index(), &second).await?, ["f", "g", "h"]);
    stage.close().await
}

#[tokio::test]
async fn a_removed_listing_leaves_its_version_and_nothing_else() -> Result<()> {
    let stage = open().await?;
    stage.index.publish(&titled("a", 1, "Penthouse")).await?;
    stage.index.remove("a", 2).await?;
    let row: (serde_json::Value,) = sqlx::query_as(
        "SELECT jsonb_strip_nulls(to_jsonb(search_documents)) FROM search_documents",
    )
    .fetch_one(&stage.pool)
    .await?;
    let expected = serde_json::json!({"listing_id": "a", "version": 2, "removed": true});
    assert_eq!(row.0, expected);
    stage.close().await
}

#[tokio::test]
async fn a_database_that_is_gone_is_a_database_error_and_is_tried_again() -> Result<()> {
    let stage = open().await?;
    stage.pool.close().await;
    for outcome in [
        stage.index.publish(&titled("a", 1, "Penthouse")).await,
        stage.index.remove("a", 1).await,
        stage.index.search(&SearchQuery::default()).await.map(drop),
        stage.index.lookup("a").await.map(drop),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), ErrorCode::DatabaseError);
        assert!(error.is_retryable());
    }
    Ok(())
}
