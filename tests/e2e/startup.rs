//! A worker that must not start, and says why.

use std::net::{Ipv4Addr, TcpListener};

use partner_local::error::LocalError;
use partner_local::platform::migrate;
use sqlx::PgPool;

use crate::support::{Host, on_platform};

/// Starts a worker that must not start; its exit status and what it wrote.
async fn refused(host: &Host, variables: &[(&str, &str)]) -> (String, String) {
    match host.worker(variables).await {
        Err(LocalError::Exited { status, log, .. }) => (status, log),
        Err(other) => panic!("{other}"),
        Ok(worker) => panic!("it runs: {:?}", worker.ready),
    }
}

/// The address of a new, empty database.
async fn database(host: &Host, name: &str) -> String {
    host.platform
        .postgres
        .create_database(name)
        .await
        .expect("a new database");
    host.platform.postgres.url(name)
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its number").port()
}

fn expect(found: &(String, String), status: &str, words: &[&str]) {
    assert_eq!(found.0, status, "{}", found.1);
    for word in words {
        assert!(found.1.contains(word), "{word:?} in:\n{}", found.1);
    }
}

#[test]
fn an_unmigrated_database_is_refused_with_the_remedy() {
    on_platform(async |host| {
        let url = database(host, "unmigrated").await;
        let found = refused(host, &[("PARTNER__DATABASE__URL", &url)]).await;
        expect(
            &found,
            "exit status: 1",
            &["is not applied", "partner migrate"],
        );
    });
}

#[test]
fn a_newer_schema_is_refused_with_the_remedy() {
    on_platform(async |host| {
        let url = database(host, "newer").await;
        migrate(&url).await.expect("the schema");
        let pool = PgPool::connect(&url).await.expect("the database");
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (99991231000000, 'from the future', true, '\\x00', 0)",
        )
        .execute(&pool)
        .await
        .expect("one migration more");
        pool.close().await;
        let found = refused(host, &[("PARTNER__DATABASE__URL", &url)]).await;
        expect(
            &found,
            "exit status: 1",
            &["99991231000000 is newer than this build", "partner migrate"],
        );
    });
}

#[test]
fn a_changed_migration_is_refused_with_the_remedy() {
    on_platform(async |host| {
        let url = database(host, "changed").await;
        migrate(&url).await.expect("the schema");
        let pool = PgPool::connect(&url).await.expect("the database");
        let change =
            "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 20261122000001";
        sqlx::query(change)
            .execute(&pool)
            .await
            .expect("another content");
        pool.close().await;
        let found = refused(host, &[("PARTNER__DATABASE__URL", &url)]).await;
        expect(
            &found,
            "exit status: 1",
            &[
                "20261122000001 was applied with another content",
                "partner migrate",
            ],
        );
    });
}

#[test]
fn a_wrong_configuration_exits_2_and_lists_every_problem() {
    on_platform(async |host| {
        let found = refused(
            host,
            &[
                ("PARTNER__WORKER__SHUTDOWN_GRACE", "soon"),
                ("PARTNER__WORKER__SHUTDOWN_GRAZE", "1s"),
                ("TEMPORAL_MAX_CONCURRENT_ACTIVITIES", "0"),
                ("PARTNER__SMTP__TLS", "maybe"),
            ],
        )
        .await;
        let keys = [
            "worker.shutdown_grace:",
            "worker.max_concurrent_activities:",
            "smtp.tls:",
        ];
        expect(&found, "exit status: 2", &keys);
        let found = refused(
            host,
            &[
                ("PARTNER__GATEWAY__API_KEY", ""),
                ("PARTNER__FULFILLMENT__BASE_URL", ""),
                ("PARTNER__DATABASE__URL", ""),
                ("PARTNER__TEMPORAL__ADDRESS", "nowhere"),
                ("PARTNER__WORKER__SHUTDOWN_GRAZE", "1s"),
            ],
        )
        .await;
        let keys = [
            "gateway.api_key:",
            "fulfillment.base_url:",
            "database.url:",
            "temporal.address:",
            "worker.shutdown_graze: no such key",
        ];
        expect(&found, "exit status: 2", &keys);
    });
}

#[test]
fn an_unreachable_service_exits_1_and_names_where_it_was_sought() {
    on_platform(async |host| {
        let nobody = format!("127.0.0.1:{}", closed_port());
        let temporal = [
            ("PARTNER__TEMPORAL__ADDRESS", nobody.as_str()),
            ("PARTNER__TEMPORAL__CONNECT_TIMEOUT", "2s"),
        ];
        expect(
            &refused(host, &temporal).await,
            "exit status: 1",
            &["Temporal", &nobody, "TEMPORAL_ADDRESS"],
        );

        let url = format!("postgres://app:hunter2@{nobody}/app");
        let database = [
            ("PARTNER__DATABASE__URL", url.as_str()),
            ("PARTNER__DATABASE__ACQUIRE_TIMEOUT", "1s"),
        ];
        let found = refused(host, &database).await;
        expect(&found, "exit status: 1", &["database"]);
        assert!(!found.1.contains("hunter2"), "{}", found.1);

        let malformed = [(
            "PARTNER__DATABASE__URL",
            "postgres://app:hunter2@host:port/app",
        )];
        let found = refused(host, &malformed).await;
        expect(
            &found,
            "exit status: 1",
            &["database.url", "postgres://user:password@host/database"],
        );
        assert!(!found.1.contains("hunter2"), "{}", found.1);
    });
}

#[test]
fn a_taken_port_exits_1_and_names_it() {
    on_platform(async |host| {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = taken.local_addr().expect("its number").to_string();
        for key in [
            "PARTNER__WORKER__HEALTH_ADDRESS",
            "PARTNER__WORKER__METRICS_ADDRESS",
        ] {
            expect(
                &refused(host, &[(key, &address)]).await,
                "exit status: 1",
                &[&address],
            );
        }
    });
}
