//! The mails about the payments of a subscription.
//!
//! Days are given by the user's calendar. None of the mails repeats the gateway's words, which name
//! codes and systems that the user knows nothing of.

use askama::Template;
use chrono::NaiveDate;
use partner_core::contracts::notification::NotificationEmail;
use partner_core::money::Money;

use super::one_line;

/// What a mail about a subscription is made of.
#[derive(Debug, Clone, Copy)]
pub struct SubscriptionMail<'a> {
    /// The subscription.
    pub subscription_id: &'a str,
    /// What the user calls it; may be empty.
    pub plan: &'a str,
    /// What a period costs.
    pub amount: Money,
    /// The period, by its name: the first day, such as `2026-01-31`.
    pub period: &'a str,
}

impl SubscriptionMail<'_> {
    /// The shortest that the user knows it by.
    fn label(&self) -> &str {
        match self.plan.trim() {
            "" => self.subscription_id,
            plan => plan,
        }
    }

    /// The plan, if it has one, and the id.
    fn name(&self) -> String {
        match self.plan.trim() {
            "" => self.subscription_id.to_owned(),
            plan => format!("{plan} ({})", self.subscription_id),
        }
    }

    fn first_day(&self) -> String {
        // A name of another form is still the period's name, and better than no mail.
        NaiveDate::parse_from_str(self.period, "%Y-%m-%d")
            .map_or_else(|_| self.period.to_owned(), long)
    }
}

/// Why a subscription is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspension {
    /// The payment was tried so often without success.
    AttemptsFailed {
        /// How often: at least once.
        attempts: u32,
    },
    /// The payment method can never be charged again.
    MethodRefused,
}

impl Suspension {
    /// Why, as the end of a sentence.
    fn reason(self) -> String {
        match self {
            Self::AttemptsFailed { attempts: 0 | 1 } => "its payment did not go through".to_owned(),
            Self::AttemptsFailed { attempts } => {
                format!("its payment did not go through {attempts} times in a row")
            }
            Self::MethodRefused => "your payment method cannot be used for it any more".to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "subscription_charged/subject.txt", escape = "none")]
struct ChargedSubject<'a> {
    mail: SubscriptionMail<'a>,
}

#[derive(Template)]
#[template(path = "subscription_charged/body.html")]
struct ChargedHtml<'a> {
    mail: SubscriptionMail<'a>,
    transaction_id: &'a str,
    next_payment: &'a str,
}

#[derive(Template)]
#[template(path = "subscription_charged/body.txt", escape = "none")]
struct ChargedText<'a> {
    mail: SubscriptionMail<'a>,
    transaction_id: &'a str,
    next_payment: &'a str,
}

#[derive(Template)]
#[template(path = "subscription_retry/subject.txt", escape = "none")]
struct RetrySubject<'a> {
    mail: SubscriptionMail<'a>,
}

#[derive(Template)]
#[template(path = "subscription_retry/body.html")]
struct RetryHtml<'a> {
    mail: SubscriptionMail<'a>,
    retry_on: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "subscription_retry/body.txt", escape = "none")]
struct RetryText<'a> {
    mail: SubscriptionMail<'a>,
    retry_on: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "subscription_suspended/subject.txt", escape = "none")]
struct SuspendedSubject<'a> {
    mail: SubscriptionMail<'a>,
}

#[derive(Template)]
#[template(path = "subscription_suspended/body.html")]
struct SuspendedHtml<'a> {
    mail: SubscriptionMail<'a>,
    reason: &'a str,
}

#[derive(Template)]
#[template(path = "subscription_suspended/body.txt", escape = "none")]
struct SuspendedText<'a> {
    mail: SubscriptionMail<'a>,
    reason: &'a str,
}

/// Tells the user that a period is paid, and when the next one is due.
pub fn subscription_charged(
    mail: SubscriptionMail<'_>,
    transaction_id: &str,
    next_payment: NaiveDate,
) -> Result<NotificationEmail, askama::Error> {
    let next_payment = &long(next_payment);
    Ok(NotificationEmail {
        subject: one_line(&ChargedSubject { mail }.render()?),
        body: ChargedHtml {
            mail,
            transaction_id,
            next_payment,
        }
        .render()?,
        text: ChargedText {
            mail,
            transaction_id,
            next_payment,
        }
        .render()?,
    })
}

/// Tells the user that a payment failed and is tried again: on this day, if it is known.
pub fn subscription_retry(
    mail: SubscriptionMail<'_>,
    retry_on: Option<NaiveDate>,
) -> Result<NotificationEmail, askama::Error> {
    let retry_on = retry_on.map(long);
    let retry_on = retry_on.as_deref();
    Ok(NotificationEmail {
        subject: one_line(&RetrySubject { mail }.render()?),
        body: RetryHtml { mail, retry_on }.render()?,
        text: RetryText { mail, retry_on }.render()?,
    })
}

/// Tells the user that nothing is tried any more, and how to settle what is owed.
pub fn subscription_suspended(
    mail: SubscriptionMail<'_>,
    suspension: Suspension,
) -> Result<NotificationEmail, askama::Error> {
    let reason = &suspension.reason();
    Ok(NotificationEmail {
        subject: one_line(&SuspendedSubject { mail }.render()?),
        body: SuspendedHtml { mail, reason }.render()?,
        text: SuspendedText { mail, reason }.render()?,
    })
}

