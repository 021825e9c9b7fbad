//! What people type.

use anyhow::{Context, Result};
use partner_core::ports::search_index::{SearchDocument, SearchIndex};

use super::{everything, found, listing, text, titled};

pub(crate) async fn every_word_is_wanted_wherever_it_is(index: &dyn SearchIndex) -> Result<()> {
    let spread = SearchDocument {
        description: "With a sauna.".to_owned(),
        ..titled("a", 1, "Penthouse")
    };
    index.publish(&spread).await?;
    index.publish(&titled("b", 1, "Penthouse")).await?;
    for (typed, expected) in [
        ("penthouse sauna", &["a"] as &[_]),
        ("sauna seestrasse zug", &["a"]),
        ("penthouse 6300", &["a", "b"]),
        ("penthouse pool", &[]),
    ] {
        assert_eq!(found(index, &text(typed)).await?, expected, "{typed}");
    }
    Ok(())
}

pub(crate) async fn phrases_exclusions_and_alternatives_are_understood(
    index: &dyn SearchIndex,
) -> Result<()> {
    for (id, title) in [
        ("a", "Green door"),
        ("b", "Door painted green"),
        ("c", "Blue garage"),
        ("d", "Green garage"),
    ] {
        index.publish(&titled(id, 1, title)).await?;
    }
    for (typed, expected) in [
        (r#""green door""#, &["a"] as &[_]),
        (r#""GREEN Door""#, &["a"]),
        ("green -garage", &["a", "b"]),
        (r#"green -"green door""#, &["b", "d"]),
        ("-garage", &["a", "b"]),
        ("blue or painted", &["b", "c"]),
        ("blue OR painted", &["b", "c"]),
    ] {
        let mut ids = found(index, &text(typed)).await?;
        ids.sort_unstable();
        assert_eq!(ids, expected, "{typed}");
    }
    Ok(())
}

pub(crate) async fn a_word_is_found_in_another_case_or_number(
    index: &dyn SearchIndex,
) -> Result<()> {
    index
        .publish(&titled("a", 1, "Apartment in Österreich"))
        .await?;
    index.publish(&titled("b", 1, "Two APARTMENTS")).await?;
    for (typed, expected) in [
        ("apartments", &["a", "b"] as &[_]),
        ("Apartment", &["a", "b"]),
        ("österreich", &["a"]),
        ("ÖSTERREICH", &["a"]),
    ] {
        let mut ids = found(index, &text(typed)).await?;
        ids.sort_unstable();
        assert_eq!(ids, expected, "{typed}");
    }
    Ok(())
}

pub(crate) async fn the_parts_of_joined_words_are_found(index: &dyn SearchIndex) -> Result<()> {
    let document = SearchDocument {
        description: "House/garage, two-storey; owner's pride (sauna)!".to_owned(),
        ..listing("a", 1)
    };
    index.publish(&document).await?;
    for typed in [
        "garage",
        "house",
        "storey",
        "two-storey",
        "house/garage",
        "sauna",
        "(sauna)",
        "owner's",
        "owner",
    ] {
        assert_eq!(found(index, &text(typed)).await?, ["a"], "{typed}");
    }
    Ok(())
}

pub(crate) async fn nothing_typed_finds_everything_and_no_words_find_nothing(
    index: &dyn SearchIndex,
) -> Result<()> {
    index.publish(&listing("a", 1)).await?;
    for typed in ["", "  ", "\t\n", "\0"] {
        assert_eq!(found(index, &text(typed)).await?, ["a"], "{typed:?}");
    }
    for typed in ["!", "*", "\"\"", "-", "|", "&|!()", "the", "%", "_"] {
        assert!(found(index, &text(typed)).await?.is_empty(), "{typed:?}");
    }
    Ok(())
}

/// What people type, and what they paste.
const TYPED: &[&str] = &[
    // Quotes, minuses and the word OR, whole and in part.
    "\"",
    "\"penthouse",
    "penthouse\"",
    "a \"b \"c",
    "-",
    "--",
    "- -",
    "-\"",
    "or",
    "or or",
    "or penthouse",
    "penthouse or",
    "OR OR OR",
    "a or -b",
    // Operators of either query language.
    "|",
    "||",
    "a|",
    "&",
    "a&",
    "!",
    "!!a",
    "(",
    ")",
    "((a)",
    "<->",
    "a <-> b",
    "a:*",
    "a:b",
    ":",
    "*",
    "a*",
    "?",
    "~",
    "a~2",
    "\"a b\"~3",
    "^",
    "a^5",
    "\\",
    "a\\",
    "/",
    "[a TO b]",
    "{",
    "}",
    "title:penthouse",
    "AND",
    "NOT",
    "a AND NOT b",
    // Other alphabets, and characters that are none.
    "🏠",
    "🏠 penthouse",
    "\u{202e}",
    "\u{0}",
    "a\u{0}b",
    "e\u{301}",
    "नमस्ते",
    "公寓",
    "\u{10ffff}",
    "\u{fffd}",
    // SQL.
    "'",
    "''",
    "'; DROP TABLE users; --",
    "%",
    "_",
    "$1",
];

pub(crate) async fn whatever_is_typed_is_no_error(index: &dyn SearchIndex) -> Result<()> {
    index.publish(&titled("a", 1, "Penthouse")).await?;
    let long = ["x", "a1 ", "a,", "\"", "-a ", "a or ", "\"a\" "].map(|part| part.repeat(33_333));
    for typed in TYPED.iter().copied().chain(long.iter().map(String::as_str)) {
        let outcome = index.search(&text(typed)).await;
        outcome.with_context(|| typed.chars().take(50).collect::<String>())?;
    }
    assert_eq!(found(index, &everything()).await?, ["a"]);
    Ok(())
}
