//! Inboxes and workflows, page by page.

use std::collections::BTreeSet;

use partner_api::auth::Scope;
use serde_json::{Value, json};

use super::support::with_api;
use crate::support::{on_platform, until};

#[test]
fn a_user_reads_their_inbox_and_what_they_have_read_stays_read() {
    on_platform(async |host| {
        with_api(host, "api-inbox", &[], async |api| {
            let worker = api.stage.worker().await;
            api.stage.add_user("active").await;
            let service = api.admin().await;
            for n in 1..=3 {
                let message = json!({ "userId": "api-inbox", "message": format!("Message {n}"), "type": "info" });
                let told = service.post("/api/v1/notifications?wait=30", &message).await.expect(200);
                assert_eq!(told.body["status"], "completed", "{:#}", told.body);
            }
            let own = api.caller(&[Scope::Read, Scope::Write], Some("api-inbox")).await;
            let path = "/api/v1/users/api-inbox/inbox";
            let first = own.get(&format!("{path}?limit=2")).await.expect(200).body;
            assert_eq!(texts(&first), ["Message 3", "Message 2"]);
            let cursor = first["nextCursor"].as_str().expect("a cursor");
            let second = own.get(&format!("{path}?limit=2&cursor={cursor}")).await.expect(200).body;
            assert_eq!(texts(&second), ["Message 1"]);
            assert!(second.get("nextCursor").is_none(), "{second:#}");

            let read = format!("{path}/{}/read", second["messages"][0]["id"]);
            let once = own.call(reqwest::Method::POST, &read, None, &[]).await.expect(200).body;
            let twice = own.call(reqwest::Method::POST, &read, None, &[]).await.expect(200).body;
            assert_eq!(once, twice);
            assert!(!once["readAt"].is_null());
            let unread = own.get(&format!("{path}?unread=true")).await.expect(200).body;
            assert_eq!(texts(&unread), ["Message 3", "Message 2"]);
            let none = format!("{path}/9999999/read");
            own.call(reqwest::Method::POST, &none, None, &[]).await.expect(404);
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}

fn texts(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().expect("a list").iter();
    messages
        .map(|message| message["message"].as_str().expect("a text"))
        .collect()
}

#[test]
fn workflows_are_listed_page_by_page_and_by_type_and_status() {
    on_platform(async |host| {
        with_api(host, "api-list", &[], async |api| {
            let user = "api-list";
            let own = api.caller(&[Scope::Read, Scope::Write], Some(user)).await;
            for year in 2126..2129 {
                let reminder = json!({ "userId": user, "reminderType": "visit", "message": "m",
                    "scheduledTime": format!("{year}-01-01T00:00:00Z") });
                own.post("/api/v1/reminders", &reminder).await.expect(202);
            }
            let filter = "workflowType=reminderWorkflow&status=running&limit=2";
            let pages = until("all are listed", async || {
                let first = own
                    .get(&format!("/api/v1/workflows?{filter}"))
                    .await
                    .expect(200)
                    .body;
                let cursor = first["nextCursor"].as_str()?;
                let path = format!("/api/v1/workflows?{filter}&cursor={cursor}");
                let second = own.get(&path).await.expect(200).body;
                let ids: Vec<_> = [&first, &second].into_iter().flat_map(ids).collect();
                (ids.len() == 3).then_some(ids)
            });
            let mut pages = pages.await;
            pages.sort();
            pages.dedup();
            assert_eq!(pages.len(), 3, "{pages:?}");
            let none = own
                .get("/api/v1/workflows?status=failed")
                .await
                .expect(200)
                .body;
            assert_eq!(ids(&none).count(), 0, "{none:#}");

            let service = api.admin().await;
            let first = service
                .get(&format!("/api/v1/workflows?{filter}"))
                .await
                .expect(200)
                .body;
            assert_eq!(ids(&first).count(), 2);
            let cursor = first["nextCursor"].as_str().expect("a cursor");
            let path = format!("/api/v1/workflows?{filter}&cursor={cursor}");
            let second = service.get(&path).await.expect(200).body;
            let both: BTreeSet<_> = [&first, &second].into_iter().flat_map(ids).collect();
            assert!(both.len() > 2, "{both:?}");
        })
        .await;
    });
}

fn ids(page: &Value) -> impl Iterator<Item = String> {
    let runs = page["workflows"].as_array().expect("a list").iter();
    runs.map(|run| run["workflowId"].as_str().expect("an id").to_owned())
}

#[test]
fn a_workflow_is_asked_told_and_cancelled_by_the_names_that_it_knows() {
    on_platform(async |host| {
        with_api(host, "api-names", &[], async |api| {
            let worker = api.stage.worker().await;
            let caller = api.admin().await;
            let reminder = json!({ "userId": "api-names@example.com", "reminderType": "visit", "message": "m",
                "scheduledTime": "2126-01-01T00:00:00Z" });
            let started = caller.post("/api/v1/reminders", &reminder).await.expect(202).body;
            let status = started["statusUrl"].as_str().expect("a path");
            caller.get(&format!("{status}/queries/getDetails")).await.expect(200);
            let unknown = caller.get(&format!("{status}/queries/getWeather")).await.expect(400);
            assert!(unknown.body.to_string().contains("getDetails"), "{:#}", unknown.body);
            let unknown = caller.post(&format!("{status}/signals/explode"), &json!({})).await.expect(400);
            assert!(unknown.body.to_string().contains("reschedule"), "{:#}", unknown.body);
            let reason = json!({ "reason": "not any more" });
            caller.post(&format!("{status}/cancel"), &reason).await.expect(202);
            let ended = until("it is cancelled", async || {
                let state = caller.get(status).await.expect(200).body;
                (!state["closedAt"].is_null()).then_some(state)
            });
            let ended = ended.await;
            assert!(ended["result"].is_object() || ended["failure"].is_object(), "{ended:#}");
            worker.stop().await.expect("the worker stops");
        })
        .await;
    });
}
