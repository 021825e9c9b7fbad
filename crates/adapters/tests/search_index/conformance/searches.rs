//! Filters, ranking and pages.

use anyhow::{Result, bail};
use partner_core::ports::search_index::{
    SearchCursor, SearchDocument, SearchIndex, SearchIndexError, SearchQuery,
};
use rust_decimal::Decimal;

use super::{everything, found, listing, text, titled};

pub(crate) async fn prices_are_compared_exactly_and_bounds_are_included(
    index: &dyn SearchIndex,
) -> Result<()> {
    for (id, price) in [
        ("a", "99999.99"),
        ("b", "100000"),
        ("c", "100000.01"),
        ("d", "0.1"),
        ("e", "9007199254740993"),
    ] {
        let priced = SearchDocument {
            price: Decimal::from_str_exact(price)?,
            ..listing(id, 1)
        };
        index.publish(&priced).await?;
        assert_eq!(
            index.lookup(id).await?.map(|hit| hit.price),
            Some(priced.price)
        );
    }
    for (min, max, expected) in [
        (Some("100000.00"), Some("100000.01"), &["b", "c"] as &[_]),
        (Some("100000.01"), None, &["c", "e"]),
        (None, Some("99999.99"), &["a", "d"]),
        (Some("0.1"), Some("0.1"), &["d"]),
        (Some("0.11"), Some("99999.98"), &[]),
        (Some("2"), Some("1"), &[]),
    ] {
        let query = SearchQuery {
            min_price: min.map(Decimal::from_str_exact).transpose()?,
            max_price: max.map(Decimal::from_str_exact).transpose()?,
            ..everything()
        };
        assert_eq!(found(index, &query).await?, expected, "{min:?} to {max:?}");
    }
    Ok(())
}

pub(crate) async fn places_are_compared_in_any_case(index: &dyn SearchIndex) -> Result<()> {
    for (id, city, state) in [
        ("a", "Zürich", "ZH"),
        ("b", "Zug", "ZG"),
        ("c", "New York", "NY"),
        ("d", "York", "PA"),
    ] {
        let placed = SearchDocument {
            city: city.to_owned(),
            state: state.to_owned(),
            ..listing(id, 1)
        };
        index.publish(&placed).await?;
    }
    for (city, state, expected) in [
        (Some("ZÜRICH"), None, &["a"] as &[_]),
        (Some(" new  york "), Some("ny"), &["c"]),
        (Some("york"), None, &["d"]),
        (None, Some("Zg"), &["b"]),
        (Some("Zug"), Some("ZH"), &[]),
        (Some("Zu"), None, &[]),
        (Some("Zug\0"), Some(""), &["b"]),
        (Some("' OR true --"), None, &[]),
        (Some(" "), None, &["a", "b", "c", "d"]),
    ] {
        let query = SearchQuery {
            city: city.map(str::to_owned),
            state: state.map(str::to_owned),
            ..everything()
        };
        assert_eq!(found(index, &query).await?, expected, "{city:?} {state:?}");
    }
    Ok(())
}

pub(crate) async fn bedrooms_are_counted_where_they_are_known(
    index: &dyn SearchIndex,
) -> Result<()> {
    for (id, bedrooms) in [
        ("a", None),
        ("b", Some(Decimal::ZERO)),
        ("c", Some(Decimal::new(25, 1))),
        ("d", Some(Decimal::new(3, 0))),
    ] {
        let document = SearchDocument {
            bedrooms,
            ..listing(id, 1)
        };
        index.publish(&document).await?;
    }
    for (min, expected) in [
        (None, &["a", "b", "c", "d"] as &[_]),
        (Some(Decimal::ZERO), &["b", "c", "d"]),
        (Some(Decimal::new(25, 1)), &["c", "d"]),
        (Some(Decimal::new(26, 1)), &["d"]),
        (Some(Decimal::new(4, 0)), &[]),
    ] {
        let query = SearchQuery {
            min_bedrooms: min,
            ..everything()
        };
        assert_eq!(found(index, &query).await?, expected, "{min:?}");
    }
    Ok(())
}

