//! Users, what they are told, and how they stand.

use anyhow::Result;

use crate::stage::Stage;

/// Someone who can be told something.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their id.
    pub id: String,
    /// Where their mail goes.
    pub email: String,
}

impl Person {
    /// Someone whom nobody knows: they have no account.
    pub fn stranger(stage: &Stage) -> Self {
        let id = stage.unique("stranger");
        Self {
            email: format!("{id}@example.com"),
            id,
        }
    }
}

impl Stage {
    /// An active user.
    pub async fn person(&self) -> Result<Person> {
        let person = Person::stranger(self);
        self.shop.add_user(&person.id, &person.email, "Ana").await?;
        Ok(person)
    }

    /// Lets a user be left alone from an hour ago until so many hours from now, by the clock of their
    /// time zone.
    pub async fn quiet_for(&self, person: &Person, hours: i32) -> Result<()> {
        sqlx::query(
            "UPDATE users
             SET time_zone = 'Asia/Kolkata',
                 quiet_from = ((now() AT TIME ZONE 'Asia/Kolkata') - interval '1 hour')::time,
                 quiet_until = ((now() AT TIME ZONE 'Asia/Kolkata') + make_interval(hours => $2))::time
             WHERE id = $1",
        )
        .bind(&person.id)
        .bind(hours)
        .execute(self.shop.pool())
        .await?;
        Ok(())
    }

    /// The subjects of a person's mails, in the order in which they came.
    pub fn subjects(&self, person: &Person) -> Vec<String> {
        let mails = self.platform.inbox.mails_to(&person.email);
        // The inbox has the latest on top.
        let subjects = mails.iter().rev().map(|mail| mail.subject.clone());
        subjects.map(Option::unwrap_or_default).collect()
    }

    /// What is in a person's in-app inbox: the types, the oldest first.
    pub async fn in_app(&self, person: &Person) -> Result<Vec<String>> {
        Ok(
            sqlx::query_scalar("SELECT type FROM inbox_messages WHERE user_id = $1 ORDER BY id")
                .bind(&person.id)
                .fetch_all(self.shop.pool())
                .await?,
        )
    }

    /// Moves a user as another service would.
    pub async fn move_user(&self, person: &Person, status: &str) -> Result<()> {
        sqlx::query("UPDATE users SET status = $2 WHERE id = $1")
            .bind(&person.id)
            .bind(status)
            .execute(self.shop.pool())
            .await?;
        Ok(())
    }

    /// A notification as the ledger of notifications has it.
    pub async fn notification_status(&self, person: &Person) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(
            "SELECT status FROM notifications WHERE user_id = $1 ORDER BY created_at",
        )
        .bind(&person.id)
        .fetch_all(self.shop.pool())
        .await?)
    }
}
