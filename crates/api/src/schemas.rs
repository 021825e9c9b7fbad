//! Requests against the API's own description: what it says is what is taken, and of a body that is
//! wrong in several places every place is found.

use std::collections::BTreeMap;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

use crate::error::{ApiError, FieldProblem, Result};

/// The schemas of the bodies of all requests.
pub(crate) struct Schemas {
    validators: BTreeMap<String, Validator>,
}

impl Schemas {
    /// Those of a description.
    pub(crate) fn of(description: &OpenApi) -> Result<Self> {
        let defect = |error: &dyn std::error::Error| ApiError::Defect(error.to_string());
        let document = serde_json::to_value(description).map_err(|error| defect(&error))?;
        let names = document["components"]["schemas"].as_object();
        let names = names.into_iter().flat_map(|schemas| schemas.keys());
        let validators = names.map(|name| {
            let schema = json!({
                "$ref": format!("#/components/schemas/{name}"),
                "components": &document["components"],
            });
            let validator = jsonschema::validator_for(&schema).map_err(|error| defect(&error))?;
            Ok((name.clone(), validator))
        });
        Ok(Self {
            validators: validators.collect::<Result<_>>()?,
        })
    }

    /// Finds everything that is wrong with a body.
    pub(crate) fn check(&self, name: &str, body: &Value) -> Result<()> {
        let validator = self
            .validators
            .get(name)
            .ok_or_else(|| ApiError::Defect(format!("no schema {name:?} is described")))?;
        let mut problems: Vec<_> = validator
            .iter_errors(body)
            .map(|error| problem(&error))
            .collect();
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by(|one, other| one.field.cmp(&other.field));
        problems.dedup();
        Err(ApiError::Invalid(problems))
    }
}

fn problem(error: &ValidationError<'_>) -> FieldProblem {
    let place = field(error.instance_path().as_str());
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let place = if place.is_empty() {
                name.to_owned()
            } else {
                format!("{place}.{name}")
            };
            FieldProblem::new(place, "is missing")
        }
        ValidationErrorKind::Type { kind } => {
            FieldProblem::new(place, format!("expected {}", expected(kind)))
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().into_iter().flatten();
            let options: Vec<_> = options
                .map(|option| option.as_str().unwrap_or("null"))
                .collect();
            FieldProblem::new(place, format!("expected one of {}", options.join(", ")))
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            optional(place, context)
        }
        // The value itself is the caller's: it may be long, and is known to them.
        _ => FieldProblem::new(place, error.masked_with("the value").to_string()),
    }
}

/// A field that may be null has two schemas: what is wrong is what the other one says.
fn optional(place: String, context: &[Vec<ValidationError<'static>>]) -> FieldProblem {
    let is_null = |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(kind) } if kind.as_str() == "null");
    let mut causes = context.iter().flatten().filter(|error| !is_null(error));
    causes.next().map_or_else(
        || FieldProblem::new(place, "is not what is expected here"),
        problem,
    )
}

fn expected(kind: &TypeKind) -> String {
    let article = |kind: &str| match kind {
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "string" => "a text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "an object".to_owned(),
        other => other.to_owned(),
    };
    match kind {
        TypeKind::Single(kind) => article(kind.as_str()),
        TypeKind::Multiple(kinds) => {
            let kinds: Vec<_> = kinds.iter().map(|kind| article(kind.as_str())).collect();
            kinds.join(" or ")
        }
    }
}

/// A JSON pointer as a path: `/location/city` is `location.city`, `/images/0` is `images[0]`.
fn field(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() {
            path.extend(["[", part, "]"]);
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part.replace("~1", "/").replace("~0", "~"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use utoipa::OpenApi as _;

    use super::*;

    #[derive(utoipa::OpenApi)]
    #[openapi(components(schemas(
        partner_payment::workflows::process_payment::ProcessPaymentInput,
        partner_listing::workflows::listing_approval::ListingApprovalInput,
    )))]
    struct Described;

    fn problems(name: &str, body: Value) -> Vec<(String, String)> {
        match Schemas::of(&Described::openapi())
            .unwrap()
            .check(name, &body)
        {
            Ok(()) => Vec::new(),
            Err(ApiError::Invalid(problems)) => {
                let problems = problems.into_iter();
                problems
                    .map(|problem| (problem.field, problem.message))
                    .collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn every_field_that_is_wrong_is_found() {
        let body =
            json!({ "orderId": "", "userId": 7, "amount": "1", "currency": "usd", "attempt": 0 });
        let found = problems("ProcessPaymentInput", body);
        let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "amount",
                "attempt",
                "currency",
                "orderId",
                "paymentMethod",
                "userId"
            ],
            "{found:?}"
        );
        assert_eq!(found[0].1, "expected a number");
        assert_eq!(found[2].1, "expected one of USD, EUR, INR");
        assert_eq!(found[4].1, "is missing");
    }

    #[test]
    fn what_may_be_missing_may_be_null_and_unknown_fields_are_ignored() {
        let body = json!({
            "orderId": "o", "userId": "u", "amount": 1.5, "currency": "EUR",
            "paymentMethod": "upi", "attempt": null, "note": true,
        });
        assert_eq!(problems("ProcessPaymentInput", body), []);
    }

    #[test]
    fn places_are_told_as_paths() {
        let body = json!({
            "listingId": "l", "userId": "u",
            "propertyData": { "title": "", "description": "", "price": 1, "location": { "city": 7 }, "images": [1] },
        });
        let found = problems("ListingApprovalInput", body);
        let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            ["propertyData.images[0]", "propertyData.location.city"],
            "{found:?}"
        );
    }
}
