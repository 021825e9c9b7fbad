//! A search as the cluster reads it.

use partner_core::money::Amount;
use partner_core::ports::search_index::SearchQuery;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::search_position::Position;

/// Where words are looked for: one in the title counts ten times one in the description.
const FIELDS: [&str; 3] = ["title^10", "place^4", "description"];

/// The body of a search.
///
/// `search_after` continues behind a position. It needs an order without ties, for which "a field
/// with one unique value per document should be used" (Elasticsearch's reference, *Search after*),
/// and not `_id` itself: hence the id as a field.
pub(super) fn body(query: &SearchQuery, after: Option<&Position>) -> Value {
    let mut body = json!({
        // One more than the page holds says that there is another.
        "size": query.page_size() + 1,
        "track_total_hits": false,
        "sort": [{"_score": "desc"}, {"listing_id": "asc"}],
        "query": {"bool": {"filter": filters(query)}},
    });
    if let Some(text) = query.typed() {
        body["query"]["bool"]["must"] = json!([text_query(&text)]);
    }
    if let Some(after) = after {
        body["search_after"] = json!(after);
    }
    body
}

/// What every page of one search shares: pages must come from the same copies of the index, because
/// each copy counts the words of its own documents, replaced ones included, and so scores a little
/// differently (Elasticsearch's reference, *Getting consistent scoring*). What is written between two
/// pages still moves the scores a little.
pub(super) fn preference(query: &SearchQuery) -> String {
    let text = json!([filters(query), query.typed()]).to_string();
    hex::encode(&Sha256::digest(text)[..8])
}

fn filters(query: &SearchQuery) -> Vec<Value> {
    let mut filters = vec![json!({"term": {"removed": false}})];
    if let Some(key) = query.city_key() {
        filters.push(json!({"term": {"city_key": key}}));
    }
    if let Some(key) = query.state_key() {
        filters.push(json!({"term": {"state_key": key}}));
    }
    if let Some(price) = query.min_price {
        filters.push(json!({"range": {"price": {"gte": number(price)}}}));
    }
    if let Some(price) = query.max_price {
        filters.push(json!({"range": {"price": {"lte": number(price)}}}));
    }
    if let Some(bedrooms) = query.min_bedrooms {
        filters.push(json!({"range": {"bedrooms": {"gte": number(bedrooms)}}}));
    }
    filters
}

/// `simple_query_string` "does not return errors for invalid syntax" and ignores it instead
/// (Elasticsearch's reference, *Simple query string query*); only the operators that the port
/// promises are switched on. With `and` as the operator each word is wanted in one of the fields,
/// whichever.
fn text_query(typed: &str) -> Value {
    json!({"simple_query_string": {
        "query": simple_query(typed),
        "fields": FIELDS,
        "default_operator": "and",
        "flags": "OR|NOT|PHRASE|WHITESPACE",
    }})
}

/// What somebody typed in the query's own language: the word `or` outside a phrase is its `|`, and
/// nothing else is. A star alone would be taken for "everything", whatever is switched on.
fn simple_query(typed: &str) -> String {
    let plain = typed.replace(['|', '*'], " ");
    let mut is_quoted = false;
    let words = plain.split_whitespace().map(|word| {
        let is_or = !is_quoted && word.eq_ignore_ascii_case("or");
        is_quoted ^= word.matches('"').count() % 2 == 1;
        if is_or { "|" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The number with its own digits.
fn number(value: Decimal) -> Value {
    json!(Amount::new(value))
}

#[cfg(test)]
mod tests {
    use partner_core::ports::search_index::SearchCursor;

    use super::*;

    #[test]
    fn everything_that_is_asked_for_is_in_the_body() {
        let query = SearchQuery {
            text: Some("lake view".to_owned()),
            min_price: Some(Decimal::new(10_000_001, 2)),
            max_price: Some(Decimal::new(200_000, 0)),
            city: Some("ZUG".to_owned()),
            state: Some("zg".to_owned()),
            min_bedrooms: Some(Decimal::new(25, 1)),
            limit: 7,
            after: None,
        };
        let position = Position(1.5, "listing-1".to_owned());
        let expected = json!({
            "size": 8,
            "track_total_hits": false,
            "sort": [{"_score": "desc"}, {"listing_id": "asc"}],
            "query": {"bool": {
                "must": [{"simple_query_string": {
                    "query": "lake view",
                    "fields": ["title^10", "place^4", "description"],
                    "default_operator": "and",
                    "flags": "OR|NOT|PHRASE|WHITESPACE",
                }}],
                "filter": [
                    {"term": {"removed": false}},
                    {"term": {"city_key": "zug"}},
                    {"term": {"state_key": "zg"}},
                    {"range": {"price": {"gte": 100_000.01}}},
                    {"range": {"price": {"lte": 200_000}}},
                    {"range": {"bedrooms": {"gte": 2.5}}},
                ],
            }},
            "search_after": [1.5, "listing-1"],
        });
        assert_eq!(
            body(&query, Some(&position)).to_string(),
            expected.to_string()
        );
    }

    #[test]
    fn only_what_the_port_promises_has_a_meaning() {
        for (typed, expected) in [
            ("lake OR river", "lake | river"),
            (r#""lake or river" or -pond"#, r#""lake or river" | -pond"#),
            ("a|b", "a b"),
            ("*", ""),
            ("oracle", "oracle"),
        ] {
            assert_eq!(simple_query(typed), expected, "{typed}");
        }
    }

    #[test]
    fn the_pages_of_one_search_come_from_the_same_copies() {
        let search = |text: &str, after: Option<&str>| {
            preference(&SearchQuery {
                text: Some(text.to_owned()),
                after: after.map(SearchCursor::new),
                ..SearchQuery::default()
            })
        };
        assert_eq!(search("lake", None), search("lake", Some("cursor")));
        assert_ne!(search("lake", None), search("river", None));
    }
}
