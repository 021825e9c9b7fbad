//! Reviews, and hearing of them.

use futures::StreamExt as _;
use partner_api::auth::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Api, Caller, with_api};
use crate::support::{in_time, on_platform, until};

fn listing(id: &str) -> Value {
    json!({ "listingId": id, "userId": "api-owner", "propertyData": {
        "title": format!("A flat by the lake, {id}"),
        "description": "A quiet flat with a view over the lake. ".repeat(6),
        "price": 450_000.50,
        "location": { "address": "Seestrasse 1", "city": "Zug", "state": "ZG" },
        "images": (1..=5).map(|n| format!("https://cdn.example.com/{n}.jpg")).collect::<Vec<_>>(),
        "bedrooms": 2, "bathrooms": 1.5, "area": 85,
    } })
}

/// Submits a listing, and waits until it waits for a reviewer.
async fn under_review(caller: &Caller<'_>, id: &str) {
    caller
        .post("/api/v1/listings", &listing(id))
        .await
        .expect(202);
    let path = format!("/api/v1/workflows/listing-approval-{id}/queries/getDetails");
    until("the listing is under review", async || {
        let details = caller.get(&path).await;
        (details.status == 200 && !details.body["deadline"].is_null()).then_some(())
    })
    .await;
}

/// Whoever submitted the listing reviews others, and not this one.
async fn expect_no_decision_by_its_owner(api: &Api) {
    let owner = api
        .caller(&[Scope::Review, Scope::Write], Some("api-owner"))
        .await;
    let own = json!({ "decision": "approve" });
    owner
        .post("/api/v1/listings/api-decisions/decision", &own)
        .await
        .expect(403);
    let signal = "/api/v1/workflows/listing-approval-api-decisions/signals/approve";
    owner.post(signal, &json!({})).await.expect(403);
}

