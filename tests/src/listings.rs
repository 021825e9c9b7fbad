//! Listings to review, and what came of them: in the database, in the search index, in the mail.

use anyhow::{Context, Result, ensure};
use partner_adapters::PostgresSearchIndex;
use partner_core::client::Process;
use partner_core::ports::search_index::SearchIndex;
use partner_listing::repository::AuditRepository;
use partner_local::time_skipping::skip_time;
use serde_json::{Value, json};
use temporalio_client::WorkflowTerminateOptions;
use temporalio_common::UntypedWorkflow;

use crate::stage::{PATIENCE, POLL, Stage};
use crate::users::Person;

/// The workflow that reviews them.
pub const APPROVAL: &str = "listingApprovalWorkflow";
/// The workflow that lets them expire.
pub const EXPIRATION: &str = "listingExpirationWorkflow";

/// The two who review every listing of a stage: the second leads.
pub const REVIEWERS: [&str; 2] = ["reviewer", "reviewer-lead"];

/// A listing and its owner.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: Person,
}

/// What became of a listing, as everyone else sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// How it stands.
    pub status: String,
    /// Its latest version.
    pub version: i32,
    /// The title under which the public finds it, if it does.
    pub found: Option<String>,
    /// What was decided: `1 approve human ana`, one line a version.
    pub decisions: Vec<String>,
}

impl Shown {
    /// A listing that nobody finds.
    pub fn hidden(status: &str, version: i32, decisions: &[&str]) -> Self {
        Self {
            status: status.to_owned(),
            version,
            found: None,
            decisions: decisions.iter().map(|&line| line.to_owned()).collect(),
        }
    }

    /// A listing that everyone finds.
    pub fn live(version: i32, title: &str, decisions: &[&str]) -> Self {
        Self {
            found: Some(title.to_owned()),
            ..Self::hidden("approved", version, decisions)
        }
    }
}

impl Listing {
    /// The contract's id of its approval.
    pub fn approval_id(&self) -> String {
        format!("listing-approval-{}", self.id)
    }

    /// The contract's id of its expiration.
    pub fn expiration_id(&self) -> String {
        format!("listing-expiration-{}", self.id)
    }

    /// The approval's input.
    pub fn input(&self, property: &Value) -> Value {
        json!({ "listingId": self.id, "userId": self.owner.id, "propertyData": property })
    }
}

/// What a flawless listing offers: its score is 1.
pub fn property(title: &str) -> Value {
    json!({
        "title": title,
        "description": "A quiet flat with a view over the lake. ".repeat(6),
        "price": 450_000.50,
        "location": { "address": "Seestrasse 1", "city": "Zug", "state": "ZG" },
        "images": (1..=5).map(|n| format!("https://cdn.example.com/{n}.jpg")).collect::<Vec<_>>(),
        "bedrooms": 2, "bathrooms": 1.5, "area": 85,
    })
}

/// What a poor one offers: its score is 0.6.
pub fn poor_property(title: &str) -> Value {
    let mut property = property(title);
    property["description"] = json!("Urgent sale of a quiet flat with a view over the lake.");
    property["images"] = json!(["https://cdn.example.com/1.jpg"]);
    property
}

/// The flawless title.
pub const TITLE: &str = "Flat by the lake";

impl Stage {
    /// A listing of a new owner, which nobody has submitted.
    pub async fn listing(&self) -> Result<Listing> {
        for (id, is_lead) in [(REVIEWERS[0], false), (REVIEWERS[1], true)] {
            sqlx::query(
                "INSERT INTO users (id, email, name, status)
                 VALUES ($1, $1 || '@example.com', $1, 'active') ON CONFLICT DO NOTHING",
            )
            .bind(id)
            .execute(self.shop.pool())
            .await?;
            self.shop.add_reviewer(id, is_lead).await?;
        }
        Ok(Listing {
            id: self.unique("listing"),
            owner: self.person().await?,
        })
    }

    /// Starts the approval of a listing, whatever became of the run before.
    pub async fn submit(&self, listing: &Listing, property: &Value) -> Result<Process> {
        let input = vec![crate::stage::payload(&listing.input(property))];
        self.start_raw(APPROVAL, &listing.approval_id(), input, |_| {})
            .await
    }

