//! What the workflow says of itself.

use anyhow::Result;
use partner_tests::listings::{TITLE, decide, poor_property};
use partner_tests::stage::on_stage;
use serde_json::json;

#[test]
fn queries_tell_how_far_it_is() -> Result<()> {
    on_stage(async |stage| {
        let listing = stage.listing().await?;
        let process = stage.under_review(&listing, &poor_property(TITLE)).await?;
        assert_eq!(
            process.query("getStatus").await?,
            json!({ "status": "in_progress", "step": "reviewing" })
        );
        assert_eq!(
            process.query("getProgress").await?,
            json!({ "completed": 2, "total": 6, "percent": 33, "message": "reviewing" })
        );
        let details = process.query("getDetails").await?;
        assert_eq!(details["listingId"], json!(listing.id));
        assert_eq!(details["userId"], json!(listing.owner.id));
        assert_eq!(details["version"], 1);
        assert_eq!(details["score"], json!(0.6));
        assert_eq!(
            details["issues"].as_array().map(Vec::len),
            Some(3),
            "{details}"
        );
        assert_eq!(details["decision"], json!(null));
        stage
            .update(&process, "decide", &decide("approve", "ana"))
            .await?;
        stage.result(&process).await?;
        assert_eq!(
            process.query("getStatus").await?,
            json!({ "status": "completed", "step": "done" })
        );
        let details = process.query("getDetails").await?;
        assert_eq!(details["decision"]["reviewer"], "ana");
        assert_eq!(details["decision"]["score"], json!(0.6));
        Ok(())
    })
}
