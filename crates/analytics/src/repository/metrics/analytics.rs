//! The queries of an analytics report: users, what they did, what they were told; listings.

use sqlx::PgConnection;

use super::count;
use crate::error::AnalyticsError;
use crate::metrics::{
    AnalyticsMetrics, ChannelDeliveries, Compared, Latency, ListingMetrics, StatusCount,
};
use crate::model::Period;

pub(super) async fn gather(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<AnalyticsMetrics, AnalyticsError> {
    let new = new_users(snapshot, period).await?;
    let onboardings = onboardings(snapshot, period).await?;
    Ok(AnalyticsMetrics {
        new_users: new.created,
        converted: new.converted,
        active_users: active_users(snapshot, period).await?,
        onboardings_finished: onboardings.finished,
        onboardings_failed: onboardings.failed,
        deliveries: deliveries(snapshot, period).await?,
        listings: Some(ListingMetrics {
            by_status: listings_by_status(snapshot, period).await?,
            approval: approval(snapshot, period).await?,
        }),
    })
}

struct NewUsers {
    created: Compared<u64>,
    converted: Compared<u64>,
}

/// Users by the time at which they were created, and when they became active first: their history says
/// it, or that they were created so; who has none was created as what they are.
async fn new_users(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<NewUsers, AnalyticsError> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE now)                               AS "created!",
                  count(*) FILTER (WHERE NOT now)                           AS "created_before!",
                  count(*) FILTER (WHERE now AND active_at < $3)            AS "converted!",
                  count(*) FILTER (WHERE NOT now AND active_at < $2)        AS "converted_before!"
           FROM (SELECT created_at >= $2 AS now,
                        CASE WHEN COALESCE(first_status, status) = 'active' THEN created_at
                             ELSE activated_at
                        END AS active_at
                 FROM users
                 CROSS JOIN LATERAL (
                     SELECT min(changed_at) FILTER (WHERE to_status = 'active') AS activated_at,
                            (array_agg(from_status ORDER BY id))[1]             AS first_status
                     FROM user_status_changes
                     WHERE user_id = users.id) AS history
                 WHERE created_at >= $1 AND created_at < $3) AS new"#,
        period.window_before().from,
        period.window().from,
        period.window().to
    )
    .fetch_one(snapshot)
    .await?;
    Ok(NewUsers {
        created: Compared::new(row.created, row.created_before).map(count),
        converted: Compared::new(row.converted, row.converted_before).map(count),
    })
}

/// Those with an account: an order may also name the address of someone without one.
async fn active_users(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<Compared<u64>, AnalyticsError> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE now)    AS "current!",
                  count(*) FILTER (WHERE before) AS "previous!"
           FROM (SELECT user_id, bool_or(at >= $2) AS now, bool_or(at < $2) AS before
                 FROM (SELECT user_id, created_at AS at
                       FROM orders
                       WHERE created_at >= $1 AND created_at < $3
                       UNION ALL
                       SELECT user_id, read_at
                       FROM inbox_messages
                       WHERE read_at >= $1 AND read_at < $3) AS deed
                 GROUP BY user_id) AS doer
           JOIN users ON users.id = doer.user_id"#,
        period.window_before().from,
        period.window().from,
        period.window().to
    )
    .fetch_one(snapshot)
    .await?;
    Ok(Compared::new(row.current, row.previous).map(count))
}

struct Onboardings {
    finished: Compared<u64>,
    failed: Compared<u64>,
}

/// The last end of each user's onboarding in each period: one that failed may have been repeated.
async fn onboardings(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<Onboardings, AnalyticsError> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE now AND finished)             AS "finished!",
                  count(*) FILTER (WHERE NOT now AND finished)         AS "finished_before!",
                  count(*) FILTER (WHERE now AND NOT finished)         AS "failed!",
                  count(*) FILTER (WHERE NOT now AND NOT finished)     AS "failed_before!"
           FROM (SELECT DISTINCT ON (user_id, changed_at >= $2)
                        changed_at >= $2 AS now, to_status = 'active' AS finished
                 FROM user_status_changes
                 WHERE changed_at >= $1 AND changed_at < $3
                   AND (to_status = 'onboarding_failed'
                        OR from_status = 'onboarding' AND to_status = 'active')
                 ORDER BY user_id, changed_at >= $2, changed_at DESC, id DESC) AS ended"#,
        period.window_before().from,
        period.window().from,
        period.window().to
    )
    .fetch_one(snapshot)
    .await?;
    Ok(Onboardings {
        finished: Compared::new(row.finished, row.finished_before).map(count),
        failed: Compared::new(row.failed, row.failed_before).map(count),
    })
}

