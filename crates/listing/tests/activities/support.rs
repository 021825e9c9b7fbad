//! The world around the activities: a database, the doubles, and the activities themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use partner_core::ports::notifier::Notifier;
use partner_core::ports::search_index::SearchIndex;
use partner_core::wire::Wire;
use partner_listing::activities::expiration::{
    ExpirationActivities, ExpireListingResult, GetListingStatusResult, RenewListingResult,
    SendExpirationReminderResult,
};
use partner_listing::activities::review::{
    DecideListingResult, NotifyReviewersResult, ReviewActivities,
};
use partner_listing::activities::search::{SearchActivities, SearchIndexResult};
use partner_listing::activities::status::{StatusActivities, UpdateListingStatusResult};
use partner_listing::activities::submission::{SubmissionActivities, SubmitListingResult};
use partner_listing::model::{Decision, ListingStatus};
use partner_listing::repository::{
    AuditRepository, DecisionRepository, ExpirationRepository, IndexWriteRepository,
    ListingRepository, ReviewerRepository,
};
use partner_listing::settings::ListingSettings;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::PgPool;
use url::Url;

use crate::answers::{Answer, done};
use crate::database::fresh_database;
use crate::doubles::{Index, Post};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The first listing in a database.
pub(crate) const LISTING: &str = "listing-1";

/// Who submits it.
pub(crate) const OWNER: &str = "ana";

/// The workflow that reviews it.
pub(crate) const WORKFLOW: &str = "listing-approval-listing-1";

/// The workflow that lets it expire.
pub(crate) const EXPIRATION: &str = "listing-expiration-listing-1";

/// The activities, everything that they reach, and the listing that they are about.
pub(crate) struct World {
    /// The listing, unless an activity is told otherwise.
    pub(crate) id: String,
    pub(crate) pool: PgPool,
    pub(crate) index: Arc<Index>,
    pub(crate) post: Arc<Post>,
    pub(crate) listings: ListingRepository,
    pub(crate) audit: AuditRepository,
    pub(crate) submission: SubmissionActivities,
    pub(crate) statuses: StatusActivities,
    pub(crate) review: ReviewActivities,
    pub(crate) search: SearchActivities,
    pub(crate) expiration: ExpirationActivities,
    settings: ListingSettings,
    /// How many listings there are in worlds with this database.
    listings_so_far: Arc<AtomicU32>,
}

/// Worlds, and how far the listing has come in them.
impl World {
    /// One with a database of its own, and without any listing yet.
    pub(crate) async fn start() -> Result<Self> {
        let pool = fresh_database().await?;
        Ok(Self::new(pool, settings()?, Arc::default()))
    }

    /// One with the same database, which is about another listing.
    pub(crate) fn beside(&self) -> Self {
        let listings_so_far = Arc::clone(&self.listings_so_far);
        Self::new(self.pool.clone(), self.settings.clone(), listings_so_far)
    }

    fn new(pool: PgPool, settings: ListingSettings, listings_so_far: Arc<AtomicU32>) -> Self {
        let number = listings_so_far.fetch_add(1, Ordering::Relaxed) + 1;
        let index = Arc::new(Index::default());
        let post = Arc::new(Post::default());
        let listings = ListingRepository::new(pool.clone());
        let decisions = DecisionRepository::new(pool.clone());
        let audit = AuditRepository::new(pool.clone());
        Self {
            id: format!("listing-{number}"),
            submission: SubmissionActivities {
                listings: listings.clone(),
                settings: settings.clone(),
            },
            statuses: StatusActivities {
                listings: listings.clone(),
                decisions: decisions.clone(),
            },
            review: ReviewActivities {
                decisions,
                audit: audit.clone(),
                reviewers: ReviewerRepository::new(pool.clone()),
                notifier: Arc::clone(&post) as Arc<dyn Notifier>,
                settings: settings.clone(),
            },
            search: SearchActivities {
                writes: IndexWriteRepository::new(pool.clone()),
                index: Arc::clone(&index) as Arc<dyn SearchIndex>,
            },
            expiration: ExpirationActivities {
                expirations: ExpirationRepository::new(pool.clone()),
                notifier: Arc::clone(&post) as Arc<dyn Notifier>,
                settings: settings.clone(),
            },
            listings,
            audit,
            pool,
            index,
            post,
            settings,
            listings_so_far,
        }
    }

    /// This one once the listing is submitted, and a draft.
    pub(crate) async fn submitted(self) -> Result<Self> {
        done(self.submit(json!({})).await)?;
        Ok(self)
    }

