//! The part of the cluster's JSON that we write and read.
//!
//! No `untagged` and no `flatten`: with `serde_json`'s `arbitrary_precision` they lose numbers.

use std::borrow::Cow;
use std::fmt;

use partner_core::ports::search_index::{SearchDocument, place_key};
use reqwest::StatusCode;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::search_position::Position;

/// What the index is created with: a mapping that refuses every field that is not in it.
///
/// Shards and replicas are the cluster's to say. Numbers are doubles: they only filter, both sides
/// of a comparison are rounded alike, and the exact digits are in the source.
pub(super) fn index_definition() -> Value {
    let kept = json!({"type": "keyword", "index": false, "doc_values": false});
    let place = json!({"type": "keyword", "index": false, "doc_values": false, "copy_to": "place"});
    let number = json!({"type": "double", "index": false, "doc_values": false});
    // The one that stems: "apartments" finds the apartment. The embedded index does the same.
    let text = json!({"type": "text", "analyzer": "english"});
    json!({"mappings": {"dynamic": "strict", "properties": {
        "listing_id": {"type": "keyword"},
        "version": {"type": "long"},
        "removed": {"type": "boolean"},
        "title": text,
        "description": text,
        "price": {"type": "double"},
        "city": place,
        "state": place,
        "address": place,
        "zip_code": place,
        "place": text,
        "city_key": {"type": "keyword"},
        "state_key": {"type": "keyword"},
        "bedrooms": {"type": "double"},
        "bathrooms": number,
        "area": number,
        "images": kept,
    }}})
}

/// The source of a listing that is found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Live<'a> {
    listing_id: Cow<'a, str>,
    version: i64,
    removed: bool,
    title: Cow<'a, str>,
    description: Cow<'a, str>,
    #[serde(with = "rust_decimal::serde::arbitrary_precision")]
    price: Decimal,
    city: Cow<'a, str>,
    state: Cow<'a, str>,
    address: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zip_code: Option<Cow<'a, str>>,
    city_key: String,
    state_key: String,
    #[serde(
        default,
        with = "rust_decimal::serde::arbitrary_precision_option",
        skip_serializing_if = "Option::is_none"
    )]
    bedrooms: Option<Decimal>,
    #[serde(
        default,
        with = "rust_decimal::serde::arbitrary_precision_option",
        skip_serializing_if = "Option::is_none"
    )]
    bathrooms: Option<Decimal>,
    #[serde(
        default,
        with = "rust_decimal::serde::arbitrary_precision_option",
        skip_serializing_if = "Option::is_none"
    )]
    area: Option<Decimal>,
    images: Cow<'a, [String]>,
}

impl<'a> Live<'a> {
    pub(super) fn of(document: &'a SearchDocument) -> Self {
        Self {
            listing_id: Cow::from(&document.listing_id),
            version: document.version,
            removed: false,
            title: Cow::from(&document.title),
            description: Cow::from(&document.description),
            price: document.price,
            city: Cow::from(&document.city),
            state: Cow::from(&document.state),
            address: Cow::from(&document.address),
            zip_code: document.zip_code.as_ref().map(Cow::from),
            city_key: place_key(&document.city),
            state_key: place_key(&document.state),
            bedrooms: document.bedrooms,
            bathrooms: document.bathrooms,
            area: document.area,
            images: Cow::from(&document.images),
        }
    }

    fn into_document(self) -> SearchDocument {
        SearchDocument {
            listing_id: self.listing_id.into_owned(),
            version: self.version,
            title: self.title.into_owned(),
            description: self.description.into_owned(),
            price: self.price,
            city: self.city.into_owned(),
            state: self.state.into_owned(),
            address: self.address.into_owned(),
            zip_code: self.zip_code.map(Cow::into_owned),
            bedrooms: self.bedrooms,
            bathrooms: self.bathrooms,
            area: self.area,
            images: self.images.into_owned(),
        }
    }
}

/// The source of a listing that was removed.
#[derive(Debug, Serialize)]
pub(super) struct Tombstone<'a> {
    listing_id: &'a str,
    version: i64,
    removed: bool,
}

impl<'a> Tombstone<'a> {
    pub(super) const fn new(listing_id: &'a str, version: i64) -> Self {
        Self {
            listing_id,
            version,
            removed: true,
        }
    }
}

/// What every source has.
#[derive(Deserialize)]
struct Head {
    removed: bool,
}

/// The document, unless it is a tombstone.
fn document(source: &RawValue) -> Result<Option<SearchDocument>, serde_json::Error> {
    let Head { removed } = serde_json::from_str(source.get())?;
    if removed {
        return Ok(None);
    }
    let live: Live<'_> = serde_json::from_str(source.get())?;
    Ok(Some(live.into_document()))
}

/// The answer to a write.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    #[serde(rename = "_version")]
    pub(super) version: i64,
}

/// The answer to the creation of an index.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledged {
    pub(super) acknowledged: bool,
}