/// A day as people write it: `28 February 2026`.
fn long(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use partner_core::money::Currency;
    use proptest::prelude::*;

    use super::*;

    const MAIL: SubscriptionMail<'_> = SubscriptionMail {
        subscription_id: "sub_1",
        plan: "Gold",
        amount: Money::from_minor(1_999, Currency::EUR),
        period: "2026-01-31",
    };

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// Every mail, in every form.
    fn all(mail: SubscriptionMail<'_>, transaction_id: &str) -> Vec<NotificationEmail> {
        vec![
            subscription_charged(mail, transaction_id, day("2026-02-28")).unwrap(),
            subscription_retry(mail, Some(day("2026-02-03"))).unwrap(),
            subscription_retry(mail, None).unwrap(),
            subscription_suspended(mail, Suspension::AttemptsFailed { attempts: 3 }).unwrap(),
            subscription_suspended(mail, Suspension::AttemptsFailed { attempts: 1 }).unwrap(),
            subscription_suspended(mail, Suspension::MethodRefused).unwrap(),
        ]
    }

    fn assert_says(mail: &NotificationEmail, expected: &[&str]) {
        // The HTML part says the same, with some of it set in bold.
        let html = mail.body.replace("<strong>", "").replace("</strong>", "");
        for words in expected {
            assert!(mail.text.contains(words), "{words:?} in {}", mail.text);
            assert!(html.contains(words), "{words:?} in {}", mail.body);
        }
    }

    #[test]
    fn a_paid_period_says_what_was_paid_and_when_the_next_is_due() {
        let mail = subscription_charged(MAIL, "pi_1", day("2026-02-28")).unwrap();
        assert_eq!(mail.subject, "Your subscription Gold is paid");
        assert_says(
            &mail,
            &[
                "19.99 EUR for your subscription Gold (sub_1)",
                "for the period from 31 January 2026 on",
                "The next payment is due on 28 February 2026",
                "Payment reference: pi_1",
            ],
        );
    }

    #[test]
    fn a_failed_payment_says_when_it_is_tried_again_and_what_to_do() {
        let mail = subscription_retry(MAIL, Some(day("2026-02-03"))).unwrap();
        assert_eq!(
            mail.subject,
            "The payment for your subscription Gold did not go through"
        );
        assert_says(
            &mail,
            &[
                "19.99 EUR for your subscription Gold (sub_1)",
                "for the period from 31 January 2026 on",
                "No money was taken",
                "We try again on 3 February 2026",
                "or give us another payment method",
            ],
        );
        let undated = subscription_retry(MAIL, None).unwrap();
        assert_says(&undated, &["We will try again.", "No money was taken"]);
    }

    #[test]
    fn a_suspension_says_why_what_is_owed_and_how_to_end_it() {
        for (suspension, why) in [
            (
                Suspension::AttemptsFailed { attempts: 3 },
                "because its payment did not go through 3 times in a row.",
            ),
            (
                Suspension::AttemptsFailed { attempts: 1 },
                "because its payment did not go through.",
            ),
            (
                Suspension::MethodRefused,
                "because your payment method cannot be used for it any more.",
            ),
        ] {
            let mail = subscription_suspended(MAIL, suspension).unwrap();
            assert_eq!(mail.subject, "Your subscription Gold is suspended");
            assert_says(
                &mail,
                &[
                    why,
                    "No money was taken",
                    "we do not try again on our own",
                    "You owe 19.99 EUR for the period from 31 January 2026 on",
                    "give us another payment method, or ask us to try the one that we have once more",
                ],
            );
        }
    }

    #[test]
    fn without_a_plan_the_id_names_the_subscription() {
        for plan in ["", "  "] {
            let mail = SubscriptionMail { plan, ..MAIL };
            let mail = subscription_retry(mail, None).unwrap();
            assert_eq!(
                mail.subject,
                "The payment for your subscription sub_1 did not go through"
            );
            assert_says(&mail, &["for your subscription sub_1, for the period"]);
        }
    }

    proptest! {
        #[test]
        fn nothing_from_outside_becomes_markup_or_a_second_line_of_the_subject(
            subscription_id in any::<String>(),
            plan in any::<String>(),
            period in any::<String>(),
            transaction_id in any::<String>(),
        ) {
            let subscription_id = &format!("<img src=x>{subscription_id}\r\nBcc: eve@example.com");
            let plan = &format!("<b>\"{plan}'&\n");
            let period = &format!("</p>{period}");
            let transaction_id = &format!("<script>{transaction_id}");
            let outside = SubscriptionMail { subscription_id, plan, period, ..MAIL };
            let plain = all(MAIL, "pi_1");
            for (mail, plain) in all(outside, transaction_id).iter().zip(&plain) {
                prop_assert!(!mail.subject.contains(char::is_control), "{:?}", mail.subject);
                let tags = |html: &str| html.matches('<').count();
                prop_assert_eq!(tags(&mail.body), tags(&plain.body), "{}", mail.body);
            }
        }
    }

    #[test]
    fn nothing_is_left_unrendered() {
        for mail in all(MAIL, "pi_1") {
            for part in [&mail.subject, &mail.body, &mail.text] {
                assert!(!part.contains(['{', '}']), "{part}");
                assert!(!part.contains("2026-"), "{part}");
            }
            assert!(!mail.text.contains(['<', '&']), "{}", mail.text);
        }
    }
}
