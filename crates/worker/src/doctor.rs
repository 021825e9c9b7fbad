//! Whether everything that a worker needs is there and lets us in: for `partner doctor`.

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher as _, Hasher as _};
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::future::{join_all, ready};
use partner_adapters::{SmtpMailer, StripeGateway, WebPusher};
use partner_core::client::ProcessClient;
use partner_core::config::Config;
use partner_core::error::chain;
use partner_core::ports::object_store::{ObjectStore, content};
use partner_core::ports::payment_gateway::PaymentGateway as _;
use partner_core::{database, temporal};
use partner_payment::repository::{ChargeRepository, GatewayEventRepository};
use serde::Serialize;
use tokio::net::TcpStream;

use crate::dependencies::{DependencyError, index, objects, push, smtp, stripe};
use crate::schedules::planned;

/// How long one dependency may take; its own timeouts are mostly shorter.
const PATIENCE: Duration = Duration::from_secs(30);

/// A payment, a listing and a file that nobody has.
const NOBODYS: &str = "partner-doctor";

/// How a dependency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It answers, and lets us in.
    Ok,
    /// It is not configured, and something cannot be done without it.
    Off,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work.
    Failed,
}

impl State {
    /// The spelling in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Off => "off",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What was found of one dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The dependency.
    pub dependency: &'static str,
    /// How it is.
    pub state: State,
    /// What was seen.
    pub detail: String,
    /// What to do about it; absent if nothing is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
    /// How long that took.
    pub milliseconds: u64,
}

/// How a dependency is, and what was seen of it.
type Seen = (State, String);

fn ok(detail: impl Into<String>) -> Seen {
    (State::Ok, detail.into())
}

fn failed(error: &(impl std::error::Error + 'static)) -> Seen {
    (State::Failed, chain(error))
}

type Check<'a> = Pin<Box<dyn Future<Output = Seen> + Send + 'a>>;

/// What is looked at, how, and what to do if it is not well.
type Named<'a> = (&'static str, Check<'a>, &'static str);

/// Looks at every dependency, all at once. Nothing is changed; a file of a few bytes is written to
/// object storage, read and deleted.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let checks = systems(config).into_iter().chain(work(config));
    let findings = checks.map(|(dependency, check, remedy)| found(dependency, check, remedy));
    join_all(findings).await
}

/// What a worker needs.
fn systems(config: &Config) -> [Named<'_>; 8] {
    [
        (
            "PostgreSQL",
            Box::pin(postgres(config)),
            "check DATABASE_URL and that the server is up; run `partner migrate` if the schema is another",
        ),
        (
            "Temporal",
            Box::pin(engine(config)),
            "check TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TASK_QUEUE and temporal.tls; start a worker if none polls",
        ),
        (
            "mail relay",
            Box::pin(mail(config)),
            "check PARTNER__SMTP__HOST, PORT, TLS, USER and PASSWORD",
        ),
        (
            "payment gateway",
            Box::pin(gateway(config)),
            "check PARTNER__GATEWAY__BASE_URL and PARTNER__GATEWAY__API_KEY",
        ),
        (
            "fulfilment service",
            Box::pin(fulfilment(config)),
            "check PARTNER__FULFILLMENT__BASE_URL and that the service is up",
        ),
        (
            "object storage",
            Box::pin(storage(config)),
            "check PARTNER__STORAGE__URL and storage.options: reading, creating and deleting must be allowed",
        ),
        (
            "search index",
            Box::pin(search(config)),
            "check search.backend, PARTNER__SEARCH__URL and its credentials",
        ),
        (
            "Web Push",
            Box::pin(ready(web_push(config))),
            "set PARTNER__PUSH__VAPID_PRIVATE_KEY and PARTNER__PUSH__SUBJECT",
        ),
    ]
}

