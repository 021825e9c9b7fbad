//! Finds a payment by our reference.
//!
//! Stripe's search finds any payment, but its index lags by up to a minute (an hour when Stripe has
//! trouble) and merchants in India have none. So what search does not know is looked for among the
//! newest payments, which the plain list shows at once.

use partner_core::ports::payment_gateway::{GatewayError, GatewayPayment, PaymentGateway};

use super::StripeGateway;
use super::wire::{Page, PaymentIntent};

/// Stripe's largest page.
const PAGE_SIZE: &str = "100";

/// How many pages of the newest payments are looked through: more than an account makes while the
/// search index lags, and few enough for one activity's timeout.
const MAX_PAGES: usize = 10;

/// The payment with our reference, as it is now.
pub(super) async fn by_reference(
    gateway: &StripeGateway,
    reference: &str,
) -> Result<Option<GatewayPayment>, GatewayError> {
    let id = match search(gateway, reference).await {
        Ok(Some(id)) => Some(id),
        Ok(None) => match newest(gateway, reference).await? {
            Newest::Found(id) => Some(id),
            // What is older than the newest, search would have known.
            Newest::NotThere | Newest::NotAmongThem => None,
        },
        Err(refusal @ GatewayError::Refused { .. }) => match newest(gateway, reference).await? {
            Newest::Found(id) => Some(id),
            Newest::NotThere => None,
            // Nobody looked at the older ones, so "there is none" would be a guess.
            Newest::NotAmongThem => return Err(refusal),
        },
        Err(error) => return Err(error),
    };
    match id {
        // Both answers may be older than the payment's last change.
        Some(id) => gateway.retrieve_payment(&id).await.map(Some),
        None => Ok(None),
    }
}

async fn search(gateway: &StripeGateway, reference: &str) -> Result<Option<String>, GatewayError> {
    let query = format!("metadata['reference']:'{}'", escape(reference));
    let page: Page = gateway
        .get(
            &["v1", "payment_intents", "search"],
            &[("query", query.as_str()), ("limit", PAGE_SIZE)],
        )
        .await?
        .parse()?;
    Ok(pick(page.data, reference))
}

/// What looking through the newest payments came to.
enum Newest {
    /// The payment's id.
    Found(String),
    /// Every payment was seen, it is not there.
    NotThere,
    /// There are older ones that were not looked at.
    NotAmongThem,
}

async fn newest(gateway: &StripeGateway, reference: &str) -> Result<Newest, GatewayError> {
    let mut after: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut query = vec![("limit", PAGE_SIZE)];
        query.extend(after.as_deref().map(|id| ("starting_after", id)));
        let page: Page = gateway
            .get(&["v1", "payment_intents"], &query)
            .await?
            .parse()?;
        let last = page.data.last().map(|payment| payment.id.clone());
        if let Some(id) = pick(page.data, reference) {
            return Ok(Newest::Found(id));
        }
        if !page.has_more || last.is_none() {
            return Ok(Newest::NotThere);
        }
        after = last;
    }
    Ok(Newest::NotAmongThem)
}

/// The payment with exactly this reference (search ignores the case). There can be several if a
/// creation was repeated after its key expired: then it is the one with the buyer's money.
fn pick(payments: Vec<PaymentIntent>, reference: &str) -> Option<String> {
    payments
        .into_iter()
        .filter(|payment| payment.reference() == Some(reference))
        .max_by_key(PaymentIntent::weight)
        .map(|payment| payment.id)
}

/// A text inside the quotes of Stripe's query language.
fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('\'', r"\'")
}

#[cfg(test)]
mod tests {
    use partner_core::ports::payment_gateway::PaymentState;
    use secrecy::SecretString;
    use serde_json::{Value, json};
    use url::Url;
    use wiremock::matchers::{method, path, query_param, query_param_is_missing};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::stripe_gateway::StripeConfig;
    use crate::testing::intent;

    async fn find(server: &MockServer, reference: &str) -> Result<Option<String>, GatewayError> {
        let base_url = Url::parse(&server.uri()).unwrap();
        let config = StripeConfig::new(base_url, SecretString::from("sk_test_1"));
        let found = StripeGateway::new(config)
            .unwrap()
            .find_payment(reference)
            .await?;
        Ok(found.map(|payment| payment.id))
    }

    fn page(payments: &[Value], has_more: bool) -> ResponseTemplate {
        let body = json!({"object": "list", "data": payments, "has_more": has_more});
        ResponseTemplate::new(200).set_body_json(body)
    }