    /// This one once the listing is submitted, and waits for a decision.
    pub(crate) async fn under_review(self) -> Result<Self> {
        let world = self.submitted().await?;
        world.become_status(ListingStatus::PendingReview).await?;
        Ok(world)
    }

    /// This one once the listing is submitted and approved, and not published yet.
    pub(crate) async fn approved(self) -> Result<Self> {
        let world = self.under_review().await?;
        done(world.decide(Decision::Approve, json!({})).await)?;
        Ok(world)
    }

    /// This one once the listing is submitted and approved, and can be found.
    pub(crate) async fn live(self) -> Result<Self> {
        let world = self.approved().await?;
        done(world.publish(json!({})).await)?;
        Ok(world)
    }
}

/// The activities, each with the input that it has in the first place and these changes to it.
impl World {
    pub(crate) async fn submit(&self, changes: Value) -> Answer<SubmitListingResult> {
        self.submit_by(WORKFLOW, changes).await
    }

    pub(crate) async fn submit_by(
        &self,
        workflow: &str,
        changes: Value,
    ) -> Answer<SubmitListingResult> {
        let input = json!({"listingId": self.id, "userId": OWNER, "propertyData": property()});
        let input = wire(&with(input, changes));
        self.submission.submit(input, workflow).await
    }

    pub(crate) async fn update(&self, changes: Value) -> Answer<UpdateListingStatusResult> {
        let input = wire(&with(json!({"listingId": self.id}), changes));
        self.statuses.update(input, WORKFLOW).await
    }

    /// Moves the listing to a status that is none of a decision.
    pub(crate) async fn become_status(&self, status: ListingStatus) -> Result<()> {
        done(self.update(json!({"status": status})).await).map(drop)
    }

    pub(crate) async fn decide(
        &self,
        decision: Decision,
        changes: Value,
    ) -> Answer<DecideListingResult> {
        let input = wire(&with(json!({"listingId": self.id}), changes));
        self.review.decide(input, decision, WORKFLOW).await
    }

    pub(crate) async fn publish(&self, changes: Value) -> Answer<SearchIndexResult> {
        let input = json!({"listingId": self.id, "propertyData": property()});
        let input = wire(&with(input, changes));
        self.search.publish(input, WORKFLOW).await
    }

    pub(crate) async fn remove(&self, changes: Value) -> Answer<SearchIndexResult> {
        let input = wire(&with(json!({"listingId": self.id}), changes));
        self.search.remove(input, WORKFLOW).await
    }

    /// Tells the reviewers, as the first attempt.
    pub(crate) async fn notify(&self, changes: Value) -> Answer<NotifyReviewersResult> {
        self.notify_again(false, changes).await
    }

    pub(crate) async fn notify_again(
        &self,
        retried: bool,
        changes: Value,
    ) -> Answer<NotifyReviewersResult> {
        let input = json!({
            "listingId": self.id,
            "userId": OWNER,
            "propertyData": property(),
            "autoCheckScore": 0.85,
            "listingVersion": 1,
        });
        let input = wire(&with(input, changes));
        self.review.notify(input, retried, WORKFLOW).await
    }

    pub(crate) async fn status(&self, changes: Value) -> Answer<GetListingStatusResult> {
        let input = wire(&with(json!({"listingId": self.id}), changes));
        self.expiration.status(input).await
    }

    pub(crate) async fn expire(&self, changes: Value) -> Answer<ExpireListingResult> {
        let input = wire(&with(json!({"listingId": self.id}), changes));
        self.expiration.expire(input, EXPIRATION).await
    }

    pub(crate) async fn renew(&self, changes: Value) -> Answer<RenewListingResult> {
        let input = wire(&with(json!({"listingId": self.id}), changes));
        self.expiration.renew(input, EXPIRATION).await
    }

    /// Reminds the owner, as the first attempt.
    pub(crate) async fn remind(&self, changes: Value) -> Answer<SendExpirationReminderResult> {
        self.remind_again(false, changes).await
    }

    pub(crate) async fn remind_again(
        &self,
        retried: bool,
        changes: Value,
    ) -> Answer<SendExpirationReminderResult> {
        let input = json!({"listingId": self.id, "userId": OWNER});
        let input = wire(&with(input, changes));
        self.expiration.remind(input, retried).await
    }
}

