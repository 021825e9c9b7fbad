//! The fulfilment simulator through real sockets.

use std::time::Duration;

use anyhow::Result;
use partner_local::fulfillment::{
    FulfillmentFault, FulfillmentFaultMode, FulfillmentOptions, FulfillmentSimulator,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

struct Caller {
    http: reqwest::Client,
    url: String,
    token: String,
}

async fn start() -> Result<(FulfillmentSimulator, Caller)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let service = FulfillmentSimulator::start(FulfillmentOptions::default()).await?;
    let caller = Caller {
        http: reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build()?,
        url: service.url().to_owned(),
        token: service.token().to_owned(),
    };
    Ok((service, caller))
}

impl Caller {
    async fn put(&self, order: &str, quantity: u32) -> Result<u16> {
        let body = json!({
            "orderId": order,
            "userId": "u",
            "items": [{ "sku": "s", "quantity": quantity }],
        });
        let request = self.http.put(format!("{}/fulfillments/{order}", self.url));
        let answer = request.bearer_auth(&self.token).json(&body).send().await?;
        Ok(answer.status().as_u16())
    }

    async fn delete(&self, order: &str) -> Result<u16> {
        let request = self
            .http
            .delete(format!("{}/fulfillments/{order}", self.url));
        let answer = request.bearer_auth(&self.token).send().await?;
        Ok(answer.status().as_u16())
    }

    async fn fault(&self, order: &str, fault: Value) -> Result<u16> {
        let request = self
            .http
            .put(format!("{}/_control/faults/{order}", self.url));
        Ok(request.json(&fault).send().await?.status().as_u16())
    }
}

#[tokio::test]
async fn the_same_request_is_one_and_another_is_a_conflict() -> Result<()> {
    let (service, caller) = start().await?;
    assert_eq!(caller.put("o", 1).await?, 200);
    assert_eq!(caller.put("o", 1).await?, 200);
    assert_eq!(caller.put("o", 2).await?, 409);
    let record = service.order("o").unwrap();
    assert_eq!(record.times_requested, 2);
    assert_eq!(record.request.unwrap().items[0].quantity, 1);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_order_is_never_fulfilled_even_if_asked_for_later() -> Result<()> {
    let (service, caller) = start().await?;
    assert_eq!(caller.delete("o").await?, 204);
    assert_eq!(caller.delete("o").await?, 204);
    assert_eq!(caller.put("o", 1).await?, 409);
    assert!(service.order("o").unwrap().cancelled);
    Ok(())
}

#[tokio::test]
async fn refuses_a_wrong_token() -> Result<()> {
    let (service, mut caller) = start().await?;
    caller.token = "wrong".to_owned();
    assert_eq!(caller.put("o", 1).await?, 401);
    assert!(service.orders().is_empty());
    Ok(())
}

#[tokio::test]
async fn faults_apply_as_often_as_asked() -> Result<()> {
    let (service, caller) = start().await?;
    assert_eq!(
        caller
            .fault("o", json!({ "mode": "unavailable", "times": 1 }))
            .await?,
        204
    );
    assert_eq!(caller.put("o", 1).await?, 503);
    assert!(service.order("o").is_none());
    caller
        .fault("o", json!({ "mode": "drop_after_commit", "times": 1 }))
        .await?;
    assert!(caller.put("o", 1).await.is_err());
    assert!(service.order("o").is_some());
    caller
        .fault("o", json!({ "mode": "slow", "times": 1, "delayMs": 1 }))
        .await?;
    assert_eq!(caller.put("o", 1).await?, 200);
    caller.fault("o", json!({ "mode": "refuse" })).await?;
    assert_eq!(caller.put("o", 1).await?, 422);
    assert_eq!(caller.put("o", 1).await?, 422);
    service.clear_faults();
    assert_eq!(caller.put("o", 1).await?, 200);
    Ok(())
}

#[tokio::test]
async fn holds_an_answer_until_it_is_released() -> Result<()> {
    let (service, caller) = start().await?;
    let fault = FulfillmentFault {
        mode: FulfillmentFaultMode::Hold,
        times: Some(1),
        delay_ms: None,
    };
    service.set_fault("o", fault);
    let test = async {
        service.wait_until_held("o", PATIENCE).await?;
        service
            .wait_for("o", |record| record.request.is_some(), PATIENCE)
            .await?;
        assert_eq!(service.release("o"), 1);
        anyhow::Ok(())
    };
    let (status, test) = futures::join!(caller.put("o", 1), test);
    test?;
    assert_eq!(status?, 200);
    Ok(())
}
