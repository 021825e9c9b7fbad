//! The API's description, OpenAPI 3.1: from the handlers and the types that they take and give.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Type,
};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;

use crate::error::{PROBLEM_JSON, Problem};
use crate::extract::LONGEST_KEY;
use crate::resources;
use crate::state::ApiState;

/// What every reader of the description needs to know.
const ABOUT: &str = "Starts, follows and decides the partner platform's business processes.

Every request needs `Authorization: Bearer` with an API key or an access token, except what other \
systems sign. What is started is \
started once, by its business id and, if there is one, by the `Idempotency-Key`. Errors are problem \
documents (RFC 9457) with the code that workflows fail with.";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Partner Platform", description = ABOUT),
    components(schemas(Problem)),
    security(("bearer" = [])),
    modifiers(&Bearer),
    tags(
        (name = "payments", description = "Payments of orders"),
        (name = "subscriptions", description = "Payments of subscriptions"),
        (name = "listings", description = "What partners offer"),
        (name = "reviews", description = "What reviewers decide"),
        (name = "notifications", description = "What users are told"),
        (name = "onboarding", description = "How users become partners"),
        (name = "reminders", description = "What users are reminded of"),
        (name = "reports", description = "What happened in a day"),
        (name = "cleanups", description = "Old data"),
        (name = "workflows", description = "Processes of every kind"),
        (name = "webhooks", description = "What other systems tell, signed by them"),
        (name = "kept", description = "Routes that other services have always called"),
        (name = "health", description = "Probes, without credentials"),
    ),
)]
struct Described;

/// The credentials that the API takes.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, description: &mut OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key (`ppk_...`) or an access token (JWT)"))
            .build();
        description
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// The routes, and their description.
pub(crate) fn described_routes() -> (axum::Router<ApiState>, OpenApi) {
    let (router, mut description) = OpenApiRouter::with_openapi(Described::openapi())
        .merge(resources::routes())
        .split_for_parts();
    for item in description.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post];
        for operation in operations.into_iter().flatten() {
            name(operation);
            describe_errors(operation);
        }
    }
    (router, description)
}

/// The API's description.
pub fn description() -> OpenApi {
    described_routes().1
}

/// Handlers of several resources have one name: with its resource's it is an operation's own.
fn name(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next();
    if let (Some(tag), Some(id)) = (tag, &operation.operation_id) {
        operation.operation_id = Some(format!("{tag}_{id}"));
    }
}

/// What every operation may answer, said in one place.
fn describe_errors(operation: &mut Operation) {
    let has_tag = |name: &str| operation.tags.iter().flatten().any(|tag| tag == name);
    if has_tag("health") {
        return;
    }
    let is_signed = has_tag("webhooks");
    let mut errors = vec![
        (
            "400",
            "The request is not valid; `errors` has every field that is wrong",
        ),
        ("404", "There is no such thing, or not for this caller"),
        ("500", "A defect of ours"),
        (
            "503",
            "Temporal or the database cannot be used, see `Retry-After`",
        ),
    ];
    if !is_signed {
        errors.push((
            "401",
            "The credentials are missing, unknown, expired or revoked",
        ));
        errors.push(("403", "The credentials do not allow it"));
        errors.push(("429", "Too many requests, see `Retry-After`"));
    }
    if operation.request_body.is_some() {
        errors.push(("408", "The body comes too slowly"));
        if !is_signed {
            errors.push(("409", "Something else stands where this would be"));
        }
        errors.push(("413", "The body is too large"));
        errors.push(("415", "The body is not JSON"));
        describe_idempotency(operation);
    }
    for (status, meaning) in errors {
        let response = problem(status, meaning);
        operation
            .responses
            .responses
            .insert(status.to_owned(), response.into());
    }
}

fn problem(status: &str, meaning: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let response = ResponseBuilder::new()
        .description(meaning)
        .content(PROBLEM_JSON, content);
    if !matches!(status, "429" | "503") {
        return response.build();
    }
    let seconds = ObjectBuilder::new().schema_type(Type::Integer);
    let header = HeaderBuilder::new()
        .schema(Some(seconds))
        .description(Some("After how many seconds to try again"))
        .build();
    response.header("Retry-After", header).build()
}

/// What starts something takes the header `Idempotency-Key`.
fn describe_idempotency(operation: &mut Operation) {
    let starts = match operation.responses.responses.get("202") {
        Some(RefOr::T(accepted)) => !accepted.content.is_empty(),
        _ => false,
    };
    if !starts {
        return;
    }
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(LONGEST_KEY))
        .pattern(Some("^[!-~]+$"));
    let header = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Under one key there is one request: the same body joins what was started, another is refused",
        ))
        .schema(Some(key))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(header.into());
}
