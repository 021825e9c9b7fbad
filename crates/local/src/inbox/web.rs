//! The inbox in a browser, and its JSON API.

use std::fmt::Write as _;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::store::{Attachment, Mail, MailFault, Store};

/// The page shows this many; the API has no limit of its own.
const LISTED_MAILS: usize = 200;
/// The pages run no scripts and load nothing but the pictures of mails.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data: http: https:; \
                           frame-src 'self'; form-action 'self'";

/// Which mails are asked for; what is absent does not restrict.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MailFilter {
    /// The whole address of a recipient.
    #[serde(default)]
    to: String,
    /// A part of the subject.
    #[serde(default)]
    subject: String,
    /// The whole message id, with angle brackets or without.
    #[serde(default)]
    message_id: String,
}

impl MailFilter {
    fn accepts(&self, mail: &Mail) -> bool {
        let message_id = self.message_id.trim_matches(['<', '>', ' ']);
        (self.to.is_empty() || mail.is_to(self.to.trim()))
            && (self.subject.is_empty() || mail.subject_contains(self.subject.trim()))
            && (message_id.is_empty() || mail.message_id.as_deref() == Some(message_id))
    }
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    mails: Vec<Arc<Mail>>,
    total: usize,
    filter: MailFilter,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage {
    mail: Arc<Mail>,
    /// The HTML body for the frame, whose links open outside of it.
    framed: Option<String>,
}

pub(super) fn routes(store: Arc<Store>) -> Router {
    Router::new()
        .route("/", get(inbox_page))
        .route("/mails/{id}", get(mail_page))
        .route("/mails/{id}/raw", get(raw_mail))
        .route("/mails/{id}/attachments/{number}", get(attachment))
        .route("/api/mails", get(list_mails).delete(delete_mails))
        .route("/api/mails/{id}", get(show_mail))
        .route("/api/faults/{address}", put(put_fault))
        .route("/api/faults", axum::routing::delete(delete_faults))
        .route("/api/release/{address}", post(release))
        .with_state(store)
}

async fn inbox_page(State(store): State<Arc<Store>>, Query(filter): Query<MailFilter>) -> Response {
    let mut mails = store.matching(|mail| filter.accepts(mail));
    let total = mails.len();
    mails.truncate(LISTED_MAILS);
    page(&InboxPage {
        mails,
        total,
        filter,
    })
}

async fn mail_page(State(store): State<Arc<Store>>, Path(id): Path<u64>) -> Response {
    let Some(mail) = store.find(id) else {
        return not_found();
    };
    let framed = mail
        .html
        .as_ref()
        .map(|html| format!("<base target=\"_blank\">{html}"));
    page(&MailPage { mail, framed })
}

async fn raw_mail(State(store): State<Arc<Store>>, Path(id): Path<u64>) -> Response {
    store.find(id).map_or_else(not_found, |mail| {
        let headers = [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, mail.raw.clone()).into_response()
    })
}

async fn attachment(
    State(store): State<Arc<Store>>,
    Path((id, number)): Path<(u64, usize)>,
) -> Response {
    let mail = store.find(id);
    let found = mail.as_ref().and_then(|mail| mail.attachments.get(number));
    found.map_or_else(not_found, download)
}

async fn list_mails(
    State(store): State<Arc<Store>>,
    Query(filter): Query<MailFilter>,
) -> Json<Value> {
    let mails = store.matching(|mail| filter.accepts(mail));
    Json(mails.iter().map(|mail| as_json(mail)).collect())
}

async fn show_mail(State(store): State<Arc<Store>>, Path(id): Path<u64>) -> Response {
    store
        .find(id)
        .map_or_else(not_found, |mail| Json(as_json(&mail)).into_response())
}

async fn delete_mails(State(store): State<Arc<Store>>) -> StatusCode {
    store.clear();
    StatusCode::NO_CONTENT
}

async fn put_fault(
    State(store): State<Arc<Store>>,
    Path(address): Path<String>,
    Json(fault): Json<MailFault>,
) -> StatusCode {
    store.set_fault(&address, fault);
    StatusCode::NO_CONTENT
}

async fn release(State(store): State<Arc<Store>>, Path(address): Path<String>) -> Json<Value> {
    Json(json!({ "released": store.release(&address) }))
}

async fn delete_faults(State(store): State<Arc<Store>>) -> StatusCode {
    store.clear_faults();
    StatusCode::NO_CONTENT
}

fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(text)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "no such mail or attachment").into_response()
}

/// An attachment is only ever saved: what a stranger sends must not run in the inbox's origin.
fn download(attachment: &Attachment) -> Response {
    let kind = HeaderValue::from_str(&attachment.content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let disposition = HeaderValue::from_str(&disposition(&attachment.filename))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, disposition),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    (headers, attachment.content.clone()).into_response()
}

/// The file name in the two spellings of RFC 6266: plain for old programs, encoded for the rest.
fn disposition(filename: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let plain: String = filename
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect();
    let mut encoded = String::new();
    for byte in filename.bytes() {
        if byte.is_ascii() && safe(char::from(byte)) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

fn as_json(mail: &Mail) -> Value {
    let attachments: Vec<Value> = (0..)
        .zip(&mail.attachments)
        .map(|(number, attachment): (usize, _)| {
            json!({
                "filename": attachment.filename,
                "contentType": attachment.content_type,
                "size": attachment.content.len(),
                "url": format!("/mails/{}/attachments/{number}", mail.id),
            })
        })
        .collect();
    json!({
        "id": mail.id,
        "received": mail.received.to_rfc3339(),
        "envelope": { "from": mail.envelope_from, "to": mail.envelope_to },
        "from": mail.from,
        "to": mail.to,
        "subject": mail.subject,
        "messageId": mail.message_id,
        "html": mail.html,
        "text": mail.text,
        "size": mail.raw.len(),
        "attachments": attachments,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_break_its_header() {
        assert_eq!(
            disposition("ré\"port\r\n.pdf"),
            "attachment; filename=\"r__port__.pdf\"; filename*=UTF-8''r%C3%A9%22port%0D%0A.pdf"
        );
    }
}
