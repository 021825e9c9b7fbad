use proptest::prelude::*;

use super::*;
use crate::quality::Score;
use partner_core::contracts::notification::NotificationEmail;

fn base() -> Url {
    Url::parse("https://portal.example/?a=1&b=2").unwrap()
}

fn mail<'a>(title: &'a str, base_url: &'a Url) -> ListingMail<'a> {
    ListingMail {
        listing_id: "flat/7",
        title,
        base_url,
    }
}

/// Every mail of the domain, with this as what users wrote.
fn all(text: &str, base_url: &Url) -> Vec<NotificationEmail> {
    let mail = mail(text, base_url);
    let review = ReviewMail {
        listing: mail,
        version: 2,
        owner: text,
        score: Score::from_hundredths(85),
        deadline: Some(DateTime::UNIX_EPOCH),
    };
    [
        approved(mail, text),
        rejected(mail, text),
        validation_failed(mail, &[text.to_owned()]),
        failed(mail),
        expiring(mail, DateTime::UNIX_EPOCH),
        expired(mail, DateTime::UNIX_EPOCH),
        review_requested(review),
        review_urgent(review),
    ]
    .into_iter()
    .map(Result::unwrap)
    .collect()
}

#[test]
fn escapes_what_users_wrote_in_html_and_nowhere_else() {
    let base = base();
    for mail in all("<script>alert(1)</script>", &base) {
        assert!(!mail.body.contains("<script>"), "{}", mail.body);
        assert!(mail.body.contains("&#60;script&#62;"), "{}", mail.body);
        assert!(mail.text.contains("<script>"), "{}", mail.text);
    }
}

#[test]
fn points_to_the_listing_whatever_its_id() {
    let base = base();
    for mail in all("Flat", &base) {
        let link = "https://portal.example/listings/flat%2F7?a=1";
        assert!(mail.text.contains(link), "{}", mail.text);
        assert!(mail.body.contains(link), "{}", mail.body);
    }
}

#[test]
fn says_what_was_decided_and_by_when() {
    let base = base();
    let mails = all("Flat", &base);
    let subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "Your listing \"Flat\" is approved",
            "Your listing \"Flat\" was not approved",
            "Your listing \"Flat\" needs a correction",
            "Your listing \"Flat\" could not be published",
            "Your listing \"Flat\" expires on 1 January 1970",
            "Your listing \"Flat\" has expired",
            "Review: \"Flat\" (score 0.85)",
            "Still waiting for review: \"Flat\" (score 0.85)",
        ]
    );
    for review in &mails[6..] {
        assert!(
            review.text.contains("1 January 1970, 00:00 UTC"),
            "{}",
            review.text
        );
    }
}

#[test]
fn a_listing_without_a_title_is_known_by_its_id() {
    let base = base();
    let mail = approved(mail("  ", &base), "").unwrap();
    assert_eq!(mail.subject, "Your listing \"flat/7\" is approved");
    assert!(!mail.body.contains("The review says"), "{}", mail.body);
}

proptest! {
    #[test]
    fn the_subject_is_one_line_whatever_the_title(text in any::<String>()) {
        let base = base();
        for mail in all(&format!("{text}\r\nBcc: eve@example.com"), &base) {
            prop_assert!(!mail.subject.contains(char::is_control), "{:?}", mail.subject);
        }
    }
}
