//! The promises, one function each: whatever keeps them all is a search index.

mod history;
mod searches;
mod texts;
mod writes;

use anyhow::Result;
use partner_core::ports::search_index::{SearchDocument, SearchIndex, SearchQuery};
use rust_decimal::Decimal;

pub(crate) use self::history::*;
pub(crate) use self::searches::*;
pub(crate) use self::texts::*;
pub(crate) use self::writes::*;

/// A test for each promise, on an index of its own that `$open` makes.
macro_rules! conformance {
    ($open:path) => {
        crate::conformance::conformance! { $open:
            a_published_listing_is_found_as_it_was_published,
            a_repeated_publish_is_one_hit,
            a_newer_publish_replaces_the_older,
            a_late_publish_does_not_undo_a_removal,
            a_late_publish_does_not_undo_a_newer_one,
            a_late_removal_does_not_undo_a_publish,
            a_removal_counts_before_any_publish,
            the_same_write_again_is_fine,
            ids_of_every_kind_are_kept_apart,
            what_no_index_can_address_is_invalid,
            texts_of_any_size_and_kind_can_be_published,
            prices_are_compared_exactly_and_bounds_are_included,
            places_are_compared_in_any_case,
            bedrooms_are_counted_where_they_are_known,
            every_filter_must_fit_at_once,
            a_title_ranks_before_a_place_and_a_place_before_a_description,
            equally_relevant_hits_are_in_the_order_of_their_ids,
            pages_meet_every_hit_once_and_in_order,
            a_cursor_of_something_else_is_invalid,
            every_word_is_wanted_wherever_it_is,
            phrases_exclusions_and_alternatives_are_understood,
            a_word_is_found_in_another_case_or_number,
            the_parts_of_joined_words_are_found,
            nothing_typed_finds_everything_and_no_words_find_nothing,
            whatever_is_typed_is_no_error,
            any_order_of_delivery_ends_in_the_newest_write,
            writes_at_the_same_moment_end_in_the_newest,
        }
    };
    ($open:path: $($promise:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() -> anyhow::Result<()> {
                let stage = $open().await?;
                crate::conformance::$promise(stage.index()).await?;
                stage.close().await
            }
        )*
    };
}
pub(crate) use conformance;

/// A listing in Zug for 450,000, with nothing in it that a test looks for.
pub(crate) fn listing(listing_id: &str, version: i64) -> SearchDocument {
    SearchDocument {
        listing_id: listing_id.to_owned(),
        version,
        title: "Something to live in".to_owned(),
        description: "It has walls and a roof.".to_owned(),
        price: Decimal::new(450_000, 0),
        city: "Zug".to_owned(),
        state: "ZG".to_owned(),
        address: "Seestrasse 1".to_owned(),
        zip_code: Some("6300".to_owned()),
        bedrooms: Some(Decimal::new(2, 0)),
        bathrooms: Some(Decimal::new(15, 1)),
        area: None,
        images: vec!["https://cdn.example.com/1.jpg".to_owned()],
    }
}

/// The same with this title.
pub(crate) fn titled(listing_id: &str, version: i64, title: &str) -> SearchDocument {
    SearchDocument {
        title: title.to_owned(),
        ..listing(listing_id, version)
    }
}

/// A search for what somebody typed.
pub(crate) fn text(text: &str) -> SearchQuery {
    SearchQuery {
        text: Some(text.to_owned()),
        limit: SearchQuery::MAX_LIMIT,
        ..SearchQuery::default()
    }
}

/// A search for everything.
pub(crate) fn everything() -> SearchQuery {
    SearchQuery {
        limit: SearchQuery::MAX_LIMIT,
        ..SearchQuery::default()
    }
}

/// The ids of what is found, in their order.
pub(crate) async fn found(index: &dyn SearchIndex, query: &SearchQuery) -> Result<Vec<String>> {
    let page = index.search(query).await?;
    Ok(page.hits.into_iter().map(|hit| hit.listing_id).collect())
}