    /// The same, and waits until reviewers can decide.
    pub async fn under_review(&self, listing: &Listing, property: &Value) -> Result<Process> {
        let process = self.submit(listing, property).await?;
        self.reached(&process, "reviewing").await?;
        Ok(process)
    }

    /// Submits a flawless listing and approves it, to the end of the approval.
    pub async fn approved(&self, listing: &Listing) -> Result<Process> {
        let process = self.under_review(listing, &property(TITLE)).await?;
        self.update(&process, "decide", &decide("approve", "ana"))
            .await?;
        self.result(&process).await?;
        Ok(process)
    }

    /// Lets the time of a running workflow pass whenever it only waits.
    pub async fn skip_time(&self, process: &Process) -> Result<()> {
        Ok(skip_time(self.client.temporal(), &process.id).await?)
    }

    /// Ends a process as an operator would who gives it up.
    pub async fn end_at_once(&self, process: &Process) -> Result<()> {
        let handle = self
            .client
            .temporal()
            .get_workflow_handle::<UntypedWorkflow>(process.id.clone());
        handle
            .terminate(WorkflowTerminateOptions::default())
            .await?;
        Ok(())
    }

    /// What became of a listing. Whatever did, its audit trail is whole, and what the index shows is
    /// what the database says that it shows.
    pub async fn shown(&self, listing: &Listing) -> Result<Shown> {
        let pool = self.shop.pool();
        let (status, version, live): (String, i32, Option<i32>) =
            sqlx::query_as("SELECT status, version, live_version FROM listings WHERE id = $1")
                .bind(&listing.id)
                .fetch_one(pool)
                .await?;
        let decisions: Vec<String> = sqlx::query_scalar(
            "SELECT version || ' ' || decision || ' ' || provenance || ' ' || reviewer
             FROM review_decisions WHERE listing_id = $1 ORDER BY version",
        )
        .bind(&listing.id)
        .fetch_all(pool)
        .await?;
        let title: Option<String> = sqlx::query_scalar(
            "SELECT data ->> 'title' FROM listing_versions WHERE listing_id = $1 AND version = $2",
        )
        .bind(&listing.id)
        .bind(live)
        .fetch_optional(pool)
        .await?;
        let index = PostgresSearchIndex::new(pool.clone());
        let found = index.lookup(&listing.id).await?.map(|found| found.title);
        ensure!(
            found == title,
            "{}: the index shows {found:?}, the database says {title:?}",
            listing.id
        );
        let audit = AuditRepository::new(pool.clone());
        let broken = audit.first_broken(&listing.id).await?;
        ensure!(broken.is_none(), "{}: broken audit trail", listing.id);
        Ok(Shown {
            status,
            version,
            found,
            decisions: decisions
                .into_iter()
                .map(|line| line.trim_end().to_owned())
                .collect(),
        })
    }

    /// The actions in a listing's audit trail, the oldest first.
    pub async fn audit(&self, listing: &Listing) -> Result<Vec<String>> {
        let entries = AuditRepository::new(self.shop.pool().clone())
            .list(&listing.id)
            .await?;
        Ok(entries.into_iter().map(|entry| entry.action).collect())
    }

    /// Waits until the reviewers are told of a listing, without asking its workflow.
    pub async fn asked_to_review(&self, listing: &Listing) -> Result<()> {
        let mut ticks = tokio::time::interval(POLL);
        let asked = async {
            while self.asked(REVIEWERS[1], listing).await?.is_empty() {
                ticks.tick().await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, asked)
            .await
            .with_context(|| format!("{}: nobody was asked", listing.id))?
    }

    /// What a reviewer was told in the app about a listing: the types, the oldest first.
    pub async fn asked(&self, reviewer: &str, listing: &Listing) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(
            "SELECT type FROM inbox_messages
             WHERE user_id = $1 AND notification_id LIKE 'listing/' || $2 || '/%' ORDER BY id",
        )
        .bind(reviewer)
        .bind(&listing.id)
        .fetch_all(self.shop.pool())
        .await?)
    }
}

/// The payload of the update `decide`.
pub fn decide(decision: &str, reviewer: &str) -> Value {
    json!({ "decision": decision, "reviewer": reviewer })
}