    async fn searching(server: &MockServer, answer: ResponseTemplate) {
        Mock::given(method("GET"))
            .and(path("/v1/payment_intents/search"))
            .respond_with(answer)
            .expect(1)
            .mount(server)
            .await;
    }

    /// Search as merchants in India have it.
    fn no_search() -> ResponseTemplate {
        let error = json!({"error": {"type": "invalid_request_error", "message": "no search"}});
        ResponseTemplate::new(400).set_body_json(error)
    }

    async fn listing(server: &MockServer, after: Option<&str>, answer: ResponseTemplate) {
        let list = Mock::given(method("GET"))
            .and(path("/v1/payment_intents"))
            .and(query_param("limit", "100"));
        let list = match after {
            Some(id) => list.and(query_param("starting_after", id)),
            None => list.and(query_param_is_missing("starting_after")),
        };
        list.respond_with(answer).mount(server).await;
    }

    async fn retrieving(server: &MockServer, payment: &Value) {
        Mock::given(method("GET"))
            .and(path(format!(
                "/v1/payment_intents/{}",
                payment["id"].as_str().unwrap()
            )))
            .respond_with(ResponseTemplate::new(200).set_body_json(payment))
            .expect(1)
            .mount(server)
            .await;
    }

    #[tokio::test]
    async fn a_searched_payment_is_read_anew() {
        let server = MockServer::start().await;
        let stale = intent("pi_1", "requires_confirmation", r"it's \1");
        Mock::given(path("/v1/payment_intents/search"))
            .and(query_param("query", r"metadata['reference']:'it\'s \\1'"))
            .respond_with(page(&[stale], false))
            .expect(1)
            .mount(&server)
            .await;
        retrieving(&server, &intent("pi_1", "succeeded", r"it's \1")).await;
        let config = StripeConfig::new(Url::parse(&server.uri()).unwrap(), "sk_test_1".into());
        let gateway = StripeGateway::new(config).unwrap();
        let found = gateway.find_payment(r"it's \1").await.unwrap().unwrap();
        assert_eq!(
            (found.id.as_str(), found.state),
            ("pi_1", PaymentState::Succeeded)
        );
    }

    #[tokio::test]
    async fn among_repeats_the_one_with_money_in_it_counts() {
        let server = MockServer::start().await;
        let repeats = [
            intent("pi_new", "requires_confirmation", "r"),
            intent("pi_paid", "succeeded", "r"),
            intent("pi_old", "canceled", "r"),
            intent("pi_other", "succeeded", "R"),
        ];
        searching(&server, page(&repeats, false)).await;
        retrieving(&server, &repeats[1]).await;
        assert_eq!(
            find(&server, "r").await.unwrap().as_deref(),
            Some("pi_paid")
        );
    }

    #[tokio::test]
    async fn what_search_does_not_know_yet_is_found_among_the_newest() {
        for first in [page(&[], false), no_search()] {
            let server = MockServer::start().await;
            searching(&server, first).await;
            listing(
                &server,
                None,
                page(&[intent("pi_9", "succeeded", "x")], true),
            )
            .await;
            let second = intent("pi_8", "succeeded", "r");
            listing(
                &server,
                Some("pi_9"),
                page(std::slice::from_ref(&second), true),
            )
            .await;
            retrieving(&server, &second).await;
            assert_eq!(find(&server, "r").await.unwrap().as_deref(), Some("pi_8"));
        }
    }

    #[tokio::test]
    async fn what_is_nowhere_is_not_found() {
        for first in [page(&[], false), no_search()] {
            let server = MockServer::start().await;
            searching(&server, first).await;
            listing(
                &server,
                None,
                page(&[intent("pi_9", "succeeded", "x")], false),
            )
            .await;
            assert_eq!(find(&server, "r").await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn looking_through_the_newest_ends_and_never_guesses() {
        for (first, is_certain) in [(page(&[], false), true), (no_search(), false)] {
            let server = MockServer::start().await;
            searching(&server, first).await;
            Mock::given(path("/v1/payment_intents"))
                .respond_with(page(&[intent("pi_9", "succeeded", "x")], true))
                .expect(MAX_PAGES as u64)
                .mount(&server)
                .await;
            match find(&server, "r").await {
                Ok(None) => assert!(is_certain),
                Err(GatewayError::Refused { .. }) => assert!(!is_certain),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_search_that_failed_is_not_an_empty_one() {
        let server = MockServer::start().await;
        searching(&server, ResponseTemplate::new(500)).await;
        let error = find(&server, "r").await.unwrap_err();
        assert!(
            matches!(error, GatewayError::Unavailable { .. }),
            "{error:?}"
        );
    }
}
