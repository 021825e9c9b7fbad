//! The payment domain's mails: embedded templates, one folder a mail, user input escaped.

mod order;
mod subscription;

pub use order::{OrderMail, order_failed, order_paid};
pub use subscription::{
    SubscriptionMail, Suspension, subscription_charged, subscription_retry, subscription_suspended,
};

/// A subject as the mail's header can carry it.
///
/// Identifiers have no control characters; the name of a plan is whatever its owner typed.
fn one_line(subject: &str) -> String {
    subject.replace(char::is_control, " ")
}
