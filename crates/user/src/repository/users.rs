//! Users, as the onboarding moves them.

use partner_core::contact::EmailAddress;
use partner_core::ids::UserId;
use sqlx::{PgConnection, PgPool};

use crate::error::UserError;
use crate::model::{PersonName, UserStatus};

/// Creates users and moves them along their state machine.
#[derive(Debug, Clone)]
pub struct UserRepository {
    pool: PgPool,
}

/// What a user shall become.
#[derive(Debug, Clone)]
pub struct StatusChange<'a> {
    /// The user.
    pub user_id: &'a UserId,
    /// What they shall become.
    pub status: UserStatus,
    /// Why; a status without a reason clears that of the one before.
    pub reason: Option<&'a str>,
    /// A user of one of these statuses is left as they are.
    pub unless: &'a [UserStatus],
    /// What is known of them, to create them by if they do not exist.
    pub profile: Option<Profile<'a>>,
}

/// What is known of a user who may have to be created.
#[derive(Debug, Clone, Copy)]
pub struct Profile<'a> {
    /// Where mail goes.
    pub email: &'a EmailAddress,
    /// What they are called.
    pub name: &'a PersonName,
}

impl UserRepository {
    /// Users of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Moves a user to a status, along the state machine that the database guards; tells what they
    /// are then.
    ///
    /// An unknown user is created as `pending` first, in the same transaction.
    pub async fn change_status(&self, change: &StatusChange<'_>) -> Result<UserStatus, UserError> {
        let mut transaction = self.pool.begin().await?;
        if let Some(profile) = change.profile {
            create_if_unknown(&mut transaction, change.user_id, profile).await?;
        }
        let from = lock(&mut transaction, change.user_id).await?;
        let status = if change.unless.contains(&from) {
            from
        } else {
            update(&mut transaction, change, from).await?;
            change.status
        };
        transaction.commit().await?;
        Ok(status)
    }
}

async fn create_if_unknown(
    connection: &mut PgConnection,
    user_id: &UserId,
    profile: Profile<'_>,
) -> Result<(), UserError> {
    sqlx::query!(
        "INSERT INTO users (id, email, name, status)
         VALUES ($1, $2, $3, 'pending')
         ON CONFLICT (id) DO NOTHING",
        user_id.as_str(),
        profile.email.as_str(),
        profile.name.as_str()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How the user stands, locked until the transaction ends.
async fn lock(connection: &mut PgConnection, user_id: &UserId) -> Result<UserStatus, UserError> {
    let status = sqlx::query_scalar!(
        "SELECT status FROM users WHERE id = $1 FOR NO KEY UPDATE",
        user_id.as_str()
    )
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| UserError::UserNotFound(user_id.to_string()))?;
    UserStatus::from_text(&status)
        .ok_or_else(|| UserError::Invalid(format!("unknown status {status:?} in the database")))
}

async fn update(
    connection: &mut PgConnection,
    change: &StatusChange<'_>,
    from: UserStatus,
) -> Result<(), UserError> {
    sqlx::query!(
        "UPDATE users SET status = $2, status_reason = $3, updated_at = now() WHERE id = $1",
        change.user_id.as_str(),
        change.status.as_str(),
        change.reason
    )
    .execute(connection)
    .await
    .map_err(|error| refused_step(error, change, from))?;
    Ok(())
}

/// The database's refusal of a step, in the domain's words.
fn refused_step(error: sqlx::Error, change: &StatusChange<'_>, from: UserStatus) -> UserError {
    let constraint = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint);
    if constraint == Some("users_status_step") {
        return UserError::IllegalTransition {
            user: change.user_id.to_string(),
            from,
            to: change.status,
        };
    }
    error.into()
}
