//! The fulfilment service over HTTP.
//!
//! `PUT {base}/fulfillments/{orderId}` asks, `DELETE` takes it back. The order is in the path and
//! in the `Idempotency-Key`, so that asking twice is asking once.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use partner_core::ports::fulfillment::{
    Fulfillment, FulfillmentError, FulfillmentItem, FulfillmentRequest,
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

use crate::http::{self, BaseUrl, HttpConfigError};

/// Where the fulfilment service is and how to call it.
#[derive(Debug, Clone)]
pub struct HttpFulfillmentConfig {
    /// The service's address; `fulfillments/{orderId}` is added to its path.
    pub base_url: Url,
    /// The bearer token.
    pub token: SecretString,
    /// The most that connecting may take.
    pub connect_timeout: Duration,
    /// The most that a whole call may take.
    pub timeout: Duration,
}

/// The fulfilment service.
#[derive(Clone)]
pub struct HttpFulfillment {
    client: Client,
    base: BaseUrl,
    token: SecretString,
}

impl HttpFulfillment {
    /// A client of the service at this address.
    ///
    /// # Errors
    /// [`HttpConfigError`] if the address is no base address or no client can be built.
    pub fn new(config: HttpFulfillmentConfig) -> Result<Self, HttpConfigError> {
        Ok(Self {
            client: http::client(config.connect_timeout, config.timeout)?,
            base: BaseUrl::new(config.base_url)?,
            token: config.token,
        })
    }

    fn call(&self, method: Method, order_id: &str) -> Result<RequestBuilder, FulfillmentError> {
        if !http::is_path_segment(order_id) {
            return Err(unsendable(format!(
                "order id {order_id:?} does not fit into a URL"
            )));
        }
        let url = self.base.join(&["fulfillments", order_id]);
        Ok(self
            .client
            .request(method, url)
            .bearer_auth(self.token.expose_secret())
            .header("Idempotency-Key", order_id))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, FulfillmentError> {
        request.send().await.map_err(|error| {
            if error.is_builder() {
                unsendable(http::describe(error))
            } else {
                FulfillmentError::NoAnswer(http::describe(error))
            }
        })
    }

    /// What an answer that is not a success means.
    async fn refusal(&self, response: Response) -> FulfillmentError {
        let status = response.status();
        let message = self.words(response).await;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return FulfillmentError::Unavailable {
                status: status.as_u16(),
                message,
            };
        }
        FulfillmentError::Refused {
            status: status.as_u16(),
            message,
        }
    }

    /// The beginning of the answer's text. The status decides, so losing the text is no error.
    async fn words(&self, response: Response) -> String {
        const ENOUGH: usize = 500;
        let text = response.text().await.unwrap_or_default();
        http::redact(text, &self.token)
            .chars()
            .take(ENOUGH)
            .collect()
    }
}

impl fmt::Debug for HttpFulfillment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFulfillment")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Fulfillment for HttpFulfillment {
    async fn request(&self, request: &FulfillmentRequest) -> Result<(), FulfillmentError> {
        let call = self.call(Method::PUT, &request.order_id)?.json(&Body {
            order_id: &request.order_id,
            user_id: &request.user_id,
            items: &request.items,
        });
        let response = self.send(call).await?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(self.refusal(response).await)
    }

    async fn cancel(&self, order_id: &str) -> Result<(), FulfillmentError> {
        let call = self.call(Method::DELETE, order_id)?;
        let response = self.send(call).await?;
        // Never asked for, or taken back before: either way nothing will be handed over.
        let is_gone = matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE);
        if is_gone || response.status().is_success() {
            return Ok(());
        }
        Err(self.refusal(response).await)
    }
}

/// The request as the service reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    order_id: &'a str,
    user_id: &'a str,
    items: &'a [FulfillmentItem],
}

