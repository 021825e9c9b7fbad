//! The mails about an order, one key each.

use askama::Template;
use partner_core::contracts::email::SendEmailInput;
use partner_core::error::ErrorCode;
use partner_core::money::Money;

use super::one_line;

/// What a mail about an order is made of.
#[derive(Debug, Clone, Copy)]
pub struct OrderMail<'a> {
    /// Where it goes.
    pub to: &'a str,
    /// The order.
    pub order_id: &'a str,
    /// What it costs.
    pub amount: Money,
    /// Which attempt to pay it.
    pub attempt: u32,
}

#[derive(Template)]
#[template(path = "order_paid/subject.txt", escape = "none")]
struct PaidSubject<'a> {
    order_id: &'a str,
}

#[derive(Template)]
#[template(path = "order_paid/body.html")]
struct PaidHtml<'a> {
    order_id: &'a str,
    amount: &'a str,
    transaction_id: &'a str,
}

#[derive(Template)]
#[template(path = "order_paid/body.txt", escape = "none")]
struct PaidText<'a> {
    order_id: &'a str,
    amount: &'a str,
    transaction_id: &'a str,
}

#[derive(Template)]
#[template(path = "order_failed/subject.txt", escape = "none")]
struct FailedSubject<'a> {
    order_id: &'a str,
    cancelled: bool,
}

#[derive(Template)]
#[template(path = "order_failed/body.html")]
struct FailedHtml<'a> {
    headline: &'a str,
    order_id: &'a str,
    amount: &'a str,
    reason: &'a str,
    refunded: bool,
}

#[derive(Template)]
#[template(path = "order_failed/body.txt", escape = "none")]
struct FailedText<'a> {
    headline: &'a str,
    order_id: &'a str,
    amount: &'a str,
    reason: &'a str,
    refunded: bool,
}

/// Tells the buyer that the order is paid.
pub fn order_paid(
    mail: OrderMail<'_>,
    transaction_id: &str,
) -> Result<SendEmailInput, askama::Error> {
    let amount = &mail.amount.to_string();
    let order_id = mail.order_id;
    Ok(SendEmailInput {
        to: mail.to.to_owned(),
        subject: one_line(&PaidSubject { order_id }.render()?),
        body: PaidHtml {
            order_id,
            amount,
            transaction_id,
        }
        .render()?,
        text: Some(
            PaidText {
                order_id,
                amount,
                transaction_id,
            }
            .render()?,
        ),
        attachments: Vec::new(),
        message_id: Some(format!("order/{order_id}/paid")),
    })
}

/// Tells the buyer that the order is not paid, and what became of their money.
pub fn order_failed(
    mail: OrderMail<'_>,
    code: ErrorCode,
    refunded: bool,
) -> Result<SendEmailInput, askama::Error> {
    let amount = &mail.amount.to_string();
    let order_id = mail.order_id;
    let cancelled = code == ErrorCode::Cancelled;
    let headline = if cancelled {
        "Your order was cancelled"
    } else {
        "Your payment did not go through"
    };
    let reason = reason_for_the_buyer(code);
    Ok(SendEmailInput {
        to: mail.to.to_owned(),
        subject: one_line(
            &FailedSubject {
                order_id,
                cancelled,
            }
            .render()?,
        ),
        body: FailedHtml {
            headline,
            order_id,
            amount,
            reason,
            refunded,
        }
        .render()?,
        text: Some(
            FailedText {
                headline,
                order_id,
                amount,
                reason,
                refunded,
            }
            .render()?,
        ),
        attachments: Vec::new(),
        message_id: Some(format!("order/{order_id}/not-paid/{}", mail.attempt)),
    })
}

/// What the buyer is told: never the operator's words, which may name systems and codes.
const fn reason_for_the_buyer(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::PaymentFailed => "the payment was declined",
        ErrorCode::InventoryUnavailable => "an article is out of stock",
        ErrorCode::Cancelled => "it was cancelled on request",
        ErrorCode::ExternalServiceError => "it could not be handed over",
        ErrorCode::ValidationError => "it could not be accepted",
        ErrorCode::GatewayError
        | ErrorCode::DatabaseError
        | ErrorCode::Timeout
        | ErrorCode::Unknown => "of a technical problem on our side",
    }
}

#[cfg(test)]
mod tests {
    use partner_core::ids::OrderId;
    use partner_core::money::Currency;
    use proptest::prelude::*;

    use super::*;

    const MAIL: OrderMail<'_> = OrderMail {
        to: "ana@example.com",
        order_id: "<script>alert(1)</script>",
        amount: Money::from_minor(1_999, Currency::EUR),
        attempt: 2,
    };

    #[test]
    fn escapes_what_users_wrote() {
        let mail = order_paid(MAIL, "pi_1").unwrap();
        assert!(!mail.body.contains("<script>"), "{}", mail.body);
        assert!(mail.body.contains("&#60;script&#62;"), "{}", mail.body);
        assert!(mail.text.unwrap().contains("19.99 EUR"));
    }

    #[test]
    fn says_what_became_of_the_money() {
        let refunded = order_failed(MAIL, ErrorCode::ExternalServiceError, true).unwrap();
        assert!(refunded.body.contains("goes back to you in full"));
        let declined = order_failed(MAIL, ErrorCode::PaymentFailed, false).unwrap();
        assert!(declined.body.contains("You were not charged"));
        assert!(declined.text.unwrap().contains("the payment was declined"));
    }

    fn subjects(order_id: &str) -> [String; 3] {
        let mail = OrderMail { order_id, ..MAIL };
        [
            order_paid(mail, "pi_1").unwrap().subject,
            order_failed(mail, ErrorCode::PaymentFailed, false)
                .unwrap()
                .subject,
            order_failed(mail, ErrorCode::Cancelled, true)
                .unwrap()
                .subject,
        ]
    }

    proptest! {
        #[test]
        fn the_subject_is_what_it_always_was_for_every_order_id(text in "\\PC{1,60}| {0,2}[<&{}\"'%]{1,9}") {
            prop_assume!(OrderId::parse(text.as_str()).is_ok());
            prop_assert_eq!(subjects(&text), [
                format!("Your order {text} is paid"),
                format!("Your order {text} could not be paid"),
                format!("Your order {text} is cancelled"),
            ]);
        }

        #[test]
        fn the_subject_is_one_line_whatever_the_order_id(text in any::<String>()) {
            for subject in subjects(&text) {
                prop_assert!(!subject.contains(char::is_control), "{:?}", subject);
            }
            let injected = subjects(&format!("{text}\r\nBcc: eve@example.com"));
            for subject in injected {
                prop_assert!(!subject.contains(char::is_control), "{:?}", subject);
            }
        }
    }
}
