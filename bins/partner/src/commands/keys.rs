//! `partner keys`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};
use partner_api::auth::{ApiKey, Scope, Secret};
use partner_api::repository::{KeyRepository, NewKey};
use partner_core::config::{ConfigSources, Purpose, load};
use partner_core::database;
use partner_core::ids::UserId;
use serde_json::json;

use super::Usage;
use super::list::time;
use crate::cli::{ConfigFileArgs, KeyCreateArgs, KeyRevokeArgs};
use crate::output;

/// Makes a key, and prints it.
pub(crate) async fn create(args: KeyCreateArgs) -> anyhow::Result<ExitCode> {
    let scopes: Vec<_> = args
        .scopes
        .iter()
        .filter_map(|scope| Scope::from_text(scope))
        .collect();
    if args.name.trim().is_empty() {
        return Err(Usage("--name: must not be empty".to_owned()).into());
    }
    if args.user.is_some() && scopes.contains(&Scope::Admin) {
        return Err(
            Usage("--user: a key with the scope admin is bound to nobody".to_owned()).into(),
        );
    }
    let user = args.user.map(UserId::parse).transpose();
    let user = user.map_err(|error| Usage(format!("--user: {error}")))?;
    let expires_at = args
        .expires_in_days
        .map(|days| now() + TimeDelta::days(days.into()));
    let keys = repository(args.config).await?;
    let secret = Secret::new()?;
    let new = NewKey {
        name: args.name.trim(),
        scopes: &scopes,
        user_id: user.as_ref().map(UserId::as_str),
        expires_at,
    };
    let key = keys.create(&secret, &new).await?;
    if args.json {
        output::json(
            &json!({ "key": secret.expose(), "id": key.id, "expiresAt": key.expires_at }),
        )?;
    } else {
        output::line(secret.expose());
        output::note(
            "Keep it: nobody will see it again. It goes into the header Authorization: Bearer <key>.",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists the keys.
pub(crate) async fn list(args: ConfigFileArgs) -> anyhow::Result<ExitCode> {
    let keys = repository(args.config).await?.list().await?;
    if args.json {
        output::json(&json!({ "keys": keys }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["ID", "NAME", "SCOPES", "USER", "STATE", "MADE", "LAST USED"];
    let now = now();
    output::line(output::table(
        header,
        keys.into_iter().map(|key| row(key, now)),
    ));
    Ok(ExitCode::SUCCESS)
}

fn row(key: ApiKey, now: DateTime<Utc>) -> [String; 7] {
    let scopes: Vec<_> = key.scopes.iter().map(ToString::to_string).collect();
    let state = match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked".to_owned(),
        (None, Some(at)) if at <= now => "expired".to_owned(),
        (None, Some(at)) => format!("until {}", time(Some(at))),
        (None, None) => "valid".to_owned(),
    };
    [
        key.id,
        key.name,
        scopes.join(" "),
        key.user_id.unwrap_or_default(),
        state,
        time(Some(key.created_at)),
        time(key.last_used_at),
    ]
}

/// Takes a key back.
pub(crate) async fn revoke(args: KeyRevokeArgs) -> anyhow::Result<ExitCode> {
    let revoked = repository(args.config).await?.revoke(&args.id).await?;
    let key = revoked.ok_or_else(|| {
        anyhow!(
            "there is no key {:?}: `partner keys list` shows those that there are",
            args.id
        )
    })?;
    if args.json {
        output::json(&key)?;
    } else {
        output::line(format!("revoked {} ({})", key.id, key.name));
    }
    Ok(ExitCode::SUCCESS)
}

async fn repository(config: Option<PathBuf>) -> anyhow::Result<KeyRepository> {
    let sources = ConfigSources::from_process(config, "production");
    let config = load(&sources, Purpose::Database)?.config;
    let pool = database::connect(&config.database).await?;
    database::check_schema(&pool).await?;
    Ok(KeyRepository::new(pool))
}

#[expect(
    clippy::disallowed_methods,
    reason = "when a key expires is about real time"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}
