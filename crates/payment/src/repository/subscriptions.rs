//! Subscriptions: what was agreed, and how they stand.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use partner_core::money::Money;
use partner_core::ports::payment_gateway::{PaymentMethod, StoredMethod};
use partner_core::sweep::Position;
use sqlx::{PgConnection, PgPool};

use crate::billing_calendar::{BillingCalendar, BillingPeriod};
use crate::due;
use crate::dunning::{DeclineClass, DunningPolicy, Outcome, Standing, step};
use crate::error::PaymentError;
use crate::ledger::parameters_hash;
use crate::model::{ChargeRequest, ChargeSubject, SubscriptionStatus, known, money_of};

/// Reads and changes subscriptions.
#[derive(Debug, Clone)]
pub struct SubscriptionRepository {
    pool: PgPool,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Who pays.
    pub user_id: String,
    /// What was subscribed to; may be empty.
    pub plan: String,
    /// What a period costs.
    pub price: Money,
    /// How often it is paid.
    pub billing_period: BillingPeriod,
    /// The zone of its user; of someone without an account, UTC.
    pub zone: Tz,
    /// When its periods begin, by the calendar of its user.
    pub calendar: BillingCalendar,
    /// How the user pays.
    pub payment_method: PaymentMethod,
    /// What they pay with, if the gateway has it on file.
    pub stored_method: Option<StoredMethod>,
    /// Counts the changes of what they pay with.
    pub payment_method_version: i32,
    /// The version whose charge was declined last.
    pub declined_version: Option<i32>,
    /// How it stands.
    pub standing: Standing,
}

impl Subscription {
    /// Whether the user pays with something else than what was declined.
    pub fn has_new_method(&self) -> bool {
        self.declined_version
            .is_some_and(|declined| self.payment_method_version > declined)
    }

    /// The charge of an attempt, by what is agreed now.
    pub fn charge(
        &self,
        period: &str,
        attempt: u32,
        as_of: Option<DateTime<Utc>>,
    ) -> ChargeRequest {
        ChargeRequest {
            subject: ChargeSubject::SubscriptionPeriod {
                subscription_id: self.id.clone(),
                period: period.to_owned(),
            },
            user_id: self.user_id.clone(),
            amount: self.price,
            method: self.payment_method,
            stored_method: self.stored_method.clone(),
            attempt,
            as_of,
            workflow_id: None,
        }
    }
}

/// A subscription that may have something due.
#[derive(Debug)]
pub struct DueSubscription {
    /// Its id.
    pub id: String,
    /// Since when something may be due.
    pub due_at: DateTime<Utc>,
    /// The subscription, or why it cannot be read.
    pub subscription: Result<Subscription, PaymentError>,
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionChanges {
    /// When it was last paid.
    pub last_payment_date: Option<DateTime<Utc>>,
    /// When it is next due.
    pub next_payment_date: Option<DateTime<Utc>>,
    /// How it stands.
    pub status: Option<SubscriptionStatus>,
    /// Failed charges since the last that succeeded.
    pub failed_payment_count: Option<i32>,
}

/// A charge of a subscription that ended, as the ledger has it.
pub(super) struct Charged<'a> {
    pub(super) subscription_id: &'a str,
    pub(super) period: &'a str,
    pub(super) parameters_hash: String,
    pub(super) user_id: String,
    pub(super) amount: Money,
    pub(super) method: Option<String>,
    /// Nothing if it succeeded.
    pub(super) decline: Option<DeclineClass>,
}

impl SubscriptionRepository {
    /// Subscriptions of this database.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The subscription with this id.
    pub async fn lookup(&self, id: &str) -> Result<Option<Subscription>, PaymentError> {
        let mut connection = self.pool.acquire().await?;
        find(&mut connection, id).await
    }

    /// The database's clock.
    pub async fn now(&self) -> Result<DateTime<Utc>, PaymentError> {
        let mut connection = self.pool.acquire().await?;
        now(&mut connection).await
    }

