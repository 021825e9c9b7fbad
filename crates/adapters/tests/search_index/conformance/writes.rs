//! Publishing and removing: the highest version wins, whenever it comes.

use anyhow::Result;
use partner_core::ports::search_index::{SearchDocument, SearchIndex, SearchIndexError};

use super::{everything, found, listing, text, titled};

pub(crate) async fn a_published_listing_is_found_as_it_was_published(
    index: &dyn SearchIndex,
) -> Result<()> {
    let bare = SearchDocument {
        zip_code: None,
        bedrooms: None,
        bathrooms: None,
        area: None,
        images: Vec::new(),
        ..listing("bare", 1)
    };
    let full = titled("full", 7, "Penthouse");
    index.publish(&bare).await?;
    index.publish(&full).await?;

    assert_eq!(index.lookup("full").await?, Some(full.clone()));
    assert_eq!(index.lookup("bare").await?, Some(bare.clone()));
    assert_eq!(index.lookup("other").await?, None);
    assert_eq!(found(index, &text("penthouse")).await?, ["full"]);
    assert_eq!(index.search(&everything()).await?.hits, [bare, full]);
    Ok(())
}

pub(crate) async fn a_repeated_publish_is_one_hit(index: &dyn SearchIndex) -> Result<()> {
    let penthouse = titled("listing-1", 3, "Penthouse");
    for _ in 0..3 {
        index.publish(&penthouse).await?;
    }
    assert_eq!(index.search(&text("penthouse")).await?.hits, [penthouse]);
    Ok(())
}

pub(crate) async fn a_newer_publish_replaces_the_older(index: &dyn SearchIndex) -> Result<()> {
    index.publish(&titled("listing-1", 1, "Penthouse")).await?;
    let newer = SearchDocument {
        images: Vec::new(),
        zip_code: None,
        ..titled("listing-1", 2, "Houseboat")
    };
    index.publish(&newer).await?;

    assert_eq!(index.lookup("listing-1").await?, Some(newer.clone()));
    assert_eq!(index.search(&text("houseboat")).await?.hits, [newer]);
    assert!(found(index, &text("penthouse")).await?.is_empty());
    assert!(found(index, &text("6300")).await?.is_empty());
    Ok(())
}

pub(crate) async fn a_late_publish_does_not_undo_a_removal(index: &dyn SearchIndex) -> Result<()> {
    index.publish(&titled("listing-1", 1, "Penthouse")).await?;
    index.remove("listing-1", 3).await?;
    assert_removed(index).await?;

    superseded(index.publish(&titled("listing-1", 2, "Penthouse")).await);
    superseded(index.publish(&titled("listing-1", 1, "Penthouse")).await);
    assert_removed(index).await?;

    let renewed = titled("listing-1", 4, "Penthouse");
    index.publish(&renewed).await?;
    assert_eq!(index.search(&text("penthouse")).await?.hits, [renewed]);
    Ok(())
}

async fn assert_removed(index: &dyn SearchIndex) -> Result<()> {
    assert_eq!(index.lookup("listing-1").await?, None);
    assert!(found(index, &text("penthouse")).await?.is_empty());
    assert!(found(index, &everything()).await?.is_empty());
    Ok(())
}

pub(crate) async fn a_late_publish_does_not_undo_a_newer_one(
    index: &dyn SearchIndex,
) -> Result<()> {
    let newer = titled("listing-1", 2, "Houseboat");
    index.publish(&newer).await?;
    superseded(index.publish(&titled("listing-1", 1, "Penthouse")).await);
    assert_eq!(index.lookup("listing-1").await?, Some(newer));
    assert!(found(index, &text("penthouse")).await?.is_empty());
    Ok(())
}

pub(crate) async fn a_late_removal_does_not_undo_a_publish(index: &dyn SearchIndex) -> Result<()> {
    let renewed = titled("listing-1", 3, "Penthouse");
    index.publish(&renewed).await?;
    superseded(index.remove("listing-1", 2).await);
    assert_eq!(index.lookup("listing-1").await?, Some(renewed));
    assert_eq!(found(index, &text("penthouse")).await?, ["listing-1"]);
    Ok(())
}

pub(crate) async fn a_removal_counts_before_any_publish(index: &dyn SearchIndex) -> Result<()> {
    index.remove("listing-1", 2).await?;
    superseded(index.publish(&titled("listing-1", 1, "Penthouse")).await);
    assert_removed(index).await?;
    index.publish(&titled("listing-1", 3, "Penthouse")).await?;
    assert_eq!(found(index, &text("penthouse")).await?, ["listing-1"]);
    Ok(())
}

