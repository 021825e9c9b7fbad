//! What an order came to, read from the outside: shop, gateway, fulfilment and inbox.

use anyhow::Result;

use crate::orders::{Order, PRICE, STOCK};
use crate::stage::Stage;

/// The end of the subject of the mail to a buyer whose order is paid.
pub const PAID: &str = "is paid";
/// The same, if it could not be paid.
pub const NOT_PAID: &str = "could not be paid";
/// The same, if it was cancelled.
pub const CANCELLED: &str = "is cancelled";

/// What an order came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// The order's status.
    pub status: String,
    /// What the gateway took, in minor units.
    pub taken: i64,
    /// What of it the gateway still holds.
    pub held: i64,
    /// How often the issuer approved a charge.
    pub charges: usize,
    /// The article's stock.
    pub on_hand: i32,
    /// What of it is promised to orders that are not paid.
    pub reserved: i32,
    /// Whether the order is being handed over.
    pub handed_over: bool,
    /// The ends of the subjects of the buyer's mails, in alphabetical order.
    pub mails: Vec<String>,
}

impl Books {
    /// Paid, once.
    pub fn paid() -> Self {
        Self {
            status: "paid".to_owned(),
            taken: PRICE,
            held: PRICE,
            charges: 1,
            on_hand: STOCK - 1,
            reserved: 0,
            handed_over: true,
            mails: vec![PAID.to_owned()],
        }
    }

    /// As before anything was tried.
    pub fn untouched() -> Self {
        Self {
            status: "pending".to_owned(),
            taken: 0,
            held: 0,
            charges: 0,
            on_hand: STOCK,
            reserved: 0,
            handed_over: false,
            mails: Vec::new(),
        }
    }

    /// Not paid, nothing taken, and the buyer told so.
    pub fn not_charged(status: &str, mails: &[&str]) -> Self {
        Self {
            status: status.to_owned(),
            mails: mails.iter().map(|&mail| mail.to_owned()).collect(),
            ..Self::untouched()
        }
    }

    /// Charged once, and given back.
    pub fn given_back(status: &str, mails: &[&str]) -> Self {
        Self {
            taken: PRICE,
            charges: 1,
            ..Self::not_charged(status, mails)
        }
    }

    /// Reads what an order came to.
    pub async fn of(stage: &Stage, order: &Order) -> Result<Self> {
        let payments = stage.platform.gateway.payments_of(&order.id);
        let stock = stage.shop.stock(&order.sku).await?;
        let handed_over = stage.platform.fulfillment.order(&order.id);
        let taken: i64 = payments.iter().map(|payment| payment.received).sum();
        let refunded: i64 = payments.iter().map(|payment| payment.refunded).sum();
        Ok(Self {
            status: stage.shop.order(&order.id).await?.status,
            taken,
            held: taken - refunded,
            charges: payments.iter().map(|payment| payment.times_charged).sum(),
            on_hand: stock.on_hand,
            reserved: stock.reserved,
            handed_over: handed_over
                .is_some_and(|record| record.request.is_some() && !record.cancelled),
            mails: mails(stage, order),
        })
    }
}

fn mails(stage: &Stage, order: &Order) -> Vec<String> {
    let beginning = format!("Your order {} ", order.id);
    let mut ends: Vec<_> = stage
        .platform
        .inbox
        .mails_to(&order.email)
        .iter()
        .map(|mail| mail.subject.clone().unwrap_or_default())
        .map(|subject| {
            subject
                .strip_prefix(&beginning)
                .unwrap_or(&subject)
                .to_owned()
        })
        .collect();
    ends.sort_unstable();
    ends
}
