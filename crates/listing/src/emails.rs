//! The listing domain's mails: embedded templates, one folder a mail, user input escaped.

mod owner;
mod review;

pub use owner::{approved, expired, expiring, failed, rejected, validation_failed};
pub use review::{ReviewMail, review_requested, review_urgent};

use chrono::{DateTime, Utc};
use url::Url;

/// What a mail about a listing is made of.
#[derive(Debug, Clone, Copy)]
pub struct ListingMail<'a> {
    /// The listing.
    pub listing_id: &'a str,
    /// What its owner calls it; may be empty.
    pub title: &'a str,
    /// Where its reader finds listings; the listing's own address is below it.
    pub base_url: &'a Url,
}

impl ListingMail<'_> {
    /// What the reader knows it by.
    fn title(&self) -> &str {
        match self.title.trim() {
            "" => self.listing_id,
            title => title,
        }
    }

    /// The listing's address: the id is one path segment, whatever it contains.
    fn link(&self) -> String {
        let mut url = self.base_url.clone();
        // Fails only for addresses without a host, which the configuration refuses.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["listings", self.listing_id]);
        }
        url.into()
    }
}

/// A moment for a person; in UTC, which is said with it.
fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// A day for a person, by the calendar of UTC.
fn day(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y").to_string()
}

/// A subject as the mail's header can carry it: a title is whatever its owner typed.
fn one_line(subject: &str) -> String {
    subject.trim_end().replace(char::is_control, " ")
}

#[cfg(test)]
mod tests;