/// What the database has. Statements know the listing as `$1`.
impl World {
    /// Runs a statement that changes the world.
    pub(crate) async fn run(&self, statement: &'static str) -> Result<()> {
        let statement = sqlx::query(statement).bind(&self.id);
        statement.execute(&self.pool).await?;
        Ok(())
    }

    /// A value that the database finds.
    pub(crate) async fn find(&self, statement: &'static str) -> Result<Value> {
        let found = sqlx::query_scalar(statement).bind(&self.id);
        let found: Option<Value> = found.fetch_one(&self.pool).await?;
        Ok(found.unwrap_or_default())
    }

    /// A user.
    pub(crate) async fn add_user(&self, id: &str, email: &str) -> Result<()> {
        sqlx::query("INSERT INTO users (id, email, status) VALUES ($1, $2, 'active')")
            .bind(id)
            .bind(email)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The listing's row; null if there is none.
    pub(crate) async fn listing(&self) -> Result<Value> {
        self.find("SELECT jsonb_agg(l) -> 0 FROM listings l WHERE id = $1")
            .await
    }

    /// What of the listing's row is called so.
    pub(crate) async fn column(&self, name: &str) -> Result<Value> {
        let listing = self.listing().await?;
        listing.get(name).cloned().context("no such column")
    }

    /// What was decided about the listing, the oldest version first.
    pub(crate) async fn decisions(&self) -> Result<Vec<Value>> {
        let decisions = self
            .find("SELECT jsonb_agg(d ORDER BY version) FROM review_decisions d WHERE listing_id = $1")
            .await?;
        Ok(decisions.as_array().cloned().unwrap_or_default())
    }

    /// Everything that is known of the listing, except when its row was last touched.
    pub(crate) async fn everything(&self) -> Result<Value> {
        self.find(
            "SELECT jsonb_build_array(
                 (SELECT to_jsonb(l) - 'updated_at' FROM listings l WHERE id = $1),
                 (SELECT jsonb_agg(v ORDER BY version) FROM listing_versions v WHERE listing_id = $1),
                 (SELECT jsonb_agg(d ORDER BY version) FROM review_decisions d WHERE listing_id = $1),
                 (SELECT jsonb_agg(a ORDER BY sequence) FROM listing_audit a WHERE listing_id = $1),
                 (SELECT to_jsonb(h) FROM listing_audit_heads h WHERE listing_id = $1)
             )",
        )
        .await
    }

    /// What happened to the listing, the oldest first: such as `decided v1`.
    pub(crate) async fn trail(&self) -> Result<Vec<String>> {
        let entries = self.audit.list(&self.id).await?;
        Ok(entries
            .iter()
            .map(|entry| format!("{} v{}", entry.action, entry.version))
            .collect())
    }

    /// How often this happened to the listing, such as `escalated`.
    pub(crate) async fn times(&self, action: &str) -> Result<usize> {
        let entries = self.audit.list(&self.id).await?;
        let times = entries.iter().filter(|entry| entry.action == action);
        Ok(times.count())
    }
}

fn settings() -> Result<ListingSettings> {
    Ok(ListingSettings {
        review_window: Duration::from_hours(48),
        review_reminder: Duration::from_hours(12),
        expiration_reminder_days: vec![1, 30, 7, 1, 30],
        portal_url: Url::parse("https://portal.example.com/")?,
        review_url: Url::parse("https://review.example.com/")?,
    })
}

/// What is offered unless it is told otherwise.
pub(crate) fn property() -> Value {
    json!({
        "title": "Flat by the lake",
        "description": "Bright, quiet, and close to everything; the lake is at the door.",
        "price": 450_000,
        "location": {"address": "Seestrasse 1", "city": "Zug", "state": "ZG", "zipCode": "6300"},
        "images": ["https://cdn.example.com/1.jpg", "https://cdn.example.com/2.jpg"],
        "bedrooms": 2,
        "bathrooms": 1.5,
        "area": 85,
    })
}

/// The same property by another title.
pub(crate) fn edited(title: &str) -> Value {
    with(property(), json!({"title": title}))
}

/// An object with these members in place of, or besides, its own; what is no object takes its place.
pub(crate) fn with(mut object: Value, changes: Value) -> Value {
    match (&mut object, changes) {
        (Value::Object(members), Value::Object(changes)) => {
            members.extend(changes);
            object
        }
        (_, other) => other,
    }
}

/// Input as it comes over the wire.
pub(crate) fn wire<T: DeserializeOwned>(input: &Value) -> Wire<T> {
    Wire::from_json(input.to_string().as_bytes())
}