/// The answer to a lookup of nothing.
#[derive(Debug, Deserialize)]
pub(super) struct NotFound {
    pub(super) found: bool,
}

/// The answer to a lookup.
#[derive(Debug, Deserialize)]
pub(super) struct Got {
    #[serde(rename = "_source")]
    source: Box<RawValue>,
}

impl Got {
    pub(super) fn into_document(self) -> Result<Option<SearchDocument>, serde_json::Error> {
        document(&self.source)
    }
}

/// The answer to a search.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
    hits: Hits,
}

#[derive(Debug, Deserialize)]
struct Shards {
    failed: u64,
}

#[derive(Debug, Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Debug, Deserialize)]
struct Hit {
    #[serde(rename = "_source")]
    source: Box<RawValue>,
    sort: Position,
}

impl Found {
    /// The hits and their places in the order.
    pub(super) fn into_hits(self) -> Result<Vec<(Position, SearchDocument)>, String> {
        if self.timed_out || self.shards.failed > 0 {
            return Err("only a part of the hits".to_owned());
        }
        self.hits
            .hits
            .into_iter()
            .map(|hit| match document(&hit.source) {
                Ok(Some(document)) => Ok((hit.sort, document)),
                Ok(None) => Err("a hit that was removed".to_owned()),
                Err(error) => Err(error.to_string()),
            })
            .collect()
    }
}

/// What the cluster says went wrong.
#[derive(Debug)]
pub(super) struct ApiError {
    /// Its name for it.
    pub(super) kind: Option<String>,
    reason: Option<String>,
}

impl ApiError {
    /// The error in the body of an answer that is none of success, if it is the API's: an object, or
    /// words alone where the request was not even looked at.
    pub(super) fn read(status: StatusCode, body: &str) -> Option<Self> {
        if status.is_success() {
            return None;
        }
        let body: Value = serde_json::from_str(body).ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match body.get("error")? {
            Value::Object(error) => Some(Self {
                kind: error.get("type").and_then(text),
                reason: error.get("reason").and_then(text),
            }),
            error => text(error).map(|reason| Self {
                kind: None,
                reason: Some(reason),
            }),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = [&self.kind, &self.reason].into_iter().flatten().collect();
        for (at, part) in parts.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ": " })?;
            f.write_str(part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_field() -> SearchDocument {
        SearchDocument {
            listing_id: "listing-1".to_owned(),
            version: 7,
            title: "Flat".to_owned(),
            description: "Bright \u{0} \"flat\"".to_owned(),
            price: Decimal::from_str_exact("12345678901234567890.12345678").unwrap(),
            city: "Zürich".to_owned(),
            state: "ZH".to_owned(),
            address: "Seestrasse 1".to_owned(),
            zip_code: Some("8000".to_owned()),
            bedrooms: Some(Decimal::new(25, 1)),
            bathrooms: Some(Decimal::new(15, 1)),
            area: Some(Decimal::new(8_550, 2)),
            images: vec!["https://cdn.example.com/1.jpg".to_owned()],
        }
    }

    fn source(of: &impl Serialize) -> Box<RawValue> {
        RawValue::from_string(serde_json::to_string(of).unwrap()).unwrap()
    }

    #[test]
    fn a_document_survives_with_every_digit() {
        let published = every_field();
        let read = document(&source(&Live::of(&published))).unwrap();
        assert_eq!(read, Some(published));
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        let published = SearchDocument {
            zip_code: None,
            bedrooms: None,
            bathrooms: None,
            area: None,
            images: Vec::new(),
            ..every_field()
        };
        let source = source(&Live::of(&published));
        assert!(!source.get().contains("null"), "{source}");
        assert_eq!(document(&source).unwrap(), Some(published));
    }

    #[test]
    fn a_tombstone_is_no_document() {
        let source = source(&Tombstone::new("listing-1", 7));
        assert_eq!(document(&source).unwrap(), None);
    }

    #[test]
    fn the_mapping_knows_every_field_and_no_other() {
        let document = every_field();
        let live = serde_json::to_value(Live::of(&document)).unwrap();
        let definition = index_definition();
        let mapped = definition["mappings"]["properties"].as_object().unwrap();
        // The place is made by the cluster from its parts.
        let mapped: Vec<_> = mapped.keys().filter(|name| *name != "place").collect();
        let mut written: Vec<_> = live.as_object().unwrap().keys().collect();
        written.sort();
        assert_eq!(written, mapped);
    }

    #[test]
    fn half_of_the_hits_are_no_hits() {
        let found = |timed_out: bool, failed: u64| {
            let found = json!({
                "timed_out": timed_out, "_shards": {"failed": failed}, "hits": {"hits": []},
            });
            serde_json::from_value::<Found>(found).unwrap().into_hits()
        };
        assert!(found(false, 0).unwrap().is_empty());
        assert!(found(true, 0).is_err());
        assert!(found(false, 1).is_err());
    }
}
