//! What a store's errors mean, in words that repeat no secret.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;

use object_store::Error as StoreError;
use partner_core::error::chain;
use partner_core::ports::object_store::ObjectStoreError;
use secrecy::SecretString;

use super::client::Refusal;
use crate::http::redact;

/// Stores answer in pages of XML; the beginning says what is wrong.
const MOST_CHARS: usize = 500;

/// The options that no text may repeat.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets(Vec<SecretString>);

impl Secrets {
    pub(super) fn of(options: &BTreeMap<String, SecretString>) -> Self {
        const TELLING: [&str; 6] = ["key", "secret", "token", "sas", "password", "credential"];
        let is_secret = |name: &str| TELLING.iter().any(|part| name.contains(part));
        Self(
            options
                .iter()
                .filter(|(name, _)| is_secret(name))
                .map(|(_, value)| value.clone())
                .collect(),
        )
    }

    /// The error with its causes, shortened.
    pub(super) fn text_of(&self, error: &(dyn Error + 'static)) -> String {
        // Before it is shortened, or half of a secret could be left at the end.
        let text = self.0.iter().fold(chain(error), redact);
        match text.char_indices().nth(MOST_CHARS) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    }
}

/// What an error of the store means for whoever asked for this file.
pub(super) fn failed(error: &StoreError, reference: &str, secrets: &Secrets) -> ObjectStoreError {
    let text = || secrets.text_of(error);
    match error {
        StoreError::NotFound { .. } => ObjectStoreError::NotFound(reference.to_owned()),
        StoreError::AlreadyExists { .. } => ObjectStoreError::AlreadyExists(reference.to_owned()),
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            ObjectStoreError::Denied(text())
        }
        StoreError::NotSupported { .. }
        | StoreError::NotImplemented { .. }
        | StoreError::InvalidPath { .. } => ObjectStoreError::Refused(text()),
        other if cause::<Refusal>(other).is_some() => ObjectStoreError::Refused(text()),
        other => match cause::<io::Error>(other).map(io::Error::kind) {
            Some(io::ErrorKind::PermissionDenied) => ObjectStoreError::Denied(text()),
            // A file stands where a folder would have to be, or the other way round.
            Some(
                io::ErrorKind::AlreadyExists
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::InvalidFilename
                | io::ErrorKind::CrossesDevices,
            ) => ObjectStoreError::Refused(text()),
            _ => ObjectStoreError::Unavailable(text()),
        },
    }
}

/// What the system's error about a file means.
pub(super) fn unreadable(error: io::Error, reference: &str) -> ObjectStoreError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            ObjectStoreError::NotFound(reference.to_owned())
        }
        io::ErrorKind::PermissionDenied => ObjectStoreError::Denied(error.to_string()),
        _ => ObjectStoreError::Unavailable(error.to_string()),
    }
}

/// The cause of this type, which the crate wraps.
fn cause<E: Error + 'static>(error: &StoreError) -> Option<&E> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
