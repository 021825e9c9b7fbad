//! `updateUserStatus`: the state machine, the reason, and users who do not exist yet.

use anyhow::{Context, Result, ensure};
use partner_core::wire::Wire;
use partner_user::activities::account::{
    AccountActivities, UpdateUserStatusInput, UpdateUserStatusResult,
};
use partner_user::model::UserStatus;
use partner_user::repository::UserRepository;
use sqlx::PgPool;

use crate::database::fresh_database;
use crate::support::{Answer, done, failure};

use UserStatus::{Active, Onboarding, OnboardingFailed, Pending, Suspended};

/// The users, and what may be done to them.
struct Users {
    pool: PgPool,
    accounts: AccountActivities,
}

impl Users {
    async fn start() -> Result<Self> {
        let pool = fresh_database().await?;
        let accounts = AccountActivities {
            users: UserRepository::new(pool.clone()),
        };
        Ok(Self { pool, accounts })
    }

    /// A user of this status, as if they had come there by themselves.
    async fn put(&self, id: &str, status: UserStatus) -> Result<()> {
        sqlx::query("INSERT INTO users (id, email, status) VALUES ($1, 'ana@example.com', $2)")
            .bind(id)
            .bind(status.as_str())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn update(&self, json: &str) -> Answer<UpdateUserStatusResult> {
        let input = Wire::<UpdateUserStatusInput>::from_json(json.as_bytes());
        self.accounts.update(input).await
    }

    /// An update that must succeed; tells what the user is then.
    async fn done(&self, json: &str) -> Result<UserStatus> {
        let result = done(self.update(json).await).context(json.to_owned())?;
        ensure!(result.success, "{json}: {result:?}");
        Ok(result.status)
    }

    /// An update that must be refused for good; tells why.
    async fn refused(&self, json: &str) -> Result<String> {
        let failure = failure(self.update(json).await).context(json.to_owned())?;
        ensure!(
            failure.code == "VALIDATION_ERROR" && !failure.retryable,
            "{json}: {failure:?}"
        );
        Ok(failure.message)
    }

    /// Status, reason, address and name; nothing if there is no such user.
    async fn user(&self, id: &str) -> Result<Option<(String, Option<String>, String, String)>> {
        let user =
            sqlx::query_as("SELECT status, status_reason, email, name FROM users WHERE id = $1")
                .bind(id)
                .fetch_optional(&self.pool)
                .await?;
        Ok(user)
    }

    async fn status(&self, id: &str) -> Result<String> {
        let user = self.user(id).await?;
        Ok(user.context("no such user")?.0)
    }

    async fn reason(&self, id: &str) -> Result<Option<String>> {
        let user = self.user(id).await?;
        Ok(user.context("no such user")?.1)
    }
}

#[tokio::test]
async fn a_user_takes_the_steps_of_the_state_machine_and_no_others() -> Result<()> {
    let users = Users::start().await?;
    for &from in UserStatus::ALL {
        for &to in UserStatus::ALL {
            let id = format!("{from}-{to}");
            users.put(&id, from).await?;
            let json = format!(r#"{{"userId":"{id}","status":"{to}"}}"#);
            if from.may_become(to) {
                for _ in 0..2 {
                    assert_eq!(users.done(&json).await?, to);
                    assert_eq!(users.status(&id).await?, to.as_str(), "{id}");
                }
            } else {
                let error = users.refused(&json).await?;
                assert!(
                    error.contains(&format!("is {from}, they cannot become {to}")),
                    "{error}"
                );
                assert_eq!(users.status(&id).await?, from.as_str(), "{id}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_database_and_the_model_agree_on_every_step() -> Result<()> {
    let users = Users::start().await?;
    for &from in UserStatus::ALL {
        for &to in UserStatus::ALL {
            let id = format!("{from}-{to}");
            users.put(&id, from).await?;
            let updated = sqlx::query("UPDATE users SET status = $2 WHERE id = $1")
                .bind(&id)
                .bind(to.as_str())
                .execute(&users.pool)
                .await;
            match updated {
                Ok(_) => assert!(from.may_become(to), "only the database allows {id}"),
                Err(error) => {
                    let error = error.into_database_error().context("another error")?;
                    assert_eq!(error.constraint(), Some("users_status_step"), "{id}");
                    assert!(!from.may_become(to), "only the model allows {id}");
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_says_what_is_possible_instead() -> Result<()> {
    let users = Users::start().await?;
    users.put("ana", OnboardingFailed).await?;
    let error = users
        .refused(r#"{"userId":"ana","status":"active"}"#)
        .await?;
    assert!(
        error.ends_with("possible: onboarding, suspended"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn the_reason_is_kept_until_a_status_comes_without_one() -> Result<()> {
    let users = Users::start().await?;
    users.put("ana", Onboarding).await?;
    let failed =
        r#"{"userId":"ana","status":"onboarding_failed","reason":"550 no such\u0000 mailbox"}"#;
    for _ in 0..2 {
        assert_eq!(users.done(failed).await?, OnboardingFailed);
        let reason = users.reason("ana").await?;
        assert_eq!(reason.as_deref(), Some("550 no such mailbox"));
    }
    // A refused step leaves the reason as it leaves the status.
    users
        .refused(r#"{"userId":"ana","status":"active"}"#)
        .await?;
    assert!(users.reason("ana").await?.is_some());

    users
        .done(r#"{"userId":"ana","status":"onboarding"}"#)
        .await?;
    assert_eq!(users.reason("ana").await?, None);
    Ok(())
}

#[tokio::test]
async fn an_unknown_user_is_created_from_what_is_known_of_them() -> Result<()> {
    let users = Users::start().await?;
    for id in ["ana", "ana@example.com"] {
        let json = format!(
            r#"{{"userId":"{id}","status":"onboarding","email":"ana@example.com","name":" Ana\r\nMaria "}}"#
        );
        for _ in 0..2 {
            assert_eq!(users.done(&json).await?, Onboarding);
            let user = users.user(id).await?.context("not created")?;
            assert_eq!(
                user,
                (
                    "onboarding".to_owned(),
                    None,
                    "ana@example.com".to_owned(),
                    "Ana Maria".to_owned()
                )
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_user_is_not_created_by_a_step_that_a_new_user_cannot_take() -> Result<()> {
    let users = Users::start().await?;
    users
        .refused(r#"{"userId":"ana","status":"active","email":"ana@example.com","name":"Ana"}"#)
        .await?;
    assert_eq!(users.user("ana").await?, None);
    Ok(())
}

#[tokio::test]
async fn a_user_who_exists_keeps_their_address_and_name() -> Result<()> {
    let users = Users::start().await?;
    users.put("ana", Pending).await?;
    users
        .done(r#"{"userId":"ana","status":"onboarding","email":"eve@example.com","name":"Eve"}"#)
        .await?;
    let (_, _, email, name) = users.user("ana").await?.context("no such user")?;
    assert_eq!((email.as_str(), name.as_str()), ("ana@example.com", ""));
    Ok(())
}

#[tokio::test]
async fn an_unknown_user_of_whom_nothing_is_known_is_refused() -> Result<()> {
    let users = Users::start().await?;
    for json in [
        r#"{"userId":"ana","status":"onboarding"}"#,
        r#"{"userId":"ana","status":"onboarding","email":"ana@example.com"}"#,
        r#"{"userId":"ana","status":"onboarding","name":"Ana"}"#,
    ] {
        let error = users.refused(json).await?;
        assert!(error.contains("email and name"), "{error}");
        assert_eq!(users.user("ana").await?, None, "{json}");
    }
    Ok(())
}

#[tokio::test]
async fn a_user_of_the_excepted_status_is_left_as_they_are() -> Result<()> {
    let users = Users::start().await?;
    for (from, to) in [(Active, Onboarding), (Suspended, Active)] {
        let id = from.as_str();
        users.put(id, from).await?;
        sqlx::query("UPDATE users SET status_reason = 'as before' WHERE id = $1")
            .bind(id)
            .execute(&users.pool)
            .await?;
        let json = format!(
            r#"{{"userId":"{id}","status":"{to}","reason":"another","unless":["{from}"]}}"#
        );
        for _ in 0..2 {
            assert_eq!(users.done(&json).await?, from);
            assert_eq!(users.status(id).await?, id);
            let reason = users.reason(id).await?;
            assert_eq!(reason.as_deref(), Some("as before"));
        }
    }
    // Everyone else moves on, or is refused, as without it.
    users.put("new", Pending).await?;
    let json = r#"{"userId":"new","status":"onboarding","unless":["active"]}"#;
    assert_eq!(users.done(json).await?, Onboarding);
    users
        .refused(r#"{"userId":"suspended","status":"onboarding","unless":["active"]}"#)
        .await?;
    Ok(())
}

#[tokio::test]
async fn input_of_another_shape_is_refused_for_good() -> Result<()> {
    let users = Users::start().await?;
    users.put("ana", Pending).await?;
    for json in [
        "null",
        r#"{"userId":"ana"}"#,
        r#"{"status":"active"}"#,
        r#"{"userId":"","status":"onboarding"}"#,
        r#"{"userId":"ana","status":"lost"}"#,
        r#"{"userId":"ana","status":"onboarding","email":"ana"}"#,
        r#"{"userId":"ana","status":"onboarding","name":" "}"#,
        r#"{"userId":"ana","status":"onboarding","unless":["lost"]}"#,
    ] {
        users.refused(json).await?;
    }
    assert_eq!(users.status("ana").await?, "pending");
    Ok(())
}