/// What needs somebody's attention although everything is up.
fn work(config: &Config) -> [Named<'_>; 3] {
    [
        (
            "recurring work",
            Box::pin(recurring(config)),
            "run `partner schedules apply`; `partner schedules resume` those that are paused by mistake",
        ),
        (
            "gateway events",
            Box::pin(events(config)),
            "look at gateway_events in the database, and at these payments at the gateway: see docs/operations.md",
        ),
        (
            "payments",
            Box::pin(payments(config)),
            "look at each: `partner describe payment-ORDER`; if it was ended, start it again under the same id, which charges nothing twice",
        ),
    ]
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a dependency takes is a part of how it is"
)]
async fn found(dependency: &'static str, check: Check<'_>, remedy: &'static str) -> Finding {
    let begun = Instant::now();
    let seen = tokio::time::timeout(PATIENCE, check).await;
    let (state, detail) =
        seen.unwrap_or_else(|_| (State::Failed, format!("no answer within {PATIENCE:?}")));
    Finding {
        dependency,
        state,
        detail,
        remedy: (state != State::Ok).then_some(remedy),
        milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

async fn postgres(config: &Config) -> Seen {
    let pool = match database::connect(&config.database).await {
        Ok(pool) => pool,
        Err(error) => return failed(&error),
    };
    match database::check_schema(&pool).await {
        Ok(()) => ok("it answers, and has this build's schema".to_owned()),
        Err(error) => failed(&error),
    }
}

async fn engine(config: &Config) -> Seen {
    let settings = &config.temporal;
    let client = match temporal::connect(settings, "partner-doctor", None).await {
        Ok(client) => ProcessClient::new(client, settings.task_queue.clone()),
        Err(error) => return failed(&error),
    };
    let place = format!(
        "{:?} of the namespace {:?}",
        settings.task_queue, settings.namespace
    );
    match client.pollers().await {
        Ok(pollers) if pollers.workflows == 0 || pollers.activities == 0 => (
            State::Warning,
            format!("it answers, but no worker polls {place}"),
        ),
        Ok(pollers) => ok(format!(
            "{place} is polled by {}",
            workers(pollers.workflows)
        )),
        Err(error) => failed(&error),
    }
}

/// Whether what the configuration plans is started again and again.
async fn recurring(config: &Config) -> Seen {
    let settings = &config.temporal;
    let client = match temporal::connect(settings, "partner-doctor", None).await {
        Ok(client) => ProcessClient::new(client, settings.task_queue.clone()),
        Err(error) => return failed(&error),
    };
    let there = match client.schedules().await {
        Ok(there) => there,
        Err(error) => return failed(&error),
    };
    let planned = planned(config);
    let mut missing = Vec::new();
    for schedule in &planned {
        match there.iter().find(|found| found.schedule_id == schedule.id) {
            None => missing.push(format!("{} is not there", schedule.id)),
            Some(found) if found.paused => missing.push(format!("{} is paused", schedule.id)),
            Some(_) => {}
        }
    }
    if missing.is_empty() {
        ok(format!("{} schedules are active", planned.len()))
    } else {
        (State::Warning, missing.join(", "))
    }
}

/// Whether the gateway told anything that somebody has to look at.
async fn events(config: &Config) -> Seen {
    let pool = match database::connect(&config.database).await {
        Ok(pool) => pool,
        Err(error) => return failed(&error),
    };
    match GatewayEventRepository::new(pool).to_look_at().await {
        Ok(found) if found.contradicting == 0 && found.waiting == 0 => {
            ok("none contradicts the books".to_owned())
        }
        Ok(found) => (
            State::Warning,
            format!(
                "{} contradict the books, {} are not handed over",
                found.contradicting, found.waiting
            ),
        ),
        Err(error) => failed(&error),
    }
}

/// Whether money is held that nothing was given for, for longer than a payment takes.
async fn payments(config: &Config) -> Seen {
    let pool = match database::connect(&config.database).await {
        Ok(pool) => pool,
        Err(error) => return failed(&error),
    };
    match ChargeRepository::new(pool).unfinished_orders().await {
        Ok((_, 0)) => ok("no order is charged and not marked paid"),
        Ok((orders, count)) => (
            State::Warning,
            format!(
                "{count} charged and not marked paid for more than an hour: {}",
                orders.join(", ")
            ),
        ),
        Err(error) => failed(&error),
    }
}

fn workers(count: usize) -> String {
    if count == 1 {
        "1 worker".to_owned()
    } else {
        format!("{count} workers")
    }
}

async fn mail(config: &Config) -> Seen {
    let relay = format!("{}:{}", config.smtp.host, config.smtp.port);
    let mailer = match SmtpMailer::new(smtp(&config.smtp)) {
        Ok(mailer) => mailer,
        Err(error) => return failed(&error),
    };
    match mailer.check().await {
        Ok(()) => ok(format!("{relay} greets us, nothing was sent")),
        Err(error) => failed(&error),
    }
}

async fn gateway(config: &Config) -> Seen {
    let gateway = match StripeGateway::new(stripe(&config.gateway)) {
        Ok(gateway) => gateway,
        Err(error) => return failed(&error),
    };
    match gateway.find_payment(NOBODYS).await {
        Ok(_) => ok(format!("{} takes our key", config.gateway.base_url)),
        Err(error) => failed(&error),
    }
}

/// Only that something listens: the service has nothing that could be asked without an effect.
async fn fulfilment(config: &Config) -> Seen {
    let Some(url) = &config.fulfillment.base_url else {
        return failed(&DependencyError::NoFulfillment);
    };
    let Some((host, port)) = url.host_str().zip(url.port_or_known_default()) else {
        return (State::Failed, format!("{url} has no host"));
    };
    match TcpStream::connect((host, port)).await {
        Ok(_) => ok(format!("{host}:{port} listens, it was asked nothing")),
        Err(error) => (State::Failed, format!("{host}:{port}: {error}")),
    }
}

async fn storage(config: &Config) -> Seen {
    let objects = match objects(&config.storage) {
        Ok(Some(objects)) => objects,
        Ok(None) => return (State::Off, "no reports, cleanups or attachments".to_owned()),
        Err(error) => return failed(&error),
    };
    match round_trip(&*objects).await {
        Ok(()) => ok("a file was written, read and deleted".to_owned()),
        Err(reason) => (State::Failed, reason),
    }
}

async fn round_trip(objects: &dyn ObjectStore) -> Result<(), String> {
    let explain = |step: &'static str| move |error| format!("{step}: {}", chain(&error));
    // Two that look at the same moment must not meet.
    let name = format!(
        "{NOBODYS}/{:016x}",
        RandomState::new().build_hasher().finish()
    );
    let written = objects
        .create(&name, content(NOBODYS))
        .await
        .map_err(explain("writing"))?;
    let read = objects.read(&written.reference, 1 << 10).await;
    // Also a file that cannot be read goes.
    let deleted = objects.delete(&written.reference).await;
    let read = read.map_err(explain("reading"))?;
    deleted.map_err(explain("deleting"))?;
    if read == NOBODYS.as_bytes() {
        Ok(())
    } else {
        Err("what was read is not what was written".to_owned())
    }
}

async fn search(config: &Config) -> Seen {
    let Ok(pool) = database::connect(&config.database).await else {
        return (
            State::Failed,
            "PostgreSQL, which has it, does not answer".to_owned(),
        );
    };
    let index = match index(&config.search, &pool) {
        Ok(index) => index,
        Err(error) => return failed(&error),
    };
    match index.lookup(NOBODYS).await {
        Ok(_) => ok("it answers".to_owned()),
        Err(error) => failed(&error),
    }
}

fn web_push(config: &Config) -> Seen {
    match push(&config.push).map(WebPusher::new) {
        None => (State::Off, "no push notifications".to_owned()),
        Some(Ok(pusher)) => ok(format!("the public key is {}", pusher.public_key())),
        Some(Err(error)) => failed(&error),
    }
}
