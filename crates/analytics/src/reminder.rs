//! What a reminder is about, which decides whether it still holds when its time has come.

use chrono::{DateTime, Utc};
use partner_core::ids::{ListingId, OrderId, SubscriptionId};
use serde_json::{Map, Value};

use crate::error::AnalyticsError;

/// A reminder that somebody owes something.
pub const PAYMENT_DUE: &str = "payment_due";

/// A reminder that a listing is about to expire.
pub const LISTING_RENEWAL: &str = "listing_renewal";

/// The longest type, in characters: users mute notifications by it.
const LONGEST_TYPE: usize = 64;

/// What must still be so for a reminder to go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The order is not paid.
    OrderIsOwed(OrderId),
    /// A period of the subscription that has begun by the due date, or by now, is not paid.
    SubscriptionIsOwed {
        /// The subscription.
        subscription: SubscriptionId,
        /// When it is due.
        due: Option<DateTime<Utc>>,
    },
    /// The listing is shown, and expires at the date at the latest; at any date without one.
    ListingExpires {
        /// The listing.
        listing: ListingId,
        /// The date that its owner is reminded of.
        by: Option<DateTime<Utc>>,
    },
    /// Nothing: a reminder of a type that only its sender knows always holds.
    Nothing,
}

impl Claim {
    /// Reads what a reminder of a type with this metadata claims.
    ///
    /// # Errors
    /// [`AnalyticsError::Invalid`] names the field that is missing or wrong.
    pub fn read(
        reminder_type: &str,
        metadata: Option<&Map<String, Value>>,
    ) -> Result<Self, AnalyticsError> {
        check_type(reminder_type)?;
        let metadata = Metadata(metadata);
        match reminder_type {
            PAYMENT_DUE => metadata.payment(),
            LISTING_RENEWAL => metadata.listing(),
            _ => Ok(Self::Nothing),
        }
    }
}

fn check_type(reminder_type: &str) -> Result<(), AnalyticsError> {
    let length = reminder_type.chars().count();
    if !(1..=LONGEST_TYPE).contains(&length) || reminder_type.trim().is_empty() {
        return Err(invalid(
            "reminderType",
            format!("expected 1 to {LONGEST_TYPE} characters"),
        ));
    }
    if reminder_type == "*" || reminder_type.contains(char::is_control) {
        return Err(invalid(
            "reminderType",
            "expected one type in one line, such as \"payment_due\"",
        ));
    }
    Ok(())
}

/// The metadata of a reminder, whose fields are named in errors.
#[derive(Clone, Copy)]
struct Metadata<'a>(Option<&'a Map<String, Value>>);

impl<'a> Metadata<'a> {
    fn payment(self) -> Result<Claim, AnalyticsError> {
        match (self.text("orderId")?, self.text("subscriptionId")?) {
            (Some(order), None) => {
                let order = OrderId::parse(order);
                let order = order.map_err(|error| invalid("metadata.orderId", error))?;
                Ok(Claim::OrderIsOwed(order))
            }
            (None, Some(subscription)) => {
                let subscription = SubscriptionId::parse(subscription);
                Ok(Claim::SubscriptionIsOwed {
                    subscription: subscription
                        .map_err(|error| invalid("metadata.subscriptionId", error))?,
                    due: self.time("dueDate")?,
                })
            }
            _ => Err(invalid(
                "metadata",
                "a payment_due reminder needs one of orderId and subscriptionId",
            )),
        }
    }

    fn listing(self) -> Result<Claim, AnalyticsError> {
        let Some(listing) = self.text("listingId")? else {
            return Err(invalid(
                "metadata.listingId",
                "missing, a listing_renewal reminder is about a listing",
            ));
        };
        let listing = ListingId::parse(listing);
        Ok(Claim::ListingExpires {
            listing: listing.map_err(|error| invalid("metadata.listingId", error))?,
            by: self.time("expirationDate")?,
        })
    }

    fn text(self, name: &str) -> Result<Option<&'a str>, AnalyticsError> {
        match self.0.and_then(|metadata| metadata.get(name)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid(&format!("metadata.{name}"), "expected a text")),
        }
    }

    fn time(self, name: &str) -> Result<Option<DateTime<Utc>>, AnalyticsError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| {
            invalid(
                &format!("metadata.{name}"),
                "expected a date and time such as 2026-12-31T00:00:00Z",
            )
        })?;
        Ok(Some(time.to_utc()))
    }
}

fn invalid(field: &str, what: impl std::fmt::Display) -> AnalyticsError {
    AnalyticsError::Invalid(format!("{field}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(reminder_type: &str, metadata: &str) -> Result<Claim, String> {
        let metadata: Map<String, Value> = serde_json::from_str(metadata).unwrap();
        Claim::read(reminder_type, Some(&metadata)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_reminder_claims_what_its_type_says() {
        let date = "2026-12-31T00:00:00Z";
        assert_eq!(
            claim(PAYMENT_DUE, r#"{"orderId":"o-1"}"#),
            Ok(Claim::OrderIsOwed(OrderId::parse("o-1").unwrap()))
        );
        assert_eq!(
            claim(
                PAYMENT_DUE,
                &format!(r#"{{"subscriptionId":"s-1","dueDate":"{date}"}}"#)
            ),
            Ok(Claim::SubscriptionIsOwed {
                subscription: SubscriptionId::parse("s-1").unwrap(),
                due: date.parse().ok(),
            })
        );
        assert_eq!(
            claim(LISTING_RENEWAL, r#"{"listingId":"l-1"}"#),
            Ok(Claim::ListingExpires {
                listing: ListingId::parse("l-1").unwrap(),
                by: None,
            })
        );
        assert_eq!(claim("viewing", "{}"), Ok(Claim::Nothing));
        assert_eq!(Claim::read("viewing", None).unwrap(), Claim::Nothing);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(65);
        for (reminder_type, metadata, expected) in [
            ("", "{}", "reminderType: expected 1 to 64"),
            (" ", "{}", "reminderType: expected 1 to 64"),
            (long.as_str(), "{}", "reminderType: expected 1 to 64"),
            ("*", "{}", "reminderType: expected one type"),
            ("a\nb", "{}", "reminderType: expected one type"),
            (PAYMENT_DUE, "{}", "metadata: a payment_due"),
            (
                PAYMENT_DUE,
                r#"{"orderId":"a","subscriptionId":"b"}"#,
                "metadata: a payment_due",
            ),
            (
                PAYMENT_DUE,
                r#"{"orderId":7}"#,
                "metadata.orderId: expected",
            ),
            (PAYMENT_DUE, r#"{"orderId":""}"#, "metadata.orderId: must"),
            (
                PAYMENT_DUE,
                r#"{"subscriptionId":"s","dueDate":"soon"}"#,
                "metadata.dueDate: expected",
            ),
            (LISTING_RENEWAL, "{}", "metadata.listingId: missing"),
            (
                LISTING_RENEWAL,
                r#"{"listingId":"l","expirationDate":7}"#,
                "metadata.expirationDate: expected",
            ),
        ] {
            let error = claim(reminder_type, metadata).unwrap_err();
            assert!(error.starts_with(expected), "{metadata}: {error}");
        }
    }
}