    /// How many subscriptions may have something due. They are active: whoever is suspended pays when
    /// they ask for it.
    pub async fn count_due(&self, as_of: DateTime<Utc>) -> Result<u64, PaymentError> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM subscriptions
               WHERE status = 'active' AND COALESCE(retry_at, next_payment_date, anchor_date) <= $1"#,
            as_of
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Those subscriptions after a place, the earliest due first.
    ///
    /// They are candidates: whether something is owed the calendar and the charge ledger say. One that
    /// cannot be read is an error of its own, and hides none of the others.
    pub async fn due(
        &self,
        as_of: DateTime<Utc>,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Vec<DueSubscription>, PaymentError> {
        let (at, id) = match after {
            Some(Position { at, id }) => (Some(*at), id.as_str()),
            None => (None, ""),
        };
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT subscription.id, subscription.user_id, subscription.plan, subscription.amount_minor,
                      subscription.currency, subscription.billing_period, subscription.anchor_date,
                      subscription.payment_method, subscription.stored_method,
                      subscription.payment_method_version, subscription.declined_version,
                      subscription.status, subscription.failed_payment_count, subscription.retry_at,
                      subscription.last_payment_date, subscription.next_payment_date,
                      COALESCE(users.time_zone, 'UTC') AS "time_zone!"
               FROM subscriptions AS subscription
               LEFT JOIN users ON users.id = subscription.user_id
               WHERE subscription.status = 'active'
                 AND COALESCE(subscription.retry_at, subscription.next_payment_date, subscription.anchor_date) <= $1
                 AND (COALESCE(subscription.retry_at, subscription.next_payment_date, subscription.anchor_date),
                      subscription.id) > (COALESCE($2::timestamptz, '-infinity'), $3)
               ORDER BY COALESCE(subscription.retry_at, subscription.next_payment_date, subscription.anchor_date),
                        subscription.id
               LIMIT $4"#,
            as_of,
            at,
            id,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| DueSubscription {
                id: row.id.clone(),
                due_at: row.due_at(),
                subscription: row.read(),
            })
            .collect())
    }

    /// Changes a subscription. One that was cancelled or has expired stays so.
    ///
    /// With another status, no attempt is planned any more.
    pub async fn update(
        &self,
        id: &str,
        changes: &SubscriptionChanges,
    ) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let subscription = lock(&mut transaction, id).await?;
        let from = subscription.standing.status;
        let to = changes.status.unwrap_or(from);
        if !from.may_become(to) {
            return Err(PaymentError::SubscriptionEnded {
                subscription: id.to_owned(),
                from,
                to,
            });
        }
        let standing = subscription.standing;
        let standing = Standing {
            status: to,
            failed_payment_count: changes
                .failed_payment_count
                .unwrap_or(standing.failed_payment_count),
            retry_at: standing.retry_at.filter(|_| from == to),
            last_payment_date: changes.last_payment_date.or(standing.last_payment_date),
            next_payment_date: changes.next_payment_date.or(standing.next_payment_date),
        };
        write(
            &mut transaction,
            id,
            &standing,
            // A suspension by somebody is not lifted by another payment method.
            subscription.declined_version.filter(|_| from == to),
        )
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Changes a subscription as the end of a charge demands; `false` if it ended before and stays.
///
/// Belongs into the transaction that writes down the charge's end, after it: whoever locks both, locks
/// the charge first.
pub(super) async fn apply(
    connection: &mut PgConnection,
    charged: &Charged<'_>,
    dunning: DunningPolicy,
    as_of: Option<DateTime<Utc>>,
) -> Result<bool, PaymentError> {
    let subscription = lock(connection, charged.subscription_id).await?;
    if subscription.standing.status.is_final() {
        return Ok(false);
    }
    let outcome = match charged.decline {
        Some(class) => Outcome::Declined(class),
        None => Outcome::Paid {
            period: due::index_of(&subscription.calendar, charged.period).ok_or_else(|| {
                PaymentError::Invalid(format!("{:?} names no period", charged.period))
            })?,
        },
    };
    let declined_version = match charged.decline {
        Some(_) => Some(declined_version(&subscription, charged)?),
        // Paid: whoever suspends it later does not mean what was declined before.
        None => None,
    };
    let at = match as_of {
        Some(at) => at,
        None => now(connection).await?,
    };
    let standing = step(
        &subscription.standing,
        outcome,
        &subscription.calendar,
        dunning,
        at,
    );
    write(connection, &subscription.id, &standing, declined_version).await?;
    Ok(true)
}

/// Which version of what the user pays with was declined: what is on file now, or, if they gave
/// something else while the charge was under way, what was before it.
fn declined_version(
    subscription: &Subscription,
    charged: &Charged<'_>,
) -> Result<i32, PaymentError> {
    let now_on_file = ChargeRequest {
        user_id: charged.user_id.clone(),
        amount: charged.amount,
        ..subscription.charge(charged.period, 1, None)
    };
    let method = method_of(charged.method.as_deref().unwrap_or_default())?;
    let is_the_same = method == subscription.payment_method
        && parameters_hash(&now_on_file) == charged.parameters_hash;
    Ok(if is_the_same {
        subscription.payment_method_version
    } else {
        subscription.payment_method_version - 1
    })
}