pub(crate) async fn every_filter_must_fit_at_once(index: &dyn SearchIndex) -> Result<()> {
    let fitting = titled("fits", 1, "Penthouse");
    index.publish(&fitting).await?;
    for (id, other) in [
        (
            "title",
            SearchDocument {
                title: "Houseboat".to_owned(),
                ..fitting.clone()
            },
        ),
        (
            "price",
            SearchDocument {
                price: Decimal::ONE,
                ..fitting.clone()
            },
        ),
        (
            "city",
            SearchDocument {
                city: "Baar".to_owned(),
                ..fitting.clone()
            },
        ),
        (
            "state",
            SearchDocument {
                state: "ZH".to_owned(),
                ..fitting.clone()
            },
        ),
        (
            "bedrooms",
            SearchDocument {
                bedrooms: None,
                ..fitting.clone()
            },
        ),
    ] {
        let other = SearchDocument {
            listing_id: id.to_owned(),
            ..other
        };
        index.publish(&other).await?;
    }
    let query = SearchQuery {
        min_price: Some(fitting.price),
        max_price: Some(fitting.price),
        city: Some(fitting.city.clone()),
        state: Some(fitting.state.clone()),
        min_bedrooms: fitting.bedrooms,
        ..text("penthouse")
    };
    assert_eq!(index.search(&query).await?.hits, [fitting]);
    Ok(())
}

pub(crate) async fn a_title_ranks_before_a_place_and_a_place_before_a_description(
    index: &dyn SearchIndex,
) -> Result<()> {
    let described = SearchDocument {
        description: "Rosewood floors, rosewood doors, rosewood cupboards. ".repeat(10),
        ..listing("a-described", 1)
    };
    let placed = SearchDocument {
        address: "Rosewood Lane 1".to_owned(),
        ..listing("b-placed", 1)
    };
    let titled = titled("c-titled", 1, "The house of rosewood");
    for document in [&described, &placed, &titled, &listing("d-other", 1)] {
        index.publish(document).await?;
    }
    assert_eq!(
        found(index, &text("rosewood")).await?,
        ["c-titled", "b-placed", "a-described"]
    );
    Ok(())
}

pub(crate) async fn equally_relevant_hits_are_in_the_order_of_their_ids(
    index: &dyn SearchIndex,
) -> Result<()> {
    for id in ["b", "a", "ä", "B", "10", "9"] {
        index.publish(&titled(id, 1, "Penthouse")).await?;
    }
    let in_order = ["10", "9", "B", "a", "b", "ä"];
    assert_eq!(found(index, &text("penthouse")).await?, in_order);
    assert_eq!(found(index, &everything()).await?, in_order);
    Ok(())
}

pub(crate) async fn pages_meet_every_hit_once_and_in_order(index: &dyn SearchIndex) -> Result<()> {
    const TITLES: [&str; 3] = ["Penthouse", "A penthouse above a penthouse", "Houseboat"];
    for number in 0..23 {
        let document = SearchDocument {
            description: "Not a penthouse. ".repeat(number % 4),
            ..titled(&format!("listing-{number}"), 1, TITLES[number % 3])
        };
        index.publish(&document).await?;
    }
    for query in [everything(), text("penthouse")] {
        let all = found(index, &query).await?;
        assert!(all.len() > 15, "{all:?}");
        for limit in [1, 4, 7, 22, 100] {
            let pages = walk(
                index,
                &SearchQuery {
                    limit,
                    ..query.clone()
                },
            )
            .await?;
            assert_eq!(pages.concat(), all, "{limit} at a time");
            assert_eq!(pages.len(), all.len().div_ceil(limit.into()), "{limit}");
        }
    }
    Ok(())
}

/// The pages from the first to the last.
async fn walk(index: &dyn SearchIndex, query: &SearchQuery) -> Result<Vec<Vec<String>>> {
    /// More than there are hits: whoever turns more pages turns in a circle.
    const MANY: usize = 50;
    let mut pages = Vec::new();
    let mut query = query.clone();
    while pages.len() < MANY {
        let page = index.search(&query).await?;
        pages.push(page.hits.into_iter().map(|hit| hit.listing_id).collect());
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(pages),
        }
    }
    bail!("the pages do not end: {pages:?}")
}

pub(crate) async fn a_cursor_of_something_else_is_invalid(index: &dyn SearchIndex) -> Result<()> {
    for cursor in [
        "",
        "0",
        "e30",
        "WzFd",
        "' OR true",
        "\0",
        &"x".repeat(100_000),
    ] {
        let query = SearchQuery {
            after: Some(SearchCursor::new(cursor)),
            ..everything()
        };
        let outcome = index.search(&query).await;
        assert!(
            matches!(outcome, Err(SearchIndexError::Invalid(_))),
            "{cursor:?}: {outcome:?}"
        );
    }
    Ok(())
}