#[test]
fn a_decision_is_answered_once_and_the_second_reviewer_hears_who_was_first() {
    on_platform(async |host| {
        with_api(host, "api-decisions", &[], async |api| {
            let worker = api.stage.worker().await;
            let caller = api.admin().await;
            under_review(&caller, "api-decisions").await;
            expect_no_decision_by_its_owner(api).await;
            let reviewer = api.caller(&[Scope::Review], Some("rita")).await;
            let seen = reviewer
                .get("/api/v1/listings/api-decisions/approval")
                .await
                .expect(200);
            assert_eq!(seen.body["status"], "running");
            let path = "/api/v1/listings/api-decisions/decision";
            let approve =
                json!({ "decision": "approve", "comment": "Lovely", "listingVersion": 1 });
            let outdated = json!({ "decision": "approve", "listingVersion": 7 });
            assert!(matches!(
                reviewer.post(path, &outdated).await.status,
                400 | 409
            ));
            let posing = json!({ "decision": "approve", "reviewer": "somebody else" });
            reviewer.post(path, &posing).await.expect(403);
            let decided = reviewer.post(path, &approve).await.expect(200).body;
            assert_eq!(
                (
                    &decided["decision"],
                    &decided["reviewer"],
                    &decided["provenance"]
                ),
                (&json!("approve"), &json!("rita"), &json!("human"))
            );
            // Asked again because no answer came, the reviewer hears the same.
            let again = reviewer.post(path, &approve).await;
            assert!(again.status == 404 || again.body == decided, "{again:?}");
            let second = json!({ "decision": "reject", "reviewer": "rob" });
            let refused = caller.post(path, &second).await;
            assert!(matches!(refused.status, 404 | 409), "{refused:?}");
            if refused.status == 409 {
                assert!(
                    refused.body["detail"].to_string().contains("rita"),
                    "{refused:?}"
                );
            }
            let ended = until("the review ends", async || {
                let state = caller
                    .get("/api/v1/listings/api-decisions/approval")
                    .await
                    .expect(200);
                state.body["result"].is_object().then_some(state.body)
            });
            assert_eq!(ended.await["result"]["status"], "approved");
            // A signal decides as well: it is a reviewer's too.
            let writer = api.caller(&[Scope::Write], None).await;
            let signal = "/api/v1/workflows/listing-approval-api-decisions/signals/approve";
            writer.post(signal, &json!({})).await.expect(403);
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}

#[test]
fn the_queue_is_read_page_by_page() {
    on_platform(async |host| {
        with_api(host, "api-queue", &[], async |api| {
            let worker = api.stage.worker().await;
            let caller = api.admin().await;
            let ids = ["api-queue-1", "api-queue-2", "api-queue-3"];
            for id in ids {
                under_review(&caller, id).await;
            }
            let mut found = Vec::new();
            let mut path = "/api/v1/reviews?limit=1".to_owned();
            loop {
                let page = caller.get(&path).await.expect(200).body;
                let reviews = page["reviews"].as_array().expect("a list").iter();
                found.extend(
                    reviews.map(|review| review["listingId"].as_str().expect("an id").to_owned()),
                );
                let Some(cursor) = page["nextCursor"].as_str() else {
                    break;
                };
                path = format!("/api/v1/reviews?limit=1&cursor={cursor}");
            }
            // Other tests' listings may be among them.
            found.retain(|id| id.starts_with("api-queue-"));
            assert_eq!(found, ids);
            for id in ids {
                let path = format!("/api/v1/workflows/listing-approval-{id}/cancel");
                caller
                    .post(&path, &json!({ "reason": "the test is over" }))
                    .await
                    .expect(202);
            }
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}

#[test]
fn a_stream_tells_of_a_workflow_until_its_end() {
    on_platform(async |host| {
        with_api(host, "api-events", &[], async |api| {
            let worker = api.stage.worker().await;
            let caller = api.admin().await;
            under_review(&caller, "api-events").await;
            let path = "/api/v1/workflows/listing-approval-api-events/events";
            let stream = caller.send(Method::GET, path, None, &[]).await;
            assert_eq!(stream.status(), 200);
            let mut stream = stream.bytes_stream();
            let mut text = String::new();
            let mut has_decided = false;
            in_time("the stream ends", async {
                while let Some(piece) = stream.next().await {
                    text.push_str(&String::from_utf8_lossy(&piece.expect("a piece")));
                    if !has_decided && text.contains("\n\n") {
                        has_decided = true;
                        let path = "/api/v1/listings/api-events/decision";
                        let reject = json!({ "decision": "reject", "comment": "No" });
                        caller.post(path, &reject).await.expect(200);
                    }
                }
            })
            .await;
            let states: Vec<Value> = text
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .map(|data| serde_json::from_str(data).expect("JSON"))
                .collect();
            assert!(states.len() >= 2, "{text}");
            assert_eq!(states[0]["status"], "running");
            let last = states.last().expect("a state");
            assert_eq!(last["result"]["status"], "rejected", "{last:#}");
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}

#[test]
fn a_caller_has_so_many_streams_and_leaves_the_others_theirs() {
    on_platform(async |host| {
        let variables = [("PARTNER__API__MAX_STREAMS_PER_CALLER", "1")];
        with_api(host, "api-own-streams", &variables, async |api| {
            let caller = api.admin().await;
            let reminder = json!({ "userId": "api-own-streams", "reminderType": "visit", "message": "m",
                "scheduledTime": "2126-01-01T00:00:00Z" });
            let started = caller.post("/api/v1/reminders", &reminder).await.expect(202).body;
            let events = started["eventsUrl"].as_str().expect("a path");
            let first = caller.send(Method::GET, events, None, &[]).await;
            assert_eq!(first.status(), 200);
            let refused = caller.get(events).await.expect(429);
            assert!(!refused.header("retry-after").is_empty());
            let other = api.admin().await.send(Method::GET, events, None, &[]).await;
            assert_eq!(other.status(), 200);
            drop(first);
            until("there is room again", async || {
                let next = caller.send(Method::GET, events, None, &[]).await;
                (next.status() == 200).then_some(())
            })
            .await;
        })
        .await;
    });
}

#[test]
fn there_are_so_many_streams_and_no_more_until_one_ends() {
    on_platform(async |host| {
        with_api(host, "api-streams", &[("PARTNER__API__MAX_STREAMS", "1")], async |api| {
            let caller = api.admin().await;
            let reminder = json!({ "userId": "api-streams", "reminderType": "visit", "message": "m",
                "scheduledTime": "2126-01-01T00:00:00Z" });
            let started = caller.post("/api/v1/reminders", &reminder).await.expect(202).body;
            let events = started["eventsUrl"].as_str().expect("a path");
            let first = caller.send(Method::GET, events, None, &[]).await;
            assert_eq!(first.status(), 200);
            caller.get(events).await.expect(429);
            drop(first);
            until("there is room again", async || {
                let next = caller.send(Method::GET, events, None, &[]).await;
                (next.status() == 200).then_some(())
            })
            .await;
        })
        .await;
    });
}
