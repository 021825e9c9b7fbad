//! A listing of the demo, and what everyone else sees of it.

use anyhow::Context;
use partner_adapters::PostgresSearchIndex;
use partner_core::ports::search_index::SearchIndex;
use serde::Serialize;
use serde_json::{Value, json};

use crate::demo::stage::Stage;

/// Who reviews: the second leads.
const REVIEWERS: [(&str, bool); 2] = [("ben", false), ("lea", true)];

/// How a listing stands, and who was told what.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seen {
    /// None if there is no such listing.
    pub(crate) status: Option<String>,
    /// The title under which the public finds it, if it does.
    pub(crate) found: Option<String>,
    /// What was decided: `1 approve human ben`, one line a version.
    pub(crate) decisions: Vec<String>,
    /// What its owner was told in the app.
    pub(crate) in_app: Vec<String>,
    /// How many mails its owner got.
    pub(crate) mails: usize,
}

/// A listing and its owner.
pub(crate) struct Listing {
    pub(crate) id: String,
    pub(crate) owner: String,
}

impl Listing {
    /// A listing of an owner who exists.
    pub(crate) async fn new(stage: &Stage<'_>, id: String) -> anyhow::Result<Self> {
        let owner = format!("owner-of-{id}");
        let listing = Self { id, owner };
        stage
            .shop
            .add_user(&listing.owner, &listing.email(), "Ana")
            .await?;
        Ok(listing)
    }

    pub(crate) fn email(&self) -> String {
        format!("{}@example.com", self.owner)
    }

    pub(crate) fn approval(&self, property: &Value) -> Value {
        json!({ "listingId": self.id, "userId": self.owner, "propertyData": property })
    }

    /// What everyone else sees of it.
    pub(crate) async fn seen(&self, stage: &Stage<'_>) -> anyhow::Result<Seen> {
        let row = stage.shop.listing(&self.id).await?;
        let index = PostgresSearchIndex::new(stage.shop.pool().clone());
        let found = index.lookup(&self.id).await?;
        let decisions = stage.shop.decisions(&self.id).await?;
        Ok(Seen {
            status: row.map(|row| row.status),
            found: found.map(|found| found.title),
            decisions: decisions
                .iter()
                .map(|row| {
                    let line = format!(
                        "{} {} {} {}",
                        row.version, row.decision, row.provenance, row.reviewer
                    );
                    line.trim_end().to_owned()
                })
                .collect(),
            in_app: stage.told_in_app(&self.owner).await?,
            mails: stage.subjects(&self.email()).len(),
        })
    }
}

/// Lets two people review.
pub(crate) async fn prepare(stage: &Stage<'_>) -> anyhow::Result<()> {
    for (id, is_lead) in REVIEWERS {
        let email = format!("{id}@example.com");
        stage.shop.add_user(id, &email, id).await?;
        stage
            .shop
            .add_reviewer(id, is_lead)
            .await
            .with_context(|| format!("reviewer {id}"))?;
    }
    Ok(())
}

/// What the best of listings offers: its score is 1.
pub(crate) fn property(title: &str) -> Value {
    let images: Vec<_> = (1..=5)
        .map(|number| format!("https://cdn.example.com/{number}.jpg"))
        .collect();
    json!({
        "title": title,
        "description": "A quiet flat with a view over the lake. ".repeat(6),
        "price": 450_000,
        "location": { "address": "Seestrasse 1", "city": "Zug", "state": "ZG" },
        "images": images,
        "bedrooms": 2,
        "bathrooms": 1.5,
        "area": 85,
    })
}

/// What a poor one offers: its score is 0.6.
pub(crate) fn poor_property(title: &str) -> Value {
    let mut property = property(title);
    property["description"] = json!("Urgent sale of a quiet flat with a view over the lake.");
    property["images"] = json!(["https://cdn.example.com/1.jpg"]);
    property
}
