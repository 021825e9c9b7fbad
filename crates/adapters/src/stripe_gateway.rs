//! The payment gateway over Stripe's `PaymentIntents` API.
//!
//! An intent is created unconfirmed, its id is written down by the caller, and only then is it
//! confirmed: a charge whose answer was lost can always be looked up by id. The reference is kept
//! in the intent's metadata, by which [`find_payment`](PaymentGateway::find_payment) finds it.
//!
//! # Payment methods
//! In production the id of a `PaymentMethod` belongs to a customer who entered it at checkout. The
//! wire contract carries only `card`, `upi` or `wallet`, so configuration maps each of the three to
//! the id of a payment method ([`StripePaymentMethods`]). Apple Pay and Google Pay are cards to
//! Stripe, therefore a wallet is created with the payment method type `card`.
//!
//! Nobody is there to answer a bank's question when a workflow charges, so a confirmation fails
//! instead of waiting (`error_on_requires_action`), and a payment that waits for its buyer counts
//! as declined with `authentication_required`.

mod answer;
mod errors;
mod find;
mod wire;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use partner_core::money::Money;
use partner_core::ports::payment_gateway::{
    GatewayError, GatewayPayment, GatewayRefund, NewPayment, PaymentGateway, PaymentMethod,
    PaymentState, PaymentSubject, Presence,
};
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

use self::answer::Answer;
use crate::http::{self, BaseUrl, HttpConfigError};

/// The API version whose field names [`wire`] reads, whatever the account's own version is.
const API_VERSION: &str = "2024-12-18.acacia";

/// Every answer about an intent carries its charge, and by it what was refunded.
const EXPAND_CHARGE: (&str, &str) = ("expand[]", "latest_charge");

/// Where Stripe is and how to call it.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// The API's address.
    pub base_url: Url,
    /// The secret key (`sk_...`).
    pub api_key: SecretString,
    /// What the contract's payment methods are at Stripe.
    pub payment_methods: StripePaymentMethods,
    /// The most that connecting may take.
    pub connect_timeout: Duration,
    /// The most that a whole call may take. Stripe itself gives up after 80 s.
    pub timeout: Duration,
}

impl StripeConfig {
    /// Where Stripe's API is, in test and in live mode alike: the key decides which.
    pub const DEFAULT_BASE_URL: &'static str = "https://api.stripe.com";

    /// An API at this address, with the test payment methods and sensible timeouts.
    pub fn new(base_url: Url, api_key: SecretString) -> Self {
        Self {
            base_url,
            api_key,
            payment_methods: StripePaymentMethods::default(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
        }
    }
}

/// The ids of the payment methods that are charged.
///
/// The defaults are Stripe's test card, and for UPI, which has no test id, `pm_upi`: only the
/// gateway simulator knows that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripePaymentMethods {
    /// Charged for `card`, with the type `card`.
    pub card: String,
    /// Charged for `upi`, with the type `upi`.
    pub upi: String,
    /// Charged for `wallet`, with the type `card`: Apple Pay and Google Pay are cards to Stripe.
    pub wallet: String,
}

impl Default for StripePaymentMethods {
    fn default() -> Self {
        Self {
            card: "pm_card_visa".to_owned(),
            upi: "pm_upi".to_owned(),
            wallet: "pm_card_visa".to_owned(),
        }
    }
}

impl StripePaymentMethods {
    /// The id and Stripe's type of a method of the contract.
    fn at_stripe(&self, method: PaymentMethod) -> (&str, &'static str) {
        match method {
            PaymentMethod::Card => (&self.card, "card"),
            PaymentMethod::Upi => (&self.upi, "upi"),
            PaymentMethod::Wallet => (&self.wallet, "card"),
        }
    }
}

/// Stripe as the payment gateway.
#[derive(Clone)]
pub struct StripeGateway {
    client: Client,
    base: BaseUrl,
    api_key: SecretString,
    payment_methods: StripePaymentMethods,
}

impl StripeGateway {
    /// A client of the API at this address.
    ///
    /// # Errors
    /// [`HttpConfigError`] if the address is no base address or no client can be built.
    pub fn new(config: StripeConfig) -> Result<Self, HttpConfigError> {
        Ok(Self {
            client: http::client(config.connect_timeout, config.timeout)?,
            base: BaseUrl::new(config.base_url)?,
            api_key: config.api_key,
            payment_methods: config.payment_methods,
        })
    }

    /// Reads something. The path is made of constants and of ids that [`payment_id`] let through.
    async fn get(&self, path: &[&str], query: &impl Serialize) -> Result<Answer, GatewayError> {
        self.send(self.client.get(self.base.join(path)).query(query))
            .await
    }

