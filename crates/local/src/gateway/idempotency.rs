//! Idempotency keys: the first answer to a key is the answer to all its repetitions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answers by key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Keys {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The endpoint and the parameters that the key was first used with.
    request: String,
    answer: Stored,
    /// Whether the first request has not been answered yet. No request survives a restart.
    #[serde(skip)]
    running: bool,
}

/// An answer that is given again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// What a key is known for.
#[derive(Debug, PartialEq)]
pub(super) enum Lookup {
    /// Nothing yet.
    New,
    /// This request, which was answered so.
    Replay(Stored),
    /// A request that is under way.
    InUse,
    /// Another request.
    Mismatch,
}

impl Keys {
    pub(super) fn look_up(&self, key: &str, request: &str) -> Lookup {
        match self.entries.get(key) {
            None => Lookup::New,
            Some(entry) if entry.running => Lookup::InUse,
            Some(entry) if entry.request != request => Lookup::Mismatch,
            Some(entry) => Lookup::Replay(entry.answer.clone()),
        }
    }

    /// Keeps the answer of a request that took effect.
    pub(super) fn store(&mut self, key: &str, request: String, answer: Stored) {
        let entry = Entry {
            request,
            answer,
            running: false,
        };
        self.entries.insert(key.to_owned(), entry);
    }

    /// Marks the key's request as not answered yet, or as answered.
    pub(super) fn set_running(&mut self, key: &str, running: bool) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.running = running;
        }
    }

    /// Forgets every answered key, as the gateway does after a day; answers how many.
    pub(super) fn prune(&mut self) -> usize {
        let before = self.entries.len();
        self.entries.retain(|_key, entry| entry.running);
        before - self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_one_request() {
        let mut keys = Keys::default();
        assert_eq!(keys.look_up("k", "a"), Lookup::New);
        let answer = Stored {
            status: 200,
            body: Value::Null,
        };
        keys.store("k", "a".into(), answer.clone());
        keys.set_running("k", true);
        assert_eq!(keys.look_up("k", "b"), Lookup::InUse);
        assert_eq!(keys.prune(), 0);
        keys.set_running("k", false);
        assert_eq!(keys.look_up("k", "b"), Lookup::Mismatch);
        assert_eq!(keys.look_up("k", "a"), Lookup::Replay(answer));
        assert_eq!(keys.prune(), 1);
        assert_eq!(keys.look_up("k", "b"), Lookup::New);
    }
}