/// Messages by the time at which they were begun: how they stand may still change, when they were
/// begun does not, so that each is in one period.
async fn deliveries(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<Vec<ChannelDeliveries>, AnalyticsError> {
    let rows = sqlx::query!(
        r#"SELECT channel,
                  count(*) FILTER (WHERE now AND state = 'sent')                    AS "sent!",
                  count(*) FILTER (WHERE NOT now AND state = 'sent')                AS "sent_before!",
                  count(*) FILTER (WHERE now AND state = 'refused')                 AS "failed!",
                  count(*) FILTER (WHERE NOT now AND state = 'refused')             AS "failed_before!",
                  count(*) FILTER (WHERE now AND state = 'possibly_delivered')      AS "possibly!",
                  count(*) FILTER (WHERE NOT now AND state = 'possibly_delivered')  AS "possibly_before!",
                  count(*) FILTER (WHERE now AND state IN ('sending', 'handed_over'))     AS "pending!",
                  count(*) FILTER (WHERE NOT now AND state IN ('sending', 'handed_over')) AS "pending_before!"
           FROM (SELECT channel, state, created_at >= $2 AS now
                 FROM deliveries
                 WHERE created_at >= $1 AND created_at < $3) AS delivery
           GROUP BY channel
           ORDER BY channel"#,
        period.window_before().from,
        period.window().from,
        period.window().to
    )
    .fetch_all(snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ChannelDeliveries {
            channel: row.channel,
            sent: Compared::new(row.sent, row.sent_before).map(count),
            failed: Compared::new(row.failed, row.failed_before).map(count),
            possibly_delivered: Compared::new(row.possibly, row.possibly_before).map(count),
            pending: Compared::new(row.pending, row.pending_before).map(count),
        })
        .collect())
}

async fn listings_by_status(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<Vec<StatusCount>, AnalyticsError> {
    let rows = sqlx::query!(
        r#"SELECT status,
                  count(*) FILTER (WHERE created_at >= $2) AS "current!",
                  count(*) FILTER (WHERE created_at < $2)  AS "previous!"
           FROM listings
           WHERE created_at >= $1 AND created_at < $3
           GROUP BY status
           ORDER BY status"#,
        period.window_before().from,
        period.window().from,
        period.window().to
    )
    .fetch_all(snapshot)
    .await?;
    let counts = rows.into_iter().map(|row| StatusCount {
        status: row.status,
        count: Compared::new(row.current, row.previous).map(count),
    });
    Ok(counts.collect())
}

/// How long approvals took that were decided in a period, from the submission of the version: whoever
/// edited a listing began to wait anew.
async fn approval(
    snapshot: &mut PgConnection,
    period: &Period,
) -> Result<Compared<Option<Latency>>, AnalyticsError> {
    let row = sqlx::query!(
        r#"SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY millis) FILTER (WHERE now)     AS p50,
                  percentile_disc(0.9) WITHIN GROUP (ORDER BY millis) FILTER (WHERE now)     AS p90,
                  percentile_disc(0.5) WITHIN GROUP (ORDER BY millis) FILTER (WHERE NOT now) AS p50_before,
                  percentile_disc(0.9) WITHIN GROUP (ORDER BY millis) FILTER (WHERE NOT now) AS p90_before
           FROM (SELECT decided_at >= $2 AS now,
                        floor(extract(epoch FROM decided_at - submitted_at) * 1000)::bigint AS millis
                 FROM review_decisions
                 JOIN listing_versions USING (listing_id, version)
                 WHERE decision = 'approve' AND decided_at >= $1 AND decided_at < $3) AS approval"#,
        period.window_before().from,
        period.window().from,
        period.window().to
    )
    .fetch_one(snapshot)
    .await?;
    let latency = |(p50, p90): (Option<i64>, Option<i64>)| {
        Some(Latency {
            p50_millis: count(p50?),
            p90_millis: count(p90?),
        })
    };
    let both = Compared::new((row.p50, row.p90), (row.p50_before, row.p90_before));
    Ok(both.map(latency))
}