pub(super) fn method_of(text: &str) -> Result<PaymentMethod, PaymentError> {
    let method = PaymentMethod::ALL
        .into_iter()
        .find(|method| method.as_str() == text);
    known(method, text)
}

async fn now(connection: &mut PgConnection) -> Result<DateTime<Utc>, PaymentError> {
    let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#)
        .fetch_one(connection)
        .await?;
    Ok(now)
}

/// The subscription, locked until the transaction ends.
async fn lock(connection: &mut PgConnection, id: &str) -> Result<Subscription, PaymentError> {
    sqlx::query_scalar!("SELECT 1 FROM subscriptions WHERE id = $1 FOR UPDATE", id)
        .fetch_optional(&mut *connection)
        .await?;
    find(connection, id)
        .await?
        .ok_or_else(|| PaymentError::SubscriptionNotFound(id.to_owned()))
}

async fn write(
    connection: &mut PgConnection,
    id: &str,
    standing: &Standing,
    declined_version: Option<i32>,
) -> Result<(), PaymentError> {
    sqlx::query!(
        "UPDATE subscriptions
         SET status = $2,
             failed_payment_count = $3,
             retry_at = $4,
             last_payment_date = $5,
             next_payment_date = $6,
             declined_version = $7,
             updated_at = now()
         WHERE id = $1",
        id,
        standing.status.as_str(),
        standing.failed_payment_count,
        standing.retry_at,
        standing.last_payment_date,
        standing.next_payment_date,
        declined_version
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn find(
    connection: &mut PgConnection,
    id: &str,
) -> Result<Option<Subscription>, PaymentError> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT subscription.id, subscription.user_id, subscription.plan, subscription.amount_minor,
                  subscription.currency, subscription.billing_period, subscription.anchor_date,
                  subscription.payment_method, subscription.stored_method,
                  subscription.payment_method_version, subscription.declined_version,
                  subscription.status, subscription.failed_payment_count, subscription.retry_at,
                  subscription.last_payment_date, subscription.next_payment_date,
                  -- Someone without an account has no zone.
                  COALESCE(users.time_zone, 'UTC') AS "time_zone!"
           FROM subscriptions AS subscription
           LEFT JOIN users ON users.id = subscription.user_id
           WHERE subscription.id = $1"#,
        id
    )
    .fetch_optional(connection)
    .await?;
    row.map(Row::read).transpose()
}

/// A subscription's row, with its user's zone.
struct Row {
    id: String,
    user_id: String,
    plan: String,
    amount_minor: i64,
    currency: String,
    billing_period: String,
    anchor_date: DateTime<Utc>,
    payment_method: String,
    stored_method: Option<String>,
    payment_method_version: i32,
    declined_version: Option<i32>,
    status: String,
    failed_payment_count: i32,
    retry_at: Option<DateTime<Utc>>,
    last_payment_date: Option<DateTime<Utc>>,
    next_payment_date: Option<DateTime<Utc>>,
    time_zone: String,
}

impl Row {
    fn read(self) -> Result<Subscription, PaymentError> {
        let zone: Tz = self.time_zone.parse().map_err(|_| {
            PaymentError::Invalid(format!(
                "users.time_zone of {}: {:?} is no zone of the IANA database, expected such as Europe/Berlin",
                self.user_id, self.time_zone
            ))
        })?;
        let billing_period = known(
            BillingPeriod::from_text(&self.billing_period),
            &self.billing_period,
        )?;
        Ok(Subscription {
            id: self.id,
            plan: self.plan,
            zone,
            price: money_of(self.amount_minor, &self.currency)?,
            billing_period,
            calendar: BillingCalendar::new(self.anchor_date, zone, billing_period),
            payment_method: method_of(&self.payment_method)?,
            stored_method: self.stored_method.as_deref().map(StoredMethod::parse),
            payment_method_version: self.payment_method_version,
            declined_version: self.declined_version,
            standing: Standing {
                status: known(SubscriptionStatus::from_text(&self.status), &self.status)?,
                failed_payment_count: self.failed_payment_count,
                retry_at: self.retry_at,
                last_payment_date: self.last_payment_date,
                next_payment_date: self.next_payment_date,
            },
            user_id: self.user_id,
        })
    }

    /// When something may be due: the next attempt, the next period, or the first.
    fn due_at(&self) -> DateTime<Utc> {
        self.retry_at
            .or(self.next_payment_date)
            .unwrap_or(self.anchor_date)
    }
}