    /// Changes something under an idempotency key.
    async fn post(
        &self,
        path: &[&str],
        key: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, GatewayError> {
        let request = self.client.post(self.base.join(path));
        self.send(request.header("Idempotency-Key", key).form(form))
            .await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, GatewayError> {
        let response = request
            .bearer_auth(self.api_key.expose_secret())
            .header("Stripe-Version", API_VERSION)
            .send()
            .await
            .map_err(errors::not_answered)?;
        Answer::read(response, &self.api_key).await
    }

    /// The payment that a declined confirmation leaves behind.
    async fn declined(
        &self,
        id: &str,
        decline: wire::Decline,
    ) -> Result<GatewayPayment, GatewayError> {
        let payment = match decline.payment_intent {
            Some(intent) => intent.into_payment()?,
            None => self.retrieve_payment(id).await?,
        };
        // The intent knows better if it got further meanwhile, such as in an earlier attempt.
        let state = match payment.state {
            PaymentState::RequiresConfirmation => PaymentState::Declined {
                code: decline.code,
                message: decline.message,
            },
            state => state,
        };
        Ok(GatewayPayment { state, ..payment })
    }
}

impl fmt::Debug for StripeGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeGateway")
            .field("base", &self.base)
            .field("payment_methods", &self.payment_methods)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl PaymentGateway for StripeGateway {
    async fn create_payment(&self, payment: &NewPayment) -> Result<GatewayPayment, GatewayError> {
        let (payment_method, method_type) = self.payment_methods.at_stripe(payment.method);
        let stored = payment.stored_method.as_ref();
        let payment_method = stored.map_or(payment_method, |stored| stored.id.as_str());
        let mut form = vec![
            ("amount", payment.amount.minor().to_string()),
            ("currency", currency(payment.amount)),
            ("confirm", "false".to_owned()),
            ("capture_method", "automatic".to_owned()),
            ("payment_method", payment_method.to_owned()),
            ("payment_method_types[]", method_type.to_owned()),
            ("metadata[reference]", payment.reference.clone()),
            ("metadata[user_id]", payment.user_id.clone()),
        ];
        match &payment.subject {
            PaymentSubject::Order { order_id } => {
                form.push(("metadata[order_id]", order_id.clone()));
            }
            PaymentSubject::Subscription {
                subscription_id,
                period,
            } => {
                form.push(("metadata[subscription_id]", subscription_id.clone()));
                form.push(("metadata[period]", period.clone()));
            }
        }
        if let Some(customer) = stored.and_then(|stored| stored.customer.as_ref()) {
            form.push(("customer", customer.clone()));
        }
        let mut form: Vec<_> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        form.push(EXPAND_CHARGE);
        self.post(&["v1", "payment_intents"], &payment.idempotency_key, &form)
            .await?
            .payment()
    }

    async fn confirm_payment(
        &self,
        id: &str,
        presence: Presence,
        key: &str,
    ) -> Result<GatewayPayment, GatewayError> {
        let id = payment_id(id)?;
        let mut form = vec![("error_on_requires_action", "true"), EXPAND_CHARGE];
        if presence == Presence::Absent {
            form.push(("off_session", "true"));
        }
        let path = ["v1", "payment_intents", id, "confirm"];
        let answer = self.post(&path, key, &form).await?;
        match answer.decline() {
            Some(decline) => self.declined(id, decline).await,
            None => answer.payment(),
        }
    }

    async fn capture_payment(
        &self,
        id: &str,
        amount: Option<Money>,
        key: &str,
    ) -> Result<GatewayPayment, GatewayError> {
        let path = ["v1", "payment_intents", payment_id(id)?, "capture"];
        let minor = amount.map(|amount| amount.minor().to_string());
        let mut form = vec![EXPAND_CHARGE];
        form.extend(minor.as_deref().map(|minor| ("amount_to_capture", minor)));
        self.post(&path, key, &form).await?.payment()
    }

    async fn cancel_payment(&self, id: &str, key: &str) -> Result<GatewayPayment, GatewayError> {
        let path = ["v1", "payment_intents", payment_id(id)?, "cancel"];
        self.post(&path, key, &[EXPAND_CHARGE]).await?.payment()
    }

    async fn refund_payment(
        &self,
        id: &str,
        amount: Money,
        key: &str,
    ) -> Result<GatewayRefund, GatewayError> {
        let minor = amount.minor().to_string();
        let form = [("payment_intent", payment_id(id)?), ("amount", &minor)];
        self.post(&["v1", "refunds"], key, &form)
            .await?
            .parse::<wire::Refund>()?
            .into_refund()
    }

    async fn retrieve_payment(&self, id: &str) -> Result<GatewayPayment, GatewayError> {
        let path = ["v1", "payment_intents", payment_id(id)?];
        self.get(&path, &[EXPAND_CHARGE]).await?.payment()
    }

    async fn find_payment(&self, reference: &str) -> Result<Option<GatewayPayment>, GatewayError> {
        find::by_reference(self, reference).await
    }
}

/// An id that may go into a path: Stripe's are letters, digits and underscores.
fn payment_id(id: &str) -> Result<&str, GatewayError> {
    let is_id = !id.is_empty()
        && id.len() <= 255
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_id {
        return Ok(id);
    }
    Err(GatewayError::Refused {
        code: "invalid_id".to_owned(),
        message: format!("not sent: {id:?} cannot be the id of a payment"),
    })
}

fn currency(amount: Money) -> String {
    amount.currency().as_str().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
