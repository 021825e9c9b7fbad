//! A listing as its owner describes it, spelled as on the wire.

use std::fmt;

use partner_core::money::Amount;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// What is offered, where, and for how much.
///
/// The types hold what the wire can carry; what a listing must have is for
/// [`validation`](crate::validation) to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PropertyData {
    /// One line.
    pub title: String,
    /// The text, as plain text.
    pub description: String,
    /// The price in major units.
    pub price: Amount,
    /// Where it is.
    pub location: Location,
    /// The addresses of its pictures.
    pub images: Vec<String>,
    /// How many bedrooms; 0 is a studio, and halves are counted in some countries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bedrooms: Option<Quantity>,
    /// How many bathrooms; halves have no bath.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bathrooms: Option<Quantity>,
    /// How large it is, in the unit of its country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<Quantity>,
}

/// Where it is.
///
/// Address, city and state must be present by a rule of the validation, which reports everything
/// that is wrong at once. So one that is missing is read as empty, and does not stop the reading.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Street and number.
    #[serde(default, deserialize_with = "text_or_nothing")]
    #[schema(value_type = Option<String>)]
    pub address: String,
    /// The city.
    #[serde(default, deserialize_with = "text_or_nothing")]
    #[schema(value_type = Option<String>)]
    pub city: String,
    /// The state, canton or province.
    #[serde(default, deserialize_with = "text_or_nothing")]
    #[schema(value_type = Option<String>)]
    pub state: String,
    /// The postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zip_code: Option<String>,
    /// Degrees north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<Quantity>,
    /// Degrees east.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<Quantity>,
}

/// An exact decimal number that is not money: a count, an area, a coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(Decimal);

impl Quantity {
    /// The quantity of this decimal.
    pub const fn new(value: Decimal) -> Self {
        Self(value)
    }

    /// The decimal.
    pub const fn value(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        rust_decimal::serde::arbitrary_precision::serialize(&self.0, serializer)
    }
}

impl PartialSchema for Quantity {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Number).into()
    }
}

impl ToSchema for Quantity {}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Read by the one reader of exact numbers; text is not a number there either.
        Amount::deserialize(deserializer).map(|number| Self(number.value()))
    }
}

fn text_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_and_writes_what_the_contract_spells() {
        let wire = json!({
            "title": "Flat by the lake",
            "description": "Bright",
            "price": 450_000,
            "location": {
                "address": "Seestrasse 1", "city": "Zug", "state": "ZG",
                "zipCode": "6300", "latitude": 47, "longitude": 8,
            },
            "images": ["https://cdn.example.com/1.jpg"],
            "bedrooms": 2, "bathrooms": 1, "area": 85,
        });
        let property: PropertyData = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&property).unwrap(), wire);
    }

    #[test]
    fn keeps_the_digits_of_numbers() {
        let text = r#"{"title":"","description":"","price":999999.99,"location":{"address":"","city":"","state":"","latitude":28.613939,"longitude":-77.209021},"images":[],"bathrooms":1.5,"area":1234.56}"#;
        let property: PropertyData = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&property).unwrap(), text);
    }

    #[test]
    fn optional_fields_may_be_missing_or_null_and_unknown_ones_are_ignored() {
        let property: PropertyData = serde_json::from_value(json!({
            "title": "t", "description": "d", "price": 1, "location": {"city": null},
            "images": [], "bedrooms": null, "garage": true,
        }))
        .unwrap();
        assert_eq!(property.bedrooms, None);
        assert_eq!(property.location, Location::default());
    }

    #[test]
    fn refuses_what_is_missing_or_ill_typed() {
        let whole = json!({
            "title": "t", "description": "d", "price": 1, "location": {}, "images": [],
        });
        assert!(serde_json::from_value::<PropertyData>(whole.clone()).is_ok());
        for field in ["title", "description", "price", "location", "images"] {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(field);
            let error = serde_json::from_value::<PropertyData>(part).unwrap_err();
            assert!(error.to_string().contains(field), "{field}: {error}");
        }
        for (field, value) in [("price", json!("1")), ("area", json!("85 m2"))] {
            let mut wrong = whole.clone();
            wrong[field] = value;
            assert!(
                serde_json::from_value::<PropertyData>(wrong).is_err(),
                "{field}"
            );
        }
    }
}