/// A request that cannot be written down: it was refused here, before it left.
fn unsendable(message: String) -> FulfillmentError {
    FulfillmentError::Refused {
        status: StatusCode::BAD_REQUEST.as_u16(),
        message: format!("not sent: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::{body_json, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::testing::{LONG, Misbehaviour, SHORT, closed_port, http_at, misbehaving_server};

    const TOKEN: &str = "tok_very_secret";

    fn config(base_url: Url, timeout: Duration) -> HttpFulfillmentConfig {
        HttpFulfillmentConfig {
            base_url,
            token: SecretString::from(TOKEN),
            connect_timeout: LONG,
            timeout,
        }
    }

    fn adapter(base_url: &str) -> HttpFulfillment {
        HttpFulfillment::new(config(Url::parse(base_url).unwrap(), LONG)).unwrap()
    }

    fn order(order_id: &str) -> FulfillmentRequest {
        FulfillmentRequest {
            order_id: order_id.to_owned(),
            user_id: "user-7".to_owned(),
            items: vec![FulfillmentItem {
                sku: "sku-1".to_owned(),
                quantity: 2,
            }],
        }
    }

    async fn answering(status: u16, body: &str) -> MockServer {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).set_body_string(body);
        Mock::given(wiremock::matchers::any())
            .respond_with(answer)
            .mount(&server)
            .await;
        server
    }

    #[tokio::test]
    async fn a_request_puts_the_order_with_its_key_and_token() {
        let server = MockServer::start().await;
        Mock::given(method("PUT"))
            .and(path("/shop/fulfillments/order%2F1"))
            .and(header("authorization", format!("Bearer {TOKEN}")))
            .and(header("idempotency-key", "order/1"))
            .and(header("content-type", "application/json"))
            .and(body_json(json!({
                "orderId": "order/1",
                "userId": "user-7",
                "items": [{"sku": "sku-1", "quantity": 2}],
            })))
            .respond_with(ResponseTemplate::new(202))
            .expect(1)
            .mount(&server)
            .await;
        let adapter = adapter(&format!("{}/shop", server.uri()));
        adapter.request(&order("order/1")).await.unwrap();
    }

    #[tokio::test]
    async fn a_cancellation_deletes_the_order() {
        let server = MockServer::start().await;
        Mock::given(method("DELETE"))
            .and(path("/fulfillments/order-1"))
            .and(header("authorization", format!("Bearer {TOKEN}")))
            .and(header("idempotency-key", "order-1"))
            .respond_with(ResponseTemplate::new(204))
            .expect(1)
            .mount(&server)
            .await;
        adapter(&server.uri()).cancel("order-1").await.unwrap();
    }

    #[tokio::test]
    async fn an_order_that_is_not_there_is_cancelled() {
        for status in [404, 410] {
            let server = answering(status, "").await;
            adapter(&server.uri()).cancel("order-1").await.unwrap();
            let error = adapter(&server.uri()).request(&order("order-1")).await;
            assert!(
                matches!(error, Err(FulfillmentError::Refused { .. })),
                "{error:?}"
            );
        }
    }

    #[tokio::test]
    async fn failures_of_the_service_are_unavailable() {
        for status in [429, 500, 503] {
            let server = answering(status, "busy").await;
            for answer in [
                adapter(&server.uri()).request(&order("order-1")).await,
                adapter(&server.uri()).cancel("order-1").await,
            ] {
                match answer {
                    Err(FulfillmentError::Unavailable {
                        status: given,
                        message,
                    }) => {
                        assert_eq!((given, message.as_str()), (status, "busy"));
                    }
                    other => panic!("{status}: {other:?}"),
                }
            }
        }
    }

    #[tokio::test]
    async fn other_answers_are_refusals() {
        // A redirect is not followed: it would take the token along.
        for status in [302, 400, 401, 409, 422] {
            let server = answering(status, "no such sku").await;
            match adapter(&server.uri()).request(&order("order-1")).await {
                Err(FulfillmentError::Refused {
                    status: given,
                    message,
                }) => {
                    assert_eq!((given, message.as_str()), (status, "no such sku"));
                }
                other => panic!("{status}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn no_answer_is_no_answer() {
        for (url, timeout) in [
            (http_at(closed_port()), LONG),
            (misbehaving_server(Misbehaviour::Drop), LONG),
            (misbehaving_server(Misbehaviour::Silence), SHORT),
        ] {
            let adapter = HttpFulfillment::new(config(url, timeout)).unwrap();
            let answer = adapter.request(&order("order-1")).await;
            assert!(
                matches!(answer, Err(FulfillmentError::NoAnswer(_))),
                "{answer:?}"
            );
            let answer = adapter.cancel("order-1").await;
            assert!(
                matches!(answer, Err(FulfillmentError::NoAnswer(_))),
                "{answer:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_order_id_that_is_no_path_segment_is_refused_unsent() {
        let server = MockServer::start().await;
        for order_id in ["", "..", "a\nb"] {
            let answer = adapter(&server.uri()).request(&order(order_id)).await;
            assert!(
                matches!(answer, Err(FulfillmentError::Refused { .. })),
                "{answer:?}"
            );
        }
        assert!(server.received_requests().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_token_never_shows() {
        let server = answering(401, &format!("bad token {TOKEN}")).await;
        let adapter = adapter(&server.uri());
        let error = adapter.request(&order("order-1")).await.unwrap_err();
        let config = config(Url::parse(&server.uri()).unwrap(), LONG);
        for text in [
            format!("{error} {error:?}"),
            format!("{adapter:?} {config:?}"),
        ] {
            assert!(!text.contains(TOKEN), "{text}");
        }
        assert!(
            error.to_string().contains("bad token [redacted]"),
            "{error}"
        );
    }
}