pub(crate) async fn the_same_write_again_is_fine(index: &dyn SearchIndex) -> Result<()> {
    let first = titled("listing-1", 0, "Penthouse");
    index.publish(&first).await?;
    index.publish(&first).await?;
    assert_eq!(found(index, &text("penthouse")).await?, ["listing-1"]);

    index.remove("listing-1", i64::MAX).await?;
    index.remove("listing-1", i64::MAX).await?;
    superseded(index.publish(&first).await);
    assert_removed(index).await
}

pub(crate) async fn ids_of_every_kind_are_kept_apart(index: &dyn SearchIndex) -> Result<()> {
    let longest = "x".repeat(512);
    let ids = [
        "listing/1",
        "listing%2F1",
        "listing-1",
        "listing 1",
        "listing+1",
        "LISTING-1",
        "a?b#c",
        "a&b=c",
        "_search",
        "_doc",
        "-",
        "...",
        "*",
        "a,b",
        r#"a"b\c"#,
        "'; DROP TABLE users; --",
        "ü",
        "u\u{308}",
        "🏠",
        "e\u{301}",
        "1",
        "01",
        &longest,
    ];
    for id in ids {
        index.publish(&listing(id, 1)).await?;
    }
    for id in ids {
        assert_eq!(index.lookup(id).await?, Some(listing(id, 1)), "{id}");
    }
    let mut in_order = ids;
    in_order.sort_unstable();
    assert_eq!(found(index, &everything()).await?, in_order);

    index.remove("listing/1", 2).await?;
    assert_eq!(index.lookup("listing/1").await?, None);
    assert_eq!(found(index, &everything()).await?.len(), ids.len() - 1);
    Ok(())
}

pub(crate) async fn what_no_index_can_address_is_invalid(index: &dyn SearchIndex) -> Result<()> {
    for id in ["", ".", "..", "a\0b", "a\nb", &"x".repeat(513)] {
        for outcome in [
            index.publish(&listing(id, 1)).await,
            index.remove(id, 1).await,
            index.lookup(id).await.map(drop),
        ] {
            assert!(
                matches!(outcome, Err(SearchIndexError::Invalid(_))),
                "{id:?}: {outcome:?}"
            );
        }
    }
    for outcome in [
        index.publish(&listing("listing-1", -1)).await,
        index.remove("listing-1", i64::MIN).await,
    ] {
        assert!(
            matches!(outcome, Err(SearchIndexError::Invalid(_))),
            "{outcome:?}"
        );
    }
    assert!(found(index, &everything()).await?.is_empty());
    Ok(())
}

pub(crate) async fn texts_of_any_size_and_kind_can_be_published(
    index: &dyn SearchIndex,
) -> Result<()> {
    // Distinct, because what repeats itself is compressed, and fits where this does not.
    let distinct_words: Vec<_> = (0..200_000).map(|number| format!("w{number}")).collect();
    let long = SearchDocument {
        description: distinct_words.join(" "),
        city: distinct_words[..10_000].join("Ü"),
        state: "x".repeat(40_000),
        address: "y".repeat(40_000),
        images: vec!["z".repeat(40_000)],
        ..titled("long", 1, &format!("Penthouse {}", "t".repeat(40_000)))
    };
    index.publish(&long).await?;
    assert_eq!(index.lookup("long").await?, Some(long.clone()));
    assert_eq!(found(index, &text("penthouse w17")).await?, ["long"]);

    let odd = SearchDocument {
        description: "\0\u{feff}\u{202e}<b>bold</b> \\ \" ' \u{10ffff}".to_owned(),
        city: "Zug\0".to_owned(),
        zip_code: Some("\0".to_owned()),
        images: vec!["\0".to_owned(), String::new()],
        ..titled("odd", 1, "House\0 boat")
    };
    index.publish(&odd).await?;
    assert_eq!(found(index, &text("bold")).await?, ["odd"]);

    let empty = SearchDocument {
        description: String::new(),
        city: String::new(),
        state: String::new(),
        address: String::new(),
        ..titled("empty", 1, "")
    };
    index.publish(&empty).await?;
    assert_eq!(index.lookup("empty").await?, Some(empty));
    assert_eq!(found(index, &everything()).await?, ["empty", "long", "odd"]);
    Ok(())
}

fn superseded(outcome: Result<(), SearchIndexError>) {
    assert!(
        matches!(&outcome, Err(error) if error.is_superseded()),
        "{outcome:?}"
    );
}
