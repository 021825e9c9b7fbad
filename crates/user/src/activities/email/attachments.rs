//! The files of a mail: sent along in the input, or kept in object storage.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partner_core::contracts::email::EmailAttachment;
use partner_core::ports::mailer::MailAttachment;
use partner_core::ports::object_store::{ObjectStore, ObjectStoreError};

use crate::error::UserError;

/// The files of a mail, checked; those that are stored are not read yet.
pub(super) struct Attachments {
    files: Vec<File>,
    most_bytes: u64,
}

struct File {
    name: String,
    source: Source,
}

enum Source {
    Content(Vec<u8>),
    Stored(String),
}

impl Attachments {
    /// Reads the input. Whatever breaks a rule is refused here, before anything is sent.
    pub(super) fn read(
        attachments: &[EmailAttachment],
        storage_exists: bool,
        most_bytes: u64,
    ) -> Result<Self, UserError> {
        let files: Vec<_> = attachments
            .iter()
            .map(|attachment| file(attachment, storage_exists))
            .collect::<Result<_, _>>()?;
        let known = files.iter().fold(0, |sum, file| match &file.source {
            Source::Content(content) => sum + length(content),
            Source::Stored(_) => sum,
        });
        if known > most_bytes {
            return Err(too_large(most_bytes));
        }
        Ok(Self { files, most_bytes })
    }

    /// The files with their content, as long as all of them together stay within the limit.
    pub(super) async fn load(
        self,
        objects: Option<&dyn ObjectStore>,
    ) -> Result<Vec<MailAttachment>, UserError> {
        let mut room = self.most_bytes;
        let mut loaded = Vec::with_capacity(self.files.len());
        for File { name, source } in self.files {
            let content = match source {
                Source::Content(content) => content,
                Source::Stored(reference) => {
                    let objects = objects.ok_or_else(|| no_storage(&name))?;
                    objects
                        .read(&reference, room)
                        .await
                        .map_err(|error| explain(error, &name, self.most_bytes))?
                }
            };
            room = room
                .checked_sub(length(&content))
                .ok_or_else(|| too_large(self.most_bytes))?;
            loaded.push(MailAttachment {
                content_type: mime_guess::from_path(&name)
                    .first_or_octet_stream()
                    .to_string(),
                filename: name,
                content,
            });
        }
        Ok(loaded)
    }
}

fn file(attachment: &EmailAttachment, storage_exists: bool) -> Result<File, UserError> {
    let name = attachment.filename.clone();
    if name.is_empty() || name.contains(|c: char| c.is_control() || "/\\".contains(c)) {
        return Err(invalid(&name, "filename must be a plain file name"));
    }
    let source = match (&attachment.content, &attachment.url) {
        (Some(content), None) => Source::Content(
            STANDARD
                .decode(content)
                .map_err(|_| invalid(&name, "content must be base64"))?,
        ),
        (None, Some(_)) if !storage_exists => return Err(no_storage(&name)),
        (None, Some(reference)) => Source::Stored(reference.clone()),
        _ => {
            return Err(invalid(
                &name,
                "exactly one of content and url must be given",
            ));
        }
    };
    Ok(File { name, source })
}

fn length(content: &[u8]) -> u64 {
    u64::try_from(content.len()).unwrap_or(u64::MAX)
}

/// The store knows neither the file's name nor that the limit is one for all files together.
fn explain(error: ObjectStoreError, name: &str, most_bytes: u64) -> UserError {
    match error {
        ObjectStoreError::TooLarge { .. } => too_large(most_bytes),
        ObjectStoreError::Foreign { .. } | ObjectStoreError::NotFound(_) => {
            invalid(name, &format!("url: {error}"))
        }
        other => other.into(),
    }
}

fn too_large(most_bytes: u64) -> UserError {
    UserError::Invalid(format!(
        "attachments: together they must have at most {most_bytes} bytes \
         (notifications.max_attachment_bytes)"
    ))
}

fn no_storage(name: &str) -> UserError {
    invalid(
        name,
        "url: there is no object storage, set storage.url or send the content",
    )
}

fn invalid(name: &str, what: &str) -> UserError {
    UserError::Invalid(format!("attachments: {name:?}: {what}"))
}
